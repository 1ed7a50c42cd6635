package audit

import (
	"fmt"
	"strings"
	"time"

	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/report"
	"github.com/bonafide-mta/bonafide/identity/rule"
)

// A Waiver says that a failure is meant, or answers what DNS can never tell: whether an
// address is static (ptr-static).
type Waiver struct {
	Rule    rule.ID
	Subject report.Subject // one that the rule is judged on
	Reason  string         // for the report
	// Until is when the waiver runs out: from then on the failure is one again, and the
	// rule waivers-current fails, too. Zero means never.
	Until time.Time
}

func (w Waiver) expired(now time.Time) bool { return !w.Until.IsZero() && !now.Before(w.Until) }

// describeWaivers adds those of the Auditor and of the description to the facts. The
// error is for one that could never apply: a slip in it would else show only as the
// failure that it was to waive.
func (f *facts) describeWaivers(waivers []Waiver, exceptions []org.Exception) error {
	for _, w := range waivers {
		if err := f.check(w); err != nil {
			return fmt.Errorf("audit: waiver %w", err)
		}
		f.waivers = append(f.waivers, w)
	}
	for _, e := range exceptions {
		w := Waiver{Rule: rule.ID(e.Rule), Reason: e.Reason, Until: e.End()}
		if w.Subject.UnmarshalText([]byte(e.Subject)) != nil {
			w.Subject.MTA = e.Subject // which there is not
		}
		if err := f.check(w); err != nil {
			return fmt.Errorf("audit: exception %w", err)
		}
		f.waivers = append(f.waivers, w)
	}
	return nil
}

func (f *facts) check(w Waiver) error {
	r, ok := rule.Lookup(w.Rule)
	if !ok {
		return fmt.Errorf("of %q: no such rule", w.Rule)
	}
	for s := range f.subjects(r.Scope) {
		if s.name() == w.Subject {
			return nil
		}
	}
	return fmt.Errorf("of %s for %q: expected a subject of the rule, which is judged for each %s", w.Rule, w.Subject, r.Scope)
}

func waiversCurrent(s subject) outcome {
	out := outcome{code: rule.CodeNone}
	var expired []string
	for _, w := range s.waivers {
		if out.code = rule.CodeOK; w.expired(s.now) {
			last := w.Until.Add(-1) // of an exception, its last day
			expired = append(expired, fmt.Sprintf("%s of %s until %s: %q", w.Rule, w.Subject, last.UTC().Format(time.DateOnly), w.Reason))
		}
	}
	if len(expired) > 0 {
		out.code, out.detail = rule.CodeExpired, strings.Join(expired, "; ")
	}
	return out
}
