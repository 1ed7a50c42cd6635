package identity

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
)

// ForgedResults reports whether an Authentication-Results field with this value may claim
// to be ours. In a message from outside it is forged, and must be deleted before ours is
// added (RFC 8601, Section 5): [StripForged] does that in a stream. Call ForgedResults for every
// field of that name and for no others; the ARC set of RFC 8617 is signed, and stays.
//
// A field is somebody else's only if its authserv-id is written as RFC 8601, Section 2.2,
// says, and is another name in any spelling: quoted, with comments, folded, in another case,
// with final dots, or with a job ID after a slash. Readers differ about all others, so that
// they may be ours: fields without an authserv-id (as Exchange Online writes), with
// encoded words, or with white space other than spaces and tabs.
func ForgedResults(value, authservID string) bool {
	id, ok := readAuthservID(value)
	if !ok {
		return true
	}
	ours := strings.TrimRight(authservID, ".")
	if strings.ContainsFunc(id, func(r rune) bool { return !isToken(r) }) {
		// A quoted string of more than one word: a reader may take any of them.
		return strings.ContainsFunc(id, beyondASCII) || strings.Contains(strings.ToLower(keepTokens(id)), strings.ToLower(keepTokens(ours)))
	}
	for _, id := range []string{id, id[:strings.IndexByte(id+"/", '/')]} {
		id = strings.TrimRight(id, ".")
		if id == "" || strings.EqualFold(id, ours) || dnsname.Same(id, ours) {
			return true
		}
		if _, err := dnsname.Canonical(id); err != nil && strings.ContainsFunc(id, beyondASCII) {
			return true // readers may take it for any name
		}
	}
	return false
}

// readAuthservID reads an authserv-id, a token or a quoted-string (RFC 2045, Section 5.1),
// and makes sure that no more than a version follows before the results.
func readAuthservID(value string) (id string, ok bool) {
	rest, ok := skipCFWS(value)
	if strings.HasPrefix(rest, `"`) {
		id, rest, ok = cutQuoted(rest)
	} else if ok {
		id, rest = cutToken(rest)
	}
	if id == "" || !ok {
		return "", false
	}
	after, ok := skipCFWS(rest)
	version := strings.TrimLeft(after, "0123456789")
	if len(after) < len(rest) && len(version) < len(after) && ok {
		after, ok = skipCFWS(version)
	}
	return id, ok && (after == "" || after[0] == ';')
}

// isToken reports whether a character may be in an authserv-id that is not quoted. The slash
// is not a token's; OpenDKIM writes a job ID after it. RFC 6532 allows letters beyond ASCII.
func isToken(r rune) bool {
	if r >= utf8.RuneSelf {
		return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsDigit(r))
	}
	return r > ' ' && r < 0x7f && !strings.ContainsRune(`()<>@,;:\"[]?=`, r)
}

func beyondASCII(r rune) bool { return r >= utf8.RuneSelf }

func cutToken(s string) (token, rest string) {
	i := strings.IndexFunc(s, func(r rune) bool { return !isToken(r) })
	if i < 0 {
		i = len(s)
	}
	return s[:i], s[i:]
}

// keepTokens returns what of s may be in a token.
func keepTokens(s string) string {
	return strings.Map(func(r rune) rune {
		if isToken(r) {
			return r
		}
		return -1
	}, s)
}

// skipCFWS skips white space, folded or not, and comments, which nest (RFC 5322, Section
// 3.2.2). It fails at what is neither: a comment that does not end, or a control character.
func skipCFWS(s string) (rest string, ok bool) {
	depth := 0
	for s != "" {
		if n := foldingSpace(s); n > 0 {
			s = s[n:]
			continue
		}
		switch c := s[0]; {
		case c == '(':
			depth++
		case depth == 0:
			return s, true
		case c == ')':
			depth--
		case c == '\\' && len(s) > 1 && s[1] >= ' ':
			s = s[1:]
		case c < ' ' || c == 0x7f || c == '\\':
			return s, false
		}
		s = s[1:]
	}
	return "", depth == 0
}

// foldingSpace returns how many octets of white space s begins with: a space, a tab, or a
// line end that is followed by one of them or is the last.
func foldingSpace(s string) int {
	if s[0] == ' ' || s[0] == '\t' {
		return 1
	}
	n := 0
	if strings.HasPrefix(s, "\r\n") {
		n = 2
	} else if s[0] == '\n' {
		n = 1
	}
	if n > 0 && n < len(s) && s[n] != ' ' && s[n] != '\t' {
		return 0
	}
	return n
}

// cutQuoted reads the quoted-string at the beginning of s (RFC 5322, Section 3.2.4). White
// space at its ends is left out, as readers do.
func cutQuoted(s string) (text, rest string, ok bool) {
	var out []byte
	for s = s[1:]; s != ""; s = s[1:] {
		if n := foldingSpace(s); n > 0 {
			out, s = append(out, ' '), s[n-1:]
			continue
		}
		switch c := s[0]; {
		case c == '"':
			return strings.TrimSpace(string(out)), s[1:], utf8.Valid(out)
		case c == '\\' && len(s) > 1:
			s = s[1:]
		}
		if s[0] < ' ' || s[0] == 0x7f {
			return "", "", false
		}
		out = append(out, s[0])
	}
	return "", "", false
}
