package resolvertest_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

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
	"escaped dot in the name", "escaped dot in data", "ASCII labels", "internationalized names", "names that end alike", "capitals in records",
	"wildcard", "alias", "chain of eight",
	"alias into another zone", "DNAME", "question for a CNAME", "question for a DNAME", "question for all types",
}

var mutants = slices.Concat(recordMutants, nameMutants, negativeMutants, aliasMutants, timeMutants, callMutants)

var recordMutants = []mutant{
	{"answers nothing", slices.Concat(withRecords, []string{"TTL", "concurrent callers", "records that change", "faults are errors",
		"chain of a negative answer"}),
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
	{"drops empty texts", []string{"TXT"}, after(func(_ resolver.Question, a resolver.Answer) resolver.Answer {
		a.Records = slices.DeleteFunc(slices.Clone(a.Records), func(rr dns.RR) bool {
			text, ok := rr.(*dns.TXT)
			return ok && strings.Join(text.Txt, "") == ""
		})
		return a
	})},
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
	{"has a search list for names of one label", []string{"absolute names"}, asking(func(name string) string {
		if strings.Count(name, ".") == 1 {
			return name + "conformance.test."
		}
		return name
	})},
	{"finds zones by the end of the text", []string{"names that end alike"}, after(func(q resolver.Question, a resolver.Answer) resolver.Answer {
		if strings.HasSuffix(q.Name, "xconformance.test.") {
			return resolver.Answer{Status: resolver.NXDomain}
		}
		return a
	})},
	{"takes the end of a name for a name above it", []string{"names that end alike"}, after(func(q resolver.Question, a resolver.Answer) resolver.Answer {
		if q.Name == "ail.conformance.test." {
			return resolver.Answer{}
		}
		return a
	})},
	{"denies names outside every zone as if they existed", []string{"names that end alike"},
		afterAll(func(q resolver.Question, a resolver.Answer, err error) (resolver.Answer, error) {
			if errors.Is(err, resolver.ErrNoZone) && strings.HasSuffix(q.Name, ".yconformance.test.") {
				return resolver.Answer{}, nil
			}
			return a, err
		})},
	{"compares the targets of aliases with case", []string{"capitals in records"}, after(func(_ resolver.Question, a resolver.Answer) resolver.Answer {
		for _, rr := range a.Chain {
			if cname, ok := rr.(*dns.CNAME); ok && cname.Target != strings.ToLower(cname.Target) {
				return resolver.Answer{Chain: a.Chain, Status: resolver.NXDomain}
			}
		}
		return a
	})},
	{"compares the owners of records with case", []string{"capitals in records"}, after(func(q resolver.Question, a resolver.Answer) resolver.Answer {
		if slices.ContainsFunc(a.Records, func(rr dns.RR) bool { return strings.HasSuffix(rr.String(), "192.0.2.11") }) && len(a.Records) == 1 && q.Name == "host.conformance.test." {
			return resolver.Answer{Status: resolver.NXDomain}
		}
		return a
	})},
}

var negativeMutants = []mutant{
	{"takes the negative for an error", negatives,
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
	{"answers for the names below a name", []string{"NXDOMAIN"}, asking(func(name string) string {
		return strings.Replace(name, "below.mail.", "mail.", 1)
	})},
	{"knows names one level above records", []string{"empty non-terminal"}, after(func(q resolver.Question, a resolver.Answer) resolver.Answer {
		if strings.HasPrefix(q.Name, "ent.") {
			a.Status = resolver.NXDomain
		}
		return a
	})},
	{"compares wildcards as text", []string{"wildcard"}, asking(func(name string) string {
		return strings.Replace(name, ".xwild.", ".wild.", 1)
	})},
	{"returns the SOA record of a negative answer", append([]string{"absolute names", "names that end alike"}, negatives...), after(func(_ resolver.Question, a resolver.Answer) resolver.Answer {
		if isNegative(a) {
			a.Records = []dns.RR{&dns.SOA{Hdr: dns.RR_Header{Name: "conformance.test.", Rrtype: dns.TypeSOA, Class: dns.ClassINET}}}
		}
		return a
	})},
}

// negatives are the promises about answers without records.
var negatives = []string{
	"NODATA", "NXDOMAIN", "empty non-terminal", "wildcard", "alias to nothing", "alias to a name without the type", "TTL of a negative answer",
	"alias", "DNAME", "internationalized names", "TTL", "chain of a negative answer",
}

// asking makes a mutant of one that asks for another name, and returns the records as those of
// the name asked.
func asking(other func(name string) string) func(resolver.Resolver) resolver.Func {
	return func(right resolver.Resolver) resolver.Func {
		return func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
			asked := other(name)
			a, err := right.Lookup(ctx, asked, qtype)
			if asked == name {
				return a, err
			}
			return renamed(a, name), err
		}
	}
}

// renamed returns an answer with another owner of its records.
func renamed(a resolver.Answer, owner string) resolver.Answer {
	a.Records = slices.Clone(a.Records)
	for i, rr := range a.Records {
		a.Records[i] = dns.Copy(rr)
		a.Records[i].Header().Name = owner
	}
	return a
}
