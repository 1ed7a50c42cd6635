package plan_test

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
	"pgregory.net/rapid"

	"github.com/bonafide-mta/bonafide/fcrdns/ptrname"
	"github.com/bonafide-mta/bonafide/identity"
	"github.com/bonafide-mta/bonafide/identity/helo"
	"github.com/bonafide-mta/bonafide/identity/plan"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
)

// After every step, and while its changes are made, in whatever order, what the MTAs send is judged as well as before: at connect, by what they say in HELO then, and
// by their senders.
func TestStepsBreakNoMail(t *testing.T) {
	greeted, waited := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		r := drawn{rt}
		w := randomWorld(r, rapid.Bool().Draw(rt, "obstacles"))
		observe := rapid.Bool().Draw(rt, "observe")
		said := w.said(r, observe)
		if observe {
			w.options.Observed = said
		}
		p := w.plan(rt)
		if p == nil {
			rt.Skip("a question without an answer")
		}
		before := w.judge(rt, said)
		defer func() {
			if rt.Failed() {
				var text strings.Builder
				_ = p.WriteText(&text)
				rt.Logf("%s\nsaid %v\n%s", w, said, text.String())
			}
		}()
		check := func(now *world, heloName map[netip.Addr]string, what string, least identity.Level) {
			after := now.judge(rt, heloName)
			for on, was := range before {
				is, ok := after[on]
				if !ok || was.Level >= identity.Forged {
					continue
				}
				worst := max(was.Level, least)
				if is.Has(identity.HeloIsPTR) { // what it says is what the address will be called
					worst = max(worst, identity.Traceable)
				}
				if is.Level > worst || is.Advice.Action > was.Advice.Action {
					rt.Fatalf("%s: %s from %s: said %s: %s %v, now %s: %s %v", what, on.sender, on.addr,
						was.HeloText, was.Level, was.Reasons, is.HeloText, is.Level, is.Reasons)
				}
			}
		}
		changes := []plan.Change{}
		var shall []map[netip.Addr]string // of each MTA that was told
		for _, step := range p.Steps {
			what := step.Stage.String()
			switch step.Stage {
			case plan.Confirm:
				if waiting := step.Waiting(rt.Context(), identity.Verifier{Resolver: w.after(changes).zones(rt)}); len(waiting) > 0 {
					if len(p.Kept)+len(p.Refused) == 0 {
						rt.Fatalf("the gate stays shut, though nothing is kept or refused: %q", waiting)
					}
					waited++
					return // the gate stays shut
				}
			case plan.SetHelo:
				greeted++
				for _, h := range step.Hosts {
					told := make(map[netip.Addr]string)
					for _, addr := range h.Addrs {
						told[addr] = h.Helo
					}
					shall = append(shall, told)
				}
			}
			states := [][]plan.Change{slices.Concat(changes, step.Changes)}
			if len(step.Changes) > 1 {
				states = append(states, slices.Concat(changes, slices.DeleteFunc(slices.Clone(step.Changes), func(plan.Change) bool {
					return rapid.Bool().Draw(rt, "later")
				})))
			}
			for i, state := range states {
				now := w.after(state)
				at := fmt.Sprint(what, i)
				check(now, said, at, identity.Explicit)
				for _, told := range shall {
					least := identity.Explicit
					if len(p.Kept)+len(p.Refused) > 0 {
						least = identity.Traceable
					}
					check(now, told, at+" new", least)
				}
			}
			changes = states[0]
			if step.Stage == plan.Observe {
				for _, told := range shall {
					maps.Copy(said, told)
				}
			}
		}
	})
	t.Logf("%d times MTAs were told what to say, %d times the gate before that stayed shut", greeted, waited)
}

// A transaction is what is judged.
type transaction struct {
	addr   netip.Addr
	sender string
}

// said returns what MTAs say now, by address: a name that leads to it, what the
// description says, or the address. Where nobody observes them the name is what the
// package says that it takes it for.
func (w *world) said(r dice, observed bool) map[netip.Addr]string {
	out := make(map[netip.Addr]string)
	for _, m := range w.org.MTAs {
		if !m.Sends() {
			continue
		}
		for _, addr := range m.Addresses {
			addr = addr.Unmap()
			choices := []string{m.Helo, fmt.Sprintf("[%s]", addr)}
			if addr.Is6() {
				choices[1] = fmt.Sprintf("[IPv6:%s]", addr)
			}
			if observed { // also what belongs to others, or to nobody who sends
				other := w.org.MTAs[r.IntN(len(w.org.MTAs))]
				choices = append(choices, other.Helo, other.PTR, w.org.Domain)
				choices = append(choices, w.org.Names...)
			}
			for _, rr := range w.records {
				a, ok := rr.(*dns.A)
				aaaa, also := rr.(*dns.AAAA)
				if ok && a.A.Equal(addr.AsSlice()) || also && aaaa.AAAA.Equal(addr.AsSlice()) {
					if name := rr.Header().Name; dnsname.FormOf(name) == dnsname.Host && (observed || w.likely(name, addr)) {
						choices = append(choices, name[:len(name)-1])
					}
				}
			}
			out[addr] = choices[r.IntN(len(choices))]
		}
	}
	return out
}

// likely reports whether an MTA is taken to greet with a name that leads to its address.
func (w *world) likely(name string, addr netip.Addr) bool {
	relation, _ := helo.Relate(name, w.org.Domain, w.org.Domain)
	return relation != helo.Unrelated || ptrname.Classify(addr, name).Kind != ptrname.Generic &&
		slices.ContainsFunc(w.records, func(rr dns.RR) bool { ptr, ok := rr.(*dns.PTR); return ok && ptr.Ptr == name })
}

// judge returns the verdicts on what is sent by who says what.
func (w *world) judge(rt *rapid.T, said map[netip.Addr]string) map[transaction]*identity.Verdict {
	out := make(map[transaction]*identity.Verdict)
	v := identity.Verifier{Resolver: w.zones(rt)}
	for addr, heloName := range said {
		s := v.Session(rt.Context(), addr)
		s.Helo(rt.Context(), heloName)
		for _, d := range w.org.MailDomains() {
			domain, _ := dnsname.Canonical(d.Domain)
			out[transaction{addr, "user@" + domain[:len(domain)-1]}] = s.MailFrom(rt.Context(), "user@"+domain[:len(domain)-1])
		}
		s.Close()
	}
	return out
}
