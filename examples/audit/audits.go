package main

import (
	"context"
	"io"
	"iter"
	"os"
	"sync"
	"sync/atomic"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/bonafide-mta/bonafide/identity/audit"
)

// atOnce bounds the audits that run at a time, of which each asks up to 160 questions at
// once.
const atOnce = 8

// audits are those of all organisations.
type audits struct {
	auditor      audit.Auditor
	descriptions []description
}

// A result is what came of one organisation: a report, or an error.
type result struct {
	name   string
	report *audit.Report
	err    error
}

// run yields the results in the order of the descriptions. Each finished audit advances
// the bar.
func (a audits) run(ctx context.Context, bar *progressbar.ProgressBar) iter.Seq[result] {
	return inOrder(len(a.descriptions), func(i int) result {
		d := a.descriptions[i]
		r := result{name: d.name(), err: d.err}
		if r.err == nil {
			r.report, r.err = a.auditor.Audit(ctx, d.org)
		}
		bar.Add(1) // an error is the terminal's
		return r
	})
}

// inOrder yields what some jobs return, in their order, while atOnce of them run.
func inOrder[T any](jobs int, do func(int) T) iter.Seq[T] {
	return func(yield func(T) bool) {
		done := make([]chan T, jobs)
		for i := range done {
			done[i] = make(chan T, 1)
		}
		var running sync.WaitGroup
		var next atomic.Int64
		for range min(jobs, atOnce) {
			running.Go(func() {
				for i := int(next.Add(1)) - 1; i < jobs; i = int(next.Add(1)) - 1 {
					done[i] <- do(i)
				}
			})
		}
		defer running.Wait()
		for i := range done {
			if !yield(<-done[i]) {
				next.Store(int64(jobs))
				return
			}
			done[i] = nil
		}
	}
}

// progress returns a bar on a terminal, and one that is not seen elsewhere.
func progress(stderr io.Writer, n int) *progressbar.ProgressBar {
	file, ok := stderr.(*os.File)
	if n < 2 || !ok || !term.IsTerminal(int(file.Fd())) {
		return progressbar.DefaultSilent(int64(n))
	}
	return progressbar.NewOptions(n, progressbar.OptionSetWriter(file), progressbar.OptionSetDescription("audits"),
		progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(true), progressbar.OptionClearOnFinish())
}
