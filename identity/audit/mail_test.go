package audit_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bonafide-mta/bonafide/identity/audit"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/resolver"
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

// A finding about a missing SPF record names the text that is meant as one, and what is
// wrong with it.
func TestNearMissNamed(t *testing.T) {
	const said = `receivers pass over "v=spf1; ip4:192.0.2.10 -all": a semicolon after the version: write a space`
	o, err := org.Parse("", []byte("domain: example.test\nmtas: [{addresses: [192.0.2.10], ptr: mta1.example.test, helo: post.example.test}]\nnames: [www.example.test]"))
	if err != nil {
		t.Fatal(err)
	}
	zone := "$TTL 300\n$ORIGIN example.test.\n"
	for _, name := range []string{"@", "post", "www"} {
		zone += name + " TXT \"v=spf1; ip4:192.0.2.10 -all\"\n"
	}
	zones, err := resolver.ParseZones(zone + "$ORIGIN 2.0.192.in-addr.arpa.\n@ NS ns.example.test.\n")
	if err != nil {
		t.Fatal(err)
	}
	rep, err := audit.Auditor{Resolver: zones, AllowDocumentation: true}.Audit(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	named := make(map[rule.ID]bool)
	for _, f := range rep.Findings {
		if strings.Contains(f.Message, said) {
			named[f.Rule] = true
		}
	}
	want := map[rule.ID]bool{rule.HeloSPF: true, rule.MailSPF: true, rule.NullSPF: true, rule.SPFValid: true, rule.SPFAgreed: true, rule.HeloSPFStrict: true}
	if diff := cmp.Diff(want, named); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
