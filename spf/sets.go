package spf

import (
	"net/netip"
	"slices"

	"github.com/miekg/dns"
	"go4.org/netipx"

	"github.com/bonafide-mta/bonafide/resolver"
)

// An outcome is what a policy says of all addresses at once: each is in one set.
type outcome struct {
	sets    [PermError + 1]*netipx.IPSet
	sources []source // who is in the set of Pass by which term
}

// A source is a term and the addresses that have their status by it.
type source struct {
	at     TermAt
	status Status
	set    *netipx.IPSet
}

// everybody is all addresses of both families.
var everybody = build(func(b *netipx.IPSetBuilder) {
	b.AddPrefix(netip.PrefixFrom(netip.IPv4Unspecified(), 0))
	b.AddPrefix(netip.PrefixFrom(netip.IPv6Unspecified(), 0))
})

// family is the addresses that a question of a type is asked for.
func family(qtype uint16) *netipx.IPSet {
	addr := netip.IPv6Unspecified()
	if qtype == dns.TypeA {
		addr = netip.IPv4Unspecified()
	}
	return build(func(b *netipx.IPSetBuilder) { b.AddPrefix(netip.PrefixFrom(addr, 0)) })
}

// build makes a set. No error can come of what this package adds to one.
func build(fill func(b *netipx.IPSetBuilder)) *netipx.IPSet {
	var b netipx.IPSetBuilder
	fill(&b)
	set, err := b.IPSet()
	if err != nil {
		return new(netipx.IPSet)
	}
	return set
}

func union(a, b *netipx.IPSet) *netipx.IPSet {
	return build(func(s *netipx.IPSetBuilder) { s.AddSet(a); s.AddSet(b) })
}

func intersection(a, b *netipx.IPSet) *netipx.IPSet {
	return build(func(s *netipx.IPSetBuilder) { s.AddSet(a); s.Intersect(b) })
}

func difference(a, b *netipx.IPSet) *netipx.IPSet {
	return build(func(s *netipx.IPSetBuilder) { s.AddSet(a); s.RemoveSet(b) })
}

func isEmpty(set *netipx.IPSet) bool { return len(set.Ranges()) == 0 }

// evaluate tells what the record of a node and those below it say of everybody, as
// a check does for one address (RFC 7208, Section 4), but for the limits.
func (n *Node) evaluate() outcome {
	var o outcome
	for status := range o.sets {
		o.sets[status] = new(netipx.IPSet)
	}
	left := everybody
	// give has those of a set who are left leave with a status.
	give := func(status Status, set *netipx.IPSet, sources ...source) {
		set = intersection(left, set)
		left = difference(left, set)
		o.sets[status] = union(o.sets[status], set)
		for _, s := range sources {
			if s.set = intersection(s.set, set); !isEmpty(s.set) {
				s.status = status
				o.sources = append(o.sources, s)
			}
		}
	}
	if failed := n.failed(); failed != 0 {
		give(failed, everybody)
		return o
	}
	for i := range n.reached() {
		p := &n.Parts[i]
		switch p.Term.Kind {
		case Redirect, Exp, Modifier:
			continue
		case Include:
			if p.Below == nil {
				p.set = new(netipx.IPSet)
				if !p.Undecided {
					give(PermError, everybody) // it leads to no name
				}
				continue
			}
			below := p.Below.evaluate()
			p.set = below.sets[Pass]
			give(TempError, below.sets[TempError])
			give(PermError, union(below.sets[PermError], below.sets[None]))
			give(p.Term.Qualifier, p.set, below.passing()...)
		default:
			for _, qtype := range p.failed() {
				// Those of a failed question's family are not known to match or not.
				give(TempError, difference(family(qtype), p.addresses()))
			}
			p.set = p.addresses()
			give(p.Term.Qualifier, p.set, source{at: n.at(&p.Term), set: p.set})
		}
		p.Networks = p.set.Prefixes()
	}
	if i := slices.IndexFunc(n.Parts, func(p Part) bool { return p.Below != nil && p.Term.Kind == Redirect }); i >= 0 {
		below := n.Parts[i].Below.evaluate()
		for status, set := range below.sets {
			if status := Status(status); status == None {
				give(PermError, set)
			} else if status != 0 {
				give(status, set, below.with(status)...)
			}
		}
	}
	give(Neutral, left)
	return o
}

// failed returns what a check makes of a record that it cannot evaluate, or 0.
func (n *Node) failed() Status {
	switch {
	case n.Err == nil:
		return 0
	case n.Reply.Err != nil || n.Err == ErrBounds:
		return TempError
	case n.Err == ErrNoRecord:
		return None
	}
	return PermError
}

// with returns the sources of those who have a status.
func (o outcome) with(status Status) []source {
	return slices.DeleteFunc(slices.Clone(o.sources), func(s source) bool { return s.status != status })
}

func (o outcome) passing() []source { return o.with(Pass) }

// addresses returns who a term is, without those of an include.
func (p *Part) addresses() *netipx.IPSet {
	switch p.Term.Kind {
	case All:
		return everybody
	case IP4, IP6:
		return build(func(b *netipx.IPSetBuilder) { b.AddPrefix(p.Term.Prefix.Masked()) })
	case Exists:
		if len(p.Replies) > 0 && len(resolver.Records[*dns.A](p.Replies[0].Answer)) > 0 {
			return everybody
		}
	case A, MX:
		return build(func(b *netipx.IPSetBuilder) {
			for _, reply := range p.Replies {
				for _, rr := range reply.Records {
					switch rr := rr.(type) {
					case *dns.A:
						addr, _ := netip.AddrFromSlice(rr.A)
						b.AddPrefix(netip.PrefixFrom(addr.Unmap(), int(p.Term.Len4)).Masked())
					case *dns.AAAA:
						addr, _ := netip.AddrFromSlice(rr.AAAA)
						b.AddPrefix(netip.PrefixFrom(addr, int(p.Term.Len6)).Masked())
					}
				}
			}
		})
	}
	return new(netipx.IPSet)
}

// failed returns the types of address, A or AAAA, of which the term's are not known.
func (p *Part) failed() []uint16 {
	var types []uint16
	for _, reply := range p.Replies {
		switch {
		case reply.Err == nil && p.Err == nil:
		case reply.Type == dns.TypeMX || p.Term.Kind == Exists || p.Err != nil:
			return []uint16{dns.TypeA, dns.TypeAAAA} // nothing is known
		case !slices.Contains(types, reply.Type):
			types = append(types, reply.Type)
		}
	}
	return types
}

// conclude makes what the analysis says out of what the survey found.
func (a *Analysis) conclude() {
	o := a.Root.evaluate()
	a.sources = o.sources
	a.Sets = make(map[Status][]netip.Prefix)
	for status, set := range o.sets {
		if !isEmpty(set) {
			a.Sets[Status(status)] = set.Prefixes()
		}
	}
	a.Root.sum()
	a.Root.walk(func(n *Node) {
		for i := range n.reached() {
			if n.Parts[i].Undecided {
				a.Undecided = append(a.Undecided, n.at(&n.Parts[i].Term))
			}
		}
	})
	a.lint()
}

// walk calls visit for a node and those below it, in the order of the records.
func (n *Node) walk(visit func(*Node)) {
	visit(n)
	for i := range n.Parts {
		if n.Parts[i].Below != nil {
			n.Parts[i].Below.walk(visit)
		}
	}
}

// sum counts what a record costs, and what those below it do.
func (n *Node) sum() {
	for i := range n.Parts {
		p := &n.Parts[i]
		if len(p.Replies) == 0 || p.Replies[0].Err != nil {
			continue
		}
		// An mx or an exists asks the same for every client, an a its own family.
		void4 := len(p.Replies[0].Records) == 0
		void6 := void4
		if p.Term.Kind == A {
			void6 = p.Replies[1].Err == nil && len(p.Replies[1].Records) == 0
		}
		if void4 {
			n.Own.Voids4++
		}
		if void6 {
			n.Own.Voids6++
		}
	}
	n.Sum = n.Own
	for i := range n.Parts {
		if below := n.Parts[i].Below; below != nil {
			below.sum()
			n.Sum.add(below.Sum)
		}
	}
}
