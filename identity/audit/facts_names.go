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

// noMailFacts is what is known of a name that is not for mail.
type noMailFacts struct {
	name        string    // canonical
	notLockable rule.Code // of a PTR name that is not to be locked, the outcome that says why: nothing is asked
	policy      func() *spf.Analysis
	mx          func() *nullmx.Result
	csa         func() *csa.Result // of a PTR name, for no address at all
}

// domainFacts is what is known of a domain of the organization.
type domainFacts struct {
	name string             // canonical
	csa  func() *csa.Result // for no address at all
	rp   func() personFacts
}

// personFacts is who is responsible for a name.
type personFacts struct {
	response resolver.Response
	persons  []rp.Person
}

// evidence returns the records and the texts that they point to.
func (p personFacts) evidence() []resolver.Response {
	out := []resolver.Response{p.response}
	for _, person := range p.persons {
		if person.Response.Name != "" { // its text was asked for
			out = append(out, person.Response)
		}
	}
	return out
}

// describeNoMail lists the PTR names, the names without mail, and the domains.
func (f *facts) describeNoMail(o *org.Organization) {
	for _, name := range o.Domains() {
		f.domains = append(f.domains, &domainFacts{name: name})
	}
	lockable := plan.Lockable(o)
	seen := make(map[string]bool)
	for _, m := range f.mtas {
		if m.ptr == "" || seen[m.ptr] {
			continue
		}
		seen[m.ptr] = true
		n := &noMailFacts{name: m.ptr}
		switch {
		case !f.owns(m.ptr):
			n.notLockable = rule.CodeOtherOrganization
		case !slices.Contains(lockable, m.ptr):
			n.notLockable = rule.CodeMailDomain
			if o.UsesInHelo(n.name) {
				n.notLockable = rule.CodeGreets
			}
		}
		f.ptrNames = append(f.ptrNames, n)
	}
	for _, name := range o.Names {
		f.otherNames = append(f.otherNames, &noMailFacts{name: dnsname.CanonicalOrEmpty(name)})
	}
}

// gatherNames lists what to ask about CSA, RP and MX records of names.
func (a Auditor) gatherNames(ctx context.Context, f *facts, q *jobs) {
	checker := csa.Checker{Resolver: a.Resolver}
	denied := func(name string) func() *csa.Result {
		// What is denied is denied to any address.
		return enqueue(q, func() *csa.Result { return checker.Check(ctx, netip.IPv4Unspecified(), name) })
	}
	responsible := func(name string) func() personFacts {
		return enqueue(q, func() personFacts { return a.askPersons(ctx, name) })
	}
	for _, m := range f.mtas {
		if m.name == nil {
			continue
		}
		for _, addr := range f.publicAddresses(m) {
			m.csa = append(m.csa, enqueue(q, func() *csa.Result { return checker.Check(ctx, addr, m.name.name) }))
		}
		m.rp = responsible(m.name.name)
	}
	askNoMail := func(n *noMailFacts) {
		n.policy = enqueue(q, func() *spf.Analysis { return spf.Analyze(ctx, a.Resolver, n.name) })
		n.mx = enqueue(q, func() *nullmx.Result { return nullmx.Checker{Resolver: a.Resolver}.Check(ctx, n.name) })
	}
	for _, n := range f.otherNames {
		askNoMail(n)
	}
	for _, n := range f.ptrNames {
		if n.notLockable == 0 {
			askNoMail(n)
			n.csa = denied(n.name)
		}
	}
	for _, d := range f.domains {
		d.csa, d.rp = denied(d.name), responsible(d.name)
	}
}

// askPersons asks who is responsible for a name.
func (a Auditor) askPersons(ctx context.Context, name string) personFacts {
	p := personFacts{response: resolver.Ask(ctx, a.Resolver, name, dns.TypeRP)}
	known := resolver.Func(func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
		if qtype == dns.TypeRP {
			return p.response.Answer, p.response.Err
		}
		response := resolver.Ask(ctx, a.Resolver, name, qtype)
		return response.Answer, response.Err
	})
	p.persons, _ = rp.Lookup(ctx, known, name) // the error is that of the response
	return p
}
