package resolver

import (
	"fmt"
	"net/netip"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
)

// ReverseName returns the canonical name whose PTR records name addr: under
// in-addr.arpa (RFC 1035, Section 3.5) or, by nibbles, ip6.arpa (RFC 3596,
// Section 2.5). An IPv4-mapped address gets its IPv4 name, and a zone is dropped.
// It returns "" for an invalid address.
func ReverseName(addr netip.Addr) string { return dnsname.Reverse(addr) }

// FromReverseName returns the address of a reverse name, in any case, with or
// without the final dot. A name of fewer labels, which is a network's, is an error,
// and so is a name of RFC 2317 (11.8-15.2.0.192.in-addr.arpa), which does not tell
// the address.
func FromReverseName(name string) (netip.Addr, error) {
	canonical, err := Canonical(name)
	if err != nil {
		return netip.Addr{}, err
	}
	addr := dnsname.FromReverse(canonical)
	if !addr.IsValid() {
		return netip.Addr{}, fmt.Errorf("%q is not the reverse name of an address: expected four numbers under in-addr.arpa or 32 hexadecimal digits under ip6.arpa", name)
	}
	return addr, nil
}
