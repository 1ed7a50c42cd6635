package resolver_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/resolver/resolvertest"
)

// netResolver is a *net.Resolver that asks one server. Package net lets a look-up
// whose caller has gone wait for its server; here its socket is closed under it, at
// the latest when the test ends: of two callers who go at once, each takes the other
// for one who is still waiting.
func netResolver(t testing.TB, server netip.AddrPort) *net.Resolver {
	ended, end := context.WithCancel(context.Background())
	t.Cleanup(end)
	return &net.Resolver{PreferGo: true, StrictErrors: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		if ended.Err() != nil {
			return nil, ended.Err()
		}
		conn, err := new(net.Dialer).DialContext(ctx, network, server.String())
		if err == nil {
			context.AfterFunc(ctx, func() { conn.Close() })
			context.AfterFunc(ended, func() { conn.Close() })
		}
		return conn, err
	}}
}

func TestSystem(t *testing.T) {
	fake := resolvertest.New(t, `
$TTL 300
$ORIGIN example.test.
@     NS   ns
odd   MX   10 mail
odd   MX   20 bad\032host
ns    A    192.0.2.1
mapped AAAA ::ffff:192.0.2.1
`)
	s := resolver.FromNet{Resolver: netResolver(t, resolvertest.Serve(t, fake))}
	if a, err := s.Lookup(t.Context(), "example.test", dns.TypeNS); err != nil || len(a.Records) != 1 || a.Records[0].String() != "example.test.\t0\tIN\tNS\tns.example.test." || a.TTL != 0 {
		t.Errorf("NS: %+v, %v", a, err)
	}
	if a, err := s.Lookup(t.Context(), "nothing.example.test", dns.TypeTXT); err != nil || a.Status != resolver.NotFound || a.Server != "system resolver" {
		t.Errorf("NXDOMAIN: %+v, %v", a, err)
	}
	// As for a name of the hosts file with an IPv4 address alone: it has addresses, but not of
	// this family. To ask again would not help.
	if a, err := s.Lookup(t.Context(), "mapped.example.test", dns.TypeAAAA); err != nil || a.Status != resolver.NotFound {
		t.Errorf("IPv4-mapped: %+v, %v", a, err)
	}
	// Package net drops a record and says so: the rest is not the answer.
	if a, err := s.Lookup(t.Context(), "odd.example.test", dns.TypeMX); err == nil {
		t.Errorf("half an answer: %+v", a)
	}
	asked := len(fake.Questions())
	for _, q := range []struct {
		name  string
		qtype uint16
	}{
		{"example.test.", dns.TypeRP},
		{"example.test.", dns.TypeCNAME},
		{"example.test.", dns.TypePTR},          // no reverse name
		{"2.0.192.in-addr.arpa.", dns.TypePTR},  // of a network
		{`dot\.ted.example.test.`, dns.TypeTXT}, // "no such host" without a question
		{"-x.example.test.", dns.TypeTXT},       // likewise
		{"*.example.test.", dns.TypeTXT},        // likewise
		{"192.0.2.1", dns.TypeTXT},              // likewise
	} {
		if a, err := s.Lookup(t.Context(), q.name, q.qtype); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s %s: %+v, %v", q.name, resolver.TypeString(q.qtype), a, err)
		}
	}
	if len(fake.Questions()) != asked {
		t.Errorf("asked %v", fake.Questions()[asked:])
	}
	if _, err := s.Lookup(t.Context(), "a..b", dns.TypeA); !errors.Is(err, resolver.ErrName) {
		t.Errorf("no name: %v", err)
	}
}

// The zero FromNet, and a nil pointer in it, ask the machine's resolvers. Nothing may leave
// the machine here: an ended context shows that they are there, and asks nobody.
func TestSystemZero(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, s := range []resolver.FromNet{{}, {Resolver: (*net.Resolver)(nil)}} {
		if _, err := s.Lookup(ctx, "example.test", dns.TypeA); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	}
}
