package audit

import (
	"context"

	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/report"
	"github.com/bonafide-mta/bonafide/identity/rule"
)

// Mutate makes the check of a rule return another code in place of one, until
// restore is called.
func Mutate(id rule.ID, code, instead rule.Code) (restore func()) {
	known, _ := rule.Lookup(id)
	original, own := checks[id], checkOf(known)
	checks[id] = func(s subject) outcome {
		out := own(s)
		if out.code == code {
			out.code = instead
		}
		return out
	}
	return func() {
		if checks[id] = original; original == nil {
			delete(checks, id)
		}
	}
}

// Checked returns the rules that have a function of their own, and what receivers' rules
// look at that has one.
func Checked() (own map[rule.ID]bool, receivers map[rule.Check]bool) {
	own, receivers = make(map[rule.ID]bool), make(map[rule.Check]bool)
	for id := range checks {
		own[id] = true
	}
	for check := range receiverChecks {
		receivers[check] = true
	}
	return own, receivers
}

// Grace is how many units of work an audit may spend once its context has ended.
const Grace = grace

// WorkAfterEnd audits, and returns how many units of work were spent once the context had
// ended, and the findings that were cut off.
func (a Auditor) WorkAfterEnd(ctx context.Context, o *org.Organization) (units int, cut []report.Finding, err error) {
	f, err := a.describe(o)
	if err != nil {
		return 0, nil, err
	}
	for finding := range a.findings(ctx, f) {
		if finding.Code == rule.CodeCutOff {
			cut = append(cut, finding)
		}
	}
	return grace - f.meter.left, cut, nil
}
