package audit_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bonafide-mta/bonafide/identity/report"
	"github.com/bonafide-mta/bonafide/identity/rule"
)

func TestHosts(t *testing.T) {
	rep := readScenario(t, "testdata/good.txtar").audit(t)
	name := []report.HostName{{Name: "mta1.example.test.", Confirmed: report.Holds, Own: true}}
	want := []report.Host{{ID: "mx1", Helo: "post.example.test.", HeloOwn: true, Addresses: []report.HostAddress{
		{Address: "192.0.2.10", PTR: report.Holds, Helo: report.Holds, Names: name},
		{Address: "2001:db8::10", PTR: report.Holds, Helo: report.Holds, Names: name},
	}}}
	if diff := cmp.Diff(want, rep.Hosts); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// The map and the findings say the same, in every archive: what one has as broken, the
// other has as failed.
func TestHostsAgreeWithFindings(t *testing.T) {
	compared := 0
	for _, s := range scenarios(t) {
		rep := s.audit(t)
		found := make(map[string]report.Finding)
		for _, f := range rep.Findings {
			found[fmt.Sprint(f.Rule, " ", f.Subject)] = f
		}
		for _, h := range rep.Hosts {
			arg := report.NotAsked // the worst of its addresses
			for _, a := range h.Addresses {
				is := func(id rule.ID, code rule.Code) bool {
					compared++
					return found[fmt.Sprintf("%s %s/%s", id, h.ID, a.Address)].Code == code
				}
				if (a.PTR == report.Broken) != is(rule.PTRExists, rule.CodeMissing) || (a.PTR == report.Unknown) != is(rule.PTRExists, rule.CodeNoAnswer) ||
					(a.PTR == report.NotAsked) != is(rule.PTRExists, rule.CodeNotPublic) {
					t.Errorf("%s: %s/%s: PTR %s", s.file, h.ID, a.Address, a.PTR)
				}
				all := a.PTR == report.Holds && a.Skipped == 0 && !slices.ContainsFunc(a.Names, func(n report.HostName) bool { return n.Confirmed != report.Holds })
				if all != is(rule.PTRConfirmed, rule.CodeOK) {
					t.Errorf("%s: %s/%s: all names confirmed %t", s.file, h.ID, a.Address, all)
				}
				if a.Helo == report.Broken || a.Helo == report.Unknown && arg != report.Broken || a.Helo == report.Holds && arg == report.NotAsked {
					arg = a.Helo
				}
			}
			want := map[rule.Status][]report.Link{
				rule.Pass: {report.Holds}, rule.Fail: {report.Broken}, rule.Undecided: {report.Unknown},
				// A HELO that is no name is not judged by this rule, and has no address.
				rule.NotApplicable: {report.NotAsked, report.Broken},
			}
			f := found[fmt.Sprintf("%s %s", rule.HeloResolves, h.ID)]
			if f.Code != rule.CodeNoName && !slices.Contains(want[f.Status], arg) {
				t.Errorf("%s: %s: HELO %s, and the finding is %s", s.file, h.ID, arg, f.Status)
			}
		}
	}
	if compared < 100 {
		t.Errorf("only %d comparisons", compared)
	}
}

// sameOrUnknown holds property 3 of the design for the map: a question that fails makes a
// link unknown, and never breaks or repairs one.
func sameOrUnknown(t *testing.T, what string, healthy, got []report.Host) {
	t.Helper()
	for i, h := range got {
		for j, a := range h.Addresses {
			was := healthy[i].Addresses[j]
			if a.PTR != was.PTR && a.PTR != report.Unknown || a.Helo != was.Helo && a.Helo != report.Unknown {
				t.Errorf("%s: %s %s: %v, healthy %v", what, h.ID, a.Address, a, was)
			}
			for k, n := range a.Names {
				if n.Confirmed != was.Names[k].Confirmed && n.Confirmed != report.Unknown {
					t.Errorf("%s: %s %s %s: %s, healthy %s", what, h.ID, a.Address, n.Name, n.Confirmed, was.Names[k].Confirmed)
				}
			}
		}
	}
}
