package resolver_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
)

const overlayBase = `
$TTL 300
$ORIGIN example.test.
@       SOA   ns hostmaster 1 7200 900 1209600 60
post    A     192.0.2.10
alias   CNAME post
away    CNAME www.other.test.
*.wild  A     192.0.2.99
*.wild  TXT   "wild"
kept.wild A   192.0.2.98
$ORIGIN other.test.
@       SOA   ns hostmaster 1 7200 900 1209600 60
www     A     192.0.2.20
back    CNAME post.example.test.
`

func mustZones(t testing.TB, text string) *resolver.Zones {
	t.Helper()
	zones, err := resolver.ParseZones(text)
	if err != nil {
		t.Fatal(err)
	}
	return zones
}

func mustRR(t testing.TB, text string) dns.RR {
	t.Helper()
	rr, err := dns.NewRR(text)
	if err != nil {
		t.Fatal(err)
	}
	return rr
}

// said is an answer in one line, but for Server and TTL.
func said(a resolver.Answer, err error) string {
	if err != nil {
		return "error"
	}
	var parts []string
	for _, rr := range slices.Concat(a.Chain, a.Records) {
		parts = append(parts, strings.Join(strings.Fields(rr.String()), " "))
	}
	slices.Sort(parts[len(a.Chain):])
	return fmt.Sprintf("%s%v", a.Status, parts)
}

func TestOverlayZones(t *testing.T) {
	o := &resolver.Overlay{
		Base: mustZones(t, overlayBase),
		Zones: mustZones(t, `
$TTL 300
$ORIGIN example.test.
@     SOA   ns hostmaster 2 7200 900 1209600 60
post  A     192.0.2.11
out   CNAME back.other.test.
sub   NS    ns.elsewhere.test.
`),
	}
	for _, tt := range []struct {
		name  string
		qtype uint16
		want  string
	}{
		{"post.example.test", dns.TypeA, "NOERROR[post.example.test. 300 IN A 192.0.2.11]"},
		{"alias.example.test.", dns.TypeA, "NXDOMAIN[]"},
		{"www.other.test.", dns.TypeA, "NOERROR[www.other.test. 300 IN A 192.0.2.20]"},
		// From the base into the zones, and from the zones by the base back into them.
		{"back.other.test.", dns.TypeA, "NOERROR[back.other.test. 300 IN CNAME post.example.test. post.example.test. 300 IN A 192.0.2.11]"},
		{"out.example.test.", dns.TypeA, "NOERROR[out.example.test. 300 IN CNAME back.other.test. back.other.test. 300 IN CNAME post.example.test. post.example.test. 300 IN A 192.0.2.11]"},
		{"back.other.test.", dns.TypeCNAME, "NOERROR[back.other.test. 300 IN CNAME post.example.test.]"},
		// What the zones delegate is the base's, which knows no delegation.
		{"www.sub.example.test.", dns.TypeA, "NXDOMAIN[]"},
		{"nowhere.test.", dns.TypeA, "error"},
		{"a..b", dns.TypeA, "error"},
	} {
		if got := said(o.Lookup(t.Context(), tt.name, tt.qtype)); got != tt.want {
			t.Errorf("%s %s: %s, want %s", tt.name, resolver.TypeString(tt.qtype), got, tt.want)
		}
	}
	if a, err := o.Lookup(t.Context(), "post.example.test.", dns.TypeA); err != nil || a.TTL.Seconds() != 300 || a.Server != "zone example.test." {
		t.Errorf("got %+v, %v", a, err)
	}
}

func TestOverlayPatch(t *testing.T) {
	o := &resolver.Overlay{
		Base: mustZones(t, overlayBase),
		Patch: resolver.Patch{
			Add:     []dns.RR{mustRR(t, "post.example.test. 60 A 192.0.2.12"), mustRR(t, "a.new.wild.example.test. 60 MX 0 ."), mustRR(t, "alias.example.test. 60 TXT x")},
			Replace: []dns.RR{mustRR(t, "www.other.test. 60 CNAME post.example.test.")},
			Remove:  []resolver.Question{{"kept.wild.example.test", dns.TypeA}, {"away.example.test", dns.TypeCNAME}},
		},
	}
	for _, tt := range []struct {
		name  string
		qtype uint16
		want  string
	}{
		{"post.example.test.", dns.TypeA, "NOERROR[post.example.test. 300 IN A 192.0.2.10 post.example.test. 60 IN A 192.0.2.12]"},
		{"alias.example.test.", dns.TypeA, "NOERROR[alias.example.test. 300 IN CNAME post.example.test. post.example.test. 300 IN A 192.0.2.10 post.example.test. 60 IN A 192.0.2.12]"},
		{"alias.example.test.", dns.TypeTXT, `NOERROR[alias.example.test. 60 IN TXT "x"]`},
		{"www.other.test.", dns.TypeMX, "NOERROR[www.other.test. 60 IN CNAME post.example.test.]"},
		{"www.other.test.", dns.TypeCNAME, "NOERROR[www.other.test. 60 IN CNAME post.example.test.]"},
		{"away.example.test.", dns.TypeA, "NOERROR[]"},
		{"kept.wild.example.test.", dns.TypeA, "NOERROR[]"},
		// The wildcard serves what does not exist by the patch.
		{"any.wild.example.test.", dns.TypeA, "NOERROR[any.wild.example.test. 300 IN A 192.0.2.99]"},
		{"a.new.wild.example.test.", dns.TypeMX, "NOERROR[a.new.wild.example.test. 60 IN MX 0 .]"},
		{"a.new.wild.example.test.", dns.TypeA, "NOERROR[]"},
		{"new.wild.example.test.", dns.TypeTXT, "NOERROR[]"},
		{"b.new.wild.example.test.", dns.TypeTXT, "NXDOMAIN[]"},
		{"post.example.test.", dns.TypeANY, "error"},
		{"example.test.", dns.TypeSOA, "NOERROR[example.test. 300 IN SOA ns.example.test. hostmaster.example.test. 1 7200 900 1209600 60]"},
	} {
		if got := said(o.Lookup(t.Context(), tt.name, tt.qtype)); got != tt.want {
			t.Errorf("%s %s: %s, want %s", tt.name, resolver.TypeString(tt.qtype), got, tt.want)
		}
	}
	a, err := o.Lookup(t.Context(), "post.example.test.", dns.TypeA)
	if err != nil || a.Authentic || a.TTL.Seconds() != 60 || a.Server != "patch, a partial view over zone example.test." {
		t.Errorf("got %+v, %v", a, err)
	}
	if a, err := o.Lookup(t.Context(), "away.example.test.", dns.TypeA); err != nil || a.TTL != 0 || !strings.Contains(a.Server, "partial view") {
		t.Errorf("a negative answer that the patch made: %+v, %v", a, err)
	}
}

func TestOverlayErrors(t *testing.T) {
	if _, err := new(resolver.Overlay).Lookup(t.Context(), "example.test.", dns.TypeA); !errors.Is(err, resolver.ErrNoResolver) {
		t.Errorf("no Base: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (&resolver.Overlay{Zones: mustZones(t, overlayBase)}).Lookup(ctx, "post.example.test.", dns.TypeA); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	loop := &resolver.Overlay{
		Base:  mustZones(t, overlayBase),
		Patch: resolver.Patch{Replace: []dns.RR{mustRR(t, "post.example.test. 60 CNAME back.other.test.")}},
	}
	if _, err := loop.Lookup(t.Context(), "post.example.test.", dns.TypeA); !errors.Is(err, resolver.ErrChain) {
		t.Errorf("a loop between patch and base: %v", err)
	}
	for _, patch := range []resolver.Patch{
		{Remove: []resolver.Question{{"a..b", dns.TypeA}}},
		{Add: []dns.RR{mustRR(t, "x.test. 60 CNAME y.test."), mustRR(t, "x.test. 60 CNAME z.test.")}},
		{Replace: []dns.RR{&dns.RFC3597{Hdr: dns.RR_Header{Name: "x.test.", Rrtype: dns.TypeCNAME}}}},
	} {
		if a, err := (&resolver.Overlay{Base: mustZones(t, overlayBase), Patch: patch}).Lookup(t.Context(), "post.example.test.", dns.TypeA); err == nil {
			t.Errorf("a patch that cannot be: %+v", a)
		}
	}
	// A failure below is not taken for an answer.
	failing := errors.New("no route")
	o := &resolver.Overlay{
		Base:  resolver.Func(func(context.Context, string, uint16) (resolver.Answer, error) { return resolver.Answer{}, failing }),
		Patch: resolver.Patch{Add: []dns.RR{mustRR(t, "post.example.test. 60 A 192.0.2.12")}},
	}
	if a, err := o.Lookup(t.Context(), "post.example.test.", dns.TypeA); !errors.Is(err, failing) {
		t.Errorf("half of an RRset: %+v, %v", a, err)
	}
}

// A patch over zones answers as the zones do into which the same change was
// written. What it removes is left out: such a name counts as existing.
func TestOverlayAgreesWithTheChange(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	pick := func(from ...string) string { return from[random.IntN(len(from))] }
	name := func(labels ...string) string {
		n := "example.test."
		for range 1 + random.IntN(3) {
			n = pick(labels...) + "." + n
		}
		return n
	}
	compared, differ := 0, 0
	for range 500 {
		const head = "$ORIGIN example.test.\n@ 300 SOA ns hostmaster 1 7200 900 1209600 60\n"
		records := make(map[resolver.Question][]string)
		change := func(labels ...string) resolver.Question {
			return resolver.Question{Name: name(labels...), Type: dns.StringToType[pick("A", "TXT")]}
		}
		n := 0
		data := func(qtype uint16) string { // each different, so that no data are by chance a wildcard's
			n++
			return map[uint16]string{dns.TypeA: fmt.Sprintf("A 192.0.2.%d", n), dns.TypeTXT: fmt.Sprintf("TXT %d", n)}[qtype]
		}
		text := func() string {
			var b strings.Builder
			b.WriteString(head)
			for set, all := range records {
				for _, d := range all {
					fmt.Fprintf(&b, "%s 300 %s\n", set.Name, d)
				}
			}
			return b.String()
		}
		for range 6 {
			set := change("a", "b", "*")
			records[set] = append(records[set], data(set.Type))
		}
		before := text()
		o := &resolver.Overlay{Base: mustZones(t, before)}
		touched := make(map[resolver.Question]bool)
		for range 1 + random.IntN(3) {
			set := change("a", "b") // a wildcard's change would be seen at names of which the patch knows nothing
			if touched[set] {
				continue
			}
			touched[set] = true
			d := data(set.Type)
			if random.IntN(2) == 0 {
				o.Patch.Add = append(o.Patch.Add, mustRR(t, set.Name+" 300 "+d))
				records[set] = append(records[set], d)
			} else {
				o.Patch.Replace = append(o.Patch.Replace, mustRR(t, set.Name+" 300 "+d))
				records[set] = []string{d}
			}
		}
		after := mustZones(t, text())
		for range 20 {
			set := change("a", "b", "c")
			want := said(after.Lookup(t.Context(), set.Name, set.Type))
			got := said(o.Lookup(t.Context(), set.Name, set.Type))
			compared++
			if want == "NXDOMAIN[]" && got == "NOERROR[]" {
				differ++ // a wildcard lost the name, without records of this type to tell by
				continue
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("seed %d, %s %s (-change +patch):\n%s\nbefore:\n%s\npatch: %v", seed, set.Name, resolver.TypeString(set.Type), diff, before, o.Patch)
			}
		}
	}
	t.Logf("seed %d: %d comparisons, %d of them NODATA for NXDOMAIN", seed, compared, differ)
}
