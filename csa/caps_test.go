package csa_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/bonafide-mta/bonafide/csa"
	"github.com/bonafide-mta/bonafide/resolver"
)

// What was not looked up denies nobody, and what was read denies, wherever it is in a set
// of 1 to 30 records.
func TestCapIsNoDenial(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 30).Draw(t, "records")
		good := rapid.IntRange(-1, n-1).Draw(t, "authorizes the client")   // -1 for none
		denial := rapid.IntRange(-20, n-1).Draw(t, "denies")               // below 0 for none
		policy := rapid.Bool().Draw(t, "the domain requires such records") // which is for names without one
		var text strings.Builder
		text.WriteString("$TTL 300\n$ORIGIN example.test.\n")
		if policy {
			text.WriteString("_client._smtp SRV 1 1 1 example.test.\n")
		}
		verifiable := n
		for _, i := range rapid.Permutation(numbers(n)).Draw(t, "order") {
			weight, addr := 2, "192.0.2.99"
			if i == denial {
				weight = 1
				verifiable--
			}
			if i == good {
				addr = client.String()
			}
			fmt.Fprintf(&text, "_client._smtp.mail SRV 1 %d 0 t%02d\nt%02d A %s\n", weight, i, i, addr)
		}
		zones, err := resolver.ParseZones(text.String())
		if err != nil {
			t.Fatal(err)
		}
		want := csa.AddressMismatch
		switch {
		case denial >= 0:
			want = csa.Denied
		case good >= 0 && good < csa.MaxTargets: // the targets are in alphabetical order
			want = csa.Authorized
		case verifiable > csa.MaxTargets:
			want = csa.TooManyTargets
		}
		got := csa.Checker{Resolver: zones, Sequential: rapid.Bool().Draw(t, "sequential")}.Check(t.Context(), client, "mail.example.test")
		if got.Reason != want || got.Status != statusOf[want] {
			t.Fatalf("%s (%s), expected %s", got.Status, got.Reason, want)
		}
	})
}

// numbers returns those from 0 to n-1.
func numbers(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}
