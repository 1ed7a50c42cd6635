package nullmx_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
	"pgregory.net/rapid"

	"github.com/bonafide-mta/bonafide/identity/envelope"
	"github.com/bonafide-mta/bonafide/nullmx"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/resolver/dnsfake"
	"github.com/bonafide-mta/bonafide/resolver/resolvertest"
)

const zone = `
$TTL 300
$ORIGIN example.test.
@       MX 20 backup
@       MX 10 mx
mx      A 192.0.2.10
mx      AAAA 2001:db8::10
backup  A 192.0.2.20
null    MX 0 .
ten     MX 10 .
address MX 0 .
address A 192.0.2.1
alias   CNAME null
twice   MX 0 .
twice   MX 10 .
*.wild  MX 0 .
mixed   MX 0 .
mixed   MX 10 mx
mixed2  MX 20 .
mixed2  MX 10 mx
four    A 192.0.2.4
six     AAAA 2001:db8::6
text    TXT "neither"
gone    CNAME nothing
literal MX 10 192.0.2.1.
odd     MX 10 under_score
many    MX 1 m1
many    MX 2 m2
dangling MX 10 nowhere
`

func TestCheck(t *testing.T) {
	r := resolvertest.New(t, zone)
	for _, tt := range []struct {
		domain string
		status nullmx.Status
		lints  []string
	}{
		{"Example.test.", nullmx.Explicit, nil},
		{"null.example.test", nullmx.Null, nil},
		{"ten.example.test", nullmx.Null, []string{"preference"}},
		{"address.example.test", nullmx.Null, nil},
		{"alias.example.test", nullmx.Null, nil},
		{"any.wild.example.test", nullmx.Null, nil},
		{"twice.example.test", nullmx.Null, []string{"duplicate", "preference"}},
		{"mixed.example.test", nullmx.Mixed, []string{"mixed"}},
		{"mixed2.example.test", nullmx.Mixed, []string{"mixed", "preference"}},
		{"four.example.test", nullmx.Implicit, nil},
		{"six.example.test", nullmx.Implicit, nil},
		{"text.example.test", nullmx.None, nil},
		{"wild.example.test", nullmx.None, nil}, // an empty non-terminal
		{"nothing.example.test", nullmx.NXDomain, nil},
		{"gone.example.test", nullmx.NXDomain, nil},
		{"literal.example.test", nullmx.Explicit, []string{"no-host"}},
		{"odd.example.test", nullmx.Explicit, []string{"no-host"}},
		{"mail.local", nullmx.NXDomain, nil},
		{"", nullmx.PermError, nil},
		{".", nullmx.PermError, nil},
		{"a..test", nullmx.PermError, nil},
		{"192.0.2.1", nullmx.PermError, nil},
		{"[192.0.2.1]", nullmx.PermError, nil},
		{strings.Repeat("x", 64) + ".test", nullmx.PermError, nil},
	} {
		got := nullmx.Checker{Resolver: r}.Check(t.Context(), tt.domain)
		if got.Status != tt.status {
			t.Errorf("%s: %s, expected %s", tt.domain, got.Status, tt.status)
		}
		var codes []string
		for _, l := range got.Lints {
			codes = append(codes, l.Code)
			if about := l.Code == "mixed" || l.Code == "duplicate"; !strings.HasSuffix(l.String(), "("+l.Code+")") || about != (l.Record == nil) {
				t.Errorf("%s: %s of %v", tt.domain, l, l.Record)
			}
		}
		if diff := cmp.Diff(tt.lints, codes); diff != "" {
			t.Errorf("%s: lints (-want +got):\n%s", tt.domain, diff)
		}
		if is := nullmx.IsNull(got.MX...); is != (tt.status == nullmx.Null) {
			t.Errorf("%s: IsNull is %t", tt.domain, is)
		}
		invariants(t, got)
	}
	if got := (nullmx.Checker{Resolver: r}).Check(t.Context(), "example.test"); got.MX[0].Mx != "mx.example.test." {
		t.Errorf("not by preference: %v", got.MX)
	}
}

// invariants holds what is true of every Result.
func invariants(t *testing.T, r *nullmx.Result) {
	t.Helper()
	if (r.Err != nil) != (r.Status == nullmx.TempError || r.Status == nullmx.PermError) {
		t.Errorf("%s: %s with %v", r.Domain, r.Status, r.Err)
	}
	if errors.Is(r.Err, nullmx.ErrDomain) != (r.Status == nullmx.PermError) {
		t.Errorf("%s: %v", r.Domain, r.Err)
	}
	if r.Err != nil && strings.ContainsAny(r.Err.Error(), "\n\r") {
		t.Errorf("%q: %q", r.Domain, r.Err)
	}
}

func TestTargets(t *testing.T) {
	r := resolvertest.New(t, zone)
	r.Fail("backup.example.test", dns.TypeAAAA, dnsfake.ServFail)
	for domain, want := range map[string]string{
		"example.test":          "10 mx.example.test. [192.0.2.10 2001:db8::10] true; 20 backup.example.test. [192.0.2.20] false; ",
		"null.example.test":     "",
		"mixed.example.test":    "10 mx.example.test. [192.0.2.10 2001:db8::10] true; ",
		"four.example.test":     "0 four.example.test. [192.0.2.4] true; ",
		"text.example.test":     "",
		"dangling.example.test": "10 nowhere.example.test. [] true; ",
		"a..test":               "",
	} {
		c := nullmx.Checker{Resolver: r}
		got := ""
		for _, target := range c.Targets(t.Context(), c.Check(t.Context(), domain)) {
			got += fmt.Sprintf("%d %s %v %t; ", target.Preference, target.Host, target.Addrs, target.Err == nil)
		}
		if got != want {
			t.Errorf("%s: %s\nexpected %s", domain, got, want)
		}
	}
}

// Property 3 of the design: whatever single question fails, the status is the healthy
// one or TempError.
func TestFaultsAreSafe(t *testing.T) {
	for _, name := range []string{"", "null.", "mixed.", "four.", "six.", "text.", "nothing.", "alias."} {
		domain := name + "example.test"
		healthy := resolvertest.New(t, zone)
		want := nullmx.Checker{Resolver: healthy}.Check(t.Context(), domain)
		for _, q := range healthy.Questions() {
			for _, kind := range dnsfake.Kinds() {
				r := resolvertest.New(t, zone)
				r.Fail(q.Name, q.Type, kind)
				got := nullmx.Checker{Resolver: r}.Check(t.Context(), domain)
				if got.Status != want.Status && got.Status != nullmx.TempError {
					t.Errorf("%s, %s %s: %s, healthy %s", domain, q, kind, got.Status, want.Status)
				}
				invariants(t, got)
			}
		}
	}
	// An address of one family is enough.
	r := resolvertest.New(t, zone)
	r.Fail("four.example.test", dns.TypeAAAA, dnsfake.ServFail)
	if got := (nullmx.Checker{Resolver: r}).Check(t.Context(), "four.example.test"); got.Status != nullmx.Implicit {
		t.Errorf("%s, %v", got.Status, got.Err)
	}
}

func TestNoResolver(t *testing.T) {
	got := nullmx.Checker{}.Check(t.Context(), "example.test")
	if got.Status != nullmx.TempError || !errors.Is(got.Err, resolver.ErrNoResolver) {
		t.Errorf("%s, %v", got.Status, got.Err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	got = nullmx.Checker{Resolver: resolvertest.New(t, zone)}.Check(ctx, "example.test")
	if got.Status != nullmx.TempError || !errors.Is(got.Err, context.Canceled) {
		t.Errorf("%s, %v", got.Status, got.Err)
	}
}

// The questions and round trips that the package states, for a zone with more than
// anybody has.
func TestBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		asked := 0
		many := false
		r := resolver.Func(func(_ context.Context, name string, qtype uint16) (resolver.Answer, error) {
			time.Sleep(10 * time.Millisecond)
			mu.Lock()
			defer mu.Unlock()
			asked++
			var a resolver.Answer
			for i := range 500 {
				if many && qtype == dns.TypeMX {
					a.Records = append(a.Records, &dns.MX{Hdr: dns.RR_Header{Name: name, Rrtype: qtype, Class: dns.ClassINET}, Mx: fmt.Sprintf("m%d.test.", i)})
				}
			}
			return a, nil
		})
		c := nullmx.Checker{Resolver: r}
		start := time.Now()
		if got := c.Check(t.Context(), "example.test"); got.Status != nullmx.None || asked != 3 || time.Since(start) != 20*time.Millisecond {
			t.Errorf("%s: %d questions in %s", got.Status, asked, time.Since(start))
		}
		many, asked = true, 0
		got := c.Check(t.Context(), "example.test")
		start = time.Now()
		if targets := c.Targets(t.Context(), got); len(targets) != 500 || !errors.Is(targets[499].Err, nullmx.ErrTooManyTargets) || asked != 1+2*nullmx.MaxTargets || time.Since(start) != 20*time.Millisecond {
			t.Errorf("%d targets, %d questions in %s", len(targets), asked, time.Since(start))
		}
	})
}

func TestOrderDoesNotMatter(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	zones, err := resolver.ParseZones(zone)
	if err != nil {
		t.Fatal(err)
	}
	shuffled := dnsfake.Shuffle(zones, seed)
	for _, domain := range []string{"example.test", "mixed.example.test", "mixed2.example.test", "twice.example.test", "many.example.test"} {
		want := nullmx.Checker{Resolver: zones}.Check(t.Context(), domain)
		for range 20 {
			got := nullmx.Checker{Resolver: shuffled}.Check(t.Context(), domain)
			if got.Status != want.Status || !slices.Equal(got.MX, want.MX) || !slices.Equal(got.Lints, want.Lints) {
				t.Errorf("%s: %+v and %+v", domain, got, want)
			}
		}
	}
}

func TestAuthentic(t *testing.T) {
	zones, err := resolver.ParseZones(zone)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		domain string
		lie    uint16 // the type whose answers are not authentic
		want   bool
	}{
		{"null.example.test", 0, true},
		{"null.example.test", dns.TypeMX, false},
		{"four.example.test", dns.TypeMX, false},
		{"four.example.test", dns.TypeA, false},
		{"four.example.test", dns.TypeAAAA, true},
		{"text.example.test", dns.TypeAAAA, false},
		{"text.example.test", 0, true},
	} {
		r := resolver.Func(func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
			answer, err := zones.Lookup(ctx, name, qtype)
			answer.Authentic = qtype != tt.lie
			return answer, err
		})
		if got := (nullmx.Checker{Resolver: r}).Check(t.Context(), tt.domain); got.Authentic != tt.want {
			t.Errorf("%s without %d: %t", tt.domain, tt.lie, got.Authentic)
		}
	}
}

func TestReplies(t *testing.T) {
	for response, want := range map[envelope.Reply]string{
		nullmx.RejectRecipient: "556 5.1.10 The recipient's domain accepts no mail (Null MX)",
		nullmx.RejectSender:    "550 5.7.27 The sender's domain accepts no mail (Null MX)",
	} {
		if response.String() != want {
			t.Errorf("%s", response)
		}
	}
}

// Property 2 of the design: what is built, packed, unpacked and published is Null.
func TestBuilderAndCheckAgree(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		domain := rapid.StringMatching(`([a-zA-Z0-9_]([a-zA-Z0-9_-]{0,20}[a-zA-Z0-9_])?\.){1,4}test\.?`).Draw(rt, "domain")
		rr, err := nullmx.Record(domain, 300)
		if err != nil {
			rt.Fatal(err)
		}
		wire := make([]byte, 512)
		n, err := dns.PackRR(rr, wire, 0, nil, false)
		if err != nil {
			rt.Fatal(err)
		}
		back, _, err := dns.UnpackRR(wire[:n], 0)
		if err != nil {
			rt.Fatal(err)
		}
		zones, err := resolver.ParseZones("$ORIGIN test.\n" + back.String())
		if err != nil {
			rt.Fatal(err)
		}
		got := nullmx.Checker{Resolver: zones}.Check(t.Context(), domain)
		if got.Status != nullmx.Null || len(got.Lints) > 0 || !nullmx.IsNull(got.MX...) {
			rt.Fatalf("%s: %+v", back, got)
		}
	})
	rr, err := nullmx.Record("*.Wild.test", 300)
	if err != nil {
		t.Fatal(err)
	}
	zones, err := resolver.ParseZones("$ORIGIN test.\n" + rr.String())
	if err != nil {
		t.Fatal(err)
	}
	if got := (nullmx.Checker{Resolver: zones}).Check(t.Context(), "any.wild.test"); got.Status != nullmx.Null {
		t.Errorf("a name of a wildcard: %+v", got)
	}
	for _, domain := range []string{"", ".", "*.", "*", "a.*.test", "**.test", "a..b", "192.0.2.1", "[192.0.2.1]", "mail.local", "a\x00.test"} {
		if rr, err := nullmx.Record(domain, 300); err == nil || !strings.HasPrefix(err.Error(), "nullmx: ") {
			t.Errorf("%q: %v, %v", domain, rr, err)
		}
	}
	if nullmx.IsNull(nil...) {
		t.Error("no record is a Null MX")
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
	for _, domain := range []string{"null.example.test", "a..b\n"} {
		logger.Info("rcpt", "mx", nullmx.Checker{Resolver: r}.Check(t.Context(), domain))
	}
	want := `level=INFO msg=rcpt mx.domain=null.example.test. mx.status=null
level=INFO msg=rcpt mx.domain=a..b\n mx.status=permerror mx.err="not a domain: \"a..b\\n\""
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
}

func TestEnums(t *testing.T) {
	for s := nullmx.Null; s <= nullmx.PermError; s++ {
		text, err := s.MarshalText()
		var back nullmx.Status
		if err != nil || back.UnmarshalText(text) != nil || back != s || s.Temporary() != (s == nullmx.TempError) {
			t.Errorf("%v: %q, %v", s, text, err)
		}
	}
	if got := nullmx.Status(0).String(); got != "nullmx.Status(0)" {
		t.Error(got)
	}
}

// FuzzCheck: no domain and no exchanger panics or breaks what is true of every Result.
func FuzzCheck(f *testing.F) {
	f.Add("example.test", "mx.example.test.", uint16(0))
	f.Add("[192.0.2.1]", ".", uint16(10))
	f.Fuzz(func(t *testing.T, domain, mx string, preference uint16) {
		r := resolver.Func(func(_ context.Context, name string, qtype uint16) (resolver.Answer, error) {
			return resolver.Answer{Records: []dns.RR{&dns.MX{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeMX, Class: dns.ClassINET}, Mx: mx, Preference: preference}}}, nil
		})
		c := nullmx.Checker{Resolver: r}
		got := c.Check(t.Context(), domain)
		invariants(t, got)
		c.Targets(t.Context(), got)
		for _, l := range got.Lints {
			if strings.ContainsAny(l.String(), "\n\r\x00") {
				t.Errorf("%q", l)
			}
		}
	})
}
