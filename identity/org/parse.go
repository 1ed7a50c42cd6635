package org

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/bonafide-mta/bonafide/internal/bounded"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/untrusted"
)

// How large a description may be: a thousand MTAs fit. The YAML parser takes
// time by the square of the keys side by side, and memory by the square of the
// depth. These bounds keep a hostile text to less than a second.
const (
	maxSize   = 256 << 10 // octets
	maxTokens = 36_000    // words and punctuation marks of YAML
	maxDepth  = 16        // brackets and braces around one value
	maxIndent = 64        // columns before an entry of a list
	maxKeys   = 64        // keys side by side, outside braces
)

// Read reads the description of one organization from r as [Parse] does. It reads no more
// than the 256 KiB that a description may have. An error of r is returned with the file
// name.
func Read(file string, r io.Reader) (*Organization, error) {
	text, err := bounded.ReadAll(r, maxSize)
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
	r := &reader{file: file, at: make(map[string]*token.Position), bad: make(map[string]bool)}
	o := r.read(text)
	// The rules of Validate, with positions, for whatever could be read.
	for _, p := range o.problems() {
		if r.unread(p.Path) {
			continue
		}
		if at := r.position(p.Against); p.Against != "" && at != nil {
			p.AgainstLine = at.Line
		}
		r.report(r.position(p.Path), p)
	}
	if len(r.problems) > 0 {
		slices.SortStableFunc(r.problems, func(a, b Problem) int {
			return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
		})
		return nil, &Error{r.problems}
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

// A reader turns the tree of a YAML text into an Organization, and remembers
// where each value stands.
type reader struct {
	file     string
	at       map[string]*token.Position // by path
	bad      map[string]bool            // the paths whose values could not be read
	problems []Problem
}

func (r *reader) fail(pos *token.Position, path, format string, args ...any) {
	r.report(pos, Problem{Path: path, Text: fmt.Sprintf(format, args...)})
}

func (r *reader) report(pos *token.Position, p Problem) {
	p.File, p.Line, p.Column = r.file, 1, 1
	if pos != nil {
		p.Line, p.Column = pos.Line, pos.Column
	}
	r.problems = append(r.problems, p)
}

// refuse is fail for a value that is not read: nothing more is said of it.
func (r *reader) refuse(pos *token.Position, path, format string, args ...any) {
	r.fail(pos, path, format, args...)
	r.bad[path] = true
}

// unread reports whether the value of a path, or one around it, is refused.
func (r *reader) unread(path string) bool {
	for path != "" && !r.bad[path] {
		path = parent(path)
	}
	return r.bad[path]
}

// position returns where the value of a path stands, or where the nearest value
// around it does, for one that is missing.
func (r *reader) position(path string) *token.Position {
	for path != "" && r.at[path] == nil {
		path = parent(path)
	}
	return r.at[path]
}

// parent returns the path of the value around another.
func parent(path string) string { return path[:max(0, strings.LastIndexAny(path, ".["))] }

// body parses the text and returns its one value, or nil when it is refused.
func (r *reader) body(text []byte) ast.Node {
	switch {
	case len(text) > maxSize:
		r.refuse(nil, "", "%d octets: expected at most %d", len(text), maxSize)
		return nil
	case !utf8.Valid(text):
		r.refuse(nil, "", "not UTF-8")
		return nil
	}
	tokens := lexer.Tokenize(strings.TrimPrefix(string(text), "\ufeff"))
	if !r.bounded(tokens) {
		return nil
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		r.syntax(err)
		return nil
	}
	var body ast.Node
	for _, doc := range file.Docs {
		switch {
		case doc.Body == nil, doc.Body.Type() == ast.DirectiveType:
		case body != nil:
			r.refuse(start(doc.Body), "", "a second document: expected one organization")
			return nil
		default:
			body = doc.Body
		}
	}
	if body == nil {
		r.refuse(nil, "", "empty: expected the keys domain and mtas")
	}
	return body
}

// bounded refuses what would cost the parser too much.
func (r *reader) bounded(tokens token.Tokens) bool {
	depth := 0
	keys := make(map[int]int) // outside braces by column; documents count at 0
	for i, t := range tokens {
		column := t.Position.Column
		switch t.Type {
		case token.MappingStartType, token.SequenceStartType:
			depth++
		case token.MappingEndType, token.SequenceEndType:
			depth = max(0, depth-1)
		case token.SequenceEntryType: // keys further right are those of another entry
			maps.DeleteFunc(keys, func(at, _ int) bool { return at > column })
		case token.DocumentHeaderType, token.DocumentEndType:
			column = 0
			keys[column]++
		case token.MappingKeyType:
			keys[column]++
		case token.MappingValueType:
			if t.Prev != nil && depth == 0 {
				column = t.Prev.Position.Column
				keys[column]++
			}
		}
		switch {
		case i == maxTokens:
			r.refuse(t.Position, "", "too long: expected at most %d words and punctuation marks", maxTokens)
			return false
		case depth > maxDepth, t.Type == token.SequenceEntryType && column > maxIndent:
			r.refuse(t.Position, "", "nested too deeply")
			return false
		case keys[column] > maxKeys:
			r.refuse(t.Position, "", "too many keys or documents")
			return false
		}
	}
	return true
}

func (r *reader) read(text []byte) *Organization {
	o := new(Organization)
	body := r.body(text)
	if body == nil {
		return o
	}
	r.mapping("", body, map[string]func(string, ast.Node){
		"domain": func(path string, n ast.Node) { o.Domain = r.text(path, n) },
		"mtas": func(path string, n ast.Node) {
			r.sequence(path, n, func(path string, n ast.Node) {
				m := r.mta(path, n)
				m.ID = cmp.Or(m.ID, fmt.Sprintf("mta%d", len(o.MTAs)+1))
				o.MTAs = append(o.MTAs, m)
			})
		},
		"mail": func(path string, n ast.Node) {
			r.sequence(path, n, func(path string, n ast.Node) { o.Mail = append(o.Mail, r.mail(path, n)) })
		},
		"names": func(path string, n ast.Node) { o.Names = r.texts(path, n) },
		"zones": func(path string, n ast.Node) { o.Zones = r.texts(path, n) },
		"exceptions": func(path string, n ast.Node) {
			r.sequence(path, n, func(path string, n ast.Node) {
				var e Exception
				r.strings(path, n, map[string]*string{"rule": &e.Rule, "subject": &e.Subject, "reason": &e.Reason, "until": &e.Until})
				o.Exceptions = append(o.Exceptions, e)
			})
		},
		"contacts": func(path string, n ast.Node) {
			contact := func(to **Contact) func(string, ast.Node) {
				return func(path string, n ast.Node) { *to = r.contact(path, n) }
			}
			c := &o.Contacts
			r.mapping(path, n, map[string]func(string, ast.Node){
				"mta": contact(&c.MTA), "admin": contact(&c.Admin), "abuse": contact(&c.Abuse),
			})
		},
	})
	return o
}

func (r *reader) contact(path string, n ast.Node) *Contact {
	c := new(Contact)
	r.strings(path, n, map[string]*string{
		"name": &c.Name, "role": &c.Role, "phone": &c.Phone, "email": &c.Email, "web": &c.Web, "mailbox": &c.Mailbox,
	})
	return c
}

func (r *reader) mail(path string, n ast.Node) MailDomain {
	var d MailDomain
	r.mapping(path, n, map[string]func(string, ast.Node){
		"domain":   func(path string, n ast.Node) { d.Domain = r.text(path, n) },
		"softfail": func(path string, n ast.Node) { d.SoftFail = r.boolean(path, n) },
		"includes": func(path string, n ast.Node) { d.Includes = r.texts(path, n) },
		"networks": func(path string, n ast.Node) {
			r.sequence(path, n, func(path string, n ast.Node) {
				d.Networks = append(d.Networks, r.network(path, n))
			})
		},
	})
	return d
}

func (r *reader) mta(path string, n ast.Node) MTA {
	var m MTA
	r.mapping(path, n, map[string]func(string, ast.Node){
		"id":        func(path string, n ast.Node) { m.ID = r.text(path, n) },
		"ptr":       func(path string, n ast.Node) { m.PTR = r.text(path, n) },
		"helo":      func(path string, n ast.Node) { m.Helo = r.text(path, n) },
		"dedicated": func(path string, n ast.Node) { m.Dedicated = r.boolean(path, n) },
		"addresses": func(path string, n ast.Node) {
			r.sequence(path, n, func(path string, n ast.Node) {
				m.Addresses = append(m.Addresses, r.address(path, n))
			})
		},
		"roles": func(path string, n ast.Node) {
			r.sequence(path, n, func(path string, n ast.Node) {
				var role Role
				if text := r.text(path, n); text != "" && role.UnmarshalText([]byte(text)) != nil {
					r.refuse(start(n), path, "%q: expected inbound, outbound or submission", text)
				}
				m.Roles = append(m.Roles, role)
			})
		},
	})
	return m
}

// syntax reports what the YAML parser objects to, on one line.
func (r *reader) syntax(err error) {
	text, _, _ := strings.Cut(err.Error(), "\n")
	var pos *token.Position
	if e, ok := errors.AsType[*yaml.SyntaxError](err); ok {
		text = e.Message
		if e.Token != nil {
			pos = e.Token.Position
		}
	}
	r.refuse(pos, "", "%s", untrusted.Line(text))
}

// start returns where a value stands: that of keys and values without braces is
// where the first key does, and not its colon, which has the token.
func start(n ast.Node) *token.Position {
	if m, ok := n.(ast.MapNode); ok && n.GetToken().Type == token.MappingValueType {
		if first := m.MapRange(); first.Next() {
			return first.Key().GetToken().Position
		}
	}
	return n.GetToken().Position
}

// mapping reads the keys of a mapping by their functions.
func (r *reader) mapping(path string, n ast.Node, keys map[string]func(string, ast.Node)) {
	r.at[path] = start(n)
	values, ok := n.(ast.MapNode)
	if !ok {
		r.wrong(path, n, "keys and values")
		return
	}
	seen := make(map[string]int)
	for iter := values.MapRange(); iter.Next(); {
		key := iter.Key().GetToken()
		read, known := keys[key.Value]
		if _, plain := iter.Key().(*ast.StringNode); !known || !plain {
			expected := make([]string, 0, len(keys))
			for k := range keys {
				expected = append(expected, k)
			}
			slices.Sort(expected)
			r.fail(key.Position, path, "unknown key %q: expected one of %s", key.Value, strings.Join(expected, ", "))
			continue
		}
		if line, ok := seen[key.Value]; ok {
			r.fail(key.Position, path, "the key %q stands in line %d already", key.Value, line)
			continue
		}
		seen[key.Value] = key.Position.Line
		read(strings.TrimPrefix(path+"."+key.Value, "."), iter.Value())
	}
}

// strings reads a mapping whose values are all texts.
func (r *reader) strings(path string, n ast.Node, keys map[string]*string) {
	read := make(map[string]func(string, ast.Node))
	for key, to := range keys {
		read[key] = func(path string, n ast.Node) { *to = r.text(path, n) }
	}
	r.mapping(path, n, read)
}

// sequence reads the values of a sequence by a function.
func (r *reader) sequence(path string, n ast.Node, read func(string, ast.Node)) {
	r.at[path] = start(n)
	values, ok := n.(*ast.SequenceNode)
	if !ok {
		r.wrong(path, n, "a list")
		return
	}
	for i, value := range values.Values {
		read(fmt.Sprintf("%s[%d]", path, i), value)
	}
}

// texts reads a sequence of scalars.
func (r *reader) texts(path string, n ast.Node) []string {
	var out []string
	r.sequence(path, n, func(path string, n ast.Node) { out = append(out, r.text(path, n)) })
	return out
}

// text reads a scalar as it is written: 1234 is the text "1234".
func (r *reader) text(path string, n ast.Node) string {
	r.at[path] = start(n)
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value
	case *ast.IntegerNode, *ast.FloatNode:
		return n.GetToken().Value
	}
	expected := "text"
	if _, ok := n.(ast.MapNode); ok { // as the parser takes 2001:db8::1 inside braces
		expected = "text, in quotes if it has a colon"
	}
	r.wrong(path, n, expected)
	return ""
}

func (r *reader) boolean(path string, n ast.Node) bool {
	r.at[path] = start(n)
	if b, ok := n.(*ast.BoolNode); ok {
		return b.Value
	}
	r.wrong(path, n, "true or false")
	return false
}

func (r *reader) address(path string, n ast.Node) netip.Addr {
	text := r.text(path, n)
	if r.bad[path] {
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
	r.refuse(start(n), path, "%q: %s", text, expected)
	return netip.Addr{}
}

func (r *reader) network(path string, n ast.Node) netip.Prefix {
	text := r.text(path, n)
	if r.bad[path] {
		return netip.Prefix{}
	}
	network, err := netip.ParsePrefix(text)
	if err != nil {
		r.refuse(start(n), path, "%q: expected an IPv4 or IPv6 network, as 192.0.2.0/28", text)
	}
	return network
}

// wrong reports a value of the wrong kind.
func (r *reader) wrong(path string, n ast.Node, expected string) {
	r.refuse(start(n), path, "expected %s, got %s", expected, kind(n))
}

// kind names what a node is, for messages.
func kind(n ast.Node) string {
	switch n := n.(type) {
	case ast.MapNode:
		return "keys and values"
	case *ast.SequenceNode:
		return "a list"
	case *ast.NullNode:
		return "nothing"
	case *ast.BoolNode:
		return fmt.Sprintf("the boolean %t", n.Value)
	case *ast.StringNode:
		return fmt.Sprintf("the text %q", n.Value)
	case *ast.AnchorNode, *ast.AliasNode:
		return "an anchor or alias"
	case *ast.TagNode:
		return "a tag"
	case *ast.LiteralNode:
		return "text of several lines"
	default:
		return fmt.Sprintf("%q", n.GetToken().Value)
	}
}
