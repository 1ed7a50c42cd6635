package nullmx_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/bonafide-mta/bonafide/nullmx"
	"github.com/bonafide-mta/bonafide/resolver"
)

// The status has every record, and an exchanger that was not looked up is not one without
// addresses, wherever it is in a set of 1 to 30.
func TestCapIsNoDenial(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 30).Draw(t, "records")
		good := rapid.IntRange(0, n-1).Draw(t, "has an address")
		null := rapid.IntRange(-20, n-1).Draw(t, "a Null MX") // below 0 for none
		var text strings.Builder
		text.WriteString("$TTL 300\n$ORIGIN example.test.\n")
		for i := range n {
			host := fmt.Sprintf("mx%02d", i)
			if i == null {
				host = "."
			}
			fmt.Fprintf(&text, "@ MX %d %s\n", i, host)
			if i == good && i != null {
				fmt.Fprintf(&text, "%s A 192.0.2.10\n", host)
			}
		}
		zones, err := resolver.ParseZones(text.String())
		if err != nil {
			t.Fatal(err)
		}
		checker := nullmx.Checker{Resolver: zones}
		r := checker.Check(t.Context(), "example.test")
		want := nullmx.Explicit
		switch {
		case null >= 0 && n == 1:
			want = nullmx.Null
		case null >= 0:
			want = nullmx.Mixed
		}
		if r.Status != want || len(r.MX) != n {
			t.Fatalf("%s with %d records, expected %s with %d", r.Status, len(r.MX), want, n)
		}
		targets := checker.Targets(t.Context(), r)
		for i, target := range targets {
			skipped := errors.Is(target.Err, nullmx.ErrTooManyTargets)
			if skipped != (i >= nullmx.MaxTargets) || !skipped && target.Err != nil {
				t.Fatalf("%d: %v", i, target)
			}
			if (len(target.Addrs) > 0) != (target.Host == fmt.Sprintf("mx%02d.example.test.", good) && !skipped) {
				t.Fatalf("%d: %v", i, target)
			}
		}
		if others := n - min(1, null+1); null < 0 && len(targets) != n || null >= 0 && len(targets) != others {
			t.Fatalf("%d targets of %d records", len(targets), n)
		}
	})
}
