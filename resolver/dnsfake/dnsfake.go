// Package dnsfake is a DNS to test against: zones in memory that can be told to
// fail or to be slow, and that remember what they were asked.
//
//	fake, err := dnsfake.New(`
//	$ORIGIN example.test.
//	$TTL 300
//	mail A 192.0.2.10`)
//	fake.Fail("mail.example.test", dns.TypeAAAA, dnsfake.ServFail)
//
// A [Fake] is a resolver.Resolver. Faults and delays may be set at any time; it
// is safe for concurrent use, opens no socket, starts no goroutine, and waits
// with timers of package time, so that it works under testing/synctest.
//
// The package knows nothing of package testing: resolvertest.New wraps it for
// tests, and fails a test that asks for a name outside every zone.
package dnsfake

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/enum"
	"github.com/bonafide-mta/bonafide/resolver"
)

// A Fake answers from zones, but for the questions that were told to fail.
type Fake struct {
	zones *resolver.Zones

	mu        sync.Mutex
	faults    map[Question]Kind
	delays    map[Question]time.Duration
	questions []Question
	outside   []error
}

// A Question is a name in canonical form and a type.
type Question struct {
	Name string
	Type uint16
}

// String returns the name and the type, as in "mail.example.test. A".
func (q Question) String() string { return q.Name + " " + resolver.TypeString(q.Type) }

// New returns a Fake over zone text, read by resolver.ParseZones.
func New(zoneText string) (*Fake, error) {
	zones, err := resolver.ParseZones(zoneText)
	if err != nil {
		return nil, err
	}
	return FromZones(zones), nil
}

// FromZones returns a Fake over zones, for those that were read from files.
func FromZones(zones *resolver.Zones) *Fake {
	return &Fake{zones: zones, faults: make(map[Question]Kind), delays: make(map[Question]time.Duration)}
}

// Kind is a way for a question to get no answer. The zero Kind is invalid.
type Kind uint8

// The kinds of faults.
const (
	_        Kind = iota
	ServFail      // the server says that it could not find out
	Refused       // the server says that it will not answer
	FormErr       // the server says that it does not understand the question
	Timeout       // no server answers: the error comes at once, combine it with Delay to wait for it
	Network       // no server can be reached
)

var kindText = []string{ServFail: "SERVFAIL", Refused: "REFUSED", FormErr: "FORMERR", Timeout: "TIMEOUT", Network: "NETWORK"}

// Kinds returns every kind, for tests that go through them all.
func Kinds() []Kind { return []Kind{ServFail, Refused, FormErr, Timeout, Network} }

// String returns SERVFAIL, REFUSED, FORMERR, TIMEOUT or NETWORK.
func (k Kind) String() string { return enum.String(k, kindText) }

// MarshalText returns the text of String; an invalid Kind is an error.
func (k Kind) MarshalText() ([]byte, error) { return enum.Marshal(k, kindText) }

// UnmarshalText accepts what MarshalText returns, in any case.
func (k *Kind) UnmarshalText(text []byte) error { return enum.Unmarshal(k, text, kindText) }

// Causes of the errors that Timeout and Network make, beside the kind itself.
var errUnreachable = errors.New("dnsfake: the network is unreachable")

// timeoutError has the Timeout method that such errors have.
type timeoutError struct{}

func (timeoutError) Error() string { return "dnsfake: no server answered in time" }
func (timeoutError) Timeout() bool { return true }

// Fail makes a question get no answer from now on, for a name in any form and a
// type; dns.TypeANY stands for every type. A question is what a caller asks: the
// target of an alias, which a resolver finds out by itself, is none. A later
// Fail for the same question replaces the earlier one. An invalid name or kind panics: it is a mistake in the test.
func (f *Fake) Fail(name string, qtype uint16, kind Kind) {
	if kind == 0 || int(kind) >= len(kindText) {
		panic("dnsfake: Fail with " + kind.String())
	}
	q := question(name, qtype)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults[q] = kind
}

// Delay makes a question wait before its answer or fault, from now on;
// dns.TypeANY stands for every type. The wait ends early with the context. An
// invalid name panics.
func (f *Fake) Delay(name string, qtype uint16, d time.Duration) {
	q := question(name, qtype)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.delays[q] = d
}

func question(name string, qtype uint16) Question {
	canonical, err := resolver.Canonical(name)
	if err != nil {
		panic("dnsfake: " + err.Error())
	}
	return Question{canonical, qtype}
}

// Questions returns what was asked so far, in the order in which the questions
// came. Callers that ask concurrently see them in any order.
func (f *Fake) Questions() []Question {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]Question(nil), f.questions...)
}

// Count returns how often a question was asked; dns.TypeANY counts every type.
func (f *Fake) Count(name string, qtype uint16) int {
	q := question(name, qtype)
	n := 0
	for _, asked := range f.Questions() {
		if asked.Name == q.Name && (asked.Type == qtype || qtype == dns.TypeANY) {
			n++
		}
	}
	return n
}

// Outside returns the errors of the questions that were asked for a name in no
// zone, in order: a typo in a test, mostly.
func (f *Fake) Outside() []error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]error(nil), f.outside...)
}

// Lookup implements resolver.Resolver.
func (f *Fake) Lookup(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
	canonical, err := resolver.Canonical(name)
	if err != nil {
		return resolver.Answer{}, &resolver.Error{Name: name, Type: qtype, Err: err}
	}
	q := Question{canonical, qtype}
	delay, kind := f.ask(q)
	if delay > 0 {
		if err := wait(ctx, delay); err != nil {
			return resolver.Answer{}, &resolver.Error{Name: canonical, Type: qtype, Server: server, Err: err}
		}
	}
	if kind != 0 && ctx.Err() == nil {
		return resolver.Answer{}, fault(q, kind)
	}
	answer, err := f.zones.Lookup(ctx, canonical, qtype)
	if errors.Is(err, resolver.ErrNoZone) {
		f.mu.Lock()
		f.outside = append(f.outside, err)
		f.mu.Unlock()
	}
	return answer, err
}

// server is who fails, in the evidence.
const server = "dnsfake"

// ask notes a question and returns what is to happen to it.
func (f *Fake) ask(q Question) (time.Duration, Kind) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.questions = append(f.questions, q)
	every := Question{q.Name, dns.TypeANY}
	delay, ok := f.delays[q]
	if !ok {
		delay = f.delays[every]
	}
	kind, ok := f.faults[q]
	if !ok {
		kind = f.faults[every]
	}
	return delay, kind
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// fault is the error that a Client would return.
func fault(q Question, kind Kind) error {
	e := &resolver.Error{Name: q.Name, Type: q.Type, Server: server}
	switch kind {
	case ServFail:
		e.RCode = dns.RcodeServerFailure
	case Refused:
		e.RCode = dns.RcodeRefused
	case FormErr:
		e.RCode = dns.RcodeFormatError
	case Timeout:
		e.Err = timeoutError{}
	case Network:
		e.Err = errUnreachable
	}
	return e
}
