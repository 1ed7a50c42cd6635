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

// A progress is one line of a terminal that says how far the work is. Neither a zone
// file nor a transfer says how many records it has: there is nothing to draw a bar of.
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

// say puts a text in the place of the one before.
func (p *progress) say(format string, args ...any) {
	if p.terminal {
		fmt.Fprintf(p.w, "\r\x1b[K"+format, args...)
		p.shown = true
	}
}

// clear takes the text away.
func (p *progress) clear() {
	if p.shown {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.shown = false
	}
}

// warn leaves a line that stays.
func (p *progress) warn(warning any) {
	p.clear()
	fmt.Fprintf(p.w, "harden: warning: %v\n", warning)
}

// count yields records of several sources, and shows how many there were.
func (p *progress) count(ctx context.Context, sources []iter.Seq2[dns.RR, error]) iter.Seq2[dns.RR, error] {
	return func(yield func(dns.RR, error) bool) {
		n := 0
		for _, records := range sources {
			for rr, err := range records {
				if n++; n%1024 == 0 {
					if err == nil {
						err = context.Cause(ctx)
					}
					if now := time.Now(); now.Sub(p.last) > 100*time.Millisecond {
						p.say("%d records", n)
						p.last = now
					}
				}
				if !yield(rr, err) || err != nil {
					return
				}
			}
		}
		p.say("%d records: sorting the names", n)
	}
}
