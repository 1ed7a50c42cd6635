package identity

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/emersion/go-msgauth/authres"

	"github.com/bonafide-mta/bonafide/fcrdns"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/spf"
)

// AuthenticationResults returns the field that records a verdict in the header of the
// message (RFC 8601), with its name and without a final line end. It has iprev and SPF of
// both identities, as far as they were checked, and "none" if nothing was. The usual
// authserv-id is the server's own name; it is an error if it is empty, has over 253 octets, or
// anything but letters, digits, dots, hyphens and underscores. First delete the fields that
// are [ForgedResults], as [StripForged] does; then put this one above the Received field.
//
// Names and addresses that the client or its DNS gave are left out if they would need
// quoting, which readers of this field understand differently, or if they have over 500
// octets. Received-SPF has more, see [spf.Result.ReceivedSPF].
func (v *Verdict) AuthenticationResults(authservID string) (string, error) {
	parts, err := v.results(authservID, maxLocal)
	return strings.Join(parts, ";\r\n\t"), err
}

// AuthenticationResultsLine returns the field of AuthenticationResults on one line, for the
// policy services of Postfix and other protocols that take no folded fields. It has at most 998
// octets (RFC 5322, Section 2.1.1): it leaves out the local part of the sender if it would have
// more.
func (v *Verdict) AuthenticationResultsLine(authservID string) (string, error) {
	const most = 998
	parts, err := v.results(authservID, maxLocal)
	line := strings.Join(parts, "; ")
	if len(line) > most {
		parts, err = v.results(authservID, 0)
		line = strings.Join(parts, "; ")
	}
	return line, err
}

// results returns the parts of the field between semicolons. A local part of the sender with
// more than mostLocal octets is left out.
func (v *Verdict) results(authservID string, mostLocal int) ([]string, error) {
	if authservID == "" || len(authservID) > maxName || strings.ContainsFunc(authservID, func(r rune) bool { return !isNameChar(r) }) {
		return nil, fmt.Errorf("identity: authserv-id %q: letters, digits, dots, hyphens and underscores expected, %d at most", authservID, maxName)
	}
	var results []authres.Result
	if r := v.IPRev; r != nil && r.Status != fcrdns.NotApplicable {
		// RFC 8601, Section 2.7.3.
		results = append(results, &authres.IPRevResult{Value: authres.ResultValue(r.Status.String()), Reason: v.reverseReason(), IP: headerAddr(v.Client)})
	}
	if r := v.HeloSPF; namedByClient(r) {
		results = append(results, &authres.SPFResult{Value: authres.ResultValue(r.Status.String()), Helo: headerName(v.HeloText)})
	}
	if r := v.MailFromSPF; namedByClient(r) {
		results = append(results, &authres.SPFResult{Value: authres.ResultValue(r.Status.String()), From: headerSender(r, mostLocal)})
	}
	// No value has a semicolon or a space. Format writes a space before a semicolon where a
	// result has no properties.
	parts := strings.Split(resultsName+": "+authres.Format(authservID, results), ";")
	for i, part := range parts {
		parts[i] = strings.TrimSpace(part)
	}
	return parts, nil
}

// namedByClient reports whether SPF judged a name: not a literal, or a malformed HELO.
func namedByClient(r *spf.Result) bool {
	return r != nil && (r.Status != spf.None || len(r.Responses) > 0)
}

// reverseReason returns why iprev did not pass or is worth little, as a keyword of ours.
func (v *Verdict) reverseReason() string {
	for _, r := range []Reason{NoPTR, TooManyPTR, Unconfirmed, GenericName} {
		if v.Has(r) {
			return r.String()
		}
	}
	return ""
}

func isNameChar(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '.' || r == '-' || r == '_'
}

func headerAddr(addr netip.Addr) string {
	if !addr.IsValid() {
		return ""
	}
	return addr.String()
}

// headerName returns a name for use in the field, "" for anything else.
func headerName(name string) string {
	canonical, err := dnsname.Canonical(name)
	canonical = strings.TrimSuffix(canonical, ".")
	if err != nil || strings.ContainsFunc(canonical, func(r rune) bool { return !isNameChar(r) }) {
		return ""
	}
	return canonical
}

// headerSender returns the address judged, or its domain alone where the local part
// would need quoting (RFC 8601, Section 2.2: [ [ local-part ] "@" ] domain-name) or is too long.
func headerSender(r *spf.Result, mostLocal int) string {
	local, domain, ok := cutLast(r.Sender, "@")
	name := headerName(domain)
	if !ok || name == "" {
		return headerName(r.Domain)
	}
	if local == "" || len(local) > mostLocal || strings.ContainsFunc(local, func(r rune) bool { return !isNameChar(r) && !strings.ContainsRune("#$%&'*+/^`{|}~", r) }) {
		return name
	}
	return local + "@" + name
}

// A line of the folded field, and a field on one line without local part, have less than the
// 998 octets of RFC 5322, Section 2.1.1.
const (
	maxLocal = 500
	maxName  = 253 // of any domain, and of the authserv-id
)

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return "", s, false
	}
	return s[:i], s[i+len(sep):], true
}
