package resolver

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
)

// zones builds the zones of what was read.
func (z *zoneReader) zones() (*Zones, error) {
	z.seen = nil // of no more use, and as large as the records
	zones := make(map[string]*zone)
	for _, r := range z.records {
		if _, ok := r.rr.(*dns.SOA); ok {
			apex := r.rr.Header().Name
			zones[apex] = z.newZone(apex)
		}
	}
	for apex := range z.before {
		if apex != "." { // which takes no records of other zones, as below
			zones[apex] = z.newZone(apex)
		}
	}
	// The shallow origins first, so that a deeper one finds the zone it is in.
	// The root is no such zone: it is there to say NXDOMAIN.
	for _, origin := range z.zoneOrigins(zones) {
		if in := enclosing(zones, origin); in == nil || in.apex == "." && origin != "." {
			zones[origin] = z.newZone(origin)
		}
	}
	if len(zones) == 0 && len(z.problems) == 0 {
		z.fail(0, "%s", z.noZone())
	}
	for _, r := range z.records {
		z.place(zones, r)
	}
	for _, apex := range slices.Sorted(maps.Keys(zones)) {
		zones[apex].finish(z)
	}
	slices.SortStableFunc(z.problems, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	slices.SortStableFunc(z.warnings, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Text, b.Text))
	})
	if err := asZoneError(z.problems); err != nil {
		return nil, err
	}
	return newZones(zones, z.warnings), nil
}

func newZones(zones map[string]*zone, warnings []Problem) *Zones {
	names := make(map[string]*node)
	for _, in := range zones {
		if len(zones) == 1 { // as most are, and there may be a million names
			return &Zones{zones, in.nodes, warnings}
		}
		for name, n := range in.nodes {
			if enclosing(zones, name) == in {
				names[name] = n
			}
		}
	}
	return &Zones{zones, names, warnings}
}

// zoneOrigins returns the origins that are zones, the shorter first: those of
// records that no SOA is above, and those that stand alone. One that only serves
// to write a SOA's owner, as in the files that named writes, is none.
func (z *zoneReader) zoneOrigins(withSOA map[string]*zone) []string {
	var names []string
	for i, origin := range z.origins {
		if !z.used[i] {
			names = append(names, origin)
		}
	}
	for _, r := range z.records {
		if r.origin >= 0 && enclosing(withSOA, r.rr.Header().Name) == nil {
			names = append(names, z.origins[r.origin])
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(dns.CountLabel(a), dns.CountLabel(b)), cmp.Compare(a, b))
	})
	return slices.Compact(names)
}

// noZone says which line to add to a text that has neither SOA nor $ORIGIN.
func (z *zoneReader) noZone() string {
	if len(z.records) == 0 {
		return "no zone: neither a record nor an $ORIGIN"
	}
	name := z.records[0].rr.Header().Name
	if org := dnsname.Organisational(name); org != "" {
		name = org
	}
	return fmt.Sprintf("no zone: the text has neither a SOA record nor an $ORIGIN; add the line $ORIGIN %s above the records", name)
}

func (z *zoneReader) newZone(apex string) *zone {
	in := &zone{apex: apex, source: cmp.Or(z.before[apex], z.file, "zone "+apex), nodes: make(map[string]*node)}
	in.node(apex)
	return in
}

// node returns the node of name, and makes it and the empty non-terminals above
// it where they are missing.
func (z *zone) node(name string) *node {
	if n := z.nodes[name]; n != nil {
		return n
	}
	n := &node{name: name, zone: z}
	z.nodes[name] = n
	if name != z.apex {
		n.parent = z.node(dnsname.Parent(name))
		if strings.HasPrefix(name, "*.") {
			n.parent.wild = n
		}
	}
	return n
}

// enclosing returns the deepest zone that name is in, or nil.
func enclosing(zones map[string]*zone, name string) *zone {
	for ; name != ""; name = dnsname.Parent(name) {
		if z, ok := zones[name]; ok {
			return z
		}
	}
	return nil
}

// place puts a record that was read into the deepest zone that its owner is in.
func (z *zoneReader) place(zones map[string]*zone, r zoneRecord) {
	h := r.rr.Header()
	in := enclosing(zones, h.Name)
	if h.Rrtype == dns.TypeDS && in != nil && in.apex == h.Name {
		// The parent side speaks for DS (RFC 4035, Section 2.4).
		if parent := enclosing(zones, dnsname.Parent(h.Name)); parent != nil {
			in = parent
		}
	}
	if r.line == 0 { // of a zone that was there before: it keeps what it has
		in = zones[z.origins[r.origin]]
	}
	if in == nil {
		if len(zones) > 0 {
			z.fail(r.line, "%s lies in no zone of this text: put it under an $ORIGIN of its own", h.Name)
		}
		return
	}
	n := in.node(h.Name)
	set := n.set(h.Rrtype)
	if set == nil {
		n.sets = append(n.sets, rrset{rtype: h.Rrtype})
		set = &n.sets[len(n.sets)-1]
	}
	switch rr := r.rr.(type) {
	case *dns.SOA:
		if in.soa != nil {
			z.fail(r.line, "a second SOA at %s", h.Name)
		}
		in.soa = rr
	case *dns.CNAME:
		set.target = z.target(r.line, rr.Target)
	case *dns.DNAME:
		set.target = z.target(r.line, rr.Target)
	}
	// RFC 1034, Section 3.6.2, and RFC 6672, Section 2.4.
	if len(set.records) == 1 && (h.Rrtype == dns.TypeCNAME || h.Rrtype == dns.TypeDNAME) {
		z.fail(r.line, "a second %s at %s", TypeString(h.Rrtype), h.Name)
	}
	set.records = append(set.records, r.rr)
	if !set.mixed && set.records[0].Header().Ttl != h.Ttl {
		set.mixed = true
		z.warn(r.line, "%s %s has records with several TTLs: the lowest is served", h.Name, TypeString(h.Rrtype))
	}
	if n.set(dns.TypeCNAME) != nil && !cnameAlone(n) {
		z.fail(r.line, "CNAME and other data at %s (RFC 1034, Section 3.6.2)", h.Name)
	}
}

func (z *zoneReader) target(line int, name string) string {
	canonical, err := dnsname.Canonical(name)
	if err != nil {
		z.fail(line, "%v", err)
	}
	return canonical
}

// cnameAlone reports whether nothing but DNSSEC's records stands beside a CNAME.
func cnameAlone(n *node) bool {
	return !slices.ContainsFunc(n.sets, func(s rrset) bool {
		switch s.rtype {
		case dns.TypeCNAME, dns.TypeRRSIG, dns.TypeNSEC, dns.TypeKEY:
			return false
		}
		return true
	})
}

// Made-up records of a zone whose text has no SOA. They point into .invalid, so
// that nothing can come of them.
const (
	madeUpTTL = 300
	madeUpNS  = "ns.invalid."
)

// madeUp reports whether a record is not of any text.
func madeUp(rr dns.RR) bool {
	switch rr := rr.(type) {
	case *dns.SOA:
		return rr.Ns == madeUpNS
	case *dns.NS:
		return rr.Ns == madeUpNS
	}
	return false
}

// finish completes a zone once every record is in place.
func (z *zone) finish(r *zoneReader) {
	apex := z.nodes[z.apex]
	header := func(rtype uint16) dns.RR_Header {
		return dns.RR_Header{Name: z.apex, Rrtype: rtype, Class: dns.ClassINET, Ttl: madeUpTTL}
	}
	switch {
	case z.soa == nil:
		z.soa = &dns.SOA{Hdr: header(dns.TypeSOA), Ns: madeUpNS, Mbox: "hostmaster.invalid.",
			Serial: 1, Refresh: 3600, Retry: 600, Expire: 86400, Minttl: madeUpTTL}
		apex.sets = append(apex.sets, rrset{rtype: dns.TypeSOA, records: []dns.RR{z.soa}})
		if r.file != "" { // a file that a server is to load, and no text of a test
			r.warn(0, "zone %s has no SOA record, and one was made up: servers refuse to load it", z.apex)
		}
		if apex.set(dns.TypeNS) == nil {
			ns := &dns.NS{Hdr: header(dns.TypeNS), Ns: madeUpNS}
			apex.sets = append(apex.sets, rrset{rtype: dns.TypeNS, records: []dns.RR{ns}})
		}
		if apex.set(dns.TypeCNAME) != nil {
			r.fail(0, "CNAME at %s, the apex of a zone (RFC 1034, Section 3.6.2)", z.apex)
		}
	case apex.set(dns.TypeNS) == nil:
		r.warn(0, "zone %s has no NS record: some servers refuse to load it", z.apex)
	}
	hiding := false // whether any name may be hidden
	for name, n := range z.nodes {
		for _, set := range n.sets {
			if set.mixed {
				set.levelTTL()
			}
		}
		slices.SortFunc(n.sets, func(a, b rrset) int { return cmp.Compare(a.rtype, b.rtype) })
		n.cut = name != z.apex && n.set(dns.TypeNS) != nil
		hiding = hiding || n.cut || n.set(dns.TypeDNAME) != nil
	}
	if !hiding {
		return
	}
	for name, n := range z.nodes {
		for p := n.parent; p != nil; p = p.parent {
			if p.cut || p.set(dns.TypeDNAME) != nil {
				n.above = p
			}
		}
		if n.above != nil && !n.above.cut && len(n.sets) > 0 {
			r.warn(0, "%s is below the DNAME record of %s, which hides it: some servers refuse to load it", name, n.above.name)
		}
	}
}

// levelTTL gives the records of a set the lowest TTL of them: one TTL a set (RFC
// 2181, Section 5.2), and the lowest is safe.
func (s rrset) levelTTL() {
	lowest := s.records[0].Header().Ttl
	for _, rr := range s.records {
		lowest = min(lowest, rr.Header().Ttl)
	}
	for _, rr := range s.records {
		rr.Header().Ttl = lowest
	}
}
