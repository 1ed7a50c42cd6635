//go:build interop

package mtas_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bonafide-mta/bonafide/identity/flow"
	"github.com/bonafide-mta/bonafide/internal/lab/netns"
)

// pretenders are what clients say so that a log, or a Received field, looks like it was
// 192.0.2.99 with post.pretended.test. None of them may be read so. Each is HELO, the
// sender, the recipient's local part and the subject.
var pretenders = [][4]string{
	{"honest.test", "a@honest.test", "box", "Offer"},
	{"[192.0.2.99]", `" H=(post.pretended.test) [192.0.2.99] "@evil.test`, "box", "x"},
	{"evil.test", `" H=post.pretended.test [192.0.2.99] P=esmtp "@evil.test`, `" H=(post.pretended.test) [192.0.2.99] "`, " H=(post.pretended.test) [192.0.2.99] "},
	{"post.pretended.test) [192.0.2.99] (", "<= a@b.test H=(post.pretended.test) [192.0.2.99] ", "box", "x"},
	{"post.pretended.test) [192.0.2.99] P=esmtp", `a\ H=\(post.pretended.test\)\ [192.0.2.99]@evil.test`, "box", "x"},
	{"x [192.0.2.99]) by mx.receiver.test with esmtp (helo=post.pretended.test", "", "box", "x"},
	{"x (post.pretended.test [192.0.2.99]) by y", "", "box", "x from post.pretended.test[192.0.2.99]; from=<a@b> to=<c@d> proto=ESMTP helo=<post.pretended.test>: x"},
	{"post.pretended.test (192.0.2.99) by y (192.0.2.98) with Microsoft SMTP Server", "", "box", " from post.pretended.test[192.0.2.99];"},
	{"evil.test", `"> proto=ESMTP helo=<post.pretended.test> to=<a"@evil.test`, `"> proto=ESMTP helo=<post.pretended.test"`, "> proto=ESMTP helo=<post.pretended.test>"},
	{"", `"> proto=SMTP helo=<post.pretended.test>: "@evil.test`, "box", " from post.pretended.test[192.0.2.99]; proto=ESMTP helo=<post.pretended.test>: "},
	{"evil.test", `"` + strings.Repeat("x", 900) + `> proto=ESMTP helo=<post.pretended.test>"@evil.test`, `"> proto=ESMTP helo=<post.pretended.test>"`, "x"},
	{"(HELO post.pretended.test) (192.0.2.99)", "", `"x)\" (post.pretended.test [192.0.2.99])"`, "x"},
}

// pretend sends commands and a message, whatever the server says.
func pretend(conn net.Conn, p [4]string) {
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	text := textproto.NewConn(conn)
	text.ReadResponse(220)
	message := "Received: from post.pretended.test (post.pretended.test [192.0.2.99])\r\n\tby mx.receiver.test (Postfix) with ESMTP id 1\r\nSubject: " + p[3] +
		"\r\n\r\n2026-01-02 03:04:05 H=(post.pretended.test) [192.0.2.99] rejected\r\nReceived: from post.pretended.test (x [192.0.2.99])\r\n."
	commands := []string{"EHLO " + p[0], "MAIL FROM:<" + p[1] + ">", "RCPT TO:<" + p[2] + "@receiver.test>", "RCPT TO:<box@receiver.test>", "DATA", message, "QUIT"}
	if p[0] == "" {
		commands = commands[1:]
	}
	last := 0
	for _, command := range commands {
		if command == message && last != 354 {
			continue
		}
		text.PrintfLine("%s", command)
		last, _, _ = text.ReadResponse(0)
	}
}

// requireTrue requires that a log or a mail shows clients of these addresses alone, and
// returns how many, and how many lines were skipped.
func requireTrue(t *testing.T, name string, text []byte, addrs ...string) (read, skipped int) {
	t.Helper()
	for o, err := range flow.Observations(bytes.NewReader(text)) {
		switch {
		case errors.Is(err, flow.ErrAmbiguous):
			skipped++
			continue
		case err != nil:
			t.Fatalf("%s: %v", name, err)
		}
		read++
		if known := strings.Contains(strings.Join(addrs, " ")+" ", o.Addr.String()+" "); !known || o.Helo == "post.pretended.test" {
			t.Errorf("%s:%d: %s, HELO %q: %s", name, o.Line, o.Addr, o.Helo, bytes.Split(text, []byte("\n"))[o.Line-1])
		}
	}
	return read, skipped
}

// checkEximLogs lets the pretenders send to Exim, with and without helo_accept_junk_hosts
// and a PTR name, and reads its logs and what it delivers.
func checkEximLogs(t *testing.T) {
	t.Helper()
	for _, junk := range []string{"", "*"} {
		x := netns.NewExim(t, `primary_hostname = mx.receiver.test
helo_accept_junk_hosts = `+junk+`
log_selector = +subject +incoming_port +incoming_interface +received_sender +received_recipients +smtp_protocol_error +smtp_syntax_error
smtp_accept_max_nonmail = 100
acl_smtp_mail = mail
acl_smtp_rcpt = rcpt
begin acl
mail:
  warn log_message = $sender_helo_name and $sender_address
  accept
rcpt:
  deny local_parts = ! box
  accept
begin routers
box:
  driver = accept
  transport = box
begin transports
box:
  driver = appendfile
  file = $spool_directory/box
  user = Debian-exim
`)
		for _, flags := range [][]string{{"-oMa", "203.0.113.66.4711"}, {"-oMa", "2001:db8::66", "-oMs", "dsl.evil.test"}} {
			for _, p := range pretenders {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				cmd := x.Command(ctx, append([]string{"-bs", "-odi", "-oMt", "", "-oMi", "198.51.100.1.25"}, flags...)...)
				in, err := cmd.StdinPipe()
				if err != nil {
					t.Fatal(err)
				}
				out, err := cmd.StdoutPipe()
				if err != nil {
					t.Fatal(err)
				}
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				pretend(pipes{out: out, in: in}, p)
				cmd.Wait()
				cancel()
			}
		}
		for _, file := range []string{"mainlog", "rejectlog", "box"} {
			text, err := os.ReadFile(filepath.Join(x.Dir, file))
			if err != nil {
				t.Fatal(err)
			}
			read, skipped := requireTrue(t, file, text, "203.0.113.66", "2001:db8::66")
			t.Logf("Exim, junk %q, %s: %d clients read, %d lines skipped", junk, file, read, skipped)
			if read < 4 && file != "rejectlog" || read == 0 {
				t.Errorf("%s: %s", file, text)
			}
		}
	}
}

// pipes are the standard output and input of a server, as a connection.
type pipes struct {
	net.Conn
	out io.Reader
	in  io.WriteCloser
}

func (p pipes) Read(b []byte) (int, error)  { return p.out.Read(b) }
func (p pipes) Write(b []byte) (int, error) { return p.in.Write(b) }
func (p pipes) Close() error                { return p.in.Close() }
func (p pipes) SetDeadline(time.Time) error { return nil }

// checkLogs lets the pretenders send to Postfix, which warns of subjects, and reads its log
// and what it delivers.
func (p postfix) checkLogs(t *testing.T) {
	t.Helper()
	os.RemoveAll(p.mail)
	netns.Run(t, "/usr/sbin/postconf", "header_checks = regexp:{{/^Subject:/ WARN seen}}")
	netns.Run(t, "/usr/sbin/postfix", "reload")
	before, _ := os.ReadFile("/run/postfix/log")
	clients := []string{"192.0.2.10", "192.0.2.21"} // with a PTR name, and without
	for _, addr := range clients {
		for _, say := range pretenders {
			dialer := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(addr), 0))}
			conn, err := dialer.Dial("tcp", "127.0.0.1:2501")
			if err != nil {
				t.Fatal(err)
			}
			pretend(conn, say)
		}
	}
	var files []string
	for range 50 {
		if files, _ = filepath.Glob(p.mail + "/*"); len(files) >= 10 {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	read, skipped := 0, 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		r, s := requireTrue(t, file, text, clients...)
		read, skipped = read+r, skipped+s
	}
	t.Logf("Postfix: %d messages: %d clients read, %d skipped", len(files), read, skipped)
	log, err := os.ReadFile("/run/postfix/log")
	if err != nil {
		t.Fatal(err)
	}
	r, s := requireTrue(t, "log", log[len(before):], clients...)
	t.Logf("Postfix: log: %d clients read, %d lines skipped", r, s)
	if read < 5 || r < 10 || !bytes.Contains(log, []byte("header Subject: ")) {
		t.Errorf("too few: %s", log[max(0, len(log)-6000):])
	}
}
