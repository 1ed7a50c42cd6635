package audit

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"github.com/bonafide-mta/bonafide/identity/helo"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/reputation/roleaddr"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/spf"
	"github.com/bonafide-mta/bonafide/spf/blitiri"
)

// nameFacts is what is known of a name that mail is sent under.
type nameFacts struct {
	name       string // canonical
	mailDomain bool   // a mail domain
	senderless bool   // a mail domain for which no MTA sends
	softfail   bool   // a mail domain that may have senders which are not described
	policy     func() *spf.Analysis
	senders    []*senderFacts
	tree       []resolver.Response // see evidence
	described  describedFacts      // of a mail domain

	mailRoute func() *mailFacts
	wildcard  func() []resolver.Response // at a label that nobody has; nil but for mail domains
	mailboxes func() *roleaddr.Result    // nil where mail servers are not to be asked
}

// senderFacts is what SPF says about one address that sends under a name.
type senderFacts struct {
	mta     *mtaFacts
	addr    netip.Addr
	atHelo  bool // under the HELO name; else in MAIL FROM
	strict  func() *spf.Result
	lenient func() *blitiri.Result
}

// describeNames lists the HELO names, then the mail domains that are none, each
// with the addresses that may send under it.
func (f *facts) describeNames(mail []org.MailDomain) {
	factsOf := func(name string) *nameFacts {
		i := slices.IndexFunc(f.names, func(n *nameFacts) bool { return n.name == name })
		if i < 0 {
			i = len(f.names)
			f.names = append(f.names, &nameFacts{name: name})
		}
		return f.names[i]
	}
	for _, m := range f.mtas {
		if arg, err := helo.Parse(m.Helo); m.Sends() && err == nil && arg.Resolvable() {
			m.name = factsOf(arg.Name)
			m.name.addSenders(m, f.publicAddresses(m), true)
		}
	}
	for _, d := range mail {
		n := factsOf(dnsname.CanonicalOrEmpty(d.Domain))
		n.mailDomain, n.senderless, n.softfail = true, d.SentByNone(), d.SoftFail
		n.described.networks = d.Networks
		for _, include := range d.Includes {
			n.described.includes = append(n.described.includes, includeFacts{name: dnsname.CanonicalOrEmpty(include)})
		}
		for _, m := range f.mtas {
			if d.SentBy(m.MTA) {
				n.addSenders(m, f.publicAddresses(m), false)
			}
		}
	}
}

func (n *nameFacts) addSenders(m *mtaFacts, addrs []netip.Addr, greets bool) {
	for _, addr := range addrs {
		n.senders = append(n.senders, &senderFacts{mta: m, addr: addr, atHelo: greets})
	}
}

// gatherPolicy lists what to ask about the SPF record of a name.
func (a Auditor) gatherPolicy(ctx context.Context, n *nameFacts, q *jobs) {
	n.policy = enqueue(q, func() *spf.Analysis { return spf.Analyze(ctx, a.Resolver, n.name) })
	a.gatherDescribed(ctx, n, q)
	strict := spf.Checker{Resolver: a.Resolver, NoExplanation: true}
	lenient := blitiri.Checker{Resolver: a.Resolver}
	name := strings.TrimSuffix(n.name, ".")
	for _, s := range n.senders {
		if s.atHelo {
			s.strict = enqueue(q, func() *spf.Result { return strict.CheckHelo(ctx, s.addr, name) })
			s.lenient = enqueue(q, func() *blitiri.Result { return lenient.Check(ctx, s.addr, name, "") })
		} else {
			s.strict = enqueue(q, func() *spf.Result { return strict.CheckMailFrom(ctx, s.addr, s.mta.Helo, "postmaster@"+name) })
			s.lenient = enqueue(q, func() *blitiri.Result { return lenient.Check(ctx, s.addr, s.mta.Helo, "postmaster@"+name) })
		}
	}
}

// evidence returns the records of the policy, and what is not known of it.
func (n *nameFacts) evidence() []resolver.Response {
	if n.tree == nil {
		n.tree = policyEvidence(n.policy().Root, nil)
	}
	return slices.Clip(n.tree) // checks append to it
}

func policyEvidence(n *spf.TreeNode, out []resolver.Response) []resolver.Response {
	out = append(out, n.Response)
	for _, p := range n.Terms {
		for _, response := range p.Responses {
			if response.Err != nil {
				out = append(out, response)
			}
		}
		if p.Below != nil {
			out = policyEvidence(p.Below, out)
		}
	}
	return out
}
