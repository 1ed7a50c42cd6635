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
// It works in parallel tests and under testing/synctest. [Serve] is for programs
// that are to be asked over sockets, [Replay] for transcripts of the real DNS.
// Faults, delays and the log of questions are those of package dnsfake, which has
// no need of package testing.
//
// [TestResolver] tests an implementation of resolver.Resolver against each promise of the
// interface, and [TestRecords] one that answers from fixed records.
package resolvertest

import (
	"net/netip"
	"os"
	"testing"

	"github.com/bonafide-mta/bonafide/resolver/dnsfake"
)

// New returns a fake DNS over zone text (see resolver.ParseZones for its form).
// Bad zone text ends the test. When the test ends, it fails for each question for
// a name outside every zone, which is nearly always a typo (declare "$ORIGIN ."
// in the text where it is meant, to answer NXDOMAIN instead), and for each fault
// of Must that was not asked.
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
		for _, err := range append(fake.Outside(), fake.Unasked()...) {
			t.Errorf("resolvertest: %v", err)
		}
	})
	return fake
}

// Serve answers from a fake over UDP and TCP on the loopback until the test ends,
// and returns the address and port. It does not work under testing/synctest.
func Serve(t testing.TB, fake *dnsfake.Fake) netip.AddrPort {
	t.Helper()
	server, err := fake.Serve()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Errorf("resolvertest: %v", err)
		}
	})
	return server.Addr
}

// Replay answers from the transcript in a file, as dnsfake.Record wrote it. When
// the test ends, it fails for each question that the transcript does not have.
func Replay(t testing.TB, file string) *dnsfake.Player {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	player, err := dnsfake.Replay(file, f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		t.Helper()
		for _, err := range player.Missing() {
			t.Errorf("resolvertest: %v", err)
		}
	})
	return player
}
