package worlds

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/identity"
	"github.com/bonafide-mta/bonafide/nullmx"
	"github.com/bonafide-mta/bonafide/resolver"
)

// A Baseline is how receivers judge flows, and where mail goes on routes, by one Resolver.
// [World.Judge] makes it.
type Baseline struct {
	flows  []judged
	routes []judgedRoute
}

// judged is a flow with the verdicts on it, and the answers that they rest on.
type judged struct {
	flow     Flow
	verdicts [3]*identity.Verdict
	answers  map[resolver.Question]resolver.Answer
}

// judgedRoute is a route with the addresses that mail goes to.
type judgedRoute struct {
	route Route
	addrs []netip.Addr
}

// Hurt is the same as Judge by one Resolver, then Hurt by another.
func (w *World) Hurt(ctx context.Context, before, after resolver.Resolver, n int, sources ...Source) []string {
	return w.Judge(ctx, before, n, sources...).Hurt(ctx, after, sources...)
}

// Judge judges the flows, n at most, and the routes of some sources.
func (w *World) Judge(ctx context.Context, r resolver.Resolver, n int, sources ...Source) *Baseline {
	b := new(Baseline)
	for _, f := range w.Sample(n, sources...) {
		rec := &recorder{Resolver: r, answers: make(map[resolver.Question]resolver.Answer)}
		b.flows = append(b.flows, judged{f, f.judge(ctx, rec), rec.taken()})
	}
	for _, route := range w.Routes {
		if slices.Contains(sources, route.Source) {
			b.routes = append(b.routes, judgedRoute{route, route.Addrs(ctx, r)})
		}
	}
	return b
}

// Flows returns how many flows were judged.
func (b *Baseline) Flows() int { return len(b.flows) }

// Hurt returns how the flows and routes of some sources, all if none is given, are worse by
// another Resolver, a line for each: a verdict at a worse level or with a graver action, or a
// way in that ended. Only flows whose questions have other answers are judged again.
func (b *Baseline) Hurt(ctx context.Context, after resolver.Resolver, sources ...Source) []string {
	var out []string
	changed := make(map[resolver.Question]bool)
	wanted := func(s Source) bool { return len(sources) == 0 || slices.Contains(sources, s) }
	for _, j := range b.flows {
		if !wanted(j.flow.Source) || !j.affected(ctx, after, changed) {
			continue
		}
		for i, is := range j.flow.judge(ctx, after) {
			if was := j.verdicts[i]; Worse(was, is) {
				out = append(out, fmt.Sprintf("%s: %s from %s to %s: %s", j.flow, was.Step, show(was), show(is), is.Advice.Reply))
				break
			}
		}
	}
	for _, j := range b.routes {
		if !wanted(j.route.Source) {
			continue
		}
		is := j.route.Addrs(ctx, after)
		for _, addr := range j.addrs {
			if !slices.Contains(is, addr) {
				out = append(out, fmt.Sprintf("mail for %s went to %s, %s, and does not any more: now to %s", j.route.Domain, j.route.Host, addr, is))
			}
		}
	}
	return out
}

// affected reports whether a question about the flow has another answer now. What is known of
// questions is kept for the next flow.
func (j judged) affected(ctx context.Context, after resolver.Resolver, changed map[resolver.Question]bool) bool {
	for q, was := range j.answers {
		differs, ok := changed[q]
		if !ok {
			is := resolver.Ask(ctx, after, q.Name, q.Type)
			differs = is.Err != nil || is.Status != was.Status || !same(is.Records, was.Records) || !same(is.Chain, was.Chain)
			changed[q] = differs
		}
		if differs {
			return true
		}
	}
	return false
}

// same reports whether two lists have the same records in the same order.
func same(a, b []dns.RR) bool {
	return slices.EqualFunc(a, b, func(a, b dns.RR) bool { return a == b || a.String() == b.String() })
}

// A recorder keeps the answers of a Resolver. An error is kept as no answer that can come again.
type recorder struct {
	resolver.Resolver
	mu      sync.Mutex
	answers map[resolver.Question]resolver.Answer
}

func (r *recorder) Lookup(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
	a, err := r.Resolver.Lookup(ctx, name, qtype)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.answers != nil {
		r.answers[resolver.Question{Name: name, Type: qtype}] = a
	}
	return a, err
}

// taken returns the answers. Those that come later are not kept.
func (r *recorder) taken() map[resolver.Question]resolver.Answer {
	r.mu.Lock()
	defer r.mu.Unlock()
	answers := r.answers
	r.answers = nil
	return answers
}

// judge returns a receiver's verdicts on a client at each step.
func (f Flow) judge(ctx context.Context, r resolver.Resolver) [3]*identity.Verdict {
	s := identity.Verifier{Resolver: r}.Session(ctx, f.Addr)
	defer s.Close()
	return [3]*identity.Verdict{s.Connect(ctx), s.Helo(ctx, f.Helo), s.MailFrom(ctx, f.Sender)}
}

// ranks are the levels, the best first.
var ranks = []identity.Level{
	identity.NotApplicable, identity.Explicit, identity.Distinct, identity.Traceable, identity.Anonymous, identity.Undetermined, identity.Forged,
}

// Worse reports whether a verdict is worse than another: its level, or what it advises.
func Worse(was, is *identity.Verdict) bool {
	return slices.Index(ranks, is.Level) > slices.Index(ranks, was.Level) || is.Advice.Action > was.Advice.Action
}

func show(v *identity.Verdict) string { return fmt.Sprintf("%s/%s", v.Level, v.Advice.Action) }

// Addrs returns the addresses that mail goes to on a route, nil if it does not go there.
func (r Route) Addrs(ctx context.Context, res resolver.Resolver) []netip.Addr {
	result := nullmx.Checker{Resolver: res}.Check(ctx, r.Domain)
	switch result.Status {
	case nullmx.Implicit:
		if r.Host != r.Domain {
			return nil
		}
	case nullmx.Explicit, nullmx.Mixed:
		if !slices.ContainsFunc(result.MX, func(mx *dns.MX) bool { return mx.Mx == r.Host }) {
			return nil
		}
	default:
		return nil
	}
	addrs, _ := resolver.LookupAddrs(ctx, res, r.Host)
	return addrs
}
