package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/bonafide-mta/bonafide/identity/rule"
)

// What the page and the Markdown say of a report beyond its findings: how grave it is,
// what to do first, and the findings in sections, rule by rule.

// date is a time as reports have it.
func date(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04 MST") }

// A verdict is a report in two sentences, for who reads no further.
type verdict struct {
	Status rule.Status
	Sign   string // in one character
	Word   string
	Text   string
	Where  string // the MTAs that are concerned
}

// verdict says how grave it is. Advice does not count.
func (r *Report) verdict() verdict {
	switch {
	case r.Failed(rule.Must):
		return verdict{rule.Fail, "✕", "Not in order.", "Some of what receivers demand of a mail server is not so. Its mail may be refused, or taken for spam.", r.failedMTAs(rule.Must)}
	case r.Undecided(rule.Must):
		return verdict{rule.Undecided, "?", "Not known.", "The DNS gave no answer about some of what receivers demand of a mail server. Repeat the audit.", ""}
	case r.Failed(rule.ShouldMinor):
		return verdict{rule.Waived, "!", "In order, with gaps.", "All that receivers demand is so. Some of what tells these servers from forgeries is missing.", r.failedMTAs(rule.ShouldMinor)}
	case r.Undecided(rule.ShouldMinor):
		return verdict{rule.Undecided, "?", "In order, as far as known.", "All that receivers demand is so. About some of the rest the DNS gave no answer: repeat the audit.", ""}
	}
	return verdict{rule.Pass, "✓", "In order.", "All that receivers demand is so, and these servers can be told from forgeries.", ""}
}

// failedMTAs names the MTAs of which something fails at the level of threshold or above, in
// the order of the description.
func (r *Report) failedMTAs(threshold rule.Level) string {
	var ids []string
	failed := make(map[string]bool)
	for _, f := range r.Findings {
		id := f.Subject.MTA
		if id != "" && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
		failed[id] = failed[id] || f.Status == rule.Fail && f.Level.Reaches(threshold)
	}
	return strings.Join(slices.DeleteFunc(ids, func(id string) bool { return !failed[id] }), ", ")
}

// A task is one thing to do: an outcome of a rule, and where it came out so.
type task struct {
	Rule     rule.Rule
	Text     string // the outcome
	Remedy   string
	Known    rule.Outcome // the catalogue's words for both
	Subjects []Subject
}

// Where names the subjects, the first few of many.
func (t task) Where() string {
	const most = 3
	var parts []string
	for _, s := range t.Subjects {
		if len(parts) == most && len(t.Subjects) > most+1 {
			parts = append(parts, fmt.Sprintf("and %d more", len(t.Subjects)-most))
			break
		}
		parts = append(parts, s.String())
	}
	return strings.Join(parts, ", ")
}

// Start is the outcome as the start of a sentence.
func (t task) Start() string {
	first, size := utf8.DecodeRuneInString(t.Text)
	return string(unicode.ToUpper(first)) + t.Text[size:]
}

// firstTasks is how many tasks stand at the top.
const firstTasks = 5

// tasks returns what to do about the failures, the weightiest first and within a level
// in the order of the advice page, where rules build upon those before them. What
// receivers would say of it follows from the rest.
func (r *Report) tasks() []task {
	var out []task
	for level := rule.Must; level <= rule.Advice; level++ {
		type kind struct {
			rule   rule.ID
			code   rule.Code
			remedy string // an alias has one of its own
		}
		index := make(map[kind]int)
		for _, f := range r.Findings {
			known := ruleOf(f)
			if f.Level != level || f.Status != rule.Fail || known.Receiver != "" {
				continue
			}
			key := kind{f.Rule, f.Code, f.Remedy}
			i, ok := index[key]
			if !ok {
				i = len(out)
				index[key] = i
				text, detail := f.parts()
				outcome, _ := known.Outcome(f.Code)
				out = append(out, task{Rule: known, Text: cmp.Or(text, detail), Remedy: f.Remedy, Known: outcome})
			}
			out[i].Subjects = append(out[i].Subjects, f.Subject)
		}
	}
	return out
}

// parts returns the message of a finding in two: the words of the catalogue, and what
// this finding adds to them, which may be the words of others. A message that is not the
// catalogue's is all of the second kind.
func (f Finding) parts() (text, detail string) {
	known, _ := ruleOf(f).Outcome(f.Code)
	if f.Message == known.Text {
		return known.Text, ""
	}
	if detail, ok := strings.CutPrefix(f.Message, known.Text+": "); ok && known.Text != "" {
		return known.Text, detail
	}
	return "", f.Message
}

// ruleOf returns the rule of a finding, or what there is to say of one that another
// program wrote.
func ruleOf(f Finding) rule.Rule {
	known, ok := rule.Lookup(f.Rule)
	if !ok {
		return rule.Rule{ID: f.Rule, Level: f.Level, Title: "A rule that is not in the catalogue"}
	}
	return known
}

// A section is a level with its rules, or the receivers' rules.
type section struct {
	ID    string
	Title string
	Rules []ruleFindings
}

// ruleFindings is a rule with its findings.
type ruleFindings struct {
	rule.Rule
	Findings []Finding
}

// receiversTitle is what the rules are under that are receivers' own.
const receiversTitle = "What well-known receivers would say"

// sections returns the findings by level, and within it by rule; last those of the
// receivers' own rules. Empty sections are left out.
func (r *Report) sections() []section {
	var out []section
	add := func(id, title string, in func(Finding) bool) {
		s := section{ID: id, Title: title}
		for _, f := range r.Findings {
			if !in(f) {
				continue
			}
			i := slices.IndexFunc(s.Rules, func(g ruleFindings) bool { return g.ID == f.Rule })
			if i < 0 {
				i = len(s.Rules)
				s.Rules = append(s.Rules, ruleFindings{Rule: ruleOf(f)})
			}
			s.Rules[i].Findings = append(s.Rules[i].Findings, f)
		}
		if len(s.Rules) > 0 {
			out = append(out, s)
		}
	}
	for level := rule.Must; level <= rule.Advice; level++ {
		add(level.String(), levelTitle[level], func(f Finding) bool { return f.Level == level && ruleOf(f).Receiver == "" })
	}
	add("receivers", receiversTitle, func(f Finding) bool { return ruleOf(f).Receiver != "" })
	return out
}

// Has reports whether a finding of the rule has the status.
func (g ruleFindings) Has(status rule.Status) bool {
	return slices.ContainsFunc(g.Findings, func(f Finding) bool { return f.Status == status })
}

// Open reports whether there is something to do or to repeat. That advice cannot be
// decided is no news.
func (g ruleFindings) Open() bool {
	return g.Has(rule.Fail) || g.Has(rule.Undecided) && g.Level != rule.Advice
}

// needsAttention reports whether a status is more than a line in a list.
func needsAttention(f Finding) bool { return f.Status != rule.Pass && f.Status != rule.NotApplicable }

// Shown is what to show of the findings: where there is something to do, not those that
// need no look.
func (g ruleFindings) Shown() []Finding {
	if !g.Open() {
		return g.Findings
	}
	return slices.DeleteFunc(slices.Clone(g.Findings), func(f Finding) bool { return !needsAttention(f) })
}

// Rest is what Shown leaves out.
func (g ruleFindings) Rest() []Finding {
	if !g.Open() {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(g.Findings), needsAttention)
}

// A count is how many findings have a status.
type count struct {
	Status rule.Status
	N      int
}

// statuses are those of a finding, the worst first.
var statuses = []rule.Status{rule.Fail, rule.Undecided, rule.Pass, rule.Waived, rule.NotApplicable}

// Counts counts the findings of the rule, leaving out what there is none of.
func (g ruleFindings) Counts() []count {
	var out []count
	for _, status := range append(slices.Clip(statuses), 0) { // JSON may leave the status out
		n := 0
		for _, f := range g.Findings {
			if f.Status == status {
				n++
			}
		}
		if n > 0 {
			out = append(out, count{status, n})
		}
	}
	return out
}

// tally counts the findings by status, and for each by level, and last those of the
// receivers' rules.
func (r *Report) tally() [][]count {
	var out [][]count
	for _, status := range statuses {
		row := make([]count, rule.Advice+1)
		for i := range row {
			row[i].Status = status
		}
		for _, f := range r.Findings {
			column := f.Level - rule.Must
			if ruleOf(f).Receiver != "" {
				column = rule.Advice
			}
			if f.Status == status && int(column) < len(row) {
				row[column].N++
			}
		}
		out = append(out, row)
	}
	return out
}
