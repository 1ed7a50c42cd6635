// Package org describes an organization and its mail servers: what an audit
// judges, and what a plan makes records from. It asks no DNS.
//
// [Parse] reads a description in YAML, or in JSON, which is YAML too:
//
//	domain: example.org                       # the organizational domain
//	mtas:
//	  - id: mx1                               # for reports; mta1, mta2 … by default
//	    addresses: [192.0.2.10, "2001:db8::10"]
//	    ptr: mta1.example.org                 # the one name that its addresses are to have, if decided
//	    helo: post.example.org                # what it is to say in HELO, to the letter
//	    roles: [inbound, outbound]            # or submission; these two by default
//	    dedicated: true                       # the addresses serve nothing but mail
//	mail:                                     # only if there is more to say than the domain
//	  - domain: example.org                   # the part after the @ of envelope senders
//	    includes: [_spf.provider.example]     # whose SPF records say who else sends
//	    networks: [198.51.100.0/28]           # where else mail comes from
//	    softfail: true                        # not sure yet that this is all
//	  - domain: news.example.org
//	    mtas: []                              # which MTAs send for it: none here, all by default
//	    includes: [_spf.provider.example]
//	  - domain: old.example
//	    mtas: []
//	    includes: [example.org]               # it sends as example.org does
//	names: [www.example.org]                  # what neither sends mail nor gets any
//	zones: [example.org, 2.0.192.in-addr.arpa] # what you write in DNS, if you want it checked
//	exceptions:                               # what is meant to be as it is
//	  - {rule: helo-csa, subject: mx1, reason: nobody asks for CSA records of ours}
//	  - {rule: ptr-static, subject: mx1, reason: the contract says so} # or mx1/192.0.2.10 for one address
//	  - {rule: helo-differs, subject: mx1, reason: moves in spring, until: 2027-03-31}
//	contacts:                                 # who is responsible: mta, admin, abuse
//	  mta: {name: John Smith, role: email administrator, phone: "+35312345678"} # email, address, web, too
//
// Put IPv6 addresses in quotes, because a colon has a meaning in YAML. Errors count
// the list from 0, as Go does: mtas[0] is the first MTA. [Organization.WriteYAML]
// writes a description that was built in Go.
//
// [Parse] and [Organization.Validate] refuse only what could not be judged: what is missing,
// is not an address or a name, or contradicts itself. A HELO name that breaks every rule is
// accepted, and judged by package audit.
//
// # What to write
//
// The HELO and PTR names are those that an MTA is to have; everything else is as it is today.
// If the names of today are to stay, write those. While an MTA still says another name in HELO,
// tell the plan (plan.Options.Observed; -observed or -observed-log of examples/plan): the plan
// keeps that name working, and locks nothing until the MTA was seen to use the new one. An
// audit judges the described name, because DNS does not show what an MTA says.
//
// A load balancer is an MTA with roles: [inbound], the addresses that senders connect to, and no
// HELO name. The servers behind it are MTAs with roles: [outbound] and the addresses that their
// connections come from, as others see them after NAT. Describe any server in the same way that
// takes mail at other addresses than it sends from.
//
// A backup MX of another organization is not described: its MX record stays.
//
// A server that others run is an MTA if its HELO name is below a domain of yours, because you
// publish the records of that name. If its names are its owner's, its addresses go to networks of
// the mail domains that it sends for, or the name of its owner's SPF record to includes.
//
// HELO and PTR names may be below domain, below any domain of mail, and below any of zones, as
// long as the two of an MTA are in one organization. A plan refuses names of anybody else. See
// [Organization.Owns].
//
// A name with a CNAME record that points to a provider, such as a domain for bounces, is not a
// mail domain: its records are the provider's.
//
// In names are hosts with an address that no mail has to do with, and wildcards, in quotes:
// "*.dev.example.org". Aliases are not: the records of their targets count. A name that an MTA
// uses today, or at the address of one, may be listed: plan and harden wait before they declare
// that it has no mail.
//
// In zones are those that you edit, each by its own name: an RFC 2317 zone as
// 0/26.2.0.192.in-addr.arpa, with the label that the provider delegated.
package org

import (
	_ "embed"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/enum"
	"github.com/bonafide-mta/bonafide/internal/lastday"
	"github.com/bonafide-mta/bonafide/rp"
)

//go:embed schema.json
var schema string

// Schema returns the JSON Schema (draft 2020-12) of a description, for editors and other
// programs. Parse refuses everything that the schema refuses, and also values that are not
// names or addresses, or that contradict each other.
func Schema() string { return schema }

// An Organization is what an organization says about its mail servers. The zero
// Organization is not valid.
type Organization struct {
	// Domain is the organizational domain: the one registered, or the part of a
	// friendly organization's that this one has. Canonical after Parse; any form
	// of a DNS name will do.
	Domain string `json:"domain"`
	MTAs   []MTA  `json:"mtas"` // at least one
	// Mail lists the domains of the organization's envelope senders (MAIL FROM):
	// none means Domain alone, see MailDomains.
	Mail []MailDomain `json:"mail,omitempty"`
	// Names lists those that neither send mail nor get any, as web servers do not. A
	// HELO name and a mail domain are none. Canonical after Parse.
	Names []string `json:"names,omitempty"`
	// Zones lists those that the organization writes, itself or at its DNS host. If
	// there are any, one of them has each HELO name that the public DNS can hold. Canonical
	// after Parse.
	Zones      []string    `json:"zones,omitempty"`
	Contacts   Contacts    `json:"contacts,omitzero"`
	Exceptions []Exception `json:"exceptions,omitempty"`
}

// An Exception is a rule that is not to be followed: an audit waives its failure, and a
// plan wants no record for its sake. For a plan see At, too.
type Exception struct {
	Rule string `json:"rule"` // its ID, as of package rule
	// Subject is what the rule is judged on, as in reports: organization, the ID of an
	// MTA, ID/address, or a name, which is canonical after Parse. The ID of an MTA is
	// also for each of its addresses. See Covers.
	Subject string `json:"subject"`
	Reason  string `json:"reason"` // for reports
	// Until is the last day of the exception, as 2027-01-31, or "" if it has none. The
	// exception is in force through the whole of that day in UTC.
	Until string `json:"until,omitempty"`
}

// Covers reports whether the exception is for a rule, by its ID, that is judged on a subject, as
// reports write it.
func (e Exception) Covers(rule, subject string) bool {
	if e.Rule != rule {
		return false
	}
	addr, ofMTA := strings.CutPrefix(subject, e.Subject+"/")
	if ofMTA { // a name of an RFC 2317 zone has a slash, too
		_, err := netip.ParseAddr(addr)
		ofMTA = err == nil
	}
	return ofMTA || e.Subject == subject
}

// Expired reports whether the last day of the exception is over at a time, in UTC. An
// exception without a last day, or one that is not a date, never expires.
func (e Exception) Expired(at time.Time) bool {
	return lastday.Over(e.Until, at)
}

// At returns the description as it holds at a time: without the exceptions that have
// expired. It shares all else with o.
func (o *Organization) At(t time.Time) *Organization {
	at := *o
	at.Exceptions = slices.DeleteFunc(slices.Clone(o.Exceptions), func(e Exception) bool { return e.Expired(t) })
	return &at
}

// Contacts lists the responsible persons; any may be nil.
type Contacts struct {
	MTA   *Contact `json:"mta,omitempty"`   // for the mail servers
	Admin *Contact `json:"admin,omitempty"` // for the domain
	Abuse *Contact `json:"abuse,omitempty"` // for complaints
}

// A Contact is a person or a department, as the world may know them: what it says is
// published in DNS.
type Contact struct {
	Name  string `json:"name"`            // the only field that must be set
	Role  string `json:"role,omitempty"`  // such as "email administrator"
	Phone string `json:"phone,omitempty"` // international, such as +35312345678
	Email string `json:"email,omitempty"` // an address, or "postmaster" for the one at the name itself
	// Address is the postal address, on one line, as 1 Main Street, Dublin 2.
	Address string `json:"address,omitempty"`
	Web     string `json:"web,omitempty"` // the URL of a page
	// Mailbox is an address for the RP record itself; most leave it out, since those
	// who send junk look there.
	Mailbox string `json:"mailbox,omitempty"`
}

// Published returns what the contact says in DNS.
func (c Contact) Published() rp.Contact {
	return rp.Contact{Name: c.Name, Role: c.Role, Phone: c.Phone, Email: c.Email, Address: c.Address, Web: c.Web}
}

// MailDomains returns Mail, or Domain where that is empty.
func (o *Organization) MailDomains() []MailDomain {
	if len(o.Mail) == 0 {
		return []MailDomain{{Domain: o.Domain}}
	}
	return o.Mail
}

// A MailDomain is the domain of envelope senders, after their @.
type MailDomain struct {
	Domain string `json:"domain"` // canonical after Parse, as those of Includes
	// MTAs lists the IDs of the MTAs that send in the name of the domain. Nil means all that
	// send. An empty list that is not nil means none, as for a domain that only a provider
	// of newsletters sends for. See SentBy.
	MTAs     []string       `json:"mtas,omitzero"`
	Includes []string       `json:"includes,omitempty"` // domains whose SPF records say who else sends, as a provider's
	Networks []netip.Prefix `json:"networks,omitempty"` // where else its mail comes from
	// SoftFail says that there may be more senders, so that its record ends with ~all for
	// a time, not with -all.
	SoftFail bool `json:"softfail,omitempty"`
}

// SentBy reports whether an MTA of the same description sends in the name of the domain.
func (d MailDomain) SentBy(m MTA) bool {
	return m.Sends() && (d.MTAs == nil || slices.Contains(d.MTAs, m.ID))
}

// SentByNone reports whether the description says that no MTA of it sends in the name of the
// domain: its list of MTAs is empty, not missing.
func (d MailDomain) SentByNone() bool { return d.MTAs != nil && len(d.MTAs) == 0 }

// An MTA is one mail server, as others see it.
type MTA struct {
	// ID names the MTA in reports: a letter or digit, then letters, digits, dots,
	// underscores and hyphens, but no dot at the end. Not "organization", which
	// reports call the whole.
	ID string `json:"id"`
	// Addresses are those that its connections come from, and those that it is
	// reached at. At least one, each once.
	Addresses []netip.Addr `json:"addresses"`
	// PTR is the one PTR name that its addresses have, or are to have; "" if that
	// is not decided. Canonical after Parse.
	PTR string `json:"ptr,omitempty"`
	// Helo is what the MTA is to say in HELO and EHLO, to the letter: what it says now, if
	// that is to stay. It may be "" for an MTA that only receives.
	Helo string `json:"helo,omitempty"`
	// Roles says what the MTA does; none means Inbound and Outbound.
	Roles []Role `json:"roles,omitempty"`
	// Dedicated says that the addresses serve nothing but mail.
	Dedicated bool `json:"dedicated,omitempty"`
}

// Sends reports whether the MTA delivers mail to other servers: it has the role Outbound,
// or Submission, because the mail of its users goes out through it.
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
	Submission      // takes mail from the organization's users, and delivers it
)

var roleText = []string{Inbound: "inbound", Outbound: "outbound", Submission: "submission"}

// String returns inbound, outbound or submission.
func (r Role) String() string { return enum.String(r, roleText) }

// MarshalText returns the text of String; an invalid Role is an error.
func (r Role) MarshalText() ([]byte, error) { return enum.Marshal(r, roleText) }

// UnmarshalText accepts what MarshalText returns, in any case.
func (r *Role) UnmarshalText(text []byte) error { return enum.Unmarshal(r, text, roleText) }

// UsesInHelo reports whether an MTA that sends uses a name in HELO, as described.
func (o *Organization) UsesInHelo(name string) bool {
	return slices.ContainsFunc(o.MTAs, func(m MTA) bool { return m.Sends() && dnsname.Same(m.Helo, name) })
}

// The labels, with their dot, that are put before Domain to name the texts of the contacts:
// RP records point to these names (as in the advice, "_mtacontact.example.org").
const (
	MTALabel   = "_mtacontact."
	AdminLabel = "_admincontact."
	AbuseLabel = "_abusecontact."
)
