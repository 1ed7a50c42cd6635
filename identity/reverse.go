package identity

import (
	"context"

	"github.com/bonafide-mta/bonafide/fcrdns"
	"github.com/bonafide-mta/bonafide/identity/helo"
)

// reverseUnknown returns the result of a check of PTR names that did not end in time.
func (s *Session) reverseUnknown(err error) *fcrdns.Result {
	return &fcrdns.Result{Addr: s.client, Status: fcrdns.TempError, Err: err}
}

// reverseFor returns what the PTR names say at HELO: of those that the check at connect
// skipped, the HELO name and ten names of its organization are looked up, too. Otherwise
// the alphabet would decide whether the client is anonymous.
func (s *Session) reverseFor(ctx context.Context, step *stepLookups, reverse *task[*fcrdns.Result], heloName string) *fcrdns.Result {
	connect := reverse.wait(ctx, s.reverseUnknown)
	parsed, _ := helo.Parse(heloName)
	if !parsed.Resolvable() {
		return connect
	}
	checker := fcrdns.Checker{Resolver: step}
	return checker.CheckSkipped(ctx, connect, func(name string) int {
		switch relation, _ := helo.Relate(parsed.Name, name); relation {
		case helo.Identical:
			return 2
		case helo.SameOrganization:
			return 1
		}
		return 0
	})
}
