package maillog

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxLine is the most octets of a line, and of a field with the lines that continue it.
const maxLine = bufio.MaxScanTokenSize

var errTooLong = fmt.Errorf("longer than %d KiB, expected mail or a log (%w)", maxLine>>10, bufio.ErrTooLong)

// A scanner reads lines in bounded memory.
type scanner struct {
	r    *bufio.Reader
	line int    // the number of the line, from 1
	text string // without its end
	err  error  // other than io.EOF
}

func newScanner(r io.Reader) *scanner { return &scanner{r: bufio.NewReaderSize(r, maxLine)} }

// next reads the next line, and reports whether there is one. A line that is too long is an
// error. A line that the reader failed in may be cut, and is not returned.
func (s *scanner) next() bool {
	line, err := s.r.ReadSlice('\n')
	switch {
	case len(line) == 0 && errors.Is(err, io.EOF):
		return false
	case errors.Is(err, bufio.ErrBufferFull):
		err = errTooLong
	case errors.Is(err, io.EOF):
		err = nil
	}
	s.line++
	s.text, s.err = strings.TrimRight(string(line), "\r\n"), err
	return err == nil
}

// skipBody reads lines of any length up to one that begins a message in mbox format, and
// reports whether there is one.
func (s *scanner) skipBody() bool {
	for empty := true; ; {
		line, err := s.r.ReadSlice('\n')
		if len(line) == 0 && errors.Is(err, io.EOF) {
			return false
		}
		s.line++
		if empty && strings.HasPrefix(string(line[:min(len(line), 5)]), "From ") {
			return true
		}
		empty = len(strings.TrimRight(string(line[:min(len(line), 3)]), "\r\n")) == 0
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = s.r.ReadSlice('\n')
		}
		if err != nil && !errors.Is(err, io.EOF) {
			s.err = err
			return false
		}
	}
}
