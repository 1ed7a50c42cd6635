package rp

import (
	"errors"
	"fmt"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/txt"
)

// An Entry is a person who is responsible for a name, to be published as an RP record.
type Entry struct {
	Name string // whose responsible person it is, in any form that resolver.Canonical accepts
	// Mailbox is an address in ASCII, but for U-labels, quoted if need be; "" for none:
	// what stands in DNS is found by those who send junk.
	Mailbox string
	Text    string // the name of the TXT record that says more, as [Contact.RR] makes it; "" for none
	TTL     uint32 // in seconds
}

// RR returns the record. It refuses names that are none, a mailbox that is no address,
// and one that DNS cannot hold: with a local part of more than 63 octets, though SMTP
// allows 64. Upper case becomes lower case, which is all that DNS keeps.
func (e Entry) RR() (*dns.RP, error) {
	name, err := dnsname.Canonical(e.Name)
	if err != nil {
		return nil, fmt.Errorf("rp: %w", err)
	}
	mailbox, err := toDomain(e.Mailbox)
	if err != nil {
		return nil, fmt.Errorf("rp: mailbox %q: %w", e.Mailbox, err)
	}
	text := "."
	if e.Text != "" {
		if text, err = dnsname.Canonical(e.Text); err != nil {
			return nil, fmt.Errorf("rp: text: %w", err)
		}
	}
	if mailbox == "." && text == "." {
		return nil, errors.New("rp: neither a mailbox nor the name of a text: the record would say nothing")
	}
	return &dns.RP{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeRP, Class: dns.ClassINET, Ttl: e.TTL}, Mbox: mailbox, Txt: text}, nil
}

// toDomain returns a mailbox as a domain name: its local part is the first label,
// whose dots are escaped (RFC 1035, Section 8). "" becomes the root, which means none.
func toDomain(mailbox string) (string, error) {
	if mailbox == "" {
		return ".", nil
	}
	at := strings.LastIndexByte(mailbox, '@')
	if at < 0 {
		return "", errors.New("expected local-part@domain")
	}
	local, err := unquote(mailbox[:at])
	if err != nil {
		return "", err
	}
	if len(local) > 63 {
		return "", fmt.Errorf("a local part of %d octets: a label holds 63", len(local))
	}
	domain, err := dnsname.Canonical(mailbox[at+1:])
	if err != nil {
		return "", err
	}
	if dnsname.FormOf(domain) < dnsname.SingleLabel {
		return "", fmt.Errorf("%q is no domain of an address", mailbox[at+1:])
	}
	var label strings.Builder
	for i := range len(local) {
		fmt.Fprintf(&label, `\%03d`, local[i])
	}
	// Canonical brings it into the form in which miekg/dns writes names.
	return dnsname.Canonical(label.String() + "." + domain)
}

// unquote returns the octets of a local part: a dot-string or a quoted string (RFC
// 5321, Section 4.1.2).
func unquote(local string) (string, error) {
	if strings.Trim(local, printable) != "" {
		return "", errors.New("expected a local part of printable ASCII")
	}
	body, quoted := strings.CutPrefix(local, `"`)
	if !quoted {
		if !isDotString(local) {
			return "", errors.New("expected a local part before the @, with quotes around what is not letters, digits and single dots")
		}
		return local, nil
	}
	var b strings.Builder
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case c == '"' && i == len(body)-1 && i > 0:
			return b.String(), nil
		case c == '"':
			return "", errors.New("a quotation mark amid the local part")
		case c == '\\' && i+1 < len(body):
			i++
		}
		b.WriteByte(body[i])
	}
	return "", errors.New("a quotation mark that is not closed")
}

// isDotString reports whether a local part needs no quotes.
func isDotString(local string) bool {
	for atom := range strings.SplitSeq(local, ".") {
		if atom == "" || strings.Trim(atom, atext) != "" {
			return false
		}
	}
	return true
}

const (
	alphanumeric = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	atext        = alphanumeric + "!#$%&'*+-/=?^_`{|}~" // RFC 5322, Section 3.2.3
	printable    = atext + ` "(),.:;<>@[\]`
)

// fromDomain returns the mailbox that a domain name means, "" for none and for what
// no address can be.
func fromDomain(name string) string {
	canonical, err := dnsname.Canonical(name)
	if err != nil || canonical == "." {
		return ""
	}
	end, last := dns.NextLabel(canonical, 0)
	local := txt.Join([]string{canonical[:end-1]})
	if last || strings.Trim(local, printable) != "" {
		return ""
	}
	if !isDotString(local) {
		local = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(local) + `"`
	}
	return local + "@" + strings.TrimSuffix(canonical[end:], ".")
}
