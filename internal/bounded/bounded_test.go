package bounded_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/bonafide-mta/bonafide/internal/bounded"
)

// endless is a Reader that never ends, and counts.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	e.read += len(p)
	return len(p), nil
}

func TestReadAll(t *testing.T) {
	for _, tt := range []struct {
		text  string
		limit int64
		err   string
	}{
		{"", 0, ""}, {"abc", 3, ""}, {"abc", 4, ""}, {"abc", 2, "more than 2 octets"}, {"a", 0, "more than 0 octets"},
		{strings.Repeat("a", 5000), 1024, "more than 1 KiB"}, {strings.Repeat("a", 5000), 5000, ""},
	} {
		for name, wrap := range map[string]func(io.Reader) io.Reader{
			"whole": func(r io.Reader) io.Reader { return r }, "octets": iotest.OneByteReader, "halves": iotest.HalfReader, "end": iotest.DataErrReader,
		} {
			text, err := bounded.ReadAll(wrap(strings.NewReader(tt.text)), tt.limit)
			if tt.err == "" && (err != nil || string(text) != tt.text) {
				t.Errorf("%d of %d, %s: %d, %v", len(tt.text), tt.limit, name, len(text), err)
			}
			if tt.err != "" && (err == nil || err.Error() != tt.err || int64(len(text)) > tt.limit) {
				t.Errorf("%d of %d, %s: %d, %v", len(tt.text), tt.limit, name, len(text), err)
			}
		}
	}
	e := new(endless)
	_, err := bounded.ReadAll(e, 1<<20)
	if long, ok := errors.AsType[*bounded.Error](err); !ok || long.Limit != 1<<20 || err.Error() != "more than 1 MiB" || e.read > 1<<20+1 {
		t.Errorf("%v, %d octets read", err, e.read)
	}
	if err := (&bounded.Error{Limit: 3 << 30}).Error(); err != "more than 3 GiB" {
		t.Error(err)
	}
	broken := errors.New("broken")
	if _, err := bounded.ReadAll(iotest.ErrReader(broken), 9); !errors.Is(err, broken) {
		t.Error(err)
	}
}

func TestReadFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a")
	if _, err := bounded.ReadFile(file, 9); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if err := os.WriteFile(file, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	if text, err := bounded.ReadFile(file, 5); err != nil || string(text) != "hello" {
		t.Error(err, string(text))
	}
	if _, err := bounded.ReadFile(file, 4); err == nil || err.Error() != file+": more than 4 octets" {
		t.Error(err)
	}
}
