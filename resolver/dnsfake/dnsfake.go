// Package dnsfake is a DNS to test against: zones in memory that can be told to
// fail, to deny, to be slow and to change, and that log the questions they were asked.
//
//	fake, err := dnsfake.New(`
//	$ORIGIN example.test.
//	$TTL 300
//	mail A 192.0.2.10`)
//	fake.Fail("mail.example.test", dns.TypeAAAA, dnsfake.ServFail).Times(2)
//	fake.Set("mail A 192.0.2.11")
//
// [Fake.Add], [Fake.Set] and [Fake.Remove] edit the zones. [Fake.Fail] leaves them as they are,
// and gives a question another outcome: a failure, or the answer NXDOMAIN or NODATA.
//
// A [Fake] is a resolver.Resolver; [Fake.Serve] answers from the same zones over
// UDP and TCP, for programs that are not Go or bring a client of their own.
// [Record] writes down what any Resolver answers, and [Replay] answers from it.
//
// Shuffle lets any Resolver answer in another order each time.
//
// Everything but Serve works under testing/synctest: no socket, no goroutine, and
// delays by timers of package time. A Fake is safe for concurrent use, and may be
// told to fail or to change at any time.
//
// A method that is given a name, a fault or zone text that cannot be panics, as
// regexp.MustCompile does: it is a mistake in the test. The package knows nothing
// of package testing: resolvertest.New wraps it for tests, and fails a test that
// asks for a name outside every zone.
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
	"github.com/bonafide-mta/bonafide/internal/txt"
	"github.com/bonafide-mta/bonafide/resolver"
)

// A Fake answers from zones, except questions that were told to fail.
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

// New returns a Fake over zone text, read by resolver.ParseZones. Empty text is
// a DNS without zones, to Add to.
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

// FromZones returns a Fake over zones, for those that were read from files.
func FromZones(zones *resolver.Zones) *Fake {
	return &Fake{zones: zones, faults: make(map[resolver.Question]*Fault), delays: make(map[resolver.Question]time.Duration)}
}

// Add adds zone text to what is there, as resolver.Zones.With reads it: records for
// its zones, or more zones. Where there is one zone, names are relative to it until
// an $ORIGIN says otherwise; a record without a TTL gets 300 seconds.
//
//	fake.Add(`mail AAAA 2001:db8::10`)
func (f *Fake) Add(zoneText string) {
	f.edit("Add", func(zones *resolver.Zones) (*resolver.Zones, error) { return zones.With(zoneText) })
}

// Set is like Add, but the RRsets (name and type) of the text replace those of the zones. A
// CNAME replaces all records of its name, and other records replace a CNAME. A Lookup sees all
// of the change or nothing.
//
//	fake.Set(`mail A 192.0.2.11`) // its only IPv4 address from now on
//
// A name that was set exists, so that a wildcard no longer answers for any of its types. To
// change the wildcard, set its own name, such as *.example.test.
func (f *Fake) Set(zoneText string) {
	f.edit("Set", func(zones *resolver.Zones) (*resolver.Zones, error) { return zones.Replace(zoneText) })
}

// Remove removes the records of a type from a name, or with dns.TypeANY all of the name.
// The name is NXDOMAIN then, unless it has other records, or names below it, or is the
// apex of a zone. The zone stays, even without its SOA record: one is made up.
//
// It panics if the zones do not have such records, because a typo would leave the test with
// the wrong DNS. Records that only a wildcard gives to the name are not its own: deny them by
// Fail with NXDomain or NoData.
func (f *Fake) Remove(name string, qtype uint16) {
	q := question(name, qtype)
	f.edit("Remove", func(zones *resolver.Zones) (*resolver.Zones, error) { return zones.Replace("", q) })
}

// edit changes the zones for all questions from now on.
func (f *Fake) edit(method string, change func(*resolver.Zones) (*resolver.Zones, error)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	zones, err := change(f.zones)
	if err != nil {
		panic(fmt.Sprintf("dnsfake: %s: %v", method, err))
	}
	f.zones = zones
}

// AddRR adds records to zones that are there, such as those that the builders of
// this module return.
func (f *Fake) AddRR(records ...dns.RR) {
	var b strings.Builder
	for _, rr := range records {
		b.WriteString(txt.Record(rr) + "\n")
	}
	f.Add(b.String())
}

// AddTXT adds a TXT record with a text of any octets and any length up to what a
// record holds, cut into strings of 255 octets.
func (f *Fake) AddTXT(name, text string) {
	q := question(name, dns.TypeTXT)
	f.AddRR(&dns.TXT{Hdr: dns.RR_Header{Name: q.Name, Rrtype: q.Type, Class: dns.ClassINET, Ttl: 300}, Txt: txt.Split(text)})
}

// Delay makes a question wait before its answer or fault, from now on;
// dns.TypeANY stands for every type. The wait ends early with the context.
func (f *Fake) Delay(name string, qtype uint16, d time.Duration) {
	q := question(name, qtype)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.delays[q] = d
}

// Authentic makes answers authentic that rest on names at or below this one
// alone, as if its zone were signed and the resolver validated it.
func (f *Fake) Authentic(name string) {
	q := question(name, dns.TypeANY)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.authentic = append(f.authentic, q.Name)
}

func question(name string, qtype uint16) resolver.Question {
	canonical, err := resolver.Canonical(name)
	if err != nil {
		panic("dnsfake: " + err.Error())
	}
	return resolver.Question{Name: canonical, Type: qtype}
}

// Questions returns what was asked so far, in the order in which the questions
// came. Callers that ask concurrently see them in any order. Over a Server each
// message is a question.
func (f *Fake) Questions() []resolver.Question {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.questions)
}

// Watch calls fn for each question from now on, before it is answered, one at a
// time: for programs that print them. fn must not call the Fake.
func (f *Fake) Watch(fn func(resolver.Question)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.watch = fn
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
