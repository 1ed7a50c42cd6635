package address_test

import (
	"net/netip"
	"testing"

	"github.com/bonafide-mta/bonafide/internal/address"
)

func TestParseLiteral(t *testing.T) {
	for text, want := range map[string]string{
		"[192.0.2.1]":                "192.0.2.1",
		"[192.000.002.001]":          "192.0.2.1", // Snum is 1*3DIGIT
		"[IPv6:2001:db8::1]":         "2001:db8::1",
		"[ipv6:2001:DB8::1]":         "2001:db8::1",
		"[IPv6:::ffff:192.0.2.1]":    "192.0.2.1",
		"[IPv6:2001:db8::192.0.2.1]": "2001:db8::c000:201",
		"[IPv6:1:2:3:4:5:6:7:8]":     "1:2:3:4:5:6:7:8",
		"[IPv6:1:2:3:4:5:6::]":       "1:2:3:4:5:6::",
		"[IPv6:1:2:3:4:5:6:1.2.3.4]": "1:2:3:4:5:6:102:304",
	} {
		if addr, offset, reason := address.ParseLiteral(text); addr != netip.MustParseAddr(want) || offset != 0 || reason != "" {
			t.Errorf("%s: got %v, %d, %q, want %s", text, addr, offset, reason, want)
		}
	}
}

func TestParseLiteralRefuses(t *testing.T) {
	for _, test := range []struct {
		text   string
		offset int
		reason string
	}{
		{"192.0.2.1", 0, "no opening bracket"},
		{"", 0, "no opening bracket"},
		{"[192.0.2.1", 10, "no closing bracket"},
		{"[]", 1, "no IPv4 address in the brackets"},
		{"[192.0.2]", 1, "no IPv4 address in the brackets"},
		{"[192.0.2.256]", 1, "no IPv4 address in the brackets"},
		{"[192.0.2.0001]", 1, "no IPv4 address in the brackets"},
		{"[192.0.2.+1]", 1, "no IPv4 address in the brackets"},
		{"[2001:db8::1]", 1, "an IPv6 address needs the tag IPv6:"},
		{"[IPv6:]", 6, "no IPv6 address after the tag"},
		{"[IPv6:192.0.2.1]", 6, "no IPv6 address after the tag"},
		{"[IPv6:2001:db8::1%eth0]", 6, "no IPv6 address after the tag"},
		{"[IPv6:1:2:3:4:5:6:7::]", 6, "no IPv6 address after the tag"},       // "::" is at least two groups
		{"[IPv6:1:2:3:4:5::192.0.2.1]", 6, "no IPv6 address after the tag"},  // likewise
		{"[IPv6:2001:db8::192.0.2.256]", 6, "no IPv6 address after the tag"}, // in the tail
		{"[X400:whatever]", 1, "no such tag of an address literal"},
	} {
		addr, offset, reason := address.ParseLiteral(test.text)
		if addr.IsValid() || offset != test.offset || reason != test.reason {
			t.Errorf("%s: got %v, %d, %q, want %d, %q", test.text, addr, offset, reason, test.offset, test.reason)
		}
	}
}
