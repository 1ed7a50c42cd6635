package floors_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"strings"
	"testing"
)

// Records are shared and read-only: nothing packs them with dns.PackRR, which writes to their
// header.
func TestRecordsAreRead(t *testing.T) {
	for _, file := range committed(t) {
		if path.Ext(file) != ".go" || strings.HasSuffix(file, "_test.go") || strings.Contains(file, "testdata/") {
			continue
		}
		set := token.NewFileSet()
		parsed, err := parser.ParseFile(set, file, read(t, file), parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			if named(n) == "dns.PackRR" {
				t.Errorf("%s: writes to the record: use txt.Wire, or Pack of a dns.Msg", set.Position(n.Pos()))
			}
			return true
		})
	}
}
