package resolver_test

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/lab/cost"
	"github.com/bonafide-mta/bonafide/resolver"
)

func BenchmarkCache(b *testing.B) {
	const known = 10_000
	names := make([]string, known)
	for i := range names {
		names[i] = floodName(i)
	}
	filled := func(b *testing.B, r resolver.Resolver, maxBytes int64) *resolver.Cache {
		c := &resolver.Cache{Resolver: r, MaxBytes: maxBytes}
		for _, name := range names {
			_, _ = c.Lookup(b.Context(), name, dns.TypeA)
		}
		b.ReportAllocs()
		return c
	}
	for name, s := range map[string]resolver.Resolver{
		"hit":      addresses,
		"NXDOMAIN": saying(resolver.Answer{Status: resolver.NXDomain, TTL: time.Hour}, nil),
	} {
		b.Run(name, func(b *testing.B) {
			c := filled(b, s, 0)
			for i := 0; b.Loop(); i++ {
				_, _ = c.Lookup(b.Context(), names[i%known], dns.TypeA)
			}
		})
	}
	b.Run("parallel hit", func(b *testing.B) {
		c := filled(b, addresses, 0)
		var goroutines atomic.Int64
		b.ResetTimer()
		b.RunParallel(func(pb *testing.PB) {
			for i := int(goroutines.Add(1)) * 1000; pb.Next(); i++ {
				_, _ = c.Lookup(b.Context(), names[i%known], dns.TypeA)
			}
		})
	})
	b.Run("miss", func(b *testing.B) { // with an eviction for each
		c := filled(b, addresses, 1<<20)
		for i := known; b.Loop(); i++ {
			_, _ = c.Lookup(b.Context(), floodName(i), dns.TypeA)
		}
	})
}

// The live heap stays within the bound while a million names are asked. Once is
// enough for this one and the next: -benchtime 1x.
func BenchmarkCacheFlood(b *testing.B) {
	for b.Loop() {
		flood(b, 1_000_000, 4<<20)
	}
}

// The live heap of a million names with one address each.
func BenchmarkCacheMemory(b *testing.B) {
	const names = 1_000_000
	for b.Loop() {
		c := &resolver.Cache{Resolver: addresses, MaxBytes: 400 * names}
		before := cost.Live()
		for i := range names {
			_, _ = c.Lookup(b.Context(), floodName(i), dns.TypeA)
		}
		took := cost.Live() - before
		stats := c.Stats()
		if stats.Entries != names {
			b.Fatalf("%+v", stats)
		}
		b.ReportMetric(float64(took)/names, "B/entry")
		b.ReportMetric(float64(stats.Bytes)/names, "counted-B/entry")
		runtime.KeepAlive(c)
	}
}
