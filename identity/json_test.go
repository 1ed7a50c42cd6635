package identity_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/bonafide-mta/bonafide/identity"
	"github.com/bonafide-mta/bonafide/resolver"
)

// holdsJSON fails unless a verdict can be written as JSON and, read back, has the same JSON, log
// line and advice.
func holdsJSON(t interface{ Fatalf(string, ...any) }, v *identity.Verdict, policies ...identity.Policy) {
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatalf("%s: %v", v.LogValue(), err)
	}
	var back identity.Verdict
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	again, err := json.Marshal(back)
	if err != nil || !bytes.Equal(text, again) {
		t.Fatalf("%v:\nfirst %s\nagain %s", err, text, again)
	}
	for _, p := range policies {
		if got, want := back.Advise(p), v.Advise(p); got != want {
			t.Fatalf("%+v, before JSON %+v", got, want)
		}
	}
	if v.Advise(policies[0]) == v.Advice && back.Advise(policies[0]) != back.Advice {
		t.Fatalf("%+v", back.Advice)
	}
}

var jsonPolicies = []identity.Policy{{}, everything(), {Reasons: everything().Reasons, ReportOnly: true}, {Reasons: everything().Reasons, Explain: true},
	{Levels: everything().Levels, Exceptions: []identity.Exception{{Name: "example.test"}, network("192.0.2.20/32")}},
	{Reasons: everything().Reasons, Exceptions: []identity.Exception{{Name: "isp.test", Until: "2020-01-01"}, {Name: "example.test", For: []identity.Reason{identity.HeloUnresolved, identity.MailFromPass}}}}}

// Verdicts of sessions, and zero ones, with DNS that answers and that does not.
func TestVerdictJSON(t *testing.T) {
	broken := resolver.Func(func(context.Context, string, uint16) (resolver.Answer, error) {
		return resolver.Answer{}, errors.New("down\xff\n")
	})
	for _, p := range jsonPolicies {
		holdsJSON(t, new(identity.Verdict), p)
		holdsJSON(t, &identity.Verdict{Advice: new(identity.Verdict).Advise(p)}, p)
	}
	for _, tt := range clients {
		v := verifier(fakeClients(t))
		v.Policy.Explain = true
		holdsJSON(t, run(t, v, tt.client, tt.helo, tt.sender), slices.Concat([]identity.Policy{v.Policy}, jsonPolicies)...)
		v.Resolver = broken
		holdsJSON(t, run(t, v, tt.client, tt.helo+"\xff\ufffd\x00<\u2028", tt.sender), slices.Concat([]identity.Policy{v.Policy}, jsonPolicies)...)
	}
	s := identity.Verifier{Resolver: fakeClients(t), MaxQuestions: 1}.Session(t.Context(), client)
	defer s.Close()
	var v *identity.Verdict
	for i := range 200 {
		v = s.Helo(t.Context(), fmt.Sprintf("h%d.example.test", i))
	}
	if holdsJSON(t, v, jsonPolicies...); !v.Has(identity.SessionExhausted) {
		t.Errorf("not exhausted: %s", keywords(v.Reasons))
	}
}

// Verdicts of any results by any policy, and text of any octets.
func TestVerdictJSONRandom(t *testing.T) {
	octets := rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }))
	rapid.Check(t, func(t *rapid.T) {
		v, p := anyVerdict(t), anyPolicy(t)
		v.HeloText, v.Sender = octets.Draw(t, "HELO text"), octets.Draw(t, "sender")
		v.Advice = v.Advise(p)
		holdsJSON(t, &v, p)
	})
}

// The JSON of a policy is one of keywords, and is read back.
func TestPolicyJSON(t *testing.T) {
	p := identity.Policy{
		Reasons: with(identity.NoPTR, identity.Reject).Reasons, Levels: map[identity.Level]identity.Action{identity.Forged: identity.Defer}, ReportOnly: true,
		Exceptions: []identity.Exception{{Name: "example.test", For: []identity.Reason{identity.NoPTR}, Why: "new", Until: "2027-01-31"}, network("192.0.2.0/24")},
	}
	const want = `{"reasons":{"no-ptr":"reject"},"levels":{"forged":"defer"},"exceptions":[{"name":"example.test","for":["no-ptr"],"why":"new","until":"2027-01-31"},{"network":"192.0.2.0/24"}],"report_only":true}`
	text, err := json.Marshal(p)
	if err != nil || string(text) != want {
		t.Errorf("%v: %s", err, text)
	}
	var back identity.Policy
	if err := json.Unmarshal(text, &back); err != nil || !maps.Equal(back.Reasons, p.Reasons) || !maps.Equal(back.Levels, p.Levels) || back.Exceptions[1].Network != p.Exceptions[1].Network {
		t.Errorf("%v: %+v", err, back)
	}
	for _, bad := range []string{`{"reasons":{"nothing":"reject"}}`, `{"levels":{"forged":"refuse"}}`} {
		if err := json.Unmarshal([]byte(bad), &back); err == nil {
			t.Errorf("%s: no error", bad)
		}
	}
	for value, want := range map[any]string{identity.Policy{}.Explain: `false`, identity.Advice{}: `{}`, identity.Advice{Action: identity.Score, Withheld: identity.Reject, Reason: identity.NoPTR}: `{"action":"score","reason":"no-ptr","withheld":"reject"}`} {
		if text, err := json.Marshal(value); err != nil || string(text) != want {
			t.Errorf("%v: %s, want %s", err, text, want)
		}
	}
	if text, err := json.Marshal(identity.Policy{}); err != nil || string(text) != "{}" {
		t.Errorf("%v: %s", err, text)
	}
}
