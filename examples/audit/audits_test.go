package main

import (
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Jobs end in any order and are yielded in their own order, maxRunning of them at a time.
func TestInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const jobs = 3 * maxRunning
		start := time.Now()
		var got []int
		for i := range inOrder(jobs, func(i int) int {
			time.Sleep(time.Duration(jobs-i) * time.Second) // the first one is the slowest
			return i
		}) {
			got = append(got, i)
		}
		if !slices.IsSorted(got) || len(got) != jobs || got[0] != 0 {
			t.Errorf("got %v", got)
		}
		// The first worker to be free takes the next job, so that all end together.
		if took, least := time.Since(start), time.Duration(jobs)*time.Second; took < least || took > 2*least {
			t.Errorf("it took %v", took)
		}
	})
}

// A loop that is broken off begins no more jobs, and waits for those that run.
func TestInOrderBrokenOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var begun, running atomic.Int32
		for range inOrder(100, func(i int) int {
			begun.Add(1)
			running.Add(1)
			defer running.Add(-1)
			time.Sleep(time.Duration(i+1) * time.Second)
			return i
		}) {
			break
		}
		if begun.Load() > maxRunning+1 || running.Load() != 0 {
			t.Errorf("%d begun, %d still running", begun.Load(), running.Load())
		}
	})
	for range inOrder(0, func(int) int { return 0 }) {
		t.Error("a result of no job")
	}
}
