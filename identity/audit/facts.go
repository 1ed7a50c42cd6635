package audit

import (
	"context"
	"iter"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/csa"
	"github.com/bonafide-mta/bonafide/fcrdns"
	"github.com/bonafide-mta/bonafide/identity"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/plan"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/internal/address"
	"github.com/bonafide-mta/bonafide/nullmx"
	"github.com/bonafide-mta/bonafide/resolver"
)

// Everything is asked before anything is judged: a check is a function of facts.

// facts is what the description and the DNS say.
type facts struct {
	allowDocumentation bool
	domain             string // canonical
	exists             resolver.Reply
	mtas               []*mtaFacts
	names              []*nameFacts
	ptrNames           []*silentFacts
	otherNames         []*silentFacts
	csa                *csa.Result // of the domain, for no address at all
	rp                 personFacts // of the domain
	wanted             []plan.Record
}

// mtaFacts is what is known of one MTA.
type mtaFacts struct {
	org.MTA
	ptr       string // the PTR name described, canonical; "" for none
	addresses []*addressFacts
	helo      *identity.HeloResult // nil when there is nothing to check
	name      *nameFacts           // of the HELO name; nil where there is none to look up
	csa       []*csa.Result        // of the HELO name, for each public address
	rp        personFacts          // of the HELO name
	known     *nullmx.Result       // of a HELO name that none of the addresses asked for leads to; else nil
}

// addressFacts is what is known of one address.
type addressFacts struct {
	addr  netip.Addr
	class address.Class
	block string         // the special block it is in
	rdns  *fcrdns.Result // nil for an address that is not public
}

// A subject is what one check is about. Fields that its rule's scope does not
// have are nil.
type subject struct {
	*facts
	mta  *mtaFacts
	addr *addressFacts
	of   *nameFacts
	not  *silentFacts // of a name that is not for mail
}

func (s subject) name() Subject {
	switch {
	case s.of != nil:
		return Subject{Name: s.of.name}
	case s.not != nil:
		return Subject{Name: s.not.name}
	case s.mta == nil:
		return Subject{}
	case s.addr == nil:
		return Subject{MTA: s.mta.ID}
	}
	return Subject{MTA: s.mta.ID, Address: s.addr.addr.String()}
}

// subjects yields what a rule of a scope is judged on, in the order of the
// description.
func (f *facts) subjects(scope rule.Scope) iter.Seq[subject] {
	return func(yield func(subject) bool) {
		switch scope {
		case rule.Organisation:
			yield(subject{facts: f})
			return
		case rule.Name, rule.MailDomain:
			for _, n := range f.names {
				if scope == rule.MailDomain && !n.mail {
					continue
				}
				if !yield(subject{facts: f, of: n}) {
					return
				}
			}
			return
		case rule.PTRName, rule.OtherName:
			silent := f.otherNames
			if scope == rule.PTRName {
				silent = f.ptrNames
			}
			for _, n := range silent {
				if !yield(subject{facts: f, not: n}) {
					return
				}
			}
			return
		}
		for _, m := range f.mtas {
			if scope == rule.MTA {
				if !yield(subject{facts: f, mta: m}) {
					return
				}
				continue
			}
			for _, addr := range m.addresses {
				if !yield(subject{facts: f, mta: m, addr: addr}) {
					return
				}
			}
		}
	}
}

// concurrency bounds the checks that run at once.
const concurrency = 16

// describe returns the facts of the description.
func (a Auditor) describe(o *org.Organisation) *facts {
	f := &facts{allowDocumentation: a.AllowDocumentation, domain: canonical(o.Domain)}
	f.wanted, _ = plan.Want(o)
	for _, described := range o.MTAs {
		m := &mtaFacts{MTA: described, ptr: canonical(described.PTR)}
		f.mtas = append(f.mtas, m)
		for _, addr := range described.Addresses {
			fact := &addressFacts{addr: addr.Unmap()}
			fact.class, fact.block = address.ClassOf(fact.addr)
			m.addresses = append(m.addresses, fact)
		}
	}
	f.describeNames(o.MailDomains())
	f.describeSilent(o)
	return f
}

// gather asks all questions of an audit.
func (a Auditor) gather(ctx context.Context, f *facts) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, concurrency)
	ask := func(question func()) {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			question()
		})
	}
	ask(func() { f.exists = resolver.Ask(ctx, a.Resolver, f.domain, dns.TypeSOA) })
	for _, m := range f.mtas {
		for _, fact := range m.addresses {
			if f.public(fact) {
				ask(func() { fact.rdns = fcrdns.Checker{Resolver: a.Resolver}.Check(ctx, fact.addr) })
			}
		}
		if addrs := f.publicAddresses(m); m.Sends() && len(addrs) > 0 {
			ask(func() {
				m.helo = identity.HeloChecker{Resolver: a.Resolver}.Check(ctx, m.HELO, addrs...)
				if m.name != nil && len(m.helo.Found)+len(m.helo.Others) == 0 {
					m.known = nullmx.Checker{Resolver: a.Resolver}.Check(ctx, m.name.name)
				}
			})
		}
	}
	for _, n := range f.names {
		a.gatherPolicy(ctx, n, ask)
	}
	a.gatherNames(ctx, f, ask)
	a.gatherMailboxes(ctx, f, ask)
	wg.Wait()
}

// public reports whether the public DNS can speak of an address.
func (f *facts) public(a *addressFacts) bool {
	return a.class == address.Public || f.allowDocumentation && a.class == address.Documentation
}

func (f *facts) publicAddresses(m *mtaFacts) []netip.Addr {
	var out []netip.Addr
	for _, a := range m.addresses {
		if f.public(a) {
			out = append(out, a.addr)
		}
	}
	return out
}

// owns reports whether a name is the organisation's: below its domain, or below
// the registered domain that this is a part of.
func (f *facts) owns(name string) bool {
	relation, _ := identity.Relate(name, f.domain, f.domain)
	return relation != identity.Unrelated
}

// canonical returns the canonical form of a described name, "" for none.
func canonical(name string) string {
	c, err := resolver.Canonical(name)
	if err != nil {
		return ""
	}
	return c
}

// names returns all names of the PTR records, sorted. Which of them are confirmed
// is for the rule ptr-confirmed to say: what the others say must not depend on
// whether a name's server answers.
func (a *addressFacts) names() []string {
	var all []string
	for _, ptr := range resolver.Records[*dns.PTR](a.rdns.PTR.Answer) {
		all = append(all, canonical(ptr.Ptr))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// evidence returns the PTR reply, and with forward the replies for its names.
func (a *addressFacts) evidence(forward bool) []resolver.Reply {
	out := []resolver.Reply{a.rdns.PTR}
	for _, n := range a.rdns.Names {
		if forward && n.Outcome != fcrdns.Unusable {
			out = append(out, n.Reply)
		}
	}
	return out
}

// zoneText writes a record on one line, single spaces between its parts.
func zoneText(rr dns.RR) string { return strings.ReplaceAll(rr.String(), "\t", " ") }
