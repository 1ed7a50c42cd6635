package spf_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"

	blitiri "blitiri.com.ar/go/spf"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/resolver/dnsfake"
	"github.com/bonafide-mta/bonafide/resolver/resolvertest"
	"github.com/bonafide-mta/bonafide/spf"
)

const migrationZones = `
$ORIGIN example.test.
$TTL 300
@       TXT "v=spf1 ip4:192.0.2.1 ip6:2001:db8::1 mx:mx.example.test exists:%{i}.list.example.test include:inner.example.test ?ip4:192.0.2.7 ~ip4:192.0.2.8 -ip4:192.0.2.9 -all exp=why.example.test"
mx      MX  10 host
host    A   192.0.2.3
helo    TXT "v=spf1 ip4:192.0.2.20 -all"
neutral TXT "v=spf1 ip4:192.0.2.20"
inner   TXT "v=spf1 ip4:192.0.2.5 -all"
moved   TXT "v=spf1 redirect=inner.example.test"
why     TXT "not %{i}"
fails   TXT "v=spf1 -all"
double  TXT "v=spf1 -all"
double  TXT "v=spf1 +all"
lost    TXT "v=spf1 include:none.example.test -all"
unknown TXT "v=spf1 inlcude:inner.example.test -all"
mask    TXT "v=spf1 ip4:192.0.2.0/99 -all"
number  TXT "v=spf1 ip4:192.0.2.300 -all"
late    TXT "v=spf1 ip4:192.0.2.20 inlcude:inner.example.test -all"
voids   TXT "v=spf1 a:v1.example.test a:v2.example.test a:v3.example.test ip4:192.0.2.20 -all"
lookups TXT "v=spf1 a:host.example.test a:host.example.test a:host.example.test a:host.example.test a:host.example.test a:host.example.test" " a:host.example.test a:host.example.test a:host.example.test a:host.example.test a:host.example.test ip4:192.0.2.20 -all"
many    TXT "v=spf1 mx -all"
$GENERATE 1-11 many MX "$ h$"
ptr     TXT "v=spf1 ptr:example.test -all"
p       A   192.0.2.6
v4      TXT "v=spf1 a:host.example.test a:host.example.test a:host.example.test ip6:2001:db8::1 -all"
text    A   192.0.2.1
192.0.2.4.list A 127.0.0.2
$ORIGIN 2.0.192.in-addr.arpa.
6       PTR p.example.test.
$ORIGIN .
`

// Every row of "Coming from" in the package documentation: what the other implementation
// returns, and what this one returns for the same over the same zones.
func TestComingFromBlitiri(t *testing.T) {
	fake := resolvertest.New(t, migrationZones)
	fake.Fail("fails.example.test", dns.TypeTXT, dnsfake.ServFail)
	for _, tt := range []struct {
		ip, sender string
		theirs     blitiri.Result
		theirErr   error
		status     spf.Status
		kind       spf.Kind // of the term that decided
		err        error
	}{
		// Results and what matched.
		{"192.0.2.1", "u@example.test", blitiri.Pass, blitiri.ErrMatchedIP, spf.Pass, spf.IP4, nil},
		{"2001:db8::1", "u@example.test", blitiri.Pass, blitiri.ErrMatchedIP, spf.Pass, spf.IP6, nil},
		{"192.0.2.3", "u@example.test", blitiri.Pass, blitiri.ErrMatchedMX, spf.Pass, spf.MX, nil},
		{"192.0.2.4", "u@example.test", blitiri.Pass, blitiri.ErrMatchedExists, spf.Pass, spf.Exists, nil},
		{"192.0.2.5", "u@example.test", blitiri.Pass, blitiri.ErrMatchedIP, spf.Pass, spf.IP4, nil}, // of the record that is included
		{"192.0.2.6", "u@ptr.example.test", blitiri.Pass, blitiri.ErrMatchedPTR, spf.Pass, spf.PTR, nil},
		{"192.0.2.3", "u@v4.example.test", blitiri.Pass, blitiri.ErrMatchedA, spf.Pass, spf.A, nil},
		{"192.0.2.7", "u@example.test", blitiri.Neutral, blitiri.ErrMatchedIP, spf.Neutral, spf.IP4, nil},
		{"192.0.2.8", "u@example.test", blitiri.SoftFail, blitiri.ErrMatchedIP, spf.SoftFail, spf.IP4, nil},
		{"192.0.2.9", "u@example.test", blitiri.Fail, blitiri.ErrMatchedIP, spf.Fail, spf.IP4, nil},
		{"192.0.2.5", "u@moved.example.test", blitiri.Pass, blitiri.ErrMatchedIP, spf.Pass, spf.IP4, nil},
		{"192.0.2.99", "u@moved.example.test", blitiri.Fail, blitiri.ErrMatchedAll, spf.Fail, spf.All, nil},
		{"192.0.2.99", "u@neutral.example.test", blitiri.Neutral, nil, spf.Neutral, 0, nil},
		{"192.0.2.1", "u@text.example.test", blitiri.None, blitiri.ErrNoResult, spf.None, 0, nil},
		{"192.0.2.1", "u@none.example.test", blitiri.None, blitiri.ErrNoResult, spf.None, 0, nil},
		// Errors.
		{"", "u@example.test", blitiri.PermError, blitiri.ErrInvalidIPAddress, spf.PermError, 0, spf.ErrAddr},
		{"192.0.2.1", "u@double.example.test", blitiri.PermError, blitiri.ErrMultipleRecords, spf.PermError, 0, spf.ErrRecords},
		{"192.0.2.1", "u@lost.example.test", blitiri.PermError, blitiri.ErrNoResult, spf.PermError, spf.Include, spf.ErrNoRecord},
		{"192.0.2.1", "u@lookups.example.test", blitiri.PermError, blitiri.ErrLookupLimitReached, spf.PermError, spf.A, spf.ErrLookups},
		{"192.0.2.1", "u@voids.example.test", blitiri.PermError, blitiri.ErrVoidLookupLimitReached, spf.PermError, spf.A, spf.ErrVoids},
		{"192.0.2.1", "u@many.example.test", blitiri.PermError, blitiri.ErrTooManyMXRecords, spf.PermError, spf.MX, spf.ErrMX},
		{"192.0.2.1", "u@unknown.example.test", blitiri.PermError, blitiri.ErrUnknownField, spf.PermError, 0, new(spf.SyntaxError)},
		{"192.0.2.1", "u@mask.example.test", blitiri.PermError, blitiri.ErrInvalidMask, spf.PermError, 0, new(spf.SyntaxError)},
		{"192.0.2.1", "u@number.example.test", blitiri.PermError, blitiri.ErrInvalidIP, spf.PermError, 0, new(spf.SyntaxError)},
		{"192.0.2.1", "u@fails.example.test", blitiri.TempError, new(net.DNSError), spf.TempError, 0, new(resolver.Error)},
		// The HELO name.
		{"192.0.2.20", "", blitiri.Pass, blitiri.ErrMatchedIP, spf.Pass, spf.IP4, nil},
		{"192.0.2.20", "user", blitiri.Pass, blitiri.ErrMatchedIP, spf.None, 0, nil},
		{"192.0.2.20", "user@", blitiri.Pass, blitiri.ErrMatchedIP, spf.None, 0, nil},
		{"192.0.2.20", "example.test", blitiri.Pass, blitiri.ErrMatchedIP, spf.Fail, spf.All, nil},
		{"192.0.2.1", "<>", blitiri.Fail, blitiri.ErrMatchedAll, spf.Fail, spf.All, nil},
		// Other differences that the documentation names.
		{"192.0.2.1", "<u@example.test>", blitiri.None, blitiri.ErrNoResult, spf.Pass, spf.IP4, nil},
		{"192.0.2.1", `"a@b"@example.test`, blitiri.None, blitiri.ErrNoResult, spf.Pass, spf.IP4, nil},
		{"192.0.2.20", "u@late.example.test", blitiri.Pass, blitiri.ErrMatchedIP, spf.PermError, 0, new(spf.SyntaxError)},
		{"2001:db8::1", "u@v4.example.test", blitiri.Pass, blitiri.ErrMatchedIP, spf.PermError, spf.A, spf.ErrVoids},
	} {
		ip := net.ParseIP(tt.ip)
		addr, _ := netip.AddrFromSlice(ip)
		result, err := blitiri.CheckHostWithSender(ip, "helo.example.test", tt.sender, blitiri.WithContext(t.Context()), blitiri.WithResolver(resolver.AsNet{Resolver: fake}))
		if result != tt.theirs || !sameError(err, tt.theirErr) {
			t.Errorf("%s %q: theirs %s, %v", tt.ip, tt.sender, result, err)
		}
		r := spf.Checker{Resolver: fake}.CheckMailFrom(t.Context(), addr, "helo.example.test", tt.sender)
		if r.Status != tt.status || r.Term.Kind != tt.kind || !sameError(r.Err, tt.err) {
			t.Errorf("%s %q: ours %s by %s, %v", tt.ip, tt.sender, r.Status, r.Term, r.Err)
		}
		if migrated := checkHostWithSender(t.Context(), fake, ip, "helo.example.test", tt.sender); !strings.ContainsAny(tt.sender, "<\"") && tt.err == nil && migrated.Status.String() != string(result) {
			t.Errorf("%s %q: migrated %s, theirs %s", tt.ip, tt.sender, migrated.Status, result)
		}
	}
}

// sameError reports whether an error is another, or has one of its type.
func sameError(err, want error) (same bool) {
	switch want.(type) {
	case *spf.SyntaxError:
		_, same = errors.AsType[*spf.SyntaxError](err)
	case *resolver.Error:
		_, same = errors.AsType[*resolver.Error](err)
	case *net.DNSError:
		_, same = errors.AsType[*net.DNSError](err)
	default:
		same = errors.Is(err, want)
	}
	return same
}

// The options of the other implementation, and what they are here.
func TestComingFromBlitiriOptions(t *testing.T) {
	fake := resolvertest.New(t, migrationZones)
	ip := net.ParseIP("192.0.2.20")
	addr := netip.MustParseAddr("192.0.2.20")
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, tt := range map[string]struct {
		ctx     context.Context
		sender  string
		options []blitiri.Option
		checker spf.Checker
		want    spf.Status
	}{
		"lookups, default": {t.Context(), "u@lookups.example.test", nil, spf.Checker{}, spf.PermError},
		"lookups":          {t.Context(), "u@lookups.example.test", []blitiri.Option{blitiri.OverrideLookupLimit(11)}, spf.Checker{MaxLookups: 11}, spf.Pass},
		"voids, default":   {t.Context(), "u@voids.example.test", nil, spf.Checker{}, spf.PermError},
		"voids":            {t.Context(), "u@voids.example.test", []blitiri.Option{blitiri.OverrideVoidLookupLimit(3)}, spf.Checker{MaxVoids: 3}, spf.Pass},
		"context":          {canceled, "u@example.test", []blitiri.Option{blitiri.WithContext(canceled)}, spf.Checker{}, spf.TempError},
	} {
		var traced []string
		trace := blitiri.WithTraceFunc(func(f string, a ...any) { traced = append(traced, fmt.Sprintf(f, a...)) })
		theirs, err := blitiri.CheckHostWithSender(ip, "helo.example.test", tt.sender, append(tt.options, blitiri.WithResolver(resolver.AsNet{Resolver: fake}), trace)...)
		var asked []resolver.Question
		tt.checker.Resolver = resolver.Func(func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
			asked = append(asked, resolver.Question{Name: name, Type: qtype})
			return fake.Lookup(ctx, name, qtype)
		})
		tt.checker.Speculate = spf.SpeculateNone
		ours := tt.checker.CheckMailFrom(tt.ctx, addr, "helo.example.test", tt.sender)
		if string(theirs) != tt.want.String() || ours.Status != tt.want {
			t.Errorf("%s: theirs %s, %v; ours %s, %v", name, theirs, err, ours.Status, ours.Err)
		}
		if len(traced) == 0 || len(asked) == 0 && tt.ctx.Err() == nil {
			t.Errorf("%s: traced %q, asked %v", name, traced, asked)
		}
	}
	// CheckHost has no options: not even a resolver.
	//lint:ignore SA1019 its users read the documentation, too
	if _, err := blitiri.CheckHost(nil, "example.test"); !errors.Is(err, blitiri.ErrInvalidIPAddress) {
		t.Error(err)
	}
	if r := (spf.Checker{Resolver: fake}).CheckHelo(t.Context(), addr, "helo.example.test"); r.Status != spf.Pass {
		t.Errorf("%s, %v", r.Status, r.Err)
	}
}

// The version that the package documentation is about.
func TestComingFromBlitiriVersion(t *testing.T) {
	mod, err := os.ReadFile("../go.mod")
	if err != nil || !strings.Contains(string(mod), "blitiri.com.ar/go/spf v1.6.0") {
		t.Errorf("another version, %v: read its changes, and the package documentation", err)
	}
}
