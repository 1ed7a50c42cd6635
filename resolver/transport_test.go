package resolver_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
)

// An exchange is a transport of one's own.
type exchange = func(ctx context.Context, server netip.AddrPort, query []byte) ([]byte, error)

// overMemory is a transport to a script.
func overMemory(s script) exchange {
	return func(_ context.Context, _ netip.AddrPort, query []byte) ([]byte, error) {
		r := new(dns.Msg)
		if err := r.Unpack(query); err != nil {
			return nil, err
		}
		return s(nil, r).Pack()
	}
}

// All but the transport is the Client's: rounds and servers, aliases, EDNS, AD.
func TestExchange(t *testing.T) {
	servers := []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:853"), netip.MustParseAddrPort("[2001:db8::1]:0"), {}}
	alias := "www.example.test. 300 IN CNAME web.example.test."
	web := "web.example.test. 60 IN A 192.0.2.10"
	for _, tt := range []struct {
		name   string
		client *resolver.Client
		script script
		asked  []string
		server string
	}{
		{"no servers", &resolver.Client{}, always(dns.RcodeSuccess, www), []string{"invalid AddrPort www.example.test. A"}, "Exchange"},
		{"as they are", &resolver.Client{Servers: servers[1:]}, always(dns.RcodeSuccess, www), []string{"[2001:db8::1]:0 www.example.test. A"}, "[2001:db8::1]:0"},
		{"failures", &resolver.Client{Servers: servers, Rounds: 1}, func() script {
			var n atomic.Int32
			return func(w dns.ResponseWriter, r *dns.Msg) *dns.Msg {
				if n.Add(1) < 3 {
					return say(r, dns.RcodeServerFailure)
				}
				return say(r, dns.RcodeSuccess, www)
			}
		}(), []string{"192.0.2.1:853 www.example.test. A", "[2001:db8::1]:0 www.example.test. A", "invalid AddrPort www.example.test. A"}, "Exchange"},
		{"an open chain", &resolver.Client{Servers: servers[:1]}, func(_ dns.ResponseWriter, r *dns.Msg) *dns.Msg {
			if r.Question[0].Name == "www.example.test." {
				return say(r, dns.RcodeSuccess, alias)
			}
			return say(r, dns.RcodeSuccess, web)
		}, []string{"192.0.2.1:853 www.example.test. A", "192.0.2.1:853 web.example.test. A"}, "192.0.2.1:853"},
		{"no EDNS", &resolver.Client{}, func(_ dns.ResponseWriter, r *dns.Msg) *dns.Msg {
			if r.IsEdns0() != nil {
				return say(r, dns.RcodeFormatError)
			}
			return say(r, dns.RcodeSuccess, www)
		}, []string{"invalid AddrPort www.example.test. A", "invalid AddrPort www.example.test. A"}, "Exchange"},
		{"validated", &resolver.Client{TrustAD: true}, func(_ dns.ResponseWriter, r *dns.Msg) *dns.Msg {
			m := say(r, dns.RcodeSuccess, www)
			m.AuthenticatedData = r.AuthenticatedData
			return m
		}, []string{"invalid AddrPort www.example.test. A"}, "Exchange"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var asked []string
			tt.client.Exchange = func(ctx context.Context, server netip.AddrPort, query []byte) ([]byte, error) {
				r := new(dns.Msg)
				if err := r.Unpack(query); err != nil {
					t.Error(err)
				}
				asked = append(asked, fmt.Sprintf("%s %s %s", server, r.Question[0].Name, resolver.TypeString(r.Question[0].Qtype)))
				return overMemory(tt.script)(ctx, server, query)
			}
			a, err := tt.client.Lookup(t.Context(), "www.example.test", dns.TypeA)
			if err != nil || len(a.Records) != 1 || a.Server != tt.server || a.Authentic != tt.client.TrustAD {
				t.Errorf("got %+v, %v", a, err)
			}
			if diff := gocmp.Diff(tt.asked, asked); diff != "" {
				t.Error(diff)
			}
		})
	}
	c := &resolver.Client{Servers: servers, Rotate: true, Exchange: overMemory(always(dns.RcodeSuccess, www))}
	for _, want := range []string{"192.0.2.1:853", "[2001:db8::1]:0", "Exchange", "192.0.2.1:853"} {
		if a, err := c.Lookup(t.Context(), "www.example.test", dns.TypeA); err != nil || a.Server != want {
			t.Errorf("rotated to %s, want %s, %v", a.Server, want, err)
		}
	}
}

// careless are transports that do what they should not. None has an answer.
func careless(t testing.TB) map[string]exchange {
	reply := func(edit func(m *dns.Msg)) exchange {
		return overMemory(func(_ dns.ResponseWriter, r *dns.Msg) *dns.Msg {
			m := say(r, dns.RcodeSuccess, www)
			edit(m)
			return m
		})
	}
	octets := func(edit func(raw []byte) []byte) exchange {
		return func(ctx context.Context, server netip.AddrPort, query []byte) ([]byte, error) {
			raw, err := overMemory(always(dns.RcodeSuccess, www))(ctx, server, query)
			return edit(raw), err
		}
	}
	fails := func(err error) exchange {
		return func(context.Context, netip.AddrPort, []byte) ([]byte, error) { return nil, err }
	}
	inner := &resolver.Client{Rounds: 1, Exchange: overMemory(always(dns.RcodeSuccess, "www.example.test. 300 IN CNAME www.example.test."))}
	_, badName := resolver.Canonical("a..b")
	return map[string]exchange{
		"nil":              octets(func([]byte) []byte { return nil }),
		"short":            octets(func(raw []byte) []byte { return raw[:11] }),
		"a header":         octets(func(raw []byte) []byte { return raw[:12] }),
		"cut":              octets(func(raw []byte) []byte { return raw[:len(raw)-1] }),
		"garbage":          octets(func([]byte) []byte { return []byte("<html><body>Welcome to the hotel</body></html>") }),
		"TCP's length":     octets(func(raw []byte) []byte { return append([]byte{0, byte(len(raw))}, raw...) }),
		"65,536 octets":    octets(func(raw []byte) []byte { return append(raw, make([]byte, 65536-len(raw))...) }),
		"ID 0":             reply(func(m *dns.Msg) { m.Id ^= 1 }),
		"another question": reply(func(m *dns.Msg) { m.Question[0].Name = "web.example.test." }),
		"another type":     reply(func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeAAAA }),
		"no question":      reply(func(m *dns.Msg) { m.Question = nil }),
		"the query":        func(_ context.Context, _ netip.AddrPort, query []byte) ([]byte, error) { return query, nil },
		"truncated":        reply(func(m *dns.Msg) { m.Truncated = true }),
		"SERVFAIL":         reply(func(m *dns.Msg) { m.Rcode = dns.RcodeServerFailure }),
		"lame":             reply(func(m *dns.Msg) { m.Answer = nil }),
		"an error":         fails(errors.New("503 Service Unavailable\r\n\x1b[31m")),
		"canceled":         fails(context.Canceled),
		"deadline":         fails(context.DeadlineExceeded),
		"a name":           fails(badName),
		"no server":        fails(resolver.ErrNoServer),
		"unsupported":      fails(errors.ErrUnsupported),
		"a nil error":      fails((*resolver.Error)(nil)),
		"a chain": func(ctx context.Context, _ netip.AddrPort, _ []byte) ([]byte, error) {
			_, err := inner.Lookup(ctx, "www.example.test", dns.TypeA)
			return nil, err
		},
		"a panic": func(context.Context, netip.AddrPort, []byte) ([]byte, error) { panic("boom") },
		"a nil":   func(context.Context, netip.AddrPort, []byte) ([]byte, error) { var p *int; *p = 1; return nil, nil },
		"Goexit":  func(context.Context, netip.AddrPort, []byte) ([]byte, error) { runtime.Goexit(); return nil, nil },
		"an error beside an answer": func(ctx context.Context, server netip.AddrPort, query []byte) ([]byte, error) {
			raw, _ := overMemory(always(dns.RcodeSuccess, www))(ctx, server, query)
			return raw, errors.New("half of it")
		},
	}
}

// A careless transport costs one try: no panic, no answer.
func TestExchangeCareless(t *testing.T) {
	first := netip.MustParseAddrPort("192.0.2.1:853")
	for name, careless := range careless(t) {
		t.Run(name, func(t *testing.T) {
			good := overMemory(always(dns.RcodeSuccess, www))
			c := &resolver.Client{Servers: []netip.AddrPort{first, netip.MustParseAddrPort("192.0.2.2:853")}, Exchange: func(ctx context.Context, server netip.AddrPort, query []byte) ([]byte, error) {
				if server == first {
					return careless(ctx, server, query)
				}
				return good(ctx, server, query)
			}}
			if a, err := c.Lookup(t.Context(), "www.example.test", dns.TypeA); err != nil || len(a.Records) != 1 || a.Server != "192.0.2.2:853" {
				t.Errorf("with another server: got %+v, %v", a, err)
			}
			c = &resolver.Client{Exchange: careless}
			a, err := c.Lookup(t.Context(), "www.example.test", dns.TypeA)
			if err == nil {
				t.Fatalf("alone: got %+v", a)
			}
			for _, other := range []error{context.Canceled, context.DeadlineExceeded, resolver.ErrName, resolver.ErrNoServer, resolver.ErrChain, errors.ErrUnsupported} {
				if errors.Is(err, other) {
					t.Errorf("alone: %v is %v", err, other)
				}
			}
			for _, r := range err.Error() {
				if r < ' ' {
					t.Errorf("alone: %q", err)
				}
			}
		})
	}
}

// The cause of an error of Exchange is kept.
func TestExchangeCause(t *testing.T) {
	_, err := (&resolver.Client{Exchange: func(context.Context, netip.AddrPort, []byte) ([]byte, error) {
		return nil, fmt.Errorf("dial: %w", os.ErrPermission)
	}}).Lookup(t.Context(), "www.example.test", dns.TypeA)
	if !errors.Is(err, os.ErrPermission) || err.Error() != "lookup www.example.test. A: dial: permission denied (Exchange)" {
		t.Errorf("got %v", err)
	}
}

// A message of the largest size is one.
func TestExchangeLargest(t *testing.T) {
	c := &resolver.Client{Exchange: func(ctx context.Context, server netip.AddrPort, query []byte) ([]byte, error) {
		r := new(dns.Msg)
		if err := r.Unpack(query); err != nil {
			t.Error(err)
		}
		m := say(r, dns.RcodeSuccess, www)
		pad := &dns.NULL{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeNULL, Class: dns.ClassINET}}
		m.Extra = []dns.RR{pad}
		raw, _ := m.Pack()
		pad.Data = string(make([]byte, 65535-len(raw)))
		return m.Pack()
	}}
	if a, err := c.Lookup(t.Context(), "www.example.test", dns.TypeA); err != nil || len(a.Records) != 1 {
		t.Errorf("got %v, %v", a, err)
	}
}

// The query is Exchange's own: to keep, to change, as with the ID of DoH by GET.
func TestExchangeQuery(t *testing.T) {
	var kept [][]byte
	c := &resolver.Client{Exchange: func(ctx context.Context, server netip.AddrPort, query []byte) ([]byte, error) {
		id := slices.Clone(query[:2])
		query[0], query[1] = 0, 0
		raw, err := overMemory(always(dns.RcodeSuccess, www))(ctx, server, query)
		for _, q := range append(kept, query) {
			clear(q[2:])
		}
		kept = append(kept, query)
		copy(raw, id)
		return raw, err
	}}
	wantWWW(t, c)
	wantWWW(t, c)
}

// A Lookup does not wait for an Exchange that ignores its context, longer than a try or its own context.
func TestExchangeIgnoresContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		deaf := func(context.Context, netip.AddrPort, []byte) ([]byte, error) {
			time.Sleep(time.Hour)
			return nil, nil
		}
		c := &resolver.Client{Exchange: deaf}
		start := time.Now()
		_, err := c.Lookup(t.Context(), "www.example.test", dns.TypeA)
		if e, ok := errors.AsType[*resolver.Error](err); !ok || !e.Timeout() || errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 4*time.Second {
			t.Errorf("%v after %v, expected two tries", err, time.Since(start))
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		start = time.Now()
		if _, err := c.Lookup(ctx, "www.example.test", dns.TypeA); !errors.Is(err, context.Canceled) || time.Since(start) != time.Second {
			t.Errorf("%v after %v, expected the end of the context", err, time.Since(start))
		}
		time.Sleep(2 * time.Hour) // the calls return
	})
}

// Nor does it gather goroutines.
func TestExchangeBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		running, most := 0, 0
		c := &resolver.Client{Exchange: func(context.Context, netip.AddrPort, []byte) ([]byte, error) {
			count := func(n int) {
				mu.Lock()
				defer mu.Unlock()
				running += n
				most = max(most, running)
			}
			count(1)
			defer count(-1)
			time.Sleep(time.Hour)
			return nil, nil
		}}
		start := time.Now()
		var wg sync.WaitGroup
		for range 1000 {
			wg.Go(func() {
				if _, err := c.Lookup(t.Context(), "www.example.test", dns.TypeA); err == nil {
					t.Error("an answer")
				}
			})
		}
		wg.Wait()
		mu.Lock()
		atOnce := most
		mu.Unlock()
		if took := time.Since(start); took != 4*time.Second || atOnce != 256 {
			t.Errorf("took %v, %d calls at once", took, atOnce)
		}
		time.Sleep(2 * time.Hour) // they return, and there is room again
		c.Exchange = overMemory(always(dns.RcodeSuccess, www))
		wantWWW(t, c)
	})
}

// Those that wait take the places of calls that return, in order.
func TestExchangeWaits(t *testing.T) {
	c := &resolver.Client{}
	for range 2 { // a Client of several tests
		synctest.Test(t, func(t *testing.T) {
			c.Exchange = func(ctx context.Context, server netip.AddrPort, query []byte) ([]byte, error) {
				time.Sleep(100 * time.Millisecond)
				return overMemory(always(dns.RcodeSuccess, www))(ctx, server, query)
			}
			start := time.Now()
			var wg sync.WaitGroup
			for range 1000 {
				wg.Go(func() { wantWWW(t, c) })
			}
			wg.Wait()
			if took := time.Since(start); took != 400*time.Millisecond {
				t.Errorf("took %v, expected 4 times 256 calls", took)
			}
		})
	}
}

// The context of Exchange ends with its try.
func TestExchangeDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var tries []time.Duration
		start := time.Now()
		c := &resolver.Client{Rounds: 3, TryTimeout: time.Second, Timeout: 2500 * time.Millisecond, Exchange: func(ctx context.Context, _ netip.AddrPort, _ []byte) ([]byte, error) {
			<-ctx.Done()
			mu.Lock()
			defer mu.Unlock()
			tries = append(tries, time.Since(start))
			return nil, ctx.Err()
		}}
		_, err := c.Lookup(t.Context(), "www.example.test", dns.TypeA)
		e, ok := errors.AsType[*resolver.Error](err)
		if !ok || !e.Timeout() || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		if want := []time.Duration{time.Second, 2 * time.Second, 2500 * time.Millisecond}; !slices.Equal(tries, want) {
			t.Errorf("got %v, want %v", tries, want)
		}
	})
}

// FuzzExchange: whatever a transport returns, a Lookup returns, and what it takes for the
// answer is one that Ask lets through.
func FuzzExchange(f *testing.F) {
	query := new(dns.Msg).SetQuestion("www.example.test.", dns.TypeA)
	for _, m := range []*dns.Msg{say(query, dns.RcodeSuccess, www), say(query, dns.RcodeNameError, "aa"), say(query, dns.RcodeSuccess, "www.example.test. 300 IN CNAME web.example.test.", "web.example.test. 60 IN A 192.0.2.10")} {
		raw, err := m.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		c := &resolver.Client{Rounds: 1, Exchange: func(_ context.Context, _ netip.AddrPort, query []byte) ([]byte, error) {
			response := slices.Clone(raw)
			copy(response, query[:2])
			return response, nil
		}}
		a, err := c.Lookup(t.Context(), "www.example.test.", dns.TypeA)
		if reply := resolver.Ask(t.Context(), c, "www.example.test.", dns.TypeA); (reply.Err == nil) != (err == nil) || len(reply.Records) != len(a.Records) {
			t.Errorf("got %+v, %v; Ask has %+v", a, err, reply)
		}
	})
}
