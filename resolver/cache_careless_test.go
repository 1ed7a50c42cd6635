package resolver_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
)

// A Resolver that returns a nil pointer as an error has failed, and no more.
func TestCacheNilError(t *testing.T) {
	c := &resolver.Cache{Resolver: resolver.Func(func(context.Context, string, uint16) (resolver.Answer, error) {
		var e *resolver.Error
		return resolver.Answer{}, e
	})}
	for range 2 {
		if a, err := c.Lookup(t.Context(), cacheName, dns.TypeA); err == nil || err.Error() == "" {
			t.Errorf("got %+v, %v", a, err)
		}
	}
}

// Callers who share an answer may append to it, each for himself.
func TestCacheSharedCapacity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		records := append(make([]dns.RR, 0, 8), rr(cacheName+" 300 IN A 192.0.2.1"))
		c := &resolver.Cache{Resolver: resolver.Func(func(context.Context, string, uint16) (resolver.Answer, error) {
			time.Sleep(time.Second)
			return resolver.Answer{Records: records, TTL: time.Hour}, nil
		})}
		got := make(chan resolver.Answer, 2)
		for range 2 {
			go func() {
				a, _ := c.Lookup(t.Context(), cacheName, dns.TypeA)
				got <- a
			}()
		}
		for range 2 {
			if a := <-got; len(a.Records) != 1 || cap(a.Records) != 1 {
				t.Errorf("%d records, room for %d", len(a.Records), cap(a.Records))
			}
		}
	})
}

// Two questions on their way at once: who says that the name exists was asked no
// later than who says that it does not, and answers last.
func TestCacheNameThatAppears(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &resolver.Cache{Resolver: resolver.Func(func(_ context.Context, name string, qtype uint16) (resolver.Answer, error) {
			if qtype == dns.TypeA {
				time.Sleep(time.Second)
				return resolver.Answer{Status: resolver.NXDomain, TTL: 3 * time.Hour}, nil
			}
			time.Sleep(2 * time.Second)
			if qtype != dns.TypeMX {
				return resolver.Answer{TTL: 5 * time.Minute}, nil
			}
			return resolver.Answer{Records: []dns.RR{rr(name + " 300 IN MX 0 .")}, TTL: 5 * time.Minute}, nil
		})}
		done := make(chan bool)
		go func() {
			_, _ = c.Lookup(t.Context(), cacheName, dns.TypeA)
			close(done)
		}()
		mustLookup(t, c, cacheName, dns.TypeMX)
		<-done
		if txt := mustLookup(t, c, cacheName, dns.TypeTXT); txt.Status == resolver.NXDomain {
			t.Errorf("the name has an MX record, and TXT says NXDOMAIN for %v", txt.TTL)
		}
	})
}
