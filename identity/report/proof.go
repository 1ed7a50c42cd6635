package report

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/internal/untrusted"
)

// A Proof shows what a plan will do before anything is published.
type Proof struct {
	Before *Report `json:"before"` // of the DNS as it is
	After  *Report `json:"after"`  // of the DNS as it will be when the whole plan is carried out
	// Partial says that the DNS as it will be is not known completely: of some zones only
	// the names that were asked for are known, or they belong to an ISP. The Server of
	// evidence from such a zone says so, too.
	Partial bool `json:"partial"`
}

// WriteText writes both reports side by side, for people: what each rule says about which
// subjects as it is and as it will be, in the sections of a report. Findings that pass or do
// not apply in both, and advice that cannot be decided, are only counted. It is an error if
// a report is missing, or one is about other rules and subjects than the other.
func (p *Proof) WriteText(w io.Writer) error {
	if p.Before == nil || p.After == nil || !slices.EqualFunc(p.Before.Findings, p.After.Findings, sameQuestion) {
		return errors.New("report: the two reports of a proof are not about the same rules and subjects")
	}
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("Mail server identity of %s, as it is -> as it will be", p.Before.Organization)
	if p.Partial {
		line("This is a partial view: of some zones only the names are known that the plan is about.")
	}
	same := 0
	after := p.After.sections() // the same rules on the same subjects, in the same order
	for i, s := range p.Before.sections() {
		title := "\n" + s.Title
		for j, g := range s.Rules {
			var all []proofChange
			for k, f := range g.Findings {
				c := proofChange{f.Status, after[i].Rules[j].Findings[k]}
				if c.unremarkable() {
					same++
					continue
				}
				all = append(all, c)
			}
			for len(all) > 0 {
				if title != "" {
					line("%s", title)
					title = ""
				}
				first := all[0]
				var subjects []string // of which the same is said
				all = slices.DeleteFunc(all, func(c proofChange) bool {
					alike := c.before == first.before && c.after.Status == first.after.Status && c.says() == first.says()
					if alike {
						subjects = append(subjects, c.after.Subject.String())
					}
					return alike
				})
				line("  %-9s -> %-9s %s %s", statusTitle[first.before], statusTitle[first.after.Status], g.ID, strings.Join(subjects, ", "))
				if first.says() != "" {
					line("      %s", untrusted.Line(first.says()))
				}
			}
		}
	}
	line("\nas it is:       %s", p.Before)
	line("as it will be:  %s", p.After)
	line("nothing to look at, and not listed: %d", same)
	_, err := io.WriteString(w, b.String())
	return err
}

// sameQuestion reports whether two findings say whether the same is so.
func sameQuestion(a, b Finding) bool {
	return a.Rule == b.Rule && a.Level == b.Level && a.Subject == b.Subject
}

// A proofChange is what a finding was and will be.
type proofChange struct {
	before rule.Status
	after  Finding
}

// unremarkable reports whether nobody needs to look at it.
func (c proofChange) unremarkable() bool {
	if c.after.Status == rule.Undecided && c.after.Level == rule.Advice {
		return c.before == rule.Undecided || c.before == rule.NotApplicable
	}
	return c.before == c.after.Status && !needsAttention(c.after)
}

// says is what the finding will say, unless it passes.
func (c proofChange) says() string {
	if c.after.Status == rule.Pass {
		return ""
	}
	return c.after.Message
}
