package ptrname_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/bonafide-mta/bonafide/fcrdns/ptrname"
	"github.com/bonafide-mta/bonafide/internal/lab/cost"
)

// The longest names that DNS can hold, of many parts, cost little.
func TestBounds(t *testing.T) {
	addr := netip.MustParseAddr("203.0.113.30")
	for _, name := range []string{
		strings.Repeat("1.", 126) + "a.", strings.Repeat("a-1-", 15) + "a." + strings.Repeat("dsl30-", 10) + "a." + strings.Repeat("pool-", 12) + "a." + strings.Repeat("203-0-113-30.", 4) + "test.",
		strings.Repeat("x", 63) + "." + strings.Repeat("0", 63) + "." + strings.Repeat("-", 63) + "." + strings.Repeat("f", 61) + ".", strings.Repeat(`\000`, 60) + ".test.",
	} {
		classify := func() any {
			ptrname.MailWord(name)
			return ptrname.Classify(addr, name)
		}
		live := cost.Once(classify).Live
		for range 4 { // the runtime allocates, too
			live = min(live, cost.Once(classify).Live)
		}
		c := cost.Of(classify)
		t.Logf("%d octets: %d bytes allocated, %d live, %v", len(name), c.Allocated, live, c.Time)
		if c.Allocated > 4<<10 || live > 4<<10 {
			t.Errorf("%.40s…: over the bounds", name)
		}
	}
}
