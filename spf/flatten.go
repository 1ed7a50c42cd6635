package spf

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"
	"go4.org/netipx"
)

// A FlatRecord is a record of a flattened policy.
type FlatRecord struct {
	RR *dns.TXT
	// From says of each term that is a network by which terms it was authorized.
	From []FlatTerm
}

// A FlatTerm is a network of a flattened policy and where it comes from.
type FlatTerm struct {
	Network netip.Prefix
	Status  Status
	By      []TermAt
}

// maxFlat is how long the text of a flattened record may be, so that an answer fits
// into a datagram (RFC 7208, Section 3.4).
const maxFlat = 450

// ErrNotFlat is in the errors of policies that cannot be flattened.
var ErrNotFlat = errors.New("spf: cannot be flattened")

// Flatten returns records that say the same of every address with no term that needs
// DNS, but for as many includes as there are further records: the domain's own
// first, then _spf1 and so on below it, each of at most 450 octets. Networks that
// have another status than most, as exceptions of a -ip4 do, keep it. The modifiers
// of the domain's own record stay.
//
// It refuses what it cannot say so: a policy that is broken or not known in part, a
// term that is Undecided, and more networks than ten includes hold. What is
// flattened does not follow the others any more: do it again when they change.
func (a *Analysis) Flatten(ttl uint32) ([]FlatRecord, error) {
	if err := a.flattens(); err != nil {
		return nil, err
	}
	others := a.others()
	var terms []FlatTerm
	for _, status := range []Status{Fail, SoftFail, Neutral, Pass} {
		if status == others {
			continue
		}
		for _, network := range a.Sets[status] {
			terms = append(terms, FlatTerm{Network: network, Status: status})
		}
	}
	end := " " + qualifiers[others] + "all"
	for _, t := range a.Root.Record.Terms {
		if t.Kind == Exp || t.Kind == Modifier {
			end += " " + t.Text
		}
	}
	chunks := chunk(terms, end)
	if len(chunks) > maxTerms+1 {
		return nil, fmt.Errorf("%w: %d networks need %d includes, and 10 are allowed", ErrNotFlat, len(terms), len(chunks)-1)
	}
	for i := range terms {
		terms[i].By = a.by(terms[i].Network, terms[i].Status)
	}
	return a.records(chunks, end, ttl)
}

// flattens tells why a policy cannot be flattened.
func (a *Analysis) flattens() error {
	switch {
	case a.Err != nil:
		return fmt.Errorf("%w: a part is not known: %w", ErrNotFlat, a.Err)
	case len(a.Undecided) > 0:
		return fmt.Errorf("%w: who matches does not depend on the address alone: %s", ErrNotFlat, a.Undecided[0])
	case a.Root.Record == nil:
		return fmt.Errorf("%w: %w", ErrNotFlat, a.Root.Err)
	}
	for _, status := range []Status{None, TempError, PermError} {
		if len(a.Sets[status]) > 0 {
			return fmt.Errorf("%w: the status of %s is %s: mend the policy first", ErrNotFlat, a.Sets[status][0], status)
		}
	}
	return nil
}

// others returns the status that most addresses have.
func (a *Analysis) others() Status {
	share := func(status Status) (sum float64) {
		for _, p := range a.Sets[status] {
			sum += 1 / float64(uint64(1)<<min(p.Bits(), 62)) // of its family
		}
		return sum
	}
	return slices.MaxFunc([]Status{Fail, SoftFail, Neutral, Pass}, func(x, y Status) int { return cmp.Compare(share(x), share(y)) })
}

// by returns the terms by which addresses of a network have their status.
func (a *Analysis) by(network netip.Prefix, status Status) []TermAt {
	var by []TermAt
	set := build(func(b *netipx.IPSetBuilder) { b.AddPrefix(network) })
	for _, s := range a.sources {
		if s.status == status && s.set.Overlaps(set) {
			by = append(by, s.at)
		}
	}
	return by
}

// chunk cuts the terms into the domain's own, and those of each record to include.
func chunk(terms []FlatTerm, end string) [][]FlatTerm {
	if size(terms)+len(version)+len(end) <= maxFlat {
		return [][]FlatTerm{terms}
	}
	// Only what passes can be included: the rest stays in the domain's own.
	pass := slices.IndexFunc(terms, func(t FlatTerm) bool { return t.Status == Pass })
	if pass < 0 {
		pass = len(terms)
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

// records writes the chunks.
func (a *Analysis) records(chunks [][]FlatTerm, end string, ttl uint32) ([]FlatRecord, error) {
	var own strings.Builder
	own.WriteString(version)
	for _, t := range chunks[0] {
		own.WriteString(t.text())
	}
	for i := range chunks[1:] {
		fmt.Fprintf(&own, " include:%s", strings.TrimSuffix(a.chunkName(i+1), "."))
	}
	own.WriteString(end)
	if own.Len() > maxFlat {
		return nil, fmt.Errorf("%w: %d octets are left for %s alone, and %d fit", ErrNotFlat, own.Len(), a.Domain, maxFlat)
	}
	texts := []string{own.String()}
	for _, c := range chunks[1:] {
		text := version
		for _, t := range c {
			text += t.text()
		}
		texts = append(texts, text+" -all")
	}
	var out []FlatRecord
	for i, text := range texts {
		record, err := Parse(text)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrNotFlat, err)
		}
		name := a.Domain
		if i > 0 {
			name = a.chunkName(i)
		}
		rr, err := record.RR(name, ttl)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrNotFlat, err)
		}
		out = append(out, FlatRecord{rr, chunks[i]})
	}
	return out, nil
}

func (a *Analysis) chunkName(i int) string { return fmt.Sprintf("_spf%d.%s", i, a.Domain) }
