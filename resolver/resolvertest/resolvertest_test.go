package resolvertest_test

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"go.uber.org/goleak"

	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/resolver/dnsfake"
	"github.com/bonafide-mta/bonafide/resolver/resolvertest"
)

// A fakeTB stands in for a test and keeps what would have failed it.
type fakeTB struct {
	testing.TB
	mu      sync.Mutex
	errors  []string
	cleanup []func()
}

func (f *fakeTB) Helper()           {}
func (f *fakeTB) Cleanup(fn func()) { f.cleanup = append(f.cleanup, fn) }
func (f *fakeTB) Errorf(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.errors = append(f.errors, fmt.Sprintf(format, args...))
}
func (f *fakeTB) Fatal(args ...any) { f.Fatalf("%v", args) }
func (f *fakeTB) Fatalf(format string, args ...any) {
	f.Errorf(format, args...)
	panic(f)
}

func TestNew(t *testing.T) {
	tb := &fakeTB{TB: t}
	r := resolvertest.New(tb, "$ORIGIN example.test.\n$TTL 300\nmail A 192.0.2.10")
	if addrs, err := resolver.LookupAddrs(t.Context(), r, "mail.example.test"); err != nil || len(addrs) != 1 {
		t.Errorf("got %v, %v", addrs, err)
	}
	_, _ = resolver.LookupTXT(t.Context(), r, "mail.example.tset")
	if len(tb.errors) != 0 {
		t.Errorf("reported before the end: %q", tb.errors)
	}
	tb.end()
	if len(tb.errors) != 1 || !strings.Contains(tb.errors[0], "mail.example.tset. TXT") {
		t.Errorf("got %q", tb.errors)
	}
}

func TestNewBadZone(t *testing.T) {
	tb := &fakeTB{TB: t}
	defer func() {
		if recover() != tb || len(tb.errors) != 1 || !strings.Contains(tb.errors[0], "line 2: A: expected an IPv4 address") {
			t.Errorf("got %q", tb.errors)
		}
	}()
	resolvertest.New(tb, "$ORIGIN example.test.\nmail 300 A 192.0.2")
}

// end runs what the test would run at its end.
func (f *fakeTB) end() {
	for _, fn := range f.cleanup {
		fn()
	}
}

func TestNewReportsUnaskedFaults(t *testing.T) {
	tb := &fakeTB{TB: t}
	r := resolvertest.New(tb, "$ORIGIN example.test.")
	r.Fail("example.test", dns.TypeMX, dnsfake.ServFail).Must()
	tb.end()
	if len(tb.errors) != 1 || !strings.Contains(tb.errors[0], "example.test. MX: SERVFAIL was to happen") {
		t.Errorf("got %q", tb.errors)
	}
}

// A fault or a delay of a name outside every zone is most likely a typo.
func TestNewReportsTypos(t *testing.T) {
	tb := &fakeTB{TB: t}
	r := resolvertest.New(tb, "$ORIGIN example.test.")
	r.Fail("mail.example.tset", dns.TypeMX, dnsfake.ServFail)
	r.Delay("mail.example.tset", dns.TypeA, time.Second)
	r.Fail("mail.example.test", dns.TypeMX, dnsfake.ServFail)
	tb.end()
	want := []string{"resolvertest: mail.example.tset. A: Delay: the name is outside every zone and was never asked",
		"resolvertest: mail.example.tset. MX: SERVFAIL: the name is outside every zone and was never asked"}
	if !slices.Equal(tb.errors, want) {
		t.Errorf("got %q", tb.errors)
	}
}

func TestServe(t *testing.T) {
	tb := &fakeTB{TB: t}
	addr := resolvertest.Serve(tb, resolvertest.New(tb, "$ORIGIN example.test.\n$TTL 300\nmail A 192.0.2.10"))
	client := &resolver.Client{Servers: []netip.AddrPort{addr}}
	if addrs, err := resolver.LookupAddrs(t.Context(), client, "mail.example.test"); err != nil || len(addrs) != 1 {
		t.Errorf("got %v, %v", addrs, err)
	}
	tb.end()
	if len(tb.errors) > 0 {
		t.Errorf("got %q", tb.errors)
	}
	goleak.VerifyNone(t)
}

func TestReplay(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mail.dns")
	if err := os.WriteFile(file, []byte("mail.example.test. A\n\trecord mail.example.test. 300 IN A 192.0.2.10\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tb := &fakeTB{TB: t}
	r := resolvertest.Replay(tb, file)
	if a, err := r.Lookup(t.Context(), "mail.example.test", dns.TypeA); err != nil || len(a.Records) != 1 {
		t.Errorf("got %v, %v", a, err)
	}
	_, _ = r.Lookup(t.Context(), "mail.example.test", dns.TypeAAAA)
	tb.end()
	if len(tb.errors) != 1 || !strings.Contains(tb.errors[0], "mail.example.test. AAAA: the transcript does not have this question") {
		t.Errorf("got %q", tb.errors)
	}
	for _, text := range []string{"", "a..b A"} {
		bad := filepath.Join(t.TempDir(), "bad.dns")
		if text != "" {
			_ = os.WriteFile(bad, []byte(text), 0o600)
		}
		func() {
			tb := &fakeTB{TB: t}
			defer func() {
				if recover() != tb || len(tb.errors) != 1 || !strings.Contains(tb.errors[0], "bad.dns") {
					t.Errorf("%q: got %q", text, tb.errors)
				}
			}()
			resolvertest.Replay(tb, bad)
		}()
	}
}

// A printer stands for the *testing.T of a test and prints what it is told.
type printer struct {
	testing.TB
	cleanup []func()
}

func (p *printer) Helper()                           {}
func (p *printer) Cleanup(fn func())                 { p.cleanup = append(p.cleanup, fn) }
func (p *printer) Errorf(format string, args ...any) { fmt.Printf("FAIL: "+format+"\n", args...) }

func ExampleNew() {
	t := new(printer) // in a test: t *testing.T
	r := resolvertest.New(t, `
$ORIGIN example.test.
$TTL 300
mail A 192.0.2.10`)

	ctx := context.Background() // in a test: t.Context()
	fmt.Println(resolver.LookupAddrs(ctx, r, "mail.example.test"))
	_, _ = resolver.LookupTXT(ctx, r, "mail.example.tset") // a typo

	for _, fn := range t.cleanup { // the test ends
		fn()
	}
	// Output:
	// [192.0.2.10] <nil>
	// FAIL: resolvertest: lookup mail.example.tset. TXT: the name is outside every zone
}
