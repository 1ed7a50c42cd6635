// Package cost measures what work costs, for tests of the bounds that package documents
// state: bytes allocated, bytes that a result keeps, and how both grow with the input.
package cost

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

// A Cost is what one run of some work takes.
type Cost struct {
	Allocated int64         // bytes in all, the most that could be in use at once
	Live      int64         // bytes that its result keeps; Of does not measure it
	Time      time.Duration // of the CPU
}

// Of runs work and returns its least cost of three runs, except Live: other goroutines of
// the test only add to it.
func Of(work func() any) Cost {
	least, _ := run(work)
	for range 2 {
		c, _ := run(work)
		least = Cost{Allocated: min(least.Allocated, c.Allocated), Time: min(least.Time, c.Time)}
	}
	return least
}

// Allocated returns the bytes that work allocates: those of the first of three runs with at
// most that many, or else the least.
func Allocated(most int64, work func() any) int64 {
	least, _ := run(work)
	for range 2 {
		if least.Allocated <= most {
			break
		}
		c, _ := run(work)
		least.Allocated = min(least.Allocated, c.Allocated)
	}
	return least.Allocated
}

// Once runs work and returns its cost. What work returns is its result.
func Once(work func() any) Cost {
	live := Live()
	c, result := run(work)
	c.Live = max(0, Live()-live)
	runtime.KeepAlive(result)
	return c
}

// run has no garbage collected meanwhile: what that takes depends on what else is alive.
func run(work func() any) (Cost, any) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := cpu()
	result := work()
	c := Cost{Time: cpu() - start}
	runtime.ReadMemStats(&after)
	c.Allocated = int64(after.TotalAlloc - before.TotalAlloc)
	return c, result
}

// Live returns the bytes of the heap that are in use.
func Live() int64 {
	runtime.GC()
	runtime.GC() // what the first one swept
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Linear fails the test if work with 10 n takes much more than ten times what it takes with
// n: over 15 times the bytes or 40 times the time, where a quadratic part would take 100.
// It logs both.
func Linear(t testing.TB, n int, work func(n int) any) {
	t.Helper()
	small := Of(func() any { return work(n) })
	var bytes, times float64
	for range 3 { // another test may have slowed the first
		large := Once(func() any { return work(10 * n) })
		bytes = float64(large.Allocated) / float64(max(small.Allocated, 1))
		times = float64(large.Time) / float64(max(small.Time, time.Microsecond))
		t.Logf("%d: %d bytes, %v; %d: %d bytes, %v; ratio %.1f, %.1f", n, small.Allocated, small.Time, 10*n, large.Allocated, large.Time, bytes, times)
		if bytes <= 15 && (times <= 40 || large.Time <= 200*time.Millisecond) {
			return
		}
	}
	t.Errorf("ten times the input takes %.1f times the bytes and %.1f times the time: expected about 10", bytes, times)
}
