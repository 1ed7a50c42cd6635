package csa_test

import (
	"context"
	"net/netip"
	"runtime"
	"testing"

	"github.com/bonafide-mta/bonafide/csa"
	"github.com/bonafide-mta/bonafide/resolver"
)

// A Resolver that ends the goroutine in which it is asked about a name, as t.Fatal does,
// gives a temporary failure, or ends the goroutine of the caller.
func TestExits(t *testing.T) {
	for name, want := range map[string]csa.Status{"mail.a.example.test.": 0, "a.example.test.": csa.TempError, "example.test.": csa.TempError} {
		exits := resolver.Func(func(_ context.Context, asked string, _ uint16) (resolver.Answer, error) {
			if asked == "_client._smtp."+name {
				runtime.Goexit()
			}
			return resolver.Answer{}, nil
		})
		for _, sequential := range []bool{false, true} {
			got := make(chan csa.Status, 1)
			go func() {
				var status csa.Status
				defer func() { got <- status }()
				status = csa.Checker{Resolver: exits, Sequential: sequential}.Check(t.Context(), netip.MustParseAddr("192.0.2.1"), "mail.a.example.test").Status
			}()
			if status := <-got; status != want && status != 0 {
				t.Errorf("%s, sequential %t: got %s, expected %s", name, sequential, status, want)
			}
		}
	}
}
