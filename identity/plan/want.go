package plan

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/fcrdns"
	"github.com/bonafide-mta/bonafide/identity"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/internal/address"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
)

// TTL is the time to live of the records wanted, in seconds.
const TTL = 3600

// A Record is a record that the organisation should publish.
type Record struct {
	RR    dns.RR
	Rules []rule.ID // the rules that want it, in the order of the catalogue
}

// String returns the record as a line of zone text, without the rules.
func (r Record) String() string { return zoneText(r.RR) }

// A Refusal is a part of the description that no record can be made from.
type Refusal struct {
	MTA    string // its ID; "" for a part of a mail domain
	Value  string // the name, address or network, as described
	Reason string
}

// Want returns the records that an organisation should publish, sorted by name,
// type and data, and what it refuses to make records from: a name that is no
// host name, or another organisation's; an address that is not public. Addresses
// for documentation are accepted. An absent PTR name, and a HELO that is no name
// or of an MTA that only receives, ask for no record. The SPF record of a mail
// domain authorises every MTA that sends. Never is there a Null MX at a HELO name,
// whose postmaster is written to, nor a CSA policy at one, which it would deny. What
// only rules want from which the description makes an exception is left out.
func Want(o *org.Organisation) ([]Record, []Refusal) {
	w := want(o)
	return w.merged(), w.refusals
}

func want(o *org.Organisation) *wanted {
	w := &wanted{domain: o.Domain, senders: make(map[string]*senders), contacts: o.Contacts, exceptions: o.Exceptions}
	var sending []netip.Addr
	for _, m := range o.MTAs {
		addrs := w.publishable(m)
		if len(addrs) == 0 {
			continue
		}
		if m.PTR != "" && w.mapping(m, m.PTR, addrs, rule.PTRConfirmed, rule.PTROneName) {
			w.ptrs(m, addrs)
		}
		if m.Sends() {
			sending = append(sending, addrs...)
			w.greeting(m, addrs)
		}
	}
	for _, d := range o.MailDomains() {
		w.mail(d, sending)
	}
	w.spf()
	w.responsible(o)
	w.silent(o)
	w.policy()
	return w
}

// wanted collects records and refusals.
type wanted struct {
	domain     string              // the organisation's
	senders    map[string]*senders // by canonical name
	greeted    []string            // the HELO names that records are made for, canonical
	mapped     []string            // the PTR names likewise
	contacts   org.Contacts
	exceptions []org.Exception
	records    []Record
	refusals   []Refusal
}

// publishable returns the addresses of an MTA that the public DNS may hold.
func (w *wanted) publishable(m org.MTA) []netip.Addr {
	var out []netip.Addr
	for _, addr := range m.Addresses {
		switch class, block := address.ClassOf(addr); class {
		case address.Public, address.Documentation:
			out = append(out, addr)
		default:
			w.refuse(m.ID, addr.String(), "not a public address ("+block+")")
		}
	}
	return out
}

func (w *wanted) refuse(mta, value, reason string) {
	w.refusals = append(w.refusals, Refusal{MTA: mta, Value: value, Reason: reason})
}

// mapping wants the addresses of a name, or refuses the name and returns false.
func (w *wanted) mapping(m org.MTA, name string, addrs []netip.Addr, rules ...rule.ID) bool {
	rrs, err := fcrdns.Mapping{Name: name, Addrs: addrs, TTL: TTL}.Addresses()
	if !w.made(m.ID, name, err) || !w.owned(m.ID, name) {
		return false
	}
	for _, rr := range rrs {
		w.add(rr, m.ID, rules...)
	}
	return true
}

// ptrs wants the PTR records of an MTA whose name mapping accepted.
func (w *wanted) ptrs(m org.MTA, addrs []netip.Addr) {
	name, _ := dnsname.Canonical(m.PTR)
	w.mapped = append(w.mapped, name)
	ptrs, _ := fcrdns.Mapping{Name: m.PTR, Addrs: addrs, TTL: TTL}.PTRs()
	for _, ptr := range ptrs {
		addr := dnsname.FromReverse(ptr.Hdr.Name)
		ofAddress := w.rules(m.ID+"/"+addr.String(), rule.PTRExists, rule.PTRConfirmed)
		w.add(ptr, m.ID, append(ofAddress, rule.PTROneName)...)
	}
}

// add wants a record for rules that are judged on a subject.
func (w *wanted) add(rr dns.RR, subject string, rules ...rule.ID) {
	if rules = w.rules(subject, rules...); len(rules) > 0 {
		w.records = append(w.records, Record{rr, rules})
	}
}

// rules returns those of the rules from which the subject is not excepted.
func (w *wanted) rules(subject string, rules ...rule.ID) []rule.ID {
	return slices.DeleteFunc(slices.Clone(rules), func(id rule.ID) bool {
		return slices.ContainsFunc(w.exceptions, func(e org.Exception) bool { return e.Rule == string(id) && e.Subject == subject })
	})
}

// greeting wants the addresses of the HELO name, if it is one, and its SPF record.
func (w *wanted) greeting(m org.MTA, addrs []netip.Addr) {
	helo, err := identity.ParseHelo(m.HELO)
	switch {
	case err != nil:
		w.refuse(m.ID, m.HELO, "the HELO is malformed")
	case helo.Name == "":
		w.refuse(m.ID, m.HELO, "the HELO is an address, not a name")
	case w.mapping(m, m.HELO, addrs, rule.HELOResolves):
		w.authorise(m.HELO, m, addrs, rule.HELOSPF, rule.HELOSPFStrict)
		w.identity(m)
	}
}

// merged returns the records in order, each once with all the rules that want it.
func (w *wanted) merged() []Record {
	slices.SortStableFunc(w.records, func(a, b Record) int { return compare(a.RR, b.RR) })
	var out []Record
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
