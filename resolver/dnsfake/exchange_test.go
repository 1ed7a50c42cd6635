package dnsfake_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/resolver/dnsfake"
)

// Exchange is a transport of a resolver.Client.
var _ = resolver.Client{Exchange: new(dnsfake.Fake).Exchange}

// overTCP sends octets to a server and returns the response, or nil.
func overTCP(t *testing.T, server *dnsfake.Server, query []byte) []byte {
	t.Helper()
	conn, err := dns.DialTimeout("tcp", server.Addr.String(), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(200 * time.Millisecond))
	if _, err := conn.Write(query); err != nil {
		t.Fatal(err)
	}
	response := make([]byte, dns.MaxMsgSize)
	n, err := conn.Read(response)
	if err != nil {
		return nil
	}
	return response[:n]
}

// The same message gets the same octets over TCP and from Exchange, and the same log.
func TestExchangeIsServe(t *testing.T) {
	zones := editZones + "$ORIGIN example.test.\nloop CNAME loop\naway CNAME elsewhere.tset.\nlost NS ns.elsewhere.tset.\n"
	fake, err := dnsfake.New(zones)
	if err != nil {
		t.Fatal(err)
	}
	fake.SetTXT("large.example.test", strings.Repeat("x", 60000))
	fake.Authentic("example.test")
	kinds := append(dnsfake.Kinds(), dnsfake.NXDomain, dnsfake.NoData)
	for _, kind := range kinds {
		fault := fake.Fail(strings.ToLower(kind.String())+".example.test", dns.TypeA, kind)
		if kind <= dnsfake.FormErr || kind >= dnsfake.NXDomain {
			fault.Extended(dns.ExtendedErrorCodeBlocked, "blocked")
		}
	}
	server := serve(t, fake)
	names := []string{"mail.example.test.", "MAIL.Example.Test.", "www.example.test.", "nothing.example.test.", "x.wild.example.test.",
		"loop.example.test.", "away.example.test.", "x.lost.example.test.", "mail.child.example.test.", "nowhere.tset."}
	for _, kind := range kinds {
		names = append(names, strings.ToLower(kind.String())+".example.test.")
	}
	var queries [][]byte
	for _, name := range append(names, "large.example.test.") {
		for form := range 4 {
			m := new(dns.Msg).SetQuestion(name, dns.TypeA)
			if name == "large.example.test." {
				m.Question[0].Qtype = dns.TypeTXT
			}
			m.RecursionDesired = form%2 == 0
			if form >= 2 {
				m.SetEdns0(1232, true)
			}
			queries = append(queries, pack(t, m))
		}
	}
	queries = append(queries,
		pack(t, new(dns.Msg).SetQuestion("example.test.", dns.TypeAXFR)),
		pack(t, new(dns.Msg).SetNotify("example.test.")),
		pack(t, new(dns.Msg)),
		append(pack(t, new(dns.Msg).SetQuestion("mail.example.test.", dns.TypeA))[:20], 0xff), // cut off
	)
	for _, query := range queries {
		before := len(fake.Questions())
		want := overTCP(t, server, query)
		middle := len(fake.Questions())
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		got, err := fake.Exchange(ctx, server.Addr, query)
		cancel()
		if !bytes.Equal(got, want) || (err == nil) != (want != nil) {
			t.Errorf("got %v, %v; over TCP\n%s; the query is\n%s", got, err, hex.Dump(want), hex.Dump(query))
		}
		if len(fake.Questions())-middle != middle-before {
			t.Errorf("%d questions, over TCP %d: the query is\n%s", len(fake.Questions())-middle, middle-before, hex.Dump(query))
		}
	}
}

func pack(t *testing.T, m *dns.Msg) []byte {
	t.Helper()
	packed, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return packed
}

// What is not an answer, with the time that it takes.
func TestExchangeWithoutAnswer(t *testing.T) {
	const name = "mail.example.test."
	for _, tt := range []struct {
		name  string
		setup func(*dnsfake.Fake)
		limit time.Duration
		query []byte // that of the name by default
		after time.Duration
		want  string // part of the error; "" for a response
		asked int
	}{
		{name: "an answer", limit: time.Minute, asked: 1},
		{name: "a delay", setup: func(f *dnsfake.Fake) { f.Delay(name, dns.TypeA, 5*time.Second) }, limit: time.Minute, after: 5 * time.Second, asked: 1},
		{name: "a long delay", setup: func(f *dnsfake.Fake) { f.Delay(name, dns.TypeA, time.Hour) }, limit: time.Minute, after: time.Minute,
			want: context.DeadlineExceeded.Error(), asked: 1},
		{name: "silence", setup: func(f *dnsfake.Fake) { f.Fail(name, dns.TypeA, dnsfake.Timeout) }, limit: time.Minute, after: time.Minute,
			want: context.DeadlineExceeded.Error(), asked: 1},
		{name: "no network", setup: func(f *dnsfake.Fake) { f.Fail(name, dns.TypeANY, dnsfake.Network) }, limit: time.Minute,
			want: "dnsfake: the network is unreachable", asked: 1},
		{name: "a context that is done", limit: -1, want: context.DeadlineExceeded.Error()},
		{name: "no message", limit: time.Minute, query: []byte("GET /"), want: "a query of 5 octets: expected a DNS message, of at least 12"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := newFake(t)
				if tt.setup != nil {
					tt.setup(fake)
				}
				if tt.query == nil {
					tt.query = pack(t, new(dns.Msg).SetQuestion(name, dns.TypeA))
				}
				ctx, cancel := context.WithTimeout(t.Context(), tt.limit)
				defer cancel()
				start := time.Now()
				response, err := fake.Exchange(ctx, netip.AddrPort{}, tt.query)
				if time.Since(start) != tt.after || len(fake.Questions()) != tt.asked || (err == nil) != (tt.want == "") ||
					(err == nil) != (response != nil) || err != nil && !strings.Contains(err.Error(), tt.want) {
					t.Errorf("got %v, %v after %v, asked %v", response, err, time.Since(start), fake.Questions())
				}
			})
		})
	}
}

// A Client over Exchange gets what Lookup says, in fake time.
func TestExchangeClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t)
		client := &resolver.Client{Exchange: fake.Exchange}
		fake.Fail("mail.example.test", dns.TypeA, dnsfake.Timeout).Times(1).Must()
		start := time.Now()
		addrs, err := resolver.LookupAddrs(t.Context(), client, "mail.example.test")
		if err != nil || len(addrs) != 2 || time.Since(start) != 2*time.Second {
			t.Errorf("got %v, %v after %v", addrs, err, time.Since(start))
		}
		for _, kind := range dnsfake.Kinds() {
			fake.Fail("mail.example.test", dns.TypeA, kind)
			_, err := client.Lookup(t.Context(), "mail.example.test", dns.TypeA)
			if e, ok := errors.AsType[*resolver.Error](err); !ok || e.Server != "Exchange" {
				t.Errorf("%s: %v", kind, err)
			}
		}
	})
}
