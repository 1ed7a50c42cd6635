package report_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/bonafide-mta/bonafide/identity/report"
	"github.com/bonafide-mta/bonafide/identity/rule"
)

// Every status has its word in the text, and an exception its reason.
func TestTextOfEveryStatus(t *testing.T) {
	var text bytes.Buffer
	for _, rep := range allAudited(t) {
		if err := rep.WriteText(&text); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{
		"\n    pass       ", "\n    FAIL       ", "\n    undecided  ", "\n    n/a        ", "\n    waived     ",
		"meant a partner insists on equal names until March", "\nMUST", "\nSHOULD, major", "\nAdvice",
		"for documentation are accepted",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no report says %q", want)
		}
	}
}

// The text says what a failure costs where the rule fails, and what other programs want
// wherever it is judged.
func TestTextOfImpactAndConflicts(t *testing.T) {
	shown := func(r rule.Rule, status rule.Status) string {
		o := report.Report{Findings: []report.Finding{{Rule: r.ID, Level: r.Level, Status: status, Message: "m"}}}
		var text strings.Builder
		if err := o.WriteText(&text); err != nil {
			t.Fatal(err)
		}
		return text.String()
	}
	for _, r := range rule.All() {
		for _, status := range []rule.Status{rule.Pass, rule.Fail, rule.Undecided, rule.NotApplicable} {
			text := shown(r, status)
			if got, want := strings.Contains(text, "\n    costs: "+r.Impact+"\n"), r.Impact != "" && status == rule.Fail; got != want {
				t.Errorf("%s %s: costs shown: %v", r.ID, status, got)
			}
			for _, other := range r.Conflicts {
				if got, want := strings.Contains(text, "\n    but: "+other+"\n"), status == rule.Pass || status == rule.Fail; got != want {
					t.Errorf("%s %s: %q shown: %v", r.ID, status, other, got)
				}
			}
		}
	}
}
