//go:build interop

package peers_test

import (
	"net/netip"
	"testing"

	"github.com/bonafide-mta/bonafide/internal/lab/nameserver"
)

func BenchmarkOneNSD(b *testing.B)       { benchmarkOne(b, startNSD(b)) }
func BenchmarkQuestionsNSD(b *testing.B) { benchmarkQuestions(b, startNSD(b)) }

func startNSD(t testing.TB) netip.AddrPort {
	t.Helper()
	return nameserver.NSD(t, nameserver.Zone{Apex: "example.test.", Text: zone()}).Addr
}

// TestInteropPeers checks that every contender gets the answer, so that the benchmarks
// compare the same work.
func TestInteropPeers(t *testing.T) {
	server := startNSD(t)
	for _, c := range contenders() {
		ask, done := c.open(server)
		if err := ask(t.Context(), "w0.example.test."); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if err := ask(t.Context(), "none.example.test."); err == nil {
			t.Errorf("%s: an answer to a name that does not exist", c.name)
		}
		done()
	}
}
