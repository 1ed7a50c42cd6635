package identity

import (
	"slices"

	"github.com/bonafide-mta/bonafide/internal/enum"
)

// Reason is one fact that a verdict rests on. The zero Reason is invalid.
//
// Policy.Reasons can replace the [Reason.DefaultAction] of each, except TrustedClient,
// PrivateClient, SessionExhausted and the three that speak for a client. The comments say who
// is hurt by a stricter or a milder action. The action for a temporary failure is at most
// Defer.
type Reason uint8

const (
	_ Reason = iota

	// TrustedClient: the client is trusted.
	TrustedClient
	// PrivateClient: the address is not public, or there is none.
	PrivateClient

	// HeloSPFFail: the SPF record of the HELO name denies it to this address. A milder action
	// hurts the owners of names that others use in HELO, and helps a backup MX or forwarder
	// that is not Trusted and uses its client's HELO name.
	HeloSPFFail
	// CSADenied: the owner of the HELO name denies it by CSA. A milder action hurts the owners
	// of names that others use in HELO; publishers are few, and may have forgotten their
	// records.
	CSADenied
	// OwnName: the HELO is a name or an address of our own. A stricter action hurts our own
	// machines that are neither in Verifier.Addrs nor Trusted.
	OwnName
	// OtherAddress: the HELO is another public address. A stricter action hurts servers with
	// several addresses, and those behind NAT that do not know their public one.
	OtherAddress

	// ReverseUnknown: no PTR name of the address is confirmed, and DNS gave no answer about
	// some. A stricter action delays mail while the DNS of the client or its provider is down.
	ReverseUnknown
	// OtherPTRUnknown: a PTR name of the address is confirmed, and DNS gave no answer about
	// others. A stricter action delays mail from servers with many PTR names, of which one is
	// broken, for as long as it is.
	OtherPTRUnknown
	// HeloUnknown: DNS gave no answer about where the HELO name resolves to. A stricter action
	// delays mail while the DNS of the HELO name is down.
	HeloUnknown
	// HeloSPFUnknown: DNS gave no answer about the HELO name's SPF policy, or a part of it. A
	// stricter action delays mail while that DNS is down, or that of a domain that the policy
	// includes.
	HeloSPFUnknown
	// CSAUnknown: DNS gave no answer about the HELO name's CSA records, or some of them. A
	// stricter action delays mail from hosts whose DNS servers do not answer questions about
	// SRV records.
	CSAUnknown
	// MailFromUnknown: DNS gave no answer about the sender's SPF policy, or a part of it. A
	// milder action hurts a domain that is forged while its DNS is down.
	MailFromUnknown
	// NullMXUnknown: DNS gave no answer about whether the sender's domain takes mail. A
	// stricter action delays mail while that DNS is down.
	NullMXUnknown
	// SessionExhausted: too few questions or too little memory are left for the worst case of a
	// step, so the session asks nothing more. It is the only reason then, and no policy and no
	// exception changes the advice, to come back on a new connection: close this one.
	SessionExhausted

	// NoPTR: the address has no usable PTR name. A stricter action hurts small senders whose
	// provider sets no PTR record, and everyone behind a NAT pool of such a provider.
	NoPTR
	// TooManyPTR: the address has more PTR names than were looked up, and none of these is
	// confirmed. A stricter action hurts servers of many domains that have a PTR record for
	// each. To refuse clients without a confirmed PTR name, set NoPTR, Unconfirmed and this.
	TooManyPTR
	// OtherPTRSkipped: a PTR name of the address is confirmed, but has no organization in
	// common with the HELO name, and there are more PTR names than were looked up. A stricter
	// action hurts the clients of TooManyPTR that did all they could.
	OtherPTRSkipped
	// Unconfirmed: no PTR name of the address resolves back to it. A stricter action hurts
	// small senders whose provider writes PTR names that do not exist, and servers that moved.
	Unconfirmed
	// GenericName: the PTR name of the address looks generic. A stricter action hurts servers
	// at home, and those whose provider lets nobody choose a PTR name.
	GenericName
	// NoHelo: no HELO. A stricter action hurts home-made programs.
	NoHelo
	// MalformedHelo: the HELO is malformed. A stricter action hurts appliances and home-made
	// programs.
	MalformedHelo
	// UnqualifiedHelo: the HELO name means nothing in the public DNS. A stricter action hurts
	// appliances, and servers that use their internal name.
	UnqualifiedHelo
	// AddressLiteral: the HELO is an address. A stricter action hurts servers without a name,
	// which RFC 5321, Section 4.1.3, lets use one, and mail programs.
	AddressLiteral
	// HeloUnresolved: the HELO name does not resolve to the client. A stricter action hurts
	// servers that use their internal name, and those that send from another address than they
	// receive at. RFC 5321, Section 4.1.4, forbids refusing mail for this alone.
	HeloUnresolved
	// HeloAlone: the HELO name resolves to the client, and no PTR name of the address does. A
	// stricter action hurts the clients of NoPTR and Unconfirmed that did all they could.
	HeloAlone
	// HeloUnrelated: the HELO name and the PTR name have no organization in common. A stricter
	// action hurts customers of hosting providers, whose PTR name is the provider's.
	HeloUnrelated
	// HeloIsPTR: the HELO name is the PTR name, which anyone at the address can look up. A
	// stricter action hurts most mail servers: many guides ask for this.
	HeloIsPTR

	// HeloSPFPass: the SPF record of the HELO name authorizes this address.
	HeloSPFPass
	// CSAPass: the owner of the HELO name authorizes this address by CSA.
	CSAPass

	// MalformedSender: the sender is malformed. A milder action hurts users who answer such
	// mail.
	MalformedSender
	// NullMXSender: the sender's domain takes no mail (Null MX, RFC 7505). A milder action
	// hurts users who answer such mail, and helps senders of notifications who took Null MX
	// for a sign of that.
	NullMXSender
	// NullSPFSender: the sender's domain sends no mail (v=spf1 -all). A milder action hurts
	// the domain that is forged, and helps nobody: such a domain has no mail to forward.
	NullSPFSender
	// MailFromFail: the sender's SPF record denies this address. A stricter action hurts users
	// who have mail forwarded to an address here, and messages that DMARC would accept for
	// their signature.
	MailFromFail
	// MailFromSoftFail: the sender's SPF record says that this address is probably wrong. A
	// stricter action hurts those whom MailFromFail hurts, and domains that still try their
	// record: RFC 7208, Section 8.5, asks not to refuse mail for this alone.
	MailFromSoftFail
	// MailFromPermError: the sender's SPF policy cannot be interpreted. A stricter action hurts
	// domains with a mistake in their record, or in one that it includes.
	MailFromPermError
	// MailFromPass: the sender's SPF record authorizes this address.
	MailFromPass
)

var reasonText = []string{
	TrustedClient: "trusted-client", PrivateClient: "private-client",
	HeloSPFFail: "helo-spf-fail", CSADenied: "csa-denied", OwnName: "own-name", OtherAddress: "other-address",
	ReverseUnknown: "reverse-unknown", OtherPTRUnknown: "other-ptr-unknown", HeloUnknown: "helo-unknown", HeloSPFUnknown: "helo-spf-unknown", CSAUnknown: "csa-unknown",
	MailFromUnknown: "mail-from-unknown", NullMXUnknown: "null-mx-unknown", SessionExhausted: "session-exhausted",
	NoPTR: "no-ptr", TooManyPTR: "too-many-ptr", OtherPTRSkipped: "other-ptr-skipped", Unconfirmed: "unconfirmed", GenericName: "generic-name", NoHelo: "no-helo", MalformedHelo: "malformed-helo",
	UnqualifiedHelo: "unqualified-helo", AddressLiteral: "address-literal", HeloUnresolved: "helo-unresolved", HeloAlone: "helo-alone", HeloUnrelated: "helo-unrelated", HeloIsPTR: "helo-is-ptr",
	HeloSPFPass: "helo-spf-pass", CSAPass: "csa-pass",
	MalformedSender: "malformed-sender", NullMXSender: "null-mx-sender", NullSPFSender: "null-spf-sender", MailFromFail: "mail-from-fail",
	MailFromSoftFail: "mail-from-softfail", MailFromPermError: "mail-from-permerror", MailFromPass: "mail-from-pass",
}

// Reasons returns all reasons, in the order of Verdict.Reasons.
func Reasons() []Reason { return enum.All[Reason](reasonText) }

// String returns a keyword, such as helo-spf-fail.
func (r Reason) String() string { return enum.String(r, reasonText) }

// MarshalText returns the text of String; an invalid Reason is an error.
func (r Reason) MarshalText() ([]byte, error) { return enum.Marshal(r, reasonText) }

// UnmarshalText accepts what MarshalText returns, in any case.
func (r *Reason) UnmarshalText(text []byte) error { return enum.Unmarshal(r, text, reasonText) }

var reasonPhrase = []string{
	TrustedClient: "the client is trusted", PrivateClient: "the address is not public",
	HeloSPFFail: "the SPF record of the HELO name denies it to this address", CSADenied: "the owner of the HELO name denies it by CSA",
	OwnName: "the HELO name is our own", OtherAddress: "the HELO is another public address",
	ReverseUnknown: "no PTR name is confirmed, and DNS gave no answer about some", OtherPTRUnknown: "DNS gave no answer about some PTR names beside a confirmed one",
	HeloUnknown: "DNS gave no answer about the addresses of the HELO name", HeloSPFUnknown: "DNS gave no answer about the HELO name's SPF policy",
	CSAUnknown: "DNS gave no answer about the HELO name's CSA records", MailFromUnknown: "DNS gave no answer about the sender's SPF policy",
	NullMXUnknown: "DNS gave no answer about whether the sender's domain takes mail", SessionExhausted: "the connection has used up its DNS lookups",
	NoPTR: "the address has no usable PTR name", TooManyPTR: "the address has more PTR names than were looked up, and none of these is confirmed",
	OtherPTRSkipped: "the address has more PTR names than were looked up, and none of these ties it to HELO",
	Unconfirmed:     "no PTR name of the address resolves back to it", GenericName: "the PTR name looks generic",
	NoHelo: "no HELO", MalformedHelo: "the HELO is malformed", UnqualifiedHelo: "the HELO name means nothing in the public DNS",
	AddressLiteral: "the HELO is an address", HeloUnresolved: "the HELO name does not resolve to the client", HeloAlone: "the HELO name resolves to the client, and no PTR name does",
	HeloUnrelated: "the HELO name and the PTR name have no organization in common", HeloIsPTR: "the HELO name is the PTR name, which anyone can look up",
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

// DefaultAction returns the action for the reason if Policy.Reasons has none, and 0 for an
// invalid Reason.
func (r Reason) DefaultAction() Action {
	switch r {
	case HeloSPFFail, CSADenied, MalformedSender, NullMXSender, NullSPFSender:
		return Reject
	case MailFromUnknown, SessionExhausted:
		return Defer
	case TrustedClient, PrivateClient, HeloSPFPass, CSAPass, MailFromPass, HeloIsPTR:
		return Accept
	}
	if r.Text() == "" {
		return 0
	}
	return Score
}

// settable reports whether a policy can change the action for the reason.
func (r Reason) settable() bool {
	fixed := []Reason{TrustedClient, PrivateClient, SessionExhausted, HeloSPFPass, CSAPass, MailFromPass}
	return r.Text() != "" && !slices.Contains(fixed, r)
}
