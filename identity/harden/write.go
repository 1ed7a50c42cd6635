package harden

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/bonafide-mta/bonafide/identity/flow"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/txt"
	"github.com/bonafide-mta/bonafide/internal/untrusted"
)

// maxListed is how many names with the same reason are listed, unless ListAll is set.
const maxListed = 10

// WriteZone writes the records to add as zone text: what is not known, then for each zone the
// notes, the records, each with the rule that wants it, and the names that are left alone. All
// except the records are comments. It writes as it goes, without a copy of the text in
// memory.
func (h *Hardening) WriteZone(w io.Writer) error {
	zones := h.byZone()
	b := bufio.NewWriter(w) // it keeps the first error for Flush
	for _, id := range []rule.ID{rule.NullSPF, rule.NullMX, rule.DomainCSA} {
		if id != rule.DomainCSA || h.DenyNames {
			fmt.Fprintf(b, "; %s\n", id.Comment())
		}
	}
	h.writeUnknown(b)
	added := 0
	for _, apex := range slices.SortedFunc(maps.Keys(zones), dnsname.Compare) {
		z := zones[apex]
		fmt.Fprintf(b, "$ORIGIN %s\n", apex)
		for _, s := range z.Shared {
			fmt.Fprintf(b, "; note: %s\n", s)
		}
		writeListed(b, "note", z.Notes, h.ListAll, func(n flow.Note) (string, string) { return n.Text, n.Text })
		before := added
		for r := range z.Records() {
			if added++; added == before+1 {
				fmt.Fprintf(b, "; %s\n", txt.RaiseSerial)
			}
			fmt.Fprintf(b, "%s ; %s\n", r, r.Rules[0])
		}
		if !h.ListAll { // the notes above tell
			z.Left = slices.DeleteFunc(z.Left, func(n Left) bool { return n.Why == SharedAddress })
		}
		writeListed(b, "left alone", z.Left, h.ListAll, func(n Left) (Why, string) { return n.Why, "they " + several[n.Why] })
	}
	fmt.Fprintf(b, "; names without mail: %d, left alone: %d, records added: %d\n", len(h.Names), len(h.Left), added)
	return b.Flush()
}

// writeListed writes a line for each of some notes, for the first of each kind only unless all
// are wanted. Of the others it writes how many there are, and what they have in common.
func writeListed[T fmt.Stringer, K comparable](b *bufio.Writer, prefix string, notes []T, all bool, kind func(T) (K, string)) {
	counts := make(map[K]int)
	for _, n := range notes {
		key, _ := kind(n)
		if counts[key]++; all || counts[key] <= maxListed {
			fmt.Fprintf(b, "; %s: %s\n", prefix, n)
		}
	}
	for _, n := range notes {
		key, common := kind(n)
		if more := counts[key] - maxListed; more > 0 && !all {
			fmt.Fprintf(b, "; %s: and %d more names: %s\n", prefix, more, untrusted.Line(common))
			delete(counts, key)
		}
	}
}

// writeUnknown writes which mail the zones cannot show.
func (h *Hardening) writeUnknown(b *bufio.Writer) {
	fmt.Fprintln(b, "; not known: mail that only other zones, logs or mail servers show: check each name below before you publish its records")
	if len(h.Foreign) == 0 {
		return
	}
	most := maxListed
	if h.ListAll {
		most = len(h.Foreign)
	}
	fmt.Fprintf(b, "; not known: the servers that SPF records authorize by names outside the zones, and the names that these use. %s\n", untrusted.Line(counted(h.Foreign, most)))
}

// byZone returns the part of h in each zone, by apex.
func (h *Hardening) byZone() map[string]*Hardening {
	zones := make(map[string]*Hardening)
	zoneOf := func(name string) *Hardening {
		apex := "."
		if h.survey != nil {
			apex = h.survey.Zone(name)
		}
		if zones[apex] == nil {
			zones[apex] = &Hardening{DenyNames: h.DenyNames, survey: h.survey}
		}
		return zones[apex]
	}
	for _, name := range h.Names {
		z := zoneOf(name)
		z.Names = append(z.Names, name)
	}
	for _, n := range h.Notes {
		z := zoneOf(n.Name)
		z.Notes = append(z.Notes, n)
	}
	for _, n := range h.Left {
		z := zoneOf(n.Name)
		z.Left = append(z.Left, n)
	}
	for _, s := range h.Shared {
		for _, name := range s.Names {
			z := zoneOf(name)
			if last := len(z.Shared) - 1; last < 0 || z.Shared[last].Addr != s.Addr {
				z.Shared = append(z.Shared, Shared{Addr: s.Addr, Server: s.Server})
			}
			last := &z.Shared[len(z.Shared)-1]
			last.Names = append(last.Names, name)
		}
	}
	return zones
}
