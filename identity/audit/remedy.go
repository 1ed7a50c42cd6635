package audit

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/csa"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/plan"
	"github.com/bonafide-mta/bonafide/identity/report"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/resolver"
)

// addRemedy sets the fix and the remedy of a failure: the records that a plan adds, or would
// add in place of those that it keeps. A remedy that mentions a fix says why there is none
// instead, and what the plan waits for, in the words of the plan.
func (s subject) addRemedy(f *report.Finding, known rule.Outcome, out outcome) {
	if out.remedy != "" {
		f.Remedy, known.Remedy = out.remedy, out.remedy
	}
	d := s.decided(f.Rule, out)
	f.Fix = append(f.Fix, d.fix...)
	refused := sentences(d.refused)
	switch {
	case refused != "" && len(f.Fix) == 0 && known.MentionsFix():
		f.Remedy = refused
	case refused != "":
		f.Remedy += " " + refused
	case len(f.Fix) > 0 || !known.MentionsFix():
	case out.otherwise != "":
		f.Remedy = out.otherwise
	case d.there != nil:
		f.Remedy = fmt.Sprintf("The wanted record is published: remove the other %s records of %s.", resolver.TypeString(d.there.Header().Rrtype), d.there.Header().Name)
	default:
		f.Remedy = s.whyNotWanted(f.Rule)
	}
	for _, more := range []string{sentences(d.kept), sentences(d.waits)} {
		if more != "" {
			f.Remedy += " " + more
		}
	}
	broken := out.broken
	if s.addr != nil && s.addr.rdns != nil {
		broken = append(broken, s.addr.addr)
	}
	switch {
	case strings.Contains(f.Remedy, "over IPv4 alone"):
	case s.mta != nil && s.overIPv4(s.mta, broken):
		f.Remedy += " Or let the MTA send over IPv4 alone."
	case s.mail != nil && slices.ContainsFunc(s.mtas, func(m *mtaFacts) bool { return s.overIPv4(m, broken) }):
		f.Remedy += " Or let the MTA send over IPv4 alone, and remove the AAAA record."
	}
}

// decided is what a plan does about the records that would fix a failure.
type decided struct {
	fix                  []string // zone text
	refused, kept, waits []string // sentences
	there                dns.RR   // a wanted record that is published: something else is wrong
}

// decided returns what the plan does about the records that would fix a failure.
func (s subject) decided(id rule.ID, out outcome) (d decided) {
	if out.fix == nil {
		return d
	}
	p := s.plan()
	changed := make(map[string]bool) // names
	for _, record := range p.Wanted {
		if !out.fixedBy(record) {
			continue
		}
		switch is := p.Decide(record); {
		case is.Change != nil:
			d.fix = append(d.fix, rule.Record{RR: is.RR}.String())
			changed[is.Set.Name] = true
			if waits := p.WaitsFor(is.Step, *is.Change); waits != "" {
				d.waits = append(d.waits, "Before that, "+waits+".")
			}
		case is.Refused != nil:
			if clause, ok := strings.CutPrefix(is.Refused.Reason, "it "); ok {
				d.refused = append(d.refused, fmt.Sprintf("%s %s.", is.Set.Name, clause))
			} else {
				d.refused = append(d.refused, fmt.Sprintf("No record is planned at %s: %s.", is.Set, is.Refused.Reason))
			}
		case is.Kept != nil && !is.Published:
			d.fix = append(d.fix, rule.Record{RR: is.RR}.String())
			d.kept = append(d.kept, fmt.Sprintf("A plan keeps what is at %s, unless it is adopted: %s.", is.Set, is.Kept.Reason))
		default:
			d.there = is.RR
		}
	}
	for _, c := range p.Changes { // also what a wildcard had for a name that begins to exist
		if changed[c.Name] && c.Type != dns.TypeA && c.Type != dns.TypeAAAA && slices.Contains(c.Rules, id) {
			for _, rr := range c.Added() {
				d.fix = append(d.fix, rule.Record{RR: rr}.String())
			}
		}
	}
	d.fix = unique(d.fix)
	return d
}

// sentences joins sentences, each once.
func sentences(list []string) string { return strings.Join(unique(list), " ") }

// unique returns the texts of a list, each once, in their order.
func unique(list []string) []string {
	has := make(map[string]bool, len(list))
	return slices.DeleteFunc(list, func(text string) bool {
		known := has[text]
		has[text] = true
		return known
	})
}

// planOver plans the records of an organization over what is published: whole zones that are
// known, and the answers of a Resolver.
func planOver(ctx context.Context, r resolver.Resolver, o *org.Organization, zones *plan.Published) *plan.Plan {
	if zones == nil {
		zones = new(plan.Published)
	}
	p, err := plan.New(o, zones.WithSomeAnswers(ctx, r, o), plan.Options{})
	if err != nil { // Validate accepted o, and answers are not records that end early
		return &plan.Plan{Organization: o, Refused: []plan.Refusal{{Value: o.Domain, Reason: err.Error()}}}
	}
	return p
}

// addPlan adds what a plan adds, keeps and refuses to a report.
func addPlan(rep *report.Report, p *plan.Plan) {
	for i, step := range p.Steps {
		after := ""
		if gate := p.Gate(i); gate != nil {
			after = gate.Title()
		}
		for _, c := range step.Changes {
			if len(c.Added()) == 0 {
				continue
			}
			at := report.Publication{By: c.Owner.String(), Zone: c.Zone, After: after}
			j := slices.IndexFunc(rep.Publish, func(p report.Publication) bool { return p.By == at.By && p.Zone == at.Zone && p.After == at.After })
			if j < 0 {
				j, rep.Publish = len(rep.Publish), append(rep.Publish, at)
			}
			for _, rr := range c.Added() {
				rep.Publish[j].Records = append(rep.Publish[j].Records, rule.Record{RR: rr}.String())
			}
		}
	}
	var omitted []report.Omission
	for _, k := range p.Kept {
		rr := k.Records[0].Header()
		omitted = append(omitted, report.Omission{What: resolver.Question{Name: dnsname.CanonicalOrEmpty(rr.Name), Type: rr.Rrtype}.String(), Kept: true, Why: k.Reason})
	}
	for _, r := range p.Refused {
		omitted = append(omitted, report.Omission{What: r.Value, Why: r.Reason})
	}
	rep.SetOmitted(omitted)
}

// whyNotWanted returns why the description makes no record for a rule, as what to do.
func (s subject) whyNotWanted(id rule.ID) string {
	about := []string{s.name().Name}
	switch {
	case id == rule.HeloRP && s.org.Contacts.MTA == nil:
		return "Describe who is responsible, as the contact mta: the records are made from it."
	case id == rule.DomainRP && s.org.Contacts == (org.Contacts{}):
		return "Describe who is responsible, as contacts: the records are made from them."
	case id == rule.HeloRP || id == rule.DomainRP:
		about = append(about, org.MTALabel+s.domain, org.AdminLabel+s.domain, org.AbuseLabel+s.domain)
	}
	if s.mta != nil {
		about = append(about, dnsname.CanonicalOrEmpty(s.mta.Helo), s.mta.ptr)
	}
	set := resolver.Question{Name: s.name().Name, Type: dns.TypeTXT}
	if id == rule.HeloCSA || id == rule.DomainCSA {
		set = resolver.Question{Name: csa.Owner(set.Name), Type: dns.TypeSRV}
	}
	for _, r := range s.refused {
		_, err := netip.ParseAddr(r.Value)
		if isSet := strings.Contains(r.Value, " "); r.Value == set.String() {
			return fmt.Sprintf("No record is made: %s.", r.Reason)
		} else if isSet {
			continue // about another record
		}
		if s.mta != nil && r.MTA == s.mta.ID && err != nil || slices.Contains(about, dnsname.CanonicalOrEmpty(r.Value)) {
			return fmt.Sprintf("No record can be made of %q: %s.", r.Value, r.Reason)
		}
	}
	return "Nothing that is described makes the record: correct the description, or publish it by hand."
}

// overIPv4 reports whether all addresses with a fault are IPv6 addresses of an MTA, which sends,
// and could do so without them.
func (s subject) overIPv4(m *mtaFacts, broken []netip.Addr) bool {
	is4 := func(a netip.Addr) bool { return a.Is4() }
	others := func(a netip.Addr) bool { return a.Is4() || !slices.Contains(m.Addresses, a.Unmap()) }
	return m.Sends() && len(broken) > 0 && !slices.ContainsFunc(broken, others) && slices.ContainsFunc(s.publicAddresses(m), is4)
}
