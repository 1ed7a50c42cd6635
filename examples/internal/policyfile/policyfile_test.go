package policyfile_test

import (
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/bonafide-mta/bonafide/examples/internal/policyfile"
	"github.com/bonafide-mta/bonafide/identity"
)

// read writes a text into a file p.yaml and reads it.
func read(t *testing.T, text string) (identity.Policy, string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "p.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := policyfile.Read(file)
	if err == nil {
		return p, ""
	}
	return p, strings.ReplaceAll(err.Error(), file, "p.yaml")
}

var comparePrefixes = cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })

func TestRead(t *testing.T) {
	want := identity.Policy{
		Reasons: map[identity.Reason]identity.Action{identity.NoPTR: identity.Reject, identity.HeloIsPTR: identity.Score},
		Levels:  map[identity.Level]identity.Action{identity.Forged: identity.Reject},
		Exceptions: []identity.Exception{
			{Network: netip.MustParsePrefix("2001:db8::/32"), For: []identity.Reason{identity.NoPTR}, Why: "they are new", Until: "2027-01-31"}, {Name: "example.org"},
		},
		ReportOnly: true, Explain: true,
	}
	for _, text := range []string{`# A comment.
reasons:
  no-ptr: Reject
  helo-is-ptr: score
levels: {forged: reject}
exceptions:
  - {network: "2001:db8::/32", for: [no-ptr], why: they are new, until: 2027-01-31}
  - name: example.org
report_only: true
explain: true
`, `{"reasons": {"no-ptr": "reject", "helo-is-ptr": "score"}, "levels": {"forged": "reject"}, "exceptions": [
	{"network": "2001:db8::/32", "for": ["no-ptr"], "why": "they are new", "until": "2027-01-31"}, {"name": "example.org"}], "report_only": true, "explain": true}`} {
		got, err := read(t, text)
		if diff := cmp.Diff(want, got, comparePrefixes); diff != "" || err != "" {
			t.Errorf("%s\n%s\n%s", text, err, diff)
		}
	}
}

// Every mistake has its place, the value, and what was expected.
func TestReadRefuses(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"", "p.yaml:1:1: empty: expected some of the keys reasons, levels, exceptions, report_only and explain"},
		{"reasons: {}\n---\nlevels: {}\n", "p.yaml:3:1: a second document: expected one policy"},
		{"levels: {Forged: reject}\n", "p.yaml:1:10: levels: unknown key \"Forged\": expected one of anonymous, distinct, explicit, forged, not-applicable, traceable, undetermined"},
		{"reasons: [no-ptr]\n", "p.yaml:1:10: reasons: expected keys and values, got a list"},
		{"report-only: true\nexplain: yes\n", "p.yaml:1:1: unknown key \"report-only\": expected one of exceptions, explain, levels, reasons, report_only\np.yaml:2:10: explain: expected true or false, got the text \"yes\""},
		{"reasons:\n  no-ptr: refuse\n  helo-unknown: reject\n  no-ptr: defer\n  session-exhausted: accept\nlevels:\n  explicit: defer\n  undetermined: reject\n", `p.yaml:2:11: reasons.no-ptr: "refuse": expected one of accept, score, defer, reject
p.yaml:3:17: reasons.helo-unknown: reject: a temporary failure: expected accept, score or defer
p.yaml:4:3: reasons: the key "no-ptr" is in line 2 already
p.yaml:5:22: reasons.session-exhausted: not a reason against a client that a policy can change: expected no entry
p.yaml:7:13: levels.explicit: defer: no client has a better level: expected accept or score
p.yaml:8:17: levels.undetermined: reject: a temporary failure: expected accept, score or defer`},
		{"exceptions:\n  - {why: x}\n  - {network: 192.0.2.1, until: 2027-02-29}\n  - {name: co.uk, for: [no-ptr, nothing, helo-spf-pass]}\n  - {name: [a.test], network: {2001:db8::/32: x}}\n", `p.yaml:2:5: exceptions[0].network: expected a network or a name
p.yaml:3:15: exceptions[1].network: "192.0.2.1": expected a network, as 192.0.2.0/28
p.yaml:3:33: exceptions[1].until: "2027-02-29": expected the last day of the exception, as 2027-01-31
p.yaml:4:12: exceptions[2].name: "co.uk": anybody can have a name below: expected the name of an organization, as example.org
p.yaml:4:33: exceptions[2].for[1]: "nothing": expected one of ` + keywords() + `
p.yaml:4:42: exceptions[2].for[2]: helo-spf-pass: not a reason against a client that a policy can change: expected no entry
p.yaml:5:12: exceptions[3].name: expected text, got a list
p.yaml:5:31: exceptions[3].network: expected text, in quotes if it has a colon, got keys and values`},
		{"reasons: {no-ptr: \"a\\x1b[31m\"}\n", `p.yaml:1:19: reasons.no-ptr: "a\x1b[31m": expected one of accept, score, defer, reject`},
	} {
		if got, err := read(t, tt.text); err != tt.want || got.Reasons != nil {
			t.Errorf("%s-want +got:\n%s", tt.text, cmp.Diff(tt.want, err))
		}
	}
	if _, err := read(t, "report_only: 1\nexplain: 1\nexceptions:\n"+strings.Repeat("  - {}\n", 30)); strings.Count(err, "\n") != 20 || !strings.HasSuffix(err, "\nand 12 more") {
		t.Errorf("32 mistakes:\n%s", err)
	}
	if _, err := policyfile.Read(filepath.Join(t.TempDir(), "none")); !os.IsNotExist(err) {
		t.Errorf("a missing file: %v", err)
	}
}

func keywords() string {
	var out []string
	for _, r := range identity.Reasons() {
		out = append(out, r.String())
	}
	return strings.Join(out, ", ")
}

// Read takes the JSON of each valid policy, and refuses each policy that Validate refuses.
func TestReadJSON(t *testing.T) {
	exception := identity.Exception{Network: netip.MustParsePrefix("192.0.2.0/24"), For: []identity.Reason{identity.NoPTR}}
	rapid.Check(t, func(rt *rapid.T) {
		p := identity.Policy{
			Reasons:    rapid.MapOfN(rapid.SampledFrom(identity.Reasons()), rapid.SampledFrom(identity.Actions()), 1, 5).Draw(rt, "reasons"),
			Levels:     rapid.MapOfN(rapid.SampledFrom(identity.Levels()), rapid.SampledFrom(identity.Actions()), 1, 3).Draw(rt, "levels"),
			Exceptions: rapid.SliceOfN(rapid.SampledFrom([]identity.Exception{exception, {Name: "example.org", Until: "2027-01-31", Why: "\"quoted\": #text\n"}, {}}), 1, 3).Draw(rt, "exceptions"),
			ReportOnly: rapid.Bool().Draw(rt, "report only"),
		}
		text, err := json.Marshal(p)
		if err != nil {
			rt.Fatal(err)
		}
		got, refused := read(t, string(text))
		if invalid := p.Validate(); invalid != nil {
			if strings.Count(refused, "\n") != strings.Count(invalid.Error(), "\n") || refused == "" {
				rt.Fatalf("%s\nrefused: %s\nValidate: %v", text, refused, invalid)
			}
			return
		}
		if diff := cmp.Diff(p, got, comparePrefixes); diff != "" || refused != "" {
			rt.Fatalf("%s: %s\n%s", text, refused, diff)
		}
	})
}
