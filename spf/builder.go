package spf

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/address"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/txt"
)

// A Builder builds the SPF record of a name from those who may use it. For a HELO name,
// set Addrs to the addresses of its MTA (preferred), or Own. For the domain of an
// envelope address, set Addrs, Networks and Includes. Without any of them the record is
// null: it denies every client.
type Builder struct {
	Name       string         `json:"name,omitzero"`       // whose record it is, in any form that resolver.Canonical accepts
	Addrs      []netip.Addr   `json:"addrs,omitzero"`      // duplicates do no harm
	Networks   []netip.Prefix `json:"networks,omitzero"`   // host bits are cleared
	Own        bool           `json:"own,omitzero"`        // the addresses of the name itself (a): one lookup for each receiver
	Exchangers bool           `json:"exchangers,omitzero"` // the addresses of the name's mail exchangers (mx)
	Includes   []string       `json:"includes,omitzero"`   // domains whose records say who else may, as a provider's
	// Others is the status of all other clients: Fail, SoftFail or Neutral. Zero means
	// Fail.
	Others Status `json:"others,omitzero"`
	TTL    uint32 `json:"ttl,omitzero"` // in seconds
}

// Record returns the record: networks first, since they need no lookup. It refuses
// what a Check would, and what is surely a mistake: addresses that no host has, a
// network that is everybody, an include that ParseDomain refuses or that is the name
// itself, and Others that pass. Parse reads the text of the record back to the same terms.
func (b Builder) Record() (*Record, error) {
	if name, ok := judged(b.Name); !ok || dnsname.Reserved(name) {
		return nil, fmt.Errorf("spf: %q: expected the name of a host or a domain in the public DNS, of two labels at least", b.Name)
	}
	terms, err := b.networks()
	if err != nil {
		return nil, err
	}
	if b.Own {
		terms = append(terms, "a")
	}
	if b.Exchangers {
		terms = append(terms, "mx")
	}
	includes, err := b.includes()
	if err != nil {
		return nil, err
	}
	for _, name := range includes {
		terms = append(terms, "include:"+name)
	}
	switch others := cmp.Or(b.Others, Fail); others {
	case Fail, SoftFail, Neutral:
		terms = append(terms, qualifiers[others]+"all")
	default:
		return nil, fmt.Errorf("spf: Others is %s: expected fail, softfail or neutral", others)
	}
	return Parse(version + " " + strings.Join(terms, " "))
}

// RR returns the record as it is published, cut into strings of 255 octets.
func (b Builder) RR() (*dns.TXT, error) {
	record, err := b.Record()
	if err != nil {
		return nil, err
	}
	return record.RR(b.Name, b.TTL)
}

// networks returns the terms of addresses and networks, in their order, each once.
func (b Builder) networks() ([]string, error) {
	var prefixes []netip.Prefix
	for _, addr := range b.Addrs {
		addr = addr.Unmap().WithZone("")
		if !address.IsHost(addr) {
			return nil, fmt.Errorf("spf: %s is no address of a host", addr)
		}
		prefixes = append(prefixes, netip.PrefixFrom(addr, addr.BitLen()))
	}
	for _, p := range b.Networks {
		if err := checkNetwork(p); err != nil {
			return nil, fmt.Errorf("spf: %s %w", p, err)
		}
		prefixes = append(prefixes, p.Masked())
	}
	slices.SortFunc(prefixes, func(a, b netip.Prefix) int {
		return cmp.Or(cmp.Compare(a.Addr().BitLen(), b.Addr().BitLen()), a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
	})
	var terms []string
	for _, p := range slices.Compact(prefixes) {
		terms = append(terms, network(p))
	}
	return terms, nil
}

// network is the term of a network.
func network(p netip.Prefix) string {
	kind := IP6
	if p.Addr().Is4() {
		kind = IP4
	}
	return Term{Kind: kind, Qualifier: Pass, Prefix: p}.String()
}

// includes returns the names to include, each once.
func (b Builder) includes() ([]string, error) {
	var names []string
	for _, include := range b.Includes {
		name, err := ParseDomain(include)
		switch {
		case err != nil:
			return nil, fmt.Errorf("spf: include %w", err)
		case dnsname.Same(b.Name, name):
			return nil, fmt.Errorf("spf: %s. includes itself", name)
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names, nil
}

// RR returns the record as a name publishes it, cut into strings of 255 octets. TTL
// is in seconds. It refuses what a Check would: terms that are no such terms, and
// more of them that need DNS than the limit, those of included records aside.
func (r *Record) RR(name string, ttl uint32) (*dns.TXT, error) {
	canonical, ok := judged(name)
	if !ok {
		return nil, fmt.Errorf("spf: %q: expected the name of a host or a domain in the public DNS, of two labels at least", name)
	}
	text := r.String()
	parsed, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("spf: %w", err)
	}
	lookups := 0
	for _, t := range parsed.Terms {
		if t.Kind.looksUp() {
			lookups++
		}
	}
	if lookups > DefaultMaxLookups {
		return nil, fmt.Errorf("spf: %d terms that need DNS: %w", lookups, ErrLookups)
	}
	rr := &dns.TXT{Hdr: dns.RR_Header{Name: canonical, Rrtype: dns.TypeTXT, Class: dns.ClassINET, Ttl: ttl}, Txt: txt.Split(text)}
	if n := dns.Len(rr); n > 1<<15 {
		return nil, fmt.Errorf("spf: a record of %d octets: no DNS message holds it with all that belongs to it", n)
	}
	return rr, nil
}
