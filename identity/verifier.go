package identity

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/bonafide-mta/bonafide/csa"
	"github.com/bonafide-mta/bonafide/fcrdns"
	"github.com/bonafide-mta/bonafide/identity/envelope"
	"github.com/bonafide-mta/bonafide/identity/helo"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/nullmx"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/spf"
)

// Defaults of a Verifier.
const (
	DefaultTimeout      = 20 * time.Second // RFC 7208, Section 4.6.4: at least
	DefaultMaxQuestions = 1000             // twice what the worst zones can make one message cost
)

// A Verifier judges the clients of a mail server. All fields except Resolver may stay zero.
// It holds no state: one value serves all connections, concurrently.
type Verifier struct {
	// Resolver answers the questions; required. Nil makes each of them a temporary failure
	// with resolver.ErrNoResolver.
	Resolver resolver.Resolver
	// Policy says what to do about what was found. The zero Policy refuses a client only if
	// the owner of a name that it uses denies it.
	Policy Policy
	// Names are our own names in HELO, which no other client may claim.
	Names []string
	// Addrs are our own addresses, likewise. A client that comes from one of them may
	// claim all Names.
	Addrs []netip.Addr
	// Trusted are internal relays, submitting clients and backup MX: they are
	// NotApplicable, and nothing is asked about them.
	Trusted []netip.Prefix
	// AllowPrivate also judges clients whose address is not one of the public Internet
	// (see fcrdns.NotApplicable), for networks with their own reverse DNS.
	AllowPrivate bool
	// Receiver is the name of this server, for Received-SPF.
	Receiver string
	// Timeout is for one step, counted from its beginning; 0 means DefaultTimeout.
	Timeout time.Duration
	// MaxQuestions is for one Session, repeated steps included; 0 means
	// DefaultMaxQuestions. A session that needs more has temporary failures with
	// ErrTooMany: clients that deliver many messages at a time should reconnect.
	MaxQuestions int
}

// A Session is one connection of a client. Its steps must not run concurrently; each
// may be repeated. Close it.
type Session struct {
	verifier Verifier
	client   netip.Addr
	exempt   Reason // why there is no verdict, or 0
	ctx      context.Context
	cancel   context.CancelFunc
	resolver *sessionResolver

	reverse *task[*fcrdns.Result]
	helo    *heloStep // nil before HELO
}

// heloStep has the checks of HELO.
type heloStep struct {
	text    string
	ours    bool // it claims to be us
	reverse *task[*fcrdns.Result]
	address *task[*helo.Result] // nil where the client has sent none, as the others
	spf     *task[*spf.Result]
	csa     *task[*csa.Result]
	mail    *mailStep // the last MAIL FROM under this HELO
}

// mailStep has the checks of MAIL FROM.
type mailStep struct {
	text   string
	spf    *task[*spf.Result]
	nullMX *task[*nullmx.Result] // nil for the null sender
}

// Session begins a session with the client of an address, and starts looking up its PTR
// names at once. The context bounds everything that the session does in the background; the
// context of a step bounds only how long the step waits.
func (v Verifier) Session(ctx context.Context, client netip.Addr) *Session {
	if v.Timeout <= 0 {
		v.Timeout = DefaultTimeout
	}
	if v.MaxQuestions <= 0 {
		v.MaxQuestions = DefaultMaxQuestions
	}
	s := &Session{verifier: v, client: client.Unmap().WithZone("")}
	s.ctx, s.cancel = context.WithCancel(ctx)
	s.resolver = &sessionResolver{ctx: s.ctx, resolver: v.Resolver, timeout: v.Timeout, questions: v.MaxQuestions, asked: make(map[resolver.Question]*pendingAnswer)}
	checker := fcrdns.Checker{AllowPrivate: v.AllowPrivate}
	switch {
	case slices.ContainsFunc(v.Trusted, func(p netip.Prefix) bool { return p.Contains(s.client) }):
		s.exempt = TrustedClient
	case checker.Check(s.ctx, s.client).Status == fcrdns.NotApplicable: // which it tells without a resolver
		s.exempt = PrivateClient
	}
	if s.exempt == 0 {
		checker.Resolver = s.resolver
		s.reverse = start(s, func(ctx context.Context) *fcrdns.Result { return checker.Check(ctx, s.client) })
	}
	return s
}

// Close stops what still runs in the background. It may be called twice. Steps after it
// learn nothing new.
func (s *Session) Close() { s.cancel() }

// Connect judges the client by its address. Callers that decide nothing before HELO can skip
// it.
func (s *Session) Connect(ctx context.Context) *Verdict { return s.verdict(ctx, AtConnect) }

// Helo judges the client by the argument of HELO or EHLO, too. A second one, after STARTTLS
// or not, replaces the first, and MAIL FROM with it.
//
// If ctx ends before the work is done, the verdict is about what is known by then, and the
// work goes on: callers that decide nothing before MAIL FROM can call Helo with a context
// that has ended already, and do not wait.
func (s *Session) Helo(ctx context.Context, name string) *Verdict {
	switch {
	case s.helo != nil && s.helo.text == name && (s.exempt != 0 || s.helo.address != nil):
		s.helo.mail.stop()
		s.helo.mail = nil
	case s.exempt != 0:
		s.helo = &heloStep{text: name}
	default:
		s.helo.stop()
		s.helo = s.startHelo(name)
	}
	return s.verdict(ctx, AtHelo)
}

func (s *Session) startHelo(name string) *heloStep {
	h := &heloStep{text: name, ours: s.verifier.ours(s.client, name)}
	h.reverse = start(s, func(ctx context.Context) *fcrdns.Result { return s.reverseFor(ctx, name) })
	h.address = start(s, func(ctx context.Context) *helo.Result {
		return helo.Checker{Resolver: s.resolver}.Check(ctx, name, s.client)
	})
	h.spf = start(s, func(ctx context.Context) *spf.Result { return s.spf().CheckHelo(ctx, s.client, name) })
	h.csa = start(s, func(ctx context.Context) *csa.Result {
		return csa.Checker{Resolver: s.resolver}.Check(ctx, s.client, name)
	})
	return h
}

// MailFrom judges the client by the reverse-path of MAIL FROM, too, without its angle
// brackets: "" is the null sender. A second one replaces the first.
func (s *Session) MailFrom(ctx context.Context, reversePath string) *Verdict {
	if s.helo == nil {
		s.helo = &heloStep{} // for a HELO that the client has not sent
	}
	if m := s.helo.mail; s.exempt != 0 {
		s.helo.mail = &mailStep{text: reversePath}
	} else if m == nil || m.text != reversePath {
		m.stop()
		s.helo.mail = s.startMail(reversePath)
	}
	return s.verdict(ctx, AtMailFrom)
}

func (s *Session) startMail(reversePath string) *mailStep {
	m := &mailStep{text: reversePath}
	sender, err := envelope.ParsePath(reversePath)
	if err != nil {
		return m
	}
	heloName := s.helo.text
	m.spf = start(s, func(ctx context.Context) *spf.Result {
		return s.spf().CheckMailFrom(ctx, s.client, heloName, sender.Address)
	})
	if sender.Domain != "" {
		m.nullMX = start(s, func(ctx context.Context) *nullmx.Result {
			return nullmx.Checker{Resolver: s.resolver}.Check(ctx, sender.Domain)
		})
	}
	return m
}

// spf asks ahead: a session is short of time, and its questions are counted.
func (s *Session) spf() spf.Checker {
	return spf.Checker{
		Resolver: s.resolver, Receiver: s.verifier.Receiver, Timeout: s.verifier.Timeout,
		Speculate: spf.SpeculateAll, MaxOpen: maxOpen, NoExplanation: !s.verifier.Policy.Explain,
	}
}

// maxOpen is enough to ask for all hosts of ten mx terms at once.
const maxOpen = 128

// ours reports whether a client claims a name or an address of ours.
func (v Verifier) ours(client netip.Addr, heloName string) bool {
	own := func(addr netip.Addr) bool {
		return slices.ContainsFunc(v.Addrs, func(a netip.Addr) bool { return a.Unmap().WithZone("") == addr })
	}
	parsed, err := helo.Parse(heloName)
	if err != nil || own(client) {
		return false
	}
	if parsed.Addr.IsValid() {
		return own(parsed.Addr)
	}
	return slices.ContainsFunc(v.Names, func(name string) bool { return dnsname.Same(name, parsed.Name) })
}

// stop ends the work of a step that was replaced.
func (h *heloStep) stop() {
	if h == nil {
		return
	}
	if h.address != nil {
		h.reverse.cancel()
		h.address.cancel()
		h.spf.cancel()
		h.csa.cancel()
	}
	h.mail.stop()
}

func (m *mailStep) stop() {
	if m != nil && m.spf != nil {
		m.spf.cancel()
		if m.nullMX != nil {
			m.nullMX.cancel()
		}
	}
}

// A task is a check that runs in the background.
type task[R any] struct {
	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{} // closed when result is there
	result R
}

func start[R any](s *Session, check func(context.Context) R) *task[R] {
	t := &task[R]{done: make(chan struct{})}
	t.ctx, t.cancel = context.WithTimeout(s.ctx, s.verifier.Timeout)
	go func() {
		defer t.cancel()
		defer close(t.done)
		t.result = check(t.ctx)
	}()
	return t
}

// wait returns the result, or what unfinished makes of the cause where the context of the
// step or that of the task ends first: a resolver may not heed it.
func (t *task[R]) wait(ctx context.Context, unfinished func(error) R) R {
	select {
	case <-t.done:
		return t.result
	default:
	}
	select {
	case <-t.done:
		return t.result
	case <-ctx.Done():
		return unfinished(context.Cause(ctx))
	case <-t.ctx.Done():
	}
	// The task's context ends with the task, too.
	select {
	case <-t.done:
		return t.result
	default:
		return unfinished(context.Cause(t.ctx))
	}
}

// ErrTooMany is the cause of a temporary failure where a session would ask more than
// Verifier.MaxQuestions.
var ErrTooMany = errors.New("too many questions for one session")

// A sessionResolver is a Resolver that asks each question once in a session, and only so
// many. A question belongs to the session: a check that stops waiting for the answer leaves
// it to the checks after it.
type sessionResolver struct {
	ctx       context.Context // of the session
	resolver  resolver.Resolver
	timeout   time.Duration // for one question
	questions int           // that may be asked

	mu    sync.Mutex
	asked map[resolver.Question]*pendingAnswer
}

type pendingAnswer struct {
	done   chan struct{} // closed when the answer is here
	answer resolver.Answer
	err    error
}

// Lookup implements resolver.Resolver.
func (m *sessionResolver) Lookup(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
	r, err := m.ask(resolver.Question{Name: name, Type: qtype})
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

// ask returns the answer to a question, which may still be pending.
func (m *sessionResolver) ask(q resolver.Question) (*pendingAnswer, error) {
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
	r := &pendingAnswer{done: make(chan struct{})}
	m.asked[q] = r
	go func() {
		defer close(r.done)
		ctx, cancel := context.WithTimeout(m.ctx, m.timeout)
		defer cancel()
		r.answer, r.err = m.resolver.Lookup(ctx, q.Name, q.Type)
	}()
	return r, nil
}

// count returns how many questions were asked.
func (m *sessionResolver) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.asked)
}
