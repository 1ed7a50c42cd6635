package audit

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/bonafide-mta/bonafide/csa"
	"github.com/bonafide-mta/bonafide/fcrdns"
	"github.com/bonafide-mta/bonafide/identity/helo"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/nullmx"
)

// receiverChecks judges the receivers' rules by what they look at, from what is known of
// the MTA already. The table of package rule has the rules.
var receiverChecks = map[rule.Check]func(rule.Rule, subject) outcome{
	rule.CheckPTR:         receiverPTR,
	rule.CheckFirstName:   receiverFirstName,
	rule.CheckAnyName:     receiverAnyName,
	rule.CheckHeloSyntax:  receiverHeloSyntax,
	rule.CheckHeloLookup:  receiverHeloLookup,
	rule.CheckHeloAddress: receiverHeloAddress,
	rule.CheckHeloCSA:     receiverHeloCSA,
	rule.CheckHeloPTR:     receiverHeloPTR,
}

// receiverPTR judges for receivers that want a PTR name, whatever it resolves to.
func receiverPTR(r rule.Rule, s subject) outcome {
	if r.Has(rule.CodeIPv4) && s.addr.addr.Is4() {
		return outcome{code: rule.CodeIPv4}
	}
	out := ptrExists(s)
	if out.code != rule.CodeOK {
		return out
	}
	for name := range heed(s.meter, s.addr.names()) {
		if form := dnsname.FormOf(name); form == dnsname.Malformed || form == dnsname.Numeric {
			out.code, out.detail = rule.CodeNoHostName, name
		}
	}
	return out
}

// withNames returns the outcome of a check that wants a PTR name to resolve back where there
// is none to judge, and false.
func withNames(s subject) (outcome, bool) {
	out := ptrExists(s)
	if out.code != rule.CodeNotPublic {
		addr := s.addr.addr
		out.evidence = s.addr.evidence(true)
		out.fix = either(ptrOf(addr), addressOf(s.mta.ptr, addr))
	}
	return out, out.code == rule.CodeOK
}

// receiverFirstName judges for receivers that ask the system for the name of a client, look
// at the one that comes first, and take a name that does not resolve back for none. Which
// one of several that is depends on the order in which DNS has them.
func receiverFirstName(r rule.Rule, s subject) outcome {
	out, ok := withNames(s)
	if ok {
		out = firstName(s, out)
	}
	if out.code == rule.CodeNotPublic || !r.Has(rule.CodePattern) {
		return out
	}
	// A name that matches is not better when it does not resolve back.
	for name := range heed(s.meter, s.addr.names()) {
		if i := selectivePattern(name); i >= 0 {
			out.code, out.detail = rule.CodePattern, fmt.Sprintf("%s (rule %d)", name, i+1)
			if selectivePattern(s.mta.ptr) >= 0 {
				out.fix = nil // the name described would not be better
			}
			return out
		}
	}
	return out
}

// firstName judges an address that has PTR names.
func firstName(s subject, out outcome) outcome {
	rdns := s.addr.rdns()
	var unconfirmed []string
	unanswered := false
	for _, n := range rdns.Names {
		switch n.Outcome {
		case fcrdns.Confirmed:
		case fcrdns.NoAnswer:
			unanswered = true
		default:
			unconfirmed = append(unconfirmed, n.Name)
		}
	}
	out.detail = strings.Join(unconfirmed, ", ")
	switch {
	case len(unconfirmed) == len(s.addr.names()):
		out.code = rule.CodeUnconfirmed
	case len(unconfirmed) > 0:
		out.code = rule.CodeSomeUnconfirmed
	case unanswered:
		out.code = rule.CodeNoAnswer
	case rdns.Skipped > 0:
		out.code, out.detail = rule.CodeTooManyNames, fmt.Sprint(len(s.addr.names()))
	}
	return out
}

// selective are the patterns of S25R for the names of end users' lines, in the order of the
// study report, which numbers them from 1. It matches them with the verified name of a
// client, in lower case, without final dot.
var selective = []*regexp.Regexp{
	regexp.MustCompile(`^[^.]*[0-9][^0-9.]+[0-9].*\.`),
	regexp.MustCompile(`^[^.]*[0-9]{5}`),
	regexp.MustCompile(`^([^.]+\.)?[0-9][^.]*\.[^.]+\..+\.[a-z]`),
	regexp.MustCompile(`^[^.]*[0-9]\.[^.]*[0-9]-[0-9]`),
	regexp.MustCompile(`^[^.]*[0-9]\.[^.]*[0-9]\.[^.]+\..+\.`),
	regexp.MustCompile(`^(dhcp|dialup|ppp|[achrsvx]?dsl)[^.]*[0-9]`),
}

// selectivePattern returns the index of the first pattern that a canonical name matches,
// or -1.
func selectivePattern(name string) int {
	name = strings.TrimSuffix(name, ".")
	return slices.IndexFunc(selective, func(pattern *regexp.Regexp) bool { return pattern.MatchString(name) })
}

// receiverAnyName judges for receivers to which one PTR name that resolves back is enough.
// To some, a name with an underscore does not count.
func receiverAnyName(r rule.Rule, s subject) outcome {
	out, ok := withNames(s)
	if !ok {
		return out
	}
	rdns := s.addr.rdns()
	has := func(outcome fcrdns.Outcome) bool {
		return slices.ContainsFunc(rdns.Names, func(n fcrdns.Name) bool {
			return n.Outcome == outcome && !(n.Underscore && r.Has(rule.CodeUnderscore))
		})
	}
	switch {
	case has(fcrdns.Confirmed):
	case rdns.Status == fcrdns.TempError || has(fcrdns.NoAnswer):
		out.code = rule.CodeNoAnswer
	case rdns.Skipped > 0:
		out.code, out.detail = rule.CodeTooManyNames, fmt.Sprint(len(s.addr.names()))
	case rdns.Status == fcrdns.Pass:
		out.code, out.detail = rule.CodeUnderscore, rdns.Name
	default:
		out.code, out.detail = rule.CodeUnconfirmed, listed(s.addr.names())
	}
	return out
}

// heloReaders tell what the receivers' programs refuse in the text of HELO, as helo.Parse
// reads it, whatever DNS says.
var heloReaders = map[rule.ID]func(helo.Argument, error) rule.Code{
	rule.PostfixHeloSyntax: func(arg helo.Argument, err error) rule.Code {
		switch {
		case err != nil, arg.Faults.Has(helo.NonASCII), numeric(arg):
			return rule.CodeMalformed
		case arg.Faults.Has(helo.BareAddress), arg.Faults.Has(helo.SingleLabel):
			return rule.CodeNotQualified
		}
		return rule.CodeOK
	},
	rule.PostfixHeloHostname: func(arg helo.Argument, _ error) rule.Code {
		switch {
		case literal(arg):
			return rule.CodeLiteral
		case arg.Name == "", arg.Faults.Has(helo.FinalDot), arg.Faults.Has(helo.NonASCII), numeric(arg):
			return rule.CodeNoName // it asks only for a name that is valid to it
		}
		return rule.CodeOK
	},
	rule.EximHelo: func(arg helo.Argument, err error) rule.Code {
		switch {
		case err != nil, arg.Faults.Has(helo.NonASCII), arg.Faults.Has(helo.Underscore):
			return rule.CodeMalformed
		case arg.Faults.Has(helo.BareAddress), literal(arg) && arg.Addr.Is6():
			return rule.CodeNotVerified // it looks the one up as a name, and compares the other with its tag
		}
		return rule.CodeOK
	},
	rule.RspamdHelo: func(arg helo.Argument, _ error) rule.Code {
		if !arg.Resolvable() || arg.Faults.Has(helo.Underscore) || arg.Faults.Has(helo.NonASCII) {
			return rule.CodeNotQualified
		}
		return rule.CodeOK
	},
}

// digits is a name of nothing but numbers, which is not one to Postfix.
var digits = regexp.MustCompile(`^[0-9.]+$`)

func numeric(arg helo.Argument) bool { return arg.Name != "" && digits.MatchString(arg.Text) }

// literal reports whether a HELO is an address in brackets.
func literal(arg helo.Argument) bool {
	return arg.Addr.IsValid() && !arg.Faults.Has(helo.BareAddress)
}

// readHelo returns the outcome of a receiver's check for what is wrong with the text of
// HELO, and false.
func readHelo(r rule.Rule, s subject) (outcome, bool) {
	out := outcome{code: rule.CodeOK, detail: fmt.Sprintf("%q", s.mta.Helo)}
	if read := heloReaders[r.ID]; read != nil {
		arg, err := helo.Parse(s.mta.Helo)
		if out.code = read(arg, err); out.code != rule.CodeOK {
			out.remedy = sayInASCII(arg)
		}
	}
	return out, out.code == rule.CodeOK
}

// lookUpHelo is readHelo for checks that look the HELO name up.
func lookUpHelo(r rule.Rule, s subject) (outcome, bool) {
	if s.mta.helo == nil {
		return outcome{code: rule.CodeNotPublic}, false
	}
	out, ok := readHelo(r, s)
	out.evidence = s.mta.helo().Responses
	return out, ok
}

// receiverHeloSyntax judges for receivers that only read HELO.
func receiverHeloSyntax(r rule.Rule, s subject) outcome {
	out, _ := readHelo(r, s)
	return out
}

// receiverHeloLookup judges for receivers that want an address or MX record of the HELO
// name, of any address.
func receiverHeloLookup(r rule.Rule, s subject) outcome {
	out, ok := lookUpHelo(r, s)
	if !ok {
		return out
	}
	h := s.mta.helo()
	out.broken = h.Missing
	out.fix = addressOf(h.Argument.Name, h.Missing...)
	switch {
	case len(h.Found)+len(h.Others) > 0:
		return out
	case s.mta.name == nil:
		out.code = rule.CodeNotFound
		return out
	}
	mx := s.mta.name.mailRoute().mx
	out.evidence = slices.Concat(out.evidence, mx.Responses)
	switch mx.Status {
	case nullmx.TempError:
		out.code = rule.CodeNoAnswer
	case nullmx.None, nullmx.NXDomain:
		out.code = rule.CodeNotFound
	}
	return out
}

// receiverHeloAddress judges for receivers that want the HELO name to have the address.
func receiverHeloAddress(r rule.Rule, s subject) outcome {
	out, ok := lookUpHelo(r, s)
	if !ok {
		return out
	}
	switch h := s.mta.helo(); {
	case h.Status.Temporary():
		out.code = rule.CodeNoAnswer
	case len(h.Missing) > 0:
		if out.code = rule.CodeOtherAddress; r.Has(rule.CodeNotVerified) {
			out.code = rule.CodeNotVerified
		}
		out.detail += " without " + joinAddrs(h.Missing)
		out.broken = h.Missing
		out.fix = addressOf(h.Argument.Name, h.Missing...)
	}
	return out
}

// receiverHeloCSA judges for receivers that refuse what CSA records deny.
func receiverHeloCSA(r rule.Rule, s subject) outcome {
	out, ok := lookUpHelo(r, s)
	if !ok {
		return out
	}
	out.evidence = nil
	if len(s.mta.csa) == 0 { // HELO has no name that could have a record
		out.code = rule.CodeUnknown
		return out
	}
	var denied []netip.Addr
	for _, known := range s.mta.csa {
		r := known()
		out.evidence = append(out.evidence, r.Responses...)
		switch {
		case r.Status == csa.Fail:
			denied = append(denied, r.Addr)
		case r.Status.Temporary():
			out.code = rule.CodeNoAnswer
		case r.Status == csa.None && out.code == rule.CodeOK:
			out.code = rule.CodeUnknown
		}
	}
	if len(denied) > 0 {
		out.code = rule.CodeDenied
		out.detail += " from " + joinAddrs(denied)
		out.broken = denied
		out.fix = wantedBy(rule.HeloCSA, csa.Owner(s.mta.name.name))
	}
	return out
}

// receiverHeloPTR judges for receivers that want the HELO name to be a PTR name.
func receiverHeloPTR(_ rule.Rule, s subject) outcome {
	out, ok := withHelo(s)
	if !ok {
		return out
	}
	identical, failed := true, false
	var unrelated []netip.Addr
	for _, a := range s.mta.addresses {
		if !s.public(a) {
			continue
		}
		out.evidence = append(out.evidence, a.evidence(false)...)
		if a.rdns().PTR.Err != nil {
			failed = true
			continue
		}
		best := helo.Unrelated
		for name := range heed(s.meter, a.names()) {
			relation, _ := helo.Relate(s.mta.helo().Argument.Name, name, s.domain)
			if relation == helo.Identical || best == helo.Unrelated {
				best = relation
			}
		}
		identical = identical && best == helo.Identical
		if best == helo.Unrelated {
			unrelated = append(unrelated, a.addr)
		}
	}
	switch {
	case len(unrelated) > 0:
		out.code = rule.CodeUnrelated
		out.detail += " at " + joinAddrs(unrelated)
		out.broken = unrelated
		out.fix = s.selectPTRIf(helo.SameOrganization, helo.Identical)
	case failed:
		out.code = rule.CodeNoAnswer
	case !identical:
		out.code = rule.CodeDiffers
	}
	return out
}
