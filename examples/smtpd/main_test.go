package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/bonafide-mta/bonafide/examples/internal/daemon"
	"github.com/bonafide-mta/bonafide/examples/internal/demo"
	"github.com/bonafide-mta/bonafide/examples/internal/pipenet"
	"github.com/bonafide-mta/bonafide/examples/internal/recipient"
	"github.com/bonafide-mta/bonafide/resolver"
)

var (
	update   = flag.Bool("update", false, "rewrite what testdata expects")
	sessions = flag.Int("sessions", 500, "of the load test")
)

// go-smtp v0.25.1 may leave the goroutine of a BDAT behind that RSET or QUIT interrupts, if
// another BDAT follows at once.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/emersion/go-smtp.(*Conn).handleBdat.func1"))
}

// The README shows what the demonstration prints.
func TestDemonstration(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), nil, &out); err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "demo.txt")
	if *update {
		if err := os.WriteFile(golden, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), out.String()); diff != "" {
		t.Errorf("-want +got, -update rewrites it:\n%s", diff)
	}
}

// The two programs that README.md compares compile.
func TestEmbed(t *testing.T) {
	out, err := exec.Command("go", "vet", "./testdata/embed/before", "./testdata/embed/after").CombinedOutput()
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

func TestFlags(t *testing.T) {
	for _, tt := range []struct{ args, want string }{
		{"-domain a.test -maildir d", "-name"},
		{"-name a_b.test -domain a.test -maildir d", "-name"},
		{"-name localhost -domain a.test -maildir d", "-name"},
		{"-name mx.a.test -maildir d", "-domain is missing"},
		{"-name mx.a.test -domain a.test", "-maildir is missing"},
		{"-name mx.a.test -domain a.test -maildir d -connections 0", "over 0"},
		{"-name mx.a.test -domain a.test -maildir d -trusted x", "expected a network"},
		{"-name mx.a.test -domain a.test -maildir d -dns 127.0.0.1 -zone z", "exclude each other"},
		{"-name mx.a.test -domain a.test -maildir d -dns nowhere", "nowhere"},
		{"-name mx.a.test -domain a.test -maildir d -zone missing.zone", "missing.zone"},
		{"-name mx.a.test -domain a.test -maildir d -cert c", "belong together"},
		{"-name mx.a.test -domain a.test -maildir d -cert missing.pem -key missing.pem", "missing.pem"},
		{"-name mx.a.test -domain a.test -maildir d -cert /dev/zero -key k", "/dev/zero: more than 1 MiB"},
		{"-name mx.a.test -domain a.test -maildir d -cert main.go -key main.go", "main.go"},
		{"-name mx.a.test -domain a.test -maildir d -policy missing.yaml", "missing.yaml"},
		{"-name mx.a.test -domain a.test -maildir d -policy /dev/zero", "/dev/zero: more than 256 KiB"},
		{"-name mx.a.test -domain a.test -maildir d more", "unexpected"},
		{"-unknown", "unknown"},
	} {
		err := run(t.Context(), strings.Fields(tt.args), io.Discard)
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", tt.args, err)
		}
	}
	var out bytes.Buffer
	if err := run(t.Context(), []string{"-h"}, &out); !errors.Is(err, flag.ErrHelp) || out.String() != usage {
		t.Error(err, out.String())
	}
}

// A running server, with what it has delivered and logged.
type running struct {
	dial daemon.Dial
	dir  string
	log  *bytes.Buffer // read it after stop
	stop func() error
}

// serve starts a server over the zones of the demonstration, or another resolver.
func serve(t *testing.T, change func(*options)) *running {
	t.Helper()
	zones, err := demo.Read(demo.ClientsZone)
	if err != nil {
		t.Fatal(err)
	}
	d := &running{dir: t.TempDir(), log: new(bytes.Buffer)}
	o := &options{maildir: d.dir, perClient: 300}
	o.Name, o.Domains, o.Connections, o.Verifier.Resolver = "mx.quay.example", []string{"quay.example"}, 300, zones
	if change != nil {
		change(o)
	}
	d.dial, d.stop = daemon.Start(t.Context(), slog.New(slog.NewTextHandler(d.log, nil)), o.serve)
	t.Cleanup(func() {
		if err := d.stop(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// messages returns what was delivered.
func (d *running) messages(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(d.dir, "new", "*"))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(text))
	}
	if left, _ := filepath.Glob(filepath.Join(d.dir, "tmp", "*")); len(left) > 0 {
		t.Errorf("left in tmp: %v", left)
	}
	return out
}

// dial connects from an address.
func dial(t *testing.T, d *running, from string) *textproto.Conn {
	t.Helper()
	conn, err := d.dial(from)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	c := textproto.NewConn(conn)
	t.Cleanup(func() { c.Close() })
	return c
}

// converse sends lines and compares the beginning of each reply: "COMMAND => REPLY".
func converse(t *testing.T, c *textproto.Conn, lines ...string) {
	t.Helper()
	for _, line := range lines {
		command, want, ok := strings.Cut(line, " => ")
		if command != "" {
			if _, err := io.WriteString(c.W, command+"\r\n"); err != nil || c.W.Flush() != nil {
				t.Fatal(err)
			}
		}
		if !ok {
			continue
		}
		code, text, err := c.ReadResponse(0)
		if got := fmt.Sprintf("%d %s", code, strings.ReplaceAll(text, "\n", " ")); err != nil && code == 0 || !strings.HasPrefix(got, want) {
			t.Fatalf("%q: got %q %v, want %q", command, got, err, want)
		}
	}
}

func TestConversations(t *testing.T) {
	for name, lines := range map[string][]string{
		"good":                {" => 220", "EHLO post.harbour.example => 250", "MAIL FROM:<a@harbour.example> => 250", "RCPT TO:<b@quay.example> => 250", "DATA => 354", "Subject: x\r\n\r\nx\r\n. => 250", "QUIT => 221"},
		"forged HELO":         {" => 220", "EHLO www.harbour.example => 250", "MAIL FROM:<a@harbour.example> => 250", "RCPT TO:<b@quay.example> => 550 5.7.23", "DATA => 502"},
		"another name then":   {" => 220", "EHLO www.harbour.example => 250", "EHLO post.harbour.example => 250", "MAIL FROM:<a@harbour.example> => 250", "RCPT TO:<b@quay.example> => 250"},
		"second EHLO, forged": {" => 220", "EHLO post.harbour.example => 250", "EHLO www.harbour.example => 250", "MAIL FROM:<a@harbour.example> => 250", "RCPT TO:<b@quay.example> => 550 5.7.23"},
		"PTR name, locked":    {" => 220", "EHLO mta1.harbour.example => 250", "MAIL FROM:<a@harbour.example> => 250", "RCPT TO:<b@quay.example> => 550 5.7.23"},
		"null MX":             {" => 220", "EHLO post.harbour.example => 250", "MAIL FROM:<a@www.harbour.example> => 250", "RCPT TO:<b@quay.example> => 550 5.7.27", "RSET => 250", "MAIL FROM:<a@harbour.example> => 250", "RCPT TO:<b@quay.example> => 250"},
		"null sender":         {" => 220", "EHLO post.harbour.example => 250", "MAIL FROM:<> => 250", "RCPT TO:<b@quay.example> => 250"},
		"relaying":            {" => 220", "EHLO post.harbour.example => 250", "MAIL FROM:<> => 250", "RCPT TO:<a@other.example> => 550 5.7.1", "RCPT TO:<postmaster@other.example> => 550 5.7.1", "RCPT TO:<a@mx.quay.example> => 550 5.7.1", "RCPT TO:<a@QUAY.example> => 250"},
		"UTF-8":               {" => 220", "EHLO post.harbour.example => 250", "MAIL FROM:<ü@bücher.example> SMTPUTF8 => 250", "RCPT TO:<b@quay.example> => 250"},
		"malformed":           {" => 220", "EHLO => 501", "EHLO a..b => 250", "MAIL FROM:<a b@harbour.example> => 501", "MAIL => 501", "MAIL FROM:<a@-.example> => 250", "RCPT TO:<b@quay.example> => 501 5.1.7"},
		"control characters":  {" => 220", "EHLO post.harbour.example => 250", "MAIL FROM:<\"a\rb\"@harbour.example> => 501 5.1.7", "MAIL FROM:<\"a\x1b\"@harbour.example> => 501 5.1.7", "MAIL FROM:<a\xff@harbour.example> => 501 5.1.7", "MAIL FROM:<a@harbour.example> => 250", "RCPT TO:<\"b\x00\"@quay.example> => 501 5.1.3", "RCPT TO:<b@quay..example> => 501 5.1.3"},
		"roles":               {" => 220", "EHLO www.harbour.example => 250", "MAIL FROM:<a@www.harbour.example> => 250", "RCPT TO:<postmaster@quay.example> => 250", "RCPT TO:<b@quay.example> => 550 5.7.23", "RCPT TO:<Abuse@mx.quay.example> => 250", "rcpt to: <PostMaster> => 250", "DATA => 354", "Subject: x\r\n\r\nx\r\n. => 250", "QUIT => 221"},
		"quoted address":      {" => 220", "EHLO post.harbour.example => 250", `MAIL FROM:<"<a@harbour.example> b"@www.harbour.example> => 250`, "RCPT TO:<b@quay.example> => 501 5.1.7", "RSET => 250", "MAIL FROM:<> => 250", `RCPT TO:<"<postmaster@quay.example> b"@other.example> => 501`, `RCPT TO:<"<b@quay.example> X=1"@other.example> => 501`, `RCPT TO:<"@x"@other.example:quay.example> => 501`},
		"bare CR":             {" => 220", "EHLO post.harbour.example => 250", "MAIL FROM:<> => 250", "RCPT TO:<b@quay.example> => 250", "DATA => 354", "Subject: x\rAuthentication-Results: mx.quay.example; spf=pass\r\n\r\nx\r\n. => 250"},
		"binary":              {" => 220", "\x00\xff\xfe\x01 => 50"},
	} {
		t.Run(name, func(t *testing.T) {
			d := serve(t, nil)
			converse(t, dial(t, d, "192.0.2.10"), lines...)
		})
	}
}

// Ten role mailboxes of one connection get through against the verdict, in as many messages
// as the client likes, and RSET does not begin to count anew.
func TestRoles(t *testing.T) {
	d := serve(t, nil)
	c := dial(t, d, "192.0.2.66")
	converse(t, c, " => 220", "EHLO post.harbour.example => 250")
	for range recipient.MaxRoles / 2 {
		converse(t, c, "MAIL FROM:<a@harbour.example> => 250", "RCPT TO:<abuse@quay.example> => 250", "RCPT TO:<Postmaster> => 250", "RCPT TO:<b@quay.example> => 550 5.7.23", "DATA => 354", "\r\nx\r\n. => 250")
	}
	converse(t, c, "MAIL FROM:<a@harbour.example> => 250", "RCPT TO:<abuse@quay.example> => 452 4.5.3", "RSET => 250", "MAIL FROM:<a@harbour.example> => 250", "RCPT TO:<Postmaster> => 452 4.5.3", "QUIT => 221")
	honest := dial(t, d, "192.0.2.10")
	converse(t, honest, " => 220", "EHLO post.harbour.example => 250", "MAIL FROM:<> => 250")
	for range 2 * recipient.MaxRoles {
		converse(t, honest, "RCPT TO:<Postmaster> => 250")
	}
	converse(t, honest, "QUIT => 221")
	if err := d.stop(); err != nil {
		t.Fatal(err)
	}
	log := d.log.String()
	if strings.Count(log, "msg=delivered") != 5 || strings.Count(log, `recipients="[abuse@quay.example Postmaster@mx.quay.example]"`) != 5 ||
		strings.Count(log, `msg=refused recipient=b@quay.example reply="550 5.7.23`) != 5 || strings.Count(log, `msg=refused recipient=abuse@quay.example reply="452`) != 1 {
		t.Errorf("log: %s", log)
	}
}

// A client that is told 421 is heard no more.
func TestExhausted(t *testing.T) {
	d := serve(t, func(o *options) { o.Verifier.MaxQuestions = 1 })
	c := dial(t, d, "192.0.2.10")
	converse(t, c, " => 220", "EHLO post.harbour.example => 250")
	for i := range 500 {
		// RSET gives nothing back, and what is sent behind MAIL is not heard after 421.
		fmt.Fprintf(c.W, "MAIL FROM:<a@d%d.example>\r\nRSET\r\n", i)
		c.W.Flush()
		line, err := c.R.Peek(3)
		if err != nil || string(line) == "421" {
			break
		}
		converse(t, c, " => 250", " => 250")
	}
	text, err := io.ReadAll(c.R)
	if !strings.HasPrefix(string(text), "421 4.7.0 ") || strings.Count(string(text), "\n") != 1 || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	if err := d.stop(); err != nil {
		t.Fatal(err)
	}
	if log := d.log.String(); strings.Count(log, "\n") != 1 || !strings.Contains(log, "msg=closed") {
		t.Errorf("log: %s", log)
	}
}

// Nor if all its commands come encrypted, in one piece.
func TestExhaustedTLS(t *testing.T) {
	d := serve(t, func(o *options) {
		o.Verifier.MaxQuestions = 1
		o.tls = &tls.Config{Certificates: []tls.Certificate{certificate(t)}}
	})
	plain, err := d.dial("192.0.2.10")
	if err != nil {
		t.Fatal(err)
	}
	plain.SetDeadline(time.Now().Add(30 * time.Second))
	converse(t, textproto.NewConn(plain), " => 220", "EHLO post.harbour.example => 250", "STARTTLS => 220")
	encrypted := tls.Client(plain, &tls.Config{InsecureSkipVerify: true})
	commands := "EHLO post.harbour.example\r\n"
	for i := range 200 {
		commands += fmt.Sprintf("MAIL FROM:<a@d%d.example>\r\nRSET\r\n", i)
	}
	commands += "MAIL FROM:<>\r\nRCPT TO:<postmaster@quay.example>\r\nDATA\r\nSubject: x\r\n\r\n.\r\n"
	go io.WriteString(encrypted, commands)
	text, _ := io.ReadAll(encrypted)
	if strings.Count(string(text), "421 4.7.0 ") != 1 || strings.Contains(string(text), "354") {
		t.Errorf("%s", text)
	}
	encrypted.Close()
	if err := d.stop(); err != nil {
		t.Fatal(err)
	}
	if log := d.log.String(); strings.Count(log, "msg=closed") != 1 || strings.Contains(log, "msg=delivered") || len(d.messages(t)) > 0 {
		t.Errorf("log: %.3000s", log)
	}
}

// certificate makes a key and a certificate for it.
func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}
}

// After STARTTLS the client sends HELO again, and is judged by that.
func TestStartTLS(t *testing.T) {
	d := serve(t, func(o *options) { o.tls = &tls.Config{Certificates: []tls.Certificate{certificate(t)}} })
	for heloName, want := range map[string]string{"post.harbour.example": "250", "www.harbour.example": "550 5.7.23"} {
		plain, err := d.dial("192.0.2.10")
		if err != nil {
			t.Fatal(err)
		}
		plain.SetDeadline(time.Now().Add(30 * time.Second))
		converse(t, textproto.NewConn(plain), " => 220", "EHLO post.harbour.example => 250", "MAIL FROM:<a@harbour.example> => 250", "RCPT TO:<postmaster> => 250", "STARTTLS => 220")
		encrypted := textproto.NewConn(tls.Client(plain, &tls.Config{InsecureSkipVerify: true}))
		converse(t, encrypted, "MAIL FROM:<a@harbour.example> => 502", "EHLO "+heloName+" => 250", "MAIL FROM:<a@harbour.example> => 250", "RCPT TO:<b@quay.example> => "+want,
			"RCPT TO:<postmaster@mx.quay.example> => 250", "RCPT TO:<postmaster> => 501", "DATA => 354", "RCPT TO:<postmaster>\r\n. => 250", "QUIT => 221")
		encrypted.Close()
	}
}

// A line without end costs its connection, which may be gone before the reply is read.
func TestEndlessLine(t *testing.T) {
	d := serve(t, nil)
	for _, n := range []int{10_000, 10 << 20} {
		c := dial(t, d, "192.0.2.10")
		converse(t, c, " => 220")
		io.WriteString(c.W, "EHLO "+strings.Repeat("x", n)+"\r\n")
		c.W.Flush()
		if code, text, err := c.ReadResponse(0); code != 500 && (err == nil || code != 0) {
			t.Errorf("%d octets: %d %s, %v", n, code, text, err)
		}
	}
}

// Without DNS mail is put off, never refused.
func TestWithoutDNS(t *testing.T) {
	d := serve(t, func(o *options) {
		o.Verifier.Resolver = resolver.Func(func(context.Context, string, uint16) (resolver.Answer, error) {
			return resolver.Answer{}, errors.New("down")
		})
	})
	converse(t, dial(t, d, "192.0.2.10"), " => 220", "EHLO post.harbour.example => 250", "MAIL FROM:<a@harbour.example> => 250", "RCPT TO:<b@quay.example> => 451 4.4.3", "RCPT TO:<postmaster@quay.example> => 250", "RSET => 250", "MAIL FROM:<a@[192.0.2.10]> => 250", "RCPT TO:<b@quay.example> => 250")
}

// Fields that claim to be ours are deleted or, behind a lone CR, made part of another.
func TestForgedFields(t *testing.T) {
	d := serve(t, nil)
	header := " Authentication-Results: mx.quay.example; spf=pass\r\n" +
		"X-One: 1\r\n" +
		"authentication-results :\r\n (comment) \"MX.quay.example\" 1;\r\n\tspf=pass\r\n" +
		"Authentication-Results: mx.other.example; spf=pass\r\n" +
		"Subject: a\r\n  folded\r\nX-Two: 2\rAuthentication-Results: mx.quay.example; spf=pass\r\n"
	body := "\r\nAuthentication-Results: mx.quay.example; of the body\r\n"
	converse(t, dial(t, d, "192.0.2.10"), " => 220", "EHLO post.harbour.example => 250", "MAIL FROM:<> => 250", "RCPT TO:<b@quay.example> => 250", "DATA => 354", header+body+". => 250", "QUIT => 221")
	if err := d.stop(); err != nil {
		t.Fatal(err)
	}
	messages := d.messages(t)
	if len(messages) != 1 {
		t.Fatalf("%d messages", len(messages))
	}
	want := "X-One: 1\r\nAuthentication-Results: mx.other.example; spf=pass\r\nSubject: a\r\n  folded\r\nX-Two: 2 Authentication-Results: mx.quay.example; spf=pass\r\n" + body
	if _, got, _ := strings.Cut(messages[0], "X-One"); "X-One"+got != want {
		t.Errorf("got %q", messages[0])
	}
	if strings.Count(messages[0], "\nAuthentication-Results: mx.quay.example;") != 2 { // ours, and that of the body
		t.Errorf("got %q", messages[0])
	}
	if log := d.log.String(); strings.Count(log, "msg=delivered") != 1 || strings.Count(log, "\n") != 1 {
		t.Errorf("log: %s", log)
	}
}

// One client cannot take all connections, and all cannot take more than there are.
func TestLimits(t *testing.T) {
	d := serve(t, func(o *options) { o.Connections, o.perClient = 3, 2 })
	first, second := dial(t, d, "192.0.2.10"), dial(t, d, "192.0.2.10")
	converse(t, first, " => 220")
	converse(t, second, " => 220")
	converse(t, dial(t, d, "192.0.2.10"), " => 421")
	third := dial(t, d, "192.0.2.66")
	converse(t, third, " => 220")
	converse(t, dial(t, d, "192.0.2.30"), " => 421")
	converse(t, first, "QUIT => 221")
	for range 100 { // until the server has noticed
		c := dial(t, d, "192.0.2.10")
		if code, _, _ := c.ReadResponse(0); code == 220 {
			converse(t, c, "QUIT => 221")
			converse(t, second, "QUIT => 221")
			converse(t, third, "QUIT => 221")
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("the place of a client that has gone is never free")
}

// Thousands of idle connections take no more than their places, and do not disturb a
// client that has one.
func TestIdle(t *testing.T) {
	d := serve(t, func(o *options) { o.Connections, o.perClient = 50, 10 })
	c := dial(t, d, "192.0.2.10")
	converse(t, c, " => 220", "EHLO post.harbour.example => 250")
	var idle []*pipenet.Conn
	for i := range 2000 {
		conn, err := d.dial(fmt.Sprintf("198.51.100.%d", i%250+1))
		if err != nil {
			t.Fatal(err)
		}
		// Those that are turned away are closed by the server already.
		if len(idle) < 200 {
			idle = append(idle, conn)
		} else {
			conn.Close()
		}
	}
	converse(t, c, "MAIL FROM:<a@harbour.example> => 250", "RCPT TO:<b@quay.example> => 250", "QUIT => 221")
	for _, conn := range idle {
		conn.Close()
	}
}

// A client that is in the middle of a message when the server is stopped may finish.
func TestShutdown(t *testing.T) {
	d := serve(t, nil)
	c := dial(t, d, "192.0.2.10")
	converse(t, c, " => 220", "EHLO post.harbour.example => 250", "MAIL FROM:<> => 250", "RCPT TO:<b@quay.example> => 250", "DATA => 354")
	stopped := make(chan error, 1)
	go func() { stopped <- d.stop() }()
	for range 1000 {
		conn, err := d.dial("192.0.2.66")
		if err != nil {
			break // the listener is closed
		}
		conn.Close()
		time.Sleep(time.Millisecond)
	}
	converse(t, c, "Subject: x\r\n\r\nx\r\n. => 250", "QUIT => 221")
	if err := <-stopped; err != nil || len(d.messages(t)) != 1 {
		t.Errorf("%v, %d messages", err, len(d.messages(t)))
	}
}

// Many clients at a time: each gets its verdict, one line of log each, and nothing is
// left of them.
func TestLoad(t *testing.T) {
	const atATime = 200
	// A client is done before the server is done with it: more than atATime may be open.
	d := serve(t, func(o *options) { o.Connections, o.perClient = *sessions, *sessions })
	kinds := []struct{ from, helo, sender, reply string }{
		{"192.0.2.10", "post.harbour.example", "a@harbour.example", "250"},
		{"192.0.2.10", "post.harbour.example", "a@pier.example", "250"},
		{"192.0.2.10", "post.harbour.example", "a@www.harbour.example", "550 5.7.27"},
		{"192.0.2.66", "post.harbour.example", "a@harbour.example", "550 5.7.23"},
		{"192.0.2.30", "pc.isp.example", "", "250"},
	}
	var before, during runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	start := time.Now()
	slots := make(chan struct{}, atATime)
	var wg sync.WaitGroup
	var mu sync.Mutex
	peak := uint64(0)
	for i := range *sessions {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			k := kinds[i%len(kinds)]
			reply, err := send(d.dial, demo.Client{Addr: k.from, Helo: k.helo, Sender: k.sender, Recipient: "b@quay.example"}, fmt.Sprintf("Subject: %d\r\n\r\nx\r\n", i))
			if err != nil || !strings.HasPrefix(reply, k.reply) {
				t.Errorf("%+v: %q, %v", k, reply, err)
			}
			if i%50 == 0 {
				mu.Lock()
				runtime.ReadMemStats(&during)
				peak = max(peak, during.HeapInuse)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	elapsed := time.Since(start)
	if err := d.stop(); err != nil {
		t.Fatal(err)
	}
	wantDelivered := 0
	for i := range *sessions {
		if kinds[i%len(kinds)].reply == "250" {
			wantDelivered++
		}
	}
	log := d.log.String()
	if got := len(d.messages(t)); got != wantDelivered || strings.Count(log, "msg=delivered") != wantDelivered || strings.Count(log, "msg=refused") != *sessions-wantDelivered {
		t.Errorf("%d messages, %d and %d lines of log, for %d of %d", got, strings.Count(log, "msg=delivered"), strings.Count(log, "msg=refused"), wantDelivered, *sessions)
	}
	t.Logf("%d sessions, %d at a time, in %v; heap %.1f MiB before, %.1f MiB at most, client and log included", *sessions, atATime, elapsed.Round(time.Millisecond), mib(before.HeapInuse), mib(peak))
}

func mib(n uint64) float64 { return float64(n) / (1 << 20) }
