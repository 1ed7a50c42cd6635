package flow

import (
	"fmt"
	"io"
	"iter"
	"net/netip"

	"github.com/bonafide-mta/bonafide/internal/maillog"
)

// An Observation is what a client said in HELO, as a server wrote it down.
type Observation struct {
	Line int        `json:"line,omitzero"` // where it begins, from 1; 0 if not known
	Addr netip.Addr `json:"address"`       // the client, never a mapped address
	Helo string     `json:"helo"`          // as the server wrote it: untrusted
}

// ErrAmbiguous is the error of [Observations] for a line that has two readings: the client
// may have written part of it so that it looks like another client's.
var ErrAmbiguous = maillog.ErrAmbiguous

// Observations yields what clients said in HELO, by the log of a server or by mail that it
// took, for the field Observed of plan.Options. It reads logs of Exim and Postfix, and
// Received fields of Exim, Postfix, sendmail, Exchange, qmail and others that follow
// RFC 5321. It ignores other lines, and lines without a HELO name.
//
// Mail is one message, or a file in mbox format. A client can write Received fields and
// text that looks like a log. So only the topmost Received field of each message counts, or,
// if by is given, the topmost that has one of these hosts as the receiver ("by …"): name the
// hosts that take mail from the outside, not those behind them. Nothing in a body counts.
//
// An error that is [ErrAmbiguous] is about its line, whose number the Observation has, and
// others follow: count them and go on. Any other error comes last: of the reader, or for a
// line longer than 64 KiB. Memory is bounded.
func Observations(r io.Reader, by ...string) iter.Seq2[Observation, error] {
	return func(yield func(Observation, error) bool) {
		for c, err := range maillog.Clients(r, by...) {
			if err != nil {
				err = fmt.Errorf("flow: %w", err)
			} else if c.Helo == "" {
				continue
			}
			if !yield(Observation(c), err) {
				return
			}
		}
	}
}
