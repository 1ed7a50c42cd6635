package report_test

import (
	"bytes"
	"encoding"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/bonafide-mta/bonafide/identity/report"
	"github.com/bonafide-mta/bonafide/identity/rule"
)

// one is a report of a single finding.
func one(status rule.Status, code rule.Code, message string) *report.Report {
	return &report.Report{Version: report.Version, Organization: "example.test.", Findings: []report.Finding{
		{Rule: rule.HeloCSA, Level: rule.ShouldMinor, Subject: report.Subject{MTA: "mx1"}, Status: status, Code: code, Message: message},
	}}
}

// What becomes of each status, as a table: from the row to the column.
func TestKinds(t *testing.T) {
	const want = `
pass: pass -, fail worse, undecided other, not-applicable other, waived worse
fail: pass better, fail -, undecided other, not-applicable other, waived better
undecided: pass other, fail worse, undecided -, not-applicable other, waived other
not-applicable: pass other, fail worse, undecided other, not-applicable -, waived other
waived: pass better, fail worse, undecided other, not-applicable other, waived -
`
	var got strings.Builder
	for from := rule.Pass; from <= rule.Waived; from++ {
		var row []string
		for to := rule.Pass; to <= rule.Waived; to++ {
			kind := "-"
			for _, c := range one(to, rule.CodeMissing, "y").Diff(one(from, rule.CodeMissing, "y")).Changes {
				kind = c.Kind.String()
			}
			row = append(row, fmt.Sprintf("%s %s", to, kind))
		}
		fmt.Fprintf(&got, "%s: %s\n", from, strings.Join(row, ", "))
	}
	if diff := cmp.Diff(want, "\n"+got.String()); diff != "" {
		t.Error(diff)
	}
	for _, other := range []*report.Report{one(rule.Fail, rule.CodeDenied, "y"), one(rule.Fail, rule.CodeMissing, "z")} {
		if d := other.Diff(one(rule.Fail, rule.CodeMissing, "y")); len(d.Changes) != 1 || d.Changes[0].Kind != report.Other {
			t.Errorf("another failure: %+v", d.Changes)
		}
	}
}

// The difference of any two reports, seen from either: what is worse one way is better
// the other, but for what fails and was not known or not judged; what is new is gone;
// every finding is counted once.
func TestDiffBothWays(t *testing.T) {
	mirrored := map[report.ChangeKind]report.ChangeKind{
		report.Worse: report.Better, report.Better: report.Worse, report.New: report.Gone, report.Gone: report.New, report.Other: report.Other,
	}
	reports := allAudited(t)
	seen := make(map[report.ChangeKind]bool)
	for _, a := range reports {
		for _, b := range reports {
			there, back := b.Diff(a), a.Diff(b)
			var got, want []string
			counts := make(map[report.ChangeKind]int)
			for _, c := range there.Changes {
				seen[c.Kind] = true
				counts[c.Kind]++
				kind := mirrored[c.Kind]
				if c.Kind == report.Worse && unsettled(c.Before) {
					kind = report.Other
				} else if c.Kind == report.Other && c.Before.Status == rule.Fail && unsettled(c.After) {
					kind = report.Worse
				}
				got = append(got, fmt.Sprint(kind, name(c)))
			}
			for _, c := range back.Changes {
				want = append(want, fmt.Sprint(c.Kind, name(c)))
			}
			slices.Sort(got)
			slices.Sort(want)
			if diff := cmp.Diff(want, got); diff != "" || there.Same != back.Same {
				t.Errorf("%d and %d the same (-back +there mirrored):\n%s", back.Same, there.Same, diff)
			}
			common := there.Same + counts[report.Worse] + counts[report.Better] + counts[report.Other]
			if common+counts[report.New] != len(b.Findings) || common+counts[report.Gone] != len(a.Findings) {
				t.Errorf("%v and %d the same of %d and %d findings", counts, there.Same, len(a.Findings), len(b.Findings))
			}
			if a == b && len(there.Changes) > 0 {
				t.Errorf("a report differs from itself: %v", there)
			}
		}
	}
	if len(seen) != len(mirrored) {
		t.Errorf("seen only %v", seen)
	}
}

// unsettled reports whether a finding says neither that its rule holds nor that it does not.
func unsettled(f *report.Finding) bool {
	return f.Status == rule.Undecided || f.Status == rule.NotApplicable
}

// name returns what a change is about.
func name(c report.Change) string {
	f := c.After
	if f == nil {
		f = c.Before
	}
	return fmt.Sprintf(" %s %s", f.Rule, f.Subject)
}

func TestDiffWithoutPrevious(t *testing.T) {
	d := example.Diff(nil)
	if len(d.Changes) != len(example.Findings) || d.Changes[0].Kind != report.New || d.Changes[0].Before != nil || !d.Since.IsZero() {
		t.Errorf("%+v", d)
	}
	var text strings.Builder
	if err := d.WriteText(&text); err != nil || !strings.Contains(text.String(), "example.org., no audit before\n\nNEW\n  -         -> FAIL") {
		t.Errorf("%v\n%s", err, &text)
	}
}

// Nothing of a report that was read from a file steers the terminal.
func TestHostileDelta(t *testing.T) {
	evil := "\x1b[2J\n\u202e\xff"
	hostile := one(rule.Fail, rule.CodeOther, evil)
	f := &hostile.Findings[0]
	hostile.Organization, f.Subject.MTA, f.Rule, f.Remedy, f.Fix = evil, evil, rule.ID(evil), evil, []string{evil}
	f.Evidence = []report.Evidence{{Name: evil, Server: evil, Records: []string{evil}}}
	for _, d := range []*report.Delta{hostile.Diff(nil), hostile.Diff(example), example.Diff(hostile)} {
		var text strings.Builder
		if err := d.WriteText(&text); err != nil {
			t.Fatal(err)
		}
		if i := strings.IndexFunc(strings.ReplaceAll(text.String(), "\n", ""), func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }); i >= 0 {
			t.Errorf("%q", text.String())
		}
	}
	var text strings.Builder
	if err := hostile.WriteText(&text); err != nil || strings.Contains(text.String(), "\x1b") {
		t.Errorf("%v, %q", err, text.String())
	}
}

func TestDeltaWriterFails(t *testing.T) {
	full := errors.New("disk full")
	d := example.Diff(nil)
	for _, err := range []error{d.WriteText(failing{full}), d.WriteJSON(failing{full}), report.NoReport{}.WriteJSON(failing{full})} {
		if !errors.Is(err, full) {
			t.Error(err)
		}
	}
}

func TestChangeKindText(t *testing.T) {
	var _ encoding.TextMarshaler = report.Worse
	words := ""
	for kind := report.Worse; kind <= report.Gone; kind++ {
		text, err := kind.MarshalText()
		var back report.ChangeKind
		if err != nil || back.UnmarshalText(bytes.ToUpper(text)) != nil || back != kind {
			t.Errorf("%v: %q, %v, %v", kind, text, err, back)
		}
		words += " " + kind.String()
	}
	if words != " worse new other better gone" {
		t.Error(words)
	}
	if text, err := report.ChangeKind(0).MarshalText(); err == nil {
		t.Errorf("the zero ChangeKind is %q", text)
	}
}

// What happens between two reports is told in lines.
func ExampleReport_Diff() {
	before := *example
	after := *example
	after.Time = before.Time.Add(24 * time.Hour)
	after.Findings = slices.Clone(before.Findings)
	after.Findings[0].Status, after.Findings[0].Message = rule.Pass, "the address has a PTR record"
	after.Summary = report.Summary{Pass: 1}
	delta := after.Diff(&before)
	for _, change := range delta.Changes {
		fmt.Println(change.Kind, change)
	}
	fmt.Println(delta)
	// Output:
	// better FAIL      -> pass      ptr-exists mx1/192.0.2.10: the address has a PTR record
	// 0 worse, 0 new, 0 other, 1 better, 0 gone, 0 the same; now 0 failed, 0 undecided, 1 passed, 0 waived, 0 not applicable
}

func ExampleDelta_WriteText() {
	passed := *example
	passed.Findings = slices.Clone(example.Findings)
	passed.Findings[0].Status = rule.Pass
	example.Diff(&passed).WriteText(os.Stdout)
	// Output:
	// Mail server identity of example.org., changes since 2026-01-02 03:04:05 UTC
	//
	// WORSE
	//   pass      -> FAIL      ptr-exists mx1/192.0.2.10: the address has no PTR record
	//       seen  10.2.0.192.in-addr.arpa. PTR: NXDOMAIN [192.0.2.53]
	//       fix   10.2.0.192.in-addr.arpa. 3600 IN PTR mta1.example.org.
	//       do    The PTR record is set by whoever the address is from.
	//
	// 1 worse, 0 new, 0 other, 0 better, 0 gone, 0 the same; now 1 failed, 0 undecided, 0 passed, 0 waived, 0 not applicable
}
