package spf

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/bonafide-mta/bonafide/resolver"
)

// An Analysis is the policy of a domain for all addresses, and what is wrong with it. It
// continues beyond the limits of a check. It marshals to JSON and reads back: see package
// resolver. One that was read back cannot be flattened, and its Status of an address that
// Sets leaves out is TempError.
type Analysis struct {
	Domain string    `json:"domain"`        // canonical, or as given where it is not a name
	Root   *TreeNode `json:"root,omitzero"` // the record of the domain, and all that it leads to
	// Sets has the addresses of each status, as the fewest networks. Each address is in
	// one set. Terms that are Undecided count as not matching, and limits are ignored. Of
	// more than 65,536 networks, the smallest are left out; a Lint with code bounds says so.
	Sets map[Status][]netip.Prefix `json:"sets,omitzero"`
	// Undecided are the terms that depend on more than the address: those with macros
	// other than %{d} and %{o}, and ptr.
	Undecided []TermAt `json:"undecided,omitzero"`
	Lints     []Lint   `json:"lints,omitzero"` // by severity, then in order of the records
	Questions int      `json:"questions"`      // asked of the Resolver
	Err       error    `json:"err,omitzero"`   // why part of it is not known: the first question without an answer, or ErrBounds; nil if all is known

	policy   partition
	readBack bool // from JSON: policy has the statuses of Sets, without their terms
}

// A TreeNode is a record in the tree of a policy: the text of one domain.
type TreeNode struct {
	Domain string     `json:"domain"`
	Path   []TermAt   `json:"path,omitzero"` // the includes and redirects from the root to this record; their own Path is empty
	Text   string     `json:"text,omitzero"`
	Record *Record    `json:"record,omitzero"` // the terms that are right, nil if there is no record
	Terms  []TreeTerm `json:"terms,omitzero"`  // one for each term of the record
	// Own is what the terms of the record cost a client that none matches, Sum with
	// those of the records below.
	Own      Cost              `json:"own,omitzero"`
	Sum      Cost              `json:"sum,omitzero"`
	Response resolver.Response `json:"response,omitzero"` // the TXT question
	Err      error             `json:"err,omitzero"`      // why there is no record, or none that receivers take

	deprecated bool // there is a record of type SPF
}

// Cost is what counts toward the limits of RFC 7208, Section 4.6.4: lookups, and those of them
// that are void.
type Cost struct {
	Lookups int `json:"lookups"`
	Voids4  int `json:"voids4"` // for an IPv4 client
	Voids6  int `json:"voids6"` // for an IPv6 client, to whom a name with A records alone is void
}

func (c *Cost) add(other Cost) {
	c.Lookups += other.Lookups
	c.Voids4 += other.Voids4
	c.Voids6 += other.Voids6
}

// A TreeTerm is a term of a TreeNode and what it matches. It is Undecided if that depends on
// more than the address, and then counts as not matching.
type TreeTerm struct {
	Term      Term                `json:"term"`
	Name      string              `json:"name,omitzero"`      // the name that it asks for, canonical; "" for none
	Networks  []netip.Prefix      `json:"networks,omitzero"`  // that it matches; for an include, those that pass there
	Below     *TreeNode           `json:"below,omitzero"`     // the record that an include or redirect refers to
	Responses []resolver.Response `json:"responses,omitzero"` // the answers, without that of the record below
	Undecided bool                `json:"undecided,omitzero"`
	Err       error               `json:"err,omitzero"` // why its Networks are not known, or not all of them

	set     ranges // all of its Networks
	matches bool   // anybody
}

// Causes in the Err of a TreeNode or TreeTerm.
var (
	ErrLoop   = errors.New("leads back to itself")
	ErrBounds = errors.New("left out: the policy is too large")
)

// Analyze looks at the whole policy of a domain: the tree of its records, the exact
// addresses that it authorizes, and what is wrong with it, even if it breaks the
// limits. "Bounds" in the package documentation says how much of a policy it looks at: many
// times what any receiver follows. It returns soon after ctx ends: what was not asked by
// then has the error of ctx.
func Analyze(ctx context.Context, r resolver.Resolver, domain string) *Analysis {
	a := &Analysis{Domain: domain, Root: &TreeNode{Domain: domain}}
	name, ok := judged(domain)
	if !ok {
		a.Root.Err = fmt.Errorf("%s: expected the name of a domain, of two labels at least", quote(domain))
		a.conclude()
		return a
	}
	a.Domain, a.Root.Domain = name, name
	s := survey{ctx: ctx, resolver: r, domain: name, replies: make(map[resolver.Question]resolver.Response)}
	s.explore(a.Root)
	a.Questions = s.asked
	a.Err = s.err
	a.conclude()
	return a
}

// termAt returns a term of the record, with its place.
func (n *TreeNode) termAt(t *Term) TermAt { return t.located(n.Domain, n.Path) }

// Status returns what the policy says about an address; None where there is no policy. It
// is exact, also where Sets leaves something out.
func (a *Analysis) Status(addr netip.Addr) Status {
	addr = addr.Unmap().WithZone("")
	pieces := a.policy.pieces
	i, found := slices.BinarySearchFunc(pieces, addr, func(p piece, addr netip.Addr) int { return p.from.Compare(addr) })
	if !found {
		i--
	}
	if i < 0 || pieces[i].to.Less(addr) {
		return None
	}
	return a.policy.sources[pieces[i].source].status
}
