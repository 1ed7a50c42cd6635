package rule_test

import (
	"encoding"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bonafide-mta/bonafide/identity/rule"
)

// What others refer to does not change by accident: an ID is never given to
// another rule, and a rule does not change its level or scope unnoticed.
func TestFrozen(t *testing.T) {
	want := []string{
		"org-domain must organization",
		"address-public must address",
		"ptr-exists must address",
		"ptr-confirmed must address",
		"ptr-syntax must address",
		"ptr-one-name must mta",
		"ptr-not-generic must address",
		"ptr-static advice address",
		"ptr-role advice address",
		"helo-fqdn must mta",
		"helo-role advice mta",
		"helo-resolves must mta",
		"helo-same-org must mta",
		"helo-differs should-major mta",
		"spf-valid should-major name",
		"spf-agreed advice name",
		"helo-spf should-major mta",
		"helo-spf-strict advice mta",
		"mail-spf should-major mail-domain",
		"helo-csa should-minor mta",
		"helo-rp should-minor mta",
		"null-mx should-major other-name",
		"null-spf should-major other-name",
		"ptr-locked should-major ptr-name",
		"domain-csa should-minor organization",
		"domain-rp should-minor organization",
		"mail-route must name",
		"mx-hosts must mail-domain",
		"role-mailboxes must name",
		"wildcards advice mail-domain",
		"ttls advice organization",
		"exceptions-current advice organization",
	}
	var got []string
	for _, r := range rule.All() {
		if r.Receiver == "" { // see TestReceivers
			got = append(got, fmt.Sprintf("%s %s %s", r.ID, r.Level, r.Scope))
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the catalogue has changed (-was +is):\n%s", diff)
	}
}

// Nor does an outcome change its code or its status: reports have them. Only a
// rule that asks DNS can be undecided, and it has an outcome for no answer.
func TestFrozenOutcomes(t *testing.T) {
	asksNothing := []rule.ID{rule.AddressPublic, rule.HeloName, rule.ExceptionsCurrent}
	var got []string
	for _, r := range rule.All() {
		if r.Receiver != "" {
			continue // see TestReceivers
		}
		codes := make(map[rule.Status][]string)
		for _, o := range r.Outcomes {
			codes[o.Status] = append(codes[o.Status], o.Code.String())
		}
		got = append(got, fmt.Sprintf("%s %v %v %v %v", r.ID, codes[rule.Pass], codes[rule.Fail], codes[rule.Undecided], codes[rule.NotApplicable]))
		asks := !slices.Contains(asksNothing, r.ID)
		if asks != slices.Contains(codes[rule.Undecided], "no-answer") || !asks && len(codes[rule.Undecided]) > 0 {
			t.Errorf("%s asks DNS: %v, and is undecided by %v", r.ID, asks, codes[rule.Undecided])
		}
	}
	want := []string{
		"org-domain [ok private-suffix] [public-suffix malformed reserved documentation not-in-dns] [no-answer cannot-tell] []",
		"address-public [ok allowed] [private shared documentation special] [] []",
		"ptr-exists [ok] [missing] [no-answer] [not-public]",
		"ptr-confirmed [ok] [some-unconfirmed mismatch unusable] [too-many-names no-answer] [no-ptr not-public]",
		"ptr-syntax [ok] [underscore no-host-name] [no-answer] [no-ptr not-public]",
		"ptr-one-name [ok] [other-name several-names not-all-addresses] [too-many-names no-answer] [no-ptr not-public single-address]",
		"ptr-not-generic [ok unclear] [generic] [no-answer] [no-ptr not-public]",
		"ptr-static [] [dynamic] [unproven no-answer] [no-ptr not-public]",
		"ptr-role [ok shared] [no-role] [no-answer] [not-dedicated no-ptr not-public]",
		"helo-fqdn [ok] [literal underscore not-qualified malformed] [] [receives-only]",
		"helo-role [ok] [more-addresses no-role] [no-answer] [no-name not-public receives-only]",
		"helo-resolves [ok] [no-address not-all-addresses] [no-answer] [no-name not-public receives-only]",
		"helo-same-org [ok] [unrelated other-organization] [no-answer] [no-ptr no-name not-public receives-only]",
		"helo-differs [ok] [identical] [no-answer] [no-ptr no-name not-public receives-only]",
		"spf-valid [ok] [broken ignored] [no-answer] [no-record]",
		"spf-agreed [ok] [disagreed] [no-answer] [no-record not-public]",
		"helo-spf [ok] [missing invalid not-all-addresses others-allowed] [no-answer] [no-name not-public receives-only]",
		"helo-spf-strict [ok] [no-fail more-addresses] [no-answer] [mail-domain invalid no-record no-name not-public receives-only]",
		"mail-spf [ok] [missing invalid not-all-addresses others-allowed no-fail] [no-answer] [not-public]",
		"helo-csa [ok] [missing denied not-all-addresses unusable] [too-many-names no-answer] [no-name not-public receives-only]",
		"helo-rp [ok] [missing not-all-contacts dangling names-nobody] [no-answer] [no-name receives-only]",
		"null-mx [ok] [missing receives] [no-answer] [sends no-address]",
		"null-spf [ok] [missing sends] [no-answer] []",
		"ptr-locked [ok no-denial] [open] [no-answer] [greets mail-domain other-organization]",
		"domain-csa [ok] [missing no-policy] [no-answer] [greets]",
		"domain-rp [ok] [missing not-all-contacts dangling names-nobody] [no-answer] []",
		"mail-route [ok some-lost] [null-mx nowhere mixed sends-only no-target] [too-many-names no-answer] []",
		"mx-hosts [ok] [not-public no-address unconfirmed generic] [too-many-names no-answer] [provider no-exchanger]",
		"role-mailboxes [ok catch-all] [refused bare-refused] [deferred unclear no-answer] [no-server]",
		"wildcards [ok silenced] [mail address text] [no-answer] []",
		"ttls [ok] [too-high] [low no-answer] [nothing]",
		"exceptions-current [ok] [expired] [] [none]",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the outcomes have changed (-was +is):\n%s", diff)
	}
}

var (
	keyword  = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	citation = regexp.MustCompile(`^RFC \d+(, Section \d+(\.\d+)*)?$`)
)

// Every entry says all that a report needs, in the form that it needs.
func TestCatalogue(t *testing.T) {
	ids := make(map[rule.ID]bool)
	for _, r := range rule.All() {
		check := func(ok bool, format string, args ...any) {
			t.Helper()
			if !ok {
				t.Errorf("%s: %s", r.ID, fmt.Sprintf(format, args...))
			}
		}
		check(keyword.MatchString(string(r.ID)), "ID")
		check(!ids[r.ID], "twice")
		ids[r.ID] = true
		check(isPhrase(r.Title), "title %q", r.Title)
		check(isSentence(r.Why), "why %q", r.Why)
		check(r.Impact == "" && r.Level != rule.Must || isSentence(r.Impact), "costs %q, and a must has a cost", r.Impact)
		for _, other := range r.Conflicts {
			check(isSentence(other), "interop %q", other)
		}
		check((r.Advice != "") != (r.Receiver != "" || r.ID == rule.ExceptionsCurrent) && strings.TrimSpace(r.Advice) == r.Advice, "page %q, receiver %q", r.Advice, r.Receiver)
		for _, rfc := range r.RFC {
			check(citation.MatchString(rfc), "RFC %q", rfc)
		}
		codes := make(map[rule.Code]bool)
		statuses := make(map[rule.Status]bool)
		for _, o := range r.Outcomes {
			check(keyword.MatchString(o.Code.String()) && !codes[o.Code], "code %q: no keyword, or twice", o.Code)
			codes[o.Code], statuses[o.Status] = true, true
			check(isPhrase(o.Text), "%s: text %q", o.Code, o.Text)
			check((o.Remedy != "") == (o.Status == rule.Fail || o.Code == rule.CodeUnproven || o.Code == rule.CodeTooManyNames), "%s: only failures and what asking again will not tell have a remedy, and all do: %q", o.Code, o.Remedy)
			check(o.Remedy == "" || isSentence(o.Remedy), "%s: remedy %q", o.Code, o.Remedy)
			got, ok := r.Outcome(o.Code)
			check(ok && got == o && r.Has(o.Code), "%s: not found", o.Code)
		}
		check(statuses[rule.Fail], "cannot fail")
		check(statuses[rule.Pass] != (r.ID == rule.PTRStatic), "can pass: %v, and DNS has no proof of a static address alone", statuses[rule.Pass])
		check(!statuses[rule.Waived] && !statuses[0], "Waived is the operator's, not the rule's")
		_, ok := r.Outcome(rule.CodeOther)
		check(!ok && !r.Has(rule.CodeOther), "an outcome that only another version knows")
	}
}

// isPhrase: text that a colon may follow. isSentence: text that stands alone.
func isPhrase(s string) bool {
	return s != "" && !strings.HasSuffix(s, ".") && strings.TrimSpace(s) == s
}
func isSentence(s string) bool { return strings.HasSuffix(s, ".") && strings.TrimSpace(s) == s }

func TestLookup(t *testing.T) {
	for _, r := range rule.All() {
		if got, ok := rule.Lookup(r.ID); !ok || got.Title != r.Title {
			t.Errorf("%s: got %+v", r.ID, got)
		}
	}
	if got, ok := rule.Lookup("unheard-of"); ok {
		t.Errorf("got %+v", got)
	}
}

// A caller's changes stay the caller's.
func TestAllIsACopy(t *testing.T) {
	all := rule.All()
	all[0].Title = "changed"
	if rule.All()[0].Title == "changed" {
		t.Error("the catalogue was changed")
	}
}

func TestCompare(t *testing.T) {
	ids := []rule.ID{"unheard-of", rule.HeloDiffers, rule.PTRExists, rule.OrgDomain}
	slices.SortFunc(ids, rule.Compare)
	if want := []rule.ID{rule.OrgDomain, rule.PTRExists, rule.HeloDiffers, "unheard-of"}; !slices.Equal(ids, want) {
		t.Errorf("got %v", ids)
	}
	if rule.Compare(rule.PTRRole, rule.PTRRole) != 0 {
		t.Error("a rule is not equal to itself")
	}
}

func TestReaches(t *testing.T) {
	order := []rule.Level{rule.Must, rule.ShouldMajor, rule.ShouldMinor, rule.Advice}
	for i, level := range order {
		for j, threshold := range order {
			if got := level.Reaches(threshold); got != (i <= j) {
				t.Errorf("%s reaches %s: %v", level, threshold, got)
			}
		}
	}
}

// codes returns every code.
func codes() []rule.Code {
	var all []rule.Code
	for c := rule.CodeOK; ; c++ {
		if _, err := c.MarshalText(); err != nil {
			return all
		}
		all = append(all, c)
	}
}

// Every code is an outcome of some rule, except the one for reports of other versions and
// the one that every rule can have, and no two have one keyword.
func TestCodes(t *testing.T) {
	used := make(map[rule.Code]bool)
	for _, r := range rule.All() {
		for _, o := range r.Outcomes {
			used[o.Code] = true
		}
	}
	keywords := make(map[string]bool)
	for _, c := range codes() {
		if used[c] == (c == rule.CodeOther || c == rule.CodeCutOff) {
			t.Errorf("%s is an outcome of a rule: %t", c, used[c])
		}
		if keywords[c.String()] {
			t.Errorf("%s: two codes", c)
		}
		keywords[c.String()] = true
	}
	if len(keywords) < len(used) {
		t.Errorf("%d codes are used, and %d have keywords", len(used), len(keywords))
	}
}

// textual is what every enum of the package is.
type textual interface {
	encoding.TextMarshaler
	fmt.Stringer
}

func TestTexts(t *testing.T) {
	type value struct {
		is   textual
		into encoding.TextUnmarshaler
	}
	var values []value
	for l := rule.Must; l <= rule.Advice; l++ {
		values = append(values, value{l, new(rule.Level)})
	}
	for s := rule.Pass; s <= rule.Waived; s++ {
		values = append(values, value{s, new(rule.Status)})
	}
	for s := rule.Organization; s <= rule.OtherName; s++ {
		values = append(values, value{s, new(rule.Scope)})
	}
	for c := rule.CheckPTR; c <= rule.CheckHeloPTR; c++ {
		values = append(values, value{c, new(rule.Check)})
	}
	for _, c := range codes() {
		values = append(values, value{c, new(rule.Code)})
	}
	var words []string
	for _, v := range values {
		words = append(words, v.is.String())
	}
	if got, want := strings.Join(words, " "), "must should-major should-minor advice"+
		" pass fail undecided not-applicable waived organization mta address name mail-domain ptr-name other-name ptr first-name any-name helo-syntax helo-lookup helo-address helo-csa helo-ptr"; !strings.HasPrefix(got, want+" ok missing ") {
		t.Errorf("got the words %s, want %s", got, want)
	}
	for _, v := range values {
		text, err := v.is.MarshalText()
		if err != nil || string(text) != v.is.String() {
			t.Errorf("%v: %q, %v", v.is, text, err)
		}
		if err := v.into.UnmarshalText([]byte(strings.ToUpper(string(text)))); err != nil {
			t.Errorf("%v: %v", v.is, err)
		}
		if got := fmt.Sprint(v.into.(textual)); got != v.is.String() {
			t.Errorf("%v came back as %v", v.is, got)
		}
		if err := v.into.UnmarshalText([]byte("unheard-of")); err == nil {
			t.Errorf("%T: no error", v.is)
		}
	}
	for _, zero := range []textual{rule.Level(0), rule.Status(0), rule.Scope(0), rule.Scope(99), rule.Check(0), rule.Code(0), rule.Code(255)} {
		if text, err := zero.MarshalText(); err == nil {
			t.Errorf("%v is text: %q", zero, text)
		}
	}
}
