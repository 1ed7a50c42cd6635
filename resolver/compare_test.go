package resolver_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/resolver"
)

// A peer is an authoritative server to compare ServeDNS with.
type peer struct {
	name string
	// dial returns what asks it, for one goroutine.
	dial func(t *testing.T) func(q *dns.Msg) (*dns.Msg, error)
	// deviations are what it is known to do in its own way. They are applied to
	// our answer, one after the other, before it is compared.
	deviations []deviation
}

// A deviation is a rule by which a server answers otherwise than we do.
type deviation struct {
	name, reason string
	// apply changes our answer into the server's, and reports whether it had to.
	apply func(c *corpus, q genQuestion, m *dns.Msg) bool
}

// A corpus is random zones, as text and as what is to be tested.
type corpus struct {
	seed  uint64
	gen   []genZone
	zones *resolver.Zones
}

func newCorpus(t *testing.T, seed uint64, n int) *corpus {
	t.Helper()
	c := &corpus{seed: seed, gen: generateZones(seed, n)}
	for _, zone := range c.gen {
		for owner := range zone.owners {
			if canonical, _ := resolver.Canonical(owner); owner != canonical {
				t.Fatalf("the generator's name %s is not in canonical form", owner)
			}
		}
	}
	c.parse(t)
	return c
}

// parse reads each zone by itself, as a server does: what the text of a parent
// says about names in a child zone is the parent's.
func (c *corpus) parse(t *testing.T) {
	t.Helper()
	var parts []*resolver.Zones
	for _, zone := range c.gen {
		part, err := resolver.ReadZone(zone.apex, "", strings.NewReader(zone.text))
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", c.seed, err, zone.text)
		}
		parts = append(parts, part)
	}
	var err error
	if c.zones, err = resolver.MergeZones(parts...); err != nil {
		t.Fatalf("seed %d: %v", c.seed, err)
	}
}

// serve is what ServeDNS answers over TCP, after the wire.
func (c *corpus) serve(q *dns.Msg) *dns.Msg { return c.record(q).msg }

func (c *corpus) record(q *dns.Msg) *recorder {
	w := &recorder{remote: tcp}
	c.zones.ServeDNS(w, q)
	return w
}

func (q genQuestion) String() string { return q.name + " " + resolver.TypeString(q.qtype) }

// query is the question as a message that asks for the zone's own answer.
func (q genQuestion) query() *dns.Msg {
	m := new(dns.Msg).SetQuestion(q.name, q.qtype)
	m.RecursionDesired = false
	m.SetEdns0(1232, false)
	return m
}

// A tally counts what was compared.
type tally struct {
	questions int
	classes   map[string]int
	deviated  map[string]int // by peer and name of the deviation
	different map[string]int // by peer
	shown     []string       // the first of the differences, in full
}

// maxShown is how many differences are shown in full.
const maxShown = 5

func newTally() *tally {
	return &tally{classes: make(map[string]int), deviated: make(map[string]int), different: make(map[string]int)}
}

func (a *tally) differ(peer, text string) {
	a.different[peer]++
	a.shown = append(a.shown, text)
	a.shown = a.shown[:min(len(a.shown), maxShown)]
}

func (a *tally) add(b *tally) {
	a.questions += b.questions
	for _, m := range []struct{ to, from map[string]int }{
		{a.classes, b.classes}, {a.deviated, b.deviated}, {a.different, b.different},
	} {
		for key, n := range m.from {
			m.to[key] += n
		}
	}
	a.shown = append(a.shown, b.shown...)
	a.shown = a.shown[:min(len(a.shown), maxShown)]
}

// report is the mix of the questions, and what came of them.
func (a *tally) report(c *corpus, classes []string, peers ...peer) string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d: %d questions about %d zones\n", c.seed, a.questions, len(c.gen))
	for _, class := range classes {
		fmt.Fprintf(&b, "%7d  %5.2f %%  %s\n", a.classes[class], a.percent(class), class)
	}
	for _, p := range peers {
		fmt.Fprintf(&b, "%s: %d unexplained differences\n", p.name, a.different[p.name])
		for _, d := range p.deviations {
			fmt.Fprintf(&b, "%7d  %s: %s\n", a.deviated[p.name+d.name], d.name, d.reason)
		}
	}
	return b.String()
}

func (a *tally) percent(class string) float64 {
	return 100 * float64(a.classes[class]) / float64(a.questions)
}

// inParallel does n pieces of work in a few goroutines, each with its own random
// numbers and its own tally.
func (c *corpus) inParallel(n int, work func(r *rand.Rand, tally *tally, n int)) *tally {
	const workers = 8 // on any machine, so that a seed makes the same questions
	tallies := make([]*tally, workers)
	var wg sync.WaitGroup
	for i := range tallies {
		share := n / workers
		if i < n%workers {
			share++
		}
		tallies[i] = newTally()
		wg.Go(func() { work(rand.New(rand.NewPCG(c.seed, uint64(i)+1)), tallies[i], share) })
	}
	wg.Wait()
	for _, part := range tallies[1:] {
		tallies[0].add(part)
	}
	return tallies[0]
}

// compare puts n random questions to ServeDNS and to each peer.
func (c *corpus) compare(t *testing.T, n int, peers ...peer) *tally {
	t.Helper()
	return c.inParallel(n, func(r *rand.Rand, tally *tally, n int) {
		asks := make([]func(*dns.Msg) (*dns.Msg, error), len(peers))
		for i, p := range peers {
			asks[i] = p.dial(t)
		}
		for range n {
			q := c.question(r)
			query := q.query()
			w := c.record(query)
			tally.questions++
			for _, class := range classify(q, w) {
				tally.classes[class]++
			}
			for i, p := range peers {
				theirs, err := asks[i](query)
				if err != nil {
					t.Errorf("seed %d: %s: %s: %v", c.seed, p.name, q, err)
					return
				}
				want := w.msg.Copy()
				for _, d := range p.deviations {
					if d.apply(c, q, want) {
						tally.deviated[p.name+d.name]++
					}
				}
				// Knot repeats the records of a loop.
				theirs.Answer = addNew(nil, theirs.Answer)
				if want, got := describe(want), describe(theirs); want != got {
					tally.differ(p.name, fmt.Sprintf("seed %d: %s: %s: we say %sit says %s", c.seed, p.name, q, want, got))
				}
			}
		}
	})
}

func (c *corpus) question(r *rand.Rand) genQuestion { return c.gen[r.IntN(len(c.gen))].question(r) }

// describe writes down what two authoritative servers must agree on: the code,
// AA, and the records of answer and authority, their names in lower case, in no
// order. Of the additional section only the addresses of a referral count: what
// else stands there is up to the server.
func describe(m *dns.Msg) string {
	var b strings.Builder
	b.WriteString(dns.RcodeToString[m.Rcode])
	if m.Authoritative {
		b.WriteString(" AA")
	}
	b.WriteByte('\n')
	section := func(name string, records []dns.RR) {
		lines := make([]string, 0, len(records))
		for _, rr := range records {
			lines = append(lines, recordText(rr))
		}
		slices.Sort(lines)
		for _, line := range lines {
			fmt.Fprintf(&b, "  %s: %s\n", name, line)
		}
	}
	section("answer", m.Answer)
	section("authority", m.Ns)
	if !m.Authoritative {
		section("glue", slices.DeleteFunc(slices.Clone(m.Extra), func(rr dns.RR) bool {
			return rr.Header().Rrtype == dns.TypeOPT
		}))
	}
	return b.String()
}

// recordText is a record as zone text with its names in lower case. The text of
// a TXT record is kept as it is.
func recordText(rr dns.RR) string {
	h := rr.Header()
	data := strings.TrimPrefix(rr.String(), h.String())
	if h.Rrtype != dns.TypeTXT {
		data = strings.ToLower(data)
	}
	return fmt.Sprintf("%s %d %s %s", strings.ToLower(h.Name), h.Ttl, resolver.TypeString(h.Rrtype), data)
}

// addNew adds the records that a section does not hold yet: a set has no
// duplicates (RFC 2181, Section 5).
func addNew(section, records []dns.RR) []dns.RR {
	known := make(map[string]bool)
	for _, rr := range section {
		known[recordText(rr)] = true
	}
	for _, rr := range records {
		if text := recordText(rr); !known[text] {
			known[text] = true
			section = append(section, rr)
		}
	}
	return section
}

// The classes of answers. One answer can be in several.
const (
	classPositive  = "positive"
	classNoData    = "NODATA"
	classENT       = "NODATA of an empty non-terminal"
	classNXDomain  = "NXDOMAIN"
	classWildcard  = "wildcard"
	classCNAME     = "CNAME"
	classLong      = "chain of 4 or more aliases"
	classLoop      = "loop"
	classOut       = "alias out of the zone"
	classDNAME     = "DNAME"
	classTooLong   = "YXDOMAIN"
	classReferral  = "referral"
	classRefused   = "REFUSED"
	classEscaped   = "escaped label"
	classMixedCase = "mixed case"
	classLarge     = "too large for UDP"
)

var allClasses = []string{
	classPositive, classNoData, classENT, classNXDomain, classWildcard, classCNAME, classLong, classLoop, classOut, classDNAME,
	classTooLong, classReferral, classRefused, classEscaped, classMixedCase, classLarge,
}

// classify says which classes our answer to a question is in. What the zone has
// is taken from its generator, not from the code under test.
func classify(q genQuestion, w *recorder) []string {
	m := w.msg
	name, _ := resolver.Canonical(q.name)
	dname, final := false, false
	for _, rr := range m.Answer {
		dname = dname || rr.Header().Rrtype == dns.TypeDNAME && q.qtype != dns.TypeDNAME
		final = final || rr.Header().Rrtype == q.qtype
	}
	hops, end, loop := chainOf(q, m)
	_, explicit := q.zone.owners[name]
	synthesized := len(m.Answer) > 0 && !explicit && m.Answer[0].Header().Rrtype != dns.TypeDNAME
	soa := slices.ContainsFunc(m.Ns, func(rr dns.RR) bool { return rr.Header().Rrtype == dns.TypeSOA })
	noData := m.Rcode == dns.RcodeSuccess && soa
	var classes []string
	for _, class := range []struct {
		name string
		is   bool
	}{
		{classPositive, final},
		{classNoData, noData},
		{classENT, noData && len(hops) == 0 && !explicit && q.zone.hasBelow(name)},
		{classNXDomain, m.Rcode == dns.RcodeNameError},
		{classWildcard, synthesized},
		{classCNAME, len(hops) > 0 && !dname},
		{classLong, len(hops) >= 4},
		{classLoop, loop},
		{classOut, len(hops) > 0 && !dnsname.Under(end, q.zone.apex)},
		{classDNAME, dname},
		{classTooLong, m.Rcode == dns.RcodeYXDomain},
		{classReferral, m.Rcode == dns.RcodeSuccess && !soa && len(m.Ns) > 0},
		{classRefused, m.Rcode == dns.RcodeRefused},
		{classEscaped, strings.Contains(name, `\`)},
		{classMixedCase, q.name != name},
		{classLarge, w.size > 1232},
	} {
		if class.is {
			classes = append(classes, class.name)
		}
	}
	return classes
}

// chainOf returns where the CNAME records of our answer stand, made by a DNAME
// or not, where they lead, and whether that is where they have been.
func chainOf(q genQuestion, m *dns.Msg) (at []int, end string, loop bool) {
	end, _ = resolver.Canonical(q.name)
	if q.qtype == dns.TypeCNAME {
		return nil, end, false
	}
	passed := map[string]bool{end: true}
	for i, rr := range m.Answer { // ours is in order
		if cname, ok := rr.(*dns.CNAME); ok {
			at = append(at, i)
			end, _ = resolver.Canonical(cname.Target)
			loop = passed[end]
			passed[end] = true
		}
	}
	return at, end, loop
}

// hasBelow reports whether the zone has records below a name.
func (z *genZone) hasBelow(name string) bool {
	for owner := range z.owners {
		if owner != name && dnsname.Under(owner, name) {
			return true
		}
	}
	return false
}

// The comparison finds an error that is planted: without this, a comparison that
// looks at nothing would pass.
func TestCompareFindsPlantedError(t *testing.T) {
	c := newCorpus(t, 1, 40)
	honest := peer{name: "honest", dial: func(*testing.T) func(*dns.Msg) (*dns.Msg, error) {
		return func(q *dns.Msg) (*dns.Msg, error) { return c.serve(q), nil }
	}}
	// Many servers, and every map, hold an empty non-terminal for nothing.
	ents := make(map[string]bool)
	for _, zone := range c.gen {
		for _, name := range zone.names {
			if _, ok := zone.owners[name]; !ok && zone.hasBelow(name) {
				ents[name] = true
			}
		}
	}
	var errors atomic.Int64
	planted := peer{name: "planted", dial: func(*testing.T) func(*dns.Msg) (*dns.Msg, error) {
		return func(q *dns.Msg) (*dns.Msg, error) {
			m := c.serve(q)
			if name, _ := resolver.Canonical(q.Question[0].Name); ents[name] && m.Authoritative && len(m.Answer) == 0 {
				m.Rcode = dns.RcodeNameError
				errors.Add(1)
			}
			return m, nil
		}
	}}
	tally := c.compare(t, 5000, honest, planted)
	t.Log(tally.report(c, allClasses, honest, planted))
	found := tally.different["planted"]
	if found == 0 || int64(found) != errors.Load() {
		t.Errorf("seed %d: %d differences found, %d planted", c.seed, found, errors.Load())
	}
	if n := tally.different["honest"]; n > 0 {
		t.Errorf("seed %d: %d differences from itself", c.seed, n)
	}
}
