package daemon_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bonafide-mta/bonafide/examples/internal/daemon"
	"github.com/bonafide-mta/bonafide/examples/internal/recipient"
	"github.com/bonafide-mta/bonafide/resolver"
)

func parse(t *testing.T, args string) (*daemon.Options, error) {
	t.Helper()
	var o daemon.Options
	fs := flag.NewFlagSet("test", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	o.Register(fs, "127.0.0.1:0")
	if err := fs.Parse(strings.Fields(args)); err != nil {
		return nil, err
	}
	return &o, o.Check()
}

func TestOptions(t *testing.T) {
	for _, tt := range []struct{ args, want string }{
		{"", `-name "": expected the full name`},
		{"-name localhost", "expected the full name"},
		{"-name a_b.test", "expected the full name"},
		{"-name mx.a.test -connections 0", "over 0"},
		{"-name mx.a.test -timeout 0", "-timeout must be over 0"},
		{"-name mx.a.test -timeout -1s", "-timeout must be over 0"},
		{"-name mx.a.test -trusted 192.0.2.1", "expected a network"},
		{"-name mx.a.test -domain [192.0.2.1]", "expected a domain"},
		{"-name mx.a.test -domain a..b", "expected a domain"},
	} {
		if _, err := parse(t, tt.args); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.args, err)
		}
	}
	o, err := parse(t, "-name mx.a.test -trusted 192.0.2.0/24 -trusted 2001:db8::/32 -timeout 5s -domain a.test -domain b.test")
	if err != nil {
		t.Fatal(err)
	}
	v := o.Judge()
	if v.Receiver != "mx.a.test" || cmp.Diff([]string{"mx.a.test"}, v.Names) != "" || v.Timeout != 5*time.Second ||
		len(v.Trusted) != 2 || v.Trusted[1] != netip.MustParsePrefix("2001:db8::/32") || o.Connections != 200 {
		t.Errorf("%+v", v)
	}
	if diff := cmp.Diff(recipient.Domains{"a.test", "b.test", "mx.a.test"}, o.Roles()); diff != "" || len(o.Domains) != 2 {
		t.Error(diff)
	}
}

func TestRun(t *testing.T) {
	o, err := parse(t, "-name mx.a.test -dns 127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	ended := errors.New("ended")
	err = o.Run(t.Context(), &out, func(_ context.Context, l net.Listener, _ *slog.Logger) error {
		defer l.Close()
		if _, ok := o.Judge().Resolver.(*resolver.Cache); !ok || !strings.Contains(out.String(), "msg=listening addr="+l.Addr().String()) {
			t.Errorf("%T, %s", o.Judge().Resolver, &out)
		}
		return ended
	})
	if err != ended {
		t.Error(err)
	}
	for _, args := range []string{"-name mx.a.test -zone missing.zone", "-name mx.a.test -dns 127.0.0.1 -listen nowhere"} {
		o, err := parse(t, args)
		if err != nil {
			t.Fatal(err)
		}
		if err := o.Run(t.Context(), &out, nil); err == nil {
			t.Errorf("%s: no error", args)
		}
	}
}

func TestStart(t *testing.T) {
	failed := errors.New("failed")
	dial, stop := daemon.Start(t.Context(), slog.New(slog.DiscardHandler), func(ctx context.Context, l net.Listener, _ *slog.Logger) error {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		io.WriteString(conn, conn.RemoteAddr().(*net.TCPAddr).IP.String())
		conn.Close()
		<-ctx.Done()
		l.Close()
		return failed
	})
	if _, err := dial("nowhere"); err == nil {
		t.Error("no error")
	}
	conn, err := dial("2001:db8::25")
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(conn); string(text) != "2001:db8::25" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	conn.Close()
	for range 2 {
		if err := stop(); err != failed {
			t.Error(err)
		}
	}
}

// A panic is one line of the log, and an error.
func TestSurvive(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	serve := func(fault any) (err error) {
		defer daemon.Survive(logger, &err)
		if fault != nil {
			panic(fault)
		}
		return io.EOF
	}
	if err := serve(nil); err != io.EOF || log.Len() > 0 {
		t.Errorf("%v, %s", err, &log)
	}
	if err := serve("fault\nline"); err != net.ErrClosed || strings.Count(log.String(), "\n") != 1 || !strings.Contains(log.String(), `value="fault\nline" stack=`) {
		t.Errorf("%v, %s", err, &log)
	}
	func() {
		defer daemon.Survive(logger, nil)
		panic("again")
	}()
}

// A fake is a server with a listener of its own, whose clients take a while to finish.
type fake struct {
	finish   time.Duration
	fail     error // of Serve at once
	closed   chan struct{}
	close    sync.Once
	serving  bool
	shutdown bool
}

func newFake() *fake { return &fake{closed: make(chan struct{})} }

func (f *fake) Accept() (net.Conn, error) { <-f.closed; return nil, net.ErrClosed }
func (f *fake) Close() error              { f.close.Do(func() { close(f.closed) }); return nil }
func (f *fake) Addr() net.Addr            { return &net.TCPAddr{} }

func (f *fake) Serve(l net.Listener) error {
	if f.fail != nil {
		return f.fail
	}
	f.serving = true
	defer func() { f.serving = false }()
	_, err := l.Accept()
	return err
}

func (f *fake) Shutdown(ctx context.Context) error {
	f.shutdown = true
	if f.serving {
		return errors.New("Serve has not ended")
	}
	select {
	case <-time.After(f.finish):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestServe(t *testing.T) {
	for _, tt := range []struct {
		finish, took time.Duration
		warned       bool
	}{
		{0, time.Minute, false},
		{9 * time.Second, time.Minute + 9*time.Second, false},
		{time.Hour, time.Minute + 10*time.Second, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			f := newFake()
			f.finish = tt.finish
			var log bytes.Buffer
			start := time.Now()
			err := daemon.Serve(ctx, f, slog.New(slog.NewTextHandler(&log, nil)), f)
			if took := time.Since(start); err != nil || took != tt.took || !f.shutdown || strings.Contains(log.String(), "clients did not finish") != tt.warned {
				t.Errorf("%v: %v, %v, %s", tt.finish, err, took, &log)
			}
		})
	}
	f := newFake()
	f.fail = errors.New("no more descriptors")
	if err := daemon.Serve(t.Context(), f, slog.New(slog.DiscardHandler), f); err != f.fail || f.shutdown {
		t.Error(err)
	}
}
