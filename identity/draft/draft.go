// Package draft makes a first description of an organization from its DNS.
//
// [FromDNS] asks a resolver, and reads whole zones if there are any. Comments beside the
// values tell what was guessed and what DNS does not know: correct and complete the
// description before you audit or plan with it.
//
// # Bounds
//
// FromDNS asks at most 1000 questions. Its time and memory grow with
// the size of the answers and the number of records of the zones; a description has at most
// 64 addresses of MTAs, 1000 networks, 500 names without mail and 1000 comments of 600
// octets.
package draft

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/csa"
	"github.com/bonafide-mta/bonafide/identity/flow"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/txt"
	"github.com/bonafide-mta/bonafide/nullmx"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/spf"
)

// The bounds of a draft. A comment tells what is left out because of them; too many questions
// are an error.
const (
	maxDraftHosts     = 100 // names of MTAs
	maxDraftAddrs     = 64  // addresses of MTAs
	maxDraftNames     = 500 // names without mail: org.Parse refuses descriptions with many more
	maxDraftLeft      = 100 // comments on names that harden leaves alone, and on near misses of SPF records
	maxDraftQuestions = 1000
	maxDraftNetworks  = 1000 // that send for the domain: an error, as a plan would remove those left out
	maxDraftComments  = 1000
	maxDraftComment   = 600 // octets of one comment
	maxDraftListed    = 10  // names in one comment
)

// ErrNoServer is in the error of [FromDNS] if it finds no mail server.
var ErrNoServer = errors.New("no mail server is known to DNS, expected an address of one")

// FromDNS makes a first description of an organization: its MTAs from MX and SPF records
// and the given addresses, grouped by their PTR names; other senders that its SPF record
// authorizes; contacts from RP records. From the records of whole zones it also takes names
// with a CSA or SPF record of their own, more mail domains, and the names without mail that
// package harden finds. The records may be nil; r has to answer for their zones, too.
//
// The comments, for [org.Organization.WriteYAML], tell what was guessed and what is not
// known: above all what an MTA says in HELO. Names outside every zone of r
// (resolver.ErrNoZone) are not known.
//
// The error is that of the first question without an answer, or wraps [ErrNoServer], or
// says what is wrong with the domain. FromDNS takes at most 100 names and 64 addresses of
// MTAs, and lists 500 names without mail and 1000 comments. It asks at most 1000 questions
// and takes at most 1000 networks that send: a domain that needs more is an error. The work
// grows with the size of the answers.
func FromDNS(ctx context.Context, r resolver.Resolver, domain string, addrs []netip.Addr, records iter.Seq2[dns.RR, error]) (*org.Organization, []org.Comment, error) {
	name, err := dnsname.Canonical(domain)
	if err == nil && r == nil {
		err = resolver.ErrNoResolver
	}
	if err != nil {
		return nil, nil, fmt.Errorf("draft: %w", err)
	}
	var asked atomic.Int64
	limited := resolver.Func(func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
		if asked.Add(1) > maxDraftQuestions {
			return resolver.Answer{}, fmt.Errorf("more than %d questions: %s is too large for a draft", maxDraftQuestions, domain)
		}
		response := resolver.Ask(ctx, r, name, qtype)
		return response.Answer, response.Err
	})
	d := &draft{
		resolver: limited, o: &org.Organization{Domain: name}, mail: org.MailDomain{Domain: name},
		hosts: make(map[string]*draftHost), addrs: make(map[netip.Addr]*draftAddr), networks: make(map[netip.Prefix]bool),
	}
	for _, addr := range addrs {
		d.addrFacts(addr.Unmap())
	}
	d.lookupMX(ctx)
	d.lookupSPF(ctx)
	var all []dns.RR
	if records != nil {
		for rr, err := range records {
			if err != nil {
				return nil, nil, fmt.Errorf("draft: %w", err)
			}
			all = append(all, rr)
		}
		d.addRecords(ctx, all)
	}
	d.lookupPTRs(ctx)
	d.describeMTAs()
	if d.err == nil && len(d.o.MTAs) == 0 {
		d.err = fmt.Errorf("%s: %w", name, ErrNoServer)
	}
	d.describeMail()
	d.lookupContacts(ctx)
	if d.err == nil {
		d.describeNames(all)
	}
	if d.err == nil {
		d.err = d.o.Validate()
	}
	if d.err != nil {
		return nil, nil, fmt.Errorf("draft: %w", d.err)
	}
	if d.more > 0 {
		d.comments = append(d.comments, org.Comment{Text: fmt.Sprintf("%d more comments are left out", d.more)})
	}
	return d.o, d.comments, nil
}

// A draft is what is known so far about an organization.
type draft struct {
	resolver  resolver.Resolver
	o         *org.Organization
	mail      org.MailDomain // of the domain
	otherMail []org.MailDomain
	hosts     map[string]*draftHost
	addrs     map[netip.Addr]*draftAddr
	order     []netip.Addr // those of addrs, as they were found
	comments  []org.Comment
	more      int                   // comments above maxDraftComments
	networks  map[netip.Prefix]bool // those of mail
	nearMiss  int                   // texts that are meant as SPF records
	err       error                 // the first
}

// A draftHost is a name of the organization that an MTA seems to have.
type draftHost struct {
	exchanger  bool // MX records point to it
	authorized bool // a CSA record of its own authorizes
	sends      bool // it has an SPF record that authorizes
	denied     bool // a null SPF record or a CSA record says that it is not used in HELO
}

// A draftAddr is an address that an MTA seems to have.
type draftAddr struct {
	hosts    []string // names that lead to it
	ptr      string   // its first PTR name that the organization owns, "" for none
	names    []string // all its PTR names
	unknown  bool     // r has no zone with its PTR records
	receives bool     // MX records point to a name of it
	sends    bool     // an SPF record authorizes it
}

// comment adds a comment on a value of the description.
func (d *draft) comment(path, format string, args ...any) {
	if len(d.comments) == maxDraftComments {
		d.more++
		return
	}
	text := fmt.Sprintf(format, args...)
	if len(text) > maxDraftComment {
		text = strings.ToValidUTF8(text[:maxDraftComment], "") + " …"
	}
	d.comments = append(d.comments, org.Comment{Path: path, Text: text})
}

// listed joins the first names of a list, and counts the others.
func listed(names []string) string {
	if len(names) <= maxDraftListed {
		return strings.Join(names, " ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:maxDraftListed], " "), len(names)-maxDraftListed)
}

// answerOrComment returns an answer, or the zero value if there is none: a comment says so if
// r has no zone for it, else the error is kept in d.err.
func answerOrComment[T any](d *draft, about string, answer T, err error) T {
	var none T
	switch {
	case err == nil:
		return answer
	case errors.Is(err, resolver.ErrNoZone):
		d.comment("", "not known: %s (%v)", about, err)
	case d.err == nil:
		d.err = err
	}
	return none
}

// isOwnHost reports whether a name is a host name of the organization.
func (d *draft) isOwnHost(name string) bool {
	return d.o.Owns(name) && dnsname.FormOf(name) == dnsname.Host
}

// addrFacts returns what is known about an address, nil for one above maxDraftAddrs.
func (d *draft) addrFacts(addr netip.Addr) *draftAddr {
	a := d.addrs[addr]
	if a == nil && len(d.addrs) < maxDraftAddrs {
		a = new(draftAddr)
		d.addrs[addr], d.order = a, append(d.order, addr)
		if len(d.addrs) == maxDraftAddrs {
			d.comment("mtas", "there may be more: only the first %d addresses were considered", maxDraftAddrs)
		}
	}
	return a
}

// hostFacts looks up the addresses, SPF and CSA records of a name of the organization, and
// returns what they show, nil for one above maxDraftHosts.
func (d *draft) hostFacts(ctx context.Context, name string) *draftHost {
	h := d.hosts[name]
	if h != nil || len(d.hosts) == maxDraftHosts || d.err != nil {
		return h
	}
	h = new(draftHost)
	if d.hosts[name] = h; len(d.hosts) == maxDraftHosts {
		d.comment("mtas", "there may be more: only the first %d names were considered", maxDraftHosts)
	}
	addrs, err := resolver.LookupAddrs(ctx, d.resolver, name)
	for _, addr := range answerOrComment(d, "the addresses of "+name, addrs, err) {
		if a := d.addrFacts(addr); a != nil && !slices.Contains(a.hosts, name) {
			a.hosts = append(a.hosts, name)
		}
	}
	texts, err := resolver.LookupTXT(ctx, d.resolver, name)
	if record, _ := spf.Select(answerOrComment(d, "the SPF record of "+name, texts, err)); record != "" {
		h.denied = spf.IsNullBy(record, func(domain string) string {
			texts, err := resolver.LookupTXT(ctx, d.resolver, domain)
			record, _ := spf.Select(answerOrComment(d, "the SPF record of "+domain, texts, err))
			return record
		})
		h.sends = !h.denied
	}
	services, err := csa.Lookup(ctx, d.resolver, name)
	for _, srv := range answerOrComment(d, "the CSA record of "+name, services, err) {
		h.authorized = h.authorized || csa.Authorizes(srv)
		h.denied = h.denied || csa.Denies(srv)
	}
	return h
}

// lookupMX finds the hosts that receive the mail of the domain.
func (d *draft) lookupMX(ctx context.Context) {
	mx, err := resolver.LookupMX(ctx, d.resolver, d.o.Domain)
	mx = answerOrComment(d, "the mail servers of "+d.o.Domain, mx, err)
	var foreign []string
	for _, rr := range mx {
		switch name := dnsname.CanonicalOrEmpty(rr.Mx); {
		case nullmx.IsNull(rr):
			d.comment("mail", "%s has a Null MX: it receives no mail", d.o.Domain)
		case !d.isOwnHost(name):
			foreign = append(foreign, rr.Mx)
		default:
			d.addExchanger(ctx, name)
		}
	}
	if len(foreign) > 0 {
		d.comment("mtas", "mail for %s goes to servers of another organization, which are not described: %s", d.o.Domain, listed(foreign))
	}
	if len(mx) == 0 && d.err == nil {
		d.addExchanger(ctx, d.o.Domain) // RFC 5321, Section 5.1: mail goes to its addresses
	}
}

// addExchanger looks up a host that receives mail.
func (d *draft) addExchanger(ctx context.Context, name string) {
	if h := d.hostFacts(ctx, name); h != nil {
		h.exchanger = true
	}
	for _, a := range d.addrs {
		a.receives = a.receives || slices.Contains(a.hosts, name)
	}
}

// lookupSPF finds the senders that the SPF record of the domain authorizes.
func (d *draft) lookupSPF(ctx context.Context) {
	texts, err := resolver.LookupTXT(ctx, d.resolver, d.o.Domain)
	all := answerOrComment(d, "the SPF record of "+d.o.Domain, texts, err)
	texts = slices.DeleteFunc(slices.Clone(all), func(text string) bool { return !spf.IsRecord(text) })
	switch {
	case d.err != nil:
		return
	case len(texts) == 0:
		d.commentNearMisses(d.o.Domain, all)
		d.comment("mail", "%s has no SPF record, so DNS does not show who else sends for it", d.o.Domain)
		return
	case len(texts) > 1:
		d.comment("mail", "%s has %d SPF records, which receivers reject: these are the senders of all of them", d.o.Domain, len(texts))
	}
	for _, text := range texts {
		record, err := spf.Parse(text) // the terms that it could read count even if others are broken
		if err != nil {
			d.comment("mail", "the SPF record of %s is broken: %v", d.o.Domain, err)
		}
		closed := false
		for _, term := range record.Terms {
			closed = closed || term.Kind == spf.All && term.Qualifier == spf.Fail || term.Kind == spf.Redirect
			d.addTerm(ctx, term)
		}
		if !closed {
			d.mail.SoftFail = true
			d.comment("mail[0].softfail", "the SPF record does not end with -all: remove this when you are sure that all senders are described")
		}
	}
	slices.Sort(d.mail.Includes)
	d.mail.Includes = slices.Compact(d.mail.Includes)
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

// addTerm adds the senders that a term of the SPF record authorizes.
func (d *draft) addTerm(ctx context.Context, t spf.Term) {
	target := cmp.Or(dnsname.CanonicalOrEmpty(t.Domain), d.o.Domain)
	switch {
	case t.Qualifier == spf.Fail, t.Kind == spf.All, t.Kind == spf.Exp, t.Kind == spf.Modifier:
	case strings.Contains(t.Domain, "%"), t.Kind == spf.PTR, t.Kind == spf.Exists:
		d.comment("mail", "the SPF record has %s, which cannot be described", t.Text)
	case t.Kind == spf.Include, t.Kind == spf.Redirect:
		if _, err := spf.ParseDomain(t.Domain); err != nil || target == d.o.Domain {
			d.comment("mail", "the SPF record has %s, which cannot be described", t.Text)
			return
		}
		d.mail.Includes = append(d.mail.Includes, target)
	case t.Prefix.IsValid():
		d.addSender(ctx, t.Prefix.Masked())
	case t.Kind == spf.A:
		d.addSendersAt(ctx, target, t)
	case t.Kind == spf.MX:
		mx, err := resolver.LookupMX(ctx, d.resolver, target)
		for _, rr := range answerOrComment(d, "the mail servers of "+target, mx, err) {
			if !nullmx.IsNull(rr) {
				d.addSendersAt(ctx, dnsname.CanonicalOrEmpty(rr.Mx), t)
			}
		}
	}
}

// addSendersAt adds the addresses of a name as senders, or networks around them by the
// prefix lengths of a term.
func (d *draft) addSendersAt(ctx context.Context, name string, t spf.Term) {
	if d.isOwnHost(name) && t.Len4 == 32 && t.Len6 == 128 {
		d.hostFacts(ctx, name)
		for _, addr := range d.order {
			a := d.addrs[addr]
			a.sends = a.sends || slices.Contains(a.hosts, name)
		}
		return
	}
	addrs, err := resolver.LookupAddrs(ctx, d.resolver, name)
	for _, addr := range answerOrComment(d, "the addresses of "+name, addrs, err) {
		bits := int(t.Len6)
		if addr.Is4() {
			bits = int(t.Len4)
		}
		if p, err := addr.Prefix(bits); err == nil {
			d.addNetwork(p, "the SPF record has "+t.Text)
		}
	}
}

// addSender adds a network as a sender: a single address with a PTR name of the organization
// is an MTA.
func (d *draft) addSender(ctx context.Context, p netip.Prefix) {
	addr := p.Addr()
	if p.IsSingleIP() && d.addrs[addr] == nil {
		names, err := resolver.LookupPTR(ctx, d.resolver, addr)
		if slices.ContainsFunc(answerOrComment(d, "the PTR names of "+addr.String(), names, err), d.isOwnHost) {
			d.addrFacts(addr)
		}
	}
	if a := d.addrs[addr]; p.IsSingleIP() && a != nil {
		a.sends = true
	} else {
		d.addNetwork(p, "the SPF record has it")
	}
}

// addNetwork adds a network from which mail of the domain comes, with the reason.
func (d *draft) addNetwork(p netip.Prefix, why string) {
	if d.networks[p] || d.err != nil {
		return
	}
	if len(d.networks) == maxDraftNetworks {
		d.err = fmt.Errorf("more than %d networks send for %s: too many for a draft", maxDraftNetworks, d.o.Domain)
		return
	}
	d.networks[p] = true
	if p.IsSingleIP() {
		d.comment(fmt.Sprintf("mail[0].networks[%d]", len(d.mail.Networks)), "%s, and it has no PTR name of yours: move it to mtas if it is an MTA of yours", why)
	}
	d.mail.Networks = append(d.mail.Networks, p)
}

// addRecords finds more hosts and mail domains in the records of whole zones.
func (d *draft) addRecords(ctx context.Context, records []dns.RR) {
	survey, err := flow.Read(resolver.SeqOf(records...), nil)
	if err != nil {
		return // no whole zone
	}
	texts := make(map[string][]string)
	for _, rr := range records {
		name := dnsname.CanonicalOrEmpty(rr.Header().Name)
		switch rr := rr.(type) {
		case *dns.SRV:
			if host, ok := csa.NameOf(name); ok && csa.Authorizes(rr) && d.isOwnHost(host) {
				d.hostFacts(ctx, host)
			}
		case *dns.TXT:
			texts[name] = append(texts[name], txt.Join(rr.Txt))
		}
	}
	mail := make(map[string]bool)
	for _, n := range survey.Nodes() {
		if !d.isOwnHost(n.Name) || n.Name == d.o.Domain {
			continue
		}
		if n.Has(flow.GetsMail) {
			mail[n.Name] = true
		}
		switch addressed := len(n.Addrs) > 0; {
		case n.Has(flow.Sends) && addressed:
			d.hostFacts(ctx, n.Name)
		case n.Has(flow.Sends):
			mail[n.Name] = true
		case survey.NearMiss(n.Name) != "" && !addressed: // harden tells about the others
			d.commentNearMisses(n.Name, texts[n.Name])
		}
	}
	if more := d.nearMiss - maxDraftLeft; more > 0 {
		d.comment("mail", "and %d more texts that are meant to say who sends", more)
	}
	for name := range mail {
		if h := d.hosts[name]; h == nil { // a HELO name can have MX records for postmaster@ it
			d.otherMail = append(d.otherMail, org.MailDomain{Domain: name})
		}
	}
	slices.SortFunc(d.otherMail, func(a, b org.MailDomain) int { return dnsname.Compare(a.Domain, b.Domain) })
}

// lookupPTRs looks up the PTR names of the addresses, and more addresses of these names.
func (d *draft) lookupPTRs(ctx context.Context) {
	for i := 0; i < len(d.order) && d.err == nil; i++ { // d.order grows
		addr := d.order[i]
		a := d.addrs[addr]
		names, err := resolver.LookupPTR(ctx, d.resolver, addr)
		a.unknown = errors.Is(err, resolver.ErrNoZone)
		a.names = answerOrComment(d, "the PTR names of "+addr.String(), names, err)
		for _, name := range a.names {
			if name = dnsname.CanonicalOrEmpty(name); name != "" && a.ptr == "" && d.isOwnHost(name) {
				a.ptr = name
				d.hostFacts(ctx, name)
			}
		}
	}
}
