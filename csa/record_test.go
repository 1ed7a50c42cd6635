package csa_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/csa"
	"github.com/bonafide-mta/bonafide/resolver"
)

// What a record says, by its priority, weight and port, and that a check reads it so
// (draft-ietf-marid-csv-csa-02, Section 2.2).
func TestRecordFields(t *testing.T) {
	client := netip.MustParseAddr("192.0.2.10")
	for priority, says := range []string{"......", "DDAA..", "......"} { // by weight: denies or authorizes
		for weight, says := range []byte(says) {
			for port, explicit := range []bool{false, true, false, true} {
				explicit = explicit && priority == 1
				rr := &dns.SRV{Priority: uint16(priority), Weight: uint16(weight), Port: uint16(port), Target: "example.test."}
				data := fmt.Sprintf("%d %d %d", priority, weight, port)
				if got := csa.Denies(rr); got != (says == 'D') {
					t.Errorf("%s: Denies is %t", data, got)
				}
				if got := csa.Authorizes(rr); got != (says == 'A') {
					t.Errorf("%s: Authorizes is %t", data, got)
				}
				if got := csa.RequiresExplicit(rr); got != explicit {
					t.Errorf("%s: RequiresExplicit is %t", data, got)
				}
				zones, err := resolver.ParseZones("$ORIGIN example.test.\n$TTL 300\n@ A 192.0.2.10\n_client._smtp SRV " + data + " @\n")
				if err != nil {
					t.Fatal(err)
				}
				own, below := csa.NoRecord, csa.NoRecord
				switch {
				case says == 'D':
					own = csa.Denied
				case says == 'A' && weight == 2:
					own = csa.Authorized
				case says == 'A':
					own = csa.Unverifiable
				default:
					own = csa.Unsupported
				}
				if explicit {
					below = csa.ExplicitRequired
				}
				for name, want := range map[string]csa.Reason{"example.test": own, "host.example.test": below} {
					if got := (csa.Checker{Resolver: zones}).Check(t.Context(), client, name); got.Reason != want {
						t.Errorf("%s: %s is %s, expected %s", data, name, got.Reason, want)
					}
				}
			}
		}
	}
}

func TestOwner(t *testing.T) {
	long := strings.Repeat("abcdefghi.", 24) + "test"
	for _, tt := range []struct{ name, want string }{
		{"Post.Example.test", "_client._smtp.post.example.test."},
		{"post.example.test.", "_client._smtp.post.example.test."},
		{"bücher.test", "_client._smtp.xn--bcher-kva.test."},
		{"a..test", ""},
		{"", ""},
		{long, ""},
	} {
		got := csa.Owner(tt.name)
		if got != tt.want {
			t.Errorf("%s: %q, expected %q", tt.name, got, tt.want)
		}
		if got == "" {
			continue
		}
		name, ok := csa.NameOf(got)
		if canonical, err := resolver.Canonical(tt.name); !ok || err != nil || name != canonical {
			t.Errorf("%s: of %q, %t", got, name, ok)
		}
	}
	if name, ok := csa.NameOf("_submission._tcp.example.test."); ok {
		t.Errorf("%q", name)
	}
}
