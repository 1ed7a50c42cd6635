package audit

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/csa"
	"github.com/bonafide-mta/bonafide/fcrdns"
	"github.com/bonafide-mta/bonafide/identity/flow"
	"github.com/bonafide-mta/bonafide/identity/helo"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/plan"
	"github.com/bonafide-mta/bonafide/identity/report"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/internal/address"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/resolver"
)

// A check is a function of facts. What DNS says is a function itself, which waits for
// the answer (see enqueue): so a check waits for what it reads, and for nothing else.

// facts is what the description and the DNS say.
type facts struct {
	allowDocumentation bool
	domain             string                 // canonical
	owns               func(name string) bool // org.Organization.Owns
	onlySends          func(netip.Addr) bool  // flow.OnlySends of the description
	exists             func() resolver.Response
	mtas               []*mtaFacts
	names              []*nameFacts
	ptrNames           []*noMailFacts
	otherNames         []*noMailFacts
	domains            []*domainFacts
	now                time.Time
	exceptions         []org.Exception // all of the description, expired or not
	org                *org.Organization
	notes              []flow.Note // see flow.Contradictions; nil until all findings are known
	wanted             []rule.Record
	refused            []plan.Refusal
	plan               func() *plan.Plan // over the same DNS, made when a fix is needed: it asks for what no evidence tells
	meter              *meter
	seen               observations
}

// mtaFacts is what is known of one MTA.
type mtaFacts struct {
	org.MTA
	ptr       string // the PTR name described, canonical; "" for none
	addresses []*addressFacts
	helo      func() *helo.Result        // nil when there is nothing to check
	name      *nameFacts                 // of the HELO name; nil where there is none to look up
	csa       []func() *csa.Result       // of the HELO name, for each public address
	rp        func() personFacts         // of the HELO name
	ptrAddrs  func() []resolver.Response // the addresses of the PTR name described; nil if it is another organization's
}

// addressFacts is what is known of one address.
type addressFacts struct {
	addr  netip.Addr
	class address.Class
	block string                // the special block it is in
	rdns  func() *fcrdns.Result // nil for an address that is not public
	all   []string              // see names
}

// A subject is what one check is about. Fields that its rule's scope does not
// have are nil.
type subject struct {
	*facts
	mta    *mtaFacts
	addr   *addressFacts
	mail   *nameFacts
	noMail *noMailFacts // of a name that is not for mail
}

func (s subject) name() report.Subject {
	switch {
	case s.mail != nil:
		return report.Subject{Name: s.mail.name}
	case s.noMail != nil:
		return report.Subject{Name: s.noMail.name}
	case s.mta == nil:
		return report.Subject{}
	case s.addr == nil:
		return report.Subject{MTA: s.mta.ID}
	}
	return report.Subject{MTA: s.mta.ID, Address: s.addr.addr.String()}
}

// subjects yields what a rule of a scope is judged on, in the order of the
// description.
func (f *facts) subjects(scope rule.Scope) iter.Seq[subject] {
	return func(yield func(subject) bool) {
		switch scope {
		case rule.Organization:
			yield(subject{facts: f})
			return
		case rule.Name, rule.MailDomain:
			for _, n := range f.names {
				if scope == rule.MailDomain && !n.mailDomain {
					continue
				}
				if !yield(subject{facts: f, mail: n}) {
					return
				}
			}
			return
		case rule.PTRName, rule.OtherName:
			names := f.otherNames
			if scope == rule.PTRName {
				names = f.ptrNames
			}
			for _, n := range names {
				if !yield(subject{facts: f, noMail: n}) {
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

// describe returns the facts of the description, or why it cannot be audited.
func (a Auditor) describe(o *org.Organization) (*facts, error) {
	if a.Resolver == nil {
		return nil, fmt.Errorf("audit: %w", resolver.ErrNoResolver)
	}
	if o == nil {
		return nil, errors.New("audit: no organization")
	}
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	now := time.Now
	if a.Now != nil {
		now = a.Now
	}
	f := &facts{allowDocumentation: a.AllowDocumentation, domain: dnsname.CanonicalOrEmpty(o.Domain), owns: o.OwnsFunc(), onlySends: func(addr netip.Addr) bool { return flow.OnlySends(o, addr) }, now: now(), exceptions: o.Exceptions, org: o}
	f.wanted, f.refused = plan.Want(o.At(f.now))
	for _, described := range o.MTAs {
		m := &mtaFacts{MTA: described, ptr: dnsname.CanonicalOrEmpty(described.PTR)}
		f.mtas = append(f.mtas, m)
		for _, addr := range described.Addresses {
			fact := &addressFacts{addr: addr.Unmap()}
			fact.class, fact.block = address.ClassOf(fact.addr)
			m.addresses = append(m.addresses, fact)
		}
	}
	f.describeNames(o.MailDomains())
	f.describeNoMail(o)
	return f, f.checkExceptions()
}

// gather lists the questions of an audit, in the order in which the catalogue has need
// of the answers.
func (a Auditor) gather(ctx context.Context, f *facts) *jobs {
	q := new(jobs)
	a.Resolver = alone(a.Resolver)
	if f.plan == nil {
		f.plan = sync.OnceValue(func() *plan.Plan {
			f.meter.spend(grace / 10)
			return planOver(f.meter.ctx, f.seen.over(a.Resolver), f.org.At(f.now), a.Published)
		})
	}
	f.exists = enqueue(q, func() resolver.Response { return resolver.Ask(ctx, a.Resolver, f.domain, dns.TypeSOA) })
	for _, m := range f.mtas {
		for _, fact := range m.addresses {
			if f.public(fact) {
				fact.rdns = enqueue(q, func() *fcrdns.Result {
					checker := fcrdns.Checker{Resolver: a.Resolver}
					return checker.CheckSkipped(ctx, checker.Check(ctx, fact.addr), func(name string) int {
						if name == m.ptr { // what the description says is judged, however many others there are
							return 1
						}
						return 0
					})
				})
			}
		}
	}
	for _, m := range f.mtas {
		if f.owns(m.ptr) {
			m.ptrAddrs = enqueue(q, func() []resolver.Response {
				return resolver.AskAll(ctx, a.Resolver, resolver.AddrQuestions(m.ptr)...)
			})
		}
		if addrs := f.publicAddresses(m); m.Sends() && len(addrs) > 0 {
			m.helo = enqueue(q, func() *helo.Result {
				return helo.Checker{Resolver: a.Resolver}.Check(ctx, m.Helo, addrs...)
			})
		}
	}
	for _, n := range f.names {
		a.gatherPolicy(ctx, n, q)
	}
	a.gatherNames(ctx, f, q)
	a.gatherMail(ctx, f, q)
	a.gatherMailboxes(ctx, f, q)
	return q
}

// contradictions returns where the description and DNS do not fit together, once all
// findings are known.
func (f *facts) contradictions() []flow.Note {
	for _, m := range f.mtas {
		if m.ptrAddrs != nil {
			f.seen.add(m.ptrAddrs())
		}
	}
	return flow.Contradictions(f.org, f.seen.records)
}

// public reports whether the public DNS can speak of an address.
func (f *facts) public(a *addressFacts) bool { return f.publicClass(a.class) }

func (f *facts) publicClass(c address.Class) bool {
	return c == address.Public || f.allowDocumentation && c == address.Documentation
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

// names returns all names of the PTR records, sorted. Which of them are confirmed
// is for the rule ptr-confirmed to say: what the others say must not depend on
// whether a name's server answers.
func (a *addressFacts) names() []string {
	if a.all == nil {
		for _, ptr := range resolver.Records[*dns.PTR](a.rdns().PTR.Answer) {
			a.all = append(a.all, dnsname.CanonicalOrEmpty(ptr.Ptr))
		}
		slices.Sort(a.all)
		a.all = slices.Compact(a.all)
	}
	return a.all
}

// evidence returns what DNS said about the PTR records of the address, and with forward
// also about the addresses of their names.
func (a *addressFacts) evidence(forward bool) []resolver.Response {
	return rdnsEvidence(a.rdns(), forward)
}

func rdnsEvidence(rdns *fcrdns.Result, forward bool) []resolver.Response {
	out := []resolver.Response{rdns.PTR}
	for _, n := range rdns.Names {
		if forward && n.Outcome != fcrdns.Unusable {
			out = append(out, n.Response)
		}
	}
	return out
}
