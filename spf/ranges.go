package spf

import (
	"container/heap"
	"net/netip"
	"slices"

	"github.com/miekg/dns"
	"go4.org/netipx"
)

// ranges is a set of addresses: in order, none overlapping or adjacent.
type ranges []netipx.IPRange

// everybody is all addresses of both families.
var everybody = ranges{
	netipx.RangeOfPrefix(netip.PrefixFrom(netip.IPv4Unspecified(), 0)),
	netipx.RangeOfPrefix(netip.PrefixFrom(netip.IPv6Unspecified(), 0)),
}

// family is the addresses that a question of a type is asked for.
func family(qtype uint16) ranges {
	if qtype == dns.TypeA {
		return everybody[:1]
	}
	return everybody[1:]
}

// setOf returns the set of the addresses in any of some ranges, which it reorders.
func setOf(all []netipx.IPRange) ranges {
	slices.SortFunc(all, func(a, b netipx.IPRange) int { return a.From().Compare(b.From()) })
	set := ranges(all[:0])
	for _, r := range all {
		set = set.with(r.From(), r.To())
	}
	return set
}

// with returns the set with a range that begins behind all others, or at least not before.
func (s ranges) with(from, to netip.Addr) ranges {
	if last := len(s) - 1; last >= 0 {
		if end := s[last].To(); end.BitLen() == from.BitLen() && (!end.Less(from) || end.Next() == from) {
			if end.Less(to) {
				s[last] = netipx.IPRangeFrom(s[last].From(), to)
			}
			return s
		}
	}
	return append(s, netipx.IPRangeFrom(from, to))
}

// covers reports whether s has all addresses of another set.
func (s ranges) covers(other ranges) bool {
	for _, r := range other {
		i, found := slices.BinarySearchFunc(s, r.From(), func(r netipx.IPRange, from netip.Addr) int { return r.From().Compare(from) })
		if !found {
			i--
		}
		if i < 0 || s[i].To().Less(r.To()) {
			return false
		}
	}
	return true
}

// networks returns the fewest networks that make up the set, in order. Of more than most,
// it returns the largest, and how many are left out.
func (s ranges) networks(most int) (networks []netip.Prefix, left int) {
	var lengths [129]int // how many have each
	var some []netip.Prefix
	for _, r := range s {
		some = r.AppendPrefixes(some[:0])
		left += len(some)
		for _, p := range some {
			lengths[p.Bits()]++
		}
	}
	longest, rest := 0, most // of the networks that are kept; how many of the longest
	for longest < len(lengths)-1 && lengths[longest] <= rest {
		rest -= lengths[longest]
		longest++
	}
	networks = make([]netip.Prefix, 0, min(left, most))
	for _, r := range s {
		some = r.AppendPrefixes(some[:0])
		for _, p := range some {
			if p.Bits() < longest || p.Bits() == longest && rest > 0 {
				networks = append(networks, p)
				if p.Bits() == longest {
					rest--
				}
			}
		}
	}
	return networks, left - len(networks)
}

// A piece is a range of addresses and who has it.
type piece struct {
	from, to netip.Addr
	source   int
}

// settle gives each address to the first of the sources that have it, in one walk through
// all of their pieces: the record of a hostile zone has thousands. It reorders the pieces.
func settle(pieces []piece) []piece {
	slices.SortFunc(pieces, func(a, b piece) int { return a.from.Compare(b.from) })
	won := make([]piece, 0, len(pieces))
	var open pieceHeap // those that began, the one of the first source on top
	var at netip.Addr
	for left := pieces; len(left) > 0 || len(open) > 0; {
		if len(open) == 0 {
			at = left[0].from
		}
		for len(left) > 0 && left[0].from == at {
			heap.Push(&open, &left[0])
			left = left[1:]
		}
		for len(open) > 0 && open[0].to.Less(at) {
			heap.Pop(&open)
		}
		if len(open) == 0 {
			continue
		}
		end := open[0].to
		if len(left) > 0 && !end.Less(left[0].from) && left[0].from.BitLen() == end.BitLen() {
			end = left[0].from.Prev()
		}
		if last := len(won) - 1; last >= 0 && won[last].source == open[0].source && won[last].to.Next() == at {
			won[last].to = end
		} else {
			won = append(won, piece{at, end, open[0].source})
		}
		if at = end.Next(); !at.IsValid() {
			open = nil // the last address of a family
		}
	}
	return won
}

// A pieceHeap has the piece of the first source on top, for container/heap.
type pieceHeap []*piece

// Len returns how many pieces there are.
func (h pieceHeap) Len() int { return len(h) }

// Less reports whether the source of one piece comes before that of another.
func (h pieceHeap) Less(i, j int) bool { return h[i].source < h[j].source }

// Swap exchanges two pieces.
func (h pieceHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push adds a piece at the end.
func (h *pieceHeap) Push(x any) { *h = append(*h, x.(*piece)) }

// Pop removes the last piece and returns it.
func (h *pieceHeap) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	*h = (*h)[:last]
	return x
}
