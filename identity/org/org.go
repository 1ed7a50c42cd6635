// Package org describes an organisation and its mail servers: what an audit
// judges, and what a plan makes records from. It asks no DNS.
//
// [Parse] reads a description in YAML, or in JSON, which is YAML too:
//
//	domain: example.org                       # the organisational domain
//	mtas:
//	  - id: mx1                               # for reports; mta1, mta2 … by default
//	    addresses: [192.0.2.10, "2001:db8::10"]
//	    ptr: mta1.example.org                 # the one name of its addresses, if decided
//	    helo: post.example.org                # what it says in HELO, to the letter
//	    roles: [inbound, outbound]            # or submission; these two by default
//	    dedicated: true                       # the addresses serve nothing but mail
//	mail:                                     # only if there is more to say than the domain
//	  - domain: example.org                   # what stands behind the @ of envelope senders
//	    includes: [_spf.provider.example]     # whose SPF records say who else sends
//	    networks: [198.51.100.0/28]           # where else mail comes from
//	    softfail: true                        # not sure yet that this is all
//	names: [www.example.org]                  # what neither sends mail nor gets any
//	contacts:                                 # who is responsible: mta, admin, abuse
//	  mta: {name: John Smith, role: email administrator, phone: "+35312345678"}
//
// An IPv6 address stands in quotes: a colon means something to YAML. Errors count
// the list from 0, as Go does: mtas[0] is the first MTA.
//
// A description says what is, not what should be: a HELO name that breaks every
// rule is described as it is, and judged by package audit. What [Parse] and
// [Organisation.Validate] refuse is what could not be judged: what is missing,
// no address, no name, or contradicts itself.
package org

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/enum"
)

// An Organisation is what an organisation says about its mail servers. The zero
// Organisation is not valid.
type Organisation struct {
	// Domain is the organisational domain: the one registered, or the part of a
	// friendly organisation's that this one has. Canonical after Parse; any form
	// of a DNS name will do.
	Domain string `json:"domain"`
	MTAs   []MTA  `json:"mtas"` // at least one
	// Mail lists the domains of the organisation's envelope senders (MAIL FROM):
	// none means Domain alone, see MailDomains.
	Mail []MailDomain `json:"mail,omitempty"`
	// Names lists those that neither send mail nor get any, as web servers do not. A
	// HELO name and a mail domain are none. Canonical after Parse.
	Names    []string `json:"names,omitempty"`
	Contacts Contacts `json:"contacts,omitzero"`
}

// Contacts says who is responsible; any may be nil.
type Contacts struct {
	MTA   *Contact `json:"mta,omitempty"`   // for the mail servers
	Admin *Contact `json:"admin,omitempty"` // for the domain
	Abuse *Contact `json:"abuse,omitempty"` // for complaints
}

// A Contact is a person or a department, as the world may know them: what it says is
// published in DNS.
type Contact struct {
	Name  string `json:"name"`
	Role  string `json:"role,omitempty"`
	Phone string `json:"phone,omitempty"`
	Email string `json:"email,omitempty"` // an address, or "postmaster" for the one at the name itself
	Web   string `json:"web,omitempty"`
	// Mailbox is an address for the RP record itself; most leave it out, since those
	// who send junk look there.
	Mailbox string `json:"mailbox,omitempty"`
}

// MailDomains returns Mail, or Domain where that is empty.
func (o *Organisation) MailDomains() []MailDomain {
	if len(o.Mail) == 0 {
		return []MailDomain{{Domain: o.Domain}}
	}
	return o.Mail
}

// A MailDomain is a domain that stands behind the @ of envelope senders. All MTAs
// that send do so in its name, and so may others.
type MailDomain struct {
	Domain   string         `json:"domain"`             // canonical after Parse, as those of Includes
	Includes []string       `json:"includes,omitempty"` // domains whose SPF records say who else sends, as a provider's
	Networks []netip.Prefix `json:"networks,omitempty"` // where else its mail comes from
	// SoftFail says that there may be more, so that its record shall end in ~all for
	// a time, and not in -all.
	SoftFail bool `json:"softfail,omitempty"`
}

// An MTA is one mail server, as others see it.
type MTA struct {
	// ID names the MTA in reports: a letter or digit, then letters, digits, dots,
	// underscores and hyphens, but no dot at the end. Not "organisation", which
	// reports call the whole.
	ID string `json:"id"`
	// Addresses are those that its connections come from, and those that it is
	// reached at. At least one, each once.
	Addresses []netip.Addr `json:"addresses"`
	// PTR is the one name that its addresses have, or shall have; "" when that
	// is not decided. Canonical after Parse.
	PTR string `json:"ptr,omitempty"`
	// HELO is what the MTA says in HELO and EHLO, to the letter. It may be "" for
	// an MTA that only receives.
	HELO string `json:"helo,omitempty"`
	// Roles says what the MTA does; none means Inbound and Outbound.
	Roles []Role `json:"roles,omitempty"`
	// Dedicated says that the addresses serve nothing but mail.
	Dedicated bool `json:"dedicated,omitempty"`
}

// Sends reports whether the MTA greets other servers: it has the role Outbound,
// or Submission, whose mail goes out by it.
func (m MTA) Sends() bool {
	return len(m.Roles) == 0 || slices.Contains(m.Roles, Outbound) || slices.Contains(m.Roles, Submission)
}

// Receives reports whether the MTA has the role Inbound.
func (m MTA) Receives() bool { return len(m.Roles) == 0 || slices.Contains(m.Roles, Inbound) }

// A Role is something that an MTA does. The zero Role is invalid.
type Role uint8

// The roles of an MTA.
const (
	_          Role = iota
	Inbound         // takes mail from other servers
	Outbound        // delivers mail to other servers
	Submission      // takes mail from the organisation's users, and delivers it
)

var roleText = []string{Inbound: "inbound", Outbound: "outbound", Submission: "submission"}

// String returns inbound, outbound or submission.
func (r Role) String() string { return enum.String(r, roleText) }

// MarshalText returns the text of String; an invalid Role is an error.
func (r Role) MarshalText() ([]byte, error) { return enum.Marshal(r, roleText) }

// UnmarshalText accepts what MarshalText returns, in any case.
func (r *Role) UnmarshalText(text []byte) error { return enum.Unmarshal(r, text, roleText) }

// A Problem is one thing that is wrong with a description.
type Problem struct {
	File         string // as given to Parse; "" from Validate
	Line, Column int    // from 1; 0 from Validate
	Path         string // which value: "mtas[0].ptr"
	Text         string // what is wrong, and what was expected
}

// String returns file:line:column: path: text, as far as these are known.
func (p Problem) String() string {
	s := p.Text
	if p.Path != "" {
		s = p.Path + ": " + s
	}
	if p.Line > 0 {
		s = fmt.Sprintf("%d:%d: %s", p.Line, p.Column, s)
		if p.File != "" {
			s = p.File + ":" + s
		}
	}
	return s
}

// An Error lists everything that is wrong with a description, in the order of
// its text.
type Error struct{ Problems []Problem }

// maxPrinted is how many problems Error prints before it only counts.
const maxPrinted = 20

// Error returns one line a problem, twenty at most, then how many more there are.
func (e *Error) Error() string {
	var lines []string
	for i, p := range e.Problems {
		if i == maxPrinted {
			lines = append(lines, fmt.Sprintf("and %d more", len(e.Problems)-maxPrinted))
			break
		}
		lines = append(lines, p.String())
	}
	return strings.Join(lines, "\n")
}

// Validate checks a description that was built in Go by the rules that Parse
// applies, and changes nothing. The error is an [*Error].
func (o *Organisation) Validate() error {
	if problems := o.problems(); len(problems) > 0 {
		return &Error{problems}
	}
	return nil
}

// validID keeps slashes, spaces and control characters out of reports.
var validID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

// problems finds what is wrong, without positions.
func (o *Organisation) problems() []Problem {
	v := &validator{}
	v.name("domain", o.Domain)
	if len(o.MTAs) == 0 {
		v.fail("mtas", "expected at least one MTA")
	}
	ids := make(map[string]string)
	for i, m := range o.MTAs {
		path := fmt.Sprintf("mtas[%d]", i)
		v.mta(path, m)
		if first, ok := ids[m.ID]; ok && m.ID != "" {
			v.fail(path+".id", "%q is the ID of %s already", m.ID, first)
		} else {
			ids[m.ID] = path
		}
	}
	v.sharedAddresses(o.MTAs)
	v.mail(o.Mail)
	v.names(o)
	v.contact("contacts.mta", o.Contacts.MTA)
	v.contact("contacts.admin", o.Contacts.Admin)
	v.contact("contacts.abuse", o.Contacts.Abuse)
	return v.problems
}

type validator struct{ problems []Problem }

func (v *validator) fail(path, format string, args ...any) {
	v.problems = append(v.problems, Problem{Path: path, Text: fmt.Sprintf(format, args...)})
}

// name checks a DNS name. Whether it is a good one is for the audit to say.
func (v *validator) name(path, name string) {
	if name == "" {
		v.fail(path, "expected a DNS name")
		return
	}
	if canonical, err := dnsname.Canonical(name); err != nil {
		v.fail(path, "%v", err)
	} else if canonical == "." {
		v.fail(path, `"." is the root, not a name of an organisation or a host`)
	}
}

func (v *validator) mta(path string, m MTA) {
	if !validID.MatchString(m.ID) {
		v.fail(path+".id", "%q: expected a letter or digit, then up to 62 letters, digits, dots, underscores or hyphens", m.ID)
	} else if strings.HasSuffix(m.ID, ".") {
		v.fail(path+".id", "%q: what ends in a dot is a name in reports: expected another ID", m.ID)
	} else if m.ID == "organisation" {
		v.fail(path+".id", `"organisation" is what reports call the whole organisation: expected another ID`)
	}
	if len(m.Addresses) == 0 {
		v.fail(path+".addresses", "expected at least one address")
	}
	seen := make(map[netip.Addr]bool)
	for i, addr := range m.Addresses {
		at := fmt.Sprintf("%s.addresses[%d]", path, i)
		switch {
		case !addr.IsValid():
			v.fail(at, "expected an IPv4 or IPv6 address")
		case addr.Zone() != "":
			v.fail(at, "%q: an address with a zone means nothing to others", addr)
		case seen[addr.Unmap()]:
			v.fail(at, "%q is there already", addr)
		}
		seen[addr.Unmap()] = true
	}
	if m.PTR != "" {
		v.name(path+".ptr", m.PTR)
	}
	if m.HELO == "" && m.Sends() {
		v.fail(path+".helo", "expected what the MTA says in HELO; only one with the sole role inbound needs none")
	}
	for i, role := range m.Roles {
		at := fmt.Sprintf("%s.roles[%d]", path, i)
		if _, err := role.MarshalText(); err != nil {
			v.fail(at, "expected inbound, outbound or submission")
		} else if slices.Contains(m.Roles[:i], role) {
			v.fail(at, "%s is there already", role)
		}
	}
}

// sharedAddresses finds MTAs that share an address, as behind one NAT, and claim
// different PTR names for it: an address has one name.
func (v *validator) sharedAddresses(mtas []MTA) {
	type claim struct {
		path string
		ptr  string
	}
	claims := make(map[netip.Addr]claim)
	for i, m := range mtas {
		ptr, err := dnsname.Canonical(m.PTR)
		if err != nil {
			continue // none, or reported already
		}
		for j, addr := range m.Addresses {
			at := fmt.Sprintf("mtas[%d].addresses[%d]", i, j)
			first, ok := claims[addr.Unmap()]
			switch {
			case !addr.IsValid(): // reported already
			case !ok:
				claims[addr.Unmap()] = claim{at, ptr}
			case first.ptr != ptr:
				v.fail(at, "%s has the PTR name %s here and %s at %s: an address has one", addr, ptr, first.ptr, first.path)
			}
		}
	}
}

func (v *validator) mail(domains []MailDomain) {
	first := make(map[string]string)
	for i, d := range domains {
		path := fmt.Sprintf("mail[%d]", i)
		if strings.Contains(d.Domain, "@") {
			v.fail(path+".domain", "%q: expected what stands behind the @", d.Domain)
		} else {
			v.name(path+".domain", d.Domain)
		}
		if canonical, err := dnsname.Canonical(d.Domain); err == nil {
			if other, ok := first[canonical]; ok {
				v.fail(path+".domain", "%q stands at %s already", d.Domain, other)
			} else {
				first[canonical] = path
			}
		}
		for j, name := range d.Includes {
			v.name(fmt.Sprintf("%s.includes[%d]", path, j), name)
		}
		for j, network := range d.Networks {
			at := fmt.Sprintf("%s.networks[%d]", path, j)
			switch {
			case !network.IsValid():
				v.fail(at, "expected an IPv4 or IPv6 network")
			case network != network.Masked():
				v.fail(at, "%q has bits beyond its length: expected %s", network, network.Masked())
			}
		}
	}
}

// names finds names without mail that are bad, there twice, or described as having to
// do with mail.
func (v *validator) names(o *Organisation) {
	taken := make(map[string]string)
	take := func(name, as string) {
		if canonical, err := dnsname.Canonical(name); err == nil && taken[canonical] == "" {
			taken[canonical] = as
		}
	}
	for i, m := range o.MTAs {
		if m.Sends() {
			take(m.HELO, fmt.Sprintf("the HELO name of mtas[%d]", i))
		}
	}
	for i, d := range o.Mail {
		take(d.Domain, fmt.Sprintf("the domain of mail[%d]", i))
	}
	if len(o.Mail) == 0 {
		take(o.Domain, "the mail domain, as long as there is no list mail")
	}
	for i, name := range o.Names {
		at := fmt.Sprintf("names[%d]", i)
		v.name(at, name)
		if canonical, err := dnsname.Canonical(name); err == nil {
			if as := taken[canonical]; as != "" {
				v.fail(at, "%q is %s: expected a name that neither sends mail nor gets any", name, as)
			}
			taken[canonical] = at + " already"
		}
	}
}

func (v *validator) contact(path string, c *Contact) {
	if c == nil {
		return
	}
	if c.Name == "" {
		v.fail(path+".name", "expected the name of a person or a department")
	}
	for _, f := range []struct{ key, value string }{{"name", c.Name}, {"role", c.Role}, {"phone", c.Phone}, {"email", c.Email}, {"web", c.Web}} {
		if strings.Contains(f.value, ", ") {
			v.fail(path+"."+f.key, "%q: expected no comma before a space, which ends a part of the published text", f.value)
		}
	}
}
