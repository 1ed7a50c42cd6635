package audit_test

import (
	"flag"
	"fmt"
	"iter"
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
	"github.com/bonafide-mta/bonafide/identity/harden"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/plan"
	"github.com/bonafide-mta/bonafide/identity/report"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/internal/lab/worlds"
	"github.com/bonafide-mta/bonafide/internal/txt"
	"github.com/bonafide-mta/bonafide/resolver"
)

var (
	worldCount = flag.Int("worlds", 200, "how many worlds TestThreeAgree tries")
	worldSeed  = flag.Uint64("worlds.seed", 0, "the seed of the first of them")
	casesDir   = flag.String("cases", "", "a directory of directories with org.yaml and *.zone files for TestThreeAgree")
)

// Property 8 of the design: audit, plan and hardening never disagree, in archives and in
// generated worlds.
func TestThreeAgree(t *testing.T) {
	var total tally
	for _, c := range agreeCases(t) {
		total.add(c.compare(t))
		c.asked, c.name = true, c.name+", asked"
		total.add(c.compare(t))
	}
	for seed := *worldSeed; seed < *worldSeed+uint64(*worldCount); seed++ {
		w := worlds.Make(seed)
		c := agreeCase{name: fmt.Sprintf("world %d", seed), org: w.Org, given: w.Zones(), all: w.Resolver(), asked: seed%4 == 0}
		total.add(c.compare(t))
		if t.Failed() && testing.Verbose() {
			t.Log(w)
			break
		}
	}
	t.Logf("%+v", total)
	if total.fixes < 100 || total.changes < 100 || total.hardened < 100 {
		t.Errorf("too little is compared: %+v", total)
	}
}

// An agreeCase is an organization with its zones, and all zones that there are.
type agreeCase struct {
	name  string
	org   *org.Organization
	given *resolver.Zones
	all   resolver.Resolver
	asked bool // names are asked one by one: no whole zone is known
}

// tally counts what was compared.
type tally struct{ cases, failures, fixes, changes, hardened int }

func (t *tally) add(other tally) {
	t.cases, t.failures, t.fixes = t.cases+other.cases, t.failures+other.failures, t.fixes+other.fixes
	t.changes, t.hardened = t.changes+other.changes, t.hardened+other.hardened
}

// agreeCases reads the archives of this package and those of plan that have zones, and the
// cases of a directory.
func agreeCases(t *testing.T) (out []agreeCase) {
	t.Helper()
	var files []string
	for _, pattern := range []string{"testdata/*.txtar", "../plan/testdata/*.txtar", "../plan/testdata/diff/*.txtar"} {
		some, err := filepath.Glob(pattern)
		if err != nil || len(some) == 0 {
			t.Fatal("no archives", pattern, err)
		}
		files = append(files, some...)
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		parts := make(map[string]string)
		for _, f := range archive.Files {
			parts[f.Name] = string(f.Data)
		}
		if parts["zone"] == "" { // the archives of what is wanted have none
			parts["zone"] = "$ORIGIN example.test.\n@ 300 SOA ns hostmaster 1 1 1 1 60\n"
		}
		given := parseZones(t, parts["zone"])
		c := agreeCase{name: file, org: parseOrg(t, parts["org"]), given: given, all: given}
		if strings.HasPrefix(file, "../plan") { // nothing is known of what is around
			c.all = fake(t, given)
		}
		if parts["asked"] != "" {
			c.all = &resolver.Overlay{Base: fake(t, parseZones(t, parts["asked"])), Zones: given}
		}
		out = append(out, c)
	}
	dirs, _ := filepath.Glob(filepath.Join(*casesDir, "*", "org.yaml"))
	for _, file := range dirs {
		if *casesDir == "" {
			break
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		c := agreeCase{name: file}
		if c.org, err = org.Parse(file, text); err != nil {
			t.Log(err)
			continue
		}
		zones, _ := filepath.Glob(filepath.Join(filepath.Dir(file), "*.zone"))
		for _, zone := range zones {
			text, err := os.ReadFile(zone)
			if err != nil {
				t.Fatal(err)
			}
			z, err := resolver.ReadZone("", zone, strings.NewReader(string(text)))
			if err != nil {
				t.Log(err)
				continue
			}
			if c.given == nil {
				c.given = z
			} else if c.given, err = resolver.MergeZones(c.given, z); err != nil {
				t.Fatal(err)
			}
		}
		if c.given != nil {
			c.all = fake(t, c.given)
			out = append(out, c)
		}
	}
	return out
}

// compare holds the audit, the plan and the hardening of one case against each other.
func (c agreeCase) compare(t *testing.T) (n tally) {
	t.Helper()
	n.cases = 1
	auditor := audit.Auditor{Resolver: c.all, AllowDocumentation: true, Published: whole(t, c.given.Records())}
	if c.asked {
		auditor.Published = new(plan.Published)
	}
	auditor.Now = func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }
	o := c.org.At(auditor.Now())
	p, err := plan.New(o, auditor.Published.WithSomeAnswers(t.Context(), auditor.Resolver, o), plan.Options{})
	if err != nil {
		t.Fatalf("%s: %v", c.name, err)
	}
	rep, err := auditor.Audit(t.Context(), o)
	if err != nil {
		t.Fatalf("%s: %v", c.name, err)
	}
	d := &disagreements{plan: p, rep: rep}
	d.fixes()
	d.changes()
	d.publish()
	if proof, err := auditor.Prove(t.Context(), p); err == nil { // or else no server would load the zones
		d.before(proof.Before)
		d.after(proof.After)
	}
	n.hardened = d.hardening(t, c.given, o)
	n.failures, n.fixes, n.changes = rep.Summary.Fail, d.found, len(p.Changes)
	for _, line := range d.lines {
		t.Errorf("%s: %s", c.name, line)
	}
	return n
}

// disagreements are those of a plan and an audit over the same zones.
type disagreements struct {
	plan  *plan.Plan
	rep   *report.Report
	lines []string
	found int // fixes
}

func (d *disagreements) add(format string, args ...any) {
	d.lines = append(d.lines, fmt.Sprintf(format, args...))
}

// zoneText is a record as reports have it.
func zoneText(rr dns.RR) string { return rule.Record{RR: rr}.String() }

// stepped yields the changes of all steps.
func stepped(p *plan.Plan) iter.Seq[plan.Change] {
	return func(yield func(plan.Change) bool) {
		for _, s := range p.Steps {
			for _, c := range s.Changes {
				if !yield(c) {
					return
				}
			}
		}
	}
}

// fixes compares each fix with what the plan adds, or would add in place of what it keeps, and
// holds that a failure has a fix, or tells why not.
func (d *disagreements) fixes() {
	adds, keeps := make(map[string]plan.Change), make(map[string]string)
	for _, c := range d.plan.Changes {
		for _, rr := range c.Added() {
			adds[zoneText(rr)] = c
		}
	}
	for _, k := range d.plan.Kept {
		for _, w := range k.Wanted {
			at := dns.Copy(w.RR)
			at.Header().Name = k.Records[0].Header().Name
			keeps[zoneText(at)] = k.Reason
		}
	}
	for _, f := range d.rep.Findings {
		if f.Status != rule.Fail {
			continue
		}
		for _, fix := range f.Fix {
			d.found++
			change, added := adds[fix]
			reason, kept := keeps[fix]
			switch {
			case !added && !kept:
				d.add("%s %s: the fix %q is not planned", f.Rule, f.Subject, fix)
			case !added && !strings.Contains(f.Remedy, reason):
				d.add("%s %s: the plan keeps what is in the place of %q, and the remedy does not say so: %s", f.Rule, f.Subject, fix, f.Remedy)
			case added && waits(d.plan, change) && !strings.Contains(f.Remedy, "wait until nothing uses "):
				d.add("%s %s: the fix %q waits for a gate, and the remedy does not say so: %s", f.Rule, f.Subject, fix, f.Remedy)
			case added && len(f.Fix) == 1 && !waits(d.plan, change) && strings.Contains(f.Remedy, "wait until nothing uses "):
				d.add("%s %s: the fix %q waits for nothing, and the remedy says so: %s", f.Rule, f.Subject, fix, f.Remedy)
			}
		}
		if len(f.Fix) == 0 && (f.Remedy == "" || (rule.Outcome{Remedy: f.Remedy}).MentionsFix()) {
			d.add("%s %s: no fix, and no reason: %s", f.Rule, f.Subject, f.Remedy)
		}
	}
}

// waits reports whether a change declares that a name has no mail, and its name is at the gate
// before such changes.
func waits(p *plan.Plan, c plan.Change) bool {
	gate := false
	for _, s := range p.Steps {
		gate = gate || s.Stage == plan.CheckSenders && slices.Contains(s.Names, strings.TrimPrefix(c.Name, "_client._smtp."))
		if slices.ContainsFunc(s.Changes, func(other plan.Change) bool { return other.Name == c.Name && other.Type == c.Type }) {
			return gate
		}
	}
	return false
}

// changes holds that each record that the plan adds is the fix of a failure, and that each of
// its changes is for a rule that fails.
func (d *disagreements) changes() {
	fixes, fails, open := make(map[string]bool), make(map[rule.ID]bool), make(map[rule.ID]bool)
	for _, f := range d.rep.Findings {
		open[f.Rule] = open[f.Rule] || f.Status == rule.NotApplicable // there is nothing yet that it could judge
		if f.Status == rule.Fail {
			fails[f.Rule] = true
			for _, fix := range f.Fix {
				fixes[fix] = true
			}
		}
	}
	for _, c := range d.plan.Changes {
		if !slices.ContainsFunc(c.Rules, func(id rule.ID) bool { return fails[id] || open[id] }) {
			d.add("%s %s is changed for %v, which pass", c.Name, dns.TypeToString[c.Type], c.Rules)
			continue
		}
		for _, rr := range c.Added() {
			if !fixes[zoneText(rr)] {
				d.add("%q is added for %v, and is the fix of no failure", zoneText(rr), c.Rules)
			}
		}
	}
}

// publish holds that the records to publish are those that the plan adds, by who does it, and
// that what it keeps and refuses is told.
func (d *disagreements) publish() {
	var want, got []string
	for c := range stepped(d.plan) {
		for _, rr := range c.Added() {
			want = append(want, fmt.Sprintf("%s %s %s", c.Owner, c.Zone, zoneText(rr)))
		}
	}
	for _, p := range d.rep.Publish {
		for _, record := range p.Records {
			got = append(got, fmt.Sprintf("%s %s %s", p.By, p.Zone, record))
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		d.add("what is added and what is to be published (-plan +report):\n%s", diff)
	}
	var omitted []string
	for _, o := range d.rep.Omitted {
		omitted = append(omitted, o.What)
	}
	if want := len(d.plan.Kept) + len(d.plan.Refused); d.rep.Summary.Fail > 0 && len(omitted) != want {
		d.add("%d kept and refused, the report has %q", want, omitted)
	}
}

// before compares the audit of what is with that of the proof.
func (d *disagreements) before(proof *report.Report) {
	without := func(r *report.Report) []report.Finding {
		var out []report.Finding
		for _, f := range r.Findings {
			f.Evidence = nil // its server is another one
			out = append(out, f)
		}
		return out
	}
	if diff := cmp.Diff(without(d.rep), without(proof)); diff != "" && len(diff) < 3000 {
		d.add("the plan's report of what is differs (-audit +proof):\n%s", diff)
	}
	if diff := cmp.Diff(d.rep.Publish, proof.Publish); diff != "" {
		d.add("the plan's report has other records to publish (-audit +proof):\n%s", diff)
	}
}

// after holds that nothing is left to publish when the plan has been carried out.
func (d *disagreements) after(proof *report.Report) {
	for _, p := range proof.Publish {
		d.add("after the plan, there is still to publish: %q", p.Records)
	}
}

// hardening holds that what hardening adds is not at a name that the audit takes for one with
// mail, and that the plan does not remove, refuse or keep it.
func (d *disagreements) hardening(t *testing.T, given *resolver.Zones, o *org.Organization) (n int) {
	h, err := harden.Zones(given.Records(), o)
	if err != nil {
		return 0 // no zone is whole
	}
	mail := make(map[string]bool)
	for _, f := range d.rep.Findings {
		if known, _ := rule.Lookup(f.Rule); known.Scope == rule.Name || known.Scope == rule.MailDomain {
			mail[f.Subject.Name] = true
		}
	}
	omitted, removed := make(map[string]bool), make(map[string]bool)
	for _, r := range d.plan.Refused {
		omitted[r.Value] = true
	}
	for _, k := range d.plan.Kept {
		rr := k.Records[0].Header()
		omitted[resolver.Question{Name: strings.ToLower(rr.Name), Type: rr.Rrtype}.String()] = k.Wanted != nil
	}
	for _, c := range d.plan.Changes {
		for _, rr := range c.Removed() {
			removed[c.Name+" "+txt.LooseKey(rr)] = true
		}
	}
	for r := range h.Records() {
		n++
		name := strings.ToLower(r.RR.Header().Name)
		set := resolver.Question{Name: name, Type: r.RR.Header().Rrtype}
		switch {
		case mail[name]:
			d.add("%q is hardened, and the audit takes the name for one with mail", r)
		case omitted[set.String()]:
			d.add("%q is hardened, and the plan keeps or refuses it", r)
		case removed[name+" "+txt.LooseKey(r.RR)]:
			d.add("%q is hardened, and the plan removes it", r)
		}
	}
	return n
}
