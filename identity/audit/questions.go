package audit

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/bonafide-mta/bonafide/resolver"
)

// concurrency bounds the checks that run at once.
const concurrency = 16

// jobs are those of an audit, in order. Each is a check of a package below, which
// asks DNS for several records as a rule.
type jobs []func()

// enqueue adds a question, and returns what waits for its answer.
func enqueue[T any](q *jobs, question func() T) func() T {
	var answer T
	known := make(chan struct{})
	*q = append(*q, func() {
		answer = question()
		close(known)
	})
	return func() T {
		<-known
		return answer
	}
}

// alone asks each question in a goroutine of its own. A Resolver that calls runtime.Goexit
// ends that goroutine, and not the one of a check that others wait for.
func alone(r resolver.Resolver) resolver.Resolver {
	return resolver.Func(func(ctx context.Context, name string, qtype uint16) (answer resolver.Answer, err error) {
		err = errExited
		var asking sync.WaitGroup
		asking.Go(func() {
			reply := resolver.Ask(ctx, r, name, qtype)
			answer, err = reply.Answer, reply.Err
		})
		asking.Wait()
		return answer, err
	})
}

var errExited = errors.New("the Resolver called runtime.Goexit")

// start puts the questions, some at a time and the first ones first, until all are
// answered or stop is called, which returns when none is under way any more. Whatever
// was not put then has no answer, ever.
func (q jobs) start(cancel context.CancelFunc) (stop func()) {
	var running sync.WaitGroup
	var next atomic.Int64
	for range min(concurrency, len(q)) {
		running.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(q)); i = next.Add(1) - 1 {
				q[i]()
			}
		})
	}
	return func() {
		next.Store(int64(len(q)))
		cancel()
		running.Wait()
	}
}
