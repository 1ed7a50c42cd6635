//go:build interop

package publish_test

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/identity"
	"github.com/bonafide-mta/bonafide/identity/flow"
	"github.com/bonafide-mta/bonafide/identity/harden"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/plan"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/internal/lab/nameserver"
	"github.com/bonafide-mta/bonafide/internal/lab/netns"
	"github.com/bonafide-mta/bonafide/nullmx"
	"github.com/bonafide-mta/bonafide/resolver"
)

// TestInteropCompany takes a company as real ones are to zones that pass, on BIND: it plans,
// carries out the first step of the plan, and plans again, until nothing is left to do. After
// every change of a step all mail that its zones and its description show is judged no worse
// than before, and goes to where it went.
func TestInteropCompany(t *testing.T) {
	if !netns.Enter(t) {
		return
	}
	c := newCompany(t)
	t.Logf("%s, %s; at first: %s", c, c.exims.receiver.Version, c.audit(t).Summary)
	c.sendMail(t, "at first")
	c.judgeFlows(t, "at first")
	c.makePlan(t)
	t.Log(c.text(t))
	c.authorizeGit(t)
	c.makePlan(t)
	steps, changes := 0, 0
	for step, ok := c.next(t); ok; step, ok = c.next(t) {
		if steps++; steps > int(plan.Policy) {
			t.Fatalf("the steps do not end:\n%s", c.text(t))
		}
		for _, change := range slices.Backward(step.Changes) { // the order does not matter
			c.change(t, plan.Step{Stage: step.Stage, Changes: []plan.Change{change}})
			c.judgeFlows(t, "after "+change.Name+" "+resolver.TypeString(change.Type))
		}
		c.sendMail(t, "after step "+step.Stage.String())
		c.judgeFlows(t, "after step "+step.Stage.String())
		changes += len(step.Changes)
		t.Logf("%d. %s: %d RRsets", steps, step.Stage, len(step.Changes))
		c.makePlan(t)
	}
	c.checkResult(t)
	c.harden(t)
	t.Logf("%d steps, %d RRsets; %d mails, %d accepted; %d flows judged %d times, %d ended as planned; %d ways in",
		steps, changes, c.exims.sent, c.exims.accepted, len(c.flows), c.judged, len(c.ended), len(c.ways))
}

// A company is the organization of testdata/company, and those that send its mail.
type company struct {
	*publication
	exims   *exims
	clients []client
	helos   map[netip.Addr]string // what the clients say in HELO
	mails   map[envelope]mail     // the last of each
	// silenced are the names of which the plan has said that they must not be used.
	silenced []string
	logged   int // how long the receiver's log was when the clients were told

	// flows are all that were seen. Those without a HELO name are sent with the client's.
	flows map[envelope]*judged
	// ended are those of which a plan said that they would end.
	ended   map[envelope]bool
	dropped []plan.Dropped
	ways    map[string][]netip.Addr // where mail goes to, by host and domain
	judged  int
}

// judged are the verdicts on a flow.
type judged struct{ first, last *identity.Verdict }

// A client sends mail of the company.
type client struct {
	addr string
	helo string // at first
	from []string
	// programs are senders that can be told to use other names.
	programs []string
}

func newCompany(t *testing.T) *company {
	t.Helper()
	c := &company{
		clients: []client{
			{"192.0.2.10", "gate1.tidewater.example", []string{"nora@tidewater.example", "nora@oldtide.test", "nora@tidewater-shop.example"}, []string{"cron@gate1.tidewater.example"}},
			{"2001:db8:1::10", "gate1.tidewater.example", []string{"nora@tidewater.example"}, nil},
			{"192.0.2.11", "gate2.tidewater.example", []string{"jens@tidewater.example", "jens@oldtide.test"}, []string{"root@gate2.tidewater.example"}},
			{"2001:db8:1::11", "gate2.tidewater.example", []string{"jens@tidewater.example"}, nil},
			{"203.0.113.40", "app.tidewater-shop.example", []string{"orders@tidewater-shop.example"}, []string{"www-data@app.tidewater-shop.example"}},
			{"2001:db8:40::25", "app.tidewater-shop.example", []string{"orders@tidewater-shop.example", "returns@tidewater-shop.example"}, nil},
			{"192.0.2.12", "git.tidewater.example", []string{"git@tidewater.example", "git@git.tidewater.example"}, nil},
			{"203.0.113.130", "out1.letters.test", []string{"letter@news.tidewater.example", "bounces@em4711.tidewater.example", "bounces@em4712.tidewater-shop.example", "offers@tidewater-shop.example"}, nil},
			{"198.51.100.60", "out.groupware.test", []string{"nora@tidewater.example", "invitations@oldtide.test"}, nil},
		},
		helos: make(map[netip.Addr]string), mails: make(map[envelope]mail),
		flows: make(map[envelope]*judged), ended: make(map[envelope]bool), ways: make(map[string][]netip.Addr),
	}
	for _, client := range c.clients {
		c.helos[netip.MustParseAddr(client.addr)] = client.helo
	}
	netns.Loopback(t, slices.Collect(maps.Keys(c.helos))...)
	netns.MountEtc(t)
	c.publication = publish(readOrg(t, "testdata/company/org.yaml"), newBIND(t, companyZones(t)))
	netns.ServeDNS(t, dns.HandlerFunc(func(w dns.ResponseWriter, question *dns.Msg) {
		w.WriteMsg(netns.Forward(w, question, c.server().Addr))
	}))
	c.exims = newExims(t, "")
	return c
}

var origin = regexp.MustCompile(`(?m)^\$ORIGIN (\S+)`)

// companyZones returns the zones of the company, which are whole, and those of others.
func companyZones(t *testing.T) []nameserver.Zone {
	t.Helper()
	files, err := filepath.Glob("testdata/company/*.zone")
	if err != nil || len(files) == 0 {
		t.Fatalf("no zone files: %v", err)
	}
	zones := bareZones(t, "testdata/company/elsewhere.zones")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		zones = append(zones, nameserver.Zone{Apex: string(origin.FindSubmatch(text)[1]), Transfer: true, Update: true, Text: string(text)})
	}
	return withRoot(zones)
}

// sendMail sends a mail from each sender of each client. None must be judged worse than the
// one before.
func (c *company) sendMail(t *testing.T, when string) {
	t.Helper()
	var envelopes []envelope
	for _, client := range c.clients {
		addr := netip.MustParseAddr(client.addr)
		for _, from := range slices.Concat(client.from, client.programs) {
			envelopes = append(envelopes, envelope{addr, c.helos[addr], from})
		}
	}
	for i, got := range c.exims.sendAll(t, envelopes) {
		e := envelopes[i]
		key := envelope{addr: e.addr, from: e.from}
		if was := c.mails[key]; was.accepted() && !got.accepted() || got.CSA == "fail" {
			t.Errorf("%s: mail from %v: %v, before %v", when, e, got, was)
		}
		c.mails[key] = got
		c.note(key)
		c.note(envelope{addr: e.addr}) // bounces
	}
}

// judgeFlows judges all flows that the zones and the description show or have shown, and
// looks up where mail for the company goes.
func (c *company) judgeFlows(t *testing.T, when string) {
	t.Helper()
	survey, err := flow.Read(resolver.SeqOf(transfer(t, c.server(), c.org.Zones...)...), c.org)
	if err != nil {
		t.Fatal(err)
	}
	for f := range survey.Flows() {
		name := strings.Replace(strings.TrimSuffix(f.Name, "."), "*", "any", 1)
		for _, network := range survey.Clients(f) {
			if f.Kind == flow.Helo {
				c.note(envelope{network.Addr(), name, "postmaster@" + name})
			} else {
				c.note(envelope{network.Addr(), "", "user@" + name})
			}
		}
		if f.Kind == flow.Inbound {
			c.lookUp(t, f)
		}
	}
	cache := &resolver.Cache{Resolver: c.dns} // the flows have most questions in common
	for e := range c.flows {
		c.judge(t, cache, when, e)
	}
	for way, was := range c.ways {
		host, domain, _ := strings.Cut(way, " for ")
		if is := c.exchangers(t, domain)[host]; !slices.Equal(is, was) {
			t.Errorf("%s: mail for %s went to %s at %s, now %s", when, domain, host, was, is)
		}
	}
}

// note adds a flow to those that are judged.
func (c *company) note(e envelope) {
	if _, ok := c.flows[e]; !ok {
		c.flows[e] = new(judged)
	}
}

// judge judges a flow, which must not be worse than before, unless a plan said that it has to
// end. A name of its own in HELO may not be in use: it must not be worse than at first.
func (c *company) judge(t *testing.T, r resolver.Resolver, when string, e envelope) {
	t.Helper()
	if c.ended[e] {
		return
	}
	helo := cmp.Or(e.helo, c.helos[e.addr], "unknown.example.net")
	is, flow := verdict(t, r, e.addr, helo, e.from), c.flows[e]
	c.judged++
	flow.first = cmp.Or(flow.first, is)
	was := cmp.Or(flow.last, is)
	if e.helo != "" {
		was = flow.first
	}
	flow.last = is
	if is.Level <= was.Level && is.Advice.Action <= was.Advice.Action {
		return
	}
	_, domain, _ := strings.Cut(e.from, "@")
	_, used := c.mails[e]
	if slices.Contains(c.silenced, domain+".") || slices.Contains(c.silenced, helo+".") || !used && c.isDropped(domain+".", e.addr) {
		c.ended[e] = true
		return
	}
	t.Errorf("%s: %s from=<%s> with HELO %s: %s, %v %v; before %s, %v", when, e.addr, e.from, helo, is.Level, is.Advice, is.Reasons, was.Level, was.Advice)
}

// isDropped reports whether a plan said that an SPF record will not authorize an address any
// more, which is not an MTA's.
func (c *company) isDropped(domain string, addr netip.Addr) bool {
	return slices.ContainsFunc(c.dropped, func(d plan.Dropped) bool {
		return d.Name == domain && slices.ContainsFunc(d.Networks, func(n netip.Prefix) bool { return n.Contains(addr) })
	})
}

// lookUp notes where the mail of a flow goes.
func (c *company) lookUp(t *testing.T, f flow.Flow) {
	t.Helper()
	for host, addrs := range c.exchangers(t, f.Name) {
		if way := host + " for " + f.Name; c.ways[way] == nil {
			c.ways[way] = addrs
		}
	}
}

// exchangers returns the addresses of the hosts that mail for a domain goes to.
func (c *company) exchangers(t *testing.T, domain string) map[string][]netip.Addr {
	t.Helper()
	hosts := []string{domain}
	result := nullmx.Checker{Resolver: c.dns}.Check(t.Context(), domain)
	switch result.Status {
	case nullmx.Explicit, nullmx.Mixed:
		hosts = nil
		for _, mx := range result.MX {
			hosts = append(hosts, mx.Mx)
		}
	case nullmx.Implicit:
	default:
		return nil
	}
	out := make(map[string][]netip.Addr)
	for _, host := range hosts {
		addrs, err := resolver.LookupAddrs(t.Context(), c.dns, host)
		if err != nil {
			t.Fatal(err)
		}
		if len(addrs) > 0 {
			slices.SortFunc(addrs, netip.Addr.Compare)
			out[host] = addrs
		}
	}
	return out
}

// isMTA reports whether an MTA is described at an address.
func (c *company) isMTA(addr netip.Addr) bool {
	return slices.ContainsFunc(c.org.MTAs, func(m org.MTA) bool { return slices.Contains(m.Addresses, addr) })
}

// makePlan plans from what is published, and what the MTAs were seen to say in HELO.
func (c *company) makePlan(t *testing.T) {
	t.Helper()
	observed := c.exims.observed(t, "mainlog", c.helos)
	maps.DeleteFunc(observed, func(addr netip.Addr, _ string) bool { return !c.isMTA(addr) })
	c.plan = c.newPlan(t, observed)
	c.dropped = append(c.dropped, c.plan.Dropped...)
}

// authorizeGit publishes a CSA record for a server that is not described, because the plan
// refuses the policy of the domain without it.
func (c *company) authorizeGit(t *testing.T) {
	t.Helper()
	if !slices.ContainsFunc(c.plan.Refused, func(r plan.Refusal) bool {
		return r.Value == "_client._smtp.tidewater.example. SRV" && strings.Contains(r.Reason, "publish CSA records for their names")
	}) {
		t.Errorf("refused: %v", c.plan.Refused)
	}
	if out, err := c.host.(bind).update("update add _client._smtp.git.tidewater.example. 3600 SRV 1 2 1 git.tidewater.example.\nsend\n"); err != nil {
		t.Fatalf("nsupdate: %v\n%s", err, out)
	}
}

// next returns the first step of the plan that changes records, after what it has to wait
// for is so. The MTAs get their HELO names on the way, and senders are told to stop.
func (c *company) next(t *testing.T) (plan.Step, bool) {
	t.Helper()
	for _, step := range c.plan.Steps {
		if waiting := step.Waiting(t.Context(), identity.Verifier{Resolver: c.dns}); len(waiting) > 0 {
			t.Fatalf("step %s waits: %q", step.Stage, waiting)
		}
		switch step.Stage {
		case plan.Confirm:
		case plan.SetHelo:
			maps.Copy(c.helos, configured(c.text(t), c.org))
			return step, true
		case plan.CheckSenders:
			c.silence(t, step.Names)
		default:
			return step, true
		}
	}
	return plan.Step{}, false
}

// silence tells programs not to send as user@ some names, and checks that nothing else does,
// and that nothing uses the names in HELO.
func (c *company) silence(t *testing.T, names []string) {
	t.Helper()
	if c.silenced == nil {
		c.logged = len(c.exims.log(t))
	}
	for _, name := range names {
		if !slices.Contains(c.silenced, name) {
			c.silenced = append(c.silenced, name)
		}
		name = strings.TrimSuffix(name, ".")
		sends := func(from string) bool { return strings.HasSuffix(from, "@"+name) }
		for i, client := range c.clients {
			c.clients[i].programs = slices.DeleteFunc(client.programs, sends)
			if slices.ContainsFunc(client.from, sends) || c.helos[netip.MustParseAddr(client.addr)] == name {
				t.Fatalf("%s uses %s, which is to be locked", client.addr, name)
			}
		}
	}
}

// checkResult checks that nothing fails, and that names which were locked are of no use.
func (c *company) checkResult(t *testing.T) {
	t.Helper()
	report := c.audit(t)
	t.Logf("at last: %s", report.Summary)
	for _, f := range report.Findings {
		if f.Status == rule.Fail {
			t.Errorf("%s %s: %s", f.Rule, f.Subject, f.Message)
		}
	}
	if len(c.plan.Changes)+len(c.plan.Kept) > 0 {
		t.Errorf("there is more to do:\n%s", c.text(t))
	}
	log := c.exims.log(t)
	for _, name := range c.silenced {
		if sender := "@" + strings.TrimSuffix(name, "."); strings.Contains(log[c.logged:], sender) {
			t.Errorf("user%s still sends mail", sender)
		}
	}
	var forged []envelope
	for _, m := range c.org.MTAs {
		if !m.Sends() {
			continue
		}
		for _, addr := range m.Addresses {
			if v := c.verdict(t, addr, c.helos[addr], ""); v.Level != identity.Explicit {
				t.Errorf("%s at %s is %s %v", m.ID, addr, v.Level, v.Reasons)
			}
			name := strings.TrimSuffix(m.PTR, ".")
			forged = append(forged, envelope{addr, name, "user@" + name}, envelope{netip.MustParseAddr("203.0.113.130"), m.Helo, "user@" + m.Helo})
		}
	}
	for i, got := range c.exims.sendAll(t, forged) {
		if v := c.verdict(t, forged[i].addr, forged[i].helo, forged[i].from); got.accepted() || got.CSA != "fail" || v.Advice.Action != identity.Reject {
			t.Errorf("forged: %v: %v; we advise %v", forged[i], got, v.Advice)
		}
	}
}

// harden publishes the records of all names without mail. They hurt no mail.
func (c *company) harden(t *testing.T) {
	t.Helper()
	h, err := harden.Zones(resolver.SeqOf(transfer(t, c.server(), c.org.Zones...)...), c.org)
	if err != nil {
		t.Fatal(err)
	}
	h.DenyNames = true
	var script strings.Builder
	n := 0
	for record := range h.Records() {
		n++
		fmt.Fprintf(&script, "update add %s\nsend\n", record.RR)
	}
	if out, err := c.host.(bind).update(script.String()); err != nil {
		t.Fatalf("nsupdate: %v\n%s\n%s", err, out, &script)
	}
	c.sendMail(t, "after hardening")
	c.judgeFlows(t, "after hardening")
	if report := c.audit(t); report.Summary.Fail > 0 {
		t.Errorf("after hardening: %s", report.Summary)
	}
	t.Logf("hardened: %d names, %d records", len(h.Names), n)
}
