package maillog

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// Parts of forms.
const (
	addr = `(?:IPv6:)?(?P<addr>[0-9A-Fa-f.:]+)`
	host = `[A-Za-z0-9._-]+` // a name that the server got from DNS and checked
	port = `(?::\d+)?`
)

// A form is a regular expression for the beginning of a line. Its groups are named addr and
// helo; name is the PTR name, where the program writes it alone if HELO is the same. The
// client's text is .* or (with what the program forbids) a narrower set.
type form struct{ most, least *regexp.Regexp }

// newForm anchors a form at the beginning.
func newForm(expr string) form {
	expr = strings.NewReplacer("ADDR", addr, "HOST", host, "PORT", port).Replace(expr)
	return form{regexp.MustCompile("^(?:" + expr + ")"), regexp.MustCompile("(?U)^(?:" + expr + ")")}
}

// match returns the groups of the form in a text, and the text behind it. It fails with
// ErrAmbiguous if there is more than one way to divide the text into the groups: where each
// part takes as much as it can, they are then not where they are if each takes as little as
// it can, because what is the first in one order is the last in the other.
func (f form) match(text string) (m match, rest string, err error) {
	most := f.most.FindStringSubmatchIndex(text)
	if most == nil {
		return nil, "", nil
	}
	if least := f.least.FindStringSubmatchIndex(text); !slices.Equal(most[2:], least[2:]) {
		return nil, "", ErrAmbiguous
	}
	m = make(match)
	for i, name := range f.most.SubexpNames() {
		if name != "" && most[2*i] >= 0 {
			m[name] = text[most[2*i]:most[2*i+1]]
		}
	}
	return m, text[most[1]:], nil
}

// A match has the texts of the groups that took part.
type match map[string]string

// client returns the client of a match; it has no address if the text has none.
func (m match) client() Client {
	a, err := netip.ParseAddr(m["addr"])
	if err != nil {
		return Client{}
	}
	return Client{Addr: a.Unmap(), Helo: m["helo"]}
}
