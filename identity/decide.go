package identity

import (
	"maps"
	"slices"

	"github.com/bonafide-mta/bonafide/fcrdns"
	"github.com/bonafide-mta/bonafide/identity/helo"
	"github.com/bonafide-mta/bonafide/internal/enum"
	"github.com/bonafide-mta/bonafide/nullmx"
	"github.com/bonafide-mta/bonafide/spf"
)

// Level says how well address and HELO name identify a client. The zero Level is invalid;
// of the first four, a better one is less.
type Level uint8

// The levels. Forged is decided first, then Undetermined, then the best that holds.
const (
	_ Level = iota
	// Explicit: like Distinct, and the HELO name's owner authorizes this address by SPF or
	// CSA to use it.
	Explicit
	// Distinct: the address has a confirmed PTR name that does not look generic, and the
	// HELO name is another name of the same organization that resolves to the address.
	// This is the "newer standard" of the advice page: malware that only looks up its own
	// PTR name does not find the HELO name.
	Distinct
	// Traceable: the address has a confirmed PTR name, and the HELO name is the same or of
	// the same organization. This is the "older standard": an infected machine can look up
	// its own PTR name and use it, so a generic one counts only if the HELO name differs
	// from it and resolves to the address. Traceable, whatever the PTR name, is also a HELO
	// name that resolves to the address if its owner authorizes the address by SPF or CSA.
	Traceable
	// Anonymous: nothing ties the client to an organization. The reasons say why.
	Anonymous
	// Forged: the HELO name's owner denies it to this address by SPF or CSA; or the HELO is
	// a name of our own, or another public address than the client's.
	Forged
	// Undetermined: DNS gave no answer to some questions, which could change the level; or
	// the session is exhausted.
	Undetermined
	// NotApplicable: the client is trusted or has no public address, and is not judged.
	NotApplicable
)

var levelText = []string{
	Explicit: "explicit", Distinct: "distinct", Traceable: "traceable", Anonymous: "anonymous",
	Forged: "forged", Undetermined: "undetermined", NotApplicable: "not-applicable",
}

// String returns explicit, distinct, traceable, anonymous, forged, undetermined or
// not-applicable.
func (l Level) String() string { return enum.String(l, levelText) }

// Levels returns all levels, in the order of their constants.
func Levels() []Level { return enum.All[Level](levelText) }

// DefaultAction returns the action for the level if Policy.Levels has none: Accept, because by
// default the reasons alone decide, and 0 for an invalid Level.
func (l Level) DefaultAction() Action {
	if _, err := l.MarshalText(); err != nil {
		return 0
	}
	return Accept
}

// MarshalText returns the text of String; an invalid Level is an error.
func (l Level) MarshalText() ([]byte, error) { return enum.Marshal(l, levelText) }

// UnmarshalText accepts what MarshalText returns, in any case.
func (l *Level) UnmarshalText(text []byte) error { return enum.Unmarshal(l, text, levelText) }

// heloClaim is what a client claims to be in HELO.
type heloClaim uint8

const (
	claimsName         heloClaim = iota // a name that the public DNS could hold
	claimsNothing                       // nothing yet
	claimsNonsense                      // neither a name nor an address
	claimsUnqualified                   // a name that means nothing in the public DNS
	claimsAddress                       // its own address, or one that is nobody's in public
	claimsOtherAddress                  // another public address
	claimsOurs                          // a name or an address of ours
)

// answer is the answer of DNS to a yes-or-no question.
type answer uint8

const (
	no answer = iota
	yes
	unknown
)

// statement is what the owner of a name publishes about a client that uses it.
type statement uint8

const (
	saysNothing statement = iota
	authorizes
	denies
	unanswered
)

// reverseState is what is known about the PTR name that HELO is compared with.
type reverseState struct {
	confirmed bool
	relation  helo.Relation // of the HELO name to it
	generic   bool
}

// evidence is everything that the level depends on.
type evidence struct {
	claim    heloClaim
	resolves answer    // the HELO name resolves to the client
	spf, csa statement // of the HELO name's owner
	// reverse has the possible states of the PTR name: one, or several where DNS did not
	// say which it is.
	reverse []reverseState
}

// level returns the level that holds whatever the unknown answers would have been, or
// Undetermined.
func (e evidence) level() Level {
	var level Level
	for known := range e.possible {
		l := levelIfKnown(known.claim, known.resolves == yes, known.spf, known.csa, known.reverse[0])
		if level != 0 && l != level {
			return Undetermined
		}
		level = l
	}
	return level
}

// possible yields what the evidence would be with each combination of answers.
func (e evidence) possible(yield func(evidence) bool) {
	for _, resolves := range possibleValues(e.resolves, unknown, yes, no) {
		for _, spf := range possibleValues(e.spf, unanswered, saysNothing, authorizes, denies) {
			for _, csa := range possibleValues(e.csa, unanswered, saysNothing, authorizes, denies) {
				for i := range e.reverse {
					if !yield(evidence{e.claim, resolves, spf, csa, e.reverse[i : i+1]}) {
						return
					}
				}
			}
		}
	}
}

// possibleValues returns all values for an unknown one, else the value alone.
func possibleValues[A comparable](is, unknown A, all ...A) []A {
	if is == unknown {
		return all
	}
	return []A{is}
}

// levelIfKnown returns the level of a client if everything about it is known.
func levelIfKnown(c heloClaim, resolves bool, spf, csa statement, rev reverseState) Level {
	if c == claimsOurs || c == claimsOtherAddress || spf == denies || csa == denies {
		return Forged
	}
	authorized := spf == authorizes || csa == authorizes
	sameOrganization := rev.confirmed && rev.relation == helo.SameOrganization
	switch {
	case sameOrganization && resolves && !rev.generic && authorized:
		return Explicit
	case sameOrganization && resolves && !rev.generic:
		return Distinct
	case sameOrganization && (resolves || !rev.generic):
		return Traceable
	case rev.confirmed && rev.relation == helo.Identical && !rev.generic:
		return Traceable
	case c == claimsName && resolves && authorized:
		return Traceable
	}
	return Anonymous
}

// allReverseStates returns the states that a PTR name may have if nothing is known about it.
func allReverseStates(c heloClaim) []reverseState {
	states := []reverseState{{}, {true, helo.Unrelated, false}, {true, helo.Unrelated, true}}
	if c == claimsName {
		for _, relation := range []helo.Relation{helo.SameOrganization, helo.Identical} {
			states = append(states, reverseState{true, relation, false}, reverseState{true, relation, true})
		}
	}
	return states
}

func (r reverseState) unconfirmed() bool  { return !r.confirmed }
func (r reverseState) unrelated() bool    { return r.confirmed && r.relation == helo.Unrelated }
func (r reverseState) looksGeneric() bool { return r.confirmed && r.generic }

// certain reports whether something is true of the PTR name in each state that it may have:
// what DNS gave no answer about is not held against a client.
func (e evidence) certain(is func(reverseState) bool) bool {
	return !slices.ContainsFunc(e.reverse, func(r reverseState) bool { return !is(r) })
}

// reasons lists the facts that the results show, in the order of the constants.
func (v *Verdict) reasons(e evidence) []Reason {
	var out []Reason
	add := func(holds bool, r Reason) {
		if holds {
			out = append(out, r)
		}
	}
	reverseUnknown := len(e.reverse) > 1 || v.IPRev.Status.Temporary()
	cutOff := v.cutOff(e)
	add(e.spf == denies, HeloSPFFail)
	add(e.csa == denies, CSADenied)
	add(e.claim == claimsOurs, OwnName)
	add(e.claim == claimsOtherAddress, OtherAddress)
	add(reverseUnknown && v.PTRName == "", ReverseUnknown)
	add(reverseUnknown && v.PTRName != "", OtherPTRUnknown)
	add(e.resolves == unknown, HeloUnknown)
	add(e.spf == unanswered, HeloSPFUnknown)
	add(e.csa == unanswered, CSAUnknown)
	add(spfStatement(v.MailFromSPF) == unanswered, MailFromUnknown)
	add(v.NullMX != nil && v.NullMX.Status.Temporary(), NullMXUnknown)
	add(v.IPRev.Status == fcrdns.PermError && !cutOff, NoPTR)
	add(cutOff && v.PTRName == "", TooManyPTR)
	add(cutOff && v.PTRName != "", OtherPTRSkipped)
	add(v.IPRev.Status == fcrdns.Fail, Unconfirmed)
	add(e.certain(reverseState.looksGeneric), GenericName)
	add(e.claim == claimsNothing, NoHelo)
	add(e.claim == claimsNonsense, MalformedHelo)
	add(e.claim == claimsUnqualified, UnqualifiedHelo)
	add(e.claim == claimsAddress, AddressLiteral)
	add(e.claim == claimsName && e.resolves == no, HeloUnresolved)
	add(e.claim == claimsName && e.resolves == yes && !cutOff && e.certain(reverseState.unconfirmed), HeloAlone)
	add(e.claim == claimsName && !cutOff && e.certain(reverseState.unrelated), HeloUnrelated)
	add(v.PTRName != "" && v.Relation == helo.Identical, HeloIsPTR)
	add(e.spf == authorizes, HeloSPFPass)
	add(e.csa == authorizes, CSAPass)
	if v.Step != AtMailFrom {
		return out
	}
	add(v.MailFromSPF == nil, MalformedSender)
	add(v.NullMX != nil && v.NullMX.Status == nullmx.Null, NullMXSender)
	if r := v.MailFromSPF; r != nil && spfStatement(r) != unanswered {
		add(r.Status == spf.Fail && authorizesNobody(r), NullSPFSender)
		add(r.Status == spf.Fail && !authorizesNobody(r), MailFromFail)
		add(r.Status == spf.SoftFail, MailFromSoftFail)
		add(r.Status == spf.PermError, MailFromPermError)
		add(r.Status == spf.Pass, MailFromPass)
	}
	return out
}

// cutOff reports whether the address has PTR names that were not looked up and could say
// more: none that was is confirmed, or none of these is of the HELO name's organization.
func (v *Verdict) cutOff(e evidence) bool {
	return v.IPRev.Skipped > 0 && !v.IPRev.Status.Temporary() && (v.PTRName == "" || v.Relation == helo.Unrelated && e.certain(reverseState.unrelated))
}

// authorizesNobody reports whether the policy that denied the client denies everybody.
func authorizesNobody(r *spf.Result) bool { return r.Term.Text != "" && r.IsNull() }

// levelReason returns the reason that decided the level: why it is not better, or what the
// owner of the HELO name publishes if that decided. It is 0 for Distinct, and if DNS left open
// which of several reasons for the same level holds.
func (v *Verdict) levelReason(e evidence) Reason {
	var deciding []Reason
	switch v.Level {
	case Forged:
		deciding = []Reason{HeloSPFFail, CSADenied, OwnName, OtherAddress}
	case Undetermined:
		deciding = e.undecided()
	case Explicit:
		deciding = []Reason{HeloSPFPass, CSAPass}
	case Traceable:
		deciding = []Reason{HeloIsPTR, GenericName, HeloUnresolved}
		alone := e
		alone.spf, alone.csa = saysNothing, saysNothing
		if alone.level() != Traceable {
			deciding = []Reason{HeloSPFPass, CSAPass}
		}
	case Anonymous:
		deciding = []Reason{NoHelo, MalformedHelo, UnqualifiedHelo, AddressLiteral, NoPTR, TooManyPTR, OtherPTRSkipped, Unconfirmed, HeloUnrelated, GenericName, HeloUnresolved}
	}
	for _, r := range deciding {
		if v.Has(r) {
			return r
		}
	}
	return 0
}

// undecided returns the temporary failures of which each alone, with an answer instead, could
// have changed the level.
func (e evidence) undecided() []Reason {
	found := make(map[Reason]bool)
	for known := range e.possible {
		for _, one := range []struct {
			open    evidence // nothing but one answer is open
			reasons []Reason
		}{
			{evidence{known.claim, known.resolves, known.spf, known.csa, e.reverse}, []Reason{ReverseUnknown, OtherPTRUnknown}},
			{evidence{known.claim, e.resolves, known.spf, known.csa, known.reverse}, []Reason{HeloUnknown}},
			{evidence{known.claim, known.resolves, e.spf, known.csa, known.reverse}, []Reason{HeloSPFUnknown}},
			{evidence{known.claim, known.resolves, known.spf, e.csa, known.reverse}, []Reason{CSAUnknown}},
		} {
			if one.open.level() == Undetermined {
				for _, r := range one.reasons {
					found[r] = true
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}
