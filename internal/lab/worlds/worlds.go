// Package worlds makes organizations with zones as real ones are, and knows the mail of each:
// aliases and chains of them, wildcards, DNAMEs, delegations, empty non-terminals, one-box
// sites, load balancers, exchangers that nobody described, policies by every SPF mechanism,
// providers, RFC 2317 zones, parked domains. Tests that change zones ask [World.Judge] and [Baseline.Hurt] whether
// a mail flow got worse.
package worlds

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"

	"github.com/bonafide-mta/bonafide/identity/flow"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/resolver"
)

// A World is an organization, its zones and those of others, and the mail that there is.
type World struct {
	Seed   uint64
	Given  string             // zone text: the zones that the organization writes
	Others string             // zone text: all other zones, down from the root
	Org    *org.Organization  // a right description, of some of the servers; Names lists some of Silent
	Seen   []flow.Observation // what its servers were observed to say in HELO
	Flows  []Flow             // of clients
	Routes []Route            // of mail to the organization
	// Silent are names with an address that no mail has to do with, and that nothing in the
	// zones ties to mail: hardening must reach each of them.
	Silent []string
}

// A Source is what has to be read to know a flow. The zero Source is invalid.
type Source uint8

// The sources.
const (
	_           Source = iota
	ByZones            // the given zones show it
	ByOrg              // only the description shows it
	ByObserving        // only the observations show it
)

// A Flow is a client that sends mail.
type Flow struct {
	Addr   netip.Addr // where it connects from
	Helo   string     // what it says in HELO
	Sender string     // the address of MAIL FROM
	Source Source
}

// String returns what a log would say about the client.
func (f Flow) String() string { return fmt.Sprintf("%s helo=%s from=<%s>", f.Addr, f.Helo, f.Sender) }

// A Route is where mail for a domain goes.
type Route struct {
	Domain string // canonical
	Host   string // canonical: as in the MX record, or Domain if it has none
	Source Source
}

// Make returns the world of a seed. The same seed makes the same world.
func Make(seed uint64) *World {
	g := &generator{
		Rand: rand.New(rand.NewPCG(seed, 0x776f726c6473)), world: &World{Seed: seed}, given: make(map[string][]string), others: make(map[string][]string),
		silent: make(map[string]bool),
	}
	g.organization()
	w := g.world
	w.Given, w.Others = zoneText(g.given), zoneText(g.others)
	if _, err := w.resolver(); err != nil {
		panic(fmt.Sprintf("worlds: seed %d: %v\n%s%s", seed, err, w.Given, w.Others))
	}
	if err := w.Org.Validate(); err != nil {
		panic(fmt.Sprintf("worlds: seed %d: %v", seed, err))
	}
	return w
}

// Zones returns the given zones.
func (w *World) Zones() *resolver.Zones {
	zones, err := resolver.ParseZones(w.Given)
	if err != nil {
		panic(err) // Make has parsed them
	}
	return zones
}

// Resolver answers from all zones.
func (w *World) Resolver() *resolver.Zones {
	zones, _ := w.resolver()
	return zones
}

func (w *World) resolver() (*resolver.Zones, error) { return resolver.ParseZones(w.Given + w.Others) }

// Sample returns at most n flows of one of some sources, chosen by the seed, every one of them
// if there are fewer.
func (w *World) Sample(n int, sources ...Source) []Flow {
	var out []Flow
	for _, f := range w.Flows {
		if slices.Contains(sources, f.Source) {
			out = append(out, f)
		}
	}
	r := rand.New(rand.NewPCG(w.Seed, 1))
	r.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out[:min(n, len(out))]
}

// String returns all that a failing test should print.
func (w *World) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "; world %d: the zones of %s\n%s; the zones of others\n%s", w.Seed, w.Org.Domain, w.Given, w.Others)
	for _, m := range w.Org.MTAs {
		fmt.Fprintf(&b, "; described: %s %s helo=%s ptr=%s\n", m.ID, m.Addresses, m.Helo, m.PTR)
	}
	for _, f := range w.Flows {
		fmt.Fprintf(&b, "; flow: %s (source %d)\n", f, f.Source)
	}
	return b.String()
}
