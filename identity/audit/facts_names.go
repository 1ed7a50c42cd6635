package audit

import (
	"context"
	"net/netip"
	"slices"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/csa"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/plan"
	"github.com/bonafide-mta/bonafide/nullmx"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/rp"
	"github.com/bonafide-mta/bonafide/spf"
)

// silentFacts is what is known of a name that is not for mail.
type silentFacts struct {
	name   string // canonical
	used   string // of a PTR name that is not to be locked, the outcome that says why
	policy *spf.Analysis
	mx     *nullmx.Result
	csa    *csa.Result // of a PTR name, for no address at all
}

// personFacts is who is responsible for a name.
type personFacts struct {
	reply   resolver.Reply
	persons []rp.Person
}

// evidence returns the records and the texts that they point to.
func (p personFacts) evidence() []resolver.Reply {
	out := []resolver.Reply{p.reply}
	for _, person := range p.persons {
		if person.Text != "" {
			out = append(out, person.Reply)
		}
	}
	return out
}

// describeSilent lists the PTR names and the names without mail.
func (f *facts) describeSilent(o *org.Organisation) {
	lockable := plan.Lockable(o)
	seen := make(map[string]bool)
	for _, m := range f.mtas {
		if m.ptr == "" || seen[m.ptr] {
			continue
		}
		seen[m.ptr] = true
		n := &silentFacts{name: m.ptr}
		switch {
		case !f.owns(m.ptr):
			n.used = "other-organisation"
		case !slices.Contains(lockable, m.ptr):
			n.used = "mail-domain"
			if slices.ContainsFunc(f.mtas, func(m *mtaFacts) bool { return m.Sends() && canonical(m.HELO) == n.name }) {
				n.used = "greets"
			}
		}
		f.ptrNames = append(f.ptrNames, n)
	}
	for _, name := range o.Names {
		f.otherNames = append(f.otherNames, &silentFacts{name: canonical(name)})
	}
}

// gatherNames asks what CSA, RP and MX records say of names.
func (a Auditor) gatherNames(ctx context.Context, f *facts, ask func(func())) {
	checker := csa.Checker{Resolver: a.Resolver}
	// What is denied is denied to any address.
	nobody := netip.IPv4Unspecified()
	ask(func() { f.csa = checker.Check(ctx, nobody, f.domain) })
	ask(func() { f.rp = a.persons(ctx, f.domain) })
	for _, m := range f.mtas {
		if m.name == nil {
			continue
		}
		ask(func() { m.rp = a.persons(ctx, m.name.name) })
		addrs := f.publicAddresses(m)
		m.csa = make([]*csa.Result, len(addrs))
		for i, addr := range addrs {
			ask(func() { m.csa[i] = checker.Check(ctx, addr, m.name.name) })
		}
	}
	for _, n := range slices.Concat(f.ptrNames, f.otherNames) {
		ask(func() { n.policy = spf.Analyze(ctx, a.Resolver, n.name) })
		ask(func() { n.mx = nullmx.Checker{Resolver: a.Resolver}.Check(ctx, n.name) })
	}
	for _, n := range f.ptrNames {
		ask(func() { n.csa = checker.Check(ctx, nobody, n.name) })
	}
}

// persons asks who is responsible for a name.
func (a Auditor) persons(ctx context.Context, name string) personFacts {
	p := personFacts{reply: resolver.Ask(ctx, a.Resolver, name, dns.TypeRP)}
	known := resolver.Func(func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
		if qtype == dns.TypeRP {
			return p.reply.Answer, p.reply.Err
		}
		return a.Resolver.Lookup(ctx, name, qtype)
	})
	p.persons, _ = rp.Lookup(ctx, known, name) // the error is that of the reply
	return p
}
