package dnsfake

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/enum"
	"github.com/bonafide-mta/bonafide/resolver"
)

// Kind is what a question gets instead of its answer. The zero Kind is invalid.
//
// Most kinds are failures: the question gets no answer. A Fake's Lookup returns at once
// the error that a resolver.Client would return in the end; combine a silent
// kind with Delay to wait for it. A Server does to its clients what the kind says.
//
// NXDomain and NoData are answers: they deny what the zones have, like a DNS that lies, or that
// has lost a record. The answer has the TTL of the zone's own denials and, from a Server, the
// SOA record of the zone; outside every zone it has neither.
type Kind uint8

// The kinds. Those above the line are the failures, which Kinds returns.
const (
	_         Kind = iota
	ServFail       // the server says that it could not find out
	Refused        // the server says that it will not answer
	FormErr        // the server says that it does not understand the question
	Timeout        // silence
	Truncated      // the answer is cut off, over TCP too
	Garbage        // octets that are no DNS message; the client waits for better ones
	Forged         // a message that answers another question, as an attacker's would
	Network        // no server can be reached; from a Server: silence, and TCP connections closed

	NXDomain // the answer that the name does not exist: about this type only, unless that is dns.TypeANY
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
// them from an answer. NXDomain and NoData, which are answers, are not among them.
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

// A Fault is what a question was told to do instead of being answered from the zones. Its
// methods narrow it, and return it for the next one.
type Fault struct {
	fake     *Fake
	question resolver.Question
	kind     Kind
	times    int // 0: for ever
	asked    int
	must     bool
	extended []resolver.ExtendedError
}

// Fail makes a question get no answer from now on, or by the kinds NXDomain and NoData a
// negative one, for a name in any form and a type; dns.TypeANY stands for every type that has no fault of its own. A
// question is what a caller asks: the target of an alias, which a resolver finds
// out by itself, is none. A later Fail for the same question replaces the earlier
// one.
func (f *Fake) Fail(name string, qtype uint16, kind Kind) *Fault {
	if _, err := kind.MarshalText(); err != nil {
		panic("dnsfake: Fail: " + err.Error())
	}
	fault := &Fault{fake: f, question: question(name, qtype), kind: kind}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults[fault.question] = fault
	f.told = append(f.told, fault)
	return fault
}

// Clear takes the fault of a question back: it is answered from now on. A fault
// of every type (dns.TypeANY) is taken back by that type.
func (f *Fake) Clear(name string, qtype uint16) {
	q := question(name, qtype)
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.faults, q)
}

// Times makes the fault end after n questions: the next is answered.
func (f *Fault) Times(n int) *Fault {
	if n <= 0 {
		panic(fmt.Sprintf("dnsfake: Times(%d): expected at least 1", n))
	}
	f.fake.mu.Lock()
	defer f.fake.mu.Unlock()
	f.times = n
	return f
}

// Must makes the fault one that the test is about: Unasked tells if it was not
// asked as often as Times says, or once without.
func (f *Fault) Must() *Fault {
	f.fake.mu.Lock()
	defer f.fake.mu.Unlock()
	f.must = true
	return f
}

// Extended adds an extended error (RFC 8914) to a fault that a response code
// says, such as dns.ExtendedErrorCodeDNSBogus. Those of NXDomain and NoData are seen by
// clients of a Server only: a resolver.Answer has no place for them.
func (f *Fault) Extended(code uint16, text string) *Fault {
	if _, ok := rcodes[f.kind]; !ok && !f.kind.denies() {
		panic("dnsfake: Extended: " + f.kind.String() + " has no message to say it in")
	}
	f.fake.mu.Lock()
	defer f.fake.mu.Unlock()
	f.extended = append(f.extended, resolver.ExtendedError{Code: code, Text: text})
	return f
}

// pending reports whether the next question meets the fault.
func (f *Fault) pending() bool { return f != nil && (f.times == 0 || f.asked < f.times) }

// Unasked returns an error for each fault of Must that was not asked often
// enough.
func (f *Fake) Unasked() []error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []error
	for _, fault := range f.told {
		if want := max(fault.times, 1); fault.must && fault.asked < want {
			out = append(out, fmt.Errorf("%s: %s was to happen %s, but happened %s", fault.question, fault.kind, times(want), times(fault.asked)))
		}
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
