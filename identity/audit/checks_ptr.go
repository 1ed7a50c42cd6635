package audit

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/bonafide-mta/bonafide/fcrdns"
	"github.com/bonafide-mta/bonafide/fcrdns/ptrname"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
)

func ptrExists(s subject) outcome {
	if !s.public(s.addr) {
		return outcome{code: rule.CodeNotPublic}
	}
	out := outcome{code: rule.CodeOK, evidence: s.addr.evidence(false), fix: either(ptrOf(s.addr.addr), addressOf(s.mta.ptr, s.addr.addr))}
	switch rdns := s.addr.rdns(); {
	case rdns.PTR.Err != nil:
		out.code = rule.CodeNoAnswer
	case len(rdns.Names) == 0:
		out.code = rule.CodeMissing
	}
	return out
}

// withPTR returns the outcome of a rule about PTR names where there are none to
// judge, and false.
func withPTR(s subject) (outcome, bool) {
	out := ptrExists(s)
	if out.fix = nil; out.code == rule.CodeMissing {
		out.code = rule.CodeNoPTR
	}
	return out, out.code == rule.CodeOK
}

func ptrConfirmed(s subject) outcome {
	out, ok := withPTR(s)
	if !ok {
		return out
	}
	out.evidence = s.addr.evidence(true)
	rdns := s.addr.rdns()
	var unconfirmed []string
	unanswered := false
	for _, n := range rdns.Names {
		switch n.Outcome {
		case fcrdns.Confirmed:
		case fcrdns.NoAnswer:
			unanswered = true
		default:
			unconfirmed = append(unconfirmed, n.Name+" ("+n.Outcome.String()+")")
		}
	}
	out.detail = strings.Join(unconfirmed, ", ")
	switch {
	case rdns.Status == fcrdns.TempError:
		out.code, out.detail = rule.CodeNoAnswer, ""
	case errors.Is(rdns.Err, fcrdns.ErrTooManyNames):
		out.code, out.detail = rule.CodeTooManyNames, fmt.Sprint(len(s.addr.names()))
	case rdns.Status == fcrdns.PermError:
		out.code = rule.CodeUnusable
	case rdns.Status == fcrdns.Fail:
		out.code = rule.CodeMismatch
	case len(unconfirmed) > 0:
		out.code = rule.CodeSomeUnconfirmed
	case unanswered:
		out.code = rule.CodeNoAnswer
	case rdns.Skipped > 0:
		out.code, out.detail = rule.CodeTooManyNames, fmt.Sprint(len(s.addr.names()))
	default:
		out.detail = rdns.Name
	}
	// The name described, both ways, for this address only.
	addr := s.addr.addr
	out.fix = either(ptrOf(addr), addressOf(s.mta.ptr, addr))
	return out
}

func ptrSyntax(s subject) outcome {
	out, ok := withPTR(s)
	if !ok {
		return out
	}
	// The worse of the two faults is the one to report.
	for _, name := range s.addr.names() {
		switch form := dnsname.FormOf(name); {
		case form < dnsname.Underscore:
			out.code, out.detail = rule.CodeNoHostName, name
			if ascii := dnsname.MeantInASCII(name); ascii != "" {
				out.remedy = fmt.Sprintf("Have the PTR record changed to the A-labels of the name, %s, or to another name of your domain.", strings.TrimSuffix(ascii, "."))
			}
			return out
		case form == dnsname.Underscore && out.code == rule.CodeOK:
			out.code, out.detail = rule.CodeUnderscore, name
		}
	}
	out.fix = ptrOf(s.addr.addr)
	return out
}

func ptrOneName(s subject) outcome {
	public := s.publicAddresses(s.mta)
	switch {
	case len(public) == 0:
		return outcome{code: rule.CodeNotPublic}
	case len(public) == 1 && s.mta.ptr == "":
		return outcome{code: rule.CodeSingleAddress}
	}
	var addrs []*addressFacts
	out := outcome{code: rule.CodeOK}
	hasNames, failed, skipped := false, false, false
	for _, a := range s.mta.addresses {
		if !s.public(a) {
			continue
		}
		addrs = append(addrs, a)
		out.evidence = append(out.evidence, a.evidence(true)...)
		rdns := a.rdns()
		failed = failed || rdns.PTR.Err != nil
		hasNames = hasNames || len(rdns.Names) > 0
		skipped = skipped || rdns.Skipped > 0
	}
	best := oneName(s.mta.ptr, addrs)
	others := s.otherNames(addrs)
	switch {
	case !hasNames && !failed:
		out.code = rule.CodeNoPTR
	case skipped && s.mta.ptr == "" && len(best.lacking)+len(best.unconfirmed) > 0:
		out.code = rule.CodeTooManyNames // one of the others may be the name of all addresses
	case len(best.lacking) > 0:
		// An answer that lacks the name is an answer, whatever the others are.
		out.code, out.detail = rule.CodeOtherName, joinAddrs(best.lacking)+" without "+best.name
		out.broken = best.lacking
		out.fix = either(ptrOf(best.lacking...), addressOf(s.mta.ptr, public...))
	case failed:
		out.code = rule.CodeNoAnswer
	case len(best.unconfirmed) > 0:
		out.code, out.detail = rule.CodeNotAllAddresses, best.name+" without "+joinAddrs(best.unconfirmed)
		out.broken = best.unconfirmed
		out.fix = addressOf(s.mta.ptr, best.unconfirmed...)
	case len(others) > 0:
		out.code, out.detail = rule.CodeSeveralNames, best.name+", which is described, and "+listed(others)
	case best.unanswered > 0:
		out.code = rule.CodeNoAnswer
	default:
		out.detail = best.name
	}
	return out
}

// otherNames returns the PTR names of addresses beside the one that is described, each with
// the first address that has it: none if the description does not say which is the one.
func (s subject) otherNames(addrs []*addressFacts) []string {
	var out []string
	if s.mta.ptr == "" {
		return nil
	}
	seen := map[string]bool{s.mta.ptr: true}
	for _, a := range addrs {
		for other := range heed(s.meter, a.names()) {
			if !seen[other] {
				seen[other] = true
				out = append(out, fmt.Sprintf("%s at %s", other, a.addr))
			}
		}
	}
	return out
}

// A candidate is a name that might be the one of an MTA, and what speaks against
// it, the worst first.
type candidate struct {
	name        string
	lacking     []netip.Addr // they have PTR answers, but not this name
	unconfirmed []netip.Addr // they have the name, which does not have them
	unanswered  int          // they have the name, and its addresses are not known
}

// oneName returns the name that all addresses should have: the one described or,
// without one, the name of their PTR records that the least speaks against.
func oneName(described string, addrs []*addressFacts) candidate {
	names := []string{described}
	if described == "" {
		names = nil
		for _, a := range addrs {
			for _, n := range a.rdns().Names {
				names = append(names, n.Name)
			}
		}
	}
	var all []candidate
	for _, name := range names {
		c := candidate{name: name}
		for _, a := range addrs {
			c.addAddress(a)
		}
		all = append(all, c)
	}
	if len(all) == 0 {
		return candidate{}
	}
	return slices.MinFunc(all, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(len(a.lacking), len(b.lacking)), cmp.Compare(len(a.unconfirmed), len(b.unconfirmed)),
			cmp.Compare(a.unanswered, b.unanswered), cmp.Compare(a.name, b.name))
	})
}

// addAddress adds what one address says about the name.
func (c *candidate) addAddress(a *addressFacts) {
	rdns := a.rdns()
	if rdns.PTR.Err != nil {
		return
	}
	i := slices.IndexFunc(rdns.Names, func(n fcrdns.Name) bool { return n.Name == c.name })
	if i < 0 {
		c.lacking = append(c.lacking, a.addr)
		return
	}
	switch rdns.Names[i].Outcome {
	case fcrdns.Confirmed:
	case fcrdns.NoAnswer:
		c.unanswered++
	default:
		c.unconfirmed = append(c.unconfirmed, a.addr)
	}
}

func ptrNotGeneric(s subject) outcome {
	out, ok := withPTR(s)
	if !ok {
		return out
	}
	worst := ptrname.Assessment{Kind: ptrname.Deliberate}
	for name := range heed(s.meter, s.addr.names()) {
		if a := ptrname.Classify(s.addr.addr, name); a.Kind > worst.Kind {
			worst, out.detail = a, name+" ("+reasons(a)+")"
		}
	}
	switch worst.Kind {
	case ptrname.Generic:
		out.code = rule.CodeGeneric
		if ptrname.Classify(s.addr.addr, s.mta.ptr).Kind != ptrname.Generic {
			out.fix = ptrOf(s.addr.addr)
		}
		out.mitigation = s.heloMitigation(s.addr.addr)
	case ptrname.Unclear:
		out.code = rule.CodeUnclear
	}
	return out
}

// reasons says what speaks for a generic name.
func reasons(a ptrname.Assessment) string {
	var parts []string
	for _, r := range a.Reasons {
		if r.Weight > 0 {
			parts = append(parts, r.Text())
		}
	}
	return strings.Join(parts, "; ")
}

func ptrStatic(s subject) outcome {
	out, ok := withPTR(s)
	if !ok {
		return out
	}
	out.code = rule.CodeUnproven
	for name := range heed(s.meter, s.addr.names()) {
		if word := dynamicWord(s.addr.addr, name); word != "" {
			out.code, out.detail = rule.CodeDynamic, fmt.Sprintf("%q in %s", word, name)
			return out
		}
	}
	return out
}

// dynamicWord returns the word of a generated name that says its address is assigned
// dynamically, "" for none. Access lines may have static addresses too, whose names then say
// so.
func dynamicWord(addr netip.Addr, name string) string {
	a := ptrname.Classify(addr, name)
	if a.Kind == ptrname.Deliberate || strings.Contains(name, "static") || strings.Contains(name, "fix") {
		return ""
	}
	for _, r := range a.Reasons {
		if r.Code == ptrname.AccessWord {
			return r.Part
		}
	}
	return ""
}

func ptrRole(s subject) outcome {
	out, ok := withPTR(s)
	if !ok {
		return out
	}
	for name := range heed(s.meter, s.addr.names()) {
		if word := ptrname.MailWord(name); word != "" {
			out.detail = fmt.Sprintf("%q in %s", word, name)
			if !s.mta.Dedicated { // or that was not said
				out.code = rule.CodeNotDedicated
			}
			return out
		}
	}
	if !s.mta.Dedicated {
		out.code, out.detail = rule.CodeShared, listed(s.addr.names())
		return out
	}
	out.code, out.detail = rule.CodeNoRole, listed(s.addr.names())
	if ptrname.MailWord(s.mta.ptr) != "" {
		out.fix = ptrOf(s.addr.addr)
	}
	return out
}
