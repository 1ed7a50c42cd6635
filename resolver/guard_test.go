package resolver_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
)

// What Ask makes of an answer to a question of type A at mail.example.test.
func TestAskGuards(t *testing.T) {
	const ours = "mail.example.test. 300 IN A 192.0.2.1"
	for _, tt := range []struct {
		name    string
		answer  resolver.Answer
		records int // -1 for an error
		chain   int
	}{
		{"records", resolver.Answer{Records: []dns.RR{rr(ours)}}, 1, 0},
		{"none", resolver.Answer{}, 0, 0},
		{"another spelling of the owner", resolver.Answer{Records: []dns.RR{rr("MAIL.Example.TEST. 300 IN A 192.0.2.1")}}, 1, 0},
		{"twice", resolver.Answer{Records: []dns.RR{rr(ours), rr("Mail.example.test. 60 IN A 192.0.2.1")}}, 1, 0},
		{"an alias", resolver.Answer{Chain: []dns.RR{rr("mail.example.test. CNAME a.test.")}, Records: []dns.RR{rr("a.test. A 192.0.2.1")}}, 1, 1},
		{"an alias to nothing", resolver.Answer{Chain: []dns.RR{rr("mail.example.test. CNAME a.test.")}, Status: resolver.NXDomain}, 0, 1},
		{"a DNAME", resolver.Answer{Chain: []dns.RR{rr("example.test. DNAME a.test."), rr("mail.example.test. CNAME mail.a.test.")}, Records: []dns.RR{rr("mail.a.test. A 192.0.2.1")}}, 1, 2},
		{"as a message has it", resolver.Answer{Records: []dns.RR{rr("mail.example.test. CNAME a.test."), rr("a.test. CNAME b.test."), rr("b.test. A 192.0.2.1")}}, 1, 2},
		{"with a signature", resolver.Answer{Records: []dns.RR{rr(ours), &dns.RRSIG{Hdr: dns.RR_Header{Name: "mail.example.test.", Rrtype: dns.TypeRRSIG, Class: dns.ClassINET}, SignerName: "test."}}}, 1, 0},
		{"an alias among the records alone", resolver.Answer{Records: []dns.RR{rr("mail.example.test. CNAME a.test.")}}, -1, 0},
		{"nil", resolver.Answer{Records: []dns.RR{nil, rr(ours)}}, -1, 0},
		{"a typed nil", resolver.Answer{Records: []dns.RR{rr(ours), (*dns.A)(nil)}}, -1, 0},
		{"a nil alias", resolver.Answer{Chain: []dns.RR{nil}}, -1, 0},
		{"another owner", resolver.Answer{Records: []dns.RR{rr("www.example.test. A 192.0.2.1")}}, -1, 0},
		{"another type", resolver.Answer{Records: []dns.RR{rr(ours), rr("mail.example.test. MX 0 .")}}, -1, 0},
		{"another class", resolver.Answer{Records: []dns.RR{rr("mail.example.test. 300 CH A 192.0.2.1")}}, -1, 0},
		{"no header", resolver.Answer{Records: []dns.RR{&dns.A{A: []byte{192, 0, 2, 1}}}}, -1, 0},
		{"no address", resolver.Answer{Records: []dns.RR{&dns.A{Hdr: *rr(ours).Header()}}}, -1, 0},
		{"an alias of another name", resolver.Answer{Chain: []dns.RR{rr("www.example.test. CNAME a.test.")}}, -1, 0},
		{"the records of another alias", resolver.Answer{Chain: []dns.RR{rr("mail.example.test. CNAME a.test.")}, Records: []dns.RR{rr("b.test. A 192.0.2.1")}}, -1, 0},
		{"records that do not exist", resolver.Answer{Records: []dns.RR{rr(ours)}, Status: resolver.NXDomain}, -1, 0},
		{"a status that is none", resolver.Answer{Status: 7}, -1, 0},
	} {
		got := resolver.Ask(t.Context(), saying(tt.answer, nil), "mail.example.test", dns.TypeA)
		switch {
		case tt.records < 0 && !errors.Is(got.Err, resolver.ErrMalformed), tt.records < 0 && len(got.Records)+len(got.Chain) > 0:
			t.Errorf("%s: got %v, expected an error", tt.name, got)
		case tt.records >= 0 && (got.Err != nil || len(got.Records) != tt.records || len(got.Chain) != tt.chain):
			t.Errorf("%s: got %v by way of %d, expected %d by way of %d", tt.name, got, len(got.Chain), tt.records, tt.chain)
		}
		_ = got.String()
	}
}

// Many records are kept once too, whatever their type, and a TTL is one of RFC 2181.
func TestAskClamps(t *testing.T) {
	for qtype, line := range map[uint16]string{
		dns.TypeA: "A 192.0.2.%d", dns.TypeAAAA: "AAAA 2001:db8::%d", dns.TypeMX: "MX %d a.test.", dns.TypePTR: "PTR a%d.test.",
		dns.TypeSRV: "SRV 1 2 %d a.test.", dns.TypeTXT: `TXT "a" "%d"`, dns.TypeRP: "RP a%d.test. .",
	} {
		var records []dns.RR
		for i := range 60 {
			records = append(records, rr(fmt.Sprintf("a.test. "+line, i%20+1)))
		}
		for ttl, want := range map[time.Duration]time.Duration{-1: 0, math.MinInt64: 0, time.Hour: time.Hour, math.MaxInt64: math.MaxInt32 * time.Second} {
			got := resolver.Ask(t.Context(), saying(resolver.Answer{Records: records, TTL: ttl}, nil), "a.test", qtype)
			if got.Err != nil || len(got.Records) != 20 || got.TTL != want || len(records) != 60 {
				t.Errorf("%s: %d records, TTL %s, %v", line, len(got.Records), got.TTL, got.Err)
			}
		}
	}
}

// An answer beside an error, or after the context has ended, is dropped.
func TestAskDrops(t *testing.T) {
	answer := addressOf("a.test.", "192.0.2.1", time.Hour)
	got := resolver.Ask(t.Context(), saying(answer, errors.New("but")), "a.test", dns.TypeA)
	if got.Err == nil || len(got.Records) > 0 || got.Server != "" {
		t.Errorf("got %v", got)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	reason := errors.New("the client left")
	late := resolver.Func(func(context.Context, string, uint16) (resolver.Answer, error) { cancel(reason); return answer, nil })
	if got := resolver.Ask(ctx, late, "a.test", dns.TypeA); !errors.Is(got.Err, context.Canceled) || !errors.Is(got.Err, reason) || len(got.Records) > 0 {
		t.Errorf("got %v", got)
	}
	// A nil pointer as a Resolver panics as any other.
	if got := resolver.Ask(t.Context(), (*resolver.Cache)(nil), "a.test", dns.TypeA); got.Err == nil || !strings.Contains(got.Err.Error(), "panic in the Resolver") {
		t.Errorf("got %v", got)
	}
}

// The methods of answers and errors can be called even where nobody has guarded.
func TestUnguarded(t *testing.T) {
	a := resolver.Answer{Records: []dns.RR{(*dns.A)(nil), (*dns.AAAA)(nil), (*dns.TXT)(nil), (*dns.MX)(nil), nil}}
	if len(a.Addrs())+len(a.TXT())+len(resolver.Records[*dns.MX](a)) > 0 {
		t.Errorf("got %v", a)
	}
	var none *resolver.Error
	if none.Error() == "" || none.Unwrap() != nil || none.Timeout() || !none.Temporary() {
		t.Error(none)
	}
	patch := &resolver.Overlay{Patch: resolver.Patch{Add: []dns.RR{nil}}}
	if got := resolver.Ask(t.Context(), patch, "a.test", dns.TypeA); !errors.Is(got.Err, resolver.ErrMalformed) {
		t.Errorf("got %v", got)
	}
}

// A name in a record is one that Canonical accepts.
func TestGuardedNames(t *testing.T) {
	for _, name := range []string{"", ".", "a", "A.Test", "a.test.", "a..b", ".a", "..", `a\.b.test.`, `\256.test.`, `\1.test.`, "\xff.test.", "bücher.test.", " .test.",
		strings.Repeat("x", 63) + ".", strings.Repeat("x", 64) + ".", strings.Repeat("x.", 127), strings.Repeat("x.", 128), strings.Repeat("x.", 600)} {
		mx := &dns.MX{Hdr: dns.RR_Header{Name: "a.test.", Rrtype: dns.TypeMX, Class: dns.ClassINET}, Mx: name}
		got := resolver.Ask(t.Context(), saying(resolver.Answer{Records: []dns.RR{mx}}, nil), "a.test", dns.TypeMX)
		if _, err := resolver.Canonical(name); (err == nil) != (got.Err == nil) {
			t.Errorf("%.40q: %v, and in a record %v", name, err, got.Err)
		}
	}
}
