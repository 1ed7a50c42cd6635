package spf

import (
	"strings"

	"github.com/bonafide-mta/bonafide/internal/untrusted"
)

// unknown stands for the name of a receiver that did not say it (RFC 7208, Section
// 7.3).
const unknown = "unknown"

// ReceivedSPF returns the field that records the result in the header of the
// message (RFC 7208, Section 9.1): with its name, without a final line end, a pair a
// line. It belongs above the Received field. Values of the other side's are printable
// ASCII, quoted, and cut where they are longer than any name. A sender or HELO name that is
// longer is left out: its end is its domain.
func (r *Result) ReceivedSPF() string {
	receiver := r.Receiver
	if receiver == "" {
		receiver = unknown
	}
	var b strings.Builder
	b.WriteString("Received-SPF: " + r.Status.String() + " (" + comment(receiver+": "+r.sentence()) + ")")
	pair := func(key, value string) {
		b.WriteString("\r\n\t" + key + "=" + quoted(value) + ";")
	}
	pair("client-ip", r.Addr.String())
	whole := func(key, value string) {
		if len(untrusted.Line(value)) <= maxValue {
			pair(key, value)
		}
	}
	if r.Identity == MailFrom {
		whole("envelope-from", r.Sender)
	}
	whole("helo", r.Helo)
	pair("receiver", receiver)
	pair("identity", r.Identity.String())
	switch {
	case r.Err != nil:
		pair("problem", r.Err.Error())
	case r.Term.Domain != "":
		pair("mechanism", r.Term.Text)
	case r.Status != None:
		pair("mechanism", "default")
	}
	return b.String()
}

// sentence says in words what the status means.
func (r *Result) sentence() string {
	domain := strings.TrimSuffix(r.Domain, ".")
	switch r.Status {
	case None:
		return domain + " has no policy"
	case Neutral:
		return domain + " says nothing of " + r.Addr.String()
	case Pass:
		return domain + " authorizes " + r.Addr.String()
	case Fail:
		return domain + " does not authorize " + r.Addr.String()
	case SoftFail:
		return domain + " probably does not authorize " + r.Addr.String()
	case TempError:
		return "DNS did not tell the policy of " + domain
	}
	return "the policy of " + domain + " cannot be interpreted"
}

// maxValue is the most octets of a text of the other side's: that of names, and one less than
// that of a path with its brackets (RFC 5321, Section 4.5.3.1.3).
const maxValue = 255

// printable returns text as printable ASCII, without what exceeds maxValue.
func printable(text string) string {
	text = ascii(text)
	return text[:min(len(text), maxValue)]
}

func ascii(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, untrusted.Line(text))
}

// comment returns text for a comment of RFC 5322, Section 3.2.2. It has two names: that of the
// receiver, and the domain.
func comment(text string) string {
	text = ascii(text)
	return strings.NewReplacer("(", `\(`, ")", `\)`, `\`, `\\`).Replace(text[:min(len(text), 3*maxValue)])
}

// quoted returns a value as dot-atom or as quoted-string (RFC 5322, Sections 3.2.3
// and 3.2.4).
func quoted(value string) string {
	value = printable(value)
	atom := value != "" && !strings.HasPrefix(value, ".") && !strings.HasSuffix(value, ".") && !strings.Contains(value, "..")
	for i := range len(value) {
		c := value[i]
		atom = atom && (isAlpha(c) || isDigit(c) || strings.IndexByte(".!#$%&'*+-/=?^_`{|}~", c) >= 0)
	}
	if atom {
		return value
	}
	return `"` + strings.NewReplacer(`"`, `\"`, `\`, `\\`).Replace(value) + `"`
}
