package identity_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"

	"github.com/bonafide-mta/bonafide/identity"
	"github.com/bonafide-mta/bonafide/identity/envelope"
)

// docOf returns the comment on each constant of a file, on one line.
func docOf(t *testing.T, file string) map[string]string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	docs := make(map[string]string)
	ast.Inspect(parsed, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && spec.Doc != nil {
			docs[spec.Names[0].Name] = strings.Join(strings.Fields(spec.Doc.Text()), " ")
		}
		return true
	})
	return docs
}

// constantOf returns the name of the constant of a reason, in small letters.
func constantOf(r identity.Reason) string { return strings.ReplaceAll(r.String(), "-", "") }

// reasonTable has what a policy can say about each reason.
func reasonTable(t *testing.T) string {
	docs := make(map[string]string)
	for name, doc := range docOf(t, "reason.go") {
		docs[strings.ToLower(name)] = doc
	}
	var b strings.Builder
	b.WriteString("| reason | default | defer | reject | who is hurt by another action |\n|---|---|---|---|---|\n")
	for _, r := range identity.Reasons() {
		doc := docs[constantOf(r)]
		if doc == "" {
			t.Errorf("%s has no comment of its own", r)
		}
		if !settable(r) {
			continue
		}
		_, hurt, ok := strings.Cut(doc, " action ")
		before, _, _ := strings.Cut(doc, " action ")
		if !ok || !strings.HasSuffix(before, " stricter") && !strings.HasSuffix(before, " milder") {
			t.Errorf("%s: the comment does not say who is hurt by a stricter or a milder action", r)
		}
		hurt = before[strings.LastIndex(before, " ")+1:] + ": " + hurt
		v := fine()
		v.Reasons, v.PTRName, v.MailFromSPF = []identity.Reason{r}, "mta1.example.test.", mailSPFs[5].result
		deferred, rejected := v.Advise(with(r, identity.Defer)).Reply, v.Advise(with(r, identity.Reject)).Reply
		reject := ""
		codes := func(r envelope.Reply) string { return fmt.Sprintf("%d %s", r.Code, r.Enhanced) }
		if !r.Temporary() {
			reject = codes(rejected) + " " + rejected.Text
			if rejected.Text != deferred.Text {
				t.Errorf("%s: %q, deferred %q", r, rejected.Text, deferred.Text)
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", r, r.DefaultAction(), codes(deferred), reject, hurt)
			continue
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | | %s |\n", r, r.DefaultAction(), codes(deferred)+" "+deferred.Text, hurt)
	}
	return b.String()
}
