package identity

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/bonafide-mta/bonafide/csa"
	"github.com/bonafide-mta/bonafide/fcrdns"
	"github.com/bonafide-mta/bonafide/identity/envelope"
	"github.com/bonafide-mta/bonafide/identity/helo"
	"github.com/bonafide-mta/bonafide/internal/address"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/nullmx"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/spf"
)

// Defaults of a Verifier.
const (
	DefaultTimeout      = 20 * time.Second // RFC 7208, Section 4.6.4: at least
	DefaultMaxQuestions = 1000             // about twice what the worst zones can make one message cost
)

// A Verifier judges the clients of a mail server. All fields except Resolver may stay zero.
// It holds no state: one value serves all connections, concurrently.
type Verifier struct {
	// Resolver answers the questions; required. Nil makes each of them a temporary failure
	// with resolver.ErrNoResolver.
	Resolver resolver.Resolver
	// Policy maps reasons and levels to the actions of Verdict.Advice. The zero Policy refuses a
	// client only if the owner of a name that it uses denies it.
	Policy Policy
	// Names are our own names in HELO, which no other client may claim.
	Names []string
	// Addrs are our own addresses, which no other client may claim in an address literal;
	// those that are not public count only against clients that AllowPrivate lets be judged.
	// A client that comes from one of Addrs may claim all Names.
	Addrs []netip.Addr
	// Trusted are internal relays, submitting clients and backup MX: they are
	// NotApplicable, and nothing is asked about them. A prefix of IPv4-mapped addresses
	// (::ffff:192.0.2.0/120) is one of IPv4 addresses.
	Trusted []netip.Prefix
	// AllowPrivate also judges clients whose address is not one of the public Internet
	// (see fcrdns.NotApplicable), for networks with their own reverse DNS.
	AllowPrivate bool
	// Receiver is the name of this server, for Received-SPF.
	Receiver string
	// Timeout is for one step, counted from its beginning; 0 means DefaultTimeout. A question
	// that a step has waited for in vain goes on, until 30 s after it was asked, or Timeout if
	// that is more, so that a resolver.Cache learns what fails.
	Timeout time.Duration
	// MaxQuestions is for one Session, repeated steps included; 0 means
	// DefaultMaxQuestions, and less than the worst case of one message, 507, means 507. A
	// step begins only if the worst case of that step is left, in questions and in the memory
	// of the session (see Bounds in the package doc). Otherwise it asks nothing: this step
	// and all later ones have the reason SessionExhausted.
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
	lookups  *lookups

	mu    sync.Mutex // for Close, which may come at any time
	state sessionState
}

// sessionState has the steps of the client so far.
type sessionState struct {
	began   time.Time // when the last step did
	reverse *task[*fcrdns.Result]
	helo    *heloStep // nil before HELO
	mail    *mailStep // nil before MAIL FROM
}

// heloStep is a HELO with its checks, which are nil if they were not begun or are closed.
type heloStep struct {
	text    string
	ours    bool // it claims to be us
	lookups *stepLookups
	reverse *task[*fcrdns.Result]
	address *task[*helo.Result]
	spf     *task[*spf.Result]
	csa     *task[*csa.Result]
}

// mailStep is a MAIL FROM with its checks, likewise.
type mailStep struct {
	text      string
	malformed bool
	sender    envelope.Path
	lookups   *stepLookups
	spf       *task[*spf.Result]
	nullMX    *task[*nullmx.Result]
}

// Session begins a session with the client of an address, and starts looking up its PTR
// names at once. A client without a valid address, as over a Unix socket, is not judged: it is
// NotApplicable, like one with a private address. The end of the context is that of the session, as by Close; the context of a
// step bounds only how long the step waits.
func (v Verifier) Session(ctx context.Context, client netip.Addr) *Session {
	if v.Timeout <= 0 {
		v.Timeout = DefaultTimeout
	}
	if v.MaxQuestions <= 0 {
		v.MaxQuestions = DefaultMaxQuestions
	}
	s := &Session{verifier: v, client: address.Canonical(client)}
	s.ctx, s.cancel = context.WithCancel(ctx)
	s.lookups = &lookups{
		ctx: s.ctx, resolver: v.Resolver, timeout: v.Timeout,
		questions: max(v.MaxQuestions, worstMessage), bytes: sessionBytes, answers: make(map[resolver.Question]*pendingAnswer),
	}
	checker := fcrdns.Checker{AllowPrivate: v.AllowPrivate}
	switch {
	case slices.ContainsFunc(v.Trusted, func(p netip.Prefix) bool { return address.Holds(p, client) }):
		s.exempt = TrustedClient
	case !s.client.IsValid(), checker.Check(s.ctx, s.client).Status == fcrdns.NotApplicable: // which it tells without a resolver
		s.exempt = PrivateClient
	}
	if s.exempt == 0 {
		step := s.lookups.begin(worstConnect) // which a new session has left
		defer step.release()
		checker.Resolver = step
		s.state.reverse = start(s, step, func(ctx context.Context) *fcrdns.Result { return checker.Check(ctx, s.client) })
	}
	return s
}

// Close stops what still runs in the background, except questions that a step has waited
// for in vain (see Verifier.Timeout), and frees what the session remembers; verdicts stay as
// they are. It may be called twice, and at any time. Steps after it learn nothing.
func (s *Session) Close() {
	s.cancel()
	s.lookups.forget()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.reverse = nil
	if h := s.state.helo; h != nil {
		s.state.helo = &heloStep{text: h.text, ours: h.ours}
	}
	if m := s.state.mail; m != nil {
		s.state.mail = &mailStep{text: m.text, malformed: m.malformed, sender: m.sender}
	}
}

// Connect judges the client by its address. Callers that decide nothing before HELO can skip
// it.
func (s *Session) Connect(ctx context.Context) *Verdict {
	return s.verdict(ctx, AtConnect, s.take(func(*sessionState) {}))
}

// StartHelo begins the work of Helo and returns at once, without a verdict. It is for servers
// that decide at MAIL FROM or RCPT: call it at HELO, and the verdict of MailFrom has its
// results. A later Helo with the same name waits for them, and asks nothing again. Otherwise it
// is like Helo: a second name replaces the first, and "" is no HELO.
func (s *Session) StartHelo(name string) { s.take(s.sayHelo(name)) }

// Helo judges the client by the argument of HELO or EHLO, too; "" is no HELO. A second one,
// after STARTTLS or not, replaces the first, and MAIL FROM with it. If ctx ends before the
// work is done, the verdict is about what is known by then, and the work goes on.
func (s *Session) Helo(ctx context.Context, name string) *Verdict {
	return s.verdict(ctx, AtHelo, s.take(s.sayHelo(name)))
}

// sayHelo returns the change that HELO with a name makes.
func (s *Session) sayHelo(name string) func(*sessionState) {
	return func(now *sessionState) {
		now.mail.stop()
		now.mail = nil
		if now.helo != nil && now.helo.text == name {
			return
		}
		now.helo.stop()
		now.helo = nil
		if name != "" {
			now.helo = s.startHelo(now.reverse, name)
		}
	}
}

func (s *Session) startHelo(reverse *task[*fcrdns.Result], name string) *heloStep {
	h := &heloStep{text: name, ours: s.verifier.ours(s.client, name)}
	step := s.begin(worstHelo)
	if step == nil {
		return h
	}
	defer step.release()
	h.lookups = step
	h.reverse = start(s, step, func(ctx context.Context) *fcrdns.Result { return s.reverseFor(ctx, step, reverse, name) })
	h.address = start(s, step, func(ctx context.Context) *helo.Result {
		return helo.Checker{Resolver: step}.Check(ctx, name, s.client)
	})
	h.spf = start(s, step, func(ctx context.Context) *spf.Result { return s.spf(step).CheckHelo(ctx, s.client, name) })
	h.csa = start(s, step, func(ctx context.Context) *csa.Result {
		return csa.Checker{Resolver: step}.Check(ctx, s.client, name)
	})
	return h
}

// MailFrom judges the client by the reverse-path of MAIL FROM, too, with or without its angle
// brackets and the quotes of its local part, see envelope.ParsePath: "" and "<>" are the null
// sender. A second one replaces the first.
func (s *Session) MailFrom(ctx context.Context, reversePath string) *Verdict {
	return s.verdict(ctx, AtMailFrom, s.take(func(now *sessionState) {
		if now.mail != nil && now.mail.text == reversePath {
			return
		}
		now.mail.stop()
		heloName := ""
		if now.helo != nil {
			heloName = now.helo.text
		}
		now.mail = s.startMail(heloName, reversePath)
	}))
}

func (s *Session) startMail(heloName, reversePath string) *mailStep {
	sender, err := envelope.ParsePath(reversePath)
	m := &mailStep{text: reversePath, malformed: err != nil, sender: sender}
	if err != nil {
		return m
	}
	step := s.begin(worstMail)
	if step == nil {
		return m
	}
	defer step.release()
	m.lookups = step
	m.spf = start(s, step, func(ctx context.Context) *spf.Result {
		return s.spf(step).CheckMailFrom(ctx, s.client, heloName, sender.Address)
	})
	if sender.Domain != "" {
		m.nullMX = start(s, step, func(ctx context.Context) *nullmx.Result {
			return nullmx.Checker{Resolver: step}.Check(ctx, sender.Domain)
		})
	}
	return m
}

// begin returns the resolver for the checks of a step, nil if there are none to make.
func (s *Session) begin(worst int) *stepLookups {
	if s.exempt != 0 {
		return nil
	}
	return s.lookups.begin(worst)
}

// take changes the state, which starts the checks of a step, and returns the new one.
func (s *Session) take(change func(*sessionState)) sessionState {
	began := time.Now()
	s.mu.Lock()
	change(&s.state)
	now := s.state
	s.mu.Unlock()
	if s.lookups.isExhausted() {
		s.Close() // no verdict needs what the other steps may still find
	}
	now.began = began
	return now
}

// spf asks ahead: a session is short of time, and its questions are counted.
func (s *Session) spf(step *stepLookups) spf.Checker {
	return spf.Checker{
		Resolver: step, Receiver: s.verifier.Receiver, Timeout: s.verifier.Timeout,
		Speculate: spf.SpeculateAll, MaxOpen: maxOpen, NoExplanation: !s.verifier.Policy.Explain,
	}
}

// maxOpen is enough to ask for all hosts of ten mx terms at once.
const maxOpen = 128

// ours reports whether a client claims a name or an address of ours.
func (v Verifier) ours(client netip.Addr, heloName string) bool {
	own := func(addr netip.Addr) bool {
		return slices.ContainsFunc(v.Addrs, func(a netip.Addr) bool { return address.Canonical(a) == addr })
	}
	parsed, err := helo.Parse(heloName)
	if err != nil || own(client) {
		return false
	}
	if parsed.Addr.IsValid() {
		// A private address is ours alone only in our own network.
		addr := address.Canonical(parsed.Addr)
		return own(addr) && (address.IsPublic(addr) || v.AllowPrivate && !address.FromInternet(client))
	}
	return slices.ContainsFunc(v.Names, func(name string) bool { return dnsname.Same(name, parsed.Name) })
}

// stop ends the work of a step that was replaced.
func (h *heloStep) stop() {
	if h != nil && h.lookups != nil {
		h.lookups.stop()
		h.reverse.cancel()
		h.address.cancel()
		h.spf.cancel()
		h.csa.cancel()
	}
}

func (m *mailStep) stop() {
	if m != nil && m.lookups != nil {
		m.lookups.stop()
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

func start[R any](s *Session, step *stepLookups, check func(context.Context) R) *task[R] {
	t := &task[R]{done: make(chan struct{})}
	t.ctx, t.cancel = context.WithTimeout(s.ctx, s.verifier.Timeout)
	step.use()
	go func() {
		defer t.cancel()
		defer close(t.done)
		defer step.release()
		t.result = check(t.ctx)
	}()
	return t
}

// wait returns the result, or what unfinished makes of the cause where the context of the
// step or that of the task ends first: a resolver may not heed it. A nil task is one of a
// session that is closed.
func (t *task[R]) wait(ctx context.Context, unfinished func(error) R) R {
	if t == nil {
		return unfinished(context.Canceled)
	}
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
