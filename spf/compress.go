package spf

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"sort"

	"go4.org/netipx"
)

// compress returns the fewest networks that give each address its status, if the one of the
// longest network that has it counts, and all else has the status of others. They are the
// terms of a record in its order: what is within another term comes before it, and what can
// be included comes last.
func compress(policy partition, others Status) ([]FlatTerm, error) {
	// A term begins or ends at most two runs of one status.
	const most = (DefaultMaxLookups + 1) * maxFlat / len(" ip4:0.0.0.0")
	runs := policy.runs()
	if need := (len(runs) - 2) / 2; need > most {
		return nil, fmt.Errorf("%w: at least %d networks are needed, and ten includes hold %d", ErrNotFlat, need, most)
	}
	var terms []FlatTerm
	for _, r := range everybody {
		root, _ := r.Prefix()
		whole := tree(root, runs)
		whole.choose(others, func(p netip.Prefix, status Status) {
			terms = append(terms, FlatTerm{Network: p, Status: status})
		})
	}
	for i := range terms {
		terms[i].inner = slices.ContainsFunc(terms, func(t FlatTerm) bool {
			return t.Status != terms[i].Status && t.Network.Bits() < terms[i].Network.Bits() && t.Network.Contains(terms[i].Network.Addr())
		})
	}
	first := func(t FlatTerm) int { // whether something may have to come after it
		if t.inner || t.Status != Pass {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(terms, func(a, b FlatTerm) int {
		if c := cmp.Compare(first(a), first(b)); c != 0 || first(a) == 1 {
			return c
		}
		return cmp.Compare(b.Network.Bits(), a.Network.Bits())
	})
	return terms, nil
}

// A run is addresses of one status, whatever their source.
type run struct {
	from, to netip.Addr
	status   Status
}

// runs returns the partition by status alone.
func (p *partition) runs() []run {
	var runs []run
	for _, piece := range p.pieces {
		status := p.sources[piece.source].status
		if last := len(runs) - 1; last >= 0 && runs[last].status == status && runs[last].to.Next() == piece.from {
			runs[last].to = piece.to
		} else {
			runs = append(runs, run{piece.from, piece.to, status})
		}
	}
	return runs
}

// A subnet is a network and how many terms it needs.
type subnet struct {
	network netip.Prefix
	halves  *[2]subnet        // nil if all its addresses have one status
	terms   [SoftFail + 1]int // by the status that the network around has
}

// compressible are the statuses that a term can give.
var compressible = []Status{Pass, Fail, SoftFail, Neutral}

// tree returns the subnets of a network, which is within the runs.
func tree(network netip.Prefix, runs []run) subnet {
	s := subnet{network: network}
	r := netipx.RangeOfPrefix(network)
	i := sort.Search(len(runs), func(i int) bool { return !runs[i].to.Less(r.From()) })
	if !runs[i].to.Less(r.To()) {
		for _, status := range compressible {
			if status != runs[i].status {
				s.terms[status] = 1
			}
		}
		return s
	}
	s.halves = &[2]subnet{tree(halfOf(network, 0), runs[i:]), tree(halfOf(network, 1), runs[i:])}
	for _, status := range compressible {
		_, below := s.best()
		s.terms[status] = min(s.within(status), 1+below)
	}
	return s
}

// within returns how many terms the halves need where the network has a status.
func (s *subnet) within(status Status) int {
	return s.halves[0].terms[status] + s.halves[1].terms[status]
}

// best returns the status with which the halves need the fewest terms, and how many.
func (s *subnet) best() (Status, int) {
	status := slices.MinFunc(compressible, func(a, b Status) int { return cmp.Compare(s.within(a), s.within(b)) })
	return status, s.within(status)
}

// choose calls term for each network that needs one, where the network around has a status.
func (s *subnet) choose(around Status, term func(netip.Prefix, Status)) {
	switch {
	case s.terms[around] == 0:
		return
	case s.halves == nil:
		for _, status := range compressible {
			if s.terms[status] == 0 {
				term(s.network, status)
			}
		}
		return
	case s.terms[around] < s.within(around):
		around, _ = s.best()
		term(s.network, around)
	}
	s.halves[0].choose(around, term)
	s.halves[1].choose(around, term)
}

// halfOf returns the lower half of a network, or the upper.
func halfOf(network netip.Prefix, half int) netip.Prefix {
	addr, bits := network.Addr().AsSlice(), network.Bits()
	addr[bits/8] |= byte(half) << (7 - bits%8)
	upper, _ := netip.AddrFromSlice(addr)
	return netip.PrefixFrom(upper, bits+1)
}
