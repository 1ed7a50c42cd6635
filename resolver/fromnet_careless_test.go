package resolver_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/resolver/dnsfake"
)

// fourMethods hides those that a NetResolver need not have.
type fourMethods struct{ resolver.NetResolver }

// A double is a NetResolver that answers the same to everything.
type double struct {
	ip  func() ([]net.IPAddr, error)
	mx  func() ([]*net.MX, error)
	txt func() ([]string, error) // and the names of an address
}

func (d double) LookupIPAddr(context.Context, string) ([]net.IPAddr, error) { return d.ip() }
func (d double) LookupMX(context.Context, string) ([]*net.MX, error)        { return d.mx() }
func (d double) LookupTXT(context.Context, string) ([]string, error)        { return d.txt() }
func (d double) LookupAddr(context.Context, string) ([]string, error)       { return d.txt() }

// A wholeDouble has the other methods too.
type wholeDouble struct {
	double
	netip func() ([]netip.Addr, error)
	ns    func() ([]*net.NS, error)
	srv   func() ([]*net.SRV, error)
}

func (d wholeDouble) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return d.netip()
}
func (d wholeDouble) LookupNS(context.Context, string) ([]*net.NS, error) { return d.ns() }
func (d wholeDouble) LookupSRV(context.Context, string, string, string) (string, []*net.SRV, error) {
	all, err := d.srv()
	return "", all, err
}

// returns is a method's result.
func returns[T any](all ...T) func() ([]T, error) { return func() ([]T, error) { return all, nil } }

// fails is one with an error.
func fails[T any](err error, all ...T) func() ([]T, error) {
	return func() ([]T, error) { return all, err }
}

// What a double returns is the answer, or none: never a panic, and no denial that it did
// not mean.
func TestFromNetDoubles(t *testing.T) {
	notFound := &net.DNSError{Err: "no such host", IsNotFound: true}
	v4, v6 := net.ParseIP("192.0.2.1"), net.ParseIP("2001:db8::1") // both of 16 octets
	const name, reverse, srv = "mail.example.test.", "1.2.0.192.in-addr.arpa.", "_sip._tcp.example.test."
	for _, tt := range []struct {
		what  string
		name  string
		qtype uint16
		r     resolver.NetResolver
		want  string // "error", or the data of an answer
	}{
		{"an address of either family", name, dns.TypeA, double{ip: returns(net.IPAddr{IP: v4}, net.IPAddr{IP: v6})}, "192.0.2.1"},
		{"an address of either family", name, dns.TypeAAAA, double{ip: returns(net.IPAddr{IP: v4}, net.IPAddr{IP: v6})}, "2001:db8::1"},
		{"a zone", name, dns.TypeAAAA, double{ip: returns(net.IPAddr{IP: v6, Zone: "eth0"})}, "2001:db8::1"},
		{"the other family only", name, dns.TypeAAAA, double{ip: returns(net.IPAddr{IP: v4})}, "NOTFOUND"},
		{"no address", name, dns.TypeA, double{ip: returns[net.IPAddr]()}, "NOTFOUND"},
		{"not found", name, dns.TypeA, double{ip: fails[net.IPAddr](notFound)}, "NOTFOUND"},
		{"not found, wrapped", name, dns.TypeA, double{ip: fails[net.IPAddr](fmt.Errorf("test: %w", notFound))}, "NOTFOUND"},
		{"not found, beside an address", name, dns.TypeA, double{ip: fails(notFound, net.IPAddr{IP: v4})}, "error"},
		{"not found for now", name, dns.TypeA, double{ip: fails[net.IPAddr](&net.DNSError{IsNotFound: true, IsTemporary: true})}, "error"},
		{"not found in time", name, dns.TypeA, double{ip: fails[net.IPAddr](&net.DNSError{IsNotFound: true, IsTimeout: true})}, "error"},
		{"half an answer", name, dns.TypeA, double{ip: fails(errors.New("IPv6 failed"), net.IPAddr{IP: v4})}, "error"},
		{"an odd length", name, dns.TypeA, double{ip: returns(net.IPAddr{IP: net.IP{192, 0, 2}})}, "error"},
		{"a nil address", name, dns.TypeA, double{ip: returns(net.IPAddr{})}, "error"},
		{"a nil error", name, dns.TypeA, double{ip: fails[net.IPAddr]((*net.DNSError)(nil))}, "error"},
		{"a nil error inside", name, dns.TypeA, double{ip: fails[net.IPAddr](fmt.Errorf("test: %w", (*net.DNSError)(nil)))}, "error"},
		{"a panic", name, dns.TypeA, double{}, "error"},
		{"Goexit", name, dns.TypeA, double{ip: func() ([]net.IPAddr, error) { runtime.Goexit(); return nil, nil }}, "error"},
		{"a nil pointer", name, dns.TypeA, (*double)(nil), "error"},
		{"another type's error", name, dns.TypeA, double{ip: fails[net.IPAddr](&net.AddrError{Err: "missing address"})}, "error"},

		{"IPv4-mapped", name, dns.TypeA, wholeDouble{netip: returns(netip.MustParseAddr("::ffff:192.0.2.1"))}, "192.0.2.1"},
		{"a zone", name, dns.TypeAAAA, wholeDouble{netip: returns(netip.MustParseAddr("fe80::1%eth0"))}, "fe80::1"},
		{"the network is not looked at", name, dns.TypeA, wholeDouble{netip: returns(netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1"))}, "error"},
		{"IPv4-mapped as IPv6", name, dns.TypeAAAA, wholeDouble{netip: returns(netip.MustParseAddr("::ffff:192.0.2.1"))}, "error"},
		{"no address at all", name, dns.TypeA, wholeDouble{netip: returns(netip.Addr{})}, "error"},
		{"of the hosts file", name, dns.TypeAAAA, wholeDouble{netip: fails[netip.Addr](&net.AddrError{Err: "no suitable address found", Addr: name})}, "NOTFOUND"},

		{"MX", name, dns.TypeMX, double{mx: returns(&net.MX{Host: "a.test.", Pref: 10}, &net.MX{Host: "b.test", Pref: 20})}, "10 a.test., 20 b.test."},
		{"twice the same", name, dns.TypeMX, double{mx: returns(&net.MX{Host: "a.test."}, &net.MX{Host: "A.test"})}, "0 a.test."},
		{"Null MX", name, dns.TypeMX, double{mx: returns(&net.MX{Host: "."})}, "0 ."},
		{"an empty name is not the root", name, dns.TypeMX, double{mx: returns(&net.MX{})}, "error"},
		{"a nil record", name, dns.TypeMX, double{mx: returns(&net.MX{Host: "a.test."}, nil)}, "error"},
		{"a U-label", name, dns.TypeMX, double{mx: returns(&net.MX{Host: "bücher.test"})}, "0 xn--bcher-kva.test."},
		{"octets that are not a U-label", name, dns.TypeMX, double{mx: returns(&net.MX{Host: "b\xfccher.test"})}, "error"},
		{"two final dots", name, dns.TypeMX, double{mx: returns(&net.MX{Host: "a.test.."})}, "error"},
		{"too long", name, dns.TypeMX, double{mx: returns(&net.MX{Host: strings.Repeat("a.", 200)})}, "error"},

		{"TXT", name, dns.TypeTXT, double{txt: returns("v=spf1 -all", "", "\xff\x00\"\\")}, `"v=spf1 -all", "", "\255\000\"\\"`},
		{"PTR without its dot", reverse, dns.TypePTR, double{txt: returns("mail.example.test")}, name},
		{"PTR, empty", reverse, dns.TypePTR, double{txt: returns("")}, "error"},
		{"NS", name, dns.TypeNS, wholeDouble{ns: returns(&net.NS{Host: "ns.test"})}, "ns.test."},
		{"NS, nil", name, dns.TypeNS, wholeDouble{ns: returns((*net.NS)(nil))}, "error"},
		{"NS, none", name, dns.TypeNS, wholeDouble{ns: returns[*net.NS]()}, "NOTFOUND"},
		{"NS, no method", name, dns.TypeNS, double{}, "unsupported"},
		{"SRV", srv, dns.TypeSRV, wholeDouble{srv: returns(&net.SRV{Target: "a.test", Port: 5060, Priority: 1, Weight: 2})}, "1 2 5060 a.test."},
		{"SRV, empty", srv, dns.TypeSRV, wholeDouble{srv: returns(&net.SRV{})}, "error"},
		{"SRV, no method", srv, dns.TypeSRV, double{}, "unsupported"},
		{"SRV of another name", name, dns.TypeSRV, wholeDouble{srv: fails[*net.SRV](notFound)}, "unsupported"},
		{"SRV of a service alone", "_sip._tcp.", dns.TypeSRV, wholeDouble{srv: fails[*net.SRV](notFound)}, "unsupported"},
	} {
		t.Run(fmt.Sprintf("%s %s", resolver.TypeString(tt.qtype), tt.what), func(t *testing.T) {
			a, err := resolver.FromNet{Resolver: tt.r}.Lookup(t.Context(), tt.name, tt.qtype)
			got := strings.Join(netData(a), ", ")
			switch {
			case errors.Is(err, errors.ErrUnsupported):
				got = "unsupported"
			case err != nil:
				got = "error"
			case len(a.Records) == 0:
				got = a.Status.String()
			}
			if got != tt.want {
				t.Errorf("got %s, want %s (%+v, %v)", got, tt.want, a, err)
			}
			// What Lookup lets through, Ask does too.
			if reply := resolver.Ask(t.Context(), resolver.FromNet{Resolver: tt.r}, tt.name, tt.qtype); (reply.Err == nil) != (err == nil) || !slices.Equal(netData(reply.Answer), netData(a)) {
				t.Errorf("Ask: got %v", reply)
			}
			if err == nil && a.Server != fmt.Sprintf("%T", tt.r) {
				t.Errorf("got the server %q", a.Server)
			}
		})
	}
}

func netData(a resolver.Answer) []string {
	var out []string
	for _, rr := range a.Records {
		out = append(out, strings.TrimPrefix(rr.String(), rr.Header().String()))
	}
	return out
}

// A Lookup does not wait for a test double that ignores its context.
func TestFromNetDeaf(t *testing.T) {
	end := make(chan struct{})
	defer close(end)
	deaf := double{ip: func() ([]net.IPAddr, error) { <-end; return nil, nil }}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := (resolver.FromNet{Resolver: deaf}).Lookup(ctx, "mail.example.test", dns.TypeA); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// There and back is the same, as far as package net can say it.
func TestNetRoundTrip(t *testing.T) {
	fake, err := dnsfake.New(compareNetZone)
	if err != nil {
		t.Fatal(err)
	}
	fake.Fail("servfail.example.test", dns.TypeANY, dnsfake.ServFail)
	fake.Fail("refused.example.test", dns.TypeANY, dnsfake.Refused)
	fake.Fail("half.example.test", dns.TypeAAAA, dnsfake.ServFail)
	once := resolver.AsNet{Resolver: fake}
	twice := resolver.AsNet{Resolver: resolver.FromNet{Resolver: once}}
	four := resolver.AsNet{Resolver: resolver.FromNet{Resolver: fourMethods{once}}}
	for _, tt := range netCompared {
		want := call(t, once, tt.method, tt.args...)
		arg := tt.args[len(tt.args)-1]
		other := want
		switch {
		case tt.method == "CNAME" && strings.HasPrefix(arg, "alias"): // the chain is unknown
			other = arg + "example.test."
		case arg == "-x." || tt.method == "SRV" && tt.args[0] == "": // package net does not ask for such names
			other = "temporary"
		case arg == "mapped.": // nor takes IPv4-mapped addresses for IPv6
			other = "not found"
		}
		if got := call(t, twice, tt.method, tt.args...); got != other {
			t.Errorf("%s %q: got %s, want %s", tt.method, tt.args, got, other)
		}
		if tt.method == "NS" || tt.method == "SRV" || arg == "half." || arg == "mapped." {
			continue // without the method, or with one for both families
		}
		if got := call(t, four, tt.method, tt.args...); got != other {
			t.Errorf("%s %q by four methods: got %s, want %s", tt.method, tt.args, got, other)
		}
	}
}
