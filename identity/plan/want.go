package plan

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/csa"
	"github.com/bonafide-mta/bonafide/fcrdns"
	"github.com/bonafide-mta/bonafide/identity/flow"
	"github.com/bonafide-mta/bonafide/identity/helo"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/internal/address"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/nullmx"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/rp"
	"github.com/bonafide-mta/bonafide/spf"
)

// A Refusal is a part of the description from which no record can be made.
type Refusal struct {
	MTA    string `json:"mta"`    // its ID; "" if the part does not belong to an MTA
	Value  string `json:"value"`  // the name, address or network, as described; in a Plan also an RRset
	Reason string `json:"reason"` // why no record can be made from Value
}

// Want returns the records that an organization should publish, sorted by name, type and
// data, and the parts of its description from which it refuses to make records: names that
// are not host names, or are another organization's, and addresses that are not public.
// Addresses for documentation are accepted.
//
// An MTA without a PTR name needs no PTR record, and one that only receives no record for
// its HELO name. The SPF record of a mail domain authorizes every MTA that sends for it; its MX
// records, and those of a HELO name whose MTAs only send, name those that receive, and New
// leaves them out if mail already has somewhere to go. Want never asks for a Null MX at a
// HELO name, because postmaster@ must work
// there, nor for a CSA policy there, which would deny the MTA. Records that only rules
// with an exception want are left out.
func Want(o *org.Organization) ([]rule.Record, []Refusal) {
	w := want(o)
	return w.merged(), w.refusals
}

func want(o *org.Organization) *wanted {
	w := &wanted{org: o, owns: o.OwnsFunc(), spf: make(map[string]*spfBuilder)}
	sending := make(map[string][]netip.Addr) // by the ID of the MTA
	var exchangers []string                  // names of MTAs that take mail
	var heloNames []string                   // HELO names, canonical
	for _, m := range o.MTAs {
		addrs := w.publicAddresses(m)
		if m.Sends() && len(addrs) < len(m.Addresses) {
			w.unknown = append(w.unknown, m)
		}
		if len(addrs) == 0 {
			continue
		}
		name := ""
		if m.PTR != "" && w.wantAddresses(m, m.PTR, addrs, rule.PTRConfirmed, rule.PTROneName) {
			w.wantPTRs(m, addrs)
			name = m.PTR
		}
		if m.Sends() {
			sending[m.ID] = addrs
			if w.wantHelo(m, addrs) {
				name = m.Helo // rather than the PTR name, which can be locked then
				heloNames = append(heloNames, dnsname.CanonicalOrEmpty(name))
			}
		}
		if m.Receives() && name != "" {
			exchangers = append(exchangers, dnsname.CanonicalOrEmpty(name))
		}
	}
	for _, d := range o.MailDomains() {
		w.wantMailSPF(d, sending)
		w.wantMX(dnsname.CanonicalOrEmpty(d.Domain), exchangers)
	}
	for _, name := range heloNames {
		w.wantMX(name, exchangers) // "or another by adding MX records directing the mail to another MTA"
	}
	w.wantSPF()
	w.wantContacts()
	w.wantNullRecords()
	w.wantCSAPolicy()
	return w
}

// wanted collects the records and refusals of an organization.
type wanted struct {
	org      *org.Organization
	owns     func(name string) bool
	spf      map[string]*spfBuilder // by canonical name
	withPTR  []string               // PTR names that got PTR records, canonical
	unknown  []org.MTA              // those that send, and that have an address that is refused
	noMail   []string               // names that got null records
	records  []rule.Record
	refusals []Refusal
}

// publicAddresses returns the addresses of an MTA that are public or for documentation,
// and refuses the others.
func (w *wanted) publicAddresses(m org.MTA) []netip.Addr {
	for _, addr := range m.Addresses {
		if !address.IsPublic(addr) {
			_, block := address.ClassOf(addr)
			w.refuse(m.ID, addr.String(), "not a public address ("+block+")")
		}
	}
	return publicOf(m)
}

// publicOf returns the addresses of an MTA that are public or for documentation.
func publicOf(m org.MTA) []netip.Addr {
	return slices.DeleteFunc(slices.Clone(m.Addresses), func(addr netip.Addr) bool { return !address.IsPublic(addr) })
}

func (w *wanted) refuse(mta, value, reason string) {
	w.refusals = append(w.refusals, Refusal{MTA: mta, Value: value, Reason: reason})
}

// wantAddresses wants the addresses of a name, or refuses the name and returns false.
func (w *wanted) wantAddresses(m org.MTA, name string, addrs []netip.Addr, rules ...rule.ID) bool {
	rrs, err := fcrdns.Mapping{Name: name, Addrs: addrs, TTL: rule.TTL}.Addresses()
	if !w.checkMade(m.ID, name, err) || !w.checkOwned(m.ID, name) {
		return false
	}
	for _, rr := range rrs {
		w.addRecord(rr, m.ID, rules...)
	}
	return true
}

// wantPTRs wants the PTR records of an MTA whose PTR name wantAddresses accepted.
func (w *wanted) wantPTRs(m org.MTA, addrs []netip.Addr) {
	name, _ := dnsname.Canonical(m.PTR)
	w.withPTR = append(w.withPTR, name)
	ptrs, _ := fcrdns.Mapping{Name: m.PTR, Addrs: addrs, TTL: rule.TTL}.PTRs()
	for _, ptr := range ptrs {
		addr := dnsname.FromReverse(ptr.Hdr.Name)
		ofAddress := w.withoutExceptions(m.ID+"/"+addr.String(), rule.PTRExists, rule.PTRConfirmed)
		w.addRecord(ptr, m.ID, append(ofAddress, rule.PTROneName)...)
	}
}

// addRecord wants a record for rules that are judged on a subject, unless all of them have
// an exception.
func (w *wanted) addRecord(rr dns.RR, subject string, rules ...rule.ID) {
	if rules = w.withoutExceptions(subject, rules...); len(rules) > 0 {
		w.records = append(w.records, rule.Record{RR: rr, Rules: rules})
	}
}

// withoutExceptions returns the rules to which the subject is not an exception.
func (w *wanted) withoutExceptions(subject string, rules ...rule.ID) []rule.ID {
	return slices.DeleteFunc(slices.Clone(rules), func(id rule.ID) bool {
		return slices.ContainsFunc(w.org.Exceptions, func(e org.Exception) bool { return e.Covers(string(id), subject) })
	})
}

// wantHelo wants the addresses of the HELO name and its SPF record, or refuses the name
// and returns false.
func (w *wanted) wantHelo(m org.MTA, addrs []netip.Addr) bool {
	arg, err := helo.Parse(m.Helo)
	switch {
	case err != nil:
		w.refuse(m.ID, m.Helo, "the HELO is malformed")
	case arg.Name == "":
		w.refuse(m.ID, m.Helo, "the HELO is an address, not a name")
	case w.wantAddresses(m, m.Helo, addrs, rule.HeloResolves):
		w.authorize(m.Helo, m, addrs, rule.HeloSPF, rule.HeloSPFStrict)
		w.wantHeloRecords(m)
		return true
	}
	return false
}

// merged returns the records sorted, each once, with all the rules that want it.
func (w *wanted) merged() []rule.Record {
	slices.SortStableFunc(w.records, func(a, b rule.Record) int { return compare(a.RR, b.RR) })
	var out []rule.Record
	for _, r := range w.records {
		if n := len(out); n == 0 || compare(out[n-1].RR, r.RR) != 0 {
			out = append(out, r)
		} else {
			out[n-1].Rules = append(out[n-1].Rules, r.Rules...)
		}
	}
	for i := range out {
		slices.SortFunc(out[i].Rules, rule.Compare)
		out[i].Rules = slices.Compact(out[i].Rules)
	}
	return out
}

// compare orders records by name, type and data.
func compare(a, b dns.RR) int {
	if by := cmp.Or(dnsname.Compare(a.Header().Name, b.Header().Name), cmp.Compare(a.Header().Rrtype, b.Header().Rrtype)); by != 0 {
		return by
	}
	return cmp.Compare(a.String(), b.String())
}

// organization is the subject of rules that are judged once for all MTAs.
const organization = "organization"

// wantHeloRecords wants the CSA and RP records of a HELO name that wantAddresses accepted.
func (w *wanted) wantHeloRecords(m org.MTA) {
	name := dnsname.CanonicalOrEmpty(m.Helo)
	i := slices.IndexFunc(w.org.MTAs, func(o org.MTA) bool {
		return o.Sends() && dnsname.Same(o.Helo, name) && len(publicOf(o)) < len(o.Addresses)
	})
	if i >= 0 {
		w.refuse(m.ID, csa.Owner(name)+" SRV", unknownSender(w.org.MTAs[i])+"; the CSA record would deny it")
	} else if rr, err := csa.Authorize(name, rule.TTL); w.checkMade(m.ID, name, err) {
		w.addRecord(rr, m.ID, rule.HeloCSA)
	}
	w.wantContact(name, org.MTALabel, w.org.Contacts.MTA, m.ID, rule.HeloRP)
}

// wantContacts wants the RP records of the domains, and the texts that they point to.
func (w *wanted) wantContacts() {
	contacts := w.org.Contacts
	for _, c := range []struct {
		label   string
		contact *org.Contact
	}{{org.MTALabel, contacts.MTA}, {org.AdminLabel, contacts.Admin}, {org.AbuseLabel, contacts.Abuse}} {
		for _, domain := range w.org.Domains() {
			w.wantContact(domain, c.label, c.contact, organization, rule.DomainRP)
		}
	}
}

// wantContact wants the RP record of a name and the text of the contact, if there is one.
func (w *wanted) wantContact(name, label string, c *org.Contact, subject string, id rule.ID) {
	if c == nil {
		return
	}
	textName := label + w.org.Domain
	text, err := c.Published().RR(textName, rule.TTL)
	if !w.checkMade("", textName, err) {
		return
	}
	entry, err := rp.Entry{Name: name, Mailbox: c.Mailbox, Text: textName, TTL: rule.TTL}.RR()
	if !w.checkMade("", name, err) {
		return
	}
	w.addRecord(text, subject, id)
	w.addRecord(entry, subject, id)
}

// wantNullRecords wants the records that declare names without mail, and PTR names that
// can be locked: null SPF, Null MX, and for PTR names a CSA record that denies.
func (w *wanted) wantNullRecords() {
	for _, name := range w.org.Names {
		if w.wantNull(name, rule.NullSPF, rule.NullMX) {
			w.noMail = append(w.noMail, name)
		}
	}
	for _, name := range Lockable(w.org) {
		if !slices.Contains(w.withPTR, name) || !w.wantNull(name, rule.PTRLocked, rule.PTRLocked) {
			continue
		}
		if rr, err := csa.Deny(name, rule.TTL); w.checkMade("", name, err) {
			w.addRecord(rr, name, rule.PTRLocked)
			w.addRecord(rr, organization, rule.DomainCSA) // or its policy
		}
	}
}

// wantNull wants the null SPF record and the Null MX of a name, or refuses it and returns
// false.
func (w *wanted) wantNull(name string, forSPF, forMX rule.ID) bool {
	name = dnsname.CanonicalOrEmpty(name)
	if dnsname.FormOf(name) == dnsname.Underscore {
		w.refuse("", name, "no host and no mail domain has an underscore in its name")
		return false
	}
	if !w.checkOwned("", name) {
		return false
	}
	mx, err := nullmx.Record(name, rule.TTL)
	if !w.checkMade("", name, err) {
		return false
	}
	txt, err := spf.Builder{Name: name, TTL: rule.TTL}.RR()
	if !w.checkMade("", name, err) {
		return false
	}
	w.addRecord(mx, name, forMX)
	w.addRecord(txt, name, forSPF)
	return true
}

// wantCSAPolicy wants the CSA policy of each domain.
func (w *wanted) wantCSAPolicy() {
	for _, domain := range w.org.Domains() {
		if w.org.UsesInHelo(domain) {
			w.refuse("", domain, "an MTA uses it in HELO, which a CSA policy would deny")
			continue
		}
		if rr, err := csa.DenyUnlisted(domain, rule.TTL); w.checkMade("", domain, err) {
			w.addRecord(rr, organization, rule.DomainCSA)
		}
	}
}

// wantDenials wants a CSA record that denies each name without mail that got null records. No
// name is below a wildcard to have the record of those for which it answers.
func (w *wanted) wantDenials() {
	for _, name := range w.noMail {
		if dnsname.FormOf(name) != dnsname.Host {
			continue
		}
		if rr, err := csa.Deny(name, rule.TTL); w.checkMade("", name, err) {
			w.addRecord(rr, organization, rule.DomainCSA)
		}
	}
}

// checkOwned reports whether a name is the organization's, and refuses it if not.
func (w *wanted) checkOwned(mta, name string) bool {
	switch {
	case dnsname.SpecialUse(dnsname.CanonicalOrEmpty(name)):
		w.refuse(mta, name, "not a name of the public DNS, where receivers look")
	case !w.owns(name):
		w.refuse(mta, name, "not a name of "+w.org.Domain+": its owner publishes its records")
	default:
		return true
	}
	return false
}

// checkMade reports whether a record could be made, and refuses its name if not.
func (w *wanted) checkMade(mta, name string, err error) bool {
	if err == nil {
		return true
	}
	_, reason, ok := strings.Cut(err.Error(), ": ") // behind the name of the package
	if !ok {
		reason = err.Error()
	}
	w.refuse(mta, name, strings.TrimPrefix(strings.TrimPrefix(reason, fmt.Sprintf("%q: ", name)), fmt.Sprintf("%q is ", name)))
	return false
}

// Lockable returns the PTR names of an organization that can be declared to send no mail,
// canonical and sorted: those that are neither HELO names of MTAs that send nor mail
// domains.
func Lockable(o *org.Organization) []string {
	var names []string
	for _, m := range o.MTAs {
		name := dnsname.CanonicalOrEmpty(m.PTR)
		isMailDomain := func(d org.MailDomain) bool { return dnsname.Same(d.Domain, name) }
		if name != "" && !o.UsesInHelo(name) && !slices.ContainsFunc(o.MailDomains(), isMailDomain) {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, dnsname.Compare)
	return slices.Compact(names)
}

// An spfBuilder makes the SPF record of a name: one, whatever the name is used for.
type spfBuilder struct {
	spf.Builder
	mta     string // the first that uses the name in HELO; "" for a mail domain
	rules   []rule.ID
	unknown string // a sender whose public address is not known, as a sentence; "" for none
}

// unknownSender says that an MTA sends from an address that is not public.
func unknownSender(m org.MTA) string {
	i := slices.IndexFunc(m.Addresses, func(addr netip.Addr) bool { return !address.IsPublic(addr) })
	return fmt.Sprintf("%s sends from %s, which is not public, and the address that others see instead is not known: describe that one", m.ID, m.Addresses[i])
}

// authorize adds the addresses of an MTA to the SPF record of a name.
func (w *wanted) authorize(name string, m org.MTA, addrs []netip.Addr, rules ...rule.ID) *spfBuilder {
	name = dnsname.CanonicalOrEmpty(name)
	s, ok := w.spf[name]
	if !ok {
		s = &spfBuilder{Builder: spf.Builder{Name: name, TTL: rule.TTL}, mta: m.ID}
		w.spf[name] = s
	}
	s.Addrs = append(s.Addrs, addrs...)
	subject := m.ID
	if subject == "" {
		subject = name
	}
	s.rules = append(s.rules, w.withoutExceptions(subject, rules...)...)
	return s
}

// wantMailSPF wants the SPF record of a mail domain: it authorizes the MTAs that send for it,
// with their addresses by ID, and what else the description lists.
func (w *wanted) wantMailSPF(d org.MailDomain, sending map[string][]netip.Addr) {
	var addrs []netip.Addr
	for _, m := range w.org.MTAs {
		if d.SentBy(m) {
			addrs = append(addrs, sending[m.ID]...)
		}
	}
	unknown := slices.IndexFunc(w.unknown, d.SentBy)
	if len(addrs)+len(d.Includes)+len(d.Networks) == 0 && unknown < 0 && !d.SentByNone() {
		return // nobody sends
	}
	s := w.authorize(d.Domain, org.MTA{}, addrs, rule.MailSPF)
	for _, network := range d.Networks {
		if !address.IsPublic(network.Addr()) {
			_, block := address.ClassOf(network.Addr())
			w.refuse("", network.String(), "not a public network ("+block+")")
			s.unknown = "its network " + network.String() + " is not public"
			continue
		}
		s.Networks = append(s.Networks, network)
	}
	if unknown >= 0 {
		s.unknown = unknownSender(w.unknown[unknown])
	}
	s.Includes = append(s.Includes, d.Includes...)
	if d.SoftFail {
		s.Others = spf.SoftFail
	}
}

// wantMX wants the MX records of a mail domain or HELO name, unless its name has an address
// by the plan that takes mail.
func (w *wanted) wantMX(domain string, exchangers []string) {
	for _, r := range w.records {
		if isAddress(r.RR) && dnsname.CanonicalOrEmpty(r.RR.Header().Name) == domain &&
			!flow.OnlySends(w.org, resolver.Answer{Records: []dns.RR{r.RR}}.Addrs()[0]) {
			return // RFC 5321, Section 5.1: without MX records, mail goes to it
		}
	}
	for _, name := range exchangers {
		hdr := dns.RR_Header{Name: domain, Rrtype: dns.TypeMX, Class: dns.ClassINET, Ttl: rule.TTL}
		w.addRecord(&dns.MX{Hdr: hdr, Preference: 10, Mx: name}, domain, rule.MailRoute)
	}
}

// wantSPF wants the SPF records.
func (w *wanted) wantSPF() {
	for _, name := range slices.SortedFunc(maps.Keys(w.spf), dnsname.Compare) {
		s := w.spf[name]
		for _, m := range w.unknown {
			if dnsname.Same(m.Helo, name) {
				s.unknown = unknownSender(m)
			}
		}
		if s.unknown != "" && len(s.rules) > 0 {
			w.refuse(s.mta, name+" TXT", s.unknown+"; the SPF record would deny mail from there")
			continue
		}
		rr, err := s.RR()
		if w.checkMade(s.mta, name, err) {
			w.addRecord(rr, "", s.rules...) // authorize removed those with exceptions
		}
	}
}
