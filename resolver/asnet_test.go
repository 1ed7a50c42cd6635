package resolver_test

import (
	"context"
	"errors"
	"net"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
)

// The methods are those of *net.Resolver, to the letter.
var _ interface {
	LookupTXT(context.Context, string) ([]string, error)
	LookupMX(context.Context, string) ([]*net.MX, error)
	LookupIPAddr(context.Context, string) ([]net.IPAddr, error)
	LookupAddr(context.Context, string) ([]string, error)
	LookupSRV(context.Context, string, string, string) (string, []*net.SRV, error)
} = resolver.AsNet{}

var _ interface {
	LookupSRV(context.Context, string, string, string) (string, []*net.SRV, error)
} = net.DefaultResolver

func TestNet(t *testing.T) {
	n := resolver.AsNet{Resolver: mustParse(t, lookupZone+`
$ORIGIN sip.test.
_sip._tcp SRV 20 1 5060 c
_sip._tcp SRV 10 1 5060 a
_sip._tcp SRV 10 5 5060 b
alias._tcp CNAME _sip._tcp
`)}
	ctx := t.Context()
	check := func(what string, got, want any, err error) {
		t.Helper()
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", what, err, diff)
		}
	}
	txt, err := n.LookupTXT(ctx, "example.test")
	check("TXT", txt, []string{"v=spf1 -all", "café \"quoted\" back\\slash"}, err)
	mx, err := n.LookupMX(ctx, "example.test")
	check("MX", mx, []*net.MX{{Host: "a.example.test.", Pref: 10}, {Host: "b.example.test.", Pref: 20}}, err)
	mx, err = n.LookupMX(ctx, "null.example.test")
	check("Null MX", mx, []*net.MX{{Host: ".", Pref: 0}}, err)
	ips, err := n.LookupIPAddr(ctx, "mail.example.test")
	check("IPAddr", ips, []net.IPAddr{{IP: net.IP{192, 0, 2, 10}}, {IP: net.ParseIP("2001:db8::10")}}, err)
	ips, err = n.LookupIPAddr(ctx, "fe80::1%eth0")
	check("literal", ips, []net.IPAddr{{IP: net.ParseIP("fe80::1"), Zone: "eth0"}}, err)
	names, err := n.LookupAddr(ctx, "192.0.2.10")
	check("Addr", names, []string{"Mail.example.test."}, err)
	cname, srv, err := n.LookupSRV(ctx, "sip", "tcp", "sip.test")
	check("SRV", srv, []*net.SRV{
		{Target: "b.sip.test.", Port: 5060, Priority: 10, Weight: 5},
		{Target: "a.sip.test.", Port: 5060, Priority: 10, Weight: 1},
		{Target: "c.sip.test.", Port: 5060, Priority: 20, Weight: 1},
	}, err)
	check("SRV owner", cname, "_sip._tcp.sip.test.", nil)
	cname, _, err = n.LookupSRV(ctx, "", "", "alias._tcp.sip.test")
	check("SRV by alias", cname, "_sip._tcp.sip.test.", err)
}

func TestNetErrors(t *testing.T) {
	zones := mustParse(t, lookupZone)
	n := resolver.AsNet{Resolver: zones}
	ctx := t.Context()
	dnsError := func(what string, err error, notFound, temporary, timeout bool) *net.DNSError {
		t.Helper()
		e, ok := errors.AsType[*net.DNSError](err)
		if !ok {
			t.Fatalf("%s: %v is no *net.DNSError", what, err)
		}
		if e.IsNotFound != notFound || e.IsTemporary != temporary || e.IsTimeout != timeout {
			t.Errorf("%s: got %+v", what, e)
		}
		return e
	}
	_, err := n.LookupTXT(ctx, "nowhere.example.test")
	dnsError("NXDOMAIN", err, true, false, false)
	_, err = n.LookupTXT(ctx, "mail.example.test")
	dnsError("NODATA", err, true, false, false)
	_, err = n.LookupIPAddr(ctx, "example.test")
	dnsError("no address", err, true, false, false)
	_, err = n.LookupMX(ctx, "a..b")
	dnsError("no name", err, true, false, false)
	_, err = n.LookupAddr(ctx, "mail.example.test")
	if e := dnsError("no address text", err, false, false, false); e.Err != "unrecognized address" {
		t.Errorf("got %q", e.Err)
	}
	_, err = resolver.AsNet{}.LookupTXT(ctx, "example.test")
	dnsError("no resolver", err, false, true, false)

	// Half an answer is none: one family fails.
	late := resolver.Func(func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
		if qtype == dns.TypeAAAA {
			return resolver.Answer{}, &resolver.Error{Server: "192.0.2.53:53", Err: context.DeadlineExceeded}
		}
		return zones.Lookup(ctx, name, qtype)
	})
	ips, err := resolver.AsNet{Resolver: late}.LookupIPAddr(ctx, "mail.example.test")
	e := dnsError("one family late", err, false, true, true)
	if ips != nil || e.Server != "192.0.2.53:53" || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, %+v", ips, e)
	}
}
