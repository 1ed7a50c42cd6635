package spf

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/miekg/dns"
	"go4.org/netipx"

	"github.com/bonafide-mta/bonafide/resolver"
)

// A source is a term by which addresses have a status.
type source struct {
	at     TermAt // no term where none decides
	status Status
	term   int // of the record, or -1
}

// A partition says by which source each address has its status. Its pieces are in order,
// and make up everybody.
type partition struct {
	sources []source
	pieces  []piece
}

// give gives a set to a source, except for what an earlier one has.
func (p *partition) give(s source, set ranges) {
	p.pieces = slices.Grow(p.pieces, len(set))
	for _, r := range set {
		p.pieces = append(p.pieces, piece{r.From(), r.To(), len(p.sources)})
	}
	p.sources = append(p.sources, s)
}

// take gives what sources of the record below have to what they become here, if anything.
func (p *partition) take(below partition, become func(source) (s source, ok bool)) {
	now := make([]int, len(below.sources)) // where each is
	for i, s := range below.sources {
		now[i] = -1
		if s, ok := become(s); ok {
			now[i] = len(p.sources)
			p.sources = append(p.sources, s)
		}
	}
	p.pieces = slices.Grow(p.pieces, len(below.pieces))
	for _, piece := range below.pieces {
		if piece.source = now[piece.source]; piece.source >= 0 {
			p.pieces = append(p.pieces, piece)
		}
	}
}

// settle gives each address to the first source that it was given to.
func (p *partition) settle() { p.pieces = settle(p.pieces) }

// have returns the addresses with a status.
func (p *partition) have(status Status) (set ranges) {
	for _, piece := range p.pieces {
		if p.sources[piece.source].status == status {
			set = set.with(piece.from, piece.to)
		}
	}
	return set
}

// evaluate returns the statuses that the record of a node and those below it give to all
// addresses, as a check does for one address (RFC 7208, Section 4), without its limits.
func (n *TreeNode) evaluate() (policy partition) {
	if failed := n.failed(); failed != 0 {
		policy.give(source{status: failed, term: -1}, everybody)
		policy.settle()
		return policy
	}
	for i := range n.reached() {
		n.claim(&policy, i)
	}
	for i := range n.Terms {
		p := &n.Terms[i]
		if p.Below == nil || p.Term.Kind != Redirect {
			continue
		}
		policy.take(p.Below.evaluate(), func(s source) (source, bool) {
			if s.status == None {
				s.at, s.status = n.termAt(&p.Term), PermError
			}
			s.term = -1
			return s, true
		})
	}
	policy.give(source{status: Neutral, term: -1}, everybody)
	policy.settle()
	for _, piece := range policy.pieces {
		if term := policy.sources[piece.source].term; term >= 0 {
			n.Terms[term].matches = true
		}
	}
	return policy
}

// claim gives the statuses of a mechanism to the addresses that it matches.
func (n *TreeNode) claim(policy *partition, i int) {
	p := &n.Terms[i]
	at := n.termAt(&p.Term)
	switch {
	case p.Term.Qualifier == 0, p.Undecided:
	case p.Term.Kind != Include:
		p.set = p.addresses()
		policy.give(source{at, p.Term.Qualifier, i}, p.set)
		for _, qtype := range p.failed() {
			// Those of the failed question's family are not known to match or not.
			policy.give(source{at, TempError, -1}, family(qtype))
		}
	case p.Below == nil: // there is no name to ask for
		policy.give(source{at, PermError, -1}, everybody)
	default:
		below := p.Below.evaluate()
		p.set = below.have(Pass)
		policy.take(below, func(s source) (source, bool) { // RFC 7208, Section 5.2
			switch s.status {
			case Pass:
				return source{s.at, p.Term.Qualifier, i}, true
			case TempError:
				return source{at, TempError, -1}, true
			case PermError, None:
				return source{at, PermError, -1}, true
			}
			return s, false
		})
	}
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
func (p *TreeTerm) addresses() ranges {
	switch p.Term.Kind {
	case All:
		return everybody
	case IP4, IP6:
		return ranges{netipx.RangeOfPrefix(p.Term.Prefix.Masked())}
	case Exists:
		if len(p.Responses) > 0 && len(resolver.Records[*dns.A](p.Responses[0].Answer)) > 0 {
			return everybody
		}
	case A, MX:
		var all []netipx.IPRange
		for _, response := range p.Responses {
			for _, rr := range response.Records {
				if network := p.Term.around(rr); network.IsValid() {
					all = append(all, netipx.RangeOfPrefix(network))
				}
			}
		}
		return setOf(all)
	}
	return nil
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

// maxNetworks is how many networks Sets has at most in all, and the terms of the tree.
const maxNetworks = 1 << 16

// conclude makes what the analysis says out of what the survey found.
func (a *Analysis) conclude() {
	a.policy = a.Root.evaluate()
	a.Sets = make(map[Status][]netip.Prefix)
	room, left := maxNetworks, 0
	// Fail is mostly the rest of the Internet, in many pieces: it comes last.
	for _, status := range []Status{Pass, SoftFail, Neutral, PermError, TempError, None, Fail} {
		networks, missing := a.policy.have(status).networks(room)
		if len(networks)+missing > 0 {
			a.Sets[status] = networks
		}
		room -= len(networks)
		left += missing
	}
	room = maxNetworks
	a.Root.walk(func(n *TreeNode) { n.list(&room) })
	a.Root.sum()
	a.Root.walk(func(n *TreeNode) {
		for i := range n.reached() {
			if n.Terms[i].Undecided {
				a.Undecided = append(a.Undecided, n.termAt(&n.Terms[i].Term))
			}
		}
	})
	a.lint(left)
	a.Root.walk(func(n *TreeNode) {
		for i := range n.Terms {
			n.Terms[i].set = nil // it was for the lints
		}
	})
}

// list fills the Networks of the terms of a record, as far as there is room.
func (n *TreeNode) list(room *int) {
	for i := range n.reached() {
		p := &n.Terms[i]
		var missing int
		p.Networks, missing = p.set.networks(*room)
		*room -= len(p.Networks)
		if missing > 0 && p.Err == nil {
			p.Err = fmt.Errorf("%d of its networks are %w", missing, ErrBounds)
		}
	}
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
