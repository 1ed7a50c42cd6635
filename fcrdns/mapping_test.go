package fcrdns_test

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/fcrdns"
	"github.com/bonafide-mta/bonafide/resolver"
)

func TestMapping(t *testing.T) {
	m := fcrdns.Mapping{
		Name: "Mail.Example.Test",
		Addrs: []netip.Addr{
			netip.MustParseAddr("2001:db8::10"), netip.MustParseAddr("192.0.2.10"), netip.MustParseAddr("::ffff:192.0.2.10"),
		},
		TTL: 300,
	}
	rrs, err := m.RRs()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, rr := range rrs {
		got = append(got, strings.ReplaceAll(rr.String(), "\t", " "))
	}
	want := []string{
		"mail.example.test. 300 IN A 192.0.2.10",
		"mail.example.test. 300 IN AAAA 2001:db8::10",
		"10.2.0.192.in-addr.arpa. 300 IN PTR mail.example.test.",
		"0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. 300 IN PTR mail.example.test.",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestMappingRefuses(t *testing.T) {
	good := netip.MustParseAddr("192.0.2.10")
	for _, m := range []fcrdns.Mapping{
		{Name: "mail.example.test"},
		{Name: "mail_1.example.test", Addrs: []netip.Addr{good}},
		{Name: "mail", Addrs: []netip.Addr{good}},
		{Name: "192.0.2.10", Addrs: []netip.Addr{good}},
		{Name: "mail.local", Addrs: []netip.Addr{good}},
		{Name: "a..b", Addrs: []netip.Addr{good}},
		{Name: ".", Addrs: []netip.Addr{good}},
		{Name: "mail.example.test", Addrs: []netip.Addr{{}}},
		{Name: "mail.example.test", Addrs: []netip.Addr{good, netip.IPv4Unspecified()}},
		{Name: "mail.example.test", Addrs: []netip.Addr{netip.MustParseAddr("ff02::1")}},
		{Name: "mail.example.test", Addrs: []netip.Addr{netip.MustParseAddr("255.255.255.255")}},
	} {
		if _, err := m.Addresses(); err == nil {
			t.Errorf("Addresses of %+v: no error", m)
		}
		if _, err := m.PTRs(); err == nil {
			t.Errorf("PTRs of %+v: no error", m)
		}
		if _, err := m.RRs(); err == nil {
			t.Errorf("RRs of %+v: no error", m)
		}
	}
}

// Property 2 of the design: what the builders write, the checker passes, after
// the way over the wire.
func TestBuildersAndCheckerAgree(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 200 {
		m := fcrdns.Mapping{Name: "mail" + strings.Repeat("x", rng.IntN(50)) + ".example.test", TTL: uint32(rng.IntN(86400))}
		for range 1 + rng.IntN(5) {
			if rng.IntN(2) == 0 {
				m.Addrs = append(m.Addrs, netip.AddrFrom4([4]byte{192, 0, 2, byte(rng.IntN(256))}))
			} else {
				m.Addrs = append(m.Addrs, netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 14: byte(rng.IntN(256)), 15: byte(rng.IntN(256))}))
			}
		}
		rrs, err := m.RRs()
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		text.WriteString("$ORIGIN .\n")
		for _, rr := range rrs {
			wire := make([]byte, dns.Len(rr)+1)
			n, err := dns.PackRR(rr, wire, 0, nil, false)
			if err != nil {
				t.Fatal(err)
			}
			unpacked, _, err := dns.UnpackRR(wire[:n], 0)
			if err != nil {
				t.Fatal(err)
			}
			text.WriteString(unpacked.String() + "\n")
		}
		zones, err := resolver.ParseZones(text.String())
		if err != nil {
			t.Fatal(err)
		}
		for _, addr := range m.Addrs {
			if got := (fcrdns.Checker{Resolver: zones}).Check(t.Context(), addr); got.Status != fcrdns.Pass {
				t.Fatalf("%v: %v, %v", addr, got.Status, got.Err)
			}
		}
	}
}
