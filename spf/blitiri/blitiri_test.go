package blitiri_test

import (
	"context"
	"errors"
	"net/netip"
	"testing"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/resolver/dnsfake"
	"github.com/bonafide-mta/bonafide/resolver/resolvertest"
	"github.com/bonafide-mta/bonafide/spf"
	"github.com/bonafide-mta/bonafide/spf/blitiri"
)

const zones = `
$ORIGIN example.test.
$TTL 300
@     TXT "v=spf1 a:v4.example.test ip4:192.0.2.2 ?all"
v4    A   192.0.2.1
fails TXT "v=spf1 a -all"
late  TXT "v=spf1 ip4:192.0.2.1 oops"
none  A   192.0.2.1
`

func TestCheck(t *testing.T) {
	fake := resolvertest.New(t, zones)
	fake.Fail("fails.example.test", dns.TypeA, dnsfake.ServFail)
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	tests := []struct {
		ctx          context.Context
		resolver     resolver.Resolver
		addr, sender string
		status       spf.Status
		cause        error
	}{
		{t.Context(), fake, "192.0.2.1", "u@example.test", spf.Pass, nil},
		{t.Context(), fake, "192.0.2.2", "", spf.Pass, nil},
		{t.Context(), fake, "::ffff:192.0.2.2", "u@example.test", spf.Pass, nil},
		{t.Context(), fake, "2001:db8::1", "u@example.test", spf.Neutral, nil},
		{t.Context(), fake, "192.0.2.1", "u@none.example.test", spf.None, nil},
		{t.Context(), fake, "192.0.2.1", "u@fails.example.test", spf.TempError, nil},
		{t.Context(), fake, "192.0.2.3", "u@late.example.test", spf.PermError, nil},
		{canceled, fake, "192.0.2.1", "u@example.test", spf.TempError, context.Canceled},
		{t.Context(), nil, "192.0.2.1", "u@example.test", spf.TempError, resolver.ErrNoResolver},
		{t.Context(), fake, "", "u@example.test", spf.PermError, nil},
	}
	for _, tt := range tests {
		addr, _ := netip.ParseAddr(tt.addr)
		r := blitiri.Checker{Resolver: tt.resolver}.Check(tt.ctx, addr, "example.test", tt.sender)
		if r.Status != tt.status || tt.cause != nil && !errors.Is(r.Err, tt.cause) {
			t.Errorf("%s, %q: %s, %v; expected %s", tt.addr, tt.sender, r.Status, r.Err, tt.status)
		}
		if failed := r.Status == spf.TempError || r.Status == spf.PermError; failed != (r.Err != nil) {
			t.Errorf("%s, %q: %s with error %v", tt.addr, tt.sender, r.Status, r.Err)
		}
	}
}

// Of a name's addresses, those of the other family are not asked for.
func TestOneFamily(t *testing.T) {
	fake := resolvertest.New(t, zones)
	blitiri.Checker{Resolver: fake}.Check(t.Context(), netip.MustParseAddr("2001:db8::1"), "h", "u@example.test")
	if fake.Count("v4.example.test", dns.TypeA) != 0 || fake.Count("v4.example.test", dns.TypeAAAA) != 1 {
		t.Errorf("asked %v", fake.Questions())
	}
}
