package identity

import (
	"bufio"
	"bytes"
	"io"
	"slices"
	"strings"
)

// resultsName is the name of the field of RFC 8601.
const resultsName = "Authentication-Results"

// maxHeld is how many octets of a field are read before it is decided whose it is.
const maxHeld = 16 << 10

// StripForged returns a reader of a message without the Authentication-Results fields that
// are [ForgedResults], and without all fields that have one of the other names, such as the one
// that tells a spam filter the verdict. Put our own field above it with io.MultiReader; RFC 8601, Section 4.1,
// wants it above our Received field. The message is that of RFC 5322, without the dots that
// SMTP adds to lines (RFC 5321, Section 4.5.2). It can have any length.
//
// The body passes unchanged, and so do all other fields, except for two changes. NUL and CR
// without LF in the header become spaces, as Postfix makes them: some readers skip them, and
// some take CR for the end of a line, so that they could hide a field. White space at the very
// beginning is deleted, because it would continue the field that is put above the message.
//
// The header ends with the first empty line, and lines that are not fields do not end it. Octets
// that a name cannot have, such as white space, do not count in the name of a field.
//
// StripForged holds at most 20 KiB of a field, and less than 64 KiB in all. If the first 16 KiB
// of a field do not tell whose it is, the field is deleted.
//
// An error of message, io.EOF or another, comes after what was read before it, and again at
// each further Read. The reader is for one goroutine. With an empty authservID only fields
// without a readable authserv-id are deleted.
func StripForged(message io.Reader, authservID string, others ...string) io.Reader {
	// The struct hides a *bufio.Reader, whose buffer may be larger.
	return &stripper{message: bufio.NewReader(struct{ io.Reader }{message}), authservID: authservID, others: others}
}

// A stripper reads a message through its header.
type stripper struct {
	message    *bufio.Reader
	authservID string
	others     []string // names of fields
	out        []byte   // of the header
	read       int      // octets of out
	err        error    // of message, after out
	inLine     bool     // the last line goes on
	ended      bool     // the header has
	field      []byte   // what is held of a field
	fate       fate
}

// fate is what becomes of a field.
type fate uint8

const (
	undecided fate = iota // it is held
	passed
	deleted
)

// Read implements io.Reader.
func (s *stripper) Read(p []byte) (int, error) {
	for s.read == len(s.out) && !s.ended && s.err == nil {
		s.out, s.read = s.out[:0], 0
		s.readLine()
	}
	switch {
	case s.read < len(s.out):
		n := copy(p, s.out[s.read:])
		s.read += n
		return n, nil
	case s.ended:
		s.out, s.field, s.read = nil, nil, 0
		return s.message.Read(p)
	}
	return 0, s.err
}

// readLine reads the next line of the header, or a part of a long one.
func (s *stripper) readLine() {
	line, err := s.message.ReadSlice('\n')
	goesOn := err == bufio.ErrBufferFull
	if goesOn && line[len(line)-1] == '\r' && s.message.UnreadByte() == nil { // LF may follow
		line = line[:len(line)-1]
	}
	text, whole := bytes.CutSuffix(line, []byte("\n"))
	if whole {
		text = bytes.TrimSuffix(text, []byte("\r"))
	}
	for i, c := range text {
		if c == 0 || c == '\r' {
			text[i] = ' '
		}
	}
	if !s.inLine {
		if len(text) == 0 || text[0] != ' ' && text[0] != '\t' { // RFC 5322, Section 2.2.3
			s.endField()
		}
		s.ended = len(text) == 0 && whole
	}
	switch {
	case s.ended || s.fate == passed:
		s.out = append(s.out, line...)
	case s.fate == undecided:
		s.field = append(s.field, line...)
		if len(s.field) >= maxHeld {
			s.decide()
		}
	}
	s.inLine = goesOn
	if err != nil && !goesOn {
		s.endField()
		s.err = err
	}
}

// endField ends a field, if there is one.
func (s *stripper) endField() {
	if s.fate == undecided {
		s.decide()
	}
	s.fate = undecided
}

// decide decides about the field that is held. Only the first of a header begins with white
// space.
func (s *stripper) decide() {
	s.fate = deleted
	if !s.forged(string(s.field)) {
		s.fate = passed
		s.out = append(s.out, bytes.TrimLeft(s.field, " \t\r\n")...)
	}
	s.field = s.field[:0]
}

// forged reports whether a field, which may go on if it is long, may claim to be ours.
func (s *stripper) forged(field string) bool {
	name, value, colon := strings.Cut(field, ":")
	name = strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return -1
		}
		return r
	}, name)
	long := len(field) >= maxHeld
	begins := func(full string) bool { return strings.EqualFold(name, full[:min(len(name), len(full))]) }
	if !colon {
		return long && (begins(resultsName) || slices.ContainsFunc(s.others, begins))
	}
	if long {
		value += "\x00" // in no authserv-id, and nothing after the semicolon behind one
	}
	return strings.EqualFold(name, resultsName) && ForgedResults(value, s.authservID) ||
		slices.ContainsFunc(s.others, func(other string) bool { return strings.EqualFold(name, other) })
}
