package main

import (
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bonafide-mta/bonafide/examples/internal/command"
	"github.com/bonafide-mta/bonafide/examples/internal/demo"
	"github.com/bonafide-mta/bonafide/identity"
)

// withPolicy returns the options that a file gives.
func withPolicy(t *testing.T, text string, args ...string) (*options, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	o := &options{}
	fs := command.NewFlags("smtpd")
	o.register(fs)
	args = append(args, "-name", "mx.quay.example", "-domain", "quay.example", "-maildir", t.TempDir(), "-policy", file)
	if err := command.ParseAll(fs, args, usage, io.Discard); err != nil {
		t.Fatal(err)
	}
	return o, o.check()
}

// The file in the package comment is a policy.
func TestPolicyOfTheComment(t *testing.T) {
	source, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	lines := regexp.MustCompile(`(?m)^//\treasons:\n(//\t.*\n)+`).FindString(string(source))
	o, err := withPolicy(t, strings.ReplaceAll(lines, "//\t", ""), "-explain")
	if err != nil {
		t.Fatal(err)
	}
	want := identity.Policy{
		Reasons: map[identity.Reason]identity.Action{
			identity.NoPTR: identity.Reject, identity.Unconfirmed: identity.Reject, identity.ReverseUnknown: identity.Defer, identity.MailFromFail: identity.Reject,
		},
		Levels: map[identity.Level]identity.Action{identity.Forged: identity.Reject},
		Exceptions: []identity.Exception{
			{Network: netip.MustParsePrefix("192.0.2.0/28"), For: []identity.Reason{identity.NoPTR}, Why: "their provider sets no PTR records", Until: "2027-01-31"},
			{Network: netip.MustParsePrefix("2001:db8:25::/48"), For: []identity.Reason{identity.NoPTR, identity.Unconfirmed}, Why: "their new data center"},
			{Name: "partner.example", Why: "forwards the mail of our alumni"},
		},
		ReportOnly: true, Explain: true,
	}
	if diff := cmp.Diff(want, o.Verifier.Policy, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestPolicyRefused(t *testing.T) {
	if _, err := withPolicy(t, "reasons:\n  no-ptr: refuse\n"); err == nil || !strings.HasSuffix(err.Error(), `policy.yaml:2:11: reasons.no-ptr: "refuse": expected one of accept, score, defer, reject`) {
		t.Errorf("%v", err)
	}
}

// What is refused by a policy is logged as withheld while it only reports.
func TestPolicyReportOnly(t *testing.T) {
	for _, tt := range []struct{ policy, reply, logged string }{
		{"levels: {forged: reject}", "550 5.7.23", "verdict.action=reject"},
		{"levels: {forged: reject}\nreport_only: true", "250 ", "verdict.withheld=reject"},
	} {
		o, err := withPolicy(t, tt.policy)
		if err != nil {
			t.Fatal(err)
		}
		r := serve(t, func(served *options) { served.Verifier.Policy = o.Verifier.Policy })
		forger := demo.Client{Addr: "192.0.2.66", Helo: "post.harbour.example", Sender: "pilot@harbour.example", Recipient: "master@quay.example"}
		reply, err := send(r.dial, forger, "Subject: hello\r\n\r\nHello.\r\n")
		if err != nil || !strings.HasPrefix(reply, tt.reply) {
			t.Errorf("%s: %s, %v", tt.policy, reply, err)
		}
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		if log := r.log.String(); !strings.Contains(log, tt.logged) {
			t.Errorf("%s: %s", tt.policy, log)
		}
	}
}
