package plan_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/plan"
	"github.com/bonafide-mta/bonafide/resolver"
)

// Each archive has an organisation, its zones, and what a plan makes of them: carefully,
// and adopting what is there.
func TestNew(t *testing.T) {
	files, err := filepath.Glob("testdata/diff/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no archives", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil || len(archive.Files) != 4 {
				t.Fatal("expected the files org, zone, careful and adopt", err)
			}
			o := parse(t, string(archive.Files[0].Data))
			z, err := resolver.ParseZones(string(archive.Files[1].Data))
			if err != nil {
				t.Fatal(err)
			}
			for i, adopt := range []bool{false, true} {
				p := newPlan(t, o, slices.Collect(z.Records()), adopt)
				got := printed(p)
				if *update {
					archive.Files[2+i].Data = []byte(got)
				} else if diff := cmp.Diff(string(archive.Files[2+i].Data), got); diff != "" {
					t.Errorf("%s, -update rewrites it (-want +got):\n%s", archive.Files[2+i].Name, diff)
				}
				again := newPlan(t, o, applied(slices.Collect(z.Records()), p.Changes), adopt)
				for _, c := range again.Changes {
					if c.Owner == plan.You {
						t.Errorf("%s: planned again: %+v", archive.Files[2+i].Name, c)
					}
				}
				if diff := cmp.Diff(fmt.Sprint(p.Kept, p.Refused), fmt.Sprint(again.Kept, again.Refused)); diff != "" {
					t.Errorf("%s: kept and refused, planned again:\n%s", archive.Files[2+i].Name, diff)
				}
			}
			if *update {
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func newPlan(t testing.TB, o *org.Organisation, records []dns.RR, adopt bool) *plan.Plan {
	t.Helper()
	p, err := plan.New(o, plan.Whole(slices.Values(records)), plan.Options{Adopt: adopt})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// applied returns records as they are after changes.
func applied(records []dns.RR, changes []plan.Change) []dns.RR {
	for _, c := range changes {
		records = slices.DeleteFunc(records, func(rr dns.RR) bool { return slices.Contains(c.Before, rr) })
		records = append(records, c.After...)
	}
	return records
}

// printed is a plan as the archives have it: what is removed and added, what is kept and
// what was wanted instead, what is refused.
func printed(p *plan.Plan) string {
	var out strings.Builder
	list := func(sign string, records []dns.RR) {
		for _, rr := range records {
			fmt.Fprintf(&out, "%s %s\n", sign, strings.ReplaceAll(rr.String(), "\t", " "))
		}
	}
	for _, c := range p.Changes {
		fmt.Fprintf(&out, "%s %s %s %s %v\n", c.Owner, c.Zone, c.Name, resolver.TypeString(c.Type), c.Rules)
		list("-", c.Removed())
		list("+", c.Added())
	}
	for _, k := range p.Kept {
		fmt.Fprintf(&out, "kept: %s\n", k.Reason)
		list("=", k.Records)
		for _, w := range k.Wanted {
			fmt.Fprintf(&out, "? %s %v\n", w, w.Rules)
		}
	}
	for _, r := range p.Refused {
		fmt.Fprintf(&out, "refused: %s\n", strings.TrimSpace(strings.Join([]string{r.MTA, r.Value, r.Reason}, " ")))
	}
	return out.String()
}

// What cannot be planned upon is an error, and nothing comes with it.
func TestNewBad(t *testing.T) {
	good := parse(t, "domain: example.test\nmtas: [{addresses: [192.0.2.10], helo: post.example.test}]")
	for _, test := range []struct {
		name    string
		o       *org.Organisation
		current *plan.Current
		want    string
	}{
		{"no organisation", nil, new(plan.Current), "plan: no organisation"},
		{"an invalid one", new(org.Organisation), new(plan.Current), "plan: domain: expected a DNS name\nmtas: expected at least one MTA"},
		{"no zones", good, nil, "plan: the zones as they are now: expected a Current"},
	} {
		if p, err := plan.New(test.o, test.current, plan.Options{}); p != nil || err == nil || err.Error() != test.want {
			t.Errorf("%s: %v, %q", test.name, p, err)
		}
	}
	// The zero Current knows no zone: all is refused but what an ISP has.
	p, err := plan.New(good, new(plan.Current), plan.Options{})
	if err != nil || len(p.Changes) != 0 || len(p.Refused) == 0 {
		t.Errorf("%+v, %v", p, err)
	}
}
