package command_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/bonafide-mta/bonafide/examples/internal/command"
)

// show prints its flags, and fails if -fail says why.
func show(ctx context.Context, args []string, stdout io.Writer) error {
	var names []string
	var timeout time.Duration
	fs := command.NewFlags("show")
	command.Strings(fs, "name", &names)
	command.Timeout(fs, &timeout, time.Minute)
	fail := fs.String("fail", "", "")
	if err := command.ParseAll(fs, args, "usage: show\n", stdout); err != nil {
		return err
	}
	if *fail == "wait" {
		fmt.Fprintln(stdout, "waiting")
		<-ctx.Done()
		return ctx.Err()
	}
	fmt.Fprintln(stdout, names, timeout)
	if *fail != "" {
		return errors.New(*fail)
	}
	return nil
}

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"show": func() { command.Main("show", show) }})
}

// As a user sees it, with the real exit status and a real signal.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata", RequireExplicitExec: true})
}

func TestStatus(t *testing.T) {
	for _, tt := range []struct {
		args           string
		status         int
		stdout, stderr string
	}{
		{"", 0, "[] 1m0s\n", ""},
		{"-name a -name b -timeout 5s", 0, "[a b] 5s\n", ""},
		{"-h", 0, "usage: show\n", ""},
		{"-fail broken", 2, "[] 1m0s\n", "show: broken\n"},
		{"-fail show:\u00a0broken", 2, "[] 1m0s\n", "show: show:\u00a0broken\n"},
		{"-unknown", 2, "", "show: flag provided but not defined: -unknown (-h lists the flags)\n"},
		{"-timeout soon", 2, "", "show: invalid value \"soon\" for flag -timeout: expected a duration over 0, such as 30s (-h lists the flags)\n"},
		{"-timeout 0s", 2, "", "show: invalid value \"0s\" for flag -timeout: expected a duration over 0, such as 30s (-h lists the flags)\n"},
		{"-timeout -1s", 2, "", "show: invalid value \"-1s\" for flag -timeout: expected a duration over 0, such as 30s (-h lists the flags)\n"},
		{"more", 2, "", "show: unexpected argument \"more\" (-h lists the flags)\n"},
	} {
		var stdout, stderr strings.Builder
		args := strings.FieldsFunc(tt.args, func(r rune) bool { return r == ' ' })
		status := command.WithStatus("show", show)(t.Context(), args, &stdout, &stderr)
		if status != tt.status || stdout.String() != tt.stdout || stderr.String() != tt.stderr {
			t.Errorf("%q: %d, %q, %q", tt.args, status, &stdout, &stderr)
		}
	}
	// The name of the program is printed once.
	var stderr strings.Builder
	if status := command.Status("show", 3, errors.New("show: no answer"), &stderr); status != 3 || stderr.String() != "show: no answer\n" {
		t.Error(status, &stderr)
	}
	stderr.Reset()
	for _, tt := range []struct {
		err  error
		want int
	}{{nil, 1}, {fmt.Errorf("for help: %w", flag.ErrHelp), 0}} {
		if status := command.Status("show", 1, tt.err, &stderr); status != tt.want || stderr.Len() > 0 {
			t.Error(tt.err, status, &stderr)
		}
	}
}

func TestOutput(t *testing.T) {
	dir := t.TempDir()
	old, file := filepath.Join(dir, "old"), filepath.Join(dir, "new")
	if err := os.WriteFile(old, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	hello := func(w io.Writer) error { _, err := io.WriteString(w, "hello"); return err }
	broken := func(w io.Writer) error { return errors.Join(hello(w), errors.New("broken")) }

	for _, name := range []string{"", file} {
		if err := command.CheckNew(name); err != nil {
			t.Error(err)
		}
	}
	if err := command.CheckNew(old); err == nil || !strings.Contains(err.Error(), "-o "+old+": it exists") {
		t.Error(err)
	}
	var stdout strings.Builder
	if err := command.WriteNew("", &stdout, hello); err != nil || stdout.String() != "hello" {
		t.Error(err, &stdout)
	}
	// A file that exists is not touched, and one that is not whole is not left.
	if err := command.WriteNew(old, nil, hello); !errors.Is(err, os.ErrExist) || !strings.HasPrefix(err.Error(), "-o: ") {
		t.Error(err)
	}
	if err := command.WriteNew(file, nil, broken); err == nil || err.Error() != "broken" {
		t.Error(err)
	}
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if err := command.WriteNew(file, nil, hello); err != nil {
		t.Error(err)
	}
	got := make(map[string]string)
	for _, name := range []string{old, file} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		got[filepath.Base(name)] = string(text)
	}
	if diff := cmp.Diff(map[string]string{"old": "old", "new": "hello"}, got); diff != "" {
		t.Error(diff)
	}
}
