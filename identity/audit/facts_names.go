package audit

import (
	"context"
	"net/netip"
	"slices"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/csa"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/plan"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/nullmx"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/rp"
	"github.com/bonafide-mta/bonafide/spf"
)

// silentFacts is what is known of a name that is not for mail.
type silentFacts struct {
	name   string    // canonical
	used   rule.Code // of a PTR name that is not to be locked, the outcome that says why: nothing is asked
	policy func() *spf.Analysis
	mx     func() *nullmx.Result
	csa    func() *csa.Result // of a PTR name, for no address at all
}

// personFacts is who is responsible for a name.
type personFacts struct {
	reply   resolver.Response
	persons []rp.Person
}

// evidence returns the records and the texts that they point to.
func (p personFacts) evidence() []resolver.Response {
	out := []resolver.Response{p.reply}
	for _, person := range p.persons {
		if person.Text != "" {
			out = append(out, person.Response)
		}
	}
	return out
}

// describeSilent lists the PTR names and the names without mail.
func (f *facts) describeSilent(o *org.Organization) {
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
			n.used = rule.CodeOtherOrganization
		case !slices.Contains(lockable, m.ptr):
			n.used = rule.CodeMailDomain
			if slices.ContainsFunc(f.mtas, func(m *mtaFacts) bool { return m.Sends() && dnsname.CanonicalOrEmpty(m.Helo) == n.name }) {
				n.used = rule.CodeGreets
			}
		}
		f.ptrNames = append(f.ptrNames, n)
	}
	for _, name := range o.Names {
		f.otherNames = append(f.otherNames, &silentFacts{name: dnsname.CanonicalOrEmpty(name)})
	}
}

// gatherNames lists what to ask about CSA, RP and MX records of names.
func (a Auditor) gatherNames(ctx context.Context, f *facts, q *questions) {
	checker := csa.Checker{Resolver: a.Resolver}
	denied := func(name string) func() *csa.Result {
		// What is denied is denied to any address.
		return later(q, func() *csa.Result { return checker.Check(ctx, netip.IPv4Unspecified(), name) })
	}
	responsible := func(name string) func() personFacts {
		return later(q, func() personFacts { return a.persons(ctx, name) })
	}
	for _, m := range f.mtas {
		if m.name == nil {
			continue
		}
		for _, addr := range f.publicAddresses(m) {
			m.csa = append(m.csa, later(q, func() *csa.Result { return checker.Check(ctx, addr, m.name.name) }))
		}
		m.rp = responsible(m.name.name)
	}
	silent := func(n *silentFacts) {
		n.policy = later(q, func() *spf.Analysis { return spf.Analyze(ctx, a.Resolver, n.name) })
		n.mx = later(q, func() *nullmx.Result { return nullmx.Checker{Resolver: a.Resolver}.Check(ctx, n.name) })
	}
	for _, n := range f.otherNames {
		silent(n)
	}
	for _, n := range f.ptrNames {
		if n.used == 0 {
			silent(n)
			n.csa = denied(n.name)
		}
	}
	f.csa = denied(f.domain)
	f.rp = responsible(f.domain)
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
