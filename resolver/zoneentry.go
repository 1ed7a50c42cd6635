package resolver

import "bytes"

// An entry is one record or directive of zone text: its tokens as they were
// written, quotes and escapes included, freed of comments and parentheses.
type entry struct {
	line    int
	indent  bool     // began with white space: the owner is the last one
	tokens  []string // never empty
	cutText bool     // a ';' that touches a token: a comment that was meant as text?
	problem string   // why the entry cannot be read
}

// cutEntries calls yield for each entry of text, the unreadable ones too, so
// that one bad entry does not hide the next. (miekg's parser would stop there.)
func cutEntries(text []byte, yield func(entry)) {
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")) // a byte order mark
	c := cutter{text: text, line: 1, start: -1, yield: yield}
	fresh := true // at the first octet of an entry's first line
	for ; c.at < len(text); c.at++ {
		octet := text[c.at]
		if fresh {
			c.entry.line, c.entry.indent, fresh = c.line, octet == ' ' || octet == '\t', false
		}
		switch octet {
		case '\n':
			c.endToken(c.at)
			c.line++
			if c.depth == 0 {
				c.endEntry()
				fresh = true
			}
		case ' ', '\t', '\r':
			c.endToken(c.at)
		case '(':
			c.endToken(c.at)
			c.depth++
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
			c.quote()
		default:
			if c.start < 0 {
				c.start = c.at
			}
			if octet == '\\' && c.at+1 < len(text) && text[c.at+1] != '\n' {
				c.at++
			}
		}
	}
	c.endToken(len(text))
	if c.depth > 0 {
		c.entry.problem = "opening parenthesis without a closing one: nothing after it was read"
	}
	c.endEntry()
}

// A cutter cuts zone text into entries.
type cutter struct {
	text  []byte
	at    int   // the octet that is read
	line  int   // its line, counted from 1
	depth int   // open parentheses
	start int   // where the token began, or -1
	entry entry // what was read of it
	yield func(entry)
}

// endToken ends the token, if there is one, before an octet.
func (c *cutter) endToken(before int) {
	if c.start >= 0 {
		c.entry.tokens = append(c.entry.tokens, string(c.text[c.start:before]))
		c.start = -1
	}
}

func (c *cutter) endEntry() {
	if len(c.entry.tokens) > 0 || c.entry.problem != "" {
		c.yield(c.entry)
	}
	c.entry, c.depth = entry{}, 0
}

// skipLine goes to the last octet of the line.
func (c *cutter) skipLine() {
	for c.at+1 < len(c.text) && c.text[c.at+1] != '\n' {
		c.at++
	}
}

// quote reads a string in quotes, from the first one to the second.
func (c *cutter) quote() {
	whole := c.start < 0 // else a quote within a token: alpn="h2,h3"
	if whole {
		c.start = c.at
	}
	closing := quoteEnd(c.text, c.at+1)
	if closing < 0 {
		// Up to the end of the line only: a forgotten quote must not swallow the rest
		// of the file.
		c.entry.problem = "quote without a closing one on the same line"
		c.skipLine()
		c.endToken(c.at + 1)
		return
	}
	if c.at = closing; whole {
		c.endToken(c.at + 1)
	}
}

// quoteEnd returns the index of the quote that closes a string before the end
// of its line, or -1.
func quoteEnd(text []byte, i int) int {
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
