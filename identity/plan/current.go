package plan

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/resolver"
)

// Published is what is published now. The zero Current knows nothing.
type Published struct {
	sets   map[resolver.Question][]dns.RR // by canonical name
	names  map[string]bool                // that exist in whole zones, also as names between others
	apexes map[string]bool                // of whole zones
	cuts   map[string]bool                // delegations
	asked  map[string]string              // names that were only asked for, and the apex of their zone; "" for those of addresses
	all    []dns.RR                       // of whole zones
}

// FromZones returns what whole zones hold: all of their records, each zone with its SOA,
// as resolver.Zones.Records and a resolver.Transfer that ended without an error have
// them. Never plan upon a part of a zone: what is missing would be planned again.
//
// The error is that of the records.
func FromZones(records iter.Seq2[dns.RR, error]) (*Published, error) {
	c := &Published{
		sets: make(map[resolver.Question][]dns.RR), names: make(map[string]bool),
		apexes: make(map[string]bool), cuts: make(map[string]bool), asked: make(map[string]string),
	}
	for rr, err := range records {
		if err != nil {
			return nil, fmt.Errorf("plan: %w", err)
		}
		c.all = append(c.all, rr)
		name, err := dnsname.Canonical(rr.Header().Name)
		if err != nil {
			continue // no name that a plan could want something of
		}
		switch rr.(type) {
		case *dns.SOA:
			c.apexes[name] = true
		case *dns.NS:
			c.cuts[name] = true
		}
		for at := name; at != "" && !c.names[at]; at = dnsname.Parent(at) {
			c.names[at] = true
		}
		set := resolver.Question{Name: name, Type: rr.Header().Rrtype}
		c.sets[set] = append(c.sets[set], rr)
	}
	for set := range c.sets {
		if _, obstacle := c.zone(set.Name); obstacle != "" {
			delete(c.sets, set) // nobody is answered with it, but as glue
		}
	}
	return c, nil
}

// WithAnswers returns what is known and what a resolver says of the names outside whole zones
// that the plan of an organization is about, among them those of its addresses. It is a
// partial view: a wildcard looks like records of the name, and what else is in the zone
// is not seen. It asks seven questions for each of those names at most, and for each
// label of the names one, resolver.AtOnce at a time.
//
// The error is that of the first question without an answer: upon what is not known
// whole nothing is planned.
func (c *Published) WithAnswers(ctx context.Context, r resolver.Resolver, o *org.Organization) (*Published, error) {
	known := &Published{
		sets: cloned(c.sets), names: cloned(c.names), apexes: cloned(c.apexes),
		cuts: cloned(c.cuts), asked: cloned(c.asked), all: c.all,
	}
	subjects := make(map[resolver.Question]bool) // that the plan is about
	questions := make(map[resolver.Question]bool)
	wanted, _ := Want(o)
	for _, w := range wanted {
		set := setOf(w.RR)
		if apex, _ := c.zone(set.Name); apex != "" {
			continue
		}
		subjects[set], questions[set] = true, true
		if set.Type == dns.TypePTR {
			continue
		}
		// Whether mail goes to the name and comes from it decides on both.
		questions[resolver.Question{Name: set.Name, Type: dns.TypeMX}] = true
		questions[resolver.Question{Name: set.Name, Type: dns.TypeTXT}] = true
		if isExchanger(w.RR) {
			for _, q := range resolver.AddrQuestions(set.Name) {
				questions[q] = true
			}
		}
		// To find the zone. A top-level domain is none: its servers may be others than r.
		for at := set.Name; at == set.Name || dns.CountLabel(at) > 1; at = dnsname.Parent(at) {
			questions[resolver.Question{Name: at, Type: dns.TypeSOA}] = true
		}
	}
	answers, err := lookup(ctx, r, slices.SortedFunc(maps.Keys(questions), compareSets))
	if err != nil {
		return nil, fmt.Errorf("plan: what is published now: %w", err)
	}
	soa := make(map[string]bool)
	for q, a := range answers {
		if q.Type == dns.TypeSOA {
			soa[q.Name] = len(a.Records) > 0 && len(a.Chain) == 0
		} else {
			known.learn(a)
		}
	}
	for set := range subjects {
		name := known.storedAt(set).Name
		known.asked[name] = ""
		for at := name; at != "." && known.asked[name] == ""; at = dnsname.Parent(at) {
			if soa[at] {
				known.asked[name] = at
			}
		}
	}
	return known, nil
}

func cloned[K comparable, V any](m map[K]V) map[K]V {
	if m == nil {
		return make(map[K]V)
	}
	return maps.Clone(m)
}

// lookup asks many questions, resolver.AtOnce at a time, and returns their answers, or why one
// has none.
func lookup(ctx context.Context, r resolver.Resolver, questions []resolver.Question) (map[resolver.Question]resolver.Answer, error) {
	if r == nil {
		return nil, resolver.ErrNoResolver
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	first := resolver.Func(func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
		response := resolver.Ask(ctx, r, name, qtype)
		if response.Err != nil {
			cancel(response.Err) // the first error counts; the other answers are of no use
		}
		return response.Answer, response.Err
	})
	answers := make(map[resolver.Question]resolver.Answer)
	for i, response := range resolver.AskAll(ctx, first, questions...) {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		if response.Err != nil {
			return nil, response.Err
		}
		answers[questions[i]] = response.Answer
	}
	return answers, nil
}

// learn takes in an answer.
func (c *Published) learn(a resolver.Answer) {
	for _, rr := range slices.Concat(a.Chain, a.Records) {
		set := setOf(rr)
		if apex, _ := c.zone(set.Name); apex == "" && !contains(c.sets[set], rr) {
			c.sets[set] = append(slices.Clip(c.sets[set]), rr)
		}
	}
}

// zone returns the apex of the whole zone in which the records of a name stand, "" where
// it is none of those known, or why they cannot stand there.
func (c *Published) zone(name string) (apex, obstacle string) {
	for at := name; at != ""; at = dnsname.Parent(at) {
		switch {
		case c.apexes[at]:
			return at, obstacle
		case c.cuts[at]:
			obstacle = fmt.Sprintf("%s is delegated to a zone that is not here: plan with that zone, too", at)
		case at != name && len(c.sets[resolver.Question{Name: at, Type: dns.TypeDNAME}]) > 0:
			// RFC 6672, Section 2.4: nothing stands below a DNAME.
			obstacle = fmt.Sprintf("all names below %s are redirected by its DNAME record", at)
		}
	}
	return "", ""
}

// wildcard returns the wildcard that answers for a name of a whole zone which does not
// exist, "" for one that does (RFC 4592, Section 3.3.1).
func (c *Published) wildcard(name string) string {
	encloser := name
	for encloser != "" && !c.names[encloser] {
		encloser = dnsname.Parent(encloser)
	}
	if encloser == name || encloser == "" {
		return ""
	}
	return "*." + encloser
}

// storedAt returns where an RRset stands: the name of an address may be an alias into a
// zone of the address's user (RFC 2317, Section 4).
func (c *Published) storedAt(set resolver.Question) resolver.Question {
	for range 8 { // a loop ends as an alias
		if target := c.alias(set.Name); target != "" && set.Type == dns.TypePTR {
			set.Name = target
		}
	}
	return set
}

// alias returns the target of a name's CNAME record, "" for none.
func (c *Published) alias(name string) string {
	for _, rr := range c.sets[resolver.Question{Name: name, Type: dns.TypeCNAME}] {
		if cname, ok := rr.(*dns.CNAME); ok {
			return dnsname.CanonicalOrEmpty(cname.Target)
		}
	}
	return ""
}

// Overlay returns the DNS as it will be after changes: the whole zones with theirs,
// and the others as a patch, which is a partial view. The error says why a server would
// not load one of the zones.
func (c *Published) Overlay(live resolver.Resolver, changes []Change) (*resolver.Overlay, error) {
	o := &resolver.Overlay{Base: live}
	if len(c.apexes) > 0 {
		var text strings.Builder
		for _, rr := range Apply(c.all, changes) {
			text.WriteString(rr.String() + "\n")
		}
		zones, err := resolver.ParseZones(text.String())
		if err != nil {
			return nil, fmt.Errorf("plan: the zones as they will be: %w", err)
		}
		o.Zones = zones
	}
	patched := make(map[resolver.Question][]dns.RR) // the last change counts
	for _, ch := range changes {
		if !c.apexes[ch.Zone] {
			patched[resolver.Question{Name: ch.Name, Type: ch.Type}] = ch.After
		}
	}
	for set, after := range patched {
		o.Patch.Replace = append(o.Patch.Replace, after...)
		if len(after) == 0 {
			o.Patch.Remove = append(o.Patch.Remove, set)
		}
	}
	return o, nil
}

// Apply returns the records of zones as they are after changes of these zones; others are
// left out. The serial number of a zone that changes goes up by one. New RRsets come last.
func Apply(records []dns.RR, changes []Change) []dns.RR {
	apexes := make(map[string]bool)
	for _, rr := range records {
		if _, ok := rr.(*dns.SOA); ok {
			apexes[dnsname.CanonicalOrEmpty(rr.Header().Name)] = true
		}
	}
	after := make(map[resolver.Question][]dns.RR)
	var order []resolver.Question
	touched := make(map[string]bool)
	for _, c := range changes {
		if !apexes[c.Zone] {
			continue
		}
		set := resolver.Question{Name: c.Name, Type: c.Type}
		if _, ok := after[set]; !ok {
			order = append(order, set)
		}
		after[set], touched[c.Zone] = c.After, true
	}
	var out []dns.RR
	for _, rr := range records {
		set := setOf(rr)
		if now, ok := after[set]; ok {
			if !contains(now, rr) {
				continue
			}
			after[set] = without(now, []dns.RR{rr})
		}
		if soa, ok := rr.(*dns.SOA); ok && touched[set.Name] {
			next := *soa
			next.Serial++ // RFC 1982, Section 3.1: it wraps
			rr = &next
		}
		out = append(out, rr)
	}
	for _, set := range order {
		out = append(out, after[set]...)
	}
	return out
}
