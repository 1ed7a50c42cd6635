package identity_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/bonafide-mta/bonafide/identity"
	"github.com/bonafide-mta/bonafide/resolver"
)

// unconfirmed refuses clients without a confirmed PTR name.
var unconfirmed = identity.Policy{Reasons: map[identity.Reason]identity.Action{
	identity.NoPTR: identity.Reject, identity.Unconfirmed: identity.Reject, identity.ReverseUnknown: identity.Defer,
}}

// Among 1 to 30 PTR names, wherever it is, the one that ties the client to its HELO name
// counts as if it were alone; and nothing is said against a client for a name that was not
// looked up.
func TestCapIsNoDenial(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 30).Draw(t, "names")
		good := rapid.IntRange(0, n-1).Draw(t, "confirms")
		others := rapid.SampledFrom([]string{"example.test", "other.test"}).Draw(t, "organization of the others")
		confirmed := rapid.Bool().Draw(t, "the first name confirms, too")
		name := func(i int) string { return fmt.Sprintf("h%02d.%s.", i, others) }
		goodName := fmt.Sprintf("h%02d.example.test.", good)
		heloName := rapid.SampledFrom([]string{goodName, "smtp.example.test."}).Draw(t, "HELO")
		world := func(all bool) resolver.Resolver {
			var text strings.Builder
			fmt.Fprintf(&text, "$TTL 300\n$ORIGIN .\nsmtp.example.test. A %s\n%s A %[1]s\n10.2.0.192.in-addr.arpa. PTR %[2]s\n", client, goodName)
			for i := range n {
				addr := "192.0.2.99"
				if i == 0 && confirmed {
					addr = client.String()
				}
				if all && i != good {
					fmt.Fprintf(&text, "10.2.0.192.in-addr.arpa. PTR %s\n%[1]s A %s\n", name(i), addr)
				}
			}
			zones, err := resolver.ParseZones(text.String())
			if err != nil {
				t.Fatal(err)
			}
			return zones
		}
		verdict := func(r resolver.Resolver) *identity.Verdict {
			s := identity.Verifier{Resolver: r, Policy: unconfirmed}.Session(t.Context(), client)
			defer s.Close()
			return s.Helo(t.Context(), heloName)
		}
		want, got := verdict(world(false)), verdict(world(true))
		// Skipped names of the organization are looked up ten at a time, in alphabetical order.
		looked := heloName == goodName || others != "example.test" || good < 20
		if got.Level != want.Level && looked {
			t.Fatalf("%s, alone %s: %s", got.Level, want.Level, keywords(got.Reasons))
		}
		if !looked && got.Level > want.Level && !got.Has(identity.TooManyPTR) {
			t.Fatalf("%s, alone %s: %s", got.Level, want.Level, keywords(got.Reasons))
		}
		if got.Advice.Action == identity.Reject || got.Has(identity.NoPTR) || got.Has(identity.Unconfirmed) || got.Has(identity.HeloUnrelated) || got.Has(identity.HeloAlone) {
			t.Fatalf("%s: %s", got.Advice, keywords(got.Reasons))
		}
		if cost := got.Questions - verdict(world(false)).Questions; cost > 9+10 {
			t.Fatalf("the other names cost %d questions", cost)
		}
	})
}
