package flow

import (
	"cmp"
	"errors"
	"iter"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/csa"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/txt"
	"github.com/bonafide-mta/bonafide/nullmx"
	"github.com/bonafide-mta/bonafide/spf"
)

// A Node is what the records of zones show about one name. There can be millions.
type Node struct {
	Name    string       // canonical
	Addrs   []netip.Addr // of its address records; a caller that needs them no more can drop them
	Traits  Trait
	TextTTL uint32 // time to live of its texts, 0 without any
}

// Has reports whether the name has any of the traits. A nil Node has none.
func (n *Node) Has(t Trait) bool { return n != nil && n.Traits&t != 0 }

func (n *Node) address(ip net.IP) {
	if addr, ok := netip.AddrFromSlice(ip); ok {
		n.Addrs = append(n.Addrs, addr.Unmap())
	}
}

// A Trait is a property of a name. A Node has a set of them.
type Trait uint16

// The traits of a name.
const (
	Apex       Trait = 1 << iota // has a SOA record
	Delegated                    // has NS records
	Redirects                    // has a DNAME record: no records exist below it
	Alias                        // has a CNAME record
	GetsMail                     // has an MX record that is not a Null MX
	NullMX                       // has a Null MX
	Sends                        // has an SPF record that is not null
	NullSPF                      // has a null SPF record, or one that redirects to a null one
	SeveralSPF                   // has several SPF records, which receivers reject (RFC 7208, Section 4.5)
	Serves                       // has an SRV record
	Exchanger                    // is the target of an MX record
	Machine                      // has SSHFP or HINFO records, or is a PTR name
)

// A Survey is what the records of zones, and a description, show about mail. [Read] makes
// it; it is not safe for concurrent use.
type Survey struct {
	nodes     nodes                   // as they come; by name since arrange
	marks     map[string]Trait        // of names that records point to, and that need not exist
	cuts      map[string]Trait        // of names at which a zone begins or ends
	apexes    map[string]bool         // those at which one begins
	ties      map[string]string       // names that something ties to mail, and what
	networks  map[netip.Prefix]string // that an SPF record authorizes, and whose
	lengths   []int                   // of those, IPv6 and IPv4 alike
	redirects map[string]redirect     // of the SPF records of names
	meant     map[string]string       // names with a text that is meant as an SPF record, and what is wrong with it
	noMail    map[string]bool         // described as names without mail
	described map[string]string       // as names with mail, and of what; nil without a description
	hosts     map[netip.Addr]string   // addresses of MTAs, and whose
}

// Read surveys the records of whole zones, which may come in any order, each once, and
// what an organization says about its names, which may be nil. The error is that of the
// records, or says that there is no zone. Memory grows with the names of the zones.
func Read(records iter.Seq2[dns.RR, error], o *org.Organization) (*Survey, error) {
	s := &Survey{
		marks: make(map[string]Trait), cuts: make(map[string]Trait), apexes: make(map[string]bool),
		ties: make(map[string]string), networks: make(map[netip.Prefix]string), noMail: make(map[string]bool),
		redirects: make(map[string]redirect), meant: make(map[string]string),
	}
	for rr, err := range records {
		if err != nil {
			return nil, err
		}
		s.read(rr)
	}
	if len(s.apexes) == 0 {
		return nil, errors.New("expected a whole zone, with its SOA record")
	}
	s.arrange()
	s.followRedirects()
	for p := range s.networks {
		if !slices.Contains(s.lengths, p.Bits()) {
			s.lengths = append(s.lengths, p.Bits())
		}
	}
	slices.Sort(s.lengths) // the widest network is named
	if o != nil {
		s.describe(o)
	}
	s.locate(o)
	return s, nil
}

// Nodes returns what is known about every name that has records, sorted by name.
func (s *Survey) Nodes() []Node { return s.nodes }

// Node returns what is known about a name, or nil.
func (s *Survey) Node(name string) *Node { return s.nodes.find(name) }

// Tie returns what ties a name to mail, "" for nothing.
func (s *Survey) Tie(name string) string { return s.ties[name] }

// Described returns what the description says that a name is used for in mail, "" for
// nothing.
func (s *Survey) Described(name string) string { return s.described[name] }

// NoMail reports whether the description lists a name as one without mail.
func (s *Survey) NoMail(name string) bool { return s.noMail[name] }

// NearMiss returns why receivers pass over a text of a name that is meant as an SPF record,
// "" if the name has no such text or has an SPF record. Its owner meant to say who sends.
func (s *Survey) NearMiss(name string) string {
	fault := s.meant[name]
	if fault != "" && s.Node(name).Has(Sends|NullSPF) {
		return ""
	}
	return fault
}

// Authorizer returns the name whose SPF record has a network with an address, "" for none.
func (s *Survey) Authorizer(addr netip.Addr) string {
	for _, bits := range s.lengths {
		if p, err := addr.Prefix(bits); err == nil && s.networks[p] != "" {
			return s.networks[p]
		}
	}
	return ""
}

// MTA returns the ID of the described MTA that has an address, or else a mail exchanger
// that has it, "" for none.
func (s *Survey) MTA(addr netip.Addr) string { return s.hosts[addr] }

// Zone returns the apex of the zone that a name is in, the root if it is in none.
func (s *Survey) Zone(name string) string {
	for at := name; at != ""; at = dnsname.Parent(at) {
		if s.apexes[at] {
			return at
		}
	}
	return "."
}

// nodes are what is known of names. They are sorted, as the records of zones mostly come,
// and gone through in that order: with millions of them, asking a map for each is slow.
type nodes []Node

// find returns the node of a name, or nil.
func (all nodes) find(name string) *Node {
	i, ok := slices.BinarySearchFunc(all, name, func(n Node, name string) int { return dnsname.Compare(n.Name, name) })
	if !ok {
		return nil
	}
	return &all[i]
}

// add returns the node of a record's name, valid until the next one is asked for.
func (s *Survey) add(name string) *Node {
	last := len(s.nodes) - 1
	if last >= 0 && s.nodes[last].Name == name {
		return &s.nodes[last]
	}
	s.nodes = append(s.nodes, Node{Name: name})
	return &s.nodes[last+1]
}

// arrange sorts the nodes, once all records are read, and makes one of those with the
// same name.
func (s *Survey) arrange() {
	sorted := true
	for i := range s.nodes {
		sorted = sorted && (i == 0 || dnsname.Compare(s.nodes[i-1].Name, s.nodes[i].Name) < 0)
	}
	if !sorted {
		slices.SortStableFunc(s.nodes, func(a, b Node) int { return dnsname.Compare(a.Name, b.Name) })
		merged := s.nodes[:0]
		for _, n := range s.nodes {
			if last := len(merged) - 1; last >= 0 && merged[last].Name == n.Name {
				if merged[last].Traits&(Sends|NullSPF) != 0 && n.Traits&(Sends|NullSPF) != 0 {
					merged[last].Traits |= SeveralSPF
				}
				merged[last].Traits |= n.Traits
				merged[last].Addrs = append(merged[last].Addrs, n.Addrs...)
				merged[last].TextTTL = cmp.Or(n.TextTTL, merged[last].TextTTL)
				continue
			}
			merged = append(merged, n)
		}
		s.nodes = merged
	}
	for i := range s.nodes {
		s.nodes[i].Traits |= s.marks[s.nodes[i].Name]
	}
}

// tie remembers what ties a name to mail; what is said first counts.
func (s *Survey) tie(name, why string) {
	if name = dnsname.CanonicalOrEmpty(name); name != "" && s.ties[name] == "" {
		s.ties[name] = why
	}
}

// mark gives a Trait to a name that a record leads to, and that need not exist.
func (s *Survey) mark(name string, t Trait) {
	if name = dnsname.CanonicalOrEmpty(name); name != "" {
		s.marks[name] |= t
	}
}

func (s *Survey) read(rr dns.RR) {
	name := dnsname.CanonicalOrEmpty(rr.Header().Name)
	if name == "" {
		return // no name that a server would have a host under
	}
	n := s.add(name)
	switch rr := rr.(type) {
	case *dns.A:
		n.address(rr.A)
	case *dns.AAAA:
		n.address(rr.AAAA)
	case *dns.SOA:
		n.Traits |= Apex
		s.apexes[name] = true
	case *dns.NS:
		n.Traits |= Delegated
	case *dns.DNAME:
		n.Traits |= Redirects
	case *dns.CNAME:
		n.Traits |= Alias
	case *dns.MX:
		if nullmx.IsNull(rr) {
			n.Traits |= NullMX
			break
		}
		n.Traits |= GetsMail
		s.mark(rr.Mx, Exchanger)
		s.tie(rr.Mx, "it takes the mail of "+name)
	case *dns.SRV:
		n.Traits |= Serves
		s.service(name, rr)
	case *dns.SSHFP, *dns.HINFO:
		n.Traits |= Machine
	case *dns.PTR:
		if dnsname.FromReverse(name).IsValid() {
			s.mark(rr.Ptr, Machine)
		}
	case *dns.TXT:
		s.text(name, n, rr)
	}
	if cut := n.Traits & (Apex | Delegated | Redirects); cut != 0 {
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
func (s *Survey) service(name string, rr *dns.SRV) {
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
func (s *Survey) text(name string, n *Node, rr *dns.TXT) {
	n.TextTTL = rr.Hdr.Ttl
	text := txt.Join(rr.Txt)
	if !spf.IsRecord(text) {
		// Of several, the reason does not depend on the order of records.
		if fault := spf.NearMiss(text); fault != "" && (s.meant[name] == "" || fault < s.meant[name]) {
			s.meant[name] = fault
		}
		return
	}
	if n.Has(Sends | NullSPF) {
		n.Traits |= SeveralSPF
	}
	if spf.IsNull(text) {
		n.Traits |= NullSPF
		return
	}
	n.Traits |= Sends
	record, _ := spf.Parse(text) // with the terms that are right
	for _, t := range record.Terms {
		switch {
		case t.Qualifier == spf.Fail:
		case t.Prefix.IsValid() && t.Prefix.Bits() > 0:
			s.networks[t.Prefix.Masked()] = name
		case t.Domain == "" || strings.Contains(t.Domain, "%"):
		case t.Kind == spf.Redirect:
			s.redirects[name] = redirect{text, t.Domain}
		default:
			s.tie(t.Domain, inSPF(name))
		}
	}
}

// inSPF is what ties a name in the SPF record of another to mail.
func inSPF(name string) string { return "the SPF record of " + name + " has it" }

// A redirect is an SPF record with a redirect, and the domain that it leads to.
type redirect struct{ text, domain string }

// followRedirects finds the names whose SPF record redirects to a null one. The others tie
// the domain to mail.
func (s *Survey) followRedirects() {
	record := func(domain string) string {
		switch n := s.Node(domain); {
		case n.Has(SeveralSPF):
			return ""
		case n.Has(NullSPF):
			return "v=spf1 -all" // or as good as that
		}
		return s.redirects[domain].text
	}
	for _, name := range slices.Sorted(maps.Keys(s.redirects)) {
		r := s.redirects[name]
		if n := s.Node(name); !n.Has(SeveralSPF) && spf.IsNullBy(r.text, record) {
			n.Traits = n.Traits&^Sends | NullSPF
		} else {
			s.tie(r.domain, inSPF(name))
		}
	}
}

// describe takes in what an organization says of its names.
func (s *Survey) describe(o *org.Organization) {
	described := make(map[string]string)
	s.described = described
	for _, m := range o.MTAs {
		described[dnsname.CanonicalOrEmpty(m.Helo)] = "it is the HELO name of " + m.ID
		described[dnsname.CanonicalOrEmpty(m.PTR)] = "it is the PTR name of " + m.ID
	}
	for _, d := range o.MailDomains() {
		described[dnsname.CanonicalOrEmpty(d.Domain)] = "it is a mail domain"
	}
	for _, name := range o.Names {
		s.noMail[dnsname.CanonicalOrEmpty(name)] = described[dnsname.CanonicalOrEmpty(name)] == ""
	}
	for _, n := range s.nodes {
		name := n.Name
		if !o.Owns(name) {
			s.ties[name] = "it is no name of " + o.Domain
			delete(s.noMail, name)
		}
	}
}

// NotInZone returns why records at a name would not be records of its zone, "" if they
// would.
func (s *Survey) NotInZone(name string) string {
	for at := name; at != ""; at = dnsname.Parent(at) {
		above := s.cuts[at]
		switch {
		case above == 0:
		case above&Redirects != 0 && at != name:
			return "all names below " + at + " are redirected by its DNAME record"
		case above&Apex != 0:
			return ""
		case above&Delegated != 0:
			return at + " is delegated: its own zone is to be hardened"
		}
	}
	return ""
}

// locate learns the addresses of MTAs: those that are described, and those of names that
// take mail.
func (s *Survey) locate(o *org.Organization) {
	s.hosts = make(map[netip.Addr]string)
	for _, n := range s.nodes {
		if n.Traits&Exchanger == 0 {
			continue
		}
		for _, addr := range n.Addrs {
			if first := s.hosts[addr]; first == "" || dnsname.Compare(n.Name, first) < 0 {
				s.hosts[addr] = n.Name
			}
		}
	}
	if o == nil {
		return
	}
	for _, m := range o.MTAs {
		for _, addr := range m.Addresses {
			s.hosts[addr.Unmap()] = m.ID
		}
	}
}
