package resolver_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
)

// Names that have what a wildcard beside them has keep it when a record is added
// at them, or below.
func TestPatchBesideWildcard(t *testing.T) {
	base := mustZones(t, `
$TTL 300
$ORIGIN example.test.
@    SOA ns hostmaster 1 7200 900 1209600 60
*    A   192.0.2.10
*    TXT "v=spf1 -all"
mail A   192.0.2.10
mail TXT "v=spf1 -all"
`)
	for _, added := range []string{`mail.example.test. 300 MX 10 mail.example.test.`, `_client._smtp.mail.example.test. 300 SRV 1 2 1 mail.example.test.`} {
		o := &resolver.Overlay{Base: base, Patch: resolver.Patch{Add: []dns.RR{mustRR(t, added)}}}
		for _, tt := range []struct {
			name  string
			qtype uint16
			want  string
		}{
			{"mail.example.test.", dns.TypeA, "NOERROR[mail.example.test. 300 IN A 192.0.2.10]"},
			{"mail.example.test.", dns.TypeTXT, `NOERROR[mail.example.test. 300 IN TXT "v=spf1 -all"]`},
			{"other.example.test.", dns.TypeA, "NOERROR[other.example.test. 300 IN A 192.0.2.10]"},
		} {
			if got := said(o.Lookup(t.Context(), tt.name, tt.qtype)); got != tt.want {
				t.Errorf("%s added: %s %s: got %s", added, tt.name, resolver.TypeString(tt.qtype), got)
			}
		}
	}
	// A name that only the wildcard made loses what it made.
	o := &resolver.Overlay{Base: base, Patch: resolver.Patch{Add: []dns.RR{mustRR(t, `new.example.test. 300 MX 10 mail.example.test.`)}}}
	if got := said(o.Lookup(t.Context(), "new.example.test.", dns.TypeA)); got != "NOERROR[]" {
		t.Errorf("of the wildcard: got %s", got)
	}
}

// A record that is there already, or is added twice, is there once.
func TestPatchAddsOnce(t *testing.T) {
	a := mustRR(t, "post.example.test. 300 A 192.0.2.10")
	o := &resolver.Overlay{Base: mustZones(t, overlayBase), Patch: resolver.Patch{Add: []dns.RR{a, dns.Copy(a)}}}
	if got := said(o.Lookup(t.Context(), "post.example.test.", dns.TypeA)); got != "NOERROR[post.example.test. 300 IN A 192.0.2.10]" {
		t.Errorf("got %s", got)
	}
}

func TestPatchRefusesWildcards(t *testing.T) {
	for _, p := range []resolver.Patch{
		{Add: []dns.RR{mustRR(t, "*.example.test. 300 MX 0 .")}},
		{Remove: []resolver.Question{{Name: "*.wild.example.test", Type: dns.TypeA}}},
	} {
		o := &resolver.Overlay{Base: mustZones(t, overlayBase), Patch: p}
		if a, err := o.Lookup(t.Context(), "x.example.test.", dns.TypeMX); err == nil || !strings.Contains(err.Error(), "no wildcard") {
			t.Errorf("got %+v, %v", a, err)
		}
	}
}

func TestPatchAtTheRoot(t *testing.T) {
	o := &resolver.Overlay{Base: mustZones(t, overlayBase), Patch: resolver.Patch{Add: []dns.RR{mustRR(t, ". 300 TXT x")}}}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if a, err := o.Lookup(ctx, "post.example.test.", dns.TypeA); err != nil || len(a.Records) != 1 {
		t.Errorf("got %+v, %v", a, err)
	}
}

// The mark stays when an alias of the patch leads out of it.
func TestPatchMarksAliases(t *testing.T) {
	o := &resolver.Overlay{Base: mustZones(t, overlayBase), Patch: resolver.Patch{
		Replace: []dns.RR{mustRR(t, "post.example.test. 60 CNAME www.other.test.")}}}
	a, err := o.Lookup(t.Context(), "post.example.test.", dns.TypeA)
	if err != nil || a.Server != "patch, a partial view over zone other.test." || len(a.Records) != 1 {
		t.Errorf("got %+v, %v", a, err)
	}
}

// A chain of aliases without a CNAME, as no Resolver should answer, fells nobody.
func TestPatchOverMalformedChain(t *testing.T) {
	dname := rr("example.test. 300 DNAME other.test.")
	for _, chain := range [][]dns.RR{{dname}, {dname, dname}, {rr("a.example.test. 300 CNAME a.other.test."), dname}} {
		o := &resolver.Overlay{Base: saying(resolver.Answer{Chain: chain, TTL: time.Minute}, nil),
			Patch: resolver.Patch{Add: []dns.RR{mustRR(t, "b.example.test. 300 A 192.0.2.1")}}}
		_, err := o.Lookup(t.Context(), "a.example.test.", dns.TypeA)
		t.Log(err)
		if err == nil && len(chain) == 1 {
			t.Errorf("%v: no error", chain)
		}
	}
}

// What is laid over is found by an alias of the base, though the base knows no
// such zone yet: its own answer to the question is a failure.
func TestOverlayBehindFailingAlias(t *testing.T) {
	base := resolver.Func(func(_ context.Context, name string, qtype uint16) (resolver.Answer, error) {
		if name == "back.other.test." && qtype == dns.TypeCNAME {
			return resolver.Answer{Records: []dns.RR{rr("back.other.test. 300 CNAME post.example.test.")}, TTL: time.Minute}, nil
		}
		return resolver.Answer{}, &resolver.Error{Name: name, Type: qtype, RCode: dns.RcodeServerFailure}
	})
	o := &resolver.Overlay{Base: base, Zones: mustZones(t, "$ORIGIN example.test.\n$TTL 300\npost A 192.0.2.1\n")}
	if a, err := o.Lookup(t.Context(), "back.other.test.", dns.TypeA); err != nil || len(a.Records) != 1 || len(a.Chain) != 1 {
		t.Errorf("got %+v, %v", a, err)
	}
	if a, err := o.Lookup(t.Context(), "www.other.test.", dns.TypeA); err == nil {
		t.Errorf("of the base alone: got %+v", a)
	}
}

// A domain below a public suffix of several labels, which a patch knows nothing
// about: the names of its wildcard stay, except those that now exist.
func TestPatchBelowPublicSuffix(t *testing.T) {
	base := mustZones(t, `
$TTL 300
$ORIGIN example.co.uk.
@     SOA   ns hostmaster 1 7200 900 1209600 60
@     A     192.0.2.1
*     A     192.0.2.10
*     MX    10 mail
$ORIGIN other.co.uk.
@     SOA   ns hostmaster 1 7200 900 1209600 60
*     A     192.0.2.30
$ORIGIN example.org.
@     SOA   ns hostmaster 1 7200 900 1209600 60
www   A     192.0.2.20
`)
	o := &resolver.Overlay{Base: base, Patch: resolver.Patch{Add: []dns.RR{
		mustRR(t, `mta1.example.co.uk. 60 TXT "v=spf1 -all"`), mustRR(t, "_client._smtp.deep.example.co.uk. 60 SRV 1 1 0 ."),
	}}}
	for _, tt := range []struct {
		name  string
		qtype uint16
		want  string
	}{
		// RFC 4592, Section 3.3.1: these exist now, and the wildcard does not answer for
		// them, nor for those below them.
		{"mta1.example.co.uk.", dns.TypeTXT, `NOERROR[mta1.example.co.uk. 60 IN TXT "v=spf1 -all"]`},
		{"mta1.example.co.uk.", dns.TypeA, "NOERROR[]"},
		{"mta1.example.co.uk.", dns.TypeMX, "NOERROR[]"},
		{"x.mta1.example.co.uk.", dns.TypeA, "NXDOMAIN[]"},
		{"deep.example.co.uk.", dns.TypeA, "NOERROR[]"},
		{"_smtp.deep.example.co.uk.", dns.TypeMX, "NOERROR[]"},
		{"x.deep.example.co.uk.", dns.TypeA, "NXDOMAIN[]"},
		// The wildcard answers for the others, at any depth, and for itself.
		{"mta2.example.co.uk.", dns.TypeA, "NOERROR[mta2.example.co.uk. 300 IN A 192.0.2.10]"},
		{"mta2.example.co.uk.", dns.TypeMX, "NOERROR[mta2.example.co.uk. 300 IN MX 10 mail.example.co.uk.]"},
		{"a.b.example.co.uk.", dns.TypeA, "NOERROR[a.b.example.co.uk. 300 IN A 192.0.2.10]"},
		{"*.example.co.uk.", dns.TypeA, "NOERROR[*.example.co.uk. 300 IN A 192.0.2.10]"},
		{"mta2.example.co.uk.", dns.TypeTXT, "NOERROR[]"},
		{"example.co.uk.", dns.TypeA, "NOERROR[example.co.uk. 300 IN A 192.0.2.1]"},
		// Another domain of that suffix.
		{"any.other.co.uk.", dns.TypeA, "NOERROR[any.other.co.uk. 300 IN A 192.0.2.30]"},
		// Type ANY is refused in the domain of two labels, and is the base's elsewhere.
		{"mta1.example.co.uk.", dns.TypeANY, "error"},
		{"any.other.co.uk.", dns.TypeANY, "error"},
		{"www.example.org.", dns.TypeANY, "NOERROR[www.example.org. 300 IN A 192.0.2.20]"},
	} {
		if got := said(o.Lookup(t.Context(), tt.name, tt.qtype)); got != tt.want {
			t.Errorf("%s %s: got %s, want %s", tt.name, resolver.TypeString(tt.qtype), got, tt.want)
		}
	}
}

// A patch of a zone that nobody can be asked about says nothing about whole zones below it: they
// answer as without it. In their own names it still takes those of wildcards away.
func TestPatchBesideWholeZones(t *testing.T) {
	zones := mustZones(t, `
$TTL 300
$ORIGIN 1.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa.
@     SOA   ns hostmaster 1 7200 900 1209600 60
0.1   PTR   mx.example.test.
*.f   PTR   any.example.test.
`)
	const zone, isp = ".1.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa.", "5.2.4.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa."
	o := &resolver.Overlay{Zones: zones, Patch: resolver.Patch{Replace: []dns.RR{
		mustRR(t, isp+" 300 PTR mx2.example.test."), mustRR(t, "a.f"+zone+" 300 TXT here"),
	}}}
	for name, want := range map[string]string{
		"0.1" + zone: "NOERROR[0.1" + zone + " 300 IN PTR mx.example.test.]",
		"b.f" + zone: "NOERROR[b.f" + zone + " 300 IN PTR any.example.test.]",
		"a.f" + zone: "NOERROR[]",
		isp:          "NOERROR[" + isp + " 300 IN PTR mx2.example.test.]",
	} {
		if got := said(o.Lookup(t.Context(), name, dns.TypePTR)); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}
