package audit_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bonafide-mta/bonafide/identity/report"
	"github.com/bonafide-mta/bonafide/identity/rule"
)

// A failure of a must is eased by what the HELO name says of the same addresses, all of
// them, and nothing else is. The report says so, and the failure stays one.
func TestMitigated(t *testing.T) {
	rep := readScenario(t, "testdata/eased.txtar").audit(t)
	got := make(map[string]string)
	var text bytes.Buffer
	if err := rep.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for _, f := range rep.Findings {
		if f.Mitigated == "" {
			continue
		}
		got[string(f.Rule)+" "+f.Subject.String()] = f.Mitigated
		if f.Status != rule.Fail || !strings.Contains(text.String(), "eased "+f.Mitigated+"\n") {
			t.Errorf("%s %s: %s, or not in the text", f.Rule, f.Subject, f.Status)
		}
	}
	want := map[string]string{
		"helo-resolves both":                 "by SPF the HELO name both.example.test. speaks for 192.0.2.10, 192.0.2.11, where a receiver asks",
		"ptr-not-generic generic/192.0.2.14": "by SPF and CSA the HELO name generic.example.test. speaks for 192.0.2.14, where a receiver asks",
		"helo-same-org other":                "by SPF the HELO name other.example.test. speaks for 192.0.2.16, where a receiver asks",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// What a failure costs stands in the report where the rule fails, what other programs want
// wherever it is judged.
func TestCostsAndInterop(t *testing.T) {
	shown := func(r rule.Rule, status rule.Status) string {
		o := report.Report{Findings: []report.Finding{{Rule: r.ID, Level: r.Level, Status: status, Message: "m"}}}
		var text strings.Builder
		if err := o.WriteText(&text); err != nil {
			t.Fatal(err)
		}
		return text.String()
	}
	for _, r := range rule.All() {
		for _, status := range []rule.Status{rule.Pass, rule.Fail, rule.Undecided, rule.NotApplicable} {
			text := shown(r, status)
			if got, want := strings.Contains(text, "\n    costs: "+r.Impact+"\n"), r.Impact != "" && status == rule.Fail; got != want {
				t.Errorf("%s %s: costs shown: %v", r.ID, status, got)
			}
			for _, other := range r.Conflicts {
				if got, want := strings.Contains(text, "\n    but: "+other+"\n"), status == rule.Pass || status == rule.Fail; got != want {
					t.Errorf("%s %s: %q shown: %v", r.ID, status, other, got)
				}
			}
		}
	}
}

// Of a pool of mail exchangers ten addresses are judged, and the finding says how many are
// left.
func TestManyExchangers(t *testing.T) {
	for _, f := range readScenario(t, "testdata/mail.txtar").audit(t).Findings {
		if f.Rule == rule.MXHosts && f.Subject.Name == "many.example.test." {
			if f.Status != rule.Pass || !strings.HasSuffix(f.Message, ": 2 more addresses were not looked at") {
				t.Errorf("%s: %s", f.Status, f.Message)
			}
			return
		}
	}
	t.Error("no such finding")
}
