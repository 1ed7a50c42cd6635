//go:build interop

package resolver_test

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/lab/nameserver"
	"github.com/bonafide-mta/bonafide/resolver"
)

// transferZone returns a zone that takes many messages, with names and records that are
// written in several ways.
func transferZone() string {
	var text strings.Builder
	fmt.Fprintf(&text, `$ORIGIN example.test.
$TTL 300
@ SOA ns hostmaster 1 7200 3600 1209600 600
@ NS ns
ns A 127.0.0.1
*.wild TXT "w"
sub NS ns.sub
ns.sub A 192.0.2.53
alias CNAME mail.example.net.
old DNAME example.net.
a\.b\\c.d\000\255 RP first\.last a\.b
octets TXT "\000\255\"\\" ""
@ TYPE65280 \# 3 010203
`)
	for i := range 5000 {
		fmt.Fprintf(&text, "h%d A 192.0.2.10\nh%d TXT %q\n", i, i, strings.Repeat("x", 100))
	}
	return text.String()
}

func sortedText(records iter.Seq2[dns.RR, error]) []string {
	var out []string
	for rr := range records {
		out = append(out, rr.String())
	}
	slices.Sort(out)
	return out
}

// TestInteropTransferNSD transfers a zone from NSD, which sends what the zone file has, in
// many messages, to the clients that may have it.
func TestInteropTransferNSD(t *testing.T) {
	text := transferZone()
	zones, err := resolver.ParseZones(text)
	if err != nil {
		t.Fatal(err)
	}
	zone := nameserver.Zone{Apex: "example.test.", Text: text, Transfer: true}
	server := nameserver.NSD(t, zone).Addr
	records, err := collect(resolver.Transfer(t.Context(), server, "EXAMPLE.test"))
	if err != nil {
		t.Fatal(err)
	}
	if records[0].Header().Rrtype != dns.TypeSOA {
		t.Errorf("it begins with %v", records[0])
	}
	want, got := sortedText(zones.Records()), sortedText(resolver.SeqOf(records...))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-zone file +NSD)\n%s", diff)
	}
	t.Logf("%d records", len(got))

	t.Run("a zone it does not serve", func(t *testing.T) {
		records, err := collect(resolver.Transfer(t.Context(), server, "example.net"))
		if e := failure(t, err); len(records) > 0 || e.RCode == 0 {
			t.Errorf("%d records, error %v", len(records), err)
		} else {
			t.Log(err)
		}
	})
	t.Run("a loop that ends early", func(t *testing.T) {
		n := 0
		for _, err := range resolver.Transfer(t.Context(), server, "example.test") {
			if err != nil {
				t.Fatal(err)
			}
			if n++; n == 10 {
				break
			}
		}
	})
	t.Run("not allowed", func(t *testing.T) {
		zone.Transfer = false
		server := nameserver.NSD(t, zone).Addr
		records, err := collect(resolver.Transfer(t.Context(), server, "example.test"))
		if e := failure(t, err); len(records) > 0 || e.RCode != dns.RcodeRefused {
			t.Errorf("%d records, error %v", len(records), err)
		} else {
			t.Log(err)
		}
	})
}
