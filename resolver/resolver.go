package resolver

import (
	"context"
	"time"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/enum"
)

// A Resolver answers DNS questions. Its one method is all that an
// implementation, a wrapper or a test double has to write.
//
// The checkers of this module pass the canonical name: lower case, A-labels,
// absolute, with its final dot (see [Canonical]). Names are absolute: no search
// list, no hosts file. Aliases (CNAME, DNAME) are followed, except for questions of
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

// TypeString returns the name of a record type as zone files write it: "A",
// and "TYPE65280" for one without a name (RFC 3597).
func TypeString(qtype uint16) string { return dns.Type(qtype).String() }
