package flow

import (
	"cmp"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/csa"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/enum"
	"github.com/bonafide-mta/bonafide/internal/txt"
	"github.com/bonafide-mta/bonafide/nullmx"
	"github.com/bonafide-mta/bonafide/spf"
)

// A Node is what the records of zones show about one name. A survey can have millions.
type Node struct {
	Name    string       `json:"name"`              // canonical
	Addrs   []netip.Addr `json:"addrs,omitzero"`    // of its A and AAAA records
	Traits  Trait        `json:"traits,omitzero"`   // all that it has: see Has
	TextTTL uint32       `json:"text_ttl,omitzero"` // TTL of its TXT records in seconds, 0 without any
}

// Has reports whether the name has any of the traits. A nil Node has none.
func (n *Node) Has(t Trait) bool { return n != nil && n.Traits&t != 0 }

// A Trait is a property of a name. Traits are bits: a Node has a set of them. The zero
// Trait is the empty set.
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
	Machine                      // has an SSHFP or HINFO record, or is a PTR name
)

var traitText = []string{"apex", "delegated", "redirects", "alias", "gets-mail", "null-mx", "sends", "null-spf", "several-spf", "serves", "exchanger", "machine"}

// String lists the keywords of the traits, separated by commas; "" is the empty set.
func (t Trait) String() string { return enum.SetString(t, traitText) }

// MarshalText returns the text of String; a set with other traits is an error.
func (t Trait) MarshalText() ([]byte, error) { return enum.MarshalSet(t, traitText) }

// UnmarshalText accepts what MarshalText returns, in any case.
func (t *Trait) UnmarshalText(text []byte) error { return enum.UnmarshalSet(t, text, traitText) }

// nodes are the nodes of names. Once sorted they are searched rather than hashed: a map with
// millions of names is slow, and records mostly come sorted.
type nodes []Node

// find returns the node of a name in sorted nodes, nil if there is none.
func (all nodes) find(name string) *Node {
	i, ok := slices.BinarySearchFunc(all, name, func(n Node, name string) int { return dnsname.Compare(n.Name, name) })
	if !ok {
		return nil
	}
	return &all[i]
}

// merged returns the nodes sorted by name, with one node for each name.
func (all nodes) merged() nodes {
	byName := func(a, b Node) int { return dnsname.Compare(a.Name, b.Name) }
	if !slices.IsSortedFunc(all, byName) {
		slices.SortStableFunc(all, byName)
	}
	out := all[:0]
	for _, n := range all {
		if last := len(out) - 1; last >= 0 && out[last].Name == n.Name {
			out[last].merge(n)
		} else {
			out = append(out, n)
		}
	}
	return out
}

// merge adds what another node shows about the same name.
func (n *Node) merge(other Node) {
	if n.Has(Sends|NullSPF) && other.Has(Sends|NullSPF) {
		n.Traits |= SeveralSPF
	}
	n.Traits |= other.Traits
	n.Addrs = append(n.Addrs, other.Addrs...)
	n.TextTTL = cmp.Or(other.TextTTL, n.TextTTL)
}

// addAddress adds the address of an A or AAAA record.
func (n *Node) addAddress(ip net.IP) {
	if addr, ok := netip.AddrFromSlice(ip); ok {
		n.Addrs = append(n.Addrs, addr.Unmap())
	}
}

// nodeOf returns the last node if it has the name, else a new one. The pointer is valid
// until the next call.
func (s *Survey) nodeOf(name string) *Node {
	last := len(s.nodes) - 1
	if last >= 0 && s.nodes[last].Name == name {
		return &s.nodes[last]
	}
	s.nodes = append(s.nodes, Node{Name: name})
	return &s.nodes[last+1]
}

// tie records how a name takes part in mail. Of several reasons, the one that counts does not
// depend on the order of records.
func (s *Survey) tie(name, reason string) {
	if name = dnsname.CanonicalOrEmpty(name); name != "" && (s.ties[name] == "" || reason < s.ties[name]) {
		s.ties[name] = reason
	}
}

// addTrait gives a trait to a name that a record points to.
func (s *Survey) addTrait(name string, t Trait) {
	if name = dnsname.CanonicalOrEmpty(name); name != "" {
		s.traits[name] |= t
	}
}

// addRecord adds what a record shows.
func (s *Survey) addRecord(rr dns.RR) {
	name := dnsname.CanonicalOrEmpty(rr.Header().Name)
	if name == "" {
		return // not a name that a host or a mail domain can have
	}
	n := s.nodeOf(name)
	switch rr := rr.(type) {
	case *dns.A:
		n.addAddress(rr.A)
	case *dns.AAAA:
		n.addAddress(rr.AAAA)
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
		s.addTrait(rr.Mx, Exchanger)
		s.tie(rr.Mx, "it takes the mail of "+name)
	case *dns.SRV:
		n.Traits |= Serves
		s.addService(name, rr)
	case *dns.SSHFP, *dns.HINFO:
		n.Traits |= Machine
	case *dns.PTR:
		if dnsname.FromReverse(name).IsValid() {
			s.addTrait(rr.Ptr, Machine)
		}
	case *dns.TXT:
		s.addText(name, n, rr)
	}
	if cut := n.Traits & (Apex | Delegated | Redirects); cut != 0 {
		s.cuts[name] |= cut
	}
	if domain := signOfMail(name, rr); domain != "" {
		s.tie(domain, "it has "+name)
	}
}

// signOfMail returns the name that a record below it shows to have mail, "" for none: the
// record is a DKIM key (RFC 6376, Section 3.6.2), a DMARC policy, or one of those about how
// its mail is to be delivered (RFC 7672, RFC 8461, RFC 8460).
func signOfMail(name string, rr dns.RR) string {
	text, isText := rr.(*dns.TXT)
	if selector, domain, ok := strings.Cut("."+name, "._domainkey."); ok {
		if isText && (selector == "" || isRevoked(txt.Join(text.Txt))) { // a key has a selector
			return ""
		}
		return domain
	}
	for _, label := range []string{"_dmarc.", "_mta-sts.", "_smtp._tls.", "_25._tcp."} {
		domain, ok := strings.CutPrefix(name, label)
		switch {
		case !ok:
		case label == "_25._tcp." && rr.Header().Rrtype != dns.TypeTLSA:
		case label == "_dmarc." && isText && !ExpectsMail(txt.Join(text.Txt)):
		default:
			return domain
		}
	}
	return ""
}

// isRevoked reports whether a text is a DKIM key that was revoked, as those of parked domains
// are: its tag p is empty (RFC 6376, Section 3.6.1).
func isRevoked(text string) bool {
	p, ok := tag(text, "p")
	return ok && p == ""
}

// ExpectsMail reports whether a text is a DMARC policy of a domain that may have mail: any
// but p=reject, which parked domains have (RFC 7489, Section 6.3). Whether a domain with
// p=reject has mail is not known by it.
func ExpectsMail(policy string) bool {
	version, _ := tag(policy, "v")
	p, _ := tag(policy, "p")
	return version == "DMARC1" && !strings.EqualFold(p, "reject")
}

// tag returns the value of a tag in a list such as "v=DMARC1; p=none".
func tag(text, name string) (value string, ok bool) {
	for field := range strings.SplitSeq(text, ";") {
		if key, value, ok := strings.Cut(field, "="); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value), true
		}
	}
	return "", false
}

// addService adds what an SRV record shows: CSA (draft-ietf-marid-csv-csa-02, Section 3) or
// a mail service (RFC 6186, RFC 8314).
func (s *Survey) addService(name string, rr *dns.SRV) {
	if host, ok := csa.NameOf(name); ok {
		if csa.Authorizes(rr) {
			s.tie(host, "a CSA record authorizes it in HELO")
		}
		return
	}
	service, _, _ := strings.Cut(name, ".")
	switch service {
	case "_submission", "_submissions", "_smtp", "_smtps":
		s.tie(rr.Target, "it is the target of "+name)
	}
}

// addText adds what a TXT record shows: an SPF record, and whom it authorizes.
func (s *Survey) addText(name string, n *Node, rr *dns.TXT) {
	n.TextTTL = rr.Hdr.Ttl
	text := txt.Join(rr.Txt)
	if !spf.IsRecord(text) {
		// Of several, the reason does not depend on the order of records.
		if fault := spf.NearMiss(text); fault != "" && (s.nearMisses[name] == "" || fault < s.nearMisses[name]) {
			s.nearMisses[name] = fault
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
		case t.Prefix.IsValid() && t.Prefix.Bits() > 0:
			if p := t.Prefix.Masked(); s.networks[p] == "" || dnsname.Compare(name, s.networks[p]) < 0 {
				s.networks[p] = name
			}
		case t.Domain == "" || strings.Contains(t.Domain, "%"):
		case t.Kind == spf.Redirect:
			s.redirects[name] = redirect{text, t.Domain}
		default:
			s.tie(t.Domain, inSPF(name))
		}
	}
}

// inSPF is the tie of a name that the SPF record of another name has.
func inSPF(name string) string { return "the SPF record of " + name + " names it" }

// A redirect is an SPF record with a redirect, and the domain that it names.
type redirect struct{ text, domain string }

// followRedirects finds the names whose SPF record redirects to a null one. The other
// redirects tie their domain to mail.
func (s *Survey) followRedirects() {
	record := func(domain string) string {
		switch n := s.Node(domain); {
		case n.Has(SeveralSPF), s.described[domain] != "", s.NotInZone(domain) != "":
			return "" // it is broken, authorizes senders soon, or is not known
		case n.Has(NullSPF):
			return "v=spf1 -all" // or a record with that meaning
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
