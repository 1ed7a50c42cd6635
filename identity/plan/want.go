package plan

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/csa"
	"github.com/bonafide-mta/bonafide/fcrdns"
	"github.com/bonafide-mta/bonafide/identity/helo"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/internal/address"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/nullmx"
	"github.com/bonafide-mta/bonafide/rp"
	"github.com/bonafide-mta/bonafide/spf"
)

// A Refusal is a part of the description that no record can be made from.
type Refusal struct {
	MTA    string // its ID; "" for a part of a mail domain
	Value  string // the name, address or network, as described
	Reason string
}

// Want returns the records that an organization should publish, sorted by name,
// type and data, and what it refuses to make records from: a name that is no
// host name, or another organization's; an address that is not public. Addresses
// for documentation are accepted. An absent PTR name, and a HELO that is no name
// or of an MTA that only receives, ask for no record. The SPF record of a mail
// domain authorizes every MTA that sends. Its MX records name those that receive; New
// leaves them out where mail has somewhere to go already. Never is there a Null MX at a HELO name,
// whose postmaster is written to, nor a CSA policy at one, which it would deny. What
// only rules want from which the description makes an exception is left out.
func Want(o *org.Organization) ([]rule.Record, []Refusal) {
	w := want(o)
	return w.merged(), w.refusals
}

func want(o *org.Organization) *wanted {
	w := &wanted{domain: o.Domain, senders: make(map[string]*senders), contacts: o.Contacts, exceptions: o.Exceptions}
	var sending []netip.Addr
	var exchangers []string // names of MTAs that take mail
	for _, m := range o.MTAs {
		addrs := w.publicAddresses(m)
		if len(addrs) == 0 {
			continue
		}
		name := ""
		if m.PTR != "" && w.wantAddresses(m, m.PTR, addrs, rule.PTRConfirmed, rule.PTROneName) {
			w.wantPTRs(m, addrs)
			name = m.PTR
		}
		if m.Sends() {
			sending = append(sending, addrs...)
			if w.wantHelo(m, addrs) {
				name = m.Helo // the PTR name is for nothing but the address
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
	w.wantSPF()
	w.wantContacts(o)
	w.wantNullRecords(o)
	w.wantCSAPolicy(o)
	return w
}

// wanted collects records and refusals.
type wanted struct {
	domain     string              // the organization's
	senders    map[string]*senders // by canonical name
	mapped     []string            // the PTR names that records are made for, canonical
	contacts   org.Contacts
	exceptions []org.Exception
	records    []rule.Record
	refusals   []Refusal
}

// publicAddresses returns the addresses of an MTA that the public DNS may hold.
func (w *wanted) publicAddresses(m org.MTA) []netip.Addr {
	var out []netip.Addr
	for _, addr := range m.Addresses {
		if !address.IsPublic(addr) {
			_, block := address.ClassOf(addr)
			w.refuse(m.ID, addr.String(), "not a public address ("+block+")")
			continue
		}
		out = append(out, addr)
	}
	return out
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
		w.add(rr, m.ID, rules...)
	}
	return true
}

// wantPTRs wants the PTR records of an MTA whose name mapping accepted.
func (w *wanted) wantPTRs(m org.MTA, addrs []netip.Addr) {
	name, _ := dnsname.Canonical(m.PTR)
	w.mapped = append(w.mapped, name)
	ptrs, _ := fcrdns.Mapping{Name: m.PTR, Addrs: addrs, TTL: rule.TTL}.PTRs()
	for _, ptr := range ptrs {
		addr := dnsname.FromReverse(ptr.Hdr.Name)
		ofAddress := w.rules(m.ID+"/"+addr.String(), rule.PTRExists, rule.PTRConfirmed)
		w.add(ptr, m.ID, append(ofAddress, rule.PTROneName)...)
	}
}

// add wants a record for rules that are judged on a subject.
func (w *wanted) add(rr dns.RR, subject string, rules ...rule.ID) {
	if rules = w.rules(subject, rules...); len(rules) > 0 {
		w.records = append(w.records, rule.Record{RR: rr, Rules: rules})
	}
}

// rules returns those of the rules from which the subject is not excepted.
func (w *wanted) rules(subject string, rules ...rule.ID) []rule.ID {
	return slices.DeleteFunc(slices.Clone(rules), func(id rule.ID) bool {
		return slices.ContainsFunc(w.exceptions, func(e org.Exception) bool { return e.Rule == string(id) && e.Subject == subject })
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

// merged returns the records in order, each once with all the rules that want it.
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
	return cmp.Or(dnsname.Compare(a.Header().Name, b.Header().Name),
		cmp.Compare(a.Header().Rrtype, b.Header().Rrtype),
		cmp.Compare(a.String(), b.String()))
}

// organization is the subject of rules that are judged once.
const organization = "organization"

// wantHeloRecords wants what says of a HELO name, which mapping has accepted, who uses it and
// who is responsible.
func (w *wanted) wantHeloRecords(m org.MTA) {
	name := dnsname.CanonicalOrEmpty(m.Helo)
	if rr, err := csa.Authorize(name, rule.TTL); w.checkMade(m.ID, name, err) {
		w.add(rr, m.ID, rule.HeloCSA)
	}
	w.wantContact(name, org.MTALabel, w.contacts.MTA, m.ID, rule.HeloRP)
}

// wantContacts wants the RP records of the domain, and the texts that they point to.
func (w *wanted) wantContacts(o *org.Organization) {
	for _, c := range []struct {
		label   string
		contact *org.Contact
	}{{org.MTALabel, o.Contacts.MTA}, {org.AdminLabel, o.Contacts.Admin}, {org.AbuseLabel, o.Contacts.Abuse}} {
		w.wantContact(w.domain, c.label, c.contact, organization, rule.DomainRP)
	}
}

// wantContact wants the RP record of a name and the text of the contact, if there is one.
func (w *wanted) wantContact(name, label string, c *org.Contact, subject string, id rule.ID) {
	if c == nil {
		return
	}
	at := label + w.domain
	text, err := rp.Contact{Name: c.Name, Role: c.Role, Phone: c.Phone, Email: c.Email, Web: c.Web}.RR(at, rule.TTL)
	if !w.checkMade("", at, err) {
		return
	}
	entry, err := rp.Entry{Name: name, Mailbox: c.Mailbox, Text: at, TTL: rule.TTL}.RR()
	if !w.checkMade("", name, err) {
		return
	}
	w.add(text, subject, id)
	w.add(entry, subject, id)
}

// wantNullRecords wants what says that a name has nothing to do with mail: of the names without
// any, and of PTR names, with which nobody shall greet either.
func (w *wanted) wantNullRecords(o *org.Organization) {
	for _, name := range o.Names {
		w.wantNull(name, rule.NullSPF, rule.NullMX)
	}
	for _, name := range Lockable(o) {
		if !slices.Contains(w.mapped, name) || !w.wantNull(name, rule.PTRLocked, rule.PTRLocked) {
			continue
		}
		if rr, err := csa.Deny(name, rule.TTL); w.checkMade("", name, err) {
			w.add(rr, name, rule.PTRLocked)
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
	w.add(mx, name, forMX)
	w.add(txt, name, forSPF)
	return true
}

// wantCSAPolicy wants the CSA policy of the domain.
func (w *wanted) wantCSAPolicy(o *org.Organization) {
	domain := dnsname.CanonicalOrEmpty(w.domain)
	if slices.ContainsFunc(o.MTAs, func(m org.MTA) bool { return m.Sends() && dnsname.CanonicalOrEmpty(m.Helo) == domain }) {
		w.refuse("", w.domain, "an MTA greets with it: a CSA policy would deny that")
		return
	}
	if rr, err := csa.DenyUnlisted(domain, rule.TTL); w.checkMade("", w.domain, err) {
		w.add(rr, organization, rule.DomainCSA)
	}
}

// wantDenials wants CSA records that deny names, each for itself.
func (w *wanted) wantDenials(names []string) {
	for _, name := range names {
		if !w.checkOwned("", name) {
			continue
		}
		if rr, err := csa.Deny(name, rule.TTL); w.checkMade("", name, err) {
			w.add(rr, organization, rule.DomainCSA)
		}
	}
}

// checkOwned reports whether a name is the organization's, and refuses it if not.
func (w *wanted) checkOwned(mta, name string) bool {
	relation, _ := helo.Relate(name, w.domain, w.domain)
	if relation == helo.Unrelated {
		w.refuse(mta, name, "not a name of "+w.domain+": its owner publishes its records")
	}
	return relation != helo.Unrelated
}

// checkMade reports whether a record could be made, and refuses its name if not.
func (w *wanted) checkMade(mta, name string, err error) bool {
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

// Lockable returns the PTR names of an organization that are used for nothing else,
// canonical and sorted: no MTA greets with them, and they are no mail domains.
func Lockable(o *org.Organization) []string {
	used := make(map[string]bool)
	for _, m := range o.MTAs {
		if name, err := dnsname.Canonical(m.Helo); err == nil && m.Sends() {
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

// senders is who the SPF record of a name shall authorize: a name has one record,
// whatever it is used for.
type senders struct {
	spf.Builder
	mta   string // the first that greets with the name; "" for a mail domain
	rules []rule.ID
}

// authorize adds the addresses of an MTA to the SPF record of a name.
func (w *wanted) authorize(name string, m org.MTA, addrs []netip.Addr, rules ...rule.ID) *senders {
	name, _ = dnsname.Canonical(name)
	s, ok := w.senders[name]
	if !ok {
		s = &senders{Builder: spf.Builder{Name: name, TTL: rule.TTL}, mta: m.ID}
		w.senders[name] = s
	}
	s.Addrs = append(s.Addrs, addrs...)
	subject := m.ID
	if subject == "" {
		subject = name
	}
	s.rules = append(s.rules, w.rules(subject, rules...)...)
	return s
}

// wantMailSPF wants the SPF record of a mail domain: whoever else sends, the MTAs do.
func (w *wanted) wantMailSPF(d org.MailDomain, sending []netip.Addr) {
	if len(sending) == 0 {
		return // refused already: without an address the record would deny everybody
	}
	s := w.authorize(d.Domain, org.MTA{}, sending, rule.MailSPF)
	for _, network := range d.Networks {
		if !address.IsPublic(network.Addr()) {
			_, block := address.ClassOf(network.Addr())
			w.refuse("", network.String(), "not a public network ("+block+")")
			continue
		}
		s.Networks = append(s.Networks, network)
	}
	s.Includes = append(s.Includes, d.Includes...)
	if d.SoftFail {
		s.Others = spf.SoftFail
	}
}

// wantMX wants MX records of a mail domain that has no address by this plan.
func (w *wanted) wantMX(domain string, exchangers []string) {
	if slices.ContainsFunc(w.records, func(r rule.Record) bool {
		return isAddress(r.RR) && dnsname.CanonicalOrEmpty(r.RR.Header().Name) == domain
	}) {
		return // RFC 5321, Section 5.1: mail goes there
	}
	for _, name := range exchangers {
		hdr := dns.RR_Header{Name: domain, Rrtype: dns.TypeMX, Class: dns.ClassINET, Ttl: rule.TTL}
		w.add(&dns.MX{Hdr: hdr, Preference: 10, Mx: name}, domain, rule.MailRoute)
	}
}

// wantSPF wants the SPF records.
func (w *wanted) wantSPF() {
	names := make([]string, 0, len(w.senders))
	for name := range w.senders {
		names = append(names, name)
	}
	slices.SortFunc(names, dnsname.Compare)
	for _, name := range names {
		s := w.senders[name]
		rr, err := s.RR()
		if w.checkMade(s.mta, name, err) {
			w.add(rr, "", s.rules...) // exceptions are made already
		}
	}
}
