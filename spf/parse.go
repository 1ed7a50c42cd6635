package spf

import (
	"net/netip"
	"strconv"
	"strings"
)

// version begins every record (RFC 7208, Section 4.5).
const version = "v=spf1"

// isRecord reports whether text begins as an SPF record does: what else stands at
// the name is none of SPF's business.
func isRecord(text string) bool {
	return len(text) >= len(version) && strings.EqualFold(text[:len(version)], version) &&
		(len(text) == len(version) || text[len(version)] == ' ')
}

// Parse reads the text of a record, strictly by the grammar of RFC 7208, Section
// 12. The error is a [*SyntaxError] that lists each term that is wrong; the record then
// has the terms that are right, for callers that look into broken records. No part of such
// a record has an effect on mail: receivers return permerror.
func Parse(text string) (*Record, error) {
	record := &Record{Terms: make([]Term, 0, countTerms(text))}
	var problems []Problem
	s := scanner{text: text}
	for {
		var t Term
		problem, ok := s.next(&t)
		if !ok {
			break
		}
		if problem.Reason != "" {
			problems = append(problems, problem)
			continue
		}
		record.Terms = append(record.Terms, t)
	}
	if problems != nil {
		return record, &SyntaxError{problems}
	}
	return record, nil
}

// A scanner cuts the text of a record into terms.
type scanner struct {
	text          string
	at            int
	begun         bool // the version was read
	redirect, exp bool // there was one
}

// next reads the next term, which is wrong if the problem has a reason.
func (s *scanner) next(t *Term) (problem Problem, ok bool) {
	if !s.begun {
		s.begun = true
		if !isRecord(s.text) {
			s.at = len(s.text)
			return Problem{0, s.text, "expected v=spf1 and a space"}, true
		}
		s.at = len(version)
	}
	*t = Term{}
	if t.Text, t.Offset = s.word(); t.Text == "" {
		return Problem{}, false
	}
	at, reason := t.parse()
	switch {
	case reason != "":
		return s.problem(t, at, reason), true
	case t.Kind == Redirect && s.redirect, t.Kind == Exp && s.exp:
		return Problem{t.Offset, t.Text, "a second one: at most one is allowed"}, true // RFC 7208, Section 6
	}
	s.redirect = s.redirect || t.Kind == Redirect
	s.exp = s.exp || t.Kind == Exp
	return Problem{}, true
}

// word cuts the next word off, "" if there is none.
func (s *scanner) word() (word string, offset int) {
	for s.at < len(s.text) && s.text[s.at] == ' ' {
		s.at++
	}
	offset = s.at
	end := strings.IndexByte(s.text[offset:], ' ')
	if end < 0 {
		end = len(s.text) - offset
	}
	s.at += end
	return s.text[offset:s.at], offset
}

// countTerms returns how many terms the text of a record has, right or wrong.
func countTerms(text string) (count int) {
	s := scanner{text: text}
	for word, _ := s.word(); word != ""; word, _ = s.word() {
		count++
	}
	return count
}

// parse reads the Text of a term into the other fields. Where it is wrong, at is
// the offset in Text.
func (t *Term) parse() (at int, reason string) {
	text := t.Text
	end := 0
	for end < len(text) && text[end] != ':' && text[end] != '/' && text[end] != '=' {
		end++
	}
	if end < len(text) && text[end] == '=' {
		return t.parseModifier(text[:end], text[end+1:])
	}
	start := 1
	switch text[0] {
	case '+':
		t.Qualifier = Pass
	case '-':
		t.Qualifier = Fail
	case '~':
		t.Qualifier = SoftFail
	case '?':
		t.Qualifier = Neutral
	default:
		t.Qualifier, start = Pass, 0
	}
	t.Kind = mechanism(text[start:end])
	arg := text[end:]
	switch t.Kind {
	case 0:
		return start, "no mechanism of this name: expected all, include, a, mx, ptr, ip4, ip6 or exists, or name=value"
	case All:
		if arg != "" {
			return end, "all takes no value"
		}
		return 0, ""
	case IP4, IP6:
		return t.parseNetwork(end)
	case A, MX:
		if arg, reason = t.parseLengths(arg); reason != "" {
			return end + len(arg), reason
		}
	}
	if arg == "" && (t.Kind == A || t.Kind == MX || t.Kind == PTR) {
		return 0, "" // the current domain
	}
	if arg == "" || arg[0] != ':' {
		return end, "expected a colon and a domain"
	}
	return t.parseDomain(end+1, arg[1:])
}

// mechanism returns the kind of a mechanism by its name, or 0.
func mechanism(name string) Kind {
	for kind := All; kind <= Exists; kind++ {
		if strings.EqualFold(name, kindText[kind]) {
			return kind
		}
	}
	return 0
}

// parseModifier reads what has an equals sign (RFC 7208, Section 6).
func (t *Term) parseModifier(name, value string) (at int, reason string) {
	for i := range len(name) {
		if c := name[i]; !isAlpha(c) && (i == 0 || !isDigit(c) && c != '-' && c != '_' && c != '.') {
			return i, "not the name of a modifier: expected a letter, then letters, digits, hyphens, underscores and dots"
		}
	}
	if name == "" {
		return 0, "no name before the equals sign"
	}
	switch {
	case strings.EqualFold(name, "redirect"):
		t.Kind = Redirect
	case strings.EqualFold(name, "exp"):
		t.Kind = Exp
	default:
		t.Kind, t.Name, t.Value = Modifier, name, value
		_, at, reason := scanMacros(value, false)
		return len(name) + 1 + at, reason
	}
	return t.parseDomain(len(name)+1, value)
}

// parseDomain reads a domain-spec, which begins at an offset in Text.
func (t *Term) parseDomain(start int, spec string) (at int, reason string) {
	t.Domain = spec
	literal, at, reason := scanMacros(spec, false)
	if reason != "" {
		return start + at, reason
	}
	// RFC 7208, Section 7.1: domain-end = ( "." toplabel [ "." ] ) / macro-expand
	tail := spec[literal:]
	if tail == "" && spec != "" {
		return 0, ""
	}
	tail = strings.TrimSuffix(tail, ".")
	dot := strings.LastIndexByte(tail, '.')
	if dot < 0 && !oneLabel || !isTopLabel(tail[dot+1:]) {
		return start + literal + dot + 1, "expected a domain that ends in a dot and a top-level domain, or in a macro"
	}
	return 0, ""
}

// isTopLabel: letters, digits and hyphens, not only digits, no hyphen at an end
// (RFC 7208, Section 7.1).
func isTopLabel(label string) bool {
	if label == "" || label[0] == '-' || label[len(label)-1] == '-' {
		return false
	}
	digits := true
	for i := range len(label) {
		c := label[i]
		if !isAlpha(c) && !isDigit(c) && c != '-' {
			return false
		}
		digits = digits && isDigit(c)
	}
	return !digits
}

// parseLengths cuts the prefix lengths off the value of an a or mx, and returns
// what is before them: up to where it is wrong, if it is. A domain-spec may have
// slashes, but never ends in one and a number.
func (t *Term) parseLengths(arg string) (rest, reason string) {
	t.Len4, t.Len6 = 32, 128
	rest, number, ok := cutLength(arg)
	if !ok {
		return arg, ""
	}
	if before, double := strings.CutSuffix(rest, "/"); double {
		if t.Len6, ok = parseLength(number, 128); !ok {
			return before, "prefix length: expected a number from 0 to 128, without zeros before it"
		}
		if rest, number, ok = cutLength(before); !ok {
			return before, ""
		}
	}
	if t.Len4, ok = parseLength(number, 32); !ok {
		return rest, "prefix length: expected a number from 0 to 32, without zeros before it"
	}
	return rest, ""
}

// cutLength cuts a slash and digits off the end of s.
func cutLength(s string) (rest, number string, ok bool) {
	i := len(s)
	for i > 0 && isDigit(s[i-1]) {
		i--
	}
	if i == 0 || i == len(s) || s[i-1] != '/' {
		return s, "", false
	}
	return s[:i-1], s[i:], true
}

// parseLength reads a prefix length (RFC 7208, Section 5.6: no leading zeros).
func parseLength(digits string, most uint8) (uint8, bool) {
	n, err := strconv.ParseUint(digits, 10, 8)
	return uint8(n), err == nil && uint8(n) <= most && (digits == "0" || digits[0] != '0')
}

// parseNetwork reads the value of an ip4 or ip6, whose colon is at an offset in
// Text.
func (t *Term) parseNetwork(colon int) (at int, reason string) {
	bits, expected := uint8(32), "expected an IPv4 address, and a slash and a length of 0 to 32 if it is a network"
	if t.Kind == IP6 {
		bits, expected = 128, "expected an IPv6 address, and a slash and a length of 0 to 128 if it is a network"
	}
	if colon == len(t.Text) || t.Text[colon] != ':' {
		return colon, expected
	}
	addr := t.Text[colon+1:]
	if slash := strings.IndexByte(addr, '/'); slash >= 0 {
		n, ok := parseLength(addr[slash+1:], bits)
		if !ok {
			return colon + 1 + slash, expected
		}
		addr, bits = addr[:slash], n
	}
	a, err := netip.ParseAddr(addr)
	if err != nil || a.Is4() != (t.Kind == IP4) || a.Zone() != "" {
		return colon + 1, expected
	}
	t.Prefix = netip.PrefixFrom(a, int(bits))
	return 0, ""
}

func isAlpha(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
func isDigit(c byte) bool { return '0' <= c && c <= '9' }
