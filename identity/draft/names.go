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
	left := slices.DeleteFunc(hardening.Left, func(n flow.Note) bool { return d.isDescribed(n.Name) })
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
	d.commentNames(hardening.Shared, left, more)
}

// isDescribed reports whether a name is in the description as that of an MTA or a mail domain.
func (d *draft) isDescribed(name string) bool {
	return slices.ContainsFunc(d.o.MTAs, func(m org.MTA) bool { return dnsname.CanonicalOrEmpty(m.Helo) == name || m.PTR == name }) ||
		slices.ContainsFunc(d.o.MailDomains(), func(m org.MailDomain) bool { return m.Domain == name })
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

// commentNames comments on the names without mail, and on those that are not listed: once for
// each address of a mail server, and for each other reason.
func (d *draft) commentNames(shared []harden.Shared, left []flow.Note, more int) {
	if len(d.o.Names) > 0 {
		d.comment("names", "these seem to have no mail: check them, because programs such as cron send as root@ the name of their machine")
	}
	if more > 0 {
		d.comment("names", "there are %d more", more)
	}
	atServer := make(map[string]bool)
	for _, s := range shared[:min(len(shared), maxDraftLeft)] {
		d.comment("names", "%s", s)
		for _, name := range s.Names {
			atServer[name] = true
		}
	}
	slices.SortStableFunc(left, flow.Note.Compare)
	byReason := make(map[string][]string)
	var reasons []string
	for _, n := range left {
		if atServer[n.Name] {
			continue
		}
		if byReason[n.Text] == nil {
			reasons = append(reasons, n.Text)
		}
		byReason[n.Text] = append(byReason[n.Text], strings.TrimSuffix(n.Name, "."))
	}
	for _, reason := range reasons[:min(len(reasons), maxDraftLeft)] {
		if names := byReason[reason]; len(names) > 1 {
			d.comment("names", "%d names are not listed, each because %s: %s", len(names), reason, listed(names))
		} else {
			d.comment("names", "not %s: %s", names[0], reason)
		}
	}
	if more := len(reasons) - maxDraftLeft; more > 0 {
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
	reasons  map[netip.Addr]string
}

func (d *draft) newTies(ctx context.Context) *ties {
	t := &ties{draft: d, ctx: ctx, services: make(map[string]string), reasons: make(map[netip.Addr]string)}
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
	parent, wild := strings.CutPrefix(name, "*.")
	switch {
	case wild && (t.domains[parent] != nil || slices.Contains(t.survey.Zones(), parent)):
		return "it answers for every name below " + strings.TrimSuffix(parent, ".") + " that does not exist: list it if none of them is used in mail"
	case t.services[name] != "":
		return "it is the target of " + t.services[name] + ": list it if it neither sends nor receives mail"
	}
	for _, addr := range t.survey.Node(name).Addrs {
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
