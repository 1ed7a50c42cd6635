// Package audit judges an organization's mail servers by what DNS says about them: every
// rule of package rule, line by line, with the evidence, and for each failure the records
// that would fix it.
//
// Call [Auditor.Audit] for a report, which package report prints and compares;
// [Auditor.Findings] yields its findings as soon as they are known, and [Auditor.Prove]
// audits what a plan would publish. The Resolver that answers the questions is a client of
// the live DNS, or zone files that are to be published (resolver.ReadZone).
//
// A question that gets no answer makes a finding Undecided, never a Fail. Fixes are changes of
// a plan over the same DNS: a failure tells what the plan keeps, refuses or waits for. The audit knows only what DNS can tell: not whether an
// address is static, whether the MTA really uses the HELO name described, or whether anyone
// reads the mail of its postmaster.
//
// An Auditor holds no state. It may be used concurrently if its Resolver, Mailboxes and Now
// may, and asks the Resolver concurrently itself.
//
// # Bounds
//
// An audit asks at most 28 questions for the organization, and for each MTA at most 18 for
// its HELO and PTR names and 28 for each of its addresses. For each HELO name and mail domain
// it asks at most 2,700 about the SPF record and 260 for each address that sends under it, or
// some five if the record is an ordinary one, and 137 about where its mail goes; for each
// include that is described 2,700, and for each name without mail and each PTR name 2,720. If
// a rule fails, it asks for what the plan of the fixes needs to know, except what was answered
// already: see plan.Published.WithAnswers. Sixteen checks run at once,
// which ask at most 160 jobs at a time. Nothing is remembered: a resolver.Cache saves most of
// what several addresses ask about one SPF record. Only [Auditor.Mailboxes], which is nil
// unless set, connects to mail servers; its questions come on top.
//
// The answers are kept until the audit ends. When its context ends, so does the audit, within
// about 100 ms of CPU time: see [Auditor.Timeout]. Package report states the bounds of what
// a report says.
package audit

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/plan"
	"github.com/bonafide-mta/bonafide/identity/report"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/reputation/roleaddr"
	"github.com/bonafide-mta/bonafide/resolver"
)

// An Auditor audits organizations. All fields except Resolver may stay zero.
type Auditor struct {
	// Resolver answers the questions; required.
	Resolver resolver.Resolver
	// Published has the whole zones that the Resolver answers from, if they are known: fixes
	// are then those of a plan over these zones, which sees all that is in them. Nil means
	// that the plan knows only answers: see plan.Published.WithAnswers.
	Published *plan.Published
	// AllowDocumentation accepts addresses and names that are set aside for
	// documentation (RFC 5737, RFC 3849, RFC 6761) as if they were public: for
	// demonstrations and tests. The report says so.
	AllowDocumentation bool
	// Mailboxes asks mail servers whether they accept mail for postmaster and abuse of a
	// domain, as the Check of a roleaddr.Checker does. Nothing else in an audit connects to
	// anything except the DNS. It is called for one domain after the other. If it is nil, no
	// server is asked, and the rule role-mailboxes is not judged.
	Mailboxes func(ctx context.Context, domain string) *roleaddr.Result
	// Timeout bounds the whole audit: what has no answer by then is Undecided. So is a rule
	// whose answers came in time but are too many to judge in about 100 ms of CPU time after
	// it (rule.CodeCutOff). Zero means only the context bounds the audit, in the same way.
	Timeout time.Duration
	// Now is the clock of reports and exceptions; nil is time.Now.
	Now func() time.Time
}

// Audit asks what the rules need to know and judges by every rule. It returns an error only
// for what cannot be audited at all: no organization or an invalid one, no Resolver, or an
// exception for a rule or subject that does not exist. If DNS fails, the context ends or the
// Timeout passes, findings are Undecided.
func (a Auditor) Audit(ctx context.Context, o *org.Organization) (*report.Report, error) {
	return a.audit(ctx, o, nil)
}

// audit is Audit with a plan over the same DNS, if there is one.
func (a Auditor) audit(ctx context.Context, o *org.Organization, p *plan.Plan) (*report.Report, error) {
	f, err := a.describe(o)
	if err != nil {
		return nil, err
	}
	if p != nil {
		f.plan = func() *plan.Plan { return p }
	}
	rep := &report.Report{Version: report.Version, Time: f.now.UTC(), Organization: f.domain, AllowDocumentation: a.AllowDocumentation, Notes: []report.Note{}, Findings: []report.Finding{}, Publish: []report.Publication{}, Omitted: []report.Omission{}}
	for finding := range a.findings(ctx, f) {
		rep.Findings = append(rep.Findings, finding)
		rep.Summary.Add(finding.Status)
	}
	rep.Trim()
	rep.Hosts = f.hosts()
	for _, n := range f.notes {
		rep.Notes = append(rep.Notes, report.Note(n))
	}
	if rep.Summary.Fail > 0 { // or else there is nothing to do
		addPlan(rep, f.plan())
	}
	return rep, nil
}

// judge applies one rule to one subject.
func judge(r rule.Rule, s subject) report.Finding {
	s.meter.cut = false
	if !s.meter.spend(2) {
		return cutOff(r, s)
	}
	out := checkOf(r)(s)
	s.seen.add(out.evidence)
	if !s.meter.spend(2 + len(out.evidence)/64) {
		return cutOff(r, s)
	}
	// A test holds that checks return codes of the catalogue only.
	known, _ := r.Outcome(out.code)
	f := report.Finding{
		Rule: r.ID, Level: r.Level, Subject: s.name(), Status: known.Status, Code: known.Code,
		Message: known.Text, Remedy: known.Remedy, Fix: []string{},
	}
	f.SetEvidence(out.evidence, out.dialog...)
	if out.detail != "" {
		f.SetMessage(known.Text + ": " + out.detail)
	}
	if f.Status == rule.Fail {
		f.Mitigated = out.mitigation
		s.addRemedy(&f, known, out)
	} else if f.Remedy == "" {
		return f // no exception can be made
	}
	for _, e := range s.exceptions {
		if e.Covers(string(f.Rule), f.Subject.String()) && !e.Expired(s.now) {
			f.Status, f.Remedy = rule.Waived, e.Reason
		}
	}
	return f
}

// An outcome is what a check returns: one of its rule's codes, and what the
// finding says beyond it.
type outcome struct {
	code       rule.Code
	detail     string
	evidence   []resolver.Response
	dialog     []report.Evidence      // what a mail server said
	fix        func(rule.Record) bool // of a failure: which wanted records would fix it; nil: none
	mitigation string                 // of a failure: what softens it, see Finding.Mitigated
	remedy     string                 // of a failure: what to do, in place of what the catalogue says
	otherwise  string                 // of a failure whose remedy mentions a fix: what to do if there is none; "": the reason is told
	broken     []netip.Addr           // of a failure of an MTA: the addresses that it is about
}

// addDetail adds to the detail.
func (o *outcome) addDetail(format string, args ...any) {
	if o.detail != "" {
		o.detail += ": "
	}
	o.detail += fmt.Sprintf(format, args...)
}

func (o outcome) fixedBy(record rule.Record) bool { return o.fix != nil && o.fix(record) }
