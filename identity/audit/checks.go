package audit

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/internal/address"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/suffix"
	"github.com/bonafide-mta/bonafide/resolver"
)

// checks judges the rules of the advice page and of the audit itself. Each function returns
// one of its rule's codes. For receivers' rules see receiverChecks.
var checks = map[rule.ID]func(subject) outcome{
	rule.OrgDomain:     orgDomain,
	rule.AddressPublic: addressPublic,
	rule.PTRExists:     ptrExists,
	rule.PTRConfirmed:  ptrConfirmed,
	rule.PTRSyntax:     ptrSyntax,
	rule.PTROneName:    ptrOneName,
	rule.PTRNotGeneric: ptrNotGeneric,
	rule.PTRStatic:     ptrStatic,
	rule.PTRRole:       ptrRole,
	rule.HeloName:      heloName,
	rule.HeloRole:      heloRole,
	rule.HeloResolves:  heloResolves,
	rule.HeloSameOrg:   heloSameOrg,
	rule.HeloDiffers:   heloDiffers,
	rule.SPFValid:      spfValid,
	rule.SPFAgreed:     spfAgreed,
	rule.HeloSPF:       heloSPF,
	rule.HeloSPFStrict: heloSPFStrict,
	rule.MailSPF:       mailSPF,
	rule.HeloCSA:       heloCSA,
	rule.HeloRP:        heloRP,
	rule.NullMX:        nullMX,
	rule.NullSPF:       nullSPF,
	rule.PTRLocked:     ptrLocked,
	rule.DomainCSA:     domainCSA,
	rule.DomainRP:      domainRP,

	rule.MailRoute:     mailRoute,
	rule.MXHosts:       mxHosts,
	rule.RoleMailboxes: roleMailboxes,
	rule.Wildcards:     wildcards,
	rule.TTLs:          ttls,

	rule.ExceptionsCurrent: exceptionsCurrent,
}

// checkOf returns what judges a rule.
func checkOf(r rule.Rule) func(subject) outcome {
	if check := checks[r.ID]; check != nil {
		return check
	}
	return func(s subject) outcome {
		if !s.mta.Sends() { // it never connects to a receiver
			return outcome{code: rule.CodeReceivesOnly}
		}
		return receiverChecks[r.Check](r, s)
	}
}

func orgDomain(s subject) outcome {
	out := outcome{code: rule.CodeOK, detail: s.domain}
	switch form := dnsname.FormOf(s.domain); {
	case form == dnsname.Malformed, form == dnsname.Numeric:
		out.code = rule.CodeMalformed
		return out
	case dnsname.SpecialUse(s.domain):
		out.code = rule.CodeReserved
		return out
	case dnsname.Documentation(s.domain) && !s.allowDocumentation:
		out.code = rule.CodeDocumentation
		return out
	case suffix.Organizational(s.domain) == "" && !suffix.Private(s.domain):
		out.code = rule.CodePublicSuffix
		return out
	}
	exists := s.exists()
	out.evidence = []resolver.Response{exists}
	switch {
	case exists.Err != nil:
		out.code = rule.CodeNoAnswer
	case exists.Status == resolver.NXDomain:
		out.code = rule.CodeNotInDNS
	case exists.Status == resolver.NotFound:
		out.code = rule.CodeCannotTell
	case suffix.Private(s.domain): // the description says whose it is
		out.code = rule.CodePrivateSuffix
	}
	return out
}

func addressPublic(s subject) outcome {
	code := map[address.Class]rule.Code{
		address.Public: rule.CodeOK, address.Private: rule.CodePrivate, address.Shared: rule.CodeShared,
		address.Documentation: rule.CodeDocumentation, address.Transition: rule.CodeSpecial, address.Special: rule.CodeSpecial,
	}[s.addr.class]
	if code == rule.CodeDocumentation && s.allowDocumentation {
		code = rule.CodeAllowed
	}
	return outcome{code: code, detail: s.addr.block}
}

// ptrOf selects the PTR records of addresses.
func ptrOf(addrs ...netip.Addr) func(rule.Record) bool {
	return func(r rule.Record) bool {
		return r.RR.Header().Rrtype == dns.TypePTR && slices.ContainsFunc(addrs, func(a netip.Addr) bool {
			return resolver.ReverseName(a) == r.RR.Header().Name
		})
	}
}

// addressOf selects the A and AAAA records of a name for some addresses.
func addressOf(name string, addrs ...netip.Addr) func(rule.Record) bool {
	return func(r rule.Record) bool {
		has := resolver.Answer{Records: []dns.RR{r.RR}}.Addrs()
		return r.RR.Header().Name == name && len(has) == 1 && slices.Contains(addrs, has[0])
	}
}

// addressesOf selects the A and AAAA records of names.
func addressesOf(names ...string) func(rule.Record) bool {
	return func(r rule.Record) bool {
		rtype := r.RR.Header().Rrtype
		return (rtype == dns.TypeA || rtype == dns.TypeAAAA) && slices.Contains(names, r.RR.Header().Name)
	}
}

// wantedBy selects the records that a rule wants at some names.
func wantedBy(id rule.ID, names ...string) func(rule.Record) bool {
	return func(r rule.Record) bool {
		return slices.Contains(r.Rules, id) && slices.Contains(names, r.RR.Header().Name)
	}
}

func either(a, b func(rule.Record) bool) func(rule.Record) bool {
	return func(r rule.Record) bool { return a(r) || b(r) }
}

func joinAddrs(addrs []netip.Addr) string {
	var parts []string
	for _, a := range addrs {
		parts = append(parts, a.String())
	}
	return strings.Join(parts, ", ")
}
