package dnsfake

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/enum"
	"github.com/bonafide-mta/bonafide/resolver"
)

// Kind is what a question gets instead of its answer. The zero Kind is invalid.
//
// Most kinds are failures: the question gets no answer. Lookup returns at once the error that
// a resolver.Client would return in the end. To make a silent kind take time, add a Delay.
// A Server and Exchange do to their clients what the kind says.
//
// NXDomain and NoData are answers. They deny what the zones have, like a DNS that lies or has
// lost a record. The answer has the TTL of the zone's own denials and, from a Server or
// Exchange, the SOA record of the zone. Outside every zone it has neither.
type Kind uint8

// The kinds. Those above the empty line are the failures, which Kinds returns.
const (
	_         Kind = iota
	ServFail       // the server could not find the answer
	Refused        // the server refuses to answer
	FormErr        // the server does not understand the question
	Timeout        // no server answers
	Truncated      // the answer is truncated, even over TCP
	Garbage        // the response is not a DNS message: "garbage"
	Forged         // the response answers another question, as a forged one does
	Network        // no server can be reached; a Server is silent over UDP and closes TCP connections

	NXDomain // the answer that the name does not exist; other types keep their answers, except with dns.TypeANY
	NoData   // the answer that the name exists, without records of this type
)

var kindText = []string{
	ServFail: "SERVFAIL", Refused: "REFUSED", FormErr: "FORMERR", Timeout: "TIMEOUT",
	Truncated: "TRUNCATED", Garbage: "GARBAGE", Forged: "FORGED", Network: "NETWORK",
	NXDomain: "NXDOMAIN", NoData: "NODATA",
}

// rcodes has the kinds that are response codes.
var rcodes = map[Kind]int{
	ServFail: dns.RcodeServerFailure, Refused: dns.RcodeRefused, FormErr: dns.RcodeFormatError,
}

// Kinds returns every kind of failure, for tests that try them all. A client can tell each of
// them from an answer. NXDomain and NoData are not among them, because they are answers.
func Kinds() []Kind {
	var all []Kind
	for k := ServFail; !k.denies(); k++ {
		all = append(all, k)
	}
	return all
}

// denies reports whether a kind is a negative answer.
func (k Kind) denies() bool { return k >= NXDomain }

// String returns a keyword in capitals, as in "SERVFAIL".
func (k Kind) String() string { return enum.String(k, kindText) }

// MarshalText returns the text of String; an invalid Kind is an error.
func (k Kind) MarshalText() ([]byte, error) { return enum.Marshal(k, kindText) }

// UnmarshalText accepts what MarshalText returns, in any case.
func (k *Kind) UnmarshalText(text []byte) error { return enum.Unmarshal(k, text, kindText) }

// A Fault is what Fail tells a question to get instead of its answer. Its methods narrow it and
// return it, so that calls can be chained. Make one with [Fake.Fail].
type Fault struct {
	fake     *Fake
	question resolver.Question
	kind     Kind
	times    int // 0: for ever
	asked    int
	must     bool
	extended []resolver.ExtendedError
}

// Fail gives a question, a name and a type, a failure instead of its answer from now on, or a
// negative answer if the kind is NXDomain or NoData. A fault of dns.TypeANY is for every type
// of the name that has no fault of its own. A later Fail for the same question replaces the
// fault, and Clear ends it.
//
// A question is what a caller asks. A fault does not affect a question whose name is an alias
// of this one: the Fake follows aliases without asking itself. The name can be outside
// every zone; see Unasked.
func (f *Fake) Fail(name string, qtype uint16, kind Kind) *Fault {
	if _, err := kind.MarshalText(); err != nil {
		panic("dnsfake: Fail: " + err.Error())
	}
	fault := &Fault{fake: f, question: question("Fail", name, qtype), kind: kind}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults[fault.question] = fault
	f.told = append(f.told, fault)
	return fault
}

// Clear ends the fault of a question: the zones answer it from now on. It ends the fault that
// Fail was given the same name and type for, so a fault of dns.TypeANY is cleared with
// dns.TypeANY. It does not end a Delay. A fault of Must that was not asked often enough
// before it was cleared stays in Unasked.
//
// It panics if the question has no fault, because a typo would leave the fault in place. A
// fault that has ended by Times can be cleared.
func (f *Fake) Clear(name string, qtype uint16) {
	q := question("Clear", name, qtype)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.faults[q] == nil {
		panic(fmt.Sprintf("dnsfake: Clear: %s has no fault: expected the name and type that Fail was given", q))
	}
	delete(f.faults, q)
}

// Times ends the fault after n questions: the zones answer the next one. Without Times it
// does not end. It panics if n is less than 1.
func (f *Fault) Times(n int) *Fault {
	if n <= 0 {
		panic(fmt.Sprintf("dnsfake: Times(%d): expected at least 1", n))
	}
	f.fake.mu.Lock()
	defer f.fake.mu.Unlock()
	f.times = n
	return f
}

// Must makes a test depend on the fault: Unasked reports it if it happened less often than
// Times says, or never without Times. That stays so after a Clear, and after another Fail for
// the question.
func (f *Fault) Must() *Fault {
	f.fake.mu.Lock()
	defer f.fake.mu.Unlock()
	f.must = true
	return f
}

// Extended adds an extended error (RFC 8914), such as dns.ExtendedErrorCodeDNSBogus, to a
// fault of the kind ServFail, Refused or FormErr, or to a denial. Clients of a Server or
// Exchange see it if their query has EDNS. Lookup has it in the resolver.Error of a failure;
// a resolver.Answer has no place for that of a denial. It panics for other kinds.
func (f *Fault) Extended(code uint16, text string) *Fault {
	if _, ok := rcodes[f.kind]; !ok && !f.kind.denies() {
		panic("dnsfake: Extended: " + f.kind.String() + " has no extended errors: expected SERVFAIL, REFUSED, FORMERR, NXDOMAIN or NODATA")
	}
	f.fake.mu.Lock()
	defer f.fake.mu.Unlock()
	f.extended = append(f.extended, resolver.ExtendedError{Code: code, Text: text})
	return f
}

// pending reports whether the next question meets the fault.
func (f *Fault) pending() bool { return f != nil && (f.times == 0 || f.asked < f.times) }

// Unasked returns an error for each fault of Must that did not happen often enough. It also
// returns one for each fault and each delay of a name that is outside every zone and was
// never asked, because such a name is most likely a typo.
func (f *Fake) Unasked() []error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []error
	for _, fault := range f.told {
		if want := max(fault.times, 1); fault.must && fault.asked < want {
			out = append(out, fmt.Errorf("%s: %s was to happen %s, but happened %s", fault.question, fault.kind, times(want), times(fault.asked)))
		}
	}
	return append(out, f.strays()...)
}

// strays returns an error for each name with a fault or delay that is most likely a typo,
// except the faults that are in Unasked already.
func (f *Fake) strays() []error {
	lines := make(map[string]bool)
	for q, fault := range f.faults {
		if !fault.must && f.strayed(q.Name) {
			lines[fmt.Sprintf("%s: %s", q, fault.kind)] = true
		}
	}
	for q := range f.delays {
		if f.strayed(q.Name) {
			lines[fmt.Sprintf("%s: Delay", q)] = true
		}
	}
	var out []error
	for _, line := range slices.Sorted(maps.Keys(lines)) {
		out = append(out, fmt.Errorf("%s: the name is outside every zone and was never asked", line))
	}
	return out
}

// timeoutError has the Timeout method that such errors have.
type timeoutError struct{}

// Error implements error.
func (timeoutError) Error() string { return "no server answered in time" }

// Timeout implements net.Error's method, which callers look for.
func (timeoutError) Timeout() bool { return true }

var errUnreachable = errors.New("the network is unreachable")

// error is what a Client would come to.
func (f *Fault) error(q resolver.Question) error {
	e := &resolver.Error{Name: q.Name, Type: q.Type, Server: server, RCode: rcodes[f.kind], Extended: f.extended}
	switch f.kind {
	case Timeout:
		e.Err = timeoutError{}
	case Truncated:
		e.Err = fmt.Errorf("%w: truncated over TCP", resolver.ErrMalformed)
	case Garbage, Forged:
		// What does not answer is ignored for as long as there is time.
		e.Err = fmt.Errorf("%w, 1 message ignored: %w", timeoutError{}, resolver.ErrMalformed)
	case Network:
		e.Err = errUnreachable
	}
	return e
}

// denial is the negative answer of a kind that denies.
func (f *Fault) denial(ctx context.Context, zones *resolver.Zones, q resolver.Question) resolver.Answer {
	answer := resolver.Answer{Server: server}
	if f.kind == NXDomain {
		answer.Status = resolver.NXDomain
	}
	if soa := soa(ctx, zones, q.Name); soa != nil {
		answer.TTL = time.Duration(soa.Hdr.Ttl) * time.Second
	}
	return answer
}

// times says how often.
func times(n int) string {
	switch n {
	case 0:
		return "never"
	case 1:
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}
