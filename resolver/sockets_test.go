package resolver_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
	"go.uber.org/goleak"

	"github.com/bonafide-mta/bonafide/resolver"
)

// reusing returns a client that reuses sockets, and closes it after the test.
func reusing(t *testing.T, servers ...netip.AddrPort) *resolver.Client {
	t.Helper()
	c := &resolver.Client{Servers: servers, ReuseSockets: true}
	t.Cleanup(func() {
		c.Close()
		if n := len(c.KeptSockets()); n != 0 {
			t.Errorf("%d sockets left after Close", n)
		}
	})
	return c
}

// ports are those from which questions came, in order.
type ports struct {
	mu   sync.Mutex
	seen []string
}

func (p *ports) of(s script) script {
	return func(w dns.ResponseWriter, r *dns.Msg) *dns.Msg {
		p.mu.Lock()
		p.seen = append(p.seen, w.RemoteAddr().String())
		p.mu.Unlock()
		return s(w, r)
	}
}

// pattern returns a letter for each question, the same one for the same port.
func (p *ports) pattern() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	letters := make(map[string]rune)
	var pattern []rune
	for _, port := range p.seen {
		if letters[port] == 0 {
			letters[port] = 'a' + rune(len(letters))
		}
		pattern = append(pattern, letters[port])
	}
	return string(pattern)
}

func TestReuseSockets(t *testing.T) {
	var ports, others ports
	one := startServer(t, ports.of(always(dns.RcodeSuccess, www)))
	other := startServer(t, others.of(always(dns.RcodeSuccess, www)))
	c := reusing(t, one, other)
	c.Rotate = true
	for range 10 {
		wantWWW(t, c)
	}
	if ports.pattern() != "aaaaa" || others.pattern() != "aaaaa" {
		t.Errorf("ports %s and %s, want one for each server", ports.pattern(), others.pattern())
	}
	c.Close()
	if n := len(c.KeptSockets()); n != 0 {
		t.Errorf("%d sockets kept by a closed client", n)
	}
	wantWWW(t, c)
	wantWWW(t, c)
	if n := len(c.KeptSockets()); n != 0 {
		t.Errorf("%d sockets kept by a closed client that was asked", n)
	}
}

// Questions at the same time have a socket each. Not more than 64 are kept.
func TestReuseSocketsMany(t *testing.T) {
	const n = 100
	var ports ports
	var arrived sync.WaitGroup
	arrived.Add(n)
	c := reusing(t, startServer(t, ports.of(func(_ dns.ResponseWriter, r *dns.Msg) *dns.Msg {
		arrived.Done()
		arrived.Wait()
		return say(r, dns.RcodeSuccess, www)
	})))
	c.TryTimeout = 10 * time.Second
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() { wantWWW(t, c) })
	}
	wg.Wait()
	if got := []rune(ports.pattern()); len(got) != n || got[n-1] != 'a'+n-1 {
		t.Errorf("%d questions at the same time from ports %q", n, got)
	}
	if kept := len(c.KeptSockets()); kept != 64 {
		t.Errorf("%d sockets kept", kept)
	}
}

// No socket is used, nor stays open, for more than 10 s.
func TestReuseSocketsAge(t *testing.T) {
	var ports, others ports
	one := startServer(t, ports.of(always(dns.RcodeSuccess, www)))
	other := startServer(t, others.of(always(dns.RcodeSuccess, www)))
	synctest.Test(t, func(t *testing.T) {
		c := reusing(t, one, other)
		c.Rotate = true // one, other, one, …
		for _, step := range []struct {
			sleep time.Duration
			ask   bool
			kept  int
		}{
			{ask: true, kept: 1},
			{sleep: 4 * time.Second, ask: true, kept: 2},
			{sleep: 5 * time.Second, ask: true, kept: 2},
			{sleep: 2 * time.Second, kept: 1}, // at 11 s, the first one's time is up
			{sleep: 2 * time.Second, ask: true, kept: 1},
			{sleep: 2 * time.Second, kept: 0}, // at 15 s
			{ask: true, kept: 1},
			{sleep: 11 * time.Second, kept: 0},
		} {
			time.Sleep(step.sleep)
			synctest.Wait()
			if step.ask {
				wantWWW(t, c)
			}
			if kept := len(c.KeptSockets()); kept != step.kept {
				t.Errorf("%+v: %d sockets kept", step, kept)
			}
		}
	})
	if ports.pattern() != "aab" || others.pattern() != "aa" {
		t.Errorf("ports %s and %s", ports.pattern(), others.pattern())
	}
}

// A socket that had no answer may have it later: it is closed.
func TestReuseSocketsTimeout(t *testing.T) {
	var ports ports
	var asked atomic.Int32
	c := reusing(t, startServer(t, ports.of(func(_ dns.ResponseWriter, r *dns.Msg) *dns.Msg {
		if asked.Add(1) == 2 {
			return nil
		}
		return say(r, dns.RcodeSuccess, www)
	})))
	c.TryTimeout = 400 * time.Millisecond
	wantWWW(t, c)
	wantWWW(t, c)
	wantWWW(t, c)
	if ports.pattern() != "aabb" {
		t.Errorf("ports %s", ports.pattern())
	}
}

// What came twice, or for an earlier question, is not the answer to the next one.
func TestReuseSocketsLeftovers(t *testing.T) {
	c := reusing(t, startServer(t, func(w dns.ResponseWriter, r *dns.Msg) *dns.Msg {
		m := say(r, dns.RcodeSuccess, r.Question[0].Name+" 300 IN A 192.0.2.10")
		for range 3 {
			_ = w.WriteMsg(m)
		}
		return nil
	}))
	for range 20 {
		for _, name := range []string{"a.test.", "b.test."} {
			a, err := c.Lookup(t.Context(), name, dns.TypeA)
			if err != nil || len(a.Records) != 1 || a.Records[0].Header().Name != name {
				t.Fatalf("%s: %v, error %v", name, a, err)
			}
		}
	}
}

// A socket that broke while nobody used it is replaced within the same try.
func TestReuseSocketsBroken(t *testing.T) {
	c := reusing(t, startServer(t, always(dns.RcodeSuccess, www)))
	c.Rounds = 1
	wantWWW(t, c)
	c.KeptSockets()[0].Close()
	wantWWW(t, c)
	if n := len(c.KeptSockets()); n != 1 {
		t.Errorf("%d sockets kept", n)
	}
}

// A server may be stopped and come back.
func TestReuseSocketsRestart(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
	packets, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serve := func() (stop func()) {
		server := &dns.Server{PacketConn: packets, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, r *dns.Msg) {
			_ = w.WriteMsg(say(r, dns.RcodeSuccess, www))
		})}
		var wg sync.WaitGroup
		wg.Go(func() { _ = server.ActivateAndServe() })
		return func() { packets.Close(); wg.Wait() }
	}
	address := packets.LocalAddr().(*net.UDPAddr)
	c := reusing(t, address.AddrPort())
	c.Rounds = 1
	stop := serve()
	wantWWW(t, c)
	stop()
	if _, err := c.Lookup(t.Context(), "www.example.test.", dns.TypeA); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("error %v", err)
	}
	if packets, err = net.ListenUDP("udp", address); err != nil {
		t.Skip("the port is taken: ", err)
	}
	stop = serve()
	defer stop()
	wantWWW(t, c)
}

// A context that ends closes the socket, at once.
func TestReuseSocketsCanceled(t *testing.T) {
	var asked atomic.Int32
	waiting := make(chan struct{}, 1)
	c := reusing(t, startServer(t, func(_ dns.ResponseWriter, r *dns.Msg) *dns.Msg {
		if asked.Add(1) == 2 {
			waiting <- struct{}{}
			return nil
		}
		return say(r, dns.RcodeSuccess, www)
	}))
	wantWWW(t, c)
	ctx, cancel := context.WithCancel(t.Context())
	var canceled time.Time
	var wg sync.WaitGroup
	wg.Go(func() {
		<-waiting
		canceled = time.Now()
		cancel()
	})
	_, err := c.Lookup(ctx, "www.example.test.", dns.TypeA)
	wg.Wait()
	if d := time.Since(canceled); d > time.Second || !errors.Is(err, context.Canceled) {
		t.Errorf("returned %v after cancel, error %v", d, err)
	}
	if n := len(c.KeptSockets()); n != 0 {
		t.Errorf("%d sockets kept", n)
	}
	wantWWW(t, c)
}

// Sockets change hands between many who ask, cancel and give up.
func TestReuseSocketsConcurrently(t *testing.T) {
	var n atomic.Int32
	c := reusing(t, startServer(t, func(_ dns.ResponseWriter, r *dns.Msg) *dns.Msg {
		if n.Add(1)%5 == 0 {
			time.Sleep(20 * time.Millisecond)
		}
		return say(r, dns.RcodeSuccess, r.Question[0].Name+" 300 IN A 192.0.2.10")
	}))
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			name := string(rune('a'+i)) + ".test."
			for j := range 50 {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
				if j%2 == 0 {
					ctx, cancel = context.WithCancel(t.Context())
				}
				a, err := c.Lookup(ctx, name, dns.TypeA)
				cancel()
				switch {
				case err == nil && (len(a.Records) != 1 || a.Records[0].Header().Name != name):
					t.Errorf("%s: %v", name, a)
				case err != nil && (j%2 == 0 || !errors.Is(err, context.DeadlineExceeded)):
					t.Errorf("%s: %v", name, err)
				}
			}
		})
	}
	wg.Wait()
}
