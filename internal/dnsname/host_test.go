package dnsname_test

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
)

func TestFormOf(t *testing.T) {
	test := func(want dnsname.Form, names ...string) {
		t.Helper()
		for _, name := range names {
			if got := dnsname.FormOf(name); got != want {
				t.Errorf("%s: got %d, want %d", name, got, want)
			}
		}
	}
	test(dnsname.Malformed, ".", "*.example.test.", "-a.example.test.", "a-.example.test.", "a.-.test.", `a\.b.example.test.`,
		`sp\ ace.example.test.`, `a\\.example.test.`, `\000.test.`, "a/b.test.", "a.test-.")
	test(dnsname.Numeric, "192.0.2.1.", "1234.", "0.", "a.b.1.", "mail_1.2.")
	test(dnsname.SingleLabel, "test.", "localhost.", "local.", "0x7f.", "_smtp.", "1a.")
	test(dnsname.Special, "printer.local.", "a.onion.", "x.localhost.", "nothing.invalid.", "_smtp.nothing.invalid.")
	test(dnsname.Underscore, "_client._smtp.mail.example.test.", "mail_1.example.test.", "a.b_.test.", "a._.test.", "a.te_st.")
	test(dnsname.Host, "mail.example.test.", "r3---sn.example.test.", "xn--bcher-kva.example.test.", "1.example.test.",
		"192.0.2.1.example.test.", "a.b.", "a.1b.", "mail.local.test.", "localhost.localdomain.", "0.0x7f.")

	// Where two apply, the worse one is reported.
	test(dnsname.Malformed, "-.1.", `a\.b.1.`, "-a.", "-a.local.", "-_a.example.test.")
	test(dnsname.Numeric, "1.", "_a.1.")
	if !slices.IsSorted([]dnsname.Form{0, dnsname.Malformed, dnsname.Numeric, dnsname.SingleLabel, dnsname.Special, dnsname.Underscore, dnsname.Host}) {
		t.Error("the forms are not in order, from the worst to the best")
	}
}

func TestReverse(t *testing.T) {
	const v6 = "0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa."
	for addr, want := range map[string]string{
		"192.0.2.10":         "10.2.0.192.in-addr.arpa.",
		"0.0.0.0":            "0.0.0.0.in-addr.arpa.",
		"::ffff:192.0.2.10":  "10.2.0.192.in-addr.arpa.",
		"2001:db8::10":       v6,
		"2001:db8::10%eth0":  v6,
		"2001:DB8:0::0:0010": v6,
		"::ffff:192.0.2.1%x": "1.2.0.192.in-addr.arpa.",
	} {
		got := dnsname.Reverse(netip.MustParseAddr(addr))
		if got != want {
			t.Errorf("%s: got %s, want %s", addr, got, want)
		}
		if canonical, err := dnsname.Canonical(got); err != nil || canonical != got {
			t.Errorf("%s: %s is not canonical: %s, %v", addr, got, canonical, err)
		}
		if back, plain := dnsname.FromReverse(got), netip.MustParseAddr(addr).Unmap().WithZone(""); back != plain {
			t.Errorf("%s: back to %v", got, back)
		}
	}
	if got := dnsname.Reverse(netip.Addr{}); got != "" {
		t.Errorf("invalid address: got %q", got)
	}
}

func TestNoReverse(t *testing.T) {
	for _, name := range []string{
		".", "in-addr.arpa.", "ip6.arpa.", ".in-addr.arpa.", "2.0.192.in-addr.arpa.", "1.2.3.4.5.in-addr.arpa.", "256.2.0.192.in-addr.arpa.",
		"010.2.0.192.in-addr.arpa.", "11.8-15.2.0.192.in-addr.arpa.", "8.b.d.0.1.0.0.2.ip6.arpa.", "mail.example.test.",
		"1.0.2.0.0.0.0.c.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa.", // mapped
	} {
		if got := dnsname.FromReverse(name); got.IsValid() {
			t.Errorf("%s: got %v", name, got)
		}
	}
}
