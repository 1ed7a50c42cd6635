package resolvertest_test

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
)

// behindAliases are the promises about records behind an alias.
var behindAliases = []string{
	"alias", "chain of eight", "alias into another zone", "DNAME", "internationalized names", "earlier answers stay as they are", "capitals in records",
}

var aliasMutants = []mutant{
	{"follows no alias", behindAliases,
		after(func(_ resolver.Question, a resolver.Answer) resolver.Answer {
			if len(a.Chain) > 0 {
				a.Records = nil
			}
			return a
		})},
	{"forgets the chain", slices.Concat(behindAliases, []string{"TTL of an alias", "Authentic alias", "chain of a negative answer"}),
		after(func(_ resolver.Question, a resolver.Answer) resolver.Answer {
			a.Chain = nil
			return a
		})},
	{"has the last alias alone", []string{"alias"}, after(func(q resolver.Question, a resolver.Answer) resolver.Answer {
		if len(a.Chain) == 2 && a.Chain[0].Header().Rrtype == dns.TypeCNAME && len(a.Records) > 0 {
			first := dns.Copy(a.Chain[1])
			first.Header().Name = q.Name
			a.Chain = []dns.RR{first}
		}
		return a
	})},
	{"follows two aliases", []string{"chain of eight"}, after(func(_ resolver.Question, a resolver.Answer) resolver.Answer {
		if len(a.Chain) > 2 {
			return resolver.Answer{Chain: a.Chain[:2]}
		}
		return a
	})},
	{"forgets the chain of a negative answer", []string{"chain of a negative answer"}, after(func(_ resolver.Question, a resolver.Answer) resolver.Answer {
		if isNegative(a) {
			a.Chain = nil
		}
		return a
	})},
	{"gives all records the name asked", slices.Concat(behindAliases, []string{"TTL of an alias", "Authentic alias"}), after(func(q resolver.Question, a resolver.Answer) resolver.Answer {
		return renamed(a, q.Name)
	})},
	{"has the aliases among the records", slices.Concat(behindAliases, []string{"TTL of an alias", "Authentic alias", "chain of a negative answer",
		"alias to nothing", "alias to a name without the type", "TTL of a negative answer"}), after(func(_ resolver.Question, a resolver.Answer) resolver.Answer {
		a.Records = slices.Concat(a.Chain, a.Records)
		return a
	})},
	{"stays in the zone", []string{"alias into another zone"}, after(func(_ resolver.Question, a resolver.Answer) resolver.Answer {
		if n := len(a.Chain); n > 0 && strings.HasSuffix(a.Chain[n-1].String(), ".other.test.") && !a.Authentic {
			a.Records = nil
		}
		return a
	})},
	{"knows no DNAME", []string{"DNAME"}, after(func(_ resolver.Question, a resolver.Answer) resolver.Answer {
		a.Chain = slices.DeleteFunc(slices.Clone(a.Chain), func(rr dns.RR) bool { return rr.Header().Rrtype == dns.TypeDNAME })
		return a
	})},
	{"compares DNAME records as text", []string{"DNAME"}, asking(func(name string) string {
		return strings.Replace(name, "xmoved.", "moved.", 1)
	})},
	{"redirects the owner of a DNAME", []string{"DNAME"}, func(right resolver.Resolver) resolver.Func {
		return func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
			if name == "moved.conformance.test." && qtype == dns.TypeA {
				name = "new.conformance.test."
			}
			return right.Lookup(ctx, name, qtype)
		}
	}},
	{"believes that aliases exist", []string{"alias to nothing"}, after(func(_ resolver.Question, a resolver.Answer) resolver.Answer {
		if len(a.Chain) > 0 {
			a.Status = resolver.NoError
		}
		return a
	})},
	{"takes an alias without records for none", []string{"alias to a name without the type"}, after(func(_ resolver.Question, a resolver.Answer) resolver.Answer {
		if len(a.Chain) > 0 && isNegative(a) {
			a.Status = resolver.NXDomain
		}
		return a
	})},
	{"takes a loop for an end", []string{"loop"}, afterAll(func(_ resolver.Question, a resolver.Answer, err error) (resolver.Answer, error) {
		if errors.Is(err, resolver.ErrChain) {
			return resolver.Answer{}, nil
		}
		return a, err
	})},
	{"follows a loop for ever", []string{"loop"}, func(right resolver.Resolver) resolver.Func {
		return func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
			a, err := right.Lookup(ctx, name, qtype)
			if errors.Is(err, resolver.ErrChain) {
				<-ctx.Done()
			}
			return a, err
		}
	}},
	{"looks for the name asked alone in a loop", []string{"loop"}, func(right resolver.Resolver) resolver.Func {
		return func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
			a, err := right.Lookup(ctx, name, qtype)
			if errors.Is(err, resolver.ErrChain) && name == "into.conformance.test." {
				<-ctx.Done()
			}
			return a, err
		}
	}},
	{"follows CNAME for CNAME", []string{"question for a CNAME"}, following(dns.TypeCNAME)},
	{"follows DNAME for DNAME", []string{"question for a DNAME"}, following(dns.TypeDNAME)},
	{"follows CNAME for ANY", []string{"question for all types"}, following(dns.TypeANY)},
	{"has one type for all", []string{"question for all types"}, after(func(q resolver.Question, a resolver.Answer) resolver.Answer {
		if q.Type == dns.TypeANY {
			a.Records = a.Records[:min(1, len(a.Records))]
		}
		return a
	})},
}

// following makes a mutant of one that asks again for the target of an alias that was asked
// for.
func following(qtype uint16) func(resolver.Resolver) resolver.Func {
	return func(right resolver.Resolver) resolver.Func {
		return func(ctx context.Context, name string, asked uint16) (resolver.Answer, error) {
			a, err := right.Lookup(ctx, name, asked)
			if asked != qtype || err != nil || isNegative(a) || targetOf(a.Records[0]) == "" {
				return a, err
			}
			b, err := right.Lookup(ctx, targetOf(a.Records[0]), asked)
			b.Chain = append(slices.Clip(a.Records), b.Chain...)
			return b, err
		}
	}
}

// targetOf returns the target of an alias, or "".
func targetOf(rr dns.RR) string {
	switch rr := rr.(type) {
	case *dns.DNAME:
		return rr.Target
	case *dns.CNAME:
		return rr.Target
	}
	return ""
}
