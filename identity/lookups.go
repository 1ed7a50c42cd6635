package identity

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/bonafide-mta/bonafide/fcrdns"
	"github.com/bonafide-mta/bonafide/internal/heapsize"
	"github.com/bonafide-mta/bonafide/resolver"
)

// The worst that the zones of others can make a step cost, in questions: the sums of what
// the checks state, which tests measure on hostile zones. What steps share is not deducted.
const (
	worstSPF     = 233                        // spf asks ahead
	worstConnect = 1 + fcrdns.DefaultMaxNames // the PTR records, and the addresses of their names
	worstHelo    = 1 + 16 + worstSPF + 10     // the HELO name, CSA, SPF, PTR names beyond those
	worstMail    = worstSPF + 3               // SPF, Null MX
	worstMessage = worstConnect + worstHelo + worstMail
)

// questionTimeout is for one question that a step has waited for in vain: as that of
// resolver.Cache.
const questionTimeout = 30 * time.Second

// The memory of a session, in bytes.
const (
	sessionBytes = 4 << 20   // all that it keeps
	stepBytes    = 1 << 20   // what one step may add
	maxAnswer    = 256 << 10 // of one answer: some 1,500 names or addresses
	slotBytes    = 512       // an entry, without its answer
	failureBytes = 512       // an error, without the texts in it
)

var (
	errTooLarge  = fmt.Errorf("the answer takes more than %d KiB of memory", maxAnswer>>10)
	errStepOver  = errors.New("the step is over")
	errOverspent = errors.New("the step asks more than it may")

	errNotReturned = errors.New("the Resolver did not return") // but ended its goroutine, as t.Fatal does
)

// lookups asks the questions of a session, each once, and remembers the answers. A question
// belongs to the session: a check that stops waiting for the answer leaves it to the checks
// after it.
type lookups struct {
	ctx      context.Context // of the session
	resolver resolver.Resolver
	timeout  time.Duration // for one step

	mu        sync.Mutex
	asked     int
	questions int   // that may be asked, except those that steps have reserved
	bytes     int64 // that may be kept, likewise
	exhausted bool  // a step could not begin
	answers   map[resolver.Question]*pendingAnswer
}

type pendingAnswer struct {
	done   chan struct{} // closed when the answer is here
	answer resolver.Answer
	err    error
}

// begin reserves the worst case of a step, and returns the resolver for its checks; nil if
// the session does not have it left, or had not before.
func (l *lookups) begin(worst int) *stepLookups {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.exhausted = l.exhausted || l.questions < worst || l.bytes < stepBytes
	if l.exhausted {
		return nil
	}
	l.questions -= worst
	l.bytes -= stepBytes
	return &stepLookups{session: l, users: 1, questions: worst, bytes: stepBytes}
}

// count returns how many questions were asked.
func (l *lookups) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.asked
}

func (l *lookups) isExhausted() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.exhausted
}

// forget frees the answers. Nothing is kept from then on.
func (l *lookups) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answers = nil
}

// stepLookups is the Resolver of a step's checks.
type stepLookups struct {
	session *lookups

	// Guarded by session.mu.
	users     int   // tasks that may still ask, and the one who starts them
	questions int   // of those reserved, not asked
	bytes     int64 // of those reserved, not used
	over      bool
}

// use counts a task that asks.
func (s *stepLookups) use() {
	s.session.mu.Lock()
	defer s.session.mu.Unlock()
	s.users++
}

// release counts one out. With the last one the step is over.
func (s *stepLookups) release() {
	s.session.mu.Lock()
	defer s.session.mu.Unlock()
	if s.users--; s.users == 0 {
		s.end()
	}
}

// stop ends the step at once: its checks, which may not know it yet, ask nothing more.
func (s *stepLookups) stop() {
	s.session.mu.Lock()
	defer s.session.mu.Unlock()
	s.end()
}

// end returns to the session what the step has not used.
func (s *stepLookups) end() {
	s.session.questions += s.questions
	s.session.bytes += s.bytes
	s.questions, s.bytes, s.over = 0, 0, true
}

// Lookup implements resolver.Resolver.
func (s *stepLookups) Lookup(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
	p, err := s.ask(resolver.Question{Name: name, Type: qtype})
	if err != nil {
		return resolver.Answer{}, err
	}
	select {
	case <-p.done:
		return p.answer, p.err
	case <-ctx.Done():
		return resolver.Answer{}, context.Cause(ctx)
	}
}

// ask returns the answer to a question, which may still be pending.
func (s *stepLookups) ask(q resolver.Question) (*pendingAnswer, error) {
	l := s.session
	l.mu.Lock()
	defer l.mu.Unlock()
	if p, ok := l.answers[q]; ok {
		return p, nil
	}
	switch {
	case l.ctx.Err() != nil:
		return nil, context.Cause(l.ctx)
	case s.over:
		return nil, errStepOver
	case s.questions == 0:
		return nil, errOverspent
	}
	s.questions--
	l.asked++
	p := &pendingAnswer{done: make(chan struct{})}
	if l.answers != nil {
		l.answers[q] = p
	}
	go func() {
		defer close(p.done)
		ctx, cancel := l.questionContext()
		defer cancel()
		p.err = errNotReturned
		r := resolver.Ask(ctx, l.resolver, q.Name, q.Type)
		p.answer, p.err = r.Answer, r.Err
		s.keep(q, p)
	}()
	return p, nil
}

// questionContext returns the context of one question. It ends with the session, unless a
// step has waited for the question in vain by then: if that ended it, a cache below would
// never learn that a server is silent, and every session would wait for it anew.
func (l *lookups) questionContext() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(l.ctx), max(l.timeout, questionTimeout))
	asked := time.Now()
	stop := context.AfterFunc(l.ctx, func() {
		if time.Since(asked) < l.timeout/2 {
			cancel()
		}
	})
	return ctx, func() { stop(); cancel() }
}

// keep pays for an answer that has come. One that cannot be paid for reaches those who wait
// for it, and is forgotten.
func (s *stepLookups) keep(q resolver.Question, p *pendingAnswer) {
	size := heapsize.Of(p.answer, maxAnswer)
	if size > maxAnswer {
		p.answer, p.err, size = resolver.Answer{}, errTooLarge, 0
	}
	if e, ok := errors.AsType[*resolver.Error](p.err); ok && e != nil {
		size += heapsize.Of(e.Extended, maxAnswer)
	}
	if p.err != nil {
		size += failureBytes
	}
	size += slotBytes + heapsize.Block(len(q.Name))

	l := s.session
	l.mu.Lock()
	defer l.mu.Unlock()
	left := &s.bytes
	if s.over { // and what it had reserved is the session's again
		left = &l.bytes
	}
	if size > *left {
		delete(l.answers, q)
		return
	}
	*left -= size
}
