// Package address tells which addresses the public Internet can reach, by the
// special-purpose registries of RFC 6890, and reads address literals.
package address

import (
	"net/netip"
	"slices"
)

// Class says what an address is good for.
type Class uint8

// The classes of an address.
const (
	_             Class = iota
	Public              // public unicast
	Private             // for use inside one network: RFC 1918, RFC 4193
	Shared              // between a provider and its customers: RFC 6598 (CGNAT)
	Documentation       // for examples: RFC 5737, RFC 3849, RFC 9637
	Transition          // IPv4 carried over IPv6 by a relay or translator: a stranger may come from it, and no mail server should
	Special             // everything else that no mail server can be reached at
)

// A block is a range of addresses of the registries, and its name.
type block struct {
	prefix netip.Prefix
	class  Class
	name   string
}

func blocks(class Class, name string, prefixes ...string) []block {
	var out []block
	for _, p := range prefixes {
		out = append(out, block{netip.MustParsePrefix(p), class, name})
	}
	return out
}

// table is searched in order, and the first block that holds the address counts:
// blocks within others come first. It has the IANA IPv4 and IPv6 Special-Purpose
// Address Registries (RFC 6890, as updated by RFC 8190), and multicast.
var table = slices.Concat(
	// Globally reachable parts of blocks below.
	blocks(Public, "", "192.0.0.9/32", "2001:1::1/128"),  // RFC 7723: Port Control Protocol anycast
	blocks(Public, "", "192.0.0.10/32", "2001:1::2/128"), // RFC 8155: TURN anycast
	blocks(Public, "", "2001:1::3/128"),                  // RFC 9665: DNS-SD service registration anycast
	blocks(Public, "", "2001:3::/32"),                    // RFC 7450: AMT
	blocks(Public, "", "2001:4:112::/48"),                // RFC 7535: AS112
	blocks(Public, "", "2001:20::/28", "2001:30::/28"),   // RFC 7343: ORCHIDv2; RFC 9374: drone remote identification

	blocks(Private, "private, RFC 1918", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),
	blocks(Private, "unique local, RFC 4193", "fc00::/7"),
	blocks(Shared, "shared with a provider (CGNAT), RFC 6598", "100.64.0.0/10"),
	blocks(Documentation, "documentation, RFC 5737", "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"),
	blocks(Documentation, "documentation, RFC 3849", "2001:db8::/32"),
	blocks(Documentation, "documentation, RFC 9637", "3fff::/20"),
	// The registry leaves open whether 6to4 and Teredo are globally reachable, and
	// has the well-known prefix of NAT64 as globally reachable.
	blocks(Transition, "6to4, RFC 7526 and RFC 3056", "2002::/16"),
	blocks(Transition, "Teredo, RFC 4380", "2001::/32"),
	blocks(Transition, "IPv4 by translation (NAT64), RFC 6052", nat64.String()),
	blocks(Special, "unspecified", "0.0.0.0/32", "::/128"),
	blocks(Special, "this network, RFC 791", "0.0.0.0/8"),
	blocks(Special, "loopback, RFC 1122", "127.0.0.0/8"),
	blocks(Special, "loopback, RFC 4291", "::1/128"),
	blocks(Special, "link-local, RFC 3927", "169.254.0.0/16"),
	blocks(Special, "link-local, RFC 4291", "fe80::/10"),
	blocks(Special, "multicast", "224.0.0.0/4", "ff00::/8"),
	blocks(Special, "protocol assignments, RFC 6890", "192.0.0.0/24", "2001::/23"),
	blocks(Special, "6to4, RFC 7526 and RFC 3056", "192.88.99.0/24"),
	blocks(Special, "benchmarking, RFC 2544", "198.18.0.0/15"),
	blocks(Special, "reserved, RFC 1112", "240.0.0.0/4"), // limited broadcast (RFC 919) too
)

// globalV6 is all that is handed out of IPv6 (RFC 4291, Section 2.4).
var globalV6 = netip.MustParsePrefix("2000::/3")

// ClassOf returns the class of an address and the name of the block it is in,
// "" for a public one. IPv4-mapped addresses count as IPv4; the zero Addr is
// Special.
func ClassOf(addr netip.Addr) (Class, string) {
	addr = addr.Unmap().WithZone("")
	for _, b := range table {
		if b.prefix.Contains(addr) {
			return b.class, b.name
		}
	}
	switch {
	case !addr.IsValid():
		return Special, "no address"
	case addr.Is6() && !globalV6.Contains(addr):
		return Special, "not handed out, RFC 4291"
	}
	return Public, ""
}

// Canonical returns the one form of an address in which clients are judged and compared:
// IPv4-mapped addresses and those by translation (64:ff9b::/96, RFC 6052, Section 2.2) as
// IPv4, without zone. 6to4 and Teredo addresses stay as they are: anyone's relay may have
// written the IPv4 address in them.
func Canonical(addr netip.Addr) netip.Addr {
	addr = addr.Unmap().WithZone("")
	if nat64.Contains(addr) {
		octets := addr.As16()
		return netip.AddrFrom4([4]byte(octets[12:]))
	}
	return addr
}

var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// IsPublic reports whether a mail server of the public Internet can have an
// address. Those for documentation count: examples are judged as the real thing.
func IsPublic(addr netip.Addr) bool {
	class, _ := ClassOf(addr)
	return class == Public || class == Documentation
}

// FromInternet reports whether a connection from an address can have come over the
// public Internet: whether it is public, or of the class Transition.
func FromInternet(addr netip.Addr) bool {
	class, _ := ClassOf(addr)
	return class == Transition || IsPublic(addr)
}

// IsHost reports whether an address can be that of one host, in whatever network:
// whether it is valid, and neither unspecified, nor multicast, nor the limited
// broadcast address (RFC 919).
func IsHost(addr netip.Addr) bool {
	addr = addr.Unmap()
	return addr.IsValid() && !addr.IsUnspecified() && !addr.IsMulticast() && addr != broadcast
}

var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// Holds reports whether a network holds the address of a client, each as it is given or as
// IPv4. A network of IPv4-mapped addresses holds IPv4 addresses. A wider one, such as ::/0,
// holds IPv6 addresses alone.
func Holds(network netip.Prefix, client netip.Addr) bool {
	forms := []netip.Addr{client.Unmap().WithZone("")}
	if addr := Canonical(client); IsPublic(addr) { // nobody routes 64:ff9b::10.0.0.1 to us (RFC 6052, Section 3.1)
		forms = append(forms, addr)
	}
	return slices.ContainsFunc(forms, func(addr netip.Addr) bool {
		if addr.Is4() && network.Addr().Is4In6() {
			addr = netip.AddrFrom16(addr.As16())
		}
		return network.Contains(addr)
	})
}

// CanonicalNetwork returns the network that holds the [Canonical] addresses of the clients in
// another one: an IPv4 network for a part of 64:ff9b::/96. For the whole of it, it is the zero
// Prefix, which holds nobody: 0.0.0.0/0 would hold clients that came without translation, too.
func CanonicalNetwork(network netip.Prefix) netip.Prefix {
	bits := network.Bits() - nat64.Bits()
	switch {
	case bits < 0 || !nat64.Contains(network.Addr()):
		return network
	case bits == 0:
		return netip.Prefix{}
	}
	return netip.PrefixFrom(Canonical(network.Addr()), bits)
}
