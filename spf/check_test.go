package spf_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/resolver/dnsfake"
	"github.com/bonafide-mta/bonafide/resolver/resolvertest"
	"github.com/bonafide-mta/bonafide/spf"
)

const checkZones = `
$TTL 300
$ORIGIN example.test.
@       TXT "v=spf1 a include:inner.example.test redirect=last.example.test"
@       A   192.0.2.1
inner   TXT "v=spf1 -ip4:192.0.2.3 ip4:192.0.2.2 include:deep.example.test -all exp=wrong.example.test"
deep    TXT "v=spf1 ip4:192.0.2.4 -all"
last    TXT "v=spf1 -ip4:192.0.2.5 ?ip4:192.0.2.6 exp=why.example.test"
why     TXT "%{c} of %{d} at %{r}: %{l} %{S}"
wrong   TXT "of an include"
v6      TXT "v=spf1 ip6:::ffff:192.0.2.1 a:only4.example.test -all"
only4   A   192.0.2.1
none    A   192.0.2.1
two     TXT "v=spf1 -all"
two     TXT "v=spf1 +all"
bad     TXT "v=spf1 include:syntax.example.test -all"
syntax  TXT "v=spf1 ip4:192.0.2.1 ip4:nonsense"
nowhere TXT "v=spf1 include:none.example.test"
astray  TXT "v=spf1 redirect=none.example.test"
noname  TXT "v=spf1 redirect=%{l}.%{d}"
noname2 TXT "v=spf1 include:%{l}.%{d}"
skips   TXT "v=spf1 a:%{l}.%{d} exists:%{l}.%{d} mx:%{l}.%{d} ip4:192.0.2.1 -all"
voids   TXT "v=spf1 a:v1.example.test mx:v2.example.test exists:v3.example.test ip4:192.0.2.1"
eleven  TXT "v=spf1 a:mx1.example.test a:mx1.example.test a:mx1.example.test a:mx1.example.test a:mx1.example.test a:mx1.example.test a:mx1.example.test a:mx1.example.test a:mx1.example.test a:mx1.example.test a -all"
eleven  A   192.0.2.1
manymx  TXT "v=spf1 mx -all"
nullmx  TXT "v=spf1 mx -all"
nullmx  MX  0 .
mx      TXT "v=spf1 mx -all"
mx      MX  10 mx1
mx      MX  20 mx2
mx      MX  30 nothing
mx1     A   192.0.2.11
mx2     A   192.0.2.12
ptr     TXT "v=spf1 ptr:example.test ?all"
p       TXT "v=spf1 exists:%{p}.ok.example.test ?all"
mx2.example.test.ok A 127.0.0.2
unknown.ok A 127.0.0.2
ptrs    TXT "v=spf1 ptr:a.test ptr:b.test ptr:c.test ip4:192.0.2.14"
two-ptr TXT "v=spf1 ptr:a.test ptr:b.test exists:%{p}.ok.example.test exists:%{p}.ok.example.test"
`

// manyMX has eleven exchangers.
func manyMX() string {
	var b strings.Builder
	for i := range 11 {
		fmt.Fprintf(&b, "manymx MX %d mx%d\n", i, 1+i%2)
	}
	return b.String()
}

const reverseZones = `
$ORIGIN 2.0.192.in-addr.arpa.
12 PTR mx2.example.test.
12 PTR a.other.test.
13 PTR liar.example.test.
$ORIGIN other.test.
a  A 192.0.2.12
$ORIGIN example.test.
liar A 192.0.2.99
`

func checkFake(t testing.TB) *dnsfake.Fake {
	t.Helper()
	return resolvertest.New(t, checkZones+manyMX()+reverseZones)
}

func TestCheck(t *testing.T) {
	tests := []struct {
		addr, sender string
		status       spf.Status
		term         string // as TermAt prints it
		lookups      int
		voids        int
		cause        error
	}{
		{"192.0.2.1", "u@example.test", spf.Pass, "a at offset 7 of example.test.", 1, 0, nil},
		{"192.0.2.2", "u@example.test", spf.Pass, "ip4:192.0.2.2 at offset 22 of inner.example.test., by include:inner.example.test of example.test.", 2, 0, nil},
		{"192.0.2.3", "u@example.test", spf.Neutral, "no term", 3, 0, nil},
		{"192.0.2.4", "u@example.test", spf.Pass, "ip4:192.0.2.4 at offset 7 of deep.example.test., by include:deep.example.test of inner.example.test., by include:inner.example.test of example.test.", 3, 0, nil},
		{"192.0.2.5", "u@example.test", spf.Fail, "-ip4:192.0.2.5 at offset 7 of last.example.test., by redirect=last.example.test of example.test.", 4, 0, nil},
		{"192.0.2.6", "u@example.test", spf.Neutral, "?ip4:192.0.2.6 at offset 22 of last.example.test., by redirect=last.example.test of example.test.", 4, 0, nil},
		{"::ffff:192.0.2.1", "u@example.test", spf.Pass, "a at offset 7 of example.test.", 1, 0, nil},
		{"::ffff:192.0.2.1", "u@v6.example.test", spf.Pass, "a:only4.example.test at offset 28 of v6.example.test.", 1, 0, nil},
		{"2001:db8::1", "u@v6.example.test", spf.Fail, "-all at offset 49 of v6.example.test.", 1, 1, nil},
		{"192.0.2.1", "u@none.example.test", spf.None, "no term", 0, 0, nil},
		{"192.0.2.1", "u@gone.example.test", spf.None, "no term", 0, 0, nil},
		{"192.0.2.1", "u@[192.0.2.1]", spf.None, "no term", 0, 0, nil},
		{"192.0.2.1", "u@192.0.2.1", spf.None, "no term", 0, 0, nil},
		{"192.0.2.1", "u@localhost", spf.None, "no term", 0, 0, nil},
		{"192.0.2.1", "u@host.local", spf.None, "no term", 0, 0, nil},
		{"192.0.2.1", "u@a..example.test", spf.None, "no term", 0, 0, nil},
		{"192.0.2.1", "u@", spf.None, "no term", 0, 0, nil},
		{"192.0.2.1", "u@two.example.test", spf.PermError, "no term", 0, 0, spf.ErrRecords},
		{"192.0.2.1", "u@bad.example.test", spf.PermError, "ip4:nonsense at offset 21 of syntax.example.test., by include:syntax.example.test of bad.example.test.", 1, 0, nil},
		{"192.0.2.1", "u@nowhere.example.test", spf.PermError, "include:none.example.test at offset 7 of nowhere.example.test.", 1, 0, spf.ErrNoRecord},
		{"192.0.2.1", "u@astray.example.test", spf.PermError, "redirect=none.example.test at offset 7 of astray.example.test.", 1, 0, spf.ErrNoRecord},
		{"192.0.2.1", "a..b@noname.example.test", spf.PermError, "redirect=%{l}.%{d} at offset 7 of noname.example.test.", 1, 0, spf.ErrNoRecord},
		{"192.0.2.1", "a..b@noname2.example.test", spf.PermError, "include:%{l}.%{d} at offset 7 of noname2.example.test.", 1, 0, spf.ErrNoRecord},
		{"192.0.2.1", "a..b@skips.example.test", spf.Pass, "ip4:192.0.2.1 at offset 49 of skips.example.test.", 3, 0, nil},
		{"192.0.2.1", "é@skips.example.test", spf.Pass, "ip4:192.0.2.1 at offset 49 of skips.example.test.", 3, 0, nil},
		{"192.0.2.1", "u@voids.example.test", spf.PermError, "exists:v3.example.test at offset 44 of voids.example.test.", 3, 3, spf.ErrVoids},
		{"192.0.2.1", "u@eleven.example.test", spf.PermError, "a at offset 197 of eleven.example.test.", 10, 0, spf.ErrLookups},
		{"192.0.2.1", "u@manymx.example.test", spf.PermError, "mx at offset 7 of manymx.example.test.", 1, 0, spf.ErrMX},
		{"192.0.2.1", "u@nullmx.example.test", spf.Fail, "-all at offset 10 of nullmx.example.test.", 1, 0, nil},
		{"192.0.2.12", "u@mx.example.test", spf.Pass, "mx at offset 7 of mx.example.test.", 1, 0, nil},
		{"192.0.2.12", "u@ptr.example.test", spf.Pass, "ptr:example.test at offset 7 of ptr.example.test.", 1, 0, nil},
		{"192.0.2.13", "u@ptr.example.test", spf.Neutral, "?all at offset 24 of ptr.example.test.", 1, 0, nil},
		{"192.0.2.14", "u@ptr.example.test", spf.Neutral, "?all at offset 24 of ptr.example.test.", 1, 1, nil},
		{"192.0.2.14", "u@ptrs.example.test", spf.PermError, "ptr:c.test at offset 29 of ptrs.example.test.", 3, 3, spf.ErrVoids},
		{"192.0.2.13", "u@ptrs.example.test", spf.Neutral, "no term", 3, 0, nil},
		{"192.0.2.14", "u@two-ptr.example.test", spf.Pass, "exists:%{p}.ok.example.test at offset 29 of two-ptr.example.test.", 3, 2, nil},
		{"192.0.2.12", "u@p.example.test", spf.Neutral, "?all at offset 35 of p.example.test.", 1, 1, nil},
		{"192.0.2.13", "u@p.example.test", spf.Pass, "exists:%{p}.ok.example.test at offset 7 of p.example.test.", 1, 0, nil},
	}
	fake := checkFake(t)
	for _, tt := range tests {
		addr := netip.MustParseAddr(tt.addr)
		for _, mode := range []spf.Speculation{spf.SpeculateNone, spf.SpeculateTXT, spf.SpeculateAll} {
			r := spf.Checker{Resolver: fake, Speculate: mode}.CheckMailFrom(t.Context(), addr, "helo.test", tt.sender)
			if r.Status != tt.status || r.Term.String() != tt.term || r.Lookups != tt.lookups || r.Voids != tt.voids {
				t.Errorf("%s %s, %s: %s, %s, %d look-ups, %d voids (%v); expected %s, %s, %d, %d", tt.addr, tt.sender, mode,
					r.Status, r.Term, r.Lookups, r.Voids, r.Err, tt.status, tt.term, tt.lookups, tt.voids)
			}
			if tt.cause != nil && !errors.Is(r.Err, tt.cause) {
				t.Errorf("%s: %v, expected %v", tt.sender, r.Err, tt.cause)
			}
			invariants(t, r)
		}
	}
}

// invariants are those of every result.
func invariants(t testing.TB, r *spf.Result) {
	t.Helper()
	if failed := r.Status == spf.TempError || r.Status == spf.PermError; failed != (r.Err != nil) {
		t.Errorf("%s with error %v", r.Status, r.Err)
	}
	if r.Status < spf.None || r.Status > spf.PermError {
		t.Errorf("status %s", r.Status)
	}
	if r.Status.Temporary() != (r.Status == spf.TempError) {
		t.Errorf("%s: Temporary", r.Status)
	}
	if r.Lookups > 10 || r.Explanation != "" && r.Status != spf.Fail {
		t.Errorf("%s: %d look-ups, explanation %q", r.Status, r.Lookups, r.Explanation)
	}
	checkTermAt(t, r.Term)
	checkTermAt(t, r.Degraded)
}

// checkTermAt compares the kind and the qualifier of a term with what its text says.
func checkTermAt(t testing.TB, at spf.TermAt) {
	t.Helper()
	var want spf.Term
	if record, err := spf.Parse("v=spf1 " + at.Text); err == nil && at.Text != "" {
		want = record.Terms[0]
	}
	if wrong := at.Kind == 0 && at.Qualifier == 0; !wrong && (at.Kind != want.Kind || at.Qualifier != want.Qualifier) {
		t.Errorf("%s: %s, %s, expected %s, %s", at, at.Kind, at.Qualifier, want.Kind, want.Qualifier)
	}
	for _, by := range at.Path {
		if by.Kind != spf.Include && by.Kind != spf.Redirect || len(by.Path) > 0 {
			t.Errorf("%s: by %s %s with path %v", at, by.Kind, by, by.Path)
		}
		checkTermAt(t, by)
	}
}

// The kind and the qualifier of a term are those that its text says, and both are zero for
// no term and for one that is wrong.
func TestTermAt(t *testing.T) {
	fake := checkFake(t)
	fake.Fail("12.2.0.192.in-addr.arpa", dns.TypePTR, dnsfake.ServFail)
	type kinds struct {
		Kind      spf.Kind
		Qualifier spf.Status
		Path      []spf.Kind
	}
	of := func(at spf.TermAt) kinds {
		k := kinds{Kind: at.Kind, Qualifier: at.Qualifier}
		for _, by := range at.Path {
			k.Path = append(k.Path, by.Kind)
		}
		return k
	}
	for _, tt := range []struct {
		addr, sender   string
		term, degraded kinds
	}{
		{"192.0.2.1", "example.test", kinds{spf.A, spf.Pass, nil}, kinds{}},
		{"192.0.2.2", "example.test", kinds{spf.IP4, spf.Pass, []spf.Kind{spf.Include}}, kinds{}},
		{"192.0.2.4", "example.test", kinds{spf.IP4, spf.Pass, []spf.Kind{spf.Include, spf.Include}}, kinds{}},
		{"192.0.2.5", "example.test", kinds{spf.IP4, spf.Fail, []spf.Kind{spf.Redirect}}, kinds{}},
		{"192.0.2.6", "example.test", kinds{spf.IP4, spf.Neutral, []spf.Kind{spf.Redirect}}, kinds{}},
		{"192.0.2.3", "example.test", kinds{}, kinds{}},
		{"192.0.2.1", "none.example.test", kinds{}, kinds{}},
		{"192.0.2.1", "two.example.test", kinds{}, kinds{}},
		{"192.0.2.1", "bad.example.test", kinds{0, 0, []spf.Kind{spf.Include}}, kinds{}},
		{"192.0.2.1", "nowhere.example.test", kinds{spf.Include, spf.Pass, nil}, kinds{}},
		{"192.0.2.1", "astray.example.test", kinds{spf.Redirect, 0, nil}, kinds{}},
		{"192.0.2.1", "voids.example.test", kinds{spf.Exists, spf.Pass, nil}, kinds{}},
		{"192.0.2.12", "mx.example.test", kinds{spf.MX, spf.Pass, nil}, kinds{}},
		{"192.0.2.12", "ptr.example.test", kinds{spf.All, spf.Neutral, nil}, kinds{spf.PTR, spf.Pass, nil}},
	} {
		r := spf.Checker{Resolver: fake}.CheckMailFrom(t.Context(), netip.MustParseAddr(tt.addr), "helo.test", "u@"+tt.sender)
		if diff := cmp.Diff([]kinds{tt.term, tt.degraded}, []kinds{of(r.Term), of(r.Degraded)}); diff != "" {
			t.Errorf("%s %s (-want +got):\n%s", tt.addr, tt.sender, diff)
		}
	}
}

// The explanation is of the record that decided, never of an include.
func TestExplanation(t *testing.T) {
	fake := checkFake(t)
	c := spf.Checker{Resolver: fake, Receiver: "mx.receiver.test"}
	for sender, want := range map[string]string{
		"strong-bad@example.test": "192.0.2.5 of last.example.test at mx.receiver.test: strong-bad strong-bad%40example.test",
		"@example.test":           "192.0.2.5 of last.example.test at mx.receiver.test: postmaster postmaster%40example.test",
		"é@example.test":          "", // no ASCII
	} {
		if r := c.CheckMailFrom(t.Context(), netip.MustParseAddr("192.0.2.5"), "helo.test", sender); r.Explanation != want {
			t.Errorf("%s: %q, expected %q", sender, r.Explanation, want)
		}
	}
	c.NoExplanation = true
	if r := c.CheckMailFrom(t.Context(), netip.MustParseAddr("192.0.2.5"), "helo.test", "u@example.test"); r.Explanation != "" || r.Status != spf.Fail {
		t.Errorf("%s, %q", r.Status, r.Explanation)
	}
	c.NoExplanation = false
	fake.Fail("why.example.test", dns.TypeTXT, dnsfake.ServFail)
	if r := c.CheckMailFrom(t.Context(), netip.MustParseAddr("192.0.2.5"), "helo.test", "u@example.test"); r.Explanation != "" || r.Status != spf.Fail {
		t.Errorf("no answer: %s, %q", r.Status, r.Explanation)
	}
}

// A bounce has no sender: the HELO name is judged, as by CheckHelo.
func TestNullSender(t *testing.T) {
	c := spf.Checker{Resolver: checkFake(t)}
	addr := netip.MustParseAddr("192.0.2.1")
	bounce := c.CheckMailFrom(t.Context(), addr, "Example.TEST.", "")
	helo := c.CheckHelo(t.Context(), addr, "Example.TEST.")
	if bounce.Sender != "postmaster@Example.TEST." || bounce.Domain != "example.test." || bounce.Identity != spf.MailFrom {
		t.Errorf("%+v", bounce)
	}
	if helo.Identity != spf.Helo || helo.Status != spf.Pass || bounce.Status != helo.Status || helo.Term.String() != bounce.Term.String() {
		t.Errorf("%+v", helo)
	}
	if r := c.CheckMailFrom(t.Context(), addr, "helo.test", `"a@b"@example.test`); r.Status != spf.Pass {
		t.Errorf("a quoted local part: %s", r.Status)
	}
	if r := c.CheckMailFrom(t.Context(), addr, "helo.test", "example.test"); r.Status != spf.Pass || r.Sender != "postmaster@example.test" {
		t.Errorf("no local part: %s %s", r.Status, r.Sender)
	}
}

func TestMaxVoids(t *testing.T) {
	fake := checkFake(t)
	for most, want := range map[int]spf.Status{1: spf.PermError, 2: spf.PermError, 3: spf.Pass, -1: spf.Pass} {
		r := spf.Checker{Resolver: fake, MaxVoids: most}.CheckMailFrom(t.Context(), netip.MustParseAddr("192.0.2.1"), "helo.test", "u@voids.example.test")
		if r.Status != want {
			t.Errorf("%d: %s (%v), expected %s", most, r.Status, r.Err, want)
		}
	}
}

// A DNS failure is temporary, but below ptr and the macro p, where it is noted.
func TestFailures(t *testing.T) {
	tests := []struct {
		fails, addr, sender string
		qtype               uint16
		status              spf.Status
		term, degraded      string
	}{
		{"example.test", "192.0.2.1", "u@example.test", dns.TypeTXT, spf.TempError, "no term", "no term"},
		{"example.test", "192.0.2.2", "u@example.test", dns.TypeA, spf.TempError, "a at offset 7 of example.test.", "no term"},
		{"inner.example.test", "192.0.2.2", "u@example.test", dns.TypeTXT, spf.TempError, "include:inner.example.test at offset 9 of example.test.", "no term"},
		{"last.example.test", "192.0.2.6", "u@example.test", dns.TypeTXT, spf.TempError, "redirect=last.example.test at offset 36 of example.test.", "no term"},
		{"mx1.example.test", "192.0.2.12", "u@mx.example.test", dns.TypeA, spf.Pass, "mx at offset 7 of mx.example.test.", "no term"},
		{"mx1.example.test", "192.0.2.99", "u@mx.example.test", dns.TypeA, spf.TempError, "mx at offset 7 of mx.example.test.", "no term"},
		{"12.2.0.192.in-addr.arpa", "192.0.2.12", "u@ptr.example.test", dns.TypePTR, spf.Neutral, "?all at offset 24 of ptr.example.test.", "ptr:example.test at offset 7 of ptr.example.test."},
		{"mx2.example.test", "192.0.2.12", "u@ptr.example.test", dns.TypeA, spf.Neutral, "?all at offset 24 of ptr.example.test.", "ptr:example.test at offset 7 of ptr.example.test."},
		{"12.2.0.192.in-addr.arpa", "192.0.2.12", "u@p.example.test", dns.TypePTR, spf.Pass, "exists:%{p}.ok.example.test at offset 7 of p.example.test.", "exists:%{p}.ok.example.test at offset 7 of p.example.test."},
	}
	for _, tt := range tests {
		fake := checkFake(t)
		fake.Fail(tt.fails, tt.qtype, dnsfake.ServFail)
		for _, mode := range []spf.Speculation{spf.SpeculateNone, spf.SpeculateTXT, spf.SpeculateAll} {
			r := spf.Checker{Resolver: fake, Speculate: mode}.CheckMailFrom(t.Context(), netip.MustParseAddr(tt.addr), "helo.test", tt.sender)
			if r.Status != tt.status || r.Term.String() != tt.term || r.Degraded.String() != tt.degraded {
				t.Errorf("%s fails, %s, %s: %s (%v), %s, degraded %s", tt.fails, tt.sender, mode, r.Status, r.Err, r.Term, r.Degraded)
			}
			invariants(t, r)
		}
	}
}

func TestNoAnswerAtAll(t *testing.T) {
	addr := netip.MustParseAddr("192.0.2.1")
	if r := (spf.Checker{}).CheckHelo(t.Context(), addr, "example.test"); r.Status != spf.TempError || !errors.Is(r.Err, resolver.ErrNoResolver) {
		t.Errorf("no Resolver: %s, %v", r.Status, r.Err)
	}
	if r := (spf.Checker{Resolver: checkFake(t)}).CheckHelo(t.Context(), netip.Addr{}, "example.test"); r.Status != spf.PermError || !errors.Is(r.Err, spf.ErrAddr) {
		t.Errorf("no address: %s, %v", r.Status, r.Err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r := (spf.Checker{Resolver: checkFake(t)}).CheckHelo(ctx, addr, "example.test"); r.Status != spf.TempError || !errors.Is(r.Err, context.Canceled) {
		t.Errorf("canceled: %s, %v", r.Status, r.Err)
	}
}

// The limit of time is for the whole of a check.
func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := checkFake(t)
		fake.Delay("example.test", dns.TypeANY, 12*time.Second)
		start := time.Now()
		r := spf.Checker{Resolver: fake}.CheckHelo(t.Context(), netip.MustParseAddr("192.0.2.2"), "example.test")
		if took := time.Since(start); r.Status != spf.TempError || !errors.Is(r.Err, context.DeadlineExceeded) || took != spf.DefaultTimeout {
			t.Errorf("%s, %v after %s", r.Status, r.Err, took)
		}
		start = time.Now()
		r = spf.Checker{Resolver: fake, Timeout: 30 * time.Second}.CheckHelo(t.Context(), netip.MustParseAddr("192.0.2.2"), "example.test")
		if took := time.Since(start); r.Status != spf.Pass || took != 24*time.Second {
			t.Errorf("%s, %v after %s", r.Status, r.Err, took)
		}
	})
}

// What rests on authentic answers alone is.
func TestAuthentic(t *testing.T) {
	fake := checkFake(t)
	c := spf.Checker{Resolver: fake}
	addr := netip.MustParseAddr("192.0.2.2")
	fake.Authentic("inner.example.test")
	if c.CheckHelo(t.Context(), addr, "example.test").Authentic {
		t.Error("authentic without the domain's own record")
	}
	fake.Authentic("example.test")
	if r := c.CheckHelo(t.Context(), addr, "example.test"); !r.Authentic || len(r.Responses) != 2 {
		t.Errorf("not authentic: %v", r.Responses)
	}
}

func TestLogValue(t *testing.T) {
	fake := checkFake(t)
	fake.Fail("12.2.0.192.in-addr.arpa", dns.TypePTR, dnsfake.ServFail)
	var b bytes.Buffer
	log := slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	c := spf.Checker{Resolver: fake}
	log.Info("m", "spf", c.CheckMailFrom(t.Context(), netip.MustParseAddr("192.0.2.12"), "h", "u@ptr.example.test"))
	log.Info("m", "spf", c.CheckMailFrom(t.Context(), netip.MustParseAddr("192.0.2.12"), "h", "u@two.example.test"))
	want := `level=INFO msg=m spf.identity=mailfrom spf.addr=192.0.2.12 spf.domain=ptr.example.test. spf.status=neutral spf.lookups=1 spf.term="?all at offset 24 of ptr.example.test." spf.degraded="ptr:example.test at offset 7 of ptr.example.test."
level=INFO msg=m spf.identity=mailfrom spf.addr=192.0.2.12 spf.domain=two.example.test. spf.status=permerror spf.lookups=0 spf.err="two.example.test.: more than one SPF record"
`
	if b.String() != want {
		t.Errorf("got\n%s", b.String())
	}
}
