package report

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/txt"
	"github.com/bonafide-mta/bonafide/resolver"
)

// The bounds of what a report shows, in octets of JSON. The DNS servers of an
// organization, or of one whose SPF record it includes, can answer with 64 KiB to each of
// thousands of questions.
const (
	maxAnswer   = 4 << 10  // of the aliases and records of one answer
	maxEvidence = 16 << 10 // of the evidence of one finding
	maxReport   = 16 << 20 // of the evidence of a report
	maxText     = 1 << 10  // of a message, and of an error in evidence
)

// SetEvidence sets Evidence to responses as text, in their order, and what a mail server
// said. Equal answers appear once, since the checks of several addresses rest on the same.
// What is over the bounds of the package is left out and counted.
func (f *Finding) SetEvidence(responses []resolver.Response, dialog ...Evidence) {
	f.Evidence, f.LeftOut = []Evidence{}, 0
	listed := make(map[string]bool)
	shown, left := make(map[resolver.Question]bool), make(map[resolver.Question]bool)
	size := 0
	add := func(e Evidence) bool {
		if listed[e.dedupKey()] {
			return true
		}
		if size += e.size(); size > maxEvidence {
			return false
		}
		listed[e.dedupKey()] = true
		f.Evidence = append(f.Evidence, e)
		return true
	}
	for _, r := range responses {
		switch {
		case size <= maxEvidence && add(evidenceOf(r)):
			shown[r.Question] = true
		case !shown[r.Question]:
			left[r.Question] = true
		}
	}
	f.LeftOut = len(left)
	for _, e := range dialog {
		if e.limit(); size > maxEvidence || !add(e) {
			f.LeftOut++
		}
	}
}

// SetMessage sets Message to a text, or the beginning of one that is too long for a report.
func (f *Finding) SetMessage(text string) { f.Message = shortened(text) }

// Trim leaves evidence out of the last findings if all of it together is over the bound of
// a report.
func (r *Report) Trim() {
	size := 0
	for i := range r.Findings {
		f := &r.Findings[i]
		for j := range f.Evidence {
			if size += f.Evidence[j].size(); size > maxReport {
				f.LeftOut += len(f.Evidence) - j
				f.Evidence = f.Evidence[:j:j]
				break
			}
		}
	}
}

// evidenceOf returns a response as text.
func evidenceOf(r resolver.Response) Evidence {
	e := Evidence{
		Name: r.Name, Type: resolver.TypeString(r.Type), Server: shortened(r.Server), Authentic: r.Authentic,
		Aliases: []string{}, Records: []string{},
	}
	if r.Err != nil {
		e.Error = shortened(r.Err.Error())
		return e
	}
	e.Status = r.Status.String()
	size := 0
	e.Aliases = e.texts(r.Chain, &size)
	e.Records = e.texts(r.Records, &size)
	return e
}

// texts returns the first records as text while size is in bounds, and counts the others.
func (e *Evidence) texts(records []dns.RR, size *int) []string {
	out := []string{}
	for _, rr := range records {
		if *size+dns.Len(rr) <= maxAnswer { // the text is about as long
			text := txt.Record(rr)
			if *size += sizeOf(text); *size <= maxAnswer {
				out = append(out, text)
				continue
			}
		}
		e.LeftOut++
		e.LeftOutOctets += dns.Len(rr)
	}
	return out
}

// limit leaves out the texts that are over the bound of an answer.
func (e *Evidence) limit() {
	size := 0
	for i, text := range e.Records {
		if size += sizeOf(text); size > maxAnswer {
			e.LeftOut += len(e.Records) - i
			for _, text := range e.Records[i:] {
				e.LeftOutOctets += len(text)
			}
			e.Records = e.Records[:i:i]
			return
		}
	}
}

// size returns how many octets the evidence has in JSON, or a few more.
func (e Evidence) size() int {
	const keys = 400 // with their indentation
	n := keys
	for _, text := range []string{e.Name, e.Type, e.Status, e.Server, e.Error} {
		n += sizeOf(text)
	}
	for _, texts := range [][]string{e.Aliases, e.Records} {
		for _, text := range texts {
			n += sizeOf(text)
		}
	}
	return n
}

// sizeOf returns how many octets a text has as an indented line of JSON.
func sizeOf(text string) int {
	n := len(text) + 24
	for i := 0; i < len(text); {
		c, width := utf8.DecodeRuneInString(text[i:])
		switch {
		case c == '"', c == '\\':
			n++
		case c < ' ', c == '<', c == '>', c == '&', c == utf8.RuneError, c == '\u2028', c == '\u2029':
			n += 6 - width // \u003c
		}
		i += width
	}
	return n
}

// shortened returns a text that is not too long for a report as it is, and of any other the
// beginning, and how much is left out.
func shortened(text string) string {
	if sizeOf(text) <= maxText {
		return text
	}
	end := min(len(text), maxText)
	for sizeOf(text[:end]) > maxText-40 || !utf8.RuneStart(text[end]) {
		end--
		if over := sizeOf(text[:end]) - maxText; over > 12 {
			end -= over / 6
		}
	}
	return strings.TrimRight(text[:end], " ") + fmt.Sprintf("… (%d octets more)", len(text)-end)
}

// leftOut returns a note of what an answer has beside its records that are listed, "" for
// nothing.
func (e Evidence) leftOut() string {
	if e.LeftOut == 0 {
		return ""
	}
	if len(e.Records) == 0 {
		return fmt.Sprintf("%s %s: %s (%d octets), left out here", e.Name, e.Type, number(e.LeftOut, "record", "records"), e.LeftOutOctets)
	}
	return fmt.Sprintf("… and %s (%d octets) left out", number(e.LeftOut, "more record", "more records"), e.LeftOutOctets)
}

// leftOut returns a note of the answers that are not listed, "" if all are.
func (f Finding) leftOut() string {
	if f.LeftOut == 0 {
		return ""
	}
	return fmt.Sprintf("… and %s left out", number(f.LeftOut, "more answer", "more answers"))
}
