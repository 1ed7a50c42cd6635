package cost_test

import (
	"fmt"
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
