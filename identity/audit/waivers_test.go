package audit_test

import (
	"testing"
	"time"

	"github.com/bonafide-mta/bonafide/identity/audit"
	"github.com/bonafide-mta/bonafide/identity/report"
	"github.com/bonafide-mta/bonafide/identity/rule"
)

// A waiver holds until the moment it names. From then on the failure is back, with its
// fix, and the waiver a finding of its own.
func TestWaiverRunsOut(t *testing.T) {
	s := readScenario(t, "testdata/waived.txtar")
	until := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	s.auditor.Waivers = []audit.Waiver{{Rule: rule.HeloCSA, Subject: report.Subject{MTA: "mx1"}, Reason: "not\nyet", Until: until}}
	for _, test := range []struct {
		now             time.Time
		waived, current rule.Status
	}{
		{until.Add(-1), rule.Waived, rule.Pass},
		{until, rule.Fail, rule.Fail},
		{until.AddDate(1, 0, 0), rule.Fail, rule.Fail},
	} {
		s.auditor.Now = func() time.Time { return test.now }
		for _, f := range s.audit(t).Findings {
			switch {
			case f.Rule == rule.HeloCSA && (f.Status != test.waived || len(f.Fix) == 0):
				t.Errorf("%v: %+v", test.now, f)
			case f.Rule == rule.WaiversCurrent && f.Status != test.current:
				t.Errorf("%v: %+v", test.now, f)
			case f.Rule == rule.WaiversCurrent && f.Status == rule.Fail && f.Message != `a waiver has run out: helo-csa of mx1 until 2026-06-01: "not\nyet"`:
				t.Errorf("%v: %s", test.now, f.Message)
			}
		}
	}
}
