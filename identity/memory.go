package identity

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/bonafide-mta/bonafide/resolver"
)

// ErrTooMany is the cause of a temporary failure where a session would ask more than
// Verifier.MaxQuestions.
var ErrTooMany = errors.New("too many questions for one session")

// A memory is a Resolver that asks no question twice as long as a session lasts, and
// no more than so many. A question belongs to the session: who stops waiting for the
// answer leaves it to those who come later.
type memory struct {
	ctx       context.Context // of the session
	resolver  resolver.Resolver
	timeout   time.Duration // for one question
	questions int           // that may be asked

	mu    sync.Mutex
	asked map[question]*reply
}

type question struct {
	name  string
	qtype uint16
}

type reply struct {
	done   chan struct{} // closed when the answer is here
	answer resolver.Answer
	err    error
}

// Lookup implements resolver.Resolver.
func (m *memory) Lookup(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
	r, err := m.ask(question{name, qtype})
	if err != nil {
		return resolver.Answer{}, err
	}
	select {
	case <-r.done:
		return r.answer, r.err
	case <-ctx.Done():
		return resolver.Answer{}, context.Cause(ctx)
	}
}

// ask returns the reply to a question, which may still be under way.
func (m *memory) ask(q question) (*reply, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r, ok := m.asked[q]; ok {
		return r, nil
	}
	switch {
	case m.resolver == nil:
		return nil, resolver.ErrNoResolver
	case len(m.asked) >= m.questions:
		return nil, fmt.Errorf("%w: %d", ErrTooMany, m.questions)
	}
	r := &reply{done: make(chan struct{})}
	m.asked[q] = r
	go func() {
		defer close(r.done)
		ctx, cancel := context.WithTimeout(m.ctx, m.timeout)
		defer cancel()
		r.answer, r.err = m.resolver.Lookup(ctx, q.name, q.qtype)
	}()
	return r, nil
}

// count returns how many questions were asked.
func (m *memory) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.asked)
}
