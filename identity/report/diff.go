package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/internal/enum"
)

// A Delta is what has changed between two reports of one organization.
type Delta struct {
	Version      int       `json:"version"`      // that of Report
	Organization string    `json:"organization"` // that of the new report
	Since        time.Time `json:"since"`        // when the previous audit began; zero if there was none
	Time         time.Time `json:"time"`         // when the new one did
	// Changes are in the order of the new report; what is gone comes last.
	Changes []Change `json:"changes"`
	Same    int      `json:"same"`    // how many findings have not changed
	Summary Summary  `json:"summary"` // of the new report
}

// A Change is a finding that is not as it was before.
type Change struct {
	Kind   ChangeKind `json:"kind,omitzero"` // how Before and After differ
	Before *Finding   `json:"before"`        // nil for New
	After  *Finding   `json:"after"`         // nil for Gone
}

// A ChangeKind says how a finding has changed. The zero ChangeKind is invalid.
type ChangeKind uint8

// The kinds of changes. Fail is worse than Waived, which is worse than Pass. A finding that
// fails and did not is always Worse, even if the audit before could not tell. Otherwise a
// change from or to Undecided or NotApplicable is Other, and so are a failure with another
// code, and another message.
const (
	_      ChangeKind = iota
	Worse             // it fails and did not; or it passed, and is waived
	New               // there was none of the rule and the subject
	Other             // it says something else
	Better            // it failed, and is waived or passes now; or it was waived, and passes
	Gone              // there is none of the rule and the subject any more
)

var changeText = []string{Worse: "worse", New: "new", Other: "other", Better: "better", Gone: "gone"}

// String returns worse, new, other, better or gone.
func (k ChangeKind) String() string { return enum.String(k, changeText) }

// MarshalText returns the text of String; an invalid ChangeKind is an error.
func (k ChangeKind) MarshalText() ([]byte, error) { return enum.Marshal(k, changeText) }

// UnmarshalText accepts what MarshalText returns, in any case.
func (k *ChangeKind) UnmarshalText(text []byte) error { return enum.Unmarshal(k, text, changeText) }

// Diff returns what has changed since a previous report of the organization. Findings are
// the same if their status, code and message are, whatever the evidence. All are new if
// previous is nil. The Delta shares the findings of both reports.
func (r *Report) Diff(previous *Report) *Delta {
	d := &Delta{Version: Version, Organization: r.Organization, Time: r.Time, Changes: []Change{}, Summary: r.Summary}
	type key struct {
		rule    rule.ID
		subject Subject
	}
	gone := make(map[key]bool)
	before := make(map[key]*Finding)
	if previous != nil {
		d.Since = previous.Time
		for i, f := range previous.Findings {
			k := key{f.Rule, f.Subject}
			before[k], gone[k] = &previous.Findings[i], true
		}
	}
	for i := range r.Findings {
		after := &r.Findings[i]
		k := key{after.Rule, after.Subject}
		delete(gone, k)
		if was := before[k]; was != nil && was.Status == after.Status && was.Code == after.Code && was.Message == after.Message {
			d.Same++
		} else {
			d.Changes = append(d.Changes, Change{kindOf(was, after), was, after})
		}
	}
	if previous != nil {
		for i, f := range previous.Findings {
			if gone[key{f.Rule, f.Subject}] {
				d.Changes = append(d.Changes, Change{Kind: Gone, Before: &previous.Findings[i]})
			}
		}
	}
	return d
}

// statusRank orders the statuses that can be compared, the best first.
var statusRank = map[rule.Status]int{rule.Pass: 1, rule.Waived: 2, rule.Fail: 3}

func kindOf(before, after *Finding) ChangeKind {
	if before == nil {
		return New
	}
	switch was, is := statusRank[before.Status], statusRank[after.Status]; {
	case after.Status == rule.Fail && before.Status != rule.Fail:
		return Worse
	case was == 0, is == 0, was == is:
		return Other
	case was < is:
		return Worse
	}
	return Better
}

// since says which report the changes are to.
func (d *Delta) since() string {
	if d.Since.IsZero() {
		return "no audit before"
	}
	return "changes since " + d.Since.UTC().Format(time.DateTime+" MST")
}

// String is one line: what the finding was and is, and what it says now, or said before.
func (c Change) String() string {
	f, was, is := c.states()
	return fmt.Sprintf("%-9s -> %-9s %s %s: %s", was, is, f.Rule, f.Subject, f.Message)
}

// states returns the finding as it is, or was where it is gone, and what it was and is,
// "-" for nothing.
func (c Change) states() (f Finding, was, is string) {
	was, is = "-", "-"
	if c.Before != nil {
		f, was = *c.Before, statusTitle[c.Before.Status]
	}
	if c.After != nil {
		f, is = *c.After, statusTitle[c.After.Status]
	}
	return f, was, is
}

// String counts the changes in words, and the findings of the new report.
func (d *Delta) String() string {
	counts := make(map[ChangeKind]int)
	for _, c := range d.Changes {
		counts[c.Kind]++
	}
	var parts []string
	for kind := Worse; kind <= Gone; kind++ {
		parts = append(parts, fmt.Sprintf("%d %s", counts[kind], kind))
	}
	return fmt.Sprintf("%s, %d the same; now %s", strings.Join(parts, ", "), d.Same, d.Summary)
}
