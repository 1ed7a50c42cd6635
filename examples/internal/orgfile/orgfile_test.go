package orgfile_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bonafide-mta/bonafide/examples/internal/orgfile"
)

func TestRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "org.yaml")
	if _, err := orgfile.Read(file); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	for text, want := range map[string]string{
		"domain: a.test\nmtas: [{addresses: [192.0.2.1], helo: mx.a.test}]\n": "",
		"domain: a.test\nmats: []\n":                                          file + ":2:1: unknown key",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		o, err := orgfile.Read(file)
		switch {
		case want == "" && (err != nil || o.Domain != "a.test."):
			t.Errorf("%+v, %v", o, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Error(err)
		}
	}
}
