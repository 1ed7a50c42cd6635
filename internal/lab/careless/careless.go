// Package careless is a Resolver that breaks the promises of the interface, for tests of what
// becomes of that.
package careless

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
)

// A Kind is one way to be careless.
type Kind struct {
	Name string
	// spoil returns what a careless Resolver makes of an honest answer to a question.
	spoil func(q resolver.Question, a resolver.Answer, random *rand.Rand) (resolver.Answer, error)
}

// Around returns a Resolver that answers as r does, and carelessly in so many of a hundred
// questions. Which ones, and what exactly comes of them, the seed decides for each question.
func (k Kind) Around(r resolver.Resolver, percent int, seed uint64) resolver.Resolver {
	return resolver.Func(func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
		q := resolver.Question{Name: name, Type: qtype}
		honest := resolver.Ask(ctx, r, name, qtype)
		hash := fnv.New64()
		fmt.Fprint(hash, k.Name, q)
		random := rand.New(rand.NewPCG(seed, hash.Sum64()))
		if honest.Err != nil || random.IntN(100) >= percent {
			return honest.Answer, honest.Err
		}
		a := honest.Answer
		a.Records, a.Chain = slices.Clone(a.Records), slices.Clone(a.Chain)
		return k.spoil(q, a, random)
	})
}

// Kinds returns all kinds.
func Kinds() []Kind { return slices.Concat(failures(), records(), answers()) }

// failures are errors and panics.
func failures() []Kind {
	failing := func(name string, err error) Kind {
		return Kind{name, func(resolver.Question, resolver.Answer, *rand.Rand) (resolver.Answer, error) {
			return resolver.Answer{}, err
		}}
	}
	panicking := func(name string, value any) Kind {
		return Kind{name, func(resolver.Question, resolver.Answer, *rand.Rand) (resolver.Answer, error) { panic(value) }}
	}
	return []Kind{
		failing("a nil *resolver.Error", (*resolver.Error)(nil)),
		failing("a nil *net.DNSError", (*net.DNSError)(nil)),
		failing("a wrapped nil *resolver.Error", wrapper{(*resolver.Error)(nil)}),
		failing("a wrapped nil *net.DNSError", wrapper{(*net.DNSError)(nil)}),
		failing("joined with a nil *net.DNSError", joined{errors.New("other"), (*net.DNSError)(nil)}),
		failing("a wrapper of nothing", wrapper{}),
		failing("an error whose text panics", badText{}),
		failing("an error that wraps itself", endless{}),
		{"an answer beside an error", func(_ resolver.Question, a resolver.Answer, _ *rand.Rand) (resolver.Answer, error) {
			return a, errors.New("an error")
		}},
		{"a nil error of a pointer type beside an answer", func(_ resolver.Question, a resolver.Answer, _ *rand.Rand) (resolver.Answer, error) {
			var none *resolver.Error
			return a, none
		}},
		panicking("a panic", "broken"),
		panicking("a panic with a nil error", (*net.DNSError)(nil)),
		{"a nil dereference", func(resolver.Question, resolver.Answer, *rand.Rand) (resolver.Answer, error) {
			var none *dns.A
			return resolver.Answer{Server: none.Hdr.Name}, nil
		}},
	}
}

type wrapper struct{ error }

func (w wrapper) Error() string { return "wrapped" }
func (w wrapper) Unwrap() error { return w.error }

type joined []error

func (joined) Error() string     { return "joined" }
func (j joined) Unwrap() []error { return j }

type badText struct{}

func (badText) Error() string { panic("no text") }

type endless struct{}

func (endless) Error() string   { return "endless" }
func (e endless) Unwrap() error { return e }

// odd is a record of a Go type that dns does not know, and without methods in the end.
type odd struct{ dns.RR }

// each returns a kind that spoils a copy of one record of an answer, or of each.
func each(name string, one bool, spoil func(rr dns.RR, random *rand.Rand) dns.RR) Kind {
	return Kind{name, func(_ resolver.Question, a resolver.Answer, random *rand.Rand) (resolver.Answer, error) {
		if len(a.Records) == 0 {
			return a, nil
		}
		chosen := random.IntN(len(a.Records))
		for i, rr := range a.Records {
			if i == chosen || !one {
				a.Records[i] = spoil(dns.Copy(rr), random)
			}
		}
		return a, nil
	}}
}

// added returns a kind that puts a record among those of an answer.
func added(name string, record func(q resolver.Question) dns.RR) Kind {
	return Kind{name, func(q resolver.Question, a resolver.Answer, random *rand.Rand) (resolver.Answer, error) {
		a.Records = slices.Insert(a.Records, random.IntN(len(a.Records)+1), record(q))
		return a, nil
	}}
}

// records are odd records.
func records() []Kind {
	var kinds []Kind
	for one, how := range map[bool]string{true: "a record", false: "all records"} {
		kinds = append(kinds,
			each(how+" nil", one, func(dns.RR, *rand.Rand) dns.RR { return nil }),
			each(how+" a typed nil", one, func(rr dns.RR, _ *rand.Rand) dns.RR { return typedNil(rr.Header().Rrtype) }),
			each(how+" without header", one, func(rr dns.RR, _ *rand.Rand) dns.RR { *rr.Header() = dns.RR_Header{}; return rr }),
			each(how+" with the header of another type", one, func(rr dns.RR, random *rand.Rand) dns.RR {
				rr.Header().Rrtype = otherType(rr.Header().Rrtype, random)
				return rr
			}),
			each(how+" of another Go type", one, func(rr dns.RR, random *rand.Rand) dns.RR {
				other := dns.TypeToRR[otherType(rr.Header().Rrtype, random)]()
				*other.Header() = *rr.Header()
				return other
			}),
			each(how+" of another type", one, func(rr dns.RR, random *rand.Rand) dns.RR {
				return another(rr.Header().Name, rr.Header().Rrtype, random)
			}),
			each(how+" of another owner", one, func(rr dns.RR, _ *rand.Rand) dns.RR { rr.Header().Name = "other." + rr.Header().Name; return rr }),
			each(how+" without owner", one, func(rr dns.RR, _ *rand.Rand) dns.RR { rr.Header().Name = ""; return rr }),
			each(how+" of class CH", one, func(rr dns.RR, _ *rand.Rand) dns.RR { rr.Header().Class = dns.ClassCHAOS; return rr }),
			each(how+" with broken data", one, func(rr dns.RR, random *rand.Rand) dns.RR { return broken(rr, random) }),
			each(how+" opaque", one, func(rr dns.RR, _ *rand.Rand) dns.RR { return &dns.RFC3597{Hdr: *rr.Header(), Rdata: "00"} }),
			each(how+" private", one, func(rr dns.RR, _ *rand.Rand) dns.RR { return &dns.PrivateRR{Hdr: *rr.Header()} }),
			each(how+" of a Go type without methods", one, func(dns.RR, *rand.Rand) dns.RR { return odd{} }),
			each(how+" within another", one, func(rr dns.RR, _ *rand.Rand) dns.RR { return odd{rr} }),
		)
	}
	slices.SortFunc(kinds, func(a, b Kind) int { return strings.Compare(a.Name, b.Name) })
	return append(kinds,
		added("nil beside the records", func(resolver.Question) dns.RR { return nil }),
		added("a typed nil beside the records", func(q resolver.Question) dns.RR { return typedNil(q.Type) }),
		added("a record of another owner beside them", func(q resolver.Question) dns.RR {
			rr := dns.TypeToRR[dns.TypeA]()
			*rr.Header() = dns.RR_Header{Name: "other." + q.Name, Rrtype: dns.TypeA, Class: dns.ClassINET}
			return rr
		}),
		added("a signature beside them", func(q resolver.Question) dns.RR {
			return &dns.RRSIG{Hdr: dns.RR_Header{Name: q.Name, Rrtype: dns.TypeRRSIG, Class: dns.ClassINET}, TypeCovered: q.Type, SignerName: q.Name}
		}),
		Kind{"every record twice", func(_ resolver.Question, a resolver.Answer, _ *rand.Rand) (resolver.Answer, error) {
			a.Records = slices.Concat(a.Records, a.Records)
			return a, nil
		}},
		Kind{"every record twenty times", func(_ resolver.Question, a resolver.Answer, _ *rand.Rand) (resolver.Answer, error) {
			a.Records = slices.Repeat(a.Records, 20)
			return a, nil
		}},
	)
}

// typedNil returns a nil pointer to a record of a type.
func typedNil(qtype uint16) dns.RR {
	switch qtype {
	case dns.TypeA:
		return (*dns.A)(nil)
	case dns.TypeMX:
		return (*dns.MX)(nil)
	case dns.TypePTR:
		return (*dns.PTR)(nil)
	case dns.TypeSRV:
		return (*dns.SRV)(nil)
	case dns.TypeRP:
		return (*dns.RP)(nil)
	case dns.TypeCNAME:
		return (*dns.CNAME)(nil)
	}
	return (*dns.TXT)(nil)
}

var types = []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeMX, dns.TypeTXT, dns.TypeSRV, dns.TypePTR, dns.TypeRP, dns.TypeCNAME, dns.TypeDNAME, dns.TypeSOA, dns.TypeSVCB, dns.TypeOPT}

func otherType(qtype uint16, random *rand.Rand) uint16 {
	for {
		if other := types[random.IntN(len(types))]; other != qtype {
			return other
		}
	}
}

// another returns a record of another type.
func another(name string, qtype uint16, random *rand.Rand) dns.RR {
	other := otherType(qtype, random)
	rr := dns.TypeToRR[other]()
	*rr.Header() = dns.RR_Header{Name: name, Rrtype: other, Class: dns.ClassINET}
	switch rr := rr.(type) {
	case *dns.A:
		rr.A = []byte{192, 0, 2, 77}
	case *dns.CNAME:
		rr.Target = "elsewhere.test."
	case *dns.DNAME:
		rr.Target = "elsewhere.test."
	}
	return rr
}

// broken returns a record whose data no message could hold.
func broken(rr dns.RR, random *rand.Rand) dns.RR {
	name := []string{"", "a..b", strings.Repeat("x", 64) + ".test.", strings.Repeat("x.", 200), "\xff\xfe.test."}[random.IntN(5)]
	switch rr := rr.(type) {
	case *dns.A:
		rr.A = make([]byte, []int{0, 1, 3, 5, 15}[random.IntN(5)])
	case *dns.AAAA:
		rr.AAAA = make([]byte, []int{0, 4, 15, 17}[random.IntN(4)])
	case *dns.MX:
		rr.Mx = name
	case *dns.PTR:
		rr.Ptr = name
	case *dns.SRV:
		rr.Target = name
	case *dns.RP:
		rr.Mbox = name
	case *dns.CNAME:
		rr.Target = name
	case *dns.TXT:
		return (*dns.TXT)(nil)
	case *dns.SOA:
		rr.Ns = name
	}
	return rr
}

// answers are odd chains, statuses and times to live.
func answers() []Kind {
	change := func(name string, spoil func(q resolver.Question, a *resolver.Answer)) Kind {
		return Kind{name, func(q resolver.Question, a resolver.Answer, _ *rand.Rand) (resolver.Answer, error) {
			spoil(q, &a)
			return a, nil
		}}
	}
	alias := func(owner, target string) dns.RR {
		return &dns.CNAME{Hdr: dns.RR_Header{Name: owner, Rrtype: dns.TypeCNAME, Class: dns.ClassINET}, Target: target}
	}
	return []Kind{
		change("a nil alias", func(_ resolver.Question, a *resolver.Answer) { a.Chain = append(a.Chain, nil) }),
		change("a typed nil alias", func(_ resolver.Question, a *resolver.Answer) { a.Chain = append(a.Chain, (*dns.CNAME)(nil)) }),
		change("an alias of another name", func(_ resolver.Question, a *resolver.Answer) {
			a.Chain = append(a.Chain, alias("elsewhere.test.", "example.test."))
		}),
		change("an alias to no name", func(q resolver.Question, a *resolver.Answer) { a.Chain = append(a.Chain, alias(q.Name, "a..b")) }),
		change("an alias that the records are not of", func(q resolver.Question, a *resolver.Answer) {
			if len(a.Records) > 0 {
				a.Chain = append(a.Chain, alias(q.Name, "elsewhere.test."))
			}
		}),
		change("aliases lost", func(_ resolver.Question, a *resolver.Answer) {
			if len(a.Records) > 0 {
				a.Chain = nil
			}
		}),
		change("aliases among the records", func(q resolver.Question, a *resolver.Answer) {
			if q.Type != dns.TypeCNAME && q.Type != dns.TypeDNAME {
				a.Chain, a.Records = nil, append(a.Chain, a.Records...)
			}
		}),
		change("records among the aliases", func(_ resolver.Question, a *resolver.Answer) { a.Chain, a.Records = append(a.Chain, a.Records...), nil }),
		change("a status that is none", func(_ resolver.Question, a *resolver.Answer) { a.Status = 99 }),
		change("NXDOMAIN with records", func(_ resolver.Question, a *resolver.Answer) {
			if len(a.Records) > 0 {
				a.Status = resolver.NXDomain
			}
		}),
		change("NOTFOUND with records", func(_ resolver.Question, a *resolver.Answer) {
			if len(a.Records) > 0 {
				a.Status = resolver.NotFound
			}
		}),
		change("a negative TTL", func(_ resolver.Question, a *resolver.Answer) { a.TTL = -time.Hour }),
		change("the least TTL", func(_ resolver.Question, a *resolver.Answer) { a.TTL = math.MinInt64 }),
		change("the greatest TTL", func(_ resolver.Question, a *resolver.Answer) { a.TTL = math.MaxInt64 }),
	}
}
