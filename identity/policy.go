package identity

import (
	"cmp"

	"github.com/bonafide-mta/bonafide/identity/envelope"
	"github.com/bonafide-mta/bonafide/internal/enum"
)

// A Policy says what to do about what was found. The zero Policy refuses clients only if
// the owner of the name that they use denies it to them, defers mail only if DNS gave no
// answer about its sender's SPF policy, and leaves the rest to a spam filter. Each field
// says who would be hurt by setting it.
type Policy struct {
	// RejectMailFromFail refuses senders whose SPF record denies the client though it
	// authorizes others. It hurts users who have mail forwarded to an address here, and
	// messages that DMARC would accept for their signature.
	RejectMailFromFail bool
	// RejectUnconfirmed refuses clients without a confirmed PTR name, and defers them while
	// DNS gives no answer; not those with so many names that some were not looked up
	// (TooManyPTR). It hurts small senders whose provider sets no PTR
	// record, and everyone behind a NAT pool of such a provider.
	RejectUnconfirmed bool
	// RejectOwnName refuses clients from elsewhere that use our own name or address in HELO. It hurts our own machines that are neither in Verifier.Addrs nor
	// Trusted.
	RejectOwnName bool
	// RejectMalformedHelo refuses a HELO that is neither a name nor an address. It hurts
	// appliances and home-made programs.
	RejectMalformedHelo bool

	// AcceptHeloFail only scores what the SPF record of the HELO name denies. It hurts
	// owners of names that others use in HELO, and helps a backup MX or forwarder that is
	// not Trusted and uses its client's HELO name.
	AcceptHeloFail bool
	// AcceptCSADenied only scores what the CSA records of the HELO name deny. It hurts
	// the same owners; publishers are few, and may have forgotten their records.
	AcceptCSADenied bool
	// AcceptNullMXSender only scores senders that no answer could reach (RFC 7505).
	// It hurts users who answer such mail, and helps senders of notifications who took Null
	// MX for a sign of that.
	AcceptNullMXSender bool
	// AcceptNullSPFSender only scores senders whose domain says that it sends no mail.
	// It hurts the domain that is forged, and helps forwarders of nothing: such a domain
	// has no mail to forward.
	AcceptNullSPFSender bool
	// AcceptUnknown only scores if DNS gave no answer about the sender's SPF policy. It
	// hurts a domain that is forged while its DNS is down.
	AcceptUnknown bool

	// Explain has SPF ask for the explanation of a policy's owner (exp=), and quotes it in
	// replies. The owner may write anything, so the reply says whose text it is.
	Explain bool
}

// Action is what to do with a client. The zero Action is invalid.
type Action uint8

// The actions, the mildest first.
const (
	_      Action = iota
	Accept        // nothing speaks against the client
	Score         // something does, but not enough to refuse mail: pass the reasons to a spam filter
	Defer         // ask it to come back, with a reply code of 4xx
	Reject        // refuse, with a reply code of 5xx
)

var actionText = []string{Accept: "accept", Score: "score", Defer: "defer", Reject: "reject"}

// String returns accept, score, defer or reject.
func (a Action) String() string { return enum.String(a, actionText) }

// MarshalText returns the text of String; an invalid Action is an error.
func (a Action) MarshalText() ([]byte, error) { return enum.Marshal(a, actionText) }

// UnmarshalText accepts what MarshalText returns, in any case.
func (a *Action) UnmarshalText(text []byte) error { return enum.Unmarshal(a, text, actionText) }

// Advice is what to do with a client, and the reply to send.
type Advice struct {
	Action Action
	// Reason is the one that decided for Defer or Reject, else zero.
	Reason Reason
	// Reply is what to answer for Defer and Reject, else zero. It has an enhanced code
	// (RFC 3463, RFC 7372), and its Text is printable ASCII of less than 450 octets.
	Reply envelope.Reply
}

// String returns the reply on one line, as in "550 5.7.23 …", and the action where
// there is none.
func (a Advice) String() string {
	return cmp.Or(a.Reply.String(), a.Action.String())
}
