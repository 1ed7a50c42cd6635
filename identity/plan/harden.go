package plan

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"net/netip"
	"slices"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/csa"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
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
	Notes []Note // what else is to be known: of names that may send, and of wildcards
	// DenyNames adds a CSA record that denies each name, where it has none and can have
	// one: see [Options].
	DenyNames bool
	survey    *survey // nil where nobody made one
}

// Harden reads the records of whole zones, as resolver.Transfer yields them, and finds
// the names without mail. It leaves alone what has mail servers, or an SPF record that
// authorizes senders; what mail seems to come from: targets of MX records and of SRV
// records for mail, names and addresses in SPF records, names with a CSA record that
// authorizes, with a DKIM key or a DMARC policy of their own, and those with a word for
// mail in them; and names that hold nothing themselves: aliases, names at and below
// delegations, and below DNAMEs; and names with underscores.
//
// The organization may be nil. Its HELO names, PTR names and mail domains are left to
// [New], and its Names are without mail whatever mail seems to come from them.
//
// The records may come in any order, each once.
//
// The error is that of the records, or says that there is no zone. Memory grows with the
// names of the zones.
func Harden(records iter.Seq2[dns.RR, error], o *org.Organization) (*Hardening, error) {
	s := &survey{
		marks: make(map[string]trait), cuts: make(map[string]trait), apexes: make(map[string]bool),
		ties: make(map[string]string), networks: make(map[netip.Prefix]string), silent: make(map[string]bool),
	}
	for rr, err := range records {
		if err != nil {
			return nil, fmt.Errorf("plan: %w", err)
		}
		s.read(rr)
	}
	if len(s.apexes) == 0 {
		return nil, errors.New("plan: expected a whole zone, with its SOA record")
	}
	s.arrange()
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
	h := &Hardening{survey: s, Notes: s.between()}
	for i, n := range s.nodes {
		s.nodes[i].addrs = nil // of no more use, and as many as there are names
		switch reason := s.leave(n); {
		case reason != "":
			h.Left = append(h.Left, Note{n.name, reason})
		case len(n.addrs) > 0:
			h.Names = append(h.Names, n.name)
			if text := s.suspect(n); text != "" {
				h.Notes = append(h.Notes, Note{n.name, text})
			}
		}
		if text := s.trap(n); text != "" {
			h.Notes = append(h.Notes, Note{n.name, text})
		}
	}
	slices.SortFunc(h.Notes, compareNotes)
	return h, nil
}

// Records yields the null SPF and Null MX records that the names lack, by name, and with
// DenyNames those that deny them. Take names out of Names to leave them alone; what the
// zones do not have is passed over.
func (h *Hardening) Records() iter.Seq[rule.Record] {
	return func(yield func(rule.Record) bool) {
		if h.survey == nil {
			return
		}
		rest := h.survey.nodes // behind the last name's
		for _, name := range h.Names {
			for len(rest) > 0 && dnsname.Compare(rest[0].name, name) < 0 {
				rest = rest[1:]
			}
			var n *node
			if len(rest) > 0 && rest[0].name == name {
				n = &rest[0]
			} else if n = h.survey.nodes.at(name); n == nil { // Names may have been given another order
				continue // not found by Harden
			}
			if n.is&nullMX == 0 {
				if mx, err := nullmx.Record(name, rule.TTL); err == nil && !yield(rule.Record{RR: mx, Rules: []rule.ID{rule.NullMX}}) {
					return
				}
			}
			if n.is&nullSPF == 0 {
				// RFC 2181, Section 5.2: all texts of a name have one TTL.
				text, err := spf.Senders{Name: name, TTL: cmp.Or(n.ttl, rule.TTL)}.RR()
				if err == nil && !yield(rule.Record{RR: text, Rules: []rule.ID{rule.NullSPF}}) {
					return
				}
			}
			if h.DenyNames {
				rr, err := csa.Deny(name, rule.TTL) // refuses wildcards
				if err != nil {
					continue
				}
				if h.survey.nodes.is(rr.Hdr.Name, serves|alias) || outside(h.survey.cuts, rr.Hdr.Name) != "" {
					continue
				}
				if !yield(rule.Record{RR: rr, Rules: []rule.ID{rule.DomainCSA}}) {
					return
				}
			}
		}
	}
}

// WriteZone writes the additions as zone text, zone by zone: what is to be known first,
// then the records, each with the rule that wants it, and at last the names that are
// left alone. All but the records are comments. It holds no copy of the text in memory.
func (h *Hardening) WriteZone(w io.Writer) error {
	type part struct {
		hardened    Hardening
		notes, left []Note
	}
	parts := make(map[string]*part)
	of := func(name string) *part {
		apex := h.zone(name)
		if parts[apex] == nil {
			parts[apex] = &part{hardened: Hardening{DenyNames: h.DenyNames, survey: h.survey}}
		}
		return parts[apex]
	}
	for _, name := range h.Names {
		p := of(name)
		p.hardened.Names = append(p.hardened.Names, name)
	}
	for _, n := range h.Notes {
		p := of(n.Name)
		p.notes = append(p.notes, n)
	}
	for _, n := range h.Left {
		p := of(n.Name)
		p.left = append(p.left, n)
	}
	b := bufio.NewWriter(w) // which keeps the first error
	for _, id := range []rule.ID{rule.NullSPF, rule.NullMX, rule.DomainCSA} {
		if id != rule.DomainCSA || h.DenyNames {
			fmt.Fprintf(b, "; %s\n", id.Comment())
		}
	}
	added := 0
	for _, apex := range slices.SortedFunc(maps.Keys(parts), dnsname.Compare) {
		p := parts[apex]
		fmt.Fprintf(b, "$ORIGIN %s\n", apex)
		for _, n := range p.notes {
			fmt.Fprintf(b, "; to be known: %s\n", n)
		}
		before := added
		for r := range p.hardened.Records() {
			if added++; added == before+1 {
				fmt.Fprintf(b, "; %s\n", raiseSerial)
			}
			fmt.Fprintf(b, "%s ; %s\n", r, r.Rules[0])
		}
		for _, n := range p.left {
			fmt.Fprintf(b, "; left alone: %s\n", n)
		}
	}
	fmt.Fprintf(b, "; names without mail: %d, left alone: %d, records added: %d\n", len(h.Names), len(h.Left), added)
	return b.Flush()
}

// zone returns the apex of the zone that a name is in, the root where it is in none.
func (h *Hardening) zone(name string) string {
	for at := name; h.survey != nil && at != ""; at = dnsname.Parent(at) {
		if h.survey.apexes[at] {
			return at
		}
	}
	return "."
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
