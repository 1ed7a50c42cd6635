package resolver_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
)

// A source is what a Cache asks: it says what a test wants, and remembers the
// questions.
type source struct {
	say func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error)

	mu    sync.Mutex
	asked []string
}

func (s *source) Lookup(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
	s.mu.Lock()
	s.asked = append(s.asked, resolver.Question{Name: name, Type: qtype}.String())
	s.mu.Unlock()
	return s.say(ctx, name, qtype)
}

// questions returns what was asked since it was last called.
func (s *source) questions() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := s.asked
	s.asked = nil
	return asked
}

// saying is a source that says the same to all questions.
func saying(a resolver.Answer, err error) *source {
	return &source{say: func(context.Context, string, uint16) (resolver.Answer, error) { return a, err }}
}

// bubble runs a test under fake time. It fails if the test leaves a goroutine.
func bubble(t *testing.T, name string, test func(*testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Helper()
		synctest.Test(t, test)
	})
}

// mustLookup asks for an answer.
func mustLookup(t *testing.T, r resolver.Resolver, name string, qtype uint16) resolver.Answer {
	t.Helper()
	a, err := r.Lookup(t.Context(), name, qtype)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

const cacheName = "www.example.test."

// addressOf is an answer with one address.
func addressOf(name, addr string, ttl time.Duration) resolver.Answer {
	return resolver.Answer{Records: []dns.RR{rr(name + " 300 IN A " + addr)}, TTL: ttl, Server: "192.0.2.53:53"}
}

func TestCacheTTL(t *testing.T) {
	bubble(t, "counts down", func(t *testing.T) {
		fresh := resolver.Answer{
			Chain:     []dns.RR{rr("www.example.test. 300 IN CNAME a.test."), rr("a.test. 300 IN CNAME b.test.")},
			Records:   []dns.RR{rr("b.test. 300 IN A 192.0.2.1"), rr("b.test. 300 IN A 192.0.2.2")},
			TTL:       5 * time.Minute,
			Authentic: true,
			Server:    "192.0.2.53:53",
		}
		s := saying(fresh, nil)
		c := &resolver.Cache{Resolver: s}
		got := mustLookup(t, c, cacheName, dns.TypeA)
		if diff := cmp.Diff(fresh, got); diff != "" {
			t.Errorf("the first answer is not as it came (-want +got):\n%s", diff)
		}
		want := fresh
		want.Server = "cache of 192.0.2.53:53"
		for _, step := range []struct{ age, ttl time.Duration }{
			{0, 300 * time.Second},
			{1, 299 * time.Second}, // rounded down
			{time.Second, 299 * time.Second},
			{1500 * time.Millisecond, 298 * time.Second},
			{299 * time.Second, time.Second},
			{300*time.Second - 1, 0},
		} {
			start := time.Now()
			c.Flush()
			mustLookup(t, c, cacheName, dns.TypeA)
			s.questions()
			time.Sleep(step.age)
			want.TTL = step.ttl
			if diff := cmp.Diff(want, mustLookup(t, c, cacheName, dns.TypeA)); diff != "" {
				t.Errorf("after %s (-want +got):\n%s", time.Since(start), diff)
			}
			if asked := s.questions(); len(asked) > 0 {
				t.Errorf("after %s: asked %q", time.Since(start), asked)
			}
		}
		time.Sleep(time.Nanosecond)
		if got := mustLookup(t, c, cacheName, dns.TypeA); got.Server != fresh.Server || len(s.questions()) != 1 {
			t.Errorf("after the TTL: %v", got)
		}
	})

	bubble(t, "appending", func(t *testing.T) {
		alias := []dns.RR{rr("www.example.test. 300 IN CNAME a.test.")}
		address := []dns.RR{rr("a.test. 300 IN A 192.0.2.1")}
		c := &resolver.Cache{Resolver: saying(resolver.Answer{Chain: alias, Records: address, TTL: time.Hour}, nil)}
		mustLookup(t, c, cacheName, dns.TypeA)
		got := mustLookup(t, c, cacheName, dns.TypeA)
		_ = append(got.Chain, nil)
		_ = append(got.Records, nil)
		got = mustLookup(t, c, cacheName, dns.TypeA)
		if diff := cmp.Diff([][]dns.RR{alias, address}, [][]dns.RR{got.Chain, got.Records}); diff != "" {
			t.Errorf("what a caller appends, others see (-want +got):\n%s", diff)
		}
	})

	bubble(t, "any form of a name", func(t *testing.T) {
		s := saying(addressOf(cacheName, "192.0.2.1", time.Minute), nil)
		c := &resolver.Cache{Resolver: s}
		for _, name := range []string{"WWW.Example.Test", `w\119w.example.test.`, cacheName} {
			mustLookup(t, c, name, dns.TypeA)
		}
		if asked := s.questions(); !slices.Equal(asked, []string{"www.example.test. A"}) {
			t.Errorf("asked %q", asked)
		}
	})

	day := 24 * time.Hour
	for _, tt := range []struct {
		name   string
		maxTTL time.Duration
		a      resolver.Answer
		want   time.Duration // for how long it is kept
	}{
		{"zero TTL", 0, addressOf(cacheName, "192.0.2.1", 0), 0},
		{"negative TTL", 0, addressOf(cacheName, "192.0.2.1", -time.Second), 0},
		{"long TTL", 0, addressOf(cacheName, "192.0.2.1", 7*day), day},
		{"MaxTTL", time.Minute, addressOf(cacheName, "192.0.2.1", day), time.Minute},
		{"MaxTTL above all", math.MaxInt64, addressOf(cacheName, "192.0.2.1", math.MaxInt64), math.MaxInt32 * time.Second},
		{"NODATA", 0, resolver.Answer{TTL: time.Minute}, time.Minute},
		{"NODATA, long TTL", 0, resolver.Answer{TTL: day}, 3 * time.Hour},
		{"NODATA, MaxTTL", time.Hour, resolver.Answer{TTL: day}, time.Hour},
		{"NODATA without SOA", 0, resolver.Answer{}, 0},
		{"NXDOMAIN, long TTL", 0, resolver.Answer{Status: resolver.NXDomain, TTL: day}, 3 * time.Hour},
		{"NXDOMAIN without SOA", 0, resolver.Answer{Status: resolver.NXDomain}, 0},
		{"NOTFOUND", 0, resolver.Answer{Status: resolver.NotFound, TTL: time.Minute}, time.Minute},
		{"NOTFOUND without TTL", 0, resolver.Answer{Status: resolver.NotFound}, 0},
	} {
		bubble(t, tt.name, func(t *testing.T) {
			s := saying(tt.a, nil)
			c := &resolver.Cache{Resolver: s, MaxTTL: tt.maxTTL}
			mustLookup(t, c, cacheName, dns.TypeA)
			if tt.want > 0 {
				time.Sleep(tt.want - 1)
				mustLookup(t, c, cacheName, dns.TypeA)
				time.Sleep(time.Nanosecond)
			}
			if asked := s.questions(); len(asked) != 1 {
				t.Errorf("asked %q before %s", asked, tt.want)
			}
			mustLookup(t, c, cacheName, dns.TypeA)
			if asked := s.questions(); len(asked) != 1 {
				t.Errorf("asked %q after %s", asked, tt.want)
			}
		})
	}
}

// What a negative answer is kept for.
func TestCacheNegative(t *testing.T) {
	alias := []dns.RR{rr("www.example.test. 300 IN CNAME a.test.")}
	for _, tt := range []struct {
		name  string
		a     resolver.Answer
		first uint16
		known []uint16 // types not asked any more
	}{
		{"NODATA", resolver.Answer{}, dns.TypeMX, []uint16{dns.TypeMX}},
		{"NOTFOUND", resolver.Answer{Status: resolver.NotFound}, dns.TypeMX, []uint16{dns.TypeMX}},
		{"NXDOMAIN", resolver.Answer{Status: resolver.NXDomain}, dns.TypeMX, []uint16{dns.TypeMX, dns.TypeA, dns.TypeDS, dns.TypeANY, 0, math.MaxUint16}},
		{"NXDOMAIN of an alias", resolver.Answer{Status: resolver.NXDomain, Chain: alias}, dns.TypeMX, []uint16{dns.TypeMX}},
		// The parent zone may lack the delegation of a zone that answers.
		{"NXDOMAIN of the parent", resolver.Answer{Status: resolver.NXDomain}, dns.TypeDS, []uint16{dns.TypeDS}},
	} {
		bubble(t, tt.name, func(t *testing.T) {
			tt.a.TTL = time.Minute
			want := tt.a
			want.Server = "cache"
			for _, qtype := range []uint16{dns.TypeMX, dns.TypeA, dns.TypeDS, dns.TypeANY, 0, math.MaxUint16} {
				s := saying(tt.a, nil)
				c := &resolver.Cache{Resolver: s}
				mustLookup(t, c, cacheName, tt.first)
				s.questions()
				got := mustLookup(t, c, cacheName, qtype)
				known := len(s.questions()) == 0
				if known != slices.Contains(tt.known, qtype) {
					t.Errorf("%s: asked again: %v", resolver.TypeString(qtype), !known)
				}
				if diff := cmp.Diff(want, got); known && diff != "" {
					t.Errorf("%s (-want +got):\n%s", resolver.TypeString(qtype), diff)
				}
				_, _ = c.Lookup(t.Context(), "a."+cacheName, tt.first) // no name is answered for another
				if len(s.questions()) != 1 {
					t.Error("a name below was not asked")
				}
			}
		})
	}

	// Two questions at once find that a name does not exist: it is kept once.
	bubble(t, "twice", func(t *testing.T) {
		c := &resolver.Cache{Resolver: &source{say: func(context.Context, string, uint16) (resolver.Answer, error) {
			time.Sleep(time.Second)
			return resolver.Answer{Status: resolver.NXDomain, TTL: time.Minute}, nil
		}}}
		mustLookup(t, c, cacheName, dns.TypeA)
		once := c.Stats()
		c.Flush()
		for _, qtype := range []uint16{dns.TypeA, dns.TypeMX} {
			go func() { mustLookup(t, c, cacheName, qtype) }()
		}
		time.Sleep(2 * time.Second)
		if twice := c.Stats(); twice.Misses != 3 || twice.Entries != 1 || twice.Bytes != once.Bytes {
			t.Errorf("%+v, once it was %+v", twice, once)
		}
	})

	// An expired NXDOMAIN hides nothing.
	bubble(t, "expires", func(t *testing.T) {
		s := saying(resolver.Answer{Status: resolver.NXDomain, TTL: time.Minute}, nil)
		c := &resolver.Cache{Resolver: s}
		mustLookup(t, c, cacheName, dns.TypeMX)
		time.Sleep(time.Minute)
		s.say = saying(addressOf(cacheName, "192.0.2.1", time.Minute), nil).say
		for range 2 {
			if got := mustLookup(t, c, cacheName, dns.TypeA); len(got.Records) != 1 {
				t.Errorf("got %v", got)
			}
		}
		if asked := s.questions(); len(asked) != 2 {
			t.Errorf("asked %q", asked)
		}
	})
}

func TestCacheFailures(t *testing.T) {
	servfail := &resolver.Error{Name: cacheName, Type: dns.TypeA, Server: "192.0.2.53:53", RCode: dns.RcodeServerFailure}
	bubble(t, "backoff", func(t *testing.T) {
		s := saying(resolver.Answer{}, servfail)
		c := &resolver.Cache{Resolver: s}
		for range 2 { // a success starts it again
			for _, wait := range []time.Duration{1, 2, 4, 8, 16, 30, 30, 30} {
				for _, pause := range []time.Duration{0, wait*time.Second - 1} {
					time.Sleep(pause)
					if _, err := c.Lookup(t.Context(), cacheName, dns.TypeA); failure(t, err).RCode != dns.RcodeServerFailure {
						t.Errorf("got %v", err)
					}
				}
				if asked := s.questions(); len(asked) != 1 {
					t.Errorf("asked %q, want a failure kept for %d s", asked, wait)
				}
				time.Sleep(time.Nanosecond)
			}
			s.say = saying(addressOf(cacheName, "192.0.2.1", 0), nil).say // not kept, but no failure
			mustLookup(t, c, cacheName, dns.TypeA)
			s.say = saying(resolver.Answer{}, servfail).say
			s.questions()
		}
	})

	bubble(t, "of one question", func(t *testing.T) {
		s := saying(resolver.Answer{}, servfail)
		c := &resolver.Cache{Resolver: s}
		for _, q := range []resolver.Question{{Name: cacheName, Type: dns.TypeA}, {Name: cacheName, Type: dns.TypeMX}, {Name: "example.test.", Type: dns.TypeA}} {
			if _, err := c.Lookup(t.Context(), q.Name, q.Type); err == nil || len(s.questions()) != 1 {
				t.Errorf("%v: got %v", q, err)
			}
		}
	})

	bare := errors.New("broken")
	for _, tt := range []struct {
		name string
		err  error
		text string
	}{
		{"an Error", servfail, "lookup www.example.test. A: SERVFAIL (cache of 192.0.2.53:53)"},
		{"a bare error", bare, "lookup www.example.test. A: broken (cache)"},
		{"a wrapped Error", fmt.Errorf("%w: %w", bare, servfail),
			"lookup www.example.test. A: broken: lookup www.example.test. A: SERVFAIL (192.0.2.53:53) (cache)"},
		{"a time limit of the Resolver", context.DeadlineExceeded, "lookup www.example.test. A: context deadline exceeded (cache)"},
	} {
		bubble(t, tt.name, func(t *testing.T) {
			c := &resolver.Cache{Resolver: saying(resolver.Answer{}, tt.err)}
			if _, err := c.Lookup(t.Context(), cacheName, dns.TypeA); err != tt.err {
				t.Errorf("the first error is not as it came: %v", err)
			}
			_, err := c.Lookup(t.Context(), cacheName, dns.TypeA)
			if err.Error() != tt.text {
				t.Errorf("got  %v\nwant %s", err, tt.text)
			}
			if tt.err != servfail && !errors.Is(err, tt.err) {
				t.Errorf("%#v lacks the cause", err)
			}
			if got := c.Stats(); got.Failures != 1 || got.Misses != 1 || got.Entries != 1 {
				t.Errorf("%+v", got)
			}
		})
	}
	if servfail.Server != "192.0.2.53:53" {
		t.Errorf("the Resolver's error was changed: %v", servfail)
	}

	for _, err := range []error{
		resolver.ErrName, resolver.ErrNoResolver, resolver.ErrNoServer, resolver.ErrNoZone, errors.ErrUnsupported, context.Canceled,
	} {
		bubble(t, "not kept: "+err.Error(), func(t *testing.T) {
			s := saying(resolver.Answer{}, &resolver.Error{Name: cacheName, Type: dns.TypeA, Err: err})
			c := &resolver.Cache{Resolver: s}
			for range 3 {
				if _, got := c.Lookup(t.Context(), cacheName, dns.TypeA); !errors.Is(got, err) {
					t.Errorf("got %v", got)
				}
			}
			if len(s.questions()) != 3 || c.Stats().Entries != 0 {
				t.Errorf("%+v", c.Stats())
			}
		})
	}
}

// A failure never hides an answer that holds.
func TestCacheFailureAndAnswer(t *testing.T) {
	servfail := &resolver.Error{RCode: dns.RcodeServerFailure}
	bubble(t, "of another type", func(t *testing.T) {
		s := &source{say: func(_ context.Context, _ string, qtype uint16) (resolver.Answer, error) {
			if qtype == dns.TypeA {
				time.Sleep(time.Second)
				return resolver.Answer{}, servfail
			}
			return resolver.Answer{Status: resolver.NXDomain, TTL: time.Minute}, nil
		}}
		c := &resolver.Cache{Resolver: s}
		go func() { mustLookup(t, c, cacheName, dns.TypeMX) }()
		if _, err := c.Lookup(t.Context(), cacheName, dns.TypeA); failure(t, err).RCode != dns.RcodeServerFailure {
			t.Errorf("got %v", err)
		}
		if a := mustLookup(t, c, cacheName, dns.TypeA); a.Status != resolver.NXDomain {
			t.Errorf("got %v", a)
		}
	})

	// A question that all have left may come back after a later one.
	for name, late := range map[string]struct {
		a   resolver.Answer
		err error
	}{
		"late failure": {resolver.Answer{}, servfail},
		"late answer":  {addressOf(cacheName, "192.0.2.66", time.Hour), nil},
	} {
		bubble(t, name, func(t *testing.T) {
			var asked atomic.Int32
			s := &source{say: func(context.Context, string, uint16) (resolver.Answer, error) {
				if asked.Add(1) == 1 {
					time.Sleep(time.Minute) // whatever its context says
					return late.a, late.err
				}
				return addressOf(cacheName, "192.0.2.1", time.Hour), nil
			}}
			c := &resolver.Cache{Resolver: s}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if _, err := c.Lookup(ctx, cacheName, dns.TypeA); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
			mustLookup(t, c, cacheName, dns.TypeA)
			time.Sleep(2 * time.Minute)
			if a := mustLookup(t, c, cacheName, dns.TypeA); a.Addrs()[0].String() != "192.0.2.1" || asked.Load() != 2 {
				t.Errorf("got %v", a)
			}
		})
	}
}

func TestCacheMistakes(t *testing.T) {
	c := &resolver.Cache{}
	if got := c.Stats(); got != (resolver.CacheStats{}) {
		t.Errorf("%+v", got)
	}
	if _, err := c.Lookup(t.Context(), cacheName, dns.TypeA); !errors.Is(err, resolver.ErrNoResolver) || failure(t, err).Name != cacheName {
		t.Errorf("no Resolver: %v", err)
	}
	c = &resolver.Cache{Resolver: saying(addressOf(cacheName, "192.0.2.1", time.Hour), nil)}
	if _, err := c.Lookup(t.Context(), "a..b", dns.TypeA); !errors.Is(err, resolver.ErrName) {
		t.Errorf("no name: %v", err)
	}
	mustLookup(t, c, cacheName, dns.TypeA)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Lookup(ctx, cacheName, dns.TypeA); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled before: %v", err)
	}
	if got := c.Stats(); got.Misses != 1 || got.Hits != 0 {
		t.Errorf("%+v", got)
	}
}

func TestCacheFlush(t *testing.T) {
	bubble(t, "", func(t *testing.T) {
		addr := "192.0.2.1"
		s := &source{say: func(_ context.Context, name string, _ uint16) (resolver.Answer, error) {
			a := addressOf(name, addr, time.Hour)
			if strings.HasPrefix(name, "slow.") {
				time.Sleep(time.Second)
			}
			return a, nil
		}}
		c := &resolver.Cache{Resolver: s}
		c.Flush() // before first use
		mustLookup(t, c, cacheName, dns.TypeA)
		var slow sync.WaitGroup
		slow.Go(func() {
			if a := mustLookup(t, c, "slow.test", dns.TypeA); a.Addrs()[0].String() != "192.0.2.1" {
				t.Errorf("asked before: got %v", a)
			}
		})
		synctest.Wait()
		addr = "192.0.2.2"
		c.Flush()
		if got, want := c.Stats(), (resolver.CacheStats{Misses: 2}); got != want {
			t.Errorf("%+v", got)
		}
		for _, name := range []string{cacheName, "slow.test"} {
			for range 2 {
				if a := mustLookup(t, c, name, dns.TypeA); a.Addrs()[0].String() != addr {
					t.Errorf("%s: got %v", name, a)
				}
			}
		}
		slow.Wait()
		if a := mustLookup(t, c, "slow.test", dns.TypeA); a.Addrs()[0].String() != addr {
			t.Errorf("got %v", a)
		}
		got := c.Stats()
		got.Bytes = 0
		if want := (resolver.CacheStats{Misses: 4, Hits: 3, Entries: 2}); got != want {
			t.Errorf("%+v", got)
		}
	})
}

// The answer to a question of the reserved type, whatever a careless Resolver
// says, answers no question of another type.
func TestCacheReservedType(t *testing.T) {
	for _, err := range []error{nil, errors.New("broken")} {
		bubble(t, fmt.Sprint(err), func(t *testing.T) {
			s := saying(resolver.Answer{Records: []dns.RR{rr(cacheName + " 60 IN A 192.0.2.1")}, TTL: time.Minute}, err)
			c := &resolver.Cache{Resolver: s}
			for range 2 {
				_, _ = c.Lookup(t.Context(), cacheName, dns.TypeReserved)
			}
			if got := c.Stats(); got.Misses != 2 || got.Entries != 0 {
				t.Errorf("%+v", got)
			}
		})
	}
}
