package plan

import (
	"fmt"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/csa"
	"github.com/bonafide-mta/bonafide/identity/flow"
	"github.com/bonafide-mta/bonafide/internal/txt"
	"github.com/bonafide-mta/bonafide/internal/untrusted"
	"github.com/bonafide-mta/bonafide/resolver"
)

// A text for people names each of so many changes, names, and so on at most; more of one kind
// are one line. The 200 domains of a hoster would hide the rest.
const (
	manyLines = 10 // changes, and names to check
	fewLines  = 5  // kept, refused, and notes, for one reason
	firstFew  = 3  // named of more
)

// grouped returns the elements of a list, each alone, except that more than limit with one
// key are together, at the place of the first.
func grouped[T any](list []T, key func(T) string, limit int) [][]T {
	count := make(map[string]int)
	keys := each(list, key)
	for _, k := range keys {
		count[k]++
	}
	var out [][]T
	at := make(map[string]int) // where in out
	for i, k := range keys {
		if at, ok := at[k]; ok {
			out[at] = append(out[at], list[i])
			continue
		}
		if count[k] > limit {
			at[k] = len(out)
		}
		out = append(out, []T{list[i]})
	}
	return out
}

// few returns the first names of a list, and how many more there are in JSON.
func few(names []string) string {
	if len(names) > firstFew {
		return some(names) + " (all in JSON)"
	}
	return some(names)
}

// some returns the first names of a list, and how many more there are.
func some(names []string) string {
	names = each(names, func(n string) string { return strings.TrimSuffix(n, ".") })
	if len(names) <= firstFew {
		return joined(names)
	}
	return fmt.Sprintf("%s and %d more", joined(names[:firstFew]), len(names)-firstFew)
}

// kind returns what a change has in common with changes of other names.
func (c Change) kind() string {
	return fmt.Sprintf("%s %d %q %q %v", c.Owner, c.Type, c.dataOf(c.Removed()), c.dataOf(c.Added()), c.Rules)
}

// dataOf returns records of a change with NAME in place of its host, one line each.
func (c Change) dataOf(records []dns.RR) []string {
	return each(records, func(rr dns.RR) string {
		line := fmt.Sprintf("%s %d IN %s %s", c.Name, rr.Header().Ttl, resolver.TypeString(c.Type), txt.Data(rr))
		return strings.ReplaceAll(line, c.host(), "NAME.")
	})
}

// host returns the name of a change, and of a CSA record the name that it is about.
func (c Change) host() string {
	if name, ok := csa.NameOf(c.Name); ok {
		return name
	}
	return c.Name
}

// writeLike writes a change, or many that differ only in their names.
func writeLike(like []Change, line func(string, ...any)) {
	c := like[0]
	if len(like) == 1 {
		line("   %s %s, for %s", c.Name, resolver.TypeString(c.Type), joined(c.Rules))
		for _, rr := range c.Removed() {
			line("     - %s", txt.Record(rr))
		}
		for _, rr := range c.Added() {
			line("     + %s", txt.Record(rr))
		}
		return
	}
	line("   %d names, %s, for %s: %s", len(like), resolver.TypeString(c.Type), joined(c.Rules), few(each(like, Change.host)))
	for _, data := range c.dataOf(c.Removed()) {
		line("     - %s", data)
	}
	for _, data := range c.dataOf(c.Added()) {
		line("     + %s", data)
	}
}

// writeRest writes what the plan does not do, and the notes.
func (p *Plan) writeRest(line func(string, ...any)) {
	writeTitle("Kept, unless you adopt the plan in their place", len(p.Kept), line)
	for _, like := range grouped(p.Kept, func(k Kept) string { return k.rrType() + k.Reason }, fewLines) {
		if len(like) == 1 {
			like[0].writeText(line)
		} else {
			line("   = %d names, %s: %s: %s", len(like), like[0].rrType(), few(each(like, Kept.name)), untrusted.Line(like[0].Reason))
		}
	}
	writeTitle("Refused", len(p.Refused), line)
	for _, like := range grouped(p.Refused, Refusal.reason, fewLines) {
		if len(like) == 1 {
			line("   %s", untrusted.Line(like[0].subject()+": "+like[0].Reason))
		} else {
			line("   %s", untrusted.Line(few(each(like, Refusal.subject))+": "+like[0].reason()))
		}
	}
	writeNotes("Notes", p.Notes, line)
}

// writeTitle writes the title of a list, unless that is empty.
func writeTitle(title string, n int, line func(string, ...any)) {
	if n > 0 {
		line("\n%s:", title)
	}
}

// writeNotes writes notes below a title, unless there are none.
func writeNotes(title string, notes []flow.Note, line func(string, ...any)) {
	writeTitle(title, len(notes), line)
	for _, like := range grouped(notes, func(n flow.Note) string { return n.Text }, fewLines) {
		if len(like) == 1 {
			line("   %s", like[0])
		} else {
			line("   %s", untrusted.Line(few(each(like, func(n flow.Note) string { return n.Name }))+": "+like[0].Text))
		}
	}
}

// writeText writes the records that stay, and why.
func (k Kept) writeText(line func(string, ...any)) {
	for _, rr := range k.Records {
		line("   = %s", txt.Record(rr))
	}
	for _, r := range k.Wanted {
		line("   wanted: %s", r)
	}
	line("     %s", untrusted.Line(k.Reason))
}

// name returns the name of the records that stay, "" without any.
func (k Kept) name() string {
	if len(k.Records) == 0 {
		return ""
	}
	return setOf(k.Records[0]).Name
}

// rrType returns the type of the records that stay, "" without any.
func (k Kept) rrType() string {
	if len(k.Records) == 0 {
		return ""
	}
	return resolver.TypeString(k.Records[0].Header().Rrtype)
}

// subject returns what is refused.
func (r Refusal) subject() string { return strings.TrimSpace(r.MTA + " " + r.Value) }

// reason returns why it is refused, with NAME in place of its own name.
func (r Refusal) reason() string {
	if name, _, _ := strings.Cut(r.Value, " "); strings.HasSuffix(name, ".") {
		return strings.ReplaceAll(r.Reason, name, "NAME")
	}
	return r.Reason
}
