// Package dnsname holds what every package above needs to know about names:
// their one canonical form, what a host name looks like, which names are never
// asked, the reverse names of addresses, and the organization a name belongs to.
package dnsname

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/miekg/dns"
	"golang.org/x/net/idna"
)

// ErrName is in every error of this package that says a text is not a DNS name.
var ErrName = errors.New("not a DNS name")

// maxText is longer than any name is in text, four characters for each of 255
// octets, U-labels too. What is longer is not looked at.
const maxText = 1024

// toASCII maps as browsers and resolvers do before a lookup (UTS 46,
// nontransitional). It only ever sees single labels with non-ASCII octets.
var toASCII = idna.New(
	idna.MapForLookup(),
	idna.Transitional(false),
	idna.StrictDomainName(true),
	idna.BidiRule(),
)

// toUnicode is for showing a name to people.
var toUnicode = idna.New(idna.Transitional(false), idna.BidiRule(), idna.ValidateLabels(true))

// Canonical returns the one form in which a Resolver is asked: lower case,
// A-labels, absolute, with its final dot, and escaped as miekg/dns escapes.
// It accepts any case, a missing final dot, U-labels and escapes (\. and \DDD).
// Only labels with non-ASCII octets go through IDNA, so that _client._smtp and
// r3---sn pass as they are. The error wraps ErrName.
func Canonical(name string) (string, error) {
	if isCanonical(name) {
		return name, nil
	}
	switch {
	case name == "":
		return "", fmt.Errorf("%w: empty", ErrName)
	case len(name) > maxText:
		return "", fmt.Errorf("%w: %.40q and so on: %d characters, expected labels of 1 to 63 octets, 255 in all", ErrName, name, len(name))
	}
	if simple := lowered(name); isCanonical(simple) {
		return simple, nil
	}
	ascii, err := aLabels(name)
	if err != nil {
		return "", err
	}
	// Over the wire form and back: two spellings of one name (\065 and a) must
	// not stay two names.
	var buf [256]byte
	wire, err := AppendWire(buf[:0], ascii, []byte{0})
	if err != nil {
		return "", err
	}
	LowerWire(wire)
	canonical, _, err := dns.UnpackDomainName(wire, 0)
	if err != nil {
		return "", fmt.Errorf("%w: %q: %w", ErrName, name, err)
	}
	return canonical, nil
}

// CanonicalOrEmpty returns the canonical form of a name, "" for a text that is none.
func CanonicalOrEmpty(name string) string {
	canonical, _ := Canonical(name)
	return canonical
}

// Same reports whether two texts are the same name. A text that is not a name is not the
// same as any.
func Same(a, b string) bool {
	canonical, err := Canonical(a)
	return err == nil && canonical == CanonicalOrEmpty(b)
}

// isCanonical is the fast path: it may say no to a canonical name with escapes.
func isCanonical(name string) bool {
	if name == "." {
		return true
	}
	if len(name) < 2 || len(name) > 254 || name[len(name)-1] != '.' {
		return false
	}
	label := 0 // where it starts
	for i := range len(name) {
		switch c := name[i]; {
		case plain[c]:
		case c == '.' && i > label && i-label <= 63:
			label = i + 1
		default:
			return false
		}
	}
	return true
}

// plain are the octets of a label that are the same in every spelling of a
// canonical name.
var plain = func() (plain [256]bool) {
	for _, c := range []byte("abcdefghijklmnopqrstuvwxyz0123456789-_*") {
		plain[c] = true
	}
	return plain
}()

// aLabels maps each label that has non-ASCII octets, and leaves the others.
func aLabels(name string) (string, error) {
	if strings.IndexFunc(name, func(r rune) bool { return r >= 0x80 }) < 0 {
		return name, nil
	}
	labels := dns.SplitDomainName(name)
	for i, label := range labels {
		if strings.IndexFunc(label, func(r rune) bool { return r >= 0x80 }) < 0 {
			continue
		}
		// Invalid UTF-8 passes idna as U+FFFD. A label of ignored characters only
		// maps to nothing, and would leave the root.
		mapped, err := toASCII.ToASCII(label)
		if err != nil || !utf8.ValidString(label) || mapped == "" || mapped[0] == '.' {
			return "", fmt.Errorf("%w: label %q: not an internationalized label", ErrName, label)
		}
		labels[i] = mapped
	}
	ascii := strings.Join(labels, ".") // with the final dot of a last label that ends in U+3002
	if dns.IsFqdn(name) {
		ascii += "."
	}
	return ascii, nil
}

// lowered returns a name with small letters and the final dot, and "" where it is too
// long for one without escapes.
func lowered(name string) string {
	var buf [254]byte
	if len(name) >= len(buf) {
		return ""
	}
	text := append(buf[:0], name...)
	for i, c := range text {
		if 'A' <= c && c <= 'Z' {
			text[i] += 'a' - 'A'
		}
	}
	if text[len(text)-1] != '.' {
		text = append(text, '.')
	}
	return string(text)
}

// Unicode returns a canonical name with U-labels, for people; a label that is
// no valid A-label stays as it is. Never compare or ask what it returns.
func Unicode(name string) string {
	if !strings.Contains(name, "xn--") {
		return name
	}
	labels := dns.SplitDomainName(name)
	for i, label := range labels {
		// The way back is the test: idna splits at escaped dots, and reads "xn--"
		// as an empty label.
		u, err := toUnicode.ToUnicode(label)
		if back, errBack := toASCII.ToASCII(u); err == nil && errBack == nil && back == label {
			labels[i] = u
		}
	}
	return dns.Fqdn(strings.Join(labels, "."))
}

// Under reports whether the canonical name is zone or lies below it.
func Under(name, zone string) bool {
	if zone == "." || name == zone {
		return true
	}
	cut := len(name) - len(zone)
	return cut > 0 && name[cut:] == zone && name[cut-1] == '.' && separates(name, cut-1)
}

// separates reports whether the dot at i stands between labels: the first of
// a\.example.test. is a part of one.
func separates(name string, i int) bool {
	escapes := 0
	for i--; i >= 0 && name[i] == '\\'; i-- {
		escapes++
	}
	return escapes%2 == 0
}

// LastLabel returns where the last label begins of a name without its final dot.
func LastLabel(name string) int {
	i := strings.LastIndexByte(name, '.')
	for i >= 0 && !separates(name, i) {
		i = strings.LastIndexByte(name[:i], '.')
	}
	return i + 1
}

// Compare orders canonical names label by label from the right, as RFC 4034,
// Section 6.1, does, except for escapes: a zone's names stand together, each before
// those below it.
func Compare(a, b string) int {
	// Sorting a zone is a thing of millions of calls: nothing is allocated here, and
	// the labels that the names share are passed over at once.
	a, b = strings.TrimSuffix(a, "."), strings.TrimSuffix(b, ".")
	if strings.IndexByte(a, '\\') >= 0 || strings.IndexByte(b, '\\') >= 0 { // a dot may be part of a label
		for a != "" && b != "" {
			i, j := LastLabel(a), LastLabel(b)
			if c := strings.Compare(a[i:], b[j:]); c != 0 {
				return c
			}
			a, b = a[:max(i-1, 0)], b[:max(j-1, 0)]
		}
		return len(a) - len(b)
	}
	shared := 0
	for i, n := 1, min(len(a), len(b)); i <= n && a[len(a)-i] == b[len(b)-i]; i++ {
		if a[len(a)-i] == '.' {
			shared = i
		}
	}
	a, b = a[:len(a)-shared], b[:len(b)-shared]
	if c := strings.Compare(a[strings.LastIndexByte(a, '.')+1:], b[strings.LastIndexByte(b, '.')+1:]); c != 0 {
		return c
	}
	return len(a) - len(b)
}

// Parent returns the name without its first label, and "." for a top-level
// domain. It returns "" for the root, which has none.
func Parent(name string) string {
	if name == "." {
		return ""
	}
	next := strings.IndexByte(name, '.') + 1
	if strings.IndexByte(name[:next], '\\') >= 0 {
		next, _ = dns.NextLabel(name, 0) // the dot may be a part of the label
	}
	if next == 0 || next == len(name) {
		return "."
	}
	return name[next:]
}
