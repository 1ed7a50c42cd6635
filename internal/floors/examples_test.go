package floors_test

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"path"
	"slices"
	"strings"
	"testing"
)

// verbs begin the names of the methods that callers begin with, after the grammar of the
// packages.
var verbs = []string{"Check", "Lookup", "Parse", "RR", "Build"}

// unshown has what needs no Example with its output, and why.
var unshown = map[string]string{
	"identity/org.Schema":                "a text for other programs",
	"identity/report.Schema":             "a text for other programs",
	"identity.Levels":                    "a list",
	"identity.Reasons":                   "a list",
	"identity.Actions":                   "a list",
	"identity.ForgedResults":             "of one field: StripForged is shown",
	"resolver/dnsfake.Kinds":             "a list",
	"resolver/dnsfake.FromZones":         "as New",
	"resolver/resolvertest.Replay":       "takes a testing.TB",
	"resolver/resolvertest.Serve":        "takes a testing.TB",
	"resolver/resolvertest.TestResolver": "takes a *testing.T",
	"resolver/resolvertest.TestRecords":  "takes a *testing.T",
	"resolver.SystemClient":              "asks the servers of the machine",
	"resolver.AsNet":                     "has the methods of net.Resolver",
	"resolver.AddrType":                  "one of two constants",
	"resolver.SeqOf":                     "for tests",
	"spf.IsNullBy":                       "as IsNull",
}

// TestExamples holds that every function for importing is in an Example of its package whose
// output is checked, and every method named with one of the verbs.
func TestExamples(t *testing.T) {
	for dir, p := range importable(t) {
		shown := make(map[string]bool) // package.Function, and .Method
		for _, e := range doc.Examples(p.tests...) {
			if e.Output == "" && !e.EmptyOutput {
				continue
			}
			ast.Inspect(e.Code, func(n ast.Node) bool {
				if s, ok := n.(*ast.SelectorExpr); ok {
					shown[named(s)] = true
					shown["."+s.Sel.Name] = true
				}
				return true
			})
		}
		for _, f := range entryPoints(p.files) {
			name, use := f.Name.Name, p.files[0].Name.Name+"."+f.Name.Name
			if f.Recv != nil {
				if unshown[dir+"."+receiver(f)] != "" {
					continue
				}
				name, use = receiver(f)+"."+name, "."+name
			}
			if !shown[use] && unshown[dir+"."+name] == "" {
				t.Errorf("%s: %s is in no Example whose output is checked", dir, name)
			}
		}
	}
}

// entryPoints returns the exported functions, and the methods that begin with a verb.
func entryPoints(files []*ast.File) (all []*ast.FuncDecl) {
	for _, file := range files {
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if ok && f.Name.IsExported() && (f.Recv == nil || ast.IsExported(receiver(f)) && slices.ContainsFunc(verbs, func(verb string) bool {
				return strings.HasPrefix(f.Name.Name, verb)
			})) {
				all = append(all, f)
			}
		}
	}
	return all
}

// receiver returns the name of a method's type.
func receiver(f *ast.FuncDecl) string {
	e := f.Recv.List[0].Type
	if star, ok := e.(*ast.StarExpr); ok {
		e = star.X
	}
	switch x := e.(type) {
	case *ast.IndexExpr:
		e = x.X
	case *ast.IndexListExpr:
		e = x.X
	}
	return e.(*ast.Ident).Name
}

// A source is the parsed files of a package.
type source struct {
	files, tests []*ast.File
	set          *token.FileSet
}

// importable returns the packages that other modules can import, by directory.
func importable(t *testing.T) map[string]*source {
	t.Helper()
	packages := make(map[string]*source)
	for _, file := range committed(t) {
		dir := path.Dir(file)
		if !strings.HasSuffix(file, ".go") || strings.Contains(file, "testdata/") || dir == "." || slices.Contains(strings.Split(dir, "/"), "internal") || within(dir, "examples") || within(dir, "tools") {
			continue
		}
		p := packages[dir]
		if p == nil {
			p = &source{set: token.NewFileSet()}
			packages[dir] = p
		}
		parsed, err := parser.ParseFile(p.set, file, read(t, file), parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(file, "_test.go") {
			p.tests = append(p.tests, parsed)
		} else {
			p.files = append(p.files, parsed)
		}
	}
	return packages
}
