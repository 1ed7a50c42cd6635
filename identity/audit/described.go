package audit

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"go4.org/netipx"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/spf"
)

// describedFacts are the senders of a mail domain that are not MTAs of the description.
type describedFacts struct {
	networks []netip.Prefix
	includes []includeFacts
}

// includeFacts is a domain whose SPF record says who else sends.
type includeFacts struct {
	name   string // canonical
	policy func() *spf.Analysis
}

// gatherDescribed lists to ask for the policies of the described includes.
func (a Auditor) gatherDescribed(ctx context.Context, n *nameFacts, q *jobs) {
	for i, include := range n.described.includes {
		n.described.includes[i].policy = enqueue(q, func() *spf.Analysis { return spf.Analyze(ctx, a.Resolver, include.name) })
	}
}

// others judges whether a policy passes the described senders that are not MTAs. It adds to
// the evidence of out, and returns those that the policy does not pass, and what is wrong
// with an include that is described; unknown tells that DNS gave no answer.
func (s subject) others(out *outcome) (denied []string, broken string, unknown bool) {
	policy := s.mail.policy()
	// What depends on more than the address, or is not known, may pass any address.
	anybody := len(policy.Undecided) > 0 || policy.Err != nil
	lacks := func(networks ...netip.Prefix) (netip.Addr, bool) {
		if anybody || !s.meter.spend((len(networks)+len(policy.Sets[spf.Pass]))/16) {
			return netip.Addr{}, false
		}
		return notIn(networks, policy.Sets[spf.Pass])
	}
	for _, network := range s.mail.described.networks {
		if addr, lacks := lacks(network); lacks {
			denied = append(denied, fmt.Sprintf("%s is %s", network, policy.Status(addr)))
		}
	}
	for _, include := range s.mail.described.includes {
		their := include.policy()
		out.evidence = append(out.evidence, their.Root.Response)
		if their.Root.Err != nil && their.Root.Response.Err == nil {
			broken = fmt.Sprintf("%s does not have an SPF record that could be included", include.name)
			if !errors.Is(their.Root.Err, spf.ErrNoRecord) {
				broken = fmt.Sprintf("receivers cannot interpret the SPF record of %s", include.name)
			}
			continue
		}
		unknown = unknown || their.Err != nil
		switch addr, lacks := lacks(their.Sets[spf.Pass]...); {
		case lacks:
			denied = append(denied, fmt.Sprintf("what %s passes is %s", include.name, policy.Status(addr)))
		case len(their.Undecided) > 0 && !includes(policy.Root, include.name):
			denied = append(denied, fmt.Sprintf("%s is not included", include.name))
		}
	}
	return denied, broken, unknown || policy.Err != nil
}

// notIn returns an address of some networks that others do not have.
func notIn(networks, others []netip.Prefix) (netip.Addr, bool) {
	var rest netipx.IPSetBuilder
	for _, p := range networks {
		rest.AddPrefix(p)
	}
	for _, p := range others {
		rest.RemovePrefix(p)
	}
	set, _ := rest.IPSet() // its errors are of invalid networks
	if set == nil || len(set.Ranges()) == 0 {
		return netip.Addr{}, false
	}
	return set.Ranges()[0].From(), true
}

// includes reports whether a policy passes all that the policy of another domain passes: it
// includes that one, by terms that are reached and pass.
func includes(n *spf.TreeNode, name string) bool {
	redirected := false
	for _, t := range n.Terms {
		switch {
		case t.Term.Kind == spf.All:
			return false
		case t.Term.Kind == spf.Redirect: // RFC 7208, Section 6.1: after all mechanisms
			redirected = dnsname.CanonicalOrEmpty(t.Name) == name || t.Below != nil && includes(t.Below, name)
		case t.Term.Kind != spf.Include || t.Term.Qualifier != spf.Pass:
		case t.Name == name, t.Below != nil && includes(t.Below, name):
			return true
		}
	}
	return redirected
}
