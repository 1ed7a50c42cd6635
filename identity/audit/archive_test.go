package audit_test

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/bonafide-mta/bonafide/identity/audit"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/plan"
	"github.com/bonafide-mta/bonafide/identity/report"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/resolver/dnsfake"
)

var update = flag.Bool("update", false, "rewrite the expected findings in testdata")

// A scenario is one archive of testdata: the files zone and org, and if wanted
// faults ("NAME TYPE KIND" a line), public (documentation addresses are not accepted), notfound (the resolver cannot
// tell NXDOMAIN from NODATA) and smtp (what mail servers say, see mailboxes); then findings, "RULE SUBJECT STATUS CODE" a
// line, in full.
type scenario struct {
	file     string
	archive  *txtar.Archive
	org      *org.Organization
	fake     *dnsfake.Fake
	auditor  audit.Auditor
	findings string
}

func scenarios(t *testing.T) []*scenario {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no archives", err)
	}
	var all []*scenario
	for _, file := range files {
		all = append(all, readScenario(t, file))
	}
	return all
}

func readScenario(t testing.TB, file string) *scenario {
	t.Helper()
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := &scenario{file: file, archive: archive}
	parts := make(map[string]string)
	for _, f := range archive.Files {
		parts[f.Name] = string(f.Data)
	}
	if s.org, err = org.Parse(file, []byte(parts["org"])); err != nil {
		t.Fatal(err)
	}
	if s.fake, err = dnsfake.New(parts["zone"]); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	for line := range strings.Lines(parts["faults"]) {
		fields := strings.Fields(line)
		var kind dnsfake.Kind
		if len(fields) != 3 || kind.UnmarshalText([]byte(fields[2])) != nil || dns.StringToType[fields[1]] == 0 {
			t.Fatalf("%s: not NAME TYPE KIND: %q", file, line)
		}
		s.fake.Fail(fields[0], dns.StringToType[fields[1]], kind)
	}
	_, public := parts["public"]
	s.auditor.AllowDocumentation = !public
	s.auditor.Resolver = s.fake
	s.auditor.Now = func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }
	if _, ok := parts["notfound"]; ok {
		s.auditor.Resolver = resolver.Func(func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
			answer, err := s.fake.Lookup(ctx, name, qtype)
			if len(answer.Records) == 0 {
				answer.Status = resolver.NotFound
			}
			return answer, err
		})
	}
	if script, ok := parts["smtp"]; ok {
		s.auditor.Mailboxes = mailboxes(t, s.auditor.Resolver, script)
	}
	s.findings = parts["findings"]
	return s
}

func (s *scenario) audit(t testing.TB) *report.Report {
	t.Helper()
	rep, err := s.auditor.Audit(t.Context(), s.org)
	if err != nil {
		t.Fatalf("%s: %v", s.file, err)
	}
	return rep
}

// finds reports whether a rule is expected to return a code.
func (s *scenario) finds(id rule.ID, code rule.Code) bool {
	for line := range strings.Lines(s.findings) {
		if strings.HasPrefix(line, string(id)+" ") && strings.HasSuffix(line, fmt.Sprintf(" %s\n", code)) {
			return true
		}
	}
	return false
}

func lines(r *report.Report) string {
	var b strings.Builder
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "%s %s %s %s\n", f.Rule, f.Subject, f.Status, f.Code)
	}
	return b.String()
}

func TestArchives(t *testing.T) {
	for _, s := range scenarios(t) {
		t.Run(strings.TrimSuffix(filepath.Base(s.file), ".txtar"), func(t *testing.T) {
			rep := s.audit(t)
			if outside := s.fake.Outside(); len(outside) > 0 {
				t.Errorf("asked outside the zones: %v", outside)
			}
			got := lines(rep)
			if *update {
				last := &s.archive.Files[len(s.archive.Files)-1]
				if last.Name != "findings" {
					t.Fatal("the last file must be findings")
				}
				last.Data = []byte(got)
				if err := os.WriteFile(s.file, txtar.Format(s.archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(s.findings, got); diff != "" {
				t.Errorf("findings differ (-want +got), -update rewrites them:\n%s", diff)
			}
			checkReport(t, s.org, rep)
		})
	}
}

// checkReport holds what is true of every report.
func checkReport(t *testing.T, o *org.Organization, rep *report.Report) {
	t.Helper()
	wanted := make(map[string][]rule.ID)
	records, _ := plan.Want(o.At(rep.Time))
	for _, r := range records {
		wanted[r.String()] = r.Rules
	}
	counts := report.Summary{}
	for _, f := range rep.Findings {
		known, ok := rule.Lookup(f.Rule)
		outcome, okCode := known.Outcome(f.Code)
		if !ok || !okCode || f.Level != known.Level {
			t.Errorf("%s %s: not in the catalogue: %q", f.Rule, f.Subject, f.Code)
		}
		if f.Status != outcome.Status && (f.Status != rule.Waived || outcome.Status != rule.Fail) {
			t.Errorf("%s %s: status %v, the catalogue has %v", f.Rule, f.Subject, f.Status, outcome.Status)
		}
		if !strings.HasPrefix(f.Message, outcome.Text) {
			t.Errorf("%s %s: message %q", f.Rule, f.Subject, f.Message)
		}
		// Property: a fix is a part of what the plan wants, PTR records at the target of an
		// alias (RFC 2317).
		for _, fix := range f.Fix {
			_, ok := wanted[fix]
			if owner, data, _ := strings.Cut(fix, " "); strings.Contains(data, " PTR ") && !ok {
				ok = slices.ContainsFunc(slices.Collect(maps.Keys(wanted)), func(w string) bool { return strings.HasSuffix(w, data) && w != fix }) && strings.HasSuffix(owner, ".arpa.")
			}
			if !ok || f.Status != rule.Fail && f.Status != rule.Waived {
				t.Errorf("%s %s: fix %q is not wanted", f.Rule, f.Subject, fix)
			}
		}
		// Property: a remedy that mentions a fix has one.
		if (rule.Outcome{Remedy: f.Remedy}).MentionsFix() && len(f.Fix) == 0 && f.Status == rule.Fail {
			t.Errorf("%s %s: without the fix that its remedy mentions: %s", f.Rule, f.Subject, f.Remedy)
		}
		if f.Evidence == nil || f.Fix == nil {
			t.Errorf("%s %s: a nil list would be null in JSON", f.Rule, f.Subject)
		}
		switch f.Status {
		case rule.Pass:
			counts.Pass++
		case rule.Fail:
			counts.Fail++
			if f.Remedy == "" {
				t.Errorf("%s %s: a failure without a word on what to do", f.Rule, f.Subject)
			}
		case rule.Undecided:
			counts.Undecided++
			if len(f.Evidence) == 0 {
				t.Errorf("%s %s: undecided, and nobody knows who did not answer", f.Rule, f.Subject)
			}
		case rule.NotApplicable:
			counts.NotApplicable++
		case rule.Waived:
			counts.Waived++
		}
	}
	if counts != rep.Summary {
		t.Errorf("summary %+v, counted %+v", rep.Summary, counts)
	}
}

// Every outcome of the catalogue is reached by an archive, and so is an exception.
func TestArchivesReachEveryOutcome(t *testing.T) {
	missing := make(map[string]bool)
	for _, r := range rule.All() {
		for _, o := range r.Outcomes {
			missing[fmt.Sprintf("%s %s %s", r.ID, o.Status, o.Code)] = true
		}
	}
	waived := false
	for _, s := range scenarios(t) {
		for _, f := range s.audit(t).Findings {
			delete(missing, fmt.Sprintf("%s %s %s", f.Rule, f.Status, f.Code))
			waived = waived || f.Status == rule.Waived
		}
	}
	for m := range missing {
		t.Errorf("no archive reaches %s", m)
	}
	if !waived {
		t.Error("no archive reaches an exception")
	}
}

// The catalogue and the checks are about the same rules.
func TestEveryRuleHasACheck(t *testing.T) {
	own, receivers := audit.Checked()
	used := make(map[rule.Check]bool)
	for _, r := range rule.All() {
		if own[r.ID] == receivers[r.Check] {
			t.Errorf("%s: a function of its own %t, one for what its receiver looks at %t", r.ID, own[r.ID], receivers[r.Check])
		}
		delete(own, r.ID)
		used[r.Check] = true
	}
	for id := range own {
		t.Errorf("%s has a check and no entry in the catalogue", id)
	}
	for check := range receivers {
		if !used[check] {
			t.Errorf("no receiver looks at %s", check)
		}
	}
}

// A check that returned another code would be noticed: each code of each rule is
// replaced by each other status's, and some archive in which it is expected must fail.
func TestMutationsAreSeen(t *testing.T) {
	if testing.Short() {
		t.Skip("audits every archive for every code")
	}
	all := scenarios(t)
	slices.SortFunc(all, func(a, b *scenario) int { return len(a.findings) - len(b.findings) }) // the quickest to audit first
	mutants := 0
	for _, r := range rule.All() {
		for _, o := range r.Outcomes {
			i := slices.IndexFunc(r.Outcomes, func(other rule.Outcome) bool { return other.Status != o.Status })
			restore := audit.Mutate(r.ID, o.Code, r.Outcomes[i].Code)
			seen := slices.ContainsFunc(all, func(s *scenario) bool { return s.finds(r.ID, o.Code) && lines(s.audit(t)) != s.findings })
			restore()
			if mutants++; !seen {
				t.Errorf("%s: no archive notices %s in place of %s", r.ID, r.Outcomes[i].Code, o.Code)
			}
		}
	}
	t.Logf("%d mutants", mutants)
}

// Property 3 of the design: whatever single question fails in whatever way, a
// finding keeps its status or becomes Undecided; what depends on a name that is
// not known then is NotApplicable at most. The questions of the archive good fail in
// every way, those of the others in one each, in turn.
func TestFaultsAreSafe(t *testing.T) {
	turn := 0
	for _, s := range scenarios(t) {
		if len(s.fake.Questions()) > 0 {
			t.Fatal("asked before the audit")
		}
		healthy := s.audit(t)
		done := make(map[string]bool)
		for _, q := range s.fake.Questions() {
			onlyForFixes := q.Type == dns.TypeSOA && !dnsname.Same(q.Name, s.org.Domain) // no status rests on it
			if done[q.String()] || onlyForFixes {
				continue
			}
			done[q.String()] = true
			kinds := dnsfake.Kinds()
			if turn++; filepath.Base(s.file) != "good.txtar" {
				kinds = kinds[turn%len(kinds):][:1]
			}
			for _, kind := range kinds {
				again := readScenario(t, s.file)
				again.fake.Fail(q.Name, q.Type, kind)
				rep, what := again.audit(t), fmt.Sprintf("%s, %s %s", s.file, q, kind)
				for i, f := range rep.Findings {
					if want := healthy.Findings[i]; f.Status != want.Status && f.Status != rule.Undecided {
						t.Errorf("%s: %s %s is %s %s, healthy %s %s", what, f.Rule, f.Subject, f.Status, f.Code, want.Status, want.Code)
					}
				}
				sameOrUnknown(t, what, healthy.Hosts, rep.Hosts)
			}
		}
	}
}
