package harden_test

import (
	"io"
	"testing"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/identity/harden"
	"github.com/bonafide-mta/bonafide/internal/lab/cost"
	"github.com/bonafide-mta/bonafide/internal/lab/hostile"
	"github.com/bonafide-mta/bonafide/resolver"
)

// Hardening takes time as the zone grows, whether it has many names or many records at one.
func TestGrowth(t *testing.T) {
	for name, zone := range map[string]func(n int) []dns.RR{"many names": hostile.WideZone, "one name": hostile.DeepZone} {
		t.Run(name, func(t *testing.T) {
			cost.Linear(t, 300, func(n int) any {
				records := zone(n)
				h, err := harden.Zones(resolver.SeqOf(records...), nil)
				if err == nil {
					err = h.WriteZone(io.Discard)
				}
				if err != nil {
					t.Fatal(err)
				}
				return h
			})
		})
	}
}
