package harden

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/txt"
)

// WriteZone writes the records to add as zone text: for each zone the notes, then the
// records, each with the rule that wants it, and then the names that are left alone. All
// except the records are comments. It writes as it goes, without a copy of the text in
// memory.
func (h *Hardening) WriteZone(w io.Writer) error {
	zones := make(map[string]*Hardening) // the part of h in each zone, by apex
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
	b := bufio.NewWriter(w) // it keeps the first error for Flush
	for _, id := range []rule.ID{rule.NullSPF, rule.NullMX, rule.DomainCSA} {
		if id != rule.DomainCSA || h.DenyNames {
			fmt.Fprintf(b, "; %s\n", id.Comment())
		}
	}
	added := 0
	for _, apex := range slices.SortedFunc(maps.Keys(zones), dnsname.Compare) {
		z := zones[apex]
		fmt.Fprintf(b, "$ORIGIN %s\n", apex)
		for _, n := range z.Notes {
			fmt.Fprintf(b, "; note: %s\n", n)
		}
		before := added
		for r := range z.Records() {
			if added++; added == before+1 {
				fmt.Fprintf(b, "; %s\n", txt.RaiseSerial)
			}
			fmt.Fprintf(b, "%s ; %s\n", r, r.Rules[0])
		}
		for _, n := range z.Left {
			fmt.Fprintf(b, "; left alone: %s\n", n)
		}
	}
	fmt.Fprintf(b, "; names without mail: %d, left alone: %d, records added: %d\n", len(h.Names), len(h.Left), added)
	return b.Flush()
}
