package spf_test

import (
	"math"
	"testing"
	"time"

	"github.com/bonafide-mta/bonafide/internal/lab/cost"
)

// The work of an analysis grows with the policy, and little more: four times the terms cost
// about four times, where they would cost sixteen times if each met each.
func TestAnalyzeGrowth(t *testing.T) {
	const few, most = 500, 8.0
	for _, tt := range hostilePolicies {
		if tt.name == "everything too large" { // whatever n is
			continue
		}
		small, large := analyze(t, tt.policy(few)), analyze(t, tt.policy(4*few))
		growth := math.Inf(1)
		for attempt := 0; growth > most && attempt < 3; attempt++ { // another test may have slowed the last
			before, after := cost.Of(func() any { return small() }).Time, cost.Of(func() any { return large() }).Time
			growth = float64(after) / float64(max(before, 2*time.Millisecond)) // of less, the clock is too coarse
			t.Logf("%s: %s, then %s: %.1f times", tt.name, before, after, growth)
		}
		if growth > most {
			t.Errorf("%s: %.1f times", tt.name, growth)
		}
	}
}
