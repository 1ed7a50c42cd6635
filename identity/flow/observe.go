package flow

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/netip"
	"regexp"
	"strings"
)

// observations are the forms in which servers write what a client said in HELO and its
// address; the groups are named helo and addr.
var observations = []*regexp.Regexp{
	// Received, of Exim: from mta1.example.org ([192.0.2.10] helo=post.example.org)
	regexp.MustCompile(`(?i)^Received: from \S+ \(\[(?P<addr>[0-9a-f.:]+)\][^()]* helo=(?P<helo>[^\s()]+)\)`),
	// Received, of Exim, without a PTR name of the client: from [192.0.2.10] (helo=post.example.org)
	regexp.MustCompile(`(?i)^Received: from \[(?P<addr>[0-9a-f.:]+)\] \(helo=(?P<helo>[^\s()]+)\)`),
	// Received (RFC 5321, Section 4.4), of Postfix, Sendmail, Exim: from post.example.org (mta1.example.org [192.0.2.10])
	regexp.MustCompile(`(?i)^Received: from (?P<helo>[^\s()]+) \((?:[^()\[\]]*[\s@])?\[(?:IPv6:)?(?P<addr>[0-9a-f.:]+)\]`),
	// The log of Exim: H=mta1.example.org (post.example.org) [192.0.2.10]; H=post.example.org [192.0.2.10]
	regexp.MustCompile(`(?i)\sH=(?:[^\s()]+ )?\((?P<helo>[^\s()]+)\) \[(?P<addr>[0-9a-f.:]+)\]`),
	regexp.MustCompile(`(?i)\sH=(?P<helo>[^\s()]+) \[(?P<addr>[0-9a-f.:]+)\]`),
	// The log of Postfix, of mail that it refuses or warns of: from mta1.example.org[192.0.2.10]: … helo=<post.example.org>
	regexp.MustCompile(`(?i) from [^\s\[\]]+\[(?P<addr>[0-9a-f.:]+)\].* helo=<(?P<helo>[^\s<>]+)>`),
}

// An Observation is what a client said in HELO, as a server wrote it down.
type Observation struct {
	Line int        // where it begins, from 1; 0 if not known
	Addr netip.Addr // the client, never a mapped address
	Helo string     // to the letter: untrusted
}

// Observations yields what clients said in HELO by the Received fields of mail and the log
// lines of Postfix and Exim, for the field Observed of plan.Options. It ignores other
// lines. A client can write Received fields, too: only the topmost field of a mail is from
// the server that took it. An error of the reader, or for a line longer than 64 KiB, comes
// last.
func Observations(r io.Reader) iter.Seq2[Observation, error] {
	return func(yield func(Observation, error) bool) {
		lines := bufio.NewScanner(r)
		var field strings.Builder // a line with those that continue it (RFC 5322, Section 2.2.3)
		n, began := 0, 0
		for more := true; more; {
			more = lines.Scan()
			n++
			text := lines.Text()
			if more && text != "" && (text[0] == ' ' || text[0] == '\t') && field.Len() < bufio.MaxScanTokenSize {
				field.WriteString(" " + strings.TrimSpace(text))
				continue
			}
			if o, ok := observation(field.String()); ok {
				o.Line = began
				if !yield(o, nil) {
					return
				}
			}
			field.Reset()
			field.WriteString(strings.TrimRight(text, "\r"))
			began = n
		}
		err := lines.Err()
		if errors.Is(err, bufio.ErrTooLong) {
			err = fmt.Errorf("longer than %d KiB, expected mail or a log (%w)", bufio.MaxScanTokenSize>>10, err)
		}
		if err != nil {
			yield(Observation{}, fmt.Errorf("flow: line %d: %w", n, err))
		}
	}
}

// observation parses one field or log line.
func observation(text string) (Observation, bool) {
	for _, form := range observations {
		m := form.FindStringSubmatch(text)
		if m == nil {
			continue
		}
		addr, err := netip.ParseAddr(m[form.SubexpIndex("addr")])
		if err != nil {
			continue
		}
		return Observation{Addr: addr.Unmap(), Helo: m[form.SubexpIndex("helo")]}, true
	}
	return Observation{}, false
}
