package resolver

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/enum"
	"github.com/bonafide-mta/bonafide/internal/txt"
	"github.com/bonafide-mta/bonafide/internal/untrusted"
)

// A Resolver answers DNS questions. Its one method is all that an
// implementation, a wrapper or a test double has to write.
//
// The checkers of this module pass the canonical name: lower case, A-labels,
// absolute, with its final dot (see [Canonical]). Names are absolute: no search
// list, no hosts file. Aliases (CNAME, DNAME) are followed, but for questions of
// type CNAME, DNAME and ANY.
//
// A negative answer is an answer: the error is nil, the records are empty, and
// Status tells which kind it is. An error means that there is no answer, and any
// error of any type is a temporary failure to the caller; [Error] adds detail.
//
// Lookup must be safe for concurrent use and return soon after ctx is done.
type Resolver interface {
	Lookup(ctx context.Context, name string, qtype uint16) (Answer, error)
}

// Func is a function as a Resolver.
type Func func(ctx context.Context, name string, qtype uint16) (Answer, error)

// Lookup calls f.
func (f Func) Lookup(ctx context.Context, name string, qtype uint16) (Answer, error) {
	return f(ctx, name, qtype)
}

// An Answer is what DNS said to one question. The zero Answer means: the name
// exists, without records of this type.
type Answer struct {
	// Records are of the type asked, at the end of the alias chain (of every
	// type for a question of type ANY). They are shared: read them only.
	Records []dns.RR
	// Chain are the aliases followed, CNAME and DNAME, in order. Read only.
	Chain []dns.RR
	// Status is NoError unless the name does not exist.
	Status Status
	// TTL is the time remaining for all that the answer rests on, negative
	// answers too. Zero means: do not cache.
	TTL time.Duration
	// Authentic is set when a resolver whose word is trusted validated the
	// answer by DNSSEC, or a test declares it so.
	Authentic bool
	// Server says who answered, for evidence: an address, a file, "cache of" one.
	Server string
}

// Status tells an existing name from one that does not exist. Its zero value is
// NoError: unlike other enums of this module, where zero means unset.
type Status uint8

// The statuses of an answer.
const (
	NoError  Status = iota // the name exists; no records means NODATA (RFC 2308, Section 2.2)
	NXDomain               // the name does not exist, nor any below it (RFC 8020)
	NotFound               // no records, and the source cannot tell which: a *net.Resolver
)

var statusText = []string{NoError: "NOERROR", NXDomain: "NXDOMAIN", NotFound: "NOTFOUND"}

// String returns NOERROR, NXDOMAIN or NOTFOUND.
func (s Status) String() string { return enum.String(s, statusText) }

// MarshalText returns the text of String; an unknown value is an error.
func (s Status) MarshalText() ([]byte, error) { return enum.Marshal(s, statusText) }

// UnmarshalText accepts what MarshalText returns, in any case.
func (s *Status) UnmarshalText(text []byte) error { return enum.Unmarshal(s, text, statusText) }

// Canonical returns the form of name that a Resolver is asked: lower case,
// A-labels, absolute, with its final dot. Any case, a missing final dot,
// U-labels and the escapes of zone files (\. and \DDD) are accepted. Two texts
// mean the same name exactly when their canonical forms are equal.
// The error wraps [ErrName].
func Canonical(name string) (string, error) { return dnsname.Canonical(name) }

// A Question asks for the records of one name and type. It also names the RRset
// that answers it (RFC 2181, Section 5). Questions with canonical names are equal
// exactly when they ask the same, so that a Question can be the key of a map.
type Question struct {
	Name string // in any form that Canonical accepts
	Type uint16 // dns.TypeA, …
}

// String returns the name and the type, as in "mail.example.org. A".
func (q Question) String() string { return q.Name + " " + TypeString(q.Type) }

// A Response is one question and what came of it: the evidence that results carry.
// Only one of Answer and Err applies: a non-nil Err means that there is no answer.
type Response struct {
	Question // its Name is canonical, unless it is not a DNS name
	Answer
	Err error
}

// Ask puts one question to r: it brings name into canonical form, gives a nil r
// the error [ErrNoResolver], and keeps question and answer together. An error
// that r returns bare is wrapped in an [Error] that says what was asked.
//
// A name under .onion, .local, .localhost or .invalid gets the answer NXDomain
// and is not asked: it means nothing in the public DNS, and asking tells the
// world about it (RFC 6761, RFC 6762, RFC 7686).
func Ask(ctx context.Context, r Resolver, name string, qtype uint16) Response {
	reply := Response{Question: Question{name, qtype}}
	canonical, err := Canonical(name)
	if err != nil {
		reply.Err = &Error{Name: name, Type: qtype, Err: err}
		return reply
	}
	reply.Name = canonical
	if r == nil {
		reply.Err = &Error{Name: canonical, Type: qtype, Err: ErrNoResolver}
		return reply
	}
	if dnsname.Reserved(canonical) {
		reply.Answer = Answer{Status: NXDomain, Server: reservedName}
		return reply
	}
	answer, err := r.Lookup(ctx, canonical, qtype)
	if err != nil {
		reply.Err = wrap(canonical, qtype, err)
		return reply
	}
	// A careless Resolver's nil records would fell whoever looks at them.
	answer.Records, answer.Chain = withoutNil(answer.Records), withoutNil(answer.Chain)
	reply.Answer = answer
	return reply
}

// reservedName is who answered for a name that is never asked.
const reservedName = "reserved name, not asked"

// withoutNil returns the records, and a copy only if one of them is nil.
func withoutNil(records []dns.RR) []dns.RR {
	if !slices.Contains(records, nil) {
		return records
	}
	return slices.DeleteFunc(slices.Clone(records), func(rr dns.RR) bool { return rr == nil })
}

// String is one line for a log or a report: the question, what came, and who
// said so. Text from outside is escaped as in zone files or quoted.
func (r Response) String() string { return untrusted.Line(r.line()) }

func (r Response) line() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: ", r.Question)
	switch {
	case r.Err != nil:
		e, _ := asError(wrap(r.Name, r.Type, r.Err))
		b.WriteString(e.detail()) // the question is already there
		return b.String()
	case len(r.Records) > 0:
		for i, rr := range r.Records {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(txt.Data(rr))
		}
	case r.Status == NoError:
		b.WriteString("no records")
	default:
		b.WriteString(r.Status.String())
	}
	if len(r.Chain) > 0 {
		fmt.Fprintf(&b, " (by way of %d aliases)", len(r.Chain))
	}
	if r.Server != "" {
		fmt.Fprintf(&b, " (%s)", r.Server)
	}
	return b.String()
}

// TypeString returns the name of a record type as zone files write it: "A",
// and "TYPE65280" for one without a name (RFC 3597).
func TypeString(qtype uint16) string { return dns.Type(qtype).String() }

// ReverseName returns the canonical name under in-addr.arpa or ip6.arpa whose
// LookupPTR records name addr, and "" for an invalid address. An IPv4-mapped address
// gets its IPv4 name; a zone is dropped.
func ReverseName(addr netip.Addr) string { return dnsname.Reverse(addr) }
