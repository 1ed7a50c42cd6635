package identity

import (
	"slices"

	"github.com/bonafide-mta/bonafide/fcrdns"
	"github.com/bonafide-mta/bonafide/internal/enum"
	"github.com/bonafide-mta/bonafide/nullmx"
	"github.com/bonafide-mta/bonafide/spf"
)

// Reason is one thing that a verdict rests on. The zero Reason is invalid.
type Reason uint8

// The reasons.
const (
	_ Reason = iota
	// Of NotApplicable.
	TrustedClient
	InnerClient
	// Of Forged.
	HeloSPFFail
	CSADenied
	OwnName
	OtherAddress
	// Temporary failures.
	ReverseUnknown
	HeloUnknown
	HeloSPFUnknown
	CSAUnknown
	MailFromUnknown
	NullMXUnknown
	// Against a better level.
	NoPTR
	Unconfirmed
	GenericName
	NoHelo
	MalformedHelo
	UnqualifiedHelo
	AddressLiteral
	HeloUnresolved
	HeloUnrelated
	HeloIsPTR
	// For it.
	HeloSPFPass
	CSAPass
	// Of the sender.
	MalformedSender
	NullMXSender
	NullSPFSender
	MailFromFail
	MailFromSoftFail
	MailFromPermError
	MailFromPass
)

var reasonText = []string{
	TrustedClient: "trusted-client", InnerClient: "inner-client",
	HeloSPFFail: "helo-spf-fail", CSADenied: "csa-denied", OwnName: "own-name", OtherAddress: "other-address",
	ReverseUnknown: "reverse-unknown", HeloUnknown: "helo-unknown", HeloSPFUnknown: "helo-spf-unknown", CSAUnknown: "csa-unknown",
	MailFromUnknown: "mail-from-unknown", NullMXUnknown: "null-mx-unknown",
	NoPTR: "no-ptr", Unconfirmed: "unconfirmed", GenericName: "generic-name", NoHelo: "no-helo", MalformedHelo: "malformed-helo",
	UnqualifiedHelo: "unqualified-helo", AddressLiteral: "address-literal", HeloUnresolved: "helo-unresolved", HeloUnrelated: "helo-unrelated", HeloIsPTR: "helo-is-ptr",
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
	TrustedClient: "the client is trusted", InnerClient: "the address is not public",
	HeloSPFFail: "the SPF record of the HELO name denies it to this address", CSADenied: "the owner of the HELO name denies it by CSA",
	OwnName: "the HELO name is our own", OtherAddress: "the HELO is the address of somebody else",
	ReverseUnknown: "DNS did not say all of the address's names", HeloUnknown: "DNS did not say where the HELO name leads",
	HeloSPFUnknown: "DNS did not say all of the HELO name's SPF policy", CSAUnknown: "DNS did not say all of the HELO name's CSA records",
	MailFromUnknown: "DNS did not say all of the sender's SPF policy", NullMXUnknown: "DNS did not say whether the sender's domain takes mail",
	NoPTR: "the address has no usable name", Unconfirmed: "no name of the address confirms it", GenericName: "the name of the address looks generic",
	NoHelo: "no HELO", MalformedHelo: "the HELO is malformed", UnqualifiedHelo: "the HELO name means nothing in the public DNS",
	AddressLiteral: "the HELO is an address", HeloUnresolved: "the HELO name does not lead to the client",
	HeloUnrelated: "the HELO name and the name of the address have nothing in common", HeloIsPTR: "the HELO name is the name of the address, which anyone can look up",
	HeloSPFPass: "the SPF record of the HELO name authorises this address", CSAPass: "the owner of the HELO name authorises this address by CSA",
	MalformedSender: "the sender is malformed", NullMXSender: "the sender's domain takes no mail (Null MX)", NullSPFSender: "the sender's domain sends no mail (v=spf1 -all)",
	MailFromFail: "the sender's SPF record denies this address", MailFromSoftFail: "the sender's SPF record says that this address is probably wrong",
	MailFromPermError: "the sender's SPF policy cannot be interpreted", MailFromPass: "the sender's SPF record authorises this address",
}

// Text returns what the reason says, "" for an invalid Reason.
func (r Reason) Text() string {
	if int(r) >= len(reasonPhrase) {
		return ""
	}
	return reasonPhrase[r]
}

// Temporary reports whether the reason is a temporary failure.
func (r Reason) Temporary() bool { return ReverseUnknown <= r && r <= NullMXUnknown }

// adverse reports whether the reason speaks against the client, or for caution.
func (r Reason) adverse() bool {
	return r > InnerClient && r != HeloSPFPass && r != CSAPass && r != MailFromPass && r != HeloIsPTR
}

// reasons lists what is to be said of the results.
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
	add(e.claim == ourName, OwnName)
	add(e.claim == notItsOwn, OtherAddress)
	add(!known || v.Reverse.Status.Temporary(), ReverseUnknown)
	add(e.resolves == unknown, HeloUnknown)
	add(e.spf == unheard, HeloSPFUnknown)
	add(e.csa == unheard, CSAUnknown)
	add(spfWord(v.MailFromSPF) == unheard, MailFromUnknown)
	add(v.NullMX != nil && v.NullMX.Status.Temporary(), NullMXUnknown)
	add(v.Reverse.Status == fcrdns.PermError, NoPTR)
	add(v.Reverse.Status == fcrdns.Fail, Unconfirmed)
	add(v.Name != "" && v.Looks.Verdict == fcrdns.Generic, GenericName)
	add(e.claim == noHelo, NoHelo)
	add(e.claim == malformed, MalformedHelo)
	add(e.claim == unqualified, UnqualifiedHelo)
	add(e.claim == itsAddress, AddressLiteral)
	add(e.claim == aName && e.resolves == no, HeloUnresolved)
	add(e.claim == aName && v.Name != "" && known && v.Relation == Unrelated, HeloUnrelated)
	add(v.Name != "" && v.Relation == Identical, HeloIsPTR)
	add(e.spf == authorises, HeloSPFPass)
	add(e.csa == authorises, CSAPass)
	if v.Step != AtMailFrom {
		return out
	}
	add(v.MailFromSPF == nil, MalformedSender)
	add(v.NullMX != nil && v.NullMX.Status == nullmx.Null, NullMXSender)
	if r := v.MailFromSPF; r != nil && spfWord(r) != unheard {
		add(r.Status == spf.Fail && authorisesNobody(r), NullSPFSender)
		add(r.Status == spf.Fail && !authorisesNobody(r), MailFromFail)
		add(r.Status == spf.SoftFail, MailFromSoftFail)
		add(r.Status == spf.PermError, MailFromPermError)
		add(r.Status == spf.Pass, MailFromPass)
	}
	return out
}

// authorisesNobody reports whether the record that denied the client has no mechanism
// but -all.
func authorisesNobody(r *spf.Result) bool {
	if r.Term.Text == "" || len(r.Term.Path) > 0 || len(r.Replies) == 0 {
		return false
	}
	return slices.ContainsFunc(r.Replies[0].TXT(), func(text string) bool {
		record, err := spf.Parse(text)
		return err == nil && !slices.ContainsFunc(record.Terms, func(t spf.Term) bool { return t.Qualifier != 0 && t.Kind != spf.All })
	})
}
