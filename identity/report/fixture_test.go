package report_test

import (
	"flag"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/bonafide-mta/bonafide/identity/audit"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/report"
	"github.com/bonafide-mta/bonafide/resolver/dnsfake"
)

var update = flag.Bool("update", false, "rewrite the pages in testdata")

// audited returns the report on an archive of package audit: its files zone, org and
// faults ("NAME TYPE KIND" a line).
func audited(t testing.TB, file string) *report.Report {
	t.Helper()
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	parts := make(map[string]string)
	for _, f := range archive.Files {
		parts[f.Name] = string(f.Data)
	}
	o, err := org.Parse(file, []byte(parts["org"]))
	if err != nil {
		t.Fatal(err)
	}
	fake, err := dnsfake.New(parts["zone"])
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	for line := range strings.Lines(parts["faults"]) {
		fields := strings.Fields(line)
		var kind dnsfake.Kind
		if err := kind.UnmarshalText([]byte(fields[2])); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		fake.Fail(fields[0], dns.StringToType[fields[1]], kind)
	}
	now := func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }
	rep, err := audit.Auditor{Resolver: fake, AllowDocumentation: true, Now: now}.Audit(t.Context(), o)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return rep
}

// allAudited returns the reports on the archives of package audit, by their order.
func allAudited(t testing.TB) []*report.Report {
	t.Helper()
	files, err := filepath.Glob("../audit/testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no archives", err)
	}
	var all []*report.Report
	for _, file := range files {
		all = append(all, audited(t, file))
	}
	return all
}
