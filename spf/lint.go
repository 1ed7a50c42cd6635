package spf

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/enum"
	"github.com/bonafide-mta/bonafide/internal/txt"
	"github.com/bonafide-mta/bonafide/internal/untrusted"
	"github.com/bonafide-mta/bonafide/resolver"
)

// A Lint is one thing about a policy that its owner should know. A record gets at most
// ten lints of one code, and one more that says so; a policy gets the 200 most severe, of
// which the last counts the rest if there are more. The codes are:
//
//   - lookups (broken): more than 10 terms need DNS
//   - voids (broken): more than 2 terms have names without data
//   - voids-ipv6 (broken): the same for IPv6 clients alone
//   - mx (broken): an mx with more than 10 mail exchangers
//   - no-record (broken): the domain, or one that a term refers to, has no SPF record
//   - near-miss (broken): such a domain has a text that is meant as an SPF record
//   - several-records (broken): a name has more than one
//   - syntax (broken): a term is wrong
//   - loop (broken): an include or redirect leads back to itself
//   - no-name (broken): a domain that is not a name
//   - long-string (broken): a string of more than 255 octets
//   - near-lookups (warning): 9 or 10 terms need DNS
//   - no-all (warning): neither all nor redirect
//   - all-pass (warning): everybody is authorized
//   - all-neutral (warning): the record says nothing about other senders
//   - ptr (warning): a ptr, which should not be published
//   - wide (warning): a network larger than one organization sends from
//   - covered (warning): a term that can never match
//   - after-all (warning): a term after all, which is never looked at
//   - duplicate (warning): a record that is included twice
//   - void (warning): a name without data
//   - redirect-ignored (warning): a redirect beside all
//   - no-answer (warning): DNS gave no answer
//   - bounds (warning): a part that is left out, because the policy is too large
//   - undecided (note): a term that depends on more than the address
//   - modifier (note): a modifier that no receiver knows
//   - large-answer (note): more than 512 octets
//   - type-spf (note): a record of the obsolete type SPF
type Lint struct {
	Severity Severity `json:"severity,omitzero"`
	Code     string   `json:"code"`
	Text     string   `json:"text"`        // what is so, and what to do
	At       TermAt   `json:"at,omitzero"` // the term; without Text, the record of its Domain
}

// String returns severity, text, place and code on one line.
func (l Lint) String() string {
	at := untrusted.Line(l.At.Domain)
	if l.At.Text != "" {
		at = l.At.String()
	}
	return untrusted.Line(fmt.Sprintf("%s: %s (%s; %s)", l.Severity, l.Text, at, l.Code))
}

// Severity says how much a lint matters. The zero Severity is invalid.
type Severity uint8

// The severities of lints.
const (
	_       Severity = iota
	Broken           // receivers return permerror, for some clients at least, or find no policy
	Warning          // the policy is other than its owner will have meant, or soon broken
	Note             // it works, but need not be so
)

var severityText = []string{Broken: "broken", Warning: "warning", Note: "note"}

// String returns broken, warning or note.
func (s Severity) String() string { return enum.String(s, severityText) }

// MarshalText returns the text of String; an invalid Severity is an error.
func (s Severity) MarshalText() ([]byte, error) { return enum.Marshal(s, severityText) }

// UnmarshalText accepts what MarshalText returns, in any case.
func (s *Severity) UnmarshalText(text []byte) error { return enum.Unmarshal(s, text, severityText) }

// A linter collects lints.
type linter struct {
	a     *Analysis
	lints []Lint
	alike map[alike]int     // how many
	seen  map[string]TermAt // who included a domain first
	done  map[string]bool   // the records that were looked at
}

func (a *Analysis) lint(left int) {
	l := linter{a: a, alike: make(map[alike]int), seen: make(map[string]TermAt), done: make(map[string]bool)}
	l.limits()
	a.Root.walk(l.node)
	if left > 0 {
		l.record(a.Root, Warning, "bounds", "%d networks of the sets are %v", left, ErrBounds)
	}
	if a.Root.deprecated {
		l.record(a.Root, Note, "type-spf", "there is a record of type SPF, which nobody reads any more: delete it")
	}
	slices.SortStableFunc(l.lints, func(a, b Lint) int { return cmp.Compare(a.Severity, b.Severity) })
	if len(l.lints) > maxLints {
		more := len(l.lints) - maxLints + 1
		l.lints = l.lints[:maxLints-1]
		l.lints = append(l.lints, Lint{Warning, "bounds", fmt.Sprintf("%d more findings are %v", more, ErrBounds), TermAt{Domain: a.Root.Domain}})
	}
	a.Lints = l.lints
}

// alike is what lints of one kind about one record have in common.
type alike struct{ domain, code string }

// Hostile records have thousands of faults.
const (
	maxAlike = 10  // lints of one kind about one record
	maxLints = 200 // of a policy
)

func (l *linter) add(severity Severity, code string, at TermAt, format string, args ...any) {
	kind := alike{at.Domain, code}
	switch l.alike[kind]++; {
	case l.alike[kind] <= maxAlike:
		l.lints = append(l.lints, Lint{severity, code, untrusted.Line(fmt.Sprintf(format, args...)), at})
	case l.alike[kind] == maxAlike+1:
		l.lints = append(l.lints, Lint{severity, code, "and more of the kind", TermAt{Domain: at.Domain, Path: at.Path}})
	}
}

// record adds a lint about a whole record.
func (l *linter) record(n *TreeNode, severity Severity, code, format string, args ...any) {
	l.add(severity, code, TermAt{Domain: n.Domain, Path: n.Path}, format, args...)
}

// limits looks at what the tree costs (RFC 7208, Section 4.6.4).
func (l *linter) limits() {
	root, sum := l.a.Root, l.a.Root.Sum
	switch {
	case sum.Lookups > DefaultMaxLookups:
		l.record(root, Broken, "lookups", "%d terms need DNS, and 10 are allowed: flatten, or remove includes", sum.Lookups)
	case sum.Lookups >= DefaultMaxLookups-1:
		l.record(root, Warning, "near-lookups", "%d terms need DNS, of 10 that are allowed: one more in any record below breaks it", sum.Lookups)
	}
	switch {
	case sum.Voids4 > DefaultMaxVoids:
		l.record(root, Broken, "voids", "%d terms name what has no data, and 2 are allowed: remove them", sum.Voids4)
	case sum.Voids6 > DefaultMaxVoids:
		l.record(root, Broken, "voids-ipv6", "%d terms name what has no data for IPv6 clients, and 2 are allowed: name IPv4 networks by ip4, not by a", sum.Voids6)
	}
}

// node looks at one record.
func (l *linter) node(n *TreeNode) {
	if !l.readable(n) || l.done[n.Domain] {
		return
	}
	l.done[n.Domain] = true
	l.size(n)
	if n.Record.first(All) == nil && n.Record.first(Redirect) == nil {
		l.record(n, Warning, "no-all", "there is no all and no redirect: nothing is said of all others; end the record in -all or ~all")
	}
	reached := n.reached()
	for i := range n.Terms {
		p := &n.Terms[i]
		at := n.termAt(&p.Term)
		if i >= len(reached) && p.Term.Qualifier != 0 {
			l.add(Warning, "after-all", at, "stands behind all, where nothing is looked at")
			continue
		}
		l.term(n, p, at)
	}
	l.covered(n)
}

// readable looks at why there is no record, or none that receivers take.
func (l *linter) readable(n *TreeNode) bool {
	at := TermAt{Domain: n.Domain, Path: n.Path}
	if len(n.Path) > 0 {
		at = n.Path[len(n.Path)-1] // the term to change is the one that leads there
		at.Path = n.Path[:len(n.Path)-1]
	}
	if n.Err == ErrNoRecord {
		for _, text := range n.Response.TXT() {
			if fault := NearMiss(text); fault != "" {
				l.record(n, Broken, "near-miss", "receivers pass over %s: %s", quote(text), fault)
			}
		}
	}
	syntax, broken := n.Err.(*SyntaxError)
	switch {
	case n.Err == nil:
		return true
	case broken:
		for _, p := range syntax.Problems {
			l.add(Broken, "syntax", (&Term{Text: p.Text, Offset: p.Offset}).located(n.Domain, n.Path), "%s", p.Reason)
		}
		return n.Record != nil && len(n.Record.Terms) > 0
	case n.Response.Err != nil:
		l.add(Warning, "no-answer", at, "the record is not known: %v", n.Err)
	case n.Err == ErrRecords:
		l.add(Broken, "several-records", at, "%s has more than one SPF record: join them into one", n.Domain)
	case n.Err == ErrNoRecord && len(n.Path) == 0:
		l.add(Broken, "no-record", at, "there is no SPF record: anybody may use the name")
	case n.Err == ErrNoRecord:
		l.add(Broken, "no-record", at, "leads to %s, which has no SPF record", n.Domain)
	case n.Err == ErrBounds:
		l.add(Warning, "bounds", at, "the record of %s is %v", n.Domain, n.Err)
	default:
		l.add(Broken, "loop", at, "leads to %s: %v", n.Domain, n.Err)
	}
	return false
}

// maxUDP is what every path and every receiver takes in one datagram (RFC 7208,
// Section 3.4).
const maxUDP = 512

// size looks at the form in which the record is published.
func (l *linter) size(n *TreeNode) {
	records := resolver.Records[*dns.TXT](n.Response.Answer)
	m := new(dns.Msg)
	m.SetQuestion(n.Domain, dns.TypeTXT)
	m.Compress = true
	for _, rr := range records {
		m.Answer = append(m.Answer, rr)
		if !isRecord(txt.Head(rr.Txt, len(version)+1)) {
			continue
		}
		for _, s := range rr.Txt {
			if octets := len(txt.Join([]string{s})); octets > 255 {
				l.record(n, Broken, "long-string", "a string of %d octets, where 255 is the limit: cut it into several of one record", octets)
			}
		}
	}
	if octets := m.Len(); octets > maxUDP {
		l.record(n, Note, "large-answer", "the answer has %d octets with all TXT records of the name: over %d, some receivers need a second try by TCP", octets, maxUDP)
	}
}

// Networks wider than these are hardly all of one sender.
const (
	wide4 = 16
	wide6 = 32
)

// term looks at one term that is reached.
func (l *linter) term(n *TreeNode, p *TreeTerm, at TermAt) {
	switch p.Term.Kind {
	case All:
		switch {
		case p.Term.Qualifier == Pass:
			l.add(Warning, "all-pass", at, "authorizes everybody: end in -all or ~all")
		case p.Term.Qualifier == Neutral && len(n.Path) == 0:
			l.add(Warning, "all-neutral", at, "says nothing of all others: end in -all or ~all")
		}
	case PTR:
		l.add(Warning, "ptr", at, "is slow, fails with the client's reverse DNS, and should not be published (RFC 7208, Section 5.5): name the networks")
	case Redirect:
		if n.ignored(p) {
			l.add(Warning, "redirect-ignored", at, "has no effect beside all: remove one of them")
		}
	case Modifier:
		if !slices.Contains([]string{"ra", "rp", "rr"}, strings.ToLower(p.Term.Name)) { // RFC 6652
			l.add(Note, "modifier", at, "no receiver knows this modifier: was it meant to be a mechanism, with a colon?")
		}
	}
	if p.Undecided && p.Term.Kind != PTR {
		l.add(Note, "undecided", at, "depends on more than the address: not among the addresses shown")
	}
	if p.Term.Qualifier == Pass && p.Term.Kind != All && p.Term.Kind != Include {
		for _, network := range p.Networks {
			if wide(network) {
				l.add(Warning, "wide", at, "authorizes %s: hardly all of it sends for one organization", network)
			}
		}
	}
	l.lookup(n, p, at)
}

func wide(p netip.Prefix) bool {
	if p.Addr().Is4() {
		return p.Bits() < wide4
	}
	return p.Bits() < wide6
}

// lookup looks at what DNS said of a term.
func (l *linter) lookup(n *TreeNode, p *TreeTerm, at TermAt) {
	if first, twice := l.seen[p.Name]; p.Below != nil && twice {
		l.add(Warning, "duplicate", at, "has the same record as %s: remove one of them", first)
	} else if p.Below != nil {
		l.seen[p.Name] = at
	}
	if p.Term.Kind.looksUp() && p.Name == "" && !p.Undecided && !n.ignored(p) {
		l.add(Broken, "no-name", at, "leads to what is no name")
	}
	if p.Err != nil {
		l.add(Warning, "bounds", at, "%v", p.Err)
	}
	if len(p.Responses) == 0 {
		return
	}
	if i := slices.IndexFunc(p.Responses, func(r resolver.Response) bool { return r.Err != nil }); i >= 0 {
		l.add(Warning, "no-answer", at, "the addresses are not known: %v", p.Responses[i].Err)
		return
	}
	if p.Term.Kind == MX {
		if hosts := len(resolver.Records[*dns.MX](p.Responses[0].Answer)); hosts > maxNames {
			l.add(Broken, "mx", at, "%s has %d mail exchangers, and 10 are allowed", p.Name, hosts)
		}
	}
	switch void4 := len(p.Responses[0].Records) == 0; {
	case void4 && (p.Term.Kind != A || len(p.Responses[1].Records) == 0):
		l.add(Warning, "void", at, "%s has no data: remove the term", p.Name)
	case len(p.Networks) == 0:
		l.add(Warning, "void", at, "%s has no address: remove the term", p.Name)
	}
}

// covered looks for terms that can never match, since those before them have all
// their addresses.
func (l *linter) covered(n *TreeNode) {
	reached, count := n.reached(), 0
	for i := range reached {
		p := &reached[i]
		if p.matches || len(p.set) == 0 || p.Term.Kind == All {
			continue
		}
		by := "the terms before it decide for all its addresses"
		if count++; count <= maxAlike {
			by = coveredBy(reached[:i], p.set, by)
		}
		l.add(Warning, "covered", n.termAt(&p.Term), "can never match: %s", by)
	}
}

// coveredBy names the first term that has all addresses of a set, if one has.
func coveredBy(before []TreeTerm, set ranges, several string) string {
	for _, p := range before {
		if p.set.covers(set) {
			return show(p.Term.Text) + " before it has all its addresses"
		}
	}
	return several
}
