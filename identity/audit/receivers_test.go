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

// What a receiver refuses for the text of HELO alone has no record as its fix: none would
// help. Beside it stands the same MTA with a HELO that only lacks its addresses.
func TestHeloFix(t *testing.T) {
	fake, err := dnsfake.New("$TTL 300\n$ORIGIN example.test.\n@ SOA ns hostmaster 1 1 1 1 60\npost TXT x\n$ORIGIN 2.0.192.in-addr.arpa.\n@ SOA ns.test. hostmaster.test. 1 1 1 1 60\n")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		helo string
		want string // of each rule: its code, and the type of the record that would fix it
	}{
		{"post.example.test", "postfix-helo-hostname not-found A, exim-helo not-verified A, rspamd-helo other-address A"},
		{"post.example.test.", "postfix-helo-hostname no-name, exim-helo not-verified A, rspamd-helo other-address A"},
		{"post", "postfix-helo-hostname not-found, exim-helo not-verified, rspamd-helo not-qualified"},
		{"[192.0.2.1]", "postfix-helo-hostname literal, exim-helo ok, rspamd-helo not-qualified"},
	} {
		o := &org.Organization{Domain: "example.test", MTAs: []org.MTA{{ID: "mx", Helo: test.helo, Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.1")}}}}
		rep, err := audit.Auditor{Resolver: fake, AllowDocumentation: true}.Audit(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range rep.Findings {
			if f.Rule != rule.PostfixHeloHostname && f.Rule != rule.EximHelo && f.Rule != rule.RspamdHelo {
				continue
			}
			line := fmt.Sprintf("%s %s", f.Rule, f.Code)
			for _, record := range f.Fix {
				line += " " + strings.Fields(record)[3]
			}
			got = append(got, line)
		}
		if got := strings.Join(got, ", "); got != test.want {
			t.Errorf("%s:\n got %s\nwant %s", test.helo, got, test.want)
		}
	}
}
