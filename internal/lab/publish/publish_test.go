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
// BIND and on NSD, in the steps of its plan. After each step both servers have the same,
// and neither Exim nor our verifier thinks worse of any mail than before.
func TestInteropPublish(t *testing.T) {
	if !netns.Enter(t) {
		return
	}
	o, says := describe(t)
	var addrs []netip.Addr
	for _, m := range o.MTAs {
		addrs = append(addrs, m.Addresses...)
	}
	netns.Loopback(t, addrs...)
	netns.Etc(t)
	publications := []*publication{publish(o, newBIND(t)), publish(o, newNSD(t))}
	var asked atomic.Pointer[publication] // by the system
	netns.Resolve(t, dns.HandlerFunc(func(w dns.ResponseWriter, question *dns.Msg) {
		w.WriteMsg(netns.Ask(w, question, asked.Load().at().Addr))
	}))
	x := newExims(t, "cron@mta1.example.test")
	t.Log(x.receiver.Version)
	deliver := func(when string) {
		t.Helper()
		for _, p := range publications {
			asked.Store(p)
			for _, addr := range addrs {
				got := x.send(t, addr, says[addr])
				if was := p.mail[addr]; was.accepted() && !got.accepted() || got.CSA == "fail" {
					t.Errorf("%s, %s: mail from %s with HELO %s: %v, before %v", p, when, addr, says[addr], got, was)
				}
				advised := p.verdict(t, addr, says[addr], x.from).Advice
				if was, ok := p.advised[addr]; ok && advised.Action > was.Action {
					t.Errorf("%s, %s: for mail from %s with HELO %s we advise %v, before %v", p, when, addr, says[addr], advised, was)
				}
				p.mail[addr], p.advised[addr] = got, advised
			}
		}
	}

	deliver("at first")
	for _, p := range publications {
		if diff := cmp.Diff(map[netip.Addr]mail{
			addrs[0]: {"250", "ok", "unknown"}, addrs[1]: {"550", "fail", "unknown"}, addrs[2]: {"250", "ok", "unknown"},
			addrs[3]: {"550", "fail", "unknown"}, addrs[4]: {"550", "fail", "unknown"},
		}, p.mail, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
			t.Errorf("%s: mail at first (-want +got):\n%s", p, diff)
		}
		report := p.audit(t)
		if !report.Failed(rule.Must) {
			t.Errorf("%s: the zones pass before: %s", p, report.Summary)
		}
		t.Logf("%s at first: %s", p, report.Summary)
		p.make(t, x.observed(t, "mainlog", says))
	}
	if text, other := publications[0].text(t), publications[1].text(t); !strings.EqualFold(text, other) {
		t.Fatalf("the plans differ (-BIND +NSD):\n%s", cmp.Diff(text, other))
	} else {
		t.Log(text)
	}

	if n := len(publications[0].plan.Steps); n != int(plan.Policy) {
		t.Errorf("%d steps: expected one of each stage", n)
	}
	rrsets, greeted := 0, 0
	for i, step := range publications[0].plan.Steps {
		switch step.Stage {
		case plan.SetHelo: // the last of what is sent as user@ the PTR name ends with it
			says, greeted = configured(publications[0].text(t), o), len(x.log(t))
			x.from = "john@example.test"
		case plan.Observe:
			for _, file := range []string{"mainlog", "box"} {
				observed := x.observed(t, file, says)
				for _, p := range publications {
					if next := p.again(t, observed).Steps[0]; next.Stage <= plan.Observe {
						t.Errorf("%s: step %s remains, with HELO names observed in the %s", p, next.Stage, file)
					}
				}
			}
		case plan.CheckSenders:
			for _, name := range step.Names[:1] { // the other MTA's nobody ever sent as
				sender, log := "@"+strings.TrimSuffix(name, "."), x.log(t)
				if !strings.Contains(log[:greeted], sender) || strings.Contains(log[greeted:], sender) {
					t.Errorf("expected user%s as a sender before the MTAs were told, and not since:\n%s", sender, log)
				}
			}
		}
		for _, p := range publications {
			p.step(t, i)
		}
		same(t, step.Stage, publications)
		deliver("after step " + step.Stage.String())
		rrsets += len(step.Changes)
		t.Logf("%d. %s: %d RRsets", i+1, step.Stage, len(step.Changes))
	}

	for _, p := range publications {
		p.finished(t)
		for _, addr := range addrs {
			if want := (mail{"250", "ok", "ok"}); p.mail[addr] != want {
				t.Errorf("%s: mail from %s with HELO %s: %v, want %v", p, addr, says[addr], p.mail[addr], want)
			}
			if verdict := p.verdict(t, addr, says[addr], x.from); verdict.Level != identity.Explicit || verdict.Advice.Action != identity.Accept {
				t.Errorf("%s: %s with HELO %s is %s (%s)", p, addr, says[addr], verdict.Level, verdict.Reasons)
			}
		}
		if verdict := p.verdict(t, addrs[0], says[addrs[0]], "cron@mta1.example.test"); verdict.Advice.Action != identity.Reject {
			t.Errorf("%s: mail of a locked PTR name: %v", p, verdict.Advice)
		}
		asked.Store(p)
		for _, f := range forgeries {
			got := x.send(t, netip.MustParseAddr(f.addr), f.helo)
			ours := csa.Checker{Resolver: p.dns}.Check(t.Context(), netip.MustParseAddr(f.addr), f.helo)
			if got != f.exim || ours.Reason != f.ours {
				t.Errorf("%s: %s with HELO %s: Exim %v, want %v; ours %s, want %s", p, f.addr, f.helo, got, f.exim, ours.Reason, f.ours)
			}
		}
	}
	t.Logf("on each server %d steps, %d RRsets, %d changes of them; %d mails, %d accepted", len(publications[0].plan.Steps), len(publications[0].plan.Changes), rrsets, x.sent, x.accepted)
}

// forgeries are HELO names, once the plan is carried out, that are not for those who say
// them, and what Exim and csa.Check find.
var forgeries = []struct {
	addr, helo string
	exim       mail
	ours       csa.Reason
}{
	{"192.0.2.10", "mta1.example.test", mail{"550", "ok", "fail"}, csa.Denied}, // the PTR names are locked
	{"2001:db8::20", "MTA2.Example.test", mail{"550", "ok", "fail"}, csa.Denied},
	{"192.0.2.10", "www.example.test", mail{"550", "ok", "fail"}, csa.Denied},             // of the same machine, by Options.DenyNames
	{"192.0.2.10", "mail.example.test", mail{"550", "ok", "fail"}, csa.ExplicitRequired},  // what it said before, by the policy
	{"192.0.2.10", "smtp.example.test", mail{"550", "fail", "fail"}, csa.AddressMismatch}, // the other MTA's
	{"198.51.100.20", "post.example.test", mail{"550", "fail", "fail"}, csa.AddressMismatch},
	// From 4.95 on, Exim applies the policy to no name below which there is nothing.
	{"192.0.2.10", "nowhere.example.test", mail{"550", "fail", "unknown"}, csa.ExplicitRequired},
	{"192.0.2.10", "shop.example.test", mail{"250", "ok", "unknown"}, csa.ExplicitRequired},
}

// describe reads the description, and tells what the MTAs say in HELO at first.
func describe(t *testing.T) (*org.Organization, map[netip.Addr]string) {
	t.Helper()
	text, err := os.ReadFile("testdata/org.yaml")
	if err != nil {
		t.Fatal(err)
	}
	o, err := org.Parse("org.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	says := make(map[netip.Addr]string)
	for i, helo := range []string{"mail.example.test", "mx2.lan"} {
		for _, addr := range o.MTAs[i].Addresses {
			says[addr] = helo
		}
	}
	return o, says
}

var heloData = regexp.MustCompile(`(?m)^   (\S+)\n.*\n +Exim, .* helo_data = (\S+)$`)

// configured returns what the MTAs say once they have the line for Exim from the text of
// the plan.
func configured(text string, o *org.Organization) map[netip.Addr]string {
	says := make(map[netip.Addr]string)
	for _, found := range heloData.FindAllStringSubmatch(text, -1) {
		i := slices.IndexFunc(o.MTAs, func(m org.MTA) bool { return m.ID == found[1] })
		for _, addr := range o.MTAs[i].Addresses {
			says[addr] = found[2]
		}
	}
	return says
}

// same compares what the servers have of all zones that are changed.
func same(t *testing.T, stage plan.Stage, publications []*publication) {
	t.Helper()
	zones := append(slices.Clone(publications[0].org.Zones), ispZone)
	bind, nsd := published(transfer(t, publications[0].at(), zones...)), published(transfer(t, publications[1].at(), zones...))
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
	mail  map[netip.Addr]mail // what became of the last mail from each address
	// advised is what our verifier said of that.
	advised map[netip.Addr]identity.Advice
}

func publish(o *org.Organization, h host) *publication {
	return &publication{
		host: h, org: o, dns: &resolver.Client{Servers: []netip.AddrPort{h.at().Addr}},
		mail: make(map[netip.Addr]mail), advised: make(map[netip.Addr]identity.Advice),
	}
}

func (p *publication) String() string { return p.at().Version }

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

// make plans, and proves what will come of it.
func (p *publication) make(t *testing.T, observed map[netip.Addr]string) {
	t.Helper()
	p.plan = p.again(t, observed)
	if len(p.plan.Kept)+len(p.plan.Refused) > 0 {
		t.Errorf("%s: not planned:\n%s", p, p.text(t))
	}
	var err error
	if p.proof, err = p.auditor().Prove(t.Context(), p.plan); err != nil {
		t.Fatal(err)
	}
}

// again plans upon what the server has now: of the zones of the organization all, of the
// ISP's what it answers.
func (p *publication) again(t *testing.T, observed map[netip.Addr]string) *plan.Plan {
	t.Helper()
	whole, err := plan.FromZones(resolver.SeqOf(transfer(t, p.at(), p.org.Zones...)...))
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

// step makes a step. The gate Confirm waits until the step before it is made, and not a
// moment longer, since nothing is cached. What the gate Observe waits for is what was seen
// when the plan was made: the test plans again to see it pass.
func (p *publication) step(t *testing.T, i int) {
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
	p.carryOut(t, step.Changes)
	l := readLetter(t, step.Changes)
	if asked := len(l.set) + len(l.remove); asked > 0 {
		p.rename(t, l)
	} else if slices.Contains(step.Owners(), plan.OwnerISP) {
		t.Errorf("%s: step %s asks nothing of the ISP", p, step.Stage)
	}
}

// finished checks that what was proved is so, and that there is nothing left to do.
func (p *publication) finished(t *testing.T) {
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
	if left := p.again(t, observed); len(left.Changes)+len(left.Steps)+len(left.Kept)+len(left.Refused) > 0 {
		t.Errorf("%s: the plan is carried out, and there is another: %+v", p, left)
	}
}

func (p *publication) verdict(t *testing.T, addr netip.Addr, helo, sender string) *identity.Verdict {
	t.Helper()
	session := identity.Verifier{Resolver: p.dns}.Session(t.Context(), addr)
	defer session.Close()
	session.Helo(t.Context(), helo)
	return session.MailFrom(t.Context(), sender)
}
