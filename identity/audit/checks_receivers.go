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

// What well-known receivers say of an MTA by their own documented checks, from what is
// known of it already. Rule.Source says where they are documented.

// reverseName judges for receivers that want any reverse name.
func reverseName(s subject) outcome {
	if !s.public(s.addr) {
		return outcome{code: rule.CodeNotPublic}
	}
	out := outcome{code: rule.CodeOK, evidence: s.addr.evidence(false), fix: ptrOf(s.addr.addr)}
	switch {
	case s.addr.rdns().PTR.Err != nil:
		out.code = rule.CodeNoAnswer
	case len(s.addr.rdns().Names) == 0:
		out.code = rule.CodeMissing
	}
	for _, name := range s.addr.names() {
		if form := dnsname.FormOf(name); form == dnsname.Malformed || form == dnsname.Numeric {
			out.code, out.detail = rule.CodeNoHostName, name
		}
	}
	return out
}

// exchangeIPv6 is reverseName for IPv6.
func exchangeIPv6(s subject) outcome {
	if s.addr.addr.Is4() {
		return outcome{code: rule.CodeIPv4}
	}
	return reverseName(s)
}

// firstNameOutcome returns the outcome of a check that wants a reverse name to lead back where there
// is none to judge, and false.
func firstNameOutcome(s subject) (outcome, bool) {
	if !s.public(s.addr) {
		return outcome{code: rule.CodeNotPublic}, false
	}
	addr := s.addr.addr
	out := outcome{code: rule.CodeOK, evidence: s.addr.evidence(true), fix: either(ptrOf(addr), addressOf(s.mta.ptr, addr))}
	switch {
	case s.addr.rdns().PTR.Err != nil:
		out.code = rule.CodeNoAnswer
	case len(s.addr.rdns().Names) == 0:
		out.code = rule.CodeMissing
	}
	return out, out.code == rule.CodeOK
}

// firstName judges for receivers that ask the system for the name of a client, look at the
// one that comes first, and take a name that does not lead back for none. Which one of
// several that is depends on the order in which DNS has them.
func firstName(s subject) outcome {
	out, ok := firstNameOutcome(s)
	if !ok {
		return out
	}
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

// anyName judges for receivers that are content with one name that leads back.
func anyName(s subject) outcome {
	return confirmedBy(s, func(fcrdns.Name) bool { return true })
}

// eximReverse is anyName without names that have an underscore, which Exim drops from 4.97 on.
func eximReverse(s subject) outcome {
	out := confirmedBy(s, func(n fcrdns.Name) bool { return !n.Underscore })
	if out.code == rule.CodeUnconfirmed && s.addr.rdns().Status == fcrdns.Pass {
		out.code, out.detail = rule.CodeUnderscore, s.addr.rdns().Name
	}
	return out
}

// confirmedBy judges by the names that count.
func confirmedBy(s subject, counts func(fcrdns.Name) bool) outcome {
	out, ok := firstNameOutcome(s)
	if !ok {
		return out
	}
	rdns := s.addr.rdns()
	has := func(outcome fcrdns.Outcome) func(fcrdns.Name) bool {
		return func(n fcrdns.Name) bool { return n.Outcome == outcome && counts(n) }
	}
	switch {
	case slices.ContainsFunc(rdns.Names, has(fcrdns.Confirmed)):
		return out
	case rdns.Status == fcrdns.TempError || slices.ContainsFunc(rdns.Names, has(fcrdns.NoAnswer)):
		out.code = rule.CodeNoAnswer
	case rdns.Skipped > 0:
		out.code, out.detail = rule.CodeTooManyNames, fmt.Sprint(len(s.addr.names()))
	default:
		out.code, out.detail = rule.CodeUnconfirmed, strings.Join(s.addr.names(), ", ")
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

func selectiveRejection(s subject) outcome {
	out := firstName(s)
	if out.code == rule.CodeNotPublic {
		return out
	}
	// A name that matches is no better when it does not lead back.
	for _, name := range s.addr.names() {
		for i, pattern := range selective {
			if pattern.MatchString(strings.TrimSuffix(name, ".")) {
				out.code, out.detail = rule.CodePattern, fmt.Sprintf("%s (rule %d)", name, i+1)
				if selectivePattern(s.mta.ptr) {
					out.fix = nil // the name described would be no better
				}
				return out
			}
		}
	}
	return out
}

// selectivePattern reports whether a canonical name matches a pattern of S25R.
func selectivePattern(name string) bool {
	name = strings.TrimSuffix(name, ".")
	return slices.ContainsFunc(selective, func(pattern *regexp.Regexp) bool { return pattern.MatchString(name) })
}

// digits is a name of nothing but numbers, which is none to Postfix.
var digits = regexp.MustCompile(`^[0-9.]+$`)

func postfixHeloSyntax(s subject) outcome {
	if !s.mta.Sends() {
		return outcome{code: rule.CodeReceivesOnly}
	}
	out := outcome{code: rule.CodeOK, detail: fmt.Sprintf("%q", s.mta.Helo)}
	arg, err := helo.Parse(s.mta.Helo)
	switch {
	case err != nil, arg.Faults.Has(helo.NonASCII), arg.Name != "" && digits.MatchString(s.mta.Helo):
		out.code = rule.CodeMalformed
	case arg.Faults.Has(helo.BareAddress), arg.Faults.Has(helo.SingleLabel):
		out.code = rule.CodeNotQualified
	}
	return out
}

// greeting returns the outcome of a receiver's check of HELO where there is nothing to
// judge, and false.
func greeting(s subject) (outcome, bool) {
	switch {
	case !s.mta.Sends():
		return outcome{code: rule.CodeReceivesOnly}, false
	case s.mta.helo == nil:
		return outcome{code: rule.CodeNotPublic}, false
	}
	return outcome{code: rule.CodeOK, detail: fmt.Sprintf("%q", s.mta.Helo), evidence: s.mta.helo().Responses}, true
}

// literal reports whether a HELO is an address in brackets.
func literal(arg helo.Argument) bool {
	return arg.Addr.IsValid() && !arg.Faults.Has(helo.BareAddress)
}

func postfixHeloHostname(s subject) outcome {
	out, ok := greeting(s)
	if !ok {
		return out
	}
	h := s.mta.helo()
	out.fix = addressOf(h.Argument.Name, h.Missing...)
	switch {
	case literal(h.Argument):
		out.code = rule.CodeLiteral
		return out
	case h.Argument.Name == "", h.Argument.Faults.Has(helo.FinalDot), h.Argument.Faults.Has(helo.NonASCII), digits.MatchString(h.Argument.Text):
		// It asks for no name that is not valid in its eyes.
		out.code = rule.CodeNoName
		return out
	case len(h.Found)+len(h.Others) > 0:
		return out
	case s.mta.name == nil:
		out.code = rule.CodeNotFound
		return out
	}
	mx := s.mta.name.inbound().mx
	out.evidence = slices.Concat(out.evidence, mx.Responses)
	switch mx.Status {
	case nullmx.TempError:
		out.code = rule.CodeNoAnswer
	case nullmx.None, nullmx.NXDomain:
		out.code = rule.CodeNotFound
	}
	return out
}

func eximHelo(s subject) outcome {
	out, ok := greeting(s)
	if !ok {
		return out
	}
	h := s.mta.helo()
	out.fix = addressOf(h.Argument.Name, h.Missing...)
	switch {
	case h.Status == helo.PermError, h.Argument.Faults.Has(helo.NonASCII), h.Argument.Faults.Has(helo.Underscore):
		out.code, out.fix = rule.CodeMalformed, nil
	case h.Argument.Faults.Has(helo.BareAddress), literal(h.Argument) && h.Argument.Addr.Is6():
		// It looks the one up as a name, and compares the other with its tag.
		out.code = rule.CodeNotVerified
	case h.Status.Temporary():
		out.code = rule.CodeNoAnswer
	case len(h.Missing) > 0:
		out.code = rule.CodeNotVerified
		out.detail += " without " + join(h.Missing)
	}
	return out
}

func eximCSA(s subject) outcome {
	out, ok := greeting(s)
	if !ok {
		return out
	}
	out.evidence = nil
	if len(s.mta.csa) == 0 { // no name that could have a record
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
		out.detail += " from " + join(denied)
		out.fix = wantedBy(rule.HeloCSA, csa.Owner(s.mta.name.name))
	}
	return out
}

func rspamdHelo(s subject) outcome {
	out, ok := greeting(s)
	if !ok {
		return out
	}
	h := s.mta.helo()
	out.fix = addressOf(h.Argument.Name, h.Missing...)
	switch {
	case !h.Argument.Resolvable(), h.Argument.Faults.Has(helo.Underscore), h.Argument.Faults.Has(helo.NonASCII):
		out.code, out.fix = rule.CodeNotQualified, nil
	case h.Status.Temporary():
		out.code = rule.CodeNoAnswer
	case len(h.Missing) > 0:
		out.code = rule.CodeOtherAddress
		out.detail += " without " + join(h.Missing)
	}
	return out
}

func heloEqualsPTR(s subject) outcome {
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
		for _, name := range a.names() {
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
		out.detail += " at " + join(unrelated)
		out.fix = s.renamed(helo.SameOrganization, helo.Identical)
	case failed:
		out.code = rule.CodeNoAnswer
	case !identical:
		out.code = rule.CodeDiffers
	}
	return out
}
