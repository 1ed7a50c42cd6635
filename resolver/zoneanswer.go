package resolver

import (
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
)

// kind says what a zone has for a question.
type kind uint8

const (
	isPositive kind = iota + 1
	isNoData
	isNXDomain
	isAlias    // records are a CNAME, or a DNAME and the CNAME it makes; go on at target
	isReferral // a delegation at cut
	isUnread   // records whose data could not be read
	isTooLong  // a DNAME makes a name of over 255 octets (RFC 6672, Section 2.2: YXDOMAIN)
)

// A finding is one step of RFC 1034, Section 4.3.2, within one zone.
type finding struct {
	kind    kind
	records []dns.RR // shared, unless a wildcard or a DNAME made them
	target  string
	cut     *node
}

// find looks a canonical name up that is at or below the apex. It does not
// follow the alias that it finds. A hit allocates nothing.
func (z *zone) find(name string, qtype uint16) finding { return z.closest(name).find(name, qtype) }

// find looks a name up whose node n is, or whose closest encloser.
func (n *node) find(name string, qtype uint16) finding {
	exists := n.name == name

	hidden := n.above
	if hidden == nil && (n.cut || !exists && n.set(dns.TypeDNAME) != nil) {
		hidden = n
	}
	switch {
	case hidden == nil:
	case hidden == n && exists && qtype == dns.TypeDS:
		// RFC 4035, Section 3.1.4.1: DS is the one type that the parent has at a cut.
	case hidden.cut:
		return finding{kind: isReferral, cut: hidden}
	default:
		return substitute(hidden, name)
	}

	if exists {
		return n.answer(name, qtype)
	}
	if n.wild == nil {
		return finding{kind: isNXDomain}
	}
	return n.wild.answer(name, qtype)
}

// closest returns the node of a name, or its closest encloser (RFC 4592, Section
// 3.3.1).
func (z *zone) closest(name string) *node {
	i, found := slices.BinarySearchFunc(z.nodes, name, func(n *node, name string) int {
		return dnsname.Compare(n.name, name)
	})
	if found {
		return z.nodes[i]
	}
	// What stands between a name and those below it is below it too.
	n := z.nodes[i-1]
	for !dnsname.Under(name, n.name) {
		n = n.parent
	}
	return n
}

// answer is the last step: the node's data, under the name asked where the node
// is the wildcard that covers it (RFC 4592, Section 3.3.1).
func (n *node) answer(name string, qtype uint16) finding {
	if qtype == dns.TypeANY {
		var all []dns.RR
		for _, set := range n.sets {
			if set.unread {
				return finding{kind: isUnread}
			}
			all = append(all, set.records...)
		}
		if len(all) == 0 {
			return finding{kind: isNoData}
		}
		return finding{kind: isPositive, records: owned(all, n.name, name)}
	}
	if set := n.set(qtype); set != nil && set.unread {
		return finding{kind: isUnread}
	} else if set != nil {
		return finding{kind: isPositive, records: owned(set.records, n.name, name)}
	}
	if set := n.set(dns.TypeCNAME); set != nil {
		return finding{kind: isAlias, records: owned(set.records, n.name, name), target: set.target}
	}
	return finding{kind: isNoData}
}

// owned returns records with the owner that was asked for.
func owned(records []dns.RR, owner, asked string) []dns.RR {
	if owner == asked {
		return records
	}
	out := make([]dns.RR, len(records))
	for i, rr := range records {
		out[i] = dns.Copy(rr)
		out[i].Header().Name = asked
	}
	return out
}

// substitute applies the DNAME of n to a name below it (RFC 6672, Section 2.2).
func substitute(n *node, name string) finding {
	set := n.set(dns.TypeDNAME)
	target := strings.TrimSuffix(name, n.name) + strings.TrimPrefix(set.target, ".")
	if n.name == "." {
		target = name + strings.TrimPrefix(set.target, ".")
	}
	target, err := dnsname.Canonical(target)
	if err != nil {
		return finding{kind: isTooLong, records: set.records}
	}
	// RFC 6672, Section 3.1: the synthesized CNAME has the DNAME's TTL.
	cname := &dns.CNAME{
		Hdr:    dns.RR_Header{Name: name, Rrtype: dns.TypeCNAME, Class: dns.ClassINET, Ttl: set.records[0].Header().Ttl},
		Target: target,
	}
	return finding{kind: isAlias, records: []dns.RR{set.records[0], cname}, target: target}
}
