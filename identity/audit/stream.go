package audit

import (
	"context"
	"fmt"
	"iter"

	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/report"
	"github.com/bonafide-mta/bonafide/identity/rule"
)

// Findings yields the findings of an audit in the order of Report.Findings, each as soon
// as what it rests on is known and those before it are yielded. The error is that of
// Audit, yielded alone. A loop that ends early stops the questions, and continues once none
// of them is pending.
//
// Each loop over the sequence asks the questions again.
func (a Auditor) Findings(ctx context.Context, o *org.Organization) iter.Seq2[report.Finding, error] {
	return func(yield func(report.Finding, error) bool) {
		f, err := a.describe(o)
		if err != nil {
			yield(report.Finding{}, err)
			return
		}
		for finding := range a.findings(ctx, f) {
			if !yield(finding, nil) {
				return
			}
		}
	}
}

// findings asks what DNS says about the facts described, and judges.
func (a Auditor) findings(ctx context.Context, f *facts) iter.Seq[report.Finding] {
	return func(yield func(report.Finding) bool) {
		ctx, cancel := context.WithCancel(ctx)
		if a.Timeout > 0 {
			var release context.CancelFunc
			ctx, release = context.WithTimeoutCause(ctx, a.Timeout, fmt.Errorf("the audit took longer than %v", a.Timeout))
			defer release()
		}
		f.meter, f.seen = &meter{ctx: ctx, left: grace}, make(observations)
		stop := a.gather(ctx, f).start(cancel)
		defer stop()
		all := true
		a.judged(f)(func(finding report.Finding) bool {
			all = yield(finding)
			return all
		})
		if all {
			f.notes = f.contradictions()
		}
	}
}

// judged judges by the facts, which may still come in.
func (a Auditor) judged(f *facts) iter.Seq[report.Finding] {
	return func(yield func(report.Finding) bool) {
		for _, r := range rule.All() {
			if !a.judges(r.ID) {
				continue
			}
			for s := range f.subjects(r.Scope) {
				if !yield(judge(r, s)) {
					return
				}
			}
		}
	}
}
