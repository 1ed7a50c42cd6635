package spf_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/lab/cost"
	"github.com/bonafide-mta/bonafide/internal/txt"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/spf"
)

// With all that can be asked ahead, a check takes as long as the longest chain of
// questions that depend on each other.
func TestRoundTrips(t *testing.T) {
	const roundTrip = 10 * time.Millisecond
	for _, l := range loads {
		zones := l.resolver(t)
		took := make(map[spf.Speculation]time.Duration)
		for _, mode := range []spf.Speculation{spf.SpeculateNone, spf.SpeculateTXT, spf.SpeculateAll} {
			synctest.Test(t, func(t *testing.T) {
				far := resolver.Func(func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
					time.Sleep(roundTrip)
					return zones.Lookup(ctx, name, qtype)
				})
				start := time.Now()
				r := spf.Checker{Resolver: far, Speculate: mode, MaxOpen: 1000}.CheckMailFrom(t.Context(), l.addr, "helo.test", "u@"+l.domain)
				took[mode] = time.Since(start)
				if r.Status != l.status {
					t.Errorf("%s, %s: %s, %v", l.name, mode, r.Status, r.Err)
				}
			})
		}
		if want := time.Duration(l.depth) * roundTrip; took[spf.SpeculateAll] != want {
			t.Errorf("%s: %s, expected %s", l.name, took[spf.SpeculateAll], want)
		}
		t.Logf("%s: %d round trips with all asked ahead, %d by default, %d with nothing", l.name,
			took[spf.SpeculateAll]/roundTrip, took[spf.SpeculateTXT]/roundTrip, took[spf.SpeculateNone]/roundTrip)
	}
}

// A hostile zone answers any question with what costs most.
type hostile struct {
	text    func(name string) string // of the record at a name
	records int                      // TXT records beside it
	ptr     int                      // names of the client
	mx      int                      // mail exchangers of any name
}

func (h hostile) Lookup(_ context.Context, name string, qtype uint16) (resolver.Answer, error) {
	header := dns.RR_Header{Name: name, Rrtype: qtype, Class: dns.ClassINET, Ttl: 300}
	var a resolver.Answer
	switch qtype {
	case dns.TypeTXT:
		a.Records = append(a.Records, &dns.TXT{Hdr: header, Txt: txt.Split(h.text(name))})
		for range h.records {
			a.Records = append(a.Records, &dns.TXT{Hdr: header, Txt: []string{`\118=spf2`}})
		}
	case dns.TypeMX:
		for i := range h.mx {
			a.Records = append(a.Records, &dns.MX{Hdr: header, Preference: 10, Mx: fmt.Sprintf("h%d.%s", i, name)})
		}
	case dns.TypePTR:
		for i := range h.ptr {
			a.Records = append(a.Records, &dns.PTR{Hdr: header, Ptr: ptrName(i, h.ptr)})
		}
	case dns.TypeA:
		addr := net.IPv4(192, 0, 2, 200)
		if strings.HasSuffix(name, "client.test.") {
			addr = net.IPv4(192, 0, 2, 1)
		}
		a.Records = append(a.Records, &dns.A{Hdr: header, A: addr})
	}
	return a, nil
}

// ptrName is a name of the client: if it has many, one that takes work to read.
func ptrName(i, of int) string {
	domain := "example.test."
	if of > 1000 {
		domain = strings.Repeat(strings.Repeat("A\\007", 25)+".", 4) + domain
	}
	return fmt.Sprintf("p%d.%s", i, domain)
}

// failing is a hostile zone of which one question has no answer.
type failing struct {
	hostile
	question resolver.Question
}

func (f failing) Lookup(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
	if (resolver.Question{Name: name, Type: qtype}) == f.question {
		return resolver.Answer{}, errors.New("no answer")
	}
	return f.hostile.Lookup(ctx, name, qtype)
}

func mxTerms(prefix string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, " mx:%s%d.test", prefix, i)
	}
	return b.String()
}

func always(text string) func(string) string { return func(string) string { return text } }

// hostileRecords end as RFC 7208 says, within the bounds that the package states.
var hostileRecords = []struct {
	name   string
	zone   hostile
	status spf.Status
}{
	{"includes itself", hostile{text: always("v=spf1 include:x.example.test")}, spf.PermError},
	{"redirects to itself", hostile{text: always("v=spf1 redirect=x.example.test")}, spf.PermError},
	{"a tree of includes", hostile{text: func(name string) string {
		name = strings.TrimSuffix(name, ".")
		return "v=spf1 include:a." + name + " include:b." + name + " include:c." + name + " -all"
	}}, spf.PermError},
	{"ten mx of ten hosts", hostile{text: always("v=spf1" + strings.Repeat(" mx:%{p}.example.test", 10) + " -all exp=x.example.test"), mx: 10, ptr: 10}, spf.Fail},
	{"ten mx of ten hosts each of its own", hostile{text: func(name string) string {
		if strings.HasPrefix(name, "x") {
			return "v=spf1 include:y1.test include:y2.test include:y3.test include:y4.test include:y5.test include:y6.test include:y7.test include:y8.test include:y9.test include:y10.test"
		}
		return "v=spf1 include:x.test" + mxTerms("m", 9) + " exists:%{p}.test -all"
	}, mx: 10, ptr: 10}, spf.PermError},
	{"asked ahead in vain", hostile{text: func(name string) string {
		if name == "x.test." {
			return "v=spf1" + mxTerms("m", 8) + " exists:%{p}.client.test"
		}
		return "v=spf1 -include:x.test" + mxTerms("r", 9) + " exp=why.test"
	}, mx: 10, ptr: 10}, spf.Fail},
	{"eleven mail exchangers", hostile{text: always("v=spf1 mx -all"), mx: 11}, spf.PermError},
	{"a thousand names of the client", hostile{text: always("v=spf1 ptr ?all"), ptr: 1000}, spf.Neutral},
	{"macros that grow", hostile{text: always("v=spf1 exists:" + strings.Repeat("%{S}.%{s}", 7000) + ".test -all")}, spf.Pass},
	{"64 KiB of terms", hostile{text: always("v=spf1" + strings.Repeat(" a", 32000) + " -all")}, spf.PermError},
	{"64 KiB of modifiers", hostile{text: always("v=spf1" + strings.Repeat(" x=", 21000) + " -all")}, spf.Fail},
	{"64 KiB of networks", hostile{text: always("v=spf1" + strings.Repeat(" ip6:::", 9000) + " -all")}, spf.Fail},
	{"64 KiB of all", hostile{text: always("v=spf1" + strings.Repeat(" all", 16000))}, spf.Pass},
	{"64 KiB of mistakes", hostile{text: always("v=spf1" + strings.Repeat(" !", 32000))}, spf.PermError},
	{"includes of 64 KiB", hostile{text: always("v=spf1 " + strings.Repeat("x= ", 20000) + "include:x.example.test")}, spf.PermError},
	{"10,000 records", hostile{text: always("v=spf1 -all"), records: 10000}, spf.Fail},
	{"macros of the sender", hostile{text: always("v=spf1 exists:" + strings.Repeat("%{l1r-}%{S}", 5500) + ".test -all")}, spf.Pass},
	{"macros that are empty", hostile{text: always("v=spf1" + strings.Repeat(" exists:"+strings.Repeat("%{l1r-}", 800), 10) + " -all")}, spf.Pass},
	{"macros of the client's names", hostile{text: always("v=spf1 exists:" + strings.Repeat("%{p}", 15000) + ".client.test -all"), ptr: 10}, spf.Pass},
	{"an explanation of macros", hostile{text: func(name string) string {
		if name == "why.test." {
			return strings.Repeat("%{l1r-}%{p}", 5800)
		}
		return "v=spf1 -all exp=why.test"
	}, ptr: 10}, spf.Fail},
	{"escapes", hostile{text: always("v=spf1 x=" + strings.Repeat("\xff", 60000))}, spf.PermError},
	{"a name of 60,000 octets", hostile{text: always("v=spf1 a:" + strings.Repeat("!", 60000) + ".test -all")}, spf.Fail},
	{"capitals", hostile{text: always("v=spf1" + strings.Repeat(" -A/0//1", 8000))}, spf.Fail},
	{"4,000 names of the client in capitals", hostile{text: always("v=spf1" + strings.Repeat(" ptr:x.test", 10) + " -all"), ptr: 4000}, spf.Fail},
	{"twenty records of 60,000 octets", hostile{text: func(name string) string {
		text := "v=spf1 x=" + strings.Repeat("x", 60000)
		for i := range 10 {
			text += fmt.Sprintf(" include:i%d.%s", i, name[:min(len(name)-1, 50)])
		}
		return text + " -all"
	}}, spf.PermError},
	{"NUL and control octets", hostile{text: always("v=spf1 a:\x00.test \x01\x1b -all")}, spf.PermError},
}

// mostQuestions is what the package states of each mode.
var mostQuestions = map[spf.Speculation]int{spf.SpeculateNone: 123, spf.SpeculateTXT: 133, spf.SpeculateAll: 233}

func TestHostile(t *testing.T) {
	worst := make(map[spf.Speculation]int)
	for _, tt := range hostileRecords {
		for mode, most := range mostQuestions {
			c := spf.Checker{Resolver: tt.zone, Speculate: mode}
			r := c.CheckMailFrom(t.Context(), netip.MustParseAddr("192.0.2.1"), "helo.test", "user.name@example.test")
			if r.Status != tt.status || r.Questions > most {
				t.Errorf("%s, %s: %s (%v), %d questions; expected %s, at most %d", tt.name, mode, r.Status, r.Err, r.Questions, tt.status, most)
			}
			worst[mode] = max(worst[mode], r.Questions)
			invariants(t, r)
			if len(r.ReceivedSPF()) > 2500 {
				t.Errorf("%s: a field of %d octets", tt.name, len(r.ReceivedSPF()))
			}
		}
	}
	t.Logf("most questions: %v", worst)
}

// unpacked are the answers of a zone, made once, as they come out of a message of at most
// 64 KiB.
func unpacked(t *testing.T, zone resolver.Resolver) resolver.Resolver {
	t.Helper()
	answers := make(map[resolver.Question]resolver.Answer)
	var mu sync.Mutex
	return resolver.Func(func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
		mu.Lock()
		defer mu.Unlock()
		q := resolver.Question{Name: name, Type: qtype}
		a, ok := answers[q]
		if ok {
			return a, nil
		}
		a, _ = zone.Lookup(ctx, name, qtype)
		m := new(dns.Msg).SetQuestion(name, qtype)
		m.Answer, m.Compress = a.Records, true
		wire, err := m.Pack()
		for err != nil || len(wire) > dns.MaxMsgSize {
			m.Answer = m.Answer[:len(m.Answer)*9/10]
			wire, err = m.Pack()
		}
		if err := m.Unpack(wire); err != nil {
			t.Error(err)
		}
		a.Records = m.Answer
		answers[q] = a
		return a, nil
	})
}

// A check itself allocates little and its result holds little, whatever the answers and the
// sender are.
func TestHostileMemory(t *testing.T) {
	const most, mostHeld = 8 << 20, 1 << 20
	sender := strings.Repeat("-a", 480) + "@example.test"
	check := func(c spf.Checker) any {
		return c.CheckMailFrom(t.Context(), netip.MustParseAddr("192.0.2.1"), "helo.test", sender)
	}
	worst, worstHeld := int64(0), int64(0)
	for _, tt := range hostileRecords {
		zone := unpacked(t, tt.zone)
		for mode := range mostQuestions {
			c := spf.Checker{Resolver: zone, MaxOpen: 1, Speculate: mode}
			allocated := cost.Allocated(most, func() any { return check(c) })
			if worst = max(worst, allocated); allocated > most {
				t.Errorf("%s, %s: %d KiB", tt.name, mode, allocated>>10)
			}
		}
		held := cost.Once(func() any { return check(spf.Checker{Resolver: zone}) }).Live
		if worstHeld = max(worstHeld, held); held > mostHeld {
			t.Errorf("%s: the result holds %d KiB", tt.name, held>>10)
		}
	}
	t.Logf("at most %d KiB allocated, %d KiB held", worst>>10, worstHeld>>10)
}

// An analysis of the worst records stays small, and so does what it says about them.
func TestHostileAnalysis(t *testing.T) {
	for _, tt := range hostileRecords {
		a := spf.Analyze(t.Context(), tt.zone, "example.test")
		if a.Questions > 2700 || len(a.Lints) > 201 {
			t.Errorf("%s: %d questions, %d lints", tt.name, a.Questions, len(a.Lints))
		}
		if a.Root.Record != nil && len(a.Sets) == 0 {
			t.Errorf("%s: nothing is said about anybody", tt.name)
		}
	}
}
