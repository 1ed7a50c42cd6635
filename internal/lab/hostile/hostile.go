// Package hostile is a DNS that answers every question with as much as it can, for tests of
// bounds.
package hostile

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
)

// PerMessage is about how many records of the shortest kind a DNS message holds.
const PerMessage = 4000

// DNS returns a Resolver that has n records of every type at every name that is asked for,
// as if a wildcard answered for all of them. They point to names that exist in the same way.
// Among the texts is one SPF record, of n networks and three includes.
func DNS(n int) resolver.Resolver { return answers(n, "example.test.") }

// LongNames is DNS with names that are as long as a name may be, for records that point
// elsewhere.
func LongNames(n int) resolver.Resolver {
	label := strings.Repeat("x", 62) + "."
	return answers(n, label+label+label+strings.Repeat("x", 36)+".example.test.")
}

// WideZone returns the records of z.test, which has n names with a record of every type.
func WideZone(n int) []dns.RR {
	return zone(n, func(i int) string { return fmt.Sprintf("h%d.z.test.", i) })
}

// DeepZone returns the records of z.test, which has n records of every type at its apex.
func DeepZone(n int) []dns.RR { return zone(n, func(int) string { return "z.test." }) }

func zone(n int, owner func(i int) string) []dns.RR {
	records := []dns.RR{&dns.SOA{Hdr: dns.RR_Header{Name: "z.test.", Rrtype: dns.TypeSOA, Class: dns.ClassINET}, Ns: "ns.", Mbox: "h."}}
	for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeMX, dns.TypeSRV, dns.TypeTXT} {
		for i := range n {
			records = append(records, record(owner(i), "example.test.", qtype, i, n))
		}
	}
	return records
}

func answers(n int, below string) resolver.Resolver {
	return resolver.Func(func(_ context.Context, name string, qtype uint16) (resolver.Answer, error) {
		a := resolver.Answer{Server: "192.0.2.53"}
		for i := range n {
			if rr := record(name, below, qtype, i, n); rr != nil {
				a.Records = append(a.Records, rr)
			}
		}
		return a, nil
	})
}

// record returns the record with a number from 0 to n, nil for types that no mail uses.
func record(name, below string, qtype uint16, i, n int) dns.RR {
	hdr := dns.RR_Header{Name: name, Rrtype: qtype, Class: dns.ClassINET, Ttl: 60}
	target := fmt.Sprintf("h%d.%s", i, below)
	ip := binary.BigEndian.AppendUint32(nil, 198<<24|18<<16|uint32(i))
	switch qtype {
	case dns.TypeA:
		return &dns.A{Hdr: hdr, A: ip}
	case dns.TypeAAAA:
		return &dns.AAAA{Hdr: hdr, AAAA: append([]byte{0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0}, ip...)}
	case dns.TypePTR:
		return &dns.PTR{Hdr: hdr, Ptr: target}
	case dns.TypeMX:
		return &dns.MX{Hdr: hdr, Preference: 10, Mx: target}
	case dns.TypeSRV:
		return &dns.SRV{Hdr: hdr, Priority: 1, Weight: 2, Port: 1, Target: target}
	case dns.TypeRP:
		return &dns.RP{Hdr: hdr, Mbox: target, Txt: target}
	case dns.TypeTXT:
		if i == 0 {
			return &dns.TXT{Hdr: hdr, Txt: policy(name, min(n, 3500))} // 64 KiB
		}
		return &dns.TXT{Hdr: hdr, Txt: []string{fmt.Sprintf("text %d", i)}}
	}
	return nil
}

// policy returns an SPF record, in strings of a few terms.
func policy(name string, networks int) []string {
	below := strings.TrimSuffix(name, ".")
	if len(below) > 200 {
		below = "example.test"
	}
	texts := []string{fmt.Sprintf("v=spf1 include:a.%[1]s include:b.%[1]s include:c.%[1]s", below)}
	for i := range networks {
		texts = append(texts, fmt.Sprintf(" ip4:198.18.%d.%d", i>>8&255, i&255))
	}
	return append(texts, " ~all")
}
