package hostile_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/csa"
	"github.com/bonafide-mta/bonafide/fcrdns"
	"github.com/bonafide-mta/bonafide/identity/helo"
	"github.com/bonafide-mta/bonafide/internal/lab/cost"
	"github.com/bonafide-mta/bonafide/internal/lab/hostile"
	"github.com/bonafide-mta/bonafide/nullmx"
	"github.com/bonafide-mta/bonafide/reputation/roleaddr"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/rp"
)

var client = netip.MustParseAddr("192.0.2.1")

// The bounds that packages document, of one check each. Bytes are beside the answers, which
// belong to the Resolver; over the wire, the answers are the result's.
var bounds = []struct {
	name      string
	check     func(ctx context.Context, r resolver.Resolver) any
	questions int64
	allocated int64 // KiB, beside the answers
	live      int64 // KiB, beside the answers
	wire      int64 // MiB that a result keeps with its answers
	received  int64 // MiB that are allocated in all over the wire
}{
	{"fcrdns", func(ctx context.Context, r resolver.Resolver) any {
		c := fcrdns.Checker{Resolver: r}
		return c.Check(ctx, client)
	}, 11, 8192, 64, 8, 96},
	{"csa", func(ctx context.Context, r resolver.Resolver) any {
		return csa.Checker{Resolver: r}.Check(ctx, client, "a.b.c.d.e.f.example.test")
	}, 16, 8192, 64, 8, 96},
	{"rp", func(ctx context.Context, r resolver.Resolver) any {
		persons, _ := rp.Lookup(ctx, r, "example.test")
		return persons
	}, 11, 12288, 4096, 5, 20},
	{"nullmx", func(ctx context.Context, r resolver.Resolver) any {
		c := nullmx.Checker{Resolver: r}
		result := c.Check(ctx, "example.test")
		return []any{result, c.Targets(ctx, result)}
	}, 21, 16384, 4096, 5, 160},
	{"nullmx implicit", func(ctx context.Context, r resolver.Resolver) any {
		return nullmx.Checker{Resolver: without(r, dns.TypeMX)}.Check(ctx, "example.test")
	}, 3, 512, 64, 2, 12},
	{"helo", func(ctx context.Context, r resolver.Resolver) any {
		return helo.Checker{Resolver: r}.Check(ctx, "mail.example.test", client, netip.MustParseAddr("2001:db8::1"))
	}, 2, 4096, 512, 2, 12},
	{"roleaddr", func(ctx context.Context, r resolver.Resolver) any {
		refused := func(context.Context, netip.AddrPort) (net.Conn, error) { return nil, errors.New("refused") }
		return roleaddr.Checker{Resolver: r, Dial: refused, AllowPrivate: true}.Check(ctx, "example.test")
	}, 23, 16384, 64, 2, 160},
}

// without answers NODATA for a type.
func without(r resolver.Resolver, qtype uint16) resolver.Resolver {
	return resolver.Func(func(ctx context.Context, name string, t uint16) (resolver.Answer, error) {
		if t == qtype {
			return resolver.Answer{}, nil
		}
		return r.Lookup(ctx, name, t)
	})
}

// kept answers each question once, and then again with the same records.
type kept struct {
	resolver.Resolver
	mu      sync.Mutex
	answers map[resolver.Question]resolver.Answer
	asked   atomic.Int64
}

func (k *kept) Lookup(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
	k.asked.Add(1)
	k.mu.Lock()
	defer k.mu.Unlock()
	q := resolver.Question{Name: name, Type: qtype}
	if a, ok := k.answers[q]; ok {
		return a, nil
	}
	a, err := k.Resolver.Lookup(context.Background(), name, qtype)
	if err == nil {
		k.answers[q] = a
	}
	return a, err
}

func TestBounds(t *testing.T) {
	worlds := map[string]resolver.Resolver{"short names": hostile.DNS(hostile.PerMessage), "long names": hostile.LongNames(hostile.PerMessage)}
	for world, dns := range worlds {
		server := hostile.Serve(t, dns)
		for _, tt := range bounds {
			r := &kept{Resolver: dns, answers: make(map[resolver.Question]resolver.Answer)}
			tt.check(t.Context(), r)
			questions := r.asked.Load()
			direct := func() any { return tt.check(t.Context(), r) }
			live := cost.Once(direct).Live
			allocated := cost.Allocated(tt.allocated<<10, direct)
			wire := func() any { return tt.check(t.Context(), &resolver.Client{Servers: []netip.AddrPort{server}}) }
			wire() // the server makes its messages
			received := cost.Once(wire)
			t.Logf("%s, %s: questions %d of %d; beside the answers: allocated %d of %d KiB, live %d of %d KiB; over the wire: live %d KiB of %d MiB, allocated %d KiB of %d MiB, %v",
				tt.name, world, questions, tt.questions, allocated>>10, tt.allocated, live>>10, tt.live,
				received.Live>>10, tt.wire, received.Allocated>>10, tt.received, received.Time)
			if questions > tt.questions || allocated > tt.allocated<<10 || live > tt.live<<10 || received.Live > tt.wire<<20 || received.Allocated > tt.received<<20 {
				t.Errorf("%s, %s: over the bounds", tt.name, world)
			}
		}
	}
}
