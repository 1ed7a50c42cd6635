package worlds

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"

	"github.com/bonafide-mta/bonafide/identity/flow"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
)

// The zones of the organization, and those of others.
const (
	acme     = "acme.test."
	second   = "second.test."
	parked   = "parked.test."
	reverse4 = "2.0.192.in-addr.arpa."
	provider = "provider.test."
)

// A generator makes a world.
type generator struct {
	*rand.Rand
	world         *World
	given, others map[string][]string // records of the zones, by apex
	labels, addrs int                 // how many are in use
	domains       []*domain
	servers       []*server
	silent        map[string]bool
	meant         []Flow
}

// A place is a name, and where its records are.
type place struct {
	name  string
	node  string // the name, where it leads by aliases, or the wildcard that answers for it
	below string // below which names can have records without a change to Name: "" for none
}

// A domain has users who send and receive mail.
type domain struct {
	place
	mx     []string // hosts
	terms  []string // of its SPF record
	told   bool     // whether only the description shows it
	hosted bool     // whether it has an address, which is where its mail goes without MX records
}

// A server is a client with mail to send.
type server struct {
	id                  string
	addrs               []netip.Addr
	place                        // what it says in HELO
	ptr                 string   // its PTR name, or ""
	boxed               []string // other names at its addresses
	shown               bool     // whether a given zone shows Name
	described, observed bool
}

// zoneText prints zones. A zone without a SOA record among its records gets one.
func zoneText(zones map[string][]string) string {
	var b strings.Builder
	for _, apex := range slices.Sorted(maps.Keys(zones)) {
		fmt.Fprintf(&b, "$ORIGIN %s\n$TTL 3600\n@ SOA ns1.dnshost.test. hostmaster.dnshost.test. 1 7200 900 1209600 300\n@ NS ns1.dnshost.test.\n", apex)
		for _, line := range zones[apex] {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}

// one returns one of some texts.
func (g *generator) one(choices ...string) string { return choices[g.IntN(len(choices))] }

// in reports true n times in a hundred.
func (g *generator) in(n int) bool { return g.IntN(100) < n }

// add adds a record to the zone that it belongs to.
func (g *generator) add(owner, format string, args ...any) {
	for at := owner; at != ""; at = dnsname.Parent(at) {
		for _, zones := range []map[string][]string{g.given, g.others} {
			if lines, ok := zones[at]; ok {
				zones[at] = append(lines, owner+" "+fmt.Sprintf(format, args...))
				return
			}
		}
	}
	panic("worlds: no zone for " + owner)
}

// address adds records with addresses.
func (g *generator) address(owner string, addrs ...netip.Addr) {
	for _, addr := range addrs {
		if addr.Is4() {
			g.add(owner, "A %s", addr)
		} else {
			g.add(owner, "AAAA %s", addr)
		}
	}
}

// label returns a label that is not in use; its word says nothing about mail.
func (g *generator) label() string {
	g.labels++
	return fmt.Sprintf("%s%d", g.one("alpha", "berlin", "cedar", "delta", "echo", "falcon"), g.labels)
}

// under returns a new name in a zone of the organization.
func (g *generator) under() string { return g.label() + "." + g.one(acme, acme, second) }

// next returns addresses of the organization, IPv4 first.
func (g *generator) next() []netip.Addr {
	g.addrs++
	out := []netip.Addr{netip.AddrFrom4([4]byte{192, 0, 2, byte(g.addrs)})}
	if g.in(30) {
		out = append(out, netip.MustParseAddr(fmt.Sprintf("2001:db8::%x", g.addrs)))
	}
	return out
}

// elsewhere returns an address that no mail has to do with.
func (g *generator) elsewhere() netip.Addr {
	g.addrs++
	return netip.AddrFrom4([4]byte{203, 0, 113, byte(g.addrs)})
}

// organization makes all of the world.
func (g *generator) organization() {
	g.given[acme], g.given[second] = nil, nil
	g.others["."], g.others[provider] = nil, nil
	g.reverseZones()
	g.add("_spf."+provider, `TXT "v=spf1 ip4:198.51.100.0/24 -all"`)
	g.address("mx."+provider, netip.MustParseAddr("198.51.100.5"))
	g.mailDomains()
	for i := range 1 + g.IntN(4) {
		g.server(i)
	}
	g.loadBalancer()
	g.nearMiss()
	g.quiet()
	for _, d := range g.domains {
		g.publish(d)
	}
	g.describe()
	g.flows()
}

// reverseZones makes the zone of PTR records: the organization's, its provider's, or a part of
// it in the way of RFC 2317.
func (g *generator) reverseZones() {
	const classless = "0/25." + reverse4
	switch g.IntN(4) {
	case 0:
		g.others[reverse4] = nil
	case 1:
		g.given[reverse4], g.given[classless] = nil, nil
		for i := range 40 {
			g.given[reverse4] = append(g.given[reverse4], fmt.Sprintf("%d.%s CNAME %[1]d.%[3]s", i, reverse4, classless))
		}
		g.given[reverse4] = append(g.given[reverse4], classless+" NS ns1.dnshost.test.")
	default:
		g.given[reverse4] = nil
	}
	g.given["8.b.d.0.1.0.0.2.ip6.arpa."] = nil
}

// reverseOwner returns where the PTR record of an address is.
func (g *generator) reverseOwner(addr netip.Addr) string {
	const classless = "0/25." + reverse4
	name := dnsname.Reverse(addr)
	if _, ok := g.given[classless]; ok && addr.Is4() {
		label, _, _ := strings.Cut(name, ".")
		return label + "." + classless
	}
	return name
}

// place gives addresses to a name by way of an alias, a wildcard, a DNAME or a delegation, and
// returns it.
func (g *generator) place(addrs []netip.Addr) place {
	base, host := g.under(), g.under()
	var name, node, below string
	switch g.IntN(11) {
	case 0: // an alias
		name, node, below = base, host, base
		g.add(name, "CNAME %s", node)
	case 1: // a chain of aliases
		name, below = base, base
		at := name
		for range 1 + g.IntN(4) {
			next := g.under()
			g.add(at, "CNAME %s", next)
			at = next
		}
		g.add(at, "CNAME %s", host)
		node = host
	case 2: // a wildcard
		name, node = "post."+base, "*."+base
	case 3: // a wildcard for a name that is deeper than its label
		name, node = "a.b."+base, "*."+base
	case 4: // a wildcard that is an alias
		name, node = "post."+base, host
		g.add("*."+base, "CNAME %s", node)
	case 5: // a DNAME
		name, node, below = "m."+base, "m."+host, "m."+host
		g.add(base, "DNAME %s", host)
	case 6: // a DNAME to a wildcard
		name, node = "m."+base, "*."+host
		g.add(base, "DNAME %s", host)
	case 7: // below a name without records
		name = "m.dc." + base
		node, below = name, name
	case 8: // in a zone of its own
		g.add(base, "NS ns1.dnshost.test.")
		g.given[base] = nil
		name = "m." + base
		node, below = name, name
	default:
		name, node, below = base, base, base
	}
	g.address(node, addrs...)
	return place{name, node, below}
}

// server makes a server, and shows it by some of its uses.
func (g *generator) server(i int) {
	s := &server{id: fmt.Sprintf("mta%d", i+1), addrs: g.next()}
	if g.in(25) {
		s.addrs = append(s.addrs, g.next()...)
	}
	told := g.in(15) // by the description alone
	if told && g.in(30) {
		s.place = g.place([]netip.Addr{g.elsewhere()}) // behind NAT, with a HELO name that resolves to another address
	} else {
		s.place = g.place(s.addrs)
	}
	g.servers = append(g.servers, s)
	switch {
	case told:
		s.described = true
	case g.in(10):
		s.observed = true
	default:
		for range 1 + g.IntN(3) {
			g.show(s)
		}
		s.described = g.in(60)
		if g.in(20) {
			g.add(s.node, `TXT "v=spf1 a %s"`, g.one("-all", "~all"))
		}
	}
	for range g.IntN(3) {
		g.box(s)
	}
	if i == 0 && g.in(30) && !slices.ContainsFunc(g.domains, func(d *domain) bool { return d.name == second }) {
		g.address(second, s.addrs...) // a whole domain in one box
		s.boxed = append(s.boxed, second)
	}
	g.pointer(s)
}

// show makes one of the records that tie a server to mail.
func (g *generator) show(s *server) {
	d := g.domains[g.IntN(len(g.domains))]
	way := g.IntN(7)
	if s.below == "" {
		way %= 5
	}
	switch way {
	case 0, 1:
		d.mx = append(d.mx, s.name)
		if g.in(40) {
			d.terms = append(d.terms, g.one("mx", "mx:"+trim(d.name), "~mx", "mx/28"))
		}
	case 2:
		bits := g.one("", "", "/28")
		d.terms = append(d.terms, g.one("a:", "+a:", "?a:")+trim(s.name)+bits)
		if bits != "" {
			g.neighbor(s.addrs[0])
		}
	case 3: // the addresses alone, which show whose names they are
		if addr := s.addrs[g.IntN(len(s.addrs))]; addr.Is4() {
			d.terms = append(d.terms, g.one(fmt.Sprintf("ip4:%s", addr), fmt.Sprintf("ip4:%s/30", addr)))
		} else {
			d.terms = append(d.terms, fmt.Sprintf("ip6:%s", addr))
		}
	case 4:
		g.add(g.one("_submission._tcp.", "_submissions._tcp.")+g.one(acme, second), "SRV 0 0 587 %s", s.name)
	case 5:
		g.add("_client._smtp."+s.below, "SRV 1 2 1 %s", s.name)
	case 6:
		g.add("_25._tcp."+s.below, "TLSA 3 1 1 1111111111111111111111111111111111111111111111111111111111111111")
	}
	s.shown = true
}

// neighbor adds a machine that sends, with the next address, if that is in the /28 of another
// address, which an SPF record authorizes.
func (g *generator) neighbor(addr netip.Addr) {
	next := g.next()[:1]
	if network, _ := addr.Prefix(28); network.Contains(next[0]) {
		name := g.under()
		g.address(name, next...)
		g.meant = append(g.meant, Flow{next[0], trim(name), "root@" + trim(name), ByZones})
	}
}

// box adds another name at the addresses of a server: a one-box site.
func (g *generator) box(s *server) {
	switch name := g.under(); g.IntN(4) {
	case 0:
		g.add(name, "CNAME %s", s.name)
		s.boxed = append(s.boxed, name)
	case 1:
		g.address("*."+name, s.addrs...)
		s.boxed = append(s.boxed, "any."+name)
	default:
		g.address(name, s.addrs...)
		s.boxed = append(s.boxed, name)
	}
}

// pointer adds the PTR records of a server.
func (g *generator) pointer(s *server) {
	switch g.IntN(4) {
	case 0:
		return
	case 1:
		s.ptr = s.name
	default:
		s.ptr = g.under()
		g.address(s.ptr, s.addrs...)
		s.boxed = append(s.boxed, s.ptr)
	}
	for _, addr := range s.addrs {
		g.add(g.reverseOwner(addr), "PTR %s", s.ptr)
	}
}

// loadBalancer adds a host of mail that nobody connects from, in front of nobody described.
func (g *generator) loadBalancer() {
	if !g.in(50) {
		return
	}
	d := g.domains[g.IntN(len(g.domains))]
	d.mx = append(d.mx, g.place(append(g.next(), g.next()...)).name)
}

// nearMiss adds a machine that sends, whose owner meant to publish so in an SPF record.
func (g *generator) nearMiss() {
	if !g.in(40) {
		return
	}
	addrs := g.next()
	at := g.place(addrs)
	g.add(at.node, "TXT %s", g.one(`" v=spf1 a -all"`, `"v=spf1; a -all"`, `"\"v=spf1 a -all\""`, `v=spf1 a -all`, `"v=spf10 a -all"`))
	for _, addr := range addrs {
		for _, sender := range []string{"", "root@" + trim(at.name)} {
			g.meant = append(g.meant, Flow{addr, trim(at.name), sender, ByZones})
		}
	}
}

// quiet adds names without mail.
func (g *generator) quiet() {
	for range 1 + g.IntN(4) {
		g.silent[g.place([]netip.Addr{g.elsewhere()}).node] = true
	}
	g.add(g.under(), "CNAME edge.cdn.test.")
	if unknown := g.under(); g.in(30) {
		g.add(unknown, "NS ns.partner.test.")
	}
	if !g.in(50) {
		return
	}
	g.given[parked] = nil
	web := g.elsewhere()
	g.address(parked, web)
	g.address("www."+parked, web)
	g.add("_dmarc."+parked, `TXT "v=DMARC1; p=reject; sp=reject"`)
	g.add("*._domainkey."+parked, `TXT "v=DKIM1; p="`)
	g.silent[parked], g.silent["www."+parked] = true, true
}

// describe makes the description, of some of the servers, and the observations.
func (g *generator) describe() {
	o := &org.Organization{Domain: acme}
	for i, s := range g.servers {
		if s.observed {
			g.world.Seen = append(g.world.Seen, flow.Observation{Addr: s.addrs[0], Helo: trim(s.name)})
		}
		if s.described || i == len(g.servers)-1 && len(o.MTAs) == 0 {
			s.described = true
			o.MTAs = append(o.MTAs, org.MTA{ID: s.id, Addresses: s.addrs, Helo: trim(s.name), PTR: s.ptr})
		}
	}
	for _, d := range g.domains {
		o.Mail = append(o.Mail, org.MailDomain{Domain: d.name})
	}
	g.world.Silent = slices.SortedFunc(maps.Keys(g.silent), dnsname.Compare)
	for _, name := range g.world.Silent {
		if g.in(40) && !strings.HasPrefix(name, "*.") {
			o.Names = append(o.Names, name)
		}
	}
	g.world.Org = o
}

// flows lists the mail that there is.
func (g *generator) flows() {
	w := g.world
	w.Flows = append(w.Flows, g.meant...)
	for _, s := range g.servers {
		source := s.source()
		for _, addr := range s.addrs {
			if s.observed && addr != s.addrs[0] {
				continue
			}
			for _, helo := range append([]string{s.name}, s.boxed...) {
				for _, d := range g.domains {
					by := source
					if d.told && by == ByZones {
						by = ByOrg
					}
					if !d.told || by != ByObserving {
						w.Flows = append(w.Flows, Flow{addr, trim(helo), "user@" + trim(d.name), by})
					}
				}
				w.Flows = append(w.Flows, Flow{addr, trim(helo), "root@" + trim(helo), source}, Flow{addr, trim(helo), "", source})
			}
		}
	}
	for _, d := range g.domains {
		for _, host := range d.mx {
			w.Routes = append(w.Routes, Route{d.name, host, ByZones})
		}
		if len(d.mx) == 0 && d.hosted {
			by := ByZones
			if d.told {
				by = ByOrg
			}
			w.Routes = append(w.Routes, Route{d.name, d.name, by})
		}
	}
}

// source returns what shows a server.
func (s *server) source() Source {
	switch {
	case s.shown:
		return ByZones
	case s.described:
		return ByOrg
	}
	return ByObserving
}

// trim returns a name without its final dot.
func trim(name string) string { return strings.TrimSuffix(name, ".") }
