package spf

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sort"

	"github.com/miekg/dns"
	"go4.org/netipx"

	"github.com/bonafide-mta/bonafide/resolver"
)

// A FlatRecord is a record, RR, of a flattened policy.
type FlatRecord struct {
	RR *dns.TXT `json:"rr"`
	// From says of each term that is a network by which terms it was authorized.
	From []FlatTerm `json:"from,omitzero"`
}

// A FlatTerm is a network of a flattened policy, and By which terms it was authorized.
type FlatTerm struct {
	Network netip.Prefix `json:"network"`
	Status  Status       `json:"status,omitzero"`
	By      []TermAt     `json:"by,omitzero"`

	inner bool // within the network of a term of another status
}

// maxFlat is how long the text of a flattened record may be, so that an answer fits
// into a datagram (RFC 7208, Section 3.4).
const maxFlat = 450

// ErrNotFlat is in the errors of policies that cannot be flattened.
var ErrNotFlat = errors.New("spf: cannot be flattened")

// Flatten returns records that say the same of every address with no term that needs
// DNS, except for as many includes as there are further records: the domain's own
// first, then _spf1 and so on below it, each of at most 450 octets. Networks that have
// another status than the network around them, as the exceptions of a -ip4 do, stay terms
// before it. The modifiers of the domain's own record stay.
//
// A name that has an SPF record already is passed over, since others may include it: r
// answers whether it has, in at most 51 questions. With a nil r nothing is asked, and only
// names that the analysis saw are passed over.
//
// It refuses what it cannot write so: an analysis that was read from JSON, a policy that is broken or not known in part, a
// term that is Undecided, and more networks than ten includes hold. The records do not
// follow the policy: flatten again when an included record changes.
func (a *Analysis) Flatten(ctx context.Context, r resolver.Resolver, ttl uint32) ([]FlatRecord, error) {
	if err := a.flattens(); err != nil {
		return nil, err
	}
	others := a.others()
	terms, err := compress(a.policy, others)
	if err != nil {
		return nil, err
	}
	end := " " + qualifiers[others] + "all"
	for _, t := range a.Root.Record.Terms {
		if t.Kind == Exp || t.Kind == Modifier {
			end += " " + t.Text
		}
	}
	chunks := chunk(terms, end)
	if len(chunks) > DefaultMaxLookups+1 {
		return nil, fmt.Errorf("%w: %d networks need %d includes, and 10 are allowed", ErrNotFlat, len(terms), len(chunks)-1)
	}
	for i := range terms {
		terms[i].By = a.by(terms[i].Network, terms[i].Status)
	}
	names, err := a.freeNames(ctx, r, len(chunks)-1)
	if err != nil {
		return nil, err
	}
	return a.records(chunks, names, end, ttl)
}

// flattens tells why a policy cannot be flattened.
func (a *Analysis) flattens() error {
	switch {
	case a.readBack:
		return fmt.Errorf("%w: the analysis was read from JSON: analyze the domain again", ErrNotFlat)
	case a.Err != nil:
		return fmt.Errorf("%w: a part is not known: %w", ErrNotFlat, a.Err)
	case len(a.Undecided) > 0:
		return fmt.Errorf("%w: who matches does not depend on the address alone: %s", ErrNotFlat, a.Undecided[0])
	case a.Root.Record == nil:
		return fmt.Errorf("%w: %w", ErrNotFlat, a.Root.Err)
	}
	for _, status := range []Status{None, TempError, PermError} {
		if len(a.Sets[status]) > 0 {
			return fmt.Errorf("%w: the status of %s is %s: repair the policy first", ErrNotFlat, a.Sets[status][0], status)
		}
	}
	return nil
}

// others returns the status that most addresses have, each family of them counted as one.
func (a *Analysis) others() Status {
	share := make(map[Status]float64)
	number := func(addr netip.Addr) (n float64) { // from 0 to 1
		for _, octet := range slices.Backward(addr.AsSlice()) {
			n = (n + float64(octet)) / 256
		}
		return n
	}
	for _, p := range a.policy.pieces {
		share[a.policy.sources[p.source].status] += number(p.to) - number(p.from)
	}
	return slices.MaxFunc([]Status{Fail, SoftFail, Neutral, Pass}, func(x, y Status) int { return cmp.Compare(share[x], share[y]) })
}

// by returns the terms by which addresses of a network have their status, in the order of
// the records.
func (a *Analysis) by(network netip.Prefix, status Status) (by []TermAt) {
	pieces, r := a.policy.pieces, netipx.RangeOfPrefix(network)
	var sources []int
	for i := sort.Search(len(pieces), func(i int) bool { return !pieces[i].to.Less(r.From()) }); i < len(pieces) && !r.To().Less(pieces[i].from); i++ {
		if a.policy.sources[pieces[i].source].status == status {
			sources = append(sources, pieces[i].source)
		}
	}
	slices.Sort(sources)
	for _, i := range slices.Compact(sources) {
		by = append(by, a.policy.sources[i].at)
	}
	return by
}

// chunk cuts the terms into the domain's own, and those of each record to include.
func chunk(terms []FlatTerm, end string) [][]FlatTerm {
	if size(terms)+len(version)+len(end) <= maxFlat {
		return [][]FlatTerm{terms}
	}
	// Only what passes, and nothing comes after, can be included: the rest stays in the
	// domain's own.
	pass := len(terms)
	for pass > 0 && terms[pass-1].Status == Pass {
		pass--
	}
	for pass < len(terms) && terms[pass].inner {
		pass++
	}
	chunks := [][]FlatTerm{terms[:pass]}
	for start, i := pass, pass; i < len(terms); i++ {
		if i+1 == len(terms) || size(terms[start:i+2])+len(version)+len(" -all") > maxFlat {
			chunks = append(chunks, terms[start:i+1])
			start = i + 1
		}
	}
	return chunks
}

func (t FlatTerm) text() string { return " " + qualifiers[t.Status] + network(t.Network) }

func size(terms []FlatTerm) (octets int) {
	for _, t := range terms {
		octets += len(t.text())
	}
	return octets
}

// records writes the chunks: the first at the domain, each other at its name.
func (a *Analysis) records(chunks [][]FlatTerm, names []string, end string, ttl uint32) ([]FlatRecord, error) {
	names = append([]string{a.Domain}, names...)
	includes := ""
	for _, name := range names[1:] {
		domain, err := ParseDomain(name)
		if err != nil {
			return nil, fmt.Errorf("%w: include %w", ErrNotFlat, err)
		}
		includes += " include:" + domain
	}
	end = includes + end
	var out []FlatRecord
	for i, c := range chunks {
		text := version
		for _, t := range c {
			text += t.text()
		}
		text += end
		end = " -all" // of those that are included
		if len(text) > maxFlat {
			return nil, fmt.Errorf("%w: %d octets are left for %s alone, and %d fit", ErrNotFlat, len(text), a.Domain, maxFlat)
		}
		record, err := Parse(text)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrNotFlat, err)
		}
		rr, err := record.RR(names[i], ttl)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrNotFlat, err)
		}
		out = append(out, FlatRecord{rr, c})
	}
	return out, nil
}

// freeNames returns names for the records to include.
func (a *Analysis) freeNames(ctx context.Context, r resolver.Resolver, want int) ([]string, error) {
	if want == 0 {
		return nil, nil
	}
	seen := make(map[string]bool)
	a.Root.walk(func(n *TreeNode) {
		seen[n.Domain] = true
		for i := range n.Terms {
			seen[n.Terms[i].Name] = true
		}
	})
	// The record of a wildcard is not one of the name's own.
	wildcard := ""
	if r != nil {
		wildcard, _ = Select(resolver.Ask(ctx, r, "*."+a.Domain, dns.TypeTXT).TXT())
	}
	const most = 50
	var names []string
	for i := 1; i <= most+len(seen) && len(names) < want; i++ {
		name := fmt.Sprintf("_spf%d.%s", i, a.Domain)
		if seen[name] {
			continue
		}
		free, err := isFree(ctx, r, name, wildcard)
		if err != nil {
			return nil, fmt.Errorf("%w: whether %s has an SPF record is not known: %w", ErrNotFlat, name, err)
		}
		if free {
			names = append(names, name)
		}
	}
	if len(names) < want {
		return nil, fmt.Errorf("%w: %d names for included records are needed, and of _spf1.%[3]s to _spf%d.%[3]s all others have SPF records", ErrNotFlat, want, a.Domain, most)
	}
	return names, nil
}

// isFree reports whether a name has no SPF record of its own, and is not an alias.
func isFree(ctx context.Context, r resolver.Resolver, name, wildcard string) (bool, error) {
	if r == nil {
		return true, nil
	}
	response := resolver.Ask(ctx, r, name, dns.TypeTXT)
	for _, text := range response.TXT() {
		if isRecord(text) && text != wildcard {
			return false, nil
		}
	}
	return len(response.Chain) == 0, response.Err
}
