// Package txt writes records as zone text, and converts between the text of a TXT
// record and its character strings in the form that miekg/dns keeps them: at most 255
// octets each (RFC 1035, Section 3.3), with the escapes of zone files. [Key] compares records.
package txt

import (
	"fmt"
	"strings"
)

// maxString is how many octets one character string holds.
const maxString = 255

// Split cuts text into strings of at most 255 octets and escapes them. It cuts before the
// last space that it can, so that no word is in two strings: readers take the strings for
// lines, and editors of zones lose what is cut in the middle. An empty text is one empty
// string: a TXT record has at least one.
func Split(text string) []string {
	var out []string
	for len(text) > maxString {
		end := strings.LastIndexByte(text[:maxString+1], ' ')
		if end <= 0 {
			end = maxString
		}
		out = append(out, escape(text[:end]))
		text = text[end:]
	}
	return append(out, escape(text))
}

// Join returns the octets that strings stand for, one after the other, without a
// separator (RFC 7208, Section 3.3).
func Join(stringsOf []string) string {
	if len(stringsOf) == 1 && strings.IndexByte(stringsOf[0], '\\') < 0 {
		return stringsOf[0]
	}
	size := 0
	for _, s := range stringsOf {
		size += octets(s)
	}
	var b strings.Builder
	b.Grow(size)
	for _, s := range stringsOf {
		for s != "" {
			var octet byte
			octet, s = cutOctet(s)
			b.WriteByte(octet)
		}
	}
	return b.String()
}

// octets returns how many octets s has, unescaped.
func octets(s string) (n int) {
	for ; s != ""; n++ {
		_, s = cutOctet(s)
	}
	return n
}

// Head returns the first octets of what Join returns, n or fewer, at little cost
// for long texts.
func Head(stringsOf []string, n int) string {
	if len(stringsOf) > 0 && len(stringsOf[0]) >= n && strings.IndexByte(stringsOf[0][:n], '\\') < 0 {
		return stringsOf[0][:n]
	}
	var buf [32]byte
	text := buf[:0]
	for _, s := range stringsOf {
		text = appendUnescaped(text, s[:min(len(s), 4*n)]) // no escape is longer than four
		if len(text) >= n {
			return string(text[:n])
		}
	}
	return string(text)
}

// escape writes octets as zone text does within quotes.
func escape(octets string) string {
	var b strings.Builder
	for i := range len(octets) {
		switch c := octets[i]; {
		case c == '"', c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ', c > '~':
			fmt.Fprintf(&b, `\%03d`, c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// appendUnescaped appends the octets that s stands for.
func appendUnescaped(text []byte, s string) []byte {
	for s != "" {
		var octet byte
		octet, s = cutOctet(s)
		text = append(text, octet)
	}
	return text
}

// cutOctet cuts the first octet off s, which is not empty: \DDD, or a backslash before the
// octet itself.
func cutOctet(s string) (octet byte, rest string) {
	switch {
	case s[0] != '\\' || len(s) == 1:
		return s[0], s[1:]
	case len(s) > 3 && isDigit(s[1]) && isDigit(s[2]) && isDigit(s[3]):
		return byte(int(s[1]-'0')*100 + int(s[2]-'0')*10 + int(s[3]-'0')), s[4:]
	}
	return s[1], s[2:]
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
