package spf_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/lab/cost"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/spf"
)

// scattered is so many networks of hosts, far from each other.
func scattered(seed, n int, format string) string {
	r := rand.New(rand.NewPCG(uint64(seed), 0))
	var b strings.Builder
	for range n {
		x := r.Uint32()
		fmt.Fprintf(&b, format, x>>24, x>>16&255, x>>8&255, x&255)
	}
	return b.String()
}

const (
	hosts4  = " ip4:%d.%d.%d.%d"
	hosts6  = " ip6:2001:db8:%x:%x:%x:%x::1"
	others6 = " -ip6:2001:db8:%x:%x:%x:%x::1"
)

// overlapping is so many networks of all lengths, denied and authorized by turns.
func overlapping(n int) string {
	r := rand.New(rand.NewPCG(uint64(n), 0))
	var b strings.Builder
	for range n {
		x := r.Uint32()
		fmt.Fprintf(&b, " %sip4:%d.%d.%d.%d/%d", []string{"", "-", "~"}[r.IntN(3)], x>>24, x>>16&255, x>>8&255, x&255, 1+r.IntN(32))
	}
	return b.String()
}

// level is the number in a name as c3.example.test.
func level(name string) (n int) {
	fmt.Sscanf(name, "c%d.", &n)
	return n
}

// A chain of records, so deep and with so many terms each, and so many in the last.
func chain(deep, each, last int) func(string) string {
	return func(name string) string {
		n := level(name)
		if n == deep {
			return "v=spf1" + scattered(n, last, hosts4) + " -all"
		}
		return "v=spf1" + scattered(n, each, hosts4) + fmt.Sprintf(" include:c%d.example.test -all", n+1)
	}
}

// spread is a record of includes, each with a record of its own or all with the same.
func spread(includes int, name string, text func(n int) string) func(string) string {
	return func(at string) string {
		if at != "example.test." {
			return text(level(at))
		}
		var b strings.Builder
		b.WriteString("v=spf1")
		for i := range includes {
			fmt.Fprintf(&b, " include:"+name, i)
		}
		return b.String() + " -all"
	}
}

// manyAddresses answers with so many addresses each.
type manyAddresses struct {
	hostile
	addresses int
}

func (m manyAddresses) Lookup(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
	if qtype != dns.TypeA {
		return m.hostile.Lookup(ctx, name, qtype)
	}
	var a resolver.Answer
	for i := range m.addresses {
		n := uint32(i+len(name)) * 2654435761
		a.Records = append(a.Records, &dns.A{
			Hdr: dns.RR_Header{Name: name, Rrtype: qtype, Class: dns.ClassINET, Ttl: 300},
			A:   net.IPv4(byte(n>>24), byte(n>>16), byte(n>>8), byte(n)),
		})
	}
	return a, nil
}

// hostilePolicies are policies of about n terms, each with the worst of one kind.
var hostilePolicies = []struct {
	name   string
	policy func(n int) resolver.Resolver
}{
	{"networks", func(n int) resolver.Resolver {
		return hostile{text: always("v=spf1" + scattered(1, n, hosts4) + " -all")}
	}},
	{"overlapping networks", func(n int) resolver.Resolver { return hostile{text: always("v=spf1" + overlapping(n) + " -all")} }},
	{"exceptions in IPv6", func(n int) resolver.Resolver {
		return hostile{text: always("v=spf1" + scattered(1, min(n, 2200), others6) + " +all")}
	}},
	{"includes", func(n int) resolver.Resolver {
		return hostile{text: spread(60, "c%d.example.test", func(i int) string { return "v=spf1" + scattered(i, n/62, hosts6) + " -all" })}
	}},
	{"the same include", func(n int) resolver.Resolver {
		return hostile{text: spread(60, "c.example.test%.0d", func(i int) string { return "v=spf1" + scattered(i, n/62, hosts4) + " ?all" })}
	}},
	{"a deep tree", func(n int) resolver.Resolver { return hostile{text: chain(11, 0, n)} }},
	{"a deep tree with terms everywhere", func(n int) resolver.Resolver { return hostile{text: chain(11, n/13, n/13)} }},
	{"terms that are wrong", func(n int) resolver.Resolver { return hostile{text: always("v=spf1" + strings.Repeat(" -", n))} }},
	{"long terms", func(n int) resolver.Resolver {
		return hostile{text: always("v=spf1 include:%{o" + strings.Repeat("-", 10*n) + "}.c.test" + strings.Repeat(" a/", n) + " x=" + strings.Repeat("x", 2*n))}
	}},
	{"addresses", func(n int) resolver.Resolver {
		return manyAddresses{hostile{text: always("v=spf1" + mxTerms("m", 2) + " a:x.test a:yy.test a:zzz.test -all"), mx: 10}, n / 30}
	}},
	{"much of everything", func(n int) resolver.Resolver {
		return manyAddresses{hostile{text: spread(60, "c%d.example.test", func(i int) string {
			return "v=spf1" + mxTerms("m", 2) + scattered(i, n/62, others6)
		}), mx: 20}, n / 10}
	}},
	{"everything too large", func(n int) resolver.Resolver {
		return manyAddresses{hostile{text: spread(60, "c%d.example.test", func(i int) string {
			return "v=spf1" + mxTerms("m", 60) + scattered(i, n, hosts4)
		}), mx: 4000, records: 4000}, 4000}
	}},
}

// analyze analyzes a policy whose answers are made before.
func analyze(t *testing.T, policy resolver.Resolver) func() *spf.Analysis {
	t.Helper()
	zone := unpacked(t, policy)
	spf.Analyze(t.Context(), zone, "example.test")
	return func() *spf.Analysis { return spf.Analyze(t.Context(), zone, "example.test") }
}

// What the package states of an analysis, in the worst worlds.
func TestAnalyzeBounds(t *testing.T) {
	const mostAllocated, mostHeld = 64 << 20, 16 << 20
	const most = 3000 // terms of a record of 64 KiB
	for _, tt := range hostilePolicies {
		run := analyze(t, tt.policy(most))
		var a *spf.Analysis
		c := cost.Once(func() any {
			a = run()
			return a
		})
		sets, networks, text := 0, 0, 0
		for _, set := range a.Sets {
			sets += len(set)
		}
		var count func(n *spf.TreeNode)
		count = func(n *spf.TreeNode) {
			for _, p := range n.Terms {
				networks += len(p.Networks)
				if p.Below != nil {
					count(p.Below)
				}
			}
		}
		count(a.Root)
		for _, l := range a.Lints {
			text += len(l.String())
		}
		if sets > 1<<16 || networks > 1<<16 || len(a.Lints) > 201 || text > 1<<19 || a.Questions > 2700 || c.Allocated > mostAllocated || c.Live > mostHeld {
			t.Errorf("%s: more than the package states", tt.name)
		}
		t.Logf("%s: %d questions, %d KiB allocated, %d held, %d networks in sets, %d of terms, %d lints of %d octets, %v", tt.name,
			a.Questions, c.Allocated>>10, c.Live>>10, sets, networks, len(a.Lints), text, a.Err)
	}
}

// What is left out is said.
func TestAnalyzeSaysWhatIsLeftOut(t *testing.T) {
	for _, tt := range []struct {
		name   string
		policy resolver.Resolver
		known  bool // all of it, though not all is listed
	}{
		{"a long record", hostile{text: always("v=spf1" + strings.Repeat(" x=", 5000))}, false},
		{"long records", hostile{text: spread(6, "c%d.example.test", func(int) string { return "v=spf1 x=" + strings.Repeat("x", 60000) + " -all" })}, false},
		{"a deep tree", hostile{text: chain(30, 1, 1)}, false},
		{"a wide tree", hostile{text: spread(70, "c%d.example.test", func(int) string { return "v=spf1 -all" })}, false},
		{"many terms", hostile{text: always("v=spf1" + mxTerms("m", 65))}, false},
		{"many exchangers", hostile{text: always("v=spf1 mx -all"), mx: 21}, false},
		{"many addresses", manyAddresses{hostile{text: always("v=spf1 a a:x.test -all")}, 3000}, false},
		{"many addresses of several terms", manyAddresses{hostile{text: always("v=spf1" + mxTerms("m", 3) + " -all"), mx: 20}, 100}, false},
		{"many answers", manyAddresses{hostile{text: always("v=spf1" + mxTerms("m", 20)), mx: 20}, 1000}, false},
		{"networks that are not listed", hostile{text: always("v=spf1" + scattered(1, 2200, others6) + " +all")}, true},
	} {
		a := spf.Analyze(t.Context(), unpacked(t, tt.policy), "example.test")
		said := ""
		for _, l := range a.Lints {
			if l.Code == "bounds" || l.Code == "no-answer" {
				said += l.String()
			}
		}
		if errors.Is(a.Err, spf.ErrBounds) == tt.known || !strings.Contains(said, spf.ErrBounds.Error()) {
			t.Errorf("%s: %v, %q", tt.name, a.Err, said)
		}
		if _, err := a.Flatten(t.Context(), nil, 300); !errors.Is(err, spf.ErrNotFlat) {
			t.Errorf("%s: flattened: %v", tt.name, err)
		}
	}
}

// An analysis ends soon after its context: nothing more is asked, and what is not known is
// not denied.
func TestAnalyzeContext(t *testing.T) {
	for _, tt := range hostilePolicies {
		ctx, cancel := context.WithCancel(t.Context())
		zone := unpacked(t, tt.policy(400))
		var asked atomic.Int32
		a := spf.Analyze(ctx, resolver.Func(func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
			if asked.Add(1) == 3 {
				cancel()
			}
			return zone.Lookup(ctx, name, qtype)
		}), "example.test")
		cancel()
		if !errors.Is(a.Err, context.Canceled) && a.Questions > 3 {
			t.Errorf("%s: %d questions, %v", tt.name, a.Questions, a.Err)
		}
	}
}
