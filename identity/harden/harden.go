// Package harden finds the names without mail in whole zones, and makes the records that
// declare it: null SPF, Null MX and, if wanted, a CSA record that denies.
//
// [Zones] reads the records of zones and returns a [Hardening]: the names without mail, those
// that have to wait, the names that it leaves alone, each with the reason and the way out, the
// addresses that names share with mail servers, and notes. [Hardening.WriteZone] prints all of it
// as zone text.
package harden

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/csa"
	"github.com/bonafide-mta/bonafide/identity/flow"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/untrusted"
	"github.com/bonafide-mta/bonafide/nullmx"
	"github.com/bonafide-mta/bonafide/spf"
)

// A Hardening lists the names of zones that seem to have no mail. [Zones] makes it; the
// zero Hardening has no records for any name.
type Hardening struct {
	// Names seem to have no mail: host names and wildcards with an address, canonical and
	// sorted. Check them before you publish anything: programs of a machine, such as cron,
	// send as root@ its name. Remove names from the list to leave them alone.
	Names []string `json:"names"`
	// Waiting are names that the description lists as names without mail although a flow of mail
	// may need them, sorted, each with that flow: the server at the address may still use the
	// name in HELO, or programs there may send as user@ it. Append a name to Names as soon as
	// nothing does.
	Waiting []flow.Note `json:"waiting,omitzero"`
	Left    []flow.Note `json:"left,omitzero"`   // names with an address that are left alone, and aliases: the reason, and what to do
	Shared  []Shared    `json:"shared,omitzero"` // addresses of mail servers that names in Left have too, sorted
	Notes   []flow.Note `json:"notes,omitzero"`  // doubts about Names, what wildcards do, and zones that are signed, sorted
	// Foreign are names outside the zones that SPF records of the zones refer to, sorted: the
	// servers that these authorize are not known, nor are the names that they use.
	Foreign []string `json:"foreign,omitzero"`
	// DenyNames adds a CSA record that denies each name, if it has none and can have one.
	// The policy of the domain should be enough for all of them, but Exim from 4.95 on
	// ignores it for names that do not exist, such as _client._smtp below most names.
	DenyNames bool `json:"deny_names,omitzero"`
	// ListAll makes WriteZone list all names that are left alone and all notes, not only the
	// first ten of each kind.
	ListAll bool         `json:"list_all,omitzero"`
	survey  *flow.Survey // nil in a Hardening that Zones did not make
}

// A Shared is an address of a mail server, and the names that have it although nothing else
// ties them to mail, as www and ftp where one machine does everything. They are left alone,
// because the server may use them in HELO, and its programs may send as root@ them.
type Shared struct {
	Addr   netip.Addr `json:"addr"`
	Server string     `json:"server"` // the ID of an MTA, or the canonical name of a host
	Names  []string   `json:"names"`  // canonical and sorted
}

// String says so in one line, with the first names.
func (s Shared) String() string {
	return untrusted.Line(fmt.Sprintf("%s is an address of %s: its other names are left alone, because programs there may use them in HELO or send as user@ them. List in names those that are never used so. %s",
		s.Addr, display(s.Server), counted(s.Names, maxListed)))
}

// counted returns how many names there are, and lists the first, at most so many.
func counted(names []string, most int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d in all:", len(names))
	for i, name := range names[:min(len(names), most)] {
		if i > 0 {
			b.WriteString(",")
		}
		b.WriteString(" " + display(name))
	}
	if len(names) > most {
		b.WriteString(" ...")
	}
	return b.String()
}

// display returns a name without its final dot.
func display(name string) string { return cmp.Or(strings.TrimSuffix(name, "."), ".") }

// Zones reads the records of whole zones, as resolver.Transfer and resolver.Zones.Records
// yield them, and finds the names without mail. It leaves alone:
//
//   - names with MX records, with an SPF record that is not null, or with a text that is
//     meant as an SPF record;
//   - names that a flow of package flow is about, through aliases, DNAMEs and wildcards, as of
//     targets of MX records and of SRV records for mail, names in SPF records, names with a CSA
//     record that authorizes, with a TLSA record for port 25, with a DKIM key, or with a policy
//     for DMARC, MTA-STS or TLSRPT of their own; see flow.Sign;
//   - names with an address that a mail server has, or that an SPF record authorizes;
//   - names with a word for mail in them;
//   - names without records of their own: aliases, names at and below delegations and
//     below DNAMEs;
//   - names with underscores.
//
// The organization may be nil. Its HELO names, PTR names and mail domains are left to a
// plan. Its Names have no mail, whatever word is in them; those that a flow is about, or that
// have an address of a mail server, are Waiting. All other names of the zones are judged alike,
// whatever the domain of the organization.
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
	h := &Hardening{survey: s, Notes: emptyNonTerminals(s), Foreign: slices.Collect(s.Foreign())}
	shared := make(map[netip.Addr]*Shared)
	for i := range s.Nodes() {
		h.judge(&s.Nodes()[i], shared)
	}
	for i := range s.Nodes() {
		s.Nodes()[i].Addrs = nil // not needed any more, and there are millions
	}
	for _, addr := range slices.SortedFunc(maps.Keys(shared), netip.Addr.Compare) {
		h.Shared = append(h.Shared, *shared[addr])
	}
	slices.SortFunc(h.Notes, flow.Note.Compare)
	return h, nil
}

// judge adds a name to Names or Left, and the notes about it.
func (h *Hardening) judge(n *flow.Node, shared map[netip.Addr]*Shared) {
	note := func(text string) {
		if text != "" {
			h.Notes = append(h.Notes, flow.Note{Name: n.Name, Text: text})
		}
	}
	note(wildcardNote(n, h.survey))
	if n.Has(flow.Apex) && n.Has(flow.Signed) {
		note("it is signed with DNSSEC: sign it again after you add records")
	}
	f, reason := whyLeft(h.survey, n)
	switch {
	case reason != "":
		h.Left = append(h.Left, flow.Note{Name: n.Name, Text: reason})
	case f.Sign != 0:
		h.Waiting = append(h.Waiting, flow.Note{Name: n.Name, Text: f.String()})
		return
	case len(n.Addrs) > 0:
		h.Names = append(h.Names, n.Name)
		note(doubt(n))
	}
	if f.Sign != flow.Address {
		return
	}
	for _, addr := range n.Addrs {
		if server := h.survey.Server(addr); server != "" {
			if shared[addr] == nil {
				shared[addr] = &Shared{Addr: addr, Server: server}
			}
			shared[addr].Names = append(shared[addr].Names, n.Name)
		}
	}
}

// Records yields the Null MX and null SPF records that Names lack, and with DenyNames the
// CSA records that deny them, in the order of Names. Names that the zones do not have get
// none, nor do those of Waiting.
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
	if err == nil && !h.survey.Node(h.survey.Locate(rr.Hdr.Name)).Has(flow.Serves) && !h.survey.Node(rr.Hdr.Name).Has(flow.Alias) && h.survey.NotInZone(rr.Hdr.Name) == "" {
		out = append(out, rule.Record{RR: rr, Rules: []rule.ID{rule.DomainCSA}})
	}
	return out
}
