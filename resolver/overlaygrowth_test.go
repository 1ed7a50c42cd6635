package resolver_test

import (
	"testing"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/lab/cost"
	"github.com/bonafide-mta/bonafide/internal/lab/hostile"
	"github.com/bonafide-mta/bonafide/resolver"
)

// A patch of many records over answers of many costs what both together have.
func TestOverlayGrowth(t *testing.T) {
	cost.Linear(t, hostile.PerMessage/10, func(n int) any {
		base := hostile.DNS(n)
		more := resolver.Ask(t.Context(), hostile.DNS(2*n), "a.test", dns.TypeMX).Records
		over := &resolver.Overlay{Base: base, Patch: resolver.Patch{Add: more}}
		response := resolver.Ask(t.Context(), over, "a.test", dns.TypeMX)
		if response.Err != nil || len(response.Records) != 2*n {
			t.Fatalf("%d records, want %d: %v", len(response.Records), 2*n, response.Err)
		}
		return response
	})
}
