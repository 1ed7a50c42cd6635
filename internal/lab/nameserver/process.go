//go:build interop

package nameserver

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	nobody    = 65534            // user and group that own nothing, on any system
	stopLimit = 10 * time.Second // between SIGTERM and SIGKILL
)

// A process is a server, and the processes that it has started itself.
type process struct {
	cmd    *exec.Cmd
	exited chan struct{} // closed when cmd has ended
}

// startProcess starts a command in its directory, as a user without privileges.
func startProcess(cmd *exec.Cmd) (process, error) {
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + cmd.Dir}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setpgid:   true,            // NSD forks: the whole group is ended, or a child outlives the test
		Pdeathsig: syscall.SIGTERM, // when a time limit kills the test, no clean-up runs
	}
	if os.Getuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	p := process{cmd, make(chan struct{})}
	if err := cmd.Start(); err != nil {
		return p, err
	}
	go func() {
		_ = cmd.Wait()
		close(p.exited)
	}()
	return p, nil
}

func (p process) stop(t testing.TB) {
	t.Helper()
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		if err := syscall.Kill(-p.cmd.Process.Pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			t.Errorf("%s: %v", p.cmd.Path, err)
		}
		select {
		case <-p.exited:
			return
		case <-time.After(stopLimit):
			t.Errorf("%s does not stop after %v", p.cmd.Path, stopLimit)
		}
	}
}

// unconfined copies a program into dir and returns the path of the copy. Debian's
// packages of BIND and Unbound have AppArmor profiles, by which a program at its own
// path must not read configuration and zones in dir.
func unconfined(path, dir string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	duplicate := filepath.Join(dir, filepath.Base(path))
	return duplicate, os.WriteFile(duplicate, text, 0o755)
}

// versionOf returns the name of a program and the first line that it prints about itself.
func versionOf(path, flag string) string {
	text, _ := exec.Command(path, flag).CombinedOutput()
	first, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	return filepath.Base(path) + ": " + first
}

// tail returns the end of a log, without the lines that BIND writes about every
// zone and every endless chain.
func tail(text []byte) string {
	var kept strings.Builder
	for line := range strings.Lines(string(text)) {
		if !strings.Contains(line, ": loaded serial") && !strings.Contains(line, "query iterations limit reached") {
			kept.WriteString(line)
		}
	}
	return kept.String()[max(0, kept.Len()-4000):]
}
