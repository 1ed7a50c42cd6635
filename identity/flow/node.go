package flow

import (
	"net"
	"net/netip"
	"slices"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/enum"
)

// A Node is what the records of zones show about one name. A survey can have millions.
type Node struct {
	Name    string       `json:"name"`              // canonical
	Addrs   []netip.Addr `json:"addrs,omitzero"`    // of its A and AAAA records
	Traits  Trait        `json:"traits,omitzero"`   // all that it has: see Has
	TextTTL uint32       `json:"text_ttl,omitzero"` // TTL of its TXT records in seconds, 0 without any
}

// Has reports whether the name has any of the traits. A nil Node has none.
func (n *Node) Has(t Trait) bool { return n != nil && n.Traits&t != 0 }

// A Trait is a property of a name. Traits are bits: a Node has a set of them. The zero
// Trait is the empty set.
type Trait uint16

// The traits of a name.
const (
	Apex       Trait = 1 << iota // has a SOA record
	Delegated                    // has NS records
	Redirects                    // has a DNAME record: no records exist below it
	Alias                        // has a CNAME record
	GetsMail                     // has an MX record that is not a Null MX
	NullMX                       // has a Null MX
	Sends                        // has an SPF record that is not null
	NullSPF                      // has a null SPF record, or one that redirects to a null one
	SeveralSPF                   // has several SPF records, which receivers reject (RFC 7208, Section 4.5)
	Serves                       // has an SRV record
	Machine                      // has an SSHFP or HINFO record, or is a PTR name
	Signed                       // has a DNSKEY record: the zone is signed with DNSSEC
)

var traitText = []string{"apex", "delegated", "redirects", "alias", "gets-mail", "null-mx", "sends", "null-spf", "several-spf", "serves", "machine", "signed"}

// String lists the keywords of the traits, separated by commas; "" is the empty set.
func (t Trait) String() string { return enum.SetString(t, traitText) }

// MarshalText returns the text of String; a set with other traits is an error.
func (t Trait) MarshalText() ([]byte, error) { return enum.MarshalSet(t, traitText) }

// UnmarshalText accepts what MarshalText returns, in any case.
func (t *Trait) UnmarshalText(text []byte) error { return enum.UnmarshalSet(t, text, traitText) }

// nodes are the nodes of names. Once sorted they are searched rather than hashed: a map with
// millions of names is slow, and records mostly come sorted.
type nodes []Node

// search returns where a name is in sorted nodes, or would be, and whether it is there.
func (all nodes) search(name string) (int, bool) {
	return slices.BinarySearchFunc(all, name, func(n Node, name string) int { return dnsname.Compare(n.Name, name) })
}

// find returns the node of a name in sorted nodes, nil if there is none.
func (all nodes) find(name string) *Node {
	i, ok := all.search(name)
	if !ok {
		return nil
	}
	return &all[i]
}

// merged returns the nodes sorted by name, with one node for each name.
func (all nodes) merged() nodes {
	byName := func(a, b Node) int { return dnsname.Compare(a.Name, b.Name) }
	if !slices.IsSortedFunc(all, byName) {
		slices.SortStableFunc(all, byName)
	}
	out := all[:0]
	for _, n := range all {
		if last := len(out) - 1; last >= 0 && out[last].Name == n.Name {
			out[last].merge(n)
		} else {
			out = append(out, n)
		}
	}
	return out
}

// merge adds what another node shows about the same name.
func (n *Node) merge(other Node) {
	if n.Has(Sends|NullSPF) && other.Has(Sends|NullSPF) {
		n.Traits |= SeveralSPF
	}
	n.Traits |= other.Traits
	n.Addrs = append(n.Addrs, other.Addrs...)
	n.TextTTL = leastTTL(n.TextTTL, other.TextTTL)
}

// leastTTL returns the lesser TTL, of which 0 is none. All texts of a name should have one
// (RFC 2181, Section 5.2).
func leastTTL(a, b uint32) uint32 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// addAddress adds the address of an A or AAAA record.
func (n *Node) addAddress(ip net.IP) {
	if addr, ok := netip.AddrFromSlice(ip); ok {
		n.Addrs = append(n.Addrs, addr.Unmap())
	}
}
