package plan

import (
	"iter"
	"slices"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/identity"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
)

// Silent returns the names of whole zones that seem to have nothing to do with mail,
// canonical and sorted, as a first Organisation.Names: host names of the organisation
// with an address, no MX record but a Null MX, and no SPF record but v=spf1 -all. Left
// out are HELO names, PTR names and mail domains, and what lies at or below a
// delegation. Look through them: programs of a machine send as user@ its name.
func Silent(o *org.Organisation, records iter.Seq[dns.RR]) []string {
	known := make(map[string]bool)
	know := func(name string) {
		if canonical, err := dnsname.Canonical(name); err == nil {
			known[canonical] = true
		}
	}
	for _, m := range o.MTAs {
		know(m.HELO)
		know(m.PTR)
	}
	for _, d := range o.MailDomains() {
		know(d.Domain)
	}
	hosts := make(map[string]bool)
	apexes := make(map[string]bool)
	var cuts []string
	for rr := range records {
		name, err := dnsname.Canonical(rr.Header().Name)
		if err != nil {
			continue
		}
		switch rr := rr.(type) {
		case *dns.A, *dns.AAAA:
			hosts[name] = true
		case *dns.SOA:
			apexes[name] = true
		case *dns.NS:
			cuts = append(cuts, name)
		case *dns.MX:
			known[name] = known[name] || rr.Mx != "."
		case *dns.TXT:
			known[name] = known[name] || isSPF(rr) && !isNullSPF(rr)
		}
	}
	cuts = slices.DeleteFunc(cuts, func(name string) bool { return apexes[name] })
	var names []string
	for name := range hosts {
		relation, _ := identity.Relate(name, o.Domain, o.Domain)
		switch {
		case known[name], dnsname.FormOf(name) != dnsname.Host, relation == identity.Unrelated:
		case slices.ContainsFunc(cuts, func(cut string) bool { return dnsname.Under(name, cut) }):
		default:
			names = append(names, name)
		}
	}
	slices.SortFunc(names, dnsname.Compare)
	return names
}
