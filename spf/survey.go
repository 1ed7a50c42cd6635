package spf

import (
	"context"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/heapsize"
	"github.com/bonafide-mta/bonafide/internal/txt"
	"github.com/bonafide-mta/bonafide/resolver"
)

// Bounds of an analysis: many times what any receiver follows.
const (
	maxTreeNodes   = 64
	maxTreeDepth   = 12      // records above one another
	maxTreeText    = 1 << 18 // octets of all records
	maxRecordTerms = 1 << 12 // of all records
	maxTreeTerms   = 64      // that ask for addresses
	maxHosts       = 20      // of one mx
	maxAddresses   = 1 << 12 // of all terms
	maxAnswer      = 1 << 19 // bytes of one answer
	maxAnswers     = 1 << 22 // bytes of all answers
)

// A survey asks for all that a policy refers to, level by level of its tree, so that
// bounds cut it off at the same place each time.
type survey struct {
	ctx      context.Context
	resolver resolver.Resolver
	domain   string // the root's
	replies  map[resolver.Question]resolver.Response
	kept     int64 // bytes of the answers
	asked    int   // questions
	nodes    int
	text     int // octets of the records
	words    int // terms of the records, wrong ones too
	terms    int // that ask for addresses
	addrs    int // of all terms
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
	q := resolver.Question{Name: root.Domain, Type: dns.TypeSPF}
	s.ask([]resolver.Question{q})
	root.deprecated = len(s.replies[q].Records) > 0
}

// ask asks all questions that were not, a few at a time, so that few answers are in memory
// before it is known which are kept.
func (s *survey) ask(questions []resolver.Question) {
	const most = 2 * resolver.AtOnce
	var left []resolver.Question
	for _, q := range questions {
		if _, known := s.replies[q]; !known {
			s.replies[q] = resolver.Response{}
			left = append(left, q)
		}
	}
	for some := range slices.Chunk(left, most) {
		r := s.resolver
		switch err := s.ctx.Err(); {
		case err != nil && r != nil:
			r = failing(err)
		case s.kept >= maxAnswers:
			r = failing(ErrBounds)
		default:
			s.asked += len(some)
		}
		for _, response := range resolver.AskAll(s.ctx, r, some...) {
			s.keep(response)
		}
	}
}

// failing returns a Resolver that has no answer.
func failing(err error) resolver.Resolver {
	return resolver.Func(func(context.Context, string, uint16) (resolver.Answer, error) { return resolver.Answer{}, err })
}

// keep keeps a response, unless that is too much.
func (s *survey) keep(response resolver.Response) {
	q := response.Question
	size := heapsize.Of(response.Answer, maxAnswer)
	if size > maxAnswer || s.kept+size > maxAnswers {
		response = resolver.Ask(s.ctx, failing(ErrBounds), q.Name, q.Type)
		size = 0
	}
	s.kept += size
	s.replies[q] = response
	if q.Type != dns.TypeSPF {
		s.fail(response.Err)
	}
}

// fail notes why a part of the policy is not known.
func (s *survey) fail(err error) {
	if s.err == nil {
		s.err = err
	}
}

// read reads the record of a node.
func (s *survey) read(n *TreeNode) {
	n.Response = s.replies[resolver.Question{Name: n.Domain, Type: dns.TypeTXT}]
	if n.Err = n.Response.Err; n.Err != nil {
		return
	}
	var record *dns.TXT
	for _, rr := range n.Response.Records {
		t, ok := rr.(*dns.TXT)
		switch {
		case !ok || !isRecord(txt.Head(t.Txt, len(version)+1)):
		case record != nil:
			n.Err = ErrRecords
			return
		default:
			record = t
		}
	}
	if record == nil {
		n.Err = ErrNoRecord
		return
	}
	text := txt.Join(record.Txt)
	s.text += len(text)
	s.words += countTerms(text)
	if s.text > maxTreeText || s.words > maxRecordTerms {
		n.Err = ErrBounds
		s.fail(ErrBounds)
		return
	}
	n.Text = text
	n.Record, n.Err = Parse(text)
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
				s.fail(ErrBounds)
				continue
			}
			asking = append(asking, p)
			questions = append(questions, p.ownQuestions()...)
		}
	}
	s.ask(questions)
	exchangers := make([][]resolver.Question, len(asking))
	for i, p := range asking {
		for _, q := range p.ownQuestions() {
			p.Responses = append(p.Responses, s.replies[q])
		}
		exchangers[i] = s.hostQuestions(p)
		hosts = append(hosts, exchangers[i]...)
	}
	s.ask(hosts)
	for i, p := range asking {
		for _, q := range exchangers[i] {
			p.Responses = append(p.Responses, s.replies[q])
		}
		if p.Term.Kind == A || p.Term.Kind == MX {
			s.count(p)
		}
	}
}

// count counts the addresses of a term, and leaves them out if they are too many.
func (s *survey) count(p *TreeTerm) {
	for _, response := range p.Responses {
		s.addrs += len(response.Records)
	}
	if s.addrs > maxAddresses {
		p.Responses, p.Err = nil, ErrBounds
		s.fail(ErrBounds)
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
func (s *survey) hostQuestions(p *TreeTerm) []resolver.Question {
	if p.Term.Kind != MX {
		return nil
	}
	names := firstNames(p.Responses[0].Answer, maxHosts+1, func(rr *dns.MX) string { return rr.Mx })
	names = slices.DeleteFunc(names, func(name string) bool { return name == "." }) // a Null MX (RFC 7505)
	if len(names) > maxHosts {
		names = names[:maxHosts]
		p.Err = ErrBounds
		s.fail(ErrBounds)
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
			path := append(slices.Clone(n.Path), p.Term.located(n.Domain, nil))
			p.Below = &TreeNode{Domain: p.Name, Path: path}
			switch {
			case slices.ContainsFunc(path, func(t TermAt) bool { return t.Domain == p.Name }):
				p.Below.Err = ErrLoop
			case s.nodes+len(next) >= maxTreeNodes, len(path) >= maxTreeDepth:
				p.Below.Err = ErrBounds
				s.fail(ErrBounds)
			default:
				next = append(next, p.Below)
			}
		}
	}
	return next
}
