package resolver_test

import (
	"context"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
)

// Names come from the other side, of a MAIL FROM say: whatever is in them, what
// is logged about them stays one printable line.
func TestHostileNamesStayOnOneLine(t *testing.T) {
	const evil = "evil\n\x1b[2J\u202e name"
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	zones := mustZones(t, "$ORIGIN example.test.")
	for _, r := range []resolver.Resolver{zones, &resolver.Client{}, resolver.FromNet{}, &resolver.Overlay{}, nil} {
		for _, ctx := range []context.Context{t.Context(), canceled} {
			for _, name := range []string{evil, evil + "..x", strings.Repeat(evil, 100)} {
				lines := []string{resolver.Ask(ctx, r, name, dns.TypeA).String()}
				if r != nil {
					if _, err := r.Lookup(ctx, name, dns.TypeA); err != nil {
						lines = append(lines, err.Error())
					}
				}
				for _, line := range lines {
					if strings.ContainsAny(line, "\n\x1b\u202e") {
						t.Errorf("%T: %q", r, line)
					}
				}
			}
		}
	}
}

// A record that prints as several lines, and an error that is not there.
func TestOddRecords(t *testing.T) {
	odd := resolver.Func(func(_ context.Context, name string, _ uint16) (resolver.Answer, error) {
		opt := new(dns.OPT)
		opt.Hdr = dns.RR_Header{Name: name, Rrtype: dns.TypeOPT, Class: dns.ClassINET}
		return resolver.Answer{Records: []dns.RR{opt}}, nil
	})
	reply := resolver.Ask(t.Context(), odd, "example.test", dns.TypeOPT)
	if line := reply.String(); strings.Contains(line, "\n") || len(reply.Records) != 1 {
		t.Errorf("got %q, %v", line, reply.Records)
	}
	careless := resolver.Func(func(context.Context, string, uint16) (resolver.Answer, error) {
		var none *resolver.Error
		return resolver.Answer{}, none
	})
	if got := resolver.Ask(t.Context(), careless, "example.test", dns.TypeA).Err; got == nil || got.Error() != "lookup example.test. A: no answer" {
		t.Errorf("got %v", got)
	}
	if got := (&resolver.Error{Name: "x.test.", Type: dns.TypeA, RCode: dns.RcodeBadVers}).Error(); got != "lookup x.test. A: BADVERS" {
		t.Error(got)
	}
}

// A Client is never asked for a reserved name, and gets NXDOMAIN for an alias that
// leads to one: Zones say the same.
func TestZonesAliasToReservedName(t *testing.T) {
	zones := mustZones(t, "$ORIGIN example.test.\n$TTL 300\nmail CNAME mail.local.")
	if a, err := zones.Lookup(t.Context(), "mail.example.test", dns.TypeA); err != nil || a.Status != resolver.NXDomain || len(a.Chain) != 1 {
		t.Errorf("got %+v, %v", a, err)
	}
}
