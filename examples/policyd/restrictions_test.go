package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Every list of restrictions in documents, comments and configurations lets one's own
// machines and users through before it refuses relaying or asks policyd: a list that refuses
// first gives 127.0.0.1 a 554.
func TestRestrictionsLetOwnersSend(t *testing.T) {
	const root = "../.."
	found := make(map[string]int)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (strings.HasPrefix(d.Name(), ".git") || path == filepath.Join(root, "internal")): // rigs
			return fs.SkipDir
		case d.IsDir() || strings.HasSuffix(path, "_test.go") || !slices.Contains([]string{".go", ".md", ".cf", ".txt", ".txtar"}, filepath.Ext(path)):
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, list := range restrictions(string(text)) {
			found[filepath.Base(path)]++
			asks := slices.IndexFunc(list, func(word string) bool {
				return word == "reject_unauth_destination" || word == "check_policy_service"
			})
			for _, own := range []string{"permit_mynetworks", "permit_sasl_authenticated"} {
				if i := slices.Index(list, own); asks >= 0 && (i < 0 || i > asks) {
					t.Errorf("%s: %s is not before %s in %v", path, own, list[asks], list)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found["main.go"] < 2 || found["main.cf"] < 2 || found["postfix.md"] < 2 {
		t.Errorf("lists are not found any more: %v", found)
	}
}

// restrictions returns the words of each list of restrictions in a text: main.cf continues
// a line by one that begins with a space, here in comments, too.
func restrictions(text string) [][]string {
	var out [][]string
	inside := false
	for line := range strings.Lines(text) {
		line = strings.TrimPrefix(strings.TrimPrefix(line, "//"), "\t")
		name, value, ok := strings.Cut(line, "=")
		name = strings.Trim(strings.TrimSpace(name), "`-o ")
		switch {
		case ok && strings.HasPrefix(name, "smtpd_") && strings.HasSuffix(name, "_restrictions"):
			out, inside, line = append(out, nil), true, value
		case strings.TrimLeft(line, " \t") == line || strings.TrimSpace(line) == "":
			inside = false
		}
		if inside {
			last := &out[len(out)-1]
			*last = append(*last, strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" \t\n,{}", r) })...)
		}
	}
	return out
}
