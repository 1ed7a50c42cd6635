//go:build interop

package peers_test

import (
	"testing"

	"github.com/bonafide-mta/bonafide/internal/nsd"
)

func BenchmarkOneNSD(b *testing.B)       { benchmarkOne(b, nsd.Start(b, "example.test", zone())) }
func BenchmarkQuestionsNSD(b *testing.B) { benchmarkQuestions(b, nsd.Start(b, "example.test", zone())) }

// TestInteropPeers sees that all contenders have an answer, so that the benchmarks
// compare the same work.
func TestInteropPeers(t *testing.T) {
	server := nsd.Start(t, "example.test", zone())
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
