package resolver_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/lab/cost"
	"github.com/bonafide-mta/bonafide/resolver"
)

// received returns copies of records as they are when a server sends them: each in
// memory of its own. Those of the owner "@." get the name.
func received(t testing.TB, records []dns.RR, name string) []dns.RR {
	m := new(dns.Msg)
	for _, rr := range records {
		if rr.Header().Name == "@." {
			rr = dns.Copy(rr)
			rr.Header().Name = name
		}
		m.Answer = append(m.Answer, rr)
	}
	wire, err := m.Pack()
	if err == nil {
		err = m.Unpack(wire)
	}
	if err != nil {
		t.Fatal(err)
	}
	return m.Answer
}

// What an entry is said to take is what it takes, or a little more.
func TestCacheAccounting(t *testing.T) {
	// So many that the map has just been made larger, and a slot costs most.
	const n = 3700
	long := strings.Repeat("x", 200)
	repeat := func(n int, format string) (lines []string) {
		for i := range n {
			lines = append(lines, fmt.Sprintf(format, i))
		}
		return lines
	}
	for _, tt := range []struct {
		name    string
		records []string
		a       resolver.Answer
		err     error
		most    int64 // bytes counted
		live    int64 // bytes at most
	}{
		{name: "A", records: []string{"@. 300 A 192.0.2.1"}, most: 400, live: 320},
		{name: "AAAA", records: []string{"@. 300 AAAA 2001:db8::1"}, most: 400},
		{name: "AAAA of many servers", records: []string{"@. 300 AAAA 2001:db8::1"}, a: resolver.Answer{Server: "its own"}},
		{name: "16 addresses", records: repeat(16, "@. 300 A 192.0.2.%d")},
		{name: "4 MX", records: repeat(4, "@. 300 MX 10 mail%d.example.net.")},
		{name: "SPF", records: []string{"@. 300 TXT \"v=spf1 ip4:192.0.2.0/24 include:example.net -all\""}},
		{name: "a long TXT", records: []string{"@. 300 TXT \"" + long + "\" \"" + long + "\""}},
		{name: "a TXT of many strings", records: []string{"@. 300 TXT " + strings.Repeat(`"" `, 300)}},
		{name: "SRV", records: []string{"@. 300 SRV 1 2 3 mail.example.net."}},
		{name: "SVCB", records: []string{"@. 300 SVCB 1 example.net. alpn=h2,h3 ipv4hint=192.0.2.1,192.0.2.2 port=53"}},
		{name: "an alias", records: []string{"@. 300 CNAME a.example.net.", "a.example.net. 300 A 192.0.2.1"}},
		{name: "NODATA", a: resolver.Answer{TTL: time.Hour}, most: 400},
		{name: "NXDOMAIN", a: resolver.Answer{TTL: time.Hour, Status: resolver.NXDomain}, most: 400},
		{name: "a failure", err: &resolver.Error{RCode: dns.RcodeServerFailure, Server: "192.0.2.53:53",
			Extended: []resolver.ExtendedError{{Code: 6, Text: strings.Repeat("x", 4000)}}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var records []dns.RR
			qtype := dns.TypeA
			for _, line := range tt.records {
				records = append(records, rr(line))
				qtype = records[len(records)-1].Header().Rrtype
			}
			c := &resolver.Cache{MaxBytes: 1 << 30}
			c.Resolver = resolver.Func(func(_ context.Context, name string, _ uint16) (resolver.Answer, error) {
				if tt.err != nil {
					e := *tt.err.(*resolver.Error)
					e.Extended = slices.Clone(e.Extended)
					e.Extended[0].Text = strings.Clone(e.Extended[0].Text)
					return resolver.Answer{}, &e
				}
				a := tt.a
				if records != nil {
					a.Records, a.TTL = received(t, records, name), time.Hour
				}
				if a.Server == "" {
					a.Server = strings.Clone("192.0.2.53:53")
				} else {
					a.Server = strings.Clone(name)
				}
				return a, nil
			})
			before := cost.Live()
			for i := range n {
				text := fmt.Sprintf("%1000d a-name-%06d.example.test.", i, i)
				name := text[1001:] // part of a longer text, which is not to stay
				_, err := c.Lookup(t.Context(), name, qtype)
				if err != nil && tt.err == nil {
					t.Fatal(err)
				}
			}
			took := (cost.Live() - before) / n
			stats := c.Stats()
			counted := stats.Bytes / n
			t.Logf("%d bytes an entry, counted as %d", took, counted)
			if stats.Entries != n {
				t.Errorf("%d entries of %d", stats.Entries, n)
			}
			if took > counted || took < counted/2 {
				t.Errorf("%d bytes an entry, counted as %d", took, counted)
			}
			if tt.most > 0 && counted > tt.most || tt.live > 0 && took > tt.live {
				t.Errorf("%d bytes an entry, counted as %d, want at most %d and %d", took, counted, tt.live, tt.most)
			}
			runtime.KeepAlive(c)
		})
	}
}

// However many names are asked, memory stays within the bound. Each entry makes way
// for another some seventy times: what grows by and by would show.
func TestCacheFlood(t *testing.T) { flood(t, 100_000, 1<<19) }

func flood(t testing.TB, names int, maxBytes int64) {
	t.Helper()
	c := &resolver.Cache{MaxBytes: maxBytes, Resolver: addresses}
	before := cost.Live()
	for i := range names {
		if _, err := c.Lookup(t.Context(), floodName(i), dns.TypeA); err != nil {
			t.Fatal(err)
		}
		if (i+1)%(names/10) != 0 {
			continue
		}
		stats, took := c.Stats(), cost.Live()-before
		t.Logf("%d bytes live, %+v", took, stats)
		if took > maxBytes || stats.Bytes > maxBytes || stats.Bytes < maxBytes-1000 {
			t.Fatalf("%d bytes live, %+v, want at most %d", took, stats, maxBytes)
		}
	}
}

// A map does not shrink: many small entries that made way for large ones leave
// memory behind, and it counts.
func TestCacheSmallThenLarge(t *testing.T) {
	const maxBytes = 4 << 20
	c := &resolver.Cache{MaxBytes: maxBytes, Resolver: resolver.Func(func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
		if qtype == dns.TypeTXT {
			return largeText(name, 64<<10), nil
		}
		return addresses(ctx, name, qtype)
	})}
	before := cost.Live()
	for i := range 20_000 {
		mustLookup(t, c, floodName(i), dns.TypeA)
	}
	for i := range 200 {
		mustLookup(t, c, floodName(i), dns.TypeTXT)
	}
	stats, took := c.Stats(), cost.Live()-before
	t.Logf("%d bytes live, %+v", took, stats)
	if took > maxBytes || stats.Bytes > maxBytes || stats.Entries > 60 {
		t.Errorf("%d bytes live, %+v, want at most %d", took, stats, maxBytes)
	}
	runtime.KeepAlive(c)
}

// addresses answers with an address, and memory of its own, for any name.
var addresses = resolver.Func(func(_ context.Context, name string, _ uint16) (resolver.Answer, error) {
	a := &dns.A{Hdr: dns.RR_Header{Name: strings.Clone(name), Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 3600}, A: []byte{192, 0, 2, 1}}
	return resolver.Answer{Records: []dns.RR{a}, TTL: time.Hour, Server: "192.0.2.53:53"}, nil
})

func floodName(i int) string { return fmt.Sprintf("host-%07d.example.test.", i) }

// What was used last stays; expired answers go when they are asked for.
func TestCacheOrder(t *testing.T) {
	bubble(t, "", func(t *testing.T) {
		s := &source{say: addresses}
		c := &resolver.Cache{Resolver: s, MaxBytes: 16 << 10}
		n := 0
		for ; c.Stats().Evictions == 0; n++ {
			mustLookup(t, c, floodName(n), dns.TypeA)
			mustLookup(t, c, floodName(0), dns.TypeA)
		}
		s.questions()
		for _, i := range []int{0, 2, n - 1, 1} {
			mustLookup(t, c, floodName(i), dns.TypeA)
		}
		if asked := s.questions(); !slices.Equal(asked, []string{floodName(1) + " A"}) {
			t.Errorf("asked %q: the second name was used least recently", asked)
		}
		if got := c.Stats(); got.Evictions != 2 || got.Entries != n-1 {
			t.Errorf("after %d names: %+v", n, got)
		}
	})
}

// largeText is an answer with a TXT record of so many octets.
func largeText(name string, size int) resolver.Answer {
	txt := &dns.TXT{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeTXT, Class: dns.ClassINET}}
	for ; size > 0; size -= 256 {
		txt.Txt = append(txt.Txt, strings.Repeat("x", min(size, 256)-1))
	}
	return resolver.Answer{Records: []dns.RR{txt}, TTL: time.Hour}
}

// Room is made for a large answer, but not for any.
func TestCacheLarge(t *testing.T) {
	aliases := slices.Repeat([]dns.RR{rr(cacheName + " CNAME " + cacheName)}, 1<<16)
	const ownType = 65280
	dns.PrivateHandle("OWN", ownType, func() dns.PrivateRdata { return private[[2]string]{} })
	defer dns.PrivateHandleRemove(ownType)
	own := dns.RR_Header{Name: cacheName, Rrtype: ownType, Class: dns.ClassINET}
	for _, tt := range []struct {
		name     string
		maxBytes int64
		a        resolver.Answer
		err      error
		kept     bool
	}{
		{"64 KiB", 0, largeText(cacheName, 64<<10), nil, true},
		{"64 KiB of 2 MiB", 2 << 20, largeText(cacheName, 64<<10), nil, true},
		{"64 KiB of 1 MiB", 1 << 20, largeText(cacheName, 64<<10), nil, false},
		{"700 KiB", 1 << 30, largeText(cacheName, 700<<10), nil, true},
		{"1 MiB", 1 << 30, largeText(cacheName, 1<<20), nil, false},
		{"very many aliases", 1 << 30, resolver.Answer{Chain: aliases, TTL: time.Hour}, nil, false},
		{"a private type", 0, resolver.Answer{Records: []dns.RR{&dns.PrivateRR{Hdr: own, Data: private[[2]string]{}}}, TTL: time.Hour}, nil, true},
		{"a private type with a map", 0, resolver.Answer{Records: []dns.RR{&dns.PrivateRR{Hdr: own, Data: private[map[string]string]{}}}, TTL: time.Hour}, nil, false},
		{"a long error", 16 << 10, resolver.Answer{}, &resolver.Error{Server: strings.Repeat("x", 500)}, false},
		{"a tiny Cache", 1000, addressOf(cacheName, "192.0.2.1", time.Hour), nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &source{say: addresses}
			c := &resolver.Cache{Resolver: s, MaxBytes: tt.maxBytes}
			for i := range 3000 {
				mustLookup(t, c, floodName(i), dns.TypeA)
			}
			s.say = saying(tt.a, tt.err).say
			s.questions()
			qtype := dns.TypeTXT
			if len(tt.a.Records) > 0 {
				qtype = tt.a.Records[0].Header().Rrtype
			}
			for range 2 {
				if _, err := c.Lookup(t.Context(), cacheName, qtype); (err != nil) != (tt.err != nil) {
					t.Error(err)
				}
			}
			if asked := s.questions(); len(asked) == 1 != tt.kept {
				t.Errorf("asked %d times", len(asked))
			}
			stats := c.Stats()
			if most := tt.maxBytes; most > 0 && stats.Bytes > most {
				t.Errorf("%+v", stats)
			}
		})
	}
}

// private is the data of a record of a type of one's own.
type private[T any] struct{ Data T }

func (private[T]) String() string              { return "" }
func (private[T]) Parse([]string) error        { return nil }
func (private[T]) Pack([]byte) (int, error)    { return 0, nil }
func (private[T]) Unpack([]byte) (int, error)  { return 0, nil }
func (private[T]) Copy(dns.PrivateRdata) error { return nil }
func (private[T]) Len() int                    { return 0 }

// An answer from memory costs no memory.
func TestCacheAllocations(t *testing.T) {
	alias := []dns.RR{rr("www.example.test. 300 IN CNAME a.test.")}
	for name, s := range map[string]*source{
		"address":  saying(addressOf(cacheName, "192.0.2.1", time.Hour), nil),
		"alias":    saying(resolver.Answer{Chain: alias, Records: []dns.RR{rr("a.test. 300 IN A 192.0.2.1")}, TTL: time.Hour}, nil),
		"NODATA":   saying(resolver.Answer{TTL: time.Hour}, nil),
		"NXDOMAIN": saying(resolver.Answer{Status: resolver.NXDomain, TTL: time.Hour}, nil),
		"failure":  saying(resolver.Answer{}, &resolver.Error{RCode: dns.RcodeServerFailure}),
	} {
		c := &resolver.Cache{Resolver: s}
		ctx := t.Context()
		_, _ = c.Lookup(ctx, cacheName, dns.TypeA)
		if n := testing.AllocsPerRun(100, func() { _, _ = c.Lookup(ctx, cacheName, dns.TypeA) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
