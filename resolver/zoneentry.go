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
	line := 1
	var e entry
	depth, start := 0, -1 // open parentheses; where the token began, or -1
	end := func(i int) {
		if start >= 0 {
			e.tokens = append(e.tokens, string(text[start:i]))
			start = -1
		}
	}
	flush := func() {
		if len(e.tokens) > 0 || e.problem != "" {
			yield(e)
		}
		e, depth = entry{line: line}, 0
	}
	e.line = line
	fresh := true // at the first octet of an entry's first line
	for i := 0; i < len(text); i++ {
		c := text[i]
		if fresh {
			e.line, e.indent, fresh = line, c == ' ' || c == '\t', false
		}
		switch c {
		case '\n':
			end(i)
			line++
			if depth == 0 {
				flush()
				fresh = true
			}
		case ' ', '\t', '\r':
			end(i)
		case '(':
			end(i)
			depth++
		case ')':
			end(i)
			if depth--; depth < 0 {
				depth, e.problem = 0, "closing parenthesis without an opening one"
			}
		case ';':
			e.cutText = e.cutText || start >= 0
			end(i)
			for i+1 < len(text) && text[i+1] != '\n' {
				i++
			}
		case '"':
			whole := start < 0 // else a quote within a token: alpn="h2,h3"
			if whole {
				start = i
			}
			closing := quoteEnd(text, i+1)
			if closing < 0 {
				// Up to the end of the line only: a forgotten quote must not
				// swallow the rest of the file.
				e.problem = "quote without a closing one on the same line"
				for i+1 < len(text) && text[i+1] != '\n' {
					i++
				}
				end(i + 1)
				continue
			}
			if i = closing; whole {
				end(i + 1)
			}
		case '\\':
			if start < 0 {
				start = i
			}
			if i+1 < len(text) && text[i+1] != '\n' {
				i++
			}
		default:
			if start < 0 {
				start = i
			}
		}
	}
	end(len(text))
	if depth > 0 {
		e.problem = "opening parenthesis without a closing one: nothing after it was read"
	}
	flush()
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
