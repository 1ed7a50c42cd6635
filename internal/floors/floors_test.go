package floors_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	slashpath "path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	module = "github.com/bonafide-mta/bonafide"
	root   = "../.."
)

// floors gives every package of the module its floor. A package imports only
// from lower floors, so no two packages of one floor import each other. A path
// that ends with /... is an entry for all packages below it that have no closer one.
var floors = map[string]int{
	".":                        0, // doc.go alone: it imports nothing
	"internal/address":         0,
	"internal/bounded":         0,
	"internal/dnsname":         0,
	"internal/enum":            0,
	"internal/errlist":         0,
	"internal/heapsize":        0,
	"internal/jsonform":        0,
	"internal/lastday":         0,
	"internal/maillog":         0,
	"internal/suffix":          0,
	"internal/txt":             0,
	"internal/untrusted":       0,
	"internal/yamldoc":         1,
	"resolver":                 1,
	"identity/envelope":        1,
	"resolver/dnsfake":         2,
	"fcrdns":                   2,
	"fcrdns/ptrname":           2,
	"spf":                      2,
	"csa":                      2,
	"rp":                       2,
	"nullmx":                   2,
	"resolver/resolvertest":    3,
	"spf/blitiri":              3,
	"identity/helo":            3,
	"identity/org":             3,
	"identity":                 4,
	"identity/rule":            4,
	"identity/flow":            4,
	"reputation/...":           4,
	"identity/report":          5,
	"identity/plan":            5,
	"identity/harden":          5,
	"identity/draft":           6,
	"identity/audit":           6,
	"examples/internal/...":    7,
	"examples/internal/daemon": 8,
	"examples/...":             9,
}

// exempt packages, and those below them, check and measure the others. They may import
// anything, and nothing else may import them.
var exempt = []string{
	"internal/floors",
	"internal/lab",
}

// heavy has the dependencies that make programs large, with the packages for importing
// that link each: exactly these.
var heavy = []struct {
	dep string
	by  []string
}{
	// The public suffix list links net/http.
	{"net/http", registered},
	{"golang.org/x/net/publicsuffix", registered},
	{yaml, described},
	{"html/template", []string{"identity/report", "identity/audit"}},
}

var (
	// registered know which names are registered under one organization.
	registered = append([]string{"fcrdns/ptrname", "identity", "identity/helo", "reputation/roleaddr"}, described...)
	// described work on a description of an organization, which is YAML.
	described = []string{"identity/org", "identity/flow", "identity/plan", "identity/harden", "identity/draft", "identity/audit"}
)

const yaml = "github.com/goccy/go-yaml"

// pkg is a package as go list -json describes it, without its tests.
type pkg struct {
	ImportPath, Name, Dir string
	Export                string // the file of its export data
	GoFiles               []string
	Imports               []string
	Deps                  []string // of Imports, and of theirs, and so on
}

// importable reports whether other modules can import a package.
func (p pkg) importable() bool {
	return p.Name != "main" && !slices.Contains(strings.Split(p.ImportPath, "/"), "internal")
}

func TestFloors(t *testing.T) {
	walk(t) // see there

	packages, _ := list(t)
	for _, p := range packages {
		path := relative(p.ImportPath)
		if isExempt(path) {
			continue
		}
		floor, ok := floorOf(path)
		if !ok {
			t.Errorf("%s has no floor: add it to the table of this test", path)
			continue
		}
		for _, imported := range p.Imports {
			if !ours(imported) {
				continue
			}
			below := relative(imported)
			switch at, ok := floorOf(below); {
			case isExempt(below):
				t.Errorf("%s imports %s, which nothing may import", path, below)
			case ok && at >= floor:
				t.Errorf("%s (floor %d) imports %s (floor %d): only lower floors may be imported", path, floor, below, at)
			}
		}

		if slices.ContainsFunc(p.Imports, isYAML) && path != "internal/yamldoc" {
			t.Errorf("%s imports %s: only internal/yamldoc may", path, yaml)
		}
		if i := slices.IndexFunc(p.Deps, isChromedp); i >= 0 {
			t.Errorf("%s links %s: only interop tests may", path, p.Deps[i])
		}
		if path != "resolver/resolvertest" {
			if i := slices.IndexFunc(p.Deps, isTesting); i >= 0 {
				t.Errorf("%s links package %s: only resolver/resolvertest may", path, p.Deps[i])
			}
		}
	}
}

func TestHeavyDependencies(t *testing.T) {
	walk(t) // see there

	packages, _ := list(t)
	for _, h := range heavy {
		var got []string
		for _, p := range packages {
			if p.importable() && slices.Contains(p.Deps, h.dep) {
				got = append(got, relative(p.ImportPath))
			}
		}
		want := slices.Sorted(slices.Values(h.by))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("packages that link %s (-want +got):\n%s", h.dep, diff)
		}
	}
}

// list returns the packages of the module, and the export data of these and of all that
// they import, by path.
func list(t *testing.T) (own []pkg, exports map[string]string) {
	t.Helper()
	l, err := listOnce()
	if err != nil {
		t.Fatal(err)
	}
	return l.own, l.exports
}

type listed struct {
	own     []pkg
	exports map[string]string
}

var listOnce = sync.OnceValues(func() (*listed, error) {
	cmd := exec.Command("go", "list", "-export", "-deps", "-json=ImportPath,Name,Dir,Export,GoFiles,Imports,Deps", "./...")
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%v: %w\n%s", cmd, err, &stderr)
	}
	l := &listed{exports: make(map[string]string)}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			slices.SortFunc(l.own, func(a, b pkg) int { return strings.Compare(a.ImportPath, b.ImportPath) })
			return l, nil
		}
		if err != nil {
			return nil, err
		}
		l.exports[p.ImportPath] = p.Export
		if ours(p.ImportPath) {
			l.own = append(l.own, p)
		}
	}
})

func isExempt(path string) bool {
	return slices.ContainsFunc(exempt, func(above string) bool { return within(path, above) })
}

func floorOf(path string) (floor int, ok bool) {
	if floor, ok = floors[path]; ok {
		return floor, true
	}
	for above := path; above != "."; above = slashpath.Dir(above) {
		if floor, ok = floors[above+"/..."]; ok {
			return floor, true
		}
	}
	return 0, false
}

// relative returns the path of a package of ours from the root of the module.
func relative(importPath string) string {
	if importPath == module {
		return "."
	}
	return strings.TrimPrefix(importPath, module+"/")
}

func within(path, above string) bool {
	return path == above || strings.HasPrefix(path, above+"/")
}

func isChromedp(path string) bool { return within(path, "github.com/chromedp") }
func ours(path string) bool       { return within(path, module) }
func isYAML(path string) bool     { return within(path, yaml) }
func isTesting(path string) bool  { return within(path, "testing") }

// walk returns the files of the checkout, with slashes, from its root. To the
// go command, a test that walks the tree depends on every file in it: it will
// not repeat an old "ok" after an import has changed.
func walk(t *testing.T) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == ".git":
			return fs.SkipDir
		case d.Type().IsRegular():
			rel, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			files = append(files, filepath.ToSlash(rel))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(file)))
	if err != nil {
		t.Fatal(err)
	}
	return text
}
