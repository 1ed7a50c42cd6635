package address_test

import (
	"net/netip"
	"testing"

	"github.com/bonafide-mta/bonafide/internal/address"
)

// registry has every entry of the IANA IPv4 and IPv6 Special-Purpose Address
// Registries, in their order, except IPv4-mapped addresses, which count as IPv4; and,
// behind them, multicast and the whole of both families. The longest prefix that
// holds an address says what it is.
var registry = []struct {
	prefix string
	class  address.Class
}{
	{"0.0.0.0/8", address.Special},
	{"0.0.0.0/32", address.Special},
	{"10.0.0.0/8", address.Private},
	{"100.64.0.0/10", address.Shared},
	{"127.0.0.0/8", address.Special},
	{"169.254.0.0/16", address.Special},
	{"172.16.0.0/12", address.Private},
	{"192.0.0.0/24", address.Special},
	{"192.0.0.0/29", address.Special},
	{"192.0.0.8/32", address.Special},
	{"192.0.0.9/32", address.Public},
	{"192.0.0.10/32", address.Public},
	{"192.0.0.170/32", address.Special},
	{"192.0.0.171/32", address.Special},
	{"192.0.2.0/24", address.Documentation},
	{"192.31.196.0/24", address.Public},
	{"192.52.193.0/24", address.Public},
	{"192.88.99.0/24", address.Special},
	{"192.168.0.0/16", address.Private},
	{"192.175.48.0/24", address.Public},
	{"198.18.0.0/15", address.Special},
	{"198.51.100.0/24", address.Documentation},
	{"203.0.113.0/24", address.Documentation},
	{"240.0.0.0/4", address.Special},
	{"255.255.255.255/32", address.Special},

	{"::1/128", address.Special},
	{"::/128", address.Special},
	{"64:ff9b::/96", address.Transition}, // globally reachable by the registry
	{"64:ff9b:1::/48", address.Special},
	{"100::/64", address.Special},
	{"100:0:0:1::/64", address.Special},
	{"2001::/23", address.Special},
	{"2001::/32", address.Transition}, // not said
	{"2001:1::1/128", address.Public},
	{"2001:1::2/128", address.Public},
	{"2001:1::3/128", address.Public},
	{"2001:2::/48", address.Special},
	{"2001:3::/32", address.Public},
	{"2001:4:112::/48", address.Public},
	{"2001:10::/28", address.Special},
	{"2001:20::/28", address.Public},
	{"2001:30::/28", address.Public},
	{"2001:db8::/32", address.Documentation},
	{"2002::/16", address.Transition}, // not said
	{"2620:4f:8000::/48", address.Public},
	{"3fff::/20", address.Documentation},
	{"5f00::/16", address.Special},
	{"fc00::/7", address.Private},
	{"fe80::/10", address.Special},

	{"224.0.0.0/4", address.Special},
	{"ff00::/8", address.Special},
	{"0.0.0.0/0", address.Public},
	{"::/0", address.Special},
	{"2000::/3", address.Public}, // RFC 4291, Section 2.4
}

// registered returns the class of an address by the longest prefix.
func registered(addr netip.Addr) address.Class {
	longest, class := -1, address.Class(0)
	for _, entry := range registry {
		if p := netip.MustParsePrefix(entry.prefix); p.Contains(addr) && p.Bits() > longest {
			longest, class = p.Bits(), entry.class
		}
	}
	return class
}

// last returns the last address of a network.
func last(p netip.Prefix) netip.Addr {
	octets := p.Addr().AsSlice()
	for bit := p.Bits(); bit < 8*len(octets); bit++ {
		octets[bit/8] |= 0x80 >> (bit % 8)
	}
	addr, _ := netip.AddrFromSlice(octets)
	return addr
}

// The first and last address of every block of the registries, and their neighbors.
func TestRegistries(t *testing.T) {
	tried := 0
	for _, entry := range registry {
		p := netip.MustParsePrefix(entry.prefix)
		for _, addr := range []netip.Addr{p.Addr().Prev(), p.Addr(), p.Addr().Next(), last(p).Prev(), last(p), last(p).Next()} {
			if !addr.IsValid() {
				continue // at an end of the family
			}
			tried++
			class, name := address.ClassOf(addr)
			if want := registered(addr); class != want || (name == "") != (want == address.Public) {
				t.Errorf("%s, of %s: got %d %q, want %d", addr, entry.prefix, class, name, want)
			}
			if addr.Is4() {
				if mapped, _ := address.ClassOf(netip.AddrFrom16(addr.As16())); mapped != class {
					t.Errorf("%s: %d, mapped %d", addr, class, mapped)
				}
			}
			if got, want := address.IsPublic(addr), class == address.Public || class == address.Documentation; got != want {
				t.Errorf("%s: public: %t", addr, got)
			}
			if got, want := address.FromInternet(addr), address.IsPublic(addr) || class == address.Transition; got != want {
				t.Errorf("%s: from the Internet: %t", addr, got)
			}
		}
	}
	t.Logf("%d addresses of %d blocks", tried, len(registry))
}

func TestClassOf(t *testing.T) {
	for text, want := range map[string]address.Class{
		"100.64.0.5": address.Shared, "198.18.0.1": address.Special, "192.0.0.170": address.Special,
		"fe80::1%eth0": address.Special, "fec0::1": address.Special, "4000::1": address.Special,
		"2001:200::1": address.Public, "2400::1": address.Public, "8.8.8.8": address.Public,
		"::ffff:10.0.0.1": address.Private, "::ffff:192.0.2.1": address.Documentation,
	} {
		if got, name := address.ClassOf(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: got %d %q, want %d", text, got, name, want)
		}
	}
	if got, _ := address.ClassOf(netip.Addr{}); got != address.Special {
		t.Errorf("the zero Addr: got %d", got)
	}
}

func TestCanonical(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1", "64:ff9b::192.0.2.1": "192.0.2.1", "64:ff9b::8.8.8.8%eth0": "8.8.8.8",
		"64:ff9b::10.0.0.1": "10.0.0.1", "64:ff9b::": "0.0.0.0", "64:ff9b:1::192.0.2.1": "64:ff9b:1::c000:201", "64:ff9b::1:c000:201": "64:ff9b::1:c000:201",
		"2002:c000:201::1": "2002:c000:201::1", "2001:0:c000:201::": "2001:0:c000:201::", "2001:db8::1": "2001:db8::1", "fe80::1%eth0": "fe80::1", "10.0.0.1": "10.0.0.1",
	} {
		got := address.Canonical(netip.MustParseAddr(text))
		if got.String() != want || address.Canonical(got) != got {
			t.Errorf("%s: got %s, and of that %s", text, got, address.Canonical(got))
		}
	}
	if got := address.Canonical(netip.Addr{}); got.IsValid() {
		t.Errorf("the zero Addr: got %s", got)
	}
}

func TestIsHost(t *testing.T) {
	for text, want := range map[string]bool{
		"192.0.2.1": true, "10.0.0.1": true, "127.0.0.1": true, "100.64.0.1": true, "255.255.255.254": true, "0.0.0.1": true,
		"::1": true, "fe80::1%eth0": true, "fd00::1": true, "2001:db8::1": true, "::ffff:10.0.0.1": true,
		"0.0.0.0": false, "::": false, "::ffff:0.0.0.0": false, "224.0.0.1": false, "239.255.255.255": false, "ff02::1": false,
		"ff02::1%eth0": false, "::ffff:224.0.0.1": false, "255.255.255.255": false, "::ffff:255.255.255.255": false,
	} {
		if got := address.IsHost(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: got %t", text, got)
		}
	}
	if address.IsHost(netip.Addr{}) {
		t.Error("the zero Addr")
	}
}

func TestHolds(t *testing.T) {
	for _, tt := range []struct {
		network, client string
		given, judged   bool // as given, and in the forms in which clients are judged
	}{
		{"198.51.100.0/24", "198.51.100.7", true, true},
		{"198.51.100.0/24", "::ffff:198.51.100.7", true, true},
		{"198.51.100.0/24", "64:ff9b::198.51.100.7", true, true},
		{"198.51.100.0/24", "192.0.2.10", false, false},
		{"::ffff:198.51.100.0/120", "198.51.100.7", true, true},
		{"::ffff:0:0/96", "192.0.2.10", true, true},
		{"::/0", "192.0.2.10", false, false},
		{"::/0", "2001:db8::10", true, true},
		{"64:ff9b::198.51.100.0/120", "64:ff9b::198.51.100.7", true, true},
		{"64:ff9b::198.51.100.0/120", "198.51.100.7", false, true},
		{"64:ff9b::198.51.100.0/120", "192.0.2.10", false, false},
		{"64:ff9b::/96", "64:ff9b::198.51.100.7", true, false},
		{"64:ff9b::/96", "192.0.2.10", false, false},
		{"64:ff9b::/64", "192.0.2.10", false, false},
		{"10.0.0.0/8", "64:ff9b::10.0.0.1", false, true},
		{"2001:db8::/32", "2001:db8::10%eth0", true, true},
	} {
		network, client := netip.MustParsePrefix(tt.network), netip.MustParseAddr(tt.client)
		if got := address.Holds(network, client); got != tt.given {
			t.Errorf("%s in %s: %v", client, network, got)
		}
		if got := address.Holds(address.CanonicalNetwork(network), address.Canonical(client)); got != tt.judged {
			t.Errorf("%s in %s, canonical: %v", client, network, got)
		}
	}
	if address.Holds(netip.Prefix{}, netip.MustParseAddr("192.0.2.1")) || address.Holds(netip.Prefix{}, netip.Addr{}) || address.Holds(netip.MustParsePrefix("0.0.0.0/0"), netip.Addr{}) {
		t.Error("no network, or no client")
	}
}
