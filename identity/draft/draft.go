// Package draft makes a first description of an organization from its DNS.
//
// [FromDNS] asks a resolver, and reads whole zones if there are any. Comments beside the
// values tell what was guessed, what DNS does not know or did not answer, and which terms of
// SPF records a description cannot keep: correct and complete the description before you
// audit or plan with it.
//
// # Bounds
//
// FromDNS asks at most 1000 questions. Its time and memory grow with
// the size of the answers and the number of records of the zones; a description has at most
// 64 addresses of MTAs, 100 mail domains, 1000 networks, 500 names without mail and 1000
// comments of 600 octets.
package draft

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/identity/flow"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/untrusted"
	"github.com/bonafide-mta/bonafide/resolver"
)

// The bounds of a draft. A comment tells what is left out because of them; too many questions
// or networks are an error.
const (
	maxDraftHosts     = 100 // names of MTAs
	maxDraftAddrs     = 64  // addresses of MTAs
	maxDraftDomains   = 100 // mail domains
	maxDraftNames     = 500 // names without mail: org.Parse refuses descriptions with many more
	maxDraftLeft      = 100 // comments on names that are left alone, and on near misses of SPF records
	maxDraftQuestions = 1000
	maxDraftProbes    = 200  // senders whose PTR names are looked up
	maxDraftNetworks  = 1000 // that send: an error, as a plan would remove those left out
	maxDraftComments  = 1000
	maxDraftComment   = 600 // octets of one comment
	maxDraftListed    = 10  // names in one comment
)

// ErrNoServer is in the error of [FromDNS] if it finds no mail server.
var ErrNoServer = errors.New("no mail server is known to DNS, expected an address of one")

// FromDNS makes a first description of an organization: its MTAs from MX and SPF records
// and the given addresses, grouped by their PTR names; its mail domains, each with the other
// senders that its SPF record authorizes; contacts from RP records. Mail domains are the
// domain, those of the other given domains and of the parents of mail servers that show
// themselves by MX, SPF or DMARC records. From the records of whole zones it also takes names
// with a CSA or SPF record of their own, more mail domains, and the names without mail that
// package harden finds and that nothing ties to a mail server. The records may be nil; r has
// to answer for their zones, too.
//
// The comments, for [org.Organization.WriteYAML], tell what was guessed and what is not
// known: above all what an MTA says in HELO. A question without an answer is a comment, and
// nothing is concluded from it. The description is the same for any order of the records in
// an answer.
//
// The error wraps [ErrNoServer], with the first question without an answer if there is one,
// or is that of ctx or of records, or says what is wrong with a domain. FromDNS takes at most
// 100 names and 64 addresses of MTAs and 100 mail domains, and lists 500 names without mail
// and 1000 comments. It asks at most 1000 questions and takes at most 1000 networks that
// send: a domain that needs more is an error. The work grows with the size of the answers.
func FromDNS(ctx context.Context, r resolver.Resolver, domain string, addrs []netip.Addr, records iter.Seq2[dns.RR, error], others ...string) (*org.Organization, []org.Comment, error) {
	d, err := newDraft(r, domain, others)
	if err != nil {
		return nil, nil, fmt.Errorf("draft: %w", err)
	}
	if records != nil {
		for rr, err := range records {
			if err != nil {
				return nil, nil, fmt.Errorf("draft: %w", err)
			}
			d.records = append(d.records, rr)
		}
		survey, _ := flow.Read(resolver.SeqOf(d.records...), nil) // the records have no errors
		if len(survey.Zones()) > 0 {
			d.survey = survey
		}
	}
	for _, addr := range addrs {
		d.addAddr(addr.Unmap())
	}
	for _, step := range []func(context.Context){d.discover, d.describeMTAs, d.describeMail, d.lookupContacts, d.describeNames} {
		if step(ctx); d.failed(ctx) != nil {
			return nil, nil, fmt.Errorf("draft: %w", d.failed(ctx))
		}
	}
	if err := d.o.Validate(); err != nil {
		return nil, nil, fmt.Errorf("draft: %w", err)
	}
	if d.more > 0 {
		d.comments = append(d.comments, org.Comment{Text: fmt.Sprintf("%d more comments are left out", d.more)})
	}
	return d.o, d.comments, nil
}

// newDraft returns the draft of which nothing is known yet but its domains.
func newDraft(r resolver.Resolver, domain string, others []string) (*draft, error) {
	name, err := dnsname.Canonical(domain)
	if err == nil && r == nil {
		err = resolver.ErrNoResolver
	}
	if err != nil {
		return nil, err
	}
	d := &draft{
		resolver: &asker{resolver: r, domain: domain, asked: make(map[resolver.Question]bool), answers: make(map[resolver.Question]resolver.Response)}, o: &org.Organization{Domain: name},
		hosts: make(map[string]*draftHost), addrs: make(map[netip.Addr]*draftAddr), domains: make(map[string]*mailDomain), said: make(map[string]bool), parents: make(map[string]bool),
	}
	d.addDomain(name, "")
	for _, other := range others {
		if other, err = dnsname.Canonical(other); err != nil {
			return nil, err
		}
		if other != name {
			d.others = append(d.others, other)
			d.o.Mail = append(d.o.Mail, org.MailDomain{Domain: other}) // until describeMail: they are the organization's
		}
	}
	return d, nil
}

// A draft is what is known so far about an organization.
type draft struct {
	resolver *asker
	o        *org.Organization
	others   []string     // domains that were given, too
	records  []dns.RR     // of whole zones
	survey   *flow.Survey // of records, nil without a whole zone

	domains     map[string]*mailDomain
	domainOrder []*mailDomain   // as they were found, the domain first
	foreign     []string        // mail domains of whole zones of others
	parents     map[string]bool // names above mail servers that were looked at
	moreDomains int             // above maxDraftDomains
	senders     int             // networks of all domains
	hosts       map[string]*draftHost
	hostOrder   []string // as they were found
	addrs       map[netip.Addr]*draftAddr
	order       []netip.Addr // those of addrs, as they were found
	mxUnknown   bool         // a mail server, or an address of one, is not known
	spfUnknown  bool         // an SPF record of a mail domain, or a host of the organization in it, is not known
	probed      int          // senders whose PTR names were looked up

	comments []org.Comment
	more     int             // comments above maxDraftComments
	nearMiss int             // texts that are meant as SPF records
	said     map[string]bool // what notKnown commented on
	unknown  error           // of the first question without an answer
	err      error           // why nothing can be described
}

// A draftHost is a name of the organization that an MTA seems to have.
type draftHost struct {
	addrs      []netip.Addr
	alias      string // the name that it is an alias of, "" if it is none
	exchanger  bool   // MX records point to it
	authorized bool   // a CSA record of its own authorizes
	sends      bool   // it has an SPF record that authorizes
	denied     bool   // a null SPF record or a CSA record says that it is not used in HELO
}

// A draftAddr is an address that an MTA seems to have.
type draftAddr struct {
	hosts    []string // names that resolve to it, sorted
	ptr      string   // the PTR name that the organization owns, "" for none
	names    []string // all its PTR names
	unknown  bool     // its PTR names are not known
	receives bool     // MX records point to a name of it
	sends    bool     // an SPF record authorizes it
	denied   bool     // the SPF record of each mail domain denies it
}

// failed returns why there will be no description, nil if there can be one.
func (d *draft) failed(ctx context.Context) error {
	return cmp.Or(context.Cause(ctx), d.resolver.exhausted(), d.err)
}

// comment adds a comment on a value of the description.
func (d *draft) comment(path, format string, args ...any) {
	if len(d.comments) == maxDraftComments {
		d.more++
		return
	}
	d.comments = append(d.comments, org.Comment{Path: path, Text: shortened(untrusted.Line(fmt.Sprintf(format, args...)))})
}

// shortened cuts a text to maxDraftComment octets.
func shortened(text string) string {
	if len(text) > maxDraftComment {
		text = strings.ToValidUTF8(text[:maxDraftComment], "") + " …"
	}
	return text
}

// listed joins the first names of a list, and counts the others.
func listed[T any](names []T) string {
	var out []string
	for _, name := range names[:min(len(names), maxDraftListed)] {
		out = append(out, fmt.Sprint(name))
	}
	if more := len(names) - len(out); more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(out, " "), more)
	}
	return strings.Join(out, " ")
}

// notKnown comments on a question without an answer.
func (d *draft) notKnown(about string, err error) {
	d.unknown = cmp.Or(d.unknown, err)
	if !d.said[about] {
		d.said[about] = true
		d.comment("", "not known: %s (%v)", about, err)
	}
}

// answerOrComment returns an answer, or the zero value if there is none, with a comment.
func answerOrComment[T any](d *draft, about string, answer T, err error) T {
	if err != nil {
		d.notKnown(about, err)
		return *new(T)
	}
	return answer
}

// isOwnHost reports whether a name is a host name of the organization.
func (d *draft) isOwnHost(name string) bool {
	return d.o.Owns(name) && dnsname.FormOf(name) == dnsname.Host
}
