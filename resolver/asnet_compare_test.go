package resolver_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/resolver/dnsfake"
	"github.com/bonafide-mta/bonafide/resolver/resolvertest"
)

// netMethods are the lookup methods of *net.Resolver, to the letter.
type netMethods interface {
	LookupAddr(context.Context, string) ([]string, error)
	LookupCNAME(context.Context, string) (string, error)
	LookupHost(context.Context, string) ([]string, error)
	LookupIP(context.Context, string, string) ([]net.IP, error)
	LookupIPAddr(context.Context, string) ([]net.IPAddr, error)
	LookupMX(context.Context, string) ([]*net.MX, error)
	LookupNS(context.Context, string) ([]*net.NS, error)
	LookupNetIP(context.Context, string, string) ([]netip.Addr, error)
	LookupSRV(context.Context, string, string, string) (string, []*net.SRV, error)
	LookupTXT(context.Context, string) ([]string, error)
}

var (
	_ netMethods           = (*net.Resolver)(nil)
	_ netMethods           = resolver.AsNet{}
	_ resolver.NetResolver = (*net.Resolver)(nil)
	_ resolver.NetResolver = resolver.AsNet{}
)

// The one other method reads a file.
func TestNetMethods(t *testing.T) {
	ours := reflect.TypeFor[netMethods]()
	theirs := reflect.TypeFor[*net.Resolver]()
	for i := range theirs.NumMethod() {
		name := theirs.Method(i).Name
		if _, ok := ours.MethodByName(name); !ok && strings.HasPrefix(name, "Lookup") && name != "LookupPort" {
			t.Errorf("package net has %s", name)
		}
	}
}

const compareNetZone = `
$TTL 300
$ORIGIN example.test.
@         SOA   ns hostmaster 1 7200 900 1209600 60
@         NS    ns
@         NS    b.ns
@         MX    20 b
@         MX    10 a
@         TXT   "v=spf1" " -all"
@         TXT   "caf\195\169 \" \\"
mail      A     192.0.2.10
mail      AAAA  2001:db8::10
v4        A     192.0.2.4
v6        AAAA  2001:db8::6
mapped    AAAA  ::ffff:192.0.2.77
alias     CNAME alias2
alias2    CNAME mail
dangling  CNAME alias3
alias3    CNAME nothing
totext    CNAME @
null      MX    0 .
odd       MX    10 a
odd       MX    20 bad\032host
dot       MX    10 a\.b
loop      CNAME loop
_sip._tcp SRV   10 1 5060 a
srv       CNAME _sip._tcp
*.wild    A     192.0.2.30
xn--bcher-kva A 192.0.2.40
-x        A     192.0.2.50
servfail  A     192.0.2.60
refused   A     192.0.2.61
half      A     192.0.2.62
half      AAAA  2001:db8::62
$ORIGIN 2.0.192.in-addr.arpa.
10        PTR   Mail.example.test.
11        PTR   bad\032name.test.
12        CNAME 12.net
12.net    PTR   mail.example.test.
$ORIGIN 8.b.d.0.1.0.0.2.ip6.arpa.
0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0 PTR mail.example.test.
`

// netOutcome writes what a method returned: values in any order, and what an error says to
// callers.
func netOutcome(values any, err error) string {
	if err == nil {
		v := reflect.ValueOf(values)
		if v.Kind() != reflect.Slice {
			return fmt.Sprint(values)
		}
		var out []string
		for i := range v.Len() {
			one := v.Index(i)
			if one.Kind() == reflect.Pointer {
				one = one.Elem()
			}
			out = append(out, fmt.Sprint(one.Interface()))
		}
		slices.Sort(out)
		return strings.Join(out, ", ")
	}
	e, ok := errors.AsType[*net.DNSError](err)
	switch {
	case !ok:
		return fmt.Sprintf("%T", err)
	case e.IsNotFound:
		return "not found"
	case e.IsTimeout:
		return "timeout"
	case e.IsTemporary:
		return "temporary"
	}
	return "error"
}

// A *net.Resolver and an AsNet over a Client, which ask the same server: whatever differs
// is here, and in the documentation of AsNet.
func TestNetCompare(t *testing.T) {
	fake, err := dnsfake.New(compareNetZone)
	if err != nil {
		t.Fatal(err)
	}
	fake.Fail("servfail.example.test", dns.TypeANY, dnsfake.ServFail)
	fake.Fail("refused.example.test", dns.TypeANY, dnsfake.Refused)
	fake.Fail("half.example.test", dns.TypeAAAA, dnsfake.ServFail)
	server := resolvertest.Serve(t, fake)
	real, strict := netResolver(t, server), netResolver(t, server)
	real.StrictErrors = false
	ours := resolver.AsNet{Resolver: &resolver.Client{Servers: []netip.AddrPort{server}, Rounds: 1}}

	for _, tt := range netCompared {
		t.Run(strings.Join(append([]string{tt.method}, tt.args...), " "), func(t *testing.T) {
			theirs := netMethods(real)
			if tt.strict {
				theirs = strict
			}
			if got := call(t, theirs, tt.method, tt.args...); !slices.Contains(strings.Split(tt.net, "|"), got) {
				t.Errorf("*net.Resolver: got %s, want %s", got, tt.net)
			}
			want := tt.ours
			if want == "" {
				want = tt.net
			}
			if got := call(t, ours, tt.method, tt.args...); got != want {
				t.Errorf("AsNet: got %s, want %s", got, want)
			}
			if (tt.ours == "") != (tt.why == "") {
				t.Errorf("a difference that has no reason, or the reverse: %+v", tt)
			}
		})
	}
}

// An answer about another name is one to package net (go.dev/issue/47110).
func TestNetCompareStray(t *testing.T) {
	server := startServer(t, always(dns.RcodeSuccess, `evil.test. 300 IN TXT "v=spf1 +all"`))
	theirs := netResolver(t, server)
	ours := resolver.AsNet{Resolver: &resolver.Client{Servers: []netip.AddrPort{server}, Rounds: 1}}
	if got := netOutcome(theirs.LookupTXT(t.Context(), "mail.example.test.")); got != "v=spf1 +all" {
		t.Errorf("*net.Resolver: got %s: the documentation of AsNet says otherwise", got)
	}
	if got := netOutcome(ours.LookupTXT(t.Context(), "mail.example.test.")); got != "temporary" {
		t.Errorf("AsNet: got %s", got)
	}
}

func call(t *testing.T, n netMethods, method string, args ...string) string {
	t.Helper()
	ctx := t.Context()
	args = slices.Clone(args)
	for i, arg := range args {
		if strings.HasSuffix(arg, ".") && arg != "example.test." {
			args[i] = arg + "example.test."
		}
	}
	switch method {
	case "Addr":
		return netOutcome(n.LookupAddr(ctx, args[0]))
	case "CNAME":
		return netOutcome(n.LookupCNAME(ctx, args[0]))
	case "Host":
		return netOutcome(n.LookupHost(ctx, args[0]))
	case "IP":
		return netOutcome(n.LookupIP(ctx, args[0], args[1]))
	case "IPAddr":
		return netOutcome(n.LookupIPAddr(ctx, args[0]))
	case "MX":
		return netOutcome(n.LookupMX(ctx, args[0]))
	case "NS":
		return netOutcome(n.LookupNS(ctx, args[0]))
	case "NetIP":
		return netOutcome(n.LookupNetIP(ctx, args[0], args[1]))
	case "SRV":
		cname, all, err := n.LookupSRV(ctx, args[0], args[1], args[2])
		if out := netOutcome(all, err); err != nil || cname == "" {
			return out + cname
		} else {
			return cname + ": " + out
		}
	case "TXT":
		return netOutcome(n.LookupTXT(ctx, args[0]))
	}
	t.Fatalf("no such method: %s", method)
	return ""
}

// netCompared are calls, with what a *net.Resolver and an AsNet make of them. An argument
// with a final dot is in example.test.
var netCompared = []struct {
	method string
	args   []string
	net    string // one of several, with | between
	ours   string // "" for the same
	why    string
	strict bool // whether the *net.Resolver has StrictErrors
}{
	{method: "Host", args: []string{"mail."}, net: "192.0.2.10, 2001:db8::10"},
	{method: "Host", args: []string{"alias."}, net: "192.0.2.10, 2001:db8::10"},
	{method: "Host", args: []string{"MAIL."}, net: "192.0.2.10, 2001:db8::10"},
	{method: "Host", args: []string{"mail.example.test"}, net: "192.0.2.10, 2001:db8::10"},
	{method: "Host", args: []string{"x.wild."}, net: "192.0.2.30"},
	{method: "Host", args: []string{"nothing."}, net: "not found"},
	{method: "Host", args: []string{"null."}, net: "not found"},
	{method: "Host", args: []string{"dangling."}, net: "not found"},
	{method: "Host", args: []string{""}, net: "not found"},
	{method: "Host", args: []string{"a..b"}, net: "not found"},
	{method: "Host", args: []string{"192.0.2.1"}, net: "192.0.2.1"},
	{method: "Host", args: []string{"fe80::1%eth0"}, net: "fe80::1%eth0"},
	{method: "Host", args: []string{"::ffff:192.0.2.1"}, net: "::ffff:192.0.2.1"},
	{method: "Host", args: []string{"mapped."}, net: "192.0.2.77"},
	{method: "Host", args: []string{"loop."}, net: "temporary"},
	{method: "Host", args: []string{"servfail."}, net: "temporary"},
	{method: "Host", args: []string{"refused."}, net: "error", ours: "temporary", why: "every failure is temporary"},
	{method: "Host", args: []string{"half."}, net: "192.0.2.62", ours: "temporary", why: "half an answer is none"},
	{method: "Host", args: []string{"half."}, net: "temporary", strict: true},
	{method: "Host", args: []string{"bücher."}, net: "not found", ours: "192.0.2.40", why: "IDNA is applied"},
	{method: "Host", args: []string{"-x."}, net: "not found", ours: "192.0.2.50", why: "all names are asked for"},

	{method: "IPAddr", args: []string{"mail."}, net: "{192.0.2.10 }, {2001:db8::10 }"},
	{method: "IPAddr", args: []string{"nothing."}, net: "not found"},
	{method: "IPAddr", args: []string{"fe80::1%eth0"}, net: "{fe80::1 eth0}"},
	{method: "IPAddr", args: []string{"half."}, net: "{192.0.2.62 }", ours: "temporary", why: "half an answer is none"},

	{method: "IP", args: []string{"ip", "mail."}, net: "192.0.2.10, 2001:db8::10"},
	{method: "IP", args: []string{"ip4", "mail."}, net: "192.0.2.10"},
	{method: "IP", args: []string{"ip6", "mail."}, net: "2001:db8::10"},
	{method: "IP", args: []string{"ip6", "v4."}, net: "not found"},
	{method: "IP", args: []string{"ip4", "v6."}, net: "not found"},
	{method: "IP", args: []string{"ip4", "half."}, net: "192.0.2.62"},
	{method: "IP", args: []string{"ip", "fe80::1%eth0"}, net: "fe80::1"},
	{method: "IP", args: []string{"tcp", "mail."}, net: "net.UnknownNetworkError"},
	{method: "IP", args: []string{"", "mail."}, net: "net.UnknownNetworkError"},

	{method: "NetIP", args: []string{"ip", "alias."}, net: "192.0.2.10, 2001:db8::10"},
	{method: "NetIP", args: []string{"ip4", "mail."}, net: "192.0.2.10"},
	{method: "NetIP", args: []string{"ip6", "mail."}, net: "2001:db8::10"},
	{method: "NetIP", args: []string{"ip4", "192.0.2.1"}, net: "::ffff:192.0.2.1", ours: "192.0.2.1", why: "IPv4 addresses are unmapped"},
	{method: "NetIP", args: []string{"ip", "mapped."}, net: "::ffff:192.0.2.77", ours: "192.0.2.77", why: "IPv4 addresses are unmapped"},
	{method: "NetIP", args: []string{"ip6", "mapped."}, net: "*net.AddrError", ours: "not found", why: "of the other family is not found"},
	{method: "NetIP", args: []string{"ip6", "192.0.2.1"}, net: "*net.AddrError", ours: "not found", why: "of the other family is not found"},
	{method: "NetIP", args: []string{"ip4", "2001:db8::1"}, net: "*net.AddrError", ours: "not found", why: "of the other family is not found"},
	{method: "NetIP", args: []string{"ip", "fe80::1%eth0"}, net: "fe80::1"},
	{method: "NetIP", args: []string{"ip", ""}, net: "not found"},
	{method: "NetIP", args: []string{"udp", "mail."}, net: "net.UnknownNetworkError"},

	{method: "CNAME", args: []string{"mail."}, net: "mail.example.test."},
	{method: "CNAME", args: []string{"alias2."}, net: "mail.example.test."},
	{method: "CNAME", args: []string{"alias."}, net: "mail.example.test.|alias2.example.test.", ours: "mail.example.test.", why: "the last name, whichever answer comes first"},
	{method: "CNAME", args: []string{"v6."}, net: "v6.example.test."},
	{method: "CNAME", args: []string{"x.wild."}, net: "x.wild.example.test."},
	{method: "CNAME", args: []string{"half."}, net: "half.example.test."},
	{method: "CNAME", args: []string{"nothing."}, net: "not found"},
	{method: "CNAME", args: []string{"null."}, net: "not found"},
	{method: "CNAME", args: []string{"dangling."}, net: "alias3.example.test.", ours: "not found", why: "an alias without addresses"},
	{method: "CNAME", args: []string{"totext."}, net: "example.test.", ours: "not found", why: "an alias without addresses"},
	{method: "CNAME", args: []string{"servfail."}, net: "temporary"},

	{method: "MX", args: []string{"example.test."}, net: "{a.example.test. 10}, {b.example.test. 20}"},
	{method: "MX", args: []string{"null."}, net: "{. 0}"},
	{method: "MX", args: []string{"mail."}, net: "not found"},
	{method: "MX", args: []string{"odd."}, net: "error", ours: `{a.example.test. 10}, {bad\ host.example.test. 20}`, why: "records are as they were published"},
	{method: "MX", args: []string{"dot."}, net: "error", ours: `{a\.b.example.test. 10}`, why: "records are as they were published"},
	{method: "NS", args: []string{"example.test."}, net: "{b.ns.example.test.}, {ns.example.test.}"},
	{method: "NS", args: []string{"mail."}, net: "not found"},
	{method: "TXT", args: []string{"example.test."}, net: "café \" \\, v=spf1 -all"},
	{method: "TXT", args: []string{"totext."}, net: "café \" \\, v=spf1 -all"},
	{method: "TXT", args: []string{"mail."}, net: "not found"},
	{method: "TXT", args: []string{"servfail."}, net: "temporary"},
	{method: "TXT", args: []string{"refused."}, net: "error", ours: "temporary", why: "every failure is temporary"},

	{method: "SRV", args: []string{"sip", "tcp", "example.test."}, net: "_sip._tcp.example.test.: {a.example.test. 5060 10 1}"},
	{method: "SRV", args: []string{"", "", "srv."}, net: "_sip._tcp.example.test.: {a.example.test. 5060 10 1}"},
	{method: "SRV", args: []string{"x", "tcp", "example.test."}, net: "not found"},

	{method: "Addr", args: []string{"192.0.2.10"}, net: "Mail.example.test."},
	{method: "Addr", args: []string{"::ffff:192.0.2.10"}, net: "Mail.example.test."},
	{method: "Addr", args: []string{"2001:db8::10"}, net: "mail.example.test."},
	{method: "Addr", args: []string{"2001:db8::10%eth0"}, net: "error", ours: "mail.example.test.", why: "the zone of an address does not matter"},
	{method: "Addr", args: []string{"192.0.2.12"}, net: "mail.example.test."},
	{method: "Addr", args: []string{"192.0.2.13"}, net: "not found"},
	{method: "Addr", args: []string{"192.0.2.11"}, net: "error", ours: `bad\ name.test.`, why: "records are as they were published"},
	{method: "Addr", args: []string{"mail.example.test"}, net: "error"},
}
