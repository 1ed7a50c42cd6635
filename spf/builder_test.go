package spf_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/spf"
)

// What is built is what a check finds, over the wire and back: the addresses pass,
// all others do not.
func TestBuilderAgreeWithCheck(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	for range 500 {
		s := spf.Builder{Name: "mail.example.test", TTL: 300, Others: []spf.Status{0, spf.Fail, spf.SoftFail, spf.Neutral}[r.IntN(4)]}
		for range r.IntN(60) {
			addr := netip.AddrFrom4([4]byte{192, 0, 2, byte(r.IntN(256))})
			if r.IntN(2) == 0 {
				addr = netip.MustParseAddr(fmt.Sprintf("2001:db8::%x", r.IntN(256)))
			}
			s.Addrs = append(s.Addrs, addr)
		}
		if r.IntN(2) == 0 {
			s.Networks = append(s.Networks, netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(r.IntN(256))}), 24+r.IntN(9)))
		}
		rr, err := s.RR()
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		zones, err := resolver.ParseZones("$ORIGIN example.test.\n" + rr.String()) // over the wire form
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		addr := netip.AddrFrom4([4]byte{192, 0, 2, byte(r.IntN(256))})
		want := s.Others
		if want == 0 {
			want = spf.Fail
		}
		if slices.Contains(s.Addrs, addr) || slices.ContainsFunc(s.Networks, func(p netip.Prefix) bool { return p.Contains(addr) }) {
			want = spf.Pass
		}
		if got := (spf.Checker{Resolver: zones}).CheckHelo(t.Context(), addr, s.Name); got.Status != want {
			t.Fatalf("seed %d: %s: %s (%v), expected %s\n%s", seed, addr, got.Status, got.Err, want, rr)
		}
	}
}

// What a check would refuse, and what is a slip, is not built.
func TestBuilderRefuse(t *testing.T) {
	for _, tt := range []struct {
		s    spf.Builder
		want string
	}{
		{spf.Builder{}, `"": expected the name`},
		{spf.Builder{Name: "localhost"}, "two labels"},
		{spf.Builder{Name: "192.0.2.1"}, "expected the name"},
		{spf.Builder{Name: "example.test", Addrs: []netip.Addr{{}}}, "no address of a host"},
		{spf.Builder{Name: "example.test", Addrs: []netip.Addr{netip.IPv4Unspecified()}}, "no address of a host"},
		{spf.Builder{Name: "example.test", Addrs: []netip.Addr{netip.MustParseAddr("ff02::1")}}, "no address of a host"},
		{spf.Builder{Name: "example.test", Addrs: []netip.Addr{netip.MustParseAddr("255.255.255.255")}}, "no address of a host"},
		{spf.Builder{Name: "example.test", Networks: []netip.Prefix{{}}}, "expected an IPv4 or IPv6 network"},
		{spf.Builder{Name: "example.test", Networks: []netip.Prefix{netip.MustParsePrefix("::ffff:192.0.2.0/120")}}, "expected an IPv4 or IPv6 network"},
		{spf.Builder{Name: "example.test", Networks: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}}, "everybody"},
		{spf.Builder{Name: "example.test", Networks: []netip.Prefix{netip.MustParsePrefix("224.0.0.0/4")}}, "not a network of hosts"},
		{spf.Builder{Name: "example.test", Includes: []string{"nonsense"}}, `include "nonsense"`},
		{spf.Builder{Name: "example.test", Includes: []string{"Example.Test."}}, "includes itself"},
		{spf.Builder{Name: "example.test", Others: spf.Pass}, "Others is pass"},
		{spf.Builder{Name: "example.test", Own: true, Exchangers: true, Includes: strings.Fields("a.test b.test c.test d.test e.test f.test g.test h.test i.test")}, "11 terms that need DNS"},
		{spf.Builder{Name: "example.test", Addrs: manyAddrs(3000)}, "no DNS message"},
	} {
		rr, err := tt.s.RR()
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v, %v; expected %s", rr, err, tt.want)
		}
	}
	record := spf.Record{Terms: []spf.Term{{Kind: spf.Include, Qualifier: spf.Pass, Domain: "nonsense"}}}
	if _, err := record.RR("example.test", 300); err == nil {
		t.Error("a term that cannot be parsed")
	}
	if _, err := record.RR("nonsense", 300); err == nil {
		t.Error("a name that has no policy")
	}
	s := spf.Builder{Name: "example.test", Includes: strings.Fields("a.test b.test c.test d.test e.test f.test g.test h.test i.test j.test k.test")}
	if _, err := s.RR(); !errors.Is(err, spf.ErrLookups) {
		t.Error(err)
	}
}

func manyAddrs(n int) []netip.Addr {
	var addrs []netip.Addr
	for i := range n {
		addrs = append(addrs, netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}))
	}
	return addrs
}
