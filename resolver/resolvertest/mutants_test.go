package resolvertest_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/net/idna"

	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/resolver/dnsfake"
)

// A mutant breaks what a right resolver answers.
type mutant struct {
	name   string
	found  []string // the promises that it breaks
	breaks func(right resolver.Resolver) resolver.Func
}

func (m mutant) overFake() func(testing.TB, *dnsfake.Fake) resolver.Resolver {
	return func(_ testing.TB, fake *dnsfake.Fake) resolver.Resolver { return m.breaks(fake) }
}

func (m mutant) overRecords() func(testing.TB, string) resolver.Resolver {
	return func(t testing.TB, zoneText string) resolver.Resolver { return m.breaks(zonesOf(t, zoneText)) }
}

// after makes a mutant of one that changes answers.
func after(change func(q resolver.Question, a resolver.Answer) resolver.Answer) func(resolver.Resolver) resolver.Func {
	return afterAll(func(q resolver.Question, a resolver.Answer, err error) (resolver.Answer, error) {
		if err != nil {
			return a, err
		}
		return change(q, a), nil
	})
}

// afterAll makes a mutant of one that changes answers and errors.
func afterAll(change func(q resolver.Question, a resolver.Answer, err error) (resolver.Answer, error)) func(resolver.Resolver) resolver.Func {
	return func(right resolver.Resolver) resolver.Func {
		return func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
			a, err := right.Lookup(ctx, name, qtype)
			return change(resolver.Question{Name: name, Type: qtype}, a, err)
		}
	}
}

// changing makes a mutant of one that changes a copy of each record of a Go type.
func changing[R dns.RR](change func(R)) func(resolver.Resolver) resolver.Func {
	return after(func(_ resolver.Question, a resolver.Answer) resolver.Answer {
		a.Records = slices.Clone(a.Records)
		for i, rr := range a.Records {
			if _, ok := rr.(R); ok {
				rr = dns.Copy(rr)
				change(rr.(R))
				a.Records[i] = rr
			}
		}
		return a
	})
}

func isNegative(a resolver.Answer) bool { return len(a.Records) == 0 }

// withRecords are the promises about answers with records.
var withRecords = []string{
	"earlier answers stay as they are", "addresses", "MX", "null MX", "TXT", "TXT octets", "SRV", "PTR", "type without a name", "large answer",
	"escaped dot in the name", "escaped dot in data", "ASCII labels", "internationalized names", "wildcard", "alias",
	"alias into another zone", "DNAME", "question for a CNAME", "question for a DNAME", "question for all types",
}

var mutants = slices.Concat(recordMutants, nameMutants, negativeMutants, aliasMutants, timeMutants, callMutants)

var recordMutants = []mutant{
	{"answers nothing", slices.Concat(withRecords, []string{"TTL", "concurrent callers", "records that change", "faults are errors"}),
		after(func(_ resolver.Question, a resolver.Answer) resolver.Answer { return resolver.Answer{Status: a.Status} })},
	{"has no IPv6 addresses", []string{"addresses"}, after(func(q resolver.Question, a resolver.Answer) resolver.Answer {
		if q.Type == dns.TypeAAAA {
			a.Records = nil
		}
		return a
	})},
	{"loses preferences", []string{"MX"}, changing(func(mx *dns.MX) { mx.Preference = 0 })},
	{"takes a null MX for no MX", []string{"null MX"}, after(func(_ resolver.Question, a resolver.Answer) resolver.Answer {
		a.Records = slices.DeleteFunc(slices.Clone(a.Records), func(rr dns.RR) bool {
			mx, ok := rr.(*dns.MX)
			return ok && mx.Mx == "."
		})
		return a
	})},
	{"joins strings with a space", []string{"TXT"}, changing(func(t *dns.TXT) { t.Txt = []string{strings.Join(t.Txt, " ")} })},
	{"does not escape texts", []string{"TXT octets"}, changing(func(t *dns.TXT) {
		t.Txt = slices.Clone(t.Txt)
		for i := range t.Txt {
			t.Txt[i] = strings.ReplaceAll(t.Txt[i], `\`, "")
		}
	})},
	{"swaps priority and weight", []string{"SRV"}, changing(func(srv *dns.SRV) { srv.Priority, srv.Weight = srv.Weight, srv.Priority })},
	{"takes the first PTR name", []string{"PTR"}, after(func(q resolver.Question, a resolver.Answer) resolver.Answer {
		if q.Type == dns.TypePTR {
			a.Records = a.Records[:min(1, len(a.Records))]
		}
		return a
	})},
	{"asks for types with a name", []string{"type without a name"}, after(func(q resolver.Question, a resolver.Answer) resolver.Answer {
		if dns.TypeToString[q.Type] == "" {
			a.Records = nil
		}
		return a
	})},
	{"drops what does not fit", []string{"large answer"}, after(func(_ resolver.Question, a resolver.Answer) resolver.Answer {
		a.Records = a.Records[:min(len(a.Records), 10)]
		return a
	})},
	{"rotates records in place", []string{"earlier answers stay as they are"}, func(right resolver.Resolver) resolver.Func {
		var mu sync.Mutex
		kept := make(map[resolver.Question][]dns.RR)
		return func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
			a, err := right.Lookup(ctx, name, qtype)
			q := resolver.Question{Name: name, Type: qtype}
			mu.Lock()
			defer mu.Unlock()
			if len(kept[q]) != len(a.Records) {
				kept[q] = slices.Clone(a.Records)
			}
			if mine := kept[q]; len(mine) > 1 {
				copy(mine, append(slices.Clone(mine[1:]), mine[0]))
			}
			a.Records = kept[q]
			return a, err
		}
	}},
	{"mixes types", slices.Concat(withRecords, []string{"TTL", "TTL of an alias", "Authentic",
		"Authentic alias", "records that change", "faults are errors"}),
		after(func(q resolver.Question, a resolver.Answer) resolver.Answer {
			if len(a.Records) > 0 {
				a.Records = append(slices.Clip(a.Records), &dns.NULL{Hdr: dns.RR_Header{Name: q.Name, Rrtype: dns.TypeNULL, Class: dns.ClassINET}})
			}
			return a
		})},
	{"says records, and NXDOMAIN", slices.Concat(withRecords, []string{"TTL", "TTL of an alias", "Authentic",
		"Authentic alias", "records that change", "faults are errors"}),
		after(func(_ resolver.Question, a resolver.Answer) resolver.Answer {
			if len(a.Records) > 0 {
				a.Status = resolver.NXDomain
			}
			return a
		})},
}

var nameMutants = []mutant{
	{"loses escapes of names asked", []string{"escaped dot in the name"}, func(right resolver.Resolver) resolver.Func {
		return func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
			return right.Lookup(ctx, strings.ReplaceAll(name, `\.`, "."), qtype)
		}
	}},
	{"loses escapes of names in data", []string{"escaped dot in data"},
		changing(func(rp *dns.RP) { rp.Mbox = strings.ReplaceAll(rp.Mbox, `\.`, ".") })},
	{"checks the hyphens of names", []string{"ASCII labels"}, func(right resolver.Resolver) resolver.Func {
		profile := idna.New(idna.CheckHyphens(true), idna.StrictDomainName(false))
		return func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
			if _, err := profile.ToASCII(name); err != nil {
				return resolver.Answer{}, err
			}
			return right.Lookup(ctx, name, qtype)
		}
	}},
	{"asks for U-labels", []string{"internationalized names"}, func(right resolver.Resolver) resolver.Func {
		return func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
			if unicode, err := idna.ToUnicode(name); err == nil && unicode != name {
				return resolver.Answer{Status: resolver.NXDomain}, nil // no server has it
			}
			return right.Lookup(ctx, name, qtype)
		}
	}},
	{"answers with U-labels", []string{"internationalized names"}, changing(func(a *dns.A) {
		a.Hdr.Name, _ = idna.ToUnicode(a.Hdr.Name)
	})},
	{"has a search list", []string{"absolute names"}, func(right resolver.Resolver) resolver.Func {
		return func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
			a, err := right.Lookup(ctx, name, qtype)
			if err == nil && a.Status == resolver.NXDomain && len(a.Chain) == 0 {
				if b, err := right.Lookup(ctx, name+"conformance.test.", qtype); err == nil && len(b.Records) > 0 {
					b.Records[0] = dns.Copy(b.Records[0])
					b.Records[0].Header().Name = name
					return b, nil
				}
			}
			return a, err
		}
	}},
}

var negativeMutants = []mutant{
	{"takes the negative for an error", []string{"NODATA", "NXDOMAIN", "empty non-terminal", "wildcard", "alias to nothing",
		"alias to a name without the type", "TTL of a negative answer", "alias", "DNAME", "internationalized names", "TTL"},
		afterAll(func(_ resolver.Question, a resolver.Answer, err error) (resolver.Answer, error) {
			if err == nil && isNegative(a) {
				err = errors.New("no such host")
			}
			return a, err
		})},
	{"takes NODATA for NXDOMAIN", []string{"NODATA", "empty non-terminal", "wildcard", "alias to a name without the type"},
		after(func(_ resolver.Question, a resolver.Answer) resolver.Answer {
			if isNegative(a) {
				a.Status = resolver.NXDomain
			}
			return a
		})},
	{"denies services when their servers fail", []string{"faults are errors"}, afterAll(func(q resolver.Question, a resolver.Answer, err error) (resolver.Answer, error) {
		if err != nil && q.Type == dns.TypeSRV {
			return resolver.Answer{Status: resolver.NXDomain}, nil
		}
		return a, err
	})},
	{"takes no MX for an error", []string{"NODATA"}, afterAll(func(q resolver.Question, a resolver.Answer, err error) (resolver.Answer, error) {
		if err == nil && q.Type == dns.TypeMX && isNegative(a) {
			err = errors.New("no MX")
		}
		return a, err
	})},
	{"takes NXDOMAIN for NODATA", []string{"NXDOMAIN"}, after(func(_ resolver.Question, a resolver.Answer) resolver.Answer {
		if len(a.Chain) == 0 {
			a.Status = resolver.NoError
		}
		return a
	})},
	{"knows names with records alone", []string{"empty non-terminal"}, func(right resolver.Resolver) resolver.Func {
		return func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
			a, err := right.Lookup(ctx, name, qtype)
			if all, errAll := right.Lookup(ctx, name, dns.TypeANY); errAll == nil && len(all.Records) == 0 {
				a.Status = resolver.NXDomain
			}
			return a, err
		}
	}},
	{"expands no wildcard", []string{"wildcard"}, after(func(q resolver.Question, a resolver.Answer) resolver.Answer {
		if strings.Contains(q.Name, "thing.wild.") {
			return resolver.Answer{Status: resolver.NXDomain}
		}
		return a
	})},
	{"expands wildcards over names that exist", []string{"wildcard"}, func(right resolver.Resolver) resolver.Func {
		return func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
			return right.Lookup(ctx, strings.Replace(name, "host.wild.", "any.wild.", 1), qtype)
		}
	}},
}

var aliasMutants = []mutant{
	{"follows no alias", []string{"alias", "alias into another zone", "DNAME", "internationalized names", "earlier answers stay as they are"},
		after(func(_ resolver.Question, a resolver.Answer) resolver.Answer {
			if len(a.Chain) > 0 {
				a.Records = nil
			}
			return a
		})},
	{"forgets the chain", []string{"alias", "DNAME", "internationalized names", "alias into another zone", "TTL of an alias", "Authentic alias",
		"earlier answers stay as they are"},
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
	{"follows CNAME for CNAME", []string{"question for a CNAME"}, following(dns.TypeCNAME)},
	{"follows DNAME for DNAME", []string{"question for a DNAME"}, following(dns.TypeDNAME)},
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
			if asked != qtype || err != nil || isNegative(a) {
				return a, err
			}
			b, err := right.Lookup(ctx, targetOf(a.Records[0]), asked)
			b.Chain = append(slices.Clip(a.Records), b.Chain...)
			return b, err
		}
	}
}

func targetOf(rr dns.RR) string {
	if dname, ok := rr.(*dns.DNAME); ok {
		return dname.Target
	}
	return rr.(*dns.CNAME).Target
}

var timeMutants = []mutant{
	{"has no TTL", []string{"TTL"}, after(func(_ resolver.Question, a resolver.Answer) resolver.Answer {
		a.TTL = 0
		return a
	})},
	{"says one hour always", []string{"TTL", "TTL of an alias", "TTL of a negative answer"}, after(func(_ resolver.Question, a resolver.Answer) resolver.Answer {
		a.TTL = time.Hour
		return a
	})},
	{"has the TTL of the records alone", []string{"TTL of an alias"}, after(func(_ resolver.Question, a resolver.Answer) resolver.Answer {
		for _, rr := range a.Records {
			a.TTL = time.Duration(rr.Header().Ttl) * time.Second
		}
		return a
	})},
	{"keeps the negative for five minutes", []string{"TTL of a negative answer"}, after(func(_ resolver.Question, a resolver.Answer) resolver.Answer {
		if isNegative(a) {
			a.TTL = 5 * time.Minute
		}
		return a
	})},
	{"keeps records for ever", []string{"records that change"}, func(right resolver.Resolver) resolver.Func {
		var mu sync.Mutex
		kept := make(map[resolver.Question]resolver.Answer)
		return func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
			mu.Lock()
			defer mu.Unlock()
			q := resolver.Question{Name: name, Type: qtype}
			if a, ok := kept[q]; ok && ctx.Err() == nil {
				return a, nil
			}
			a, err := right.Lookup(ctx, name, qtype)
			if err == nil {
				kept[q] = a
			}
			return a, err
		}
	}},
	{"vouches for all", []string{"Authentic", "Authentic alias"}, after(func(_ resolver.Question, a resolver.Answer) resolver.Answer {
		a.Authentic = true
		return a
	})},
	{"vouches for what has no alias", []string{"Authentic"}, after(func(_ resolver.Question, a resolver.Answer) resolver.Answer {
		a.Authentic = len(a.Chain) == 0
		return a
	})},
	{"vouches for all behind an alias", []string{"Authentic alias"}, after(func(_ resolver.Question, a resolver.Answer) resolver.Answer {
		a.Authentic = len(a.Chain) > 0
		return a
	})},
}

var callMutants = []mutant{
	{"answers the last question", []string{"concurrent callers"}, func(right resolver.Resolver) resolver.Func {
		var mu sync.Mutex
		var last string
		return func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
			mu.Lock()
			last = name
			mu.Unlock()
			time.Sleep(time.Millisecond)
			mu.Lock()
			name = last
			mu.Unlock()
			return right.Lookup(ctx, name, qtype)
		}
	}},
	{"answers whatever the context was", []string{"canceled before"}, func(right resolver.Resolver) resolver.Func {
		return func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
			if ctx.Err() != nil {
				ctx = context.WithoutCancel(ctx)
			}
			return right.Lookup(ctx, name, qtype)
		}
	}},
	{"is deaf to its context", []string{"a deadline is an error", "canceled before", "canceled while waiting"}, func(right resolver.Resolver) resolver.Func {
		return func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
			return right.Lookup(context.WithoutCancel(ctx), name, qtype)
		}
	}},
	{"looks at its context when it has an answer", []string{"a deadline is an error", "canceled while waiting"}, func(right resolver.Resolver) resolver.Func {
		return func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
			a, err := right.Lookup(context.WithoutCancel(ctx), name, qtype)
			if ctx.Err() != nil {
				return resolver.Answer{}, ctx.Err()
			}
			return a, err
		}
	}},
	{"hides why it stopped", []string{"canceled before", "canceled while waiting"}, afterAll(func(_ resolver.Question, a resolver.Answer, err error) (resolver.Answer, error) {
		if err != nil {
			err = errors.New("no answer")
		}
		return a, err
	})},
	{"hides why it stopped waiting", []string{"canceled while waiting"}, func(right resolver.Resolver) resolver.Func {
		return func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
			before := ctx.Err()
			a, err := right.Lookup(ctx, name, qtype)
			if before == nil && errors.Is(ctx.Err(), context.Canceled) {
				err = errors.New("no answer")
			}
			return a, err
		}
	}},
	{"takes a failure for NODATA", []string{"faults are errors"}, afterAll(func(_ resolver.Question, a resolver.Answer, err error) (resolver.Answer, error) {
		if e, ok := errors.AsType[*resolver.Error](err); ok && !errors.Is(err, resolver.ErrChain) && e.RCode != 0 {
			return resolver.Answer{}, nil
		}
		return a, err
	})},
	{"takes what is cut off for all", []string{"faults are errors"}, afterAll(func(_ resolver.Question, a resolver.Answer, err error) (resolver.Answer, error) {
		if err != nil && strings.Contains(err.Error(), "truncated") {
			return resolver.Answer{}, nil
		}
		return a, err
	})},
	{"takes silence for NODATA", []string{"a deadline is an error"}, func(right resolver.Resolver) resolver.Func {
		return func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
			a, err := right.Lookup(ctx, name, qtype)
			if errors.Is(err, context.DeadlineExceeded) {
				return resolver.Answer{}, nil
			}
			return a, err
		}
	}},
}
