package plan

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/csa"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/txt"
	"github.com/bonafide-mta/bonafide/internal/untrusted"
	"github.com/bonafide-mta/bonafide/resolver"
)

// WithAnswers returns pub and the answers of a resolver for the names outside its zones
// that the plan of an organization is about, among them the reverse names of its
// addresses. It is a partial view: the answers of a wildcard, except an alias, look like
// records of the name, and other names of the zone are not seen. It asks at most seven
// questions for each name, two for each label and each alias, and two for each of up to 20
// hosts that take the mail of a name, resolver.AtOnce at a time.
//
// The error is that of the first question without an answer, or of the context: nothing is
// planned with incomplete answers. Time and memory grow with the size of the answers, all of
// which the Published keeps.
func (pub *Published) WithAnswers(ctx context.Context, r resolver.Resolver, o *org.Organization) (*Published, error) {
	if r == nil {
		return nil, fmt.Errorf("plan: what is published now: %w", resolver.ErrNoResolver)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	first := resolver.Func(func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
		response := resolver.Ask(ctx, r, name, qtype)
		if response.Err != nil {
			cancel(response.Err) // the first error counts; the other answers are not needed
		}
		return response.Answer, response.Err
	})
	known := pub.WithSomeAnswers(ctx, first, o)
	if err := context.Cause(ctx); err != nil {
		return nil, fmt.Errorf("plan: what is published now: %w", err)
	}
	return known, nil
}

// WithSomeAnswers does what WithAnswers does, also if questions have no answer, or if the
// context ends. A plan then refuses all changes at the names that they are about: what
// is there is not known.
func (pub *Published) WithSomeAnswers(ctx context.Context, r resolver.Resolver, o *org.Organization) *Published {
	known := &Published{
		sets: cloned(pub.sets), names: cloned(pub.names), apexes: cloned(pub.apexes), cuts: cloned(pub.cuts),
		asked: cloned(pub.asked), all: pub.all, wildcards: cloned(pub.wildcards), unanswered: cloned(pub.unanswered), hosts: cloned(pub.hosts),
	}
	more := moreRecords{known, make(map[resolver.Question]map[string]bool)}
	subjects, questions := pub.questionsOf(o)
	if len(questions) == 0 {
		return known
	}
	answers := resolver.AskAll(ctx, r, questions...)
	hosts := resolver.AskAll(ctx, r, pub.hostsOf(answers)...)
	for _, a := range hosts {
		if a.Err == nil {
			known.hosts[a.Question] = true
			more.add(a.Answer, nil)
		}
	}
	soa := make(map[string]resolver.Response) // by the name asked for
	for _, a := range answers {
		if a.Type == dns.TypeSOA {
			soa[a.Name] = a
		}
	}
	wild, domains := wildAliases(ctx, r, answers, soa), o.Domains()
	for _, a := range answers {
		switch isApex := len(a.Records) > 0 && len(a.Chain) == 0; {
		case a.Err != nil:
			known.unanswered[a.Name] = untrusted.Line(a.Err.Error())
		case a.Type != dns.TypeSOA:
			more.add(a.Answer, wild)
		case isApex:
			known.sets[a.Question] = a.Records // for the negative TTL
		}
	}
	for set := range subjects {
		name := known.storedAt(set).Name
		known.asked[name] = ""
		for at := name; at != "." && known.asked[name] == "" && known.unanswered[at] == ""; at = dnsname.Parent(at) {
			switch a := soa[at]; {
			case len(a.Records) > 0 && len(a.Chain) == 0:
				known.asked[name] = at
			case a.Status == resolver.NotFound && slices.Contains(domains, at):
				known.asked[name] = at // nothing tells which names are apexes
			}
		}
	}
	return known
}

// questionsOf returns the RRsets outside whole zones that a plan for an organization is about,
// and what to ask about them.
func (pub *Published) questionsOf(o *org.Organization) (subjects map[resolver.Question]bool, ask []resolver.Question) {
	subjects = make(map[resolver.Question]bool)
	questions := make(map[resolver.Question]bool)
	wanted, _ := Want(o)
	for _, w := range wanted {
		set := setOf(w.RR)
		if apex, _ := pub.zoneOf(set.Name); apex != "" {
			continue
		}
		subjects[set], questions[set] = true, true
		if set.Type == dns.TypePTR {
			continue
		}
		// Whether the name may get a null SPF record or a Null MX depends on both.
		questions[resolver.Question{Name: set.Name, Type: dns.TypeMX}] = true
		questions[resolver.Question{Name: set.Name, Type: dns.TypeTXT}] = true
		if set.Type == dns.TypeMX { // whether the name needs any
			for _, q := range resolver.AddrQuestions(set.Name) {
				questions[q] = true
			}
		}
		if name, ok := csa.NameOf(set.Name); ok {
			for _, parent := range csa.Parents(name) {
				questions[resolver.Question{Name: csa.Owner(parent), Type: dns.TypeSRV}] = true
			}
		}
		// To find the zone, which is not a top-level domain.
		for at := set.Name; at == set.Name || dns.CountLabel(at) > 1; at = dnsname.Parent(at) {
			questions[resolver.Question{Name: at, Type: dns.TypeSOA}] = true
		}
	}
	return subjects, slices.SortedFunc(maps.Keys(questions), compareSets)
}

// maxHosts is how many hosts that take the mail of a name are looked up.
const maxHosts = 20

// hostsOf returns the questions for the addresses of the hosts that take the mail of the names
// asked for, and that whole zones do not have: they may send, too.
func (pub *Published) hostsOf(answers []resolver.Response) []resolver.Question {
	questions := make(map[resolver.Question]bool)
	for _, a := range answers {
		for i, mx := range resolver.Records[*dns.MX](a.Answer) {
			host := dnsname.CanonicalOrEmpty(mx.Mx)
			if apex, _ := pub.zoneOf(host); apex != "" || i >= maxHosts || dnsname.FormOf(host) != dnsname.Host {
				continue
			}
			for _, q := range resolver.AddrQuestions(host) {
				questions[q] = true
			}
		}
	}
	return slices.SortedFunc(maps.Keys(questions), compareSets)
}

// hasNoAddress reports whether a name is known to have no address.
func (pub *Published) hasNoAddress(name string) bool {
	apex, obstacle := pub.zoneOf(name)
	whole := apex != "" && obstacle == ""
	for _, q := range resolver.AddrQuestions(name) {
		if !whole && !pub.hosts[q] || len(pub.sets[q]) > 0 {
			return false
		}
	}
	return true
}

// nonexistent is a label that nobody has: what answers for it is a wildcard.
const nonexistent = "no-such-name-of-bonafide."

// wildAliases returns the names among those asked for that are aliases only by a wildcard, and
// the wildcard: they can have records of their own (RFC 4592, Section 2.2.1). A name below
// such a name is the same alias, while nothing is below a name that has an alias of its own,
// and a DNAME has another target there.
func wildAliases(ctx context.Context, r resolver.Resolver, answers []resolver.Response, soa map[string]resolver.Response) map[string]string {
	wild, seen := make(map[string]string), make(map[string]bool)
	for _, a := range answers {
		target := ownAlias(a)
		if target == "" || seen[a.Name] || a.Type == dns.TypePTR {
			continue
		}
		seen[a.Name] = true
		if below := resolver.Ask(ctx, r, nonexistent+a.Name, dns.TypeCNAME); len(below.Records) != 1 || aliasOf(below.Records[0]) != target {
			continue
		}
		at := dnsname.Parent(a.Name) // the closest encloser is the first that is not the same alias
		for ; at != "." && ownAlias(soa[at]) != ""; at = dnsname.Parent(at) {
			continue
		}
		wild[a.Name] = "*." + strings.TrimPrefix(at, ".")
	}
	return wild
}

// ownAlias returns the target of a name's CNAME record as an answer shows it, "" for none.
func ownAlias(a resolver.Response) string {
	for _, rr := range a.Chain {
		if setOf(rr).Name == a.Name && aliasOf(rr) != "" {
			return aliasOf(rr)
		}
	}
	return ""
}

// aliasOf returns the target of a CNAME record, "" for any other record.
func aliasOf(rr dns.RR) string {
	if cname, ok := rr.(*dns.CNAME); ok {
		return dnsname.CanonicalOrEmpty(cname.Target)
	}
	return ""
}

func cloned[K comparable, V any](m map[K]V) map[K]V {
	if m == nil {
		return make(map[K]V)
	}
	return maps.Clone(m)
}

// moreRecords adds the records of answers to what is published.
type moreRecords struct {
	*Published
	has map[resolver.Question]map[string]bool // the data of the RRsets that were added to
}

// add adds the records of an answer that are outside whole zones, each once. The alias of a
// name in wild belongs to a wildcard.
func (m *moreRecords) add(a resolver.Answer, wild map[string]string) {
	for _, rr := range slices.Concat(a.Chain, a.Records) {
		set := setOf(rr)
		if wildcard := wild[set.Name]; wildcard != "" && set.Type == dns.TypeCNAME {
			m.names[dnsname.Parent(wildcard)], m.names[wildcard] = true, true
			m.wildcards[wildcard] = []uint16{dns.TypeCNAME}
			set.Name, rr = wildcard, dns.Copy(rr)
			rr.Header().Name = wildcard
		}
		if m.has[set] == nil {
			if apex, _ := m.zoneOf(set.Name); apex != "" {
				continue
			}
			m.has[set] = dataOf(m.sets[set])
			m.sets[set] = slices.Clip(m.sets[set]) // it is shared
		}
		if key := txt.LooseKey(rr); !m.has[set][key] {
			m.has[set][key] = true
			m.sets[set] = append(m.sets[set], rr)
		}
	}
}
