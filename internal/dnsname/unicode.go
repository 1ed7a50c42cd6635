package dnsname

import "strings"

// MeantInASCII returns the canonical host name that a name with octets above 127 is meant as, if
// these are UTF-8: its A-labels. It returns "" for any other name. DNS compares such octets as
// they are, and never finds the A-labels by them (RFC 5890, Section 2.3.2.1).
func MeantInASCII(name string) string {
	var b strings.Builder
	for rest, size := name, 0; rest != ""; rest = rest[size:] {
		octet, n := Unescape(rest)
		if size = n; size <= 0 {
			return ""
		}
		if octet >= 0x80 {
			b.WriteByte(octet)
		} else {
			b.WriteString(rest[:size])
		}
	}
	meant := CanonicalOrEmpty(b.String())
	if b.String() == name || FormOf(meant) != Host {
		return ""
	}
	return meant
}
