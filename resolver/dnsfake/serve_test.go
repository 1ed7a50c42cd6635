package dnsfake_test

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/miekg/dns"
	"go.uber.org/goleak"

	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/resolver/dnsfake"
)

func serve(t *testing.T, fake *dnsfake.Fake) *dnsfake.Server {
	t.Helper()
	server, err := fake.Serve()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(server.Close(), server.Close()); err != nil {
			t.Error(err)
		}
		goleak.VerifyNone(t)
	})
	return server
}

// ask sends one question without the cares of a resolver.Client.
func ask(t *testing.T, network string, server *dnsfake.Server, name string, qtype uint16, edit func(*dns.Msg)) (*dns.Msg, error) {
	t.Helper()
	query := new(dns.Msg).SetQuestion(name, qtype)
	if edit != nil {
		edit(query)
	}
	client := &dns.Client{Net: network, Timeout: 200 * time.Millisecond}
	reply, _, err := client.Exchange(query, server.Addr.String())
	return reply, err
}

func TestServeAnswers(t *testing.T) {
	fake := newFake(t)
	fake.Add(`
alias  CNAME mail.other.test.
loop   CNAME loop
child  NS    ns.elsewhere.test.
$ORIGIN other.test.
@      SOA   ns hostmaster 1 7200 900 1209600 60
mail   A     192.0.2.20
`)
	fake.Authentic("other.test")
	server := serve(t, fake)
	for _, network := range []string{"udp", "tcp"} {
		for _, tt := range []struct {
			name          string
			iterative     bool
			rcode, answer int
			aa, ra, ad    bool
			unasked       bool // without AD in the query: RFC 6840, Section 5.7
		}{
			{name: "mail.example.test.", answer: 1, ra: true},
			{name: "mail.example.test.", iterative: true, answer: 1, aa: true},
			{name: "mail.other.test.", answer: 1, ra: true, ad: true},
			{name: "mail.other.test.", answer: 1, ra: true, unasked: true},
			{name: "alias.example.test.", answer: 2, ra: true},
			{name: "alias.example.test.", iterative: true, answer: 1, aa: true},
			{name: "nothing.other.test.", rcode: dns.RcodeNameError, ra: true, ad: true},
			{name: "loop.example.test.", rcode: dns.RcodeServerFailure, ra: true},
			{name: "x.child.example.test.", rcode: dns.RcodeServerFailure, ra: true},
			{name: "x.child.example.test.", iterative: true},
			{name: "nowhere.test.", rcode: dns.RcodeRefused, ra: true},
		} {
			reply, err := ask(t, network, server, tt.name, dns.TypeA, func(m *dns.Msg) { m.RecursionDesired, m.AuthenticatedData = !tt.iterative, !tt.unasked })
			if err != nil {
				t.Errorf("%s over %s: %v", tt.name, network, err)
				continue
			}
			if reply.Rcode != tt.rcode || len(reply.Answer) != tt.answer || reply.Authoritative != tt.aa || reply.RecursionAvailable != tt.ra || reply.AuthenticatedData != tt.ad {
				t.Errorf("%s over %s: %+v, got:\n%v", tt.name, network, tt, reply)
			}
		}
	}
	reply, err := ask(t, "udp", server, "nothing.example.test.", dns.TypeA, nil)
	if err != nil || len(reply.Ns) != 1 || reply.Ns[0].Header().Rrtype != dns.TypeSOA || reply.Ns[0].Header().Name != "example.test." {
		t.Errorf("a negative answer without the SOA of its zone: %v, %v", reply, err)
	}
	if len(fake.Outside()) != 2 || fake.Count("mail.example.test", dns.TypeA) != 4 {
		t.Errorf("outside %v, asked %v", fake.Outside(), fake.Questions())
	}
	// What is no question of a Fake's is refused by the zones, and not noted.
	before := len(fake.Questions())
	reply, err = ask(t, "tcp", server, "example.test.", dns.TypeAXFR, nil)
	if err != nil || reply.Rcode != dns.RcodeRefused || len(fake.Questions()) != before {
		t.Errorf("AXFR: %v, %v", reply, err)
	}
}

func TestServeTruncates(t *testing.T) {
	fake := newFake(t)
	for range 3 {
		fake.AddTXT("mail.example.test", string(slices.Repeat([]byte("x"), 400+len(fake.Questions()))))
		_, _ = fake.Lookup(t.Context(), "mail.example.test", dns.TypeTXT) // the next text differs
	}
	server := serve(t, fake)
	for _, tt := range []struct {
		network string
		size    uint16
		tc      bool
		answer  int
	}{{"udp", 0, true, 0}, {"udp", 1232, true, 0}, {"tcp", 0, false, 3}} {
		reply, err := ask(t, tt.network, server, "mail.example.test.", dns.TypeTXT, func(m *dns.Msg) {
			if tt.size > 0 {
				m.SetEdns0(tt.size, false)
			}
		})
		if err != nil || reply.Truncated != tt.tc || len(reply.Answer) != tt.answer {
			t.Errorf("%+v: %v, %v", tt, reply, err)
		}
	}
}

func TestServeFaults(t *testing.T) {
	fake := newFake(t)
	server := serve(t, fake)
	for _, kind := range dnsfake.Kinds() {
		fake.Fail("mail.example.test", dns.TypeA, kind)
		for _, network := range []string{"udp", "tcp"} {
			reply, err := ask(t, network, server, "mail.example.test.", dns.TypeA, nil)
			var ok bool
			switch kind {
			case dnsfake.ServFail:
				ok = err == nil && reply.Rcode == dns.RcodeServerFailure
			case dnsfake.Refused:
				ok = err == nil && reply.Rcode == dns.RcodeRefused
			case dnsfake.FormErr:
				ok = err == nil && reply.Rcode == dns.RcodeFormatError
			case dnsfake.Truncated:
				ok = err == nil && reply.Truncated
			case dnsfake.Forged:
				ok = err == nil && reply.Question[0].Name == "forged.invalid."
			case dnsfake.Timeout, dnsfake.Garbage, dnsfake.Network:
				ok = err != nil
			}
			if !ok {
				t.Errorf("%s over %s: %v, %v", kind, network, reply, err)
			}
		}
	}
	fake.Fail("mail.example.test", dns.TypeA, dnsfake.ServFail).Extended(6, "bogus")
	reply, err := ask(t, "udp", server, "mail.example.test.", dns.TypeA, func(m *dns.Msg) { m.SetEdns0(1232, false) })
	if err != nil || reply.IsEdns0() == nil || len(reply.IsEdns0().Option) != 1 {
		t.Errorf("extended error: %v, %v", reply, err)
	}
}

// A delay does not hold Close up.
func TestServeCloses(t *testing.T) {
	fake := newFake(t)
	fake.Delay("mail.example.test", dns.TypeA, time.Hour)
	server := serve(t, fake)
	if reply, err := ask(t, "udp", server, "mail.example.test.", dns.TypeA, nil); err == nil {
		t.Errorf("got %v", reply)
	}
	if err := server.Close(); err != nil {
		t.Error(err)
	}
	if _, err := net.DialTimeout("tcp", server.Addr.String(), time.Second); err == nil {
		t.Error("the port is still open")
	}
}

func TestServeAtTaken(t *testing.T) {
	server := serve(t, newFake(t))
	if second, err := newFake(t).ServeAt(server.Addr); err == nil {
		second.Close()
		t.Error("two servers on one port")
	}
	if second, err := newFake(t).ServeAt(netip.MustParseAddrPort("192.0.2.1:0")); err == nil {
		second.Close()
		t.Error("a server on an address that is not ours")
	}
	if second, err := newFake(t).ServeAt(netip.AddrPort{}); err == nil {
		second.Close()
		t.Error("a server on every address")
	}
}

// A program with a resolver.Client of its own.
func TestServeClient(t *testing.T) {
	server := serve(t, newFake(t))
	client := &resolver.Client{Servers: []netip.AddrPort{server.Addr}}
	if addrs, err := resolver.LookupAddrs(t.Context(), client, "mail.example.test"); err != nil || len(addrs) != 2 {
		t.Errorf("got %v, %v", addrs, err)
	}
}

// A negative answer over a socket has the SOA of its zone, be that the root, and
// not that of where an alias above it leads.
func TestServeSOA(t *testing.T) {
	for _, tt := range []struct{ zones, name, want string }{
		{"$TTL 300\n$ORIGIN .\n@ SOA ns hostmaster 1 7200 900 1209600 60\n", "mail.example.test.", "."},
		{"$TTL 300\n$ORIGIN example.test.\n@ SOA ns hostmaster 1 7200 900 1209600 60\nwww CNAME other.test.\n" +
			"$ORIGIN other.test.\n@ SOA ns hostmaster 1 7200 900 1209600 30\n", "x.www.example.test.", "example.test."},
	} {
		t.Run(tt.want, func(t *testing.T) {
			fake, err := dnsfake.New(tt.zones)
			if err != nil {
				t.Fatal(err)
			}
			reply, err := ask(t, "udp", serve(t, fake), tt.name, dns.TypeA, nil)
			if err != nil || reply.Rcode != dns.RcodeNameError || len(reply.Ns) != 1 || reply.Ns[0].Header().Name != tt.want {
				t.Errorf("%s: %v, %v", tt.name, reply, err)
			}
		})
	}
}
