package draft

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/internal/address"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/nullmx"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/spf"
)

// A mailDomain is what DNS says about a domain of envelope senders.
type mailDomain struct {
	name     string
	sign     string // how it shows that it has mail; "" for the domain of the organization
	includes []string
	senders  []sender
	softfail string   // why its record is to end with ~all, "" if it is to end with -all
	notes    []string // on what a description does not keep
	has      bool     // it has an SPF record
	null     bool     // the SPF record denies everybody
	broken   bool     // receivers reject its SPF record, or it is not known
	ours     bool     // it authorizes an MTA
	unsure   bool     // whether it authorizes an MTA is not known
	included bool     // the same, but only because of includes of others, which stay as they are
}

// A sender is a network, or one address, that an SPF record authorizes.
type sender struct {
	prefix netip.Prefix
	term   string // as written
}

// note adds a comment on the domain.
func (m *mailDomain) note(format string, args ...any) {
	if len(m.notes) < maxDraftComments {
		m.notes = append(m.notes, shortened(fmt.Sprintf(format, args...)))
	}
}

// lost notes that a term is not described, and why.
func (m *mailDomain) lost(t spf.Term, format string, args ...any) {
	m.note("the SPF record has %.200s, which is not described: %s; adopting a plan ends what it authorizes", t.Text, fmt.Sprintf(format, args...))
}

// soften says why the record is to end with ~all; the first reason counts.
func (m *mailDomain) soften(reason string) {
	if m.softfail == "" {
		m.softfail = reason
	}
}

// lookupSPF finds the senders that the SPF record of a domain authorizes.
func (d *draft) lookupSPF(ctx context.Context, m *mailDomain) {
	all, err := resolver.LookupTXT(ctx, d.resolver, m.name)
	if err != nil {
		d.notKnown("the SPF record of "+m.name, err)
		m.broken, d.spfUnknown = true, true
		m.note("its SPF record is not known: describe its senders before you adopt a plan")
		m.soften("the SPF record is not known")
		return
	}
	var texts []string
	for _, text := range all {
		if spf.IsRecord(text) {
			texts = append(texts, text)
		}
	}
	m.has = len(texts) > 0
	switch {
	case !m.has:
		d.commentNearMisses(m.name, all)
		m.note("%s has no SPF record, so DNS does not show who else sends for it", m.name)
		return
	case len(texts) > 1:
		m.broken = true
		m.note("%s has %d SPF records, which receivers reject: these are the senders of all of them", m.name, len(texts))
	}
	for _, text := range texts {
		m.null = spf.IsNull(text)
		record, err := spf.Parse(text) // the terms that it could read count even if others are broken
		if err != nil {
			m.broken = true
			m.note("the SPF record of %s is broken: %v", m.name, err)
		}
		d.addTerms(ctx, m, record.Terms)
	}
}

// addTerms adds the senders that the terms of a record authorize.
func (d *draft) addTerms(ctx context.Context, m *mailDomain, terms []spf.Term) {
	var redirect *spf.Term
	for i, t := range terms {
		switch {
		case t.Kind == spf.All: // RFC 7208, Section 5.1: the terms after it are never evaluated
			if t.Qualifier == spf.Pass {
				m.lost(t, "it authorizes everybody")
			}
			if t.Qualifier != spf.Fail {
				m.soften("the SPF record does not end with -all")
			}
			return
		case t.Kind == spf.Redirect:
			redirect = &terms[i]
		case t.Qualifier == spf.Pass:
			d.addTerm(ctx, m, t)
		case t.Qualifier == spf.Fail:
			m.note("the SPF record has %.200s: a description has no exceptions from its senders", t.Text)
		case t.Qualifier != 0:
			m.note("the SPF record has %.200s, which does not authorize: describe it if it sends", t.Text)
			m.soften("the SPF record has terms that neither authorize nor deny")
		}
	}
	if redirect == nil {
		m.soften("the SPF record does not end with -all")
		return
	}
	d.addInclude(ctx, m, *redirect)
	if !d.deniesOthers(ctx, redirect.Domain) {
		m.soften("the SPF record that it redirects to does not end with -all, or is not known")
	}
}

// deniesOthers reports whether the SPF record of a domain ends with -all, after redirects.
func (d *draft) deniesOthers(ctx context.Context, domain string) bool {
	for range spf.DefaultMaxLookups { // RFC 7208, Section 4.6.4
		record := d.recordOf(ctx, domain)
		if record == nil {
			return false
		}
		domain = ""
		for _, t := range record.Terms {
			switch t.Kind {
			case spf.All:
				return t.Qualifier == spf.Fail
			case spf.Redirect:
				domain = t.Domain
			}
		}
	}
	return false
}

// recordOf returns the SPF record of a domain, nil if there is none that receivers take, or
// if it is not known.
func (d *draft) recordOf(ctx context.Context, domain string) *spf.Record {
	name := dnsname.CanonicalOrEmpty(domain)
	if name == "" {
		return nil
	}
	texts, err := resolver.LookupTXT(ctx, d.resolver, name)
	if err != nil {
		return nil
	}
	text, err := spf.Select(texts)
	if err != nil {
		return nil
	}
	if record, err := spf.Parse(text); err == nil {
		return record
	}
	return nil
}

// maxMX is how many mail servers a term may have (RFC 7208, Section 4.6.4).
const maxMX = 10

// addTerm adds the senders that a term of an SPF record authorizes.
func (d *draft) addTerm(ctx context.Context, m *mailDomain, t spf.Term) {
	target := m.name
	if t.Domain != "" {
		target = dnsname.CanonicalOrEmpty(t.Domain)
	}
	switch {
	case t.Prefix.IsValid():
		d.addNetwork(m, t.Prefix.Masked(), t)
		if t.Prefix.IsSingleIP() {
			d.addIfOwn(ctx, t.Prefix.Addr())
		}
	case strings.Contains(t.Domain, "%"):
		m.lost(t, "what its macro means depends on the sender")
	case t.Kind == spf.PTR:
		m.lost(t, "it authorizes any address with a PTR name below %s", target)
	case t.Kind == spf.Exists:
		m.lost(t, "a description has addresses, networks and includes only")
	case target == "":
		m.lost(t, "%q is not a name that DNS can have", t.Domain)
	case t.Kind == spf.Include:
		d.addInclude(ctx, m, t)
	case t.Kind == spf.A:
		d.addSendersAt(ctx, m, target, t)
	case t.Kind == spf.MX:
		mx, err := resolver.LookupMX(ctx, d.resolver, target)
		if err != nil {
			d.notKnown("the mail servers of "+target, err)
			m.lost(t, "the mail servers of %s are not known", target)
			m.unsure, d.spfUnknown = true, d.spfUnknown || d.o.Owns(target)
		}
		if len(mx) > maxMX {
			mx = mx[:maxMX]
			m.note("the SPF record has %.200s, and %s has more than %d mail servers, for which receivers reject the record", t.Text, target, maxMX)
		}
		for _, rr := range mx {
			if name := dnsname.CanonicalOrEmpty(rr.Mx); name != "" && !nullmx.IsNull(rr) {
				d.addSendersAt(ctx, m, name, t)
			}
		}
	}
}

// addInclude adds the target of an include or a redirect, if a record can include it.
func (d *draft) addInclude(ctx context.Context, m *mailDomain, t spf.Term) {
	target := dnsname.CanonicalOrEmpty(t.Domain)
	if err := describable(org.MailDomain{Domain: m.name, Includes: []string{t.Domain}}); err != nil {
		m.lost(t, "%v", err)
		return
	}
	if texts, err := resolver.LookupTXT(ctx, d.resolver, target); err == nil {
		if _, err := spf.Select(texts); err != nil { // RFC 7208, Section 5.2: a permerror
			m.note("the SPF record has %.200s, which is left out: receivers reject the whole record because of it, as %s has none or several (%v)", t.Text, target, err)
			return
		}
	}
	// The order stays: receivers evaluate a broken record after those that are right.
	if !slices.Contains(m.includes, target) {
		m.includes = append(m.includes, target)
	}
}

// describable returns why a plan would make no record from senders of a mail domain, nil if it
// would.
func describable(mail org.MailDomain) error {
	for _, p := range mail.Networks {
		if !p.Addr().Is4In6() && !address.IsPublic(p.Addr()) {
			_, block := address.ClassOf(p.Addr())
			return fmt.Errorf("not a public network (%s)", block)
		}
	}
	if _, err := (spf.Builder{Name: mail.Domain, Networks: mail.Networks, Includes: mail.Includes}).Record(); err != nil {
		return errors.New(strings.TrimPrefix(err.Error(), "spf: "))
	}
	mta := org.MTA{ID: "mta1", Addresses: []netip.Addr{netip.IPv6LinkLocalAllNodes()}, Roles: []org.Role{org.Inbound}}
	return (&org.Organization{Domain: mail.Domain, MTAs: []org.MTA{mta}, Mail: []org.MailDomain{mail}}).Validate()
}

// addSendersAt adds the addresses of a name as senders, or networks around them by the
// prefix lengths of a term. The addresses of an own host are those of an MTA, except at a mail
// domain, which may have those of its web server.
func (d *draft) addSendersAt(ctx context.Context, m *mailDomain, name string, t spf.Term) {
	addrs, end, err := d.addrsOf(ctx, name)
	if err != nil {
		d.notKnown("the addresses of "+name, err)
		m.lost(t, "the addresses of %s are not known", name)
		m.unsure, d.spfUnknown = true, d.spfUnknown || d.o.Owns(name)
	}
	whole := t.Len4 == 32 && t.Len6 == 128
	if whole && err == nil && name != m.name && d.domains[name] == nil && d.isOwnHost(name) && d.isOwnHost(end) {
		d.addHost(ctx, name)
	}
	for _, addr := range addrs {
		bits := int(t.Len6)
		if addr.Is4() {
			bits = int(t.Len4)
		}
		if p, err := addr.Prefix(bits); err == nil {
			d.addNetwork(m, p, t)
		}
		if whole && d.o.Owns(name) {
			d.addIfOwn(ctx, addr)
		}
	}
}

// addNetwork adds a network or an address from which mail of a domain comes.
func (d *draft) addNetwork(m *mailDomain, p netip.Prefix, t spf.Term) {
	if d.err != nil || slices.ContainsFunc(m.senders, func(s sender) bool { return s.prefix == p }) {
		return
	}
	if err := describable(org.MailDomain{Domain: m.name, Networks: []netip.Prefix{p}}); err != nil {
		m.lost(t, "%s: %v", p, err)
		return
	}
	if d.senders++; d.senders > maxDraftNetworks {
		d.err = fmt.Errorf("more than %d networks send for %s: too many for a draft", maxDraftNetworks, m.name)
		return
	}
	m.senders = append(m.senders, sender{p, t.Text})
}

// commentNearMisses comments on the texts of a name without an SPF record that are meant as
// one.
func (d *draft) commentNearMisses(name string, texts []string) {
	for _, text := range texts {
		if fault := spf.NearMiss(text); fault != "" {
			if d.nearMiss++; d.nearMiss > maxDraftLeft {
				continue
			}
			d.comment("mail", "%s has the text %.80q, which is meant to say who sends, but is not an SPF record: %s", name, text, fault)
		}
	}
}

// lists reports whether the SPF record of the domain has an address or a network around it,
// even if receivers reject the record.
func (m *mailDomain) lists(addr netip.Addr) bool {
	return slices.ContainsFunc(m.senders, func(s sender) bool { return s.prefix.Contains(addr) })
}

// judgeSenders finds out which of the mail domains authorize an MTA, by a check as receivers
// make it.
func (d *draft) judgeSenders(ctx context.Context) {
	for _, addr := range d.order {
		a := d.addrs[addr]
		a.denied = true
		for _, m := range d.domainOrder {
			status := d.authorizes(ctx, m, addr)
			if m.lists(addr) || status == spf.Pass {
				m.ours, a.sends = true, true
			}
			switch {
			case status == spf.TempError && len(m.includes) > 0 && !slices.ContainsFunc(m.includes, d.o.Owns):
				m.included = true
			case status == spf.TempError || status == spf.PermError:
				m.unsure = true
			}
			a.denied = a.denied && status == spf.Fail
		}
	}
}

// authorizes returns what the SPF record of a domain says about an address.
func (d *draft) authorizes(ctx context.Context, m *mailDomain, addr netip.Addr) spf.Status {
	switch {
	case m.broken:
		return spf.PermError
	case !m.has:
		return spf.None
	}
	c := spf.Checker{Resolver: d.resolver, Speculate: spf.SpeculateNone, NoExplanation: true}
	return c.CheckMailFrom(ctx, addr, m.name, "postmaster@"+m.name).Status
}
