package flow_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/identity/flow"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/resolver"
)

// aliasedZones returns the text of zones with aliases, DNAMEs, wildcards, delegations and names
// without records, all above, below and beside each other. Each host has an address of its
// own.
func aliasedZones(r *rand.Rand) string {
	labels := []string{"a", "b", "c", "*"}
	name := func(depth int) string {
		var b strings.Builder
		for i := range 1 + r.IntN(depth) {
			label := labels[r.IntN(len(labels))]
			if i > 0 && r.IntN(4) > 0 {
				label = labels[r.IntN(3)]
			}
			b.WriteString(label + ".")
		}
		return b.String() + []string{"x.test.", "x.test.", "y.test.", "c.x.test."}[r.IntN(4)]
	}
	var b strings.Builder
	for _, apex := range []string{"x.test.", "y.test.", "c.x.test.", "."} {
		if apex == "." && r.IntN(2) == 0 || apex == "c.x.test." && r.IntN(2) == 0 {
			continue
		}
		fmt.Fprintf(&b, "%s 300 SOA ns.else.test. h.else.test. 1 1 1 1 60\n%[1]s 300 NS ns.else.test.\n", apex)
	}
	used := make(map[string]bool)
	for i := range 2 + r.IntN(12) {
		owner := name(3)
		if used[owner] {
			continue
		}
		used[owner] = true
		switch r.IntN(8) {
		case 0, 1:
			fmt.Fprintf(&b, "%s 300 CNAME %s\n", owner, name(3))
		case 2:
			if !strings.HasPrefix(owner, "*.") {
				fmt.Fprintf(&b, "%s 300 DNAME %s\n", owner, name(2))
			}
		case 3:
			if !strings.HasPrefix(owner, "*.") {
				fmt.Fprintf(&b, "%s 300 NS ns.else.test.\n", owner)
			}
		default:
			fmt.Fprintf(&b, "%s 300 A 192.0.2.%d\n", owner, i+1)
		}
	}
	return b.String()
}

// chainOf returns a name and the targets of the aliases of an answer for it.
func chainOf(name string, aliases []dns.RR) []string {
	out := []string{name}
	for _, rr := range aliases {
		if cname, ok := rr.(*dns.CNAME); ok {
			out = append(out, dnsname.CanonicalOrEmpty(cname.Target))
		}
	}
	return out
}

// The records at the name that Locate returns are those that DNS answers with.
func TestLocateRandom(t *testing.T) {
	first, answered := rand.Uint64(), 0
	for seed := first; seed != first+3000; seed++ {
		r := rand.New(rand.NewPCG(seed, 0))
		text := aliasedZones(r)
		zones, err := resolver.ParseZones(text)
		if err != nil {
			continue // records below a delegation that are not glue, and the like
		}
		s := read(t, zones.Records(), nil)
		for range 20 {
			name := []string{"a", "b", "c", "new", "*"}[r.IntN(5)] + "." + []string{"", "a.", "b.", "c.", "new.b.", "a.c."}[r.IntN(6)] + []string{"x.test.", "y.test.", "test."}[r.IntN(3)]
			answer, err := zones.Lookup(t.Context(), name, dns.TypeA)
			if err != nil {
				continue // a loop, a delegation to others, or outside the zones
			}
			at := s.Locate(name)
			var want, got []string
			for _, rr := range answer.Records {
				want = append(want, rr.(*dns.A).A.String())
			}
			if n := s.Node(at); n != nil {
				for _, addr := range n.Addrs {
					got = append(got, addr.String())
				}
			}
			if fmt.Sprint(want) != fmt.Sprint(got) {
				t.Fatalf("seed %d: %s: Locate returns %s, which has %s; DNS has %s\n%s", seed, name, at, got, want, text)
			}
			if chain := chainOf(name, answer.Chain); fmt.Sprint(s.Chain(name)) != fmt.Sprint(chain) {
				t.Fatalf("seed %d: Chain returns %s, DNS has %s\n%s", seed, s.Chain(name), chain, text)
			}
			// Without addresses the end of the chain tells.
			if end := len(answer.Chain) - 1; end >= 0 && len(want) == 0 {
				if cname, ok := answer.Chain[end].(*dns.CNAME); ok && !strings.HasPrefix(at, "*.") && dnsname.CanonicalOrEmpty(cname.Target) != at {
					t.Fatalf("seed %d: %s: Locate returns %s; the chain ends with %s\n%s", seed, name, at, cname, text)
				}
			}
			answered += len(want)
		}
	}
	if answered < 1000 {
		t.Errorf("seed %d: %d addresses found: that shows little", first, answered)
	}
	t.Logf("%d addresses found", answered)
}

func TestLocate(t *testing.T) {
	zones, err := resolver.ParseZones(`
$TTL 300
$ORIGIN example.test.
@          SOA ns hostmaster 1 1 1 1 60
@          NS  ns.other.test.
host       A   192.0.2.1
alias      CNAME HOST
chain      CNAME alias
away       CNAME host.elsewhere.test.
xn--bcher-kva CNAME host
loop1      CNAME loop2
loop2      CNAME loop1
*.wild     A   192.0.2.2
x.empty.wild A 192.0.2.3
*.walias   CNAME chain
old        DNAME new
m.new      A   192.0.2.4
below.old  CNAME host
sub        NS  ns.other.test.
www.sub    A   192.0.2.5
$ORIGIN root.test.
@          SOA ns.other.test. hostmaster 1 1 1 1 60
@          DNAME .
`)
	if err != nil {
		t.Fatal(err)
	}
	s := read(t, zones.Records(), nil)
	for name, want := range map[string]string{
		"host.example.test.":               "host.example.test.",
		"alias.example.test.":              "host.example.test.",
		"chain.example.test.":              "host.example.test.",
		"away.example.test.":               "host.elsewhere.test.",
		"xn--bcher-kva.example.test.":      "host.example.test.",
		"a.wild.example.test.":             "*.wild.example.test.",
		"b.a.wild.example.test.":           "*.wild.example.test.",
		"*.wild.example.test.":             "*.wild.example.test.",
		"empty.wild.example.test.":         "empty.wild.example.test.", // RFC 4592, Section 2.2.2
		"y.empty.wild.example.test.":       "y.empty.wild.example.test.",
		"a.walias.example.test.":           "host.example.test.",
		"old.example.test.":                "old.example.test.",
		"m.old.example.test.":              "m.new.example.test.",
		"below.old.example.test.":          "below.new.example.test.", // what is below a DNAME does not count
		"www.sub.example.test.":            "www.sub.example.test.",
		"missing.example.test.":            "missing.example.test.",
		"stranger.test.":                   "stranger.test.",
		"host.example.test.root.test.":     "host.example.test.",
		".":                                ".",
		strings.Repeat("a.", 120) + "old.": strings.Repeat("a.", 120) + "old.",
	} {
		if got := s.Locate(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if got := s.Locate("loop1.example.test."); !strings.HasPrefix(got, "loop") {
		t.Errorf("a loop: %s", got)
	}
}

// The zero Survey knows nothing, and says so.
func TestZeroSurvey(t *testing.T) {
	var s flow.Survey
	for range s.Flows() {
		t.Error("it has a flow")
	}
	for range s.Foreign() {
		t.Error("it has a foreign name")
	}
	const name = "a.test."
	if s.Locate(name) != name || s.At(name) != nil || s.Authorized(name) != nil || s.AtNode(&flow.Node{Name: name}) != nil || s.Node(name) != nil || s.Zones() != nil || s.NotOwned(name) != "" ||
		s.NotInZone(name) != "" || s.NearMiss(name) != "" || s.Described(name) != "" || s.NoMail(name) || s.Clients(flow.Flow{}) != nil {
		t.Error("it knows something")
	}
}
