package audit

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/internal/untrusted"
	"github.com/bonafide-mta/bonafide/resolver"
)

// WriteJSON writes the report as one JSON document with fixed keys: every key
// is always there, lists are never null.
func (r *Report) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}

// WriteText writes the report for people: the findings by level, the weightiest
// first, each with its evidence and, for a failure, why it matters and the
// records that would mend it. The text is printable on any terminal: control
// characters in what the DNS said are written as escapes.
func (r *Report) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Mail server identity of %s\n", r.Organisation)
	if r.AllowDocumentation {
		b.WriteString("Names and addresses for documentation are accepted as if they were public.\n")
	}
	for level := rule.Must; level <= rule.Advice; level++ {
		r.writeLevel(&b, level)
	}
	if len(r.Publish) > 0 {
		b.WriteString("\nRecords to publish (a PTR record in place of those that stand at its name)\n\n")
		for _, record := range r.Publish {
			fmt.Fprintf(&b, "    %s\n", untrusted.Line(record))
		}
	}
	fmt.Fprintf(&b, "\n%s\n", r.Summary)
	_, err := io.WriteString(w, b.String())
	return err
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

func (r *Report) writeLevel(b *strings.Builder, level rule.Level) {
	title, current := false, rule.ID("")
	for _, f := range r.Findings {
		if f.Level != level {
			continue
		}
		if !title {
			fmt.Fprintf(b, "\n%s\n", levelTitle[level])
			title = true
		}
		if f.Rule != current {
			current = f.Rule
			known, _ := rule.Lookup(f.Rule)
			fmt.Fprintf(b, "\n  %s (%s)\n", known.Title, f.Rule)
		}
		f.write(b)
	}
}

// write writes one finding: its status, subject and message on one line, what
// belongs to it beneath.
func (f *Finding) write(b *strings.Builder) {
	fmt.Fprintf(b, "    %-9s  %s: %s\n", statusTitle[f.Status], f.Subject, untrusted.Line(f.Message))
	line := func(label, text string) { fmt.Fprintf(b, "               %-5s %s\n", label, untrusted.Line(text)) }
	for _, e := range f.Evidence {
		line("seen", e.String())
	}
	switch f.Status {
	case rule.Fail:
		known, _ := rule.Lookup(f.Rule)
		line("why", known.Why)
		for _, record := range f.Fix {
			line("fix", record)
		}
		if f.Remedy != "" {
			line("do", f.Remedy)
		}
		if len(known.RFC) > 0 {
			line("see", strings.Join(known.RFC, "; "))
		}
	case rule.Waived:
		line("meant", f.Remedy)
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
