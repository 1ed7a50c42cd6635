package plan

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/csa"
	"github.com/bonafide-mta/bonafide/identity/flow"
	"github.com/bonafide-mta/bonafide/identity/helo"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/spf"
)

// whyHarmful returns why mail would suffer from the records wanted of an RRset, "" if it
// would not.
func (p *planner) whyHarmful(set resolver.Question, wanted []rule.Record, ch Change) string {
	for _, w := range wanted {
		if name, addr := p.missingAddress(w); addr.IsValid() {
			return fmt.Sprintf("%s does not resolve to %s, and this plan does not change that", name, addr)
		}
	}
	if reason := cmp.Or(p.whyWild(set.Name), p.whyDeniedBy(set, wanted[0])); reason != "" {
		return reason
	}
	if isAddress(wanted[0].RR) {
		added := resolver.Answer{Records: ch.Added()}.Addrs()
		return cmp.Or(p.whyOthers(set.Name), p.whyNoMail(set.Name, added))
	}
	name, _ := p.lostWildcardTypes(set.Name, dns.TypeA, dns.TypeAAAA, dns.TypeCNAME, dns.TypeMX)
	exists := func(ch Change) bool { return dnsname.Under(ch.Name, name) }
	if name != "" && !slices.ContainsFunc(p.Changes, exists) {
		return fmt.Sprintf("%s would no longer answer for %s: give it records of its own first", p.Published.wildcardFor(name), name)
	}
	return ""
}

// whyDeniedBy returns why mail would suffer from clients that a wanted SPF or CSA record
// denies, "" if it would not.
func (p *planner) whyDeniedBy(set resolver.Question, wanted rule.Record) string {
	switch {
	case declaresNoMail(wanted): // mailUse
	case slices.Contains(wanted.Rules, rule.HeloCSA):
		name, _ := csa.NameOf(set.Name)
		return p.whyDenied(name, ipSet(p.addrsAfter(name)))
	case isSPF(wanted.RR):
		if slices.Contains(wanted.Rules, rule.HeloSPF) {
			if reason := p.whyOthers(set.Name); reason != "" {
				return reason
			}
		}
		if record, _ := spf.Parse(textOf(wanted.RR)); denies(record) {
			return p.whyDenied(set.Name, networksOf(record))
		}
	}
	return ""
}

// missingAddress returns the name that a PTR, MX or CSA record points to, and an address
// that this name needs but lacks after the plan; an invalid address if it lacks none.
func (p *planner) missingAddress(wanted rule.Record) (name string, addr netip.Addr) {
	var addrs []netip.Addr
	switch rr := wanted.RR.(type) {
	case *dns.PTR:
		name, addrs = dnsname.CanonicalOrEmpty(rr.Ptr), []netip.Addr{dnsname.FromReverse(rr.Hdr.Name)}
	case *dns.MX:
		if isNullMX(rr) {
			return "", netip.Addr{}
		}
		name = dnsname.CanonicalOrEmpty(rr.Mx)
		for _, h := range p.hosts {
			if h.Helo == name || h.PTR == name {
				addrs = append(addrs, h.Addrs...)
			}
		}
	case *dns.SRV:
		if slices.Contains(wanted.Rules, rule.HeloCSA) {
			name = rr.Target
		}
		for _, h := range p.hosts {
			if h.Helo == name {
				addrs = append(addrs, h.Addrs...)
			}
		}
	}
	if name == "" {
		return "", netip.Addr{}
	}
	has := ipSet(p.addrsAfter(p.Published.end(name)))
	for _, addr := range addrs {
		if !has.Contains(addr) {
			return name, addr
		}
	}
	return "", netip.Addr{}
}

// declaresNoMail reports whether a wanted record says that nothing sends or receives mail by
// its name: a null SPF record, a Null MX, or a CSA record that denies the name.
func declaresNoMail(wanted rule.Record) bool {
	srv, ok := wanted.RR.(*dns.SRV)
	return isNullMX(wanted.RR) || spf.IsNull(textOf(wanted.RR)) || ok && csa.Denies(srv) && !csa.RequiresExplicit(srv)
}

// mailUse returns why a name must not be declared to have no mail, "" if it can be: a flow
// of mail needs it, or an SPF record that is kept authorizes senders. A PTR name may have no
// address but those of MTAs, which use another HELO name by then.
func (p *planner) mailUse(set resolver.Question, ptr, adopt bool) string {
	name := set.Name
	if at, ok := csa.NameOf(name); ok {
		name = at
	}
	reason := p.whyUsed(name)
	if ptr {
		reason = cmp.Or(reason, p.whyOthers(name))
	}
	if reason != "" || set.Type == dns.TypeTXT || adopt {
		return reason // what another text says is kept or adopted
	}
	at := p.survey.Locate(name)
	if fault := p.survey.NearMiss(at); fault != "" {
		return flow.MeantToSend(fault)
	}
	// RFC 7505, Section 4.2: a domain with a Null MX sends no mail.
	if set.Type == dns.TypeMX && p.survey.Node(at).Has(flow.Sends) {
		return "its SPF record authorizes senders, whose mail receivers would reject because of a Null MX"
	}
	return ""
}

// obsoletePTRs returns the PTR records that can go, and tells about each record: the HELO name
// of an MTA may have only one of them in its organization.
func (p *planner) obsoletePTRs(set resolver.Question, records []dns.RR, wanted []rule.Record) []dns.RR {
	var out []dns.RR
	name := wanted[0].RR.(*dns.PTR).Ptr
	for _, rr := range records {
		ptr, ok := rr.(*dns.PTR)
		if !ok {
			continue
		}
		related := func(m org.MTA) bool {
			now, _ := helo.Relate(m.Helo, ptr.Ptr)
			then, _ := helo.Relate(m.Helo, name)
			return m.Sends() && now != helo.Unrelated && then == helo.Unrelated
		}
		mtas := p.mtas[dnsname.FromReverse(wanted[0].RR.Header().Name)]
		if i := slices.IndexFunc(mtas, related); i >= 0 {
			p.Kept = append(p.Kept, Kept{[]dns.RR{rr}, nil, fmt.Sprintf("%s uses %s in HELO, which is in the organization of this name alone", mtas[i].ID, mtas[i].Helo)})
			continue
		}
		if p.Organization.Owns(ptr.Ptr) { // or else it is the provider's, as most are
			p.Notes = append(p.Notes, flow.Note{Name: set.Name, Text: fmt.Sprintf("its PTR record %s is removed, because the address is described with the name %s: if that one is wrong, change the description", ptr.Ptr, name)})
		}
		out = append(out, rr)
	}
	return out
}

// removeNullMX removes the Null MX of names at which postmaster@ must work.
func (p *planner) removeNullMX() {
	var names []string
	for _, h := range p.hosts {
		names = append(names, h.Helo)
	}
	for _, d := range p.Organization.MailDomains() {
		names = append(names, dnsname.CanonicalOrEmpty(d.Domain))
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		set := resolver.Question{Name: name, Type: dns.TypeMX}
		ch, reason := p.newChange(set)
		null := slices.DeleteFunc(slices.Clone(ch.Before), isExchanger)
		if reason != "" || len(null) == 0 || len(without(null, p.recordsAfter(set))) > 0 {
			continue
		}
		if !p.options.adopts(name) {
			p.Kept = append(p.Kept, Kept{null, nil, "it refuses the mail for postmaster@" + strings.TrimSuffix(name, ".")})
			continue
		}
		ch.After = without(ch.Before, null)
		if wildcard := p.wildcardAfter(ch); wildcard != "" && !p.staysBeside(name) {
			p.Kept = append(p.Kept, Kept{null, nil, fmt.Sprintf("without it, the name would not exist, and %s would answer for it", wildcard)})
			continue
		}
		ch.Rules = []rule.ID{rule.NullMX}
		p.addChange(ch)
	}
}

// wildcardAfter returns the wildcard that would answer for the name of a change that removes all
// records there are, "" for none, or if the change leaves records (RFC 4592, Section 3.3.1).
func (p *planner) wildcardAfter(ch Change) string {
	wildcard := "*." + dnsname.Parent(ch.Name)
	if len(ch.After) > 0 || len(p.Published.wildcards[wildcard]) == 0 {
		return ""
	}
	return wildcard
}

// staysBeside reports whether a name certainly has other records, or is to have some, than the MX
// records that a change removes.
func (p *planner) staysBeside(name string) bool {
	for _, q := range append(resolver.AddrQuestions(name), resolver.Question{Name: name, Type: dns.TypeTXT}) {
		if len(p.recordsAfter(q)) > 0 {
			return true
		}
	}
	return false
}

// dropCSAPolicies removes the CSA records from the plan that demand records of the names below
// them (draft-ietf-marid-csv-csa-02, Section 4.2), the policies and those of HELO names, and
// would deny a server whose name has no record of its own after the plan.
func (p *planner) dropCSAPolicies() {
	for _, c := range slices.Clone(p.Changes) {
		name, ok := csa.NameOf(c.Name)
		if !ok || !slices.ContainsFunc(resolver.Records[*dns.SRV](resolver.Answer{Records: c.Added()}), csa.RequiresExplicit) {
			continue
		}
		policy := slices.Contains(c.Rules, rule.DomainCSA)
		reason := p.whyUnlisted(name, func(other string) bool {
			if other == name {
				return !policy
			}
			// A null SPF record denies the name to everybody.
			null := slices.ContainsFunc(p.recordsAfter(resolver.Question{Name: other, Type: dns.TypeTXT}), func(rr dns.RR) bool { return spf.IsNull(textOf(rr)) })
			return null || len(p.recordsAfter(resolver.Question{Name: csa.Owner(other), Type: dns.TypeSRV})) > 0
		})
		set := resolver.Question{Name: c.Name, Type: c.Type}
		if reason == "" {
			p.noteDelegations(name)
			continue
		}
		p.Changes = slices.DeleteFunc(p.Changes, func(other Change) bool { return other.Name == c.Name && other.Type == c.Type })
		delete(p.after, set)
		p.refuse(set, reason)
	}
}

// noteDelegations notes the names below a CSA policy that other zones have, which are not
// known.
func (p *planner) noteDelegations(domain string) {
	var others []string
	for name := range p.Published.cuts {
		if dnsname.Under(name, domain) && !p.Published.apexes[name] && dnsname.FormOf(name) == dnsname.Host {
			others = append(others, name)
		}
	}
	slices.SortFunc(others, dnsname.Compare)
	if len(others) > 0 {
		p.Notes = append(p.Notes, flow.Note{Name: domain, Text: "its CSA record also denies HELO names without a CSA record at and below " + some(others) + ", in zones that are not given: plan with these zones, too, or make sure that nothing there sends mail"})
	}
}
