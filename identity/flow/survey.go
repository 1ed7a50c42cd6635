package flow

import (
	"cmp"
	"iter"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/identity/helo"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
)

// A Survey is what the records of zones, a description and observations show about mail.
// [Read] makes it. The zero Survey knows nothing. It is safe for concurrent use as long as
// nobody changes its Nodes.
type Survey struct {
	nodes      nodes                     // sorted by name once all records are read
	traits     map[string]Trait          // of names that records point to, which need not exist
	cuts       map[string]Trait          // of names at which a zone begins, ends or redirects
	apexes     map[string]bool           // of the zones
	aliases    map[string]string         // the targets of CNAME records, by their names
	dnames     map[string]string         // the same of DNAME records
	mx         []edge                    // domains and the hosts that take their mail, sorted
	ptrs       []edge                    // reverse names and PTR names
	flows      []Flow                    // except those of mx and of shared addresses, sorted by node
	networks   map[netip.Prefix]string   // that an SPF record authorizes, and the name of that record
	lengths    []int                     // prefix lengths of networks, the shortest first
	redirects  map[string]redirect       // SPF records with a redirect, by their names
	nearMisses map[string]string         // names with a text that is meant as an SPF record, and what is wrong with it
	servers    map[netip.Addr]string     // addresses of mail servers, and whose they are
	mail       map[string]org.MailDomain // described, by canonical name
	org        *org.Organization         // nil without a description
	noMail     map[string]bool           // described as names without mail
	described  map[string]string         // described as names with mail, and their use
	owned      map[string]bool           // described as zones, mail domains or names
}

// An edge is a record of one name that names another.
type edge struct{ from, to string }

// Read surveys the records of zones, which may come in any order, each once, what an
// organization says about its names, and what its servers were observed to say; o may be nil.
// Of a part of a zone it knows only the names in it.
//
// The error is the first of records. Memory grows with the number of names and records.
func Read(records iter.Seq2[dns.RR, error], o *org.Organization, observed ...Observation) (*Survey, error) {
	s := &Survey{
		traits: make(map[string]Trait), cuts: make(map[string]Trait), apexes: make(map[string]bool), aliases: make(map[string]string), dnames: make(map[string]string),
		networks: make(map[netip.Prefix]string), noMail: make(map[string]bool), described: make(map[string]string), servers: make(map[netip.Addr]string), owned: make(map[string]bool), mail: make(map[string]org.MailDomain),
		redirects: make(map[string]redirect), nearMisses: make(map[string]string), org: o,
	}
	r := reader{Survey: s, hosts: make(map[string]Flow), terms: make(map[term]string), ptrTerms: make(map[string]string)}
	for rr, err := range records {
		if err != nil {
			return nil, err
		}
		r.addRecord(rr)
	}
	s.nodes = s.nodes.merged()
	for i := range s.nodes {
		s.nodes[i].Traits |= s.traits[s.nodes[i].Name]
	}
	slices.SortFunc(s.mx, func(a, b edge) int { return cmp.Or(dnsname.Compare(a.from, b.from), dnsname.Compare(a.to, b.to)) })
	r.addServers()
	if o != nil {
		r.addDescription(o)
	}
	r.addObservations(observed)
	r.addNetworks()
	r.followRedirects()
	r.addPTRs()
	r.finish()
	return s, nil
}

// Nodes returns what is known about every name that has records, sorted by name. The slice
// is the survey's own: callers that no longer need the addresses of a node can set them to
// nil to save memory.
func (s *Survey) Nodes() []Node { return s.nodes }

// Node returns the entry of Nodes for a canonical name, nil if it has no records.
func (s *Survey) Node(name string) *Node { return s.nodes.find(name) }

// maxChain is how many aliases are followed, as a Resolver does.
const maxChain = 16

// Locate returns the name that has the records which DNS answers with for a canonical name:
// the name itself, the last target that the zones have if it is an alias (RFC 1034, Section
// 4.3.2) or below a DNAME (RFC 6672), or the wildcard that answers for it (RFC 4592). It
// returns the name for one that the zones do not have, and some name of a loop of aliases.
func (s *Survey) Locate(name string) string {
	for range maxChain + 1 {
		node, next := s.step(name)
		if next == "" {
			return node
		}
		name = next
	}
	return name
}

// Chain returns the names that DNS looks up for a canonical one: the name itself, then the
// targets of aliases and DNAMEs in turn, 16 at most. A wildcard that answers is not among them.
func (s *Survey) Chain(name string) []string {
	out := []string{name}
	for range maxChain {
		_, next := s.step(name)
		if next == "" {
			break
		}
		out = append(out, next)
		name = next
	}
	return out
}

// step returns the name that has the records for a name in its zone, and the name with which
// DNS goes on if that is an alias or redirected, "" if not.
func (s *Survey) step(name string) (node, next string) {
	encloser, redirect, delegated := "", "", false // the closest name that exists; the highest cut
	for at := name; at != ""; at = dnsname.Parent(at) {
		cut := s.cuts[at]
		if cut&Redirects != 0 && at != name { // RFC 6672, Section 2.4
			redirect, delegated = at, false
		}
		if encloser == "" && s.exists(at) {
			encloser = at
		}
		if cut&Apex != 0 {
			break
		}
		if cut&Delegated != 0 {
			redirect, delegated = "", true
		}
	}
	switch {
	case redirect != "":
		// A name that gets too long is none (RFC 6672, Section 3.2).
		return name, dnsname.CanonicalOrEmpty(below(strings.TrimSuffix(name, redirect), s.dnames[redirect]))
	case delegated:
		return name, ""
	case encloser != name && encloser != "":
		if wildcard := below("*.", encloser); s.Node(wildcard) != nil { // RFC 4592, Section 3.3.1
			return wildcard, s.aliases[wildcard]
		}
	}
	return name, s.aliases[name]
}

// below returns the name of labels, which end with a dot, below another name.
func below(labels, name string) string { return labels + strings.TrimPrefix(name, ".") }

// exists reports whether a name has records, or names below it have.
func (s *Survey) exists(name string) bool {
	i, ok := s.nodes.search(name)
	return ok || i < len(s.nodes) && dnsname.Under(s.nodes[i].Name, name)
}

// Described returns what the description uses a canonical name for in mail, "" for
// nothing.
func (s *Survey) Described(name string) string { return s.described[name] }

// NoMail reports whether the description lists a canonical name as one without mail, and
// does not also use it for mail.
func (s *Survey) NoMail(name string) bool { return s.noMail[name] }

// NotOwned returns why records at a canonical name are not the organization's to publish, ""
// if they are, or without a description. What is described is the organization's: its domain,
// its zones, its mail domains, its names, and all names below these.
func (s *Survey) NotOwned(name string) string {
	if s.org == nil || s.org.Owns(name) {
		return ""
	}
	for at := name; at != ""; at = dnsname.Parent(at) {
		if s.owned[at] {
			return ""
		}
	}
	return "it is not a name of " + display(dnsname.CanonicalOrEmpty(s.org.Domain))
}

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

// Authorizer returns the name whose SPF record authorizes a network with an address, by any
// mechanism that the zones show, "" for none. Of several it is the one with the largest
// network.
func (s *Survey) Authorizer(addr netip.Addr) string {
	for _, bits := range s.lengths {
		if p, err := addr.Prefix(bits); err == nil && s.networks[p] != "" {
			return s.networks[p]
		}
	}
	return ""
}

// Server returns the mail server that has an address: the ID of a described MTA, else the
// name of a host that a record shows to take or send mail, "" for none.
func (s *Survey) Server(addr netip.Addr) string { return s.servers[addr] }

// Zones returns the names of the zones, sorted: those with a SOA record.
func (s *Survey) Zones() []string { return slices.SortedFunc(maps.Keys(s.apexes), dnsname.Compare) }

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

// addDescription adds what an organization says about its names and MTAs.
func (r *reader) addDescription(o *org.Organization) {
	for _, m := range o.MTAs {
		ptr, said := dnsname.CanonicalOrEmpty(m.PTR), ""
		if arg, err := helo.Parse(m.Helo); err == nil {
			said = arg.Name
		}
		r.describe(said, "it is the HELO name of "+m.ID)
		r.describe(ptr, "it is the PTR name of "+m.ID)
		for _, addr := range m.Addresses {
			addr = addr.Unmap()
			r.servers[addr] = m.ID
			if said != "" {
				r.add(Flow{Kind: Helo, Name: said, Net: single(addr), Sign: Described, By: m.ID})
			}
			if ptr != "" {
				r.add(Flow{Kind: Helo, Name: ptr, Host: ptr, Net: single(addr), Sign: Described, By: m.ID})
			}
		}
	}
	for _, d := range o.MailDomains() {
		domain := dnsname.CanonicalOrEmpty(d.Domain)
		r.describe(domain, "it is a mail domain")
		r.add(Flow{Kind: Sender, Name: domain, Sign: Described})
		r.mail[domain], r.owned[domain] = d, true
	}
	for _, zone := range o.Zones {
		r.owned[dnsname.CanonicalOrEmpty(zone)] = true
	}
	for _, name := range o.Names {
		name = dnsname.CanonicalOrEmpty(name)
		r.noMail[name], r.owned[name] = r.described[name] == "", true
	}
}

func (r *reader) describe(name, use string) {
	if name != "" {
		r.described[name] = use
	}
}
