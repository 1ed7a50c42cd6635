package resolver_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
)

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
		var chain, records []dns.RR
		for line := range strings.Lines(tt.chain) {
			chain = append(chain, rr(line))
		}
		for line := range strings.Lines(tt.records) {
			records = append(records, rr(line))
		}
		answers := make([]resolver.Answer, n)
		before := liveHeap()
		for i := range answers {
			name := fmt.Sprintf("host-%07d.example.test.", i)
			answers[i] = resolver.Answer{Chain: received(t, chain, name), Records: received(t, records, name), Server: fmt.Sprintf("192.0.2.%d:53", i%256)}
		}
		took, counted := (liveHeap()-before)/n, int64(0)
		for _, a := range answers {
			counted += a.Size()
		}
		counted /= n
		t.Logf("%s: %d bytes, counted as %d", tt.name, took, counted)
		if took > counted+noise || counted >= 2*took+noise {
			t.Errorf("%s: %d bytes, counted as %d", tt.name, took, counted)
		}
		runtime.KeepAlive(answers)
	}
}
