package maillog_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/bonafide-mta/bonafide/internal/maillog"
)

// read returns the clients in a text, one a line.
func read(text string, by ...string) []string {
	var out []string
	for c, err := range maillog.Clients(strings.NewReader(text), by...) {
		switch {
		case errors.Is(err, maillog.ErrAmbiguous):
			out = append(out, fmt.Sprint(c.Line, " ambiguous"))
		case err != nil:
			out = append(out, err.Error())
		default:
			out = append(out, strings.TrimSpace(fmt.Sprint(c.Line, " ", c.Addr, " ", c.Helo)))
		}
	}
	return out
}

func TestReceived(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"Postfix", "Received: from post.example.test (mta1.example.test [192.0.2.10])\n\tby mx.example.test (Postfix) with ESMTPS id 1", "1 192.0.2.10 post.example.test"},
		{"Postfix, no PTR name", "Received: from post.example.test (unknown [192.0.2.10])", "1 192.0.2.10 post.example.test"},
		{"Postfix, IPv6", "Received: from post.example.test (mta1.example.test [IPv6:2001:db8::10])", "1 2001:db8::10 post.example.test"},
		{"Postfix, the same name", "Received: from mta1.example.test (mta1.example.test [192.0.2.10])\n\tby mx.example.test (Postfix) with ESMTP id 1", "1 192.0.2.10 mta1.example.test"},
		{"Postfix, HELO or none", "Received: from mta1.example.test (mta1.example.test [192.0.2.10])\n\tby mx.example.test (Postfix) with SMTP id 1", "1 192.0.2.10"},
		{"Postfix, HELO with spaces", "Received: from post.example.test [192.0.2.10] (evil.test [203.0.113.66])\n\tby mx.example.test (Postfix) with ESMTP id 1", ""},
		{"Google", "Received: from post.example.test (mta1.example.test. [192.0.2.10])\n        by mx.here.test with ESMTPS id a", "1 192.0.2.10 post.example.test"},
		{"sendmail, with an ident", "Received: from post.example.test (root@mta1.example.test [192.0.2.10] (may be forged))", "1 192.0.2.10 post.example.test"},
		{"sendmail, no PTR name", "Received: from post.example.test ([192.0.2.10])", "1 192.0.2.10 post.example.test"},
		{"folded", "Subject: x\nreceived: from post.example.test\n (mta1.example.test [192.0.2.10])\nby: y", "2 192.0.2.10 post.example.test"},
		{"CR LF", "Received: from post.example.test\r\n\t(mta1.example.test [192.0.2.10])\r\n", "1 192.0.2.10 post.example.test"},
		{"Exim", "Received: from mta1.example.test ([192.0.2.10] helo=post.example.test)\n\tby mx.example.test with esmtp", "1 192.0.2.10 post.example.test"},
		{"Exim, with a port", "Received: from mta1.example.test ([192.0.2.10]:40000 helo=post.example.test)", "1 192.0.2.10 post.example.test"},
		{"Exim, the same name", "Received: from mta1.example.test ([192.0.2.10])\n\tby mx.example.test with esmtp", "1 192.0.2.10 mta1.example.test"},
		{"Exim, the same name or none", "Received: from mta1.example.test ([192.0.2.10])\n\tby mx.example.test with smtp", "1 192.0.2.10"},
		{"Exim, no PTR name", "Received: from [192.0.2.10] (helo=post.example.test)", "1 192.0.2.10 post.example.test"},
		{"Exim, a port first", "Received: from [192.0.2.10] (port=4711 helo=post.example.test)\n\tby x", "1 192.0.2.10 post.example.test"},
		{"Exim, junk", "Received: from [203.0.113.66] (helo=post.example.test) by x with y (helo=z)\n\tby mx.here.test", "1 ambiguous"},
		{"Exim, the form of another", "Received: from [203.0.113.66] (helo=x@y.test [192.0.2.10])\n\tby mx.here.test", "1 203.0.113.66 x@y.test [192.0.2.10]"},
		{"qmail", "Received: from unknown (HELO post.example.test) (192.0.2.10)\n  by mx.here.test with SMTP", "1 192.0.2.10 post.example.test"},
		{"qmail, with an ident", "Received: from mta1.example.test (HELO post.example.test) (a@192.0.2.10)", "1 192.0.2.10 post.example.test"},
		{"qmail, no HELO or the same", "Received: from mta1.example.test (192.0.2.10)\n  by mx.here.test with SMTP", ""},
		{"Haraka", "Received: from mta1.example.test (EHLO post.example.test) ([2001:db8::10]) by mx.here.test (Haraka/3)", "1 2001:db8::10 post.example.test"},
		{"Exchange", "Received: from post.example.test (192.0.2.10) by X.mail.here.test\n (10.1.2.3) with Microsoft SMTP Server", "1 192.0.2.10 post.example.test"},
		{"a literal", "Received: from [192.0.2.10] (mta1.example.test [192.0.2.10])", "1 192.0.2.10 [192.0.2.10]"},
		{"mapped", "Received: from post.example.test (x [::ffff:192.0.2.10])", "1 192.0.2.10 post.example.test"},
		{"no address", "Received: from post.example.test (mta1.example.test [192.0.2.300])", ""},
		{"local", "Received: by mx.here.test (Postfix, from userid 0)\n\tid 1; (post.example.test [192.0.2.10])", ""},
		{"text before from", "Received: (qmail 1 invoked) from post.example.test (x [192.0.2.10])", ""},
		{"the topmost of two", "Received: from a.test (x [192.0.2.1])\nReceived: from b.test (x [192.0.2.2])", "1 192.0.2.1 a.test"},
		{"the topmost, not readable", "Received: from a b (x [192.0.2.1])\nReceived: from b.test (x [192.0.2.2])", ""},
		{"a body", "Subject: x\n\nReceived: from b.test (x [192.0.2.2])\n\nFrom x\nReceived: from b.test (x [192.0.2.2])\n2026-01-02 03:04:05 H=(a.test) [192.0.2.1] x", ""},
		{"mbox", "From a@b\nReceived: from a.test (x [192.0.2.1])\nReceived: from z.test (x [192.0.2.9])\n\nx\nFrom y\nReceived: from z.test (x [192.0.2.9])\n\nFrom c@d\r\nSubject: none\r\n\r\n" + strings.Repeat("long", 30000) + "\n\nFrom x\nReceived: from b.test (x [192.0.2.2])", "2 192.0.2.1 a.test\n15 192.0.2.2 b.test"},
		{"a field too long", "Received: from a.test (x [192.0.2.1])\n" + strings.Repeat(" "+strings.Repeat("x", 60000)+"\n", 3) + "Received: from b.test (x [192.0.2.2])", "1 ambiguous"},
		{"neither mail nor a log", "220 post.example.test ESMTP\nnothing", ""},
		{"nothing", "", ""},
	} {
		if got := strings.Join(read(test.text), "\n"); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

// With the names of one's own hosts, what inner hosts and the client wrote does not count.
func TestReceivedBy(t *testing.T) {
	const outside = "Received: from evil.test (x [203.0.113.66])\n\tby MX.here.test. (Postfix) with ESMTP id 1\n"
	const forged = "Received: from post.example.test (x [192.0.2.10]) by mx.here.test (Postfix) with ESMTP id 2\n"
	for _, test := range []struct{ name, text, want string }{
		{"an inner host above", "Received: from mx.here.test (mx.here.test [198.51.100.1])\n\tby inner.here.test with ESMTP\n" + outside + forged, "3 203.0.113.66 evil.test"},
		{"two hosts", outside + forged, "1 203.0.113.66 evil.test"},
		{"none of them", "Received: from a.test (x [192.0.2.1]) by other.test\n", ""},
		{"by in the client's text", "Received: from x by y (x [203.0.113.66])\n\t(Client CN \"a by b\")\n\tby mx.here.test; x\n" + forged, ""},
		{"by, and nothing", "Received: from a.test (x [192.0.2.1]) by\n" + outside, "2 203.0.113.66 evil.test"},
	} {
		if got := strings.Join(read(test.text, "mx2.here.test", "mx.here.test"), "\n"); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

func TestLog(t *testing.T) {
	const exim, syslog, iso = "2026-01-02 03:04:05 ", "Jan  2 03:04:05 mx ", "2026-01-02T03:04:05.678+01:00 mx.here.test "
	const reject = "NOQUEUE: reject: RCPT from mta1.example.test[192.0.2.10]: 450 4.1.8 x; from=<a@b.test> proto=ESMTP helo=<post.example.test>"
	for _, test := range []struct{ name, text, want string }{
		{"Exim", exim + "1abc-0-00 <= a@b.test H=mta1.example.test (post.example.test) [192.0.2.10] P=esmtp", "192.0.2.10 post.example.test"},
		{"Exim, no PTR name", exim + "1abc <= a@b.test H=(post.example.test) [2001:db8::10]:5555 P=esmtp", "2001:db8::10 post.example.test"},
		{"Exim, the bounce", exim + "1abc <= <> H=(post.example.test) [192.0.2.10] P=esmtp", "192.0.2.10 post.example.test"},
		{"Exim, the same name", exim + "1abc <= a@b.test H=mta1.example.test [192.0.2.10]:5555 I=[198.51.100.1]:25 P=esmtps", "192.0.2.10 mta1.example.test"},
		{"Exim, the same name or none", exim + "1abc <= a@b.test H=mta1.example.test [192.0.2.10] P=smtp", "192.0.2.10"},
		{"Exim, before HELO", exim + "H=mta1.example.test [192.0.2.10] rejected connection in \"connect\" ACL", "192.0.2.10"},
		{"Exim, refused", exim + "H=mta1.example.test (post.example.test) [192.0.2.10] X=TLS F=<u@h> rejected RCPT", "192.0.2.10 post.example.test"},
		{"Exim, selectors", "2026-01-02 03:04:05.678 +0100 [123] H=(post.example.test) [192.0.2.10] x", "192.0.2.10 post.example.test"},
		{"Exim, syslog", syslog + "exim[123]: " + exim + "H=(post.example.test) [192.0.2.10] x", "192.0.2.10 post.example.test"},
		{"Exim, syslog without its time", iso + "exim4[123]: 1abc <= a@b.test H=(post.example.test) [192.0.2.10] x", "192.0.2.10 post.example.test"},
		{"Exim, part of a line", syslog + "exim[123]: [2/2] H=(post.example.test) [192.0.2.10] x", ""},
		{"Exim, a sender", exim + `1abc <= " H=(post.example.test) [192.0.2.10] "@evil.test H=(evil.test) [203.0.113.66] P=esmtp`, "203.0.113.66 evil.test"},
		{"Exim, a sender and no HELO", exim + `1abc <= "\" H=(post.example.test) [192.0.2.10] "@evil.test H=[203.0.113.66] P=smtp`, "203.0.113.66"},
		{"Exim, junk", exim + "H=(post.example.test) [192.0.2.10] ) [203.0.113.66] F=<> rejected RCPT x", "ambiguous"},
		{"Exim, junk and a sender", exim + "1abc <= a@b.test H=(post.example.test) [192.0.2.10] () [203.0.113.66] P=esmtp", "ambiguous"},
		{"Exim, a server", exim + "1abc => a@b.test R=out T=smtp H=post.example.test [192.0.2.10] X=TLS", ""},
		{"Exim, a server's error", exim + "1abc ** a@b.test: SMTP error from remote mail server: host post.example.test [192.0.2.10]: 550 x H=(a) [192.0.2.1] ", ""},
		{"Exim, a quoted command", exim + `SMTP syntax error in "x H=(post.example.test) [192.0.2.10] " H=(evil.test) [203.0.113.66] x`, ""},
		{"Exim, a line that may be cut", exim + "H=(post.example.test) [192.0.2.10] " + strings.Repeat("x", 8000), "ambiguous"},

		{"Postfix", syslog + "postfix/smtpd[1]: " + reject, "192.0.2.10 post.example.test"},
		{"Postfix, ISO", iso + "postfix/submission/smtpd[1]: " + reject, "192.0.2.10 post.example.test"},
		{"Postfix, an instance", "2026-01-02T03:04:05Z mx postfix-in/smtpd[1]: " + reject, "192.0.2.10 post.example.test"},
		{"Postfix, without a PID", syslog + "postfix/smtpd: " + reject, "192.0.2.10 post.example.test"},
		{"Postfix, no HELO", syslog + "postfix/smtpd[1]: NOQUEUE: reject: RCPT from unknown[203.0.113.66]: 450 x; from=<x> proto=SMTP helo=<post.example.test>@evil> to=<a@b.test> proto=SMTP", "203.0.113.66"},
		{"Postfix, no HELO, a header", syslog + "postfix/cleanup[1]: 4ABC: info: header Subject: x from unknown[203.0.113.66]; from=<x> proto=SMTP helo=<post.example.test>: @evil> to=<a@b.test> proto=SMTP: text", "ambiguous"},
		{"Postfix, a sender as the last", syslog + "postfix/smtpd[1]: NOQUEUE: reject: RCPT from unknown[203.0.113.66]: 450 x; from=<x> proto=ESMTP helo=<post.example.test>@evil> to=<a@b.test> proto=ESMTP helo=<evil.test>", "203.0.113.66 evil.test"},
		{"Postfix, no address", syslog + "postfix/smtpd[1]: NOQUEUE: reject: CONNECT from unknown[unknown]: 421 x; proto=SMTP", ""},
		{"Postfix, a header", syslog + "postfix/cleanup[1]: 4ABC: warning: header Subject: x from mta1.example.test[192.0.2.10]; from=<a@b.test> to=<c@d.test> proto=ESMTP helo=<post.example.test>: text", "192.0.2.10 post.example.test"},
		{"Postfix, a forged header", syslog + "postfix/cleanup[1]: 4ABC: reject: header Subject: x from post.example.test[192.0.2.10]; from=<> proto=ESMTP helo=<post.example.test>: x from unknown[203.0.113.66]; from=<> proto=ESMTP helo=<evil.test>", "ambiguous"},
		{"Postfix, a forged header of a local mail", syslog + "postfix/cleanup[1]: 4ABC: reject: header Subject: x from post.example.test[192.0.2.10]; proto=ESMTP helo=<post.example.test>: x from local; from=<>", "ambiguous"},
		{"Postfix, a Milter", syslog + "postfix/cleanup[1]: 4ABC: milter-reject: END-OF-MESSAGE from unknown[192.0.2.10]: 5.7.1 x; from=<> proto=ESMTP helo=<post.example.test>", "192.0.2.10 post.example.test"},
		{"postscreen", syslog + "postfix/postscreen[1]: NOQUEUE: reject: RCPT from [192.0.2.10]:4711: 550 x; from=<>, to=<a@b.test>, proto=ESMTP, helo=<post.example.test>", "192.0.2.10 post.example.test"},
		{"postscreen, junk", syslog + "postfix/postscreen[1]: NOQUEUE: reject: RCPT from [203.0.113.66]:4711: 550 x; from=<>, proto=ESMTP, helo=<evil>, proto=ESMTP, helo=<post.example.test>", "ambiguous"},
		{"Postfix as a client", syslog + "postfix/smtp[1]: 4ABC: to=<a@b.test>, relay=post.example.test[192.0.2.10]:25, status=sent", ""},
		{"Postfix, a line that may be cut", syslog + "postfix/smtpd[1]: NOQUEUE: reject: RCPT from unknown[203.0.113.66]: 450 " + strings.Repeat("x", 900) + " proto=SMTP helo=<post.example.test>", "ambiguous"},

		{"sendmail", syslog + "sm-mta[1]: 4AS1: from=<a@b.test>, size=1, class=0, nrcpts=1, msgid=<x, relay=post.example.test [192.0.2.10]>, proto=ESMTP, daemon=MTA, relay=evil.test [203.0.113.66] (may be forged)", "203.0.113.66"},
		{"sendmail, local", syslog + "sendmail[1]: 4AS1: from=root, size=1, msgid=<x, relay=post.example.test [192.0.2.10], reject=550>, relay=root@localhost", ""},
		{"sendmail, a ruleset", syslog + "sm-mta[1]: 4AS1: ruleset=check_rcpt, arg1=<a@b.test>, relay=user@mta1.example.test [IPv6:2001:db8::10], reject=550 5.7.1 x", "2001:db8::10"},
		{"sendmail, a forged argument", syslog + "sm-mta[1]: 4AS1: ruleset=check_rcpt, arg1=<x, relay=post.example.test [192.0.2.10], reject=>, relay=root@localhost, reject=550 x", "ambiguous"},

		{"another program", syslog + "sshd[1]: postfix/smtpd[1]: " + reject, ""},
		{"another program without a host", "Jan  2 03:04:05 sshd[1]: postfix/smtpd[1]: " + reject, ""},
		{"text before", "x" + exim + "H=(post.example.test) [192.0.2.10] x", ""},
		{"mail", "Received: from post.example.test (x [192.0.2.10])", ""},
	} {
		want := []string(nil)
		if test.want != "" {
			want = []string{"2 " + test.want}
		}
		if diff := cmp.Diff(want, read("Jan  2 03:04:05 mx kernel: x\n"+test.text+"\n")); diff != "" {
			t.Errorf("%s: %s", test.name, diff)
		}
	}
}

func TestClientsEnd(t *testing.T) {
	failure := errors.New("broken")
	const line = "Received: from a.test (x [192.0.2.1])\n"
	const log = "2026-01-02 03:04:05 H=(a.test) [192.0.2.1] x\n"
	for _, test := range []struct {
		name string
		r    io.Reader
		want error
		n    int
	}{
		{"a reader that fails", io.MultiReader(strings.NewReader(line), iotest.ErrReader(failure)), failure, 1},
		{"in a line", io.MultiReader(strings.NewReader(log+log[:40]), iotest.ErrReader(failure)), failure, 1},
		{"in a body", io.MultiReader(strings.NewReader("From x\n"+line+"\nx\nx"), iotest.ErrReader(failure)), failure, 1},
		{"a line too long", strings.NewReader(line + strings.Repeat("x", 70_000)), bufio.ErrTooLong, 1},
		{"a device", endless{}, bufio.ErrTooLong, 0},
		{"a log too long", strings.NewReader(log + strings.Repeat("x", 70_000)), bufio.ErrTooLong, 1},
	} {
		n, last := 0, error(nil)
		for _, err := range maillog.Clients(test.r) {
			if last != nil {
				t.Errorf("%s: goes on after %v", test.name, last)
			}
			if last = err; err == nil {
				n++
			}
		}
		if !errors.Is(last, test.want) || n != test.n {
			t.Errorf("%s: %d clients, %v", test.name, n, last)
		}
	}
	// Nothing is yielded to those that have enough.
	for _, text := range []string{log + strings.Repeat("x", 70_000), line + strings.Repeat("x", 70_000), "From x\n" + line + "\n\nFrom y\n" + line, log + log} {
		for range maillog.Clients(strings.NewReader(text)) {
			break
		}
	}
}

// endless is a device without line ends.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func FuzzClients(f *testing.F) {
	f.Add("Received: from a.test (b.test [192.0.2.1])\n\tby c")
	f.Add("From x\nReceived: from [192.0.2.1] (helo=a) by b\n\nFrom y\n")
	f.Add("2026-01-02 03:04:05 H=a (b) [::1] x\n")
	f.Add("Jan  2 03:04:05 mx postfix/cleanup[1]: A: warning: header a from b[192.0.2.1]; proto=SMTP helo=<c>\n")
	f.Add("Jan  2 03:04:05 mx sm-mta[1]: A: from=a, relay=b [192.0.2.1]\n")
	f.Fuzz(func(t *testing.T, text string) {
		lines := strings.Count(text, "\n") + 1
		for c, err := range maillog.Clients(strings.NewReader(text)) {
			if c.Line < 1 || c.Line > lines || err == nil && !c.Addr.IsValid() || strings.Contains(c.Helo, "\n") {
				t.Errorf("%+v, %v", c, err)
			}
		}
	})
}
