package plan_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
	"pgregory.net/rapid"

	"github.com/bonafide-mta/bonafide/identity/audit"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/plan"
	"github.com/bonafide-mta/bonafide/identity/report"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/resolver"
)

// The properties hold for 40 random worlds each; -rapid.checks=N tries more.

// With the plan carried out, the audit finds no failure but what the plan names as kept
// or refused; where it names nothing, none. Planned again, there is nothing to do.
func TestPlanPassesTheAudit(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := randomWorld(drawn{rt}, rapid.Bool().Draw(rt, "obstacles"))
		p := w.plan(rt)
		if p == nil {
			rt.Skip("a question without an answer")
		}
		after := w.after(p.Changes)
		report, err := audit.Auditor{Resolver: after.zones(rt), AllowDocumentation: true}.Audit(rt.Context(), w.org)
		if err != nil {
			rt.Fatal(err)
		}
		for _, f := range report.Findings {
			// Who never sends gets no SPF record, and keeps the one that is there.
			idle := f.Rule == rule.SPFValid && !slices.ContainsFunc(w.org.MTAs, org.MTA.Sends)
			// Who never takes mail has no host to name, and a wildcard is somebody's own.
			idle = idle || f.Rule == rule.MailRoute && !slices.ContainsFunc(w.org.MTAs, org.MTA.Receives) || f.Rule == rule.Wildcards
			// A plan chooses no names, and removes no addresses.
			idle = idle || f.Rule == rule.HeloRole
			// Nor does it name hosts in place of those of a wildcard that somebody else has.
			idle = idle || f.Rule == rule.MailRoute && strings.HasSuffix(f.Message, ": mail.isp.test.")
			// A host that takes mail may have addresses that nobody has described.
			idle = idle || f.Rule == rule.MXHosts && !slices.ContainsFunc(w.org.MTAs, func(m org.MTA) bool {
				return slices.ContainsFunc(m.Addresses, func(addr netip.Addr) bool {
					return strings.Contains(f.Message, " "+addr.Unmap().String()+" of ")
				})
			})
			if f.Status == rule.Fail && !idle && !named(p, w, f) {
				rt.Errorf("%s %s: %s\nfix %q\nkept %v\nrefused %v", f.Rule, f.Subject, f.Message, f.Fix, p.Kept, p.Refused)
			}
		}
		// What is proved before anything is published comes true.
		overlay, err := p.Overlay(w.zones(rt))
		if err != nil {
			rt.Fatal(err)
		}
		proof, err := audit.Auditor{Resolver: overlay, AllowDocumentation: true}.Audit(rt.Context(), w.org)
		if err != nil {
			rt.Fatal(err)
		}
		for i, f := range report.Findings {
			if is := proof.Findings[i]; is.Code != f.Code {
				rt.Errorf("%s %s: proved to be %s (%s), is %s (%s)", f.Rule, f.Subject, is.Code, is.Message, f.Code, f.Message)
			}
		}
		again := after.plan(rt)
		if again == nil {
			rt.Fatal("a question that had an answer before")
		}
		for _, c := range again.Changes {
			// The first time, what the replaced record authorized was an obstacle.
			if w.options.Adopt && slices.ContainsFunc(p.Refused, func(r plan.Refusal) bool { return r.Value == resolver.Question{Name: c.Name, Type: c.Type}.String() }) {
				continue
			}
			if c.Owner != plan.OwnerISP || w.asked {
				rt.Errorf("planned again: %+v", c)
			}
		}
		if rt.Failed() {
			rt.Log(w)
		}
	})
}

// named reports whether a plan says why a rule fails: something is kept or refused at a name
// that this finding rests on.
func named(p *plan.Plan, w *world, f report.Finding) bool {
	rests := w.restsOn(f)
	return slices.ContainsFunc(p.Kept, func(k plan.Kept) bool { return rests[k.Records[0].Header().Name] }) ||
		slices.ContainsFunc(p.Refused, func(r plan.Refusal) bool {
			name, _, _ := strings.Cut(r.Value, " ")
			return rests[name]
		})
}

// restsOn returns the names whose records decide on a finding: those of its subject.
func (w *world) restsOn(f report.Finding) map[string]bool {
	names := make(map[string]bool)
	name := func(name string) {
		if name = canonical(name); name != "" {
			names[name], names["_client._smtp."+name] = true, true
		}
	}
	domain := canonical(w.org.Domain)
	mta := func(m org.MTA, addrs ...netip.Addr) {
		name(m.PTR)
		name(m.Helo)
		for _, addr := range addrs {
			reverse := dnsname.Reverse(addr.Unmap())
			names[reverse] = true
			for _, rr := range w.records {
				if cname, ok := rr.(*dns.CNAME); ok && cname.Hdr.Name == reverse {
					names[cname.Target] = true // RFC 2317
				}
			}
		}
	}
	name(f.Subject.Name)
	for _, m := range w.org.MTAs {
		switch {
		case f.Rule == rule.MXHosts: // they may be any of the MTAs
			mta(m, m.Addresses...)
		case f.Rule == rule.MailRoute && m.Receives(): // mail may go to it
			mta(m)
		case f.Subject.MTA == m.ID && f.Subject.Address != "":
			mta(m, netip.MustParseAddr(f.Subject.Address))
		case f.Subject.MTA == m.ID:
			mta(m, m.Addresses...)
		}
	}
	if f.Subject == (report.Subject{}) {
		for _, domain := range w.org.Domains() {
			name(domain)
		}
	}
	switch f.Rule {
	case rule.HeloRP, rule.DomainRP:
		for _, label := range []string{"_mtacontact.", "_admincontact.", "_abusecontact."} {
			names[label+domain] = true
		}
	}
	return names
}

// What a plan takes away it says, and there is a reason for it: it is another record of
// an RRset that is wanted, and of a kind that only one party can have.
func TestPlanRemovesOnlyWhatItSays(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := randomWorld(drawn{rt}, true)
		p := w.plan(rt)
		if p == nil {
			rt.Skip("a question without an answer")
		}
		removed := make(map[string]bool)
		for _, c := range p.Changes {
			for _, rr := range c.Removed() {
				removed[rr.String()] = true
				spf := c.Type == dns.TypeTXT && strings.HasPrefix(strings.ToLower(rr.(*dns.TXT).Txt[0]), "v=spf1")
				contact := c.Type == dns.TypeTXT && strings.Contains(c.Name, "contact.")
				null := c.Type == dns.TypeMX && rr.(*dns.MX).Mx == "."
				dangling := c.Type == dns.TypeRP && strings.HasPrefix(rr.(*dns.RP).Txt, "gone.")
				if !spf && !contact && !null && !dangling && c.Type != dns.TypePTR && c.Type != dns.TypeSRV {
					rt.Errorf("takes away %s", rr)
				}
				if !w.options.Adopt && c.Type != dns.TypePTR {
					rt.Errorf("takes away %s, and does not adopt", rr)
				}
			}
		}
		left := make(map[string]bool)
		for _, rr := range w.after(p.Changes).records {
			left[rr.String()] = true
		}
		for _, rr := range w.records {
			if rr.Header().Rrtype != dns.TypeSOA && left[rr.String()] == removed[rr.String()] {
				rt.Errorf("%s: removed %v, there %v", rr, removed[rr.String()], left[rr.String()])
			}
		}
		if rt.Failed() {
			rt.Log(w)
		}
	})
}

// Zone text and the script for nsupdate say what Apply does, step by step.
func TestPlanAsText(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := randomWorld(drawn{rt}, true)
		p := w.plan(rt)
		if p == nil {
			rt.Skip("a question without an answer")
		}
		var script strings.Builder
		for _, step := range p.Steps {
			if err := plan.WriteUpdate(&script, step.Changes); err != nil {
				rt.Fatal(err)
			}
			var zone strings.Builder
			if err := plan.WriteZone(&zone, step.Changes); err != nil {
				rt.Fatal(err)
			}
			if got, want := added(rt, zone.String()), changed(step.Changes); !slices.Equal(got, want) {
				rt.Errorf("zone text: got %q, want %q", got, want)
			}
		}
		ours := slices.DeleteFunc(slices.Clone(p.Changes), func(c plan.Change) bool { return c.Owner == plan.OwnerISP })
		if diff := cmp.Diff(data(w.after(ours).records), data(nsupdate(rt, w.records, script.String()))); diff != "" {
			rt.Errorf("nsupdate (-Apply +script):\n%s", diff)
		}
		if rt.Failed() {
			rt.Log(w, script.String())
		}
	})
}

func canonical(name string) string {
	name, _ = resolver.Canonical(name)
	return name
}
