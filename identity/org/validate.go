package org

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/lastday"
	"github.com/bonafide-mta/bonafide/internal/untrusted"
	"github.com/bonafide-mta/bonafide/rp"
	"github.com/bonafide-mta/bonafide/spf"
)

// A Problem is one thing that is wrong with a description.
type Problem struct {
	File         string // as given to Parse; "" from Validate
	Line, Column int    // from 1; 0 from Validate
	Path         string // which value: "mtas[0].ptr"
	Text         string // what is wrong, and what was expected
	Against      string // the path of the value that this one contradicts, or ""
	AgainstLine  int    // from 1; 0 from Validate
}

// String returns file:line:column: path: text, as far as these are known, and where the
// value stands that is contradicted.
func (p Problem) String() string {
	s := p.Text
	if p.AgainstLine > 0 {
		s += fmt.Sprintf(" (%s is in line %d)", p.Against, p.AgainstLine)
	}
	if p.Path != "" {
		s = p.Path + ": " + s
	}
	if p.Line > 0 {
		s = fmt.Sprintf("%d:%d: %s", p.Line, p.Column, s)
		if p.File != "" {
			s = p.File + ":" + s
		}
	}
	return untrusted.Line(s)
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
func (o *Organization) Validate() error {
	if problems := o.problems(); len(problems) > 0 {
		return &Error{problems}
	}
	return nil
}

// validID keeps slashes, spaces and control characters out of reports.
var validID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

// problems finds what is wrong, without positions.
func (o *Organization) problems() []Problem {
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
	v.zones(o)
	v.mail(o)
	v.names(o)
	v.exceptions(o)
	v.contact("contacts.mta", o.Contacts.MTA)
	v.contact("contacts.admin", o.Contacts.Admin)
	v.contact("contacts.abuse", o.Contacts.Abuse)
	return v.problems
}

type validator struct{ problems []Problem }

func (v *validator) fail(path, format string, args ...any) {
	v.problems = append(v.problems, Problem{Path: path, Text: fmt.Sprintf(format, args...)})
}

// contradict is fail for two values of which only one can be right.
func (v *validator) contradict(path, against, format string, args ...any) {
	v.problems = append(v.problems, Problem{Path: path, Text: fmt.Sprintf(format, args...), Against: against})
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
		v.fail(path, `"." is the root, not a name of an organization or a host`)
	}
}

func (v *validator) mta(path string, m MTA) {
	if !validID.MatchString(m.ID) {
		v.fail(path+".id", "%q: expected a letter or digit, then up to 62 letters, digits, dots, underscores or hyphens", m.ID)
	} else if strings.HasSuffix(m.ID, ".") {
		v.fail(path+".id", "%q: what ends in a dot is a name in reports: expected another ID", m.ID)
	} else if m.ID == "organization" {
		v.fail(path+".id", `"organization" is what reports call the whole organization: expected another ID`)
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
	if m.Helo == "" && m.Sends() {
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
				v.contradict(at, first.path, "%s has the PTR name %s here and %s at %s: an address has one", addr, ptr, first.ptr, first.path)
			}
		}
	}
}

// zones finds zones that are there twice, and HELO names that are in none.
func (v *validator) zones(o *Organization) {
	var zones []string // canonical
	for i, zone := range o.Zones {
		at := fmt.Sprintf("zones[%d]", i)
		v.name(at, zone)
		if canonical, err := dnsname.Canonical(zone); err == nil {
			if slices.Contains(zones, canonical) {
				v.fail(at, "%q is there already", zone)
			}
			zones = append(zones, canonical)
		}
	}
	for i, m := range o.MTAs {
		name, err := dnsname.Canonical(m.Helo)
		if len(zones) == 0 || err != nil || m.Helo == "" || !m.Sends() || dnsname.FormOf(name) != dnsname.Host || dnsname.SpecialUse(name) {
			continue // whether it is a name at all is for the audit to say
		}
		if !slices.ContainsFunc(zones, func(zone string) bool { return dnsname.Under(name, zone) }) {
			v.contradict(fmt.Sprintf("mtas[%d].helo", i), "zones", "%q is in none of the zones, which are %s: expected a name in one of them", m.Helo, strings.Join(zones, " "))
		}
	}
}

// exceptions finds those of which something is missing. Whether there is such a rule,
// and whether it is judged on the subject, is for packages above to say.
func (v *validator) exceptions(o *Organization) {
	for i, e := range o.Exceptions {
		path := fmt.Sprintf("exceptions[%d]", i)
		for _, f := range []struct{ key, value, expected string }{
			{"rule", e.Rule, "the ID of a rule"},
			{"subject", e.Subject, "organization, the ID of an MTA, ID/address or a name"},
			{"reason", e.Reason, "why, for reports"},
		} {
			if f.value == "" {
				v.fail(path+"."+f.key, "expected %s", f.expected)
			}
		}
		if err := lastday.Check(e.Until); err != nil {
			v.fail(path+".until", "%v", err)
		}
	}
}

// addressOf finds the address that a text is, and where the description has it.
func (o *Organization) addressOf(text string) (addr netip.Addr, path string) {
	text = strings.TrimSuffix(strings.TrimPrefix(strings.ToLower(strings.Trim(text, "[].")), "ipv6:"), ".")
	addr, _ = netip.ParseAddr(text)
	for i, m := range o.MTAs {
		for j, a := range m.Addresses {
			if a.Unmap() == addr.Unmap() {
				return addr, fmt.Sprintf("mtas[%d].addresses[%d]", i, j)
			}
		}
	}
	return addr, ""
}

func (v *validator) mail(o *Organization) {
	first := make(map[string]string)
	for i, d := range o.Mail {
		path := fmt.Sprintf("mail[%d]", i)
		addr, of := o.addressOf(d.Domain)
		switch {
		case addr.IsValid() && of != "":
			v.contradict(path+".domain", of, "%q is an address, that of %s: expected a domain, as stands behind the @ of senders", d.Domain, of)
		case addr.IsValid():
			v.fail(path+".domain", "%q is an address: expected a domain, as stands behind the @ of senders", d.Domain)
		case strings.Contains(d.Domain, "@"):
			v.fail(path+".domain", "%q: expected what stands behind the @, %q", d.Domain, d.Domain[strings.LastIndexByte(d.Domain, '@')+1:])
		default:
			v.mailDomain(path+".domain", d.Domain)
		}
		if canonical, err := dnsname.Canonical(d.Domain); err == nil {
			if other, ok := first[canonical]; ok {
				v.fail(path+".domain", "%q stands at %s already", d.Domain, other)
			} else {
				first[canonical] = path
			}
		}
		v.mailMTAs(path, d, o.MTAs)
		v.senders(path, d)
	}
}

// mailMTAs finds IDs that no MTA has which sends.
func (v *validator) mailMTAs(path string, d MailDomain, mtas []MTA) {
	for j, id := range d.MTAs {
		at := fmt.Sprintf("%s.mtas[%d]", path, j)
		i := slices.IndexFunc(mtas, func(m MTA) bool { return m.ID == id })
		switch {
		case i < 0:
			v.fail(at, "%q is not the ID of an MTA: expected IDs of those that send for the domain, or an empty list for none", id)
		case !mtas[i].Sends():
			v.contradict(at, fmt.Sprintf("mtas[%d].roles", i), "%q only receives: expected an MTA that sends", id)
		case slices.Contains(d.MTAs[:j], id):
			v.fail(at, "%q is there already", id)
		}
	}
}

// mailDomain checks the name of a mail domain. One with characters that no mail domain has is
// another thing, such as a URL or a wildcard.
func (v *validator) mailDomain(path, name string) {
	canonical, err := dnsname.Canonical(name)
	if err != nil || canonical == "." || dnsname.FormOf(canonical) != dnsname.Malformed {
		v.name(path, name)
	} else if _, err := spf.ParseDomain(name); err != nil {
		v.fail(path, "%v", err)
	}
}

// senders finds what cannot be in the SPF record of a mail domain.
func (v *validator) senders(path string, d MailDomain) {
	for j, name := range d.Includes {
		at := fmt.Sprintf("%s.includes[%d]", path, j)
		switch _, err := spf.ParseDomain(name); {
		case name == "":
			v.fail(at, "expected a DNS name")
		case err != nil:
			v.fail(at, "%v", err)
		}
	}
	for j, network := range d.Networks {
		at := fmt.Sprintf("%s.networks[%d]", path, j)
		if !network.IsValid() {
			v.fail(at, "expected an IPv4 or IPv6 network")
		} else if _, err := spf.ParseNetwork(network.String()); err != nil {
			v.fail(at, "%v", err)
		}
	}
}

// names finds names without mail that are bad, there twice, or described as having to
// do with mail.
func (v *validator) names(o *Organization) {
	taken := make(map[string]string)
	take := func(name, as string) {
		if canonical, err := dnsname.Canonical(name); err == nil && taken[canonical] == "" {
			taken[canonical] = as
		}
	}
	for i, m := range o.MTAs {
		if m.Sends() {
			take(m.Helo, fmt.Sprintf("the HELO name of mtas[%d]", i))
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
	} else if rp.NamesNobody(c.Name) {
		v.fail(path+".name", "%q names nobody: expected the name of a person or a department", c.Name)
	}
	for _, f := range []struct{ key, value string }{{"name", c.Name}, {"role", c.Role}, {"phone", c.Phone}, {"email", c.Email}, {"web", c.Web}} {
		if strings.Contains(f.value, ", ") {
			v.fail(path+"."+f.key, "%q: expected no comma before a space, which ends a part of the published text", f.value)
		}
	}
	if postal := (rp.Contact{Name: "x", Address: c.Address}); c.Address != "" && rp.ParseContact(postal.String()) != postal {
		v.fail(path+".address", "%q: expected one line without another part of the published text in it, such as phone: or web:", c.Address)
	}
}
