package spf

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/bonafide-mta/bonafide/resolver"
)

// A Problem is one thing that is wrong with the text of a record.
type Problem struct {
	Offset int    `json:"offset"` // of Text in the record, in octets from 0
	Text   string `json:"text"`   // the whole term as written, with what follows a space that should not be in it
	Reason string `json:"reason"` // what is wrong, what was expected, and what to do where that is clear
}

// String returns offset, text and reason. It is ASCII: a character that is not is written as
// its code point, as in <U+2013>.
func (p Problem) String() string {
	return fmt.Sprintf("offset %d: %s: %s", p.Offset, quote(p.Text), p.Reason)
}

// A SyntaxError lists everything that is wrong with the text of a record.
type SyntaxError struct {
	Problems []Problem `json:"problems"`
}

// maxPrinted is how many problems Error prints before it only counts.
const maxPrinted = 5

// Error returns the problems on one line: the first five, and how many more.
func (e *SyntaxError) Error() string {
	var b strings.Builder
	b.WriteString("SPF record: ")
	for i, p := range e.Problems {
		if i == maxPrinted {
			fmt.Fprintf(&b, "; and %d more", len(e.Problems)-i)
			break
		}
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(p.String())
	}
	return b.String()
}

// problem returns what is wrong with a term. At is where in its text it is wrong by the
// grammar, and reason what the grammar says; what the owner should write comes first.
func (s *scanner) problem(t *Term, at int, reason string) Problem {
	if text, fault := s.spaced(t); fault != "" {
		return Problem{t.Offset, text, fault}
	}
	if fault, instead := misspelled(t.Text, at); fault != "" {
		if instead != "" {
			fault += ": write " + instead
		}
		return Problem{t.Offset, t.Text, fault}
	}
	if part := t.Text[at:]; 0 < at && part != "" {
		reason = quote(part) + ": " + reason
	}
	return Problem{t.Offset, t.Text, reason}
}

// spaced returns the text of a term that is wrong only for the spaces in it, and the fault.
// It reads what follows the spaces.
func (s *scanner) spaced(t *Term) (text, fault string) {
	after := *s
	word, _ := after.word()
	if word == "" {
		return "", ""
	}
	fault = "a space after the "
	instead := Term{Text: t.Text + word}
	if word == ":" || word == "=" {
		value, _ := after.word()
		instead.Text += value
	}
	switch last := t.Text[len(t.Text)-1]; {
	case len(t.Text) == 1 && strings.IndexByte("+-~?", last) >= 0:
		fault += "qualifier"
	case word[0] == ':' || word[0] == '=': // as in "redirect = example.test"
		fault = "a space before the " + map[byte]string{':': "colon", '=': "equals sign"}[word[0]]
	case isTerm(word) && strings.ContainsAny(word, ":="):
		return "", "" // it is a term by itself, and not what is missing
	case last == ':':
		fault += "colon"
	case last == '=':
		fault += "equals sign"
	case mechanism(strings.TrimLeft(t.Text, "+-~?")) == 0:
		return "", ""
	default:
		fault = "a space where a colon is expected"
		instead.Text = t.Text + ":" + word
	}
	if !isTerm(instead.Text) {
		return "", ""
	}
	*s = after
	return s.text[t.Offset:s.at], fault + ": write " + show(instead.Text)
}

// isTerm reports whether a word is a term.
func isTerm(word string) bool {
	t := Term{Text: word}
	_, reason := t.parse()
	return reason == ""
}

// misspelled returns what is wrong with a term in words of its owner: a character that
// editors and forms put there, or a value that belongs to another mechanism; and what to
// write instead, if it is clear. It returns "" for any other fault.
func misspelled(text string, at int) (fault, instead string) {
	for i, r := range text {
		size := len(string(r))
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(text[i:], "\ufffd"):
			return fmt.Sprintf("the octet 0x%02X is not ASCII", text[i]), ""
		case isInvisible(r):
			return describe(r) + ": remove it", ""
		case isBlank(r):
			return describe(r), "a space"
		case isDash(r) && r != '-':
			return describe(r), "a hyphen (-)"
		case i >= at && strings.ContainsRune(",;", r):
			if i+size < len(text) {
				return describe(r), "a space"
			}
			return describe(r) + ": remove it", ""
		case r == '\\' && i > 0 && i+1 < len(text) && isDigit(text[i+1]):
			return "a backslash", "a slash (/)"
		case isClutter(r) && (i >= at || r > utf8.RuneSelf):
			return describe(r) + ": remove it", ""
		case r < ' ' || r == 0x7f || 0x80 <= r && r < 0xa0:
			return fmt.Sprintf("a control character (U+%04X): remove it", r), ""
		case r >= utf8.RuneSelf:
			return describe(r) + " is not ASCII", asALabels(text)
		}
	}
	return misplaced(text)
}

// asALabels returns a term with the A-labels of its domain, "" if that is not a term.
func asALabels(text string) string {
	end := strings.IndexAny(text, ":=")
	if end < 0 {
		return ""
	}
	name, err := resolver.Canonical(text[end+1:])
	term := text[:end+1] + strings.TrimSuffix(name, ".")
	if err != nil || !isTerm(term) {
		return ""
	}
	return term
}

// misplaced is misspelled for a value that belongs to another mechanism.
func misplaced(text string) (fault, instead string) {
	qualifier, word := "", text
	if strings.IndexByte("+-~?", text[0]) >= 0 {
		qualifier, word = text[:1], text[1:]
	}
	name, value := "", word
	// An address may begin as a mechanism does: a:2001:db8::1 is one, and a of another.
	if end := strings.IndexAny(word, ":="); end > 0 && (netipOf(word) == "" || netipOf(word[end+1:]) != "" && mechanism(word[:end]) != 0) {
		name, value = word[:end], word[end+1:]
	}
	kind := mechanism(name)
	family := netipOf(value)
	switch {
	case strings.EqualFold(name, "redirect") || strings.EqualFold(name, "exp"):
		if instead = name + "=" + value; qualifier == "" && word[len(name)] == ':' && isTerm(instead) {
			return "a colon, where an equals sign is expected", instead
		}
		if family != "" {
			return "an address, where " + name + " takes a domain", ""
		}
		return "", ""
	case family != "" && family != strings.ToLower(name):
		fault, instead = "an address of the other family", family+":"+value
		switch {
		case name == "":
			fault = "an address without a mechanism"
		case kind == 0:
			fault = "no mechanism of this name"
		case kind != IP4 && kind != IP6:
			fault = "an address, where " + name + " takes a domain"
		}
	case kind == IP4 || kind == IP6:
		fault, instead = "a name, where an address is expected", "a:"+value
	default:
		return "", ""
	}
	if instead = qualifier + instead; !isTerm(instead) {
		return "", ""
	}
	return fault, instead
}

// netipOf returns ip4 or ip6 for an address or a network of that family, else "".
func netipOf(value string) string {
	addr, _, _ := strings.Cut(value, "/")
	switch a, err := netip.ParseAddr(addr); {
	case err != nil || a.Zone() != "":
		return ""
	case a.Is4():
		return "ip4"
	}
	return "ip6"
}

// quote quotes text of a record for a message.
func quote(text string) string { return `"` + show(text) + `"` }

// most is how much of a text is shown whole: more than any name. Of a longer one, head is.
const most, head = 255, 60

// brief cuts a text that is longer than any name.
func brief(text string) string {
	if len(text) <= most {
		return text
	}
	return fmt.Sprintf("%s... (%d octets)", text[:head], len(text))
}

// show returns text of a record in ASCII: what is not is written as its code point, as in
// <U+2013>, and control characters are escaped. It cuts a text that is longer than any name.
func show(text string) string {
	text = brief(text)
	var b strings.Builder
	for i, r := range text {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(text[i:], "\ufffd"):
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case r >= utf8.RuneSelf:
			fmt.Fprintf(&b, "<U+%04X>", r)
		default:
			quoted := strconv.Quote(string(r))
			b.WriteString(quoted[1 : len(quoted)-1])
		}
	}
	return b.String()
}
