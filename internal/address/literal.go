package address

import (
	"net/netip"
	"strconv"
	"strings"
)

// ParseLiteral reads an address literal in brackets (RFC 5321, Section 4.1.3):
// [192.0.2.1] or [IPv6:2001:db8::1], of which the IPv4-mapped ones come back as IPv4. For
// any other text it returns what is wrong and at which offset in octets.
func ParseLiteral(text string) (addr netip.Addr, offset int, reason string) {
	inner, opened := strings.CutPrefix(text, "[")
	if !opened {
		return netip.Addr{}, 0, "no opening bracket"
	}
	inner, closed := strings.CutSuffix(inner, "]")
	if !closed {
		return netip.Addr{}, len(text), "no closing bracket"
	}
	tag, rest, tagged := strings.Cut(inner, ":")
	switch {
	case !tagged:
		if addr, ok := parseV4(inner); ok {
			return addr, 0, ""
		}
		return netip.Addr{}, 1, "no IPv4 address in the brackets"
	case strings.EqualFold(tag, "IPv6"):
		if addr, ok := parseV6(rest); ok {
			return addr.Unmap(), 0, ""
		}
		return netip.Addr{}, 1 + len("IPv6:"), "no IPv6 address after the tag"
	}
	if _, err := netip.ParseAddr(inner); err == nil {
		return netip.Addr{}, 1, "an IPv6 address needs the tag IPv6:"
	}
	return netip.Addr{}, 1, "no such tag of an address literal"
}

// parseV4 reads Snum 3("." Snum). Unlike netip.ParseAddr it takes leading zeros,
// which the grammar allows.
func parseV4(s string) (netip.Addr, bool) {
	parts := strings.Split(s, ".")
	if len(parts) != 4 {
		return netip.Addr{}, false
	}
	var octets [4]byte
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 10, 8)
		if err != nil || len(part) > 3 {
			return netip.Addr{}, false
		}
		octets[i] = byte(n)
	}
	return netip.AddrFrom4(octets), true
}

// parseV6 reads IPv6-addr. Unlike netip.ParseAddr it takes no zone, leading zeros
// in an IPv4 tail, and "::" for two groups at least only.
func parseV6(s string) (netip.Addr, bool) {
	groups, most := s, 6
	if i := strings.LastIndexByte(s, ':'); i >= 0 && strings.Contains(s[i:], ".") {
		tail, ok := parseV4(s[i+1:])
		if !ok {
			return netip.Addr{}, false
		}
		s, groups, most = s[:i+1]+tail.String(), s[:i], 4
	}
	// RFC 5321, Section 4.1.3: "::" stands for at least two groups, so that at
	// most six others are there, or four before an IPv4 tail.
	n := 0
	for group := range strings.SplitSeq(groups, ":") {
		if group != "" {
			n++
		}
	}
	if strings.Contains(s, "::") && n > most {
		return netip.Addr{}, false
	}
	addr, err := netip.ParseAddr(s)
	return addr, err == nil && addr.Is6() && addr.Zone() == ""
}
