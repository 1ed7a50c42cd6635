package floors_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"strings"
	"testing"
)

// No package reads input whole that may never end: package bounded does, up to a limit. Test
// rigs, and their data, read files of their own.
func TestReadingIsBounded(t *testing.T) {
	for _, file := range committed(t) {
		dir := path.Dir(file)
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") || strings.Contains(file, "testdata/") || isExempt(dir) || dir == "internal/bounded" {
			continue
		}
		set := token.NewFileSet()
		parsed, err := parser.ParseFile(set, file, read(t, file), parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range unbounded(parsed) {
			t.Errorf("%s: reads without a limit: use package internal/bounded", set.Position(at))
		}
	}
}

// The test finds what it is to find.
func TestUnboundedReading(t *testing.T) {
	for call, want := range map[string]int{
		"io.ReadAll(r)": 1, "os.ReadFile(name)": 1, "fs.ReadFile(f, name)": 1, "f(io.ReadAll)": 1, "ioutil.ReadAll(r)": 1,
		"b.ReadFrom(r)": 1, "io.Copy(&b, r)": 1, "io.Copy(w, r)": 0, "io.Copy(&b, io.LimitReader(r, 9))": 0, "f()": 0, "tls.LoadX509KeyPair(cert, key)": 1, "json.NewDecoder(r)": 1,
		"json.NewDecoder(bounded.NewReader(r, 9))": 0, "io.ReadAll(io.LimitReader(r, 9))": 0, "bounded.ReadAll(r, 9)": 0,
	} {
		parsed, err := parser.ParseFile(token.NewFileSet(), "a.go", "package a\nvar _ = "+call, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(unbounded(parsed)); got != want {
			t.Errorf("%s: found %d, want %d", call, got, want)
		}
	}
}

// unbounded returns where a file reads all of a Reader or file without a limit.
func unbounded(file *ast.File) []token.Pos {
	var found []token.Pos
	limited := make(map[ast.Node]bool) // functions whose Reader has a limit
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			last := len(n.Args) - 1
			if last < 0 {
				break
			}
			_, memory := n.Args[0].(*ast.UnaryExpr) // &buffer
			if isLimit(n.Args[last]) || named(n.Fun) == "io.Copy" && !memory {
				limited[n.Fun] = true
			}
		case *ast.SelectorExpr:
			switch name := named(n); {
			case limited[n]:
			case name == "io.ReadAll", name == "io.Copy", name == "os.ReadFile", name == "fs.ReadFile", name == "json.NewDecoder", name == "tls.LoadX509KeyPair",
				strings.HasPrefix(name, "ioutil."), n.Sel.Name == "ReadFrom":
				found = append(found, n.Pos())
			}
		}
		return true
	})
	return found
}

// isLimit reports whether an expression makes a Reader that ends.
func isLimit(e ast.Expr) bool {
	call, ok := e.(*ast.CallExpr)
	if !ok {
		return false
	}
	name := named(call.Fun)
	return name == "io.LimitReader" || name == "bounded.NewReader" || name == "strings.NewReader" || name == "bytes.NewReader"
}

// named returns package.Name of a selector, "" for anything else.
func named(e ast.Node) string {
	s, ok := e.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	x, ok := s.X.(*ast.Ident)
	if !ok {
		return ""
	}
	return x.Name + "." + s.Sel.Name
}
