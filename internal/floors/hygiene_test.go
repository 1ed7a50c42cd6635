package floors_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// machine matches an absolute path into somebody's home directory. What stands
// before it keeps the paths of URLs out.
var machine = regexp.MustCompile("(^|[\\s\"'`(=:,])(/(home|root|Users)/|[A-Z]:\\\\Users\\\\)[\\w.-]+")

func TestHygiene(t *testing.T) {
	for _, file := range committed(t) {
		text := read(t, file)
		if bytes.IndexByte(text, 0) >= 0 {
			continue // not text
		}
		for i, line := range bytes.Split(text, []byte("\n")) {
			if found := machine.Find(line); found != nil {
				t.Errorf("%s:%d: a path of somebody's machine: %s", file, i+1, bytes.TrimSpace(found))
			}
		}

		dir := path.Dir(file)
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") ||
			strings.Contains(file, "testdata/") || isExempt(dir) {
			continue
		}
		if dir == "." && file != "doc.go" {
			t.Errorf("%s: the root holds no code but doc.go", file)
		}
		// Here and not from go list, which sees one platform only.
		parsed, err := parser.ParseFile(token.NewFileSet(), file, text, parser.ImportsOnly)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, spec := range parsed.Imports {
			imported, _ := strconv.Unquote(spec.Path.Value)
			if isTesting(imported) && dir != "resolver/resolvertest" {
				t.Errorf("%s imports %s: only tests and resolver/resolvertest may", file, imported)
			}
		}
	}
}

// TestAPIFile reads the kept API as apidiff does: a ZIP archive with an entry for each
// package, in which positions name source files.
func TestAPIFile(t *testing.T) {
	const file = ".ci/api.export"
	archive, err := zip.OpenReader(filepath.Join(root, file))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip(file + " does not exist: bash .ci/api -w writes it")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	rooted := regexp.MustCompile(`/(home|root|Users|tmp|var|usr|opt|mnt|work)/|/pkg/mod/|/src/|[A-Z]:[/\\]`)
	for _, entry := range archive.File {
		r, err := entry.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if found := rooted.Find(text); found != nil {
			t.Errorf("%s: %s: a path of somebody's machine, around %q", file, entry.Name, found)
		}
	}
}

// committed returns the files that git tracks, or all where git knows of none.
func committed(t *testing.T) []string {
	t.Helper()
	files := walk(t)
	cmd := exec.Command("git", "ls-files", "-z")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil || len(out) == 0 {
		return files
	}
	tracked := make(map[string]bool)
	for name := range strings.SplitSeq(string(out), "\x00") {
		tracked[name] = true
	}
	return slices.DeleteFunc(files, func(file string) bool { return !tracked[file] })
}
