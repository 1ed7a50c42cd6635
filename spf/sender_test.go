package spf_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/spf"
)

// The sender that is judged, as servers hand it over: split at the last @, whatever the
// local part is. A malformed one has no policy.
func TestSender(t *testing.T) {
	zones, err := resolver.ParseZones("$TTL 300\n$ORIGIN example.test.\n@ TXT \"v=spf1 ip4:192.0.2.1 -all\"\n")
	if err != nil {
		t.Fatal(err)
	}
	addr := netip.MustParseAddr("192.0.2.1")
	long := strings.Repeat("x", 900)
	for _, tt := range []struct {
		mailFrom, sender string
		status           spf.Status
	}{
		{"", "postmaster@helo.example.test", spf.None},
		{"u@example.test", "u@example.test", spf.Pass},
		{"@example.test", "postmaster@example.test", spf.Pass},
		{"example.test", "postmaster@example.test", spf.Pass},
		{"a@b@example.test", "a@b@example.test", spf.Pass},
		{`"a@b c"@example.test`, `"a@b c"@example.test`, spf.Pass},
		{"a b@example.test", "a b@example.test", spf.Pass},
		{"john..doe@example.test", "john..doe@example.test", spf.Pass},
		{".a.@example.test", ".a.@example.test", spf.Pass},
		{long + "@example.test", long + "@example.test", spf.Pass},
		{"<u@example.test> SIZE=1", "u@example.test", spf.Pass},
		{"@relay.test:u@example.test", "u@example.test", spf.Pass},
		{"a\x00b\r\n@example.test", "a\x00b\r\n@example.test", spf.None},
		{"u@EXAMPLE.test.", "u@EXAMPLE.test.", spf.Pass},
		{"u@[192.0.2.1]", "u@[192.0.2.1]", spf.None},
		{"u@", "u@", spf.None},
		{"@", "@", spf.None},
		{"u@nodots", "u@nodots", spf.None},
		{"u@a..example.test", "u@a..example.test", spf.None},
		{"u@" + long + ".test", "u@" + long + ".test", spf.None},
	} {
		r := spf.Checker{Resolver: zones}.CheckMailFrom(t.Context(), addr, "helo.example.test", tt.mailFrom)
		if r.Status != tt.status || r.Sender != tt.sender {
			t.Errorf("%q: %s of %q, expected %s of %q", tt.mailFrom, r.Status, r.Sender, tt.status, tt.sender)
		}
		invariants(t, r)
	}
}
