package harden

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/bonafide-mta/bonafide/identity/flow"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/txt"
	"github.com/bonafide-mta/bonafide/internal/untrusted"
)

// maxListed is how many names with the same reason are listed, unless ListAll is set.
const maxListed = 10

// WriteZone writes the records to add as zone text: what is not known, then for each zone the
// notes, the records, each with the rule that wants it, the names that wait, with their records,
// and the names that are left alone. All except the records of Names are comments. It writes as it
// goes, without a copy of the text in memory.
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
		h.writeListed(b, "note", z.Notes, func(text string) string {
			doubt, _, _ := strings.Cut(text, ": ")
			return doubt
		})
		before := added
		for r := range z.Records() {
			if added++; added == before+1 {
				fmt.Fprintf(b, "; %s\n", txt.RaiseSerial)
			}
			fmt.Fprintf(b, "%s ; %s\n", r, r.Rules[0])
		}
		z.writeWaiting(b)
		if !h.ListAll { // the notes above tell
			z.Left = withoutShared(z.Left, z.Shared)
		}
		h.writeListed(b, "left alone", z.Left, func(text string) string {
			return text[strings.LastIndex(text, ": ")+1:] // what to do
		})
	}
	fmt.Fprintf(b, "; names without mail: %d, waiting: %d, left alone: %d, records added: %d\n", len(h.Names), len(h.Waiting), len(h.Left), added)
	return b.Flush()
}

// writeWaiting writes the names that wait, each with its records behind a semicolon.
func (h *Hardening) writeWaiting(b *bufio.Writer) {
	for i, n := range h.Waiting {
		if i == 0 {
			fmt.Fprintln(b, "; waiting: do not publish the records below yet. Remove their semicolons only when nothing uses the name in HELO or sends as user@ it any more:")
		}
		fmt.Fprintf(b, "; waiting: %s\n", n)
		later := Hardening{Names: []string{n.Name}, DenyNames: h.DenyNames, survey: h.survey}
		for r := range later.Records() {
			fmt.Fprintf(b, "; %s ; %s\n", r, r.Rules[0])
		}
	}
}

// writeListed writes a line for each of some notes, or for the first of each kind, and then
// how many more there are of that kind. The kind is a part of the text.
func (h *Hardening) writeListed(b *bufio.Writer, prefix string, notes []flow.Note, kind func(text string) string) {
	counts := make(map[string]int)
	for _, n := range notes {
		key := kind(n.Text)
		if counts[key]++; h.ListAll || counts[key] <= maxListed {
			fmt.Fprintf(b, "; %s: %s\n", prefix, n)
		}
	}
	for _, n := range notes {
		key := kind(n.Text)
		if more := counts[key] - maxListed; more > 0 && !h.ListAll {
			fmt.Fprintf(b, "; %s: and %d more: %s\n", prefix, more, untrusted.Line(strings.TrimSpace(key)))
			delete(counts, key)
		}
	}
}

// withoutShared returns the notes about names that are not listed with an address.
func withoutShared(left []flow.Note, shared []Shared) []flow.Note {
	listed := make(map[string]bool)
	for _, s := range shared {
		for _, name := range s.Names {
			listed[name] = true
		}
	}
	var out []flow.Note
	for _, n := range left {
		if !listed[n.Name] {
			out = append(out, n)
		}
	}
	return out
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
	for _, n := range h.Waiting {
		z := zoneOf(n.Name)
		z.Waiting = append(z.Waiting, n)
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
