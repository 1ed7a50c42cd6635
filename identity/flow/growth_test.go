package flow_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/identity/flow"
	"github.com/bonafide-mta/bonafide/internal/lab/cost"
	"github.com/bonafide-mta/bonafide/internal/lab/hostile"
	"github.com/bonafide-mta/bonafide/resolver"
)

// crowds are zones in which two things are many that could be multiplied. Each line is repeated
// with # as the number.
var crowds = map[string]string{
	"aliases of a node with many addresses":           "m#.z.test. CNAME big.z.test.\nd#.z.test. MX 10 m#.z.test.\nbig.z.test. A 10.0.HI.LO",
	"MX records to one host with many addresses":      "d#.z.test. MX 10 big.z.test.\nbig.z.test. A 10.0.HI.LO",
	"SPF records that name one host":                  `d#.z.test. TXT "v=spf1 a:big.z.test/24 mx:big.z.test -all"` + "\nbig.z.test. A 10.0.HI.LO",
	"SPF records that name one domain with many MX":   `d#.z.test. TXT "v=spf1 mx:many.z.test/2LAST -all"` + "\nmany.z.test. MX 10 big.z.test.\nmany.z.test. MX 10 x#.z.test.\nbig.z.test. A 10.0.HI.LO",
	"names of one machine":                            "d.z.test. MX 10 n0.z.test.\nn#.z.test. A 10.0.0.1",
	"names of one machine with many addresses":        "d.z.test. MX 10 big.z.test.\nbig.z.test. A 10.0.HI.LO\nn#.z.test. A 10.0.HI.LO",
	"PTR names of one address":                        "d.z.test. MX 10 n0.z.test.\nn0.z.test. A 10.0.0.1\n1.0.0.10.in-addr.arpa. PTR n#.z.test.",
	"PTR names below the domain of many SPF records":  `d#.z.test. TXT "v=spf1 ptr:z.test -all"` + "\n#.0.0.10.in-addr.arpa. PTR n#.z.test.",
	"redirects in a row":                              `d#.z.test. TXT "v=spf1 redirect=dNEXT.z.test"`,
	"includes of one name":                            `d#.z.test. TXT "v=spf1 include:_spf.z.test include:f#.else.test -all"`,
	"aliases in a row":                                "m#.z.test. CNAME mNEXT.z.test.\nd#.z.test. MX 10 m#.z.test.",
	"DNAMEs in a row":                                 "m#.z.test. DNAME mNEXT.z.test.\nd#.z.test. MX 10 h.m#.z.test.",
	"names that a wildcard answers for":               "*.w.z.test. A 10.0.HI.LO\nd#.z.test. MX 10 h#.w.z.test.",
	"CSA records of names with one target":            "_client._smtp.n#.z.test. SRV 1 2 1 big.z.test.\nbig.z.test. A 10.0.HI.LO",
	"keys of one name, and of names with many labels": "s#._domainkey.n.z.test. TXT \"p=x\"\n_dmarc.n.#.z.test. TXT \"v=DMARC1; p=none\"",
}

// crowd returns the records of a zone, n of each line of a text.
func crowd(tb testing.TB, text string, n int) []dns.RR {
	tb.Helper()
	records := []dns.RR{&dns.SOA{Hdr: dns.RR_Header{Name: "z.test.", Rrtype: dns.TypeSOA, Class: dns.ClassINET}, Ns: "ns.", Mbox: "h."}}
	for line := range strings.SplitSeq(text, "\n") {
		for i := range n {
			rr, err := dns.NewRR(strings.NewReplacer("#", fmt.Sprint(i), "NEXT", fmt.Sprint(i+1), "HI", fmt.Sprint(i/256), "LO", fmt.Sprint(i%256), "LAST", fmt.Sprint(i%8)).Replace(line))
			if err != nil {
				tb.Fatal(err)
			}
			records = append(records, rr)
		}
	}
	return records
}

// A survey takes time as the zone grows, whether it has many names or many records at one, and
// whatever they have in common.
func TestGrowth(t *testing.T) {
	zones := map[string]func(n int) []dns.RR{"many names": hostile.WideZone, "one name": hostile.DeepZone}
	for name, text := range crowds {
		zones[name] = func(n int) []dns.RR { return crowd(t, text, n) }
	}
	for name, zone := range zones {
		t.Run(name, func(t *testing.T) {
			small, large := zone(200), zone(2000)
			cost.Linear(t, 200, func(n int) any {
				records := small
				if n > 200 {
					records = large
				}
				s, err := flow.Read(resolver.SeqOf(records...), nil)
				if err != nil {
					t.Fatal(err)
				}
				flows := 0
				for range s.Flows() {
					flows++
				}
				for range s.Foreign() {
					flows++
				}
				for _, n := range s.Nodes() {
					flows += len(s.Authorized(n.Name))
				}
				if flows > 4*len(records) {
					t.Errorf("%d flows of %d records", flows, len(records))
				}
				return s
			})
		})
	}
}
