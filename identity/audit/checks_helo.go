package audit

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/bonafide-mta/bonafide/fcrdns/ptrname"
	"github.com/bonafide-mta/bonafide/identity/helo"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
)

func heloName(s subject) outcome {
	if !s.mta.Sends() {
		return outcome{code: rule.CodeReceivesOnly}
	}
	out := outcome{code: rule.CodeOK, detail: s.mta.Helo}
	arg, err := helo.Parse(s.mta.Helo)
	has := arg.Faults.Has
	switch {
	case err != nil:
		out.code, out.detail = rule.CodeMalformed, err.Error()
	case arg.Name == "":
		out.code = rule.CodeLiteral
	case !arg.Resolvable(), dnsname.SpecialUse(arg.Name):
		out.code = rule.CodeNotQualified
	case has(helo.Underscore):
		out.code = rule.CodeUnderscore
	case has(helo.FinalDot), has(helo.NonASCII):
		out.code, out.detail = rule.CodeMalformed, fmt.Sprintf("%q (%s)", s.mta.Helo, arg.Faults)
		out.remedy = sayInASCII(arg)
	}
	return out
}

// sayInASCII returns the remedy for a HELO name with U-labels, "" for any other: RFC 5321,
// Section 4.1.2, has letters, digits and hyphens, and so the A-labels.
func sayInASCII(arg helo.Argument) string {
	if !arg.Faults.Has(helo.NonASCII) || arg.Name == "" {
		return ""
	}
	return fmt.Sprintf("Configure the name in A-labels, %s, in the MTA (Postfix: smtp_helo_name, Exim: helo_data).", strings.TrimSuffix(arg.Name, "."))
}

// withHelo returns the outcome of a rule that looks the HELO name up where there
// is nothing to look up, and false.
func withHelo(s subject) (outcome, bool) {
	switch {
	case !s.mta.Sends():
		return outcome{code: rule.CodeReceivesOnly}, false
	case s.mta.helo == nil:
		return outcome{code: rule.CodeNotPublic}, false
	case !s.mta.helo().Argument.Resolvable():
		return outcome{code: rule.CodeNoName, detail: s.mta.Helo}, false
	}
	return outcome{code: rule.CodeOK, detail: s.mta.helo().Argument.Name}, true
}

func heloRole(s subject) outcome {
	out, ok := withHelo(s)
	if !ok {
		return out
	}
	h := s.mta.helo()
	name := h.Argument.Name
	out.evidence = h.Responses
	others := slices.DeleteFunc(slices.Clone(h.Others), s.described)
	word := ptrname.MailWord(name)
	switch {
	case len(others) > 0 && len(h.Found) > 0: // else helo-resolves says that it is another host's
		out.code = rule.CodeMoreAddresses
		out.detail += " has " + joinAddrs(others[:min(len(others), maxListed)])
	case word == "":
		out.code = rule.CodeNoRole
	case h.Err != nil:
		out.code = rule.CodeNoAnswer
	default:
		out.detail = fmt.Sprintf("%q in %s", word, name)
	}
	return out
}

// described reports whether an address is one of an MTA.
func (f *facts) described(addr netip.Addr) bool {
	return slices.ContainsFunc(f.mtas, func(m *mtaFacts) bool {
		return slices.ContainsFunc(m.addresses, func(a *addressFacts) bool { return a.addr == addr })
	})
}

func heloResolves(s subject) outcome {
	out, ok := withHelo(s)
	if !ok {
		return out
	}
	h := s.mta.helo()
	out.evidence = h.Responses
	switch {
	case h.Status.Temporary():
		out.code = rule.CodeNoAnswer
	case len(h.Missing) > 0 && len(h.Found) == 0:
		out.code = rule.CodeNoAddress
	case len(h.Missing) > 0:
		out.code = rule.CodeNotAllAddresses
		out.detail += " without " + joinAddrs(h.Missing)
	}
	if out.broken = h.Missing; len(h.Missing) > 0 {
		out.fix = addressOf(h.Argument.Name, h.Missing...)
		// "you can at least increase the IPs authorized via SPF record"
		out.mitigation = s.heloMitigation(s.publicAddresses(s.mta)...)
	}
	return out
}

// compared is the HELO name beside the PTR names of one address.
type compared struct {
	addr     netip.Addr
	name     string // the PTR name
	relation helo.Relation
	domain   string // the one that both are in
}

// compareHelo puts the HELO name beside the PTR names of every address. The outcome is not
// ok where there is nothing to compare; failed tells that DNS gave no answer about some
// address.
func compareHelo(s subject) (out outcome, all []compared, failed bool) {
	out, ok := withHelo(s)
	if !ok {
		return out, nil, false
	}
	for _, a := range s.mta.addresses {
		if a.rdns == nil {
			continue
		}
		out.evidence = append(out.evidence, a.evidence(false)...)
		failed = failed || a.rdns().PTR.Err != nil
		for name := range heed(s.meter, a.names()) {
			relation, domain := helo.Relate(s.mta.helo().Argument.Name, name, s.domain)
			all = append(all, compared{a.addr, name, relation, domain})
		}
	}
	if len(all) == 0 {
		out.code = rule.CodeNoPTR
		if failed {
			out.code = rule.CodeNoAnswer
		}
	}
	return out, all, failed
}

func heloSameOrg(s subject) outcome {
	out, all, failed := compareHelo(s)
	if out.code != rule.CodeOK {
		return out
	}
	related := make(map[netip.Addr]bool)
	for _, c := range all {
		related[c.addr] = related[c.addr] || c.relation != helo.Unrelated
	}
	for _, c := range all {
		if !related[c.addr] {
			out.code, out.detail = rule.CodeUnrelated, s.mta.helo().Argument.Name+" and "+c.name
			out.broken = []netip.Addr{c.addr}
			out.fix = s.selectPTRIf(helo.SameOrganization, helo.Identical)
			out.mitigation = s.heloMitigation(s.publicAddresses(s.mta)...)
			return out
		}
	}
	switch {
	case failed:
		out.code = rule.CodeNoAnswer
	case !s.owns(s.mta.helo().Argument.Name):
		out.code = rule.CodeOtherOrganization
		out.detail += ", not below " + s.domain
	default:
		// Of several PTR names, one that belongs to the HELO name: every address has one.
		c := all[slices.IndexFunc(all, func(c compared) bool { return c.relation != helo.Unrelated })]
		out.detail += " and " + c.name
		if c.domain != "" {
			out.detail += ", both below " + c.domain
		}
	}
	return out
}

func heloDiffers(s subject) outcome {
	out, all, failed := compareHelo(s)
	if out.code != rule.CodeOK {
		return out
	}
	for _, c := range all {
		if c.relation == helo.Identical {
			out.code = rule.CodeIdentical
			out.fix = s.selectPTRIf(helo.SameOrganization, helo.Unrelated)
			out.otherwise = "Choose a second name within the domain, give it the same addresses, and configure it as the HELO name (Postfix: smtp_helo_name, Exim: helo_data)."
			return out
		}
	}
	if failed {
		out.code = rule.CodeNoAnswer
	}
	return out
}

// selectPTRIf selects the PTR records of the MTA, and what confirms them, if the PTR name
// described has one of the relations wanted to the HELO name.
func (s subject) selectPTRIf(wanted ...helo.Relation) func(rule.Record) bool {
	relation, _ := helo.Relate(s.mta.helo().Argument.Name, s.mta.ptr, s.domain)
	if s.mta.ptr == "" || !slices.Contains(wanted, relation) {
		return nil
	}
	public := s.publicAddresses(s.mta)
	return either(ptrOf(public...), addressOf(s.mta.ptr, public...))
}
