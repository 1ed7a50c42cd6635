package audit

import (
	"context"
	"slices"

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

// JudgeAfterEnd judges as an audit does whose context ended with a cause when all answers
// had come. It also returns how many units of work that took.
func (a Auditor) JudgeAfterEnd(o *org.Organization, cause error) (findings []report.Finding, units int, err error) {
	f, err := a.describe(o)
	if err != nil {
		return nil, 0, err
	}
	ended, cancel := context.WithCancelCause(context.Background())
	cancel(cause)
	f.meter, f.seen = &meter{ctx: ended, left: grace}, make(observations)
	stop := a.gather(context.Background(), f).start(func() {})
	defer stop()
	findings = slices.Collect(a.judged(f))
	return findings, grace - f.meter.left, nil
}
