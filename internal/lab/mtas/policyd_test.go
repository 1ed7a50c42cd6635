//go:build interop

package mtas_test

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"net"
	"net/mail"
	"net/netip"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bonafide-mta/bonafide/internal/lab/netns"
)

// The clients of the tests of the set-up that docs/postfix.md has: an MTA, and a machine of
// the mail server's own network.
const (
	mta = "192.0.2.10"
	own = "198.51.100.5"
)

// newPolicyd starts Postfix with the documented set-up, and policyd. Mail that Postfix relays
// is thrown away.
func newPolicyd(t *testing.T) postfix {
	t.Helper()
	_, etc := network(t, []client{{addr: mta}, {addr: own}, {addr: "192.0.2.66"}})
	const documented = "../../../examples/policyd/testdata/postfix/main.cf"
	setup, err := os.ReadFile(documented)
	if err != nil {
		t.Fatal(err)
	}
	const more = "virtual_mailbox_domains = receiver.test mx.receiver.test\nmynetworks = 198.51.100.0/24\ndefault_transport = discard\nsmtpd_sasl_auth_enable = yes\nsmtpd_sasl_type = dovecot\nsmtpd_sasl_path = inet:127.0.0.1:2560\nbroken_sasl_auth_clients = no\n"
	configure(t, etc, more+string(setup), "127.0.0.1:2525 inet n - n - - smtpd\n")
	program := filepath.Join(os.Getenv("BONAFIDE_EXAMPLES"), "policyd")
	netns.WriteFile(t, "/etc/postfix/results", netns.Run(t, program, "-name", "mx.receiver.test", "-print-header-checks"))
	if err := os.Chmod("/etc/postfix/results", 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, "policyd", program, "-name", "mx.receiver.test", "-domain", "receiver.test", "-dns", "127.0.0.1", "-header-checks", "/etc/postfix/results")
	await(t, "127.0.0.1:10040")
	serveAuth(t)
	p := startPostfix(t)
	await(t, "127.0.0.1:2525")
	t.Log(p.version)
	return p
}

// A dialogue is a client's connection with Postfix.
type dialogue struct{ *textproto.Conn }

func connect(t *testing.T, from string, port int) dialogue {
	t.Helper()
	dialer := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(from), 0))}
	conn, err := dialer.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(time.Minute))
	t.Cleanup(func() { conn.Close() })
	return dialogue{textproto.NewConn(conn)}
}

// say sends lines and compares the beginning of each reply: "COMMAND => REPLY".
func (d dialogue) say(t *testing.T, lines ...string) {
	t.Helper()
	for _, line := range lines {
		command, want, _ := strings.Cut(line, " => ")
		if command != "" {
			d.PrintfLine("%s", command)
		}
		code, text, err := d.ReadResponse(0)
		if got := fmt.Sprintf("%d %s", code, text); code == 0 || !strings.HasPrefix(got, want) {
			t.Fatalf("%.200q: got %q, %v, want %q", command, got, err, want)
		}
	}
}

// delivered waits for a number of messages, and returns and removes them.
func (p postfix) delivered(t *testing.T, n int) []string {
	t.Helper()
	var files []string
	for range 100 {
		if files, _ = filepath.Glob(p.mail + "/*"); len(files) >= n {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	var messages []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		os.Remove(file)
		messages = append(messages, string(text))
	}
	if len(messages) != n {
		t.Fatalf("%d messages, want %d: %q", len(messages), n, messages)
	}
	return messages
}

// forgeries are values of Authentication-Results that claim to be from mx.receiver.test, or
// whose authserv-id cannot be read. Others may be deleted with them.
var forgeries = []string{
	" mx.receiver.test; spf=pass forged", "mx.receiver.test;spf=pass forged", "\r\n mx.receiver.test;\r\n\tspf=pass forged", " MX.Receiver.Test 1; spf=pass forged",
	" mx.receiver.test. ; spf=pass forged", "\tmx.receiver.test\r\n\t; spf=pass forged", " (c) mx.receiver.test; spf=pass forged", " (a;b) mx.receiver.test; spf=pass forged",
	" (a(b\\)) ;c) mx.receiver.test; spf=pass forged", " \"mx.receiver.test\"; spf=pass forged", " \"mx.\\receiver.test\"; spf=pass forged", " mx.receiver.test(c); spf=pass forged",
	"\r\n (c)\r\n mx.receiver.test; spf=pass forged", " \"mx.receiver.test\" (c) 1; spf=pass forged", " =?utf-8?q?mx.receiver.test?=; spf=pass forged", " =?utf-8?b?bXgucmVjZWl2ZXIudGVzdA==?=; spf=pass forged",
	"\u00a0mx.receiver.test; spf=pass forged", " mx\u3002receiver.test; spf=pass forged", "; spf=pass forged", " ; spf=pass forged", " (c); spf=pass forged", " \"; spf=pass forged",
}

// ours is the field that policyd writes about the MTA, unfolded.
const ours = " mx.receiver.test; iprev=pass policy.iprev=192.0.2.10; spf=pass smtp.helo=smtp.example.test; spf=pass smtp.mailfrom=a@example.test"

// TestInteropPolicyd: what is delivered has our field once, and no forged one; what is not a
// field of the message is not changed.
func TestInteropPolicyd(t *testing.T) {
	if !enter(t) {
		return
	}
	p := newPolicyd(t)
	d := connect(t, mta, 2525)
	d.say(t, " => 220", "EHLO smtp.example.test => 250")
	send := func(message string) {
		t.Helper()
		d.say(t, "MAIL FROM:<a@example.test> => 250", "RCPT TO:<box@receiver.test> => 250", "RCPT TO:<box2@receiver.test> => 250", "DATA => 354", message+"\r\n. => 250")
	}
	attached := "\r\n--b\r\nContent-Type: message/rfc822\r\nAuthentication-Results: mx.receiver.test; of the part\r\n\r\nAuthentication-Results: mx.receiver.test; of the attached\r\nSubject: y\r\n\r\nAuthentication-Results: mx.receiver.test; of its body\r\n\r\n--b--\r\n"
	for _, name := range []string{"Authentication-Results:", "AUTHENTICATION-results :", "Authentication-Results \t:"} {
		for _, value := range forgeries {
			send("X-Before: 1\r\n" + name + value + "\r\nAuthentication-Results: mx.other.test; spf=pass\r\nX-After: 1\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n" + attached)
			for _, message := range p.delivered(t, 2) {
				m, err := mail.ReadMessage(strings.NewReader(message))
				if err != nil {
					t.Fatal(err)
				}
				fields := m.Header["Authentication-Results"]
				if len(fields) != 2 || fields[0] != ours[1:] || fields[1] != "mx.other.test; spf=pass" || strings.Contains(message, "forged") || strings.Contains(message, "X-Results") ||
					m.Header.Get("X-Before") == "" || m.Header.Get("X-After") == "" || strings.Count(message, "; of ") != 3 {
					t.Errorf("%s%q: delivered %s", name, value, message)
				}
			}
		}
	}
	t.Logf("%d forgeries deleted", 3*len(forgeries))
	// Neither does a carriage return begin a line there, nor does a message continue a field.
	for _, message := range []string{"X-A: 1\rAuthentication-Results: mx.receiver.test; forged\r\n\r\nx", " mx.receiver.test; forged\r\nX-A: 1\r\n\r\nx", "X-A: 1\r\nx\r\nAuthentication-Results: mx.receiver.test; forged\r\n\r\nx"} {
		send(message)
		for _, message := range p.delivered(t, 2) {
			m, err := mail.ReadMessage(strings.NewReader(message))
			if err != nil || len(m.Header["Authentication-Results"]) != 1 || m.Header.Get("Authentication-Results") != ours[1:] || strings.Contains(message, "\r") {
				t.Errorf("%v: delivered %q", err, message)
			}
		}
	}
	d.say(t, "QUIT => 221")
	checkRecipients(t, p)
}

// checkRecipients: a client that is refused reaches the role mailboxes, ten times, and only
// those.
func checkRecipients(t *testing.T, p postfix) {
	t.Helper()
	d := connect(t, "192.0.2.66", 2525)
	d.say(t, " => 220", "EHLO www.example.test => 250")
	for i := range 10 {
		role := []string{"postmaster@receiver.test", "Abuse@receiver.test", "abuse@mx.receiver.test"}[i%3]
		d.say(t, "MAIL FROM:<a@example.test> => 250", "RCPT TO:<box@receiver.test> => 550 5.7.23", "RCPT TO:<"+role+"> => 250", "RCPT TO:<box2@receiver.test> => 550 5.7.23", "DATA => 354", "Subject: x\r\n\r\nx\r\n. => 250")
		for _, message := range p.delivered(t, 1) {
			if !strings.Contains(message, "\nAuthentication-Results: mx.receiver.test; iprev=permerror") || !strings.Contains(message, "spf=fail smtp.helo=www.example.test") {
				t.Errorf("delivered %s", message)
			}
		}
	}
	d.say(t, "MAIL FROM:<a@example.test> => 250", "RCPT TO:<postmaster@receiver.test> => 450 4.5.3", "RCPT TO:<postmaster@isp.test> => 554 5.7.1")
	// Postfix accepts this one by itself, and does not ask.
	d.say(t, "RSET => 250", "MAIL FROM:<a@example.test> => 250", "RCPT TO:<Postmaster> => 250", "DATA => 354", "Authentication-Results: mx.receiver.test; forged\r\n\r\nx\r\n. => 250", "QUIT => 221")
	for _, message := range p.delivered(t, 1) {
		if strings.Contains(message, "Authentication-Results") {
			t.Errorf("delivered %s", message)
		}
	}
	d = connect(t, "192.0.2.66", 2525)
	d.say(t, " => 220", "EHLO nothing.test => 250", "MAIL FROM:<a@bad.example.test> => 250", "RCPT TO:<box@receiver.test> => 450 4.4.3", "RCPT TO:<postmaster@receiver.test> => 250", "RCPT TO:<box@receiver.test> => 450 4.4.3", "QUIT => 221")
}

// TestInteropPolicydNetworks: the machines of mynetworks send to everybody, whatever their
// names, and forge nothing.
func TestInteropPolicydNetworks(t *testing.T) {
	if !enter(t) {
		return
	}
	p := newPolicyd(t)
	d := connect(t, own, 2525)
	d.say(t, " => 220", "EHLO www.example.test => 250", "MAIL FROM:<a@www.example.test> => 250", "RCPT TO:<box@receiver.test> => 250", "RCPT TO:<somebody@elsewhere.test> => 250",
		"DATA => 354", "Authentication-Results: mx.receiver.test; forged\r\nSubject: x\r\n\r\nx\r\n. => 250", "QUIT => 221")
	for _, message := range p.delivered(t, 1) {
		if strings.Contains(message, "Authentication-Results") {
			t.Errorf("delivered %s", message)
		}
	}
	d = connect(t, mta, 2525)
	d.say(t, " => 220", "EHLO smtp.example.test => 250", "MAIL FROM:<a@example.test> => 250", "RCPT TO:<somebody@elsewhere.test> => 554 5.7.1", "RCPT TO:<box@receiver.test> => 250", "QUIT => 221")
}

// TestInteropPolicydLogin: clients that have logged in send to everybody, from anywhere.
func TestInteropPolicydLogin(t *testing.T) {
	if !enter(t) {
		return
	}
	p := newPolicyd(t)
	auth := func(password string) string {
		return "AUTH PLAIN " + base64.StdEncoding.EncodeToString([]byte("\x00me\x00"+password))
	}
	d := connect(t, "192.0.2.66", 2525)
	d.say(t, " => 220", "EHLO www.example.test => 250", auth("wrong")+" => 535", "MAIL FROM:<a@www.example.test> => 250", "RCPT TO:<box@receiver.test> => 550 5.7.", "RSET => 250",
		auth("secret")+" => 235", "MAIL FROM:<a@www.example.test> => 250", "RCPT TO:<box@receiver.test> => 250", "RCPT TO:<somebody@elsewhere.test> => 250",
		"DATA => 354", "Authentication-Results: mx.receiver.test; forged\r\nSubject: x\r\n\r\nx\r\n. => 250", "QUIT => 221")
	for _, message := range p.delivered(t, 1) {
		if strings.Contains(message, "Authentication-Results") {
			t.Errorf("delivered %s", message)
		}
	}
}

// serveAuth serves logins as Dovecot does, for the password secret.
func serveAuth(t *testing.T) {
	t.Helper()
	l := listen(t, "127.0.0.1:2560")
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go login(conn)
		}
	}()
}

// login answers the logins of one connection.
func login(conn net.Conn) {
	defer conn.Close()
	fmt.Fprint(conn, "VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nSPID\t1\nCUID\t1\nCOOKIE\t00000000000000000000000000000000\nDONE\n")
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		words := strings.Split(lines.Text(), "\t")
		if words[0] != "AUTH" || len(words) < 3 {
			continue
		}
		_, response, _ := strings.Cut(lines.Text(), "\tresp=")
		if text, _ := base64.StdEncoding.DecodeString(response); string(text) == "\x00me\x00secret" {
			fmt.Fprintf(conn, "OK\t%s\tuser=me\n", words[1])
		} else {
			fmt.Fprintf(conn, "FAIL\t%s\tuser=me\n", words[1])
		}
	}
}
