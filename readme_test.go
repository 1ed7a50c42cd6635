package bonafide_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bonafide-mta/bonafide/identity/audit"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/resolver"
)

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The snippets that a newcomer copies are those that Example runs.
func TestSnippets(t *testing.T) {
	_, rest, _ := strings.Cut(read(t, "README.md"), "```go\n")
	snippet, _, ok := strings.Cut(rest, "```")
	if !ok || strings.Count(snippet, "\n") < 5 {
		t.Fatalf("README.md has no Go snippet: %q", snippet)
	}
	if !strings.Contains(read(t, "example_test.go"), "\n\n"+snippet+"\n") {
		t.Errorf("example_test.go does not have the snippet of README.md:\n%s", snippet)
	}
	var comment strings.Builder
	for line := range strings.Lines(snippet) {
		comment.WriteString("//\t" + line)
	}
	if !strings.Contains(read(t, "doc.go"), comment.String()) {
		t.Errorf("doc.go does not have the snippet of README.md:\n%s", comment.String())
	}
}

// The table of README.md and the list of doc.go have every package that others can import,
// each once and with a line about it, and doc.go has those first that others import.
func TestPackages(t *testing.T) {
	imports := make(map[string][]string) // of each package, by its path in the module
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	const module = "github.com/bonafide-mta/bonafide"
	for line := range strings.Lines(string(out)) {
		paths := strings.Fields(strings.ReplaceAll(line, module+"/", ""))
		if name := paths[0]; name != module && !strings.Contains("/"+name+"/", "/internal/") && !strings.HasPrefix(name, "examples/") {
			imports[name] = paths[1:]
		}
	}
	want := slices.Sorted(maps.Keys(imports))

	var table []string
	for _, row := range regexp.MustCompile(`(?m)^\| \[(.*?)\]\((.*?)\) \| (.*?) \|`).FindAllStringSubmatch(read(t, "README.md"), -1) {
		if row[1] != row[2] || len(row[3]) < 10 {
			t.Errorf("README.md: %s", row[0])
		}
		table = append(table, row[1])
	}
	if diff := cmp.Diff(want, slices.Sorted(slices.Values(table))); diff != "" {
		t.Errorf("README.md (-go list +table):\n%s", diff)
	}

	var list []string
	for _, item := range regexp.MustCompile(`(?m)^//   - \[`+module+`/(.*?)\]: .{5}`).FindAllStringSubmatch(read(t, "doc.go"), -1) {
		for _, imported := range imports[item[1]] {
			if _, public := imports[imported]; public && !slices.Contains(list, imported) {
				t.Errorf("doc.go has %s above %s, which it imports", item[1], imported)
			}
		}
		list = append(list, item[1])
	}
	if diff := cmp.Diff(want, slices.Sorted(slices.Values(list))); diff != "" {
		t.Errorf("doc.go (-go list +list):\n%s", diff)
	}
}

// The files and folders that the documents name exist.
func TestPaths(t *testing.T) {
	path := regexp.MustCompile(`(?:^|[\s(\x60])(?:\./)?((?:csa|docs|examples|fcrdns|identity|internal|nullmx|reputation|resolver|rp|spf|tools)(?:/[\w.-]+)*/?)`)
	member := regexp.MustCompile(`\.[A-Z].*$`) // Classify of fcrdns/ptrname.Classify
	documents, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, document := range append(documents, "README.md", "CONTRIBUTING.md", "doc.go") {
		for _, match := range path.FindAllStringSubmatch(read(t, document), -1) {
			name := strings.TrimRight(member.ReplaceAllString(match[1], ""), "./")
			if !strings.Contains(name, "/") {
				continue // a word
			}
			found++
			if _, err := os.Stat(name); err != nil {
				t.Errorf("%s: %v", document, err)
			}
		}
	}
	if found < 50 {
		t.Errorf("%d paths", found)
	}
}

// The description of README.md is one, and its exceptions are of rules on subjects that it
// has.
func TestDescription(t *testing.T) {
	_, rest, _ := strings.Cut(read(t, "README.md"), "```yaml\n")
	text, _, _ := strings.Cut(rest, "```")
	o, err := org.Parse("README.md", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	nothing, err := resolver.ParseZones("$ORIGIN .\n")
	if err != nil {
		t.Fatal(err)
	}
	report, err := audit.Auditor{Resolver: nothing}.Audit(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if len(o.Exceptions) == 0 || report.Summary.Fail == 0 {
		t.Errorf("%d exceptions, %s", len(o.Exceptions), report.Summary)
	}
}

// The diff of README.md is what makes the one program into the other.
func TestDiff(t *testing.T) {
	_, rest, _ := strings.Cut(read(t, "README.md"), "```diff\n")
	shown, _, _ := strings.Cut(rest, "```")
	count := make(map[string]int) // of each line: in the one minus in the other
	for line := range strings.Lines(read(t, "examples/smtpd/testdata/embed/after/main.go")) {
		count[line]++
	}
	for line := range strings.Lines(read(t, "examples/smtpd/testdata/embed/before/main.go")) {
		count[line]--
	}
	changed := 0
	for line := range strings.Lines(shown) {
		switch line[0] {
		case '+':
			count[line[1:]]--
			changed++
		case '-':
			count[line[1:]]++
			changed++
		}
	}
	for line, n := range count {
		if n != 0 {
			t.Errorf("README.md has %d too few of %q", n, line)
		}
	}
	if changed == 0 || changed >= 25 {
		t.Errorf("%d lines differ", changed)
	}
}
