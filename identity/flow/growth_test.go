package flow_test

import (
	"fmt"
	"testing"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/identity/flow"
	"github.com/bonafide-mta/bonafide/internal/lab/cost"
	"github.com/bonafide-mta/bonafide/internal/lab/hostile"
	"github.com/bonafide-mta/bonafide/resolver"
)

// A survey takes time as the zone grows, whether it has many names or many records at one.
func TestGrowth(t *testing.T) {
	for name, at := range map[string]func(i int) string{
		"many names": func(i int) string { return fmt.Sprintf("h%d.z.test.", i) },
		"one name":   func(int) string { return "z.test." },
	} {
		t.Run(name, func(t *testing.T) {
			cost.Linear(t, 300, func(n int) any {
				records := []dns.RR{&dns.SOA{Hdr: dns.RR_Header{Name: "z.test.", Rrtype: dns.TypeSOA, Class: dns.ClassINET}, Ns: "ns.", Mbox: "h."}}
				for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeMX, dns.TypeSRV, dns.TypeTXT} {
					for i, rr := range resolver.Ask(t.Context(), hostile.DNS(n), "z.test", qtype).Records {
						rr.Header().Name = at(i)
						records = append(records, rr)
					}
				}
				s, err := flow.Read(resolver.SeqOf(records...), nil)
				if err != nil {
					t.Fatal(err)
				}
				for _, n := range s.Nodes() {
					for _, addr := range n.Addrs {
						s.Authorizer(addr)
					}
				}
				return s
			})
		})
	}
}
