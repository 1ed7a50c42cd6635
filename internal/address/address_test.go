package address_test

import (
	"net/netip"
	"testing"

	"github.com/bonafide-mta/bonafide/internal/address"
)

func TestClassOf(t *testing.T) {
	for text, want := range map[string]address.Class{
		// The neighbors of a block are public; nothing is ever sent to them.
		"9.255.255.255": address.Public, "10.0.0.0": address.Private, "10.255.255.255": address.Private, "11.0.0.0": address.Public,
		"172.15.255.255": address.Public, "172.16.0.0": address.Private, "172.31.255.255": address.Private, "172.32.0.0": address.Public,
		"192.168.1.1": address.Private, "fd00::1": address.Private,
		"100.63.255.255": address.Public, "100.64.0.1": address.Shared, "100.127.255.255": address.Shared, "100.128.0.0": address.Public,
		"192.0.2.1": address.Documentation, "198.51.100.1": address.Documentation, "203.0.113.1": address.Documentation,
		"2001:db8::1": address.Documentation, "3fff:fff::1": address.Documentation,
		"0.0.0.0": address.Special, "0.1.2.3": address.Special, "127.0.0.1": address.Special, "169.254.1.1": address.Special,
		"192.0.0.8": address.Special, "192.88.99.1": address.Special, "198.18.0.1": address.Special, "224.0.0.1": address.Special, "255.255.255.255": address.Special,
		"::": address.Special, "::1": address.Special, "fe80::1": address.Special, "fe80::1%eth0": address.Special, "ff02::1": address.Special,
		"64:ff9b::1": address.Special, "100::1": address.Special, "2001::1": address.Special, "2002::1": address.Special, "4000::1": address.Special,
		"2001:200::1": address.Public, "2400::1": address.Public,
		"::ffff:10.0.0.1": address.Private, "::ffff:192.0.2.1": address.Documentation,
	} {
		got, name := address.ClassOf(netip.MustParseAddr(text))
		if got != want || (name == "") != (want == address.Public) {
			t.Errorf("%s: got %d %q, want %d", text, got, name, want)
		}
	}
	if got, _ := address.ClassOf(netip.Addr{}); got != address.Special {
		t.Errorf("the zero Addr: got %d", got)
	}
}
