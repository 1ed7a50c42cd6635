package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/d--j/go-milter"
	gocmp "github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/bonafide-mta/bonafide/examples/internal/daemon"
	"github.com/bonafide-mta/bonafide/examples/internal/demo"
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
	if diff := gocmp.Diff(string(want), out.String()); diff != "" {
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
func serve(t *testing.T, change func(*options)) (dial daemon.Dial, stop func() string) {
	t.Helper()
	zones, err := demo.Read(demo.ClientsZone)
	if err != nil {
		t.Fatal(err)
	}
	o := &options{idle: 10 * time.Second}
	o.Name, o.Domains, o.Connections, o.Verifier.Resolver = "mx.quay.example", []string{"quay.example"}, 10, zones
	if change != nil {
		change(o)
	}
	var log bytes.Buffer
	dial, end := daemon.Start(t.Context(), slog.New(slog.NewTextHandler(&log, nil)), o.serve)
	stop = func() string {
		if err := end(); err != nil {
			t.Error(err)
		}
		return log.String()
	}
	t.Cleanup(func() { stop() })
	return dial, stop
}

const (
	foreign = " mx.quay.example; spf=pass"
	others  = " mx.other.example; spf=pass"
)

func TestMessages(t *testing.T) {
	dial, _ := serve(t, func(o *options) { o.Verifier.Trusted = []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")} })
	for _, tt := range []struct {
		client, helo, sender string
		want                 string
		to                   string // "" is master@quay.example
	}{
		{"192.0.2.10", "post.harbour.example", "a@harbour.example", "delete number 3 of Authentication-Results|delete number 1 of Authentication-Results|add Received-SPF: pass|add Authentication-Results: mx.quay.example;\n\tiprev=pass|Accept", ""},
		{"192.0.2.10", "post.harbour.example", "", "delete number 3 of|delete number 1 of|add Received-SPF: pass|add Authentication-Results|Accept", ""},
		{"192.0.2.66", "post.harbour.example", "a@harbour.example", "550 5.7.23", ""},
		{"192.0.2.66", "pc.example", "a@harbour.example", "delete number 3 of|delete number 1 of|add Received-SPF: fail|add Authentication-Results|Accept", ""},
		{"192.0.2.66", "pc.example", "a@www.harbour.example", "550 5.7.27", ""},
		{"192.0.2.66", "pc.example", "a@lost.example", "451 4.4.3", ""},
		{"192.0.2.66", "pc.example", "a@-.example", "501 5.1.7", ""},
		{"198.51.100.1", "backup.quay.example", "a@www.harbour.example", "Accept", ""},
		{"10.0.0.1", "desk.quay.example", "a@www.harbour.example", "delete number 3 of|delete number 1 of|Accept", ""},
		{"192.0.2.66", "post.harbour.example", "a@harbour.example", "delete number 3 of|delete number 1 of|add Received-SPF: fail|add Authentication-Results|Accept", "<Postmaster>"},
		{"192.0.2.66", "pc.example", "a@lost.example", "delete number 3 of|delete number 1 of|add Received-SPF: temperror|add Authentication-Results|Accept", "abuse@MX.quay.example"},
		{"192.0.2.66", "pc.example", "a@www.harbour.example", "550 5.7.27", "postmaster@other.example"},
	} {
		did, err := offer(dial, demo.Client{Addr: tt.client, Helo: tt.helo, Sender: tt.sender, Recipient: cmp.Or(tt.to, "master@quay.example")},
			"Authentication-Results", foreign, "X-Authentication-Results", foreign, "AUTHENTICATION-RESULTS", others, "authentication-results", " (x) MX.Quay.Example 1; none")
		want := strings.Split(tt.want, "|")
		ok := err == nil && len(did) == len(want)
		for i := 0; ok && i < len(want); i++ {
			ok = strings.HasPrefix(did[i], "  "+want[i])
		}
		if !ok {
			t.Errorf("%s %s %s: %q, %v; expected %q", tt.client, tt.helo, tt.sender, did, err, want)
		}
	}
}

func session(t *testing.T, dial daemon.Dial, macros milter.Macros) *milter.ClientSession {
	t.Helper()
	s, err := begin(dial, macros)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func reply(t *testing.T, action *milter.Action, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return action.String()
}

// A client is judged by its last HELO, and each message of a connection by itself.
func TestRepeats(t *testing.T) {
	dial, _ := serve(t, nil)
	s := session(t, dial, nil)
	must := func(action *milter.Action, err error) {
		t.Helper()
		if got := reply(t, action, err); !strings.Contains(got, "Continue") {
			t.Errorf("%s", got)
		}
	}
	must(s.Conn("unknown", milter.FamilyInet, 25, "192.0.2.10"))
	must(s.Helo("www.harbour.example"))
	must(s.Helo("post.harbour.example"))
	must(s.Mail("a@harbour.example", ""))
	if err := s.Abort(nil); err != nil {
		t.Fatal(err)
	}
	must(s.Mail("a@www.harbour.example", ""))
	refused, err := s.Rcpt("master@quay.example", "")
	if got := reply(t, refused, err); !strings.Contains(got, "5.7.27") {
		t.Errorf("%s", got)
	}
}

// A client that has logged in is not judged.
func TestAuthenticated(t *testing.T) {
	dial, _ := serve(t, nil)
	macros := milter.NewMacroBag()
	macros.Set(milter.MacroAuthAuthen, "me")
	s := session(t, dial, macros)
	for _, step := range []func() (*milter.Action, error){
		func() (*milter.Action, error) { return s.Conn("unknown", milter.FamilyInet, 25, "192.0.2.66") },
		func() (*milter.Action, error) { return s.Helo("post.harbour.example") },
		func() (*milter.Action, error) { return s.Mail("a@www.harbour.example", "") },
		func() (*milter.Action, error) { return s.Rcpt("master@quay.example", "") },
	} {
		action, err := step()
		if got := reply(t, action, err); !strings.Contains(got, "Continue") {
			t.Errorf("%s", got)
		}
	}
}

// A client without an address, as of a message that was written on the machine.
func TestNoAddress(t *testing.T) {
	dial, _ := serve(t, nil)
	s := session(t, dial, nil)
	action, err := s.Conn("localhost", milter.FamilyUnknown, 0, "")
	if got := reply(t, action, err); !strings.Contains(got, "Continue") {
		t.Error(got)
	}
	action, err = s.Helo("localhost")
	if got := reply(t, action, err); !strings.Contains(got, "Continue") {
		t.Error(got)
	}
	action, err = s.Mail("a@www.harbour.example", "")
	if got := reply(t, action, err); !strings.Contains(got, "Continue") {
		t.Error(got)
	}
}

// What is not the milter protocol ends its connection, is one line of the log, and disturbs
// no other connection. The frames are those that go-milter panics at.
func TestGarbage(t *testing.T) {
	const negotiate = "\x00\x00\x00\x0dO\x00\x00\x00\x06\x00\x00\x01\xff\x00\x1f\xff\xff"
	dial, stop := serve(t, func(o *options) { o.idle = time.Second })
	bad := map[string]string{
		"ten megabytes": strings.Repeat("x", 10<<20), "binary": "\x00\x00\x00\x01\xff", "half a packet": "\x00\x00\x00\x0dO\x00", "empty frame": "\x00\x00\x00\x00",
		"empty frame later": negotiate + "\x00\x00\x00\x00", "connect without NUL": negotiate + "\x00\x00\x00\x02Cx", "connect without family": negotiate + "\x00\x00\x00\x03Cx\x00",
		"MAIL without NUL": negotiate + "\x00\x00\x00\x02Mx", "RCPT without NUL": negotiate + "\x00\x00\x00\x02Rx",
	}
	for name, text := range bad {
		c, err := dial("192.0.2.1")
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(20 * time.Second))
		io.WriteString(c, text) // fails where it was closed already
		c.CloseWrite()
		if _, err := io.ReadAll(c); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: %v", name, err)
		}
		c.Close()
		if did, err := offer(dial, demo.Client{Addr: "192.0.2.66", Helo: "pc.example", Sender: "a@www.harbour.example", Recipient: "b@quay.example"}); err != nil || !strings.Contains(did[0], "5.7.27") {
			t.Errorf("after %s: %q, %v", name, did, err)
		}
	}
	if log := stop(); strings.Count(log, "msg=closed") != len(bad) || strings.Contains(log, "panic") {
		t.Errorf("log: %.3000s", log)
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
	dial, stop := daemon.Start(t.Context(), slog.New(log), o.serve)
	c := demo.Client{Addr: "192.0.2.66", Helo: "pc.example", Sender: "a@www.harbour.example", Recipient: "b@quay.example"}
	if did, err := offer(dial, c); err == nil {
		t.Errorf("%q", did)
	}
	if did, err := offer(dial, c); err != nil || !strings.Contains(did[0], "5.7.27") {
		t.Errorf("%q, %v", did, err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if diff := gocmp.Diff([]string{"refused", "panic", "refused"}, log.messages); diff != "" {
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

// Ten role mailboxes get through in one connection of a client, and as many of the next.
func TestRoles(t *testing.T) {
	dial, stop := serve(t, nil)
	s := session(t, dial, nil)
	rcpt := func(to, want string) {
		t.Helper()
		action, err := s.Rcpt(to, "")
		if got := reply(t, action, err); !strings.Contains(got, want) {
			t.Errorf("%s: %s", to, got)
		}
	}
	for range 2 {
		s.Conn("unknown", milter.FamilyInet, 25, "192.0.2.66")
		s.Helo("post.harbour.example")
		for i := range 3 {
			s.Mail("a@harbour.example", "")
			for range 4 {
				rcpt("b@quay.example", "550 5.7.23")
				if i < 2 {
					rcpt("abuse@quay.example", "Continue")
				}
			}
			if err := s.Abort(nil); err != nil {
				t.Fatal(err)
			}
		}
		s.Mail("a@harbour.example", "")
		rcpt("postmaster@mx.quay.example", "Continue")
		rcpt("postmaster", "Continue")
		rcpt("postmaster", "452 4.5.3")
		if err := s.Reset(nil); err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	if log := stop(); !strings.Contains(log, "msg=refused recipient=b@quay.example reply=\"550") || strings.Count(log, "recipient=postmaster reply=\"452") != 2 {
		t.Errorf("log: %.2000s", log)
	}
}

// A client that has used up its questions is told so at MAIL, at which mail servers close its
// connection; if one does not, it is told again.
func TestExhausted(t *testing.T) {
	dial, stop := serve(t, func(o *options) { o.Verifier.MaxQuestions = 1 })
	s := session(t, dial, nil)
	s.Conn("unknown", milter.FamilyInet, 25, "192.0.2.10")
	s.Helo("post.harbour.example")
	closed := 0
	for i := range 500 {
		action, err := s.Mail(fmt.Sprintf("a@d%d.example", i), "")
		if got := reply(t, action, err); strings.Contains(got, `421 "421 4.7.0 `) {
			closed++
		} else if closed > 0 {
			t.Fatal(got)
		}
		if err := s.Abort(nil); err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	if log := stop(); closed == 0 || strings.Count(log, "msg=closed") != closed {
		t.Errorf("log: %s", log)
	}
}

// FuzzFrames: whatever a mail server sends, the process lives, and what it sends next on
// another connection is answered.
func FuzzFrames(f *testing.F) {
	frame := func(text string) string { return string(binary.BigEndian.AppendUint32(nil, uint32(len(text)))) + text }
	negotiate := frame("O\x00\x00\x00\x06\x00\x00\x01\xff\x00\x1f\xff\xff")
	f.Add([]byte(negotiate + frame("Cx\x004\x00\x19192.0.2.66\x00") + frame("Hpost.harbour.example\x00") + frame("DM{auth_authen}\x00\x00") + frame("M<a@harbour.example>\x00SIZE=1\x00") + frame("R<b@quay.example>\x00") +
		frame("Rpostmaster\x00") + frame("LAuthentication-Results\x00 mx.quay.example; none\x00") + frame("N") + frame("DEi\x00q\x00") + frame("E") + frame("K") + frame("C[x]\x006\x00\x00IPv6:2001:db8::1\x00") + frame("A") + frame("Q")))
	for _, text := range []string{"", "C", "Cx", "Cx\x00", "Cx\x004", "Cx\x004\x00\x19", "Cx\x00L\x00\x00/x\x00", "Cx\x00U", "M", "Mx", "R", "Rx", "H", "L", "Lx\x00", "D", "DX", "DCx\x00", "DCx", "U", "Ux\x00", "O", "T", "B", "E", "Ex", "A", "K", "Z"} {
		f.Add([]byte(negotiate + frame(text) + frame("Q")))
	}
	zones, err := demo.Read(demo.ClientsZone)
	if err != nil {
		f.Fatal(err)
	}
	o := &options{idle: time.Second}
	o.Name, o.Domains, o.Connections, o.Verifier.Resolver = "mx.quay.example", []string{"quay.example"}, 10, zones
	dial, stop := daemon.Start(f.Context(), slog.New(slog.DiscardHandler), o.serve)
	f.Cleanup(func() { stop() })
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := dial("192.0.2.1")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			c.Write(text)
			c.CloseWrite()
		}()
		io.Copy(io.Discard, c)
		c.Close()
		s, err := begin(dial, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

// Without DNS mail is put off, never refused.
func TestWithoutDNS(t *testing.T) {
	dial, _ := serve(t, func(o *options) {
		o.Verifier.Resolver = resolver.Func(func(context.Context, string, uint16) (resolver.Answer, error) {
			return resolver.Answer{}, errors.New("down")
		})
	})
	did, err := offer(dial, demo.Client{Addr: "192.0.2.10", Helo: "post.harbour.example", Sender: "a@harbour.example", Recipient: "b@quay.example"})
	if err != nil || !strings.Contains(did[0], "451 4.4.3") {
		t.Errorf("%q, %v", did, err)
	}
}
