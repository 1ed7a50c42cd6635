package resolver_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
	"go.uber.org/goleak"

	"github.com/bonafide-mta/bonafide/resolver"
)

// slow is a source whose answer takes a second, or as long as its context lasts.
func slow() *source {
	return &source{say: func(ctx context.Context, name string, _ uint16) (resolver.Answer, error) {
		select {
		case <-time.After(time.Second):
			return addressOf(name, "192.0.2.1", time.Minute), nil
		case <-ctx.Done():
			return resolver.Answer{}, ctx.Err()
		}
	}}
}

// One question for a thousand callers; the one who came first leaves.
func TestCacheShared(t *testing.T) {
	bubble(t, "", func(t *testing.T) {
		s := slow()
		c := &resolver.Cache{Resolver: s}
		start := time.Now()
		cause := errors.New("the client hung up")
		first, hangUp := context.WithCancelCause(t.Context())
		var callers sync.WaitGroup
		callers.Go(func() {
			_, err := c.Lookup(first, cacheName, dns.TypeA)
			if !errors.Is(err, context.Canceled) || !errors.Is(err, cause) || failure(t, err).Name != cacheName {
				t.Errorf("the first caller: %v", err)
			}
			if took := time.Since(start); took != 20*time.Millisecond {
				t.Errorf("the first caller returned after %s", took)
			}
		})
		synctest.Wait()
		for range 999 {
			callers.Go(func() {
				a, err := c.Lookup(t.Context(), cacheName, dns.TypeA)
				if err != nil || len(a.Records) != 1 || a.Server != "192.0.2.53:53" || a.TTL != time.Minute {
					t.Errorf("got %v, %v", a, err)
				}
				if took := time.Since(start); took != time.Second {
					t.Errorf("answered after %s", took)
				}
			})
		}
		time.Sleep(20 * time.Millisecond)
		hangUp(cause)
		callers.Wait()
		if asked := s.questions(); len(asked) != 1 {
			t.Errorf("asked %q", asked)
		}
		if got := c.Stats(); got.Misses != 1 || got.Shared != 999 || got.Hits != 0 {
			t.Errorf("%+v", got)
		}
	})
}

// A question ends when all who asked it have gone, and not before.
func TestCacheAllLeave(t *testing.T) {
	bubble(t, "", func(t *testing.T) {
		var ended atomic.Int64 // the time since start, of the last question
		start := time.Now()
		s := &source{say: func(ctx context.Context, name string, _ uint16) (resolver.Answer, error) {
			<-ctx.Done()
			ended.Store(int64(time.Since(start)))
			if ctx.Err() != context.Canceled {
				t.Errorf("ended by %v", ctx.Err())
			}
			time.Sleep(time.Second) // it takes a while to notice
			return resolver.Answer{}, errors.New("given up")
		}}
		c := &resolver.Cache{Resolver: s}
		var callers sync.WaitGroup
		for i := range 10 {
			callers.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i+1)*time.Second)
				defer cancel()
				if _, err := c.Lookup(ctx, cacheName, dns.TypeA); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v", err)
				}
			})
		}
		callers.Wait()
		synctest.Wait()
		if got := time.Duration(ended.Load()); got != 10*time.Second {
			t.Errorf("the question ended after %s", got)
		}
		// What ended is not joined, and nothing of it is kept.
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, _ = c.Lookup(ctx, cacheName, dns.TypeA)
		synctest.Wait()
		if got := time.Duration(ended.Load()); got != 15*time.Second || len(s.questions()) != 2 {
			t.Errorf("the second question ended after %s", got)
		}
		time.Sleep(time.Minute)
		if got, want := c.Stats(), (resolver.CacheStats{Misses: 2, Shared: 9}); got != want {
			t.Errorf("%+v", got)
		}
	})
}

// The context of the question to the Resolver.
func TestCacheContext(t *testing.T) {
	type key struct{}
	for timeout, want := range map[time.Duration]time.Duration{0: 30 * time.Second, time.Second: time.Second, -1: 30 * time.Second} {
		bubble(t, fmt.Sprint("Timeout ", timeout), func(t *testing.T) {
			s := &source{say: func(ctx context.Context, _ string, _ uint16) (resolver.Answer, error) {
				if ctx.Value(key{}) != "trace" {
					t.Error("the values of the caller's context are gone")
				}
				<-ctx.Done()
				return resolver.Answer{}, ctx.Err()
			}}
			c := &resolver.Cache{Resolver: s, Timeout: timeout}
			start := time.Now()
			_, err := c.Lookup(context.WithValue(t.Context(), key{}, "trace"), cacheName, dns.TypeA)
			if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took != want {
				t.Errorf("got %v after %s", err, took)
			}
			// No caller's limit, so it is a failure as any other.
			if _, err := c.Lookup(t.Context(), cacheName, dns.TypeA); !failure(t, err).Timeout() || len(s.questions()) != 1 {
				t.Errorf("got %v", err)
			}
		})
	}
}

// What goes wrong in the Resolver reaches all who wait, and nobody waits for ever.
func TestCachePanic(t *testing.T) {
	for _, tt := range []struct {
		name string
		fail func()
		told string
	}{
		{"panic", func() { panic("no such luck") }, "panic in the Resolver: no such luck in github.com/bonafide-mta/bonafide/resolver_test.TestCachePanic"},
		{"Goexit", runtime.Goexit, "lookup www.example.test. A: the Resolver called runtime.Goexit"},
	} {
		bubble(t, tt.name, func(t *testing.T) {
			var healthy atomic.Bool
			s := slow()
			wait := s.say
			s.say = func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
				a, err := wait(ctx, name, qtype)
				if !healthy.Load() {
					tt.fail()
				}
				return a, err
			}
			c := &resolver.Cache{Resolver: s}
			var callers sync.WaitGroup
			for range 3 {
				callers.Go(func() {
					if _, err := c.Lookup(t.Context(), cacheName, dns.TypeA); err == nil || !strings.HasPrefix(err.Error(), tt.told) {
						t.Errorf("a caller was told %v", err)
					}
				})
			}
			callers.Wait()
			healthy.Store(true)
			if a := mustLookup(t, c, cacheName, dns.TypeA); len(a.Records) != 1 || len(s.questions()) != 2 {
				t.Errorf("got %v", a)
			}
		})
	}

	// A panic that nobody waits for is nobody's.
	bubble(t, "all left", func(t *testing.T) {
		s := &source{say: func(ctx context.Context, _ string, _ uint16) (resolver.Answer, error) {
			<-ctx.Done()
			panic("no such luck")
		}}
		c := &resolver.Cache{Resolver: s}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Lookup(ctx, cacheName, dns.TypeA); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

// Many callers in real time: each gets the answer to its own question.
func TestCacheConcurrent(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	const maxBytes = 24 << 10 // for about 60 of the 200 names
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	addr := func(i int) string { return fmt.Sprintf("192.0.2.%d", i) }
	s := &source{say: func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
		var i int
		if _, err := fmt.Sscanf(name, "n%d.", &i); err != nil {
			t.Error(err)
		}
		runtime.Gosched()
		switch {
		case ctx.Err() != nil:
			return resolver.Answer{}, ctx.Err()
		case i%5 == 0:
			return resolver.Answer{}, &resolver.Error{Name: name, Type: qtype, RCode: dns.RcodeServerFailure}
		case i%7 == 0:
			return resolver.Answer{Status: resolver.NXDomain, TTL: time.Minute}, nil
		}
		return addressOf(name, addr(i), time.Minute), nil
	}}
	c := &resolver.Cache{Resolver: s, MaxBytes: maxBytes}
	var callers sync.WaitGroup
	for g := range 8 {
		callers.Go(func() {
			rng := rand.New(rand.NewPCG(seed, uint64(g)))
			for range 2000 {
				i := rng.IntN(200)
				ctx, cancel := context.WithCancel(t.Context())
				if rng.IntN(4) == 0 {
					go cancel()
				}
				a, err := c.Lookup(ctx, fmt.Sprintf("N%d.example.test", i), dns.TypeA)
				switch {
				case errors.Is(err, context.Canceled):
				case i%5 == 0:
					if err == nil {
						t.Errorf("n%d: got %v", i, a)
					}
				case i%7 == 0:
					if err != nil || a.Status != resolver.NXDomain {
						t.Errorf("n%d: got %v, %v", i, a, err)
					}
				case err != nil || len(a.Addrs()) != 1 || a.Addrs()[0].String() != addr(i):
					t.Errorf("n%d: got %v, %v", i, a, err)
				}
				cancel()
				switch got := c.Stats(); {
				case got.Bytes > maxBytes:
					t.Errorf("%+v", got)
				case rng.IntN(500) == 0:
					c.Flush()
				}
			}
		})
	}
	callers.Wait()
	if got := c.Stats(); got.Hits == 0 || got.Failures == 0 || got.Evictions == 0 {
		t.Errorf("%+v", got)
	}
}
