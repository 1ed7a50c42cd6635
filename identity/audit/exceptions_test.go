package audit_test

import (
	"testing"
	"time"

	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/rule"
)

// An exception waives its failure through its whole last day in UTC, whatever the time zone
// of the clock. After it the failure is back, with its fix, and the exception is a finding
// of its own.
func TestExceptionExpires(t *testing.T) {
	s := readScenario(t, "testdata/exceptions.txtar")
	s.org.Exceptions = []org.Exception{{Rule: "helo-csa", Subject: "mx1", Reason: "not\nyet", Until: "2026-06-01"}}
	for _, test := range []struct {
		now             time.Time
		waived, current rule.Status
	}{
		{time.Date(2026, 6, 1, 23, 59, 59, 999999999, time.UTC), rule.Waived, rule.Pass},
		{time.Date(2026, 6, 2, 0, 0, 0, 0, time.UTC), rule.Fail, rule.Fail},
		{time.Date(2026, 6, 2, 13, 59, 59, 999999999, time.FixedZone("east", 14*3600)), rule.Waived, rule.Pass},
		{time.Date(2026, 6, 1, 12, 0, 0, 0, time.FixedZone("west", -12*3600)), rule.Fail, rule.Fail},
		{time.Date(2027, 6, 2, 0, 0, 0, 0, time.UTC), rule.Fail, rule.Fail},
	} {
		s.auditor.Now = func() time.Time { return test.now }
		for _, f := range s.audit(t).Findings {
			switch {
			// Nothing is published for a rule with an exception.
			case f.Rule == rule.HeloCSA && (f.Status != test.waived || (len(f.Fix) == 0) != (f.Status == rule.Waived)):
				t.Errorf("%v: %+v", test.now, f)
			case f.Rule == rule.ExceptionsCurrent && f.Status != test.current:
				t.Errorf("%v: %+v", test.now, f)
			case f.Rule == rule.ExceptionsCurrent && f.Status == rule.Fail && f.Message != `an exception has expired: helo-csa of mx1 until 2026-06-01: "not\nyet"`:
				t.Errorf("%v: %s", test.now, f.Message)
			}
		}
	}
}
