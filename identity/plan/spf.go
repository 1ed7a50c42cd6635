package plan

import (
	"net/netip"
	"slices"

	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/internal/address"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/spf"
)

// senders is who the SPF record of a name shall authorise: a name has one record,
// whatever it is used for.
type senders struct {
	spf.Senders
	mta   string // the first that greets with the name; "" for a mail domain
	rules []rule.ID
}

// authorise adds the addresses of an MTA to the SPF record of a name.
func (w *wanted) authorise(name string, m org.MTA, addrs []netip.Addr, rules ...rule.ID) *senders {
	name, _ = dnsname.Canonical(name)
	s, ok := w.senders[name]
	if !ok {
		s = &senders{Senders: spf.Senders{Name: name, TTL: TTL}, mta: m.ID}
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

// mail wants the SPF record of a mail domain: whoever else sends, the MTAs do.
func (w *wanted) mail(d org.MailDomain, sending []netip.Addr) {
	if len(sending) == 0 {
		return // refused already: without an address the record would deny everybody
	}
	s := w.authorise(d.Domain, org.MTA{}, sending, rule.MailSPF)
	for _, network := range d.Networks {
		switch class, block := address.ClassOf(network.Addr()); class {
		case address.Public, address.Documentation:
			s.Networks = append(s.Networks, network)
		default:
			w.refuse("", network.String(), "not a public network ("+block+")")
		}
	}
	s.Includes = append(s.Includes, d.Includes...)
	if d.SoftFail {
		s.Others = spf.SoftFail
	}
}

// spf wants the SPF records.
func (w *wanted) spf() {
	names := make([]string, 0, len(w.senders))
	for name := range w.senders {
		names = append(names, name)
	}
	slices.SortFunc(names, dnsname.Compare)
	for _, name := range names {
		s := w.senders[name]
		rr, err := s.RR()
		if w.made(s.mta, name, err) {
			w.add(rr, "", s.rules...) // exceptions are made already
		}
	}
}
