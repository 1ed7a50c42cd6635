// Package yamldoc reads a document in YAML, or in JSON, which is YAML too, strictly: unknown
// and repeated keys, values of the wrong kind, anchors, tags and a second document are
// problems, each with its line. The text may be anybody's.
package yamldoc

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/bonafide-mta/bonafide/internal/untrusted"
)

// How large a document may be: the description of a thousand MTAs fits. The YAML parser takes
// time by the square of the keys side by side, and memory by the square of the
// depth. These bounds keep a hostile text to less than a second.
const (
	MaxSize   = 256 << 10 // octets
	maxTokens = 36_000    // words and punctuation marks of YAML
	maxDepth  = 16        // brackets and braces around one value
	maxIndent = 64        // columns before an entry of a list
	maxKeys   = 64        // keys side by side, outside braces
)

// A Node is a value of a document.
type Node = ast.Node

// A Problem is one thing that is wrong with a document.
type Problem struct {
	Line, Column int    // from 1
	Path         string // which value: "mtas[0].ptr"; "" for the document
	Text         string // what is wrong, and what was expected
}

// Compare orders problems by their place in the document.
func (p Problem) Compare(other Problem) int {
	return cmp.Or(cmp.Compare(p.Line, other.Line), cmp.Compare(p.Column, other.Column))
}

// String returns line:column: path: text.
func (p Problem) String() string {
	text := p.Text
	if p.Path != "" {
		text = p.Path + ": " + text
	}
	return fmt.Sprintf("%d:%d: %s", p.Line, p.Column, text)
}

// A Reader turns the values of a document into Go values, and remembers where each is.
// Methods that read a value report a problem if it is of another kind, and return the zero
// value.
type Reader struct {
	Problems []Problem

	at  map[string]*token.Position // by path
	bad map[string]bool            // the paths whose values could not be read
}

// Parse parses a text, and returns its one value, or nil if there is a problem. In messages,
// what names the document, as in "one organization", and keys is what it should have.
func Parse(text []byte, what, keys string) (*Reader, Node) {
	r := &Reader{at: make(map[string]*token.Position), bad: make(map[string]bool)}
	return r, r.body(text, what, keys)
}

// Refuse reports a problem with a value, which then is [Reader.Unread].
func (r *Reader) Refuse(n Node, path, format string, args ...any) {
	r.refuse(start(n), path, format, args...)
}

// Position returns line and column, from 1, of the value of a path. If there is none, they are
// those of the nearest value around it.
func (r *Reader) Position(path string) (line, column int) {
	for path != "" && r.at[path] == nil {
		path = parent(path)
	}
	if at := r.at[path]; at != nil {
		return at.Line, at.Column
	}
	return 1, 1
}

func (r *Reader) report(pos *token.Position, path, format string, args ...any) {
	p := Problem{Line: 1, Column: 1, Path: path, Text: fmt.Sprintf(format, args...)}
	if pos != nil {
		p.Line, p.Column = pos.Line, pos.Column
	}
	r.Problems = append(r.Problems, p)
}

func (r *Reader) refuse(pos *token.Position, path, format string, args ...any) {
	r.report(pos, path, format, args...)
	r.bad[path] = true
}

// Unread reports whether the value of a path, or one around it, was refused: other problems
// with it are not worth a message.
func (r *Reader) Unread(path string) bool {
	for path != "" && !r.bad[path] {
		path = parent(path)
	}
	return r.bad[path]
}

// parent returns the path of the value around another.
func parent(path string) string { return path[:max(0, strings.LastIndexAny(path, ".["))] }

// body parses the text and returns its one value, or nil when it is refused.
func (r *Reader) body(text []byte, what, keys string) Node {
	switch {
	case len(text) > MaxSize:
		r.refuse(nil, "", "%d octets: expected at most %d", len(text), MaxSize)
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
	var body Node
	for _, doc := range file.Docs {
		switch {
		case doc.Body == nil, doc.Body.Type() == ast.DirectiveType:
		case body != nil:
			r.refuse(start(doc.Body), "", "a second document: expected %s", what)
			return nil
		default:
			body = doc.Body
		}
	}
	if body == nil {
		r.refuse(nil, "", "empty: expected %s", keys)
	}
	return body
}

// bounded refuses a text that would cost the parser too much.
func (r *Reader) bounded(tokens token.Tokens) bool {
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

// syntax reports what the YAML parser objects to, on one line.
func (r *Reader) syntax(err error) {
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

// start returns where a value begins. Keys and values without braces begin at the first key,
// but their token is its colon.
func start(n Node) *token.Position {
	if m, ok := n.(ast.MapNode); ok && n.GetToken().Type == token.MappingValueType {
		if first := m.MapRange(); first.Next() {
			return first.Key().GetToken().Position
		}
	}
	return n.GetToken().Position
}

// Mapping reads the keys of a mapping by their functions.
func (r *Reader) Mapping(path string, n Node, keys map[string]func(string, Node)) {
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
			r.report(key.Position, path, "unknown key %q: expected one of %s", key.Value, strings.Join(expected, ", "))
			continue
		}
		if line, ok := seen[key.Value]; ok {
			r.report(key.Position, path, "the key %q is in line %d already", key.Value, line)
			continue
		}
		seen[key.Value] = key.Position.Line
		read(strings.TrimPrefix(path+"."+key.Value, "."), iter.Value())
	}
}

// Strings reads a mapping whose values are all texts.
func (r *Reader) Strings(path string, n Node, keys map[string]*string) {
	read := make(map[string]func(string, Node))
	for key, to := range keys {
		read[key] = func(path string, n Node) { *to = r.Text(path, n) }
	}
	r.Mapping(path, n, read)
}

// Sequence reads the values of a sequence by a function.
func (r *Reader) Sequence(path string, n Node, read func(string, Node)) {
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

// Texts reads a sequence of scalars.
func (r *Reader) Texts(path string, n Node) []string {
	var out []string
	r.Sequence(path, n, func(path string, n Node) { out = append(out, r.Text(path, n)) })
	return out
}

// Text reads a scalar as it is written: 1234 is the text "1234".
func (r *Reader) Text(path string, n Node) string {
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

// Boolean reads true or false.
func (r *Reader) Boolean(path string, n Node) bool {
	r.at[path] = start(n)
	if b, ok := n.(*ast.BoolNode); ok {
		return b.Value
	}
	r.wrong(path, n, "true or false")
	return false
}

// wrong reports a value of the wrong kind.
func (r *Reader) wrong(path string, n Node, expected string) {
	r.refuse(start(n), path, "expected %s, got %s", expected, kind(n))
}

// kind names what a node is, for messages.
func kind(n Node) string {
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
