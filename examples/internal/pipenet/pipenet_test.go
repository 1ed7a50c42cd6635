package pipenet_test

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/net/nettest"

	"github.com/bonafide-mta/bonafide/examples/internal/pipenet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	server = netip.MustParseAddrPort("192.0.2.1:25")
	client = netip.MustParseAddr("2001:db8::1")
)

// connect returns both ends of a new connection.
func connect(t *testing.T) (here, there *pipenet.Conn) {
	t.Helper()
	l := pipenet.Listen(server)
	defer l.Close()
	accepted := make(chan net.Conn)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			t.Error(err)
		}
		accepted <- conn
	}()
	here, err := l.Dial(client)
	if err != nil {
		t.Fatal(err)
	}
	return here, (<-accepted).(*pipenet.Conn)
}

// A Conn is what net demands of one.
func TestConn(t *testing.T) {
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		here, there := connect(t)
		return here, there, func() { here.Close(); there.Close() }, nil
	})
}

func TestListener(t *testing.T) {
	l := pipenet.Listen(server)
	if l.Addr().String() != "192.0.2.1:25" {
		t.Error(l.Addr())
	}
	seen := make(map[string]bool)
	for range 3 {
		go l.Dial(client)
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		from, err := netip.ParseAddrPort(conn.RemoteAddr().String())
		if err != nil || from.Addr() != client || from.Port() < 1024 || seen[from.String()] || conn.LocalAddr().String() != "192.0.2.1:25" {
			t.Errorf("%v, %v", conn.RemoteAddr(), conn.LocalAddr())
		}
		seen[from.String()] = true
	}
	pending := make(chan error)
	go func() { _, err := l.Dial(client); pending <- err }()
	l.Close()
	l.Close()
	if err := <-pending; !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	if _, err := l.Dial(client); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

// What was written before an end was closed arrives, then io.EOF; the other way needs
// CloseWrite.
func TestClose(t *testing.T) {
	here, there := connect(t)
	io.WriteString(here, "one")
	here.CloseWrite()
	io.WriteString(there, "two")
	there.Close()
	if text, err := io.ReadAll(here); string(text) != "two" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := there.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	if _, err := here.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	here, there = connect(t)
	there.Close()
	if _, err := here.Write([]byte("x")); !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
	here.Close()
}

// A Write waits while the buffer is full, until its deadline.
func TestFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := connect(t)
		here.SetWriteDeadline(time.Now().Add(time.Minute))
		start := time.Now()
		n, err := here.Write([]byte(strings.Repeat("x", 100_000)))
		if n != 64<<10 || !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != time.Minute {
			t.Errorf("%d octets, %v, after %v", n, err, time.Since(start))
		}
		here.SetWriteDeadline(time.Time{})
		go func() { here.Write([]byte("more")); here.CloseWrite() }()
		if text, err := io.ReadAll(there); len(text) != 64<<10+4 || err != nil {
			t.Errorf("%d octets, %v", len(text), err)
		}
		here.Close()
		there.Close()
	})
}
