package rule_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bonafide-mta/bonafide/identity/rule"
)

// The receivers' own checks do not change by accident either, and each says where it is
// documented. They are never more than advice, and no page has them.
func TestReceivers(t *testing.T) {
	want := []string{
		"postfix-reverse-client-hostname address [ok] [missing no-host-name] [no-answer] [not-public receives-only]",
		"postfix-client-hostname address [ok] [missing unconfirmed some-unconfirmed] [too-many-names no-answer] [not-public receives-only]",
		"exim-reverse-host-lookup address [ok] [missing unconfirmed underscore] [too-many-names no-answer] [not-public receives-only]",
		"opensmtpd-fcrdns address [ok] [missing unconfirmed some-unconfirmed] [too-many-names no-answer] [not-public receives-only]",
		"rspamd-hostname address [ok] [missing unconfirmed some-unconfirmed] [too-many-names no-answer] [not-public receives-only]",
		"s25r address [ok] [missing unconfirmed some-unconfirmed pattern] [too-many-names no-answer] [not-public receives-only]",
		"gmail-fcrdns address [ok] [missing unconfirmed] [too-many-names no-answer] [not-public receives-only]",
		"yahoo-fcrdns address [ok] [missing unconfirmed] [too-many-names no-answer] [not-public receives-only]",
		"outlook-ptr address [ok] [missing no-host-name] [no-answer] [not-public receives-only]",
		"exchange-online-ipv6-ptr address [ok] [missing no-host-name] [no-answer] [ipv4 not-public receives-only]",
		"postfix-helo-syntax mta [ok] [malformed not-qualified] [] [receives-only]",
		"postfix-helo-hostname mta [ok literal] [not-found no-name] [no-answer] [not-public receives-only]",
		"exim-helo mta [ok] [malformed not-verified] [no-answer] [not-public receives-only]",
		"exim-csa mta [ok unknown] [denied] [no-answer] [not-public receives-only]",
		"rspamd-helo mta [ok] [not-qualified other-address] [no-answer] [not-public receives-only]",
		"helo-equals-ptr mta [ok] [unrelated] [no-answer] [differs no-name not-public receives-only]",
	}
	var got []string
	own := false
	for _, r := range rule.All() {
		if r.Receiver == "" {
			if own || r.Source != "" || r.Check != 0 {
				t.Errorf("%s: of the advice page, with a source %q, a check or after a receiver's check", r.ID, r.Source)
			}
			continue
		}
		own = true
		codes := make(map[rule.Status][]string)
		for _, o := range r.Outcomes {
			codes[o.Status] = append(codes[o.Status], o.Code.String())
		}
		got = append(got, fmt.Sprintf("%s %s %v %v %v %v", r.ID, r.Scope, codes[rule.Pass], codes[rule.Fail], codes[rule.Undecided], codes[rule.NotApplicable]))
		if r.Level != rule.Advice {
			t.Errorf("%s is %s: a receiver's own check is advice", r.ID, r.Level)
		}
		if scope := map[bool]rule.Scope{false: rule.Address, true: rule.MTA}[strings.HasPrefix(r.Check.String(), "helo-")]; r.Check == 0 || r.Scope != scope {
			t.Errorf("%s looks at %s, and is judged on each %s", r.ID, r.Check, r.Scope)
		}
		if r.Source == "" || strings.TrimSpace(r.Source) != r.Source {
			t.Errorf("%s: source %q", r.ID, r.Source)
		}
		// Who would refuse or score is said, but where the outcome is many rules' own.
		for _, o := range r.Outcomes {
			if o.Status == rule.Fail && !strings.Contains(o.Text, strings.Split(r.Receiver, ",")[0]) && r.ID != rule.HeloEqualsPTR {
				t.Errorf("%s %s does not say whose check it is: %q", r.ID, o.Code, o.Text)
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the receivers' checks have changed (-was +is):\n%s", diff)
	}
}
