package audit

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/csa"
	"github.com/bonafide-mta/bonafide/fcrdns"
	"github.com/bonafide-mta/bonafide/fcrdns/ptrname"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/nullmx"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/spf"
)

func mailRoute(s subject) outcome {
	mail := s.mail.mailRoute()
	out := outcome{code: rule.CodeNowhere, evidence: mail.evidence()}
	switch mail.mx.Status {
	case nullmx.TempError:
		out.code = rule.CodeNoAnswer
		return out
	case nullmx.Null:
		out.code, out.fix = rule.CodeNullMX, wantedBy(rule.MailRoute, s.mail.name)
		return out
	case nullmx.Mixed:
		out.code, out.detail = rule.CodeMixed, exchangers(mail.mx.MX)
		return out
	case nullmx.None, nullmx.NXDomain:
		out.fix = either(addressOf(s.mail.name, s.heloAddresses()...), wantedBy(rule.MailRoute, s.mail.name))
		return out
	}
	var reached, sends, lost []string
	unknown := false
	for _, h := range mail.hosts {
		public := slices.DeleteFunc(slices.Clone(h.addrs()), func(addr netip.Addr) bool { return !s.publicAddr(addr) })
		switch {
		case slices.ContainsFunc(public, func(addr netip.Addr) bool { return !s.onlySends(addr) }):
			reached = append(reached, h.name)
		case h.unknown():
			unknown = true
		case len(public) > 0:
			sends = append(sends, h.name)
		default:
			lost = append(lost, h.name)
		}
	}
	switch {
	case len(reached) > 0 && len(lost)+len(sends) > 0:
		out.code, out.detail = rule.CodeSomeLost, strings.Join(append(lost, sends...), ", ")
	case len(reached) > 0:
		out.code, out.detail = rule.CodeOK, strings.Join(reached, ", ")
	case unknown:
		out.code = rule.CodeNoAnswer
	case len(sends) > 0 && !mail.skipped:
		out.code, out.detail, out.fix = rule.CodeSendsOnly, strings.Join(sends, ", "), wantedBy(rule.MailRoute, s.mail.name)
		out.otherwise = "No MTA that receives is described with a name: describe one with the role inbound, or publish an MX record for a host that takes mail for postmaster and abuse."
	case mail.skipped:
		out.code, out.detail = rule.CodeTooManyNames, strings.Join(lost, ", ")
	default:
		out.code, out.detail = rule.CodeNoTarget, strings.Join(lost, ", ")
	}
	return out
}

// heloAddresses returns the public addresses of the MTAs that use the name in HELO.
func (s subject) heloAddresses() []netip.Addr {
	var out []netip.Addr
	for _, sender := range s.mail.senders {
		if sender.atHelo {
			out = append(out, sender.addr)
		}
	}
	return out
}

func mxHosts(s subject) outcome {
	mail := s.mail.mailRoute()
	out := outcome{evidence: mail.evidence()}
	if mail.mx.Status == nullmx.Implicit { // the address of the domain, which serves the web as a rule
		out.code = rule.CodeNoExchanger
		return out
	}
	faults := make(map[rule.Code][]exchangerFault)
	exchangers, ours, left, unknown := 0, 0, 0, mail.mx.Status == nullmx.TempError
	for _, h := range mail.hosts {
		addrs := h.addrs()
		if len(addrs) == 0 && !h.unknown() {
			if h.ours {
				faults[rule.CodeNoAddress] = append(faults[rule.CodeNoAddress], exchangerFault{h.name, netip.Addr{}})
			}
			continue
		}
		exchangers++
		if !h.ours {
			unknown = unknown || h.unknown() // whether an address is that of an MTA
			continue
		}
		ours++
		left += len(addrs) - len(h.rdns)
		out.evidence = append(out.evidence, h.rdnsEvidence()...)
		unknown = s.addExchangerFaults(faults, h) || h.unknown() || unknown
	}
	if out.blame(faults) {
		return out
	}
	switch {
	case unknown:
		out.code = rule.CodeNoAnswer
	case mail.skipped && ours == 0:
		out.code = rule.CodeTooManyNames
	case exchangers == 0:
		out.code = rule.CodeNoExchanger
	case ours == 0:
		out.code = rule.CodeProvider
	default:
		out.code = rule.CodeOK
		if left > 0 { // public ones, or a fault would be reported
			out.addDetail("%d more addresses were not looked at", left)
		}
		if mail.skipped {
			out.addDetail("after the first %d mail exchangers, others were not looked at", nullmx.MaxTargets)
		}
	}
	return out
}

// blame makes the worst of the faults the outcome, and reports whether there is any.
func (out *outcome) blame(faults map[rule.Code][]exchangerFault) bool {
	for _, code := range []rule.Code{rule.CodeNotPublic, rule.CodeNoAddress, rule.CodeUnconfirmed, rule.CodeGeneric} {
		if len(faults[code]) > 0 {
			var texts []string
			var addrs []netip.Addr
			for _, fault := range faults[code] {
				texts, addrs = append(texts, fault.text), append(addrs, fault.addr)
			}
			out.code, out.detail, out.fix = code, listed(texts), ptrOf(addrs...)
			switch ascii := dnsname.MeantInASCII(texts[0]); {
			case code == rule.CodeUnconfirmed, code == rule.CodeGeneric:
				out.broken = addrs
			case code == rule.CodeNoAddress && ascii != "":
				out.remedy = fmt.Sprintf("Write the host of the MX record in A-labels: %s.", strings.TrimSuffix(ascii, "."))
			case code == rule.CodeNoAddress:
				out.fix = addressesOf(texts...)
			}
			return true
		}
	}
	return false
}

// An exchangerFault is what is wrong with an address of an exchanger, or the name of one that
// has none.
type exchangerFault struct {
	text string
	addr netip.Addr
}

// addExchangerFaults adds what is wrong with the addresses of an exchanger to the faults of
// each outcome. It reports whether DNS gave no answer about some of them.
func (s subject) addExchangerFaults(faults map[rule.Code][]exchangerFault, h *hostFacts) (unknown bool) {
	add := func(code rule.Code, addr netip.Addr, format string, args ...any) {
		faults[code] = append(faults[code], exchangerFault{fmt.Sprintf(format, args...), addr})
	}
	for _, addr := range h.addrs() {
		if !s.publicAddr(addr) {
			add(rule.CodeNotPublic, addr, "%s of %s", addr, h.name)
		}
	}
	for _, r := range h.rdns {
		switch {
		case r.Status == fcrdns.TempError:
			unknown = true
		case r.Status != fcrdns.Pass:
			add(rule.CodeUnconfirmed, r.Addr, "%s of %s", r.Addr, h.name)
		case ptrname.Classify(r.Addr, r.Name).Kind == ptrname.Generic:
			add(rule.CodeGeneric, r.Addr, "%s of %s is %s", r.Addr, h.name, r.Name)
		}
	}
	return unknown
}

// rdnsEvidence returns what DNS said about the reverse names of a host's addresses.
func (h *hostFacts) rdnsEvidence() []resolver.Response {
	var out []resolver.Response
	for _, r := range h.rdns {
		out = append(out, rdnsEvidence(r, true)...)
	}
	return out
}

func wildcards(s subject) outcome {
	out := outcome{code: rule.CodeOK, evidence: s.mail.wildcard()}
	var mx []*dns.MX
	var texts []string
	addresses, unknown := false, false
	for _, response := range out.evidence {
		mx = append(mx, resolver.Records[*dns.MX](response.Answer)...)
		texts = append(texts, response.TXT()...)
		addresses = addresses || len(response.Addrs()) > 0
		unknown = unknown || response.Err != nil
	}
	for _, response := range out.evidence {
		for _, rr := range response.Chain {
			if cname, ok := rr.(*dns.CNAME); ok && out.remedy == "" {
				out.remedy = fmt.Sprintf("The wildcard is an alias of %s: remove it, or replace it with addresses, a Null MX and the SPF record v=spf1 -all.", cname.Target)
			}
		}
	}
	record, _ := spf.Select(texts) // of several, receivers take none
	nobodyMay := spf.IsNull(record)
	switch {
	case len(mx) > 0 && !nullmx.IsNull(mx...):
		out.code, out.detail = rule.CodeMail, "*."+s.mail.name
	case unknown:
		out.code = rule.CodeNoAnswer
	case addresses && !(nullmx.IsNull(mx...) && nobodyMay):
		out.code, out.detail = rule.CodeAddress, "*."+s.mail.name
	case len(texts) > 0 && !nobodyMay:
		out.code, out.detail = rule.CodeText, "*."+s.mail.name
	case len(mx)+len(texts) > 0:
		out.code, out.detail = rule.CodeSilenced, "*."+s.mail.name
	}
	return out
}

// The bounds of a reasonable TTL, in seconds. RFC 1912, Section 2.2, has days as
// typical, which is from a time when nobody moved.
const (
	minTTL = 5 * 60
	maxTTL = 7 * 24 * 3600
)

func ttls(s subject) outcome {
	out := outcome{code: rule.CodeNothing}
	var high, low []string
	unknown := false
	for _, response := range s.publishedRecords() {
		out.evidence = append(out.evidence, response)
		unknown = unknown || response.Err != nil
		for i, rr := range response.Records {
			if i%64 == 0 && !s.meter.spend(1) {
				break
			}
			switch name := response.Question.String(); {
			case rr.Header().Ttl > maxTTL:
				high = append(high, name)
			case rr.Header().Ttl < minTTL:
				low = append(low, name)
			}
			out.code = rule.CodeOK
		}
	}
	// The evidence has the numbers: those from a cache differ every time.
	joinNames := func(names []string) string {
		slices.Sort(names)
		return listed(slices.Compact(names))
	}
	switch {
	case len(high) > 0:
		out.code, out.detail = rule.CodeTooHigh, joinNames(high)
	case unknown:
		out.code = rule.CodeNoAnswer
	case len(low) > 0:
		out.code, out.detail = rule.CodeLow, joinNames(low)
	}
	return out
}

// publishedRecords returns what DNS said about the records that others look up for each
// mail: PTR records, and the addresses, SPF and MX records of the organization's names.
func (s subject) publishedRecords() []resolver.Response {
	var all []resolver.Response
	for _, m := range s.mtas {
		for _, a := range m.addresses {
			if a.rdns != nil {
				all = append(all, a.evidence(true)...)
			}
		}
		if m.helo != nil {
			all = append(all, m.helo().Responses...)
		}
	}
	for _, n := range s.names {
		all = append(all, n.policy().Root.Response)
		all = append(all, n.mailRoute().evidence()...)
	}
	return slices.DeleteFunc(all, func(r resolver.Response) bool {
		return len(r.Records) == 0 && r.Err == nil || r.Type != dns.TypePTR && !s.owns(r.Name)
	})
}

// heloMitigation returns a clause that says by which records the HELO name speaks for some
// addresses of an MTA though a must about its names fails, "" for none: "may even mitigate
// against some errors in the MUST portion", as the page has it.
func (s subject) heloMitigation(addrs ...netip.Addr) string {
	if s.mta.name == nil || len(addrs) == 0 {
		return ""
	}
	passed, authorized := make(map[netip.Addr]bool), make(map[netip.Addr]bool)
	for _, sender := range s.mta.name.senders {
		if sender.atHelo && sender.mta == s.mta && sender.strict().Status == spf.Pass {
			passed[sender.addr] = true
		}
	}
	for _, known := range s.mta.csa {
		if r := known(); r.Reason == csa.Authorized {
			authorized[r.Addr] = true
		}
	}
	by := func(record string, holds map[netip.Addr]bool) string {
		if slices.ContainsFunc(addrs, func(a netip.Addr) bool { return !holds[a] }) {
			return ""
		}
		return record
	}
	records := slices.DeleteFunc([]string{by("SPF", passed), by("CSA", authorized)}, func(r string) bool { return r == "" })
	if len(records) == 0 {
		return ""
	}
	return fmt.Sprintf("by %s the HELO name %s speaks for %s, where a receiver asks", strings.Join(records, " and "), s.mta.name.name, joinAddrs(addrs))
}
