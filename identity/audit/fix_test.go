package audit_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/bonafide-mta/bonafide/identity/audit"
	"github.com/bonafide-mta/bonafide/identity/plan"
	"github.com/bonafide-mta/bonafide/identity/report"
	"github.com/bonafide-mta/bonafide/identity/rule"
)

// Each record of a fix, and each to publish, is one that a plan that adopts adds, at the same
// name; or the plan names it as refused.
func TestFixesArePlanned(t *testing.T) {
	fixes := 0
	for _, s := range scenarios(t) {
		var text string
		for _, f := range s.archive.Files {
			if f.Name == "zone" {
				text = string(f.Data)
			}
		}
		rep := s.audit(t)
		p, err := plan.New(s.org.At(rep.Time), whole(t, parseZones(t, text).Records()), plan.Options{Adopt: true})
		if err != nil {
			t.Fatal(err)
		}
		added, refused := make(map[string]bool), make(map[string]bool)
		for _, c := range p.Changes {
			for _, rr := range c.Added() {
				rr.Header().Ttl = rule.TTL
				added[rule.Record{RR: rr}.String()] = true
			}
		}
		for _, r := range p.Refused {
			refused[r.Value] = true
		}
		check := func(what, record string) {
			fields := strings.Fields(record)
			if fixes++; !added[record] && !refused[fields[0]+" "+fields[3]] {
				t.Errorf("%s: %s: %q is not planned; refused %v", s.file, what, record, slices.Sorted(maps.Keys(refused)))
			}
		}
		for _, f := range rep.Findings {
			for _, record := range f.Fix {
				check(string(f.Rule)+" "+f.Subject.String(), record)
			}
		}
		for _, record := range published(rep) {
			check("publish", record)
		}
	}
	if fixes < 100 {
		t.Errorf("%d records checked", fixes)
	}
}

// published returns the records to publish of a report.
func published(rep *report.Report) (records []string) {
	for _, p := range rep.Publish {
		records = append(records, p.Records...)
	}
	return records
}

// auditOf audits an organization over zones, at a time when no exception has expired.
func auditOf(t *testing.T, described, zones string) *report.Report {
	t.Helper()
	rep, err := audit.Auditor{Resolver: parseZones(t, zones), AllowDocumentation: true}.Audit(t.Context(), parseOrg(t, described))
	if err != nil {
		t.Fatal(err)
	}
	return rep
}
