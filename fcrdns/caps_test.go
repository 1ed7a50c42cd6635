package fcrdns_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/bonafide-mta/bonafide/fcrdns"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/resolver/resolvertest"
)

// A name that was not looked up does not fail the address, wherever the one that confirms is in
// a set of 1 to 30; and CheckSkipped finds it if it is among those wanted most.
func TestCapIsNoDenial(t *testing.T) {
	client := netip.MustParseAddr("192.0.2.10")
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 30).Draw(t, "names")
		good := rapid.IntRange(-5, n-1).Draw(t, "confirms") // below 0 for none
		unusable := rapid.IntRange(0, 15).Draw(t, "names of one label")
		var text strings.Builder
		text.WriteString("$TTL 300\n$ORIGIN 2.0.192.in-addr.arpa.\n")
		for i := range unusable {
			fmt.Fprintf(&text, "10 PTR single%d.\n", i)
		}
		for i := range n {
			fmt.Fprintf(&text, "10 PTR h%02d.example.test.\n", i)
		}
		text.WriteString("$ORIGIN example.test.\n")
		for i := range n {
			addr := "192.0.2.99"
			if i == good {
				addr = client.String()
			}
			fmt.Fprintf(&text, "h%02d A %s\n", i, addr)
		}
		zones, err := resolver.ParseZones(text.String())
		if err != nil {
			t.Fatal(err)
		}
		checker := fcrdns.Checker{Resolver: zones}
		first := checker.Check(t.Context(), client)
		expect(t, first, n, good >= 0 && good < fcrdns.DefaultMaxNames, max(n-fcrdns.DefaultMaxNames, 0))

		wanted := rapid.IntRange(0, n-1).Draw(t, "wanted")
		more := checker.CheckSkipped(t.Context(), first, func(name string) int {
			switch name {
			case fmt.Sprintf("h%02d.example.test.", wanted):
				return 2
			case "h00.example.test.", "h29.example.test.", "single1.":
				return 1
			}
			return 0
		})
		looked := good < fcrdns.DefaultMaxNames || good == wanted || good == 29
		skipped := first.Skipped
		if wanted >= fcrdns.DefaultMaxNames {
			skipped--
		}
		if n == 30 && wanted != 29 {
			skipped--
		}
		expect(t, more, n, good >= 0 && looked, skipped)
	})
}

// expect holds a result against how many names there are, whether one of those looked up
// confirms, and how many were not looked up.
func expect(t *rapid.T, r *fcrdns.Result, names int, confirmed bool, skipped int) {
	t.Helper()
	want := fcrdns.Fail
	switch {
	case confirmed:
		want = fcrdns.Pass
	case skipped > 0:
		want = fcrdns.PermError
	}
	if r.Status != want || r.Skipped != skipped || errors.Is(r.Err, fcrdns.ErrTooManyNames) != (want == fcrdns.PermError) {
		t.Fatalf("%d names: %s, %d skipped, %v, expected %s and %d", names, r.Status, r.Skipped, r.Err, want, skipped)
	}
}

// CheckSkipped asks at most MaxNames questions, and none without need.
func TestCheckSkippedIsBounded(t *testing.T) {
	r := resolvertest.New(t, hostile(200))
	checker := fcrdns.Checker{Resolver: r}
	first := checker.Check(t.Context(), netip.MustParseAddr("192.0.2.1"))
	none := checker.CheckSkipped(t.Context(), first, func(string) int { return 0 })
	if none != first || len(r.Questions()) != 1+fcrdns.DefaultMaxNames {
		t.Errorf("%v after %d questions", none, len(r.Questions()))
	}
	all := checker.CheckSkipped(t.Context(), first, func(name string) int { return len(name) })
	if len(r.Questions()) != 1+2*fcrdns.DefaultMaxNames || all.Skipped != 180 || len(all.Names) != 20 || first.Skipped != 190 || len(first.Names) != 10 {
		t.Errorf("%d questions, %d skipped of %d", len(r.Questions()), all.Skipped, first.Skipped)
	}
}
