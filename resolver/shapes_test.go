package resolver_test

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
)

// Denials and aliases as real servers write them, each with what it is taken for. Behind
// each server is another that knows www.example.test and end.example.net.
func TestServerShapes(t *testing.T) {
	const (
		zoneSOA  = "auth example.test. 900 IN SOA ns.example.test. h.example.test. 1 7200 3600 1209600 600"
		otherSOA = "auth example.net. 900 IN SOA ns.example.net. h.example.net. 1 7200 3600 1209600 600"
		toEnd    = "www.example.test. 300 IN CNAME end.example.net."
		noData   = "NODATA"
		nxDomain = "NXDOMAIN"
		next     = "192.0.2.99"                       // of the server behind
		target   = "end.example.net. asked for, then" // what is said about it
	)
	for _, tt := range []struct {
		server string
		qtype  uint16 // A
		rcode  int
		lines  []string
		end    []string // what the server says about end.example.net
		want   string
	}{
		{server: "BIND, Knot, NSD", lines: []string{"aa", zoneSOA}, want: noData},
		{server: "BIND, Knot, NSD", rcode: dns.RcodeNameError, lines: []string{"aa", zoneSOA}, want: nxDomain},
		{server: "BIND with additional NS of the zone", lines: []string{"aa", zoneSOA, "auth example.test. 900 IN NS ns.example.test."}, want: noData},
		{server: "an authority whose alias leaves its zones", lines: []string{"aa", toEnd}, end: []string{"aa", otherSOA}, want: target + noData},
		{server: "an authority whose alias leaves its zones, to a referral", lines: []string{"aa", toEnd, "auth . 900 IN NS a.root.test."},
			end: []string{"ra"}, want: target + noData},
		{server: "an authority that answers NXDOMAIN for an alias out of its zones (RFC 6604)", rcode: dns.RcodeNameError, lines: []string{"aa", toEnd},
			end: []string{"aa", otherSOA}, want: target + noData},
		{server: "an authority with the zone's own SOA beside an alias out of it", lines: []string{"aa", toEnd, zoneSOA}, end: []string{"ra"}, want: target + noData},
		{server: "BIND as a resolver", lines: []string{"ra", zoneSOA}, want: noData},
		{server: "Unbound", rcode: dns.RcodeNameError, lines: []string{"ra", zoneSOA}, want: nxDomain},
		{server: "Unbound, alias", lines: []string{"ra", toEnd, otherSOA}, want: noData},
		{server: "Unbound, alias to a name that does not exist", rcode: dns.RcodeNameError, lines: []string{"ra", toEnd, otherSOA}, want: nxDomain},
		{server: "Unbound local-data: a name with another type", lines: []string{"aa", "ra"}, want: noData},
		{server: "Unbound local-zone static", rcode: dns.RcodeNameError, lines: []string{"aa", "ra"}, want: nxDomain},
		{server: "Unbound local-zone with a SOA", rcode: dns.RcodeNameError, lines: []string{"aa", "ra", zoneSOA}, want: nxDomain},
		{server: "dnsmasq, a name of the hosts file", lines: []string{"aa", "ra"}, want: noData},
		{server: "dnsmasq, filtered (filter-AAAA)", qtype: dns.TypeAAAA, lines: []string{"ra"}, want: noData},
		{server: "dnsmasq, a domain of its own", rcode: dns.RcodeNameError, lines: []string{"ra"}, want: nxDomain},
		{server: "dnsmasq over a resolver", lines: []string{"ra", zoneSOA}, want: noData},
		{server: "dnsmasq over a lame server", lines: []string{"ra", "auth example.test. 900 IN NS ns.example.test."}, want: next},
		{server: "dnsmasq over a server that refers to the root", lines: []string{"ra", "auth . 900 IN NS a.root.test."}, want: next},
		{server: "dnsmasq, cname= to a name that it does not know", lines: []string{"aa", "ra", toEnd}, end: []string{"ra"}, want: target + noData},
		{server: "Docker's resolver: a container without IPv6", qtype: dns.TypeAAAA, lines: []string{"ra"}, want: noData},
		{server: "Docker's resolver over a lame server", lines: []string{"ra", "auth test. 900 IN NS ns.test."}, want: next},
		{server: "systemd-resolved", lines: []string{"ra"}, want: noData},
		{server: "systemd-resolved", rcode: dns.RcodeNameError, lines: []string{"ra"}, want: nxDomain},
		{server: "systemd-resolved, an alias alone", lines: []string{"ra", toEnd}, end: []string{"ra"}, want: target + noData},
		{server: "systemd-resolved, an alias alone, to a name that does not exist", rcode: dns.RcodeNameError, lines: []string{"ra", toEnd},
			end: []string{"nxdomain", "ra"}, want: target + nxDomain},
		{server: "tinydns", lines: []string{"aa", zoneSOA}, want: noData},
		{server: "tinydns", rcode: dns.RcodeNameError, lines: []string{"aa", zoneSOA}, want: nxDomain},
		{server: "tinydns, an alias", lines: []string{"aa", toEnd}, end: []string{"refused"}, want: target + next},
		{server: "rbldnsd without $SOA", rcode: dns.RcodeNameError, lines: []string{"aa"}, want: nxDomain},
		{server: "rbldnsd with $SOA", rcode: dns.RcodeNameError, lines: []string{"aa", zoneSOA}, want: nxDomain},
		{server: "rbldnsd with $NS", lines: []string{"aa", "auth example.test. 900 IN NS ns.example.test."}, want: noData},
		{server: "CoreDNS hosts", qtype: dns.TypeAAAA, lines: []string{"aa", "ra"}, want: noData},
		{server: "CoreDNS file", rcode: dns.RcodeNameError, lines: []string{"aa", zoneSOA}, want: nxDomain},
		{server: "CoreDNS template", rcode: dns.RcodeNameError, lines: []string{"aa"}, want: nxDomain},
		{server: "CoreDNS kubernetes", lines: []string{"aa", "auth test. 5 IN SOA ns.dns.test. h.test. 1 7200 1800 86400 5"}, want: noData},
		{server: "one with a SOA and neither bit", lines: []string{zoneSOA}, want: noData},
		{server: "one with a SOA and neither bit", rcode: dns.RcodeNameError, lines: []string{zoneSOA}, want: nxDomain},
		{server: "a cache that answers NXDOMAIN with NS (RFC 2308, Section 2.1, type 4)", rcode: dns.RcodeNameError,
			lines: []string{"ra", "auth example.test. 900 IN NS ns.example.test."}, want: nxDomain},
		{server: "minimal responses", lines: []string{"ra", zoneSOA}, want: noData},
		{server: "minimal responses, an alias to records", lines: []string{"ra", toEnd, "end.example.net. 300 IN A 192.0.2.10"}, want: "192.0.2.10"},
		{server: "DNS64: the A records lead to nothing either", qtype: dns.TypeAAAA, lines: []string{"ra", zoneSOA}, want: noData},
		{server: "DNS64", qtype: dns.TypeAAAA, lines: []string{"ra", "www.example.test. 300 IN AAAA 64:ff9b::c000:20a"}, want: "64:ff9b::c000:20a"},
		{server: "DNS64, an alias", qtype: dns.TypeAAAA, lines: []string{"ra", toEnd, "end.example.net. 300 IN AAAA 64:ff9b::c000:20a"}, want: "64:ff9b::c000:20a"},
		{server: "DNS64, a reverse name by an alias alone (RFC 6147, Section 5.3.1)", qtype: dns.TypePTR, lines: []string{"ra", toEnd}, end: []string{"ra"},
			want: target + noData},
		{server: "one that signs: an alias and its signature", lines: []string{"ra", toEnd, signature("www.example.test."), otherSOA}, want: noData},
		{server: "a lame one", lines: nil, want: next},
		{server: "a lame one", rcode: dns.RcodeNameError, lines: nil, want: next},
		{server: "a referral", lines: []string{"auth example.test. 900 IN NS ns.example.test."}, want: next},
		{server: "a referral to the root", lines: []string{"auth . 900 IN NS a.root.test.", "add a.root.test. 900 IN A 192.0.2.53"}, want: next},
		{server: "an alias to a name that is never asked, with its address", lines: []string{"ra", "www.example.test. 300 IN CNAME x.localhost.", "x.localhost. 300 IN A 127.0.0.1"}, want: nxDomain},
		{server: "an alias to a name that is never asked, alone", lines: []string{"aa", "www.example.test. 300 IN CNAME x.localhost."}, want: nxDomain},
		{server: "a forger, or a mixed-up cache", lines: []string{"ra", zoneSOA, "evil.example. 300 IN A 192.0.2.66"}, want: next},
	} {
		t.Run(tt.server, func(t *testing.T) {
			var mu sync.Mutex
			var asked []string
			first := startServer(t, func(_ dns.ResponseWriter, r *dns.Msg) *dns.Msg {
				if r.Question[0].Name == "www.example.test." {
					return say(r, tt.rcode, tt.lines...)
				}
				mu.Lock()
				asked = append(asked, r.Question[0].Name)
				mu.Unlock()
				if len(tt.end) == 0 {
					return say(r, dns.RcodeServerFailure)
				}
				switch tt.end[0] {
				case "nxdomain":
					return say(r, dns.RcodeNameError, tt.end[1:]...)
				case "refused":
					return say(r, dns.RcodeRefused)
				}
				return say(r, dns.RcodeSuccess, tt.end...)
			})
			second := startServer(t, func(_ dns.ResponseWriter, r *dns.Msg) *dns.Msg {
				return say(r, dns.RcodeSuccess, r.Question[0].Name+" 60 IN A 192.0.2.99", r.Question[0].Name+" 60 IN AAAA 2001:db8::99")
			})
			c := resolver.Client{Servers: []netip.AddrPort{first, second}, Rounds: 1}
			qtype := tt.qtype
			if qtype == 0 {
				qtype = dns.TypeA
			}
			a, err := c.Lookup(t.Context(), "www.example.test.", qtype)
			if err != nil {
				t.Fatal(err)
			}
			got := map[resolver.Status]string{resolver.NoError: noData, resolver.NXDomain: nxDomain}[a.Status]
			for _, addr := range a.Addrs() {
				got = addr.String()
			}
			mu.Lock()
			defer mu.Unlock()
			if len(asked) > 0 {
				got = fmt.Sprintf("%s asked for, then%s", strings.Join(asked, " "), got)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%v (-want +got)\n%s", a, diff)
			}
		})
	}
}
