package dnsfake_test

import (
	"context"
	"errors"
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
	addrs, err := resolver.Addrs(t.Context(), fake, "MAIL.example.test")
	if err != nil || len(addrs) != 2 {
		t.Errorf("got %v, %v", addrs, err)
	}
	want := []dnsfake.Question{{"mail.example.test.", dns.TypeA}, {"mail.example.test.", dns.TypeAAAA}}
	if diff := cmp.Diff(want, fake.Questions()); diff != "" {
		t.Error(diff)
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
		if !ok || e.RCode != rcodes[kind] || e.Timeout() != (kind == dnsfake.Timeout) {
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
	if _, err := resolver.Addrs(t.Context(), fake, "mail.example.test"); err == nil {
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
	for what, f := range map[string]func(){
		"kind":  func() { fake.Fail("mail.example.test", dns.TypeA, 0) },
		"name":  func() { fake.Fail("a..b", dns.TypeA, dnsfake.ServFail) },
		"delay": func() { fake.Delay("a..b", dns.TypeA, 1) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("bad %s: no panic", what)
				}
			}()
			f()
		}()
	}
}
