package maillog

import (
	"regexp"
	"slices"
	"strings"
)

// isField reports whether a line begins with the name of a header field (RFC 5322, Section
// 2.2).
func isField(line string) bool {
	name, _, ok := strings.Cut(line, ":")
	return ok && name != "" && !strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' })
}

// readMail reads a message, or a file in mbox format, from the line that the scanner is at.
func readMail(s *scanner, by []string, each func(int, Client, error) bool) {
	mbox := strings.HasPrefix(s.text, "From ")
	if !mbox {
		message(s, by, each)
		return // of a message alone, the body may have anything
	}
	for s.next() && message(s, by, each) && s.err == nil && s.skipBody() {
	}
}

// message reads a header, from the line that the scanner is at up to the empty line, and
// reports whether to go on.
func message(s *scanner, by []string, each func(int, Client, error) bool) bool {
	for more := true; more && s.text != ""; {
		line, field, long := s.line, s.text, false
		for more = s.next(); more && s.text != "" && (s.text[0] == ' ' || s.text[0] == '\t'); more = s.next() {
			if long = long || len(field)+len(s.text) > maxLine; !long {
				field += " " + strings.Trim(s.text, " \t") // RFC 5322, Section 2.2.3
			}
		}
		name, body, ok := strings.Cut(field, ":")
		if !ok || !strings.EqualFold(strings.TrimRight(name, " \t"), "Received") || !names(body, by) {
			continue
		}
		c, err := received(strings.TrimLeft(body, " \t"))
		if long {
			c, err = Client{}, ErrAmbiguous
		}
		for more && s.text != "" { // what is below may be the client's
			more = s.next()
		}
		return each(line, c, err) && more
	}
	return true
}

// names reports whether a field may be of one of the hosts: it names it as by. If that is in
// the client's text, the field is the topmost that counts, instead of one further down that
// the client wrote.
func names(body string, by []string) bool {
	words := strings.Fields(body)
	for i, word := range words {
		if i > 0 && strings.EqualFold(words[i-1], "by") && slices.ContainsFunc(by, func(host string) bool {
			return strings.EqualFold(strings.TrimRight(word, ".;"), strings.TrimSuffix(host, "."))
		}) {
			return true
		}
	}
	return len(by) == 0
}

// Fields of Exim. HELO may be anything if helo_accept_junk_hosts is set.
var (
	// from [192.0.2.10] (helo=post.example.org); the client has no PTR name
	eximField = newForm(`from \[ADDR\]PORT \((?:port=\d+ )?helo=(?P<helo>.*)(?: ident=.*)?\)(?: by |$)`)
	// from mta1.example.org ([192.0.2.10] helo=post.example.org)
	eximNameField = newForm(`from HOST \(\[ADDR\]PORT helo=(?P<helo>.*)(?: ident=.*)?\)(?: by |$)`)
)

// Fields of others. HELO is one word without parentheses: what is not, is read by none.
var (
	// Postfix, sendmail, and most others: from post.example.org (mta1.example.org [192.0.2.10])
	field = newForm("from (?P<helo>[^\\s()]+) \\((?:(?:IDENT:)?[A-Za-z0-9!#$%&'*+./^_`{|}~-]+@)?(?:(?P<name>HOST) )?\\[ADDR\\]PORT(?: \\([a-z ]*\\))?\\)")
	// qmail: from mta1.example.org (HELO post.example.org) (ident@192.0.2.10); Haraka: (EHLO post.example.org) ([192.0.2.10])
	qmailField = newForm(`from [^\s()]+ \((?:HELO|EHLO) (?P<helo>[^\s()]+)\) \((?:[^\s()]*@)?\[?ADDR\]?\)`)
	// Exchange: from post.example.org (192.0.2.10) by mx.example.net (198.51.100.1) with Microsoft SMTP Server
	exchangeField = newForm(`from (?P<helo>[^\s()]+) \(ADDR\) by HOST \([0-9A-Fa-f.:]+\) with Microsoft SMTP Server`)
)

// notExtended is the rest of a field by a protocol in which HELO may be missing, before
// anything that the client could have written.
var notExtended = regexp.MustCompile(`(?i)^ +by \S+ (?:\([^()]*\) )?with SMTP\b`)

// received reads the body of a Received field. All forms are tried: what a client puts into
// the form of one program may fit that of another.
func received(body string) (Client, error) {
	if len(body) > 4 && strings.EqualFold(body[:5], "from ") {
		body = "from " + strings.TrimLeft(body[5:], " ")
	}
	var found Client
	for _, f := range []form{eximField, eximNameField, field, qmailField, exchangeField} {
		m, rest, err := f.match(body)
		c := m.client()
		if name, ok := m["name"]; f == field && (!ok || strings.EqualFold(name, c.Helo)) && notExtended.MatchString(rest) {
			c.Helo = ""
		}
		if err != nil || c.Addr.IsValid() && found.Addr.IsValid() && found != c {
			return Client{}, ErrAmbiguous
		}
		if c.Addr.IsValid() {
			found = c
		}
	}
	return found, nil
}
