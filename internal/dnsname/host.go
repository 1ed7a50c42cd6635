package dnsname

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// Form says what a canonical name could be, from the worst to the best: what a
// mail server may be called, and what only looks like a name.
type Form uint8

// The forms of a name. Where several apply, the first is reported.
const (
	_           Form = iota
	Malformed        // a label with octets that no host name has, or a hyphen at its end
	Numeric          // the last label is all digits: an address, or a part of one
	SingleLabel      // no dot: no name of the public DNS
	Special          // under a reserved domain (see Reserved)
	Underscore       // would be a host name without its underscore
	Host             // letters, digits and hyphens (RFC 1123, Section 2.1)
)

// FormOf returns the form of a canonical name.
func FormOf(name string) Form {
	if name == "." {
		return Malformed
	}
	labels := strings.Split(strings.TrimSuffix(name, "."), ".")
	underscore := false
	for _, label := range labels {
		if label == "" || label[0] == '-' || label[len(label)-1] == '-' {
			return Malformed
		}
		for i := range len(label) {
			switch c := label[i]; {
			case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-':
			case c == '_':
				underscore = true
			default:
				return Malformed
			}
		}
	}
	// RFC 1123, Section 2.1: a host name can never have the form of an address,
	// since at least its last label is alphabetic.
	switch last := labels[len(labels)-1]; {
	case strings.Trim(last, "0123456789") == "":
		return Numeric
	case len(labels) == 1:
		return SingleLabel
	case Reserved(name):
		return Special
	case underscore:
		return Underscore
	}
	return Host
}

// Qualified reports whether a canonical name can be that of a domain with records of
// its own: two labels at least, of which the last is no number and the first none
// of an address literal. Whether a host may be called so is for FormOf to say.
func Qualified(name string) bool {
	last, _ := dns.PrevLabel(name, 1) // knows escaped dots
	return last > 0 && name[0] != '[' && strings.Trim(name[last:len(name)-1], "0123456789") != ""
}

// Reverse returns the canonical name under in-addr.arpa or ip6.arpa that holds
// the PTR records of addr (RFC 1035, Section 3.5; RFC 3596, Section 2.5). An
// IPv4-mapped address gets its IPv4 name; a zone is dropped. It returns "" for
// an invalid address.
func Reverse(addr netip.Addr) string {
	name, err := dns.ReverseAddr(addr.Unmap().WithZone("").String())
	if err != nil {
		return ""
	}
	return name
}

// FromReverse returns the address whose reverse name a canonical name is, and an
// invalid one for any other name.
func FromReverse(name string) netip.Addr {
	var addr netip.Addr
	if digits, v4 := strings.CutSuffix(name, ".in-addr.arpa."); v4 {
		addr = fromOctets(strings.Split(digits, "."))
	} else if digits, v6 := strings.CutSuffix(name, ".ip6.arpa."); v6 {
		addr = fromNibbles(strings.Split(digits, "."))
	}
	// The way back decides what is a reverse name: no leading zeros, no
	// IPv4-mapped address under ip6.arpa.
	if Reverse(addr) != name {
		return netip.Addr{}
	}
	return addr
}

// fromOctets and fromNibbles return an invalid address for what is none.
func fromOctets(labels []string) netip.Addr {
	slices.Reverse(labels)
	addr, _ := netip.ParseAddr(strings.Join(labels, "."))
	return addr
}

func fromNibbles(labels []string) netip.Addr {
	slices.Reverse(labels)
	var b strings.Builder
	for i, label := range labels {
		if i > 0 && i%4 == 0 {
			b.WriteByte(':')
		}
		b.WriteString(label)
	}
	addr, _ := netip.ParseAddr(b.String())
	return addr
}
