package identity

import (
	"io"
	"strings"
)

// resultsName is the name of the field of RFC 8601.
const resultsName = "Authentication-Results"

// maxHeld is how many octets of a field are held until it is known whose it is.
const maxHeld = 16 << 10

// StripForged returns a reader of a message without the Authentication-Results fields that
// are [ForgedResults]. All other octets pass unchanged, of the header and the body, except
// white space, NUL and lone CR at the very beginning, which would continue the field that is
// put above the message. Put our own field there with io.MultiReader; RFC 8601, Section 4.1,
// wants it above our Received field. The message is that of RFC 5322, without the dots that
// SMTP adds to lines (RFC 5321, Section 4.5.2).
//
// Readers of mail differ about the ends of lines and headers, and a field is deleted if any
// of them may see it: a lone CR ends a line, too, and octets that a name cannot have, as white
// space, NUL, and those beyond ASCII, do not count in the name. Lines that are not fields do
// not end the header. Its end is the first empty line where that line and the line before
// end with LF or CRLF.
//
// The reader holds at most 16 KiB of a field, and less than 64 KiB in all. A field of which
// these do not tell whose it is, for its comments or white space, is deleted. What is
// not of that name, and the results of others, may be of any length.
//
// An error of message, io.EOF or another, comes after what was read before it, and again at
// each further Read. The reader is for one goroutine. An empty authservID is nobody's name:
// only fields that cannot be read are deleted then.
func StripForged(message io.Reader, authservID string) io.Reader {
	return &stripper{message: message, header: header{authservID: authservID}}
}

// A stripper reads a message through its header.
type stripper struct {
	message io.Reader
	header
	buf  [4 << 10]byte
	read int   // octets of out
	err  error // of message, after out
}

// Read implements io.Reader.
func (s *stripper) Read(p []byte) (int, error) {
	for s.read == len(s.out) && s.err == nil && !s.ended && len(p) > 0 {
		s.out, s.read = s.out[:0], 0
		n, err := s.message.Read(s.buf[:])
		if n == 0 && err == nil {
			return 0, nil
		}
		i := 0
		for ; i < n && !s.ended; i++ {
			s.octet(s.buf[i])
		}
		if err != nil && !s.ended {
			s.close()
		}
		s.out = append(s.out, s.buf[i:n]...)
		s.err = err
	}
	n := copy(p, s.out[s.read:])
	s.read += n
	switch {
	case n > 0 || len(p) == 0:
		return n, nil
	case s.err != nil:
		return 0, s.err
	}
	s.out, s.read = nil, 0
	return s.message.Read(p) // the body
}

// A header takes the octets of one, and puts out those that stay.
type header struct {
	authservID string
	out        []byte
	begun      bool // something was put out
	ended      bool

	cr      bool   // the last octet was a CR, which may be that of a CRLF
	blank   bool   // white space was left out at the beginning
	lineEnd string // of the last line, if nothing came after it

	before bool   // a lone CR before the field is held
	field  []byte // what is held of the field
	name   match  // of the field
	value  int    // where its value begins
	line   line   // that the field goes on with
	kept   line   // the same, before the field
	fate   fate
}

// match is how many octets of resultsName were found, less than 0 after any other.
type match int

const (
	mismatch match = -1
	complete       = match(len(resultsName))
)

// fate is what becomes of a field.
type fate uint8

const (
	unknownName fate = iota
	results          // it has the name, and is held
	passes
	stripped
)

// octet takes the next octet.
func (h *header) octet(c byte) {
	if h.cr {
		h.cr = false
		if c == '\n' {
			h.endLine("\r\n")
			return
		}
		h.endLine("\r")
	}
	switch c {
	case '\r':
		h.cr = true
		return
	case '\n':
		h.endLine("\n")
		return
	}
	white := c == ' ' || c == '\t'
	if h.lineEnd != "" && white { // the field goes on (RFC 5322, Section 2.2.3)
		end := h.lineEnd
		h.lineEnd = ""
		for i := range len(end) {
			h.add(end[i])
		}
	} else if h.lineEnd != "" {
		h.endField(c)
	}
	if h.line.ended && c != 0 {
		h.line.ended = false
		if !white {
			h.line.match = 0
		}
	}
	h.blank = h.nothing() && (white || c == 0)
	if !h.blank {
		h.add(c)
	}
}

// nothing reports whether nothing was put out, and nothing is held.
func (h *header) nothing() bool {
	return !h.begun && h.lineEnd == "" && h.fate == unknownName && len(h.field) == 0
}

// endLine ends a line, which is empty if the one before has just ended, or nothing has come.
func (h *header) endLine(end string) {
	if h.line.ended && end != "\r" {
		h.line = line{}
	}
	if h.lineEnd == "" && !h.nothing() {
		h.lineEnd = end
		return
	}
	last := h.lineEnd
	h.endField(end[len(end)-1])
	switch {
	case h.nothing() && (h.blank || end == "\r"):
		h.blank = false
	case end != "\r" && last != "\r":
		h.put(end)
		h.ended = true
	default:
		h.lineEnd = end
	}
}

// close ends a header that no empty line has ended.
func (h *header) close() {
	if h.cr {
		h.cr = false
		h.endLine("\r")
	}
	h.endField('\n')
	if h.before {
		h.put("\r")
	}
}

// add adds an octet to the field.
func (h *header) add(c byte) {
	switch h.fate {
	case stripped:
		return
	case passes:
		h.out = append(h.out, c)
		return
	}
	h.field = append(h.field, c)
	if h.fate == unknownName {
		h.readName(c)
	}
	if len(h.field) == maxHeld {
		h.decide("\x00")
	}
}

// readName reads an octet of the name.
func (h *header) readName(c byte) {
	if c <= ' ' || c > '~' {
		return
	}
	if c == ':' && (h.name == complete || h.line.match == complete) {
		h.fate, h.value = results, len(h.field)
		return
	}
	h.name, h.line.match = h.name.next(c), h.line.match.next(c)
	if h.name == mismatch && h.line.match == mismatch {
		h.pass()
	}
}

// A line is one as readers see it to which a lone CR and NUL are nothing.
type line struct {
	match match
	ended bool // with LF or CRLF, unless white space comes next
}

// next returns the match with another octet, in any case.
func (m match) next(c byte) match {
	if m == mismatch || m == complete || !strings.EqualFold(resultsName[m:m+1], string(rune(c))) {
		return mismatch
	}
	return m + 1
}

// decide decides about a field that is held, by what comes after it. A control character is in
// no authserv-id, and says nothing after the semicolon behind it.
func (h *header) decide(after string) {
	if h.fate == results && !ForgedResults(string(h.field[h.value:])+after, h.authservID) {
		h.line.match = mismatch
		h.pass()
		return
	}
	h.fate, h.field = stripped, h.field[:0]
}

// pass puts out what is held of the field.
func (h *header) pass() {
	if h.before {
		h.before = false
		h.put("\r")
	}
	h.put(string(h.field))
	h.fate, h.field = passes, h.field[:0]
}

// endField ends the field at the end of its last line, which another octet follows. A lone
// CR before one that is deleted goes with it, and the end of its own line stays: an LF after
// that CR would make one line end of two.
func (h *header) endField(next byte) {
	end := h.lineEnd
	h.lineEnd = ""
	switch {
	case h.fate == unknownName: // without a colon
		h.pass()
	case h.fate == results && (next == 0 || next == '\r'): // which may hide that the field goes on
		h.decide("\x00")
	case h.fate == results:
		h.decide(end)
	}
	if h.fate == stripped {
		h.line = h.kept
	}
	if h.fate == passes || h.before {
		h.before = end == "\r"
		if !h.before {
			h.put(end)
			h.line.ended = true
		}
	}
	h.fate, h.name, h.kept = unknownName, 0, h.line
}

func (h *header) put(text string) {
	h.out = append(h.out, text...)
	h.begun = h.begun || text != ""
}
