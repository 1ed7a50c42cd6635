package dnsfake_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
	"go.uber.org/goleak"

	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/resolver/dnsfake"
)

var _ resolver.Resolver = (*dnsfake.Fake)(nil)

const zone = `
$ORIGIN example.test.
$TTL 300
mail A 192.0.2.10
mail AAAA 2001:db8::10`

func newFake(t *testing.T) *dnsfake.Fake {
	t.Helper()
	fake, err := dnsfake.New(zone)
	if err != nil {
		t.Fatal(err)
	}
	return fake
}

func TestAnswers(t *testing.T) {
	fake := newFake(t)
	var watched []resolver.Question
	fake.Watch(func(q resolver.Question) { watched = append(watched, q) })
	addrs, err := resolver.LookupAddrs(t.Context(), fake, "MAIL.example.test")
	if err != nil || len(addrs) != 2 {
		t.Errorf("got %v, %v", addrs, err)
	}
	want := []resolver.Question{{Name: "mail.example.test.", Type: dns.TypeA}, {Name: "mail.example.test.", Type: dns.TypeAAAA}}
	for _, got := range [][]resolver.Question{fake.Questions(), watched} {
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	if got := want[0].String(); got != "mail.example.test. A" {
		t.Error(got)
	}
	if fake.Count("Mail.example.test", dns.TypeA) != 1 || fake.Count("mail.example.test", dns.TypeANY) != 2 || fake.Count("mail.example.test", dns.TypeMX) != 0 {
		t.Error("counts are wrong")
	}
}

func TestFaults(t *testing.T) {
	rcodes := map[dnsfake.Kind]int{dnsfake.ServFail: dns.RcodeServerFailure, dnsfake.Refused: dns.RcodeRefused, dnsfake.FormErr: dns.RcodeFormatError}
	for _, kind := range dnsfake.Kinds() {
		fake := newFake(t)
		fake.Fail("mail.example.test", dns.TypeA, kind)
		_, err := fake.Lookup(t.Context(), "mail.example.test", dns.TypeA)
		e, ok := errors.AsType[*resolver.Error](err)
		silent := kind == dnsfake.Timeout || kind == dnsfake.Garbage || kind == dnsfake.Forged
		if !ok || e.RCode != rcodes[kind] || e.Timeout() != silent {
			t.Errorf("%v: got %v", kind, err)
		}
		// The other type is not touched.
		if _, err := fake.Lookup(t.Context(), "mail.example.test", dns.TypeAAAA); err != nil {
			t.Errorf("%v: AAAA: %v", kind, err)
		}
		text, err := kind.MarshalText()
		var back dnsfake.Kind
		if err != nil || back.UnmarshalText(text) != nil || back != kind || kind.String() != string(text) {
			t.Errorf("%v: text %q, %v", kind, text, err)
		}
	}
	fake := newFake(t)
	fake.Fail("mail.example.test", dns.TypeANY, dnsfake.Network)
	if _, err := resolver.LookupAddrs(t.Context(), fake, "mail.example.test"); err == nil {
		t.Error("ANY stands for every type")
	}
}

func TestDelay(t *testing.T) {
	defer goleak.VerifyNone(t)
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t)
		fake.Delay("mail.example.test", dns.TypeA, 5*time.Second)
		start := time.Now()
		if _, err := fake.Lookup(t.Context(), "mail.example.test", dns.TypeA); err != nil || time.Since(start) != 5*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		start = time.Now()
		_, err := fake.Lookup(ctx, "mail.example.test", dns.TypeA)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 2*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		// A silent server: delay and timeout together.
		fake.Fail("mail.example.test", dns.TypeA, dnsfake.Timeout)
		start = time.Now()
		_, err = fake.Lookup(t.Context(), "mail.example.test", dns.TypeA)
		if e, ok := errors.AsType[*resolver.Error](err); !ok || !e.Timeout() || time.Since(start) != 5*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

func TestOutside(t *testing.T) {
	fake := newFake(t)
	_, err := fake.Lookup(t.Context(), "mail.example.tset", dns.TypeA)
	if !errors.Is(err, resolver.ErrNoZone) || len(fake.Outside()) != 1 {
		t.Errorf("got %v, %v", err, fake.Outside())
	}
}

func TestMistakes(t *testing.T) {
	if _, err := dnsfake.New("mail A"); err == nil {
		t.Error("bad zone text: no error")
	}
	fake := newFake(t)
	if _, err := fake.Lookup(t.Context(), "a..b", dns.TypeA); !errors.Is(err, resolver.ErrName) {
		t.Errorf("bad name: %v", err)
	}
	const name = "mail.example.test"
	for _, tt := range []struct {
		do   func()
		want string // the panic begins with it
	}{
		{func() { fake.Fail(name, dns.TypeA, 0) }, "dnsfake: Fail: "},
		{func() { fake.Fail(name, dns.TypeA, dnsfake.NoData+1) }, "dnsfake: Fail: "},
		{func() { fake.Fail("a..b", dns.TypeA, dnsfake.ServFail) }, `dnsfake: Fail: `},
		{func() { fake.Fail(name, 0, dnsfake.ServFail) }, "dnsfake: Fail: mail.example.test.: type 0: expected a record type"},
		{func() { fake.Fail(name, dns.TypeA, dnsfake.ServFail).Times(0) }, "dnsfake: Times(0): expected at least 1"},
		{func() { fake.Fail(name, dns.TypeA, dnsfake.ServFail).Times(-1) }, "dnsfake: Times(-1): expected at least 1"},
		{func() { fake.Fail(name, dns.TypeA, dnsfake.Timeout).Extended(6, "") }, "dnsfake: Extended: TIMEOUT has no extended errors: expected SERVFAIL"},
		{func() { fake.Clear(name, dns.TypeMX) }, "dnsfake: Clear: mail.example.test. MX has no fault: expected the name and type"},
		{func() { fake.Clear("a..b", dns.TypeMX) }, "dnsfake: Clear: "},
		{func() { fake.Delay("a..b", dns.TypeA, 1) }, "dnsfake: Delay: "},
		{func() { fake.Delay(name, 0, 1) }, "dnsfake: Delay: mail.example.test.: type 0"},
		{func() { fake.Delay(name, dns.TypeA, -time.Second) }, "dnsfake: Delay(-1s): expected at least 0"},
		{func() { fake.Authentic("a..b") }, "dnsfake: Authentic: "},
		{func() { fake.Count("a..b", dns.TypeA) }, "dnsfake: Count: "},
		{func() { fake.Count(name, 0) }, "dnsfake: Count: mail.example.test.: type 0"},
		{func() { fake.Count("mail.example.tset", dns.TypeA) }, "dnsfake: Count: mail.example.tset. is outside every zone and was never asked"},
		{func() { fake.Add("mail A 192.0.2") }, "dnsfake: Add: line 1: "},
		{func() { fake.Set("mail A 192.0.2") }, "dnsfake: Set: line 1: "},
		{func() { fake.AddRR(&dns.A{}) }, "dnsfake: AddRR: "},
		{func() { fake.AddRR(new(dns.A), nil) }, "dnsfake: AddRR: record 2 of 2 is nil"},
		{func() { fake.AddTXT("mail.example.tset", "x") }, "dnsfake: AddTXT: "},
		{func() { fake.SetTXT("mail.example.tset", "x") }, "dnsfake: SetTXT: "},
		{func() { fake.SetTXT("a..b", "x") }, "dnsfake: SetTXT: "},
		{func() { fake.SetTXT(name, strings.Repeat("x", 65280)) }, "dnsfake: SetTXT: "},
		{func() { fake.Remove(name, 0) }, "dnsfake: Remove: mail.example.test.: type 0"},
		{func() { fake.Remove(name, dns.TypeMX) }, "dnsfake: Remove: "},
		{func() { dnsfake.FromZones(nil) }, "dnsfake: FromZones(nil): expected zones"},
		{func() { dnsfake.Shuffle(nil, 1) }, "dnsfake: Shuffle(nil): expected a Resolver"},
		{func() { dnsfake.Record(fake, nil) }, "dnsfake: Record: nil"},
		{func() { dnsfake.Record(nil, new(strings.Builder)) }, "dnsfake: Record: nil"},
	} {
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.HasPrefix(got, tt.want) {
					t.Errorf("got %q, want %q", got, tt.want)
				}
			}()
			tt.do()
		}()
	}
}

func TestAdd(t *testing.T) {
	fake := newFake(t)
	fake.Add("@ MX 10 mail\nmail.example.test. 60 A 192.0.2.11")
	fake.Add("$ORIGIN other.test.\n$TTL 60\nmail A 192.0.2.12")
	fake.AddTXT("mail.other.test", strings.Repeat("\x00\"x", 200))
	fake.AddRR(&dns.PTR{Hdr: dns.RR_Header{Name: "x.example.test.", Rrtype: dns.TypePTR, Class: dns.ClassINET}, Ptr: "y.test."})
	for _, tt := range []struct {
		name  string
		qtype uint16
		want  int
	}{
		{"example.test", dns.TypeMX, 1}, {"mail.example.test", dns.TypeA, 2}, {"mail.example.test", dns.TypeAAAA, 1},
		{"mail.other.test", dns.TypeA, 1}, {"x.example.test", dns.TypePTR, 1},
	} {
		if a, err := fake.Lookup(t.Context(), tt.name, tt.qtype); err != nil || len(a.Records) != tt.want {
			t.Errorf("%s: %v, %v", tt.name, a.Records, err)
		}
	}
	if got, err := resolver.LookupTXT(t.Context(), fake, "mail.other.test"); err != nil || len(got) != 1 || got[0] != strings.Repeat("\x00\"x", 200) {
		t.Errorf("TXT: %q, %v", got, err)
	}
	// The line that a mistake is reported in is that of the text given.
	defer func() {
		if got := fmt.Sprint(recover()); !strings.Contains(got, "line 2: A: expected an IPv4 address") {
			t.Errorf("got %s", got)
		}
	}()
	fake.Add("$ORIGIN example.test.\nmail A nonsense")
}

func TestTimesAndMust(t *testing.T) {
	fake := newFake(t)
	fake.Fail("mail.example.test", dns.TypeA, dnsfake.ServFail).Times(2).Must()
	fake.Fail("mail.example.test", dns.TypeANY, dnsfake.Refused).Times(1)
	fake.Fail("other.example.test", dns.TypeA, dnsfake.Refused).Must()
	fake.Fail("other.example.test", dns.TypeAAAA, dnsfake.Refused)
	if got := fake.Unasked(); len(got) != 2 {
		t.Errorf("got %v", got)
	}
	var rcodes []int
	for range 4 {
		_, err := fake.Lookup(t.Context(), "mail.example.test", dns.TypeA)
		e, _ := errors.AsType[*resolver.Error](err)
		if e == nil {
			e = new(resolver.Error)
		}
		rcodes = append(rcodes, e.RCode)
	}
	// Its own fault first, then that of every type, then the answer.
	if want := []int{dns.RcodeServerFailure, dns.RcodeServerFailure, dns.RcodeRefused, 0}; !slices.Equal(rcodes, want) {
		t.Errorf("got %v, want %v", rcodes, want)
	}
	got := fake.Unasked()
	if len(got) != 1 || got[0].Error() != "other.example.test. A: REFUSED was to happen once, but happened never" {
		t.Errorf("got %v", got)
	}
}

func TestClear(t *testing.T) {
	fake := newFake(t)
	fake.Fail("mail.example.test", dns.TypeA, dnsfake.ServFail)
	fake.Clear("Mail.example.test", dns.TypeA)
	if addrs, err := resolver.LookupAddrs(t.Context(), fake, "mail.example.test"); err != nil || len(addrs) != 2 {
		t.Errorf("got %v, %v", addrs, err)
	}
}

// A fault of Must that was cleared before it happened is still reported, and so is one that
// was replaced.
func TestClearKeepsMust(t *testing.T) {
	for _, tt := range []struct {
		name  string
		asked int
		end   func(*dnsfake.Fake)
		want  int
	}{
		{"cleared early", 1, func(f *dnsfake.Fake) { f.Clear("mail.example.test", dns.TypeA) }, 1},
		{"cleared late", 2, func(f *dnsfake.Fake) { f.Clear("mail.example.test", dns.TypeA) }, 0},
		{"replaced early", 1, func(f *dnsfake.Fake) { f.Fail("mail.example.test", dns.TypeA, dnsfake.Refused) }, 1},
	} {
		fake := newFake(t)
		fake.Fail("mail.example.test", dns.TypeA, dnsfake.ServFail).Times(2).Must()
		for range tt.asked {
			_, _ = fake.Lookup(t.Context(), "mail.example.test", dns.TypeA)
		}
		tt.end(fake)
		if got := fake.Unasked(); len(got) != tt.want {
			t.Errorf("%s: got %v, want %d", tt.name, got, tt.want)
		}
	}
}

// A delay of 0 ends one, and leaves that of every type.
func TestDelayEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t)
		fake.Delay("mail.example.test", dns.TypeANY, time.Second)
		for _, d := range []time.Duration{time.Minute, 0} {
			fake.Delay("mail.example.test", dns.TypeA, d)
			start := time.Now()
			_, _ = fake.Lookup(t.Context(), "mail.example.test", dns.TypeA)
			if want := max(d, time.Second); time.Since(start) != want {
				t.Errorf("%v, want %v", time.Since(start), want)
			}
		}
	})
}

// A name outside every zone is most likely a typo, unless it was asked.
func TestTypos(t *testing.T) {
	fake := newFake(t)
	fake.Fail("a.example.tset", dns.TypeMX, dnsfake.ServFail)
	fake.Fail("a.example.tset", dns.TypeA, dnsfake.ServFail).Must()
	fake.Fail("a.example.tset", dns.TypeTXT, dnsfake.ServFail)
	fake.Clear("a.example.tset", dns.TypeTXT)
	fake.Delay("b.example.tset", dns.TypeANY, time.Millisecond)
	fake.Fail("mail.example.test", dns.TypeA, dnsfake.ServFail)
	fake.Delay("other.example.test", dns.TypeA, time.Millisecond)
	want := `[a.example.tset. A: SERVFAIL was to happen once, but happened never` +
		` a.example.tset. MX: SERVFAIL: the name is outside every zone and was never asked` +
		` b.example.tset. ANY: Delay: the name is outside every zone and was never asked]`
	if got := fmt.Sprint(fake.Unasked()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for _, name := range []string{"a.example.tset", "b.example.tset"} {
		if n := fake.Count(name, dns.TypeA); n != 0 {
			t.Errorf("%s: %d", name, n)
		}
		_, _ = fake.Lookup(t.Context(), name, dns.TypeA)
		if n := fake.Count(name, dns.TypeANY); n != 1 {
			t.Errorf("%s: %d", name, n)
		}
	}
	if got := fake.Unasked(); len(got) != 0 {
		t.Errorf("got %v", got)
	}
	_, _ = fake.Lookup(t.Context(), "c.example.tset", dns.TypeA)
	if n := fake.Count("c.example.tset", dns.TypeMX); n != 0 {
		t.Errorf("%d", n)
	}
}

func TestExtended(t *testing.T) {
	fake := newFake(t)
	fake.Fail("mail.example.test", dns.TypeA, dnsfake.ServFail).Extended(dns.ExtendedErrorCodeDNSBogus, "no signature")
	_, err := fake.Lookup(t.Context(), "mail.example.test", dns.TypeA)
	e, ok := errors.AsType[*resolver.Error](err)
	want := []resolver.ExtendedError{{Code: 6, Text: "no signature"}}
	if !ok || !slices.Equal(e.Extended, want) {
		t.Errorf("got %v", err)
	}
}

func TestAuthentic(t *testing.T) {
	fake := newFake(t)
	fake.Add("signed A 192.0.2.1\ninner.signed CNAME signed\nout.signed CNAME mail\nto CNAME signed")
	fake.Authentic("signed.example.test")
	for name, want := range map[string]bool{
		"signed": true, "inner.signed": true, "nothing.signed": true,
		"mail": false, "out.signed": false, "to": false,
	} {
		if a, err := fake.Lookup(t.Context(), name+".example.test", dns.TypeA); err != nil || a.Authentic != want {
			t.Errorf("%s: %v, %v", name, a.Authentic, err)
		}
	}
}
