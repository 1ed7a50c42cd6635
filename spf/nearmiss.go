package spf

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// NearMiss returns why receivers pass over a text that is meant as an SPF record, and what
// to do, as in "a semicolon after v=spf1: write a space". It returns "" for an SPF record
// (see [IsRecord]) and for any other text. At a name that has an SPF record, a near miss
// does no harm.
//
// A name with a near miss and without an SPF record has no policy (RFC 7208, Section 4.5),
// but its owner meant to say who sends: nothing else should be concluded about the name.
func NearMiss(text string) string {
	faults, _ := repair(text)
	return strings.Join(faults, "; ")
}

// repair returns what is wrong with a text that is meant as an SPF record, and a record
// without these faults. The record is "" if only the owner can write it.
func repair(text string) (faults []string, record string) {
	if isRecord(text) {
		return nil, ""
	}
	rest, field := cutField(strings.TrimLeftFunc(text, isClutter))
	found, rest := cutVersion(rest)
	if found == "" {
		return nil, ""
	}
	if first, _ := utf8.DecodeRuneInString(text); isClutter(first) {
		faults = append(faults, describe(first)+" before the version: remove it")
	}
	if field != "" {
		faults = append(faults, quote(field)+" before the version: remove it")
	}
	if found == senderID {
		return append(faults, "it is for Sender ID (RFC 4406), which is not SPF: publish a record that begins with v=spf1"), ""
	}
	if !strings.EqualFold(found, version) {
		faults = append(faults, fmt.Sprintf("the version is %s: write v=spf1", quote(found)))
	}
	switch after, size := utf8.DecodeRuneInString(rest); {
	case rest == "", after == ' ':
	case isClutter(after), strings.ContainsRune(";,:/|", after):
		faults = append(faults, describe(after)+" after the version: write a space")
		rest = rest[size:]
	default:
		faults = append(faults, "no space after the version: put one there, and quote the record as one string")
	}
	if rest == "" {
		return faults, version
	}
	return faults, version + " " + strings.TrimLeft(rest, " ")
}

// cutField cuts what zone text has before the data of a TXT record off the beginning of a
// text: forms for records take the data alone.
func cutField(text string) (rest, field string) {
	rest = text
	for _, word := range []string{"@", "IN", "TXT"} {
		if after, ok := cutFold(rest, word); ok && strings.TrimLeftFunc(after, isClutter) != after {
			rest = strings.TrimLeftFunc(after, isClutter)
			field = strings.TrimRightFunc(text[:len(text)-len(rest)], isClutter)
		}
	}
	return rest, field
}

// senderID begins the records of Sender ID (RFC 4406, Section 3.1).
const senderID = "spf2.0"

// cutVersion cuts what is meant as the version of a record off the beginning of a text,
// "" if nothing is.
func cutVersion(text string) (found, rest string) {
	if len(text) >= len(senderID) && strings.EqualFold(text[:len(senderID)], senderID) {
		rest = text[len(senderID):]
		if next, _ := utf8.DecodeRuneInString(rest); rest == "" || next == '/' || isClutter(next) {
			return senderID, rest
		}
		return "", text
	}
	rest, assigned := cutFold(text, "v")
	exact := false
	if assigned {
		rest = strings.TrimLeftFunc(rest, isBlank)
		sign, size := utf8.DecodeRuneInString(rest)
		exact = sign == '='
		if !exact && sign != ':' && sign != '＝' && !isDash(sign) {
			return "", text
		}
		rest = strings.TrimLeftFunc(rest[size:], func(r rune) bool { return isBlank(r) || exact && r == '=' })
	}
	rest, named := cutFold(rest, "spf")
	if !named {
		return "", text
	}
	number := strings.TrimLeftFunc(rest, func(r rune) bool { return isBlank(r) || isDash(r) })
	after := strings.TrimLeft(number, "0123456789.")
	switch numbered := number != "" && isDigit(number[0]); {
	case assigned && numbered:
		rest = after
	case assigned && exact: // without a number
	case numbered && strings.HasPrefix(rest, "1 ") && hasTerm(after): // without v=
		rest = after
	default:
		return "", text
	}
	return text[:len(text)-len(rest)], rest
}

// hasTerm reports whether a text has a word that is a term of a record and surely not one
// of prose, as "a" and "all" are.
func hasTerm(text string) bool {
	for word := range strings.FieldsSeq(text) {
		t := Term{Text: word}
		if _, reason := t.parse(); reason == "" && t.Qualifier != 0 && (!isAlpha(word[0]) || strings.Contains(word, ":")) {
			return true
		}
	}
	return false
}

// cutFold cuts an ASCII prefix off a text, in any case.
func cutFold(text, prefix string) (rest string, ok bool) {
	if len(text) < len(prefix) || !strings.EqualFold(text[:len(prefix)], prefix) {
		return text, false
	}
	return text[len(prefix):], true
}

const (
	noBreakSpace  = '\u00a0'
	byteOrderMark = '\ufeff'
)

// isClutter reports whether a rune is what editors and forms leave around a record.
func isClutter(r rune) bool {
	return isBlank(r) || r == byteOrderMark || strings.ContainsRune("\"'`\\“”„‘’‚«»", r)
}

// isBlank reports whether a rune is a space or cannot be seen.
func isBlank(r rune) bool { return unicode.IsSpace(r) || isInvisible(r) && r != byteOrderMark }

// isInvisible reports whether a rune takes no room.
func isInvisible(r rune) bool { return r == '\u200b' || r == '\u2060' || r == byteOrderMark }

// isDash reports whether a rune is a hyphen, a dash or a minus sign.
func isDash(r rune) bool { return r == '-' || r == '\u2212' || unicode.Is(unicode.Pd, r) }

// describe names a rune, with its code point if it is not ASCII.
func describe(r rune) string {
	name := fmt.Sprintf("the character %q", r)
	switch {
	case r == '\u2013':
		name = "an en dash"
	case r == '\u2014':
		name = "an em dash"
	case isDash(r):
		name = "a dash"
	case r == ' ':
		name = "a blank"
	case r == '\t':
		name = "a tab"
	case r == ';':
		name = "a semicolon"
	case r == ',':
		name = "a comma"
	case r == noBreakSpace:
		name = "a no-break space"
	case r == byteOrderMark:
		name = "a byte order mark"
	case isBlank(r):
		name = "a blank"
	case isClutter(r) && r != '\\':
		name = "a quotation mark"
	case r > unicode.MaxASCII:
		return fmt.Sprintf("the character U+%04X", r)
	}
	if r > unicode.MaxASCII {
		name += fmt.Sprintf(" (U+%04X)", r)
	}
	return name
}
