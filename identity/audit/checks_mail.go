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
	"github.com/bonafide-mta/bonafide/nullmx"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/spf"
)

func mailRoute(s subject) outcome {
	mail := s.of.inbound()
	out := outcome{code: rule.CodeNowhere, evidence: mail.evidence()}
	switch mail.mx.Status {
	case nullmx.TempError:
		out.code = rule.CodeNoAnswer
		return out
	case nullmx.Null:
		out.code, out.fix = rule.CodeNullMX, wantedBy(rule.MailRoute, s.of.name)
		return out
	case nullmx.None, nullmx.NXDomain:
		out.fix = either(addressOf(s.of.name, s.greeting()...), wantedBy(rule.MailRoute, s.of.name))
		return out
	}
	var reached, lost []string
	unknown := false
	for _, h := range mail.hosts {
		switch {
		case slices.ContainsFunc(h.addrs(), s.publicAddr):
			reached = append(reached, h.name)
		case h.err() != nil:
			unknown = true
		default:
			lost = append(lost, h.name)
		}
	}
	switch {
	case len(reached) > 0 && len(lost) > 0:
		out.code, out.detail = rule.CodeSomeLost, strings.Join(lost, ", ")
	case len(reached) > 0:
		out.code, out.detail = rule.CodeOK, strings.Join(reached, ", ")
	case unknown:
		out.code = rule.CodeNoAnswer
	default:
		out.code, out.detail = rule.CodeNoTarget, strings.Join(lost, ", ")
	}
	return out
}

// greeting returns the public addresses of the MTAs that greet with a name.
func (s subject) greeting() []netip.Addr {
	var out []netip.Addr
	for _, sender := range s.of.senders {
		if sender.greets {
			out = append(out, sender.addr)
		}
	}
	return out
}

func mxHosts(s subject) outcome {
	mail := s.of.inbound()
	out := outcome{evidence: mail.evidence()}
	var faults [3][]string // in the order of codes
	codes := [3]rule.Code{rule.CodeNotPublic, rule.CodeUnconfirmed, rule.CodeGeneric}
	exchangers, ours, left, unknown := 0, 0, 0, mail.mx.Status == nullmx.TempError
	for _, h := range mail.hosts {
		addrs := h.addrs()
		if mail.mx.Status == nullmx.Implicit {
			continue // the address of the domain, which serves the web as a rule
		}
		if len(addrs) > 0 || h.err() != nil {
			exchangers++
		}
		if !h.ours || len(addrs) == 0 && h.err() == nil {
			continue
		}
		ours++
		unknown = unknown || h.err() != nil
		left += len(addrs) - len(h.rdns)
		for _, addr := range addrs {
			if !s.publicAddr(addr) {
				faults[0] = append(faults[0], fmt.Sprintf("%s of %s", addr, h.name))
			}
		}
		for _, r := range h.rdns {
			out.evidence = append(out.evidence, r.PTR)
			for _, n := range r.Names {
				if n.Outcome != fcrdns.Unusable {
					out.evidence = append(out.evidence, n.Response)
				}
			}
			switch {
			case r.Status == fcrdns.TempError:
				unknown = true
			case r.Status != fcrdns.Pass:
				faults[1] = append(faults[1], fmt.Sprintf("%s of %s", r.Addr, h.name))
			case ptrname.Classify(r.Addr, r.Name).Kind == ptrname.Generic:
				faults[2] = append(faults[2], fmt.Sprintf("%s of %s is %s", r.Addr, h.name, r.Name))
			}
		}
	}
	for i, code := range codes {
		if len(faults[i]) > 0 {
			out.code, out.detail = code, strings.Join(faults[i], ", ")
			return out
		}
	}
	switch {
	case unknown:
		out.code = rule.CodeNoAnswer
	case exchangers == 0:
		out.code = rule.CodeNoExchanger
	case ours == 0:
		out.code = rule.CodeProvider
	default:
		out.code = rule.CodeOK
		if left > 0 { // public ones, or a fault would be reported
			out.say("%d more addresses were not looked at", left)
		}
	}
	return out
}

func wildcards(s subject) outcome {
	out := outcome{code: rule.CodeOK, evidence: s.of.wildcard()}
	var mx []*dns.MX
	var texts []string
	addresses, unknown := false, false
	for _, reply := range out.evidence {
		mx = append(mx, resolver.Records[*dns.MX](reply.Answer)...)
		texts = append(texts, reply.TXT()...)
		addresses = addresses || len(reply.Addrs()) > 0
		unknown = unknown || reply.Err != nil
	}
	nobodyMay := slices.ContainsFunc(texts, spf.IsNull)
	switch {
	case len(mx) > 0 && !nullmx.IsNull(mx...):
		out.code, out.detail = rule.CodeMail, "*."+s.of.name
	case unknown:
		out.code = rule.CodeNoAnswer
	case addresses && !(nullmx.IsNull(mx...) && nobodyMay):
		out.code, out.detail = rule.CodeAddress, "*."+s.of.name
	case len(texts) > 0 && !nobodyMay:
		out.code, out.detail = rule.CodeText, "*."+s.of.name
	case len(mx)+len(texts) > 0:
		out.code, out.detail = rule.CodeSilenced, "*."+s.of.name
	}
	return out
}

// The bounds of what a TTL should be, in seconds. RFC 1912, Section 2.2, has days as
// typical, which is from a time when nobody moved.
const (
	shortest = 5 * 60
	longest  = 7 * 24 * 3600
)

func ttls(s subject) outcome {
	out := outcome{code: rule.CodeNothing}
	var high, low []string
	unknown := false
	for _, reply := range s.published() {
		out.evidence = append(out.evidence, reply)
		unknown = unknown || reply.Err != nil
		for _, rr := range reply.Records {
			switch name := reply.Question.String(); {
			case rr.Header().Ttl > longest:
				high = append(high, name)
			case rr.Header().Ttl < shortest:
				low = append(low, name)
			}
			out.code = rule.CodeOK
		}
	}
	// The numbers stand in the evidence: those from a cache are others every time.
	each := func(names []string) string {
		slices.Sort(names)
		return strings.Join(slices.Compact(names), ", ")
	}
	switch {
	case len(high) > 0:
		out.code, out.detail = rule.CodeTooHigh, each(high)
	case unknown:
		out.code = rule.CodeNoAnswer
	case len(low) > 0:
		out.code, out.detail = rule.CodeLow, each(low)
	}
	return out
}

// published returns what DNS said of the records that others look up for each mail: PTR
// records, and the addresses, SPF and MX records of the organization's names.
func (s subject) published() []resolver.Response {
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
		all = append(all, n.inbound().evidence()...)
	}
	return slices.DeleteFunc(all, func(r resolver.Response) bool {
		return len(r.Records) == 0 && r.Err == nil || r.Type != dns.TypePTR && !s.owns(r.Name)
	})
}

// vouched says what of the organization's own speaks for some addresses of an MTA though a
// must about its names fails: "may even mitigate against some errors in the MUST portion",
// as the page has it. It is a clause, or "" for nothing.
func (s subject) vouched(addrs ...netip.Addr) string {
	if s.mta.name == nil || len(addrs) == 0 {
		return ""
	}
	passed, authorized := make(map[netip.Addr]bool), make(map[netip.Addr]bool)
	for _, sender := range s.mta.name.senders {
		if sender.greets && sender.mta == s.mta && sender.strict().Status == spf.Pass {
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
	return fmt.Sprintf("by %s the HELO name %s speaks for %s, where a receiver asks", strings.Join(records, " and "), s.mta.name.name, join(addrs))
}
