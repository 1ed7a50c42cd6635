package audit

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

// WriteJSON writes the report as one JSON document with fixed keys: every key
// is always there, lists are never null.
func (r *Report) WriteJSON(w io.Writer) error { return writeJSON(w, r) }

// WriteText writes the report for people: the findings by level, the weightiest
// first, each with its evidence and, for a failure, the records that would mend
// it. Evidence is numbered, and where a pass rests on what stands further up
// only its number is printed. The text is printable on any terminal: control
// characters in what the DNS said are written as escapes.
func (r *Report) WriteText(w io.Writer) error {
	t := text{seen: make(map[string]int)}
	t.line("Mail server identity of %s", untrusted.Line(r.Organisation))
	if r.AllowDocumentation {
		t.line("Names and addresses for documentation are accepted as if they were public.")
	}
	t.line("What DNS said is numbered; a number alone stands for what is printed further up.")
	for level := rule.Must; level <= rule.Advice; level++ {
		t.level(level, r.Findings)
	}
	if len(r.Publish) > 0 {
		t.line("\nRecords to publish (PTR and SPF records in place of those at their names)\n")
		for _, record := range r.Publish {
			t.line("    %s", untrusted.Line(record))
		}
	}
	t.line("\n%s%s", r.Summary, r.failures())
	_, err := io.WriteString(w, t.String())
	return err
}

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

// text is a report being written.
type text struct {
	strings.Builder
	seen map[string]int // the number of each piece of evidence
}

func (t *text) line(format string, args ...any) { fmt.Fprintf(t, format+"\n", args...) }

// level writes the findings of a level, rule by rule.
func (t *text) level(level rule.Level, all []Finding) {
	ofLevel := slices.DeleteFunc(slices.Clone(all), func(f Finding) bool { return f.Level != level })
	if len(ofLevel) == 0 {
		return
	}
	t.line("\n%s", levelTitle[level])
	for len(ofLevel) > 0 {
		id := ofLevel[0].Rule
		known, ok := rule.Lookup(id)
		if !ok { // of a report that another program wrote
			known = rule.Rule{ID: id, Title: "A rule that is not in the catalogue"}
		}
		n := slices.IndexFunc(ofLevel, func(f Finding) bool { return f.Rule != id })
		if n < 0 {
			n = len(ofLevel)
		}
		t.rule(known, ofLevel[:n])
		ofLevel = ofLevel[n:]
	}
}

// rule writes a rule with its findings: why it is one is said where it fails.
func (t *text) rule(r rule.Rule, findings []Finding) {
	t.line("\n  %s (%s)", r.Title, untrusted.Line(string(r.ID)))
	if r.Why != "" && slices.ContainsFunc(findings, func(f Finding) bool { return f.Status == rule.Fail }) {
		t.line("    why: %s", r.Why)
		if len(r.RFC) > 0 {
			t.line("    see: %s", strings.Join(r.RFC, "; "))
		}
	}
	for _, f := range findings {
		t.finding(f)
	}
}

// finding writes one finding: its status, subject and message on one line, what
// belongs to it beneath.
func (t *text) finding(f Finding) {
	t.line("    %-9s  %s: %s", statusTitle[f.Status], untrusted.Line(f.Subject.String()), untrusted.Line(f.Message))
	sub := func(label, text string) { t.line("               %-5s %s", label, untrusted.Line(text)) }
	brief := f.Status != rule.Fail && f.Status != rule.Undecided
	var above, full []string
	for _, e := range f.Evidence {
		said := e.String()
		number, ok := t.seen[said]
		if !ok {
			number = len(t.seen) + 1
			t.seen[said] = number
		}
		if ok && brief {
			above = append(above, fmt.Sprintf("#%d", number))
		} else {
			full = append(full, fmt.Sprintf("#%d %s", number, said))
		}
	}
	if len(above) > 0 {
		sub("seen", strings.Join(above, " "))
	}
	for _, e := range full {
		sub("seen", e)
	}
	switch f.Status {
	case rule.Fail:
		for _, record := range f.Fix {
			sub("fix", record)
		}
		sub("do", f.Remedy)
	case rule.Waived:
		sub("meant", f.Remedy)
	}
}

// String is one line: what came, which names the question, and who said so.
func (e Evidence) String() string {
	if e.Error != "" {
		return e.Error
	}
	parts := append(slices.Clone(e.Aliases), e.Records...)
	if len(e.Records) == 0 {
		said := e.Status
		if said == resolver.NoError.String() {
			said = "no such record"
		}
		parts = append(parts, fmt.Sprintf("%s %s: %s", e.Name, e.Type, said))
	}
	return fmt.Sprintf("%s [%s]", strings.Join(parts, "; "), e.Server)
}

// String counts the findings in words, as the last line of a report.
func (s Summary) String() string {
	return fmt.Sprintf("%d failed, %d undecided, %d passed, %d waived, %d not applicable",
		s.Fail, s.Undecided, s.Pass, s.Waived, s.NotApplicable)
}
