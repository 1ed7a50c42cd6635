//go:build interop

package publish_test

import (
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/csa"
	"github.com/bonafide-mta/bonafide/identity"
	"github.com/bonafide-mta/bonafide/identity/audit"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/plan"
	"github.com/bonafide-mta/bonafide/identity/report"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/internal/lab/netns"
	"github.com/bonafide-mta/bonafide/resolver"
)

// TestInteropPublish takes an organization from zones that fail to zones that pass, on
// BIND and on NSD, in the steps of its plan. After each step both servers have the same
// records, and neither Exim nor our verifier judges any mail worse than before.
func TestInteropPublish(t *testing.T) {
	if !netns.Enter(t) {
		return
	}
	o, helos := describe(t)
	e := &experiment{org: o, helos: helos}
	for _, m := range o.MTAs {
		e.addrs = append(e.addrs, m.Addresses...)
	}
	netns.Loopback(t, e.addrs...)
	netns.MountEtc(t)
	e.publications = []*publication{publish(o, newBIND(t, initialZones(t))), publish(o, newNSD(t, initialZones(t)))}
	netns.ServeDNS(t, dns.HandlerFunc(func(w dns.ResponseWriter, question *dns.Msg) {
		w.WriteMsg(netns.Forward(w, question, e.asked.Load().server().Addr))
	}))
	e.exims = newExims(t, "cron@mta1.example.test")
	t.Log(e.exims.receiver.Version)

	e.sendAll(t, "at first")
	e.makePlans(t)
	steps := e.publications[0].plan.Steps
	if len(steps) != int(plan.Policy) {
		t.Errorf("%d steps: expected one of each stage", len(steps))
	}
	rrsets := 0
	for i, step := range steps {
		e.prepare(t, step)
		for _, p := range e.publications {
			p.carryOutStep(t, i)
		}
		compareZones(t, step.Stage, e.publications)
		e.sendAll(t, "after step "+step.Stage.String())
		rrsets += len(step.Changes)
		t.Logf("%d. %s: %d RRsets", i+1, step.Stage, len(step.Changes))
	}
	e.checkResult(t)
	t.Logf("on each server %d steps, %d RRsets, %d changes of them; %d mails, %d accepted", len(steps), len(e.publications[0].plan.Changes), rrsets, e.exims.sent, e.exims.accepted)
}

// An experiment is one plan, carried out on two servers.
type experiment struct {
	org          *org.Organization
	addrs        []netip.Addr // of all MTAs
	helos        map[netip.Addr]string
	exims        *exims
	publications []*publication
	asked        atomic.Pointer[publication] // by the system's resolver
	// logged is how long the receiver's log was when the MTAs got their HELO names.
	logged int
}

// sendAll sends a mail from each address by the DNS of each server. It must not be judged
// worse than the one before.
func (e *experiment) sendAll(t *testing.T, when string) {
	t.Helper()
	for _, p := range e.publications {
		e.asked.Store(p)
		for _, addr := range e.addrs {
			helo := e.helos[addr]
			got := e.exims.send(t, addr, helo)
			if was := p.mail[addr]; was.accepted() && !got.accepted() || got.CSA == "fail" {
				t.Errorf("%s, %s: mail from %s with HELO %s: %v, before %v", p, when, addr, helo, got, was)
			}
			advised := p.verdict(t, addr, helo, e.exims.from).Advice
			if was, ok := p.advised[addr]; ok && advised.Action > was.Action {
				t.Errorf("%s, %s: for mail from %s with HELO %s we advise %v, before %v", p, when, addr, helo, advised, was)
			}
			p.mail[addr], p.advised[addr] = got, advised
		}
	}
}

// makePlans plans on both servers, whose zones must fail, and compares the plans.
func (e *experiment) makePlans(t *testing.T) {
	t.Helper()
	want := map[netip.Addr]mail{
		e.addrs[0]: {"250", "ok", "unknown"}, e.addrs[1]: {"550", "fail", "unknown"}, e.addrs[2]: {"250", "ok", "unknown"},
		e.addrs[3]: {"550", "fail", "unknown"}, e.addrs[4]: {"550", "fail", "unknown"},
	}
	for _, p := range e.publications {
		if diff := cmp.Diff(want, p.mail, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
			t.Errorf("%s: mail at first (-want +got):\n%s", p, diff)
		}
		report := p.audit(t)
		if !report.Failed(rule.Must) {
			t.Errorf("%s: the zones pass before: %s", p, report.Summary)
		}
		t.Logf("%s at first: %s", p, report.Summary)
		p.planAndProve(t, e.exims.observed(t, "mainlog", e.helos))
	}
	text, other := e.publications[0].text(t), e.publications[1].text(t)
	if !strings.EqualFold(text, other) {
		t.Fatalf("the plans differ (-BIND +NSD):\n%s", cmp.Diff(text, other))
	}
	t.Log(text)
}

// prepare configures the MTAs before the step that asks for it, and checks what the step
// waits for.
func (e *experiment) prepare(t *testing.T, step plan.Step) {
	t.Helper()
	switch step.Stage {
	case plan.SetHelo: // the last mail from user@ the PTR name is sent before this
		e.helos, e.logged = configured(e.publications[0].text(t), e.org), len(e.exims.log(t))
		e.exims.from = "john@example.test"
	case plan.Observe:
		for _, file := range []string{"mainlog", "box"} {
			observed := e.exims.observed(t, file, e.helos)
			for _, p := range e.publications {
				if next := p.newPlan(t, observed).Steps[0]; next.Stage <= plan.Observe {
					t.Errorf("%s: step %s remains, with HELO names observed in the %s", p, next.Stage, file)
				}
			}
		}
	case plan.CheckSenders:
		log := e.exims.log(t)
		before := 0
		for _, name := range step.Names {
			sender := "@" + strings.TrimSuffix(name, ".")
			before += strings.Count(log[:e.logged], sender)
			if strings.Contains(log[e.logged:], sender) {
				t.Errorf("user%s was a sender since the MTAs were told:\n%s", sender, log)
			}
		}
		if before == 0 {
			t.Errorf("none of %v was in a sender before the MTAs were told:\n%s", step.Names, log)
		}
	}
}

// checkResult checks that both servers have what was planned, that all mail is explicitly
// authorized, and that forged mail is refused.
func (e *experiment) checkResult(t *testing.T) {
	t.Helper()
	for _, p := range e.publications {
		p.checkFinished(t)
		for _, addr := range e.addrs {
			if want := (mail{"250", "ok", "ok"}); p.mail[addr] != want {
				t.Errorf("%s: mail from %s with HELO %s: %v, want %v", p, addr, e.helos[addr], p.mail[addr], want)
			}
			if verdict := p.verdict(t, addr, e.helos[addr], e.exims.from); verdict.Level != identity.Explicit || verdict.Advice.Action != identity.Accept {
				t.Errorf("%s: %s with HELO %s is %s %v", p, addr, e.helos[addr], verdict.Level, verdict.Reasons)
			}
		}
		if verdict := p.verdict(t, e.addrs[0], e.helos[e.addrs[0]], "cron@mta1.example.test"); verdict.Advice.Action != identity.Reject {
			t.Errorf("%s: mail of a locked PTR name: %v", p, verdict.Advice)
		}
		e.asked.Store(p)
		for _, f := range forgeries {
			got := e.exims.send(t, netip.MustParseAddr(f.addr), f.helo)
			ours := csa.Checker{Resolver: p.dns}.Check(t.Context(), netip.MustParseAddr(f.addr), f.helo)
			if got != f.exim || ours.Reason != f.ours {
				t.Errorf("%s: %s with HELO %s: Exim %v, want %v; ours %s, want %s", p, f.addr, f.helo, got, f.exim, ours.Reason, f.ours)
			}
		}
	}
}

// forgeries are clients that use HELO names which are not theirs once the plan is carried
// out, and what Exim and csa.Check find.
var forgeries = []struct {
	addr, helo string
	exim       mail
	ours       csa.Reason
}{
	{"192.0.2.10", "mta1.example.test", mail{"550", "ok", "fail"}, csa.Denied}, // the PTR names are locked
	{"2001:db8::20", "MTA2.Example.test", mail{"550", "ok", "fail"}, csa.Denied},
	{"192.0.2.10", "www.example.test", mail{"550", "ok", "fail"}, csa.Denied},             // of the same machine, by Options.DenyNames
	{"192.0.2.10", "mail.example.test", mail{"550", "ok", "fail"}, csa.ExplicitRequired},  // its HELO name before, by the policy
	{"192.0.2.10", "smtp.example.test", mail{"550", "fail", "fail"}, csa.AddressMismatch}, // the other MTA's
	{"198.51.100.20", "post.example.test", mail{"550", "fail", "fail"}, csa.AddressMismatch},
	// Exim 4.95 and later do not apply the policy to names that do not exist.
	{"192.0.2.10", "nowhere.example.test", mail{"550", "fail", "unknown"}, csa.ExplicitRequired},
	{"192.0.2.10", "shop.example.test", mail{"250", "ok", "unknown"}, csa.ExplicitRequired},
}

// describe returns the description, and the HELO names of the MTAs at first.
func describe(t *testing.T) (*org.Organization, map[netip.Addr]string) {
	t.Helper()
	o := readOrg(t, "testdata/org.yaml")
	helos := make(map[netip.Addr]string)
	for i, helo := range []string{"mail.example.test", "mx2.lan"} {
		for _, addr := range o.MTAs[i].Addresses {
			helos[addr] = helo
		}
	}
	return o, helos
}

func readOrg(t *testing.T, file string) *org.Organization {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	o, err := org.Parse(file, text)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

var heloName = regexp.MustCompile(`(?m)^   (\S+): (\S+)$`)

// configured returns the HELO names of the MTAs once they have the setting for Exim from the
// step set-helo of the text of the plan.
func configured(text string, o *org.Organization) map[netip.Addr]string {
	helos := make(map[netip.Addr]string)
	_, step, _ := strings.Cut(text, " set-helo (")
	step, _, _ = strings.Cut(step, "\n\n")
	if !strings.Contains(step, "\n     Exim       helo_data = ") {
		return helos
	}
	for _, found := range heloName.FindAllStringSubmatch(step, -1) {
		i := slices.IndexFunc(o.MTAs, func(m org.MTA) bool { return m.ID == found[1] })
		for _, addr := range o.MTAs[i].Addresses {
			helos[addr] = found[2]
		}
	}
	return helos
}

// compareZones compares all zones that are changed.
func compareZones(t *testing.T, stage plan.Stage, publications []*publication) {
	t.Helper()
	zones := append(slices.Clone(publications[0].org.Zones), ispZone)
	bind, nsd := sortedText(transfer(t, publications[0].server(), zones...)), sortedText(transfer(t, publications[1].server(), zones...))
	if diff := cmp.Diff(bind, nsd); diff != "" {
		t.Errorf("after step %s, the zones differ (-BIND +NSD):\n%s", stage, diff)
	}
}

// A publication is a plan on its way on one server.
type publication struct {
	host
	org   *org.Organization
	dns   *resolver.Client
	plan  *plan.Plan
	proof *report.Proof
	mail  map[netip.Addr]mail // the last from each address
	// advised is what our verifier advised for it.
	advised map[netip.Addr]identity.Advice
}

func publish(o *org.Organization, h host) *publication {
	return &publication{
		host: h, org: o, dns: &resolver.Client{Servers: []netip.AddrPort{h.server().Addr}},
		mail: make(map[netip.Addr]mail), advised: make(map[netip.Addr]identity.Advice),
	}
}

func (p *publication) String() string { return p.server().Version }

// auditor asks the server.
func (p *publication) auditor() audit.Auditor {
	return audit.Auditor{Resolver: p.dns, AllowDocumentation: true}
}

func (p *publication) audit(t *testing.T) *report.Report {
	t.Helper()
	report, err := p.auditor().Audit(t.Context(), p.org)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// planAndProve plans, and proves the result of the plan.
func (p *publication) planAndProve(t *testing.T, observed map[netip.Addr]string) {
	t.Helper()
	p.plan = p.newPlan(t, observed)
	if len(p.plan.Kept)+len(p.plan.Refused) > 0 {
		t.Errorf("%s: not planned:\n%s", p, p.text(t))
	}
	var err error
	if p.proof, err = p.auditor().Prove(t.Context(), p.plan); err != nil {
		t.Fatal(err)
	}
}

// newPlan plans from what the server has now: all of the organization's zones, and the
// answers from the ISP's.
func (p *publication) newPlan(t *testing.T, observed map[netip.Addr]string) *plan.Plan {
	t.Helper()
	whole, err := plan.FromZones(resolver.SeqOf(transfer(t, p.server(), p.org.Zones...)...))
	if err != nil {
		t.Fatal(err)
	}
	current, err := whole.WithAnswers(t.Context(), p.dns, p.org)
	if err != nil {
		t.Fatal(err)
	}
	made, err := plan.New(p.org, current, plan.Options{Adopt: true, DenyNames: true, Observed: observed})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func (p *publication) text(t *testing.T) string {
	t.Helper()
	var text strings.Builder
	if err := p.plan.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

// carryOutStep carries out a step. The gate Confirm waits until the step before it is
// carried out, and not a moment longer, since nothing is cached. The gate Observe waits for
// HELO names that were not seen when the plan was made: only a new plan can pass it.
func (p *publication) carryOutStep(t *testing.T, i int) {
	t.Helper()
	v := identity.Verifier{Resolver: p.dns}
	step := p.plan.Steps[i]
	unseen := 0
	if step.Stage == plan.Observe {
		unseen = 5 // addresses
	}
	if waiting := step.Waiting(t.Context(), v); len(waiting) != unseen {
		t.Errorf("%s: step %s waits: %q", p, step.Stage, waiting)
	}
	if step.Stage == plan.Reverse {
		waiting := p.plan.Steps[i+1].Waiting(t.Context(), v)
		if len(waiting) != 5 { // addresses
			t.Errorf("%s: before step %s, the next waits for %q", p, step.Stage, waiting)
		}
	}
	p.change(t, step)
}

// change makes the changes of a step, those that a letter asks of the ISP too.
func (p *publication) change(t *testing.T, step plan.Step) {
	t.Helper()
	p.carryOut(t, step.Changes)
	l := readLetter(t, step.Changes)
	if asked := len(l.set) + len(l.remove); asked > 0 {
		p.changePTRs(t, l)
	} else if slices.Contains(step.Owners(), plan.OwnerISP) {
		t.Errorf("%s: step %s asks nothing of the ISP", p, step.Stage)
	}
}

// checkFinished checks that the audit says what was proved, and that nothing is left to do.
func (p *publication) checkFinished(t *testing.T) {
	t.Helper()
	report := p.audit(t)
	var text strings.Builder
	if err := report.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	if report.Summary.Fail > 0 || report.Summary != p.proof.After.Summary {
		t.Errorf("%s: the audit fails, or not as was proved: %s\n%s", p, p.proof.After.Summary, &text)
	}
	t.Logf("%s at last: %s", p, report.Summary)
	observed := make(map[netip.Addr]string)
	for _, m := range p.org.MTAs {
		for _, addr := range m.Addresses {
			observed[addr] = m.Helo
		}
	}
	if left := p.newPlan(t, observed); len(left.Changes)+len(left.Steps)+len(left.Kept)+len(left.Refused) > 0 {
		t.Errorf("%s: the plan is carried out, and there is another: %+v", p, left)
	}
}

func (p *publication) verdict(t *testing.T, addr netip.Addr, helo, sender string) *identity.Verdict {
	t.Helper()
	return verdict(t, p.dns, addr, helo, sender)
}

func verdict(t *testing.T, r resolver.Resolver, addr netip.Addr, helo, sender string) *identity.Verdict {
	t.Helper()
	session := identity.Verifier{Resolver: r}.Session(t.Context(), addr)
	defer session.Close()
	session.Helo(t.Context(), helo)
	return session.MailFrom(t.Context(), sender)
}
