// Package draft makes a first description of an organization from what its DNS says.
//
// [FromDNS] asks a resolver, and reads whole zones if there are any. What DNS cannot know,
// or what was guessed, is in comments beside the values: correct and complete them.
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
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/txt"
	"github.com/bonafide-mta/bonafide/nullmx"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/spf"
)

// The bounds of a draft. What is beyond them is left out, and said so; but for the
// questions.
const (
	maxDraftHosts     = 100 // names of MTAs that are looked at
	maxDraftAddrs     = 64  // addresses of MTAs
	maxDraftNames     = 500 // names without mail: more make a description that org.Parse refuses
	maxDraftLeft      = 100 // comments on names that are left out
	maxDraftQuestions = 1000
)

// ErrNoServer is in the error of a [FromDNS] that found no mail server.
var ErrNoServer = errors.New("no mail server is known to DNS, expected an address of one")

// FromDNS makes a first description of an organization from what its DNS says: MTAs from
// its MX and SPF records and the addresses given, by the names that their addresses
// have; what other mail its SPF record lets pass; contacts from RP records. Where the
// records of whole zones are given, it also finds names with a CSA or SPF record of
// their own, more mail domains, and what package harden finds to be without mail. They may be
// nil; r answers for them, too.
//
// What DNS cannot know, and where it was guessed, stands in the comments, which are for
// [org.Organization.WriteYAML]: above all what an MTA says in HELO. Names that r has no
// zone for (resolver.ErrNoZone) are not known, either.
//
// The error is that of the first question without an answer, or wraps [ErrNoServer], or
// says what is wrong with the domain. It looks at 100 names and 64 addresses of
// MTAs at most, lists 500 names without mail, and asks 1000 questions: a domain that
// takes more is an error.
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
			return resolver.Answer{}, fmt.Errorf("more than %d questions: %s is too large to be described so", maxDraftQuestions, domain)
		}
		return r.Lookup(ctx, name, qtype)
	})
	d := &draft{
		resolver: limited, o: &org.Organization{Domain: name}, mail: org.MailDomain{Domain: name},
		hosts: make(map[string]*draftHost), addrs: make(map[netip.Addr]*draftAddr),
	}
	for _, addr := range addrs {
		d.address(addr.Unmap())
	}
	d.exchangers(ctx)
	d.policy(ctx)
	var all []dns.RR
	if records != nil {
		for rr, err := range records {
			if err != nil {
				return nil, nil, fmt.Errorf("draft: %w", err)
			}
			all = append(all, rr)
		}
		d.read(ctx, all)
	}
	d.follow(ctx)
	d.servers()
	if d.err == nil && len(d.o.MTAs) == 0 {
		d.err = fmt.Errorf("%s: %w", name, ErrNoServer)
	}
	d.domains()
	d.contacts(ctx)
	if d.err == nil {
		d.names(all)
	}
	if d.err == nil {
		d.err = d.o.Validate()
	}
	if d.err != nil {
		return nil, nil, fmt.Errorf("draft: %w", d.err)
	}
	return d.o, d.comments, nil
}

// A draft is what is known so far.
type draft struct {
	resolver resolver.Resolver
	o        *org.Organization
	mail     org.MailDomain // of the domain
	more     []org.MailDomain
	hosts    map[string]*draftHost
	addrs    map[netip.Addr]*draftAddr
	order    []netip.Addr // those of addrs, as they were found
	comments []org.Comment
	err      error // the first
}

// A draftHost is a name of the organization that an MTA seems to have.
type draftHost struct {
	takesMail  bool // MX records lead to it
	authorized bool // by a CSA record of its own
	sends      bool // by an SPF record of its own
	silent     bool // SPF or CSA say that it does not greet
}

// A draftAddr is an address that an MTA seems to have.
type draftAddr struct {
	hosts   []string // names that lead to it
	ptr     string   // its name, "" for none of the organization
	names   []string // all its names
	unasked bool     // r has no zone that could tell them
	takes   bool     // mail comes to it
	sends   bool     // an SPF record lets it send
}

func (d *draft) comment(path, format string, args ...any) {
	d.comments = append(d.comments, org.Comment{Path: path, Text: fmt.Sprintf(format, args...)})
}

// known passes an answer on, or remembers why there is none.
func known[T any](d *draft, about string, answer T, err error) T {
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

// ours reports whether a name is one of the organization that a host can have.
func (d *draft) ours(name string) bool {
	return d.o.Owns(name) && dnsname.FormOf(name) == dnsname.Host
}

// address returns what is known of an address, or nil beyond the bounds.
func (d *draft) address(addr netip.Addr) *draftAddr {
	a := d.addrs[addr]
	if a == nil && len(d.addrs) < maxDraftAddrs {
		a = new(draftAddr)
		d.addrs[addr], d.order = a, append(d.order, addr)
		if len(d.addrs) == maxDraftAddrs {
			d.comment("mtas", "there may be more: only %d addresses were looked at", maxDraftAddrs)
		}
	}
	return a
}

// host looks at a name of the organization and its addresses, and returns what is known
// of it, or nil beyond the bounds.
func (d *draft) host(ctx context.Context, name string) *draftHost {
	h := d.hosts[name]
	if h != nil || len(d.hosts) == maxDraftHosts || d.err != nil {
		return h
	}
	h = new(draftHost)
	if d.hosts[name] = h; len(d.hosts) == maxDraftHosts {
		d.comment("mtas", "there may be more: only %d names were looked at", maxDraftHosts)
	}
	addrs, err := resolver.LookupAddrs(ctx, d.resolver, name)
	for _, addr := range known(d, "the addresses of "+name, addrs, err) {
		if a := d.address(addr); a != nil && !slices.Contains(a.hosts, name) {
			a.hosts = append(a.hosts, name)
		}
	}
	texts, err := resolver.LookupTXT(ctx, d.resolver, name)
	for _, text := range known(d, "the SPF record of "+name, texts, err) {
		switch {
		case spf.IsNull(text):
			h.silent = true
		case spf.IsRecord(text):
			h.sends = true
		}
	}
	services, err := csa.Lookup(ctx, d.resolver, name)
	for _, srv := range known(d, "the CSA record of "+name, services, err) {
		h.authorized = h.authorized || csa.Authorizes(srv)
		h.silent = h.silent || csa.Denies(srv)
	}
	return h
}

// exchangers looks at where the mail of the domain goes.
func (d *draft) exchangers(ctx context.Context) {
	mx, err := resolver.LookupMX(ctx, d.resolver, d.o.Domain)
	mx = known(d, "the mail servers of "+d.o.Domain, mx, err)
	var foreign []string
	for _, rr := range mx {
		switch name := dnsname.CanonicalOrEmpty(rr.Mx); {
		case nullmx.IsNull(rr):
			d.comment("mail", "%s says that it takes no mail (Null MX)", d.o.Domain)
		case !d.ours(name):
			foreign = append(foreign, rr.Mx)
		default:
			d.takes(ctx, name)
		}
	}
	if len(foreign) > 0 {
		d.comment("mtas", "mail for %s goes to servers of another organization, which are not described: %s", d.o.Domain, strings.Join(foreign, " "))
	}
	if len(mx) == 0 && d.err == nil {
		d.takes(ctx, d.o.Domain) // RFC 5321, Section 5.1: then its addresses take it
	}
}

// takes remembers that mail goes to a host.
func (d *draft) takes(ctx context.Context, name string) {
	if h := d.host(ctx, name); h != nil {
		h.takesMail = true
	}
	for _, a := range d.addrs {
		a.takes = a.takes || slices.Contains(a.hosts, name)
	}
}

// policy looks at whom the SPF record of the domain lets send.
func (d *draft) policy(ctx context.Context) {
	texts, err := resolver.LookupTXT(ctx, d.resolver, d.o.Domain)
	all := known(d, "the SPF record of "+d.o.Domain, texts, err)
	texts = slices.DeleteFunc(slices.Clone(all), func(text string) bool { return !spf.IsRecord(text) })
	switch {
	case d.err != nil:
		return
	case len(texts) == 0:
		d.nearMisses(d.o.Domain, all)
		d.comment("mail", "%s has no SPF record: whether others send in its name cannot be known", d.o.Domain)
		return
	case len(texts) > 1:
		d.comment("mail", "%s has %d SPF records, which is as good as none: here is what all of them let pass", d.o.Domain, len(texts))
	}
	for _, text := range texts {
		record, err := spf.Parse(text) // with the terms that are right
		if err != nil {
			d.comment("mail", "the SPF record of %s is broken: %v", d.o.Domain, err)
		}
		closed := false
		for _, term := range record.Terms {
			closed = closed || term.Kind == spf.All && term.Qualifier == spf.Fail || term.Kind == spf.Redirect
			d.term(ctx, term)
		}
		if !closed {
			d.mail.SoftFail = true
			d.comment("mail[0].softfail", "the SPF record does not end in -all; take this out when you are sure that all are described who send")
		}
	}
	slices.Sort(d.mail.Includes)
	d.mail.Includes = slices.Compact(d.mail.Includes)
}

// nearMisses comments on the texts of a name without an SPF record that are meant as one.
func (d *draft) nearMisses(name string, texts []string) {
	for _, text := range texts {
		if fault := spf.NearMiss(text); fault != "" {
			d.comment("mail", "%s has the text %.80q, which is meant to say who sends, but is not an SPF record: %s", name, text, fault)
		}
	}
}

// term looks at whom a term of the SPF record lets send.
func (d *draft) term(ctx context.Context, t spf.Term) {
	target := cmp.Or(dnsname.CanonicalOrEmpty(t.Domain), d.o.Domain)
	switch {
	case t.Qualifier == spf.Fail, t.Kind == spf.All, t.Kind == spf.Exp, t.Kind == spf.Modifier:
	case strings.Contains(t.Domain, "%"), t.Kind == spf.PTR, t.Kind == spf.Exists:
		d.comment("mail", "the SPF record has %s, which cannot be described", t.Text)
	case t.Kind == spf.Include, t.Kind == spf.Redirect:
		d.mail.Includes = append(d.mail.Includes, target)
	case t.Prefix.IsValid():
		d.sender(ctx, t.Prefix.Masked())
	case t.Kind == spf.A:
		d.sendersAt(ctx, target, t)
	case t.Kind == spf.MX:
		mx, err := resolver.LookupMX(ctx, d.resolver, target)
		for _, rr := range known(d, "the mail servers of "+target, mx, err) {
			if !nullmx.IsNull(rr) {
				d.sendersAt(ctx, dnsname.CanonicalOrEmpty(rr.Mx), t)
			}
		}
	}
}

// sendersAt takes in that the addresses of a name send, and their networks, by the
// prefix lengths of a term.
func (d *draft) sendersAt(ctx context.Context, name string, t spf.Term) {
	if d.ours(name) && t.Len4 == 32 && t.Len6 == 128 {
		d.host(ctx, name)
		for _, addr := range d.order {
			a := d.addrs[addr]
			a.sends = a.sends || slices.Contains(a.hosts, name)
		}
		return
	}
	addrs, err := resolver.LookupAddrs(ctx, d.resolver, name)
	for _, addr := range known(d, "the addresses of "+name, addrs, err) {
		bits := int(t.Len6)
		if addr.Is4() {
			bits = int(t.Len4)
		}
		if p, err := addr.Prefix(bits); err == nil {
			d.network(p, "the SPF record has "+t.Text)
		}
	}
}

// sender takes in that a network sends: a single address with a name of the organization
// is an MTA.
func (d *draft) sender(ctx context.Context, p netip.Prefix) {
	addr := p.Addr()
	if p.IsSingleIP() && d.addrs[addr] == nil {
		names, err := resolver.LookupPTR(ctx, d.resolver, addr)
		if slices.ContainsFunc(known(d, "the name of "+addr.String(), names, err), d.ours) {
			d.address(addr)
		}
	}
	if a := d.addrs[addr]; p.IsSingleIP() && a != nil {
		a.sends = true
	} else {
		d.network(p, "the SPF record has it")
	}
}

func (d *draft) network(p netip.Prefix, why string) {
	if slices.Contains(d.mail.Networks, p) {
		return
	}
	if p.IsSingleIP() {
		d.comment(fmt.Sprintf("mail[0].networks[%d]", len(d.mail.Networks)), "%s, and it has no name of yours: an MTA of yours belongs among mtas", why)
	}
	d.mail.Networks = append(d.mail.Networks, p)
}

// read looks at what else whole zones say of mail servers and mail domains.
func (d *draft) read(ctx context.Context, records []dns.RR) {
	addressed := make(map[string]bool)
	for _, rr := range records {
		switch rr.(type) {
		case *dns.A, *dns.AAAA:
			addressed[dnsname.CanonicalOrEmpty(rr.Header().Name)] = true
		}
	}
	mail := make(map[string]bool)
	for _, rr := range records {
		name := dnsname.CanonicalOrEmpty(rr.Header().Name)
		switch rr := rr.(type) {
		case *dns.SRV:
			if host, ok := csa.NameOf(name); ok && csa.Authorizes(rr) && d.ours(host) {
				d.host(ctx, host)
			}
		case *dns.MX:
			if !nullmx.IsNull(rr) && d.ours(name) && name != d.o.Domain {
				mail[name] = true
			}
		case *dns.TXT:
			switch text := txt.Join(rr.Txt); {
			case !d.ours(name) || name == d.o.Domain || spf.IsNull(text):
			case !spf.IsRecord(text):
				if !addressed[name] { // harden tells about the others
					d.nearMisses(name, []string{text})
				}
			case addressed[name]:
				d.host(ctx, name)
			default:
				mail[name] = true
			}
		}
	}
	for name := range mail {
		if h := d.hosts[name]; h == nil { // a HELO name may have MX records for its postmaster
			d.more = append(d.more, org.MailDomain{Domain: name})
		}
	}
	slices.SortFunc(d.more, func(a, b org.MailDomain) int { return dnsname.Compare(a.Domain, b.Domain) })
}

// follow looks at the names of the addresses, and at what other addresses these have.
func (d *draft) follow(ctx context.Context) {
	for i := 0; i < len(d.order) && d.err == nil; i++ { // it grows
		addr := d.order[i]
		a := d.addrs[addr]
		names, err := resolver.LookupPTR(ctx, d.resolver, addr)
		a.unasked = errors.Is(err, resolver.ErrNoZone)
		a.names = known(d, "the name of "+addr.String(), names, err)
		for _, name := range a.names {
			if name = dnsname.CanonicalOrEmpty(name); name != "" && a.ptr == "" && d.ours(name) {
				a.ptr = name
				d.host(ctx, name)
			}
		}
	}
}
