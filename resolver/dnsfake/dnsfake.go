// Package dnsfake is a DNS for tests: zones in memory whose answers can fail, deny what
// the zones have, come late and change, with a log of the questions.
//
//	fake, err := dnsfake.New(`
//	$ORIGIN example.test.
//	$TTL 300
//	mail A 192.0.2.10`)
//	fake.Fail("mail.example.test", dns.TypeAAAA, dnsfake.ServFail).Times(2)
//	fake.Set("mail A 192.0.2.11")
//
// A [Fake] is a resolver.Resolver. Programs that do not use one can ask the same zones
// over sockets ([Fake.Serve]), and a test of a transport can pass DNS messages to
// [Fake.Exchange].
//
// [Fake.Add], [Fake.Set] and [Fake.Remove] edit the zones. [Fake.Fail] does not change the
// zones. It gives a question another outcome: a failure, or the answer NXDOMAIN or NODATA.
//
// [Record] writes a transcript of what any Resolver answers, and [Replay] answers from it.
// [Shuffle] makes any Resolver return its records in another order each time.
//
// Everything except Serve works under testing/synctest: it opens no socket, starts no
// goroutine, and waits with timers of package time. A Fake is safe for concurrent use, and
// its zones, faults and delays can change at any time.
//
// A wrong argument is a mistake in the test. The methods of a Fake and of a Fault panic on
// one, as regexp.MustCompile does: a name that is not a domain name, the type 0, bad zone
// text, an unknown Kind, a negative Delay, fewer Times than 1, a Clear without a fault.
//
// A typo in a name is often a name outside every zone. Questions for such names are in
// [Fake.Outside]. [Fake.Unasked] has the faults and delays of such names if they were never
// asked. [Fake.Count] panics for such a name if it was never asked. The package does not
// import package testing: resolvertest.New wraps it for tests, and fails a test for each
// error in Outside and Unasked.
package dnsfake

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/resolver"
)

// A Fake is a Resolver that answers from zones, except for the questions that Fail names. Make
// one with [New] or [FromZones].
type Fake struct {
	mu        sync.Mutex
	zones     *resolver.Zones
	faults    map[resolver.Question]*Fault
	told      []*Fault // every one, for Unasked
	delays    map[resolver.Question]time.Duration
	authentic []string
	questions []resolver.Question
	watch     func(resolver.Question)
	outside   []error
}

// New returns a Fake over zone text, which resolver.ParseZones reads. Empty text is
// a DNS without zones: add them later by Add.
func New(zoneText string) (*Fake, error) {
	if strings.TrimSpace(zoneText) == "" {
		return FromZones(new(resolver.Zones)), nil
	}
	zones, err := resolver.ParseZones(zoneText)
	if err != nil {
		return nil, err
	}
	return FromZones(zones), nil
}

// FromZones returns a Fake over zones, such as those of files (resolver.ReadZone).
func FromZones(zones *resolver.Zones) *Fake {
	if zones == nil {
		panic("dnsfake: FromZones(nil): expected zones; New(\"\") has none")
	}
	return &Fake{zones: zones, faults: make(map[resolver.Question]*Fault), delays: make(map[resolver.Question]time.Duration)}
}

// Delay makes a question wait before its answer or fault, from now on. A later Delay for the
// same question replaces it, and 0 ends it. The wait ends early with the context. A delay of
// dns.TypeANY is for every type of the name that has no delay of its own.
func (f *Fake) Delay(name string, qtype uint16, d time.Duration) {
	if d < 0 {
		panic(fmt.Sprintf("dnsfake: Delay(%v): expected at least 0", d))
	}
	q := question("Delay", name, qtype)
	f.mu.Lock()
	defer f.mu.Unlock()
	if d == 0 {
		delete(f.delays, q)
		return
	}
	f.delays[q] = d
}

// Authentic sets resolver.Answer.Authentic in answers that rest only on names at or below
// this one, as if a trusted resolver had validated its zone by DNSSEC.
func (f *Fake) Authentic(name string) {
	q := question("Authentic", name, dns.TypeANY)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.authentic = append(f.authentic, q.Name)
}

// question returns the question that a method was given.
func question(method, name string, qtype uint16) resolver.Question {
	canonical, err := resolver.Canonical(name)
	if err != nil {
		panic(fmt.Sprintf("dnsfake: %s: %v", method, err))
	}
	if qtype == dns.TypeNone {
		panic(fmt.Sprintf("dnsfake: %s: %s: type 0: expected a record type, such as dns.TypeA", method, canonical))
	}
	return resolver.Question{Name: canonical, Type: qtype}
}

// Questions returns the questions asked so far, in the order in which they came. Questions
// that callers ask concurrently are in any order. For a Server and for Exchange each message is a
// question, so that a client that tries again asks twice; zone transfers, other opcodes and
// classes are not questions. A question whose context is
// already done is not asked.
func (f *Fake) Questions() []resolver.Question {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.questions)
}

// Watch calls fn for each question from now on, before it is answered, one at a
// time: for programs that print them. fn must not call the Fake. A nil fn ends it.
func (f *Fake) Watch(fn func(resolver.Question)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.watch = fn
}

// Count returns how often a question was asked; dns.TypeANY counts every type.
//
// It panics if the name is outside every zone, was never asked, and has no fault or delay of
// its own. Such a name is most likely a typo, for which a test that expects 0 would pass. To
// test that such a name is not asked, look at Questions or Outside.
func (f *Fake) Count(name string, qtype uint16) int {
	q := question("Count", name, qtype)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.strayed(q.Name) && !f.meant(q.Name) {
		panic(fmt.Sprintf("dnsfake: Count: %s is outside every zone and was never asked: expected a name of a zone", q.Name))
	}
	n := 0
	for _, asked := range f.questions {
		if asked.Name == q.Name && (asked.Type == qtype || qtype == dns.TypeANY) {
			n++
		}
	}
	return n
}

// strayed reports whether a name is outside every zone, and was never asked.
func (f *Fake) strayed(name string) bool {
	return !slices.ContainsFunc(f.zones.Origins(), func(apex string) bool { return dnsname.Under(name, apex) }) &&
		!slices.ContainsFunc(f.questions, func(asked resolver.Question) bool { return asked.Name == name })
}

// meant reports whether a name has a fault or a delay.
func (f *Fake) meant(name string) bool {
	for q := range f.faults {
		if q.Name == name {
			return true
		}
	}
	for q := range f.delays {
		if q.Name == name {
			return true
		}
	}
	return false
}

// Outside returns an error for each question for a name outside every zone, in order. Such a
// name is most likely a typo in the test.
func (f *Fake) Outside() []error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.outside)
}

// Lookup implements resolver.Resolver.
func (f *Fake) Lookup(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
	canonical, err := resolver.Canonical(name)
	if err != nil {
		return resolver.Answer{}, &resolver.Error{Name: name, Type: qtype, Err: err}
	}
	if ctx.Err() != nil { // nobody is asked
		return resolver.Answer{}, &resolver.Error{Name: canonical, Type: qtype, Server: server, Err: ctx.Err()}
	}
	q := resolver.Question{Name: canonical, Type: qtype}
	zones, delay, fault := f.ask(q)
	if err := wait(ctx, delay); err != nil {
		return resolver.Answer{}, &resolver.Error{Name: canonical, Type: qtype, Server: server, Err: err}
	}
	var answer resolver.Answer
	switch {
	case fault.kind != 0 && ctx.Err() == nil && !fault.kind.denies():
		return resolver.Answer{}, fault.error(q)
	case fault.kind != 0 && ctx.Err() == nil:
		answer = fault.denial(ctx, zones, q)
	default:
		answer, err = zones.Lookup(ctx, canonical, qtype)
	}
	if errors.Is(err, resolver.ErrNoZone) {
		f.noteOutside(err)
	}
	answer.Authentic = err == nil && f.restsOnAuthentic(q.Name, slices.Concat(answer.Chain, answer.Records))
	return answer, err
}

// server is who fails, in the evidence.
const server = "dnsfake"

// ask notes a question, and returns what it is to be answered from and what is to
// happen to it: no fault is the zero Fault.
func (f *Fake) ask(q resolver.Question) (*resolver.Zones, time.Duration, Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.questions = append(f.questions, q)
	if f.watch != nil {
		f.watch(q)
	}
	every := resolver.Question{Name: q.Name, Type: dns.TypeANY}
	delay, ok := f.delays[q]
	if !ok {
		delay = f.delays[every]
	}
	fault := f.faults[q]
	if !fault.pending() {
		fault = f.faults[every]
	}
	if !fault.pending() {
		return f.zones, delay, Fault{}
	}
	fault.asked++
	return f.zones, delay, *fault
}

// noteOutside notes a question for a name outside every zone.
func (f *Fake) noteOutside(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.outside = append(f.outside, err)
}

// restsOnAuthentic reports whether an answer rests on authentic names alone: the name
// asked, and every name that its records belong to or point to.
func (f *Fake) restsOnAuthentic(name string, records []dns.RR) bool {
	names := []string{name}
	for _, rr := range records {
		names = append(names, rr.Header().Name)
		switch alias := rr.(type) {
		case *dns.CNAME:
			names = append(names, alias.Target)
		case *dns.DNAME:
			names = append(names, alias.Target)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, name := range names {
		canonical, err := resolver.Canonical(name)
		if err != nil || !slices.ContainsFunc(f.authentic, func(apex string) bool { return dnsname.Under(canonical, apex) }) {
			return false
		}
	}
	return true
}

func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
