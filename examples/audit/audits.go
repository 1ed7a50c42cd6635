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
	"github.com/bonafide-mta/bonafide/identity/report"
)

// maxRunning bounds the audits that run at a time. Each asks up to 160 questions at once.
const maxRunning = 8

// audits are those of all organizations.
type audits struct {
	auditor      audit.Auditor
	descriptions []description
}

// A result is the report on one organization, or an error.
type result struct {
	name   string
	report *report.Report
	err    error
}

// run yields the results in the order of the descriptions. Each finished audit advances
// the bar.
func (a audits) run(ctx context.Context, bar *bar) iter.Seq[result] {
	return func(yield func(result) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		for r := range inOrder(len(a.descriptions), func(i int) result {
			d := a.descriptions[i]
			r := result{name: d.name(), err: d.err}
			if r.err == nil {
				r.report, r.err = a.auditor.Audit(ctx, d.org)
			}
			bar.step()
			return r
		}) {
			if !yield(r) {
				cancel() // the results of running audits are not needed
				return
			}
		}
	}
}

// inOrder yields the results of jobs in their order, and runs maxRunning at a time.
func inOrder[T any](jobs int, do func(int) T) iter.Seq[T] {
	return func(yield func(T) bool) {
		done := make([]chan T, jobs)
		for i := range done {
			done[i] = make(chan T, 1)
		}
		var running sync.WaitGroup
		var next atomic.Int64
		for range min(jobs, maxRunning) {
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

// A bar shows on a terminal how many audits have ended.
type bar struct {
	mu    sync.Mutex
	shown *progressbar.ProgressBar // nil for none
}

// progress returns a bar that shows only on a terminal, and only several audits.
func progress(stderr io.Writer, n int) *bar {
	file, ok := stderr.(*os.File)
	if n < 2 || !ok || !term.IsTerminal(int(file.Fd())) {
		return &bar{}
	}
	return &bar{shown: progressbar.NewOptions(n, progressbar.OptionSetWriter(file), progressbar.OptionSetDescription("audits"),
		progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(true), progressbar.OptionClearOnFinish())}
}

// step counts an audit that has ended.
func (b *bar) step() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.shown != nil {
		b.shown.Add(1) // an error is the terminal's
	}
}

// hidden runs write without the bar: it may write to the same terminal.
func (b *bar) hidden(write func() error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.shown != nil {
		b.shown.Clear()
	}
	return write()
}
