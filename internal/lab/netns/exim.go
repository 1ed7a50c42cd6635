//go:build interop

package netns

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bonafide-mta/bonafide/internal/lab/debian"
)

// An Exim is a configuration of Exim, with files of its own.
type Exim struct {
	Version string
	Dir     string // its spool and its logs: mainlog, rejectlog, paniclog
	path    string
	conf    string
}

// NewExim writes a configuration. Call MountEtc before.
func NewExim(t *testing.T, settings string) Exim {
	t.Helper()
	x := Exim{path: debian.Program(t, "exim4", "exim4-daemon-light"), Dir: t.TempDir()}
	x.conf = filepath.Join(x.Dir, "exim.conf")
	WriteFile(t, x.conf, "keep_environment =\nexim_path = "+x.path+"\nlog_file_path = "+x.Dir+"/%slog\nspool_directory = "+x.Dir+"\n"+settings)
	// Exim gives up root before it looks at a configuration that is not the system's.
	for d := x.Dir; d != "/" && d != os.TempDir(); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	first, _, _ := strings.Cut(Run(t, x.path, "-C", x.conf, "-bV"), "\n")
	x.Version, _, _ = strings.Cut(first, " #")
	return x
}

// Command returns a command that runs Exim with the configuration.
func (x Exim) Command(ctx context.Context, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, x.path, append([]string{"-C", x.conf}, args...)...)
}

// Session sends EHLO and MAIL FROM:<> on standard input, and returns all that Exim says.
// The flags give the client, as -bs -oMa 192.0.2.10.
func (x Exim) Session(t *testing.T, helo string, flags ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := x.Command(ctx, flags...)
	cmd.Stdin = strings.NewReader("EHLO " + helo + "\r\nMAIL FROM:<>\r\nQUIT\r\n")
	out, err := cmd.CombinedOutput()
	if err != nil && len(out) == 0 {
		t.Errorf("Exim %v, EHLO %s: %v", flags, helo, err)
	}
	return string(out)
}
