package identity

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
)

// A sender is the reverse-path of MAIL FROM. The zero sender is the null one.
type sender struct {
	address string // without a source route
	domain  string // canonical; "" for an address literal, and for the null sender
}

var errSender = errors.New("malformed sender")

// parseSender reads a Reverse-path (RFC 5321, Section 4.1.2, and with UTF-8, RFC 6531,
// Section 3.3) without its angle brackets.
func parseSender(path string) (sender, error) {
	if path == "" {
		return sender{}, nil
	}
	if len(path) > 254 || !utf8.ValidString(path) || strings.ContainsFunc(path, unicode.IsControl) { // RFC 5321, Section 4.5.3.1.3, with the brackets
		return sender{}, errSender
	}
	s := sender{address: path}
	if path[0] == '@' {
		// RFC 5321, Section 4.1.1.3: a source route is accepted and ignored.
		_, address, ok := strings.Cut(path, ":")
		if !ok {
			return sender{}, errSender
		}
		s.address = address
	}
	at := strings.LastIndexByte(s.address, '@')
	if at < 1 || !localPart(s.address[:at]) {
		return sender{}, errSender
	}
	helo, err := ParseHelo(s.address[at+1:]) // a Domain or an address-literal, as in HELO
	switch {
	case err != nil, helo.Faults.Has(BareAddress), helo.Faults.Has(FinalDot):
		return sender{}, errSender
	case helo.Name != "":
		s.domain = helo.Name
	}
	if helo.Name != "" && dnsname.FormOf(helo.Name) == dnsname.Numeric {
		return sender{}, errSender
	}
	return s, nil
}

// localPart reports whether s is a Dot-string or a Quoted-string of at most 64 octets.
func localPart(s string) bool {
	if len(s) > 64 { // RFC 5321, Section 4.5.3.1.1
		return false
	}
	if s[0] == '"' {
		return quoted(s)
	}
	for atom := range strings.SplitSeq(s, ".") {
		if atom == "" || strings.ContainsAny(atom, ` "(),:;<>@[\]`) {
			return false
		}
	}
	return true
}

// quoted reports whether s is a Quoted-string.
func quoted(s string) bool {
	if len(s) < 2 || s[len(s)-1] != '"' {
		return false
	}
	for i := 1; i < len(s)-1; i++ {
		switch s[i] {
		case '"':
			return false
		case '\\':
			if i++; i == len(s)-1 {
				return false
			}
		}
	}
	return true
}
