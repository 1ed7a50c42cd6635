package helo_test

import (
	"bytes"
	"context"
	"errors"
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

	"github.com/bonafide-mta/bonafide/identity/helo"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/resolver/dnsfake"
	"github.com/bonafide-mta/bonafide/resolver/resolvertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const zone = `
$TTL 300
$ORIGIN example.test.
mail A 192.0.2.10
mail AAAA 2001:db8::10
pool A 192.0.2.13
pool A 192.0.2.12
pool A 192.0.2.11
pool AAAA 2001:db8::11
v4 A 192.0.2.10
v6 AAAA 2001:db8::10
mx MX 10 mail
mapped AAAA ::ffff:192.0.2.10
mapped AAAA 2001:db8::10
alias CNAME mail
mail_1 A 192.0.2.10
xn--bcher-kva A 192.0.2.10
`

func addrs(words string) []netip.Addr {
	var out []netip.Addr
	for word := range strings.FieldsSeq(words) {
		out = append(out, netip.MustParseAddr(word))
	}
	return out
}

func words(addrs []netip.Addr) string {
	var out []string
	for _, addr := range addrs {
		out = append(out, addr.String())
	}
	return strings.Join(out, " ")
}

// check checks, and holds what is true of every result.
func check(t *testing.T, r resolver.Resolver, heloName string, given ...netip.Addr) *helo.Result {
	t.Helper()
	return checkContext(t.Context(), t, r, heloName, given...)
}

func checkContext(ctx context.Context, t *testing.T, r resolver.Resolver, heloName string, given ...netip.Addr) *helo.Result {
	t.Helper()
	before := slices.Clone(given)
	got := helo.Checker{Resolver: r}.Check(ctx, heloName, given...)
	if want := got.Status == helo.TempError || got.Status == helo.PermError; (got.Err != nil) != want {
		t.Errorf("%q: status %v with error %v", heloName, got.Status, got.Err)
	}
	if got.Status.Temporary() != (got.Status == helo.TempError) {
		t.Errorf("%v: Temporary is %v", got.Status, got.Status.Temporary())
	}
	if got.Argument.Text != heloName {
		t.Errorf("%q: Text is %q", heloName, got.Argument.Text)
	}
	if len(got.Responses) > 2 {
		t.Errorf("%q: %d questions", heloName, len(got.Responses))
	}
	for _, list := range [][]netip.Addr{got.Found, got.Missing, got.Unknown, got.Others} {
		if !slices.IsSortedFunc(list, netip.Addr.Compare) || len(slices.Compact(slices.Clone(list))) != len(list) {
			t.Errorf("%q: %v is not sorted, or not each once", heloName, list)
		}
	}
	if !slices.Equal(before, given) {
		t.Errorf("%q: the caller's addresses are %v, were %v", heloName, given, before)
	}
	return got
}

func TestCheck(t *testing.T) {
	test := func(heloName, given string, status helo.Status, found, missing, others string, questions ...string) {
		t.Helper()
		r := resolvertest.New(t, zone)
		got := check(t, r, heloName, addrs(given)...)
		want := []string{status.String(), found, missing, "", others}
		have := []string{got.Status.String(), words(got.Found), words(got.Missing), words(got.Unknown), words(got.Others)}
		if diff := cmp.Diff(want, have); diff != "" {
			t.Errorf("%s, %s (-want +got):\n%s", heloName, given, diff)
		}
		var asked, replied []string
		for _, q := range r.Questions() {
			asked = append(asked, q.String())
		}
		slices.Sort(asked) // both are asked at once
		for _, reply := range got.Responses {
			replied = append(replied, reply.Name+" "+resolver.TypeString(reply.Type))
		}
		if diff := cmp.Diff(questions, asked); diff != "" {
			t.Errorf("%s, %s: questions (-want +got):\n%s", heloName, given, diff)
		}
		if diff := cmp.Diff(questions, replied); diff != "" {
			t.Errorf("%s, %s: replies (-want +got):\n%s", heloName, given, diff)
		}
	}
	const mailA, mailAAAA = "mail.example.test. A", "mail.example.test. AAAA"
	const poolA, poolAAAA = "pool.example.test. A", "pool.example.test. AAAA"
	test("mail.example.test", "192.0.2.10", helo.Pass, "192.0.2.10", "", "", mailA)
	test("MAIL.Example.test.", "192.0.2.10", helo.Pass, "192.0.2.10", "", "", mailA)
	test("mail.example.test", "2001:db8::10", helo.Pass, "2001:db8::10", "", "", mailAAAA)
	test("mail.example.test", "2001:db8::10 192.0.2.10", helo.Pass, "192.0.2.10 2001:db8::10", "", "", mailA, mailAAAA)
	test("mail.example.test", "192.0.2.66", helo.Fail, "", "192.0.2.66", "192.0.2.10", mailA)
	test("mail.example.test", "2001:db8::66", helo.Fail, "", "2001:db8::66", "2001:db8::10", mailAAAA)
	test("mail.example.test", "192.0.2.10 2001:db8::66", helo.Fail, "192.0.2.10", "2001:db8::66", "2001:db8::10", mailA, mailAAAA)
	// Every address of an MTA, and others that are not its own.
	test("pool.example.test", "192.0.2.12", helo.Pass, "192.0.2.12", "", "192.0.2.11 192.0.2.13", poolA)
	test("pool.example.test", "192.0.2.13 192.0.2.11 192.0.2.13", helo.Pass, "192.0.2.11 192.0.2.13", "", "192.0.2.12", poolA)
	test("pool.example.test", "2001:db8::12 192.0.2.14 2001:db8::11 192.0.2.12", helo.Fail,
		"192.0.2.12 2001:db8::11", "192.0.2.14 2001:db8::12", "192.0.2.11 192.0.2.13", poolA, poolAAAA)
	// Mapped and zoned addresses are what they are on the wire.
	test("mail.example.test", "::ffff:192.0.2.10", helo.Pass, "192.0.2.10", "", "", mailA)
	test("mail.example.test", "::ffff:192.0.2.10 192.0.2.10", helo.Pass, "192.0.2.10", "", "", mailA)
	test("mail.example.test", "2001:db8::10%eth0 2001:db8::10", helo.Pass, "2001:db8::10", "", "", mailAAAA)
	// The other family, no records, another type only, no such name.
	test("v6.example.test", "192.0.2.10", helo.Fail, "", "192.0.2.10", "", "v6.example.test. A")
	test("v4.example.test", "2001:db8::10", helo.Fail, "", "2001:db8::10", "", "v4.example.test. AAAA")
	test("mx.example.test", "192.0.2.10", helo.Fail, "", "192.0.2.10", "", "mx.example.test. A")
	test("nowhere.example.test", "192.0.2.10", helo.Fail, "", "192.0.2.10", "", "nowhere.example.test. A")
	// Whatever else is given, only an A record gives an IPv4 address.
	test("mapped.example.test", "192.0.2.10", helo.Fail, "", "192.0.2.10", "", "mapped.example.test. A")
	test("mapped.example.test", "192.0.2.10 2001:db8::10", helo.Fail, "2001:db8::10", "192.0.2.10", "", "mapped.example.test. A", "mapped.example.test. AAAA")
	// An alias is followed.
	test("alias.example.test", "192.0.2.10 2001:db8::10", helo.Pass, "192.0.2.10 2001:db8::10", "", "", "alias.example.test. A", "alias.example.test. AAAA")
	// Faults that leave a name with addresses.
	test("mail_1.example.test", "192.0.2.10", helo.Pass, "192.0.2.10", "", "", "mail_1.example.test. A")
	test("bücher.example.test", "192.0.2.10", helo.Pass, "192.0.2.10", "", "", "xn--bcher-kva.example.test. A")
	// No question about a literal, nor about a name that the DNS cannot hold.
	test("[192.0.2.10]", "192.0.2.10", helo.Pass, "192.0.2.10", "", "")
	test("[192.0.2.10]", "192.0.2.1", helo.Fail, "", "192.0.2.1", "192.0.2.10")
	test("[192.0.2.10]", "192.0.2.10 2001:db8::10", helo.Fail, "192.0.2.10", "2001:db8::10", "")
	test("[IPv6:2001:db8::10]", "2001:db8::10%eth0", helo.Pass, "2001:db8::10", "", "")
	test("[IPv6:::ffff:192.0.2.10]", "192.0.2.10", helo.Pass, "192.0.2.10", "", "")
	test("[IPv6:64:ff9b::192.0.2.10]", "192.0.2.10", helo.Pass, "192.0.2.10", "", "")
	test("[192.0.2.10]", "64:ff9b::192.0.2.10", helo.Pass, "64:ff9b::c000:20a", "", "")
	test("192.0.2.10", "::ffff:192.0.2.10", helo.Pass, "192.0.2.10", "", "")
	for _, heloName := range []string{"mail", "localhost", "mail.local", "a.onion", "x.localhost", "nothing.invalid", "192.0.2", "1234", "192.0.2.10."} {
		test(heloName, "192.0.2.10 2001:db8::10", helo.Fail, "", "192.0.2.10 2001:db8::10", "")
	}
}

// Property 3 of the design: a question without an answer makes the status
// TempError, but for an address that is known to be missing.
func TestFaultsAreSafe(t *testing.T) {
	for _, test := range []struct {
		given  string
		faulty uint16
		want   helo.Status
		found  string
	}{
		{"192.0.2.10", dns.TypeA, helo.TempError, ""},
		{"192.0.2.66", dns.TypeA, helo.TempError, ""},
		{"2001:db8::10", dns.TypeAAAA, helo.TempError, ""},
		{"192.0.2.10", dns.TypeAAAA, helo.Pass, "192.0.2.10"},
		{"192.0.2.10 2001:db8::10", dns.TypeA, helo.TempError, "2001:db8::10"},
		{"192.0.2.10 2001:db8::10", dns.TypeAAAA, helo.TempError, "192.0.2.10"},
		{"192.0.2.10 2001:db8::10", dns.TypeANY, helo.TempError, ""},
		{"192.0.2.66 2001:db8::66", dns.TypeANY, helo.TempError, ""},
		{"192.0.2.10 2001:db8::66", dns.TypeA, helo.Fail, ""},
		{"192.0.2.66 2001:db8::10", dns.TypeAAAA, helo.Fail, ""},
	} {
		for _, kind := range dnsfake.Kinds() {
			r := resolvertest.New(t, zone)
			r.Fail("mail.example.test", test.faulty, kind)
			got := check(t, r, "mail.example.test", addrs(test.given)...)
			if got.Status != test.want || words(got.Found) != test.found {
				t.Errorf("%s, %s at %s: got %+v, want %v", test.given, kind, resolver.TypeString(test.faulty), got, test.want)
			}
			if got.Authentic && test.want != helo.Pass {
				t.Errorf("%s, %s: Authentic without an answer", test.given, kind)
			}
			for _, addr := range got.Unknown {
				if test.faulty != dns.TypeANY && addr.Is6() != (test.faulty == dns.TypeAAAA) {
					t.Errorf("%s is unknown, with a fault at %s", addr, resolver.TypeString(test.faulty))
				}
			}
			if n := len(got.Found) + len(got.Missing) + len(got.Unknown); n != len(addrs(test.given)) {
				t.Errorf("%s: %d addresses have an outcome: %+v", test.given, n, got)
			}
			if e, ok := errors.AsType[*resolver.Error](got.Err); got.Err != nil && (!ok || e.Name != "mail.example.test.") {
				t.Errorf("the cause is lost: %v", got.Err)
			}
		}
	}
}

// Both causes are there when both families have no answer.
func TestBothCauses(t *testing.T) {
	causes := map[uint16]error{dns.TypeA: errors.New("no A"), dns.TypeAAAA: errors.New("no AAAA")}
	r := resolver.Func(func(_ context.Context, _ string, qtype uint16) (resolver.Answer, error) {
		return resolver.Answer{}, causes[qtype]
	})
	got := check(t, r, "mail.example.test", addrs("192.0.2.10 2001:db8::10")...)
	if got.Status != helo.TempError || !errors.Is(got.Err, causes[dns.TypeA]) || !errors.Is(got.Err, causes[dns.TypeAAAA]) {
		t.Errorf("got %v, %v", got.Status, got.Err)
	}
}

func TestNoAnswerPossible(t *testing.T) {
	client := netip.MustParseAddr("192.0.2.10")
	got := check(t, nil, "mail.example.test", client)
	if got.Status != helo.TempError || !errors.Is(got.Err, resolver.ErrNoResolver) || words(got.Unknown) != "192.0.2.10" {
		t.Errorf("no resolver: got %+v", got)
	}
	if got := check(t, nil, "[192.0.2.10]", client); got.Status != helo.Pass {
		t.Errorf("a literal without a resolver: got %+v", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	got = checkContext(ctx, t, resolvertest.New(t, zone), "mail.example.test", client)
	if got.Status != helo.TempError || !errors.Is(got.Err, context.Canceled) {
		t.Errorf("canceled: got %+v", got)
	}
	r := resolvertest.New(t, zone)
	for _, given := range [][]netip.Addr{nil, {{}}, {client, {}}, {{}, client}} {
		if got := check(t, r, "mail.example.test", given...); got.Status != helo.PermError || !errors.Is(got.Err, helo.ErrAddr) {
			t.Errorf("%v: got %+v", given, got)
		}
	}
	for _, heloName := range []string{"", "a..b", "[192.0.2.256]", "mail!.example.test"} {
		got := check(t, r, heloName, client)
		if e, ok := errors.AsType[*helo.Error](got.Err); got.Status != helo.PermError || !ok || e.Text != heloName {
			t.Errorf("%q: got %+v", heloName, got)
		}
	}
	if n := len(r.Questions()); n != 0 {
		t.Errorf("%d questions asked", n)
	}
}

// Both families are asked at once, and the end of the context ends the wait.
func TestRoundTrips(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := resolvertest.New(t, zone)
		r.Delay("mail.example.test", dns.TypeANY, 10*time.Millisecond)
		start := time.Now()
		got := check(t, r, "mail.example.test", addrs("192.0.2.10 2001:db8::10")...)
		if took := time.Since(start); got.Status != helo.Pass || took != 10*time.Millisecond {
			t.Errorf("got %v after %v, want one round trip of 10ms", got.Status, took)
		}
		r.Delay("mail.example.test", dns.TypeAAAA, time.Hour)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start = time.Now()
		got = checkContext(ctx, t, r, "mail.example.test", addrs("192.0.2.10 2001:db8::10")...)
		if took := time.Since(start); got.Status != helo.TempError || !errors.Is(got.Err, context.DeadlineExceeded) || took != time.Second {
			t.Errorf("got %v, %v after %v", got.Status, got.Err, took)
		}
		if words(got.Found) != "192.0.2.10" || words(got.Unknown) != "2001:db8::10" {
			t.Errorf("the answer that came is lost: %+v", got)
		}
	})
}

// Property 5 of the design: the order of records, and of the addresses given,
// never matters.
func TestOrderDoesNotMatter(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	zones, err := resolver.ParseZones(zone)
	if err != nil {
		t.Fatal(err)
	}
	shuffled := dnsfake.Shuffle(zones, seed)
	given := addrs("192.0.2.14 192.0.2.13 192.0.2.11 192.0.2.9")
	for range 50 {
		rng.Shuffle(len(given), func(i, j int) { given[i], given[j] = given[j], given[i] })
		got := check(t, shuffled, "pool.example.test", given...)
		have := []string{words(got.Found), words(got.Missing), words(got.Others)}
		if want := []string{"192.0.2.11 192.0.2.13", "192.0.2.9 192.0.2.14", "192.0.2.12"}; got.Status != helo.Fail || !slices.Equal(want, have) {
			t.Fatalf("got %v, %q, want %q", got.Status, have, want)
		}
	}
}

func TestAuthentic(t *testing.T) {
	zones, err := resolver.ParseZones(zone)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		helo, given string
		lie         uint16 // the type whose answers are not authentic
		want        bool
	}{
		{"mail.example.test", "192.0.2.10 2001:db8::10", 0, true},
		{"mail.example.test", "192.0.2.10 2001:db8::10", dns.TypeA, false},
		{"mail.example.test", "192.0.2.10 2001:db8::10", dns.TypeAAAA, false},
		{"mail.example.test", "192.0.2.10", dns.TypeAAAA, true},
		{"mail.example.test", "192.0.2.66", 0, true},
		{"nowhere.example.test", "192.0.2.10", 0, true},
		{"nowhere.example.test", "192.0.2.10", dns.TypeA, false},
		// What rests on no answer is not authentic.
		{"[192.0.2.10]", "192.0.2.10", 0, false},
		{"mail.local", "192.0.2.10", 0, false},
		{"a..b", "192.0.2.10", 0, false},
	} {
		r := resolver.Func(func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
			answer, err := zones.Lookup(ctx, name, qtype)
			answer.Authentic = qtype != test.lie
			return answer, err
		})
		if got := check(t, r, test.helo, addrs(test.given)...); got.Authentic != test.want {
			t.Errorf("%s, %s without AD for %d: Authentic is %v", test.helo, test.given, test.lie, got.Authentic)
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
	r := resolvertest.New(t, zone)
	r.Fail("v4.example.test", dns.TypeA, dnsfake.ServFail)
	for _, heloName := range []string{"mail.example.test", "MAIL_1.example.test.", "[192.0.2.66]", "v4.example.test", "a\r\nb"} {
		logger.Info("client", "helo", check(t, r, heloName, netip.MustParseAddr("192.0.2.10")))
	}
	want := `level=INFO msg=client helo.name=mail.example.test. helo.status=pass
level=INFO msg=client helo.name=mail_1.example.test. helo.status=pass helo.faults=underscore,final-dot
level=INFO msg=client helo.name=[192.0.2.66] helo.status=fail
level=INFO msg=client helo.name=v4.example.test. helo.status=temperror helo.err="lookup v4.example.test. A: SERVFAIL (dnsfake)"
level=INFO msg=client helo.name=a\x0d\nb helo.status=permerror helo.err="HELO \"a\\r\\nb\": '\\r' is not in a host name at offset 1"
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
}
