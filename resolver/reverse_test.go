package resolver_test

import (
	"net/netip"
	"testing"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
)

func TestReverseName(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.10":          "10.2.0.192.in-addr.arpa.",
		"::ffff:192.0.2.10":   "10.2.0.192.in-addr.arpa.",
		"2001:db8::10":        "0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa.",
		"2001:db8::10%eth0":   "0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa.",
		"2001:db8::192.0.2.1": "1.0.2.0.0.0.0.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa.",
	} {
		if got := resolver.ReverseName(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: got %s, want %s", addr, got, want)
		}
	}
	if got := resolver.ReverseName(netip.Addr{}); got != "" {
		t.Errorf("invalid address: got %q", got)
	}
}

func TestFromReverseName(t *testing.T) {
	for name, want := range map[string]string{
		"10.2.0.192.in-addr.arpa.": "192.0.2.10",
		"10.2.0.192.IN-ADDR.ARPA":  "192.0.2.10",
		"0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.B.D.0.1.0.0.2.ip6.arpa.": "2001:db8::10",
	} {
		if got, err := resolver.FromReverseName(name); err != nil || got.String() != want {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
	for _, name := range []string{
		"", ".", "in-addr.arpa.", "2.0.192.in-addr.arpa.", "1.2.3.4.5.in-addr.arpa.", "256.2.0.192.in-addr.arpa.",
		"010.2.0.192.in-addr.arpa.", "11.8-15.2.0.192.in-addr.arpa.", "10.2.0.192.in-addr.arpa.example.", "a..in-addr.arpa.",
		"8.b.d.0.1.0.0.2.ip6.arpa.", "mail.example.test.", "::1.ip6.arpa.",
		"g.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa.",
		// An IPv4-mapped address has its name under in-addr.arpa.
		"1.0.2.0.0.0.0.c.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa.",
	} {
		if got, err := resolver.FromReverseName(name); err == nil {
			t.Errorf("%q: got %v, want an error", name, got)
		}
	}
}

// FuzzReverseName: a name that is accepted is the name of its address.
func FuzzReverseName(f *testing.F) {
	f.Add("10.2.0.192.in-addr.arpa.")
	f.Add("0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.B.D.0.1.0.0.2.ip6.arpa")
	f.Add("11.8-15.2.0.192.in-addr.arpa.")
	f.Fuzz(func(t *testing.T, name string) {
		addr, err := resolver.FromReverseName(name)
		if err != nil {
			return
		}
		canonical, err := resolver.Canonical(name)
		if err != nil || resolver.ReverseName(addr) != canonical {
			t.Errorf("%q gives %v, whose name is %q", name, addr, resolver.ReverseName(addr))
		}
		// The second implementation: miekg/dns.
		if other, err := dns.ReverseAddr(addr.String()); err != nil || other != canonical {
			t.Errorf("miekg gives %q, %v", other, err)
		}
	})
}
