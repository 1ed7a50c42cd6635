package resolver

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/txt"
)

// zones builds the zones of what was read.
func (z *zoneReader) zones() (*Zones, error) {
	zones := make(map[string]*zone)
	for _, r := range z.records {
		if apex := r.header.Name; r.header.Rrtype == dns.TypeSOA {
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
	if _, ok := z.before["."]; ok && zones["."] == nil {
		zones["."] = z.newZone(".")
	}
	if len(zones) == 0 && len(z.problems) == 0 {
		z.fail(0, "%s", z.noZone())
	}
	if z.replaces {
		z.dropReplaced(zones)
	}
	for i, r := range z.records {
		in := z.zoneOf(zones, r)
		switch {
		case in == nil && len(zones) == 0: // said already
			continue
		case in == nil:
			z.fail(int(r.line), "%s lies in no zone of this text: put it under an $ORIGIN of its own", r.header.Name)
			continue
		}
		if last := len(in.runs) - 1; last >= 0 && in.runs[last].to == i && z.records[i-1].header.Name == r.header.Name {
			in.runs[last].to++
			continue
		}
		first, second := in.key(r.header.Name)
		in.runs = append(in.runs, run{first, second, i, i + 1})
	}
	for _, apex := range slices.Sorted(maps.Keys(zones)) {
		zones[apex].build(z)
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
	return &Zones{zones, warnings, sync.OnceValue(func() map[string]*node {
		size := 0
		for _, in := range zones {
			size += len(in.nodes)
		}
		names := make(map[string]*node, size)
		for _, in := range zones {
			for _, n := range in.nodes {
				if len(zones) == 1 || enclosing(zones, n.name) == in {
					names[n.name] = n
				}
			}
		}
		return names
	})}
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
		if r.origin >= 0 && enclosing(withSOA, r.header.Name) == nil {
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
	name := domainOf(z.records[0].header.Name)
	return fmt.Sprintf("no zone: the text has neither a SOA record nor an $ORIGIN; add the line $ORIGIN %s above the records", name)
}

func (z *zoneReader) newZone(apex string) *zone {
	in := &zone{apex: apex, source: cmp.Or(z.before[apex], z.file, "zone "+apex)}
	in.nodes = []*node{{name: apex, zone: in}}
	return in
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

// zoneOf returns the zone that a record belongs to, the deepest that its owner is in, or
// nil.
func (z *zoneReader) zoneOf(zones map[string]*zone, r zoneRecord) *zone {
	name := r.header.Name
	if r.line == 0 { // of a zone that was there before: it keeps what it has
		return zones[z.origins[r.origin]]
	}
	in := enclosing(zones, name)
	if r.header.Rrtype == dns.TypeDS && in != nil && in.apex == name {
		// The parent side speaks for DS (RFC 4035, Section 2.4).
		if parent := enclosing(zones, dnsname.Parent(name)); parent != nil {
			in = parent
		}
	}
	return in
}

// A run is records of one name that follow each other in a text.
type run struct {
	first, second uint64 // see zone.key
	from, to      int    // in the records of the reader
}

// sorted returns the records of runs by name, as in the text where the name is one, and
// their data. They are copied, in short loops in which a processor runs ahead: to make
// each record of what lies where the text had it is to wait for the memory each time.
func (r *zoneReader) sorted(runs []run) (records []zoneRecord, data []byte) {
	slices.SortFunc(runs, func(a, b run) int {
		if a.first != b.first {
			return cmp.Compare(a.first, b.first)
		}
		if a.second != b.second {
			return cmp.Compare(a.second, b.second)
		}
		if c := dnsname.Compare(r.records[a.from].header.Name, r.records[b.from].header.Name); c != 0 {
			return c
		}
		return a.from - b.from
	})
	count, size := 0, 0
	for _, run := range runs {
		count += run.to - run.from
	}
	records = make([]zoneRecord, 0, count)
	for _, run := range runs {
		records = append(records, r.records[run.from:run.to]...)
	}
	for _, record := range records {
		size += int(record.header.Rdlength)
	}
	data = make([]byte, 0, size)
	for i := range records {
		record := &records[i]
		if i > 0 && records[i-1].header.Name == record.header.Name {
			record.header.Name = records[i-1].header.Name
		} else {
			record.header.Name = r.kept(record.header.Name)
		}
		at := len(data)
		data = append(data, r.data.out[record.data:][:record.header.Rdlength]...)
		record.data = at
	}
	return records, data
}

// key returns what decides on the order of most names, to stand beside each as a million
// are sorted: the first octets of their labels below the apex, from the right, with
// zeros between, so that they compare as dnsname.Compare does.
func (z *zone) key(name string) (first, second uint64) {
	if name == z.apex {
		return 0, 0
	}
	var octets [16]byte
	below := name[:len(name)-len(strings.TrimPrefix(z.apex, "."))-1]
	for left := octets[:]; below != "" && len(left) > 0; {
		start := dnsname.LastLabel(below)
		n := copy(left, below[start:])
		left = left[min(n+1, len(left)):]
		below = below[:max(start-1, 0)]
	}
	return binary.BigEndian.Uint64(octets[:8]), binary.BigEndian.Uint64(octets[8:])
}

// build makes the nodes of the records that the zone has in a text, in order.
func (z *zone) build(r *zoneReader) {
	records, all := r.sorted(z.runs)
	z.runs = nil
	var n *node
	var seen map[string]bool // the records of n
	for i, record := range records {
		name, rtype := record.header.Name, record.header.Rrtype
		if n == nil || n.name != name {
			n, seen = z.node(name), nil
		}
		data := all[record.data:][:record.header.Rdlength]
		if seen != nil || i+1 < len(records) && records[i+1].header.Name == name {
			key := TypeString(rtype) + " " + folded(rtype, data)
			if seen[key] {
				continue // RFC 2181, Section 5: a set has no duplicates
			}
			if seen == nil {
				seen = make(map[string]bool)
			}
			seen[key] = true
		}
		r.place(n, record.made(data), int(record.line))
	}
}

// node returns the node of a name that is the last one's or comes after it, and makes it
// and the empty non-terminals above it where they are missing.
func (z *zone) node(name string) *node {
	above := z.nodes[len(z.nodes)-1]
	if above.name == name {
		return above
	}
	parent := dnsname.Parent(name)
	for !dnsname.Under(parent, above.name) {
		above = above.parent
	}
	if above.name != parent {
		above = z.node(parent)
	}
	n := &node{name: name, zone: z, parent: above}
	if strings.HasPrefix(name, "*.") {
		above.wild = n
	}
	z.nodes = append(z.nodes, n)
	return n
}

// place puts a record at its name.
func (z *zoneReader) place(n *node, record dns.RR, line int) {
	h := record.Header()
	set := n.set(h.Rrtype)
	if set == nil {
		n.sets = append(n.sets, rrset{rtype: h.Rrtype})
		set = &n.sets[len(n.sets)-1]
	}
	switch rr := record.(type) {
	case *txt.Unread:
		set.unread = true
	case *dns.SOA:
		if n.zone.soa != nil {
			z.fail(line, "a second SOA at %s", h.Name)
		}
		n.zone.soa = rr
	case *dns.CNAME:
		set.target = z.target(line, rr.Target)
	case *dns.DNAME:
		set.target = z.target(line, rr.Target)
	}
	// RFC 1034, Section 3.6.2, and RFC 6672, Section 2.4.
	if len(set.records) == 1 && (h.Rrtype == dns.TypeCNAME || h.Rrtype == dns.TypeDNAME) {
		z.fail(line, "a second %s at %s", TypeString(h.Rrtype), h.Name)
	}
	set.records = append(set.records, record)
	if !set.mixed && set.records[0].Header().Ttl != h.Ttl {
		set.mixed = true
		z.warn(line, "%s %s has records with several TTLs: the lowest is served", h.Name, TypeString(h.Rrtype))
	}
	if n.set(dns.TypeCNAME) != nil && !cnameAlone(n) {
		z.fail(line, "CNAME and other data at %s (RFC 1034, Section 3.6.2)", h.Name)
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
	return !slices.ContainsFunc(n.sets, func(s rrset) bool { return s.rtype != dns.TypeCNAME && !besideCNAME(s.rtype) })
}

// besideCNAME reports whether records of a type may have the name of a CNAME (RFC 4034,
// Section 3, RFC 3007, Section 3).
func besideCNAME(rtype uint16) bool {
	switch rtype {
	case dns.TypeRRSIG, dns.TypeNSEC, dns.TypeNSEC3, dns.TypeKEY, dns.TypeSIG:
		return true
	}
	return false
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
	apex := z.nodes[0]
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
	for _, n := range z.nodes {
		for _, set := range n.sets {
			if set.mixed {
				set.levelTTL()
			}
		}
		slices.SortFunc(n.sets, func(a, b rrset) int { return cmp.Compare(a.rtype, b.rtype) })
		if n == apex {
			continue
		}
		n.cut = n.set(dns.TypeNS) != nil
		n.above = n.parent.above // which came before
		if n.above == nil && (n.parent.cut || n.parent.set(dns.TypeDNAME) != nil) {
			n.above = n.parent
		}
		if n.above != nil && !n.above.cut && len(n.sets) > 0 {
			r.warn(0, "%s is below the DNAME record of %s, which hides it: some servers refuse to load it", n.name, n.above.name)
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
