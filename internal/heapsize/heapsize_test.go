package heapsize_test

import (
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/heapsize"
	"github.com/bonafide-mta/bonafide/internal/lab/cost"
	"github.com/bonafide-mta/bonafide/resolver"
)

// received returns records as they come in a message, for a name in place of "@.".
func received(t *testing.T, lines, name string) []dns.RR {
	t.Helper()
	m := new(dns.Msg)
	for line := range strings.Lines(lines) {
		rr, err := dns.NewRR(line)
		if err != nil {
			t.Fatal(err)
		}
		if rr.Header().Name == "@." {
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

// What an answer is said to take is what it takes of the live heap, and less than
// twice as much.
func TestAnswerSize(t *testing.T) {
	const n, noise = 4000, 8 // answers, and bytes for each that are the runtime's own
	for _, tt := range []struct {
		name           string
		chain, records string
	}{
		{"nothing", "", ""},
		{"A", "", "@. 300 A 192.0.2.1"},
		{"16 AAAA", "", strings.Repeat("@. 300 AAAA 2001:db8::1\n", 16)},
		{"MX", "", "@. 300 MX 10 mail.example.net.\n@. 300 MX 20 mail2.example.net."},
		{"a short TXT", "", `@. 300 TXT "v=spf1 -all"`},
		{"a long TXT", "", `@. 300 TXT "` + strings.Repeat("x", 250) + `" "` + strings.Repeat("y", 250) + `"`},
		{"a TXT of many strings", "", "@. 300 TXT " + strings.Repeat(`"" `, 300)},
		{"SRV and SOA", "", "@. 300 SRV 1 2 3 mail.example.net.\n@. 300 SOA ns.example.net. host.example.net. 1 2 3 4 5"},
		{"SVCB", "", "@. 300 SVCB 1 example.net. alpn=h2,h3 ipv4hint=192.0.2.1,192.0.2.2 port=53"},
		{"aliases", "@. 300 CNAME a.example.net.\na.example.net. 300 CNAME b.example.net.", "b.example.net. 300 A 192.0.2.1"},
	} {
		answers := make([]resolver.Answer, n)
		before := cost.Live()
		for i := range answers {
			name := fmt.Sprintf("host-%07d.example.test.", i)
			answers[i] = resolver.Answer{Chain: received(t, tt.chain, name), Records: received(t, tt.records, name), Server: fmt.Sprintf("192.0.2.%d:53", i%256)}
		}
		took, counted := (cost.Live()-before)/n, int64(0)
		for _, a := range answers {
			counted += heapsize.Of(a, math.MaxInt64)
		}
		counted /= n
		t.Logf("%s: %d bytes, counted as %d", tt.name, took, counted)
		if took > counted+noise || counted >= 2*took+noise {
			t.Errorf("%s: %d bytes, counted as %d", tt.name, took, counted)
		}
		runtime.KeepAlive(answers)
	}
}

// What is over the limit is found to be soon, and so is what cannot be counted.
func TestLimit(t *testing.T) {
	var many []dns.RR
	for range 1 << 14 {
		many = append(many, &dns.TXT{Txt: []string{"text"}})
	}
	if n := testing.AllocsPerRun(1, func() { heapsize.Of(many, 1000) }); n > 10 {
		t.Errorf("%v allocations", n)
	}
	for _, v := range []any{many, map[string]int{}, struct{ c chan int }{}} {
		if n := heapsize.Of(v, 1000); n <= 1000 {
			t.Errorf("%T: %d", v, n)
		}
	}
	if n := heapsize.Of(resolver.Answer{}, 1000); n != 0 {
		t.Errorf("the zero answer takes %d", n)
	}
}
