package org

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
)

// maxSize is how long a description may be: thousands of MTAs fit.
const maxSize = 1 << 20

// Parse reads the description of one organisation, YAML or JSON, in the form
// that the package comment shows. The file name stands in errors and is not
// opened. Names come out canonical, but for HELO, addresses without mapping, and
// an MTA without an ID gets mta1, mta2 … by its place.
//
// The error is an [*Error] with every mistake: line and column, the value, what
// was expected. Unknown and repeated keys, values of the wrong kind, anchors,
// tags and a second document are mistakes.
func Parse(file string, text []byte) (*Organisation, error) {
	r := &reader{file: file, at: make(map[string]*token.Position)}
	o := r.read(text)
	if len(r.problems) == 0 {
		// The rules of Validate, with positions.
		for _, p := range o.problems() {
			r.fail(r.position(p.Path), p.Path, "%s", p.Text)
		}
	}
	if len(r.problems) > 0 {
		slices.SortStableFunc(r.problems, func(a, b Problem) int {
			return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
		})
		return nil, &Error{r.problems}
	}
	o.normalise()
	return o, nil
}

func (o *Organisation) normalise() {
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
}

// A reader turns the tree of a YAML text into an Organisation, and remembers
// where each value stands.
type reader struct {
	file     string
	at       map[string]*token.Position // by path
	problems []Problem
}

func (r *reader) fail(pos *token.Position, path, format string, args ...any) {
	p := Problem{File: r.file, Line: 1, Column: 1, Path: path, Text: fmt.Sprintf(format, args...)}
	if pos != nil {
		p.Line, p.Column = pos.Line, pos.Column
	}
	r.problems = append(r.problems, p)
}

// position returns where the value of a path stands, or where the nearest value
// around it does, for one that is missing.
func (r *reader) position(path string) *token.Position {
	for {
		if pos, ok := r.at[path]; ok {
			return pos
		}
		i := strings.LastIndexAny(path, ".[")
		if i < 0 {
			return r.at[""]
		}
		path = path[:i]
	}
}

func (r *reader) read(text []byte) *Organisation {
	o := new(Organisation)
	switch {
	case len(text) > maxSize:
		r.fail(nil, "", "%d octets: expected at most %d", len(text), maxSize)
		return o
	case !utf8.Valid(text):
		r.fail(nil, "", "not UTF-8")
		return o
	}
	file, err := parser.ParseBytes(text, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		r.syntax(err)
		return o
	}
	var body ast.Node
	for _, doc := range file.Docs {
		switch {
		case doc.Body == nil:
		case body != nil:
			r.fail(doc.Body.GetToken().Position, "", "a second document: expected one organisation")
			return o
		default:
			body = doc.Body
		}
	}
	if body == nil {
		r.fail(nil, "", "empty: expected the keys domain and mtas")
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
	})
	return o
}

func (r *reader) mta(path string, n ast.Node) MTA {
	var m MTA
	r.mapping(path, n, map[string]func(string, ast.Node){
		"id":        func(path string, n ast.Node) { m.ID = r.text(path, n) },
		"ptr":       func(path string, n ast.Node) { m.PTR = r.text(path, n) },
		"helo":      func(path string, n ast.Node) { m.HELO = r.text(path, n) },
		"dedicated": func(path string, n ast.Node) { m.Dedicated = r.boolean(path, n) },
		"addresses": func(path string, n ast.Node) {
			r.sequence(path, n, func(path string, n ast.Node) {
				if addr, ok := r.address(path, n); ok {
					m.Addresses = append(m.Addresses, addr)
				}
			})
		},
		"roles": func(path string, n ast.Node) {
			r.sequence(path, n, func(path string, n ast.Node) {
				var role Role
				if text := r.text(path, n); text != "" && role.UnmarshalText([]byte(text)) != nil {
					r.fail(n.GetToken().Position, path, "%q: expected inbound, outbound or submission", text)
				}
				m.Roles = append(m.Roles, role)
			})
		},
	})
	return m
}

// syntax reports what the YAML parser objects to, on one line.
func (r *reader) syntax(err error) {
	if e, ok := errors.AsType[*yaml.SyntaxError](err); ok {
		var pos *token.Position
		if e.Token != nil {
			pos = e.Token.Position
		}
		r.fail(pos, "", "%s", e.Message)
		return
	}
	line, _, _ := strings.Cut(err.Error(), "\n")
	r.fail(nil, "", "%s", line)
}

// mapping reads the keys of a mapping by their functions.
func (r *reader) mapping(path string, n ast.Node, keys map[string]func(string, ast.Node)) {
	r.at[path] = n.GetToken().Position
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
	if len(seen) == 0 && path != "" && len(r.problems) == 0 {
		r.fail(n.GetToken().Position, path, "empty")
	}
}

// sequence reads the values of a sequence by a function.
func (r *reader) sequence(path string, n ast.Node, read func(string, ast.Node)) {
	r.at[path] = n.GetToken().Position
	values, ok := n.(*ast.SequenceNode)
	if !ok {
		r.wrong(path, n, "a list")
		return
	}
	for i, value := range values.Values {
		read(fmt.Sprintf("%s[%d]", path, i), value)
	}
}

// text reads a scalar as it is written: 1234 is the text "1234".
func (r *reader) text(path string, n ast.Node) string {
	r.at[path] = n.GetToken().Position
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value
	case *ast.IntegerNode, *ast.FloatNode:
		return n.GetToken().Value
	}
	r.wrong(path, n, "text")
	return ""
}

func (r *reader) boolean(path string, n ast.Node) bool {
	r.at[path] = n.GetToken().Position
	if b, ok := n.(*ast.BoolNode); ok {
		return b.Value
	}
	r.wrong(path, n, "true or false")
	return false
}

func (r *reader) address(path string, n ast.Node) (netip.Addr, bool) {
	before := len(r.problems)
	text := r.text(path, n)
	if len(r.problems) > before {
		return netip.Addr{}, false
	}
	addr, err := netip.ParseAddr(text)
	if err == nil {
		return addr, true
	}
	expected := "expected an IPv4 or IPv6 address"
	if _, err := netip.ParsePrefix(text); err == nil {
		expected = "expected an address without prefix length"
	}
	r.fail(n.GetToken().Position, path, "%q: %s", text, expected)
	return netip.Addr{}, false
}

// wrong reports a value of the wrong kind.
func (r *reader) wrong(path string, n ast.Node, expected string) {
	r.fail(n.GetToken().Position, path, "expected %s, got %s", expected, kind(n))
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
