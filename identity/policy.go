package identity

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/bonafide-mta/bonafide/identity/envelope"
	"github.com/bonafide-mta/bonafide/internal/enum"
	"github.com/bonafide-mta/bonafide/nullmx"
	"github.com/bonafide-mta/bonafide/spf"
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
	// DNS gives no answer. It hurts small senders whose provider sets no PTR
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

// advise returns the advice of a policy. Of several replies it gives the most severe, and of
// those with the same action the first here: what is known earlier comes earlier.
func (p Policy) advise(v *Verdict) Advice {
	advice := Advice{Action: Accept}
	reply := func(holds bool, action Action, reason Reason, code int, enhanced envelope.EnhancedCode, text string, args ...any) {
		if holds && v.Has(reason) && action > advice.Action {
			advice = Advice{action, reason, envelope.Reply{Code: code, Enhanced: enhanced, Text: printableLine(fmt.Sprintf(text, args...))}}
		}
	}
	for _, r := range v.Reasons {
		// Before HELO nobody can have said it.
		if r.adverse() && (r != NoHelo || v.Step == AtMailFrom) {
			advice.Action = Score
		}
	}
	heloText := fmt.Sprintf("%+q", truncate(v.HeloText))
	reply(p.RejectMalformedHelo, Reject, MalformedHelo, 501, envelope.EnhancedCode{5, 5, 2}, "HELO %s is neither a host name nor an address", heloText)
	reply(!p.AcceptHeloFail, Reject, HeloSPFFail, 550, envelope.EnhancedCode{5, 7, 23}, "SPF: %s does not allow %s to greet with its name%s", heloText, v.Client, p.explanation(v.HeloSPF))
	reply(!p.AcceptCSADenied, Reject, CSADenied, 550, envelope.EnhancedCode{5, 7, 1}, "CSA: %s does not allow %s to greet with its name", heloText, v.Client)
	reply(p.RejectOwnName, Reject, OwnName, 550, envelope.EnhancedCode{5, 7, 1}, "HELO %s is this server, which %s is not", heloText, v.Client)
	reply(p.RejectUnconfirmed, Reject, NoPTR, 550, envelope.EnhancedCode{5, 7, 25}, "%s has no reverse name", v.Client)
	reply(p.RejectUnconfirmed, Reject, Unconfirmed, 550, envelope.EnhancedCode{5, 7, 25}, "no reverse name of %s has that address", v.Client)
	reply(true, Reject, MalformedSender, 501, envelope.EnhancedCode{5, 1, 7}, "malformed sender address")
	reply(!p.AcceptNullMXSender, Reject, NullMXSender, nullmx.RejectSender.Code, nullmx.RejectSender.Enhanced, "%s", nullmx.RejectSender.Text)
	const fail = "SPF: %s does not allow %s to send its mail%s"
	reply(!p.AcceptNullSPFSender, Reject, NullSPFSender, 550, envelope.EnhancedCode{5, 7, 23}, fail, v.senderDomain(), v.Client, p.explanation(v.MailFromSPF))
	reply(p.RejectMailFromFail, Reject, MailFromFail, 550, envelope.EnhancedCode{5, 7, 23}, fail, v.senderDomain(), v.Client, p.explanation(v.MailFromSPF))
	reply(p.RejectUnconfirmed && v.IPRev.Status.Temporary(), Defer, ReverseUnknown, 451, envelope.EnhancedCode{4, 4, 3}, "the reverse name of %s could not be looked up", v.Client)
	reply(!p.AcceptUnknown, Defer, MailFromUnknown, 451, envelope.EnhancedCode{4, 4, 3}, "the SPF policy of %s could not be looked up", v.senderDomain())
	return advice
}

// senderDomain is the domain whose policy MAIL FROM was judged by.
func (v *Verdict) senderDomain() string {
	if v.MailFromSPF == nil {
		return ""
	}
	return fmt.Sprintf("%+q", truncate(strings.TrimSuffix(v.MailFromSPF.Domain, ".")))
}

// explanation quotes what the owner of a policy says, where that is wanted.
func (p Policy) explanation(r *spf.Result) string {
	if !p.Explain || r == nil || r.Explanation == "" {
		return ""
	}
	// RFC 7208, Section 6.2: it must be clear that the text is a third party's.
	return fmt.Sprintf("; the owner of %s says: %s", truncate(cmp.Or(strings.TrimSuffix(r.Domain, "."), "the name")), r.Explanation)
}

// maxText is the length of a reply's text: with code and enhanced code it fits a line
// of 512 octets (RFC 5321, Section 4.5.3.1.5).
const maxText = 449

// printableLine makes text printable ASCII on one line.
func printableLine(text string) string {
	out := []byte(text)
	for i, c := range out {
		if c < ' ' || c > '~' {
			out[i] = '?'
		}
	}
	return string(out[:min(len(out), maxText)])
}

// truncate shortens a value so that it does not take the whole line.
func truncate(s string) string {
	const most = 100
	if len(s) <= most {
		return s
	}
	return s[:most] + "..."
}
