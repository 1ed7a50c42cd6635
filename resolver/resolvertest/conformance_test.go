package resolvertest_test

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/resolver/dnsfake"
	"github.com/bonafide-mta/bonafide/resolver/resolvertest"
)

// An ending is how a test of a promise ended.
type ending struct {
	fakeTB
	skipped bool
}

func (e *ending) Skip(...any)          { e.skipped = true; panic(e) }
func (e *ending) Skipf(string, ...any) { e.skipped = true; panic(e) }
func (e *ending) Fatal(args ...any)    { e.Fatalf("%s", fmt.Sprint(args...)) }
func (e *ending) FailNow()             { panic(e) }
func (e *ending) Fatalf(format string, args ...any) {
	e.Errorf(format, args...)
	panic(e)
}

// verdict runs one subtest in fake time.
func verdict(t *testing.T, test func(testing.TB)) *ending {
	e := &ending{fakeTB: fakeTB{TB: t}}
	synctest.Test(t, func(*testing.T) {
		defer func() {
			if stopped := recover(); stopped != nil && stopped != e {
				panic(stopped)
			}
		}()
		defer time.Sleep(time.Hour) // until what the test left behind has ended
		test(e)
	})
	return e
}

// result says how a subtest ended: "" if it passed.
func (e *ending) result() string {
	switch {
	case len(e.errors) > 0:
		return "fails:\n" + strings.Join(e.errors, "\n")
	case e.skipped:
		return "is skipped"
	}
	return ""
}

// A right resolver passes every promise, and so do right records those that they are tested
// for.
func TestRightResolverPasses(t *testing.T) {
	for _, p := range resolvertest.Promises() {
		if got := verdict(t, func(tb testing.TB) { p.CheckResolver(tb, asIs) }).result(); got != "" {
			t.Errorf("TestResolver: %s %s", p.Name, got)
		}
		if !p.OfRecords {
			continue
		}
		if got := verdict(t, func(tb testing.TB) { p.CheckRecords(tb, zonesOf) }).result(); got != "" {
			t.Errorf("TestRecords: %s %s", p.Name, got)
		}
	}
}

func asIs(_ testing.TB, fake *dnsfake.Fake) resolver.Resolver { return fake }

func zonesOf(t testing.TB, zoneText string) resolver.Resolver {
	zones, err := resolver.ParseZones(zoneText)
	if err != nil {
		t.Fatal(err)
	}
	return zones
}

// Each mutant fails the promises that it breaks and no other, in both tests, and each promise
// has a mutant of its own that no other notices.
func TestSuiteFindsMutants(t *testing.T) {
	own := make(map[string]bool)
	for _, m := range mutants {
		if len(m.found) == 1 {
			own[m.found[0]] = true
		}
		var failed, failedRecords, want []string
		for _, p := range resolvertest.Promises() {
			if got := verdict(t, func(tb testing.TB) { p.CheckResolver(tb, m.overFake()) }); len(got.errors) > 0 {
				failed = append(failed, p.Name)
				m.checkMessages(t, p, got.errors)
			}
			if !p.OfRecords {
				continue
			}
			if slices.Contains(m.found, p.Name) {
				want = append(want, p.Name)
			}
			if got := verdict(t, func(tb testing.TB) { p.CheckRecords(tb, m.overRecords()) }); len(got.errors) > 0 {
				failedRecords = append(failedRecords, p.Name)
			}
		}
		if !equalSets(failed, m.found) {
			t.Errorf("a resolver that %s: TestResolver fails at %q, expected %q", m.name, failed, m.found)
		}
		if !equalSets(failedRecords, want) {
			t.Errorf("a resolver that %s: TestRecords fails at %q, expected %q", m.name, failedRecords, want)
		}
	}
	for _, p := range resolvertest.Promises() {
		if !own[p.Name] {
			t.Errorf("%s: no mutant breaks this promise alone", p.Name)
		}
	}
}

func equalSets(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

// checkMessages tests that a failure says what the author of a resolver needs to know, in this
// order.
func (m mutant) checkMessages(t *testing.T, p resolvertest.Promise, messages []string) {
	t.Helper()
	for _, message := range messages {
		rest := message
		for _, part := range []string{"\n\tgot:      ", "\n\texpected: ", "\n\tpromise:  " + p.Says, "\n\tto do:    " + p.Remedy, "\n\tzone:     "} {
			_, after, ok := strings.Cut(rest, part)
			if !ok {
				t.Errorf("a resolver that %s: no %q in %s", m.name, part, message)
				continue
			}
			rest = after
		}
		if strings.Count(message, "\n\twith:     ") > 1 || strings.Index(message, "\n\twith:     ") > strings.Index(message, "\n\tgot:      ") {
			t.Errorf("a resolver that %s: the fault is not before the answer: %s", m.name, message)
		}
	}
}

// The zone of a message is a Go expression: however package testing indents it, it can be pasted
// into a call of resolver.ParseZones, and has the records that the resolver was asked for.
func TestZonesCanBePasted(t *testing.T) {
	fails := func(t testing.TB, zoneText string) resolver.Resolver {
		return resolver.Func(func(context.Context, string, uint16) (resolver.Answer, error) {
			return resolver.Answer{TTL: -1}, errors.New(zoneText)
		})
	}
	for _, p := range resolvertest.Promises() {
		if !p.OfRecords || p.Name == "absolute names" || p.Name == "loop" { // an error is right there
			continue
		}
		var given string
		messages := verdict(t, func(tb testing.TB) {
			p.CheckRecords(tb, func(t testing.TB, zoneText string) resolver.Resolver {
				given = zoneText
				return fails(t, zoneText)
			})
		}).errors
		if len(messages) == 0 {
			t.Errorf("%s: does not fail", p.Name)
			continue
		}
		_, literal, _ := strings.Cut(strings.ReplaceAll(messages[0], "\n", "\n        "), "\tzone:     ")
		expression, err := parser.ParseExpr(literal)
		if err != nil {
			t.Errorf("%s: %v: %s", p.Name, err, literal)
			continue
		}
		if got, want := recordsOf(t, join(t, expression)), recordsOf(t, given); got != want || strings.Count(literal, "\n") > 16 {
			t.Errorf("%s: got\n%s\nof\n%s\nwant\n%s", p.Name, got, literal, want)
		}
	}
}

// join returns the value of string literals with + between them.
func join(t *testing.T, e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BinaryExpr:
		return join(t, e.X) + join(t, e.Y)
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	t.Fatalf("%T in the text of a zone", e)
	return ""
}

// recordsOf returns the records of a zone text, a line each.
func recordsOf(t *testing.T, zoneText string) string {
	t.Helper()
	zones, err := resolver.ParseZones(zoneText)
	if err != nil {
		t.Fatalf("%v in\n%s", err, zoneText)
	}
	var lines []string
	for rr, err := range zones.Records() {
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, rr.String())
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// Every fault that a question can get no answer by is injected, and named in the message.
func TestFaultsAreNamed(t *testing.T) {
	denies := func(testing.TB, *dnsfake.Fake) resolver.Resolver {
		return resolver.Func(func(context.Context, string, uint16) (resolver.Answer, error) { return resolver.Answer{}, nil })
	}
	var all strings.Builder
	for _, p := range resolvertest.Promises() {
		if !p.OfRecords {
			all.WriteString(strings.Join(verdict(t, func(tb testing.TB) { p.CheckResolver(tb, denies) }).errors, "\n"))
		}
	}
	for _, kind := range dnsfake.Kinds() {
		if want := "mail.conformance.test. A\n\twith:     " + kind.String() + "\n\tgot:      no records\n\texpected: an error\n"; !strings.Contains(all.String(), want) {
			t.Errorf("no message has %q:\n%s", want, all.String())
		}
	}
}

// The resolver of the example passes, and so do Zones.
func TestTable(t *testing.T) { resolvertest.TestRecords(t, newTable) }
func TestZones(t *testing.T) { resolvertest.TestRecords(t, zonesOf) }

// How the test of an implementation ends that cannot be asked.
func TestSuiteEnds(t *testing.T) {
	lookup := func(f resolver.Func) func(testing.TB, *dnsfake.Fake) resolver.Resolver {
		return func(testing.TB, *dnsfake.Fake) resolver.Resolver { return f }
	}
	for _, tt := range []struct {
		name        string
		newResolver func(testing.TB, *dnsfake.Fake) resolver.Resolver
		want        string
	}{
		{"none", func(testing.TB, *dnsfake.Fake) resolver.Resolver { return nil }, "newResolver returned nil"},
		{"hangs", lookup(func(context.Context, string, uint16) (resolver.Answer, error) {
			time.Sleep(10 * time.Minute)
			return resolver.Answer{}, nil
		}), "\tgot:      nothing for 3s after the end of the context\n\texpected: Lookup to return soon"},
		{"exits", lookup(func(context.Context, string, uint16) (resolver.Answer, error) {
			runtime.Goexit()
			return resolver.Answer{}, nil
		}), "got:      the error the goroutine of Lookup ended, as by t.FailNow"},
		{"cannot", lookup(func(context.Context, string, uint16) (resolver.Answer, error) {
			return resolver.Answer{}, fmt.Errorf("no MX: %w", errors.ErrUnsupported)
		}), "is skipped"},
		{"skips", func(t testing.TB, _ *dnsfake.Fake) resolver.Resolver {
			t.Skip("no MX")
			return nil
		}, "is skipped"},
	} {
		for _, p := range resolvertest.Promises() {
			if p.Name != "MX" {
				continue
			}
			if got := verdict(t, func(tb testing.TB) { p.CheckResolver(tb, tt.newResolver) }).result(); !strings.Contains(got, tt.want) {
				t.Errorf("%s: got %q, expected %q", tt.name, got, tt.want)
			}
		}
	}
}

// The promises are sentences of the documentation, and every sentence of it that says what a
// Resolver does is a promise or is listed here with the reason why it cannot be tested.
func TestPromisesAreDocumented(t *testing.T) {
	documented := sentences(t, "Resolver", "Func", "Answer", "Status")
	said := make(map[string]bool)
	for _, p := range resolvertest.Promises() {
		said[p.Says] = true
		if !slices.Contains(documented, p.Says) {
			t.Errorf("%s: the documentation does not say: %s", p.Name, p.Says)
		}
	}
	for _, sentence := range documented {
		_, excused := untested[sentence]
		if said[sentence] == excused {
			t.Errorf("expected a promise or a reason in untested, and not both: %s", sentence)
		}
	}
	for sentence := range untested {
		if !slices.Contains(documented, sentence) {
			t.Errorf("in untested, but not documented: %s", sentence)
		}
	}
}

// untested are sentences that no test of a Resolver can break, and why.
var untested = map[string]string{
	"A Resolver answers DNS questions.": "the subject",
	"Its one method is all that an implementation, a wrapper or a test double has to write.": "for authors",
	"Package resolvertest tests an implementation against each promise made here.":           "for authors",
	"It may rely on that: Ask brings a name of any other form into this one.":                "about Ask",
	"Ask guards against a Resolver that breaks these promises: call it instead of Lookup.":   "about Ask",
	"Func is a function as a Resolver.":                                                      "about Func",
	"Read only.":                                                                             "for callers; the chain is compared where Records are",
	"Zero means: do not cache.":                                                              "for callers; the promise TTL asks for more where records have it",
	`Server says who answered, for evidence: an address, a file, "cache of" one.`:            "may be empty: evidence alone",
	"Status tells an existing name from one that does not exist.":                            "the subject",
	"Its zero value is NoError: unlike other enums of this module, where zero means unset.":  "about the type",
	"NotFound: no records, and the source cannot tell which: a *net.Resolver.":               "an excuse, which all promises about negative answers take",
}

// sentences returns those of the comments on types of package resolver, their fields and
// constants.
func sentences(t *testing.T, types ...string) []string {
	files, err := filepath.Glob("../*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	fset := token.NewFileSet()
	var parsed []*ast.File
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		file, err := parser.ParseFile(fset, name, src, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		parsed = append(parsed, file)
	}
	pkg, err := doc.NewFromFiles(fset, parsed, "resolver")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, typ := range pkg.Types {
		if !slices.Contains(types, typ.Name) {
			continue
		}
		out = append(out, cut(typ.Doc)...)
		for _, c := range typ.Consts {
			for _, spec := range c.Decl.Specs {
				value := spec.(*ast.ValueSpec)
				out = append(out, cut(value.Names[0].Name+": "+value.Comment.Text())...)
			}
		}
		ast.Inspect(typ.Decl, func(n ast.Node) bool {
			if field, ok := n.(*ast.Field); ok && field.Doc != nil {
				out = append(out, cut(field.Doc.Text())...)
			}
			return true
		})
	}
	return out
}

// cut returns the sentences of a comment, without the brackets of links.
func cut(comment string) []string {
	var out []string
	text := strings.NewReplacer("[", "", "]", "").Replace(strings.Join(strings.Fields(comment), " "))
	for text != "" {
		sentence, rest, _ := strings.Cut(text, ". ")
		out = append(out, strings.TrimSuffix(sentence, ".")+".")
		text = rest
	}
	return out
}
