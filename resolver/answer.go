package resolver

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

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
func (z *zone) find(name string, qtype uint16) finding { return z.encloser(name).find(name, qtype) }

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

// answer is the last step: the node's data, under the name asked where the node
// is the wildcard that covers it (RFC 4592, Section 3.3.1).
func (n *node) answer(name string, qtype uint16) finding {
	if qtype == dns.TypeANY {
		var all []dns.RR
		for _, set := range n.sets {
			all = append(all, set.records...)
		}
		if len(all) == 0 {
			return finding{kind: isNoData}
		}
		return finding{kind: isPositive, records: owned(all, n.name, name)}
	}
	if set := n.set(qtype); set != nil {
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
	// RFC 6672, Section 3.1: the synthesised CNAME has the DNAME's TTL.
	cname := &dns.CNAME{
		Hdr:    dns.RR_Header{Name: name, Rrtype: dns.TypeCNAME, Class: dns.ClassINET, Ttl: set.records[0].Header().Ttl},
		Target: target,
	}
	return finding{kind: isAlias, records: []dns.RR{set.records[0], cname}, target: target}
}

// maxHops is how many aliases are followed before a chain counts as endless.
const maxHops = 16

// Lookup answers as a resolver that has the zones' servers to itself.
func (z *Zones) Lookup(ctx context.Context, name string, qtype uint16) (Answer, error) {
	if ctx.Err() != nil {
		return Answer{}, contextError(ctx, name, qtype, "")
	}
	owner, bad := dnsname.Canonical(name)
	if bad != nil {
		return Answer{}, &Error{Name: name, Type: qtype, Err: bad}
	}
	answer := Answer{TTL: forever}
	left, err := z.follow(&answer, owner, qtype)
	switch {
	case err != nil:
		return Answer{}, err.about(name, qtype)
	case left != "":
		err = &Error{Err: fmt.Errorf("%w: %s", ErrNoZone, left)}
		return Answer{}, err.about(name, qtype)
	}
	return answer, nil
}

// forever is more than any TTL: the TTL of an answer that rests on nothing yet.
const forever = time.Duration(math.MaxInt64)

// errDelegated is the cause for a name below a delegation to a zone that is not
// there.
var errDelegated = errors.New("delegated, and no zone given for it")

// follow adds to an answer what the zones say of a name. left is the name to which
// its aliases led where that is outside the zones, or, with errDelegated, below a
// delegation; else it is "". An error has no question yet.
func (z *Zones) follow(answer *Answer, owner string, qtype uint16) (left string, err *Error) {
	for range maxHops + 1 {
		n := z.encloser(owner, qtype)
		if n == nil {
			return owner, nil
		}
		in := n.zone
		answer.Server = in.source
		f := n.find(owner, qtype)
		switch f.kind {
		case isPositive:
			answer.Records = f.records
			answer.restOn(f.records)
		case isNoData, isNXDomain:
			if f.kind == isNXDomain {
				answer.Status = NXDomain
			}
			answer.TTL = min(answer.TTL, time.Duration(in.negativeTTL())*time.Second)
		case isAlias:
			answer.restOn(f.records)
			if followed(qtype) {
				if answer.Chain == nil {
					answer.Chain = slices.Clip(f.records) // shared: one alias allocates nothing
				} else {
					answer.Chain = append(answer.Chain, f.records...)
				}
				owner = f.target
				continue
			}
			answer.unfollowed(f.records, qtype)
		case isReferral:
			return owner, &Error{Server: in.source, RCode: dns.RcodeServerFailure, Err: fmt.Errorf("%s is %w", f.cut.name, errDelegated)}
		case isTooLong:
			return "", &Error{Server: in.source, RCode: dns.RcodeYXDomain, Err: fmt.Errorf("a DNAME makes %s too long", owner)}
		}
		return "", nil
	}
	return "", &Error{Server: answer.Server, RCode: dns.RcodeServerFailure, Err: ErrChain}
}

// restOn lowers the TTL of an answer to that of records that it rests on.
func (a *Answer) restOn(records []dns.RR) {
	for _, rr := range records {
		a.TTL = min(a.TTL, time.Duration(ttlOf(rr))*time.Second)
	}
}

// followed reports whether aliases are followed for a question of this type.
func followed(qtype uint16) bool {
	return qtype != dns.TypeCNAME && qtype != dns.TypeDNAME && qtype != dns.TypeANY
}

// unfollowed keeps the aliases at the name asked as its records as far as they
// are of the type asked, else as the chain: a DNAME above, and the CNAME it makes.
func (a *Answer) unfollowed(aliases []dns.RR, qtype uint16) {
	for _, rr := range aliases {
		if rr.Header().Rrtype == qtype && qtype == dns.TypeCNAME || qtype == dns.TypeANY {
			a.Records = append(a.Records, rr)
		} else {
			a.Chain = append(a.Chain, rr)
		}
	}
}

// encloser returns the name's node in the zone that speaks for a question, or that
// of its closest encloser there (RFC 4592, Section 3.3.1); nil if no zone does.
func (z *Zones) encloser(name string, qtype uint16) *node {
	if qtype == dns.TypeDS && name != "." { // RFC 4035, Section 3.1.4.1: asked at the parent
		if in := enclosing(z.zones, dnsname.Parent(name)); in != nil {
			return in.encloser(name)
		}
	}
	for ; name != ""; name = dnsname.Parent(name) {
		if n := z.names[name]; n != nil {
			return n
		}
	}
	return nil
}

// encloser returns the node of a name in the zone, or of its closest encloser.
func (z *zone) encloser(name string) *node {
	for {
		if n := z.nodes[name]; n != nil {
			return n
		}
		name = dnsname.Parent(name)
	}
}
