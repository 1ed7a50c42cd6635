package spf_test

import (
	"context"
	"net/netip"
	"runtime"
	"testing"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/spf"
)

// A Resolver that ends the goroutine in which it is asked a question, as t.Fatal does, gives
// a temporary failure, or ends the goroutine of the caller.
func TestExits(t *testing.T) {
	zones, err := resolver.ParseZones(`$TTL 300
$ORIGIN example.test.
@ TXT "v=spf1 mx include:a.example.test a:b.example.test redirect=c.example.test"
@ MX 10 m1
@ MX 10 m2
@ MX 10 m3
m1 A 192.0.2.11
m2 A 192.0.2.12
m3 A 192.0.2.13
a TXT "v=spf1 -all"
b A 192.0.2.14
c TXT "v=spf1 ~all"
`)
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []resolver.Question{
		{Name: "m1.example.test.", Type: dns.TypeA}, {Name: "m2.example.test.", Type: dns.TypeA}, {Name: "m3.example.test.", Type: dns.TypeA}, {Name: "example.test.", Type: dns.TypeTXT},
		{Name: "a.example.test.", Type: dns.TypeTXT}, {Name: "b.example.test.", Type: dns.TypeA}, {Name: "c.example.test.", Type: dns.TypeTXT}, {Name: "example.test.", Type: dns.TypeMX},
	} {
		exits := resolver.Func(func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
			if (q == resolver.Question{Name: name, Type: qtype}) {
				runtime.Goexit()
			}
			return zones.Lookup(ctx, name, qtype)
		})
		for _, speculate := range []spf.Speculation{spf.SpeculateTXT, spf.SpeculateNone, spf.SpeculateAll} {
			got := make(chan spf.Status, 1)
			go func() {
				var status spf.Status
				defer func() { got <- status }()
				status = spf.Checker{Resolver: exits, Speculate: speculate}.CheckHelo(t.Context(), netip.MustParseAddr("192.0.2.99"), "example.test").Status
			}()
			if status := <-got; status != spf.TempError && status != 0 {
				t.Errorf("%s, speculate %v: got %s", q, speculate, status)
			}
		}
	}
}
