package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/internal/untrusted"
)

// WriteMarkdown writes the report for issues and chats, in Markdown as GitHub has it: how
// grave it is, what to do first, the failures and what could not be decided with their
// evidence, and the records to publish. What passes is only counted.
//
// Text from DNS or the description is written as code, out of which it cannot break: it
// makes no link, mentions nobody, and forges no heading.
func (r *Report) WriteMarkdown(w io.Writer) error {
	var m markdown
	m.line("# Mail server identity of %s\n", code(withoutDot(r.Organization)))
	v := r.verdict()
	if v.Where != "" {
		v.Text += " Concerned: " + code(v.Where) + "."
	}
	m.line("**%s** %s\n", v.Word, v.Text)
	m.line("Audited %s.\n", date(r.Time))
	if r.AllowDocumentation {
		m.line("Names and addresses for documentation are accepted as if they were public.\n")
	}
	if len(r.Notes) > 0 {
		m.line("## %s\n", notesTitle)
		for _, n := range r.Notes {
			m.line("- %s", code(n.String()))
		}
		m.line("")
	}
	m.tasks(r.tasks())
	m.line("| findings | must | major | minor | advice | receivers |")
	m.line("| --- | ---: | ---: | ---: | ---: | ---: |")
	for _, row := range r.tally() {
		if !slices.ContainsFunc(row, func(c count) bool { return c.N > 0 }) {
			continue
		}
		m.line("| %s | %d | %d | %d | %d | %d |", statusTitle[row[0].Status], row[0].N, row[1].N, row[2].N, row[3].N, row[4].N)
	}
	for _, s := range r.sections() {
		m.section(s)
	}
	m.publish(r.Publish)
	if len(r.Omitted) > 0 {
		m.line("\n## %s\n", omittedTitle)
		for _, o := range r.omitted() {
			m.line("- %s", code(o))
		}
	}
	_, err := io.WriteString(w, m.String())
	return err
}

// tasks writes what to do first, nothing if there is nothing to do.
func (m *markdown) tasks(tasks []task) {
	if len(tasks) == 0 {
		return
	}
	m.line("## What to do first\n")
	first := min(len(tasks), firstTasks)
	for i, t := range tasks[:first] {
		m.line("%d. **%s** at %s", i+1, prose(t.Start(), t.Known.Text), code(t.Where()))
		if t.Remedy != "" {
			m.line("   - %s", prose(t.Remedy, t.Known.Remedy))
		}
	}
	if more := len(tasks) - first; more > 0 {
		m.line("\nand %d more below", more)
	}
	m.line("")
}

// publish writes the records to publish, nothing if there are none.
func (m *markdown) publish(publications []Publication) {
	if len(publications) == 0 {
		return
	}
	m.line("\n## Records to publish\n")
	m.line("In this order. PTR, SPF and CSA records take the place of those at their names.")
	for _, p := range publications {
		m.line("\n%s:", code(p.Title()))
		if p.After != "" {
			m.line("%s", code(p.After+"."))
		}
		m.line("")
		m.fenced("", p.Records)
	}
}

// WriteMarkdown writes the changes for issues and chats, as Report.WriteMarkdown writes a
// report: what got worse first, with its evidence and the records that would fix it,
// then what is new, other, better and gone.
func (d *Delta) WriteMarkdown(w io.Writer) error {
	var m markdown
	m.line("# Mail server identity of %s, %s\n", code(withoutDot(d.Organization)), d.since())
	m.line("%s", escape(d.String()))
	for kind := Worse; kind <= Gone; kind++ {
		title := "\n## " + strings.ToUpper(kind.String()[:1]) + kind.String()[1:] + "\n"
		for _, c := range d.Changes {
			if c.Kind != kind {
				continue
			}
			if title != "" {
				m.line("%s", title)
				title = ""
			}
			f, was, is := c.states()
			became := was + " → **" + is + "**"
			switch kind { // a dash for nothing would begin another list
			case New:
				became = "**" + is + "**"
			case Gone:
				became = "was " + was
			}
			m.line("- %s: %s (%s), %s: %s", became, escape(ruleOf(f).Title), code(string(f.Rule)), code(f.Subject.String()), markdownMessage(f))
			if is == statusTitle[rule.Fail] {
				m.details(f)
			}
		}
	}
	_, err := io.WriteString(w, m.String())
	return err
}

// markdown is a report being written.
type markdown struct{ strings.Builder }

func (m *markdown) line(format string, args ...any) { fmt.Fprintf(m, format+"\n", args...) }

func (m *markdown) section(s section) {
	if !slices.ContainsFunc(s.Rules, ruleFindings.needsAttention) {
		return
	}
	m.line("\n## %s", escape(s.Title))
	for _, g := range s.Rules {
		if !g.needsAttention() {
			continue
		}
		m.line("\n### %s (%s)\n", escape(g.Title), code(string(g.ID)))
		if g.Receiver != "" {
			m.line("Whose check: %s, %s\n", escape(g.Receiver), code(g.Source))
		}
		if g.Why != "" {
			m.line("%s\n", escape(g.Why))
		}
		if g.Impact != "" {
			m.line("What a failure costs: %s\n", escape(g.Impact))
		}
		for _, note := range g.Conflicts {
			m.line("But: %s\n", escape(note))
		}
		passed := 0
		for _, f := range g.Findings {
			if needsAttention(f) {
				m.finding(f)
			} else {
				passed++
			}
		}
		if passed > 0 {
			m.line("- %d more where nothing is wrong", passed)
		}
	}
}

// needsAttention reports whether Markdown shows the rule.
func (g ruleFindings) needsAttention() bool { return g.Open() || g.Has(rule.Waived) }

func (m *markdown) finding(f Finding) {
	m.line("- **%s** %s: %s", statusTitle[f.Status], code(f.Subject.String()), markdownMessage(f))
	m.details(f)
}

// details writes what a finding rests on, and what to do.
func (m *markdown) details(f Finding) {
	for _, e := range f.Evidence {
		m.line("  - seen %s", code(e.String()))
	}
	if left := f.leftOut(); left != "" {
		m.line("  - seen %s", left)
	}
	if f.Mitigated != "" {
		m.line("  - eased: %s", code(f.Mitigated))
	}
	known, _ := ruleOf(f).Outcome(f.Code)
	switch {
	case f.Status == rule.Waived:
		m.line("  - meant: %s", code(f.Remedy))
	case f.Remedy != "":
		m.line("  - do: %s", prose(f.Remedy, known.Remedy))
	}
	if f.Status == rule.Fail && len(f.Fix) > 0 {
		m.line("")
		m.fenced("  ", f.Fix)
	}
}

// markdownMessage is the message of a finding, with what is not the catalogue's in code.
func markdownMessage(f Finding) string {
	text, detail := f.parts()
	if text != "" && detail != "" {
		return escape(text) + ": " + code(detail)
	}
	return escape(text) + code(detail)
}

// fenced writes a block of code. Its fence is longer than any in it (CommonMark, Section
// 4.5).
func (m *markdown) fenced(indent string, lines []string) {
	text := ""
	for _, l := range lines {
		text += indent + untrusted.Line(l) + "\n"
	}
	fence := indent + strings.Repeat("`", max(3, longestRun(text)+1))
	m.line("%s\n%s%s", fence, text, fence)
}

// prose is text of the catalogue, or code if those are not its words.
func prose(text, catalogue string) string {
	if strings.EqualFold(text, catalogue) {
		return escape(text)
	}
	return code(text)
}

// code is a code span, in backticks more than there are in a row in it (CommonMark,
// Section 6.1); nothing for nothing.
func code(text string) string {
	text = untrusted.Line(text)
	if text == "" {
		return ""
	}
	fence := strings.Repeat("`", longestRun(text)+1)
	// A space is taken off at both ends where there is one at both.
	if text[0] == '`' || text[len(text)-1] == '`' || text[0] == ' ' && text[len(text)-1] == ' ' && strings.Trim(text, " ") != "" {
		text = " " + text + " "
	}
	return fence + text + fence
}

// longestRun returns how many backticks there are in a row, at most.
func longestRun(text string) int {
	longest, run := 0, 0
	for _, r := range text {
		if r != '`' {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}

// escape writes text of the catalogue so that none of its characters is Markdown's.
func escape(text string) string {
	var b strings.Builder
	for _, r := range untrusted.Line(text) {
		if strings.ContainsRune("\\`*_[]<>&~|#@", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}
