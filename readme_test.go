package bonafide_test

import (
	"os"
	"strings"
	"testing"
)

// The snippets that a newcomer copies are those that Example runs.
func TestSnippets(t *testing.T) {
	read := func(file string) string {
		t.Helper()
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	_, rest, _ := strings.Cut(read("README.md"), "```go\n")
	snippet, _, ok := strings.Cut(rest, "```")
	if !ok || strings.Count(snippet, "\n") < 5 {
		t.Fatalf("README.md has no Go snippet: %q", snippet)
	}
	if !strings.Contains(read("example_test.go"), "\n\n"+snippet+"\n") {
		t.Errorf("example_test.go does not have the snippet of README.md:\n%s", snippet)
	}
	var comment strings.Builder
	for line := range strings.Lines(snippet) {
		comment.WriteString("//\t" + line)
	}
	if !strings.Contains(read("doc.go"), comment.String()) {
		t.Errorf("doc.go does not have the snippet of README.md:\n%s", comment.String())
	}
}
