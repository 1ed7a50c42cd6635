package org

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"

	"github.com/bonafide-mta/bonafide/internal/bounded"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/yamldoc"
	"github.com/bonafide-mta/bonafide/spf"
)

// Read reads the description of one organization from r as [Parse] does. It reads no more
// than the 256 KiB that a description may have. An error of r is returned with the file
// name.
func Read(file string, r io.Reader) (*Organization, error) {
	text, err := bounded.ReadAll(r, yamldoc.MaxSize)
	if long, ok := errors.AsType[*bounded.Error](err); ok {
		err = fmt.Errorf("%w: expected the description of one organization", long)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return Parse(file, text)
}

// Parse reads the description of one organization, YAML or JSON, in the form
// that the package comment shows. The file name stands in errors and is not
// opened. Names come out canonical, but for HELO, addresses without mapping, and
// an MTA without an ID gets mta1, mta2 … by its place.
//
// The error is an [*Error] with every mistake: line and column, the value, what
// was expected. Unknown and repeated keys, values of the wrong kind, anchors,
// tags, a second document, and a text longer than a thousand MTAs need are
// mistakes.
func Parse(file string, text []byte) (*Organization, error) {
	doc, body := yamldoc.Parse(text, "one organization", "the keys domain and mtas")
	o := new(Organization)
	if body != nil {
		(&reader{doc}).organization(o, body)
	}
	var problems []Problem
	for _, p := range doc.Problems {
		problems = append(problems, Problem{File: file, Line: p.Line, Column: p.Column, Path: p.Path, Text: p.Text})
	}
	// The rules of Validate, with positions, for whatever could be read.
	for _, p := range o.problems() {
		if doc.Unread(p.Path) {
			continue
		}
		p.File = file
		p.Line, p.Column = doc.Position(p.Path)
		if p.Against != "" {
			p.AgainstLine, _ = doc.Position(p.Against)
		}
		problems = append(problems, p)
	}
	if len(problems) > 0 {
		slices.SortStableFunc(problems, func(a, b Problem) int {
			return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
		})
		return nil, &Error{problems}
	}
	o.normalize()
	return o, nil
}

func (o *Organization) normalize() {
	o.Domain, _ = dnsname.Canonical(o.Domain)
	for i := range o.MTAs {
		m := &o.MTAs[i]
		if m.PTR != "" {
			m.PTR, _ = dnsname.Canonical(m.PTR)
		}
		for j, addr := range m.Addresses {
			m.Addresses[j] = addr.Unmap()
		}
	}
	for i, name := range o.Names {
		o.Names[i], _ = dnsname.Canonical(name)
	}
	for i, zone := range o.Zones {
		o.Zones[i], _ = dnsname.Canonical(zone)
	}
	for i := range o.Exceptions {
		o.Exceptions[i].Subject = o.subject(o.Exceptions[i].Subject)
	}
	for i := range o.Mail {
		d := &o.Mail[i]
		d.Domain, _ = dnsname.Canonical(d.Domain)
		for j, name := range d.Includes {
			d.Includes[j], _ = dnsname.Canonical(name)
		}
	}
}

// subject returns what reports call the subject of an exception: a name has its final
// dot there, so that it cannot be taken for the ID of an MTA.
func (o *Organization) subject(text string) string {
	id, _, _ := strings.Cut(text, "/")
	if text == "organization" || slices.ContainsFunc(o.MTAs, func(m MTA) bool { return m.ID == id }) {
		return text
	}
	if name, err := dnsname.Canonical(text); err == nil {
		return name
	}
	return text
}

// A reader turns a document into an Organization.
type reader struct{ *yamldoc.Reader }

func (r *reader) organization(o *Organization, body yamldoc.Node) {
	r.Mapping("", body, map[string]func(string, yamldoc.Node){
		"domain": func(path string, n yamldoc.Node) { o.Domain = r.Text(path, n) },
		"mtas": func(path string, n yamldoc.Node) {
			r.Sequence(path, n, func(path string, n yamldoc.Node) {
				m := r.mta(path, n)
				m.ID = cmp.Or(m.ID, fmt.Sprintf("mta%d", len(o.MTAs)+1))
				o.MTAs = append(o.MTAs, m)
			})
		},
		"mail": func(path string, n yamldoc.Node) {
			r.Sequence(path, n, func(path string, n yamldoc.Node) { o.Mail = append(o.Mail, r.mail(path, n)) })
		},
		"names": func(path string, n yamldoc.Node) { o.Names = r.Texts(path, n) },
		"zones": func(path string, n yamldoc.Node) { o.Zones = r.Texts(path, n) },
		"exceptions": func(path string, n yamldoc.Node) {
			r.Sequence(path, n, func(path string, n yamldoc.Node) {
				var e Exception
				r.Strings(path, n, map[string]*string{"rule": &e.Rule, "subject": &e.Subject, "reason": &e.Reason, "until": &e.Until})
				o.Exceptions = append(o.Exceptions, e)
			})
		},
		"contacts": func(path string, n yamldoc.Node) {
			contact := func(to **Contact) func(string, yamldoc.Node) {
				return func(path string, n yamldoc.Node) { *to = r.contact(path, n) }
			}
			c := &o.Contacts
			r.Mapping(path, n, map[string]func(string, yamldoc.Node){
				"mta": contact(&c.MTA), "admin": contact(&c.Admin), "abuse": contact(&c.Abuse),
			})
		},
	})
}

func (r *reader) contact(path string, n yamldoc.Node) *Contact {
	c := new(Contact)
	r.Strings(path, n, map[string]*string{
		"name": &c.Name, "role": &c.Role, "phone": &c.Phone, "email": &c.Email, "address": &c.Address, "web": &c.Web, "mailbox": &c.Mailbox,
	})
	return c
}

func (r *reader) mail(path string, n yamldoc.Node) MailDomain {
	var d MailDomain
	r.Mapping(path, n, map[string]func(string, yamldoc.Node){
		"domain":   func(path string, n yamldoc.Node) { d.Domain = r.Text(path, n) },
		"mtas":     func(path string, n yamldoc.Node) { d.MTAs = append([]string{}, r.Texts(path, n)...) },
		"softfail": func(path string, n yamldoc.Node) { d.SoftFail = r.Boolean(path, n) },
		"includes": func(path string, n yamldoc.Node) { d.Includes = r.Texts(path, n) },
		"networks": func(path string, n yamldoc.Node) {
			r.Sequence(path, n, func(path string, n yamldoc.Node) {
				d.Networks = append(d.Networks, r.network(path, n))
			})
		},
	})
	return d
}

func (r *reader) mta(path string, n yamldoc.Node) MTA {
	var m MTA
	r.Mapping(path, n, map[string]func(string, yamldoc.Node){
		"id":        func(path string, n yamldoc.Node) { m.ID = r.Text(path, n) },
		"ptr":       func(path string, n yamldoc.Node) { m.PTR = r.Text(path, n) },
		"helo":      func(path string, n yamldoc.Node) { m.Helo = r.Text(path, n) },
		"dedicated": func(path string, n yamldoc.Node) { m.Dedicated = r.Boolean(path, n) },
		"addresses": func(path string, n yamldoc.Node) {
			r.Sequence(path, n, func(path string, n yamldoc.Node) {
				m.Addresses = append(m.Addresses, r.address(path, n))
			})
		},
		"roles": func(path string, n yamldoc.Node) {
			r.Sequence(path, n, func(path string, n yamldoc.Node) {
				var role Role
				if text := r.Text(path, n); text != "" && role.UnmarshalText([]byte(text)) != nil {
					r.Refuse(n, path, "%q: expected inbound, outbound or submission", text)
				}
				m.Roles = append(m.Roles, role)
			})
		},
	})
	return m
}

func (r *reader) address(path string, n yamldoc.Node) netip.Addr {
	text := r.Text(path, n)
	if r.Unread(path) {
		return netip.Addr{}
	}
	addr, err := netip.ParseAddr(text)
	if err == nil {
		return addr
	}
	expected := "expected an IPv4 or IPv6 address"
	if _, err := netip.ParsePrefix(text); err == nil {
		expected = "expected an address without prefix length"
	}
	r.Refuse(n, path, "%q: %s", text, expected)
	return netip.Addr{}
}

func (r *reader) network(path string, n yamldoc.Node) netip.Prefix {
	text := r.Text(path, n)
	if r.Unread(path) {
		return netip.Prefix{}
	}
	if network, err := netip.ParsePrefix(text); err == nil {
		return network // Validate says what else is wrong
	}
	_, err := spf.ParseNetwork(text)
	r.Refuse(n, path, "%v", err)
	return netip.Prefix{}
}
