package plan

import (
	"fmt"
	"iter"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/resolver"
)

// Current is what zones hold now. The zero Current knows no zone.
type Current struct {
	sets   map[resolver.RRset][]dns.RR // by canonical name
	apexes map[string]bool
	cuts   map[string]bool // delegations
}

// Whole returns what whole zones hold: all of their records, each zone with its SOA,
// as resolver.Zones.Records and a resolver.Transfer that ended without an error have
// them. Never plan upon a part of a zone: what is missing would be planned again.
func Whole(records iter.Seq[dns.RR]) *Current {
	c := &Current{make(map[resolver.RRset][]dns.RR), make(map[string]bool), make(map[string]bool)}
	for rr := range records {
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
		set := resolver.RRset{Name: name, Type: rr.Header().Rrtype}
		c.sets[set] = append(c.sets[set], rr)
	}
	return c
}

// zone returns the apex of the zone in which the records of a name stand, "" where it
// is none of those known, or why they cannot stand there.
func (c *Current) zone(name string) (apex, obstacle string) {
	for at := name; at != ""; at = dnsname.Parent(at) {
		switch {
		case c.apexes[at]:
			return at, obstacle
		case c.cuts[at]:
			obstacle = fmt.Sprintf("%s is delegated to a zone that is not here: plan with that zone, too", at)
		case at != name && len(c.sets[resolver.RRset{Name: at, Type: dns.TypeDNAME}]) > 0:
			// RFC 6672, Section 2.4: nothing stands below a DNAME.
			obstacle = fmt.Sprintf("all names below %s are redirected by its DNAME record", at)
		}
	}
	return "", ""
}

// home returns where an RRset stands: the name of an address may be an alias into a
// zone of the address's user (RFC 2317, Section 4).
func (c *Current) home(set resolver.RRset) resolver.RRset {
	for range 8 { // a loop ends as an alias
		if target := c.alias(set.Name); target != "" && set.Type == dns.TypePTR {
			set.Name = target
		}
	}
	return set
}

// alias returns the target of a name's CNAME record, "" for none.
func (c *Current) alias(name string) string {
	for _, rr := range c.sets[resolver.RRset{Name: name, Type: dns.TypeCNAME}] {
		if cname, ok := rr.(*dns.CNAME); ok {
			target, _ := dnsname.Canonical(cname.Target)
			return target
		}
	}
	return ""
}
