package resolver_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/resolver"
)

// A genZone is a zone made by chance. Its names come from so few labels that
// they are below, above and beside each other, and that aliases hit something.
type genZone struct {
	apex string
	text string
	// owners are the names with records, and their types; the records that a
	// delegation hides are among them.
	owners map[string][]uint16
	// names are those that questions begin with: owners, the names above them,
	// and what aliases point to.
	names []string
}

// generateZones makes n zones. The same seed makes the same ones. Now and then
// one is the child of the zone before it.
func generateZones(seed uint64, n int) []genZone {
	r := rand.New(rand.NewPCG(seed, 0))
	apexes := make([]string, n)
	for i := range apexes {
		if i > 0 && !strings.HasPrefix(apexes[i-1], "kid.") && r.IntN(12) == 0 {
			apexes[i] = "kid." + apexes[i-1]
			continue
		}
		apexes[i] = fmt.Sprintf("z%d.test.", i)
	}
	zones := make([]genZone, n)
	for i, apex := range apexes {
		g := &generator{Rand: r, apex: apex, apexes: apexes, sets: make(map[string]map[uint16][]string)}
		if kid := "kid." + apex; i+1 < n && apexes[i+1] == kid {
			// With no other glue than what the child has too: NSD keeps all
			// zones in one tree, where it would hide wildcards of the child.
			g.add(kid, dns.TypeNS, "ns."+kid)
			g.add("ns."+kid, dns.TypeA, "192.0.2.53")
			g.cut = kid
		}
		zones[i] = g.zone()
	}
	return zones
}

// A generator makes one zone.
type generator struct {
	*rand.Rand
	apex   string
	apexes []string
	sets   map[string]map[uint16][]string // owner -> type -> data
	cut    string                         // the last delegation
	starts []string                       // names to ask for besides the owners
}

// Labels, those for one name in eight being octets that zone files, and code
// that takes a name for its text, could take for something else. They are in the
// canonical form of this module.
var (
	plainLabels = []string{"a", "b", "c", "a", "b", "d0", "_t", "x-1", "mail"}
	oddLabels   = []string{
		`a\.b`, `\.`, `\\`, `\"`, `\@`, `\;`, `\(`, `\)`, `$a`, `a\ b`, `\000`, `\009`, `\255`, `\195\169`, `a*`, `**`, `a\\\.b`, `\'`, `#`, `\127`,
	}
)

func (g *generator) label() string {
	if g.IntN(8) == 0 {
		return pick(g, oddLabels)
	}
	return pick(g, plainLabels)
}

// name returns a name below the apex; a wildcard now and then.
func (g *generator) name() string {
	name := g.apex
	for range 1 + min(g.IntN(4), g.IntN(4)) {
		name = g.label() + "." + name
	}
	switch g.IntN(16) {
	case 0, 1:
		name = "*." + name
	case 2, 3:
		name = "*." + g.apex
	case 4: // an asterisk that is not the first label is none of a wildcard
		name = g.label() + ".*." + name
	}
	return name
}

// old returns a name that the zone has, or has not yet.
func (g *generator) old() string {
	if len(g.sets) == 0 || g.IntN(4) == 0 {
		return g.name()
	}
	names := slices.Sorted(maps.Keys(g.sets))
	return pick(g, names)
}

// target returns what an alias points to.
func (g *generator) target() string {
	var target string
	switch g.IntN(5) {
	case 0: // a zone of the same server
		target = pick(g, plainLabels) + "." + pick(g, g.apexes)
	case 1:
		target = pick(g, []string{"a.outside.test.", "outside.test.", "example.", "z0.tes.", "b.az0.test."})
	default:
		target = g.old()
	}
	g.starts = append(g.starts, target)
	return target
}

func (g *generator) add(owner string, rtype uint16, data ...string) {
	if g.sets[owner] == nil {
		g.sets[owner] = make(map[uint16][]string)
	}
	g.sets[owner][rtype] = append(g.sets[owner][rtype], data...)
}

// free reports whether the name may become an alias, a DNAME or a delegation.
// Of DNAME and NS records at a wildcard, RFC 4592, Sections 4.2 and 4.4, leaves
// open what they mean.
func (g *generator) free(owner string, rtype uint16) bool {
	if owner == g.apex && rtype != dns.TypeDNAME || strings.HasPrefix(owner, "*.") && rtype != dns.TypeCNAME {
		return false
	}
	sets := g.sets[owner]
	return sets == nil || rtype == dns.TypeDNAME && sets[dns.TypeDNAME] == nil && sets[dns.TypeCNAME] == nil && sets[dns.TypeNS] == nil
}

// zone fills the zone and writes it down.
func (g *generator) zone() genZone {
	if len(g.sets) == 0 && !strings.HasPrefix(g.apex, "kid.") && g.IntN(40) == 0 { // neither parent nor child zone
		g.add(g.apex, dns.TypeDNAME, g.target())
		g.add(g.apex, dns.TypeNS, "ns.outside.test.")
	} else {
		g.add(g.apex, dns.TypeNS, "ns."+g.apex)
	}
	g.add("ns."+g.apex, dns.TypeA, "192.0.2.53")
	for range 8 + g.IntN(16) {
		switch n := g.IntN(100); {
		case n < 32:
			g.data(g.name())
		case n < 51:
			if owner := g.name(); g.free(owner, dns.TypeCNAME) {
				g.add(owner, dns.TypeCNAME, g.target())
			}
		case n < 60:
			if owner := g.name(); g.free(owner, dns.TypeDNAME) {
				g.add(owner, dns.TypeDNAME, g.dnameTarget(owner))
			}
		case n < 70:
			if owner := g.name(); g.free(owner, dns.TypeNS) {
				g.delegate(owner)
			}
		case n < 76:
			g.chain(2 + g.IntN(6))
		case n < 77:
			g.chain(10 + g.IntN(16))
		case n < 81:
			g.loop()
		case n < 95:
			g.big(g.name())
		default: // a name with nothing above it but empty non-terminals
			g.data(g.label() + "." + g.label() + "." + g.label() + "." + g.name())
		}
	}
	return g.write()
}

// data gives a name records of one to three types, unless it is an alias.
func (g *generator) data(owner string) {
	for range 1 + g.IntN(3) {
		if g.sets[owner][dns.TypeCNAME] != nil {
			return
		}
		rtype := pick(g, dataTypes)
		if len(g.sets[owner][rtype]) > 0 {
			continue
		}
		for i := range 1 + g.IntN(3)*g.IntN(2) {
			g.add(owner, rtype, g.rdata(rtype, i))
		}
	}
}

var dataTypes = []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeTXT, dns.TypeMX, dns.TypeSRV, dns.TypePTR, dns.TypeRP}

func (g *generator) rdata(rtype uint16, i int) string {
	switch rtype {
	case dns.TypeA:
		return fmt.Sprintf("192.0.2.%d", i+1)
	case dns.TypeAAAA:
		return fmt.Sprintf("2001:db8::%d", i+1)
	case dns.TypeTXT:
		return fmt.Sprintf(`"%d %s"`, i, pick(g, []string{"v=spf1 -all", `\"`, `\\`, `\195\169`, ";", "", `a" "b`, `\000`}))
	case dns.TypeMX:
		return fmt.Sprintf("%d %s", i*10, inFile(g.old()))
	case dns.TypeSRV:
		return fmt.Sprintf("%d 2 1 %s", i, inFile(g.old()))
	case dns.TypeRP:
		return fmt.Sprintf("%s %s", inFile(fmt.Sprintf(`a\.b%d.%s`, i, g.apex)), inFile(g.old()))
	}
	return inFile(fmt.Sprintf("p%d.%s", i, g.old()))
}

// big gives a name more text than a datagram holds.
func (g *generator) big(owner string) {
	if g.sets[owner][dns.TypeCNAME] != nil || g.sets[owner][dns.TypeTXT] != nil {
		return
	}
	for i := range 20 + g.IntN(40) {
		g.add(owner, dns.TypeTXT, fmt.Sprintf(`"%02d %s"`, i, strings.Repeat("x", 80)))
	}
}

func (g *generator) dnameTarget(owner string) string {
	if g.IntN(2) > 0 {
		return g.target()
	}
	long := g.apex
	for len(long) < 180 {
		long = strings.Repeat("l", 50) + "." + long
	}
	for i := range 3 { // names that it makes too long
		g.starts = append(g.starts, strings.Repeat("y", 50+i)+"."+owner)
	}
	return long
}

// delegate cuts the zone: with glue below the cut, beside it, below another cut,
// or none.
func (g *generator) delegate(owner string) {
	hosts := []string{"ns." + owner, "ns." + g.apex, "ns.outside.test.", "a." + owner}
	if g.cut != "" {
		hosts = append(hosts, "ns."+g.cut)
	}
	g.cut = owner
	for _, i := range g.Perm(len(hosts))[:1+g.IntN(2)] {
		g.add(owner, dns.TypeNS, inFile(hosts[i]))
		if g.sets[hosts[i]] == nil && dnsname.Under(hosts[i], g.apex) && g.IntN(4) > 0 {
			rtype := pick(g, []uint16{dns.TypeA, dns.TypeAAAA})
			g.add(hosts[i], rtype, g.rdata(rtype, 7))
		}
	}
	if g.IntN(3) == 0 {
		g.add(owner, dns.TypeDS, "1 13 2 "+strings.Repeat("00", 32))
	}
}

// chain is aliases of aliases.
func (g *generator) chain(n int) {
	owner := g.name()
	for range n {
		if !g.free(owner, dns.TypeCNAME) {
			return
		}
		next := g.name()
		if g.IntN(3) > 0 {
			next = fmt.Sprintf("h%d.%s", g.IntN(1000), g.apex)
		}
		g.add(owner, dns.TypeCNAME, next)
		owner = next
	}
}

// loop is one to four aliases that end where they begin.
func (g *generator) loop() {
	first := g.name()
	owner := first
	for n := g.IntN(4); ; n-- {
		if !g.free(owner, dns.TypeCNAME) {
			return
		}
		next := g.name()
		if n <= 0 {
			next = first
		}
		g.add(owner, dns.TypeCNAME, next)
		if n <= 0 {
			return
		}
		owner = next
	}
}

// write makes the text of the zone, with every name absolute.
func (g *generator) write() genZone {
	z := genZone{apex: g.apex, owners: make(map[string][]uint16)}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %d SOA ns.%s h.%s 1 3600 600 86400 %d\n", g.apex, pick(g, ttls), g.apex, g.apex, pick(g, ttls))
	z.owners[g.apex] = append(z.owners[g.apex], dns.TypeSOA)
	starts := make(map[string]bool)
	for _, owner := range slices.Sorted(maps.Keys(g.sets)) {
		if g.belowDNAME(owner) {
			continue
		}
		for _, rtype := range slices.Sorted(maps.Keys(g.sets[owner])) {
			ttl := pick(g, ttls)
			z.owners[owner] = append(z.owners[owner], rtype)
			for _, data := range g.sets[owner][rtype] {
				if rtype == dns.TypeCNAME || rtype == dns.TypeDNAME {
					data = inFile(data)
				}
				fmt.Fprintf(&b, "%s %d %s %s\n", inFile(owner), ttl, resolver.TypeString(rtype), data)
			}
		}
		for name := owner; name != g.apex; name = dnsname.Parent(name) {
			starts[name] = true
		}
	}
	for _, name := range g.starts {
		starts[name] = true
	}
	z.text, z.names = b.String(), slices.Sorted(maps.Keys(starts))
	return z
}

// belowDNAME reports whether a name may have no records (RFC 6672, Section 2.4):
// NSD refuses such a zone.
func (g *generator) belowDNAME(owner string) bool {
	for owner != g.apex {
		owner = dnsname.Parent(owner)
		if g.sets[owner][dns.TypeDNAME] != nil {
			return true
		}
	}
	return false
}

var ttls = []int{60, 300, 3600}

// inFile writes a name so that any server reads it: \DDD for all that could mean
// something in a zone file.
func inFile(name string) string {
	var wire [256]byte
	n, err := dns.PackDomainName(name, wire[:], 0, nil, false)
	if err != nil {
		panic(fmt.Sprintf("%q: %v", name, err))
	}
	var b strings.Builder
	for i := 0; i < n-1; i += int(wire[i]) + 1 {
		for _, c := range wire[i+1 : i+1+int(wire[i])] {
			if 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '*' {
				b.WriteByte(c)
			} else {
				fmt.Fprintf(&b, `\%03d`, c)
			}
		}
		b.WriteByte('.')
	}
	return b.String()
}

func pick[T any](r interface{ IntN(int) int }, from []T) T { return from[r.IntN(len(from))] }

// A genQuestion is a question and the zone it was made from.
type genQuestion struct {
	zone  *genZone
	name  string // in mixed case
	qtype uint16
}

var askedTypes = []uint16{
	dns.TypeA, dns.TypeAAAA, dns.TypeTXT, dns.TypeMX, dns.TypeSRV, dns.TypePTR, dns.TypeRP,
	dns.TypeCNAME, dns.TypeDNAME, dns.TypeNS, dns.TypeSOA, dns.TypeDS, dns.TypeHINFO,
}

// question makes a question about a zone's names, those near them and some that
// lie in no zone.
func (z *genZone) question(r *rand.Rand) genQuestion {
	g := &generator{Rand: r, apex: z.apex}
	name := z.apex
	if r.IntN(30) > 0 {
		name = pick(r, z.names)
	}
	types := askedTypes
	switch n := r.IntN(100); {
	case n < 50:
		if own := z.owners[name]; own != nil && r.IntN(2) == 0 {
			types = own
		}
	case n < 70: // below
		name = g.label() + "." + name
		if r.IntN(3) == 0 {
			name = g.label() + "." + name
		}
	case n < 80: // beside
		name = g.label() + "." + dnsname.Parent(name)
	case n < 86: // above
		name = dnsname.Parent(name)
	case n < 91:
		name = "*." + name
	case n < 95:
		name = strings.Repeat("y", 40) + "." + name
	case n < 98:
		name = g.name()
	default:
		name = pick(r, []string{"test.", "outside.test.", "a.outside.test.", ".", "com.", "a" + z.apex})
	}
	if _, err := resolver.Canonical(name); err != nil {
		name = z.apex // a label too many
	}
	if r.IntN(3) == 0 {
		name = mixCase(r, name)
	}
	return genQuestion{z, name, pick(r, types)}
}

// mixCase changes the case of letters by chance.
func mixCase(r *rand.Rand, name string) string {
	b := []byte(name)
	for i, c := range b {
		if 'a' <= c && c <= 'z' && r.IntN(2) == 0 {
			b[i] = c - 'a' + 'A'
		}
	}
	return string(b)
}
