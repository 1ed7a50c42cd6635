package audit_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPages(t *testing.T) {
	all := pages(t)
	for name, report := range all {
		got := page(t, report, nil)
		if name == "half" {
			got = page(t, report, earlier(report))
		}
		file := filepath.Join("testdata", "page", name+".html")
		if *update {
			if err := os.WriteFile(file, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s differs (-want +got), -update rewrites it:\n%s", file, diff)
		}
	}
}
