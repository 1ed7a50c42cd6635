package audit

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/csa"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/nullmx"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/rp"
	"github.com/bonafide-mta/bonafide/spf"
)

// csaCodes are the outcomes of helo-csa, the worst first.
var csaCodes = []struct {
	code    rule.Code
	reasons []csa.Reason
}{
	{rule.CodeDenied, []csa.Reason{csa.Denied, csa.ExplicitRequired}},
	{rule.CodeMissing, []csa.Reason{csa.NoRecord, csa.NoName}},
	{rule.CodeUnusable, []csa.Reason{csa.Unverifiable, csa.Unsupported}},
	{rule.CodeNotAllAddresses, []csa.Reason{csa.NoAddress, csa.AddressMismatch}},
	{rule.CodeNoAnswer, []csa.Reason{csa.Temporary}},
	{rule.CodeTooManyNames, []csa.Reason{csa.TooManyTargets}},
	{rule.CodeOK, []csa.Reason{csa.Authorized}},
}

func heloCSA(s subject) outcome {
	switch {
	case !s.mta.Sends():
		return outcome{code: rule.CodeReceivesOnly}
	case len(s.publicAddresses(s.mta)) == 0:
		return outcome{code: rule.CodeNotPublic}
	case s.mta.name == nil:
		return outcome{code: rule.CodeNoName, detail: s.mta.Helo}
	}
	name := s.mta.name.name
	out := outcome{detail: name, fix: wantedBy(rule.HeloCSA, csa.Owner(name))}
	var reason csa.Reason
	var addrs []netip.Addr // of which it is the reason
	for _, c := range csaCodes {
		for _, known := range s.mta.csa {
			r := known()
			if !slices.Contains(c.reasons, r.Reason) {
				continue
			}
			out.evidence = append(out.evidence, r.Responses...)
			if out.code == 0 {
				out.code, reason = c.code, r.Reason
			}
			if r.Reason == reason {
				addrs = append(addrs, r.Addr)
			}
		}
	}
	if out.code != rule.CodeOK {
		out.addDetail("%s (%s)", joinAddrs(addrs), reason)
		out.broken = addrs
	}
	if out.code == rule.CodeNotAllAddresses {
		out.fix = either(out.fix, addressOf(name, s.publicAddresses(s.mta)...))
	}
	return out
}

// eachDomain judges each domain of the organization. The outcome is the worst, the first of
// several, with the evidence and the fixes of all.
func (s subject) eachDomain(id rule.ID, judge func(*domainFacts) outcome) outcome {
	rank := map[rule.Status]int{rule.NotApplicable: 1, rule.Pass: 2, rule.Undecided: 3, rule.Fail: 4}
	r, _ := rule.Lookup(id)
	worst := 0
	var out, all outcome
	for _, d := range s.domains {
		one := judge(d)
		all.evidence = append(all.evidence, one.evidence...)
		if fix := all.fix; fix == nil {
			all.fix = one.fix
		} else {
			all.fix = either(fix, one.fix)
		}
		if known, _ := r.Outcome(one.code); rank[known.Status] > worst {
			worst, out = rank[known.Status], one
			if d.name != s.domain && known.Status != rule.Pass && !strings.Contains(out.detail, d.name) {
				out.detail = strings.TrimSuffix(d.name+": "+out.detail, ": ")
			}
		}
	}
	out.evidence, out.fix = all.evidence, all.fix
	return out
}

func domainCSA(s subject) outcome {
	return s.eachDomain(rule.DomainCSA, func(d *domainFacts) outcome { return s.csaPolicy(d) })
}

// csaPolicy judges the CSA policy of a domain.
func (s subject) csaPolicy(d *domainFacts) outcome {
	none := func(rule.Record) bool { return false }
	if slices.ContainsFunc(s.mtas, func(m *mtaFacts) bool { return m.name != nil && m.name.name == d.name }) {
		return outcome{code: rule.CodeGreets, detail: d.name, fix: none}
	}
	result := d.csa()
	out := outcome{code: rule.CodeNoPolicy, evidence: result.Responses, fix: s.denials(d.name)}
	switch result.Reason {
	case csa.Temporary:
		out.code = rule.CodeNoAnswer
	case csa.NoRecord, csa.NoName:
		out.code = rule.CodeMissing
	case csa.ExplicitRequired:
		out.code, out.detail = rule.CodeOK, "that of "+result.Parent
	case csa.Denied:
		if slices.ContainsFunc(resolver.Records[*dns.SRV](result.Responses[0].Answer), csa.RequiresExplicit) {
			out.code = rule.CodeOK
		}
	}
	return out
}

// denials selects the records that deny names of a domain in HELO: its policy, and, until there
// is one, those of PTR names.
func (s subject) denials(domain string) func(rule.Record) bool {
	names := []string{csa.Owner(domain)}
	for _, n := range slices.Concat(s.ptrNames, s.facts.otherNames) {
		if n.name != domain && dnsname.Under(n.name, domain) {
			names = append(names, csa.Owner(n.name))
		}
	}
	return wantedBy(rule.DomainCSA, names...)
}

// responsible judges the RP records of a name.
func (p personFacts) responsible(out outcome) outcome {
	out.evidence = p.evidence()
	var dangling, failed error
	somebody, nobody := len(p.persons) == 0, ""
	for _, person := range p.persons {
		somebody = somebody || person.NamesSomebody() || errors.Is(person.Err, rp.ErrTooManyPersons)
		for _, text := range person.Texts {
			nobody = text
		}
		if errors.Is(person.Err, rp.ErrDangling) {
			dangling = person.Err
		} else if person.Err != nil && !errors.Is(person.Err, rp.ErrTooManyPersons) {
			failed = person.Err
		}
	}
	switch {
	case p.response.Err != nil:
		out.code = rule.CodeNoAnswer
	case len(p.persons) == 0:
		out.code = rule.CodeMissing
	case dangling != nil:
		out.code = rule.CodeDangling
		out.addDetail("%v", strings.TrimPrefix(dangling.Error(), rp.ErrDangling.Error()+": "))
	case failed != nil:
		out.code = rule.CodeNoAnswer
	case !somebody:
		out.code = rule.CodeNamesNobody
		if nobody != "" {
			out.addDetail("%q", nobody)
		}
	default:
		out.code = rule.CodeOK
	}
	return out
}

func heloRP(s subject) outcome {
	switch {
	case !s.mta.Sends():
		return outcome{code: rule.CodeReceivesOnly}
	case s.mta.name == nil:
		return outcome{code: rule.CodeNoName, detail: s.mta.Helo}
	}
	name := s.mta.name.name
	return s.contactsAt(name, s.mta.rp(), outcome{detail: name}, rule.HeloRP)
}

// contactNames returns a name and those that its wanted RP records point to.
func (s subject) contactNames(name string) []string {
	out := []string{name}
	for _, r := range s.wanted {
		if rr, ok := r.RR.(*dns.RP); ok && rr.Hdr.Name == name {
			out = append(out, rr.Txt)
		}
	}
	return out
}

func domainRP(s subject) outcome {
	return s.eachDomain(rule.DomainRP, func(d *domainFacts) outcome { return s.contactsOf(d) })
}

// contactsOf judges the RP records of a domain.
func (s subject) contactsOf(d *domainFacts) outcome {
	return s.contactsAt(d.name, d.rp(), outcome{}, rule.DomainRP)
}

// contactsAt judges the RP records of a name by a rule.
func (s subject) contactsAt(name string, persons personFacts, out outcome, id rule.ID) outcome {
	texts := s.contactNames(name)
	out.fix = wantedBy(id, texts...)
	if out = persons.responsible(out); out.code != rule.CodeOK {
		return out
	}
	for _, wanted := range s.wanted {
		want, ok := wanted.RR.(*dns.RP)
		covers := func(is *dns.RP) bool { return rp.Covers(is, want) }
		if ok && want.Hdr.Name == name && !slices.ContainsFunc(resolver.Records[*dns.RP](persons.response.Answer), covers) {
			out.code, out.detail = rule.CodeNotAllContacts, want.Txt
			return out
		}
	}
	return out
}

// authorizesSome reports whether a policy passes somebody, as far as is known.
func authorizesSome(a *spf.Analysis) bool {
	return !a.IsNull() && (len(a.Sets[spf.Pass]) > 0 || len(a.Undecided) > 0)
}

func nullSPF(s subject) outcome {
	policy := s.noMail.policy()
	out := outcome{evidence: []resolver.Response{policy.Root.Response}, fix: wantedBy(rule.NullSPF, s.noMail.name)}
	switch {
	case policy.Root.Response.Err != nil:
		out.code = rule.CodeNoAnswer
	case errors.Is(policy.Root.Err, spf.ErrNoRecord):
		out.code = rule.CodeMissing
		out.addNearMisses(policy)
	case policy.IsNull():
		out.code = rule.CodeOK
	case policy.Err != nil && !authorizesSome(policy):
		out.code, out.evidence = rule.CodeNoAnswer, policyEvidence(policy.Root, nil)
	default:
		out.code = rule.CodeSends
	}
	return out
}

func nullMX(s subject) outcome {
	mx, policy := s.noMail.mx(), s.noMail.policy
	out := outcome{evidence: mx.Responses, fix: wantedBy(rule.NullMX, s.noMail.name)}
	switch status := mx.Status; {
	case status == nullmx.TempError:
		out.code = rule.CodeNoAnswer
	case status == nullmx.Null:
		out.code = rule.CodeOK
	case status != nullmx.Explicit && status != nullmx.Mixed && status != nullmx.Implicit:
		out.code = rule.CodeNoAddress
	case authorizesSome(policy()):
		out.code = rule.CodeSends
		out.evidence = append(slices.Clip(out.evidence), policy().Root.Response)
	case policy().Err != nil:
		out.code = rule.CodeNoAnswer
		out.evidence = policyEvidence(policy().Root, slices.Clone(out.evidence))
	case status == nullmx.Implicit:
		out.code = rule.CodeMissing
	default:
		out.code = rule.CodeReceives
		out.addDetail("%s", exchangers(mx.MX))
	}
	return out
}

func exchangers(records []*dns.MX) string {
	var names []string
	for _, rr := range records {
		names = append(names, rr.Mx)
	}
	return listed(names)
}

func ptrLocked(s subject) outcome {
	n := s.noMail
	if n.notLockable != 0 {
		return outcome{code: n.notLockable}
	}
	policy, mx, denied := n.policy(), n.mx(), n.csa()
	out := outcome{code: rule.CodeOK, fix: wantedBy(rule.PTRLocked, n.name, csa.Owner(n.name))}
	out.evidence = slices.Concat([]resolver.Response{policy.Root.Response}, mx.Responses, denied.Responses)
	var lacks []string
	unknown := false
	for _, part := range []struct {
		what           string
		there, unknown bool
	}{
		{"null SPF", policy.IsNull(), policy.Err != nil && !authorizesSome(policy)},
		{"Null MX", mx.Status == nullmx.Null, mx.Status.Temporary()},
	} {
		switch {
		case part.unknown:
			unknown = true
		case !part.there:
			lacks = append(lacks, part.what)
		}
	}
	open := denied.Reason != csa.Denied && denied.Reason != csa.ExplicitRequired // or by the policy of a name above
	if len(lacks) > 0 && open && !denied.Status.Temporary() {
		lacks = append(lacks, "CSA denial")
	}
	switch {
	case len(lacks) > 0:
		out.code, out.detail = rule.CodeOpen, fmt.Sprintf("without %s", strings.Join(lacks, ", "))
	case unknown, denied.Status.Temporary():
		out.code = rule.CodeNoAnswer
	case open:
		out.code = rule.CodeNoDenial // which is minor: domain-csa is about it
	}
	return out
}
