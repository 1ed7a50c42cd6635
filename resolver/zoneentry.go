package resolver

import "strings"

// An entry is one record or directive of zone text: its tokens as they were
// written, escapes included, freed of comments and parentheses.
type entry struct {
	line        int
	indent      bool    // began with white space: the owner is the last one
	tokens      []token // never empty without a problem; valid until the next entry
	cutText     bool    // a ';' that touches a token: a comment that was meant as text?
	odd         bool    // it has octets that are not printable ASCII
	parentheses bool    // some are open in it
	problem     string  // why the entry cannot be read
}

// A token is a word, or a string in quotes.
type token struct {
	text   string // without the quotes
	quoted bool
	glued  bool // nothing is between it and the token before, as in alpn="h2"
}

// shown is a token for a message.
func (t token) shown() string {
	if t.quoted {
		return short(`"` + t.text + `"`)
	}
	return short(t.text)
}

// written joins tokens to the text that is read as the same ones.
func written(tokens []token) string {
	var b strings.Builder
	for i, t := range tokens {
		if i > 0 && !t.glued {
			b.WriteByte(' ')
		}
		if t.quoted {
			b.WriteString(`"` + t.text + `"`)
		} else {
			b.WriteString(t.text)
		}
	}
	return b.String()
}

// cutEntries calls yield for each entry of text, the unreadable ones too, so
// that one bad entry does not hide the next.
func cutEntries(text string, yield func(entry)) {
	c := cutter{text: text, line: 1, start: -1, ended: -1, yield: yield}
	fresh := true // at the first octet of an entry's first line
	for ; c.at < len(text); c.at++ {
		octet := text[c.at]
		if fresh {
			c.entry.line, c.entry.indent, fresh = c.line, octet == ' ' || octet == '\t', false
		}
		switch {
		case !special[octet]:
			if c.start < 0 {
				c.start = c.at
			}
		case c.special(octet):
			c.endEntry()
			fresh = true
		}
	}
	c.endToken(len(text))
	if c.depth > 0 {
		c.entry.problem = "opening parenthesis without a closing one: nothing after it was read"
	}
	c.endEntry()
}

// special are the octets that mean something else than themselves, or are odd.
var special = func() (special [256]bool) {
	for c := range special {
		special[c] = c <= ' ' || c > '~' || strings.IndexByte(`"();\`, byte(c)) >= 0
	}
	return special
}()

// A cutter cuts zone text into entries.
type cutter struct {
	text  string
	at    int   // the octet that is read
	line  int   // its line, counted from 1
	depth int   // open parentheses
	start int   // where the token began, or -1
	ended int   // where the last token of this entry ended
	entry entry // what was read of it
	yield func(entry)
}

// special reads an octet that may mean something else than itself. It reports whether the
// entry ends.
func (c *cutter) special(octet byte) (end bool) {
	switch octet {
	case '\n':
		c.endToken(c.at)
		c.line++
		return c.depth == 0
	case ' ', '\t':
		c.endToken(c.at)
	case '\r':
		c.endToken(c.at)
		if next := strings.TrimLeft(c.text[c.at:min(c.at+8, len(c.text))], "\r"); next != "" && next[0] != '\n' {
			c.entry.problem = "a carriage return (CR) within a line: end each line with LF, or with CR LF"
		}
	case '(':
		c.endToken(c.at)
		c.depth++
		c.entry.parentheses = true
	case ')':
		c.endToken(c.at)
		if c.depth--; c.depth < 0 {
			c.depth, c.entry.problem = 0, "closing parenthesis without an opening one"
		}
	case ';':
		c.entry.cutText = c.entry.cutText || c.start >= 0
		c.endToken(c.at)
		c.skipLine()
	case '"':
		c.endToken(c.at)
		c.quote()
	default:
		c.entry.odd = c.entry.odd || octet != '\\'
		if c.start < 0 {
			c.start = c.at
		}
		if octet == '\\' && c.at+1 < len(c.text) && c.text[c.at+1] != '\n' && c.text[c.at+1] != '\r' {
			c.at++
			c.entry.odd = c.entry.odd || c.text[c.at] < ' ' || c.text[c.at] > '~'
		}
	}
	return false
}

// endToken ends the token, if there is one, before an octet.
func (c *cutter) endToken(before int) {
	if c.start >= 0 {
		c.entry.tokens = append(c.entry.tokens, token{text: c.text[c.start:before], glued: c.start == c.ended})
		c.start, c.ended = -1, before
	}
}

func (c *cutter) endEntry() {
	if len(c.entry.tokens) > 0 || c.entry.problem != "" {
		c.yield(c.entry)
	}
	c.entry, c.depth, c.ended = entry{tokens: c.entry.tokens[:0]}, 0, -1
}

// skipLine goes to the last octet of the line.
func (c *cutter) skipLine() {
	if n := strings.IndexByte(c.text[c.at:], '\n'); n >= 0 {
		c.at += n - 1
	} else {
		c.at = len(c.text) - 1
	}
}

// quote reads a string in quotes, from the first one to the second.
func (c *cutter) quote() {
	closing := quoteEnd(c.text, c.at+1)
	if closing < 0 {
		// Up to the end of the line only: a forgotten quote must not swallow the rest
		// of the file.
		c.entry.problem = "quote without a closing one on the same line"
		c.skipLine()
		return
	}
	c.entry.tokens = append(c.entry.tokens, token{c.text[c.at+1 : closing], true, c.at == c.ended})
	c.at, c.ended = closing, closing+1
}

// quoteEnd returns the index of the quote that closes a string before the end
// of its line, or -1.
func quoteEnd(text string, i int) int {
	for ; i < len(text) && text[i] != '\n'; i++ {
		switch text[i] {
		case '\\':
			if i+1 < len(text) && text[i+1] == '\n' {
				return -1
			}
			i++
		case '"':
			return i
		}
	}
	return -1
}
