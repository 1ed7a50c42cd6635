package audit

import "github.com/bonafide-mta/bonafide/identity/rule"

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
