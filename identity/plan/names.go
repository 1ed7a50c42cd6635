package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bonafide-mta/bonafide/csa"
	"github.com/bonafide-mta/bonafide/identity"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/nullmx"
	"github.com/bonafide-mta/bonafide/rp"
	"github.com/bonafide-mta/bonafide/spf"
)

// Where the texts of contacts stand, below the domain of the organisation.
const (
	mtaContact   = "_mtacontact."
	adminContact = "_admincontact."
	abuseContact = "_abusecontact."
)

// organisation is the subject of rules that are judged once.
const organisation = "organisation"

// identity wants what says of a HELO name, which mapping has accepted, who uses it and
// who is responsible.
func (w *wanted) identity(m org.MTA) {
	name, _ := dnsname.Canonical(m.HELO)
	w.greeted = append(w.greeted, name)
	if rr, err := csa.Authorise(name, TTL); w.made(m.ID, name, err) {
		w.add(rr, m.ID, rule.HELOCSA)
	}
	w.person(name, mtaContact, w.contacts.MTA, m.ID, rule.HELORP)
}

// responsible wants the RP records of the domain, and the texts that they point to.
func (w *wanted) responsible(o *org.Organisation) {
	for _, c := range []struct {
		label   string
		contact *org.Contact
	}{{mtaContact, o.Contacts.MTA}, {adminContact, o.Contacts.Admin}, {abuseContact, o.Contacts.Abuse}} {
		w.person(w.domain, c.label, c.contact, organisation, rule.DomainRP)
	}
}

// person wants the RP record of a name and the text of the contact, if there is one.
func (w *wanted) person(name, label string, c *org.Contact, subject string, id rule.ID) {
	if c == nil {
		return
	}
	at := label + w.domain
	text, err := rp.Contact{Name: c.Name, Role: c.Role, Phone: c.Phone, Email: c.Email, Web: c.Web}.RR(at, TTL)
	if !w.made("", at, err) {
		return
	}
	entry, err := rp.Entry{Name: name, Mailbox: c.Mailbox, Text: at, TTL: TTL}.RR()
	if !w.made("", name, err) {
		return
	}
	w.add(text, subject, id)
	w.add(entry, subject, id)
}

// silent wants what says that a name has nothing to do with mail: of the names without
// any, and of PTR names, with which nobody shall greet either.
func (w *wanted) silent(o *org.Organisation) {
	for _, name := range o.Names {
		w.null(name, rule.NullSPF, rule.NullMX)
	}
	for _, name := range Lockable(o) {
		if !slices.Contains(w.mapped, name) || !w.null(name, rule.PTRLocked, rule.PTRLocked) {
			continue
		}
		if rr, err := csa.Deny(name, TTL); w.made("", name, err) {
			w.add(rr, name, rule.PTRLocked)
		}
	}
}

// null wants the null SPF record and the Null MX of a name, or refuses it and returns
// false.
func (w *wanted) null(name string, forSPF, forMX rule.ID) bool {
	name = canonical(name)
	if !w.owned("", name) {
		return false
	}
	mx, err := nullmx.RR(name, TTL)
	if !w.made("", name, err) {
		return false
	}
	txt, err := spf.Senders{Name: name, TTL: TTL}.RR()
	if !w.made("", name, err) {
		return false
	}
	w.add(mx, name, forMX)
	w.add(txt, name, forSPF)
	return true
}

// policy wants the CSA policy of the domain.
func (w *wanted) policy() {
	domain, _ := dnsname.Canonical(w.domain)
	if slices.Contains(w.greeted, domain) {
		w.refuse("", w.domain, "an MTA greets with it: a CSA policy would deny that")
		return
	}
	if rr, err := csa.Policy(domain, TTL); w.made("", w.domain, err) {
		w.add(rr, organisation, rule.DomainCSA)
	}
}

// deny wants CSA records that deny names, each for itself.
func (w *wanted) deny(names []string) {
	for _, name := range names {
		if !w.owned("", name) {
			continue
		}
		if rr, err := csa.Deny(name, TTL); w.made("", name, err) {
			w.add(rr, organisation, rule.DomainCSA)
		}
	}
}

// owned reports whether a name is the organisation's, and refuses it if not.
func (w *wanted) owned(mta, name string) bool {
	relation, _ := identity.Relate(name, w.domain, w.domain)
	if relation == identity.Unrelated {
		w.refuse(mta, name, "not a name of "+w.domain+": its owner publishes its records")
	}
	return relation != identity.Unrelated
}

// made reports whether a record could be made, and refuses its name if not.
func (w *wanted) made(mta, name string, err error) bool {
	if err == nil {
		return true
	}
	_, reason, ok := strings.Cut(err.Error(), ": ") // the package that says so
	if !ok {
		reason = err.Error()
	}
	w.refuse(mta, name, strings.TrimPrefix(strings.TrimPrefix(reason, fmt.Sprintf("%q: ", name)), fmt.Sprintf("%q is ", name)))
	return false
}

// Lockable returns the PTR names of an organisation that are used for nothing else,
// canonical and sorted: no MTA greets with them, and they are no mail domains.
func Lockable(o *org.Organisation) []string {
	used := make(map[string]bool)
	for _, m := range o.MTAs {
		if name, err := dnsname.Canonical(m.HELO); err == nil && m.Sends() {
			used[name] = true
		}
	}
	for _, d := range o.MailDomains() {
		if name, err := dnsname.Canonical(d.Domain); err == nil {
			used[name] = true
		}
	}
	var names []string
	for _, m := range o.MTAs {
		if name, err := dnsname.Canonical(m.PTR); err == nil && m.PTR != "" && !used[name] {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, dnsname.Compare)
	return slices.Compact(names)
}
