package worlds

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/identity"
	"github.com/bonafide-mta/bonafide/nullmx"
	"github.com/bonafide-mta/bonafide/resolver"
)

// Hurt returns how flows and routes of some sources are worse by one Resolver than by another,
// a line for each: a verdict at a worse level or with a graver action, or a way in that ended
// or changed. It looks at n flows at most.
func (w *World) Hurt(ctx context.Context, before, after resolver.Resolver, n int, sources ...Source) []string {
	var out []string
	for _, f := range w.Sample(n, sources...) {
		was, is := f.judge(ctx, before), f.judge(ctx, after)
		for i := range was {
			if worse(was[i], is[i]) {
				out = append(out, fmt.Sprintf("%s: %s from %s to %s: %s", f, was[i].Step, show(was[i]), show(is[i]), is[i].Advice.Reply))
				break
			}
		}
	}
	for _, r := range w.Routes {
		if !slices.Contains(sources, r.Source) {
			continue
		}
		was, is := r.addrs(ctx, before), r.addrs(ctx, after)
		for _, addr := range was {
			if !slices.Contains(is, addr) {
				out = append(out, fmt.Sprintf("mail for %s went to %s, %s, and does not any more: now to %s", r.Domain, r.Host, addr, is))
			}
		}
	}
	return out
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

// worse reports whether a verdict is worse than another.
func worse(was, is *identity.Verdict) bool {
	return slices.Index(ranks, is.Level) > slices.Index(ranks, was.Level) || is.Advice.Action > was.Advice.Action
}

func show(v *identity.Verdict) string { return fmt.Sprintf("%s/%s", v.Level, v.Advice.Action) }

// addrs returns the addresses that mail goes to on a route, nil if it does not go there.
func (r Route) addrs(ctx context.Context, res resolver.Resolver) []netip.Addr {
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
