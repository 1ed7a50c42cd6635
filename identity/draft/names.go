package draft

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/identity/flow"
	"github.com/bonafide-mta/bonafide/identity/harden"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/rp"
	"github.com/bonafide-mta/bonafide/spf"
)

// lookupContacts describes the contacts whose RP texts have the names and the form of the
// advice.
func (d *draft) lookupContacts(ctx context.Context) {
	persons, err := rp.Lookup(ctx, d.resolver, d.o.Domain)
	for _, p := range answerOrComment(d, "the RP records of "+d.o.Domain, persons, err) {
		if errors.Is(p.Err, rp.ErrTooManyPersons) {
			d.comment("contacts", "there may be more: only the texts of the first %d RP records were looked up", rp.MaxPersons)
			break
		}
		if p.Err != nil && !errors.Is(p.Err, rp.ErrDangling) {
			answerOrComment(d, "the RP text "+p.Text, p.Texts, p.Err)
		}
		for _, text := range p.Texts {
			c := rp.ParseContact(text)
			contact := &org.Contact{Name: c.Name, Role: c.Role, Phone: c.Phone, Email: c.Email, Web: c.Web, Mailbox: p.Mailbox}
			to := map[string]**org.Contact{
				org.MTALabel + d.o.Domain: &d.o.Contacts.MTA, org.AdminLabel + d.o.Domain: &d.o.Contacts.Admin, org.AbuseLabel + d.o.Domain: &d.o.Contacts.Abuse,
			}[p.Text]
			if to == nil || *to != nil || c.Text != "" || !utf8.ValidString(text+p.Mailbox) {
				d.comment("contacts", "an RP record points to %s, which cannot be described: %q", p.Text, text)
				continue
			}
			if *to = contact; d.o.Validate() != nil { // because of its texts
				*to = nil
				d.comment("contacts", "an RP record points to %s, which cannot be described: %q", p.Text, text)
			}
		}
	}
	if d.o.Contacts.MTA == nil {
		d.comment("contacts", "to publish who is responsible for the mail servers, write mta: {name: …, role: …, phone: …, email: …, web: …}; admin and abuse likewise")
	}
}

// describeNames lists the zones and the names without mail.
func (d *draft) describeNames(ctx context.Context) {
	var zones []string
	for _, rr := range d.records {
		if _, ok := rr.(*dns.SOA); ok {
			zones = append(zones, dnsname.CanonicalOrEmpty(rr.Header().Name))
		}
	}
	if d.survey == nil {
		d.comment("names", "only whole zones show which names neither send nor receive mail")
		d.comment("zones", "list the zones that you write to have it checked that the HELO names are in them")
		return
	}
	slices.SortFunc(zones, dnsname.Compare)
	d.o.Zones = slices.Compact(zones)
	if d.o.Validate() != nil { // a HELO name is in none of them
		d.o.Zones = nil
		d.comment("zones", "list the zones that you write: those given do not have all HELO names")
	}
	d.commentZones()
	hardening, err := harden.Zones(resolver.SeqOf(d.records...), d.o)
	if err != nil {
		d.err = err
		return
	}
	if d.mxUnknown || d.spfUnknown {
		d.comment("names", "not all mail servers and senders are known, so that none is listed")
		return
	}
	left := slices.DeleteFunc(hardening.Left, func(n flow.Note) bool {
		return slices.ContainsFunc(d.o.MTAs, func(m org.MTA) bool { return dnsname.CanonicalOrEmpty(m.Helo) == n.Name || m.PTR == n.Name })
	})
	doubts := d.doubts(hardening)
	ties := d.newTies(ctx)
	more := 0
	for _, name := range hardening.Names {
		reason := ties.reason(name)
		switch {
		case reason != "":
			left = append(left, flow.Note{Name: name, Text: reason})
		case len(d.o.Names) == maxDraftNames:
			more++
		default:
			for _, doubt := range doubts[name] {
				d.comment(fmt.Sprintf("names[%d]", len(d.o.Names)), "%s", doubt)
			}
			d.o.Names = append(d.o.Names, name)
		}
	}
	d.commentNames(ties, left, more)
}

// commentZones comments on names that are in none of the zones, for which no records are
// planned.
func (d *draft) commentZones() {
	var names []string
	for _, m := range d.o.MailDomains() {
		names = append(names, dnsname.CanonicalOrEmpty(m.Domain))
	}
	for _, m := range d.o.MTAs {
		names = append(names, m.PTR)
	}
	names = slices.DeleteFunc(names, func(name string) bool {
		return name == "" || slices.ContainsFunc(d.o.Zones, func(zone string) bool { return dnsname.Under(name, zone) })
	})
	if slices.Sort(names); len(d.o.Zones) > 0 && len(names) > 0 {
		d.comment("zones", "add the zones of these names if you write them: %s", listed(slices.Compact(names)))
	}
}

// commentNames comments on the names without mail, and on those that are not listed.
func (d *draft) commentNames(ties *ties, left []flow.Note, more int) {
	if len(d.o.Names) > 0 {
		d.comment("names", "these seem to have no mail: check them, because programs such as cron send as root@ the name of their machine")
	}
	if more > 0 {
		d.comment("names", "there are %d more", more)
	}
	for i, m := range d.o.MTAs {
		if names := ties.atMTA[i]; len(names) > 0 {
			d.comment("names", "not %s: %s has the address, and may use the name in HELO or in senders: list what it does not use", listed(names), m.ID)
		}
	}
	slices.SortStableFunc(left, flow.Note.Compare)
	left = slices.DeleteFunc(left, func(n flow.Note) bool { return n.Text == atMTA })
	for _, n := range left[:min(len(left), maxDraftLeft)] {
		d.comment("names", "not %s: %s", strings.TrimSuffix(n.Name, "."), n.Text)
	}
	if more := len(left) - maxDraftLeft; more > 0 {
		d.comment("names", "%d more are left out", more)
	}
}

// doubts returns what speaks against listing a name: what package harden notes, and that
// other names are aliases of it.
func (d *draft) doubts(hardening *harden.Hardening) map[string][]string {
	doubts := make(map[string][]string)
	for _, n := range hardening.Notes {
		doubts[n.Name] = append(doubts[n.Name], n.Text)
	}
	aliases := make(map[string][]string)
	for _, rr := range d.records {
		if cname, ok := rr.(*dns.CNAME); ok {
			target := dnsname.CanonicalOrEmpty(cname.Target)
			aliases[target] = append(aliases[target], dnsname.CanonicalOrEmpty(cname.Hdr.Name))
		}
	}
	for target, names := range aliases {
		slices.SortFunc(names, dnsname.Compare)
		doubts[target] = append(doubts[target], "its records count for its aliases, too: "+listed(names))
	}
	return doubts
}

// ties knows how names without a sign of mail are tied to mail by what they resolve to.
type ties struct {
	*draft
	ctx      context.Context
	services map[string]string // the targets of SRV records, and the name of one of these
	mtas     map[netip.Addr]int
	atMTA    map[int][]string // names at the addresses of an MTA, by its place
	reasons  map[netip.Addr]string
}

// atMTA is the reason of the names that commentNames lists by MTA.
const atMTA = "it has an address of an MTA"

func (d *draft) newTies(ctx context.Context) *ties {
	t := &ties{draft: d, ctx: ctx, services: make(map[string]string), mtas: make(map[netip.Addr]int), atMTA: make(map[int][]string), reasons: make(map[netip.Addr]string)}
	for i, m := range d.o.MTAs {
		for _, addr := range m.Addresses {
			t.mtas[addr] = i
		}
	}
	for _, rr := range d.records {
		if srv, ok := rr.(*dns.SRV); ok {
			target, name := dnsname.CanonicalOrEmpty(srv.Target), dnsname.CanonicalOrEmpty(srv.Hdr.Name)
			if first := t.services[target]; first == "" || dnsname.Compare(name, first) < 0 {
				t.services[target] = name
			}
		}
	}
	return t
}

// reason returns why a name is not listed as one without mail, "" if it is.
func (t *ties) reason(name string) string {
	switch {
	case strings.HasPrefix(name, "*."):
		return "it answers for every name that does not exist: list it if none of them is used in mail"
	case t.services[name] != "":
		return "it is the target of " + t.services[name] + ": list it if it neither sends nor receives mail"
	}
	for _, addr := range t.survey.Node(name).Addrs {
		if i, ok := t.mtas[addr]; ok {
			t.atMTA[i] = append(t.atMTA[i], strings.TrimSuffix(name, "."))
			return atMTA
		}
		if reason := t.sender(addr); reason != "" {
			return reason
		}
	}
	return ""
}

// sender returns that a mail domain authorizes an address, "" if none does.
func (t *ties) sender(addr netip.Addr) string {
	reason, ok := t.reasons[addr]
	if ok || len(t.o.Names) == maxDraftNames {
		return reason
	}
	for _, m := range t.domainOrder {
		switch status := t.authorizes(t.ctx, m, addr); {
		case m.lists(addr) || status == spf.Pass:
			reason = fmt.Sprintf("the SPF record of %s authorizes its address %s", m.name, addr)
		case status == spf.TempError:
			if about := "names " + m.name; !t.said[about] {
				t.said[about] = true
				t.comment("names", "the SPF record of %s is not known in full, so that some of these may send mail for it", m.name)
			}
		}
		if reason != "" {
			break
		}
	}
	t.reasons[addr] = reason
	return reason
}
