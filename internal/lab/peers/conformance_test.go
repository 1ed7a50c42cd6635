package peers_test

import (
	"net"
	"strings"
	"testing"

	"github.com/foxcpp/go-mockdns"
	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/resolver/resolvertest"
)

// go-mockdns by way of FromNet keeps the promises of a Resolver, as far as it has the
// records.
func TestInteropMockDNSConformance(t *testing.T) {
	resolvertest.TestRecords(t, func(t testing.TB, zoneText string) resolver.Resolver {
		if strings.Contains(zoneText, "*") || strings.Contains(zoneText, "DNAME") {
			t.Skip("go-mockdns has no wildcards and no DNAME records")
		}
		if strings.Contains(zoneText, "loud ") {
			t.Skip("go-mockdns compares the targets of aliases with their case")
		}
		if strings.Contains(zoneText, "loop1") {
			t.Skip("go-mockdns follows aliases in a circle for ever")
		}
		zones, err := resolver.ParseZones(zoneText)
		if err != nil {
			t.Fatal(err)
		}
		mock := make(map[string]mockdns.Zone)
		for rr := range zones.Records() {
			zone := mock[rr.Header().Name]
			switch rr := rr.(type) {
			case *dns.A:
				zone.A = append(zone.A, rr.A.String())
			case *dns.AAAA:
				zone.AAAA = append(zone.AAAA, rr.AAAA.String())
			case *dns.CNAME:
				zone.CNAME = rr.Target
			case *dns.MX:
				zone.MX = append(zone.MX, net.MX{Host: rr.Mx, Pref: rr.Preference})
			case *dns.NS:
				zone.NS = append(zone.NS, net.NS{Host: rr.Ns})
			case *dns.PTR:
				zone.PTR = append(zone.PTR, rr.Ptr)
			case *dns.SRV:
				zone.SRV = append(zone.SRV, net.SRV{Target: rr.Target, Port: rr.Port, Priority: rr.Priority, Weight: rr.Weight})
			case *dns.TXT:
				zone.TXT = append(zone.TXT, resolver.Answer{Records: []dns.RR{rr}}.TXT()...)
			}
			mock[rr.Header().Name] = zone
		}
		return resolver.FromNet{Resolver: &mockdns.Resolver{Zones: mock}}
	})
}
