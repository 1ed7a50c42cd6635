// Package resolvertest gives a test a DNS of its own: [New] takes zone text and returns a
// fake (see package dnsfake) that is checked when the test ends. [TestResolver] tests an
// implementation of resolver.Resolver against each promise of the interface, and
// [TestRecords] one that answers from fixed records.
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
// It works in parallel tests and under testing/synctest, except for [Serve], which is for
// programs that ask over sockets. [Replay] answers from a transcript of the real DNS.
package resolvertest

import (
	"net/netip"
	"os"
	"testing"

	"github.com/bonafide-mta/bonafide/resolver/dnsfake"
)

// New returns a fake DNS over zone text, which resolver.ParseZones reads. Bad zone text ends
// the test.
//
// When the test ends, it fails for each error in Outside and Unasked of the fake: each question
// for a name outside every zone, each fault or delay of such a name that was never asked, and
// each fault of Must that did not happen often enough. A name outside every zone is most
// likely a typo. If a test asks for one on purpose, put "$ORIGIN ." into the text: then these
// names are in the root zone and do not exist (NXDOMAIN).
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

// Serve answers from a fake over UDP and TCP on the loopback until the test ends, and returns
// the address and port. It does not work under testing/synctest, where a resolver.Client can
// use the Exchange of the fake.
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

// Replay returns a Resolver that answers from the transcript in a file, which dnsfake.Record
// wrote. A bad transcript ends the test. When the test ends, it fails for each question that
// is not in the transcript.
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
