package resolver

import (
	"context"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
)

// A Resolver answers DNS questions. Its one method is all that an
// implementation, a wrapper or a test double has to write. Package resolvertest tests
// an implementation against each promise made here.
//
// Lookup is given the canonical name: lower case, A-labels, absolute, with its final
// dot (see [Canonical]). It may rely on that: [Ask] brings a name of any other form into
// this one. An ASCII label is asked as it is, whatever IDNA says about it, as in
// _dmarc and r3---sn. Names are absolute: no search list, no hosts file.
//
// Aliases (CNAME, DNAME) are followed, except for questions of type CNAME, DNAME and
// ANY. Aliases in a circle are an error, before ctx is done.
//
// A negative answer is an answer: the error is nil, the records are empty, and
// Status tells which kind it is. An error means that the question has no answer, and any
// error of any type is a temporary failure to the caller; [Error] adds detail.
//
// Lookup must be safe for concurrent use. Once ctx is done it returns soon, with an
// error that wraps ctx.Err(). [Ask] guards against a Resolver that breaks these promises:
// call it instead of Lookup.
type Resolver interface {
	Lookup(ctx context.Context, name string, qtype uint16) (Answer, error)
}

// Func is a function as a Resolver.
type Func func(ctx context.Context, name string, qtype uint16) (Answer, error)

// Lookup calls f.
func (f Func) Lookup(ctx context.Context, name string, qtype uint16) (Answer, error) {
	return f(ctx, name, qtype)
}

// Canonical returns the form of name that a Resolver is asked: lower case,
// A-labels, absolute, with its final dot. Any case, a missing final dot,
// U-labels and the escapes of zone files (\. and \DDD) are accepted. Two texts
// mean the same name exactly when their canonical forms are equal.
// The error wraps [ErrName].
func Canonical(name string) (string, error) { return dnsname.Canonical(name) }

// TypeString returns the name of a record type as zone files write it: "A",
// and "TYPE65280" for one without a name (RFC 3597).
func TypeString(qtype uint16) string { return dns.Type(qtype).String() }
