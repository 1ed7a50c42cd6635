package bonafide_test

import (
	"os"
	"strings"
	"testing"

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
