package flow

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/internal/address"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/nullmx"
	"github.com/bonafide-mta/bonafide/resolver"
)

// maxHosts is how many hosts of one name are compared with the description.
const maxHosts = 20

// Contradictions returns notes on where a description and DNS do not fit together, and what
// is not done for that reason, sorted: a mail exchanger with a name of the organization that
// no MTA is described as, and a public address of an MTA that no record has. Neither is an
// error: the description can be incomplete, or ahead of DNS.
//
// The function records returns the records of a name and type, at the end of its aliases, and
// whether they are known: nothing is noted about others. Up to 20 hosts of a name are looked
// at.
func Contradictions(o *org.Organization, records func(resolver.Question) (rrs []dns.RR, known bool)) []Note {
	c := comparison{org: o, records: records, used: make(map[netip.Addr]bool)}
	var heloNames []string
	for _, m := range o.MTAs {
		if name := dnsname.CanonicalOrEmpty(m.Helo); m.Sends() && name != "" {
			heloNames = append(heloNames, name)
		}
	}
	for _, d := range o.MailDomains() {
		c.compareHosts(dnsname.CanonicalOrEmpty(d.Domain))
	}
	for _, name := range heloNames {
		c.compareHosts(name)
	}
	for _, m := range o.MTAs {
		c.compareAddresses(m)
	}
	slices.SortFunc(c.notes, Note.Compare)
	return slices.Compact(c.notes)
}

// A comparison is that of a description with DNS.
type comparison struct {
	org     *org.Organization
	records func(resolver.Question) ([]dns.RR, bool)
	used    map[netip.Addr]bool // addresses of hosts that take mail
	notes   []Note
}

// addrs returns the addresses of a name, and whether all are known.
func (c *comparison) addrs(name string) (addrs []netip.Addr, known bool) {
	known = true
	for _, q := range resolver.AddrQuestions(name) {
		rrs, ok := c.records(q)
		known = known && ok
		addrs = append(addrs, resolver.Answer{Records: rrs}.Addrs()...)
	}
	return addrs, known
}

// compareHosts notes the exchangers of a name that are not described.
func (c *comparison) compareHosts(name string) {
	rrs, _ := c.records(resolver.Question{Name: name, Type: dns.TypeMX})
	for i, mx := range resolver.Records[*dns.MX](resolver.Answer{Records: rrs}) {
		host := dnsname.CanonicalOrEmpty(mx.Mx)
		if i == maxHosts || host == "" || nullmx.IsNull(mx) {
			continue
		}
		addrs, known := c.addrs(host)
		described := slices.ContainsFunc(c.org.MTAs, func(m org.MTA) bool {
			return dnsname.Same(m.Helo, host) || dnsname.Same(m.PTR, host) || slices.ContainsFunc(m.Addresses, func(a netip.Addr) bool { return slices.Contains(addrs, a.Unmap()) })
		})
		for _, addr := range addrs {
			c.used[addr] = true
		}
		if known && len(addrs) > 0 && !described && c.org.Owns(host) {
			c.notes = append(c.notes, Note{Name: host, Text: fmt.Sprintf("it takes the mail of %s and has %s, which no MTA is described with: its HELO name, and what it sends, are neither audited nor planned for", name, addrs[0])})
		}
	}
}

// compareAddresses notes the public addresses of an MTA that no record has. It comes after
// compareHosts.
func (c *comparison) compareAddresses(m org.MTA) {
	var has []netip.Addr
	for _, name := range []string{m.PTR, m.Helo} {
		if name = dnsname.CanonicalOrEmpty(name); dnsname.FormOf(name) != dnsname.Host {
			continue
		}
		addrs, known := c.addrs(name)
		if !known {
			return
		}
		has = append(has, addrs...)
	}
	var missing []string
	first := ""
	for _, addr := range m.Addresses {
		addr = addr.Unmap()
		reverse := dnsname.Reverse(addr)
		rrs, known := c.records(resolver.Question{Name: reverse, Type: dns.TypePTR})
		if known && len(rrs) == 0 && address.IsPublic(addr) && !c.used[addr] && !slices.Contains(has, addr) {
			missing, first = append(missing, addr.String()), cmp.Or(first, reverse)
		}
	}
	if len(missing) > 0 {
		c.notes = append(c.notes, Note{Name: first, Text: fmt.Sprintf("no record has %s, described for %s: what others see of it is not audited, so make sure that it is right before you publish its records", strings.Join(missing, ", "), m.ID)})
	}
}
