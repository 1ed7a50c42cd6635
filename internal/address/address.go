// Package address tells which addresses the public Internet can reach, by the
// special-purpose registries of RFC 6890.
package address

import "net/netip"

// Class says what an address is good for.
type Class uint8

// The classes of an address.
const (
	_             Class = iota
	Public              // public unicast
	Private             // for use inside one network: RFC 1918, RFC 4193
	Shared              // between a provider and its customers: RFC 6598 (CGNAT)
	Documentation       // for examples: RFC 5737, RFC 3849, RFC 9637
	Special             // everything else that no mail server can be reached at
)

// A block is a range of addresses that is not public, and its name.
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

// table is searched in order: the first block that holds the address counts.
var table = concat(
	blocks(Private, "private, RFC 1918", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),
	blocks(Private, "unique local, RFC 4193", "fc00::/7"),
	blocks(Shared, "shared with a provider (CGNAT), RFC 6598", "100.64.0.0/10"),
	blocks(Documentation, "documentation, RFC 5737", "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"),
	blocks(Documentation, "documentation, RFC 3849", "2001:db8::/32"),
	blocks(Documentation, "documentation, RFC 9637", "3fff::/20"),
	blocks(Special, "unspecified", "0.0.0.0/32", "::/128"),
	blocks(Special, "this network, RFC 791", "0.0.0.0/8"),
	blocks(Special, "loopback, RFC 1122", "127.0.0.0/8"),
	blocks(Special, "loopback, RFC 4291", "::1/128"),
	blocks(Special, "link-local, RFC 3927", "169.254.0.0/16"),
	blocks(Special, "link-local, RFC 4291", "fe80::/10"),
	blocks(Special, "multicast", "224.0.0.0/4", "ff00::/8"),
	blocks(Special, "protocol assignments, RFC 6890", "192.0.0.0/24", "2001::/23"),
	blocks(Special, "6to4, RFC 7526 and RFC 3056", "192.88.99.0/24", "2002::/16"),
	blocks(Special, "benchmarking, RFC 2544", "198.18.0.0/15"),
	blocks(Special, "reserved, RFC 1112", "240.0.0.0/4"),
)

// globalV6 is all that is handed out of IPv6 (RFC 4291, Section 2.4).
var globalV6 = netip.MustParsePrefix("2000::/3")

func concat(parts ...[]block) []block {
	var out []block
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

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
