package maillog

import (
	"regexp"
	"strings"
)

// A line that is longer may have lost its end. RFC 3164, Section 4.1: 1,024 octets, of which
// a relay may write the first ones anew. Exim's own files have lines of up to 8,192.
const (
	maxSyslog = 1000
	maxExim   = 8000
)

var (
	// syslogLine is what syslogd writes before a message. A program is the first word after
	// the host, and only the machine's own programs write there.
	syslogLine = regexp.MustCompile(`^(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)) [^\s\[\]]*[^\s\[\]:] (?P<program>[^\s\[\]:]+)(?:\[\d+\])?: `)

	// eximLine is what Exim writes before a message, with log_timezone and the selectors
	// millisec and pid. In syslog, its own time stamp may be missing.
	eximLine = regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?(?: [+-]\d{4})? (?:\[\d+\] )?`)
)

// isLog reports whether a line is one of a log.
func isLog(line string) bool { return syslogLine.MatchString(line) || eximLine.MatchString(line) }

// logLine reads a line of a log. The client has no address if the line names none.
func logLine(line string) (Client, error) {
	read, text, limit := exim, line, maxExim
	if m := syslogLine.FindStringSubmatchIndex(line); m != nil {
		read, text, limit = program(line[m[2]:m[3]]), line[m[1]:], maxSyslog
	} else if !eximLine.MatchString(line) {
		return Client{}, nil
	}
	if read == nil {
		return Client{}, nil
	}
	c, err := read(text)
	if len(line) >= limit && (err != nil || c.Addr.IsValid()) {
		return Client{}, ErrAmbiguous
	}
	return c, err
}

// program returns what reads the messages of a program, by its name in syslog.
func program(name string) func(string) (Client, error) {
	first, last := name, name
	if i := strings.IndexByte(name, '/'); i >= 0 {
		first, last = name[:i], name[strings.LastIndexByte(name, '/')+1:]
	}
	switch {
	case strings.HasPrefix(first, "postfix") && first != name: // postfix/smtpd, postfix-in/submission/smtpd
		return postfix[last]
	case strings.HasPrefix(name, "exim"): // exim4
		return exim
	case name == "sendmail" || name == "sm-mta":
		return sendmail
	}
	return nil
}

// Exim. HELO may be anything if helo_accept_junk_hosts is set. The sender is as RFC 5321
// has it: space is in a quoted string or after a backslash alone. What Exim writes about
// servers that it sends to begins otherwise (=>, **), as does what quotes a command first.
var (
	eximStart   = regexp.MustCompile(`^(?:[0-9A-Za-z]+(?:-[0-9A-Za-z]+)* )?(?P<received>[<(]= (?:"(?:[^"\\]|\\.)*"|\\.|[^\s"\\])+ (?:DS )?)?H=`)
	eximHelo    = newForm(`(?:HOST )?\((?P<helo>.*)\) \[ADDR\]PORT(?: |$)`)
	eximName    = newForm(`(?:(?P<name>HOST) )?\[ADDR\]PORT(?: |$)`)
	eximExtends = regexp.MustCompile(`^(?:I=\[[^\[\]]*\](?::\d+)? )?(?:TFO\*? )?(?:Ci=\S+ )?P=esmtp`)
)

func exim(text string) (Client, error) {
	text = text[len(eximLine.FindString(text)):]
	start := eximStart.FindStringSubmatchIndex(text)
	if start == nil {
		return Client{}, nil
	}
	received, text := start[2] >= 0, text[start[1]:]
	m, _, err := eximHelo.match(text)
	if m != nil || err != nil {
		return m.client(), err
	}
	m, rest, err := eximName.match(text)
	if received && eximExtends.MatchString(rest) { // otherwise HELO may be missing
		m["helo"] = m["name"]
	}
	return m.client(), err
}

// Postfix. HELO is last, without angle brackets (postscreen: as it is). The sender before it
// is not quoted before Postfix 3.5, and the reply may quote any command, so that they may
// look like HELO. It is missing if the client used none. cleanup writes the header that it
// matched, not quoted, before the client, and not all of its clients have an address.
var (
	postfix = map[string]func(string) (Client, error){
		"smtpd":      reader(smtpdClient, smtpdHelo),
		"postscreen": reader(postscreenClient, postscreenHelo),
		"cleanup": func(text string) (Client, error) {
			c, err := reader(smtpdClient, smtpdHelo)(text)
			if c.Addr.IsValid() || err != nil {
				return c, err
			}
			return reader(matchClient, matchHelo)(text)
		},
	}
	smtpdClient      = newForm(`[0-9A-Za-z]+: [a-z_-]+: [A-Z][A-Z-]* from HOST\[ADDR\]PORT:`)
	smtpdHelo        = newForm(`.* proto=E?SMTP(?: helo=<(?P<helo>[^<>]*)>)?$`)
	postscreenClient = newForm(`NOQUEUE: reject: [A-Z]+ from \[ADDR\]PORT:`)
	postscreenHelo   = newForm(`.* proto=E?SMTP, helo=<(?P<helo>.*)>$`)
	matchClient      = newForm(`[0-9A-Za-z]+: [a-z_-]+: (?:header|body) .* from (?P<from>HOST\[ADDR\]PORT|HOST(?:\[\S*\])?);`)
	matchHelo        = newForm(`.* proto=E?SMTP(?: helo=<(?P<helo>[^<>]*)>)?(?:$|: )`)
)

// reader returns a reader of messages with two forms: for the client, and for HELO behind
// it.
func reader(client, helo form) func(string) (Client, error) {
	return func(text string) (Client, error) {
		m, rest, err := client.match(text)
		c := m.client()
		if err != nil || !c.Addr.IsValid() {
			return Client{}, err
		}
		m, _, err = helo.match(rest)
		c.Helo = m["helo"]
		return c, err
	}
}

// sendmail. It writes no HELO. The message ID and the sender, or the argument, are before
// the client, which is last, or has the reply behind it.
var sendmailForms = []form{
	newForm(`[0-9A-Za-z]+: from=.*, relay=` + relay + `$`),
	newForm(`[0-9A-Za-z]+: ruleset=[A-Za-z_]+, arg1=.*, relay=` + relay + `(?P<reply>, .*)?$`),
}

const relay = `(?P<relay>(?:[^\s\[\],@]*@)?(?:HOST )?\[ADDR\](?: \([a-z ]*\))?|[^\s\[\],]+)`

func sendmail(text string) (Client, error) {
	for _, f := range sendmailForms {
		if m, _, err := f.match(text); m != nil || err != nil {
			return m.client(), err
		}
	}
	return Client{}, nil
}
