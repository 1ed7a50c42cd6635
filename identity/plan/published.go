package plan

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/csa"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/txt"
	"github.com/bonafide-mta/bonafide/resolver"
)

// Published is what is published now: records of whole zones ([FromZones]) and answers of
// a resolver ([Published.WithAnswers]). The zero Published knows nothing.
type Published struct {
	sets   map[resolver.Question][]dns.RR // RRsets, by canonical name
	names  map[string]bool                // that exist in whole zones, empty non-terminals too
	apexes map[string]bool                // of whole zones
	cuts   map[string]bool                // names with NS records
	asked  map[string]string              // names outside whole zones that were asked for, and the apex of their zone; "" if not known
	all    []dns.RR                       // of whole zones
	// wildcards has the types of the RRsets at each wildcard: of whole zones, and of those that
	// answered with an alias.
	wildcards map[string][]uint16
	// unanswered has the names that a question without an answer was about, and why it has none.
	unanswered map[string]string
	hosts      map[resolver.Question]bool // questions for addresses of hosts outside whole zones that have an answer
}

// FromZones reads whole zones: all of their records, each zone with its SOA record, as
// resolver.Zones.Records and resolver.Transfer yield them. Do not plan with a part of a
// zone: records that are missing would be planned again.
//
// The error is the first of records.
func FromZones(records iter.Seq2[dns.RR, error]) (*Published, error) {
	pub := &Published{
		sets: make(map[resolver.Question][]dns.RR), names: make(map[string]bool),
		apexes: make(map[string]bool), cuts: make(map[string]bool), asked: make(map[string]string), wildcards: make(map[string][]uint16),
	}
	for rr, err := range records {
		if err != nil {
			return nil, fmt.Errorf("plan: %w", err)
		}
		pub.all = append(pub.all, rr)
		name, err := dnsname.Canonical(rr.Header().Name)
		if err != nil {
			continue // a plan wants nothing at such a name
		}
		switch rr.(type) {
		case *dns.SOA:
			pub.apexes[name] = true
		case *dns.NS:
			pub.cuts[name] = true
		}
		for at := name; at != "" && !pub.names[at]; at = dnsname.Parent(at) {
			pub.names[at] = true
		}
		set := resolver.Question{Name: name, Type: rr.Header().Rrtype}
		pub.sets[set] = append(pub.sets[set], rr)
	}
	for set := range pub.sets {
		if _, obstacle := pub.zoneOf(set.Name); obstacle != "" {
			delete(pub.sets, set) // below a delegation: at most glue
		} else if strings.HasPrefix(set.Name, "*.") {
			pub.wildcards[set.Name] = append(pub.wildcards[set.Name], set.Type)
		}
	}
	return pub, nil
}

// zoneOf returns the apex of the whole zone that has the records of a name, "" if none of
// those known does. The obstacle is why the zone cannot have them, "" if it can.
func (pub *Published) zoneOf(name string) (apex, obstacle string) {
	for at := name; at != ""; at = dnsname.Parent(at) {
		switch {
		case pub.apexes[at]:
			return at, obstacle
		case pub.cuts[at]:
			obstacle = fmt.Sprintf("%s is delegated to another zone: plan with that zone, too", at)
		case at != name && len(pub.sets[resolver.Question{Name: at, Type: dns.TypeDNAME}]) > 0:
			// RFC 6672, Section 2.4: no records exist below a DNAME.
			obstacle = fmt.Sprintf("all names below %s are redirected by its DNAME record", at)
		}
	}
	return "", ""
}

// wildcardFor returns the wildcard that would answer for a name of a whole zone which does
// not exist, "" for a name that exists (RFC 4592, Section 3.3.1).
func (pub *Published) wildcardFor(name string) string {
	encloser := name
	for encloser != "" && !pub.names[encloser] {
		encloser = dnsname.Parent(encloser)
	}
	if encloser == name || encloser == "" {
		return ""
	}
	return "*." + encloser
}

// storedAt returns the RRset that has the records: the reverse name of an address may be an
// alias into a zone of the user of the address (RFC 2317, Section 4).
func (pub *Published) storedAt(set resolver.Question) resolver.Question {
	for range 8 { // a loop ends as an alias
		if target := pub.aliasTarget(set.Name); target != "" && set.Type == dns.TypePTR {
			set.Name = target
		}
	}
	return set
}

// end returns the last target of a name's aliases, the name itself if it is none. A loop ends
// at an alias.
func (pub *Published) end(name string) string {
	for range 8 {
		name = cmp.Or(pub.aliasTarget(name), name)
	}
	return name
}

// aliasTarget returns the target of a name's CNAME record, "" for none.
func (pub *Published) aliasTarget(name string) string {
	for _, rr := range pub.sets[resolver.Question{Name: name, Type: dns.TypeCNAME}] {
		if target := aliasOf(rr); target != "" {
			return target
		}
	}
	return ""
}

// after returns what is published after changes. The error says what is wrong with a zone.
func (pub *Published) after(changes []Change) (*Published, error) {
	after, err := FromZones(resolver.SeqOf(Apply(pub.all, changes)...))
	if err != nil {
		return nil, err
	}
	for set, records := range pub.sets {
		if apex, _ := pub.zoneOf(set.Name); apex == "" {
			after.sets[set] = records
		}
	}
	for _, c := range changes {
		if !pub.apexes[c.Zone] {
			after.sets[resolver.Question{Name: c.Name, Type: c.Type}] = c.After
		}
	}
	for wildcard, types := range pub.wildcards {
		if apex, _ := pub.zoneOf(wildcard); apex != "" {
			continue // FromZones has them
		}
		after.wildcards[wildcard], after.names[wildcard], after.names[dnsname.Parent(wildcard)] = types, true, true
		for _, c := range changes { // what exists now, no wildcard answers for (RFC 4592, Section 2.2.1)
			for at := c.Name; len(c.After) > 0 && at != "" && !after.names[at] && dnsname.Under(at, dnsname.Parent(wildcard)); at = dnsname.Parent(at) {
				after.names[at] = true
			}
		}
	}
	after.asked, after.unanswered = pub.asked, pub.unanswered
	return after, nil
}

// Overlay returns the DNS as it will be after changes: the whole zones with their changes,
// and changes of other zones as a patch of live, which is a partial view. The error says
// why a server would not load one of the zones.
func (pub *Published) Overlay(live resolver.Resolver, changes []Change) (*resolver.Overlay, error) {
	o := &resolver.Overlay{Base: live}
	if len(pub.apexes) > 0 {
		var text strings.Builder
		for _, rr := range Apply(pub.all, changes) {
			text.WriteString(txt.Record(rr) + "\n")
		}
		zones, err := resolver.ParseZones(text.String())
		if err != nil {
			return nil, fmt.Errorf("plan: the zones as they will be: %w", err)
		}
		o.Zones = zones
	}
	patched := make(map[resolver.Question][]dns.RR) // the last change of an RRset counts
	for _, ch := range changes {
		if !pub.apexes[ch.Zone] {
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

// Apply returns the records of zones after the changes of these zones; changes of other
// zones are left out. It raises the serial number of a zone that changes by one. New
// RRsets come last.
func Apply(records []dns.RR, changes []Change) []dns.RR {
	apexes := make(map[string]bool)
	for _, rr := range records {
		if _, ok := rr.(*dns.SOA); ok {
			apexes[dnsname.CanonicalOrEmpty(rr.Header().Name)] = true
		}
	}
	after := make(map[resolver.Question][]dns.RR)
	left := make(map[resolver.Question]map[string]bool) // the data of after that did not come yet
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
		after[set], left[set], touched[c.Zone] = c.After, dataOf(c.After), true
	}
	var out []dns.RR
	for _, rr := range records {
		set := setOf(rr)
		if left[set] != nil {
			key := txt.LooseKey(rr)
			if !left[set][key] {
				continue
			}
			delete(left[set], key)
		}
		if soa, ok := rr.(*dns.SOA); ok && touched[set.Name] {
			next := *soa
			next.Serial++ // RFC 1982, Section 3.1: it wraps
			rr = &next
		}
		out = append(out, rr)
	}
	for _, set := range order {
		for _, rr := range after[set] {
			if left[set][txt.LooseKey(rr)] {
				out = append(out, rr)
			}
		}
	}
	return out
}

// hasPolicyAbove reports whether the CSA policy of a parent denies a name that has no record of
// its own.
func (pub *Published) hasPolicyAbove(name string) bool {
	return slices.ContainsFunc(csa.Parents(name), func(parent string) bool {
		return slices.ContainsFunc(pub.csaRecords(parent), csa.RequiresExplicit)
	})
}

// csaRecords returns the CSA records of a name.
func (pub *Published) csaRecords(name string) []*dns.SRV {
	return resolver.Records[*dns.SRV](resolver.Answer{Records: pub.sets[resolver.Question{Name: csa.Owner(name), Type: dns.TypeSRV}]})
}

// whyUnknown returns why it is not known what is at a name, "" if it is.
func (pub *Published) whyUnknown(name string) string {
	if host, ok := csa.NameOf(name); ok && pub.unanswered[name] == "" {
		name = host
	}
	if cause := pub.unanswered[name]; cause != "" {
		return "what is there is not known: " + cause
	}
	return ""
}
