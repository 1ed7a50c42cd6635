package roleaddr_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/bonafide-mta/bonafide/nullmx"
	"github.com/bonafide-mta/bonafide/reputation/roleaddr"
	"github.com/bonafide-mta/bonafide/resolver"
)

// A server with an address is asked though up to nine before it have none, and nobody says
// that no server has one where not all were looked up.
func TestCapIsNoDenial(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		hosts := rapid.IntRange(1, 30).Draw(rt, "records")
		good := rapid.IntRange(-1, hosts-1).Draw(rt, "has an address") // -1 for none
		var text strings.Builder
		text.WriteString("$TTL 300\n$ORIGIN example.test.\n")
		for i := range hosts {
			fmt.Fprintf(&text, "@ MX %d mx%d\n", i, i)
		}
		fmt.Fprintf(&text, "mx%d A 192.0.2.25\n", good)
		zones, err := resolver.ParseZones(strings.ReplaceAll(text.String(), "mx-1", "other"))
		if err != nil {
			rt.Fatal(err)
		}
		c := checker(t, &network{servers: map[string]server{"192.0.2.25": {}}})
		c.Resolver = zones
		r := c.Check(t.Context(), "example.test")
		want := roleaddr.PermError
		if good >= 0 && good < nullmx.MaxTargets {
			want = roleaddr.Pass
		}
		all := hosts <= nullmx.MaxTargets // were looked up
		if r.Status != want || want == roleaddr.PermError && (!errors.Is(r.Err, roleaddr.ErrAddress) || strings.Contains(r.Err.Error(), "no mail server has one") != all) {
			rt.Fatalf("%d servers, the good one is %d: %s, %v", hosts, good, r.Status, r.Err)
		}
	})
}
