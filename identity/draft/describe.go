package draft

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/fcrdns/ptrname"
	"github.com/bonafide-mta/bonafide/identity/flow"
	"github.com/bonafide-mta/bonafide/identity/harden"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/rp"
)

// servers divides the addresses among MTAs: those that have one name, and those without
// a name that another name of the organization joins to them.
func (d *draft) servers() {
	groups := make(map[string][]netip.Addr)
	var order []string
	for _, addr := range d.order {
		key := d.key(addr)
		if len(groups[key]) == 0 {
			order = append(order, key)
		}
		groups[key] = append(groups[key], addr)
	}
	for _, key := range order {
		d.server(groups[key])
	}
}

// key returns the name by which an address belongs to an MTA.
func (d *draft) key(addr netip.Addr) string {
	a := d.addrs[addr]
	if a.ptr != "" {
		return a.ptr
	}
	for _, host := range a.hosts {
		for _, other := range d.order {
			if b := d.addrs[other]; b.ptr != "" && slices.Contains(b.hosts, host) {
				return b.ptr
			}
		}
	}
	if len(a.hosts) > 0 {
		return a.hosts[0]
	}
	return addr.String()
}

// server describes an MTA.
func (d *draft) server(addrs []netip.Addr) {
	path := fmt.Sprintf("mtas[%d]", len(d.o.MTAs))
	m := org.MTA{ID: fmt.Sprintf("mta%d", len(d.o.MTAs)+1), Addresses: addrs}
	var hosts []string
	takes := false
	for _, addr := range addrs {
		a := d.addrs[addr]
		takes = takes || a.takes
		hosts = append(hosts, a.hosts...)
		m.PTR = cmp.Or(m.PTR, a.ptr)
		switch {
		case a.unasked:
		case len(a.names) == 0:
			d.comment(path+".ptr", "%s has no name yet (PTR record)", addr)
			if len(a.hosts) == 0 && len(d.order) > 1 {
				d.comment(path+".addresses", "no name joins it to others: list it with them, if it is one of several addresses of an MTA")
			}
		case a.ptr == "":
			d.comment(path+".ptr", "%s has the name %s, which is no host name of yours", addr, strings.Join(a.names, " "))
		case len(a.names) > 1:
			d.comment(path+".ptr", "%s has several names: %s", addr, strings.Join(a.names, " "))
		}
		if a.ptr != "" && ptrname.Classify(addr, a.ptr).Kind == ptrname.Generic {
			d.comment(path+".ptr", "%s looks like a name that providers make up: choose another", a.ptr)
		}
	}
	if m.PTR == "" {
		d.comment(path+".ptr", "choose one name of %s for its addresses", d.o.Domain)
	}
	var why string
	m.Helo, why = d.greeting(m, hosts)
	if dnsname.CanonicalOrEmpty(m.Helo) == m.PTR {
		d.comment(path+".ptr", "anybody finds this HELO name by the address: choose another for one of them")
	}
	d.comment(path+".helo", "a guess, since %s: what the MTA says is in its configuration, or in a Received field of its mail", why)
	switch {
	case !takes && slices.ContainsFunc(addrs, func(addr netip.Addr) bool { return d.addrs[addr].sends }):
		m.Roles = []org.Role{org.Outbound}
		d.comment(path+".roles", "no MX record leads to it; add submission, if users send by it")
	default:
		d.comment(path+".roles", "inbound and outbound, unless you say otherwise: roles: [inbound]; add submission, if users send by it")
	}
	d.comment(path+".dedicated", "dedicated: true, if its addresses serve nothing but mail")
	d.o.MTAs = append(d.o.MTAs, m)
}

// greeting guesses what an MTA says in HELO, and why.
func (d *draft) greeting(m org.MTA, hosts []string) (heloName, why string) {
	hosts = slices.DeleteFunc(slices.Clone(hosts), func(name string) bool { return d.hosts[name].silent })
	slices.SortStableFunc(hosts, func(a, b string) int { return dnsname.Compare(a, b) })
	for _, is := range []struct {
		so  func(name string, h *draftHost) bool
		why string
	}{
		{func(_ string, h *draftHost) bool { return h.authorized }, "a CSA record lets it greet"},
		{func(name string, h *draftHost) bool { return h.sends && name != m.PTR && name != d.o.Domain }, "it has an SPF record of its own"},
		{func(name string, h *draftHost) bool { return h.takesMail && name != m.PTR && name != d.o.Domain }, "mail goes to it"},
		{func(name string, h *draftHost) bool { return name != m.PTR && name != d.o.Domain }, "it leads to the addresses"},
		{func(name string, _ *draftHost) bool { return name == m.PTR }, "it is the name of the addresses"},
		{func(string, *draftHost) bool { return true }, "it leads to the addresses"},
	} {
		for _, name := range hosts {
			if is.so(name, d.hosts[name]) {
				return strings.TrimSuffix(name, "."), is.why
			}
		}
	}
	return "mail." + strings.TrimSuffix(d.o.Domain, "."), "no name of yours says anything"
}

// domains describes the mail domains, where there is more to say than the domain.
func (d *draft) domains() {
	if len(d.mail.Includes)+len(d.mail.Networks)+len(d.more) > 0 || d.mail.SoftFail {
		d.o.Mail = append([]org.MailDomain{d.mail}, d.more...)
	}
	for i := range d.more {
		d.comment(fmt.Sprintf("mail[%d]", i+1), "it has mail servers or senders: describe who else sends in its name, or take its records away")
	}
}

// contacts describes who is responsible, as far as the RP records of the domain say so
// in the form of the advice.
func (d *draft) contacts(ctx context.Context) {
	if d.err != nil {
		return
	}
	persons, err := rp.Lookup(ctx, d.resolver, d.o.Domain)
	for _, p := range known(d, "the RP records of "+d.o.Domain, persons, err) {
		if p.Err != nil && !errors.Is(p.Err, rp.ErrDangling) {
			known(d, "the texts of "+p.Text, p.Texts, p.Err)
		}
		for _, text := range p.Texts {
			c := rp.ParseContact(text)
			contact := &org.Contact{Name: c.Name, Role: c.Role, Phone: c.Phone, Email: c.Email, Web: c.Web, Mailbox: p.Mailbox}
			to := map[string]**org.Contact{
				org.MTALabel + d.o.Domain: &d.o.Contacts.MTA, org.AdminLabel + d.o.Domain: &d.o.Contacts.Admin, org.AbuseLabel + d.o.Domain: &d.o.Contacts.Abuse,
			}[p.Text]
			if to == nil || *to != nil || c.Text != "" || !utf8.ValidString(text+p.Mailbox) {
				d.comment("contacts", "an RP record says by %s: %q", p.Text, text)
				continue
			}
			if *to = contact; d.o.Validate() != nil { // by its texts alone
				*to = nil
				d.comment("contacts", "an RP record says by %s: %q", p.Text, text)
			}
		}
	}
	if d.o.Contacts.MTA == nil {
		d.comment("contacts", "who is responsible for the mail servers, and is to be published: mta: {name: …, role: …, phone: …, email: …, web: …}; admin and abuse likewise")
	}
}

// names describes the zones and the names without mail.
func (d *draft) names(records []dns.RR) {
	var zones []string
	for _, rr := range records {
		if _, ok := rr.(*dns.SOA); ok {
			zones = append(zones, dnsname.CanonicalOrEmpty(rr.Header().Name))
		}
	}
	if len(zones) == 0 {
		d.comment("names", "which names neither send mail nor get any only whole zones tell")
		d.comment("zones", "the zones that you write, if you want it checked that the HELO names are in them")
		return
	}
	slices.SortFunc(zones, dnsname.Compare)
	d.o.Zones = slices.Compact(zones)
	if d.o.Validate() != nil { // a HELO name is in none of them
		d.o.Zones = nil
		d.comment("zones", "the zones that you write: those given do not have each HELO name")
	}
	hardening, err := harden.Zones(resolver.SeqOf(records...), d.o)
	if err != nil {
		d.err = err
		return
	}
	d.o.Names = hardening.Names[:min(len(hardening.Names), maxDraftNames)]
	if len(d.o.Names) > 0 {
		d.comment("names", "these seem to have nothing to do with mail: look through them, since programs such as cron send as root@ the name of their machine")
	}
	if more := len(hardening.Names) - len(d.o.Names); more > 0 {
		d.comment("names", "there are %d more", more)
	}
	left := slices.DeleteFunc(hardening.Left, func(n flow.Note) bool {
		return slices.ContainsFunc(d.o.MTAs, func(m org.MTA) bool { return dnsname.CanonicalOrEmpty(m.Helo) == n.Name || m.PTR == n.Name })
	})
	for _, n := range left[:min(len(left), maxDraftLeft)] {
		d.comment("names", "not %s: %s", strings.TrimSuffix(n.Name, "."), n.Text)
	}
	if more := len(left) - maxDraftLeft; more > 0 {
		d.comment("names", "and not %d more", more)
	}
}
