package plan_test

import (
	"os"
	"runtime/debug"
	"testing"
)

func TestMain(m *testing.M) {
	debug.SetGCPercent(800) // audits leave much garbage and keep little: a third of the time was collecting it
	os.Exit(m.Run())
}
