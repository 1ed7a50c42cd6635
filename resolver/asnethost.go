package resolver

import (
	"context"
	"net"
	"net/netip"
	"slices"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/untrusted"
)

// LookupHost returns the addresses of host as text, IPv4 first. An address in text form is
// returned as it is.
func (n AsNet) LookupHost(ctx context.Context, host string) ([]string, error) {
	if _, err := netip.ParseAddr(host); err == nil {
		return []string{host}, nil
	}
	addrs, err := n.LookupNetIP(ctx, "ip", host)
	var out []string
	for _, addr := range addrs {
		out = append(out, addr.String())
	}
	return out, err
}

// LookupIPAddr returns the addresses of host, IPv4 first. An address in text form is
// returned as it is, with its zone.
func (n AsNet) LookupIPAddr(ctx context.Context, host string) ([]net.IPAddr, error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		return []net.IPAddr{{IP: addr.Unmap().AsSlice(), Zone: addr.Zone()}}, nil
	}
	addrs, err := n.LookupNetIP(ctx, "ip", host)
	var out []net.IPAddr
	for _, addr := range addrs {
		out = append(out, net.IPAddr{IP: addr.AsSlice()})
	}
	return out, err
}

// LookupIP returns the addresses of host that a network has: ip, ip4 or ip6.
func (n AsNet) LookupIP(ctx context.Context, network, host string) ([]net.IP, error) {
	addrs, err := n.LookupNetIP(ctx, network, host)
	var out []net.IP
	for _, addr := range addrs {
		out = append(out, addr.AsSlice())
	}
	return out, err
}

// LookupNetIP returns the addresses of host that a network has: ip, ip4 or ip6. Those of
// ip4 are IPv4, never IPv4-mapped, and only ip6 leaves out an IPv4-mapped address of an
// AAAA record. An address in text form is returned without its zone.
func (n AsNet) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	families := map[string][]uint16{"ip": {dns.TypeA, dns.TypeAAAA}, "ip4": {dns.TypeA}, "ip6": {dns.TypeAAAA}}[network]
	if families == nil {
		return nil, net.UnknownNetworkError(untrusted.Line(network))
	}
	var addrs []netip.Addr
	if addr, err := netip.ParseAddr(host); err == nil {
		addrs = []netip.Addr{addr.Unmap().WithZone("")}
	} else {
		for _, family := range families {
			reply := Ask(ctx, n.Resolver, host, family)
			if reply.Err != nil {
				return nil, netError(host, reply.Err)
			}
			addrs = append(addrs, reply.Addrs()...)
		}
	}
	addrs = slices.DeleteFunc(addrs, func(addr netip.Addr) bool { return !slices.Contains(families, AddrType(addr)) })
	if len(addrs) == 0 {
		return nil, netNotFound(host, "")
	}
	return addrs, nil
}

// LookupCNAME returns the canonical name of host: the name at the end of its aliases, or
// its own if it is not an alias, as the answer spells it. It needs an address there, as
// package net documents it; ask for the CNAME record by [Ask] otherwise. With a Resolver
// that tells no aliases, as [FromNet], it is the name of host.
func (n AsNet) LookupCNAME(ctx context.Context, host string) (string, error) {
	var failed error
	for _, family := range []uint16{dns.TypeA, dns.TypeAAAA} {
		reply := Ask(ctx, n.Resolver, host, family)
		switch {
		case len(reply.Records) > 0:
			return reply.Records[0].Header().Name, nil
		case reply.Err != nil && failed == nil:
			failed = netError(host, reply.Err)
		}
	}
	if failed != nil {
		return "", failed
	}
	return "", netNotFound(host, "")
}
