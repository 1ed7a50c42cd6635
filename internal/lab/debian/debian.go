//go:build interop

package debian

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// Program returns the path of a program, with links in its directory resolved
// (/sbin is /usr/sbin). It searches PATH, then the directories of servers, which
// are not in every user's PATH. If there is no such program, the test fails and
// names the package that has it.
func Program(t testing.TB, name, pkg string) string {
	t.Helper()
	candidates := []string{name, "/usr/local/sbin/" + name, "/usr/sbin/" + name, "/sbin/" + name}
	for _, candidate := range candidates {
		found, err := exec.LookPath(candidate)
		if err != nil {
			continue
		}
		dir, err := filepath.EvalSymlinks(filepath.Dir(found))
		if err != nil {
			t.Fatal(err)
		}
		return filepath.Join(dir, filepath.Base(found))
	}
	t.Fatalf("there is no %s: install it (apt-get install %s), or unpack that package and put its directories into PATH", name, pkg)
	return ""
}
