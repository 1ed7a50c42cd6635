package identity

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/bonafide-mta/bonafide/identity/envelope"
	"github.com/bonafide-mta/bonafide/nullmx"
	"github.com/bonafide-mta/bonafide/spf"
)

// exhaustedReply closes the connection (RFC 5321, Section 3.8).
var exhaustedReply = envelope.Reply{
	Code: 421, Enhanced: envelope.EnhancedCode{4, 7, 0},
	Text: "this connection has used up its DNS lookups; come back on a new connection",
}

// replies has the reply for each reason that a policy can refuse mail for. Of equally grave
// reasons the first here decides: those that are known earlier come earlier. The reply is to
// Reject for a permanent reason, and to Defer for a temporary one. Words in braces are replaced.
var replies = []struct {
	reason   Reason
	code     int // RFC 5321, Section 4.2.3
	enhanced envelope.EnhancedCode
	text     string
}{
	{NoHelo, 503, envelope.EnhancedCode{5, 5, 1}, "send HELO with the name of your server first"},                                                   // RFC 3463, Section 3.6
	{MalformedHelo, 501, envelope.EnhancedCode{5, 5, 2}, "HELO {helo} is neither a host name nor an address"},                                       // RFC 3463, Section 3.6
	{UnqualifiedHelo, 550, envelope.EnhancedCode{5, 7, 1}, "HELO {helo} means nothing in the public DNS; use the full name of your server in HELO"}, // RFC 3463, Section 3.8
	{AddressLiteral, 550, envelope.EnhancedCode{5, 7, 1}, "HELO {helo} is an address; use the name of your server in HELO"},
	{HeloSPFFail, 550, envelope.EnhancedCode{5, 7, 23}, "SPF: {helo} does not allow {client} to use its name in HELO{helo-explanation}"}, // RFC 7372, Section 3.2
	{CSADenied, 550, envelope.EnhancedCode{5, 7, 1}, "CSA: {helo} does not allow {client} to use its name in HELO"},
	{OwnName, 550, envelope.EnhancedCode{5, 7, 1}, "HELO {helo} is this server, which {client} is not"},
	{OtherAddress, 550, envelope.EnhancedCode{5, 7, 1}, "HELO {helo} is an address, and not {client}"},
	{NoPTR, 550, envelope.EnhancedCode{5, 7, 25}, "{client} has no usable PTR name"}, // RFC 7372, Section 3.3
	{TooManyPTR, 550, envelope.EnhancedCode{5, 7, 25}, "{client} has too many PTR names, and none of those looked up resolves back to it"},
	{OtherPTRSkipped, 550, envelope.EnhancedCode{5, 7, 1}, "{client} has too many PTR names, and none of those looked up has an organization in common with HELO {helo}"},
	{Unconfirmed, 550, envelope.EnhancedCode{5, 7, 25}, "no PTR name of {client} resolves back to it"},
	{GenericName, 550, envelope.EnhancedCode{5, 7, 1}, "the PTR name {ptr} of {client} looks generic"},
	{HeloUnrelated, 550, envelope.EnhancedCode{5, 7, 1}, "HELO {helo} and the PTR name {ptr} of {client} have no organization in common"},
	{HeloUnresolved, 550, envelope.EnhancedCode{5, 7, 1}, "HELO {helo} does not resolve to {client}"},
	{HeloAlone, 550, envelope.EnhancedCode{5, 7, 25}, "no PTR name of {client} resolves back to it, though HELO {helo} does"},
	{HeloIsPTR, 550, envelope.EnhancedCode{5, 7, 1}, "HELO {helo} is the PTR name of {client}; use another name of your server in HELO"},
	{MalformedSender, 501, envelope.EnhancedCode{5, 1, 7}, "malformed sender address"}, // RFC 3463, Section 3.2
	{NullMXSender, nullmx.RejectSender.Code, nullmx.RejectSender.Enhanced, nullmx.RejectSender.Text},
	{NullSPFSender, 550, envelope.EnhancedCode{5, 7, 23}, "SPF: {sender} does not allow {client} to send its mail{sender-explanation}"}, // RFC 7208, Section 8.4
	{MailFromFail, 550, envelope.EnhancedCode{5, 7, 23}, "SPF: {sender} does not allow {client} to send its mail{sender-explanation}"},
	{MailFromSoftFail, 550, envelope.EnhancedCode{5, 7, 1}, "SPF: {sender} says that {client} probably may not send its mail"}, // 5.7.23 is for fail alone
	{MailFromPermError, 550, envelope.EnhancedCode{5, 7, 24}, "the SPF policy of {sender} cannot be interpreted"},              // RFC 7372, Section 3.2; RFC 7208, Section 8.7
	// RFC 3463, Section 3.5: directory server failure; RFC 7208, Section 8.6, for SPF.
	{ReverseUnknown, 451, envelope.EnhancedCode{4, 4, 3}, "the PTR names of {client} could not be looked up"},
	{OtherPTRUnknown, 451, envelope.EnhancedCode{4, 4, 3}, "some PTR names of {client} could not be looked up"},
	{HeloUnknown, 451, envelope.EnhancedCode{4, 4, 3}, "the addresses of HELO {helo} could not be looked up"},
	{HeloSPFUnknown, 451, envelope.EnhancedCode{4, 4, 3}, "the SPF policy of HELO {helo} could not be looked up"},
	{CSAUnknown, 451, envelope.EnhancedCode{4, 4, 3}, "the CSA records of HELO {helo} could not be looked up"},
	{MailFromUnknown, 451, envelope.EnhancedCode{4, 4, 3}, "the SPF policy of {sender} could not be looked up"},
	{NullMXUnknown, 451, envelope.EnhancedCode{4, 4, 3}, "the mail exchangers of {sender} could not be looked up"},
}

// precedences has the place of each reason in replies, from 1.
var precedences = func() map[Reason]int {
	places := make(map[Reason]int)
	for i, r := range replies {
		places[r.reason] = i + 1
	}
	return places
}()

// precedence returns the place of a reason in replies, or the place after the last.
func precedence(r Reason) int { return cmp.Or(precedences[r], len(replies)+1) }

// reply returns the reply for a decision to Defer or Reject.
func (p Policy) reply(v *Verdict, d decision) envelope.Reply {
	code, enhanced, text := 550, envelope.EnhancedCode{5, 7, 1}, "this server takes no mail from {client}, whose identity is {level}"
	if i := precedences[d.reason] - 1; i >= 0 {
		code, enhanced, text = replies[i].code, replies[i].enhanced, replies[i].text
	}
	if d.action == Defer && code/100 == 5 {
		code, enhanced = deferred(enhanced)
	}
	return envelope.Reply{Code: code, Enhanced: enhanced, Text: printableLine(p.words(v).Replace(text))}
}

// deferred returns the codes for a deferral where a refusal has an enhanced code: 450 and one
// of policy, like Postfix ("450 4.7.25"), because other subjects are permanent by
// definition (RFC 3463, Sections 3.2 and 3.6).
func deferred(refusal envelope.EnhancedCode) (int, envelope.EnhancedCode) {
	if refusal == (envelope.EnhancedCode{5, 7, 24}) {
		return 451, envelope.EnhancedCode{4, 7, 24} // RFC 7372, Section 3.2
	}
	if refusal[1] != 7 {
		return 450, envelope.EnhancedCode{4, 7, 1}
	}
	return 450, envelope.EnhancedCode{4, 7, refusal[2]}
}

// words replaces the words in braces by the values of a verdict.
func (p Policy) words(v *Verdict) *strings.Replacer {
	sender := ""
	if v.MailFromSPF != nil {
		sender = v.MailFromSPF.Domain // whose policy MAIL FROM was judged by
	}
	return strings.NewReplacer(
		"{client}", v.Client.String(), "{level}", v.Level.String(), "{helo}", quoted(v.HeloText), "{ptr}", quoted(domain(v.PTRName)), "{sender}", quoted(domain(sender)),
		"{helo-explanation}", p.explanation(v.HeloSPF), "{sender-explanation}", p.explanation(v.MailFromSPF))
}

// explanation quotes what the owner of a policy says, where that is wanted.
func (p Policy) explanation(r *spf.Result) string {
	if !p.Explain || r == nil || r.Explanation == "" {
		return ""
	}
	// RFC 7208, Section 6.2: it must be clear that the text is a third party's.
	return fmt.Sprintf("; the owner of %s says: %s", truncate(cmp.Or(domain(r.Domain), "the name")), r.Explanation)
}

func domain(name string) string { return strings.TrimSuffix(name, ".") }

// quoted quotes text of a client. Octets that are not text count as they do in JSON, so that
// advice about a verdict is the same after that.
func quoted(text string) string { return fmt.Sprintf("%+q", truncate(string([]rune(text)))) }

// maxText is the length of a reply's text: with code and enhanced code it fits a line
// of 512 octets (RFC 5321, Section 4.5.3.1.5).
const maxText = 449

// printableLine makes text printable ASCII on one line.
func printableLine(text string) string {
	out := []byte(string([]rune(text)))
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
