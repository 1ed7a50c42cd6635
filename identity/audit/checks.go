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

// checks judges the rules. Each function returns one of its rule's codes.
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

	rule.WaiversCurrent: waiversCurrent,

	rule.PostfixReverseClient: reverseName,
	rule.PostfixClient:        firstName,
	rule.EximReverse:          eximReverse,
	rule.OpenSMTPDFCrDNS:      firstName,
	rule.RspamdHostname:       firstName,
	rule.SelectiveRejection:   selectiveRejection,
	rule.GmailFCrDNS:          anyName,
	rule.YahooFCrDNS:          anyName,
	rule.OutlookPTR:           reverseName,
	rule.ExchangeIPv6PTR:      exchangeIPv6,
	rule.PostfixHeloSyntax:    postfixHeloSyntax,
	rule.PostfixHeloHostname:  postfixHeloHostname,
	rule.EximHelo:             eximHelo,
	rule.EximCSA:              eximCSA,
	rule.RspamdHelo:           rspamdHelo,
	rule.HeloEqualsPTR:        heloEqualsPTR,
}

func orgDomain(s subject) outcome {
	out := outcome{code: "ok", detail: s.domain}
	switch form := dnsname.FormOf(s.domain); {
	case form == dnsname.Malformed, form == dnsname.Numeric:
		out.code = "malformed"
		return out
	case dnsname.Reserved(s.domain):
		out.code = "reserved"
		return out
	case dnsname.Documentation(s.domain) && !s.allowDocumentation:
		out.code = "documentation"
		return out
	case suffix.Organizational(s.domain) == "":
		out.code = "public-suffix"
		return out
	}
	exists := s.exists()
	out.evidence = []resolver.Response{exists}
	switch {
	case exists.Err != nil:
		out.code = "no-answer"
	case exists.Status == resolver.NXDomain:
		out.code = "not-in-dns"
	case exists.Status == resolver.NotFound:
		out.code = "cannot-tell"
	}
	return out
}

func addressPublic(s subject) outcome {
	code := map[address.Class]string{
		address.Public: "ok", address.Private: "private", address.Shared: "shared",
		address.Documentation: "documentation", address.Transition: "special", address.Special: "special",
	}[s.addr.class]
	if code == "documentation" && s.allowDocumentation {
		code = "allowed"
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

// wantedBy selects the records that a rule wants at some names.
func wantedBy(id rule.ID, names ...string) func(rule.Record) bool {
	return func(r rule.Record) bool {
		return slices.Contains(r.Rules, id) && slices.Contains(names, r.RR.Header().Name)
	}
}

func either(a, b func(rule.Record) bool) func(rule.Record) bool {
	return func(r rule.Record) bool { return a(r) || b(r) }
}

func join(addrs []netip.Addr) string {
	var parts []string
	for _, a := range addrs {
		parts = append(parts, a.String())
	}
	return strings.Join(parts, ", ")
}
