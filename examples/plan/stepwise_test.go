package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bonafide-mta/bonafide/examples/internal/demo"
	"github.com/bonafide-mta/bonafide/resolver"
)

// The demonstration is brought to green as a person would, by the files that the program
// writes: each step's records are added to the zone or removed from it, and the plan is
// made again; HELO names are set once the gate says so.
func TestStepByStep(t *testing.T) {
	dir := t.TempDir()
	orgFile, zoneFile := filepath.Join(dir, "org.yaml"), filepath.Join(dir, "harbour.zone")
	if err := os.WriteFile(orgFile, demoOrg, 0o644); err != nil {
		t.Fatal(err)
	}
	args := []string{"-org", orgFile, "-zone", zoneFile, "-offline", "-allow-documentation", "-adopt"}
	plan := func(more ...string) string {
		t.Helper()
		var stdout, stderr bytes.Buffer
		if status := run(t.Context(), slices.Concat(args, more), &stdout, &stderr); status != 0 {
			t.Fatalf("%v: status %d: %s", more, status, &stderr)
		}
		return stdout.String()
	}
	records := zoneLines(t, demo.OrganizationZone)
	for range 20 {
		if err := os.WriteFile(zoneFile, []byte(strings.Join(records, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		var todo struct {
			Steps []struct {
				Stage string
				Gate  bool
			}
		}
		if err := json.Unmarshal([]byte(plan("-format", "json")), &todo); err != nil {
			t.Fatal(err)
		}
		for len(todo.Steps) > 0 && todo.Steps[0].Gate {
			todo.Steps = todo.Steps[1:]
		}
		if len(todo.Steps) == 0 {
			break
		}
		if todo.Steps[0].Stage == "set-helo" {
			for _, observed := range []string{
				"192.0.2.10=post.harbour.example", "2001:db8::10=post.harbour.example",
				"192.0.2.20=mail2.harbour.example", "192.0.2.21=mail2.harbour.example", "192.0.2.22=mail2.harbour.example",
			} {
				args = append(args, "-observed", observed)
			}
			continue
		}
		text := plan("-format", "zone", "-step", todo.Steps[0].Stage)
		for line := range strings.Lines(text) {
			out, ok := strings.CutPrefix(strings.TrimSpace(line), "; remove: ")
			if i := slices.Index(records, out); ok && i >= 0 {
				records = slices.Delete(records, i, i+1)
			} else if ok {
				t.Errorf("not in the zone: %s", out)
			}
		}
		records = append(records, zoneLines(t, text)...)
	}
	text := plan()
	if !strings.HasPrefix(text, "Plan for harbour.example: nothing to do\n") || !strings.Contains(text, "\nas it is:       0 failed") {
		t.Errorf("not green:\n%s", text)
	}
}

// zoneLines returns the records of zone text as lines, in the form in which the program
// writes them.
func zoneLines(t *testing.T, text string) []string {
	t.Helper()
	zones, err := resolver.ParseZones(text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	var out []string
	for rr := range zones.Records() {
		if line := strings.ReplaceAll(rr.String(), "\t", " "); !strings.Contains(line, " ns.invalid.") { // made up where there is no SOA
			out = append(out, line)
		}
	}
	return out
}
