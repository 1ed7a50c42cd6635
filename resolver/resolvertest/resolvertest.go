// Package resolvertest gives tests a DNS of their own: [New] takes zone text and
// returns a fake that is checked when the test ends.
//
//	func TestGreeting(t *testing.T) {
//		r := resolvertest.New(t, `
//	$ORIGIN example.test.
//	$TTL 300
//	mail A 192.0.2.10`)
//		srv := NewServer(r) // anything that takes a resolver.Resolver
//		…
//	}
//
// No socket is opened and no server is needed; it works in parallel tests and
// under testing/synctest. Faults, delays and the log of questions are those of
// package dnsfake, which has no need of package testing.
package resolvertest

import (
	"testing"

	"github.com/bonafide-mta/bonafide/resolver/dnsfake"
)

// New returns a fake DNS over zone text (see resolver.ParseZones for its form).
// Bad zone text ends the test. When the test ends, each question for a name
// outside every zone is reported as an error of the test: such a question is
// nearly always a typo. Declare "$ORIGIN ." in the text where it is meant, to
// answer NXDOMAIN instead.
func New(t testing.TB, zoneText string) *dnsfake.Fake {
	t.Helper()
	fake, err := dnsfake.New(zoneText)
	if err != nil {
		t.Fatalf("zone text:\n%v", err)
	}
	// In clean-up, not at the question: a goroutine that asks late must not
	// call into a test that is over.
	t.Cleanup(func() {
		t.Helper()
		for _, err := range fake.Outside() {
			t.Errorf("resolvertest: %v", err)
		}
	})
	return fake
}
