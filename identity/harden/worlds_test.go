package harden_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/bonafide-mta/bonafide/identity/harden"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/internal/lab/worlds"
)

var (
	worldCount = flag.Int("worlds", 500, "worlds of TestWorlds")
	worldSeed  = flag.Uint64("worlds.seed", 0, "the first seed of TestWorlds; 0: any")
)

// No mail of a world is judged worse or loses its way by what hardening adds, with and without
// a description. A name that has nothing to do with mail is hardened.
func TestWorlds(t *testing.T) {
	first := *worldSeed
	if first == 0 {
		first = rand.Uint64()
	}
	t.Logf("-worlds.seed=%d", first)
	flows, added := 0, 0
	for seed := first; seed != first+uint64(*worldCount); seed++ {
		w := worlds.Make(seed)
		before, zones := w.Resolver(), w.Zones()
		was := w.Judge(t.Context(), before, 30, worlds.ByZones, worlds.ByOrg)
		flows += was.Flows()
		for _, o := range []*org.Organization{nil, w.Org} {
			known := []worlds.Source{worlds.ByZones}
			if o != nil {
				known = append(known, worlds.ByOrg)
			}
			h, err := harden.Zones(zones.Records(), o)
			if err != nil {
				t.Fatal(err)
			}
			h.DenyNames = seed%2 == 0
			var text strings.Builder
			for r := range h.Records() {
				fmt.Fprintln(&text, r)
				added++
			}
			after, err := before.With(text.String())
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			hurt := was.Hurt(t.Context(), after, known...)
			for _, name := range w.Silent {
				if !slices.Contains(h.Names, name) {
					hurt = append(hurt, name+" has no mail and is left alone")
				}
			}
			if len(hurt) > 0 {
				t.Fatalf("seed %d, with a description: %v: %s\n%s; added\n%s", seed, o != nil, strings.Join(hurt, "\n"), w, &text)
			}
		}
	}
	t.Logf("%d worlds: %d flows judged before and after, %d records added", *worldCount, flows, added)
}
