package rp

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/txt"
)

// A Contact is the text that an RP record points to, in the form of the advice on
// mail servers, all parts but the first optional:
//
//	John Smith (email administrator), phone:+35312345678, email:postmaster, web:http://www.example.org/
//
// A postal address comes before web, as in address:1 Main Street, Dublin 2: what follows a
// comma and is none of the other parts belongs to it.
type Contact struct {
	Name  string `json:"name,omitzero"`  // of a person or a department
	Role  string `json:"role,omitzero"`  // what they do
	Phone string `json:"phone,omitzero"` // in any notation
	Email string `json:"email,omitzero"` // an address, or postmaster for the one at the name itself
	// Address is the postal address, on one line.
	Address string `json:"address,omitzero"`
	Web     string `json:"web,omitzero"` // the URL of a page
	// Text is the whole text where it says more than the other fields, says it in
	// another form, or names nobody; String returns it then. Clear it to write what the fields
	// say.
	Text string `json:"text,omitzero"`
}

// ParseContact reads a text in any order of its parts. Nothing is lost: String
// returns the text again, whatever it is. A text that names nobody is a Text alone.
func ParseContact(text string) Contact {
	if NamesNobody(text) {
		return Contact{Text: text}
	}
	var c Contact
	fields := map[string]*string{"phone": &c.Phone, "email": &c.Email, "address": &c.Address, "web": &c.Web}
	var last *string // the field of the part before
	for i, part := range strings.Split(text, ", ") {
		part = strings.TrimSpace(part)
		key, value, ok := strings.Cut(part, ":")
		field := fields[strings.ToLower(key)]
		switch {
		case ok && field != nil && *field == "":
			*field = strings.TrimSpace(value)
			last = field
		case last == &c.Address && field == nil:
			c.Address += ", " + part
		case i == 0:
			c.Name, c.Role = person(part)
		}
	}
	if c.String() != text {
		c.Text = text
	}
	return c
}

// NamesNobody reports whether a text says nothing about who is responsible: it has no letter
// and no digit, as "-", or it is a record that programs read, which begins with its version,
// as v=spf1 or v=DMARC1.
func NamesNobody(text string) bool {
	version, _, found := strings.Cut(strings.ToLower(strings.Trim(text, " \t\"'")), "=")
	return found && strings.TrimSpace(version) == "v" ||
		!strings.ContainsFunc(text, func(r rune) bool {
			return unicode.IsLetter(r) || unicode.IsDigit(r) || r == utf8.RuneError // of another charset
		})
}

// person splits "John Smith (email administrator)" into name and role.
func person(text string) (name, role string) {
	name, rest, ok := strings.Cut(text, " (")
	role, closed := strings.CutSuffix(rest, ")")
	if !ok || !closed || name == "" || role == "" {
		return text, ""
	}
	return name, role
}

// String returns the text: Text, or else the fields in the order of the advice.
func (c Contact) String() string {
	if c.Text != "" {
		return c.Text
	}
	name := c.Name
	if c.Role != "" {
		name += " (" + c.Role + ")"
	}
	var parts []string
	if name != "" {
		parts = append(parts, name)
	}
	for _, f := range []struct{ key, value string }{{"phone", c.Phone}, {"email", c.Email}, {"address", c.Address}, {"web", c.Web}} {
		if f.value != "" {
			parts = append(parts, f.key+":"+f.value)
		}
	}
	return strings.Join(parts, ", ")
}

// maxText is what a TXT record holds with the length of each string (RFC 1035,
// Section 3.3.14).
const maxText = 65535 / 256 * 255

// RR returns the TXT record of the contact, cut into strings of 255 octets, to stand
// at the name that Entry.Text has. It refuses a name that is none, a contact that
// says nothing or names nobody, and fields that would not be read again as they are: with a
// comma before a space, except in an address, or a role without a name. TTL is in seconds.
func (c Contact) RR(name string, ttl uint32) (*dns.TXT, error) {
	owner, err := dnsname.Canonical(name)
	if err != nil {
		return nil, fmt.Errorf("rp: %w", err)
	}
	text := c.String()
	switch {
	case text == "":
		return nil, fmt.Errorf("rp: the contact of %s is empty", owner)
	case len(text) > maxText:
		return nil, fmt.Errorf("rp: the contact of %s has %d octets: a record holds %d", owner, len(text), maxText)
	case NamesNobody(text):
		return nil, fmt.Errorf("rp: the contact of %s names nobody: %q", owner, text)
	case c.Text == "" && ParseContact(text) != c:
		return nil, fmt.Errorf("rp: the contact of %s would be read as another one: %q", owner, text)
	}
	return &dns.TXT{Hdr: dns.RR_Header{Name: owner, Rrtype: dns.TypeTXT, Class: dns.ClassINET, Ttl: ttl}, Txt: txt.Split(text)}, nil
}
