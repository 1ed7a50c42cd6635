package main

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bonafide-mta/bonafide/resolver"
)

func TestDemonstration(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), nil, &out); err != nil {
		t.Fatal(err)
	}
	want := `post.harbour.example. A: 192.0.2.10 (fakedns)
broken.harbour.example. A: SERVFAIL (fakedns)
broken.harbour.example. A: 192.0.2.12 (fakedns)
slow.harbour.example. A: 192.0.2.11 (fakedns)
nothing.harbour.example. A: NXDOMAIN (fakedns)
asked: [post.harbour.example. A broken.harbour.example. A broken.harbour.example. A slow.harbour.example. A nothing.harbour.example. A]
`
	if out.String() != want {
		t.Errorf("got:\n%s", &out)
	}
}

// output is what a program writes while a test reads it.
type output struct {
	mu   sync.Mutex
	text strings.Builder
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// wait returns what a pattern captures, as soon as the output has it.
func (o *output) wait(t *testing.T, pattern string) string {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if found := regexp.MustCompile(pattern).FindStringSubmatch(o.String()); found != nil {
			return found[len(found)-1]
		}
	}
	t.Fatalf("no %s in:\n%s", pattern, o)
	return ""
}

func TestServes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "test.zone")
	if err := os.WriteFile(file, []byte("@ 300 SOA ns hostmaster 1 7200 900 1209600 300\nmail 300 A 192.0.2.10\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var out output
	done := make(chan error)
	go func() {
		done <- run(ctx, []string{"-zone", "example.test=" + file, "-fail", "mail.example.test,a,servfail,1", "-delay", "mail.example.test,ANY,1ms"}, &out)
	}()
	addr := netip.MustParseAddrPort(out.wait(t, `serving example\.test\. on (\S+),`))
	client := &resolver.Client{Servers: []netip.AddrPort{addr}, Rounds: 1}
	for _, want := range []int{0, 1} {
		if addrs, _ := resolver.LookupAddrs(t.Context(), client, "mail.example.test"); len(addrs) != want {
			t.Errorf("got %v, want %d", addrs, want)
		}
	}
	out.wait(t, `mail\.example\.test\. AAAA`)
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestUsage(t *testing.T) {
	for _, tt := range []struct{ args, want string }{
		{"extra", "unexpected argument"},
		{"-nonsense", "not defined"},
		{"-listen here", "expected an address and a port"},
		{"-listen 192.0.2.1:1", "cannot assign"},
		{"-zone missing.zone", "missing.zone"},
		{"-fail a,b", "three or four parts"},
		{"-fail a..b,A,SERVFAIL", "not a DNS name"},
		{"-fail a.test,AA,SERVFAIL", "not a record type"},
		{"-fail a.test,A,BROKEN", "expected one of SERVFAIL"},
		{"-fail a.test,A,SERVFAIL,never", "not a number of times"},
		{"-delay a.test,A", "three parts"},
		{"-delay a.test,AA,1s", "not a record type"},
		{"-delay a.test,A,-1s", "not a duration"},
		{"-h", "help requested"},
	} {
		var out strings.Builder
		if err := run(t.Context(), strings.Fields(tt.args), &out); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.args, err)
		}
	}
}
