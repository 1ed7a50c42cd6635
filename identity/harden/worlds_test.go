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
	"github.com/bonafide-mta/bonafide/resolver"
)

var (
	worldCount = flag.Int("worlds", 100, "worlds of TestWorlds")
	worldSeed  = flag.Uint64("worlds.seed", 0, "the first seed of TestWorlds; 0: any")
)

// No mail of a world is judged worse or loses its way by what hardening adds, without a
// description, with one, and with one that lists every name as one without mail, even those in
// use. A name that has nothing to do with mail is hardened.
func TestWorlds(t *testing.T) {
	first := *worldSeed
	if first == 0 {
		first = rand.Uint64()
	}
	t.Logf("-worlds.seed=%d", first)
	flows, added, waiting, late := 0, 0, 0, 0
	for seed := first; seed != first+uint64(*worldCount); seed++ {
		w := worlds.Make(seed)
		before, zones := w.Resolver(), w.Zones()
		was := w.Judge(t.Context(), before, 30, worlds.ByZones, worlds.ByOrg)
		flows += was.Flows()
		for _, o := range []*org.Organization{nil, w.Org, withAllNames(w)} {
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
			waiting += len(h.Waiting)
			if len(h.Waiting) > 0 && (late == 0 || seed%5 == 0) {
				late += len(was.Hurt(t.Context(), withWaiting(t, before, h), known...))
			}
			for _, name := range w.Silent {
				if !slices.Contains(h.Names, name) {
					hurt = append(hurt, name+" has no mail and is left alone")
				}
			}
			if len(hurt) > 0 {
				t.Fatalf("seed %d, described: %v: %s\n%s; added\n%s", seed, o != nil, strings.Join(hurt, "\n"), w, &text)
			}
		}
	}
	t.Logf("%d worlds: %d flows judged before and after, %d records added; %d names wait, whose records would hurt %d flows (of those looked at)", *worldCount, flows, added, waiting, late)
	if *worldCount >= 100 && late == 0 {
		t.Error("no name waits for mail that its records would hurt")
	}
}

// withAllNames returns the description of a world with all names of the given zones that it can
// list as names without mail.
func withAllNames(w *worlds.World) *org.Organization {
	o := *w.Org
	o.Names = nil
	seen := make(map[string]bool)
	for rr := range w.Zones().Records() {
		name := rr.Header().Name
		if !seen[name] {
			seen[name] = true
			o.Names = append(o.Names, name)
			if o.Validate() != nil { // it is described as a name with mail
				o.Names = o.Names[:len(o.Names)-1]
			}
		}
	}
	return &o
}

// withWaiting answers with the records of the names that wait, too.
func withWaiting(t *testing.T, before *resolver.Zones, h *harden.Hardening) *resolver.Zones {
	t.Helper()
	later := *h
	for _, n := range h.Waiting {
		later.Names = append(slices.Clip(later.Names), n.Name)
	}
	var text strings.Builder
	for r := range later.Records() {
		fmt.Fprintln(&text, r)
	}
	after, err := before.With(text.String())
	if err != nil {
		t.Fatal(err)
	}
	return after
}
