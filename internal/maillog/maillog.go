// Package maillog reads who the clients of a mail server were, from its logs and from the
// Received fields that it wrote.
//
// A client writes much of both: its HELO name, the sender, the recipients, the subject, the
// names in its DNS. It must never be able to put another client's address beside a HELO
// name. So each kind of line has a form that begins where the line begins and reaches
// through the address and the HELO name, with the client's text quoted as the program
// quotes it; what follows is free. Text that the program does not quote may be anything in
// the form, and a line that the form fits in two ways is not read.
//
// It reads these forms:
//
//   - Exim's main log and reject log: messages received (<=), and what begins with H=, such
//     as refused commands
//   - Postfix's log: refusals and warnings of smtpd, of postscreen and of Milters, and
//     matches of header_checks and body_checks
//   - sendmail's log: messages received and refusals of rulesets; these have no HELO name
//   - Received fields of Exim, Postfix, sendmail, Exchange, qmail and Haraka, and of others
//     that write the client as RFC 5321, Section 4.4, says
//
// Logs have the programs' own time stamps (Exim) or those of syslog: RFC 3164, or ISO 8601.
// Postfix replaces what could end a field by question marks, and so does qmail; Exim refuses
// such HELO names unless helo_accept_junk_hosts says otherwise.
//
// If the HELO name is the PTR name, Exim and Postfix write the name once, and they write the
// same for a client that used no HELO. The name is read as the HELO name if the protocol is
// ESMTP, which begins with EHLO. Exim also writes it for the literal of the client's
// address; this is read as the name.
package maillog

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"net/netip"
	"strings"
)

// A Client is what one line of a log, or one Received field, says about a client.
type Client struct {
	Line int        // where it begins, from 1
	Addr netip.Addr // never a mapped address
	Helo string     // as the program wrote it: untrusted; "" if the line does not say
}

// ErrAmbiguous means that a line can be read in two ways, or that it is so long that its
// end may have been cut off: the client may have written it to be misread.
var ErrAmbiguous = errors.New("the line has two readings")

// Clients yields the clients in a log or in mail. The first line that looks like either
// decides which of the two it is.
//
// Mail is one message, or many in the mbox format: each begins with a line "From …" after
// an empty line, and such lines in a body are quoted, as mail servers do on delivery. Only
// header fields count. Of each message, the topmost Received field counts, which the
// client cannot write. If by is given, the topmost field that names one of these hosts as
// the receiver counts: name the hosts that take mail from the outside.
//
// An [ErrAmbiguous] is about its line alone, and others follow. Any other error is the
// last: of the reader, or for a line of a log or header that is longer than 64 KiB.
func Clients(r io.Reader, by ...string) iter.Seq2[Client, error] {
	return func(yield func(Client, error) bool) {
		s, stopped := newScanner(r), false
		each := func(line int, c Client, err error) bool {
			c.Line = line
			if err != nil {
				c, err = Client{Line: line}, fmt.Errorf("line %d: %w", line, err)
			} else if !c.Addr.IsValid() {
				return true
			}
			stopped = !yield(c, err)
			return !stopped
		}
		for more := s.next(); more; more = s.next() {
			if isLog(s.text) {
				readLog(s, each)
				break
			}
			if strings.HasPrefix(s.text, "From ") || isField(s.text) {
				readMail(s, by, each)
				break
			}
		}
		if s.err != nil && !stopped {
			each(s.line, Client{}, s.err)
		}
	}
}

// readLog reads a log, from the line that the scanner is at.
func readLog(s *scanner, each func(int, Client, error) bool) {
	for more := true; more; more = s.next() {
		if c, err := logLine(s.text); !each(s.line, c, err) {
			return
		}
	}
}
