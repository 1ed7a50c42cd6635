package flow_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/identity/flow"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/resolver"
)

// A description that DNS contradicts is noted, never where DNS is not known; what fits, by a
// name, an alias, a wildcard or an address, is not.
func TestContradictions(t *testing.T) {
	const zone = "$TTL 300\n$ORIGIN example.test.\n@ SOA ns hostmaster 1 1 1 1 60\npost A 192.0.2.10\n"
	const reverse = "$ORIGIN 2.0.192.in-addr.arpa.\n@ SOA ns hostmaster 1 1 1 1 60\n"
	const undescribed = ", which no MTA is described with: its HELO name, and what it sends, are neither audited nor planned for"
	const absent = ": what others see of it is not audited, so make sure that it is right before you publish its records"
	for _, test := range []struct {
		name, more, described string
		want                  []string
	}{
		{"all fits", "@ MX 10 post\n", "", nil},
		{"an exchanger of ours that is not described", "@ MX 10 post\n@ MX 20 mx2\nmx2 A 192.0.2.12\n", "",
			[]string{"mx2.example.test: it takes the mail of example.test. and has 192.0.2.12" + undescribed}},
		{"an exchanger of a HELO name", "post MX 20 mx2\nmx2 A 192.0.2.12\n", "",
			[]string{"mx2.example.test: it takes the mail of post.example.test. and has 192.0.2.12" + undescribed}},
		{"an exchanger by a wildcard", "@ MX 20 mx2\n* A 192.0.2.12\n", "",
			[]string{"mx2.example.test: it takes the mail of example.test. and has 192.0.2.12" + undescribed}},
		{"an alias of an MTA", "@ MX 20 mx2\nmx2 CNAME post\n", "", nil},
		{"a second name of an MTA", "@ MX 20 mx2\nmx2 A 192.0.2.10\n", "", nil},
		{"a provider's", "@ MX 20 mx.provider.test.\n", "", nil},
		{"without an address", "@ MX 20 gone\n", "", nil},
		{"a Null MX", "@ MX 0 .\n", "", nil},
		{"an address that nobody has", "@ MX 10 post\n", "addresses: [192.0.2.10, 192.0.2.20, 192.0.2.21]",
			[]string{"20.2.0.192.in-addr.arpa: no record has 192.0.2.20, 192.0.2.21, described for mx1" + absent}},
		{"an address with a PTR record", "@ MX 10 post\n" + reverse + "20 PTR old.example.test.\n", "addresses: [192.0.2.10, 192.0.2.20]", nil},
		{"an address of an exchanger", "@ MX 10 post\n@ MX 10 mx2\nmx2 A 192.0.2.20\n", "addresses: [192.0.2.10, 192.0.2.20]", nil},
		{"a private address", "@ MX 10 post\n", "addresses: [192.0.2.10, 10.0.0.1]", nil},
		{"a reverse zone that is not known", "@ MX 10 post\n", "addresses: [192.0.2.10, 198.51.100.1]", nil},
	} {
		described := test.described
		if described == "" {
			described = "addresses: [192.0.2.10]"
		}
		o, err := org.Parse("", []byte("domain: example.test\nmtas: [{id: mx1, helo: post.example.test, "+described+"}]"))
		if err != nil {
			t.Fatal(err)
		}
		text := zone + test.more
		if !strings.Contains(text, reverse) {
			text += reverse
		}
		zones, err := resolver.ParseZones(text)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, note := range flow.Contradictions(o, func(q resolver.Question) ([]dns.RR, bool) {
			answer := resolver.Ask(t.Context(), zones, q.Name, q.Type)
			return answer.Records, answer.Err == nil
		}) {
			got = append(got, note.String())
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
		if unknown := flow.Contradictions(o, func(resolver.Question) ([]dns.RR, bool) { return nil, false }); len(unknown) > 0 {
			t.Errorf("%s: nothing is known, and %v", test.name, unknown)
		}
	}
}

// What lies behind an alias is left to its owner, except addresses, and what is ours.
func TestAtAlias(t *testing.T) {
	var got []string
	for _, name := range []string{"post.example.test.", "_client._smtp.post.example.test."} {
		for _, rtype := range []uint16{dns.TypeA, dns.TypeTXT, dns.TypeMX, dns.TypeSRV} {
			for _, ours := range []bool{false, true} {
				text := flow.AtAlias(name, "host.test.", rtype, ours)
				if strings.Contains(text, "give it addresses") != (rtype == dns.TypeA) || !strings.HasPrefix(text, "is an alias of host.test.") {
					t.Errorf("%s %d %t: %s", name, rtype, ours, text)
				}
				got = append(got, text)
			}
		}
	}
	if slices.Sort(got); len(slices.Compact(got)) != 1+3+3+3 {
		t.Errorf("%q", got)
	}
}
