package cost_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/bonafide-mta/bonafide/internal/lab/cost"
)

func TestCost(t *testing.T) {
	const size = 1 << 20
	work := func() any { return make([]byte, size) }
	if c := cost.Of(work); c.Allocated < size || c.Allocated > 2*size || c.Live != 0 {
		t.Errorf("Of: %+v", c)
	}
	if c := cost.Once(work); c.Live < size/2 || c.Live > 2*size {
		t.Errorf("Once: %+v", c)
	}
}

// Allocated repeats the work only while it is over its bound, and keeps the least.
func TestAllocated(t *testing.T) {
	const size = 1 << 20
	for _, tt := range []struct {
		sizes []int // of the runs
		runs  int
	}{
		{[]int{size / 2, 4 * size, 4 * size}, 1},
		{[]int{4 * size, size / 2, 4 * size}, 2},
		{[]int{4 * size, 2 * size, 8 * size}, 3},
	} {
		runs := 0
		got := cost.Allocated(size, func() any {
			runs++
			return make([]byte, tt.sizes[runs-1])
		})
		if least := int64(slices.Min(tt.sizes)); runs != tt.runs || got < least || got > least+size/4 {
			t.Errorf("%v: %d after %d runs", tt.sizes, got, runs)
		}
	}
}

// recorder is a test that fails without failing this one.
type recorder struct {
	testing.TB
	failed string
}

func (r *recorder) Errorf(format string, args ...any) { r.failed = fmt.Sprintf(format, args...) }

func TestLinear(t *testing.T) {
	for _, tt := range []struct {
		name  string
		bytes func(n int) int
		fails bool
	}{
		{"linear", func(n int) int { return 1024 * n }, false},
		{"quadratic", func(n int) int { return 100 * n * n }, true},
	} {
		r := &recorder{TB: t}
		cost.Linear(r, 100, func(n int) any { return make([]byte, tt.bytes(n)) })
		if (r.failed != "") != tt.fails {
			t.Errorf("%s: %q", tt.name, r.failed)
		}
	}
}
