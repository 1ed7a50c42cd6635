package identity_test

import (
	"encoding"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/csa"
	"github.com/bonafide-mta/bonafide/fcrdns"
	"github.com/bonafide-mta/bonafide/identity"
	"github.com/bonafide-mta/bonafide/identity/helo"
	"github.com/bonafide-mta/bonafide/nullmx"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/spf"
)

var updateDocs = flag.Bool("update", false, "rewrite docs/decisions.md")

const decisions = "../docs/decisions.md"

var errDown = errors.New("down")

// A part is one sub-result, and what the table calls it.
type part[R any] struct {
	name   string
	result R
}

var (
	heloSPFs = []part[*spf.Result]{
		{"none", &spf.Result{Status: spf.None}}, {"neutral", &spf.Result{Status: spf.Neutral}}, {"softfail", &spf.Result{Status: spf.SoftFail}},
		{"permerror", &spf.Result{Status: spf.PermError, Err: errDown}},
		{"pass", &spf.Result{Status: spf.Pass}}, {"fail", &spf.Result{Status: spf.Fail}},
		{"temperror", &spf.Result{Status: spf.TempError, Err: errDown}},
		{"pass, degraded", &spf.Result{Status: spf.Pass, Degraded: spf.TermAt{Text: "ptr"}}},
	}
	csas = []part[*csa.Result]{
		{"none", &csa.Result{Status: csa.None}}, {"pass", &csa.Result{Status: csa.Pass}}, {"fail", &csa.Result{Status: csa.Fail}},
		{"temperror", &csa.Result{Status: csa.TempError, Err: errDown}},
	}
	mailSPFs = []part[*spf.Result]{
		{"none", &spf.Result{Status: spf.None}}, {"neutral", &spf.Result{Status: spf.Neutral}}, {"pass", &spf.Result{Status: spf.Pass}},
		{"softfail", &spf.Result{Status: spf.SoftFail}}, {"permerror", &spf.Result{Status: spf.PermError, Err: errDown}},
		{"fail", policyFail("v=spf1 ip4:203.0.113.1 -all")}, {"fail, of a record that authorizes nobody", policyFail("v=spf1 -all")},
		{"temperror", &spf.Result{Status: spf.TempError, Err: errDown}},
		{"fail, degraded", &spf.Result{Status: spf.Fail, Degraded: spf.TermAt{Text: "ptr"}}},
	}
	nullMXs = []part[*nullmx.Result]{
		{"not asked", nil}, {"explicit", &nullmx.Result{Status: nullmx.Explicit}}, {"implicit", &nullmx.Result{Status: nullmx.Implicit}},
		{"none", &nullmx.Result{Status: nullmx.None}}, {"nxdomain", &nullmx.Result{Status: nullmx.NXDomain}}, {"mixed", &nullmx.Result{Status: nullmx.Mixed}},
		{"null", &nullmx.Result{Status: nullmx.Null}}, {"temperror", &nullmx.Result{Status: nullmx.TempError, Err: errDown}},
	}
)

func policyFail(text string) *spf.Result {
	return &spf.Result{
		Status: spf.Fail, Domain: "example.test.", Term: spf.TermAt{Text: "-all", Domain: "example.test."},
		Responses: []resolver.Response{{Question: resolver.Question{Name: "example.test.", Type: dns.TypeTXT}, Answer: resolver.Answer{Records: []dns.RR{&dns.TXT{Txt: []string{text}}}}}},
	}
}

// A situation is a state of the reverse name and HELO.
type situation struct {
	reverse string
	result  *fcrdns.Result
	helo    string
}

const (
	good    = "smtp.example.test"
	generic = "192-0-2-10.dsl.example.test"
)

// named has names, each with its outcome.
func named(status fcrdns.Status, names ...fcrdns.Name) *fcrdns.Result {
	r := &fcrdns.Result{Addr: client, Status: status, Names: names}
	if status == fcrdns.TempError || status == fcrdns.PermError {
		r.Err = errDown
	}
	return r
}

// tooMany has more names than were looked up.
func tooMany(status fcrdns.Status, names ...fcrdns.Name) *fcrdns.Result {
	r := named(status, names...)
	r.Skipped = 1
	return r
}

func confirmed(name string) fcrdns.Name {
	return fcrdns.Name{Name: name + ".", Outcome: fcrdns.Confirmed}
}
func unanswered(name string) fcrdns.Name {
	return fcrdns.Name{Name: name + ".", Outcome: fcrdns.NoAnswer}
}

var noReverse = named(fcrdns.PermError)

// situations of a HELO name, which resolves to the client or not.
var situations = []situation{
	{"confirmed, of the organization, another name", named(fcrdns.Pass, confirmed("mta1.example.test")), good},
	{"confirmed, of the organization, another name, generic", named(fcrdns.Pass, confirmed(generic)), good},
	{"confirmed, the same name", named(fcrdns.Pass, confirmed(good)), good},
	{"confirmed, the same name, generic", named(fcrdns.Pass, confirmed(generic)), generic},
	{"confirmed, unrelated", named(fcrdns.Pass, confirmed("mail.other.test")), good},
	{"confirmed, unrelated, generic", named(fcrdns.Pass, confirmed("192-0-2-10.dsl.isp.test")), good},
	{"unconfirmed", named(fcrdns.Fail, fcrdns.Name{Name: "mta1.example.test.", Outcome: fcrdns.Mismatch}), good},
	{"none", noReverse, good},
	{"too many, none of those looked up confirmed", tooMany(fcrdns.PermError), good},
	{"too many, confirmed, unrelated", tooMany(fcrdns.Pass, confirmed("mail.other.test")), good},
	{"not known", &fcrdns.Result{Status: fcrdns.TempError, Err: errDown, PTR: resolver.Response{Err: errDown}}, good},
	{"of the organization, confirmed or not", named(fcrdns.TempError, unanswered("mta1.example.test")), good},
	{"unrelated, confirmed or not", named(fcrdns.TempError, unanswered("mail.other.test")), good},
	{"two of the organization, one confirmed", named(fcrdns.Pass, confirmed("mta1.example.test"), unanswered("mta2.example.test")), good},
	{"unrelated and confirmed, or of the organization", named(fcrdns.Pass, confirmed("mail.other.test"), unanswered("mta1.example.test")), good},
	{"unrelated, generic and confirmed, or of the organization", named(fcrdns.Pass, confirmed("192-0-2-10.dsl.isp.test"), unanswered("mta1.example.test")), good},
	{"too many, unrelated and confirmed, or of the organization", tooMany(fcrdns.Pass, confirmed("mail.other.test"), unanswered("mta1.example.test")), good},
}

// greetings that are no name that could lead to the client.
var greetings = []struct {
	name, helo string
	ours       bool
}{
	{"not sent", "-", false},
	{"malformed", "a b", false},
	{"a name that means nothing in the public DNS", "localhost", false},
	{"the client's own address", "[192.0.2.10]", false},
	{"another address, private or reserved", "[192.168.1.5]", false},
	{"another public address", "[192.0.2.99]", false},
	{"a name of ours", "mx.here.test", true},
}

func heloResult(heloName string, status helo.Status) *helo.Result {
	parsed, err := helo.Parse(heloName)
	r := &helo.Result{Argument: parsed, Status: status, Err: err}
	if status == helo.TempError {
		r.Err = errDown
	}
	return r
}

// words of the HELO name's owner, by which all combinations of SPF and CSA go.
var owner = []string{"says nothing", "authorizes", "not known", "denies"}

func wordOf(s *spf.Result, c *csa.Result) int {
	switch {
	case s.Status == spf.Fail, c.Status == csa.Fail:
		return 3
	case s.Status == spf.TempError, s.Degraded.Text != "", c.Status == csa.TempError:
		return 2
	case s.Status == spf.Pass, c.Status == csa.Pass:
		return 1
	}
	return 0
}

// levels returns the table of levels, and counts the combinations behind it.
func levels(t *testing.T) (string, int) {
	var b strings.Builder
	n := 0
	deciding := make(map[identity.Level]map[identity.Reason]bool)
	hold := func(v *identity.Verdict) {
		holdsVerdict(t, v)
		if deciding[v.Level] == nil {
			deciding[v.Level] = make(map[identity.Reason]bool)
		}
		if v.LevelReason != 0 {
			deciding[v.Level][v.LevelReason] = true
		}
	}
	row := func(cells ...string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	row(append([]string{"PTR name", "HELO resolves to the client"}, owner...)...)
	row(slices.Repeat([]string{"---"}, 2+len(owner))...)
	judge := func(base identity.Verdict, ours bool) []string {
		got := make([]string, len(owner))
		for _, s := range heloSPFs {
			for _, c := range csas {
				v := base
				v.HeloSPF, v.CSA = s.result, c.result
				judged := identity.Judge(v, ours, identity.Policy{})
				hold(judged)
				level := judged.Level.String()
				w := wordOf(s.result, c.result)
				if got[w] != "" && got[w] != level {
					t.Errorf("SPF %s, CSA %s: %s, though others of %q are %s", s.name, c.name, level, owner[w], got[w])
				}
				got[w] = level
				n++
			}
		}
		return got
	}
	for _, s := range situations {
		for _, resolves := range []helo.Status{helo.Pass, helo.Fail, helo.TempError} {
			if strings.Contains(s.reverse, "the same name") && resolves != helo.Pass {
				continue // the reverse name was confirmed by the same answer
			}
			leads := map[helo.Status]string{helo.Pass: "yes", helo.Fail: "no", helo.TempError: "not known"}[resolves]
			v := identity.Verdict{Step: identity.AtHelo, Client: client, IPRev: s.result, HeloText: s.helo, Helo: heloResult(s.helo, resolves)}
			row(append([]string{s.reverse, leads}, judge(v, false)...)...)
		}
	}
	fmt.Fprintf(&b, "\nA HELO that is not such a name has no owner to publish anything. Its level does not depend on the PTR name:\n\n")
	row("HELO", "level")
	row("---", "---")
	for _, g := range greetings {
		level := ""
		for _, s := range situations {
			v := identity.Verdict{Step: identity.AtHelo, Client: client, IPRev: s.result, HeloText: g.helo}
			if g.helo != "-" {
				status := helo.Fail
				if strings.Contains(g.helo, " ") {
					status = helo.PermError
				}
				v.Helo, v.HeloSPF, v.CSA = heloResult(g.helo, status), heloSPFs[0].result, csas[0].result
			}
			judged := identity.Judge(v, g.ours, identity.Policy{})
			hold(judged)
			got := judged.Level.String()
			if level != "" && got != level {
				t.Errorf("HELO %s, reverse name %s: %s, and %s for others", g.name, s.reverse, got, level)
			}
			level = got
			n++
		}
		row(g.name, level)
	}
	fmt.Fprintf(&b, "\nThe reason that decides a level (`LevelReason`) is one of these. Distinct has none, and neither have the others where DNS left open\nwhich of several reasons for the same level holds:\n\n")
	row("level", "reasons")
	row("---", "---")
	for _, level := range identity.Levels() {
		if reasons := slices.Sorted(maps.Keys(deciding[level])); len(reasons) > 0 {
			row(level.String(), "`"+strings.ReplaceAll(keywords(reasons), " ", "`, `")+"`")
		}
	}
	return b.String(), n
}

// A rule of advice: a sub-result by itself.
type adviceRule struct {
	name string
	set  func(*identity.Verdict)
	ours bool
}

func adviceRules() []adviceRule {
	var out []adviceRule
	add := func(name string, set func(*identity.Verdict)) { out = append(out, adviceRule{name, set, false}) }
	for _, g := range greetings {
		out = append(out, adviceRule{"HELO " + g.name, func(v *identity.Verdict) {
			v.HeloText, v.Helo, v.HeloSPF, v.CSA = g.helo, heloResult(g.helo, helo.Fail), heloSPFs[0].result, csas[0].result
			if g.helo == "-" {
				v.HeloText, v.Helo = "", nil
			}
		}, g.ours})
	}
	add("HELO does not resolve to the client", func(v *identity.Verdict) { v.Helo, v.HeloSPF = heloResult(good, helo.Fail), heloSPFs[0].result })
	add("HELO resolves to the client or not", func(v *identity.Verdict) { v.Helo = heloResult(good, helo.TempError) })
	for _, s := range heloSPFs {
		add("SPF of HELO "+s.name, func(v *identity.Verdict) { v.HeloSPF = s.result })
	}
	for _, c := range csas {
		add("CSA "+c.name, func(v *identity.Verdict) { v.CSA = c.result })
	}
	for _, s := range situations {
		add("PTR name "+s.reverse, func(v *identity.Verdict) {
			v.IPRev = s.result
			if s.helo == generic {
				v.HeloText, v.Helo = generic, heloResult(generic, helo.Pass)
			}
		})
	}
	add("MAIL FROM malformed", func(v *identity.Verdict) { v.Sender, v.MailFromSPF, v.NullMX = "a b", nil, nil })
	for _, n := range nullMXs {
		add("sender's MX "+n.name, func(v *identity.Verdict) { v.NullMX = n.result })
	}
	for _, m := range mailSPFs {
		add("SPF of MAIL FROM "+m.name, func(v *identity.Verdict) { v.MailFromSPF = m.result })
	}
	return out
}

// judged returns the verdict on a client against which the sub-result alone speaks.
func (r adviceRule) judged(p identity.Policy) *identity.Verdict {
	v := fine()
	r.set(&v)
	return identity.Judge(v, r.ours, p)
}

// deciding returns the reason for the advice, 0 if nothing speaks against the client: that
// with the gravest default.
func (r adviceRule) deciding() (deciding identity.Reason) {
	for _, reason := range r.judged(identity.Policy{}).Reasons {
		if settable(reason) && reason.DefaultAction() > deciding.DefaultAction() {
			deciding = reason
		}
	}
	return deciding
}

// settable reports whether Validate lets a policy have an entry for a reason.
func settable(r identity.Reason) bool { return with(r, identity.Score).Validate() == nil }

// with is a policy with one entry.
func with(r identity.Reason, a identity.Action) identity.Policy {
	return identity.Policy{Reasons: map[identity.Reason]identity.Action{r: a}}
}

// opposite returns an action that is as different from the default as it can be.
func opposite(r identity.Reason) identity.Action {
	switch {
	case r.DefaultAction() >= identity.Defer:
		return identity.Score
	case r.Temporary():
		return identity.Defer
	}
	return identity.Reject
}

// fine is a client against which nothing speaks.
func fine() identity.Verdict {
	return identity.Verdict{
		Step: identity.AtMailFrom, Client: client, IPRev: situations[0].result, HeloText: good, Helo: heloResult(good, helo.Pass),
		HeloSPF: heloSPFs[4].result, CSA: csas[1].result, Sender: "a@example.test", MailFromSPF: mailSPFs[2].result, NullMX: nullMXs[1].result,
	}
}

func reply(a identity.Advice) string {
	if a.Reply.Code == 0 {
		return a.Action.String()
	}
	return fmt.Sprintf("%s %d %s", a.Action, a.Reply.Code, a.Reply.Enhanced)
}

func advice() string {
	var b strings.Builder
	b.WriteString("| sub-result | advice | with | instead |\n|---|---|---|---|\n")
	for _, r := range adviceRules() {
		entry, instead := "", ""
		if reason := r.deciding(); reason != 0 {
			action := opposite(reason)
			entry, instead = fmt.Sprintf("`%s: %s`", reason, action), reply(r.judged(with(reason, action)).Advice)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", r.name, reply(r.judged(identity.Policy{}).Advice), entry, instead)
	}
	return b.String()
}

// TestDecisions holds docs/decisions.md to what the code decides, for all combinations.
func TestDecisions(t *testing.T) {
	table, n := levels(t)
	want := "# Decisions of identity.Verifier\n\nWritten by `go test ./identity -run Decisions -update`.\n\n" +
		"## Levels\n\nThe last four columns are what the owner of the HELO name publishes about the client by SPF and CSA. A denial decides; else one that\n" +
		"DNS gave no answer about; else one that authorizes. None, neutral, softfail and permerror say nothing.\n\n" +
		"The best HELO name is another name of the organization than the PTR name, and resolves to the client: malware that only looks up its\n" +
		"own PTR name does not find it. A HELO name that resolves to the client and is authorized is traceable, whatever the PTR name is. A\n" +
		"generic PTR name ties the client only to a HELO name that resolves to it, and is another.\n\n" + table +
		"\n## Advice\n\nWhat is advised for one sub-result if nothing else speaks against the client; of several the most severe, reject before defer before\n" +
		"score. The last columns show an entry of `identity.Policy.Reasons` that changes it. By default no level has an advice of its own; an\n" +
		"entry of `identity.Policy.Levels` gives it one, with the reply of the reason that decided it. If the session is exhausted, nothing is\n" +
		"judged, and the advice is defer 421 4.7.0, whatever the policy.\n\n" + advice() +
		"\n## Reasons\n\nWhat a policy can say about each reason, and what is answered then. A temporary failure is never rejected. The reply to a deferral has\n" +
		"the same text as that to a rejection. Reasons that are not here speak for a client, or no policy changes what is done about them.\n\n" + reasonTable(t)
	if *updateDocs {
		if err := os.WriteFile(decisions, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(decisions)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(got), want); diff != "" {
		t.Errorf("%s (-is +should be), -update rewrites it:\n%s", decisions, diff)
	}
	t.Logf("%d combinations for levels", n)
}

// Every combination of sub-results gets the gravest advice of its parts; by policies of one
// entry, every 97th.
func TestDecisionsCombined(t *testing.T) {
	policies := []identity.Policy{{}}
	for _, r := range identity.Reasons() {
		if settable(r) {
			policies = append(policies, with(r, opposite(r)))
		}
	}
	n := 0
	for i, p := range policies {
		turn := 0
		actions := make(map[any]identity.Action) // of one part, all others being fine
		alone := func(part any, set func(*identity.Verdict)) identity.Action {
			if _, ok := actions[part]; !ok {
				v := fine()
				set(&v)
				actions[part] = identity.Judge(v, false, p).Advice.Action
			}
			return actions[part]
		}
		for _, s := range situations {
			if s.helo != good {
				continue
			}
			for _, h := range heloSPFs {
				for _, c := range csas {
					for _, m := range mailSPFs {
						for _, x := range nullMXs {
							if turn++; i > 0 && turn%97 != 0 {
								continue
							}
							v := fine()
							v.IPRev, v.HeloSPF, v.CSA, v.MailFromSPF, v.NullMX = s.result, h.result, c.result, m.result, x.result
							got := identity.Judge(v, false, p)
							want := max(alone(s.result, func(v *identity.Verdict) { v.IPRev = s.result }), alone(h.result, func(v *identity.Verdict) { v.HeloSPF = h.result }),
								alone(c.result, func(v *identity.Verdict) { v.CSA = c.result }), alone(m.result, func(v *identity.Verdict) { v.MailFromSPF = m.result }),
								alone(x.result, func(v *identity.Verdict) { v.NullMX = x.result }))
							if got.Advice.Action != want {
								t.Fatalf("%+v, reverse %s, HELO SPF %s, CSA %s, SPF %s, MX %s: %s, the gravest of the parts is %s", p, s.reverse, h.name, c.name, m.name, x.name, got.Advice.Action, want)
							}
							holdsVerdict(t, got)
							n++
						}
					}
				}
			}
		}
	}
	t.Logf("%d combinations", n)
}

// textual is what every enumeration is.
type textual interface {
	encoding.TextMarshaler
	fmt.Stringer
}

func TestVerdictTexts(t *testing.T) {
	check := func(v textual, into encoding.TextUnmarshaler) {
		t.Helper()
		text, err := v.MarshalText()
		if err != nil || string(text) != v.String() {
			t.Errorf("%v: %q, %v", v, text, err)
		}
		if err := into.UnmarshalText([]byte(strings.ToUpper(string(text)))); err != nil || fmt.Sprint(into.(textual)) != v.String() {
			t.Errorf("%v came back as %v, %v", v, into, err)
		}
		if err := into.UnmarshalText([]byte("unheard-of")); err == nil {
			t.Errorf("%T: no error", v)
		}
	}
	for _, l := range identity.Levels() {
		check(l, new(identity.Level))
	}
	for _, a := range identity.Actions() {
		check(a, new(identity.Action))
	}
	for s := identity.AtConnect; s <= identity.AtMailFrom; s++ {
		check(s, new(identity.Step))
	}
	for _, r := range identity.Reasons() {
		check(r, new(identity.Reason))
		if r.Text() == "" || r.Temporary() != (strings.HasSuffix(r.String(), "-unknown") || r == identity.SessionExhausted) {
			t.Errorf("%s: %q, temporary %v", r, r.Text(), r.Temporary())
		}
	}
	for _, zero := range []textual{identity.Level(0), identity.Action(0), identity.Step(0), identity.Reason(0), identity.Reason(99)} {
		if text, err := zero.MarshalText(); err == nil {
			t.Errorf("%v is text: %q", zero, text)
		}
	}
	if identity.Reason(99).Text() != "" {
		t.Error("an invalid reason says something")
	}
}
