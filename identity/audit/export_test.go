package audit

import "github.com/bonafide-mta/bonafide/identity/rule"

// Mutate makes the check of a rule return another code in place of one, until
// restore is called.
func Mutate(id rule.ID, code, instead rule.Code) (restore func()) {
	original := checks[id]
	checks[id] = func(s subject) outcome {
		out := original(s)
		if out.code == code {
			out.code = instead
		}
		return out
	}
	return func() { checks[id] = original }
}

// Checked returns the rules that have a check.
func Checked() map[rule.ID]bool {
	out := make(map[rule.ID]bool)
	for id := range checks {
		out[id] = true
	}
	return out
}
