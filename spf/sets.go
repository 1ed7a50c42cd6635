package spf

import (
	"container/heap"
	"net/netip"
	"slices"

	"github.com/miekg/dns"
	"go4.org/netipx"

	"github.com/bonafide-mta/bonafide/resolver"
)

// A source is a term and the addresses that have their status by it. Of those of a
// record, each address is in one.
type source struct {
	at     TermAt // no term where none decides
	status Status
	set    *netipx.IPSet
	term   int // of the record, or -1
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

func difference(a, b *netipx.IPSet) *netipx.IPSet {
	return build(func(s *netipx.IPSetBuilder) { s.AddSet(a); s.RemoveSet(b) })
}

// union returns who has a status by any of some sources.
func union(sources []source, status Status) *netipx.IPSet {
	return build(func(s *netipx.IPSetBuilder) {
		for _, source := range sources {
			if source.status == status {
				s.AddSet(source.set)
			}
		}
	})
}

func isEmpty(set *netipx.IPSet) bool { return len(set.Ranges()) == 0 }

// evaluate returns the statuses that the record of a node and those below it give to all
// addresses, as a check does for one address (RFC 7208, Section 4), without its limits.
func (n *TreeNode) evaluate() []source {
	if failed := n.failed(); failed != 0 {
		return []source{{status: failed, set: everybody, term: -1}}
	}
	var claims []source
	for i := range n.reached() {
		claims = append(claims, n.claims(i)...)
	}
	for i := range n.Terms {
		p := &n.Terms[i]
		if p.Below == nil || p.Term.Kind != Redirect {
			continue
		}
		for _, s := range p.Below.evaluate() {
			if s.status == None {
				s.at, s.status = n.termAt(&p.Term), PermError
			}
			claims = append(claims, source{s.at, s.status, s.set, -1})
		}
	}
	claims = settle(append(claims, source{TermAt{}, Neutral, everybody, -1}))
	for _, s := range claims {
		if s.term >= 0 {
			n.Terms[s.term].matches = true
		}
	}
	return claims
}

// claims returns the statuses that a mechanism gives to addresses, if none before it
// matches them, and fills the term's Networks.
func (n *TreeNode) claims(i int) (claims []source) {
	p := &n.Terms[i]
	at := n.termAt(&p.Term)
	switch p.Term.Kind {
	case Redirect, Exp, Modifier:
		return nil
	case Include:
		if p.Undecided {
			return nil
		}
		below := []source{{status: None, set: everybody}} // there is no name to ask for
		if p.Below != nil {
			below = p.Below.evaluate()
		}
		p.set = union(below, Pass)
		for _, s := range below { // RFC 7208, Section 5.2
			switch s.status {
			case Pass:
				claims = append(claims, source{s.at, p.Term.Qualifier, s.set, i})
			case TempError:
				claims = append(claims, source{at, TempError, s.set, -1})
			case PermError, None:
				claims = append(claims, source{at, PermError, s.set, -1})
			}
		}
	default:
		p.set = p.addresses()
		claims = append(claims, source{at, p.Term.Qualifier, p.set, i})
		for _, qtype := range p.failed() {
			// Those of the failed question's family are not known to match or not.
			claims = append(claims, source{at, TempError, family(qtype), -1})
		}
	}
	p.Networks = p.set.Prefixes()
	return claims
}

// A span is a range of addresses that a claim has.
type span struct {
	from, to netip.Addr
	claim    int
}

// settle gives each address to the first of the claims that have it, in one walk
// through all of them: the record of a hostile zone has thousands.
func settle(claims []source) []source {
	var spans []span
	for i, c := range claims {
		for _, r := range c.set.Ranges() {
			spans = append(spans, span{r.From(), r.To(), i})
		}
	}
	slices.SortFunc(spans, func(a, b span) int { return a.from.Compare(b.from) })
	won := make([]netipx.IPSetBuilder, len(claims))
	var open spanHeap // those that began, the first claim on top
	var at netip.Addr
	for len(spans) > 0 || len(open) > 0 {
		if len(open) == 0 {
			at = spans[0].from
		}
		for len(spans) > 0 && spans[0].from == at {
			heap.Push(&open, spans[0])
			spans = spans[1:]
		}
		for len(open) > 0 && open[0].to.Less(at) {
			heap.Pop(&open)
		}
		if len(open) == 0 {
			continue
		}
		end := open[0].to
		if len(spans) > 0 && !end.Less(spans[0].from) && spans[0].from.BitLen() == end.BitLen() {
			end = spans[0].from.Prev()
		}
		won[open[0].claim].AddRange(netipx.IPRangeFrom(at, end))
		if at = end.Next(); !at.IsValid() {
			open = nil // the last address of a family
		}
	}
	var out []source
	for i, c := range claims {
		set, err := won[i].IPSet()
		if err == nil && !isEmpty(set) {
			c.set = set
			out = append(out, c)
		}
	}
	return out
}

// A spanHeap has the span of the first claim on top.
type spanHeap []span

func (h spanHeap) Len() int           { return len(h) }
func (h spanHeap) Less(i, j int) bool { return h[i].claim < h[j].claim }
func (h spanHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *spanHeap) Push(x any)        { *h = append(*h, x.(span)) }
func (h *spanHeap) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	*h = (*h)[:last]
	return x
}

// failed returns what a check makes of a record that it cannot evaluate, or 0.
func (n *TreeNode) failed() Status {
	switch {
	case n.Err == nil:
		return 0
	case n.Response.Err != nil || n.Err == ErrBounds:
		return TempError
	case n.Err == ErrNoRecord:
		return None
	}
	return PermError
}

// addresses returns who a term is, without those of an include.
func (p *TreeTerm) addresses() *netipx.IPSet {
	switch p.Term.Kind {
	case All:
		return everybody
	case IP4, IP6:
		return build(func(b *netipx.IPSetBuilder) { b.AddPrefix(p.Term.Prefix.Masked()) })
	case Exists:
		if len(p.Responses) > 0 && len(resolver.Records[*dns.A](p.Responses[0].Answer)) > 0 {
			return everybody
		}
	case A, MX:
		return build(func(b *netipx.IPSetBuilder) {
			for _, response := range p.Responses {
				for _, rr := range response.Records {
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
func (p *TreeTerm) failed() []uint16 {
	var types []uint16
	if p.Err != nil {
		return []uint16{dns.TypeA, dns.TypeAAAA} // nothing, or not all, was looked up
	}
	for _, response := range p.Responses {
		switch {
		case response.Err == nil:
		case response.Type == dns.TypeMX || p.Term.Kind == Exists:
			return []uint16{dns.TypeA, dns.TypeAAAA} // nothing is known
		case !slices.Contains(types, response.Type):
			types = append(types, response.Type)
		}
	}
	return types
}

// conclude makes what the analysis says out of what the survey found.
func (a *Analysis) conclude() {
	a.sources = a.Root.evaluate()
	a.Sets = make(map[Status][]netip.Prefix)
	for status := None; status <= PermError; status++ {
		if set := union(a.sources, status); !isEmpty(set) {
			a.Sets[status] = set.Prefixes()
		}
	}
	a.Root.sum()
	a.Root.walk(func(n *TreeNode) {
		for i := range n.reached() {
			if n.Terms[i].Undecided {
				a.Undecided = append(a.Undecided, n.termAt(&n.Terms[i].Term))
			}
		}
	})
	a.lint()
}

// walk calls visit for a node and those below it, in the order of the records.
func (n *TreeNode) walk(visit func(*TreeNode)) {
	visit(n)
	for i := range n.Terms {
		if n.Terms[i].Below != nil {
			n.Terms[i].Below.walk(visit)
		}
	}
}

// sum counts what a record costs, and what those below it do.
func (n *TreeNode) sum() {
	for i := range n.Terms {
		p := &n.Terms[i]
		if len(p.Responses) == 0 || p.Responses[0].Err != nil {
			continue
		}
		// An mx or an exists asks the same for every client, an a its own family.
		void4 := len(p.Responses[0].Records) == 0
		void6 := void4
		if p.Term.Kind == A {
			void6 = p.Responses[1].Err == nil && len(p.Responses[1].Records) == 0
		}
		if void4 {
			n.Own.Voids4++
		}
		if void6 {
			n.Own.Voids6++
		}
	}
	n.Sum = n.Own
	for i := range n.Terms {
		if below := n.Terms[i].Below; below != nil {
			below.sum()
			n.Sum.add(below.Sum)
		}
	}
}
