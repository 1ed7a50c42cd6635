package resolver

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
)

// Zones answers from zone text in memory, as authoritative servers and a
// resolver in front of them would: for tests, and for auditing a zone before it
// is published. It is immutable and safe for concurrent use.
//
// Within a zone it follows RFC 1034, Section 4.3.2, RFC 4592 (wildcards, empty
// non-terminals) and RFC 6672 (DNAME), as NSD, Knot and BIND do. Across zones it
// behaves as a resolver: aliases are followed into other zones of the same
// Zones; a delegation to a zone that is not there and an alias loop are SERVFAIL.
// A name outside every zone is an error that wraps [ErrNoZone], so that a test
// with a typo in a name fails; declare "$ORIGIN ." to make it NXDOMAIN.
//
// The zero Zones holds no zone.
type Zones struct {
	zones    map[string]*zone // by apex
	names    map[string]*node // every name that exists, of the deepest zone it is in
	warnings []Problem
}

func newZones(zones map[string]*zone, warnings []Problem) *Zones {
	names := make(map[string]*node)
	for _, in := range zones {
		for name, n := range in.nodes {
			if enclosing(zones, name) == in {
				names[name] = n
			}
		}
	}
	return &Zones{zones, names, warnings}
}

// ParseZones reads one text with any number of zones in the format of RFC 1035,
// Section 5. A zone's apex is where a SOA stands, else the $ORIGIN in force:
// records under no SOA form a zone at that origin, which gets a SOA and an NS
// record made up. An $ORIGIN below another one is a part of its zone; one
// without records is an empty zone.
//
// Every record needs a TTL, its own or by $TTL. $GENERATE is read, $INCLUDE is
// not. The error is a [*ZoneError] that lists every bad entry; nothing is loaded
// then.
func ParseZones(text string) (*Zones, error) {
	return ReadZone("", "", strings.NewReader(text))
}

// ReadZone reads zone text from r as [ParseZones] does. The names in it are
// relative to origin until an $ORIGIN says otherwise, as in a server's
// configuration; origin may be "". The file name stands in errors and in
// Answer.Server, and is not opened.
func ReadZone(origin, file string, r io.Reader) (*Zones, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, asZoneError([]Problem{{File: file, Text: err.Error()}})
	}
	reader := newZoneReader(file)
	if origin != "" {
		canonical, err := dnsname.Canonical(origin)
		if err != nil {
			return nil, asZoneError([]Problem{{File: file, Text: fmt.Sprintf("origin: %v", err)}})
		}
		reader.setOrigin(canonical)
	}
	cutEntries(text, reader.read)
	return reader.zones()
}

// ReadZoneFiles reads zone files, each given as FILE or as ORIGIN=FILE, and merges
// their zones: what the -zone flag of a program needs. It reads every file before
// it gives up; the error joins those of all of them.
func ReadZoneFiles(files ...string) (*Zones, error) {
	var all []*Zones
	var errs []error
	for _, arg := range files {
		origin, file, ok := strings.Cut(arg, "=")
		if !ok {
			origin, file = "", arg
		}
		zones, err := readZoneFile(origin, file)
		errs = append(errs, err)
		all = append(all, zones)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return MergeZones(all...)
}

func readZoneFile(origin, file string) (*Zones, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return ReadZone(origin, file, f)
}

// MergeZones returns all zones of its arguments as one. The same apex in two of
// them is an error.
func MergeZones(parts ...*Zones) (*Zones, error) {
	zones := make(map[string]*zone)
	var warnings []Problem
	for _, part := range parts {
		for _, apex := range part.Origins() {
			if old, ok := zones[apex]; ok {
				return nil, fmt.Errorf("zone %s is given twice: by %s and by %s", apex, old.source, part.zones[apex].source)
			}
			zones[apex] = part.zones[apex]
		}
		warnings = append(warnings, part.warnings...)
	}
	return newZones(zones, warnings), nil
}

// Origins returns the apex of every zone in canonical form, sorted.
func (z *Zones) Origins() []string {
	return slices.Sorted(maps.Keys(z.zones))
}

// Warnings lists what is legal in the text but hardly meant, such as the
// unquoted TXT v=spf1 -all, which is served as v=spf1-all.
func (z *Zones) Warnings() []Problem { return slices.Clone(z.warnings) }

// Records yields every record, zone by zone in the order of Origins, within a
// zone by name as the zone file sorts it: the apex first, a name before those
// below it. SOA and NS records that were made up are among them. The records are
// shared: read them only.
func (z *Zones) Records() iter.Seq[dns.RR] {
	return func(yield func(dns.RR) bool) {
		for _, apex := range z.Origins() {
			in := z.zones[apex]
			names := slices.SortedFunc(maps.Keys(in.nodes), dnsname.Compare)
			for _, name := range names {
				for _, set := range in.nodes[name].sets {
					for _, rr := range set.records {
						if !yield(rr) {
							return
						}
					}
				}
			}
		}
	}
}

// A zone is the names at and below one apex.
type zone struct {
	apex   string
	source string // for Answer.Server
	soa    *dns.SOA
	nodes  map[string]*node // by canonical name; empty non-terminals too
}

// A node is one existing name of a zone.
type node struct {
	name  string
	zone  *zone
	sets  []rrset // sorted by type; none for an empty non-terminal
	above *node   // the topmost delegation or DNAME owner above, which hides this name
	wild  *node   // the wildcard child
	cut   bool    // a delegation: NS below the apex
}

// An rrset is the records of one type at one name.
type rrset struct {
	rtype   uint16
	records []dns.RR
	target  string // of a CNAME or DNAME, canonical
	mixed   bool   // the text gave its records several TTLs
}

func (n *node) set(rtype uint16) *rrset {
	for i := range n.sets {
		if n.sets[i].rtype == rtype {
			return &n.sets[i]
		}
	}
	return nil
}

// zones builds the zones of what was read.
func (z *zoneReader) zones() (*Zones, error) {
	zones := make(map[string]*zone)
	for _, r := range z.records {
		if _, ok := r.rr.(*dns.SOA); ok {
			apex := r.rr.Header().Name
			zones[apex] = newZone(apex, z.file)
		}
	}
	// The shallow origins first, so that a deeper one finds the zone it is in.
	// The root is no such zone: it is there to say NXDOMAIN.
	origins := slices.SortedFunc(slices.Values(z.origins), func(a, b string) int {
		return cmp.Compare(dns.CountLabel(a), dns.CountLabel(b))
	})
	for _, origin := range origins {
		if in := enclosing(zones, origin); in == nil || in.apex == "." && origin != "." {
			zones[origin] = newZone(origin, z.file)
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
	if err := asZoneError(z.problems); err != nil {
		return nil, err
	}
	return newZones(zones, z.warnings), nil
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

func newZone(apex, file string) *zone {
	z := &zone{apex: apex, source: file, nodes: make(map[string]*node)}
	if file == "" {
		z.source = "zone " + apex
	}
	z.node(apex)
	return z
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
		parent := z.node(dnsname.Parent(name))
		if strings.HasPrefix(name, "*.") {
			parent.wild = n
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

// place puts a record into the deepest zone that its owner is in.
func (z *zoneReader) place(zones map[string]*zone, r zoneRecord) {
	h := r.rr.Header()
	in := enclosing(zones, h.Name)
	if h.Rrtype == dns.TypeDS && in != nil && in.apex == h.Name {
		// The parent side speaks for DS (RFC 4035, Section 2.4).
		if parent := enclosing(zones, dnsname.Parent(h.Name)); parent != nil {
			in = parent
		}
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
	if lowest := min(set.records[0].Header().Ttl, h.Ttl); lowest != max(set.records[0].Header().Ttl, h.Ttl) {
		// RFC 2181, Section 5.2: one TTL a set; the lowest is safe.
		if !set.mixed {
			z.warn(r.line, "%s %s has records with several TTLs: the lowest is served", h.Name, TypeString(h.Rrtype))
		}
		set.mixed = true
		for _, rr := range set.records {
			rr.Header().Ttl = lowest
		}
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
		slices.SortFunc(n.sets, func(a, b rrset) int { return cmp.Compare(a.rtype, b.rtype) })
		n.cut = name != z.apex && n.set(dns.TypeNS) != nil
		hiding = hiding || n.cut || n.set(dns.TypeDNAME) != nil
	}
	if !hiding {
		return
	}
	for name, n := range z.nodes {
		for up := name; up != z.apex; {
			up = dnsname.Parent(up)
			if p := z.nodes[up]; p.cut || p.set(dns.TypeDNAME) != nil {
				n.above = p
			}
		}
	}
}

// negativeTTL is how long a negative answer may be kept (RFC 2308, Section 5).
func (z *zone) negativeTTL() uint32 { return min(z.soa.Hdr.Ttl, z.soa.Minttl) }
