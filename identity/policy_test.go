package identity_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/bonafide-mta/bonafide/csa"
	"github.com/bonafide-mta/bonafide/fcrdns"
	"github.com/bonafide-mta/bonafide/identity"
	"github.com/bonafide-mta/bonafide/identity/helo"
	"github.com/bonafide-mta/bonafide/spf"
)

// anyVerdict draws a verdict that results can come to.
func anyVerdict(t *rapid.T) identity.Verdict {
	v := fine()
	v.Step = rapid.SampledFrom([]identity.Step{identity.AtConnect, identity.AtHelo, identity.AtMailFrom}).Draw(t, "step")
	situation := rapid.SampledFrom(situations).Draw(t, "PTR name")
	v.IPRev = situation.result
	if v.Step < identity.AtMailFrom {
		v.Sender, v.MailFromSPF, v.NullMX = "", nil, nil
	} else {
		v.MailFromSPF, v.NullMX = rapid.SampledFrom(mailSPFs).Draw(t, "SPF").result, rapid.SampledFrom(nullMXs).Draw(t, "MX").result
	}
	ours := false
	greeting := rapid.SampledFrom(greetings).Draw(t, "HELO")
	switch {
	case v.Step == identity.AtConnect || greeting.helo == "-":
		v.HeloText, v.Helo, v.HeloSPF, v.CSA = "", nil, nil, nil
	case rapid.Bool().Draw(t, "a name"):
		v.HeloText, v.Helo = situation.helo, heloResult(situation.helo, rapid.SampledFrom([]helo.Status{helo.Pass, helo.Fail, helo.TempError}).Draw(t, "resolves"))
		v.HeloSPF, v.CSA = rapid.SampledFrom(heloSPFs).Draw(t, "HELO SPF").result, rapid.SampledFrom(csas).Draw(t, "CSA").result
	default:
		v.HeloText, v.Helo, v.HeloSPF, v.CSA, ours = greeting.helo, heloResult(greeting.helo, helo.Fail), nil, nil, greeting.ours
	}
	return *identity.Judge(v, ours, identity.Policy{})
}

// anyPolicy draws a policy, with entries that Validate refuses.
func anyPolicy(t *rapid.T) identity.Policy {
	actions := rapid.Map(rapid.IntRange(0, 6), func(n int) identity.Action { return identity.Action(n) })
	reasons := rapid.Map(rapid.IntRange(0, len(identity.Reasons())+2), func(n int) identity.Reason { return identity.Reason(n) })
	levels := rapid.Map(rapid.IntRange(0, len(identity.Levels())+2), func(n int) identity.Level { return identity.Level(n) })
	return identity.Policy{
		Reasons:    rapid.MapOfN(reasons, actions, 0, 8).Draw(t, "reasons"),
		Levels:     rapid.MapOfN(levels, actions, 0, 4).Draw(t, "levels"),
		ReportOnly: rapid.Bool().Draw(t, "report only"), Explain: rapid.Bool().Draw(t, "explain"),
	}
}

// The advice is the gravest of what the policy says about each reason and about the level;
// what Validate refuses does not count, except that Reject for a temporary failure is Defer.
func TestAdviseIsTheGravest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v, p := anyVerdict(t), anyPolicy(t)
		want := identity.Accept
		for _, r := range v.Reasons {
			action := r.DefaultAction()
			if entry, ok := p.Reasons[r]; ok {
				if r.Temporary() && entry == identity.Reject {
					entry = identity.Defer
				}
				if with(r, entry).Validate() == nil {
					action = entry
				}
			}
			if r == identity.NoHelo && v.Step == identity.AtConnect {
				continue
			}
			want = max(want, action)
		}
		if entry, ok := p.Levels[v.Level]; ok && v.Step != identity.AtConnect {
			if v.Level == identity.Undetermined && entry == identity.Reject {
				entry = identity.Defer
			}
			if (identity.Policy{Levels: map[identity.Level]identity.Action{v.Level: entry}}).Validate() == nil {
				want = max(want, entry)
			}
		}
		reasons := slices.Clone(v.Reasons)
		got := v.Advise(p)
		if !slices.Equal(reasons, v.Reasons) || v.Advise(p) != got {
			t.Fatal("the verdict has changed")
		}
		if withheld := got.Withheld; p.ReportOnly && want >= identity.Defer {
			if withheld != want || got.Action != identity.Score || got.Reply.Code != 0 {
				t.Fatalf("%+v, want %s withheld", got, want)
			}
		} else if got.Action != want || withheld != 0 {
			t.Fatalf("%+v, want %s", got, want)
		}
		v.Advice = got
		holdsVerdict(t, &v)
	})
}

// Each reason that a policy can refuse mail for has a reply of its own.
func TestRepliesDiffer(t *testing.T) {
	texts := make(map[string]identity.Reason)
	for _, r := range identity.Reasons() {
		v := fine()
		v.Reasons = []identity.Reason{r}
		for _, action := range identity.Actions() {
			p := with(r, action)
			if p.Validate() != nil {
				continue
			}
			got := v.Advise(p)
			v.Advice = got
			if got.Action != action || action >= identity.Defer && got.Reason != r {
				t.Errorf("%s: %s: %+v", r, action, got)
			}
			if strings.Contains(got.Reply.Text, "{") {
				t.Errorf("%s: %s", r, got.Reply.Text)
			}
			if other, ok := texts[got.Reply.Text]; action >= identity.Defer && ok && other != r && r != identity.MailFromFail {
				t.Errorf("%s and %s: %q", r, other, got.Reply.Text)
			}
			texts[got.Reply.Text] = r
		}
	}
}

// What a level decides has the reply of the reason for that level.
func TestAdviseByLevel(t *testing.T) {
	for _, tt := range []struct {
		client, helo string
		level        identity.Level
		action       identity.Action
		reason       identity.Reason
		want         string
	}{
		{"192.0.2.10", "smtp.example.test", identity.Explicit, identity.Reject, 0, "accept"}, // Validate refuses it
		{"192.0.2.10", "plain.example.test", identity.Distinct, identity.Reject, 0, "550 5.7.1 this server takes no mail from 192.0.2.10, whose identity is distinct"},
		{"192.0.2.10", "mta1.example.test", identity.Traceable, identity.Defer, identity.HeloIsPTR, "450 4.7.1 HELO \"mta1.example.test\" is the PTR name of 192.0.2.10; use another name of your server in HELO"},
		{"192.0.2.10", "elsewhere.example.test", identity.Traceable, identity.Reject, identity.HeloUnresolved, "550 5.7.1 HELO \"elsewhere.example.test\" does not resolve to 192.0.2.10"},
		{"192.0.2.20", "fixed.dsl.isp.test", identity.Traceable, identity.Reject, identity.GenericName, "550 5.7.1 the PTR name \"192-0-2-20.dsl.isp.test\" of 192.0.2.20 looks generic"},
		{"192.0.2.10", "mail.other.test", identity.Traceable, identity.Reject, identity.HeloSPFPass, "550 5.7.1 this server takes no mail from 192.0.2.10, whose identity is traceable"},
		{"192.0.2.21", "mail.isp.test", identity.Anonymous, identity.Reject, identity.NoPTR, "550 5.7.25 192.0.2.21 has no usable PTR name"},
		{"192.0.2.21", "mail.isp.test", identity.Anonymous, identity.Defer, identity.NoPTR, "450 4.7.25 192.0.2.21 has no usable PTR name"},
		{"192.0.2.30", "mta1.example.test", identity.Anonymous, identity.Reject, identity.Unconfirmed, "550 5.7.25 no PTR name of 192.0.2.30 resolves back to it"},
		{"192.0.2.20", "mail.isp.test", identity.Anonymous, identity.Reject, identity.GenericName, "550 5.7.1 the PTR name \"192-0-2-20.dsl.isp.test\" of 192.0.2.20 looks generic"},
		{"192.0.2.10", "[192.0.2.10]", identity.Anonymous, identity.Reject, identity.AddressLiteral, "550 5.7.1 HELO \"[192.0.2.10]\" is an address; use the name of your server in HELO"},
		{"192.0.2.10", "[192.0.2.11]", identity.Forged, identity.Reject, identity.OtherAddress, "550 5.7.1 HELO \"[192.0.2.11]\" is an address, and not 192.0.2.10"},
		{"198.51.100.7", "whatever", identity.NotApplicable, identity.Reject, identity.TrustedClient, "accept"}, // Validate refuses it
	} {
		v := verifier(fakeClients(t))
		v.Policy.Levels = map[identity.Level]identity.Action{tt.level: tt.action}
		got := run(t, v, tt.client, tt.helo, "")
		if got.Level != tt.level || tt.reason != 0 && got.LevelReason != tt.reason || got.Advice.String() != tt.want {
			t.Errorf("%s %s: %s by %s, %s", tt.client, tt.helo, got.Level, got.LevelReason, got.Advice)
		}
		holdsVerdict(t, got)
	}
	// Before HELO no client can be better than anonymous, and nobody is refused for it.
	v := verifier(fakeClients(t))
	v.Policy.Levels = map[identity.Level]identity.Action{identity.Anonymous: identity.Reject, identity.Undetermined: identity.Defer}
	if got := run(t, v, "192.0.2.10", "", ""); got.Level != identity.Anonymous || got.Advice.Action != identity.Accept {
		t.Errorf("%s, %s", got.Level, got.Advice)
	}
}

// A verdict can be judged again by any number of policies, at once.
func TestAdviseConcurrently(t *testing.T) {
	p := identity.Policy{Reasons: maps.Clone(unconfirmed.Reasons), ReportOnly: true}
	v := verifier(fakeClients(t))
	v.Policy = p
	for range 4 {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			got := run(t, v, "192.0.2.21", "mail.isp.test", "a@isp.test")
			if got.Advice.Withheld != identity.Reject || got.Advice.Action != identity.Score || got.Advice.Reason != identity.NoPTR || got.Advice.Reply.Code != 0 {
				t.Errorf("%+v", got.Advice)
			}
			if again := got.Advise(unconfirmed); again.String() != "550 5.7.25 192.0.2.21 has no usable PTR name" {
				t.Errorf("%s", again)
			}
			if milder := got.Advise(identity.Policy{}); milder != (identity.Advice{Action: identity.Score}) {
				t.Errorf("%+v", milder)
			}
		})
	}
}

func TestPolicyValidate(t *testing.T) {
	for _, p := range []identity.Policy{{}, unconfirmed, {ReportOnly: true, Explain: true}, {Levels: map[identity.Level]identity.Action{
		identity.Explicit: identity.Score, identity.Distinct: identity.Reject, identity.Undetermined: identity.Defer, identity.Forged: identity.Reject,
	}}} {
		if err := p.Validate(); err != nil {
			t.Errorf("%+v: %v", p, err)
		}
	}
	p := identity.Policy{
		Reasons: map[identity.Reason]identity.Action{
			0: identity.Accept, 99: identity.Reject, identity.SessionExhausted: identity.Defer, identity.TrustedClient: identity.Reject, identity.MailFromPass: identity.Score,
			identity.NoPTR: 0, identity.Unconfirmed: 9, identity.HeloUnknown: identity.Reject, identity.MalformedHelo: identity.Reject,
		},
		Levels: map[identity.Level]identity.Action{
			0: identity.Accept, 77: identity.Accept, identity.Explicit: identity.Defer, identity.Undetermined: identity.Reject, identity.NotApplicable: identity.Accept, identity.Forged: 0,
		},
	}
	const want = `reasons.identity.Reason(0): not a reason
reasons.trusted-client: not a reason against a client that a policy can change: expected no entry
reasons.helo-unknown: reject: a temporary failure: expected accept, score or defer
reasons.session-exhausted: not a reason against a client that a policy can change: expected no entry
reasons.no-ptr: identity.Action(0): expected accept, score, defer or reject
reasons.unconfirmed: identity.Action(9): expected accept, score, defer or reject
reasons.mail-from-pass: not a reason against a client that a policy can change: expected no entry
reasons.identity.Reason(99): not a reason
levels.identity.Level(0): not a level
levels.explicit: defer: no client has a better level: expected accept or score
levels.forged: identity.Action(0): expected accept, score, defer or reject
levels.undetermined: reject: a temporary failure: expected accept, score or defer
levels.not-applicable: such clients are not judged: expected no entry
levels.identity.Level(77): not a level`
	for range 20 {
		if err := p.Validate(); err == nil || err.Error() != want {
			t.Fatalf("%v", cmp.Diff(want, err.Error()))
		}
	}
}

// The reason for Undetermined is the first temporary failure of which two answers would have
// made two levels, and nothing is held against a client that an answer could refute.
func TestUndeterminedReason(t *testing.T) {
	n := 0
	for _, s := range situations {
		for _, resolves := range []helo.Status{helo.Pass, helo.Fail, helo.TempError} {
			for _, h := range heloSPFs {
				for _, c := range csas {
					v := identity.Verdict{Step: identity.AtHelo, Client: client, IPRev: s.result, HeloText: s.helo, Helo: heloResult(s.helo, resolves), HeloSPF: h.result, CSA: c.result}
					got := identity.Judge(v, false, identity.Policy{})
					if want, any := decisive(t, v, got.Reasons); got.LevelReason != want && got.Level == identity.Undetermined || any != (got.Level == identity.Undetermined) {
						t.Errorf("%s, resolves %s, SPF %s, CSA %s: %s by %s, want %s", s.reverse, resolves, h.name, c.name, got.Level, got.LevelReason, want)
					}
					n++
				}
			}
		}
	}
	t.Logf("%d combinations", n)
}

// decisive returns the first temporary failure on which the level depends. Whatever the answers
// would have been, a reason that is not temporary is one of the verdict on them, too.
func decisive(t *testing.T, v identity.Verdict, reasons []identity.Reason) (identity.Reason, bool) {
	// Every answer that an unknown one could have been.
	reverse := []*fcrdns.Result{v.IPRev}
	name := identity.ReverseUnknown
	switch {
	case v.IPRev.PTR.Err != nil:
		reverse = reverse[:0]
		for _, s := range situations {
			if !s.result.Status.Temporary() && s.helo == v.HeloText && !slices.ContainsFunc(s.result.Names, func(n fcrdns.Name) bool { return n.Outcome == fcrdns.NoAnswer }) {
				reverse = append(reverse, s.result)
			}
		}
	default:
		for i, n := range v.IPRev.Names {
			if n.Outcome != fcrdns.NoAnswer {
				name = identity.OtherPTRUnknown
				continue
			}
			yes, no := *v.IPRev, *v.IPRev
			yes.Names, no.Names = slices.Clone(yes.Names), slices.Clone(no.Names)
			yes.Names[i].Outcome, no.Names[i].Outcome = fcrdns.Confirmed, fcrdns.Mismatch
			if yes.Status, no.Status = fcrdns.Pass, fcrdns.Pass; len(no.Names) == 1 {
				no.Status = fcrdns.Fail
			}
			reverse = []*fcrdns.Result{&yes, &no}
		}
	}
	resolves := []helo.Status{v.Helo.Status}
	if v.Helo.Status == helo.TempError {
		resolves = []helo.Status{helo.Pass, helo.Fail}
	}
	policies := []*spf.Result{v.HeloSPF}
	if v.HeloSPF.Status.Temporary() || v.HeloSPF.Degraded.Text != "" {
		policies = []*spf.Result{heloSPFs[0].result, heloSPFs[4].result, heloSPFs[5].result}
	}
	records := []*csa.Result{v.CSA}
	if v.CSA.Status.Temporary() {
		records = []*csa.Result{csas[0].result, csas[1].result, csas[2].result}
	}
	// By the place of each answer in its list: the level.
	levels := make(map[[4]int]identity.Level)
	for i, r := range reverse {
		for j, status := range resolves {
			for k, p := range policies {
				for l, c := range records {
					known := v
					known.IPRev, known.Helo, known.HeloSPF, known.CSA = r, heloResult(v.HeloText, status), p, c
					judged := identity.Judge(known, false, identity.Policy{})
					levels[[4]int{i, j, k, l}] = judged.Level
					for _, r := range reasons {
						if !r.Temporary() && !judged.Has(r) {
							t.Errorf("%s, and with answers %s", keywords(reasons), keywords(judged.Reasons))
						}
					}
				}
			}
		}
	}
	for i, reason := range []identity.Reason{name, identity.HeloUnknown, identity.HeloSPFUnknown, identity.CSAUnknown} {
		for at, level := range levels {
			for other := range 20 {
				at[i] = other
				if l, ok := levels[at]; ok && l != level {
					return reason, true
				}
			}
		}
	}
	return 0, false
}

// An action for what is not a level counts for no verdict, not even for one without a level.
func TestInvalidLevelAction(t *testing.T) {
	v := &identity.Verdict{Step: identity.AtHelo}
	for _, level := range []identity.Level{0, 200} {
		v.Level = level
		if got := v.Advise(identity.Policy{Levels: map[identity.Level]identity.Action{level: identity.Reject}}); got != (v.Advise(identity.Policy{})) {
			t.Errorf("%s: %v", level, got)
		}
	}
}
