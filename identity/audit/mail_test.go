package audit_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

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
