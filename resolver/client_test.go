package resolver_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
	"go.uber.org/goleak"

	"github.com/bonafide-mta/bonafide/resolver"
)

// A script is what a server on the loopback does with one message. It returns
// the reply, or nil if it wrote itself or stays silent.
type script func(w dns.ResponseWriter, r *dns.Msg) *dns.Msg

// startServer serves a script over UDP and TCP on one port until the test ends,
// which must leave no goroutine behind.
func startServer(t *testing.T, s script) netip.AddrPort {
	t.Helper()
	return startServerOn(t, "127.0.0.1", s)
}

func startServerOn(t *testing.T, host string, s script) netip.AddrPort {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })

	packets, listener, err := listenBoth(host)
	if err != nil {
		t.Fatal(err)
	}
	handler := dns.HandlerFunc(func(w dns.ResponseWriter, r *dns.Msg) {
		if m := s(w, r); m != nil {
			_ = w.WriteMsg(m)
		}
	})
	var serving sync.WaitGroup
	t.Cleanup(serving.Wait) // runs after the Shutdowns below: last in, first out
	for _, server := range []*dns.Server{
		{PacketConn: packets, Handler: handler},
		{Listener: listener, Handler: handler},
	} {
		started := make(chan struct{})
		server.NotifyStartedFunc = func() { close(started) }
		serving.Go(func() { _ = server.ActivateAndServe() })
		<-started
		t.Cleanup(func() {
			if err := server.Shutdown(); err != nil {
				t.Errorf("shutdown: %v", err)
			}
		})
	}
	return packets.LocalAddr().(*net.UDPAddr).AddrPort()
}

// listenBoth finds a port that is free for UDP and TCP.
func listenBoth(host string) (net.PacketConn, net.Listener, error) {
	var err error
	for range 20 {
		var packets net.PacketConn
		packets, err = net.ListenPacket("udp", net.JoinHostPort(host, "0"))
		if err != nil {
			return nil, nil, err
		}
		var listener net.Listener
		listener, err = net.Listen("tcp", packets.LocalAddr().String())
		if err == nil {
			return packets, listener, nil
		}
		packets.Close()
	}
	return nil, nil, err
}

// rr reads a record as a zone file has it.
func rr(line string) dns.RR {
	record, err := dns.NewRR(line)
	if err != nil {
		panic(fmt.Sprintf("%s: %v", line, err))
	}
	return record
}

// say replies with records, each in the answer section, except those that start with
// "auth " or "add ". The lines "aa" and "ra" set these bits.
func say(r *dns.Msg, rcode int, lines ...string) *dns.Msg {
	m := new(dns.Msg).SetRcode(r, rcode)
	for _, line := range lines {
		section, rest, _ := strings.Cut(line, " ")
		switch section {
		case "aa":
			m.Authoritative = true
		case "ra":
			m.RecursionAvailable = true
		case "auth":
			m.Ns = append(m.Ns, rr(rest))
		case "add":
			m.Extra = append(m.Extra, rr(rest))
		default:
			m.Answer = append(m.Answer, rr(line))
		}
	}
	return m
}

// always is a script of one answer.
func always(rcode int, lines ...string) script {
	return func(_ dns.ResponseWriter, r *dns.Msg) *dns.Msg { return say(r, rcode, lines...) }
}

// counted counts the messages of a script.
func counted(n *atomic.Int32, s script) script {
	return func(w dns.ResponseWriter, r *dns.Msg) *dns.Msg {
		n.Add(1)
		return s(w, r)
	}
}

func silent(dns.ResponseWriter, *dns.Msg) *dns.Msg { return nil }

func overTCP(w dns.ResponseWriter) bool {
	_, tcp := w.RemoteAddr().(*net.TCPAddr)
	return tcp
}

// ask looks up A records of www.example.test with a client of these servers that
// does not repeat itself.
func ask(t *testing.T, servers ...netip.AddrPort) (resolver.Answer, error) {
	t.Helper()
	c := resolver.Client{Servers: servers, Rounds: 1}
	return c.Lookup(t.Context(), "www.example.test.", dns.TypeA)
}

// failure asserts that err is an *resolver.Error.
func failure(t *testing.T, err error) *resolver.Error {
	t.Helper()
	e, ok := errors.AsType[*resolver.Error](err)
	if !ok {
		t.Fatalf("error is a %T (%v), want *resolver.Error", err, err)
	}
	return e
}

// outcome is an Answer as text, for comparison.
type outcome struct {
	Status         resolver.Status
	Records, Chain []string
	TTL            time.Duration
	Authentic      bool
}

func outcomeOf(a resolver.Answer) outcome {
	return outcome{Status: a.Status, Records: texts(a.Records), Chain: texts(a.Chain), TTL: a.TTL, Authentic: a.Authentic}
}

func texts(records []dns.RR) []string {
	var out []string
	for _, rr := range records {
		out = append(out, strings.Join(strings.Fields(rr.String()), " "))
	}
	return out
}

const (
	www = "www.example.test. 300 IN A 192.0.2.10"
	soa = "auth example.test. 900 IN SOA ns.example.test. hostmaster.example.test. 1 7200 3600 1209600 600"
)

// After a failure the next server is asked, after an answer it is not.
func TestClientNextServer(t *testing.T) {
	for name, first := range map[string]script{
		"SERVFAIL": always(dns.RcodeServerFailure),
		"REFUSED":  always(dns.RcodeRefused),
		"NOTAUTH":  always(dns.RcodeNotAuth),
		"a header alone": func(_ dns.ResponseWriter, r *dns.Msg) *dns.Msg {
			m := say(r, dns.RcodeRefused)
			m.Question = nil
			return m
		},
		"a referral": always(dns.RcodeSuccess, "auth . 900 IN NS ns.example.test."),
		"silence":    silent,
	} {
		t.Run(name, func(t *testing.T) {
			second := startServer(t, always(dns.RcodeSuccess, www))
			c := resolver.Client{Servers: []netip.AddrPort{startServer(t, first), second}, TryTimeout: 200 * time.Millisecond}
			a, err := c.Lookup(t.Context(), "www.example.test.", dns.TypeA)
			if err != nil || len(a.Records) != 1 || a.Server != second.String() {
				t.Errorf("%v, error %v", a, err)
			}
		})
	}

	t.Run("nobody listens", func(t *testing.T) {
		second := startServer(t, always(dns.RcodeSuccess, www))
		start := time.Now()
		a, err := ask(t, closedPort(t), second)
		if err != nil || a.Server != second.String() {
			t.Errorf("%v, error %v", a, err)
		}
		if d := time.Since(start); d > time.Second {
			t.Errorf("took %v", d)
		}
	})
	t.Run("an answer", func(t *testing.T) {
		var asked atomic.Int32
		second := startServer(t, counted(&asked, always(dns.RcodeSuccess, www)))
		for _, rcode := range []int{dns.RcodeSuccess, dns.RcodeNameError} {
			a, err := ask(t, startServer(t, always(rcode, soa)), second)
			if err != nil || len(a.Records) > 0 || asked.Load() > 0 {
				t.Errorf("%v, error %v, second server asked %d times", a, err, asked.Load())
			}
		}
	})
	t.Run("a loop", func(t *testing.T) {
		var asked atomic.Int32
		second := startServer(t, counted(&asked, always(dns.RcodeSuccess, www)))
		first := startServer(t, always(dns.RcodeSuccess, "www.example.test. 1 IN CNAME www.example.test."))
		if _, err := ask(t, first, second); !errors.Is(err, resolver.ErrChain) || asked.Load() > 0 {
			t.Errorf("error %v, second server asked %d times", err, asked.Load())
		}
	})
}

// closedPort returns a port of the loopback where nobody listens.
func closedPort(t *testing.T) netip.AddrPort {
	t.Helper()
	packets, listener, err := listenBoth("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	packets.Close()
	listener.Close()
	return packets.LocalAddr().(*net.UDPAddr).AddrPort()
}

func TestClientRounds(t *testing.T) {
	var asked atomic.Int32
	server := startServer(t, func(_ dns.ResponseWriter, r *dns.Msg) *dns.Msg {
		if asked.Add(1) < 3 {
			return say(r, dns.RcodeServerFailure)
		}
		return say(r, dns.RcodeSuccess, www)
	})
	c := resolver.Client{Servers: []netip.AddrPort{server}, Rounds: 3}
	if _, err := c.Lookup(t.Context(), "www.example.test.", dns.TypeA); err != nil {
		t.Error(err)
	}
	asked.Store(0)
	c.Rounds = 0 // 2
	if _, err := c.Lookup(t.Context(), "www.example.test.", dns.TypeA); err == nil || asked.Load() != 2 {
		t.Errorf("asked %d times, error %v", asked.Load(), err)
	}
}

func TestClientRotate(t *testing.T) {
	var c resolver.Client
	for range 3 {
		c.Servers = append(c.Servers, startServer(t, always(dns.RcodeSuccess, www)))
	}
	for _, c.Rotate = range []bool{false, true} {
		var by []string
		for range 4 {
			a, err := c.Lookup(t.Context(), "www.example.test.", dns.TypeA)
			if err != nil {
				t.Fatal(err)
			}
			by = append(by, a.Server)
		}
		s := c.Servers
		want := []string{s[0].String(), s[0].String(), s[0].String(), s[0].String()}
		if c.Rotate {
			want = []string{s[0].String(), s[1].String(), s[2].String(), s[0].String()}
		}
		if diff := cmp.Diff(want, by); diff != "" {
			t.Errorf("Rotate %v (-want +got)\n%s", c.Rotate, diff)
		}
	}
}

// Of all failures, the one that tells most is returned.
func TestClientMostTellingFailure(t *testing.T) {
	bogus := func(_ dns.ResponseWriter, r *dns.Msg) *dns.Msg {
		m := say(r, dns.RcodeServerFailure)
		m.SetEdns0(1232, false)
		opt := m.IsEdns0()
		opt.Option = append(opt.Option,
			&dns.EDNS0_EDE{InfoCode: dns.ExtendedErrorCodeDNSBogus, ExtraText: "no\nluck"},
			&dns.EDNS0_NSID{Code: dns.EDNS0NSID, Nsid: "00"},
			&dns.EDNS0_EDE{InfoCode: 4711})
		return m
	}
	mute, servfail := startServer(t, silent), startServer(t, always(dns.RcodeServerFailure))
	refused, ede := startServer(t, always(dns.RcodeRefused)), startServer(t, bogus)
	closed := closedPort(t)

	for _, tt := range []struct {
		name    string
		servers []netip.AddrPort
		want    resolver.Error
		text    string
		timeout bool
	}{
		{
			name: "extended error", servers: []netip.AddrPort{mute, servfail, ede, refused, closed},
			want: resolver.Error{Server: ede.String(), RCode: dns.RcodeServerFailure,
				Extended: []resolver.ExtendedError{{Code: 6, Text: "no\nluck"}, {Code: 4711}}},
			text: `lookup www.example.test. A: SERVFAIL, EDE 6 DNSSEC Bogus: "no\nluck", EDE 4711 (` + ede.String() + ")",
		},
		{
			name: "the first rcode", servers: []netip.AddrPort{closed, mute, refused, servfail},
			want: resolver.Error{Server: refused.String(), RCode: dns.RcodeRefused},
			text: "lookup www.example.test. A: REFUSED (" + refused.String() + ")",
		},
		{
			name: "network", servers: []netip.AddrPort{mute, closed},
			want: resolver.Error{Server: closed.String()},
			text: "lookup www.example.test. A: udp: read: connection refused (" + closed.String() + ")",
		},
		{
			name: "silence", servers: []netip.AddrPort{mute, mute},
			want: resolver.Error{Server: mute.String()}, timeout: true,
			text: "lookup www.example.test. A: udp: i/o timeout (" + mute.String() + ")",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := resolver.Client{Servers: tt.servers, Rounds: 1, TryTimeout: 200 * time.Millisecond}
			start := time.Now()
			_, err := c.Lookup(t.Context(), "www.example.test", dns.TypeA)
			if d := time.Since(start); d > 2*time.Second {
				t.Errorf("took %v", d)
			}
			e := failure(t, err)
			if e.Error() != tt.text || e.Timeout() != tt.timeout || !e.Temporary() {
				t.Errorf("error %v (Timeout %v)\nwant  %s (%v)", e, e.Timeout(), tt.text, tt.timeout)
			}
			got := *e
			got.Err = nil // is in the text
			tt.want.Name, tt.want.Type = "www.example.test.", dns.TypeA
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error("(-want +got)\n" + diff)
			}
		})
	}
}

func TestClientTimeout(t *testing.T) {
	mute := startServer(t, silent)
	c := resolver.Client{Servers: []netip.AddrPort{mute}, Rounds: 1000, Timeout: 50 * time.Millisecond}
	start := time.Now()
	_, err := c.Lookup(t.Context(), "www.example.test.", dns.TypeA)
	if e := failure(t, err); !e.Timeout() || e.Server != mute.String() || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v (%#v)", err, e)
	}
	if d := time.Since(start); d > time.Second {
		t.Errorf("took %v", d)
	}
}

// A context ends a Lookup at once, whatever it waits for.
func TestClientContext(t *testing.T) {
	sulk := errors.New("the peer hung up")
	waiting := make(chan struct{}, 1)
	muteUDP := func(dns.ResponseWriter, *dns.Msg) *dns.Msg {
		waiting <- struct{}{}
		return nil
	}
	muteTCP := func(w dns.ResponseWriter, r *dns.Msg) *dns.Msg {
		if overTCP(w) {
			return muteUDP(w, r)
		}
		m := say(r, dns.RcodeSuccess)
		m.Truncated = true
		return m
	}
	for name, s := range map[string]script{"UDP": muteUDP, "TCP": muteTCP} {
		t.Run("canceled, "+name, func(t *testing.T) {
			c := resolver.Client{TryTimeout: 5 * time.Second}
			c.Servers = []netip.AddrPort{startServer(t, always(dns.RcodeServerFailure)), startServer(t, s)}
			ctx, cancel := context.WithCancelCause(t.Context())
			var canceled time.Time
			var wg sync.WaitGroup
			wg.Go(func() {
				<-waiting
				canceled = time.Now()
				cancel(sulk)
			})
			_, err := c.Lookup(ctx, "www.example.test.", dns.TypeA)
			wg.Wait()
			if d := time.Since(canceled); d > time.Second {
				t.Errorf("returned %v after cancel", d)
			}
			e := failure(t, err)
			if !errors.Is(err, context.Canceled) || !errors.Is(err, sulk) || e.Server != c.Servers[1].String() {
				t.Errorf("error %v", err)
			}
		})
	}
	t.Run("deadline", func(t *testing.T) {
		c := resolver.Client{Servers: []netip.AddrPort{startServer(t, silent)}}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := c.Lookup(ctx, "www.example.test.", dns.TypeA)
		if e := failure(t, err); !errors.Is(err, context.DeadlineExceeded) || !e.Timeout() {
			t.Errorf("error %v", err)
		}
	})
	t.Run("done before", func(t *testing.T) {
		var asked atomic.Int32
		c := resolver.Client{Servers: []netip.AddrPort{startServer(t, counted(&asked, silent))}}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := c.Lookup(ctx, "www.example.test.", dns.TypeA)
		if !errors.Is(err, context.Canceled) || asked.Load() > 0 {
			t.Errorf("asked %d times, error %v", asked.Load(), err)
		}
	})
}

func TestClientNothingToAsk(t *testing.T) {
	var c resolver.Client
	if _, err := c.Lookup(t.Context(), "www.example.test.", dns.TypeA); !errors.Is(err, resolver.ErrNoServer) {
		t.Errorf("no servers: error %v", err)
	}
	if _, err := c.Lookup(t.Context(), "a..b", dns.TypeA); !errors.Is(err, resolver.ErrName) {
		t.Errorf("no name: error %v", err)
	}
	if _, err := ask(t, netip.AddrPort{}); err == nil {
		t.Error("no error from an invalid address")
	}
}

// The number in the documentation of Client, against servers that make as much
// work as they can.
func TestClientWorkIsBounded(t *testing.T) {
	for _, tt := range []struct {
		name            string
		rounds, servers int
		aliases         int // then SERVFAIL
		want            int32
	}{
		{"aliases, then failures", 2, 2, 16, 3 * (2*2 + 16)},
		{"failures", 3, 2, 0, 3 * 3 * 2},
		{"aliases without end", 2, 2, 1000, 3 * 17},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var asked atomic.Int32
			hostile := counted(&asked, func(w dns.ResponseWriter, r *dns.Msg) *dns.Msg {
				var n int
				_, _ = fmt.Sscanf(r.Question[0].Name, "n%d.test.", &n)
				switch {
				case r.IsEdns0() != nil:
					return say(r, dns.RcodeFormatError)
				case !overTCP(w):
					m := say(r, dns.RcodeSuccess)
					m.Truncated = true
					return m
				case n == tt.aliases:
					return say(r, dns.RcodeServerFailure)
				}
				return say(r, dns.RcodeSuccess, fmt.Sprintf("n%d.test. 60 IN CNAME n%d.test.", n, n+1))
			})
			c := resolver.Client{Rounds: tt.rounds}
			for range tt.servers {
				c.Servers = append(c.Servers, startServer(t, hostile))
			}
			if _, err := c.Lookup(t.Context(), "n0.test.", dns.TypeA); err == nil {
				t.Error("no error")
			}
			if asked.Load() != tt.want {
				t.Errorf("asked %d times, want %d", asked.Load(), tt.want)
			}
		})
	}
}

func TestClientIPv6(t *testing.T) {
	if packets, err := net.ListenPacket("udp", "[::1]:0"); err != nil {
		t.Skip("no IPv6 loopback")
	} else {
		packets.Close()
	}
	server := startServerOn(t, "::1", always(dns.RcodeSuccess, www))
	a, err := ask(t, server)
	if err != nil || a.Server != server.String() {
		t.Errorf("%v, error %v", a, err)
	}
}
