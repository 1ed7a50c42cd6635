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
)

// WriteZone writes the additions as zone text, zone by zone: what is to be known first,
// then the records, each with the rule that wants it, and at last the names that are
// left alone. All but the records are comments. It holds no copy of the text in memory.
func (h *Hardening) WriteZone(w io.Writer) error {
	type part struct {
		hardened    Hardening
		notes, left []flow.Note
	}
	parts := make(map[string]*part)
	of := func(name string) *part {
		apex := "."
		if h.survey != nil {
			apex = h.survey.Zone(name)
		}
		if parts[apex] == nil {
			parts[apex] = &part{hardened: Hardening{DenyNames: h.DenyNames, survey: h.survey}}
		}
		return parts[apex]
	}
	for _, name := range h.Names {
		p := of(name)
		p.hardened.Names = append(p.hardened.Names, name)
	}
	for _, n := range h.Notes {
		p := of(n.Name)
		p.notes = append(p.notes, n)
	}
	for _, n := range h.Left {
		p := of(n.Name)
		p.left = append(p.left, n)
	}
	b := bufio.NewWriter(w) // which keeps the first error
	for _, id := range []rule.ID{rule.NullSPF, rule.NullMX, rule.DomainCSA} {
		if id != rule.DomainCSA || h.DenyNames {
			fmt.Fprintf(b, "; %s\n", id.Comment())
		}
	}
	added := 0
	for _, apex := range slices.SortedFunc(maps.Keys(parts), dnsname.Compare) {
		p := parts[apex]
		fmt.Fprintf(b, "$ORIGIN %s\n", apex)
		for _, n := range p.notes {
			fmt.Fprintf(b, "; to be known: %s\n", n)
		}
		before := added
		for r := range p.hardened.Records() {
			if added++; added == before+1 {
				fmt.Fprintf(b, "; %s\n", rule.RaiseSerial)
			}
			fmt.Fprintf(b, "%s ; %s\n", r, r.Rules[0])
		}
		for _, n := range p.left {
			fmt.Fprintf(b, "; left alone: %s\n", n)
		}
	}
	fmt.Fprintf(b, "; names without mail: %d, left alone: %d, records added: %d\n", len(h.Names), len(h.Left), added)
	return b.Flush()
}
