package bonafide_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/bonafide-mta/bonafide/identity/rule"
)

// The map of the advice page is complete: it has every rule with the sentence that it comes
// from, and whatever it names exists.
func TestAdvice(t *testing.T) {
	text := read(t, "docs/advice.md")
	backticks := regexp.MustCompile("`([^`]+)`")
	named := func(cell string) (out []string) {
		for _, match := range backticks.FindAllStringSubmatch(cell, -1) {
			out = append(out, match[1])
		}
		return out
	}
	var quotes strings.Builder
	judged := make(map[rule.ID]int)   // by rows
	shown := make(map[rule.ID]bool)   // by a scenario of its rows
	declared := map[string][]string{} // by package
	rows := 0
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| the page says |") {
			continue
		}
		rows++
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) != 6 {
			t.Errorf("not four cells: %s", line)
			continue
		}
		quote, rules, builders, archives := cells[1], cells[2], cells[3], cells[4]
		quotes.WriteString(quote + "\n")
		ids := named(rules)
		if reason, ok := strings.CutPrefix(strings.TrimSpace(rules), "none: "); ok != (len(ids) == 0) || ok && reason == "" {
			t.Errorf("neither rules nor a reason why there is none: %s", line)
		}
		var said strings.Builder
		for _, archive := range named(archives) {
			said.WriteString(read(t, "identity/audit/testdata/"+archive+".txtar"))
		}
		if len(ids) > 0 && said.Len() == 0 {
			t.Errorf("no scenario: %s", line)
		}
		for _, id := range ids {
			if _, ok := rule.Lookup(rule.ID(id)); !ok {
				t.Errorf("no rule %s: %s", id, line)
			}
			judged[rule.ID(id)]++
			decided := regexp.MustCompile("(?m)^" + id + ` \S+ (pass|fail|undecided) `)
			shown[rule.ID(id)] = shown[rule.ID(id)] || decided.MatchString(said.String())
		}
		for _, builder := range named(builders) {
			dir, name, ok := strings.Cut(path.Base(builder), ".")
			dir = path.Join(path.Dir(builder), dir)
			if _, known := declared[dir]; !known && ok {
				declared[dir] = functions(t, dir)
			}
			if !slices.Contains(declared[dir], name) {
				t.Errorf("no function %s: %s", builder, line)
			}
		}
	}
	if rows < 60 {
		t.Errorf("%d lines of the page", rows)
	}
	for _, r := range rule.All() {
		if r.Advice == "" || r.Receiver != "" {
			continue // not the page's
		}
		if judged[r.ID] == 0 || !shown[r.ID] {
			t.Errorf("%s: in %d rows, with a scenario that decides it: %v", r.ID, judged[r.ID], shown[r.ID])
		}
		if !strings.Contains(quotes.String(), r.Advice) {
			t.Errorf("%s: no row has %q", r.ID, r.Advice)
		}
	}
	for _, id := range named(text) {
		if strings.Contains(id, "-") && !strings.ContainsAny(id, "/.") {
			_, err := os.Stat("identity/audit/testdata/" + id + ".txtar")
			if _, ok := rule.Lookup(rule.ID(id)); !ok && err != nil {
				t.Errorf("neither a rule nor a scenario: %s", id)
			}
		}
	}
}

// functions returns those that a package exports, methods after their type and a dot.
func functions(t *testing.T, dir string) []string {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, file := range files {
		if !strings.HasSuffix(file.Name(), ".go") || strings.HasSuffix(file.Name(), "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), path.Join(dir, file.Name()), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range parsed.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			name := f.Name.Name
			if f.Recv != nil {
				of := f.Recv.List[0].Type
				if pointer, ok := of.(*ast.StarExpr); ok {
					of = pointer.X
				}
				if ident, ok := of.(*ast.Ident); ok {
					name = ident.Name + "." + name
				}
			}
			out = append(out, name)
		}
	}
	return out
}
