package floors_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strings"
	"testing"
)

// TestComments holds that a comment tells the meaning of everything exported: one before it
// or at the end of its line; for constants, variables and fields also one before those on
// the lines above, or before all of them, which names a field. A field with the name of its
// type, or a plural of it, means what the type does.
func TestComments(t *testing.T) {
	for dir, p := range importable(t) {
		for _, file := range p.files {
			c := commented{set: p.set, missing: func(at token.Pos, name string) {
				t.Errorf("%s: %s.%s has no comment", p.set.Position(at), dir, name)
			}}
			c.file(file)
		}
	}
}

// The test finds what it is to find.
func TestMissingComments(t *testing.T) {
	for source, want := range map[string]string{
		"func F() {}":           "F",
		"// F is.\nfunc F() {}": "",
		"func f() {}":           "",
		"// T is.\ntype T int\nfunc (T) M() {}\nfunc (t *T) m() {}\nfunc (t t) N() {}": "T.M",
		"type T struct{ A int }":                                             "T T.A",
		"// T is.\ntype T struct{\nA int // is\nB int\n}":                    "T.B",
		"// T is.\ntype T struct{\n// A and B are\nA int\nB int\n}":          "",
		"// T is.\ntype T struct{\n// A is\nA int\n\nB int\nc int\n}":        "T.B",
		"// T is, with bs.\ntype T struct{ A A; As []A; B, D a.C }":          "T.D",
		"// I is.\ntype I interface { M() }":                                 "I.M",
		"const (\nA = 1\nB = 2 // is\n)":                                     "A",
		"// A and B are.\nconst (\nA = 1\nB = 2\n)":                          "",
		"// A is.\nvar A, B = 1, 2\nvar C int\nvar d int\n":                  "C",
		"const (\n// A is one of\nA = iota\nB\n\nC\n)\ntype t struct{A int}": "C",
	} {
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, "a.go", "package a\n"+source, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		c := commented{set: set, missing: func(_ token.Pos, name string) { got = append(got, name) }}
		c.file(file)
		if strings.Join(got, " ") != want {
			t.Errorf("%s\nfound %q, want %q", source, got, want)
		}
	}
}

type commented struct {
	set     *token.FileSet
	missing func(at token.Pos, name string)

	// Of the fields or values seen last: the line after them, and whether a comment before
	// them covers what is on it.
	next    int
	covered bool
}

func (c *commented) file(file *ast.File) {
	for _, decl := range file.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			c.function(d)
		case *ast.GenDecl:
			c.group(d)
		}
	}
}

func (c *commented) function(d *ast.FuncDecl) {
	name := d.Name.Name
	if d.Recv != nil {
		name = receiver(d) + "." + name
	}
	if d.Doc == nil && d.Name.IsExported() && ast.IsExported(name) {
		c.missing(d.Pos(), name)
	}
}

func (c *commented) group(d *ast.GenDecl) {
	for _, spec := range d.Specs {
		switch s := spec.(type) {
		case *ast.ValueSpec:
			c.lines(s, "", s.Doc, s.Comment, s.Names, func(string) bool { return d.Doc != nil })
		case *ast.TypeSpec:
			if !s.Name.IsExported() {
				continue
			}
			about := d.Doc.Text() + s.Doc.Text()
			if about == "" {
				c.missing(s.Pos(), s.Name.Name)
			}
			c.members(s, about)
		}
	}
}

// members looks at the fields of a struct, and the methods of an interface.
func (c *commented) members(s *ast.TypeSpec, about string) {
	var fields *ast.FieldList
	switch x := s.Type.(type) {
	case *ast.StructType:
		fields = x.Fields
	case *ast.InterfaceType:
		fields = x.Methods
	default:
		return
	}
	for _, f := range fields.List {
		c.lines(f, s.Name.Name+".", f.Doc, f.Comment, f.Names, func(name string) bool {
			return typeName(f.Type) == name || regexp.MustCompile(`(?i)\b`+name+`s?\b`).MatchString(about)
		})
	}
}

// typeName returns the name of a type without its package; of a slice, the plural.
func typeName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	case *ast.ArrayType:
		return typeName(e.Elt) + "s"
	}
	return ""
}

// lines looks at names that are declared together.
func (c *commented) lines(n ast.Node, within string, before, behind *ast.CommentGroup, names []*ast.Ident, otherwise func(name string) bool) {
	covered := before != nil || c.covered && c.set.Position(n.Pos()).Line == c.next
	c.next, c.covered = c.set.Position(n.End()).Line+1, covered
	for _, name := range names {
		if name.IsExported() && !covered && behind == nil && !otherwise(name.Name) {
			c.missing(name.Pos(), within+name.Name)
		}
	}
}
