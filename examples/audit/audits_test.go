package main

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/resolver"
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

// Each of several organizations gets the names without mail that it owns: below a domain in the
// private part of the public suffix list, and in its other domains, too.
func TestNamesOfSeveral(t *testing.T) {
	var zone strings.Builder
	for _, apex := range []string{"blogspot.com", "customer.github.io", "other.github.io", "one.test", "two.test", "mail.one.test"} {
		zone.WriteString("$ORIGIN " + apex + ".\n@ 300 SOA ns h 1 1 1 1 60\nwww 300 A 192.0.2.80\n")
	}
	zones, err := resolver.ParseZones(zone.String())
	if err != nil {
		t.Fatal(err)
	}
	var descriptions []description
	for _, text := range []string{
		"domain: blogspot.com\nmtas: [{addresses: [192.0.2.10], helo: post.blogspot.com}]",
		"domain: customer.github.io\nmtas: [{addresses: [192.0.2.10], helo: post.customer.github.io}]",
		"domain: one.test\nmtas: [{addresses: [192.0.2.10], helo: post.one.test}]\nmail: [{domain: two.test}]",
		"domain: none.test\nmtas: [{addresses: [192.0.2.10], helo: www.none.test}]",
	} {
		o, err := org.Parse("org.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		descriptions = append(descriptions, description{org: o})
	}
	if err := addNamesWithoutMail(zones, descriptions); err != nil {
		t.Fatal(err)
	}
	var got [][]string
	for _, d := range descriptions {
		got = append(got, d.org.Names)
	}
	want := [][]string{{"www.blogspot.com."}, {"www.customer.github.io."}, {"www.one.test.", "www.two.test."}, nil}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
