package floors_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the counts of phrases in testdata")

// counts has how often each phrase below is in the texts of the module.
const counts = "testdata/phrases.txt"

// phrases are words that readers stumble over, and what is plain English in their place.
var phrases = []struct{ name, pattern, instead string }{
	{"is no X", `\b(is|are|was|were) no [a-z]+`, "is not a X"},
	{"but for", `\bbut for\b`, "except"},
	{"stands at", `\bst(and|ands|ood|anding) (at|in|above|for|there|below|beside)\b`, "is at, is listed in"},
	{"says of", `\b(say|says|said) of\b`, "says about"},
	{"whoever", `\bwhoever\b`, "callers that"},
	{"who as a bare subject", `(^|[.:;,] )(w|W)ho (?:[a-z]+s|has|is) [^?]*?(,|\.|$)`, "callers that"},
	{"leads to", `\b(lead|leads|led) to\b`, "resolves to"},
	{"greets", `\bgreet(s|ed|ing)?\b`, "uses in HELO"},
	{"look-up", `\blook-ups?\b`, "lookup"},
	{"mend", `\bmend(s|ed|ing)?\b`, "fix"},
	{"take out", `\b(take|takes|taken|took) out\b`, "remove"},
	{"be it", `\bbe it\b`, "even if"},
	{"shall", `\bshall\b`, "must"},
	{"ends in", `\bends? in -`, "ends with"},
}

// TestProse counts the phrases in comments, strings, templates and Markdown: no count
// grows. Where one falls, -update writes it down, so that it stays so.
func TestProse(t *testing.T) {
	found := make([]int, len(phrases))
	for _, file := range committed(t) {
		for _, text := range texts(t, file) {
			text = strings.Join(strings.Fields(text), " ")
			for i, pattern := range compiled {
				found[i] += len(pattern.FindAllString(text, -1))
			}
		}
	}
	var got strings.Builder
	for i, p := range phrases {
		fmt.Fprintf(&got, "%d\t%s\n", found[i], p.name)
	}
	if *update {
		if err := os.WriteFile(counts, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(counts)
	if err != nil {
		t.Fatal(err)
	}
	if cmp.Equal(string(want), got.String()) {
		return
	}
	for i, line := range strings.Split(strings.TrimSpace(string(want)), "\n") {
		before, _ := strconv.Atoi(strings.Split(line, "\t")[0])
		switch p := phrases[i]; {
		case found[i] > before:
			t.Errorf("%q: %d times, was %d: write %q", p.name, found[i], before, p.instead)
		case found[i] < before:
			t.Errorf("%q: %d times, was %d: keep it so with go test ./internal/floors -update", p.name, found[i], before)
		}
	}
}

var compiled = func() (all []*regexp.Regexp) {
	for _, p := range phrases {
		all = append(all, regexp.MustCompile(p.pattern))
	}
	return all
}()

// texts returns what people read in a file: comments and strings of Go, templates and
// Markdown. This file, which names the phrases, has none.
func texts(t *testing.T, file string) []string {
	t.Helper()
	switch {
	case file == "internal/floors/prose_test.go", strings.Contains(file, "testdata/"):
		return nil
	case path.Ext(file) == ".md", path.Ext(file) == ".tmpl":
		return []string{string(read(t, file))}
	case path.Ext(file) != ".go":
		return nil
	}
	parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Base(file), read(t, file), parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, group := range parsed.Comments {
		out = append(out, group.Text())
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if text, err := strconv.Unquote(lit.Value); err == nil {
				out = append(out, text)
			}
		}
		return true
	})
	return out
}
