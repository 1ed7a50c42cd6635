package dnsfake_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/resolver/dnsfake"
)

var denials = map[dnsfake.Kind]resolver.Status{dnsfake.NXDomain: resolver.NXDomain, dnsfake.NoData: resolver.NoError}

// Tests that go through all failures do not meet an answer.
func TestKindsAreFailures(t *testing.T) {
	fake := newFake(t)
	for _, kind := range dnsfake.Kinds() {
		fake.Fail("mail.example.test", dns.TypeA, kind)
		if answer, err := fake.Lookup(t.Context(), "mail.example.test", dns.TypeA); err == nil {
			t.Errorf("%s: an answer, %v", kind, answer)
		}
	}
	for kind, text := range map[dnsfake.Kind]string{dnsfake.NXDomain: "NXDOMAIN", dnsfake.NoData: "NODATA"} {
		var back dnsfake.Kind
		if err := back.UnmarshalText([]byte(text)); err != nil || back != kind || kind.String() != text || slices.Contains(dnsfake.Kinds(), kind) {
			t.Errorf("%s: %v, %v", text, back, err)
		}
	}
}

// A denial is an answer like those of the zone: its TTL, its word on DNSSEC, its SOA over
// sockets, where a Client takes it for one.
func TestDenials(t *testing.T) {
	zones := editZones + `
$ORIGIN example.test.
loop    CNAME loop
away    CNAME elsewhere.tset.
lost    NS    ns.elsewhere.tset.
`
	fake, err := dnsfake.New(zones)
	if err != nil {
		t.Fatal(err)
	}
	fake.Authentic("example.test")
	client := &resolver.Client{Servers: []netip.AddrPort{serve(t, fake).Addr}, TrustAD: true}
	for _, tt := range []struct {
		name string
		ttl  time.Duration // 0 where no zone holds the name
	}{
		{"mail.example.test.", 60}, {"example.test.", 60}, {"www.example.test.", 60}, {"nothing.example.test.", 60}, {"x.wild.example.test.", 60},
		{"loop.example.test.", 60}, {"away.example.test.", 60}, {"x.lost.example.test.", 60},
		{"mail.child.example.test.", 30}, {"child.example.test.", 30}, {"x.bare.test.", 300}, {"nowhere.tset.", 0},
	} {
		for kind, status := range denials {
			fake.Fail(tt.name, dns.TypeA, kind).Must().Times(2)
			for from, r := range map[string]resolver.Resolver{"Lookup": fake, "Server": client} {
				a, err := r.Lookup(t.Context(), tt.name, dns.TypeA)
				authentic := tt.ttl > 0 && tt.ttl < 300
				if err != nil || a.Status != status || len(a.Records)+len(a.Chain) > 0 || a.TTL != tt.ttl*time.Second || a.Authentic != authentic {
					t.Errorf("%s %s from %s: %+v, %v", tt.name, kind, from, a, err)
				}
			}
			if len(fake.Outside())+len(fake.Unasked()) > 0 {
				t.Errorf("%s %s: outside %v, unasked %v", tt.name, kind, fake.Outside(), fake.Unasked())
			}
		}
	}
}

// The message of a Server has the header of one that the zones would send.
func TestDenialMessages(t *testing.T) {
	fake := newFake(t)
	server := serve(t, fake)
	for kind, status := range denials {
		fake.Fail("mail.example.test", dns.TypeANY, kind).Extended(dns.ExtendedErrorCodeBlocked, "blocked")
		for _, recursive := range []bool{true, false} {
			for _, network := range []string{"udp", "tcp"} {
				m, err := ask(t, network, server, "mail.example.test.", dns.TypeA, func(m *dns.Msg) {
					m.RecursionDesired = recursive
					m.SetEdns0(1232, false)
				})
				if err != nil {
					t.Fatal(err)
				}
				nxdomain := status == resolver.NXDomain
				if (m.Rcode == dns.RcodeNameError) != nxdomain || m.RecursionAvailable != recursive || m.Authoritative == recursive ||
					len(m.Answer) > 0 || len(m.Ns) != 1 || m.Ns[0].Header().Rrtype != dns.TypeSOA || m.IsEdns0() == nil || len(m.IsEdns0().Option) != 1 {
					t.Errorf("%s over %s: %v", kind, network, m)
				}
			}
		}
	}
}

// The other types of a name are its own, and the denial ends.
func TestDenialEnds(t *testing.T) {
	fake := newFake(t)
	fake.Fail("mail.example.test", dns.TypeA, dnsfake.NoData).Times(1).Must()
	if got := fake.Unasked(); len(got) != 1 || got[0].Error() != "mail.example.test. A: NODATA was to happen once, but happened never" {
		t.Errorf("got %v", got)
	}
	for _, want := range []string{"[2001:db8::10] <nil>", "[192.0.2.10 2001:db8::10] <nil>"} {
		if got := addrs(t, fake); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if got := fake.Unasked(); len(got) != 0 {
		t.Errorf("got %v", got)
	}
	fake.Fail("mail.example.test", dns.TypeANY, dnsfake.NXDomain)
	fake.Clear("mail.example.test", dns.TypeANY)
	if got := addrs(t, fake); got != "[192.0.2.10 2001:db8::10] <nil>" {
		t.Errorf("got %s", got)
	}
}
