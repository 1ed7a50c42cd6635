package resolver

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/bonafide-mta/bonafide/internal/untrusted"
)

// A Problem is one thing in zone text that is wrong, or that is legal but
// hardly meant (see [Zones.Warnings]).
type Problem struct {
	File string `json:"file,omitzero"` // as given to ReadZone; "" for ParseZones
	Line int    `json:"line,omitzero"` // where the entry begins, counted from 1; 0 for the whole text
	Text string `json:"text"`          // what is wrong, and what was expected
}

// String returns file:line: text, without the parts that are not known.
func (p Problem) String() string {
	switch {
	case p.Line == 0 && p.File == "":
		return p.Text
	case p.Line == 0:
		return untrusted.Line(p.File) + ": " + p.Text
	case p.File == "":
		return fmt.Sprintf("line %d: %s", p.Line, p.Text)
	}
	return fmt.Sprintf("%s:%d: %s", untrusted.Line(p.File), p.Line, p.Text)
}

// A ZoneError lists everything that is wrong with a zone text, in order of line.
type ZoneError struct{ Problems []Problem }

// maxPrinted is how many problems Error prints before it only counts.
const maxPrinted = 20

// Error returns one line a problem, twenty at most, then how many more there are.
func (e *ZoneError) Error() string {
	var b strings.Builder
	for i, p := range e.Problems {
		if i == maxPrinted {
			fmt.Fprintf(&b, "\nand %d more", len(e.Problems)-maxPrinted)
			break
		}
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(p.String())
	}
	return b.String()
}

// asZoneError returns the problems as an error, or nil.
func asZoneError(problems []Problem) error {
	if len(problems) == 0 {
		return nil
	}
	return &ZoneError{problems}
}

// short quotes a token for a message: nobody reads the megabyte behind a forgotten
// line end.
func short(token string) string {
	const most = 60
	if len(token) <= most {
		return strconv.Quote(token)
	}
	return fmt.Sprintf("%.60q and so on, %d octets", token, len(token))
}
