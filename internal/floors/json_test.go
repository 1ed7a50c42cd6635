package floors_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"math/rand/v2"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/bonafide-mta/bonafide/csa"
	"github.com/bonafide-mta/bonafide/fcrdns"
	"github.com/bonafide-mta/bonafide/fcrdns/ptrname"
	"github.com/bonafide-mta/bonafide/identity"
	"github.com/bonafide-mta/bonafide/identity/envelope"
	"github.com/bonafide-mta/bonafide/identity/flow"
	"github.com/bonafide-mta/bonafide/identity/harden"
	"github.com/bonafide-mta/bonafide/identity/helo"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/plan"
	"github.com/bonafide-mta/bonafide/identity/report"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/nullmx"
	"github.com/bonafide-mta/bonafide/reputation/roleaddr"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/rp"
	"github.com/bonafide-mta/bonafide/spf"
	"github.com/bonafide-mta/bonafide/spf/blitiri"
)

// jsonTypes are the types that marshal to JSON and read back: all that can hold an enum, an
// error, a record or another interface, and some that results hold.
var jsonTypes = []any{
	csa.Lint{}, csa.Result{},
	envelope.Path{}, envelope.Reply{},
	fcrdns.Name{}, fcrdns.Result{},
	flow.Flow{}, flow.Node{}, flow.Note{}, flow.Observation{},
	harden.Hardening{}, harden.Shared{},
	helo.Argument{}, helo.Error{}, helo.Result{},
	identity.Advice{}, identity.Exception{}, identity.Policy{}, identity.Verdict{},
	nullmx.Lint{}, nullmx.Result{}, nullmx.Target{},
	org.MTA{}, org.Organization{},
	plan.Change{}, plan.Dropped{}, plan.Host{}, plan.Kept{}, plan.Refusal{}, plan.Step{},
	ptrname.Assessment{}, ptrname.Reason{},
	report.Change{}, report.Delta{}, report.Evidence{}, report.Finding{}, report.Host{}, report.HostAddress{}, report.HostName{}, report.NoReport{},
	report.Proof{}, report.Report{}, report.Summary{},
	resolver.Answer{}, resolver.CacheStats{}, resolver.Error{}, resolver.ExtendedError{}, resolver.Patch{}, resolver.Problem{}, resolver.Question{},
	resolver.Response{},
	roleaddr.Exchange{}, roleaddr.Mailbox{}, roleaddr.Result{},
	rp.Contact{}, rp.Person{},
	rule.Outcome{}, rule.Record{}, rule.Rule{},
	spf.Analysis{}, spf.Builder{}, spf.Cost{}, spf.FlatRecord{}, spf.FlatTerm{}, spf.Lint{}, spf.Problem{}, spf.Record{}, spf.Result{}, spf.SyntaxError{},
	spf.Term{}, spf.TermAt{}, spf.TreeNode{}, spf.TreeTerm{},
	blitiri.Result{},
}

// jsonNot are the types that do not, and why.
var jsonNot = map[string]string{
	"csa.Checker":      "asks",
	"fcrdns.Checker":   "asks",
	"nullmx.Checker":   "asks",
	"spf.Checker":      "asks",
	"blitiri.Checker":  "asks",
	"helo.Checker":     "asks",
	"roleaddr.Checker": "asks",

	"identity.Verifier": "asks",
	"audit.Auditor":     "asks",
	"resolver.AsNet":    "asks",
	"resolver.Cache":    "asks",
	"resolver.Client":   "asks",
	"resolver.FromNet":  "asks",
	"resolver.Overlay":  "asks",

	"plan.Decision": "points into its plan, which WriteJSON writes",
	"plan.Plan":     "is written as WriteJSON does, without what was published, and does not read back",
}

// Every type that needs care in JSON is known to this test.
func TestJSONTypes(t *testing.T) {
	known := make(map[string]bool)
	for _, v := range jsonTypes {
		name := reflect.TypeOf(v).String()
		if known[name] || jsonNot[name] != "" {
			t.Errorf("%s is listed twice", name)
		}
		known[name] = true
	}
	found := make(map[string]bool)
	for _, pkg := range typesOf(t) {
		for _, name := range pkg.Scope().Names() {
			object, ok := pkg.Scope().Lookup(name).(*types.TypeName)
			if !ok || !object.Exported() {
				continue
			}
			if _, ok := object.Type().Underlying().(*types.Struct); !ok {
				continue
			}
			name = pkg.Name() + "." + name
			found[name] = true
			if why := holds(object.Type()); why != "" && !known[name] && jsonNot[name] == "" {
				t.Errorf("%s holds %s: add %s{} to jsonTypes in this file, with an import of %q, and json tags with omitzero to its fields", name, why, name, pkg.Path())
			}
		}
	}
	for name := range jsonNot {
		if !found[name] {
			t.Errorf("there is no %s any more: remove it from jsonNot", name)
		}
	}
}

// typesOf returns the types of the packages that others may import.
func typesOf(t *testing.T) (packages []*types.Package) {
	_, export := list(t)
	compiled := importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) { return os.Open(export[path]) })
	for path := range export {
		if !ours(path) || strings.Contains(path, "/internal/") || strings.Contains(path, "/examples/") {
			continue
		}
		pkg, err := compiled.Import(path)
		if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, pkg)
	}
	if len(packages) < 20 {
		t.Errorf("only %d packages were found", len(packages))
	}
	return packages
}

// holds returns what encoding/json cannot write that values of a type hold, "" for nothing.
func holds(of types.Type) string {
	seen := make(map[types.Type]bool)
	var within func(types.Type) string
	within = func(of types.Type) string {
		if seen[of] {
			return ""
		}
		seen[of] = true
		if named, ok := of.(*types.Named); ok && named.Obj().Pkg() != nil {
			switch path := named.Obj().Pkg().Path(); {
			case path == "github.com/miekg/dns":
				return of.String()
			case !ours(path):
				return "" // of the standard library, which knows how
			}
		}
		switch u := of.Underlying().(type) {
		case *types.Basic:
			if named, ok := of.(*types.Named); ok && u.Info()&types.IsInteger != 0 {
				return named.String()
			}
		case *types.Interface:
			return of.String()
		case *types.Signature, *types.Chan:
			return of.String()
		case *types.Pointer:
			return within(u.Elem())
		case *types.Slice:
			return within(u.Elem())
		case *types.Array:
			return within(u.Elem())
		case *types.Map:
			return within(u.Key()) + within(u.Elem())
		case *types.Struct:
			for field := range u.Fields() {
				if why := within(field.Type()); why != "" && field.Exported() {
					return why
				}
			}
		}
		return ""
	}
	return within(of)
}

// Every value of these types marshals, and reads back to a value with the same JSON.
func TestJSONValues(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for _, v := range jsonTypes {
		of := reflect.TypeOf(v)
		t.Run(of.String(), func(t *testing.T) {
			if why := untagged(of); why != "" {
				t.Errorf("%s has no json tag", why)
			}
			roundTrip(t, reflect.New(of))
			random := filler{Rand: rand.New(rand.NewPCG(seed, 0)), left: 500}
			for range 60 {
				value := reflect.New(of)
				random.left = 500
				random.fill(value.Elem())
				if roundTrip(t, value); t.Failed() {
					return
				}
			}
		})
	}
}

// roundTrip checks a pointer to a value.
func roundTrip(t *testing.T, value reflect.Value) {
	t.Helper()
	first, err := json.Marshal(value.Interface())
	if err != nil {
		t.Errorf("%+v: %v", value, err)
		return
	}
	again := reflect.New(value.Type().Elem())
	if err := json.Unmarshal(first, again.Interface()); err != nil {
		t.Errorf("%s\nread back: %v", first, err)
		return
	}
	second, err := json.Marshal(again.Interface())
	if first = replaced(first); err != nil || !bytes.Equal(first, second) {
		at := 0
		for at < min(len(first), len(second)) && first[at] == second[at] {
			at++
		}
		at = max(0, at-60)
		t.Errorf("first  ...%.200s\nsecond ...%.200s, %v", first[min(at, len(first)):], second[min(at, len(second)):], err)
	}
	if diff := differs(value.Elem(), again.Elem()); diff != "" {
		t.Errorf("read back, %s\n%s", diff, first)
	}
}

// notUTF8 is the escape that encoding/json writes for what is not UTF-8.
var notUTF8 = regexp.MustCompile(`((?:^|[^\\])(?:\\\\)*)\\ufffd`)

// replaced returns JSON with the character itself in place of the escape, as it is written
// once it was read.
func replaced(text []byte) []byte { return notUTF8.ReplaceAll(text, []byte("$1\ufffd")) }

// untagged returns a field without a key of its own for JSON.
func untagged(of reflect.Type) string {
	for field := range of.Fields() {
		key, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if field.IsExported() && !field.Anonymous && (key == "" || strings.ToLower(key) != key) {
			return fmt.Sprintf("%s.%s", of, field.Name)
		}
	}
	return ""
}
