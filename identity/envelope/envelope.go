// Package envelope reads the addresses of an SMTP envelope, which MAIL FROM and RCPT TO
// carry, and has the type of an SMTP reply. It asks no DNS.
package envelope

import (
	"errors"
	"strings"
	"unicode"

	"github.com/bonafide-mta/bonafide/internal/address"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
)

// ErrPath is the error for a text that is not the address of MAIL FROM or RCPT TO.
var ErrPath = errors.New("malformed address")

// maxPath is more octets than any path has that a server accepts: RFC 5321, Section
// 4.5.3.1.3, has 256, and forwarders that rewrite senders exceed it.
const maxPath = 1000

// postmaster is the local part of an address without one (RFC 7208, Section 4.3).
const postmaster = "postmaster"

// A Path is the address of MAIL FROM or RCPT TO. The zero Path is the null sender.
type Path struct {
	Address string `json:"address"`         // local part, @ and domain as given, without a source route; "" for the null sender
	Domain  string `json:"domain,omitzero"` // canonical, see resolver.Canonical; "" for an address literal and the null sender
}

// ParsePath reads a Reverse-path or Forward-path as servers hand it over (RFC 5321, Section
// 4.1.2, and with UTF-8, RFC 6531, Section 3.3): with or without angle brackets, and with or
// without the quotes of a local part that needs them. Parameters may follow the closing
// bracket, and are ignored, but they must not contain @: without its quotes, the local part
// "<a@b.example> c" looks like an address with parameters. "" and "<>" are the null sender.
// A domain without a local part, with or without @, is postmaster there, so a server must
// look for the "<Postmaster>" of RCPT TO (RFC 5321, Section 4.1.1.3) before.
//
// The domain begins after the last @, and only it must have a form: the error is [ErrPath]
// for a path of more than 1,000 octets or with control characters, for parameters with @,
// for a second pair of brackets or source route, and for a domain that is neither a host name (underscores, a final dot and a single label
// are allowed) nor an address literal. ParsePath reads the Address of a Path as that Path.
func ParsePath(path string) (Path, error) {
	path, ok := mailbox(path)
	if !ok || len(path) > maxPath || strings.ContainsFunc(path, unicode.IsControl) {
		return Path{}, ErrPath
	}
	if path == "" {
		return Path{}, nil
	}
	at := strings.LastIndexByte(path, '@')
	domain := path[at+1:]
	p := Path{Address: path}
	if at < 1 {
		p.Address = postmaster + "@" + domain
	}
	if strings.HasPrefix(domain, "[") {
		if _, _, reason := address.ParseLiteral(domain); reason != "" {
			return Path{}, ErrPath
		}
		return p, nil
	}
	if strings.Contains(domain, `\`) { // an escape of zone files, which no Domain of SMTP has
		return Path{}, ErrPath
	}
	p.Domain = dnsname.CanonicalOrEmpty(domain)
	switch dnsname.FormOf(p.Domain) {
	case dnsname.Malformed, dnsname.Numeric:
		return Path{}, ErrPath
	}
	return p, nil
}

// mailbox returns a path without its angle brackets and its source route. It fails if what is
// left has brackets or a route again, so that an Address is read as itself.
func mailbox(path string) (string, bool) {
	inner, ok := withoutBrackets(path)
	if !ok || inner == "" {
		return "", ok
	}
	inner = withoutRoute(inner)
	again, ok := withoutBrackets(inner)
	return inner, ok && inner != "" && withoutRoute(again) == inner
}

// withoutBrackets returns the text between angle brackets, if the path begins with one. The
// closing one ends the text, or has a space after it; one in quotes may be a part of the
// local part. It fails if an @ follows: either address may be meant.
func withoutBrackets(path string) (string, bool) {
	if !strings.HasPrefix(path, "<") {
		return path, true
	}
	for _, quotes := range []bool{true, false} { // without, for a quote that never ends
		quoted := false
		for i := 1; i < len(path); i++ {
			switch c := path[i]; {
			case quoted && c == '\\':
				i++
			case quotes && c == '"':
				quoted = !quoted
			case !quoted && c == '>' && (i == len(path)-1 || path[i+1] == ' '):
				return path[1:i], !strings.Contains(path[i:], "@")
			}
		}
	}
	return path, true
}

// withoutRoute returns a path without its source route, which is accepted and ignored
// (RFC 5321, Section 4.1.1.3): @ and a domain, or several with commas, and a colon.
func withoutRoute(path string) string {
	for rest := path; strings.HasPrefix(rest, "@"); {
		end := strings.IndexAny(rest, ",:")
		if strings.HasPrefix(rest, "@[") {
			end = strings.IndexByte(rest, ']') + 1
		}
		switch {
		case end < 2 || end == len(rest) || strings.Contains(rest[1:end], "@"):
			return path
		case rest[end] == ':':
			return rest[end+1:]
		case rest[end] != ',':
			return path
		}
		rest = rest[end+1:]
	}
	return path
}
