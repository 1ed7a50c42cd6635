package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
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
	"github.com/bonafide-mta/bonafide/identity"
	"github.com/bonafide-mta/bonafide/identity/envelope"
	"github.com/bonafide-mta/bonafide/resolver"
)

var update = flag.Bool("update", false, "rewrite what testdata expects")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

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

func TestFlags(t *testing.T) {
	for _, tt := range []struct{ args, want string }{
		{"-listen 127.0.0.1:0", "-name"},
		{"-name localhost", "-name"},
		{"-name mx.a.test -connections 0", "over 0"},
		{"-name mx.a.test -trusted x", "expected a network"},
		{"-name mx.a.test -dns 127.0.0.1 -zone z", "exclude each other"},
		{"-name mx.a.test -dns nowhere", "nowhere"},
		{"-name mx.a.test -zone missing.zone", "missing.zone"},
		{"-name mx.a.test -header-checks missing.checks", "missing.checks"},
		{"-name mx.a.test more", "unexpected"},
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

// serve starts a service, and returns how to reach it, and what it has logged when it is
// stopped.
func serve(t *testing.T, change func(*options)) (connect daemon.Dial, stop func() string) {
	t.Helper()
	zones, err := demo.Read(demo.ClientsZone)
	if err != nil {
		t.Fatal(err)
	}
	o := &options{idle: 10 * time.Second, field: "X-Results-SECRET"}
	o.Name, o.Domains, o.Connections, o.Verifier.Resolver = "mx.quay.example", []string{"quay.example"}, 10, zones
	if change != nil {
		change(o)
	}
	var log bytes.Buffer
	connect, end := daemon.Start(t.Context(), slog.New(slog.NewTextHandler(&log, nil)), o.serve)
	stop = func() string {
		if err := end(); err != nil {
			t.Error(err)
		}
		return log.String()
	}
	t.Cleanup(func() { stop() })
	return connect, stop
}

type conn struct {
	*pipenet.Conn
	r *bufio.Reader
}

func dial(t *testing.T, connect daemon.Dial) *conn {
	t.Helper()
	c, err := connect("192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(20 * time.Second))
	t.Cleanup(func() { c.Close() })
	return &conn{c, bufio.NewReader(c)}
}

// ask sends one request, NAME=VALUE words, and returns the action; "" for a connection
// that was closed.
func (c *conn) ask(t *testing.T, words string) string {
	t.Helper()
	io.WriteString(c, "request=smtpd_access_policy\n"+strings.ReplaceAll(words, " ", "\n")+"\n\n")
	return c.answer(t)
}

func (c *conn) answer(t *testing.T) string {
	t.Helper()
	line, err := c.r.ReadString('\n')
	if err != nil {
		return ""
	}
	if end, err := c.r.ReadString('\n'); end != "\n" || err != nil {
		t.Errorf("%q is followed by %q, %v", line, end, err)
	}
	return strings.TrimPrefix(strings.TrimSuffix(line, "\n"), "action=")
}

func TestAnswers(t *testing.T) {
	connect, _ := serve(t, nil)
	c := dial(t, connect)
	for _, tt := range []struct{ words, want string }{
		{"protocol_state=CONNECT client_address=192.0.2.10", "DUNNO"},
		{"protocol_state=EHLO client_address=192.0.2.10 helo_name=post.harbour.example", "DUNNO"},
		{"protocol_state=HELO client_address=192.0.2.66 helo_name=post.harbour.example", "DUNNO"},
		{"protocol_state=MAIL client_address=192.0.2.66 helo_name=post.harbour.example sender=a@harbour.example", "DUNNO"},
		{"protocol_state=DATA client_address=192.0.2.66 helo_name=post.harbour.example sender=a@harbour.example recipient=postmaster@quay.example", "DUNNO"},
		{"protocol_state=RCPT client_address=192.0.2.66 helo_name=post.harbour.example sender=a@harbour.example", "550 5.7.23"},
		{"protocol_state=RCPT client_address=192.0.2.66 helo_name=post.harbour.example sender=a@harbour.example recipient=a@quay.example", "550 5.7.23"},
		{"protocol_state=RCPT client_address=192.0.2.66 helo_name=post.harbour.example sender=a@harbour.example recipient=postmaster", "PREPEND X-Results-SECRET: mx.quay.example; iprev=permerror"},
		{"protocol_state=RCPT client_address=192.0.2.66 helo_name=pc.example sender=a@lost.example recipient=Abuse@mx.quay.example", "PREPEND"},
		{"protocol_state=RCPT client_address=192.0.2.66 helo_name=pc.example sender=a@lost.example recipient=abuse@other.example", "DEFER_IF_PERMIT"},
		{"protocol_state=RCPT client_address=192.0.2.10 helo_name=post.harbour.example sender=", "PREPEND X-Results-SECRET: mx.quay.example; iprev=pass"},
		{"protocol_state=RCPT client_address=192.0.2.10 helo_name= sender=a@harbour.example", "PREPEND"},
		{"protocol_state=RCPT client_address=::ffff:192.0.2.10 helo_name=post.harbour.example sender=", "PREPEND"},
		{"protocol_state=RCPT client_address=192.0.2.66 helo_name=pc.example sender=a@www.harbour.example", "550 5.7.27"},
		{"protocol_state=RCPT client_address=192.0.2.66 helo_name=pc.example sender=a@lost.example", "DEFER_IF_PERMIT 4.4.3"},
		{"protocol_state=RCPT client_address=192.0.2.66 helo_name=pc.example sender=a@", "501 5.1.7"},
		{"protocol_state=RCPT client_address=192.0.2.66 helo_name=pc.example sender=a\tb@harbour.example", "501 5.1.7"},
		{"protocol_state=RCPT client_address=192.0.2.10 helo_name=post.harbour.example sender=a..b@harbour.example", "PREPEND X-Results-SECRET: mx.quay.example; iprev=pass"},
		{"protocol_state=RCPT client_address=192.0.2.66 helo_name=post.harbour.example sasl_username=me", "DUNNO"},
		{"protocol_state=RCPT client_address=10.0.0.1 helo_name=desk sender=a@www.harbour.example", "DUNNO"},
		{"protocol_state=VRFY client_address=192.0.2.66", "DUNNO"},
		{"protocol_state=RCPT client_address=unknown", "DUNNO"},
		{"protocol_state=RCPT", "DUNNO"},
	} {
		if got := c.ask(t, tt.words); !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s: %q, expected %q", tt.words, got, tt.want)
		}
	}
}

// The recipients of one message share one verdict and one field.
func TestInstances(t *testing.T) {
	connect, _ := serve(t, nil)
	c := dial(t, connect)
	const words = "protocol_state=RCPT client_address=192.0.2.10 sender=a@harbour.example instance="
	for i, want := range []string{"PREPEND", "DUNNO", "DUNNO"} {
		if got := c.ask(t, words+"1"); !strings.HasPrefix(got, want) {
			t.Errorf("recipient %d: %q", i, got)
		}
	}
	if got := c.ask(t, words+"2"); !strings.HasPrefix(got, "PREPEND") {
		t.Errorf("the next message: %q", got)
	}
	const refused = "protocol_state=RCPT client_address=192.0.2.66 helo_name=pc.example sender=a@www.harbour.example instance=3"
	for range 2 {
		if got := c.ask(t, refused); !strings.HasPrefix(got, "550") {
			t.Errorf("refused: %q", got)
		}
	}
}

// Without the file of header_checks nothing is prepended.
func TestNoField(t *testing.T) {
	connect, _ := serve(t, func(o *options) { o.field = "" })
	if got := dial(t, connect).ask(t, "protocol_state=RCPT client_address=192.0.2.10 helo_name=post.harbour.example sender="); got != "DUNNO" {
		t.Error(got)
	}
}

// Ten role mailboxes get through in one connection of a client, and as many of the next. The
// first that is accepted gets the field of its message.
func TestRoles(t *testing.T) {
	connect, stop := serve(t, nil)
	c := dial(t, connect)
	for port := range 2 {
		for i := range recipient.MaxRoles + 2 {
			words := fmt.Sprintf("protocol_state=RCPT client_address=192.0.2.66 client_port=%d instance=%d.%d helo_name=post.harbour.example sender=a@harbour.example recipient=", 1024+port, port, i/4)
			want := "DUNNO"
			switch {
			case i >= recipient.MaxRoles:
				want = "DEFER_IF_PERMIT 4.5.3"
			case i%4 == 0:
				want = "PREPEND"
			}
			if got := c.ask(t, words+"a@quay.example"); !strings.HasPrefix(got, "550 5.7.23") {
				t.Errorf("%d, %d: %q", port, i, got)
			}
			if got := c.ask(t, words+"postmaster@quay.example"); !strings.HasPrefix(got, want) {
				t.Errorf("%d, %d: %q, want %q", port, i, got, want)
			}
		}
	}
	c.Close()
	if log := stop(); strings.Count(log, "recipient=postmaster@quay.example") != 24 || strings.Count(log, "recipient=a@quay.example action=550") != 24 {
		t.Errorf("log: %.2000s", log)
	}
}

// Postfix gets each reply as the action that has its meaning. It closes the connection of a
// client after 421.
func TestAction(t *testing.T) {
	c := &conversation{service: &service{}, verdict: &identity.Verdict{}}
	for want, reply := range map[string]envelope.Reply{
		"421 4.7.0 x":             {Code: 421, Enhanced: envelope.EnhancedCode{4, 7, 0}, Text: "x"},
		"DEFER_IF_PERMIT 4.4.3 x": {Code: 451, Enhanced: envelope.EnhancedCode{4, 4, 3}, Text: "x"},
		"550 5.7.1 x":             {Code: 550, Enhanced: envelope.EnhancedCode{5, 7, 1}, Text: "x"},
		"DUNNO":                   {},
	} {
		if got := c.action(reply); got != want {
			t.Errorf("%v: %q", reply, got)
		}
	}
}

// The file of header_checks is printed, and its secret is read back.
func TestChecks(t *testing.T) {
	file := filepath.Join(t.TempDir(), "results")
	seen := make(map[string]bool)
	for range 2 {
		var out bytes.Buffer
		if err := run(t.Context(), strings.Fields("-name mx.quay.example -print-header-checks"), &out); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, out.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		field, err := readField(file, "MX.quay.example")
		if err != nil || seen[field] || strings.Count(out.String(), field) != 1 || !strings.Contains(out.String(), `mx\.quay\.example/ IGNORE`) {
			t.Errorf("%q, %v: %s", field, err, &out)
		}
		seen[field] = true
	}
	for text, want := range map[string]string{
		"": "-print-header-checks", "/^X-Results-SECRET:(.*)$/ REPLACE Authentication-Results:$1\n": "-print-header-checks", strings.Repeat("#", 70_000): "more than 64 KiB",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := run(t.Context(), strings.Fields("-name mx.quay.example -header-checks "+file), io.Discard); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), file) {
			t.Errorf("%.80q: %v", text, err)
		}
	}
	// The file of another mail server deletes others' fields, and the one without the lines
	// that delete deletes none.
	var out bytes.Buffer
	if err := printChecks(&out, "mx.other.example"); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{out.String(), out.String()[strings.Index(out.String(), "/^X-"):]} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readField(file, "mx.quay.example"); err == nil || !strings.Contains(err.Error(), "make it again") {
			t.Errorf("%v: %s", err, text)
		}
	}
	if err := run(t.Context(), strings.Fields("-name mx.quay.example -header-checks /dev/zero"), io.Discard); err == nil {
		t.Error("/dev/zero")
	}
}

// FuzzChecks: the file of header_checks deletes every field that claims to be ours. To it, a
// vertical tab, a form feed and a carriage return are white space, which nobody's authserv-id
// has. Postfix ends lines with a line feed alone, and a line feed that no space follows ends
// the field.
func FuzzChecks(f *testing.F) {
	for _, value := range []string{"", ";", " mx.quay.example", "mx.quay.example;", " (c) MX.quay.example. 1;", `"mx.\quay.example"`, "(;)\"mx.quay\\.example\"", "\r\n\tmx.quay.example", "=?utf-8?q?mx.quay.example?=", "mx.other.example; x", "mx. quay.example", "mx.\r\n quay.example", "a\x00mx.quay.example", "mx.other.example x", "mx.quay\t.example; x", ".", "\u00a0mx.quay.example"} {
		f.Add(value)
	}
	deletes := deletion(f)
	odd := regexp.MustCompile("[\v\f\r]|\n([^ \t]|$)")
	f.Fuzz(func(t *testing.T, value string) {
		value = strings.ReplaceAll(value, "\r\n", "\n")
		if identity.ForgedResults(value, "mx.quay.example") && !deletes("Authentication-Results:"+value) && !odd.MatchString(value) {
			t.Errorf("%q is not deleted", value)
		}
	})
}

// The field of another server stays.
func TestOthersResults(t *testing.T) {
	deletes := deletion(t)
	for _, field := range []string{
		"Authentication-Results: mx.other.example; spf=pass smtp.mailfrom=a@mx.quay.example", "Authentication-Results:\r\n\tmx_1.other-2.example 1;\r\n\tspf=pass (c) \"x\"", "Authentication-Results: mx.other.example",
		"Authentication-Results: mxxquayxexample; none", "Subject: mx.quay.example", "X-Authentication-Results: mx.quay.example; none", "ARC-Authentication-Results: i=1; mx.quay.example; none",
	} {
		if deletes(field) {
			t.Errorf("%q is deleted", field)
		}
	}
}

// deletion returns whether the file of header_checks of mx.quay.example deletes a field, as
// Postfix reads it, see regexp_table(5): case does not matter, and a dot is any octet.
func deletion(t testing.TB) func(field string) bool {
	t.Helper()
	var text bytes.Buffer
	if err := printChecks(&text, "mx.quay.example"); err != nil {
		t.Fatal(err)
	}
	lines := regexp.MustCompile(`(?m)^(if |!?)/(.*)/( IGNORE)?$`).FindAllStringSubmatch(text.String(), -1)
	if len(lines) != 3 || lines[0][1] != "if " || lines[1][1] != "" || lines[2][1] != "!" {
		t.Fatal(text.String())
	}
	var patterns []*regexp.Regexp
	for _, line := range lines {
		patterns = append(patterns, regexp.MustCompile("(?is)"+line[2]))
	}
	return func(field string) bool {
		return patterns[0].MatchString(field) && (patterns[1].MatchString(field) || !patterns[2].MatchString(field))
	}
}

// The set-up in the documentation is the one that the tests with Postfix use.
func TestDocumentation(t *testing.T) {
	mainCF, err := os.ReadFile(filepath.Join("testdata", "postfix", "main.cf"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "postfix.md"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "```\n"+string(mainCF)+"```\n") {
		t.Error("docs/postfix.md does not have testdata/postfix/main.cf")
	}
}

// A bad request closes its connection, and no other.
func TestBadRequests(t *testing.T) {
	connect, stop := serve(t, nil)
	good := dial(t, connect)
	const fine = "protocol_state=RCPT client_address=192.0.2.10 sender=a@harbour.example"
	for name, text := range map[string]string{
		"overlong line":       "request=smtpd_access_policy\nsender=" + strings.Repeat("x", 5000) + "\n\n",
		"ten megabytes":       strings.Repeat("x", 10<<20),
		"binary":              "\x00\xff\x01\n\n",
		"no equals sign":      "request\n\n",
		"no name":             "=x\n\n",
		"another protocol":    "EHLO example.test\r\nMAIL FROM:<>\r\n",
		"another request":     "request=junk\n\n",
		"empty":               "\n",
		"too many attributes": "request=smtpd_access_policy\n" + strings.Repeat("a=b\n", 200) + "\n",
	} {
		c := dial(t, connect)
		io.WriteString(c, text) // fails where the service has closed already
		if got := c.answer(t); got != "" {
			t.Errorf("%s: %q", name, got)
		}
		if got := good.ask(t, fine); !strings.HasPrefix(got, "PREPEND") {
			t.Errorf("after %s: %q", name, got)
		}
	}
	half := dial(t, connect)
	io.WriteString(half, "request=smtpd_access_policy\nsender=")
	half.CloseWrite()
	if got := half.answer(t); got != "" {
		t.Errorf("half a request: %q", got)
	}
	if log := stop(); strings.Count(log, "msg=closed") != 10 || len(log) > 20000 {
		t.Errorf("log: %.2000s", log)
	}
}

// A fault in the service of one connection ends that connection.
func TestPanic(t *testing.T) {
	zones, err := demo.Read(demo.ClientsZone)
	if err != nil {
		t.Fatal(err)
	}
	o := &options{idle: 10 * time.Second}
	o.Name, o.Connections, o.Verifier.Resolver = "mx.quay.example", 10, zones
	log := &faultyLog{}
	connect, stop := daemon.Start(t.Context(), slog.New(log), o.serve)
	const words = "protocol_state=RCPT client_address=192.0.2.66 sender=a@www.harbour.example recipient=b@quay.example"
	for _, want := range []string{"", "550 5.7.27"} {
		if got := dial(t, connect).ask(t, words); !strings.HasPrefix(got, want) || got != "" && want == "" {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"judged", "panic", "judged"}, log.messages); diff != "" {
		t.Error(diff)
	}
}

// A faultyLog panics at its first record.
type faultyLog struct {
	slog.Handler
	mu       sync.Mutex
	messages []string
}

func (*faultyLog) Enabled(context.Context, slog.Level) bool { return true }

func (l *faultyLog) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.messages = append(l.messages, r.Message)
	if len(l.messages) == 1 {
		panic("a fault")
	}
	return nil
}

// Idle connections are closed, and there are no more of them than allowed.
func TestIdle(t *testing.T) {
	connect, _ := serve(t, func(o *options) { o.idle, o.Connections = 300*time.Millisecond, 3 })
	var idle []*conn
	for range 3 {
		c := dial(t, connect)
		if got := c.ask(t, "protocol_state=CONNECT client_address=192.0.2.10"); got != "DUNNO" {
			t.Fatal(got)
		}
		idle = append(idle, c)
	}
	if got := dial(t, connect).ask(t, "protocol_state=CONNECT client_address=192.0.2.10"); got != "" {
		t.Errorf("a fourth connection: %q", got)
	}
	for _, c := range idle {
		if _, err := c.r.ReadByte(); err != io.EOF {
			t.Errorf("idle: %v", err)
		}
	}
	for range 100 { // until the places are free
		if dial(t, connect).ask(t, "protocol_state=CONNECT client_address=192.0.2.10") == "DUNNO" {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("no place is free")
}

// Without DNS mail is put off, never refused.
func TestWithoutDNS(t *testing.T) {
	connect, _ := serve(t, func(o *options) {
		o.Verifier.Resolver = resolver.Func(func(context.Context, string, uint16) (resolver.Answer, error) {
			return resolver.Answer{}, errors.New("down")
		})
	})
	if got := dial(t, connect).ask(t, "protocol_state=RCPT client_address=192.0.2.10 helo_name=post.harbour.example sender=a@harbour.example"); !strings.HasPrefix(got, "DEFER_IF_PERMIT 4.4.3") {
		t.Error(got)
	}
}

// FuzzRead: nothing panics, and a request that is written is read.
func FuzzRead(f *testing.F) {
	f.Add("request=smtpd_access_policy\nsender=a\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		q, err := read(bufio.NewReaderSize(strings.NewReader(text), maxLine))
		if err != nil {
			return
		}
		var b strings.Builder
		for name, value := range q {
			fmt.Fprintf(&b, "%s=%s\n", name, value)
		}
		again, err := read(bufio.NewReaderSize(strings.NewReader(b.String()+"\n"), maxLine))
		if err != nil || cmp.Diff(q, again) != "" {
			t.Errorf("%q: %v", text, err)
		}
	})
}
