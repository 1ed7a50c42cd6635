package peers_test

import (
	"errors"
	"fmt"
	"net"
	"testing"

	"github.com/foxcpp/go-mockdns"
	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
)

// A go-mockdns Resolver, which tests of mail programs have, by way of FromNet.
func TestFromMockDNS(t *testing.T) {
	r := resolver.FromNet{Resolver: &mockdns.Resolver{Zones: map[string]mockdns.Zone{
		"example.test.": {
			MX: []net.MX{{Host: "mail.example.test", Pref: 10}}, TXT: []string{"v=spf1 mx -all", ""},
			NS: []net.NS{{Host: "ns.example.test."}},
		},
		"mail.example.test.":       {A: []string{"192.0.2.10"}, AAAA: []string{"2001:db8::10"}},
		"v4.example.test.":         {A: []string{"192.0.2.11"}},
		"www.example.test.":        {CNAME: "mail.example.test."},
		"lost.example.test.":       {CNAME: "nothing.example.test."},
		"null.example.test.":       {MX: []net.MX{{Host: "."}}},
		"empty.example.test.":      {MX: []net.MX{{}}},
		"fails.example.test.":      {Err: &net.DNSError{Err: "server misbehaving", IsTemporary: true}},
		"odd.example.test.":        {A: []string{"nonsense"}},
		"_sip._tcp.example.test.":  {SRV: []net.SRV{{Target: "mail.example.test.", Port: 5060}}},
		"10.2.0.192.in-addr.arpa.": {PTR: []string{"mail.example.test"}},
	}}}
	for _, tt := range []struct {
		name  string
		qtype uint16
		want  string
	}{
		{"example.test", dns.TypeMX, "10 mail.example.test."},
		{"example.test", dns.TypeTXT, `"v=spf1 mx -all" ""`},
		{"example.test", dns.TypeNS, "ns.example.test."},
		{"MAIL.example.test", dns.TypeA, "192.0.2.10"},
		{"mail.example.test", dns.TypeAAAA, "2001:db8::10"},
		{"v4.example.test", dns.TypeAAAA, "NOTFOUND"},
		{"www.example.test", dns.TypeA, "192.0.2.10"},
		{"lost.example.test", dns.TypeA, "NOTFOUND"},
		{"mail.example.test", dns.TypeMX, "NOTFOUND"}, // it returns nothing and no error
		{"nothing.example.test", dns.TypeTXT, "NOTFOUND"},
		{"null.example.test", dns.TypeMX, "0 ."},
		{"empty.example.test", dns.TypeMX, "error"},
		{"fails.example.test", dns.TypeA, "error"},
		{"odd.example.test", dns.TypeA, "error"},
		{"_sip._tcp.example.test", dns.TypeSRV, "0 0 5060 mail.example.test."},
		{"srv.example.test", dns.TypeSRV, "unsupported"}, // it would look up _._.srv.example.test
		{"10.2.0.192.in-addr.arpa", dns.TypePTR, "mail.example.test."},
		{"11.2.0.192.in-addr.arpa", dns.TypePTR, "NOTFOUND"},
		{"example.test", dns.TypeRP, "unsupported"},
	} {
		reply := resolver.Ask(t.Context(), r, tt.name, tt.qtype)
		got := ""
		for i, rr := range reply.Records {
			if i > 0 {
				got += " "
			}
			got += rr.String()[len(rr.Header().String()):]
		}
		switch {
		case errors.Is(reply.Err, errors.ErrUnsupported):
			got = "unsupported"
		case reply.Err != nil:
			got = "error"
		case got == "":
			got = fmt.Sprint(reply.Status)
		}
		if got != tt.want {
			t.Errorf("%s %s: got %s, want %s (%v)", tt.name, resolver.TypeString(tt.qtype), got, tt.want, reply)
		}
		if reply.Err == nil && reply.Server != "*mockdns.Resolver" {
			t.Errorf("got the server %q", reply.Server)
		}
	}
}
