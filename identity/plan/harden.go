package plan

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/fcrdns"
	"github.com/bonafide-mta/bonafide/identity"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/txt"
	"github.com/bonafide-mta/bonafide/nullmx"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/spf"
)

// A Hardening says which names of zones seem to have nothing to do with mail.
type Hardening struct {
	// Names seem to be without mail: host names with an address, and wildcards with one.
	// Canonical and sorted. Look through them: programs of a machine, such as cron, send
	// as root@ its name.
	Names []string
	Left  []Note // names that are left alone, each with the reason
	Notes []Note // what else is to be known
	nodes map[string]*node
}

// A node is what is known of one name. There may be millions.
type node struct {
	addrs []netip.Addr
	is    trait
	ttl   uint32 // of its texts, if there are any
}

// traits of a name.
type trait uint8

const (
	apex      trait = 1 << iota
	delegated       // has NS records
	redirects       // has a DNAME record: nothing stands below
	alias           // has a CNAME record
	getsMail        // has an MX record that is no Null MX
	nullMX
	sends // has an SPF record that is not null
	nullSPF
)

// Harden reads the records of whole zones, as resolver.Transfer yields them, and finds
// the names without mail. It leaves alone what has mail servers, or an SPF record that
// authorises senders; what mail seems to come from: targets of MX records and of SRV
// records for mail, names and addresses in SPF records, names with a CSA record that
// authorises, with a DKIM key or a DMARC policy of their own, and those with a word for
// mail in them; and names that hold nothing themselves: aliases, names at and below
// delegations, and below DNAMEs; and names with underscores.
//
// The organisation may be nil. Its HELO names, PTR names and mail domains are left to
// [New], and its Names are without mail whatever mail seems to come from them.
//
// The error is that of the records, or says that there is no zone. Memory grows with the
// names of the zones.
func Harden(records iter.Seq2[dns.RR, error], o *org.Organisation) (*Hardening, error) {
	s := survey{
		nodes: make(map[string]*node), ties: make(map[string]string),
		networks: make(map[netip.Prefix]string), silent: make(map[string]bool),
	}
	for rr, err := range records {
		if err != nil {
			return nil, fmt.Errorf("plan: %w", err)
		}
		s.read(rr)
	}
	if !s.zone {
		return nil, errors.New("plan: expected a whole zone, with its SOA record")
	}
	for p := range s.networks {
		if !slices.Contains(s.lengths, p.Bits()) {
			s.lengths = append(s.lengths, p.Bits())
		}
	}
	slices.Sort(s.lengths) // the widest network is named
	if o != nil {
		s.describe(o)
	}
	h := &Hardening{nodes: s.nodes}
	for name, n := range s.nodes {
		switch reason := s.leave(name, n); {
		case reason != "":
			h.Left = append(h.Left, Note{name, reason})
		case len(n.addrs) > 0:
			h.Names = append(h.Names, name)
		}
		if text := s.trap(name, n); text != "" {
			h.Notes = append(h.Notes, Note{name, text})
		}
	}
	slices.SortFunc(h.Names, dnsname.Compare)
	slices.SortFunc(h.Left, compareNotes)
	slices.SortFunc(h.Notes, compareNotes)
	return h, nil
}

// Records yields the null SPF and Null MX records that the names lack, by name.
func (h *Hardening) Records() iter.Seq[Record] {
	return func(yield func(Record) bool) {
		for _, name := range h.Names {
			n := h.nodes[name]
			if n.is&nullMX == 0 {
				if mx, err := nullmx.RR(name, TTL); err == nil && !yield(Record{mx, []rule.ID{rule.NullMX}}) {
					return
				}
			}
			if n.is&nullSPF == 0 {
				// RFC 2181, Section 5.2: all texts of a name have one TTL.
				text, err := spf.Senders{Name: name, TTL: cmp.Or(n.ttl, TTL)}.RR()
				if err == nil && !yield(Record{text, []rule.ID{rule.NullSPF}}) {
					return
				}
			}
		}
	}
}

// A survey is what the records of zones say of mail.
type survey struct {
	zone     bool
	nodes    map[string]*node
	ties     map[string]string       // names that something ties to mail, and what
	networks map[netip.Prefix]string // that an SPF record authorises, and whose
	lengths  []int                   // of those, IPv6 and IPv4 alike
	silent   map[string]bool         // described as names without mail
}

func (s *survey) node(name string) *node {
	n := s.nodes[name]
	if n == nil {
		n = new(node)
		s.nodes[name] = n
	}
	return n
}

// tie remembers what ties a name to mail; what is said first counts.
func (s *survey) tie(name, why string) {
	if name = canonical(name); name != "" && s.ties[name] == "" {
		s.ties[name] = why
	}
}

func (s *survey) read(rr dns.RR) {
	name := canonical(rr.Header().Name)
	if name == "" {
		return // no name that a server would have a host under
	}
	switch rr := rr.(type) {
	case *dns.A, *dns.AAAA:
		n := s.node(name)
		n.addrs = append(n.addrs, addresses([]dns.RR{rr})...)
	case *dns.SOA:
		s.zone = true
		s.node(name).is |= apex
	case *dns.NS:
		s.node(name).is |= delegated
	case *dns.DNAME:
		s.node(name).is |= redirects
	case *dns.CNAME:
		s.node(name).is |= alias
	case *dns.MX:
		if isNullMX(rr) {
			s.node(name).is |= nullMX
			break
		}
		s.node(name).is |= getsMail
		s.tie(rr.Mx, "it takes the mail of "+name)
	case *dns.SRV:
		s.service(name, rr)
	case *dns.TXT:
		s.text(name, rr)
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
	service, _, _ := strings.Cut(name, ".")
	switch service {
	case "_client":
		if rr.Priority == 1 && rr.Weight == 2 {
			s.tie(strings.TrimPrefix(name, "_client._smtp."), "a CSA record lets it greet")
		}
	case "_submission", "_submissions", "_smtp", "_smtps":
		s.tie(rr.Target, "it is the target of "+name)
	}
}

// text takes in a TXT record.
func (s *survey) text(name string, rr *dns.TXT) {
	n := s.node(name)
	n.ttl = rr.Hdr.Ttl
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

// describe takes in what an organisation says of its names.
func (s *survey) describe(o *org.Organisation) {
	described := make(map[string]string)
	for _, m := range o.MTAs {
		described[canonical(m.HELO)] = "it is the HELO name of " + m.ID
		described[canonical(m.PTR)] = "it is the PTR name of " + m.ID
	}
	for _, d := range o.MailDomains() {
		described[canonical(d.Domain)] = "it is a mail domain"
	}
	for name, why := range described {
		s.ties[name] = why // whatever else there is
	}
	for _, name := range o.Names {
		s.silent[canonical(name)] = described[canonical(name)] == ""
	}
	for name := range s.nodes {
		if relation, _ := identity.Relate(name, o.Domain, o.Domain); relation == identity.Unrelated {
			s.ties[name] = "it is no name of " + o.Domain
			delete(s.silent, name)
		}
	}
}

// leave returns why a name is left alone, "" if it is not, or if it has no address and
// nothing that one would look for.
func (s *survey) leave(name string, n *node) string {
	if len(n.addrs) == 0 {
		if n.is&alias != 0 && dnsname.FormOf(name) == dnsname.Host {
			return "it is an alias: what its target says counts"
		}
		return ""
	}
	if reason := s.outside(name); reason != "" {
		return reason
	}
	switch {
	case n.is&getsMail != 0:
		return "it has mail servers: describe it as a mail domain"
	case n.is&sends != 0:
		return "its SPF record authorises senders"
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
				return "the SPF record of " + s.networks[p] + " authorises " + addr.String()
			}
		}
	}
	if word := fcrdns.MailWord(name); word != "" {
		return fmt.Sprintf("its name has %q: describe it as an MTA, or in names", word)
	}
	return ""
}

// outside returns why records at a name are none of its zone, or "".
func (s *survey) outside(name string) string {
	for at := name; at != ""; at = dnsname.Parent(at) {
		above := s.nodes[at]
		switch {
		case above == nil:
		case above.is&apex != 0:
			return ""
		case above.is&delegated != 0:
			return at + " is delegated: its own zone is to be hardened"
		case above.is&redirects != 0 && at != name:
			return "all names below " + at + " are redirected by its DNAME record"
		}
	}
	return ""
}

// trap returns what a wildcard does that its owner may not know, or "".
func (s *survey) trap(name string, n *node) string {
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

func compareNotes(a, b Note) int {
	return cmp.Or(dnsname.Compare(a.Name, b.Name), cmp.Compare(a.Text, b.Text))
}

// All yields the records of zones that were read, for [Harden].
func All(zones *resolver.Zones) iter.Seq2[dns.RR, error] {
	return func(yield func(dns.RR, error) bool) {
		for rr := range zones.Records() {
			if !yield(rr, nil) {
				return
			}
		}
	}
}
