package flow

import (
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/csa"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/txt"
	"github.com/bonafide-mta/bonafide/nullmx"
	"github.com/bonafide-mta/bonafide/spf"
)

// A reader makes a survey.
type reader struct {
	*Survey
	hosts    map[string]Flow   // that records tie to mail, by name: the surest flow of each
	terms    map[term]string   // of SPF records, and the first record that has them
	ptrTerms map[string]string // domains of the SPF mechanism ptr, and the first record that has it
}

// A term is a mechanism a or mx of an SPF record, with the name whose addresses count.
type term struct {
	domain     string
	mx         bool
	len4, len6 uint8
}

// nodeOf returns the last node if it has the name, else a new one. The pointer is valid
// until the next call.
func (r *reader) nodeOf(name string) *Node {
	last := len(r.nodes) - 1
	if last >= 0 && r.nodes[last].Name == name {
		return &r.nodes[last]
	}
	r.nodes = append(r.nodes, Node{Name: name})
	return &r.nodes[last+1]
}

// addHost ties a name to mail by a record. Of several records the surest counts, whatever
// their order.
func (r *reader) addHost(f Flow) {
	if f.Name = dnsname.CanonicalOrEmpty(f.Name); f.Name == "" {
		return
	}
	if old, ok := r.hosts[f.Name]; !ok || compareFlows(f, old) < 0 {
		r.hosts[f.Name] = f
	}
}

// add adds a flow that is one beside others of its name, without its node.
func (r *reader) add(f Flow) {
	if f.Name != "" { // else it is about the root
		r.flows = append(r.flows, f)
	}
}

// addLeast puts a name into a map unless it has a lesser one for the key: so the order of
// records does not matter.
func addLeast[K comparable](m map[K]string, key K, name string) {
	if old, ok := m[key]; !ok || dnsname.Compare(name, old) < 0 {
		m[key] = name
	}
}

// addTrait gives a trait to a name that a record points to.
func (r *reader) addTrait(name string, t Trait) {
	if name = dnsname.CanonicalOrEmpty(name); name != "" {
		r.traits[name] |= t
	}
}

// addRecord adds what a record shows.
func (r *reader) addRecord(rr dns.RR) {
	name := dnsname.CanonicalOrEmpty(rr.Header().Name)
	if name == "" {
		return // not a name that a host or a mail domain can have
	}
	n := r.nodeOf(name)
	switch rr := rr.(type) {
	case *dns.A:
		n.addAddress(rr.A)
	case *dns.AAAA:
		n.addAddress(rr.AAAA)
	case *dns.SOA:
		n.Traits |= Apex
		r.apexes[name] = true
	case *dns.NS:
		n.Traits |= Delegated
	case *dns.DNAME:
		n.Traits |= Redirects
		addLeast(r.dnames, name, dnsname.CanonicalOrEmpty(rr.Target))
	case *dns.CNAME:
		n.Traits |= Alias
		addLeast(r.aliases, name, dnsname.CanonicalOrEmpty(rr.Target))
	case *dns.MX:
		if nullmx.IsNull(rr) {
			n.Traits |= NullMX
			break
		}
		n.Traits |= GetsMail
		if host := dnsname.CanonicalOrEmpty(rr.Mx); host != "" {
			r.mx = append(r.mx, edge{name, host})
			r.addHost(Flow{Kind: Helo, Name: host, Sign: MX, By: name})
		}
	case *dns.SRV:
		n.Traits |= Serves
		r.addService(name, rr)
	case *dns.SSHFP, *dns.HINFO:
		n.Traits |= Machine
	case *dns.DNSKEY:
		n.Traits |= Signed
	case *dns.PTR:
		r.ptrs = append(r.ptrs, edge{name, dnsname.CanonicalOrEmpty(rr.Ptr)})
		if dnsname.FromReverse(name).IsValid() {
			r.addTrait(rr.Ptr, Machine)
		}
	case *dns.TXT:
		r.addText(name, n, rr)
	}
	if cut := n.Traits & (Apex | Delegated | Redirects); cut != 0 {
		r.cuts[name] |= cut
	}
	if strings.Contains(name, "_") {
		r.addPolicy(name, rr)
	}
}

// addService adds what an SRV record shows: CSA (draft-ietf-marid-csv-csa-02, Section 3) or
// a mail service (RFC 6186, RFC 8314).
func (r *reader) addService(name string, rr *dns.SRV) {
	if host, ok := csa.NameOf(name); ok {
		if csa.Authorizes(rr) {
			r.add(Flow{Kind: Helo, Name: host, Host: dnsname.CanonicalOrEmpty(rr.Target), Sign: CSA, By: name})
		}
		return
	}
	service, _, _ := strings.Cut(name, ".")
	switch service {
	case "_submission", "_submissions", "_smtp", "_smtps", "_imap", "_imaps", "_pop3", "_pop3s":
		r.addHost(Flow{Kind: Helo, Name: rr.Target, Sign: SRV, By: name})
	}
}

// addText adds what a TXT record shows: an SPF record, and whom it authorizes.
func (r *reader) addText(name string, n *Node, rr *dns.TXT) {
	n.TextTTL = leastTTL(n.TextTTL, rr.Hdr.Ttl)
	text := txt.Join(rr.Txt)
	if !spf.IsRecord(text) {
		// Of several, the reason does not depend on the order of records.
		if fault := spf.NearMiss(text); fault != "" && (r.nearMisses[name] == "" || fault < r.nearMisses[name]) {
			r.nearMisses[name] = fault
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
	record, _ := spf.Parse(text) // the terms that it could read count even if others are broken
	for _, t := range record.Terms {
		switch {
		case t.Qualifier == spf.Fail:
		case t.Kind == spf.Redirect:
			if old, ok := r.redirects[name]; !ok || text < old.text {
				r.redirects[name] = redirect{text, domainOf(t, name)}
			}
		default:
			r.addTerm(name, t)
		}
	}
}

// domainOf returns the domain of a term in the record of a name, in canonical form: the name
// if the term has none, "" if the domain is not known before a client connects.
func domainOf(t spf.Term, name string) string {
	if t.Domain == "" {
		return name
	}
	domain := strings.NewReplacer("%{d}", display(name), "%{D}", display(name)).Replace(t.Domain) // RFC 7208, Section 7.2
	if strings.Contains(domain, "%") {
		return ""
	}
	return dnsname.CanonicalOrEmpty(domain)
}

// addTerm adds whom a term of the SPF record of a name authorizes.
func (r *reader) addTerm(name string, t spf.Term) {
	if t.Kind == spf.IP4 || t.Kind == spf.IP6 {
		if t.Prefix.Bits() > 0 { // else it authorizes everybody, which shows nothing
			addLeast(r.networks, t.Prefix.Masked(), name)
			r.add(Flow{Kind: Sender, Name: name, Net: t.Prefix.Masked(), Sign: SPF, By: name})
		}
		return
	}
	domain := domainOf(t, name)
	if domain == "" {
		return
	}
	switch t.Kind {
	case spf.A, spf.MX:
		at := term{domain, t.Kind == spf.MX, lenOf(t.Len4, 32), lenOf(t.Len6, 128)}
		addLeast(r.terms, at, name)
		sign := SPF
		if at.mx {
			sign = SPFMX
		}
		r.add(Flow{Kind: Sender, Name: name, Host: domain, Len4: at.len4, Len6: at.len6, Sign: sign, By: name})
	case spf.PTR:
		addLeast(r.ptrTerms, domain, name)
	case spf.Include, spf.Exists:
		r.add(Flow{Kind: Sender, Name: name, Host: domain, Sign: Include, By: name})
		return
	default:
		return
	}
	if t.Domain != "" {
		r.addHost(Flow{Kind: Helo, Name: domain, Sign: SPF, By: name})
	}
}

// lenOf returns the prefix length of a term, 0 for whole addresses.
func lenOf(bits, whole uint8) uint8 {
	if bits == whole {
		return 0
	}
	return bits
}

// A redirect is an SPF record with a redirect, and the domain that it names.
type redirect struct{ text, domain string }

// followRedirects finds the names whose SPF record redirects to a null one. The other
// redirects tie their domain to mail.
func (r *reader) followRedirects() {
	record := func(domain string) string {
		domain = r.Locate(domain)
		switch n := r.Node(domain); {
		case n.Has(SeveralSPF), r.described[domain] != "", r.NotInZone(domain) != "":
			return "" // it is broken, authorizes senders soon, or is not known
		case n.Has(NullSPF):
			return "v=spf1 -all" // or a record with that meaning
		}
		return r.redirects[domain].text
	}
	var null []string
	for name, to := range r.redirects {
		if spf.IsNullBy(to.text, record) && !r.Node(name).Has(SeveralSPF) {
			null = append(null, name)
		} else if to.domain != "" {
			r.add(Flow{Kind: Sender, Name: name, Host: to.domain, Sign: Include, By: name})
		}
	}
	for _, name := range null {
		n := r.Node(name)
		n.Traits = n.Traits&^Sends | NullSPF
	}
}
