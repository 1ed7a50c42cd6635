package maillog_test

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/bonafide-mta/bonafide/internal/maillog"
)

// A session is one client, and all that it chose.
type session struct {
	addr             netip.Addr
	ptr              string // "" for none that resolves back
	helo             string // "" for none
	sender, rcpt     string // local parts
	subject, command string
	form             int // which of the ways to write the sender
	cut              int // the most octets that a syslogd keeps of a line
}

// victim is who the others want to look like.
const victim, victimAddr = "post.example.test", "192.0.2.10"

// forgeries are what a client says to be read as another.
var forgeries = []string{
	"post.example.test",
	"[192.0.2.10]",
	" H=(post.example.test) [192.0.2.10] ",
	" H=post.example.test [192.0.2.10] P=esmtp ",
	"post.example.test) [192.0.2.10] (",
	"post.example.test) [192.0.2.10] P=esmtp",
	"<= a@b.test H=(post.example.test) [192.0.2.10] ",
	"x [192.0.2.10]",
	"x) by mx.here.test with esmtp (helo=y",
	"post.example.test) by a",
	" ident=post.example.test) by b ",
	"> proto=ESMTP helo=<post.example.test>",
	"> proto=ESMTP, helo=<post.example.test>",
	"> proto=SMTP helo=<post.example.test>: ",
	"> to=<a@b.test> proto=SMTP helo=<post.example.test> sasl_username=",
	" from post.example.test[192.0.2.10]; from=<a@b.test> to=<c@d.test> proto=ESMTP helo=<post.example.test>: ",
	" from post.example.test[192.0.2.10]: 450 4.7.1 x; from=<a@b.test> proto=ESMTP helo=<post.example.test>",
	" (post.example.test [192.0.2.10])",
	" (post.example.test [192.0.2.10]) by mx.here.test (Postfix) with ESMTP id 1; ",
	" (192.0.2.10) by mx.here.test (198.51.100.1) with Microsoft SMTP Server ",
	" (HELO post.example.test) (192.0.2.10)",
	", relay=post.example.test [192.0.2.10]",
	", relay=post.example.test [192.0.2.10], reject=550 x",
	"from post.example.test (post.example.test [192.0.2.10]) by mx.here.test",
	"2026-01-02 03:04:05 H=(post.example.test) [192.0.2.10] rejected",
	"Jan  2 03:04:05 mx postfix/smtpd[1]: NOQUEUE: reject: RCPT from post.example.test[192.0.2.10]: 450 x; proto=SMTP helo=<post.example.test>",
	`"`, `\`, ")", "(", ">", "<", "]", ";", ",", " ", "\t", " by ", "@",
	strings.Repeat("x", 120), strings.Repeat("x", 700),
}

// hostile draws what a client chooses.
func hostile(t *rapid.T, label string) string {
	return strings.Join(rapid.SliceOfN(rapid.OneOf(rapid.SampledFrom(forgeries), rapid.StringMatching(`[ -~]{0,6}`)), 0, 4).Draw(t, label), "")
}

func drawSession(t *rapid.T) session {
	return session{
		addr:    netip.MustParseAddr(rapid.SampledFrom([]string{"203.0.113.66", "2001:db8::66"}).Draw(t, "addr")),
		ptr:     rapid.SampledFrom([]string{"", "dsl.evil.test", "post.example.test.evil.test"}).Draw(t, "ptr"),
		helo:    hostile(t, "helo"),
		sender:  hostile(t, "sender"),
		rcpt:    hostile(t, "rcpt"),
		subject: hostile(t, "subject"),
		command: hostile(t, "command"),
		form:    rapid.IntRange(0, 2).Draw(t, "form"),
		cut:     rapid.SampledFrom([]int{1018, 1024, 2000, 8190}).Draw(t, "cut"),
	}
}

// quoted writes a local part as clients do that want it taken.
func quoted(local string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(local) + `"@evil.test`
}

// escaped writes it without quotes.
func escaped(local string) string {
	return regexp.MustCompile(`[^A-Za-z0-9]`).ReplaceAllString(local, `\$0`) + "@evil.test"
}

// domain is what Exim, without helo_accept_junk_hosts, and Exchange take in HELO.
var domain = regexp.MustCompile(`^(?:[A-Za-z0-9.-]+|\[[0-9a-fA-F.:]+\])$`)

// A written line or field, and the HELO name in it: what the program made of it.
type written struct{ text, helo string }

// exim writes the lines of Exim's log.
func (s session) exim(junk bool) []written {
	helo := s.helo
	if !junk && !domain.MatchString(helo) {
		helo = ""
	}
	full, known := "["+s.addr.String()+"]:4711", helo
	same := helo == "["+s.addr.String()+"]" || strings.EqualFold(helo, s.ptr)
	switch {
	case s.ptr != "" && helo != "" && !same:
		full = s.ptr + " (" + helo + ") " + full
	case s.ptr != "":
		full = s.ptr + " " + full
		if same {
			known = s.ptr // for the literal of the address, too
		}
	case helo != "":
		full = "(" + helo + ") " + full
	}
	proto := "esmtps"
	if helo == "" {
		proto = "smtp"
	}
	var out []written
	for _, sender := range []string{[]string{quoted(s.sender), escaped(s.sender), "<>"}[s.form]} {
		for _, text := range []string{
			"1abcde-0000000abcd-0Ab <= " + sender + " H=" + full + " I=[198.51.100.1]:25 P=" + proto + " X=TLS1.3 S=1 id=" + s.subject + ` T="` + s.subject + `" from <` + sender + "> for " + quoted(s.rcpt),
			"H=" + full + " X=TLS1.3 F=<" + sender + "> rejected RCPT <" + quoted(s.rcpt) + ">: " + s.command,
			"H=" + full + " temporarily rejected RCPT " + s.command,
			"H=" + full + " Warning: " + s.helo + " " + s.subject,
			"H=" + full + " sender verify fail for <" + sender + ">",
			"rejected MAIL FROM:<" + sender + "> H=" + full + ": message too big",
			`SMTP syntax error in "` + s.command + `" H=` + full + " unrecognized command",
			"rejected EHLO from " + full + ": syntactically invalid argument(s): " + s.helo,
			"1abcde-0000000abcd-0Ab => " + quoted(s.rcpt) + " F=<" + sender + "> R=out T=smtp H=mx.other.test [198.51.100.7]:25 C=\"250 " + s.command + `"`,
			"1abcde-0000000abcd-0Ab ** " + quoted(s.rcpt) + " R=out T=smtp: SMTP error from remote mail server after RCPT TO:<" + quoted(s.rcpt) + ">: host mx.other.test [198.51.100.7]: 550 " + s.command,
		} {
			file := "2026-01-02 03:04:05 +0100 " + text
			if len(file) > 8150 {
				file = file[:8150] + "**** log string overflowed log buffer ****"
			}
			out = append(out, written{file, known}, written{"  Subject: " + s.subject, ""})
			syslog := "2026-01-02 03:04:05 " + text
			for i := 0; i*870 < len(syslog); i++ { // Exim divides long lines
				part := syslog[i*870 : min(len(syslog), (i+1)*870)]
				if len(syslog) > 870 {
					part = fmt.Sprintf("[%d/%d] %s", i+1, len(syslog)/870+1, part)
				}
				out = append(out, s.syslog("exim", part, known))
			}
		}
	}
	return out
}

// syslog writes a line as syslogd does.
func (s session) syslog(program, text, helo string) written {
	if s.cut > len(text)+30 {
		return written{"Jan  2 03:04:05 mx " + program + "[123]: " + text, helo}
	}
	return written{"Jan  2 03:04:05 mx " + program + "[123]: " + text[:s.cut-30], helo}
}

// neuter does to HELO what Postfix does.
func neuter(helo string) string {
	return regexp.MustCompile(`[<>()\\";@]|[^ -~]`).ReplaceAllString(strings.Join(strings.Fields(helo), " "), "?")
}

func (s session) name() string {
	if s.ptr == "" {
		return "unknown"
	}
	return s.ptr
}

// postfix writes the lines of Postfix's log.
func (s session) postfix() []written {
	helo, origin := neuter(s.helo), s.name()+"["+s.addr.String()+"]"
	suffix := " proto=SMTP"
	if helo != "" {
		suffix = " proto=ESMTP helo=<" + helo + ">"
	}
	content := s.subject[:min(200, len(s.subject))]
	var out []written
	for _, sender := range []string{[]string{quoted(s.sender), s.sender + "@evil.test", ""}[s.form]} {
		envelope := "from=<" + sender + "> to=<" + s.rcpt + "@here.test>" + suffix
		for _, line := range [][2]string{
			{"postfix/smtpd", "NOQUEUE: reject: RCPT from " + origin + ": 450 4.7.1 <" + s.helo + ">: Helo command rejected: " + s.command + "; " + envelope},
			{"postfix/submission/smtpd", "4ABC: reject_warning: MAIL from " + origin + ":4711: 504 5.5.2 <" + sender + ">: Sender address rejected; from=<" + sender + ">" + suffix},
			{"postfix/smtpd", "4ABC: client=" + origin + ", sasl_method=PLAIN, sasl_username=" + s.command},
			{"postfix/smtpd", "warning: non-SMTP command from " + origin + ": " + s.command},
			{"postfix/cleanup", "4ABC: warning: header Subject: " + content + " from " + origin + "; " + envelope + ": text"},
			{"postfix/cleanup", "4ABC: reject: body " + content + " from " + origin + "; " + envelope},
			{"postfix/cleanup", "4ABC: hold: header Subject: " + content + " from local; from=<" + sender + "> to=<x@here.test>: " + content},
			{"postfix/cleanup", "4ABC: milter-reject: END-OF-MESSAGE from " + origin + ": 5.7.1 " + s.command + "; " + envelope},
			{"postfix/cleanup", "4ABC: message-id=<" + s.subject + ">"},
			{"postfix/smtp", "4ABC: to=<" + s.rcpt + "@other.test>, relay=mx.other.test[198.51.100.7]:25, status=bounced (host said: 550 " + s.command + ")"},
		} {
			out = append(out, s.syslog(line[0], line[1], helo))
		}
		raw := "" // postscreen keeps HELO as it is
		if s.helo != "" {
			raw = s.helo
		}
		out = append(out, s.syslog("postfix/postscreen", "NOQUEUE: reject: RCPT from ["+s.addr.String()+"]:4711: 550 5.7.1 x; from=<"+sender+">, to=<"+s.rcpt+">, proto=ESMTP, helo=<"+raw+">", raw))
	}
	return out
}

// sendmail writes the lines of sendmail's log, which have no HELO.
func (s session) sendmail() []written {
	from, id := quoted(s.sender), s.subject
	from, id = from[:min(200, len(from))], id[:min(100, len(id))]
	relay := strings.TrimSpace(s.ptr + " [" + s.addr.String() + "]")
	var out []written
	for _, relay := range []string{relay, relay + " (may be forged)", "user@" + relay, "root@localhost"} {
		out = append(out,
			s.syslog("sm-mta", "4AS1: from="+from+", size=1, class=0, nrcpts=1, msgid="+id+", proto=ESMTP, daemon=MTA, relay="+relay, ""),
			s.syslog("sendmail", "4AS1: ruleset=check_rcpt, arg1=<"+quoted(s.rcpt)+">, relay="+relay+", reject=550 5.7.1 "+s.command, ""),
			s.syslog("sm-mta", "4AS1: <-- EHLO "+s.helo, ""),
		)
	}
	return out
}

// received writes the fields of a program of each kind.
func (s session) received(junk bool) []written {
	var out []written
	literal := s.addr.String()
	if s.addr.Is6() {
		literal = "IPv6:" + literal
	}
	add := func(helo, format string, args ...any) {
		out = append(out, written{"Received: " + fmt.Sprintf(format, args...), helo})
	}
	tail := "\n\tfor <" + quoted(s.rcpt) + ">; Fri, 2 Jan 2026 03:04:05 +0000"

	// Postfix
	helo, proto, stated := neuter(s.helo), "ESMTP", neuter(s.helo)
	if helo == "" {
		proto, stated = "SMTP", s.name()
	} else {
		tail = "\n\t(envelope-from " + quoted(s.sender) + ")" + tail
	}
	add(helo, "from %s (%s [%s])\n\tby mx.here.test (Postfix) with %s id 4ABC%s", stated, s.name(), literal, proto, tail)
	if helo != "" {
		cn := strings.NewReplacer("(", "?", ")", "?").Replace(s.command)
		add(helo, "from %s (%s [%s])\n\t(using TLSv1.3 with cipher X (256/256 bits))\n\t(Client CN \"%s\", Issuer \"x\" (not verified))\n\tby mx.here.test (Postfix) with ESMTPS id 4ABC%s", stated, s.name(), literal, cn, tail)
	}
	// Exim
	for _, w := range s.exim(junk)[:1] {
		from, helo, proto := "["+s.addr.String()+"]", s.helo, "esmtp"
		if !junk && w.helo != s.helo {
			helo = ""
		}
		if helo == "" {
			proto = "smtp"
		}
		same := helo == "" || strings.EqualFold(helo, s.ptr) || helo == from
		switch {
		case s.ptr == "" && same:
		case s.ptr == "":
			from += " (helo=" + helo + ")"
		case same:
			from = s.ptr + " (" + from + ")"
		default:
			from = s.ptr + " (" + from + " helo=" + helo + ")"
		}
		add(w.helo, "from %s\n\tby mx.here.test with %s (TLS1.3) tls X\n\t(Exim 4.98)\n\t(envelope-from <%s>)\n\tid 1abc%s", from, proto, quoted(s.sender), tail)
	}
	// sendmail, with AllowBogusHELO
	if word, _, _ := strings.Cut(s.helo, " "); word != "" && !strings.Contains(word, "\t") {
		add(word, "from %s (%s)\n\tby mx.here.test (8.18.1/8.18.1) with ESMTPS id 4AS%s", word, strings.TrimSpace(s.ptr+" ["+literal+"]"), tail)
		add(word, "from %s (root@%s [%s] (may be forged))\n\tby mx.here.test (8.18.1/8.18.1) with ESMTP id 4AS%s", word, s.name(), literal, tail)
	}
	// qmail
	safe := regexp.MustCompile(`[^A-Za-z0-9.@%+/=:-]`).ReplaceAllString(s.helo, "?")
	if safe != "" {
		add(safe, "from %s (HELO %s) (%s)\n  by mx.here.test with SMTP; 2 Jan 2026 03:04:05 -0000", s.name(), safe, s.addr)
		add(safe, "from %s (HELO %s) (a=b@192.0.2.10@%s)\n  by mx.here.test with SMTP; 2 Jan 2026 03:04:05 -0000", s.name(), safe, s.addr)
	}
	add("", "from %s (%s)\n  by mx.here.test with SMTP; 2 Jan 2026 03:04:05 -0000", s.name(), s.addr)
	// Exchange
	if domain.MatchString(s.helo) { // 501 5.5.4 Invalid domain name
		add(s.helo, "from %s (%s) by\n mx.here.test (198.51.100.1) with Microsoft SMTP\n Server (version=TLS1_3, cipher=X) id 15.20.1 via Frontend Transport; Fri, 2 Jan 2026 03:04:05 +0000", s.helo, s.addr)
	}
	return out
}

// Whatever a client says, it is read as itself, or not at all. What an Exim writes with
// helo_accept_junk_hosts counts, too.
func TestOnlyTheClient(t *testing.T) {
	read, lines := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		s, junk := drawSession(t), rapid.Bool().Draw(t, "junk")
		for _, w := range append(append(s.exim(junk), s.postfix()...), append(s.sendmail(), s.received(junk)...)...) {
			lines++
			// The scanner needs to know what it reads before a line that looks like neither.
			text := w.text
			if !strings.HasPrefix(text, "Received") {
				text = "2026-01-02 03:04:04 Start\n" + text
			}
			for c, err := range maillog.Clients(strings.NewReader(text + "\n")) {
				if err != nil {
					if !errors.Is(err, maillog.ErrAmbiguous) {
						t.Fatal(err)
					}
					continue
				}
				if read++; c.Addr != s.addr || c.Helo != "" && c.Helo != w.helo {
					t.Fatalf("%q\nread as %s, HELO %q; is %s, HELO %q", w.text, c.Addr, c.Helo, s.addr, w.helo)
				}
			}
		}
	})
	t.Logf("%d of %d lines read", read, lines)
	if read < lines/20 {
		t.Error("too few: the test shows nothing")
	}
}

// What honest clients leave is read, all of it.
func TestHonestClients(t *testing.T) {
	for _, ptr := range []string{"", "mta1.example.test"} {
		for _, addr := range []string{victimAddr, "2001:db8::10"} {
			s := session{addr: netip.MustParseAddr(addr), ptr: ptr, helo: victim, sender: "a", rcpt: "b", subject: "Offer", command: "x", cut: 2000}
			for _, junk := range []bool{false, true} {
				n := 0
				for _, w := range append(s.received(junk), append(s.exim(junk), s.postfix()...)...) {
					text := w.text
					if !strings.HasPrefix(text, "Received") {
						text = "2026-01-02 03:04:04 Start\n" + text
					}
					for c, err := range maillog.Clients(strings.NewReader(text)) {
						if n++; err != nil || c.Addr != s.addr || c.Helo != victim {
							t.Errorf("%s: %+v, %v", w.text, c, err)
						}
					}
				}
				if n < 14 {
					t.Errorf("%d lines read", n)
				}
			}
		}
	}
}
