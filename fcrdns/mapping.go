package fcrdns

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/address"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
)

// A Mapping is a name and its addresses, to be published both ways: PTR records
// for the addresses, A and AAAA records for the name.
type Mapping struct {
	Name  string       // a host name, in any form that resolver.Canonical accepts
	Addrs []netip.Addr // at least one; duplicates do no harm
	TTL   uint32       // in seconds, for every record
}

// PTRs returns one PTR record an address, by address. Records that a Check
// could not pass are refused: see [Mapping.Addresses].
func (m Mapping) PTRs() ([]*dns.PTR, error) {
	name, addrs, err := m.check()
	if err != nil {
		return nil, err
	}
	var out []*dns.PTR
	for _, addr := range addrs {
		out = append(out, &dns.PTR{Hdr: header(dnsname.Reverse(addr), dns.TypePTR, m.TTL), Ptr: name})
	}
	return out, nil
}

// Addresses returns the A and AAAA records of the name, by address. It refuses,
// as PTRs does, a name that cannot confirm (a number, a single label, a reserved
// name), one with an underscore, which mail servers should not have, and an
// invalid, unspecified, multicast or broadcast address.
func (m Mapping) Addresses() ([]dns.RR, error) {
	name, addrs, err := m.check()
	if err != nil {
		return nil, err
	}
	var out []dns.RR
	for _, addr := range addrs {
		if addr.Is4() {
			out = append(out, &dns.A{Hdr: header(name, dns.TypeA, m.TTL), A: addr.AsSlice()})
		} else {
			out = append(out, &dns.AAAA{Hdr: header(name, dns.TypeAAAA, m.TTL), AAAA: addr.AsSlice()})
		}
	}
	return out, nil
}

// RRs returns the records of both directions: Addresses, then PTRs.
func (m Mapping) RRs() ([]dns.RR, error) {
	out, err := m.Addresses()
	if err != nil {
		return nil, err
	}
	ptrs, err := m.PTRs()
	for _, ptr := range ptrs {
		out = append(out, ptr)
	}
	return out, err
}

func header(name string, rtype uint16, ttl uint32) dns.RR_Header {
	return dns.RR_Header{Name: name, Rrtype: rtype, Class: dns.ClassINET, Ttl: ttl}
}

// check returns the canonical name and the addresses, sorted, each once.
func (m Mapping) check() (string, []netip.Addr, error) {
	name, err := dnsname.Canonical(m.Name)
	if err != nil {
		return "", nil, fmt.Errorf("fcrdns: %w", err)
	}
	if dnsname.FormOf(name) != dnsname.Host {
		return "", nil, fmt.Errorf("fcrdns: %q is no host name of the public DNS: expected letters, digits and hyphens, and at least two labels", m.Name)
	}
	if len(m.Addrs) == 0 {
		return "", nil, fmt.Errorf("fcrdns: no address for %s", name)
	}
	var addrs []netip.Addr
	for _, addr := range m.Addrs {
		if !address.IsHost(addr) {
			return "", nil, fmt.Errorf("fcrdns: %s is no address of a host", addr)
		}
		addrs = append(addrs, addr.Unmap().WithZone(""))
	}
	slices.SortFunc(addrs, func(a, b netip.Addr) int { return cmp.Or(cmp.Compare(a.BitLen(), b.BitLen()), a.Compare(b)) })
	return name, slices.Compact(addrs), nil
}
