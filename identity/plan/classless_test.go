package plan_test

import (
	"strings"
	"testing"

	"github.com/bonafide-mta/bonafide/identity/plan"
)

// The PTR record of an address belongs to the zone of its block, if that is given or
// described, also if the zone of the ISP with the aliases is not: the right owner is asked.
func TestClasslessReverseZone(t *testing.T) {
	const isp, you = "192.0.2.20 isp 20.2.0.192.in-addr.arpa.", "192.0.2.20 you 20."
	for _, test := range []struct{ zone, more, want string }{
		{"16/28.2.0.192.in-addr.arpa", "", you},
		{"16-31.2.0.192.in-addr.arpa", "", you},
		{"16-28.2.0.192.in-addr.arpa", "", you},
		{"0/27.2.0.192.in-addr.arpa", "", you},
		{"0/28.2.0.192.in-addr.arpa", "", isp},
		{"0-15.2.0.192.in-addr.arpa", "", isp},
		{"16/28.3.0.192.in-addr.arpa", "", isp},
		{"16/4.2.0.192.in-addr.arpa", "", isp},
		{"office.2.0.192.in-addr.arpa", "", isp},
		{"a/28.2.0.192.in-addr.arpa", "", isp},
		// With the zone of the ISP, what that has counts.
		{"16/28.2.0.192.in-addr.arpa", "$ORIGIN 2.0.192.in-addr.arpa.\n@ SOA ns.isp.test. h.isp.test. 1 1 1 1 60\n", "192.0.2.20 you 20.2.0.192.in-addr.arpa."},
		{"office.2.0.192.in-addr.arpa", "$ORIGIN 2.0.192.in-addr.arpa.\n@ SOA ns.isp.test. h.isp.test. 1 1 1 1 60\n20 CNAME x.office\noffice NS ns.isp.test.\n", "192.0.2.20 you x."},
	} {
		o := parse(t, "domain: example.test\nmtas: [{id: mx1, addresses: [192.0.2.20], ptr: mta1.example.test, helo: post.example.test}]")
		zones := parseZones(t, "$TTL 300\n$ORIGIN example.test.\n@ SOA ns hostmaster 1 1 1 1 60\n$ORIGIN "+test.zone+".\n@ SOA ns hostmaster 1 1 1 1 60\n"+test.more)
		p, err := plan.New(o, whole(t, zones.Records()), plan.Options{})
		if err != nil {
			t.Fatal(err)
		}
		want := test.want
		if strings.HasSuffix(want, "20.") || strings.HasSuffix(want, "x.") {
			want += test.zone + "."
		}
		got := ""
		for _, c := range p.Changes {
			if strings.HasSuffix(c.Name, ".arpa.") {
				got += "192.0.2.20 " + c.Owner.String() + " " + c.Name
			}
		}
		if got != want {
			t.Errorf("%s: %q, want %q", test.zone, got, want)
		}
		guessed := strings.HasPrefix(want, you) && test.more == ""
		if noted := strings.Contains(joinNotes(p), "RFC 2317"); noted != guessed {
			t.Errorf("%s: notes %v", test.zone, p.Notes)
		}
	}
}

func joinNotes(p *plan.Plan) string {
	var b strings.Builder
	for _, n := range p.Notes {
		b.WriteString(n.String() + "\n")
	}
	return b.String()
}
