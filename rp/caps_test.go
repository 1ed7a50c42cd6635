package rp_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/rp"
)

// Every person of a set of 1 to 30 is listed, and a text that was not looked up is not one that
// is missing.
func TestCapIsNoDenial(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 30).Draw(t, "records")
		good := rapid.IntRange(0, n-1).Draw(t, "has a text")
		nameless := rapid.IntRange(0, n).Draw(t, "without a text name")
		var text strings.Builder
		text.WriteString("$TTL 300\n$ORIGIN example.test.\n")
		for i := range n {
			name := fmt.Sprintf("t%02d", i)
			if i < nameless {
				name = "."
			}
			fmt.Fprintf(&text, "@ RP p%02d.example.test. %s\n", i, name)
		}
		fmt.Fprintf(&text, "t%02d TXT who\n", good)
		zones, err := resolver.ParseZones(text.String())
		if err != nil {
			t.Fatal(err)
		}
		persons, err := rp.Lookup(t.Context(), zones, "example.test")
		if err != nil || len(persons) != n {
			t.Fatalf("%d persons of %d, %v", len(persons), n, err)
		}
		for i, p := range persons {
			var want error
			switch {
			case i < nameless:
			case i >= nameless+rp.MaxPersons:
				want = rp.ErrTooManyPersons
			case i != good:
				want = rp.ErrDangling
			}
			if p.Mailbox != fmt.Sprintf("p%02d@example.test", i) || !errors.Is(p.Err, want) || want == nil && p.Err != nil {
				t.Fatalf("%d of %d: %+v, expected %v", i, n, p, want)
			}
		}
	})
}
