package floors_test

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// mayLookup are the packages that call Resolvers themselves: what guards against careless
// ones, and what tests them.
var mayLookup = []string{"resolver", "resolver/dnsfake", "resolver/resolvertest"}

// Packages that ask a Resolver use resolver.Ask or AskAll, which guard against what it may
// return. A method Lookup, of a Resolver around another, is excepted.
func TestResolversAreAsked(t *testing.T) {
	walk(t) // see there
	packages, exports := list(t)
	fset := token.NewFileSet()
	imports := importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) {
		if exports[path] == "" {
			return nil, fmt.Errorf("%s was not built", path)
		}
		return os.Open(exports[path])
	})
	of, err := imports.Import(module + "/resolver")
	if err != nil {
		t.Fatal(err)
	}
	resolver := of.Scope().Lookup("Resolver").Type().Underlying().(*types.Interface)
	asked := 0
	for _, p := range packages {
		path := relative(p.ImportPath)
		if slices.Contains(mayLookup, path) || !slices.Contains(p.Imports, of.Path()) {
			continue
		}
		var files []*ast.File
		for _, name := range p.GoFiles {
			file, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, file)
		}
		info := types.Info{Selections: make(map[*ast.SelectorExpr]*types.Selection), Uses: make(map[*ast.Ident]types.Object)}
		if _, err := (&types.Config{Importer: imports}).Check(p.ImportPath, fset, files, &info); err != nil {
			t.Fatal(err)
		}
		for _, use := range info.Uses {
			if f, ok := use.(*types.Func); ok && f.Pkg() == of && (f.Name() == "Ask" || f.Name() == "AskAll") {
				asked++
			}
		}
		for at := range lookups(files, info, resolver) {
			t.Errorf("%s: a Resolver's Lookup: use resolver.Ask, which guards against what it may return", fset.Position(at))
		}
	}
	if asked == 0 {
		t.Error("no use of resolver.Ask was seen")
	}
}

// lookups yields where the method Lookup of a Resolver is selected outside methods of this
// name.
func lookups(files []*ast.File, info types.Info, resolver *types.Interface) func(yield func(token.Pos) bool) {
	return func(yield func(token.Pos) bool) {
		for _, file := range files {
			for _, decl := range file.Decls {
				if f, ok := decl.(*ast.FuncDecl); ok && f.Recv != nil && f.Name.Name == "Lookup" {
					continue
				}
				ast.Inspect(decl, func(n ast.Node) bool {
					sel, ok := n.(*ast.SelectorExpr)
					if !ok || sel.Sel.Name != "Lookup" || info.Selections[sel] == nil {
						return true
					}
					recv := info.Selections[sel].Recv()
					return !types.Implements(recv, resolver) && !types.Implements(types.NewPointer(recv), resolver) || yield(sel.Pos())
				})
			}
		}
	}
}
