package audit_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"net/netip"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bonafide-mta/bonafide/identity/audit"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/report"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/internal/lab/hostile"
	"github.com/bonafide-mta/bonafide/resolver"
)

var records = flag.Int("hostile.records", 150, "in an answer of a hostile DNS")

// described is an organization with something of everything.
func described() *org.Organization {
	addrs := []netip.Addr{netip.MustParseAddr("192.0.2.10"), netip.MustParseAddr("2001:db8::10")}
	return &org.Organization{
		Domain: "example.test",
		MTAs:   []org.MTA{{ID: "mx1", PTR: "mta1.example.test", Helo: "post.example.test", Addresses: addrs}},
		Mail:   []org.MailDomain{{Domain: "example.test"}, {Domain: "news.example.test"}},
		Names:  []string{"www.example.test"},
	}
}

// canceling answers as r does until it was asked for the nth time, and ends the context
// then.
func canceling(r resolver.Resolver, n int64, cancel context.CancelCauseFunc) resolver.Resolver {
	var asked atomic.Int64
	return resolver.Func(func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
		if asked.Add(1) == n {
			cancel(errEnough)
		}
		if err := context.Cause(ctx); err != nil {
			return resolver.Answer{}, err
		}
		return r.Lookup(ctx, name, qtype)
	})
}

var errEnough = errors.New("enough of it")

// Whatever the DNS answers, a report has its bounds in every form, and says what it leaves
// out.
func TestHostileReportsAreBounded(t *testing.T) {
	for _, n := range []int{1, 40, *records} {
		a := audit.Auditor{Resolver: hostile.DNS(n), AllowDocumentation: true}
		rep, err := a.Audit(t.Context(), described())
		if err != nil {
			t.Fatal(err)
		}
		bound := 8 << 10 * (len(rep.Findings) + 2)
		for _, f := range rep.Findings {
			var b bytes.Buffer
			one := &report.Report{Version: report.Version, Organization: rep.Organization, Findings: []report.Finding{f}}
			if err := one.WriteJSON(&b); err != nil || b.Len() > 24<<10 {
				t.Errorf("%d records: %s %s has %d octets, %v", n, f.Rule, f.Subject, b.Len(), err)
			}
			if len(f.Evidence) > 0 {
				bound += 16 << 10
			}
		}
		sizes := make(map[string]int)
		for form, write := range map[string]func(io.Writer) error{
			"json": rep.WriteJSON, "text": rep.WriteText, "color": rep.WriteColor, "markdown": rep.WriteMarkdown,
			"html": func(w io.Writer) error { return rep.WriteHTML(w, nil) },
		} {
			var b bytes.Buffer
			if err := write(&b); err != nil {
				t.Fatal(err)
			}
			sizes[form] = b.Len()
			limit := bound
			if form == "html" {
				limit *= 6
			}
			if b.Len() > limit {
				t.Errorf("%d records: %s has %d octets, expected at most %d", n, form, b.Len(), limit)
			}
			if n >= 150 && form != "json" && !(strings.Contains(b.String(), "more records (") && strings.Contains(b.String(), "more answers left out")) {
				t.Errorf("%d records: %s does not say what is left out", n, form)
			}
		}
		t.Logf("%d records: %d findings, octets %v, bound %d", n, len(rep.Findings), sizes, bound)
	}
}

// The questions that the package documents, for one MTA with two addresses and two other
// mail domains.
func TestQuestionsAreBounded(t *testing.T) {
	var asked atomic.Int64
	r := resolver.Func(func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
		asked.Add(1)
		return hostile.DNS(25).Lookup(ctx, name, qtype)
	})
	if _, err := (audit.Auditor{Resolver: r, AllowDocumentation: true}).Audit(t.Context(), described()); err != nil {
		t.Fatal(err)
	}
	limit := int64(28 + 16 + 2*27 + 3*(2700+2*260+137) + 2*2720)
	if asked.Load() > limit {
		t.Errorf("%d questions, expected at most %d", asked.Load(), limit)
	}
	t.Logf("%d of %d questions", asked.Load(), limit)
}

// An audit that ends early judges as the whole one does, or not at all.
func TestEndedAuditsDecideNothingElse(t *testing.T) {
	for name, r := range map[string]resolver.Resolver{"good": readScenario(t, "testdata/good.txtar").auditor.Resolver, "hostile": hostile.DNS(30)} {
		whole, err := audit.Auditor{Resolver: r, AllowDocumentation: true}.Audit(t.Context(), described())
		if err != nil {
			t.Fatal(err)
		}
		for n := int64(1); n < 200; n = n*3/2 + 1 {
			ctx, cancel := context.WithCancelCause(t.Context())
			rep, err := audit.Auditor{Resolver: canceling(r, n, cancel), AllowDocumentation: true}.Audit(ctx, described())
			if err != nil || len(rep.Findings) != len(whole.Findings) {
				t.Fatalf("%s: %v, %d findings", name, err, len(rep.Findings))
			}
			for i, f := range rep.Findings {
				if want := whole.Findings[i]; f.Status != want.Status && f.Status != rule.Undecided {
					t.Errorf("%s, after %d questions: %s %s is %s, whole: %s", name, n, f.Rule, f.Subject, f.Status, want.Status)
				}
			}
			cancel(nil)
		}
	}
}

// Once the context has ended, little is looked at any more, whatever DNS said before. What
// is cut off says why; what is not is judged as ever.
func TestWorkAfterTheEnd(t *testing.T) {
	for _, tt := range []struct {
		r      resolver.Resolver
		cutOff bool
	}{{hostile.DNS(1), false}, {ptrOnly(hostile.PerMessage), true}} {
		a := audit.Auditor{Resolver: tt.r, AllowDocumentation: true}
		whole, err := a.Audit(t.Context(), described())
		if err != nil {
			t.Fatal(err)
		}
		findings, units, err := a.JudgeAfterEnd(described(), errEnough)
		if err != nil || len(findings) != len(whole.Findings) || units > audit.Grace+2*len(findings)+100 || units > audit.Grace != tt.cutOff {
			t.Fatalf("%d units of work after the end, %d of %d findings, %v", units, len(findings), len(whole.Findings), err)
		}
		for i, f := range findings {
			want := whole.Findings[i]
			if f.Code == rule.CodeCutOff {
				tt.cutOff = false
				want = report.Finding{
					Rule: f.Rule, Level: f.Level, Subject: f.Subject, Status: rule.Undecided, Code: rule.CodeCutOff,
					Message: "could not be told: the audit ended early: enough of it", Remedy: "Repeat the audit with more time.", Evidence: []report.Evidence{}, Fix: []string{},
				}
			}
			if f.Status == rule.Fail && len(f.Fix) == 0 { // no question is put for a fix after the end
				f.Fix, f.Remedy = want.Fix, want.Remedy
			}
			if diff := cmp.Diff(want, f); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		}
		if tt.cutOff {
			t.Error("nothing is cut off")
		}
		t.Logf("%d units", units)
	}
}

// ptrOnly answers PTR questions with n names, and all others with one record.
func ptrOnly(n int) resolver.Resolver {
	return resolver.Func(func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
		if strings.HasSuffix(name, ".arpa.") {
			return hostile.DNS(n).Lookup(ctx, name, qtype)
		}
		return hostile.DNS(1).Lookup(ctx, name, qtype)
	})
}

// A Resolver that calls runtime.Goexit, as t.Fatal does, leaves rules undecided, and the
// audit comes to its end.
func TestResolverExits(t *testing.T) {
	exits := resolver.Func(func(context.Context, string, uint16) (resolver.Answer, error) {
		runtime.Goexit()
		panic("unreachable")
	})
	rep, err := audit.Auditor{Resolver: exits, AllowDocumentation: true}.Audit(t.Context(), described())
	if err != nil {
		t.Fatal(err)
	}
	undecided := 0
	for _, f := range rep.Findings {
		if f.Code == rule.CodeNoAnswer && f.Status == rule.Undecided {
			undecided++
		}
	}
	if undecided == 0 {
		t.Errorf("no finding of %d is undecided for want of an answer", len(rep.Findings))
	}
}
