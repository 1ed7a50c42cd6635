package audit_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/bonafide-mta/bonafide/identity/audit"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/resolver/dnsfake"
)

// Each pattern of S25R matches names as the study report describes it, and the names that
// the advice page recommends match none. The number is that of the first that matches, 0
// for none.
func TestSelectivePatterns(t *testing.T) {
	names := []struct {
		name string
		rule int
	}{
		// Numbers that other characters divide in the first label.
		{"192-0-2-10.dsl.isp.test", 1}, {"pool-10-2.isp.test", 1}, {"mail-2a3.example.test", 1},
		// Five digits in a row in it.
		{"host12345.isp.test", 2}, {"mail-oln040092073019.outbound.protection.provider.test", 2},
		// The first or second label begins with a digit, above three others.
		{"10.2.0.192.dsl.isp.test", 3}, {"d10.2.city.isp.test", 3},
		// The first label ends in a digit, the second has two numbers at a hyphen.
		{"x1.r10-20.isp.test", 4},
		// Both end in a digit, in a name of five labels or more.
		{"x1.r2.city.isp.test", 5},
		// A word for access lines, and a digit.
		{"dhcp7.isp.test", 6}, {"ppp7.isp.test", 6}, {"adsl7.isp.test", 6}, {"dsl7.isp.test", 6},
		{"mail.example.test", 0}, {"smtp.example.test", 0}, {"mx1.example.test", 0}, {"head-office.example.test", 0},
		{"clients.example.test", 0}, {"out23.clients.example.test", 0}, {"dslam.example.test", 0}, {"7.example.test", 0}, {"dublin.example.test", 0},
	}
	var zone strings.Builder
	zone.WriteString("$TTL 300\n$ORIGIN .\n@ SOA ns.test. hostmaster.test. 1 1 1 1 60\n")
	o := &org.Organization{Domain: "example.test", MTAs: []org.MTA{{ID: "mx", Helo: "post.example.test"}}}
	for i, n := range names {
		fmt.Fprintf(&zone, "%s. A 192.0.2.%d\n%d.2.0.192.in-addr.arpa. PTR %[1]s.\n", n.name, i+1, i+1)
		o.MTAs[0].Addresses = append(o.MTAs[0].Addresses, netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)}))
	}
	fake, err := dnsfake.New(zone.String())
	if err != nil {
		t.Fatal(err)
	}
	rep, err := audit.Auditor{Resolver: fake, AllowDocumentation: true}.Audit(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	i := 0
	for _, f := range rep.Findings {
		if f.Rule != rule.SelectiveRejection {
			continue
		}
		n := names[i]
		want := rule.CodeOK
		if n.rule > 0 {
			want = rule.CodePattern
		}
		if f.Code != want || n.rule > 0 && !strings.HasSuffix(f.Message, fmt.Sprintf("%s. (rule %d)", n.name, n.rule)) {
			t.Errorf("%s: %s, want rule %d", n.name, f.Message, n.rule)
		}
		i++
	}
	if i != len(names) {
		t.Errorf("%d of %d names were judged", i, len(names))
	}
}
