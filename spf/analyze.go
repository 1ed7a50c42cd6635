package spf

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"
	"go4.org/netipx"

	"github.com/bonafide-mta/bonafide/internal/txt"
	"github.com/bonafide-mta/bonafide/resolver"
)

// An Analysis is the policy of a domain for all addresses, and what is wrong with it. It
// continues beyond the limits of a check.
type Analysis struct {
	Domain string    // canonical, or as given where it is no name
	Root   *TreeNode // the record of the domain, and all that it leads to
	// Sets has the addresses of each status, as the fewest networks. Each address is in
	// one set. Terms that are Undecided count as not matching, and limits are ignored.
	Sets map[Status][]netip.Prefix
	// Undecided are the terms that depend on more than the address: those with macros
	// other than %{d} and %{o}, and ptr.
	Undecided []TermAt
	Lints     []Lint // by severity, then in order of the records
	Questions int    // asked of the Resolver
	Err       error  // why part of it is not known: the first question without an answer, or nil

	sources []source
}

// A TreeNode is a record in the tree of a policy.
type TreeNode struct {
	Domain string
	Path   []TermAt // the includes and redirects from the root to this record
	Text   string
	Record *Record    // the terms that are right, nil if there is no record
	Terms  []TreeTerm // one for each term of the record
	// Own is what the terms of the record cost a client that none matches, Sum with
	// those of the records below.
	Own, Sum Cost
	Response resolver.Response // the TXT question
	Err      error             // why there is no record, or none that receivers take

	deprecated bool // there is a record of type SPF
}

// Cost is what counts toward the limits of RFC 7208, Section 4.6.4.
type Cost struct {
	Lookups int
	Voids4  int // for an IPv4 client
	Voids6  int // for an IPv6 client, to whom a name with A records alone is void
}

func (c *Cost) add(other Cost) {
	c.Lookups += other.Lookups
	c.Voids4 += other.Voids4
	c.Voids6 += other.Voids6
}

// A TreeTerm is a term of a TreeNode and what it matches.
type TreeTerm struct {
	Term      Term
	Name      string              // the name that it asks for, canonical; "" for none
	Networks  []netip.Prefix      // that it matches; for an include, those that pass there
	Below     *TreeNode           // the record that an include or redirect refers to
	Responses []resolver.Response // the answers, without that of the record below
	Undecided bool
	Err       error // why its Networks are not known

	set     *netipx.IPSet
	matches bool // anybody
}

// Causes in the Err of a TreeNode or TreeTerm.
var (
	ErrLoop   = errors.New("leads back to itself")
	ErrBounds = errors.New("not looked at: the policy is too large")
)

// Bounds of an analysis: many times what any receiver follows.
const (
	maxTreeNodes = 64
	maxTreeTerms = 64 // that ask for addresses
	maxHosts     = 20 // of one mx
)

// Analyze looks at the whole policy of a domain: the tree of its records, the exact
// addresses that it authorizes, and what is wrong with it, even when it breaks the
// limits. It asks at most 2,700 questions, [resolver.AtOnce] at once: for 64
// records, and for 64 terms with two address families and 20 mail exchangers.
func Analyze(ctx context.Context, r resolver.Resolver, domain string) *Analysis {
	a := &Analysis{Domain: domain, Root: &TreeNode{Domain: domain}}
	name, ok := judged(domain)
	if !ok {
		a.Root.Err = fmt.Errorf("%q: expected the name of a domain, of two labels at least", domain)
		a.conclude()
		return a
	}
	a.Domain, a.Root.Domain = name, name
	s := survey{ctx: ctx, resolver: r, domain: name, replies: make(map[resolver.Question]resolver.Response)}
	s.explore(a.Root)
	a.Questions = len(s.replies)
	a.Err = s.err
	a.conclude()
	return a
}

// A survey asks for all that a policy leads to, level by level of its tree, so that
// bounds cut it off at the same place each time.
type survey struct {
	ctx      context.Context
	resolver resolver.Resolver
	domain   string // the root's
	replies  map[resolver.Question]resolver.Response
	nodes    int
	terms    int
	err      error
}

func (s *survey) explore(root *TreeNode) {
	for level := []*TreeNode{root}; len(level) > 0; {
		var questions []resolver.Question
		for _, n := range level {
			questions = append(questions, resolver.Question{Name: n.Domain, Type: dns.TypeTXT})
		}
		s.nodes += len(level)
		s.ask(questions)
		for _, n := range level {
			s.read(n)
		}
		s.addresses(level)
		level = s.below(level)
	}
	// Type SPF is no part of a policy any more (RFC 7208, Section 3.1): for a lint.
	s.ask([]resolver.Question{{Name: root.Domain, Type: dns.TypeSPF}})
	root.deprecated = len(s.replies[resolver.Question{Name: root.Domain, Type: dns.TypeSPF}].Records) > 0
}

// ask asks all questions that were not, some at once.
func (s *survey) ask(questions []resolver.Question) {
	var left []resolver.Question
	for _, q := range questions {
		if _, known := s.replies[q]; !known && !slices.Contains(left, q) {
			left = append(left, q)
		}
	}
	for i, response := range resolver.AskAll(s.ctx, s.resolver, left...) {
		s.replies[left[i]] = response
		if response.Err != nil && s.err == nil && response.Type != dns.TypeSPF {
			s.err = response.Err
		}
	}
}

// read reads the record of a node.
func (s *survey) read(n *TreeNode) {
	n.Response = s.replies[resolver.Question{Name: n.Domain, Type: dns.TypeTXT}]
	var records []*dns.TXT
	for _, rr := range resolver.Records[*dns.TXT](n.Response.Answer) {
		if isRecord(txt.Head(rr.Txt, len(version)+1)) {
			records = append(records, rr)
		}
	}
	switch {
	case n.Response.Err != nil:
		n.Err = n.Response.Err
		return
	case len(records) == 0:
		n.Err = ErrNoRecord
		return
	case len(records) > 1:
		n.Err = ErrRecords
		return
	}
	n.Text = txt.Join(records[0].Txt)
	n.Record, n.Err = Parse(n.Text)
	for _, t := range n.Record.Terms {
		n.Terms = append(n.Terms, TreeTerm{Term: t})
	}
	for i := range n.reached() {
		s.name(n, &n.Terms[i])
	}
}

// reached returns the terms that a check may come to: up to the first all, without a
// redirect where there is any.
func (n *TreeNode) reached() []TreeTerm {
	for i := range n.Terms {
		if n.Terms[i].Term.Kind == All {
			return n.Terms[:i+1]
		}
	}
	return n.Terms
}

// ignored reports whether one of the terms that are reached has no effect.
func (n *TreeNode) ignored(p *TreeTerm) bool {
	return p.Term.Kind == Redirect && n.Record.redirect() == nil
}

// name finds out what a term asks for.
func (s *survey) name(n *TreeNode, p *TreeTerm) {
	t := &p.Term
	if !t.Kind.looksUp() || n.ignored(p) {
		return
	}
	n.Own.Lookups++
	for _, letter := range []byte("slivhp") {
		p.Undecided = p.Undecided || hasMacro(t.Domain, letter)
	}
	p.Undecided = p.Undecided || t.Kind == PTR
	if p.Undecided {
		return
	}
	x := expander{domain: strings.TrimSuffix(n.Domain, ".")}
	x.origin = strings.TrimSuffix(s.domain, ".")
	p.Name = n.Domain
	if t.Domain != "" {
		p.Name, _ = x.name(t.Domain)
	}
}

// addresses asks for the addresses of the terms of a level.
func (s *survey) addresses(level []*TreeNode) {
	var asking []*TreeTerm
	var questions, hosts []resolver.Question
	for _, n := range level {
		for i := range n.reached() {
			p := &n.Terms[i]
			if p.Name == "" || p.Term.Kind == Include || p.Term.Kind == Redirect {
				continue
			}
			if s.terms++; s.terms > maxTreeTerms {
				p.Err = ErrBounds
				continue
			}
			asking = append(asking, p)
			questions = append(questions, p.ownQuestions()...)
		}
	}
	s.ask(questions)
	for _, p := range asking {
		for _, q := range p.ownQuestions() {
			p.Responses = append(p.Responses, s.replies[q])
		}
		if p.Term.Kind == MX {
			hosts = append(hosts, p.hostQuestions()...)
		}
	}
	s.ask(hosts)
	for _, p := range asking {
		for _, q := range p.hostQuestions() {
			p.Responses = append(p.Responses, s.replies[q])
		}
	}
}

// ownQuestions are those for the name of a term itself.
func (p *TreeTerm) ownQuestions() []resolver.Question {
	switch p.Term.Kind {
	case MX:
		return []resolver.Question{{Name: p.Name, Type: dns.TypeMX}}
	case Exists:
		return []resolver.Question{{Name: p.Name, Type: dns.TypeA}}
	}
	return resolver.AddrQuestions(p.Name)
}

// hostQuestions are the questions for the mail exchangers of an mx.
func (p *TreeTerm) hostQuestions() []resolver.Question {
	if p.Term.Kind != MX {
		return nil
	}
	var names []string
	for _, mx := range resolver.Records[*dns.MX](p.Responses[0].Answer) {
		name, err := resolver.Canonical(mx.Mx)
		if err == nil && name != "." {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) > maxHosts {
		p.Err, names = ErrBounds, names[:maxHosts]
	}
	var questions []resolver.Question
	for _, name := range names {
		questions = append(questions, resolver.AddrQuestions(name)...)
	}
	return questions
}

// below returns the records to which those of a level lead.
func (s *survey) below(level []*TreeNode) []*TreeNode {
	var next []*TreeNode
	for _, n := range level {
		for i := range n.Terms {
			p := &n.Terms[i]
			if p.Name == "" || p.Term.Kind != Include && p.Term.Kind != Redirect {
				continue
			}
			path := append(slices.Clone(n.Path), n.termAt(&p.Term))
			p.Below = &TreeNode{Domain: p.Name, Path: path}
			switch {
			case slices.ContainsFunc(path, func(t TermAt) bool { return t.Domain == p.Name }):
				p.Below.Err = ErrLoop
			case s.nodes+len(next) >= maxTreeNodes:
				p.Below.Err = ErrBounds
			default:
				next = append(next, p.Below)
			}
		}
	}
	return next
}

// termAt returns a term of the record, with its place.
func (n *TreeNode) termAt(t *Term) TermAt { return t.located(n.Domain, n.Path) }

// Status tells what the policy says of an address, as Sets has it; None where there
// is no policy.
func (a *Analysis) Status(addr netip.Addr) Status {
	addr = addr.Unmap().WithZone("")
	for status, networks := range a.Sets {
		if slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(addr) }) {
			return status
		}
	}
	return None
}
