package spf_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/lab/cost"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/spf"
)

// limits has the limit that each MaxLookups means.
var limits = []struct{ maxLookups, limit int }{
	{0, 10}, {1, 1}, {9, 9}, {10, 10}, {11, 11}, {20, 20}, {99, 99}, {100, 100}, {101, 100}, {math.MaxInt, 100}, {-1, 100}, {math.MinInt, 100},
}

// A check comes to as many terms as MaxLookups says, side by side, in a chain of includes, or
// of redirects, and not to one more.
func TestMaxLookups(t *testing.T) {
	shapes := map[string]func(domain string, n int) string{
		"exists": func(_ string, n int) string {
			return "v=spf1" + strings.Repeat(" exists:none.test", n-1) + " exists:here.test -all"
		},
		"includes": func(domain string, n int) string {
			i := 0
			fmt.Sscanf(domain, "i%d.", &i)
			if i == n {
				return "v=spf1 +all"
			}
			return fmt.Sprintf("v=spf1 include:i%d.test -all", i+1)
		},
		"redirects": func(domain string, n int) string {
			i := 0
			fmt.Sscanf(domain, "i%d.", &i)
			if i == n {
				return "v=spf1 +all"
			}
			return fmt.Sprintf("v=spf1 redirect=i%d.test", i+1)
		},
	}
	for shape, text := range shapes {
		for _, tt := range limits {
			for _, mode := range []spf.Speculation{spf.SpeculateNone, spf.SpeculateTXT, spf.SpeculateAll} {
				for _, terms := range []int{tt.limit, tt.limit + 1} {
					zone := resolver.Func(func(_ context.Context, name string, qtype uint16) (resolver.Answer, error) {
						header := dns.RR_Header{Name: name, Rrtype: qtype, Class: dns.ClassINET, Ttl: 300}
						switch {
						case qtype == dns.TypeTXT:
							return resolver.Answer{Records: []dns.RR{&dns.TXT{Hdr: header, Txt: split(text(name, terms))}}}, nil
						case name == "here.test.":
							return resolver.Answer{Records: []dns.RR{&dns.A{Hdr: header, A: []byte{127, 0, 0, 2}}}}, nil
						}
						return resolver.Answer{}, nil
					})
					r := spf.Checker{Resolver: zone, MaxLookups: tt.maxLookups, MaxVoids: -1, Speculate: mode}.CheckHelo(t.Context(), netip.MustParseAddr("192.0.2.1"), "example.test")
					if r.Lookups != tt.limit || terms == tt.limit && r.Status != spf.Pass {
						t.Errorf("%d %s with MaxLookups %d, %s: %s, %d lookups, %v", terms, shape, tt.maxLookups, mode, r.Status, r.Lookups, r.Err)
					}
					text := fmt.Sprintf("more than %d terms that need DNS", tt.limit)
					if terms > tt.limit && (r.Status != spf.PermError || !errors.Is(r.Err, spf.ErrLookups) || !strings.Contains(r.Err.Error(), text)) {
						t.Errorf("%d %s with MaxLookups %d, %s: %s, %v", terms, shape, tt.maxLookups, mode, r.Status, r.Err)
					}
				}
			}
		}
	}
}

// split cuts a text into strings of TXT.
func split(text string) (out []string) {
	for ; len(text) > 255; text = text[255:] {
		out = append(out, text[:255])
	}
	return append(out, text)
}

// worstFor has zones that cost the most questions with a limit: all terms, or all but the first,
// have ten hosts each, and none of them is asked ahead, or all in vain.
func worstFor(limit int) map[string]hostile {
	return map[string]hostile{
		"each": {text: func(name string) string {
			return "v=spf1" + mxTerms("%{p}.m", limit) + " -all exp=why.test"
		}, mx: 10, ptr: 10},
		"ahead": {text: func(name string) string {
			if name == "x.test." {
				return "v=spf1" + mxTerms("m", limit-2) + " exists:%{p}.client.test"
			}
			return "v=spf1 -include:x.test" + mxTerms("r", limit-1) + " exp=why.test"
		}, mx: 10, ptr: 10},
	}
}

// The questions stay within what the package states for a limit, and with the worst zones
// come close.
func TestMaxLookupsBounds(t *testing.T) {
	for _, tt := range limits {
		n := tt.limit
		most := map[spf.Speculation]int{spf.SpeculateNone: 13 + 11*n, spf.SpeculateTXT: 13 + 12*n, spf.SpeculateAll: 13 + 22*n}
		worst := make(map[spf.Speculation]int)
		count := func(name string, zone resolver.Resolver, mode spf.Speculation) {
			r := spf.Checker{Resolver: zone, MaxLookups: tt.maxLookups, MaxVoids: -1, Speculate: mode}.CheckMailFrom(t.Context(), netip.MustParseAddr("192.0.2.1"), "helo.test", "user@example.test")
			worst[mode] = max(worst[mode], r.Questions)
			if r.Questions > most[mode] || r.Lookups > n {
				t.Errorf("%s with MaxLookups %d, %s: %d questions, %d lookups", name, tt.maxLookups, mode, r.Questions, r.Lookups)
			}
		}
		for name, zone := range worstFor(n) {
			for mode := range most {
				count(name, slow{zone}, mode)
			}
		}
		for _, h := range hostileRecords {
			if tt.maxLookups == -1 {
				count(h.name, h.zone, spf.SpeculateTXT)
			}
		}
		t.Logf("MaxLookups %d: %v of %v questions", tt.maxLookups, worst, most)
		if worst[spf.SpeculateNone] < most[spf.SpeculateNone]-13 {
			t.Errorf("MaxLookups %d: %d questions at most", tt.maxLookups, worst[spf.SpeculateNone])
		}
	}
}

// slow is a Resolver that takes a while, so that a check has time to ask ahead.
type slow struct{ resolver.Resolver }

func (s slow) Lookup(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
	time.Sleep(time.Microsecond)
	return s.Resolver.Lookup(ctx, name, qtype)
}

// A check of a hundred terms allocates and holds ten times what one of ten may.
func TestMaxLookupsMemory(t *testing.T) {
	const most, mostHeld = 80 << 20, 10 << 20
	worst, worstHeld := int64(0), int64(0)
	for _, h := range hostileRecords {
		zone := unpacked(t, h.zone)
		var r *spf.Result
		check := func(mode spf.Speculation) func() any {
			return func() any {
				r = spf.Checker{Resolver: zone, MaxOpen: 1, MaxLookups: -1, MaxVoids: -1, Speculate: mode}.CheckMailFrom(t.Context(), netip.MustParseAddr("192.0.2.1"), "helo.test", strings.Repeat("-a", 480)+"@example.test")
				return r
			}
		}
		if check(spf.SpeculateNone)(); r.Lookups < 100 { // which makes the answers
			continue // the limit has no part in what it costs
		}
		allocated := cost.Allocated(most, check(spf.SpeculateTXT))
		r = nil
		held := cost.Once(check(spf.SpeculateNone)).Live
		worst, worstHeld = max(worst, allocated), max(worstHeld, held)
		if allocated > most || held > mostHeld {
			t.Errorf("%s: %d KiB, the result holds %d KiB", h.name, allocated>>10, held>>10)
		}
	}
	t.Logf("at most %d KiB allocated, %d KiB held", worst>>10, worstHeld>>10)
}
