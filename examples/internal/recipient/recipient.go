// Package recipient decides about each recipient of a message. The verdict on a client
// holds for all of them, except for the role mailboxes postmaster and abuse of our own
// domains: somebody who is refused by mistake must be able to say so there (RFC 5321,
// Section 4.5.1, and RFC 2142).
package recipient

import (
	"slices"
	"strings"

	"github.com/bonafide-mta/bonafide/identity"
	"github.com/bonafide-mta/bonafide/identity/envelope"
	"github.com/bonafide-mta/bonafide/resolver"
)

// MaxRoles is how many recipients of one connection get through although the verdict
// refuses its client. A message to such recipients reaches no others.
const MaxRoles = 10

// TooMany is the reply to those after MaxRoles. The client may connect again.
var TooMany = envelope.Reply{Code: 452, Enhanced: envelope.EnhancedCode{4, 5, 3}, Text: "too many recipients for a client that is refused; connect again"}

// Domains are domains of ours, in any spelling that resolver.Canonical accepts.
type Domains []string

// Has reports whether a domain is one of them.
func (d Domains) Has(domain string) bool {
	name, err := resolver.Canonical(domain)
	return err == nil && domain != "" && slices.ContainsFunc(d, func(ours string) bool {
		canonical, err := resolver.Canonical(ours)
		return err == nil && canonical == name
	})
}

// Role reports whether a recipient is postmaster or abuse of one of the domains, or
// postmaster without a domain, in any case. The recipient is as servers hand it over, see
// [envelope.ParsePath].
func (d Domains) Role(recipient string) bool {
	path, err := envelope.ParsePath(recipient)
	if err != nil {
		return false
	}
	if !strings.Contains(recipient, "@") {
		return path.Domain == "postmaster." // to ParsePath a single word is a domain
	}
	switch strings.ToLower(unquote(path.Address[:max(0, strings.LastIndexByte(path.Address, '@'))])) {
	case "postmaster", "abuse":
		return d.Has(path.Domain)
	}
	return false
}

// unquote returns a local part without the quotes that it may have.
func unquote(local string) string {
	if len(local) < 2 || local[0] != '"' || local[len(local)-1] != '"' {
		return local
	}
	return unescape(local[1 : len(local)-1])
}

// unescape removes the backslashes of a quoted string.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// A Gate decides about the recipients of one connection of a client. The zero Gate has no
// domains, so that only postmaster without a domain is a role. It must not be used
// concurrently.
type Gate struct {
	Domains Domains // the domains whose roles get through
	passed  int     // although the verdict refuses
}

// Decide returns the reply to RCPT by the verdict on MAIL FROM; the zero Reply accepts. It
// returns true if it accepts a role that the verdict would refuse.
func (g *Gate) Decide(v *identity.Verdict, recipient string) (reply envelope.Reply, role bool) {
	switch {
	case v == nil || v.Advice.Action < identity.Defer:
		return envelope.Reply{}, false
	case !g.Domains.Role(recipient):
		return v.Advice.Reply, false
	case g.passed >= MaxRoles:
		return TooMany, false
	}
	g.passed++
	return envelope.Reply{}, true
}

// EndsConnection reports whether a connection has to be closed after a reply (RFC 5321,
// Section 3.8).
func EndsConnection(reply envelope.Reply) bool { return reply.Code == 421 }
