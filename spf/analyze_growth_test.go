package spf_test

import (
	"testing"
	"time"

	"github.com/bonafide-mta/bonafide/internal/lab/cost"
)

// The work of an analysis grows with the policy, and little more: four times the terms cost
// about four times, where they would cost sixteen times if each met each.
func TestAnalyzeGrowth(t *testing.T) {
	const few, most = 500, 8.0
	for _, tt := range hostilePolicies {
		var least [2]time.Duration
		for i, n := range []int{few, 4 * few} {
			run := analyze(t, tt.policy(n))
			least[i] = cost.Of(func() any { return run() }).Time
		}
		growth := float64(least[1]) / float64(max(least[0], 2*time.Millisecond)) // of less, the clock is too coarse
		if growth > most {
			t.Errorf("%s: %.1f times", tt.name, growth)
		}
		t.Logf("%s: %s, then %s: %.1f times", tt.name, least[0], least[1], growth)
	}
}
