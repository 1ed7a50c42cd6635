package plan

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"
	"go4.org/netipx"

	"github.com/bonafide-mta/bonafide/identity/flow"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/internal/address"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/spf"
)

// Dropped tells whom the SPF record of a name authorizes today, and will not by the record of
// the plan. Describe those that send.
type Dropped struct {
	Name     string         `json:"name"`     // canonical
	Terms    []string       `json:"terms"`    // of today's record, as written, without a counterpart in the new one
	Networks []netip.Prefix `json:"networks"` // whom these terms authorize by address, without those that stay authorized; sorted
	Includes []string       `json:"includes"` // names of other records, as written: whom they authorize is not known here
}

// String says whom the record drops as a sentence about the name without a final period.
func (d Dropped) String() string {
	text := "its SPF record authorizes by " + strings.Join(d.Terms, " ")
	if len(d.Networks) > 0 {
		text += " (" + joined(each(d.Networks, shortest)) + ")"
	}
	return text + ", and the new one does not: describe those that send"
}

// findDropped finds whom the changes of SPF records drop.
func (p *planner) findDropped() {
	for _, c := range p.Changes {
		if c.Type != dns.TypeTXT {
			continue
		}
		before := slices.DeleteFunc(c.Removed(), func(rr dns.RR) bool { return !isSPF(rr) })
		after := slices.DeleteFunc(slices.Clone(c.After), func(rr dns.RR) bool { return !isSPF(rr) })
		if len(before) != 1 || len(after) != 1 {
			continue // without one record, nobody is authorized today
		}
		if d := p.dropped(c.Name, textOf(before[0]), textOf(after[0])); len(d.Terms) > 0 {
			p.Dropped = append(p.Dropped, d)
			p.Notes = append(p.Notes, flow.Note{Name: d.Name, Text: d.String()})
		}
	}
}

// dropped returns whom an SPF record authorizes and another one does not.
func (p *planner) dropped(name, before, after string) Dropped {
	d := Dropped{Name: name}
	was, _ := spf.Parse(before)
	will, _ := spf.Parse(after)
	stays := networksOf(will)
	var rest netipx.IPSetBuilder
	for _, t := range was.Terms {
		switch {
		case t.Qualifier == spf.Fail || t.Kind == spf.Modifier || t.Kind == spf.Exp:
			continue
		case t.Kind == spf.All || t.Kind == spf.PTR || t.Kind == spf.Exists:
			if t.Qualifier != spf.Pass {
				continue
			}
		case t.Kind == spf.Include || t.Kind == spf.Redirect:
			if slices.ContainsFunc(will.Terms, func(o spf.Term) bool { return o.Kind == spf.Include && dnsname.Same(o.Domain, t.Domain) }) {
				continue
			}
			d.Includes = append(d.Includes, t.Domain)
		default:
			clients := p.clientsOf(name, t)
			if len(clients) > 0 && !slices.ContainsFunc(clients, func(p netip.Prefix) bool { return !stays.ContainsPrefix(p) }) {
				continue
			}
			for _, p := range clients {
				rest.AddPrefix(address.CanonicalNetwork(p))
			}
		}
		d.Terms = append(d.Terms, t.Text)
	}
	rest.RemoveSet(stays)
	set, _ := rest.IPSet() // the error is about prefixes that are not valid
	d.Networks = set.Prefixes()
	return d
}

// clientsOf returns the addresses that a term of a name's record authorizes, as far as the
// records at hand show them.
func (p *planner) clientsOf(name string, t spf.Term) []netip.Prefix {
	if t.Prefix.IsValid() {
		return []netip.Prefix{t.Prefix.Masked()}
	}
	f := flow.Flow{Kind: flow.Sender, Name: name, Host: name, Len4: t.Len4, Len6: t.Len6, Sign: flow.SPF, By: name}
	if t.Domain != "" {
		f.Host = dnsname.CanonicalOrEmpty(t.Domain)
	}
	if t.Kind == spf.MX {
		f.Sign = flow.SPFMX
	}
	return p.survey.Clients(f)
}

// networksOf returns the networks that the terms of a record authorize by address.
func networksOf(record *spf.Record) *netipx.IPSet {
	var b netipx.IPSetBuilder
	for _, t := range record.Terms {
		if t.Prefix.IsValid() && t.Qualifier != spf.Fail {
			b.AddPrefix(address.CanonicalNetwork(t.Prefix.Masked()))
		}
	}
	set, _ := b.IPSet() // the error is about prefixes that are not valid
	return set
}

// denies reports whether a record ends with -all.
func denies(record *spf.Record) bool {
	return slices.ContainsFunc(record.Terms, func(t spf.Term) bool { return t.Kind == spf.All && t.Qualifier == spf.Fail })
}

// findUnlisted finds the mail servers that the new SPF records of mail domains deny.
func (p *planner) findUnlisted() {
	var allowed *netipx.IPSet // by all of them
	last := ""
	for _, c := range p.Changes {
		i := slices.IndexFunc(c.After, isSPF)
		if c.Type != dns.TypeTXT || i < 0 || !slices.Contains(c.Rules, rule.MailSPF) || textOf(c.After[i]) == last {
			continue // domains often have the same record
		}
		last = textOf(c.After[i])
		if record, _ := spf.Parse(last); denies(record) {
			var b netipx.IPSetBuilder
			b.AddSet(networksOf(record))
			if allowed != nil {
				b.Intersect(allowed)
			}
			allowed, _ = b.IPSet()
		}
	}
	if allowed == nil {
		return
	}
	seen := make(map[netip.Prefix]bool)
	for f := range p.servers() {
		if f.Hint() && p.survey.NoMail(f.Name) {
			continue // its owner says so, and a gate waits for it
		}
		for _, client := range p.survey.Clients(f) {
			if !seen[client] && !allowed.ContainsPrefix(client) && !p.placed.ContainsPrefix(client) {
				f.Net = client
				p.Unlisted = append(p.Unlisted, f)
				told := slices.ContainsFunc(p.Dropped, func(d Dropped) bool { return slices.ContainsFunc(d.Networks, client.Overlaps) })
				if f.Node = f.Name; told || f.Sign == flow.Observed {
					continue // noted by findDropped, or by noteObserved
				}
				p.Notes = append(p.Notes, flow.Note{Name: f.Name, Text: fmt.Sprintf("%s, but no MTA is described at %s: describe it if it sends, because new SPF records of mail domains deny it", f, shortest(client))})
			}
			seen[client] = true
		}
	}
}
