package spf

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
)

// question asks the Resolver.
func (e *evaluation) question(ctx context.Context, name string, qtype uint16) resolver.Response {
	if e.open != nil {
		e.open <- struct{}{}
		defer func() { <-e.open }()
	}
	e.questions.Add(1)
	return resolver.Ask(ctx, e.checker.Resolver, name, qtype)
}

// ask asks a question, or waits for its answer where it is asked already.
func (e *evaluation) ask(name string, qtype uint16) resolver.Response {
	return e.askWithin(e.ctx, name, qtype)
}

func (e *evaluation) askWithin(ctx context.Context, name string, qtype uint16) resolver.Response {
	if e.ahead != nil && (qtype == dns.TypeTXT || e.checker.Speculate == SpeculateAll) {
		return e.ahead.ask(name, qtype).reply
	}
	return e.question(ctx, name, qtype)
}

// policy asks for the record of a domain and reads it.
func (e *evaluation) policy(domain string) (resolver.Response, *policy) {
	if e.ahead != nil {
		f := e.ahead.ask(domain, dns.TypeTXT)
		return f.reply, f.policy()
	}
	response := e.question(e.ctx, domain, dns.TypeTXT)
	if response.Err != nil {
		return response, nil
	}
	return response, policyOf(response.Answer, e.addr, e.checker.maxLookups())
}

// each asks for all names at once, and gives visit the replies as they come, one at a
// time, until it returns true: the questions that are still open are canceled then.
func (e *evaluation) each(names []string, qtype uint16, visit func(resolver.Response) (stop bool)) {
	e.limit(len(names))
	ctx, cancel := context.WithCancel(e.ctx)
	defer cancel()
	var (
		mu     sync.Mutex // of names and done
		done   bool
		asking sync.WaitGroup
		work   func()
		one    func(name string) // asks for a name, without mu
	)
	work = func() {
		mu.Lock()
		defer mu.Unlock()
		// Each worker starts the next one, which comes to something to do where this
		// one has to wait: names that are in memory cost no goroutine each.
		if len(names) > 1 {
			go work()
		}
		for len(names) > 0 {
			name := names[0]
			names = names[1:]
			asking.Add(1)
			one(name)
		}
	}
	one = func(name string) {
		response := resolver.Response{Question: resolver.Question{Name: name, Type: qtype}, Err: errExited}
		defer func() {
			mu.Lock()
			defer asking.Done()
			if !done && visit(response) {
				done, names = true, nil
				cancel()
			}
		}()
		mu.Unlock()
		response = e.askWithin(ctx, name, qtype)
	}
	work()
	asking.Wait() // no name is left: a worker that starts from now on just ends
}

// errExited is the error of a question whose goroutine the Resolver has ended.
var errExited = errors.New("the Resolver called runtime.Goexit")

// limit makes the slots for questions, where so many at once may be too many.
func (e *evaluation) limit(questions int) {
	most := e.checker.MaxOpen
	if most <= 0 {
		most = DefaultMaxOpen
	}
	if e.open == nil && questions > most {
		e.open = make(chan struct{}, most)
	}
}

// ahead is what is asked before it is known to be needed.
type ahead struct {
	e       *evaluation
	stop    context.CancelFunc // once the status is known
	running sync.WaitGroup

	mu      sync.Mutex
	left    int                           // terms that may still be asked ahead: never more in a whole tree than may be needed
	asked   map[resolver.Question]*future // every question, so that none is asked twice
	visited map[string]bool               // domains whose records were looked into
}

// A future is a question on its way.
type future struct {
	e      *evaluation
	done   chan struct{}
	reply  resolver.Response
	once   sync.Once
	parsed *policy
}

// policy reads the record of a TXT answer, once.
func (f *future) policy() *policy {
	f.once.Do(func() {
		if f.reply.Err == nil {
			f.parsed = policyOf(f.reply.Answer, f.e.addr, f.e.checker.maxLookups())
		}
	})
	return f.parsed
}

func (a *ahead) ask(name string, qtype uint16) *future {
	q := resolver.Question{Name: name, Type: qtype}
	a.mu.Lock()
	f := a.asked[q]
	if f != nil {
		a.mu.Unlock()
		<-f.done // with the context of the check at the latest
		return f
	}
	f = &future{e: a.e, done: make(chan struct{})}
	a.asked[q] = f
	a.mu.Unlock()
	defer close(f.done)
	f.reply = resolver.Response{Question: q, Err: errExited}
	f.reply = a.e.question(a.e.ctx, name, qtype)
	return f
}

// speculate asks ahead for what the terms of a record may need, and for what the
// records behind them may.
func (e *evaluation) speculate(p *policy, domain, display string) {
	if e.checker.Speculate == SpeculateNone {
		return
	}
	if e.ahead == nil {
		if !e.gains(p) {
			return
		}
		e.limit(1 << 10)
		e.ahead = &ahead{e: e, left: e.checker.maxLookups(), asked: make(map[resolver.Question]*future), visited: make(map[string]bool)}
		e.ctx, e.ahead.stop = context.WithCancel(e.ctx)
	}
	e.ahead.walk(p, domain, display)
}

// gains reports whether any term can be asked ahead but for the one that is
// evaluated next.
func (e *evaluation) gains(p *policy) bool {
	for i := 1; i < len(p.terms); i++ {
		if e.speculates(&p.terms[i]) {
			return true
		}
	}
	return len(p.terms) > 0 && p.redirect != nil && e.speculates(p.redirect)
}

// speculates reports whether a term is one to ask ahead for. The names of the macro p
// are not known before they are needed.
func (e *evaluation) speculates(t *Term) bool {
	switch {
	case !t.Kind.looksUp() || hasMacro(t.Domain, 'p'):
		return false
	case t.Kind == Include || t.Kind == Redirect:
		return true
	}
	return e.checker.Speculate == SpeculateAll
}

// walk starts the questions of the terms of a record.
func (a *ahead) walk(p *policy, domain, display string) {
	a.mu.Lock()
	seen := a.visited[domain]
	a.visited[domain] = true
	a.mu.Unlock()
	if seen {
		return
	}
	for i := range p.terms {
		a.start(&p.terms[i], domain, display)
	}
	if p.redirect != nil {
		a.start(p.redirect, domain, display)
	}
}

// start asks ahead for one term.
func (a *ahead) start(t *Term, domain, display string) {
	if !a.e.speculates(t) {
		return
	}
	x := expander{values: a.e.values, domain: display}
	name, ok := domain, true
	if t.Domain != "" {
		name, ok = x.name(t.Domain)
	}
	a.mu.Lock()
	ok = ok && a.left > 0
	if ok {
		a.left--
	}
	a.mu.Unlock()
	if !ok {
		return
	}
	a.running.Go(func() {
		switch t.Kind {
		case Include, Redirect:
			if p := a.ask(name, dns.TypeTXT).policy(); p != nil && p.err == nil {
				a.walk(p, name, strings.TrimSuffix(name, "."))
			}
		case A:
			a.ask(name, a.e.family())
		case Exists:
			a.ask(name, dns.TypeA)
		case MX:
			names, _ := mxNames(a.ask(name, dns.TypeMX).reply.Answer)
			a.hosts(names)
		case PTR:
			a.hosts(under(a.e.clientNames(a.ask(resolver.ReverseName(a.e.addr), dns.TypePTR).reply.Answer), name))
		}
	})
}

// hosts asks for the addresses of names.
func (a *ahead) hosts(names []string) {
	for _, name := range names {
		a.running.Go(func() { a.ask(name, a.e.family()) })
	}
}
