package spf

import (
	"bytes"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/bonafide-mta/bonafide/resolver"
)

// A macro is one macro-expand with braces (RFC 7208, Section 7.1).
type macro struct {
	letter     byte // lower case
	escape     bool // an upper-case letter: the value is URL-escaped
	keep       int  // how many parts of the right are kept; 0 is all of them
	reverse    bool
	delimiters string // "" is the dot
}

// nextMacro reads the macro that begins at the percent sign s[0], and returns how
// long it is. A literal is what the short forms stand for; it is 0 for braces.
func nextMacro(s string, explanation bool) (m macro, literal byte, length int, reason string) {
	if len(s) < 2 {
		return m, 0, 1, expectedMacro
	}
	switch s[1] {
	case '%':
		return m, '%', 2, ""
	case '_':
		return m, ' ', 2, ""
	case '-':
		return m, '-', 2, "" // and not the octet: it is %20, see expander.append
	case '{':
	default:
		return m, 0, 1, expectedMacro
	}
	end := strings.IndexByte(s, '}')
	if end < 3 {
		return m, 0, len(s), "a macro without a letter or without its closing brace"
	}
	m.letter = s[2] | 0x20
	m.escape = 'A' <= s[2] && s[2] <= 'Z'
	switch {
	case !isAlpha(s[2]) || strings.IndexByte("slodiphcrtv", m.letter) < 0:
		return m, 0, end + 1, "no such macro: expected one of the letters s, l, o, d, i, p, h and v"
	case strings.IndexByte("crt", m.letter) >= 0 && !explanation:
		return m, 0, end + 1, "a macro for explanations only" // RFC 7208, Section 7.2
	}
	i := 3
	for ; i < end && isDigit(s[i]); i++ {
		m.keep = min(m.keep*10+int(s[i]-'0'), 1<<16)
	}
	if i > 3 && m.keep == 0 {
		return m, 0, end + 1, "a macro that keeps no part: expected a number of 1 or more"
	}
	if i < end && s[i]|0x20 == 'r' {
		m.reverse = true
		i++
	}
	m.delimiters = s[i:end]
	for ; i < end; i++ {
		if strings.IndexByte(".-+,/_=", s[i]) < 0 {
			return m, 0, end + 1, "a macro with something else than a number, an r and the delimiters .-+,/_= behind its letter"
		}
	}
	return m, 0, end + 1, ""
}

const expectedMacro = "a percent sign begins a macro: expected %{, %%, %_ or %-"

// scanMacros checks a macro-string. Literal is the offset of what follows the last
// macro; where the string is wrong, at is the offset of what is.
func scanMacros(s string, explanation bool) (literal, at int, reason string) {
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == '%':
			_, _, length, reason := nextMacro(s[i:], explanation)
			if reason != "" {
				return 0, i, reason
			}
			i += length
			literal = i
		case c < ' ' || c > '~' || c == ' ' && !explanation:
			return 0, i, "expected printable ASCII"
		default:
			i++
		}
	}
	return literal, 0, ""
}

// hasMacro reports whether a macro-string that scanMacros accepts uses a letter.
func hasMacro(s string, letter byte) bool {
	for {
		i := strings.IndexByte(s, '%')
		if i < 0 {
			return false
		}
		m, _, length, _ := nextMacro(s[i:], true)
		if m.letter == letter {
			return true
		}
		s = s[i+length:]
	}
}

// values is what the macros of one check stand for.
type values struct {
	addr     netip.Addr
	local    string // local part of the sender
	origin   string // domain of the sender
	helo     string
	receiver string
}

// An expander expands macros for the record of one domain.
type expander struct {
	values
	domain    string        // %{d}, without final dot
	validated func() string // %{p}
	buf       []byte
	known     map[byte]string // values that took some making, by letter
}

// maxTail is how much of an expanded domain-spec is kept: more than a name needs,
// since what is too long loses its left (RFC 7208, Section 7.3).
const maxTail = 512

// name expands a domain-spec to the canonical name to be asked for. It is not ok
// where what comes out is no name, of which there can be no records.
func (e *expander) name(spec string) (name string, ok bool) {
	if strings.IndexByte(spec, '%') < 0 {
		return askable(spec)
	}
	var tail [maxTail]byte
	expanded := bytes.TrimSuffix(e.end(spec, tail[:]), []byte("."))
	for len(expanded) > maxName {
		dot := bytes.IndexByte(expanded, '.')
		if dot < 0 {
			return "", false
		}
		expanded = expanded[dot+1:]
	}
	return askable(string(expanded))
}

// end returns the end of what a domain-spec expands to, as much of it as there is room for.
// It works from the right: a hostile spec expands to megabytes.
func (e *expander) end(spec string, room []byte) []byte {
	free := len(room)
	add := func(piece []byte) {
		piece = piece[max(0, len(piece)-free):]
		free -= len(piece)
		copy(room[free:], piece)
	}
	for end := len(spec); end > 0 && free > 0; {
		var starts [maxTail]int // of the last macros
		macros := 0
		for i := 0; i < end; {
			length := 1
			if spec[i] == '%' {
				_, _, length, _ = nextMacro(spec[i:], false)
				starts[macros%len(starts)] = i
				macros++
			}
			i += length
		}
		for k := macros - 1; k >= max(0, macros-len(starts)) && free > 0; k-- {
			start := starts[k%len(starts)]
			m, literal, length, _ := nextMacro(spec[start:], false)
			e.buf = append(e.buf[:0], spec[max(start+length, end-free):end]...)
			add(e.buf)
			e.buf = e.buf[:0]
			e.append(m, literal)
			add(e.buf)
			end = start
		}
		if macros <= len(starts) && free > 0 {
			e.buf = append(e.buf[:0], spec[max(0, end-free):end]...)
			add(e.buf)
			break
		}
	}
	return room[free:]
}

// text expands an explanation; it is not ok where it grows beyond all use.
func (e *expander) text(s string) (text string, ok bool) {
	e.buf = e.buf[:0]
	for i := 0; i < len(s) && len(e.buf) <= maxExplanation; {
		if s[i] != '%' {
			e.buf = append(e.buf, s[i])
			i++
			continue
		}
		m, literal, length, _ := nextMacro(s[i:], true)
		i += length
		e.append(m, literal)
	}
	return string(e.buf), len(e.buf) <= maxExplanation
}

// maxExplanation is how long an explanation may be, in octets.
const maxExplanation = 4096

// append appends what a macro stands for.
func (e *expander) append(m macro, literal byte) {
	switch literal {
	case 0:
	case '-':
		e.buf = append(e.buf, "%20"...)
		return
	default:
		e.buf = append(e.buf, literal)
		return
	}
	value := e.value(m.letter)
	if m.keep == 0 && !m.reverse && (m.delimiters == "" || m.delimiters == ".") {
		e.escape(m, value)
		return
	}
	e.transform(m, value)
}

// transform appends a value in parts: RFC 7208, Section 7.3: reversed first, then cut;
// rejoined with dots. What is cut off costs nothing.
func (e *expander) transform(m macro, value string) {
	var delimits [256]bool
	for i := range len(m.delimiters) {
		delimits[m.delimiters[i]] = true
	}
	delimits['.'] = delimits['.'] || m.delimiters == ""
	keep := m.keep
	if keep == 0 {
		keep = len(value) + 1
	}
	if !m.reverse {
		start := len(value)
		for ; start > 0; start-- {
			if delimits[value[start-1]] {
				if keep--; keep == 0 {
					break
				}
			}
		}
		for value = value[start:]; value != ""; {
			end := 0
			for end < len(value) && !delimits[value[end]] {
				end++
			}
			e.escape(m, value[:end])
			if end == len(value) {
				return
			}
			e.buf = append(e.buf, '.')
			value = value[end+1:]
		}
		return
	}
	end := 0
	for ; end < len(value); end++ {
		if delimits[value[end]] {
			if keep--; keep == 0 {
				break
			}
		}
	}
	for value = value[:end]; ; {
		start := len(value)
		for start > 0 && !delimits[value[start-1]] {
			start--
		}
		e.escape(m, value[start:])
		if start == 0 {
			return
		}
		e.buf = append(e.buf, '.')
		value = value[:start-1]
	}
}

// escape appends a value, URL-escaped if the macro says so.
func (e *expander) escape(m macro, value string) {
	if !m.escape {
		e.buf = append(e.buf, value...)
		return
	}
	const hex = "0123456789ABCDEF"
	for i := range len(value) {
		c := value[i]
		if isAlpha(c) || isDigit(c) || strings.IndexByte("-._~", c) >= 0 { // RFC 3986, Section 2.3
			e.buf = append(e.buf, c)
			continue
		}
		e.buf = append(e.buf, '%', hex[c>>4], hex[c&15])
	}
}

// value returns what a letter stands for (RFC 7208, Section 7.2).
func (e *expander) value(letter byte) string {
	switch letter {
	case 's':
		return e.made('s', func() string { return e.local + "@" + e.origin })
	case 'l':
		return e.local
	case 'o':
		return e.origin
	case 'd':
		return e.domain
	case 'i':
		return e.made('i', func() string { return dotted(e.addr) })
	case 'p':
		return e.made('p', e.validated)
	case 'v':
		if e.addr.Is4() {
			return "in-addr"
		}
		return "ip6"
	case 'h':
		return e.helo
	case 'c':
		return e.addr.String()
	case 'r':
		return e.receiver
	}
	return strconv.FormatInt(time.Now().Unix(), 10) // t
}

// made returns a value that is made once for all its macros in a text.
func (e *expander) made(letter byte, value func() string) string {
	text, ok := e.known[letter]
	if !ok {
		if e.known == nil {
			e.known = make(map[byte]string)
		}
		text = value()
		e.known[letter] = text
	}
	return text
}

// dotted writes an address so that its parts stand between dots: an IPv6 address as
// upper-case nibbles, as the openspf suite has them.
func dotted(addr netip.Addr) string {
	if addr.Is4() {
		return addr.String()
	}
	const hex = "0123456789ABCDEF"
	text := make([]byte, 0, 63)
	for i, b := range addr.As16() {
		if i > 0 {
			text = append(text, '.')
		}
		text = append(text, hex[b>>4], '.', hex[b&15])
	}
	return string(text)
}

// maxName is how many octets a name has at most, without its final dot.
const maxName = 253

// askable returns the canonical name of octets between dots, as they come out of
// macros: a backslash there is itself. Octets that are no ASCII are in no name: the
// local part of a sender may have them (RFC 8616, Section 4).
func askable(octets string) (name string, ok bool) {
	if len(octets) > maxName+1 { // with a final dot
		return "", false
	}
	var b strings.Builder
	b.Grow(len(octets) + 1)
	for i := range len(octets) {
		switch c := octets[i]; {
		case c >= 0x80:
			return "", false
		case 'A' <= c && c <= 'Z':
			b.WriteByte(c | 0x20)
		case isAlpha(c), isDigit(c), c == '-', c == '_', c == '.':
			b.WriteByte(c)
		default:
			b.WriteByte('\\')
			b.WriteString(strconv.Itoa(1000 + int(c))[1:])
		}
	}
	if !strings.HasSuffix(octets, ".") {
		b.WriteByte('.')
	}
	name, err := resolver.Canonical(b.String())
	return name, err == nil && name != "."
}
