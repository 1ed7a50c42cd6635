package plan_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/identity"
	"github.com/bonafide-mta/bonafide/identity/flow"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/plan"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/lab/worlds"
	"github.com/bonafide-mta/bonafide/resolver"
)

var (
	worldCount = flag.Int("worlds", 150, "how many worlds TestPlanHurtsNoMail tries")
	worldSeed  = flag.Uint64("worlds.seed", 0, "the seed of the first of them")
)

// After every step of a plan, and while its changes are made, one of them, all but one, or any
// others, no mail is judged worse and none goes elsewhere, except what the plan names: that the
// gates wait for, and servers and terms that it lists as not authorized any more.
func TestPlanHurtsNoMail(t *testing.T) {
	var next, changes, states, judged, refused, listed atomic.Int64
	var all sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for n := next.Add(1); n <= int64(*worldCount) && !t.Failed(); n = next.Add(1) {
				seed := *worldSeed + uint64(n) - 1
				for _, adopt := range []bool{false, true} {
					c := newCourse(t, worlds.Make(seed), plan.Options{Adopt: adopt, DenyNames: seed%3 == 0})
					c.run()
					for _, hurt := range c.hurt {
						t.Errorf("seed %d, adopt %t: %s", seed, adopt, hurt)
					}
					changes.Add(int64(len(c.plan.Changes)))
					states.Add(int64(c.states))
					judged.Add(int64(c.judged))
					refused.Add(int64(len(c.plan.Refused)))
					listed.Add(int64(len(c.plan.Unlisted) + len(c.plan.Dropped)))
				}
			}
		})
	}
	all.Wait()
	t.Logf("%d worlds from seed %d: %d changes in %d states, %d verdicts, %d refusals, %d servers and records listed",
		*worldCount, *worldSeed, changes.Load(), states.Load(), judged.Load(), refused.Load(), listed.Load())
}

// sampled is how many flows of a world are judged.
const sampled = 30

// A course is the carrying out of a plan in a world.
type course struct {
	*testing.T
	world    *worlds.World
	plan     *plan.Plan
	records  []dns.RR // of all zones
	apexes   []string
	exists   map[string]bool
	mail     []*mail
	observed map[netip.Addr]string
	states   int
	judged   int
	dice     *rand.Rand
	hurt     []string
	lock     sync.Mutex // a verdict asks at once
}

// A mail is a flow or a route, and how it was judged.
type mail struct {
	flow    worlds.Flow
	route   *worlds.Route // nil of a flow
	asked   map[string]bool
	before  outcome
	results map[string]bool // which changes that matter to it it was judged with
	ended   bool            // by a gate
}

// An outcome is how a receiver judges a client, or where mail goes.
type outcome struct {
	helo, mailFrom *identity.Verdict
	addrs          []netip.Addr
}

// vary describes a world otherwise: with PTR names to which HELO names are aliases, HELO names
// that serve others, MTAs that only send, names that have mail among those without, and
// private addresses.
func (c *course) vary() {
	o := *c.world.Org
	o.MTAs, o.Names = slices.Clone(o.MTAs), slices.Clone(o.Names)
	all := c.world.Resolver()
	for i := range o.MTAs {
		m := &o.MTAs[i]
		// The plan takes PTR records that it cannot see for absent.
		if c.dice.IntN(3) == 0 && strings.Contains(c.world.Given, "$ORIGIN 2.0.192.in-addr.arpa.") {
			if answer, err := all.Lookup(c.Context(), m.Helo+".", dns.TypeA); err == nil && len(answer.Chain) > 0 && len(answer.Records) > 0 {
				m.PTR = answer.Records[0].Header().Name
			}
		}
		switch c.dice.IntN(8) {
		case 0:
			m.Roles = []org.Role{org.Outbound}
		case 1:
			if n := len(c.world.Routes); n > 0 {
				m.Helo = strings.TrimSuffix(c.world.Routes[c.dice.IntN(n)].Host, ".")
			}
		case 2:
			m.Helo = "new." + o.Domain
		case 3:
			m.Addresses = append(m.Addresses[1:], netip.MustParseAddr("10.0.0.1"))
		}
	}
	for range c.dice.IntN(4) {
		if f := c.world.Flows[c.dice.IntN(len(c.world.Flows))]; !slices.Contains(o.Names, f.Helo+".") {
			o.Names = append(o.Names, f.Helo+".")
		}
	}
	if o.Validate() == nil {
		varied := *c.world
		varied.Org = &o
		c.world = &varied
	}
}

func newCourse(t *testing.T, w *worlds.World, options plan.Options) *course {
	t.Helper()
	c := &course{T: t, world: w, exists: make(map[string]bool), observed: make(map[netip.Addr]string), dice: rand.New(rand.NewPCG(w.Seed, 2))}
	if w.Seed%2 == 1 {
		c.vary()
		w = c.world
	}
	for _, o := range w.Seen {
		if c.isMTA(o.Addr) {
			c.observed[o.Addr] = o.Helo
		}
	}
	options.Observed = c.observed
	p, err := plan.New(w.Org, whole(t, w.Zones().Records()), options)
	if err != nil {
		t.Fatalf("seed %d: %v", w.Seed, err)
	}
	c.plan, c.records = p, collected(w.Resolver())
	for _, rr := range c.records {
		name := dnsname.CanonicalOrEmpty(rr.Header().Name)
		if _, ok := rr.(*dns.SOA); ok {
			c.apexes = append(c.apexes, name)
		}
		for at := name; at != "" && !c.exists[at]; at = dnsname.Parent(at) {
			c.exists[at] = true
		}
	}
	for _, f := range w.Sample(sampled, worlds.ByZones, worlds.ByOrg, worlds.ByObserving) {
		if f.Source == worlds.ByOrg && !c.isMTA(f.Addr) {
			continue // varied: nothing shows it now
		}
		if said := c.observed[f.Addr]; said == "" && f.Source != worlds.ByObserving || said == f.Helo {
			c.mail = append(c.mail, &mail{flow: f})
		}
	}
	for _, m := range w.Org.MTAs { // what they say once they are told to
		d := w.Org.Mail[c.dice.IntN(len(w.Org.Mail))]
		for _, addr := range m.Addresses {
			if sender := "user@" + strings.TrimSuffix(d.Domain, "."); m.Sends() && !addr.IsPrivate() {
				c.mail = append(c.mail, &mail{flow: worlds.Flow{Addr: addr, Helo: m.Helo, Sender: sender, Source: worlds.ByOrg}})
			}
		}
	}
	for i := range w.Routes {
		c.mail = append(c.mail, &mail{route: &w.Routes[i]})
	}
	return c
}

// isMTA reports whether an address is that of a described MTA.
func (c *course) isMTA(addr netip.Addr) bool {
	return slices.ContainsFunc(c.world.Org.MTAs, func(m org.MTA) bool { return slices.Contains(m.Addresses, addr) })
}

// run carries out the steps.
func (c *course) run() {
	before := c.world.Resolver()
	for _, m := range c.mail {
		m.asked, m.results = make(map[string]bool), map[string]bool{"": true}
		m.before = c.judge(m, before)
	}
	var made []plan.Change
	for _, step := range c.plan.Steps {
		switch step.Stage {
		case plan.Observe:
			for _, m := range c.mail {
				for _, h := range step.Hosts {
					m.ended = m.ended || m.route == nil && slices.Contains(h.Addrs, m.flow.Addr) && m.flow.Helo+"." != h.Helo
				}
			}
		case plan.CheckSenders:
			for _, m := range c.mail {
				m.ended = m.ended || m.route == nil && (slices.Contains(step.Names, domainOf(m.flow.Sender)) ||
					slices.ContainsFunc(step.Flows, func(f flow.Flow) bool { return f.Kind == flow.Helo && f.Name == m.flow.Helo+"." }))
			}
		}
		n := len(step.Changes)
		for i := range n {
			c.check(slices.Concat(made, step.Changes[i:i+1]), step)
			c.check(slices.Concat(made, step.Changes[:i], step.Changes[i+1:]), step)
		}
		for range 3 {
			c.check(slices.Concat(made, slices.DeleteFunc(slices.Clone(step.Changes), func(plan.Change) bool { return c.dice.IntN(2) == 0 })), step)
		}
		made = slices.Concat(made, step.Changes)
		c.check(made, step)
	}
}

func domainOf(sender string) string {
	_, domain, _ := strings.Cut(sender, "@")
	return domain + "."
}

// check judges all mail with some changes made.
func (c *course) check(made []plan.Change, step plan.Step) {
	c.states++
	var now *resolver.Zones
	for _, m := range c.mail {
		if m.ended {
			continue
		}
		key := c.key(m, made)
		if m.results[key] {
			continue
		}
		if now == nil {
			now = c.zones(made)
		}
		c.judged++
		m.results[key] = true
		if why := c.worse(m, c.judge(m, now)); why != "" {
			c.hurt = append(c.hurt, fmt.Sprintf("%s: %s", step.Stage, why))
		}
	}
}

// key tells which of some changes matter to mail: the last one of each RRset that is at a name
// which was asked for, or that makes a name exist above it.
func (c *course) key(m *mail, made []plan.Change) string {
	c.lock.Lock() // a question of an earlier verdict may still come
	defer c.lock.Unlock()
	last := make(map[resolver.Question]string)
	for _, ch := range made {
		root := ch.Name
		wide := strings.HasPrefix(root, "*.")
		if wide {
			root = root[2:]
		}
		for at := root; !c.exists[at]; at = dnsname.Parent(at) {
			root, wide = at, true
		}
		for name := range m.asked {
			if name == root || wide && dnsname.Under(name, root) {
				last[resolver.Question{Name: ch.Name, Type: ch.Type}] = fmt.Sprint(ch.After)
				break
			}
		}
	}
	var lines []string
	for q, after := range last {
		lines = append(lines, q.String()+" "+after)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// zones returns all zones with changes made, the ISP's too.
func (c *course) zones(made []plan.Change) *resolver.Zones {
	made = slices.Clone(made)
	for i := range made {
		made[i].Zone = enclosing(c.apexes, made[i].Name)
	}
	var text strings.Builder
	for _, rr := range plan.Apply(c.records, made) {
		fmt.Fprintln(&text, rr)
	}
	return parseZones(c, text.String())
}

// judge returns how mail fares, and notes which names were asked for.
func (c *course) judge(m *mail, r resolver.Resolver) outcome {
	asking := resolver.Func(func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
		answer, err := r.Lookup(ctx, name, qtype)
		c.lock.Lock()
		defer c.lock.Unlock()
		m.asked[name] = true
		for _, rr := range answer.Chain {
			m.asked[dnsname.CanonicalOrEmpty(rr.Header().Name)] = true
			if alias, ok := rr.(*dns.CNAME); ok {
				m.asked[dnsname.CanonicalOrEmpty(alias.Target)] = true
			}
		}
		return answer, err
	})
	if m.route != nil {
		return outcome{addrs: m.route.Addrs(c.Context(), asking)}
	}
	s := identity.Verifier{Resolver: asking}.Session(c.Context(), m.flow.Addr)
	defer s.Close()
	s.Connect(c.Context())
	return outcome{helo: s.Helo(c.Context(), m.flow.Helo), mailFrom: s.MailFrom(c.Context(), m.flow.Sender)}
}

// worse returns how mail fares worse than before, "" if it does not, or if the plan says so.
func (c *course) worse(m *mail, is outcome) string {
	was := m.before
	if m.route != nil {
		lost := slices.ContainsFunc(was.addrs, func(addr netip.Addr) bool { return !slices.Contains(is.addrs, addr) })
		other := slices.ContainsFunc(is.addrs, func(addr netip.Addr) bool {
			return !slices.Contains(was.addrs, addr) && !slices.ContainsFunc(c.world.Org.MTAs, func(m org.MTA) bool {
				return m.Receives() && slices.Contains(m.Addresses, addr)
			})
		})
		if lost || other {
			return fmt.Sprintf("mail for %s went by %s to %v, now to %v", m.route.Domain, m.route.Host, was.addrs, is.addrs)
		}
		return ""
	}
	step, before, now := "HELO", was.helo, is.helo
	if !worlds.Worse(before, now) {
		step, before, now = "MAIL FROM", was.mailFrom, is.mailFrom
		if c.named(m) {
			return ""
		}
	} else if c.drops(m.flow.Helo+".", m.flow.Addr) {
		return ""
	}
	if !worlds.Worse(before, now) {
		return ""
	}
	return fmt.Sprintf("%s: at %s %s/%s %s, now %s/%s %s", m.flow, step, before.Level, before.Advice.Action, before.Reasons, now.Level, now.Advice.Action, now.Reasons)
}

// named reports whether the plan says that mail of a sender is denied: the client is one that
// it lists, or that the sender's record authorized.
func (c *course) named(m *mail) bool {
	domain := domainOf(m.flow.Sender)
	isMail := slices.ContainsFunc(c.world.Org.Mail, func(d org.MailDomain) bool { return d.Domain == domain })
	unlisted := slices.ContainsFunc(c.plan.Unlisted, func(f flow.Flow) bool { return f.Net.Contains(m.flow.Addr) })
	return isMail && unlisted || c.drops(domain, m.flow.Addr)
}

// drops reports whether the plan says that the SPF record of a name does not authorize an
// address any more.
func (c *course) drops(name string, addr netip.Addr) bool {
	return slices.ContainsFunc(c.plan.Dropped, func(d plan.Dropped) bool {
		return d.Name == name && (len(d.Includes) > 0 || slices.ContainsFunc(d.Networks, func(p netip.Prefix) bool { return p.Contains(addr) }))
	})
}
