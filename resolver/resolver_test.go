package resolver_test

import (
	"context"
	"errors"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
)

var (
	_ resolver.Resolver = resolver.Func(nil)
	_ resolver.Resolver = (*resolver.Zones)(nil)
	_ resolver.Resolver = (*resolver.Client)(nil)
	_ resolver.Resolver = (*resolver.Cache)(nil)
)

const lookupZone = `
$ORIGIN example.test.
$TTL 300
@ MX 20 b
@ MX 10 a
@ TXT "v=spf1 " "-all"
@ TXT "caf\195\169 \"quoted\" back\\slash"
@ RP first\.last.example.test. .
_client._smtp.mail SRV 1 2 1 mail
mail A 192.0.2.10
mail AAAA 2001:db8::10
www CNAME mail
null MX 0 .
$ORIGIN 2.0.192.in-addr.arpa.
10 PTR Mail.example.test.
`

func TestTypedLookups(t *testing.T) {
	r := mustParse(t, lookupZone)
	ctx := t.Context()

	addrs, err := resolver.LookupAddrs(ctx, r, "WWW.Example.test")
	if want := []netip.Addr{netip.MustParseAddr("192.0.2.10"), netip.MustParseAddr("2001:db8::10")}; err != nil || !cmp.Equal(want, addrs, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })) {
		t.Errorf("Addrs: %v, %v", addrs, err)
	}
	texts, err := resolver.LookupTXT(ctx, r, "example.test")
	if diff := cmp.Diff([]string{"v=spf1 -all", "café \"quoted\" back\\slash"}, texts); err != nil || diff != "" {
		t.Errorf("TXT: %v\n%s", err, diff)
	}
	mx, err := resolver.LookupMX(ctx, r, "example.test")
	if err != nil || len(mx) != 2 || mx[0].Mx != "b.example.test." {
		t.Errorf("MX: %v, %v", mx, err)
	}
	srv, err := resolver.LookupSRV(ctx, r, "_client._smtp.mail.example.test")
	if err != nil || len(srv) != 1 || srv[0].Weight != 2 {
		t.Errorf("SRV: %v, %v", srv, err)
	}
	rp, err := resolver.LookupRP(ctx, r, "example.test")
	if err != nil || len(rp) != 1 || rp[0].Mbox != `first\.last.example.test.` {
		t.Errorf("RP: %v, %v", rp, err)
	}
	names, err := resolver.LookupPTR(ctx, r, netip.MustParseAddr("::ffff:192.0.2.10"))
	if err != nil || len(names) != 1 || names[0] != "Mail.example.test." {
		t.Errorf("PTR: %v, %v", names, err)
	}
	// No records is no error.
	if mx, err := resolver.LookupMX(ctx, r, "nowhere.example.test"); err != nil || len(mx) != 0 {
		t.Errorf("MX of a name that does not exist: %v, %v", mx, err)
	}
	if _, err := resolver.LookupPTR(ctx, r, netip.Addr{}); !errors.Is(err, resolver.ErrName) {
		t.Errorf("PTR of the zero Addr: %v", err)
	}
}

func TestAddrsKeepsWhatItHas(t *testing.T) {
	broken := errors.New("broken")
	zones := mustParse(t, lookupZone)
	for _, bad := range []uint16{dns.TypeA, dns.TypeAAAA} {
		r := resolver.Func(func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
			if qtype == bad {
				return resolver.Answer{}, broken
			}
			return zones.Lookup(ctx, name, qtype)
		})
		addrs, err := resolver.LookupAddrs(t.Context(), r, "mail.example.test")
		if !errors.Is(err, broken) || len(addrs) != 1 {
			t.Errorf("got %v, %v", addrs, err)
		}
	}
}

// A careless Resolver may return anything: what is not of the type is left out.
func TestStrayRecords(t *testing.T) {
	mixed := resolver.Answer{Records: []dns.RR{
		&dns.A{A: []byte{192, 0, 2, 1}}, &dns.MX{Mx: "a."}, &dns.A{A: []byte{1, 2}}, &dns.AAAA{AAAA: netip.MustParseAddr("::ffff:192.0.2.2").AsSlice()}, nil,
	}}
	if got := mixed.Addrs(); len(got) != 2 || got[1].String() != "192.0.2.2" {
		t.Errorf("Addrs: %v", got)
	}
	if got := mixed.TXT(); len(got) != 0 {
		t.Errorf("TXT: %q", got)
	}
	if got := resolver.Records[*dns.MX](mixed); len(got) != 1 {
		t.Errorf("MX: %v", got)
	}
}

func TestTXTUnescapes(t *testing.T) {
	for in, want := range map[string]string{
		`plain`: "plain", `a\"b`: `a"b`, `a\\b`: `a\b`, `\000\255`: "\x00\xff", `\09`: "09", `trailing\`: `trailing\`, `\0651`: "A1",
	} {
		got := resolver.Answer{Records: []dns.RR{&dns.TXT{Txt: []string{in}}}}.TXT()
		if len(got) != 1 || got[0] != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestAsk(t *testing.T) {
	var asked []string
	r := resolver.Func(func(_ context.Context, name string, _ uint16) (resolver.Answer, error) {
		asked = append(asked, name)
		return resolver.Answer{}, nil
	})
	reply := resolver.Ask(t.Context(), r, "Bücher.Example.TEST", dns.TypeA)
	if reply.Err != nil || reply.Name != "xn--bcher-kva.example.test." || len(asked) != 1 || asked[0] != reply.Name {
		t.Errorf("got %v, asked %q", reply, asked)
	}
	for _, name := range []string{"a.onion", "printer.local", "localhost", "x.localhost.", "nothing.invalid"} {
		reply := resolver.Ask(t.Context(), r, name, dns.TypeA)
		if reply.Err != nil || reply.Status != resolver.NXDomain || len(asked) != 1 {
			t.Errorf("%s: got %v; it must not be asked", name, reply)
		}
	}
	if reply := resolver.Ask(t.Context(), nil, "a.test", dns.TypeA); !errors.Is(reply.Err, resolver.ErrNoResolver) {
		t.Errorf("nil: got %v", reply.Err)
	}
	if reply := resolver.Ask(t.Context(), r, "a..b", dns.TypeA); !errors.Is(reply.Err, resolver.ErrName) {
		t.Errorf("bad name: got %v", reply.Err)
	}
}

func TestReplyString(t *testing.T) {
	r := mustParse(t, lookupZone)
	bare := errors.New("bare\x1b[31m")
	failing := func(err error) resolver.Resolver {
		return resolver.Func(func(context.Context, string, uint16) (resolver.Answer, error) { return resolver.Answer{}, err })
	}
	for _, test := range []struct {
		r     resolver.Resolver
		name  string
		qtype uint16
		want  string
	}{
		{r, "www.example.test", dns.TypeA, "www.example.test. A: 192.0.2.10 (by way of 1 aliases) (zone example.test.)"},
		{r, "example.test", dns.TypeMX, "example.test. MX: 20 b.example.test., 10 a.example.test. (zone example.test.)"},
		{r, "mail.example.test", dns.TypeMX, "mail.example.test. MX: no records (zone example.test.)"},
		{r, "nowhere.example.test", dns.TypeMX, "nowhere.example.test. MX: NXDOMAIN (zone example.test.)"},
		{failing(bare), "a.test", dns.TypeA, `a.test. A: bare\x1b[31m`},
		{failing(&resolver.Error{RCode: dns.RcodeServerFailure, Server: "192.0.2.53:53", Extended: []resolver.ExtendedError{{Code: 6, Text: "bad\nluck"}}}),
			"a.test", dns.TypeA, `a.test. A: SERVFAIL, EDE 6 DNSSEC Bogus: "bad\nluck" (192.0.2.53:53)`},
	} {
		if got := resolver.Ask(t.Context(), test.r, test.name, test.qtype).String(); got != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
	}
}

func TestError(t *testing.T) {
	for _, test := range []struct {
		err     *resolver.Error
		want    string
		timeout bool
	}{
		{&resolver.Error{Name: "a.test.", Type: dns.TypeA}, "lookup a.test. A: no answer", false},
		{&resolver.Error{Name: "a.test.", Type: 65280, RCode: 4000, Server: "s"}, "lookup a.test. TYPE65280: RCODE 4000 (s)", false},
		{&resolver.Error{Name: "a.test.", Type: dns.TypeA, Err: context.DeadlineExceeded}, "lookup a.test. A: context deadline exceeded", true},
		{&resolver.Error{Name: "a.test.", Type: dns.TypeA, Err: context.Canceled}, "lookup a.test. A: context canceled", false},
		{&resolver.Error{Name: "a.test.", Type: dns.TypeA, Extended: []resolver.ExtendedError{{Code: 60000}}}, "lookup a.test. A: EDE 60000", false},
	} {
		if got := test.err.Error(); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
		if test.err.Timeout() != test.timeout || !test.err.Temporary() {
			t.Errorf("%v: Timeout %v, Temporary %v", test.err, test.err.Timeout(), test.err.Temporary())
		}
	}
}

// The cause that the owner of a context gave is not lost.
func TestContextCause(t *testing.T) {
	cause := errors.New("the client hung up")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	_, err := mustParse(t, lookupZone).Lookup(ctx, "mail.example.test", dns.TypeA)
	if !errors.Is(err, cause) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestStatus(t *testing.T) {
	for s, want := range map[resolver.Status]string{resolver.NoError: "NOERROR", resolver.NXDomain: "NXDOMAIN", resolver.NotFound: "NOTFOUND"} {
		text, err := s.MarshalText()
		var back resolver.Status
		if err != nil || string(text) != want || s.String() != want || back.UnmarshalText(text) != nil || back != s {
			t.Errorf("%d: %q, %v, back %d", s, text, err, back)
		}
	}
	var s resolver.Status
	if s.UnmarshalText([]byte("SERVFAIL")) == nil {
		t.Error("SERVFAIL is no status of an answer")
	}
}
