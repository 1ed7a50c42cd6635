package audit_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/identity/audit"
	"github.com/bonafide-mta/bonafide/identity/report"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/resolver/dnsfake"
)

// holding answers as r does, but holds one question back until released.
func holding(r resolver.Resolver, question resolver.Question, released <-chan struct{}) resolver.Resolver {
	return resolver.Func(func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
		if name == question.Name && qtype == question.Type {
			select {
			case <-released:
			case <-ctx.Done():
				return resolver.Answer{}, context.Cause(ctx)
			}
		}
		return r.Lookup(ctx, name, qtype)
	})
}

// stream collects the findings of a scenario while one of its questions is held back: how
// many came until then, and all.
func stream(t *testing.T, file string, question resolver.Question) (before int, all []report.Finding) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := readScenario(t, file)
		released := make(chan struct{})
		s.auditor.Resolver = holding(s.auditor.Resolver, question, released)
		done := make(chan struct{})
		var mu sync.Mutex
		go func() {
			defer close(done)
			for finding, err := range s.auditor.Findings(t.Context(), s.org) {
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				all = append(all, finding)
				mu.Unlock()
			}
		}()
		synctest.Wait() // nothing goes on without the question
		mu.Lock()
		before = len(all)
		mu.Unlock()
		close(released)
		<-done
	})
	return before, all
}

// While a single question has no answer, the findings before the first one that rests on
// it come; and all of them in the end, as those of the report. Which finding is the first
// for each question stands in testdata/stream.txt.
func TestFindingsCome(t *testing.T) {
	const file, golden = "testdata/good.txtar", "testdata/stream.txt"
	s := readScenario(t, file)
	rep := s.audit(t)
	var waits []string
	for _, q := range s.fake.Questions() {
		before, all := stream(t, file, q)
		if diff := cmp.Diff(rep.Findings, all); diff != "" {
			t.Fatalf("%s held back: other findings (-report +stream):\n%s", q, diff)
		}
		first := "nothing"
		if before < len(all) {
			first = fmt.Sprintf("%s %s", all[before].Rule, all[before].Subject)
		}
		waits = append(waits, fmt.Sprintf("%s: %s\n", q, first))
	}
	slices.Sort(waits)
	got := strings.Join(slices.Compact(waits), "")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("other findings wait (-want +got), -update rewrites them:\n%s", diff)
	}
}

// A loop that is broken off ends the questions that are under way, and puts no more.
func TestFindingsStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := readScenario(t, "testdata/good.txtar")
		var asked, running atomic.Int32
		a := fake.auditor
		a.Resolver = resolver.Func(func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
			asked.Add(1)
			if qtype != dns.TypeSOA {
				running.Add(1)
				defer running.Add(-1)
				<-ctx.Done()
			}
			return fake.fake.Lookup(ctx, name, qtype)
		})
		for finding, err := range a.Findings(t.Context(), fake.org) {
			if err != nil || finding.Rule != rule.OrgDomain || finding.Status != rule.Pass {
				t.Errorf("%+v, %v", finding, err)
			}
			synctest.Wait() // fifteen more checks have begun
			break
		}
		if n := running.Load(); n != 0 {
			t.Errorf("%d questions are under way after the loop", n)
		}
		before := asked.Load()
		time.Sleep(time.Hour)
		if after := asked.Load(); before == 1 || after != before {
			t.Errorf("%d questions in the loop, %d after it", before, after-before)
		}
	})
}

// The error is that of Audit, yielded once; a loop over it may go on.
func TestFindingsOfWhatCannotBeAudited(t *testing.T) {
	_, want := audit.Auditor{}.Audit(t.Context(), oneMTA())
	n := 0
	for finding, err := range (audit.Auditor{}).Findings(t.Context(), oneMTA()) {
		if n++; !errors.Is(err, resolver.ErrNoResolver) || err.Error() != want.Error() || finding.Rule != "" {
			t.Errorf("%+v, %v; Audit says %v", finding, err, want)
		}
	}
	if n != 1 {
		t.Errorf("yielded %d times", n)
	}
}

// A sequence may be looped over again: it asks again.
func TestFindingsAgain(t *testing.T) {
	s := readScenario(t, "testdata/good.txtar")
	findings := s.auditor.Findings(t.Context(), s.org)
	first, second := count(findings), 0
	s.fake.Fail("example.test.", dns.TypeSOA, dnsfake.ServFail)
	for finding := range findings {
		if second++; second == 1 && finding.Status != rule.Undecided {
			t.Errorf("not asked again: %+v", finding)
		}
	}
	if first == 0 || first != second {
		t.Errorf("%d findings, then %d", first, second)
	}
}

func count(findings iter.Seq2[report.Finding, error]) (n int) {
	for range findings {
		n++
	}
	return n
}

// What has no answer when the time is over is undecided, and says so; the report is whole.
func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := readScenario(t, "testdata/good.txtar")
		healthy := s.audit(t)
		s.auditor.Resolver = holding(s.auditor.Resolver, resolver.Question{Name: "example.test.", Type: dns.TypeTXT}, nil)
		s.auditor.Resolver = holding(s.auditor.Resolver, resolver.Question{Name: "10.2.0.192.in-addr.arpa.", Type: dns.TypePTR}, nil)
		s.auditor.Timeout = 5 * time.Second
		start := time.Now()
		rep := s.audit(t)
		if took := time.Since(start); took != s.auditor.Timeout {
			t.Errorf("it took %v", took)
		}
		if len(rep.Findings) != len(healthy.Findings) {
			t.Fatalf("%d findings, healthy %d", len(rep.Findings), len(healthy.Findings))
		}
		late := 0
		for i, f := range rep.Findings {
			want := healthy.Findings[i]
			if f.Status != want.Status && f.Status != rule.Undecided {
				t.Errorf("%s %s is %s, healthy %s", f.Rule, f.Subject, f.Status, want.Status)
			}
			if f.Code != rule.CodeNoAnswer {
				continue
			}
			late++
			if !slices.ContainsFunc(f.Evidence, func(e report.Evidence) bool {
				return strings.Contains(e.Error, "the audit took longer than 5s")
			}) {
				t.Errorf("%s %s: undecided without the cause: %+v", f.Rule, f.Subject, f.Evidence)
			}
		}
		if late == 0 {
			t.Error("nothing is undecided")
		}
	})
}
