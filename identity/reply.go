package identity

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/bonafide-mta/bonafide/identity/envelope"
	"github.com/bonafide-mta/bonafide/nullmx"
	"github.com/bonafide-mta/bonafide/spf"
)

// advise returns the advice of a policy. Of several replies it gives the most severe, and of
// those with the same action the first here: what is known earlier comes earlier.
func (p Policy) advise(v *Verdict) Advice {
	if v.Has(SessionExhausted) {
		return Advice{Defer, SessionExhausted, envelope.Reply{
			Code: 421, Enhanced: envelope.EnhancedCode{4, 7, 0}, // RFC 5321, Section 3.8
			Text: "this connection has used up its DNS lookups; come back on a new connection",
		}}
	}
	advice := Advice{Action: Accept}
	reply := func(holds bool, action Action, reason Reason, code int, enhanced envelope.EnhancedCode, text string, args ...any) {
		if holds && v.Has(reason) && action > advice.Action {
			advice = Advice{action, reason, envelope.Reply{Code: code, Enhanced: enhanced, Text: printableLine(fmt.Sprintf(text, args...))}}
		}
	}
	for _, r := range v.Reasons {
		// Before HELO nobody can have said it.
		if r.adverse() && (r != NoHelo || v.Step != AtConnect) {
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
