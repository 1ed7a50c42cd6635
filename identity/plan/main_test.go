package plan_test

import (
	"flag"
	"os"
	"runtime/debug"
	"testing"
)

func TestMain(m *testing.M) {
	debug.SetGCPercent(800)                                // audits leave much garbage and keep little: a third of the time was collecting it
	if err := flag.Set("rapid.checks", "40"); err != nil { // worlds by default; the flag can say more
		panic(err)
	}
	flag.Parse()
	os.Exit(m.Run())
}
