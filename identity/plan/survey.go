package plan

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/csa"
	"github.com/bonafide-mta/bonafide/fcrdns/ptrname"
	"github.com/bonafide-mta/bonafide/identity/helo"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/txt"
	"github.com/bonafide-mta/bonafide/spf"
)

// A node is what is known of one name. There may be millions.
type node struct {
	name  string
	addrs []netip.Addr
	is    trait
	ttl   uint32 // of its texts, if there are any
}

func (n *node) address(ip net.IP) {
	if addr, ok := netip.AddrFromSlice(ip); ok {
		n.addrs = append(n.addrs, addr.Unmap())
	}
}

// traits of a name.
type trait uint16

const (
	apex      trait = 1 << iota // has a SOA record
	delegated                   // has NS records
	redirects                   // has a DNAME record: nothing stands below
	alias                       // has a CNAME record
	getsMail                    // has an MX record that is no Null MX
	nullMX
	sends // has an SPF record that is not null
	nullSPF
	severalSPF // of which receivers take none
	serves     // has an SRV record
	exchanger  // is the target of an MX record
	machine    // has SSHFP or HINFO records, or is the name of an address
)

// A survey is what the records of zones say of mail.
type survey struct {
	nodes     nodes                   // as they come; by name since arrange
	marks     map[string]trait        // of names that records lead to, and that need not exist
	cuts      map[string]trait        // of names at which a zone begins or ends
	apexes    map[string]bool         // those at which one begins
	ties      map[string]string       // names that something ties to mail, and what
	networks  map[netip.Prefix]string // that an SPF record authorizes, and whose
	lengths   []int                   // of those, IPv6 and IPv4 alike
	silent    map[string]bool         // described as names without mail
	described map[string]string       // as names with mail, and of what; nil without a description
	mail      map[netip.Addr]string   // addresses of MTAs, and whose
}

// nodes are what is known of names. They are sorted, as the records of zones mostly come,
// and gone through in that order: with millions of them, asking a map for each is slow.
type nodes []node

// at returns the node of a name, or nil.
func (all nodes) at(name string) *node {
	i, ok := slices.BinarySearchFunc(all, name, func(n node, name string) int { return dnsname.Compare(n.name, name) })
	if !ok {
		return nil
	}
	return &all[i]
}

// is reports whether a name has a trait.
func (all nodes) is(name string, t trait) bool {
	n := all.at(name)
	return n != nil && n.is&t != 0
}

// node returns the node of a record's name, valid until the next one is asked for.
func (s *survey) node(name string) *node {
	last := len(s.nodes) - 1
	if last >= 0 && s.nodes[last].name == name {
		return &s.nodes[last]
	}
	s.nodes = append(s.nodes, node{name: name})
	return &s.nodes[last+1]
}

// arrange sorts the nodes, once all records are read, and makes one of those with the
// same name.
func (s *survey) arrange() {
	sorted := true
	for i := range s.nodes {
		sorted = sorted && (i == 0 || dnsname.Compare(s.nodes[i-1].name, s.nodes[i].name) < 0)
	}
	if !sorted {
		slices.SortStableFunc(s.nodes, func(a, b node) int { return dnsname.Compare(a.name, b.name) })
		merged := s.nodes[:0]
		for _, n := range s.nodes {
			if last := len(merged) - 1; last >= 0 && merged[last].name == n.name {
				if merged[last].is&(sends|nullSPF) != 0 && n.is&(sends|nullSPF) != 0 {
					merged[last].is |= severalSPF
				}
				merged[last].is |= n.is
				merged[last].addrs = append(merged[last].addrs, n.addrs...)
				merged[last].ttl = cmp.Or(n.ttl, merged[last].ttl)
				continue
			}
			merged = append(merged, n)
		}
		s.nodes = merged
	}
	for i := range s.nodes {
		s.nodes[i].is |= s.marks[s.nodes[i].name]
	}
}

// tie remembers what ties a name to mail; what is said first counts.
func (s *survey) tie(name, why string) {
	if name = dnsname.CanonicalOrEmpty(name); name != "" && s.ties[name] == "" {
		s.ties[name] = why
	}
}

// mark gives a trait to a name that a record leads to, and that need not exist.
func (s *survey) mark(name string, is trait) {
	if name = dnsname.CanonicalOrEmpty(name); name != "" {
		s.marks[name] |= is
	}
}

func (s *survey) read(rr dns.RR) {
	name := dnsname.CanonicalOrEmpty(rr.Header().Name)
	if name == "" {
		return // no name that a server would have a host under
	}
	n := s.node(name)
	switch rr := rr.(type) {
	case *dns.A:
		n.address(rr.A)
	case *dns.AAAA:
		n.address(rr.AAAA)
	case *dns.SOA:
		n.is |= apex
		s.apexes[name] = true
	case *dns.NS:
		n.is |= delegated
	case *dns.DNAME:
		n.is |= redirects
	case *dns.CNAME:
		n.is |= alias
	case *dns.MX:
		if isNullMX(rr) {
			n.is |= nullMX
			break
		}
		n.is |= getsMail
		s.mark(rr.Mx, exchanger)
		s.tie(rr.Mx, "it takes the mail of "+name)
	case *dns.SRV:
		n.is |= serves
		s.service(name, rr)
	case *dns.SSHFP, *dns.HINFO:
		n.is |= machine
	case *dns.PTR:
		if dnsname.FromReverse(name).IsValid() {
			s.mark(rr.Ptr, machine)
		}
	case *dns.TXT:
		s.text(name, n, rr)
	}
	if cut := n.is & (apex | delegated | redirects); cut != 0 {
		s.cuts[name] |= cut
	}
	for _, label := range []string{"._domainkey.", "_dmarc."} {
		if i := strings.Index(name, label); i >= 0 && (i == 0) == (label[0] == '_') {
			s.tie(name[i+len(label):], "it has "+name)
		}
	}
}

// service takes in an SRV record: CSA (draft-ietf-marid-csv-csa-02, Section 3) and
// submission (RFC 6186, RFC 8314).
func (s *survey) service(name string, rr *dns.SRV) {
	if host, ok := csa.NameOf(name); ok {
		if csa.Authorizes(rr) {
			s.tie(host, "a CSA record lets it greet")
		}
		return
	}
	service, _, _ := strings.Cut(name, ".")
	switch service {
	case "_submission", "_submissions", "_smtp", "_smtps":
		s.tie(rr.Target, "it is the target of "+name)
	}
}

// text takes in a TXT record.
func (s *survey) text(name string, n *node, rr *dns.TXT) {
	n.ttl = rr.Hdr.Ttl
	if isSPF(rr) && n.is&(sends|nullSPF) != 0 {
		n.is |= severalSPF
	}
	switch {
	case isNullSPF(rr):
		n.is |= nullSPF
	case isSPF(rr):
		n.is |= sends
		record, _ := spf.Parse(txt.Join(rr.Txt)) // with the terms that are right
		for _, t := range record.Terms {
			if t.Qualifier == spf.Fail {
				continue
			}
			if t.Prefix.IsValid() && t.Prefix.Bits() > 0 {
				s.networks[t.Prefix.Masked()] = name
			} else if t.Domain != "" && !strings.Contains(t.Domain, "%") {
				s.tie(t.Domain, "the SPF record of "+name+" has it")
			}
		}
	}
}

// describe takes in what an organization says of its names.
func (s *survey) describe(o *org.Organization) {
	described := make(map[string]string)
	s.described = described
	for _, m := range o.MTAs {
		described[dnsname.CanonicalOrEmpty(m.HELO)] = "it is the HELO name of " + m.ID
		described[dnsname.CanonicalOrEmpty(m.PTR)] = "it is the PTR name of " + m.ID
	}
	for _, d := range o.MailDomains() {
		described[dnsname.CanonicalOrEmpty(d.Domain)] = "it is a mail domain"
	}
	for _, name := range o.Names {
		s.silent[dnsname.CanonicalOrEmpty(name)] = described[dnsname.CanonicalOrEmpty(name)] == ""
	}
	for _, n := range s.nodes {
		name := n.name
		if relation, _ := helo.Relate(name, o.Domain, o.Domain); relation == helo.Unrelated {
			s.ties[name] = "it is no name of " + o.Domain
			delete(s.silent, name)
		}
	}
}

// leave returns why a name is left alone, "" if it is not, or if it has no address and
// nothing that one would look for.
func (s *survey) leave(n node) string {
	name := n.name
	if len(n.addrs) == 0 {
		if n.is&alias != 0 && dnsname.FormOf(name) == dnsname.Host {
			return "it is an alias: what its target says counts"
		}
		return ""
	}
	if reason := outside(s.cuts, name); reason != "" {
		return reason
	}
	switch {
	case s.described[name] != "":
		return s.described[name]
	case n.is&getsMail != 0:
		return "it has mail servers: describe it as a mail domain"
	case n.is&severalSPF != 0:
		return "it has several SPF records, of which receivers take none (permerror: RFC 7208, Section 4.5)"
	case n.is&sends != 0:
		return "it has an SPF record that is not v=spf1 -all"
	case dnsname.FormOf(strings.TrimPrefix(name, "*.")) != dnsname.Host:
		return "it is no host name: nobody sends mail as user@ it, and a host should not be called so"
	case s.silent[name]:
		return ""
	case s.ties[name] != "":
		return s.ties[name]
	}
	for _, addr := range n.addrs {
		for _, bits := range s.lengths {
			if p, err := addr.Prefix(bits); err == nil && s.networks[p] != "" {
				return "the SPF record of " + s.networks[p] + " authorizes " + addr.String()
			}
		}
	}
	if word := ptrname.MailWord(name); word != "" {
		return fmt.Sprintf("its name has %q: describe it as an MTA, or in names", word)
	}
	return ""
}

// outside returns why records at a name are none of its zone, or "".
func outside(cuts map[string]trait, name string) string {
	for at := name; at != ""; at = dnsname.Parent(at) {
		above := cuts[at]
		switch {
		case above == 0:
		case above&redirects != 0 && at != name:
			return "all names below " + at + " are redirected by its DNAME record"
		case above&apex != 0:
			return ""
		case above&delegated != 0:
			return at + " is delegated: its own zone is to be hardened"
		}
	}
	return ""
}

// locate learns the addresses of MTAs: those that are described, and those of names that
// take mail.
func (s *survey) locate(o *org.Organization) {
	s.mail = make(map[netip.Addr]string)
	for _, n := range s.nodes {
		if n.is&exchanger == 0 {
			continue
		}
		for _, addr := range n.addrs {
			if first := s.mail[addr]; first == "" || dnsname.Compare(n.name, first) < 0 {
				s.mail[addr] = n.name
			}
		}
	}
	if o == nil {
		return
	}
	for _, m := range o.MTAs {
		for _, addr := range m.Addresses {
			s.mail[addr.Unmap()] = m.ID
		}
	}
}

// suspect returns what speaks for it that a name that seems to be without mail gets some, or
// that programs send as user@ it, or "".
func (s *survey) suspect(n node) string {
	if n.is&apex != 0 && n.is&nullMX == 0 {
		return "it is the name of the zone, and mail for it goes to its address: see that nobody is written to there"
	}
	if n.is&machine != 0 {
		return "it seems to be the name of a machine: see that cron and other programs there do not send as root@ it"
	}
	for _, addr := range n.addrs {
		if mta := s.mail[addr]; mta != "" {
			return fmt.Sprintf("its address %s is one of %s: see that nothing there sends as user@ it", addr, strings.TrimSuffix(mta, "."))
		}
	}
	return ""
}

// between lists the names that exist only since there are names below them, where
// a wildcard with addresses would answer for them otherwise (RFC 4592, Section 2.2.2).
func (s *survey) between() []Note {
	wild := make(map[string]bool) // the parents of such wildcards
	for _, n := range s.nodes {
		if strings.HasPrefix(n.name, "*.") && len(n.addrs) > 0 {
			wild[dnsname.Parent(n.name)] = true
		}
	}
	var notes []Note
	if len(wild) == 0 {
		return nil
	}
	seen := make(map[string]bool)
	for _, n := range s.nodes {
		if outside(s.cuts, n.name) != "" {
			continue
		}
		for at := n.name; at != "" && !seen[at]; at = dnsname.Parent(at) {
			if seen[at] = true; s.nodes.is(at, apex) {
				break
			}
			if parent := dnsname.Parent(at); wild[parent] && s.nodes.at(at) == nil && dnsname.FormOf(at) == dnsname.Host {
				notes = append(notes, Note{at, "it has names below and no records, so that *." + parent + " does not answer for it: nothing is to be added"})
			}
		}
	}
	return notes
}

// trap returns what a wildcard does that its owner may not know, or "".
func (s *survey) trap(n node) string {
	name := n.name
	switch {
	case !strings.HasPrefix(name, "*."):
		return ""
	case n.is&(sends|nullSPF) != 0:
		return "its SPF text also answers for _dmarc, _mta-sts and whatever else is asked for by name and is not there"
	case len(n.addrs) > 0:
		return "with an SPF text it also answers for _dmarc, _mta-sts and whatever else is asked for by name and is not there: give the names that mail is sent under a _dmarc of their own"
	case n.is&getsMail != 0:
		return "it takes mail for names that do not exist only: a name with any record of its own has no MX by it"
	}
	return ""
}
