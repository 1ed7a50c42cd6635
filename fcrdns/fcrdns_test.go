package fcrdns_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
	"go.uber.org/goleak"

	"github.com/bonafide-mta/bonafide/fcrdns"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/resolver/dnsfake"
	"github.com/bonafide-mta/bonafide/resolver/resolvertest"
)

const zone = `
$TTL 300
$ORIGIN 2.0.192.in-addr.arpa.
10 PTR mail.example.test.
11 PTR MAIL.example.test.
11 PTR other.example.test.
12 PTR nowhere.example.test.
13 PTR mail.example.test.
14 PTR v6.example.test.
15 TXT "no PTR"
16 PTR 192.0.2.16.
16 PTR localhost.
16 PTR mail.local.
17 PTR 192.0.2.17.
17 PTR mail.example.test.
18 PTR under_score.example.test.
19 PTR alias.example.test.
20 CNAME 20.16-31
20.16-31 PTR office.example.test.
21 PTR sp\032ace.example.test.
22 PTR mail.example.test.
22 PTR mail.example.test.
22 PTR Mail.Example.Test.
23 PTR .
$ORIGIN 0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa.
0.1.0.0.0.0.0.0 PTR mail.example.test.
1.1.0.0.0.0.0.0 PTR v4.example.test.
$ORIGIN example.test.
mail A 192.0.2.10
mail A 192.0.2.17
mail A 192.0.2.22
mail AAAA 2001:db8::10
other A 192.0.2.11
v6 AAAA 2001:db8::14
v4 A 192.0.2.10
under_score A 192.0.2.18
alias CNAME target
target A 192.0.2.19
office A 192.0.2.20
sp\ ace A 192.0.2.21
`

func TestCheck(t *testing.T) {
	r := resolvertest.New(t, zone)
	test := func(addr string, status fcrdns.Status, name string, outcomes ...string) {
		t.Helper()
		got := fcrdns.Checker{Resolver: r}.Check(t.Context(), netip.MustParseAddr(addr))
		if got.Status != status || got.Name != name {
			t.Errorf("%s: got %v %q, want %v %q", addr, got.Status, got.Name, status, name)
		}
		var have []string
		for _, n := range got.Names {
			have = append(have, n.Name+" "+n.Outcome.String())
		}
		if diff := cmp.Diff(outcomes, have); diff != "" {
			t.Errorf("%s: names differ (-want +got):\n%s", addr, diff)
		}
		checkErr(t, got)
	}
	test("192.0.2.10", fcrdns.Pass, "mail.example.test.", "mail.example.test. confirmed")
	test("::ffff:192.0.2.10", fcrdns.Pass, "mail.example.test.", "mail.example.test. confirmed")
	test("2001:db8::10", fcrdns.Pass, "mail.example.test.", "mail.example.test. confirmed")
	test("192.0.2.11", fcrdns.Pass, "other.example.test.", "mail.example.test. mismatch", "other.example.test. confirmed")
	test("192.0.2.12", fcrdns.Fail, "", "nowhere.example.test. no-address")
	test("192.0.2.13", fcrdns.Fail, "", "mail.example.test. mismatch")
	// The other family confirms nothing.
	test("192.0.2.14", fcrdns.Fail, "", "v6.example.test. no-address")
	test("2001:db8::11", fcrdns.Fail, "", "v4.example.test. no-address")
	test("192.0.2.15", fcrdns.PermError, "")
	test("192.0.2.99", fcrdns.PermError, "")
	test("192.0.2.16", fcrdns.PermError, "", "192.0.2.16. unusable", "localhost. unusable", "mail.local. unusable")
	// A bad name does not poison a good one.
	test("192.0.2.17", fcrdns.Pass, "mail.example.test.", "mail.example.test. confirmed", "192.0.2.17. unusable")
	test("192.0.2.18", fcrdns.Pass, "under_score.example.test.", "under_score.example.test. confirmed")
	test("192.0.2.19", fcrdns.Pass, "alias.example.test.", "alias.example.test. confirmed")
	test("192.0.2.20", fcrdns.Pass, "office.example.test.", "office.example.test. confirmed")
	test("192.0.2.21", fcrdns.PermError, "", `sp\ ace.example.test. unusable`)
	test("192.0.2.22", fcrdns.Pass, "mail.example.test.", "mail.example.test. confirmed")
	test("192.0.2.23", fcrdns.PermError, "", ". unusable")
}

// checkErr holds the invariant of every Result.
func checkErr(t *testing.T, r *fcrdns.Result) {
	t.Helper()
	want := r.Status == fcrdns.TempError || r.Status == fcrdns.PermError
	if (r.Err != nil) != want {
		t.Errorf("%s: status %v with error %v", r.Addr, r.Status, r.Err)
	}
	if r.Status.Temporary() != (r.Status == fcrdns.TempError) {
		t.Errorf("%v: Temporary is %v", r.Status, r.Status.Temporary())
	}
}

func TestCheckEvidence(t *testing.T) {
	r := resolvertest.New(t, zone)
	got := fcrdns.Checker{Resolver: r}.Check(t.Context(), netip.MustParseAddr("192.0.2.20"))
	if len(got.PTR.Chain) != 1 || got.PTR.Name != "20.2.0.192.in-addr.arpa." {
		t.Errorf("the alias of RFC 2317 is missing: %v", got.PTR)
	}
	if want := "office.example.test. A: 192.0.2.20 (zone example.test.)"; got.Names[0].Response.String() != want {
		t.Errorf("got %q, want %q", got.Names[0].Response.String(), want)
	}
	got = fcrdns.Checker{Resolver: r}.Check(t.Context(), netip.MustParseAddr("192.0.2.18"))
	if !got.Names[0].Underscore {
		t.Error("the underscore is not flagged")
	}
	got = fcrdns.Checker{Resolver: r}.Check(t.Context(), netip.MustParseAddr("192.0.2.99"))
	if !errors.Is(got.Err, fcrdns.ErrNoPTR) || !strings.Contains(got.Err.Error(), "NXDOMAIN") {
		t.Errorf("got %v", got.Err)
	}
	got = fcrdns.Checker{Resolver: r}.Check(t.Context(), netip.MustParseAddr("192.0.2.15"))
	if !errors.Is(got.Err, fcrdns.ErrNoPTR) || !strings.Contains(got.Err.Error(), "NOERROR") {
		t.Errorf("got %v", got.Err)
	}
	got = fcrdns.Checker{Resolver: r}.Check(t.Context(), netip.MustParseAddr("192.0.2.16"))
	if !errors.Is(got.Err, fcrdns.ErrNoName) {
		t.Errorf("got %v", got.Err)
	}
}

func TestNotApplicable(t *testing.T) {
	r := resolvertest.New(t, "$ORIGIN .")
	for _, addr := range []string{"10.0.0.1", "172.16.0.1", "192.168.1.1", "127.0.0.1", "169.254.1.1", "224.0.0.1", "0.0.0.0",
		"100.64.0.5", "198.18.0.1", "192.0.0.170", "192.88.99.1", "240.0.0.1", "255.255.255.255", "0.1.2.3",
		"::", "::1", "fe80::1", "fe80::1%eth0", "fd00::1", "ff02::1", "::ffff:10.0.0.1",
		"100::1", "2001:2::1", "64:ff9b:1::1", "fec0::1", "4000::1"} {
		got := fcrdns.Checker{Resolver: r}.Check(t.Context(), netip.MustParseAddr(addr))
		if got.Status != fcrdns.NotApplicable {
			t.Errorf("%s: got %v", addr, got.Status)
		}
		checkErr(t, got)
	}
	if n := len(r.Questions()); n != 0 {
		t.Errorf("%d questions asked", n)
	}
	for _, addr := range []string{"10.0.0.1", "127.0.0.1", "169.254.1.1", "100.64.0.5", "198.18.0.1", "192.0.0.170", "240.0.0.1",
		"::1", "fe80::1%eth0", "fd00::1", "100::1", "4000::1"} {
		got := fcrdns.Checker{Resolver: r, AllowPrivate: true}.Check(t.Context(), netip.MustParseAddr(addr))
		if !errors.Is(got.Err, fcrdns.ErrNoPTR) {
			t.Errorf("AllowPrivate, %s: got %v, %v", addr, got.Status, got.Err)
		}
	}
	for _, addr := range []string{"0.0.0.0", "224.0.0.1", "255.255.255.255", "::", "ff02::1", "::ffff:224.0.0.1"} {
		got := fcrdns.Checker{Resolver: r, AllowPrivate: true}.Check(t.Context(), netip.MustParseAddr(addr))
		if got.Status != fcrdns.NotApplicable {
			t.Errorf("AllowPrivate, %s: got %v, %v", addr, got.Status, got.Err)
		}
	}
	// Strangers come from these: public addresses, those for documentation, and those
	// of relays for IPv4 (6to4, Teredo, NAT64).
	for _, addr := range []string{"8.8.8.8", "192.0.0.9", "192.31.196.1", "192.0.2.1", "2001:db8::1", "2400::1", "2001:20::1",
		"2002:c000:201::1", "2001:0:1::1", "64:ff9b::192.0.2.1"} {
		got := fcrdns.Checker{Resolver: r}.Check(t.Context(), netip.MustParseAddr(addr))
		if !errors.Is(got.Err, fcrdns.ErrNoPTR) {
			t.Errorf("%s: got %v, %v", addr, got.Status, got.Err)
		}
	}
}

func TestNoAddrNoResolver(t *testing.T) {
	got := fcrdns.Checker{}.Check(t.Context(), netip.Addr{})
	if got.Status != fcrdns.PermError || !errors.Is(got.Err, fcrdns.ErrAddr) {
		t.Errorf("invalid address: got %v, %v", got.Status, got.Err)
	}
	got = fcrdns.Checker{}.Check(t.Context(), netip.MustParseAddr("192.0.2.1"))
	if got.Status != fcrdns.TempError || !errors.Is(got.Err, resolver.ErrNoResolver) {
		t.Errorf("no resolver: got %v, %v", got.Status, got.Err)
	}
}

// Property 3 of the design: whatever single question fails in whatever way, the
// status is the healthy one or TempError.
func TestFaultsAreSafe(t *testing.T) {
	defer goleak.VerifyNone(t)
	for n := range 14 {
		addr := netip.AddrFrom4([4]byte{192, 0, 2, byte(10 + n)})
		healthy := resolvertest.New(t, zone)
		want := fcrdns.Checker{Resolver: healthy}.Check(t.Context(), addr)
		for _, q := range healthy.Questions() {
			for _, kind := range dnsfake.Kinds() {
				r := resolvertest.New(t, zone)
				r.Fail(q.Name, q.Type, kind)
				got := fcrdns.Checker{Resolver: r}.Check(t.Context(), addr)
				if got.Status != want.Status && got.Status != fcrdns.TempError {
					t.Errorf("%s, %s %s: got %v, healthy %v", addr, q, kind, got.Status, want.Status)
				}
				checkErr(t, got)
			}
		}
	}
}

func TestFaultBesideConfirmed(t *testing.T) {
	r := resolvertest.New(t, zone)
	r.Fail("mail.example.test", dns.TypeA, dnsfake.ServFail)
	got := fcrdns.Checker{Resolver: r}.Check(t.Context(), netip.MustParseAddr("192.0.2.11"))
	if got.Status != fcrdns.Pass || got.Name != "other.example.test." || got.Names[0].Outcome != fcrdns.NoAnswer {
		t.Errorf("got %+v", got)
	}
	got = fcrdns.Checker{Resolver: r}.Check(t.Context(), netip.MustParseAddr("192.0.2.13"))
	if e, ok := errors.AsType[*resolver.Error](got.Err); !ok || e.RCode != dns.RcodeServerFailure {
		t.Errorf("the cause is lost: %v", got.Err)
	}
}

func TestCanceled(t *testing.T) {
	defer goleak.VerifyNone(t)
	synctest.Test(t, func(t *testing.T) {
		for _, slow := range []resolver.Question{{Name: "10.2.0.192.in-addr.arpa", Type: dns.TypePTR}, {Name: "mail.example.test", Type: dns.TypeA}} {
			r := resolvertest.New(t, zone)
			r.Delay(slow.Name, slow.Type, time.Hour)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			start := time.Now()
			got := fcrdns.Checker{Resolver: r}.Check(ctx, netip.MustParseAddr("192.0.2.10"))
			cancel()
			if got.Status != fcrdns.TempError || !errors.Is(got.Err, context.DeadlineExceeded) || time.Since(start) != time.Second {
				t.Errorf("%s: got %v, %v after %v", slow, got.Status, got.Err, time.Since(start))
			}
		}
	})
}

// The names are looked up at once: two round trips whatever their number.
func TestRoundTrips(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := resolvertest.New(t, hostile(200))
		for i := range 200 {
			r.Delay(fmt.Sprintf("h%03d.example.test", i), dns.TypeANY, 10*time.Millisecond)
		}
		r.Delay("1.2.0.192.in-addr.arpa", dns.TypePTR, 10*time.Millisecond)
		start := time.Now()
		fcrdns.Checker{Resolver: r}.Check(t.Context(), netip.MustParseAddr("192.0.2.1"))
		if got := time.Since(start); got != 20*time.Millisecond {
			t.Errorf("took %v, want two round trips of 10ms", got)
		}
	})
}

// hostile is an address with n PTR names, of which the last has the address.
func hostile(n int) string {
	var b strings.Builder
	b.WriteString("$TTL 300\n$ORIGIN 2.0.192.in-addr.arpa.\n")
	for i := range n {
		fmt.Fprintf(&b, "1 PTR h%03d.example.test.\n", i)
	}
	fmt.Fprintf(&b, "$ORIGIN example.test.\nh%03d A 192.0.2.1\n", n-1)
	return b.String()
}

func TestQuestionsAreBounded(t *testing.T) {
	for maxNames, want := range map[int]int{0: 1 + fcrdns.DefaultMaxNames, 3: 1 + 3, 500: 1 + 200} {
		r := resolvertest.New(t, hostile(200))
		got := fcrdns.Checker{Resolver: r, MaxNames: maxNames}.Check(t.Context(), netip.MustParseAddr("192.0.2.1"))
		if n := len(r.Questions()); n != want {
			t.Errorf("MaxNames %d: %d questions, want %d", maxNames, n, want)
		}
		if skipped := 200 - (want - 1); got.Skipped != skipped {
			t.Errorf("MaxNames %d: skipped %d, want %d", maxNames, got.Skipped, skipped)
		}
	}
}

// Property 5 of the design: the order of records never matters.
func TestOrderDoesNotMatter(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	zones, err := resolver.ParseZones(hostile(30))
	if err != nil {
		t.Fatal(err)
	}
	shuffled := dnsfake.Shuffle(zones, seed)
	var first []fcrdns.Name
	for range 20 {
		got := fcrdns.Checker{Resolver: shuffled}.Check(t.Context(), netip.MustParseAddr("192.0.2.1"))
		if first == nil {
			first = got.Names
		}
		equal := slices.EqualFunc(first, got.Names, func(a, b fcrdns.Name) bool { return a.Name == b.Name && a.Outcome == b.Outcome })
		if got.Status != fcrdns.PermError || got.Skipped != 20 || !equal {
			t.Fatalf("got %v, skipped %d, names %v", got.Status, got.Skipped, got.Names)
		}
	}
}

func TestAuthentic(t *testing.T) {
	zones, err := resolver.ParseZones(zone)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		addr string
		lie  uint16 // the type whose answers are not authentic
		want bool
	}{
		{"192.0.2.10", 0, true}, {"192.0.2.10", dns.TypeA, false}, {"192.0.2.10", dns.TypePTR, false},
		{"192.0.2.13", 0, true}, {"192.0.2.13", dns.TypeA, false},
	} {
		r := resolver.Func(func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
			answer, err := zones.Lookup(ctx, name, qtype)
			answer.Authentic = qtype != test.lie
			return answer, err
		})
		if got := (fcrdns.Checker{Resolver: r}).Check(t.Context(), netip.MustParseAddr(test.addr)); got.Authentic != test.want {
			t.Errorf("%s without AD for %d: Authentic is %v", test.addr, test.lie, got.Authentic)
		}
	}
}

func TestLogValue(t *testing.T) {
	var b bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	r := resolvertest.New(t, zone+hostile(30)[len("$TTL 300\n"):])
	for _, addr := range []string{"192.0.2.10", "192.0.2.99", "192.0.2.1"} {
		logger.Info("client", "iprev", fcrdns.Checker{Resolver: r}.Check(t.Context(), netip.MustParseAddr(addr)))
	}
	want := `level=INFO msg=client iprev.addr=192.0.2.10 iprev.status=pass iprev.name=mail.example.test.
level=INFO msg=client iprev.addr=192.0.2.99 iprev.status=permerror iprev.err="the address has no PTR record (NXDOMAIN)"
level=INFO msg=client iprev.addr=192.0.2.1 iprev.status=permerror iprev.skipped=20 iprev.err="the address has more PTR names than are looked up, and none of the first confirms it"
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
}

func TestEnums(t *testing.T) {
	for s := fcrdns.Pass; s <= fcrdns.NotApplicable; s++ {
		text, err := s.MarshalText()
		var back fcrdns.Status
		if err != nil || back.UnmarshalText(text) != nil || back != s {
			t.Errorf("%v: %q, %v", s, text, err)
		}
	}
	for o := fcrdns.Confirmed; o <= fcrdns.Unusable; o++ {
		text, err := o.MarshalText()
		var back fcrdns.Outcome
		if err != nil || back.UnmarshalText(text) != nil || back != o {
			t.Errorf("%v: %q, %v", o, text, err)
		}
	}
	if got := fcrdns.Status(0).String(); got != "fcrdns.Status(0)" {
		t.Error(got)
	}
}
