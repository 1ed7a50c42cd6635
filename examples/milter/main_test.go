package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/d--j/go-milter"
	"github.com/google/go-cmp/cmp"
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

// serve starts a service and returns its address, and what it has logged when it is
// stopped.
func serve(t *testing.T, change func(*options)) (addr string, stop func() string) {
	t.Helper()
	zones, err := demo.Read(demo.ClientsZone)
	if err != nil {
		t.Fatal(err)
	}
	o := &options{idle: 10 * time.Second}
	o.Name, o.Connections, o.Verifier.Resolver = "mx.quay.example", 10, zones
	if change != nil {
		change(o)
	}
	var log bytes.Buffer
	addr, end, err := daemon.Start(t.Context(), slog.New(slog.NewTextHandler(&log, nil)), o.serve)
	if err != nil {
		t.Fatal(err)
	}
	stop = func() string {
		if err := end(); err != nil {
			t.Error(err)
		}
		return log.String()
	}
	t.Cleanup(func() { stop() })
	return addr, stop
}

const (
	foreign = " mx.quay.example; spf=pass"
	others  = " mx.other.example; spf=pass"
)

func TestMessages(t *testing.T) {
	addr, _ := serve(t, func(o *options) { o.Verifier.Trusted = []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")} })
	for _, tt := range []struct {
		client, helo, sender string
		want                 string
	}{
		{"192.0.2.10", "post.harbour.example", "a@harbour.example", "delete number 3 of Authentication-Results|delete number 1 of Authentication-Results|add Received-SPF: pass|add Authentication-Results: mx.quay.example;\n\tiprev=pass|Accept"},
		{"192.0.2.10", "post.harbour.example", "", "delete number 3 of|delete number 1 of|add Received-SPF: pass|add Authentication-Results|Accept"},
		{"192.0.2.66", "post.harbour.example", "a@harbour.example", "550 5.7.23"},
		{"192.0.2.66", "pc.example", "a@harbour.example", "delete number 3 of|delete number 1 of|add Received-SPF: fail|add Authentication-Results|Accept"},
		{"192.0.2.66", "pc.example", "a@www.harbour.example", "550 5.7.27"},
		{"192.0.2.66", "pc.example", "a@lost.example", "451 4.4.3"},
		{"192.0.2.66", "pc.example", "a b@harbour.example", "501 5.1.7"},
		{"198.51.100.1", "backup.quay.example", "a@www.harbour.example", "Accept"},
		{"10.0.0.1", "desk.quay.example", "a@www.harbour.example", "delete number 3 of|delete number 1 of|Accept"},
	} {
		did, err := offer(addr, tt.client, tt.helo, tt.sender,
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

func session(t *testing.T, addr string, macros milter.Macros) *milter.ClientSession {
	t.Helper()
	s, err := milter.NewClient("tcp", addr, milter.WithActions(milter.AllClientSupportedActionMasks)).Session(macros)
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
	addr, _ := serve(t, nil)
	s := session(t, addr, nil)
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
	refused, err := s.Mail("a@www.harbour.example", "")
	if got := reply(t, refused, err); !strings.Contains(got, "5.7.27") {
		t.Errorf("%s", got)
	}
}

// A client that has logged in is not judged.
func TestAuthenticated(t *testing.T) {
	addr, _ := serve(t, nil)
	macros := milter.NewMacroBag()
	macros.Set(milter.MacroAuthAuthen, "me")
	s := session(t, addr, macros)
	for _, step := range []func() (*milter.Action, error){
		func() (*milter.Action, error) { return s.Conn("unknown", milter.FamilyInet, 25, "192.0.2.66") },
		func() (*milter.Action, error) { return s.Helo("post.harbour.example") },
		func() (*milter.Action, error) { return s.Mail("a@www.harbour.example", "") },
	} {
		action, err := step()
		if got := reply(t, action, err); !strings.Contains(got, "Continue") {
			t.Errorf("%s", got)
		}
	}
}

// A client without an address, as of a message that was written on the machine.
func TestNoAddress(t *testing.T) {
	addr, _ := serve(t, nil)
	s := session(t, addr, nil)
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

// What is not the milter protocol ends its connection, and disturbs no other.
func TestGarbage(t *testing.T) {
	milter.LogWarning = func(string, ...any) {}
	addr, _ := serve(t, func(o *options) { o.idle = time.Second })
	for name, text := range map[string]string{
		"ten megabytes": strings.Repeat("x", 10<<20), "binary": "\x00\x00\x00\x01\xff", "half a packet": "\x00\x00\x00\x0dO\x00", "nothing": "",
	} {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(20 * time.Second))
		io.WriteString(c, text) // fails where it was closed already
		if n, err := c.Read(make([]byte, 1)); n > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: %d octets, %v", name, n, err)
		}
		c.Close()
		if did, err := offer(addr, "192.0.2.66", "pc.example", "a@www.harbour.example"); err != nil || !strings.Contains(did[0], "5.7.27") {
			t.Errorf("after %s: %q, %v", name, did, err)
		}
	}
}

// Without DNS mail is put off, never refused.
func TestWithoutDNS(t *testing.T) {
	addr, _ := serve(t, func(o *options) {
		o.Verifier.Resolver = resolver.Func(func(context.Context, string, uint16) (resolver.Answer, error) {
			return resolver.Answer{}, errors.New("down")
		})
	})
	did, err := offer(addr, "192.0.2.10", "post.harbour.example", "a@harbour.example")
	if err != nil || !strings.Contains(did[0], "451 4.4.3") {
		t.Errorf("%q, %v", did, err)
	}
}
