package main

import (
	"context"
	"fmt"
	"io"
	"iter"
	"os"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/term"
)

// A progress is one line on a terminal with the number of records read. The total is not
// known before the end of a zone, so it cannot be a bar.
type progress struct {
	w        io.Writer
	terminal bool
	shown    bool
	last     time.Time
}

func newProgress(w io.Writer) *progress {
	f, ok := w.(*os.File)
	return &progress{w: w, terminal: ok && term.IsTerminal(int(f.Fd()))}
}

// show replaces the line.
func (p *progress) show(format string, args ...any) {
	if p.terminal {
		fmt.Fprintf(p.w, "\r\x1b[K"+format, args...)
		p.shown = true
	}
}

// clear removes the line.
func (p *progress) clear() {
	if p.shown {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.shown = false
	}
}

// warn prints a line that stays.
func (p *progress) warn(warning any) {
	p.clear()
	fmt.Fprintf(p.w, "harden: warning: %v\n", warning)
}

// counted yields the records of several sources, and shows their number.
func (p *progress) counted(ctx context.Context, sources []iter.Seq2[dns.RR, error]) iter.Seq2[dns.RR, error] {
	return func(yield func(dns.RR, error) bool) {
		n := 0
		for _, records := range sources {
			for rr, err := range records {
				if n++; n%1024 == 0 {
					if err == nil {
						err = context.Cause(ctx)
					}
					if now := time.Now(); now.Sub(p.last) > 100*time.Millisecond {
						p.show("%d records", n)
						p.last = now
					}
				}
				if !yield(rr, err) || err != nil {
					return
				}
			}
		}
		p.show("%d records: sorting the names", n)
	}
}
