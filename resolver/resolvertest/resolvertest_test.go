package resolvertest_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/resolver/resolvertest"
)

// A fakeTB stands in for a test and keeps what would have failed it.
type fakeTB struct {
	testing.TB
	errors  []string
	cleanup []func()
}

func (f *fakeTB) Helper()           {}
func (f *fakeTB) Cleanup(fn func()) { f.cleanup = append(f.cleanup, fn) }
func (f *fakeTB) Errorf(format string, args ...any) {
	f.errors = append(f.errors, fmt.Sprintf(format, args...))
}
func (f *fakeTB) Fatalf(format string, args ...any) {
	f.Errorf(format, args...)
	panic(f)
}

func TestNew(t *testing.T) {
	tb := &fakeTB{TB: t}
	r := resolvertest.New(tb, "$ORIGIN example.test.\n$TTL 300\nmail A 192.0.2.10")
	if addrs, err := resolver.Addrs(t.Context(), r, "mail.example.test"); err != nil || len(addrs) != 1 {
		t.Errorf("got %v, %v", addrs, err)
	}
	_, _ = resolver.TXT(t.Context(), r, "mail.example.tset")
	if len(tb.errors) != 0 {
		t.Errorf("reported before the end: %q", tb.errors)
	}
	for _, fn := range tb.cleanup {
		fn()
	}
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
	fmt.Println(resolver.Addrs(ctx, r, "mail.example.test"))
	_, _ = resolver.TXT(ctx, r, "mail.example.tset") // a typo

	for _, fn := range t.cleanup { // the test ends
		fn()
	}
	// Output:
	// [192.0.2.10] <nil>
	// FAIL: resolvertest: lookup mail.example.tset. TXT: the name is outside every zone: mail.example.tset.
}
