package audit

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"
	"go4.org/netipx"

	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/spf"
)

// withPolicy returns the outcome of a rule about the SPF record of a name where
// there is none, and false. Its code is no-answer where that is not known.
func withPolicy(n *nameFacts) (outcome, bool) {
	out := outcome{code: rule.CodeOK, evidence: n.evidence(), fix: policyOf(n.name)}
	switch root := n.policy().Root; {
	case root.Response.Err != nil:
		out.code = rule.CodeNoAnswer
		return out, false
	case errors.Is(root.Err, spf.ErrNoRecord):
		out.code = rule.CodeNoRecord
		out.addNearMisses(n.policy())
		return out, false
	}
	return out, true
}

// addNearMisses adds the texts that are meant as the SPF record that a name does not have.
func (o *outcome) addNearMisses(policy *spf.Analysis) {
	for _, l := range policy.Lints {
		if l.Code == "near-miss" && l.At.Domain == policy.Domain {
			o.addDetail("%s", l.Text)
		}
	}
}

func spfValid(s subject) outcome {
	out, ok := withPolicy(s.mail)
	if !ok {
		return out
	}
	var broken, ignored []string
	policy := s.mail.policy()
	for _, l := range policy.Lints {
		switch {
		case l.Severity == spf.Broken:
			broken = append(broken, l.String())
		case (l.Code == "after-all" || l.Code == "redirect-ignored") && s.owns(l.At.Domain):
			ignored = append(ignored, l.String())
		}
	}
	switch {
	case len(broken) > 0:
		out.code, out.detail = rule.CodeBroken, strings.Join(broken, "; ")
		out.otherwise = "Repair what is named."
	case len(ignored) > 0:
		out.code, out.detail = rule.CodeIgnored, strings.Join(ignored, "; ")
	case policy.Err != nil:
		out.code = rule.CodeNoAnswer
	}
	return out
}

func spfAgreed(s subject) outcome {
	out, ok := withPolicy(s.mail)
	switch {
	case !ok:
		return out
	case len(s.mail.senders) == 0:
		return outcome{code: rule.CodeNotPublic}
	}
	for _, sender := range s.mail.senders {
		out.evidence = append(out.evidence, sender.strict().Responses...)
	}
	for _, sender := range s.mail.senders {
		strict, lenient := sender.strict(), sender.lenient().Status
		switch {
		case mayChange(strict), lenient.Temporary():
			out.code = rule.CodeNoAnswer
			return out
		case strict.Status != lenient:
			out.code = rule.CodeDisagreed
			out.detail = fmt.Sprintf("%s is %s by the letter of RFC 7208, and %s where receivers are lenient", sender.addr, strict.Status, lenient)
			return out
		}
	}
	return out
}

// heloPolicy returns the outcome of a rule about the SPF record of the HELO name
// where there is nothing to judge, and false.
func heloPolicy(s subject) (outcome, bool) {
	switch {
	case !s.mta.Sends():
		return outcome{code: rule.CodeReceivesOnly}, false
	case len(s.publicAddresses(s.mta)) == 0:
		return outcome{code: rule.CodeNotPublic}, false
	case s.mta.name == nil:
		return outcome{code: rule.CodeNoName, detail: s.mta.Helo}, false
	}
	out, ok := withPolicy(s.mta.name)
	out.detail = s.mta.name.name
	if !ok {
		out.addNearMisses(s.mta.name.policy())
	}
	return out, ok
}

func heloSPF(s subject) outcome {
	out, ok := heloPolicy(s)
	if !ok {
		if out.code == rule.CodeNoRecord {
			out.code = rule.CodeMissing
		}
		return out
	}
	out = authorizes(out, s.mta.name, func(sender *senderFacts) bool { return sender.atHelo && sender.mta == s.mta })
	if term := firstLookup(s.mta.name.policy()); out.code == rule.CodeOK && term != "" {
		out.addDetail("receivers need no lookup for ip4 and ip6, which are better than %q", term)
	}
	return out
}

// firstLookup returns the first term of a record for which receivers ask DNS, "" for none.
func firstLookup(a *spf.Analysis) string {
	if a.Root.Record == nil {
		return ""
	}
	for _, t := range a.Root.Record.Terms {
		if t.Kind != spf.All && t.Kind != spf.IP4 && t.Kind != spf.IP6 && t.Kind != spf.Exp && t.Kind != spf.Modifier {
			return t.Text
		}
	}
	return ""
}

func mailSPF(s subject) outcome {
	own := func(sender *senderFacts) bool { return !sender.atHelo }
	if !s.mail.senderless && !slices.ContainsFunc(s.mail.senders, own) && len(s.mail.described.networks)+len(s.mail.described.includes) == 0 {
		return outcome{code: rule.CodeNotPublic}
	}
	out, ok := withPolicy(s.mail)
	if !ok {
		if out.code == rule.CodeNoRecord {
			out.code = rule.CodeMissing
		}
		return out
	}
	others, broken, unknown := s.others(&out)
	out = authorizes(out, s.mail, own)
	switch {
	case out.code == rule.CodeInvalid:
	case broken != "":
		out.code, out.fix = rule.CodeInvalid, nil
		out.addDetail("%s", broken)
		out.remedy = "Correct the include in the description: receivers reject mail under a record that includes it."
	case len(others) > 0 && out.code == rule.CodeNotAllAddresses:
		out.detail += ", " + strings.Join(others, ", ")
	case len(others) > 0:
		out.code, out.detail = rule.CodeNotAllAddresses, strings.Join(others, ", ")
	case unknown && out.code == rule.CodeOK:
		out.code = rule.CodeNoAnswer
	case out.code == rule.CodeOK && !s.mail.softfail && statusOfOthers(s.mail.policy()) == spf.SoftFail:
		out.code = rule.CodeNoFail
	}
	return out
}

// authorizes judges whether a record passes the addresses of some senders, and
// denies others.
func authorizes(out outcome, n *nameFacts, own func(*senderFacts) bool) outcome {
	var broken error
	var denied []string
	unknown := false
	for _, sender := range n.senders {
		if !own(sender) {
			continue
		}
		r := sender.strict()
		out.evidence = append(out.evidence, r.Responses...)
		switch {
		case mayChange(r):
			unknown = true
		case r.Status == spf.PermError:
			broken = r.Err
		case r.Status != spf.Pass:
			denied = append(denied, fmt.Sprintf("%s is %s", sender.addr, r.Status))
			out.broken = append(out.broken, sender.addr)
		}
	}
	policy := n.policy()
	rest := statusOfOthers(policy)
	switch {
	case broken != nil:
		out.otherwise = "Repair what spf-valid names."
		out.code = rule.CodeInvalid
		out.addDetail("%v", broken)
	case len(denied) > 0:
		out.code = rule.CodeNotAllAddresses
		out.addDetail("%s", strings.Join(denied, ", "))
	case unknown:
		out.code = rule.CodeNoAnswer
	case rest == spf.Pass, rest == spf.Neutral:
		out.code = rule.CodeOthersAllowed
		out.addDetail("most addresses are %s", rest)
	case policy.Err != nil, rest == spf.TempError: // which is also that of a policy beyond the bounds of an analysis
		out.code = rule.CodeNoAnswer
	case rest == spf.PermError:
		out.otherwise = "Repair what spf-valid names."
		out.code = rule.CodeInvalid
		out.addDetail("for most addresses")
	}
	return out
}

func heloSPFStrict(s subject) outcome {
	out, ok := heloPolicy(s)
	switch {
	case !ok:
		return out
	case s.mta.name.mailDomain:
		return outcome{code: rule.CodeMailDomain, detail: s.mta.name.name}
	}
	policy := s.mta.name.policy()
	rest := statusOfOthers(policy)
	switch authorized := s.othersIn(policy.Sets[spf.Pass]); {
	case policy.Err != nil, rest == spf.TempError:
		out.code = rule.CodeNoAnswer
	case rest == spf.PermError:
		out.code = rule.CodeInvalid
	case rest != spf.Fail:
		out.code = rule.CodeNoFail
		out.addDetail("most addresses are %s", rest)
	case len(authorized) > 0:
		out.code = rule.CodeMoreAddresses
		out.addDetail("%s", listNetworks(authorized))
	case len(policy.Undecided) > 0:
		out.code = rule.CodeMoreAddresses
		out.addDetail("who else depends on %s", policy.Undecided[0])
	}
	return out
}

// othersIn returns what networks have beside the addresses of the senders under the HELO
// name.
func (s subject) othersIn(networks []netip.Prefix) []netip.Prefix {
	var senders []netip.Addr
	for _, sender := range s.mta.name.senders {
		senders = append(senders, sender.addr)
	}
	slices.SortFunc(senders, netip.Addr.Compare)
	var out []netip.Prefix
	for _, p := range networks {
		i, _ := slices.BinarySearchFunc(senders, p.Masked().Addr(), netip.Addr.Compare)
		if i == len(senders) || !p.Contains(senders[i]) {
			out = append(out, p)
			continue
		}
		var rest netipx.IPSetBuilder
		rest.AddPrefix(p)
		for ; i < len(senders) && p.Contains(senders[i]); i++ {
			rest.Remove(senders[i])
		}
		set, _ := rest.IPSet() // its errors are of invalid networks
		out = append(out, set.Prefixes()...)
	}
	return out
}

// mayChange reports whether a result may be another one once DNS answers.
func mayChange(r *spf.Result) bool { return r.Status.Temporary() || r.Degraded.Text != "" }

// statusOfOthers returns what a policy says about addresses at large: the weakest status of any
// network that is larger than what one sender has.
func statusOfOthers(a *spf.Analysis) spf.Status {
	large := func(p netip.Prefix) bool { return p.Bits() < 8 || p.Addr().Is6() && p.Bits() < 16 }
	for _, status := range []spf.Status{spf.Pass, spf.Neutral, spf.PermError, spf.TempError, spf.SoftFail} {
		if slices.ContainsFunc(a.Sets[status], large) {
			return status
		}
	}
	return spf.Fail
}

// policyOf selects the SPF record of a name.
func policyOf(name string) func(rule.Record) bool {
	return func(r rule.Record) bool {
		return r.RR.Header().Name == name && r.RR.Header().Rrtype == dns.TypeTXT
	}
}

// listNetworks names the first few networks, and counts the rest.
func listNetworks(networks []netip.Prefix) string {
	const shown = 5
	var parts []string
	for _, p := range networks[:min(shown, len(networks))] {
		parts = append(parts, p.String())
	}
	if more := len(networks) - shown; more > 0 {
		parts = append(parts, fmt.Sprintf("and %d more networks", more))
	}
	return strings.Join(parts, ", ")
}
