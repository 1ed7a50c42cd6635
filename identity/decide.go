package identity

import (
	"github.com/bonafide-mta/bonafide/fcrdns"
	"github.com/bonafide-mta/bonafide/fcrdns/ptrname"
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
	// Explicit: as Distinct, and the HELO name's owner authorizes this address by SPF or
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
	for _, resolves := range possibleValues(e.resolves, unknown, yes, no) {
		for _, spf := range possibleValues(e.spf, unanswered, saysNothing, authorizes, denies) {
			for _, csa := range possibleValues(e.csa, unanswered, saysNothing, authorizes, denies) {
				for _, rev := range e.reverse {
					l := levelIfKnown(e.claim, resolves == yes, spf, csa, rev)
					if level != 0 && l != level {
						return Undetermined
					}
					level = l
				}
			}
		}
	}
	return level
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

// Reason is one fact that a verdict rests on. The zero Reason is invalid.
type Reason uint8

// The reasons.
const (
	_ Reason = iota
	// Of NotApplicable.
	TrustedClient // the client is trusted
	PrivateClient // the address is not public
	// Of Forged.
	HeloSPFFail  // the SPF record of the HELO name denies it to this address
	CSADenied    // the owner of the HELO name denies it by CSA
	OwnName      // the HELO name is our own
	OtherAddress // the HELO is another public address
	// Temporary failures.
	ReverseUnknown  // DNS did not say all of the address's names
	HeloUnknown     // DNS did not say where the HELO name leads
	HeloSPFUnknown  // DNS did not say all of the HELO name's SPF policy
	CSAUnknown      // DNS did not say all of the HELO name's CSA records
	MailFromUnknown // DNS did not say all of the sender's SPF policy
	NullMXUnknown   // DNS did not say whether the sender's domain takes mail
	// SessionExhausted: the session has not the worst case of a step left, and asks nothing
	// more. No other reason is with it, and no policy changes its advice, to come back on a
	// new connection: close this one.
	SessionExhausted
	// Against a better level.
	NoPTR           // the address has no usable name
	TooManyPTR      // the address has more names than were looked up, and none of these ties it to HELO
	Unconfirmed     // no name of the address confirms it
	GenericName     // the name of the address looks generic
	NoHelo          // no HELO
	MalformedHelo   // the HELO is malformed
	UnqualifiedHelo // the HELO name means nothing in the public DNS
	AddressLiteral  // the HELO is an address
	HeloUnresolved  // the HELO name does not resolve to the client
	HeloAlone       // the HELO name resolves to the client, and no name of the address does
	HeloUnrelated   // the HELO name and the name of the address have nothing in common
	HeloIsPTR       // the HELO name is the name of the address, which anyone can look up
	// For it.
	HeloSPFPass // the SPF record of the HELO name authorizes this address
	CSAPass     // the owner of the HELO name authorizes this address by CSA
	// Of the sender.
	MalformedSender   // the sender is malformed
	NullMXSender      // the sender's domain takes no mail (Null MX)
	NullSPFSender     // the sender's domain sends no mail (v=spf1 -all)
	MailFromFail      // the sender's SPF record denies this address
	MailFromSoftFail  // the sender's SPF record says that this address is probably wrong
	MailFromPermError // the sender's SPF policy cannot be interpreted
	MailFromPass      // the sender's SPF record authorizes this address
)

var reasonText = []string{
	TrustedClient: "trusted-client", PrivateClient: "private-client",
	HeloSPFFail: "helo-spf-fail", CSADenied: "csa-denied", OwnName: "own-name", OtherAddress: "other-address",
	ReverseUnknown: "reverse-unknown", HeloUnknown: "helo-unknown", HeloSPFUnknown: "helo-spf-unknown", CSAUnknown: "csa-unknown",
	MailFromUnknown: "mail-from-unknown", NullMXUnknown: "null-mx-unknown", SessionExhausted: "session-exhausted",
	NoPTR: "no-ptr", TooManyPTR: "too-many-ptr", Unconfirmed: "unconfirmed", GenericName: "generic-name", NoHelo: "no-helo", MalformedHelo: "malformed-helo",
	UnqualifiedHelo: "unqualified-helo", AddressLiteral: "address-literal", HeloUnresolved: "helo-unresolved", HeloAlone: "helo-alone", HeloUnrelated: "helo-unrelated", HeloIsPTR: "helo-is-ptr",
	HeloSPFPass: "helo-spf-pass", CSAPass: "csa-pass",
	MalformedSender: "malformed-sender", NullMXSender: "null-mx-sender", NullSPFSender: "null-spf-sender", MailFromFail: "mail-from-fail",
	MailFromSoftFail: "mail-from-softfail", MailFromPermError: "mail-from-permerror", MailFromPass: "mail-from-pass",
}

// String returns a keyword, as helo-spf-fail.
func (r Reason) String() string { return enum.String(r, reasonText) }

// MarshalText returns the text of String; an invalid Reason is an error.
func (r Reason) MarshalText() ([]byte, error) { return enum.Marshal(r, reasonText) }

// UnmarshalText accepts what MarshalText returns, in any case.
func (r *Reason) UnmarshalText(text []byte) error { return enum.Unmarshal(r, text, reasonText) }

var reasonPhrase = []string{
	TrustedClient: "the client is trusted", PrivateClient: "the address is not public",
	HeloSPFFail: "the SPF record of the HELO name denies it to this address", CSADenied: "the owner of the HELO name denies it by CSA",
	OwnName: "the HELO name is our own", OtherAddress: "the HELO is another public address",
	ReverseUnknown: "DNS did not say all of the address's names", HeloUnknown: "DNS did not say where the HELO name leads",
	HeloSPFUnknown: "DNS did not say all of the HELO name's SPF policy", CSAUnknown: "DNS did not say all of the HELO name's CSA records",
	MailFromUnknown: "DNS did not say all of the sender's SPF policy", NullMXUnknown: "DNS did not say whether the sender's domain takes mail",
	SessionExhausted: "the connection has used up its DNS lookups",
	NoPTR:            "the address has no usable name", TooManyPTR: "the address has more names than were looked up, and none of these ties it to HELO", Unconfirmed: "no name of the address confirms it", GenericName: "the name of the address looks generic",
	NoHelo: "no HELO", MalformedHelo: "the HELO is malformed", UnqualifiedHelo: "the HELO name means nothing in the public DNS",
	AddressLiteral: "the HELO is an address", HeloUnresolved: "the HELO name does not lead to the client", HeloAlone: "the HELO name leads to the client, and no name of the address does",
	HeloUnrelated: "the HELO name and the name of the address have nothing in common", HeloIsPTR: "the HELO name is the name of the address, which anyone can look up",
	HeloSPFPass: "the SPF record of the HELO name authorizes this address", CSAPass: "the owner of the HELO name authorizes this address by CSA",
	MalformedSender: "the sender is malformed", NullMXSender: "the sender's domain takes no mail (Null MX)", NullSPFSender: "the sender's domain sends no mail (v=spf1 -all)",
	MailFromFail: "the sender's SPF record denies this address", MailFromSoftFail: "the sender's SPF record says that this address is probably wrong",
	MailFromPermError: "the sender's SPF policy cannot be interpreted", MailFromPass: "the sender's SPF record authorizes this address",
}

// Text returns the reason as a clause, "" for an invalid Reason.
func (r Reason) Text() string {
	if int(r) >= len(reasonPhrase) {
		return ""
	}
	return reasonPhrase[r]
}

// Temporary reports whether the reason is a temporary failure.
func (r Reason) Temporary() bool { return ReverseUnknown <= r && r <= SessionExhausted }

// adverse reports whether the reason speaks against the client, or for caution.
func (r Reason) adverse() bool {
	return r > PrivateClient && r != HeloSPFPass && r != CSAPass && r != MailFromPass && r != HeloIsPTR
}

// reasons lists the facts that the results show, in the order of the constants.
func (v *Verdict) reasons(e evidence) []Reason {
	var out []Reason
	add := func(holds bool, r Reason) {
		if holds {
			out = append(out, r)
		}
	}
	known := len(e.reverse) == 1
	add(e.spf == denies, HeloSPFFail)
	add(e.csa == denies, CSADenied)
	add(e.claim == claimsOurs, OwnName)
	add(e.claim == claimsOtherAddress, OtherAddress)
	add(!known || v.IPRev.Status.Temporary(), ReverseUnknown)
	add(e.resolves == unknown, HeloUnknown)
	add(e.spf == unanswered, HeloSPFUnknown)
	add(e.csa == unanswered, CSAUnknown)
	add(spfStatement(v.MailFromSPF) == unanswered, MailFromUnknown)
	add(v.NullMX != nil && v.NullMX.Status.Temporary(), NullMXUnknown)
	cutOff := v.cutOff()
	add(v.IPRev.Status == fcrdns.PermError && !cutOff, NoPTR)
	add(cutOff, TooManyPTR)
	add(v.IPRev.Status == fcrdns.Fail, Unconfirmed)
	add(v.PTRName != "" && v.PTRLook.Kind == ptrname.Generic, GenericName)
	add(e.claim == claimsNothing, NoHelo)
	add(e.claim == claimsNonsense, MalformedHelo)
	add(e.claim == claimsUnqualified, UnqualifiedHelo)
	add(e.claim == claimsAddress, AddressLiteral)
	add(e.claim == claimsName && e.resolves == no, HeloUnresolved)
	add(e.claim == claimsName && e.resolves == yes && v.PTRName == "" && known && !cutOff, HeloAlone)
	add(e.claim == claimsName && v.PTRName != "" && known && !cutOff && v.Relation == helo.Unrelated, HeloUnrelated)
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
func (v *Verdict) cutOff() bool {
	return v.IPRev.Skipped > 0 && !v.IPRev.Status.Temporary() && (v.PTRName == "" || v.Relation == helo.Unrelated)
}

// authorizesNobody reports whether the policy that denied the client denies everybody.
func authorizesNobody(r *spf.Result) bool { return r.Term.Text != "" && r.IsNull() }
