// Package harden finds the names without mail in whole zones, and makes the records that
// declare it: null SPF, Null MX and, if wanted, a CSA record that denies.
//
// [Zones] reads the records of zones and returns a [Hardening]: the names without mail, the
// names that it leaves alone, each with the reason, and notes. [Hardening.WriteZone] prints
// all of it as zone text.
package harden

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/csa"
	"github.com/bonafide-mta/bonafide/identity/flow"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/nullmx"
	"github.com/bonafide-mta/bonafide/spf"
)

// A Hardening lists the names of zones that seem to have no mail. [Zones] makes it; the
// zero Hardening has no records for any name.
type Hardening struct {
	// Names seem to have no mail: host names and wildcards with an address, canonical and
	// sorted. Check them before you publish anything: programs of a machine, such as cron,
	// send as root@ its name. Remove names from the list to leave them alone.
	Names []string    `json:"names"`
	Left  []flow.Note `json:"left,omitzero"`  // names with an address that are left alone, and aliases, each with the reason
	Notes []flow.Note `json:"notes,omitzero"` // doubts about Names, and what wildcards do, sorted
	// DenyNames adds a CSA record that denies each name, if it has none and can have one.
	// The policy of the domain should be enough for all of them, but Exim from 4.95 on
	// ignores it for names that do not exist, such as _client._smtp below most names.
	DenyNames bool         `json:"deny_names,omitzero"`
	survey    *flow.Survey // nil in a Hardening that Zones did not make
}

// Zones reads the records of whole zones, as resolver.Transfer and resolver.Zones.Records
// yield them, and finds the names without mail. It leaves alone:
//
//   - names with MX records, with an SPF record that is not null, or with a text that is
//     meant as an SPF record;
//   - names that mail may come from: targets of MX records and of SRV records for mail,
//     names and addresses in SPF records, names with a CSA record that authorizes, with a
//     DKIM key or a DMARC policy of their own, and names with a word for mail in them;
//   - names without records of their own: aliases, names at and below delegations and
//     below DNAMEs;
//   - names with underscores.
//
// The organization may be nil. Its HELO names, PTR names and mail domains are left to a
// plan, names that are not its own to their owner, and its Names have no mail even if mail
// may come from them.
//
// The records may come in any order, each once. The error is the first of records, or says
// that none of them is a SOA record. Memory grows with the number of names.
func Zones(records iter.Seq2[dns.RR, error], o *org.Organization) (*Hardening, error) {
	s, err := flow.Read(records, o)
	if err != nil {
		return nil, fmt.Errorf("harden: %w", err)
	}
	if len(s.Zones()) == 0 {
		return nil, errors.New("harden: expected a whole zone, with its SOA record")
	}
	h := &Hardening{survey: s, Notes: emptyNonTerminals(s)}
	nodes := s.Nodes()
	for i, n := range nodes {
		nodes[i].Addrs = nil // not needed any more, and there are millions
		switch reason := whyLeft(s, n); {
		case reason != "":
			h.Left = append(h.Left, flow.Note{Name: n.Name, Text: reason})
		case len(n.Addrs) > 0:
			h.Names = append(h.Names, n.Name)
			if text := doubt(s, n); text != "" {
				h.Notes = append(h.Notes, flow.Note{Name: n.Name, Text: text})
			}
		}
		if text := wildcardNote(n); text != "" {
			h.Notes = append(h.Notes, flow.Note{Name: n.Name, Text: text})
		}
	}
	slices.SortFunc(h.Notes, flow.Note.Compare)
	return h, nil
}

// Records yields the Null MX and null SPF records that Names lack, and with DenyNames the
// CSA records that deny them, in the order of Names. Names that the zones do not have get
// none.
func (h *Hardening) Records() iter.Seq[rule.Record] {
	return func(yield func(rule.Record) bool) {
		if h.survey == nil {
			return
		}
		rest := h.survey.Nodes() // after the last name
		for _, name := range h.Names {
			for len(rest) > 0 && dnsname.Compare(rest[0].Name, name) < 0 {
				rest = rest[1:]
			}
			var n *flow.Node
			if len(rest) > 0 && rest[0].Name == name {
				n = &rest[0]
			} else if n = h.survey.Node(name); n == nil { // the caller may have sorted Names otherwise
				continue
			}
			for _, r := range h.missing(n) {
				if !yield(r) {
					return
				}
			}
		}
	}
}

// missing returns the records that a name lacks. A name that no record can be made for gets
// none.
func (h *Hardening) missing(n *flow.Node) []rule.Record {
	var out []rule.Record
	if !n.Has(flow.NullMX) {
		if mx, err := nullmx.Record(n.Name, rule.TTL); err == nil {
			out = append(out, rule.Record{RR: mx, Rules: []rule.ID{rule.NullMX}})
		}
	}
	if !n.Has(flow.NullSPF) {
		// RFC 2181, Section 5.2: all texts of a name have one TTL.
		text, err := spf.Builder{Name: n.Name, TTL: cmp.Or(n.TextTTL, rule.TTL)}.RR()
		if err == nil {
			out = append(out, rule.Record{RR: text, Rules: []rule.ID{rule.NullSPF}})
		}
	}
	if !h.DenyNames {
		return out
	}
	rr, err := csa.Deny(n.Name, rule.TTL) // not for wildcards
	if err == nil && !h.survey.Node(rr.Hdr.Name).Has(flow.Serves|flow.Alias) && h.survey.NotInZone(rr.Hdr.Name) == "" {
		out = append(out, rule.Record{RR: rr, Rules: []rule.ID{rule.DomainCSA}})
	}
	return out
}
