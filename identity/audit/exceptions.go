package audit

import (
	"fmt"
	"strings"

	"github.com/bonafide-mta/bonafide/identity/rule"
)

// checkExceptions returns an error for an exception of the description that could never
// apply: a slip in it would else show only as the failure that it was to waive.
func (f *facts) checkExceptions() error {
	for _, e := range f.exceptions {
		r, ok := rule.Lookup(rule.ID(e.Rule))
		if !ok {
			return fmt.Errorf("audit: exception of %q: no such rule", e.Rule)
		}
		judged := false
		for s := range f.subjects(r.Scope) {
			judged = judged || e.Covers(e.Rule, s.name().String())
		}
		if !judged {
			return fmt.Errorf("audit: exception of %s for %q: expected a subject of the rule, which is judged for each %s", e.Rule, e.Subject, r.Scope)
		}
	}
	return nil
}

func exceptionsCurrent(s subject) outcome {
	out := outcome{code: rule.CodeNone}
	var expired []string
	for _, e := range s.exceptions {
		if out.code = rule.CodeOK; e.Expired(s.now) {
			expired = append(expired, fmt.Sprintf("%s of %s until %s: %q", e.Rule, e.Subject, e.Until, e.Reason))
		}
	}
	if len(expired) > 0 {
		out.code, out.detail = rule.CodeExpired, strings.Join(expired, "; ")
	}
	return out
}
