package dnsname_test

import (
	"testing"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
)

func TestReserved(t *testing.T) {
	for name, want := range map[string]bool{
		"onion.": true, "a.b.onion.": true, "local.": true, "printer.local.": true, "localhost.": true,
		"x.localhost.": true, "invalid.": true, "nothing.invalid.": true,
		".": false, "test.": false, "mail.example.": false, "onion.test.": false, "notlocal.": false,
		"local.example.test.": false, "localhost.localdomain.": false, `printer\.local.`: false, "arpa.": false,
	} {
		if got := dnsname.Reserved(name); got != want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

func TestDocumentation(t *testing.T) {
	for name, want := range map[string]bool{
		"test.": true, "mail.test.": true, "example.": true, "mail.example.": true,
		"example.com.": true, "a.example.net.": true, "a.b.example.org.": true,
		".": false, "com.": false, "badexample.com.": false, "example.co.uk.": false, "example.com.au.": false,
		"invalid.": false, `a\.test.`: false,
	} {
		if got := dnsname.Documentation(name); got != want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

func TestSpecialUse(t *testing.T) {
	for name, want := range map[string]bool{
		// RFC 6761, RFC 6762, RFC 7686: never asked.
		"x.onion.": true, "printer.local.": true, "localhost.": true, "x.localhost.": true, "nothing.invalid.": true,
		// RFC 6762, Appendix G, and ICANN.
		"mx.intranet.": true, "mx.internal.": true, "internal.": true, "mx.private.": true, "mx.corp.": true, "mx.home.": true,
		"a.b.lan.": true, "mx.mail.": true,
		"localhost.localdomain.": true, "pc1.workgroup.": true,
		// Under arpa.: RFC 8375, RFC 9462, RFC 9665, RFC 9031, RFC 9140.
		"mx.home.arpa.": true, "home.arpa.": true, "_dns.resolver.arpa.": true, "x.service.arpa.": true, "x.6tisch.arpa.": true, "x.eap-noob.arpa.": true,
		"x.alt.": true, // RFC 9476

		".": false, "example.org.": false, "mx.lan.example.org.": false, "home.example.org.": false, "notlan.": false, `mx\.lan.`: false,
		"arpa.": false, "10.2.0.192.in-addr.arpa.": false,
		// Delegated top-level domains.
		"mx.host.": false, "mx.network.": false, "mx.email.": false, "mx.homes.": false,
		// RFC 6761, Sections 6.2 and 6.5: documentation and tests (see Documentation).
		"mx.test.": false, "mx.example.": false, "mx.example.com.": false,
	} {
		if got := dnsname.SpecialUse(name); got != want {
			t.Errorf("%s: got %v", name, got)
		}
		if dnsname.Reserved(name) && !dnsname.SpecialUse(name) || dnsname.Documentation(name) && dnsname.SpecialUse(name) {
			t.Errorf("%s: two facts contradict", name)
		}
	}
}
