package resolvertest_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/resolver/dnsfake"
	"github.com/bonafide-mta/bonafide/resolver/resolvertest"
)

// A mutant breaks what a right resolver answers.
type mutant struct {
	name   string
	breaks func(ctx context.Context, right resolver.Resolver, name string, qtype uint16) (resolver.Answer, error)
	found  []string // the promises that notice
}

// after makes a mutant's function from one that changes the right answer.
func after(change func(name string, qtype uint16, a resolver.Answer, err error) (resolver.Answer, error)) func(context.Context, resolver.Resolver, string, uint16) (resolver.Answer, error) {
	return func(ctx context.Context, right resolver.Resolver, name string, qtype uint16) (resolver.Answer, error) {
		a, err := right.Lookup(ctx, name, qtype)
		return change(name, qtype, a, err)
	}
}

var mutants = []mutant{
	{"answers nothing", after(func(_ string, _ uint16, a resolver.Answer, err error) (resolver.Answer, error) {
		return resolver.Answer{Status: a.Status}, err
	}), []string{"addresses", "MX", "null MX", "TXT", "TXT octets", "SRV", "PTR", "escaped dot in data", "escaped dot in the name",
		"large answer", "wildcard", "alias", "question for an alias", "any form of a name", "concurrent callers", "TTL"}},
	{"takes the negative for an error", after(func(_ string, _ uint16, a resolver.Answer, err error) (resolver.Answer, error) {
		if err == nil && len(a.Records) == 0 {
			err = errors.New("no such host")
		}
		return a, err
	}), []string{"NODATA", "NXDOMAIN", "empty non-terminal", "alias to nothing", "alias to another type"}},
	{"takes NODATA for NXDOMAIN", after(func(_ string, _ uint16, a resolver.Answer, err error) (resolver.Answer, error) {
		if err == nil && len(a.Records) == 0 {
			a.Status = resolver.NXDomain
		}
		return a, err
	}), []string{"NODATA", "empty non-terminal", "alias to another type"}},
	{"takes NXDOMAIN for NODATA", after(func(_ string, _ uint16, a resolver.Answer, err error) (resolver.Answer, error) {
		a.Status = resolver.NoError
		return a, err
	}), []string{"NXDOMAIN", "alias to nothing"}},
	{"takes a failure for NODATA", after(func(_ string, _ uint16, a resolver.Answer, _ error) (resolver.Answer, error) {
		return a, nil
	}), []string{"faults are errors", "a deadline is an error", "canceled before", "canceled while waiting", "loop", "no name"}},
	{"follows no alias", after(func(_ string, _ uint16, a resolver.Answer, err error) (resolver.Answer, error) {
		if len(a.Chain) > 0 {
			a.Records = nil
		}
		return a, err
	}), []string{"alias"}},
	{"forgets the chain", after(func(_ string, _ uint16, a resolver.Answer, err error) (resolver.Answer, error) {
		a.Chain = nil
		return a, err
	}), []string{"alias"}},
	{"is deaf to its context", func(_ context.Context, right resolver.Resolver, name string, qtype uint16) (resolver.Answer, error) {
		return right.Lookup(context.Background(), name, qtype)
	}, []string{"a deadline is an error", "canceled before", "canceled while waiting"}},
	{"looks at its context when it has an answer", func(ctx context.Context, right resolver.Resolver, name string, qtype uint16) (resolver.Answer, error) {
		a, err := right.Lookup(context.WithoutCancel(ctx), name, qtype)
		if ctx.Err() != nil {
			return resolver.Answer{}, ctx.Err()
		}
		return a, err
	}, []string{"a deadline is an error", "canceled while waiting"}},
	{"believes all", after(func(_ string, _ uint16, a resolver.Answer, err error) (resolver.Answer, error) {
		a.Authentic = true
		return a, err
	}), []string{"Authentic is not made up"}},
	{"caches for ever", after(func(_ string, _ uint16, a resolver.Answer, err error) (resolver.Answer, error) {
		a.TTL = time.Hour
		return a, err
	}), []string{"addresses", "NXDOMAIN"}},
	{"has no TTL", after(func(_ string, _ uint16, a resolver.Answer, err error) (resolver.Answer, error) {
		a.TTL = 0
		return a, err
	}), []string{"TTL"}},
	{"mixes types", after(func(name string, _ uint16, a resolver.Answer, err error) (resolver.Answer, error) {
		if len(a.Records) > 0 {
			a.Records = append(slices.Clip(a.Records), &dns.NULL{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeNULL}})
		}
		return a, err
	}), []string{"addresses", "MX"}},
	{"drops what does not fit", after(func(_ string, _ uint16, a resolver.Answer, err error) (resolver.Answer, error) {
		a.Records = a.Records[:min(len(a.Records), 10)]
		return a, err
	}), []string{"large answer"}},
	{"says records, and NXDOMAIN", after(func(_ string, _ uint16, a resolver.Answer, err error) (resolver.Answer, error) {
		a.Status = resolver.NXDomain
		return a, err
	}), []string{"addresses"}},
	{"loses escapes", func(ctx context.Context, right resolver.Resolver, name string, qtype uint16) (resolver.Answer, error) {
		return right.Lookup(ctx, strings.ReplaceAll(name, `\.`, "."), qtype)
	}, []string{"escaped dot in the name"}},
	{"cannot", after(func(string, uint16, resolver.Answer, error) (resolver.Answer, error) {
		return resolver.Answer{}, errors.ErrUnsupported
	}), nil},
}

// ending is how a test of a promise ended.
type ending struct {
	fakeTB
	skipped bool
}

func (e *ending) Skipf(string, ...any) { e.skipped = true; panic(e) }
func (e *ending) Logf(string, ...any)  {}
func (e *ending) Error(args ...any)    { e.Errorf("%v", args) }
func (e *ending) Fatalf(format string, args ...any) {
	e.Errorf(format, args...)
	panic(e)
}

// verdict tests one promise of one mutant in fake time.
func verdict(t *testing.T, m mutant, promise string) *ending {
	e := &ending{fakeTB: fakeTB{TB: t}}
	synctest.Test(t, func(t *testing.T) {
		defer func() {
			if stopped := recover(); stopped != nil && stopped != e {
				panic(stopped)
			}
		}()
		resolvertest.CheckPromise(e, promise, func(_ testing.TB, fake *dnsfake.Fake) resolver.Resolver {
			return resolver.Func(func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
				return m.breaks(ctx, fake, name, qtype)
			})
		})
	})
	return e
}

// The suite passes what is right, notices each mutant where it should, and each
// promise notices one.
func TestSuiteFindsMutants(t *testing.T) {
	right := mutant{breaks: after(func(_ string, _ uint16, a resolver.Answer, err error) (resolver.Answer, error) { return a, err })}
	unnoticed := make(map[string]bool)
	for _, promise := range resolvertest.Promises() {
		unnoticed[promise] = true
		if e := verdict(t, right, promise); len(e.errors) > 0 || e.skipped {
			t.Errorf("%s: a right resolver fails: %q, skipped %v", promise, e.errors, e.skipped)
		}
	}
	for _, m := range mutants {
		for _, promise := range m.found {
			delete(unnoticed, promise)
			if e := verdict(t, m, promise); len(e.errors) == 0 {
				t.Errorf("%s: does not notice a resolver that %s", promise, m.name)
			}
		}
		if m.found == nil {
			if e := verdict(t, m, "MX"); !e.skipped {
				t.Errorf("a resolver that %s is not excused: %q", m.name, e.errors)
			}
		}
	}
	for promise := range unnoticed {
		t.Errorf("%s: no mutant shows that it notices anything", promise)
	}
}
