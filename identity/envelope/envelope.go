// Package envelope reads the addresses of an SMTP envelope, which MAIL FROM and RCPT TO
// carry, and has the type of an SMTP reply. It asks no DNS.
package envelope

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/bonafide-mta/bonafide/internal/address"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
)

// ErrPath is the error for a text that is not the address of MAIL FROM or RCPT TO.
var ErrPath = errors.New("malformed address")

// A Path is the address of MAIL FROM or RCPT TO. The zero Path is the null sender.
type Path struct {
	Address string // local part, @ and domain as given, without a source route; "" for the null sender
	Domain  string // canonical, see resolver.Canonical; "" for an address literal and the null sender
}

// ParsePath reads a Reverse-path or Forward-path without its angle brackets (RFC 5321,
// Section 4.1.2, and with UTF-8, RFC 6531, Section 3.3). "" is the null sender. The error
// is [ErrPath].
func ParsePath(path string) (Path, error) {
	if path == "" {
		return Path{}, nil
	}
	if len(path) > 254 || !utf8.ValidString(path) || strings.ContainsFunc(path, unicode.IsControl) { // RFC 5321, Section 4.5.3.1.3, with the brackets
		return Path{}, ErrPath
	}
	p := Path{Address: path}
	if path[0] == '@' {
		// RFC 5321, Section 4.1.1.3: a source route is accepted and ignored.
		_, address, ok := strings.Cut(path, ":")
		if !ok {
			return Path{}, ErrPath
		}
		p.Address = address
	}
	at := strings.LastIndexByte(p.Address, '@')
	if at < 1 || !isLocalPart(p.Address[:at]) {
		return Path{}, ErrPath
	}
	domain := p.Address[at+1:]
	if strings.HasPrefix(domain, "[") {
		if _, _, reason := address.ParseLiteral(domain); reason != "" {
			return Path{}, ErrPath
		}
		return p, nil
	}
	if strings.HasSuffix(domain, ".") || strings.Contains(domain, `\`) { // neither is in a Domain of SMTP
		return Path{}, ErrPath
	}
	p.Domain = dnsname.CanonicalOrEmpty(domain)
	switch dnsname.FormOf(p.Domain) {
	case dnsname.Malformed, dnsname.Numeric:
		return Path{}, ErrPath
	}
	return p, nil
}

// isLocalPart reports whether s is a Dot-string or a Quoted-string of at most 64 octets.
func isLocalPart(s string) bool {
	if len(s) > 64 { // RFC 5321, Section 4.5.3.1.1
		return false
	}
	if s[0] == '"' {
		return isQuoted(s)
	}
	for atom := range strings.SplitSeq(s, ".") {
		if atom == "" || strings.ContainsAny(atom, ` "(),:;<>@[\]`) {
			return false
		}
	}
	return true
}

// isQuoted reports whether s is a Quoted-string.
func isQuoted(s string) bool {
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
