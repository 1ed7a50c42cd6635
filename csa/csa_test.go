package csa_test

import (
	"bytes"
	"context"
	"encoding"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/csa"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/resolver/dnsfake"
	"github.com/bonafide-mta/bonafide/resolver/resolvertest"
)

// zone has what the draft and Exim's cases speak of.
const zone = `
$TTL 300
$ORIGIN example.test.
host      A    192.0.2.10
host      AAAA 2001:db8::10
four      A    192.0.2.10
empty     TXT  "no address"
alias     CNAME host
mapped    AAAA ::ffff:192.0.2.10

; every weight, with a target that has the client's address
_client._smtp.w0  SRV 1 0 0 host
_client._smtp.w1  SRV 1 1 0 host
_client._smtp.w2  SRV 1 2 0 host
_client._smtp.w3  SRV 1 3 0 host
_client._smtp.w4  SRV 1 4 0 host
_client._smtp.w6  SRV 1 6 0 host
; other revisions
_client._smtp.p0  SRV 0 1 0 host
_client._smtp.p2  SRV 2 2 0 host
_client._smtp.p2and1 SRV 2 1 0 host
_client._smtp.p2and1 SRV 1 2 0 host
; targets
_client._smtp.root     SRV 1 2 0 .
_client._smtp.nowhere  SRV 1 2 0 nowhere
_client._smtp.empty    SRV 1 2 0 empty
_client._smtp.four     SRV 1 2 0 four
_client._smtp.alias    SRV 1 2 0 alias
_client._smtp.mapped   SRV 1 2 0 mapped
_client._smtp.reserved SRV 1 2 0 mail.local.
; several records
_client._smtp.second   SRV 1 2 0 empty
_client._smtp.second   SRV 1 2 0 host
_client._smtp.two-or-one SRV 1 2 0 host
_client._smtp.two-or-one SRV 1 1 0 host
_client._smtp.two-or-three SRV 1 2 0 empty
_client._smtp.two-or-three SRV 1 3 0 host
_client._smtp.three-and-two SRV 1 3 0 empty
_client._smtp.three-and-two SRV 1 2 0 host
_client._smtp.two-or-five SRV 1 2 0 empty
_client._smtp.two-or-five SRV 1 5 0 host
; the owner as DNS has it
_client._smtp.moved CNAME _client._smtp.w2
_client._smtp.gone  CNAME nothing
*.wild SRV 1 2 0 host

; domains with a policy
$ORIGIN explicit.test.
@             A   192.0.2.10
_client._smtp SRV 1 1 1 explicit.test.
host          A   192.0.2.10
_client._smtp.host  SRV 1 2 1 host
_client._smtp.child SRV 1 2 0 host
_client._smtp.odd   SRV 2 2 0 host
_client._smtp.three SRV 1 3 0 host
_client._smtp.empty TXT "NODATA"
$ORIGIN port25.test.
_client._smtp SRV 1 1 25 port25.test.
$ORIGIN port2.test.
_client._smtp SRV 1 1 2 port2.test.
$ORIGIN both.test.
_client._smtp SRV 1 1 0 both.test.
_client._smtp SRV 1 1 1 both.test.
$ORIGIN revision.test.
_client._smtp SRV 2 1 1 revision.test.
$ORIGIN deep.test.
_client._smtp.b.c.d.e   SRV 1 1 1 b.c.d.e.deep.test.
_client._smtp.z.a.b.c.d SRV 1 1 1 z.a.b.c.d.deep.test.
`

// top is a zone of a top-level domain with a policy, which must not be asked for.
const top = `
$ORIGIN top.
_client._smtp 300 SRV 1 1 1 top.
_client._smtp.x.example 300 TXT "NODATA"
_client._smtp.nocut 300 SRV 1 1 1 nocut.top.
`

// cases are what is said of each name by the record of the zone, for a client at
// 192.0.2.10. The rows of Exim's departures are those of the documentation.
var cases = []struct {
	helo   string
	reason csa.Reason
	parent string
}{
	// The weights of the draft. 0 is read as 1, and above 3 there is no rule.
	{"w0.example.test", csa.Denied, ""},
	{"w1.example.test", csa.Denied, ""},
	{"w2.example.test", csa.Authorized, ""},
	{"w3.example.test", csa.Unverifiable, ""},
	{"w4.example.test", csa.Unsupported, ""},
	{"w6.example.test", csa.Unsupported, ""},
	{"p0.example.test", csa.Unsupported, ""},
	{"p2.example.test", csa.Unsupported, ""},
	{"p2and1.example.test", csa.Authorized, ""},
	// The targets.
	{"root.example.test", csa.NoAddress, ""},
	{"nowhere.example.test", csa.NoAddress, ""},
	{"empty.example.test", csa.NoAddress, ""},
	{"four.example.test", csa.Authorized, ""},
	{"alias.example.test", csa.Authorized, ""}, // Exim: no address (8)
	{"mapped.example.test", csa.NoAddress, ""},
	{"reserved.example.test", csa.NoAddress, ""},
	// Several records, in any order.
	{"second.example.test", csa.Authorized, ""}, // Exim: the first decides (5)
	{"two-or-one.example.test", csa.Denied, ""}, // Exim: by order (6)
	{"two-or-three.example.test", csa.Unverifiable, ""},
	{"three-and-two.example.test", csa.Authorized, ""},
	{"two-or-five.example.test", csa.NoAddress, ""},
	// Aliases and wildcards of the owner (18).
	{"moved.example.test", csa.Authorized, ""},
	{"gone.example.test", csa.NoRecord, ""},
	{"none.example.test", csa.NoRecord, ""},
	// Forms of the name.
	{"W2.Example.TEST.", csa.Authorized, ""},
	{"wölk.example.test", csa.NoRecord, ""},
	{"under_score.example.test", csa.NoRecord, ""},
	{"", csa.NoName, ""},
	{".", csa.NoName, ""},
	{"test", csa.NoName, ""}, // Exim obeys a record of a top-level domain (12)
	{"localhost", csa.NoName, ""},
	{"a..example.test", csa.NoName, ""},
	{"192.0.2.10", csa.NoName, ""},
	{"1234", csa.NoName, ""},
	{"[192.0.2.10]", csa.NoName, ""}, // Exim searches the reverse tree (13)
	{"[IPv6:2001:db8::10]", csa.NoName, ""},
	{"[2001:db8::10]", csa.NoName, ""}, // Exim: db8::10 (14)
	{"2001:db8::10", csa.NoName, ""},
	{"mail.local", csa.NoRecord, ""},
	{strings.Repeat("a.", 120) + "example.test", csa.NoRecord, ""}, // too long to have a record
	// A policy above.
	{"explicit.test", csa.Denied, ""},
	{"host.explicit.test", csa.Authorized, ""},
	{"x.explicit.test", csa.ExplicitRequired, "explicit.test."}, // Exim 4.95: unknown (1)
	{"empty.explicit.test", csa.ExplicitRequired, "explicit.test."},
	{"a.b.c.x.explicit.test", csa.ExplicitRequired, "explicit.test."},
	{"x.host.explicit.test", csa.ExplicitRequired, "explicit.test."},
	{"child.explicit.test", csa.Authorized, ""}, // a child cannot undo it, nor need it (21)
	{"x.child.explicit.test", csa.ExplicitRequired, "explicit.test."},
	{"x.explicit.test.", csa.ExplicitRequired, "explicit.test."}, // Exim asks the top-level domain (11)
	{"-x!.explicit.test", csa.ExplicitRequired, "explicit.test."},
	{"odd.explicit.test", csa.Unsupported, ""}, // a record stands there, though unknown: as Exim (9)
	{"three.explicit.test", csa.Unverifiable, ""},
	{"x.port25.test", csa.ExplicitRequired, "port25.test."}, // no port: 25 is odd
	{"x.port2.test", csa.NoRecord, ""},
	{"x.both.test", csa.ExplicitRequired, "both.test."}, // Exim: by order (4)
	{"x.revision.test", csa.NoRecord, ""},
	// From two to six labels.
	{"a.b.c.d.e.deep.test", csa.ExplicitRequired, "b.c.d.e.deep.test."},
	{"w.z.a.b.c.d.deep.test", csa.NoRecord, ""}, // z.a.b.c.d.deep.test has seven
	{"example.top", csa.NoRecord, ""},
	{"x.example.top", csa.NoRecord, ""}, // NODATA: Exim with a final dot asks top. (11)
	{"y.example.top", csa.NoRecord, ""},
	{"x.nocut.top", csa.ExplicitRequired, "nocut.top."}, // Exim: unknown (3)
	{"top", csa.NoName, ""},                             // (12)
}

// statusOf is the one status of each reason.
var statusOf = map[csa.Reason]csa.Status{
	csa.NoName: csa.None, csa.NoRecord: csa.None, csa.Unverifiable: csa.None, csa.Unsupported: csa.None, csa.TooManyTargets: csa.None,
	csa.Authorized: csa.Pass, csa.Denied: csa.Fail, csa.ExplicitRequired: csa.Fail, csa.NoAddress: csa.Fail, csa.AddressMismatch: csa.Fail,
	csa.Temporary: csa.TempError, csa.BadAddress: csa.PermError,
}

var client = netip.MustParseAddr("192.0.2.10")

// invariants holds what is true of every Result.
func invariants(t *testing.T, r *csa.Result) {
	t.Helper()
	if r.Status != statusOf[r.Reason] {
		t.Errorf("%s: %s with the reason %s", r.Helo, r.Status, r.Reason)
	}
	if (r.Err != nil) != (r.Status == csa.TempError || r.Status == csa.PermError) {
		t.Errorf("%s: %s with the error %v", r.Helo, r.Status, r.Err)
	}
	decided := r.Status == csa.Pass || r.Status == csa.Fail || r.Reason == csa.Unverifiable
	if (r.Record != nil) != decided {
		t.Errorf("%s: %s by the record %v", r.Helo, r.Reason, r.Record)
	}
	if (r.Parent != "") != (r.Reason == csa.ExplicitRequired) {
		t.Errorf("%s: %s with the parent %q", r.Helo, r.Reason, r.Parent)
	}
}

func TestCheck(t *testing.T) {
	r := resolvertest.New(t, zone+top)
	for _, mode := range []bool{false, true} {
		for _, tt := range cases {
			got := csa.Checker{Resolver: r, Sequential: mode}.Check(t.Context(), client, tt.helo)
			if got.Reason != tt.reason || got.Parent != tt.parent {
				t.Errorf("%s: %s %q, expected %s %q", tt.helo, got.Reason, got.Parent, tt.reason, tt.parent)
			}
			if got.Reason == csa.ExplicitRequired && got.Record.Hdr.Name != "_client._smtp."+got.Parent {
				t.Errorf("%s: decided by %s", tt.helo, got.Record)
			}
			invariants(t, got)
		}
	}
	for _, q := range r.Questions() {
		if q.Name == "_client._smtp.top." || q.Name == "_client._smtp.test." || q.Name == "_client._smtp.z.a.b.c.d.deep.test." {
			t.Errorf("asked %s", q)
		}
	}
}

// Clients of either family, in any form, by addresses of their own family.
func TestCheckAddresses(t *testing.T) {
	r := resolvertest.New(t, zone)
	for _, tt := range []struct {
		addr, helo string
		reason     csa.Reason
	}{
		{"192.0.2.10", "w2.example.test", csa.Authorized},
		{"::ffff:192.0.2.10", "w2.example.test", csa.Authorized}, // Exim compares text (17)
		{"192.0.2.11", "w2.example.test", csa.AddressMismatch},
		{"2001:db8::10", "w2.example.test", csa.Authorized}, // Exim -bh expands it (16)
		{"2001:db8::10%eth0", "w2.example.test", csa.Authorized},
		{"2001:db8::11", "w2.example.test", csa.AddressMismatch},
		{"2001:db8::10", "four.example.test", csa.NoAddress},
		{"10.0.0.1", "w1.example.test", csa.Denied}, // any address is judged
		{"192.0.2.11", "second.example.test", csa.AddressMismatch},
		{"192.0.2.11", "two-or-three.example.test", csa.Unverifiable},
	} {
		got := csa.Checker{Resolver: r}.Check(t.Context(), netip.MustParseAddr(tt.addr), tt.helo)
		if got.Reason != tt.reason {
			t.Errorf("%s %s: %s, expected %s", tt.addr, tt.helo, got.Reason, tt.reason)
		}
		invariants(t, got)
	}
	// The record named is the one to change: of two, the one whose target has addresses.
	got := csa.Checker{Resolver: r}.Check(t.Context(), netip.MustParseAddr("192.0.2.11"), "second.example.test")
	if got.Record.Target != "host.example.test." {
		t.Errorf("mismatch by %s", got.Record)
	}
}

// The four sessions of Exim's own test 0524.
func TestEximsSessions(t *testing.T) {
	r := resolvertest.New(t, `
$TTL 300
$ORIGIN test.example.
_client._smtp.csa1 SRV 1 2 0 csa1
_client._smtp.csa2 SRV 1 1 0 csa2
csa1 A 192.0.2.7
csa2 A 192.0.2.8
`)
	for _, tt := range []struct {
		addr, helo string
		reason     csa.Reason
	}{
		{"192.0.2.7", "csa1.test.example", csa.Authorized},
		{"192.0.2.7", "csa2.test.example", csa.Denied},
		{"192.0.2.8", "csa1.test.example", csa.AddressMismatch},
		{"192.0.2.8", "csa2.test.example", csa.Denied},
	} {
		got := csa.Checker{Resolver: r}.Check(t.Context(), netip.MustParseAddr(tt.addr), tt.helo)
		if got.Reason != tt.reason {
			t.Errorf("%s %s: %s, expected %s", tt.addr, tt.helo, got.Reason, tt.reason)
		}
	}
}

// The advice page's own records, with its placeholders filled: the MTA may use its
// name, from its address alone, and nobody any other name of the domain.
func TestAdvice(t *testing.T) {
	r := resolvertest.New(t, `
$TTL 3600
$ORIGIN your-domain.example.
smtp-out A 192.0.2.10
www A 192.0.2.80
_client._smtp.smtp-out.your-domain.example. IN SRV 1 2 1 smtp-out.your-domain.example.
_client._smtp.your-domain.example. SRV 1 1 1 your-domain.example.
`)
	for _, tt := range []struct {
		addr, helo string
		status     csa.Status
	}{
		{"192.0.2.10", "smtp-out.your-domain.example", csa.Pass},
		{"192.0.2.11", "smtp-out.your-domain.example", csa.Fail},
		{"192.0.2.10", "your-domain.example", csa.Fail},
		{"192.0.2.80", "www.your-domain.example", csa.Fail},
		{"192.0.2.10", "no-such-name.your-domain.example", csa.Fail},
		{"192.0.2.10", "below.smtp-out.your-domain.example", csa.Fail},
	} {
		if got := (csa.Checker{Resolver: r}).Check(t.Context(), netip.MustParseAddr(tt.addr), tt.helo); got.Status != tt.status {
			t.Errorf("%s %s: %s (%s), expected %s", tt.addr, tt.helo, got.Status, got.Reason, tt.status)
		}
	}
}

// What was asked, and in how many round trips.
func TestRoundTrips(t *testing.T) {
	for _, tt := range []struct {
		helo                  string
		trips, questions      int
		tripsSeq, questionSeq int
	}{
		{"none.example.test", 1, 2, 2, 2},
		{"w2.example.test", 2, 3, 2, 2},
		{"w1.example.test", 1, 2, 1, 1},
		{"x.explicit.test", 1, 2, 2, 2},
		{"a.b.c.x.explicit.test", 1, 5, 2, 2},
		{"w.z.a.b.c.d.deep.test", 1, 6, 6, 6},
	} {
		for _, sequential := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				fake := resolvertest.New(t, zone)
				var asked atomic.Int32
				slow := resolver.Func(func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
					asked.Add(1)
					time.Sleep(10 * time.Millisecond)
					return fake.Lookup(ctx, name, qtype)
				})
				start := time.Now()
				csa.Checker{Resolver: slow, Sequential: sequential}.Check(t.Context(), client, tt.helo)
				trips, questions := tt.trips, tt.questions
				if sequential {
					trips, questions = tt.tripsSeq, tt.questionSeq
				}
				if got := int(time.Since(start) / (10 * time.Millisecond)); got != trips || int(asked.Load()) != questions {
					t.Errorf("%s, sequential %t: %d round trips, %d questions; expected %d, %d", tt.helo, sequential, got, asked.Load(), trips, questions)
				}
			})
		}
	}
}

// Whatever a zone says, a check asks no more than the package states.
func TestBounds(t *testing.T) {
	for _, sequential := range []bool{false, true} {
		var mu sync.Mutex
		asked, open, most := 0, 0, 0
		hostile := resolver.Func(func(_ context.Context, name string, qtype uint16) (resolver.Answer, error) {
			mu.Lock()
			asked++
			open++
			most = max(most, open)
			mu.Unlock()
			defer func() { mu.Lock(); open--; mu.Unlock() }()
			var a resolver.Answer
			for i := range 1000 {
				a.Records = append(a.Records, &dns.SRV{
					Hdr:      dns.RR_Header{Name: name, Rrtype: dns.TypeSRV, Class: dns.ClassINET},
					Priority: 1, Weight: 2, Target: fmt.Sprintf("t%d.%s", i, name),
				})
			}
			if qtype != dns.TypeSRV {
				a.Records = nil
			}
			return a, nil
		})
		got := csa.Checker{Resolver: hostile, Sequential: sequential}.Check(t.Context(), client, "a.b.c.d.e.f.example.test")
		if got.Reason != csa.TooManyTargets || got.Skipped != 990 || asked > 16 || most > 10 {
			t.Errorf("sequential %t: %s, %d skipped, %d questions, %d at once", sequential, got.Reason, got.Skipped, asked, most)
		}
		invariants(t, got)
	}
}

// Property 3 of the design: whatever single question fails in whatever way, the
// status is the healthy one or TempError. A fault that could make no difference makes
// none.
func TestFaultsAreSafe(t *testing.T) {
	for _, sequential := range []bool{false, true} {
		for _, tt := range cases {
			healthy := resolvertest.New(t, zone+top)
			want := csa.Checker{Resolver: healthy, Sequential: sequential}.Check(t.Context(), client, tt.helo)
			for _, q := range healthy.Questions() {
				for _, kind := range dnsfake.Kinds() {
					r := resolvertest.New(t, zone+top)
					r.Fail(q.Name, q.Type, kind)
					got := csa.Checker{Resolver: r, Sequential: sequential}.Check(t.Context(), client, tt.helo)
					if got.Reason != want.Reason && got.Status != csa.TempError {
						t.Errorf("%s, %s %s: %s, healthy %s", tt.helo, q, kind, got.Reason, want.Reason)
					}
					invariants(t, got)
				}
			}
		}
	}
	for _, tt := range []struct {
		helo, question string
		qtype          uint16
		reason         csa.Reason
	}{
		{"w1.example.test", "_client._smtp.example.test", dns.TypeSRV, csa.Denied}, // its own record decides
		{"w2.example.test", "_client._smtp.example.test", dns.TypeSRV, csa.Authorized},
		{"a.x.explicit.test", "_client._smtp.x.explicit.test", dns.TypeSRV, csa.ExplicitRequired}, // another parent decides
		{"a.x.explicit.test", "_client._smtp.explicit.test", dns.TypeSRV, csa.Temporary},
		{"second.example.test", "empty.example.test", dns.TypeA, csa.Authorized},
		{"second.example.test", "host.example.test", dns.TypeA, csa.Temporary},
		{"two-or-three.example.test", "empty.example.test", dns.TypeA, csa.Temporary}, // it could have been a pass
		{"two-or-one.example.test", "host.example.test", dns.TypeA, csa.Denied},
	} {
		r := resolvertest.New(t, zone)
		r.Fail(tt.question, tt.qtype, dnsfake.ServFail)
		got := csa.Checker{Resolver: r}.Check(t.Context(), client, tt.helo)
		if got.Reason != tt.reason {
			t.Errorf("%s without %s: %s, expected %s", tt.helo, tt.question, got.Reason, tt.reason)
		}
		invariants(t, got)
	}
}

func TestCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, slow := range []string{"_client._smtp.w2.example.test", "_client._smtp.example.test", "host.example.test"} {
			r := resolvertest.New(t, zone)
			r.Delay(slow, dns.TypeANY, time.Hour)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			start := time.Now()
			got := csa.Checker{Resolver: r}.Check(ctx, client, "w2.example.test")
			cancel()
			if slow == "_client._smtp.example.test" { // nobody waits for a parent once the name has a record
				if got.Status != csa.Pass || time.Since(start) != 0 {
					t.Errorf("%s: %s after %s", slow, got.Status, time.Since(start))
				}
				continue
			}
			if got.Status != csa.TempError || !errors.Is(got.Err, context.DeadlineExceeded) || time.Since(start) != time.Second {
				t.Errorf("%s: %s, %v after %s", slow, got.Status, got.Err, time.Since(start))
			}
		}
	})
}

func TestNoAddrNoResolver(t *testing.T) {
	got := csa.Checker{}.Check(t.Context(), netip.Addr{}, "w2.example.test")
	if got.Status != csa.PermError || !errors.Is(got.Err, csa.ErrAddr) {
		t.Errorf("invalid address: %s, %v", got.Status, got.Err)
	}
	invariants(t, got)
	got = csa.Checker{}.Check(t.Context(), client, "w2.example.test")
	if got.Status != csa.TempError || !errors.Is(got.Err, resolver.ErrNoResolver) {
		t.Errorf("no resolver: %s, %v", got.Status, got.Err)
	}
	invariants(t, got)
	if got := (csa.Checker{}).Check(t.Context(), client, "[192.0.2.10]"); got.Reason != csa.NoName || got.Authentic {
		t.Errorf("a literal: %+v", got)
	}
}

// Property 5 of the design: the order of records never matters, nor which duplicate
// of a record comes first.
func TestOrderDoesNotMatter(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	zones, err := resolver.ParseZones(zone + top)
	if err != nil {
		t.Fatal(err)
	}
	shuffled := dnsfake.Shuffle(zones, seed)
	for _, tt := range cases {
		want := csa.Checker{Resolver: zones}.Check(t.Context(), client, tt.helo)
		for range 10 {
			got := csa.Checker{Resolver: shuffled}.Check(t.Context(), client, tt.helo)
			if got.Reason != want.Reason || got.Record != want.Record || got.Parent != want.Parent {
				t.Fatalf("%s: %s by %v, and %s by %v", tt.helo, want.Reason, want.Record, got.Reason, got.Record)
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
		helo, lie string // whose answers are not authentic
		want      bool
	}{
		{"w2.example.test", "", true},
		{"w2.example.test", "host.example.test.", false},
		{"w2.example.test", "_client._smtp.example.test.", true}, // not needed
		{"second.example.test", "empty.example.test.", true},
		{"x.explicit.test", "_client._smtp.explicit.test.", false},
		{"a.x.explicit.test", "_client._smtp.x.explicit.test.", true},
		{"a.x.explicit.test", "_client._smtp.a.x.explicit.test.", false},
	} {
		r := resolver.Func(func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
			answer, err := zones.Lookup(ctx, name, qtype)
			answer.Authentic = name != tt.lie
			return answer, err
		})
		if got := (csa.Checker{Resolver: r}).Check(t.Context(), client, tt.helo); got.Authentic != tt.want {
			t.Errorf("%s without %q: Authentic is %t", tt.helo, tt.lie, got.Authentic)
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
	for _, helo := range []string{"w2.example.test", "x.explicit.test", "[192.0.2.10]"} {
		logger.Info("client", "csa", csa.Checker{Resolver: r}.Check(t.Context(), client, helo))
	}
	logger.Info("client", "csa", csa.Checker{Resolver: r}.Check(t.Context(), netip.Addr{}, "w2.example.test"))
	want := `level=INFO msg=client csa.addr=192.0.2.10 csa.status=pass csa.reason=authorized csa.name=w2.example.test.
level=INFO msg=client csa.addr=192.0.2.10 csa.status=fail csa.reason=explicit-required csa.name=x.explicit.test. csa.parent=explicit.test.
level=INFO msg=client csa.addr=192.0.2.10 csa.status=none csa.reason=no-name
level=INFO msg=client csa.addr="invalid IP" csa.status=permerror csa.reason=bad-address csa.err="not a valid address"
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
}

func TestEnums(t *testing.T) {
	texts := func(v interface {
		encoding.TextMarshaler
		fmt.Stringer
	}, back encoding.TextUnmarshaler) {
		t.Helper()
		text, err := v.MarshalText()
		if err != nil || string(text) != v.String() || back.UnmarshalText(bytes.ToUpper(text)) != nil || fmt.Sprint(back) != v.String() {
			t.Errorf("%v: %q, %v, back as %v", v, text, err, back)
		}
	}
	for s := csa.None; s <= csa.PermError; s++ {
		texts(s, new(csa.Status))
		if s.Temporary() != (s == csa.TempError) {
			t.Errorf("%s: Temporary is %t", s, s.Temporary())
		}
	}
	for r := csa.NoName; r <= csa.BadAddress; r++ {
		texts(r, new(csa.Reason))
	}
	if len(statusOf) != int(csa.BadAddress) {
		t.Error("a reason has no status")
	}
	if _, err := csa.Status(0).MarshalText(); err == nil {
		t.Error("the zero Status is text")
	}
	if got := csa.Reason(0).String(); got != "csa.Reason(0)" {
		t.Error(got)
	}
}

// FuzzCheck: no HELO panics or breaks what is true of every Result, whatever an
// answer has.
func FuzzCheck(f *testing.F) {
	for _, tt := range cases {
		f.Add(tt.helo, uint16(1), uint16(2), uint16(1), "host.example.test.")
	}
	f.Fuzz(func(t *testing.T, helo string, priority, weight, port uint16, target string) {
		r := resolver.Func(func(_ context.Context, name string, qtype uint16) (resolver.Answer, error) {
			if qtype != dns.TypeSRV || len(name)%2 == 0 {
				return resolver.Answer{}, nil
			}
			return resolver.Answer{Records: []dns.RR{&dns.SRV{
				Hdr:      dns.RR_Header{Name: name, Rrtype: qtype, Class: dns.ClassINET},
				Priority: priority, Weight: weight, Port: port, Target: target,
			}}}, nil
		})
		got := csa.Checker{Resolver: r}.Check(t.Context(), client, helo)
		invariants(t, got)
		if got.Status == csa.Pass {
			t.Errorf("passed by %s, whose target has no address", got.Record)
		}
	})
}
