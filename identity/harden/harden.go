// Package harden finds the names of whole zones that have nothing to do with mail, and
// writes the records that say so: null SPF, Null MX and, if wanted, CSA denials.
//
// [Zones] reads the records of zones and returns a [Hardening]: the names, those that are
// left alone with the reason, and notes. [Hardening.WriteZone] prints all of it as zone
// text.
package harden

import (
	"cmp"
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

// A Hardening says which names of zones seem to have nothing to do with mail.
type Hardening struct {
	// Names seem to be without mail: host names with an address, and wildcards with one.
	// Canonical and sorted. Look through them: programs of a machine, such as cron, send
	// as root@ its name.
	Names []string
	Left  []flow.Note // names that are left alone, each with the reason
	Notes []flow.Note // what else to know: about names that may send, and about wildcards
	// DenyNames adds a CSA record that denies each name, if it has none and can have one.
	// The policy of the domain should do for all of them, but Exim from 4.95 on looks no
	// further than a name that does not exist, as _client._smtp below most names does not.
	DenyNames bool
	survey    *flow.Survey // nil if nobody made one
}

// Zones reads the records of whole zones, as resolver.Transfer and resolver.Zones.Records
// yield them, and finds the names without mail. It leaves alone what has mail servers, or
// an SPF record that authorizes senders, or a text that is meant as one; what mail seems to come from: targets of MX
// records and of SRV records for mail, names and addresses in SPF records, names with a
// CSA record that authorizes, with a DKIM key or a DMARC policy of their own, and those
// with a word for mail in them; and names that hold nothing themselves: aliases, names at
// and below delegations, and below DNAMEs; and names with underscores.
//
// The organization may be nil. Its HELO names, PTR names and mail domains are left to a
// plan, and its Names are without mail whatever mail seems to come from them.
//
// The records may come in any order, each once. The error is that of the records, or says
// that there is no zone. Memory grows with the names of the zones.
func Zones(records iter.Seq2[dns.RR, error], o *org.Organization) (*Hardening, error) {
	s, err := flow.Read(records, o)
	if err != nil {
		return nil, fmt.Errorf("harden: %w", err)
	}
	h := &Hardening{survey: s, Notes: emptyNonTerminals(s)}
	nodes := s.Nodes()
	for i, n := range nodes {
		nodes[i].Addrs = nil // of no more use, and as many as there are names
		switch reason := leftAlone(s, n); {
		case reason != "":
			h.Left = append(h.Left, flow.Note{Name: n.Name, Text: reason})
		case len(n.Addrs) > 0:
			h.Names = append(h.Names, n.Name)
			if text := doubt(s, n); text != "" {
				h.Notes = append(h.Notes, flow.Note{Name: n.Name, Text: text})
			}
		}
		if text := wildcardSurprise(s, n); text != "" {
			h.Notes = append(h.Notes, flow.Note{Name: n.Name, Text: text})
		}
	}
	slices.SortFunc(h.Notes, flow.Note.Compare)
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
		rest := h.survey.Nodes() // behind the last name's
		for _, name := range h.Names {
			for len(rest) > 0 && dnsname.Compare(rest[0].Name, name) < 0 {
				rest = rest[1:]
			}
			var n *flow.Node
			if len(rest) > 0 && rest[0].Name == name {
				n = &rest[0]
			} else if n = h.survey.Node(name); n == nil { // Names may have been given another order
				continue // not found by Zones
			}
			if !n.Has(flow.NullMX) {
				if mx, err := nullmx.Record(name, rule.TTL); err == nil && !yield(rule.Record{RR: mx, Rules: []rule.ID{rule.NullMX}}) {
					return
				}
			}
			if !n.Has(flow.NullSPF) {
				// RFC 2181, Section 5.2: all texts of a name have one TTL.
				text, err := spf.Builder{Name: name, TTL: cmp.Or(n.TextTTL, rule.TTL)}.RR()
				if err == nil && !yield(rule.Record{RR: text, Rules: []rule.ID{rule.NullSPF}}) {
					return
				}
			}
			if h.DenyNames {
				rr, err := csa.Deny(name, rule.TTL) // refuses wildcards
				if err != nil {
					continue
				}
				if h.survey.Node(rr.Hdr.Name).Has(flow.Serves|flow.Alias) || h.survey.NotInZone(rr.Hdr.Name) != "" {
					continue
				}
				if !yield(rule.Record{RR: rr, Rules: []rule.ID{rule.DomainCSA}}) {
					return
				}
			}
		}
	}
}
