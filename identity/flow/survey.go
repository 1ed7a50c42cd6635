package flow

import (
	"errors"
	"iter"
	"net/netip"
	"slices"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
)

// A Survey is what the records of zones, and a description, show about mail. [Read] makes
// it. The zero Survey knows nothing. It is safe for concurrent use as long as nobody
// changes its Nodes.
type Survey struct {
	nodes      nodes                   // sorted by name once all records are read
	traits     map[string]Trait        // of names that records point to, which need not exist
	cuts       map[string]Trait        // of names at which a zone begins, ends or redirects
	apexes     map[string]bool         // of the zones
	ties       map[string]string       // names that records tie to mail, and how
	networks   map[netip.Prefix]string // that an SPF record authorizes, and the name of that record
	lengths    []int                   // prefix lengths of networks, the shortest first
	redirects  map[string]redirect     // SPF records with a redirect, by their names
	nearMisses map[string]string       // names with a text that is meant as an SPF record, and what is wrong with it
	noMail     map[string]bool         // described as names without mail
	described  map[string]string       // described as names with mail, and their use
	servers    map[netip.Addr]string   // addresses of mail servers, and whose they are
}

// Read surveys the records of whole zones, which may come in any order, each once, and
// what an organization says about its names; o may be nil. Names that are not the
// organization's own are tied to their owner, so that nobody plans records for them.
//
// The error is the first of records, or says that none of them is a SOA record. Memory
// grows with the number of names.
func Read(records iter.Seq2[dns.RR, error], o *org.Organization) (*Survey, error) {
	s := &Survey{
		traits: make(map[string]Trait), cuts: make(map[string]Trait), apexes: make(map[string]bool), ties: make(map[string]string),
		networks: make(map[netip.Prefix]string), noMail: make(map[string]bool), described: make(map[string]string), servers: make(map[netip.Addr]string),
		redirects: make(map[string]redirect), nearMisses: make(map[string]string),
	}
	for rr, err := range records {
		if err != nil {
			return nil, err
		}
		s.addRecord(rr)
	}
	if len(s.apexes) == 0 {
		return nil, errors.New("expected a whole zone, with its SOA record")
	}
	s.nodes = s.nodes.merged()
	for i := range s.nodes {
		s.nodes[i].Traits |= s.traits[s.nodes[i].Name]
		slices.SortFunc(s.nodes[i].Addrs, netip.Addr.Compare)
	}
	for p := range s.networks {
		if !slices.Contains(s.lengths, p.Bits()) {
			s.lengths = append(s.lengths, p.Bits())
		}
	}
	slices.Sort(s.lengths)
	s.addExchangers()
	if o != nil {
		s.addDescription(o)
	}
	s.followRedirects()
	return s, nil
}

// Nodes returns what is known about every name that has records, sorted by name. The slice
// is the survey's own: callers that no longer need the addresses of a node can set them to
// nil to save memory.
func (s *Survey) Nodes() []Node { return s.nodes }

// Node returns the entry of Nodes for a canonical name, nil if it has no records.
func (s *Survey) Node(name string) *Node { return s.nodes.find(name) }

// Tie returns which record shows that a canonical name takes part in mail, although the
// records of the name itself may not; "" for none. For a name that is not the
// organization's it says so.
func (s *Survey) Tie(name string) string { return s.ties[name] }

// Described returns what the description uses a canonical name for in mail, "" for
// nothing.
func (s *Survey) Described(name string) string { return s.described[name] }

// NoMail reports whether the description lists a canonical name as one without mail, and
// does not also use it for mail.
func (s *Survey) NoMail(name string) bool { return s.noMail[name] }

// NearMiss returns why receivers ignore a text of a canonical name that is meant as an SPF
// record, "" if the name has no such text or has an SPF record. Its owner meant to say who
// sends.
func (s *Survey) NearMiss(name string) string {
	if s.Node(name).Has(Sends | NullSPF) {
		return ""
	}
	return s.nearMisses[name]
}

// MeantToSend returns the reason to leave a name alone that has a text with a fault as
// [spf.NearMiss] returns it.
func MeantToSend(fault string) string {
	return "a text is meant to say who sends, but is not an SPF record: " + fault
}

// Authorizer returns the name whose SPF record authorizes a network with an address, "" for
// none. Of several it is the one with the largest network.
func (s *Survey) Authorizer(addr netip.Addr) string {
	for _, bits := range s.lengths {
		if p, err := addr.Prefix(bits); err == nil && s.networks[p] != "" {
			return s.networks[p]
		}
	}
	return ""
}

// Server returns the mail server that has an address: the ID of a described MTA, else the
// name of a mail exchanger, "" for none.
func (s *Survey) Server(addr netip.Addr) string { return s.servers[addr] }

// Zone returns the apex of the zone that has a canonical name, "." if none has it.
func (s *Survey) Zone(name string) string {
	for at := name; at != ""; at = dnsname.Parent(at) {
		if s.apexes[at] {
			return at
		}
	}
	return "."
}

// NotInZone returns why records at a canonical name would not belong to its zone: it is at
// or below a delegation, or below a DNAME. It returns "" if they would.
func (s *Survey) NotInZone(name string) string {
	for at := name; at != ""; at = dnsname.Parent(at) {
		cut := s.cuts[at]
		switch {
		case cut&Redirects != 0 && at != name: // RFC 6672, Section 2.4
			return "all names below " + at + " are redirected by its DNAME record"
		case cut&Apex != 0:
			return ""
		case cut&Delegated != 0:
			return at + " is delegated to a zone of its own"
		}
	}
	return ""
}

// addExchangers adds the addresses of the names that MX records point to.
func (s *Survey) addExchangers() {
	for _, n := range s.nodes {
		if !n.Has(Exchanger) {
			continue
		}
		for _, addr := range n.Addrs {
			if first := s.servers[addr]; first == "" || dnsname.Compare(n.Name, first) < 0 {
				s.servers[addr] = n.Name
			}
		}
	}
}

// addDescription adds what an organization says about its names and MTAs.
func (s *Survey) addDescription(o *org.Organization) {
	for _, m := range o.MTAs {
		s.described[dnsname.CanonicalOrEmpty(m.Helo)] = "it is the HELO name of " + m.ID
		s.described[dnsname.CanonicalOrEmpty(m.PTR)] = "it is the PTR name of " + m.ID
		for _, addr := range m.Addresses {
			s.servers[addr.Unmap()] = m.ID
		}
	}
	for _, d := range o.MailDomains() {
		s.described[dnsname.CanonicalOrEmpty(d.Domain)] = "it is a mail domain"
	}
	for _, name := range o.Names {
		name = dnsname.CanonicalOrEmpty(name)
		s.noMail[name] = s.described[name] == ""
	}
	owns := o.OwnsFunc()
	for _, n := range s.nodes {
		if !owns(n.Name) {
			s.ties[n.Name] = "it is not a name of " + o.Domain
			delete(s.noMail, n.Name)
		}
	}
}
