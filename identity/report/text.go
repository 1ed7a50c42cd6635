package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/internal/untrusted"
	"github.com/bonafide-mta/bonafide/resolver"
)

// WriteText writes the report for people: the findings by level, the weightiest first, each
// with its evidence and, for a failure, the records that would fix it. Evidence is numbered;
// a pass or a receiver's check shows only the number of evidence that was printed above.
// Receivers' checks that find nothing wrong have one line each. The text is printable on any
// terminal: control characters are written as escapes.
func (r *Report) WriteText(w io.Writer) error { return r.writeText(w, false) }

// WriteColor writes what WriteText does in the colors of an ANSI terminal. The caller decides
// whether to use it: see https://no-color.org.
func (r *Report) WriteColor(w io.Writer) error { return r.writeText(w, true) }

func (r *Report) writeText(w io.Writer, color bool) error {
	t := text{seen: make(map[string]int), color: color}
	t.line("%s", t.paint(bold, "Mail server identity of "+untrusted.Line(r.Organization)))
	if r.AllowDocumentation {
		t.line("Names and addresses for documentation are accepted as if they were public.")
	}
	t.line("Audited %s: %s", date(r.Time), r)
	if len(r.Notes) > 0 {
		t.line("\n%s", t.paint(bold, notesTitle))
		for _, n := range r.Notes {
			t.line("  %s", n)
		}
		t.line("")
	}
	t.line("What DNS said is numbered; a number alone stands for what is printed further up.")
	for _, s := range r.sections() {
		t.section(s)
	}
	if len(r.Publish) > 0 {
		t.line("\n%s", t.paint(bold, "Records to publish"))
		t.line("In this order, which hurts no mail. PTR, SPF and CSA records take the place of those at their names; a plan (examples/plan) also lists what to remove.")
		for _, p := range r.Publish {
			t.records(p)
		}
	}
	if len(r.Omitted) > 0 {
		t.line("\n%s", t.paint(bold, omittedTitle))
		for _, o := range r.omitted() {
			t.line("  %s", o)
		}
	}
	t.line("\n%s", r)
	_, err := io.WriteString(w, t.String())
	return err
}

// notesTitle is what notes are under.
const notesTitle = "Where the description and DNS do not fit together"

// records writes records to publish, from the margin so that they can be copied.
func (t *text) records(p Publication) {
	t.line("\n%s:", p.Title())
	if p.After != "" {
		t.line("%s.", untrusted.Line(p.After))
	}
	t.line("")
	for _, record := range p.Records {
		t.line("%s", untrusted.Line(record))
	}
}

// String counts the findings on one line, and the failures by level.
func (r *Report) String() string { return r.Summary.String() + r.failures() }

// failures counts the failures by level, "" for none.
func (r *Report) failures() string {
	counts := make(map[rule.Level]int)
	for _, f := range r.Findings {
		if f.Status == rule.Fail {
			counts[f.Level]++
		}
	}
	var parts []string
	for _, level := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%s %d", level, counts[level]))
	}
	if len(parts) == 0 {
		return ""
	}
	return "; failed by level: " + strings.Join(parts, ", ")
}

// levelTitle is what a level is called in the text.
var levelTitle = map[rule.Level]string{
	rule.Must:        "MUST: counts against the server when it is not so",
	rule.ShouldMajor: "SHOULD, major: little work, and many look at it",
	rule.ShouldMinor: "SHOULD, minor: little work, and few look at it",
	rule.Advice:      "Advice",
}

// statusTitle is what a status is called in the text.
var statusTitle = map[rule.Status]string{
	rule.Pass: "pass", rule.Fail: "FAIL", rule.Undecided: "undecided", rule.NotApplicable: "n/a", rule.Waived: "waived",
}

// How a terminal is told to show what follows (ECMA-48, Section 8.3.117).
const (
	bold = "1"
	dim  = "2"
)

// statusColor is how a terminal shows a status.
var statusColor = map[rule.Status]string{rule.Pass: "32", rule.Fail: "1;31", rule.Undecided: "33", rule.NotApplicable: dim, rule.Waived: "36"}

// text is a report being written.
type text struct {
	strings.Builder
	seen  map[string]int // the number of each piece of evidence
	color bool
}

// paint returns s in a color, if there are colors.
func (t *text) paint(color, s string) string {
	if !t.color {
		return s
	}
	return "\x1b[" + color + "m" + s + "\x1b[0m"
}

func (t *text) line(format string, args ...any) { fmt.Fprintf(t, format+"\n", args...) }

// section writes the findings of a section, rule by rule. Checks of receivers that find
// nothing wrong have a line each, after the others.
func (t *text) section(s section) {
	t.line("\n%s", t.paint(bold, s.Title))
	var quiet []ruleFindings
	for _, g := range s.Rules {
		if g.Receiver != "" && !g.needsAttention() {
			quiet = append(quiet, g)
			continue
		}
		t.rule(g)
	}
	if len(quiet) > 0 {
		t.line("")
	}
	for _, g := range quiet {
		t.line("    %s  %s (%s)", t.status(g.Counts()[0].Status), g.Title, g.ID)
	}
}

// status returns a status in its color, as wide as any.
func (t *text) status(s rule.Status) string {
	return t.paint(statusColor[s], fmt.Sprintf("%-9s", statusTitle[s]))
}

// rule writes a rule with its findings: why it is one is said where it fails, what other
// programs want wherever it is judged, since they complain when it passes.
func (t *text) rule(g ruleFindings) {
	t.line("\n  %s (%s)", t.paint(bold, g.Title), untrusted.Line(string(g.ID)))
	note := func(label, text string) {
		if text != "" {
			t.line("    %s: %s", label, text)
		}
	}
	if g.Has(rule.Fail) {
		note("who", g.Receiver)
		note("why", g.Why)
		note("costs", g.Impact)
		note("see", strings.Join(g.RFC, "; "))
		note("see", g.Source)
	}
	if g.Has(rule.Fail) || g.Has(rule.Pass) {
		for _, other := range g.Conflicts {
			note("but", other)
		}
	}
	passed := 0
	for _, f := range g.Findings {
		if g.Receiver != "" && !needsAttention(f) {
			passed++
			continue
		}
		t.finding(f)
	}
	if passed > 0 {
		t.line("    %d more where nothing is wrong", passed)
	}
}

// finding writes one finding: its status, subject and message on one line, what
// belongs to it beneath.
func (t *text) finding(f Finding) {
	t.line("    %s  %s: %s", t.status(f.Status), untrusted.Line(f.Subject.String()), untrusted.Line(f.Message))
	sub := func(label, text string) { t.line("               %-5s %s", label, untrusted.Line(text)) }
	brief := f.Status != rule.Fail && f.Status != rule.Undecided || ruleOf(f).Receiver != ""
	var above, full []string
	for _, e := range f.Evidence {
		answer := e.String()
		number, ok := t.seen[e.dedupKey()]
		if !ok {
			number = len(t.seen) + 1
			t.seen[e.dedupKey()] = number
		}
		if ok && brief {
			above = append(above, fmt.Sprintf("#%d", number))
		} else {
			full = append(full, fmt.Sprintf("#%d %s", number, answer))
		}
	}
	if len(above) > 0 {
		sub("seen", strings.Join(above, " "))
	}
	for _, e := range full {
		sub("seen", e)
	}
	if left := f.leftOut(); left != "" {
		sub("seen", left)
	}
	switch f.Status {
	case rule.Fail:
		for _, record := range f.Fix {
			sub("fix", record)
		}
		sub("do", f.Remedy)
		if f.Mitigated != "" {
			sub("eased", f.Mitigated)
		}
	case rule.Undecided:
		if f.Remedy != "" {
			sub("do", f.Remedy)
		}
	case rule.Waived:
		sub("meant", f.Remedy)
	}
}

// WriteText writes the changes for people: what got worse first, with the records that would
// fix it, then what is new, other, better and gone. The text is printable on any terminal,
// as that of Report.WriteText.
func (d *Delta) WriteText(w io.Writer) error {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("Mail server identity of %s, %s", untrusted.Line(d.Organization), d.since())
	for kind := Worse; kind <= Gone; kind++ {
		title := "\n" + strings.ToUpper(kind.String())
		for _, c := range d.Changes {
			if c.Kind != kind {
				continue
			}
			if title != "" {
				line("%s", title)
				title = ""
			}
			line("  %s", untrusted.Line(c.String()))
			if c.After == nil || c.After.Status != rule.Fail {
				continue
			}
			for _, e := range c.After.Evidence {
				line("      seen  %s", untrusted.Line(e.String()))
			}
			if left := c.After.leftOut(); left != "" {
				line("      seen  %s", left)
			}
			for _, record := range c.After.Fix {
				line("      fix   %s", untrusted.Line(record))
			}
			line("      do    %s", untrusted.Line(c.After.Remedy))
		}
	}
	line("\n%s", d)
	_, err := io.WriteString(w, b.String())
	return err
}

// String is one line: what came, which names the question, and who said so.
func (e Evidence) String() string {
	if e.Error != "" {
		return e.Error
	}
	parts := append(slices.Clone(e.Aliases), e.Records...)
	if left := e.leftOut(); left != "" {
		parts = append(parts, left)
	} else if len(e.Records) == 0 {
		parts = append(parts, fmt.Sprintf("%s %s: %s", e.Name, e.Type, noRecord(e)))
	}
	return fmt.Sprintf("%s [%s]", strings.Join(parts, "; "), e.Server)
}

// noRecord says what an answer without records was.
func noRecord(e Evidence) string {
	if e.Status == resolver.NoError.String() {
		return "no such record"
	}
	return e.Status
}

// dedupKey is String without telling an answer from what a resolver.Cache remembers of it.
func (e Evidence) dedupKey() string {
	e.Server = strings.TrimPrefix(e.Server, "cache of ")
	return e.String()
}

// String counts the findings in words, as the last line of a report.
func (s Summary) String() string {
	return fmt.Sprintf("%d failed, %d undecided, %d passed, %d waived, %d not applicable",
		s.Fail, s.Undecided, s.Pass, s.Waived, s.NotApplicable)
}
