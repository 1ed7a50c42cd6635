package audit_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
	"pgregory.net/rapid"

	"github.com/bonafide-mta/bonafide/identity/audit"
	"github.com/bonafide-mta/bonafide/identity/flow"
	"github.com/bonafide-mta/bonafide/identity/harden"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/plan"
	"github.com/bonafide-mta/bonafide/identity/report"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/resolver"
)

// spelling draws a text that is a null SPF record, nearly one, or another.
func spelling(t *rapid.T, label string) string {
	one := func(what string, of ...string) string { return rapid.SampledFrom(of).Draw(t, label+" "+what) }
	if one("sort", "built", "built", "whole") == "whole" {
		return one("text", "token", "v=spf1", "spf2.0/pra -all", "v=spf10 -all", "v=spf1-all", "v = spf1 -all", "“v=spf1 -all”", "v=DMARC1; p=none", "SPF is not used")
	}
	version := one("version", "v=spf1", "v=spf1", "V=SPF1", " v=spf1", "v=spf1;")
	var terms []string
	for i := range rapid.IntRange(0, 2).Draw(t, label+" terms") {
		terms = append(terms, one(fmt.Sprint("term ", i), "-ip4:192.0.2.7", "-ip6:2001:db8::/32", "-a:www.example.test", "-exists:%{i}.example.test", "exp=why.example.test",
			"ra=postmaster", "-include:null.example.test", "ip4:192.0.2.7", "?mx", "a:none.example.test", "nonsense"))
	}
	terms = append(terms, one("end", "-all", "-all", "-ALL", "-all a", "-all exp=why.example.test", "redirect=null.example.test", "redirect=redirects.example.test",
		"redirect=open.example.test", "redirect=none.example.test", "~all", "?all", "all", ""))
	space := one("space", " ", " ", "  ")
	return version + space + strings.Join(terms, space) + one("tail", "", "", " ")
}

// Property 8 of the design, for names without mail: where the audit passes, the plan changes
// nothing even when it adopts, and harden has nothing to add; where it fails, the adopted
// plan changes the records, the careful one does so or says why not, and harden adds
// records or says why not.
func TestNullRecordsAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var zone strings.Builder
		zone.WriteString(`$TTL 300
$ORIGIN example.test.
@ SOA ns hostmaster 1 1 1 1 60
@ NS ns.other.test.
@ MX 10 post
@ TXT "v=spf1 ip4:192.0.2.10 -all"
post A 192.0.2.10
null TXT "V=spf1  -all"
redirects TXT "v=spf1 -ip4:192.0.2.1 redirect=null.example.test"
open TXT "v=spf1 +all"
why TXT "nobody"
www A 192.0.2.80
`)
		for i := range rapid.SampledFrom([]int{1, 1, 0, 2}).Draw(t, "texts") {
			fmt.Fprintf(&zone, "www TXT %q\n", spelling(t, fmt.Sprint("text ", i)))
		}
		for _, mx := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"0 .", "10 .", "65535 .", "0 post", "0 localhost."}), 0, 2, rapid.ID).Draw(t, "MX") {
			fmt.Fprintf(&zone, "www MX %s\n", mx)
		}
		zones, err := resolver.ParseZones(zone.String())
		if err != nil {
			t.Fatal(err)
		}
		o, err := org.Parse("", []byte("domain: example.test\nmtas: [{addresses: [192.0.2.10], ptr: mta1.example.test, helo: post.example.test}]\nnames: [www.example.test]"))
		if err != nil {
			t.Fatal(err)
		}
		rep, err := audit.Auditor{Resolver: zones, AllowDocumentation: true}.Audit(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		planned := func(adopt bool) *plan.Plan {
			published, err := plan.FromZones(zones.Records())
			if err != nil {
				t.Fatal(err)
			}
			p, err := plan.New(o, published, plan.Options{Adopt: adopt})
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		careful, adopted := planned(false), planned(true)
		hardened, err := harden.Zones(zones.Records(), o)
		if err != nil {
			t.Fatal(err)
		}
		left := slices.ContainsFunc(append(hardened.Left, hardened.Waiting...), func(n flow.Note) bool { return n.Name == "www.example.test." })
		for id, rtype := range map[rule.ID]uint16{rule.NullSPF: dns.TypeTXT, rule.NullMX: dns.TypeMX} {
			changes := func(p *plan.Plan) bool {
				return slices.ContainsFunc(p.Changes, func(c plan.Change) bool { return c.Name == "www.example.test." && c.Type == rtype })
			}
			says := func(p *plan.Plan) bool {
				return slices.ContainsFunc(p.Refused, func(r plan.Refusal) bool { return r.Value == "www.example.test. "+dns.TypeToString[rtype] }) ||
					slices.ContainsFunc(p.Kept, func(k plan.Kept) bool {
						return k.Records[0].Header().Name == "www.example.test." && k.Records[0].Header().Rrtype == rtype
					})
			}
			adds := false
			for r := range hardened.Records() {
				adds = adds || r.RR.Header().Name == "www.example.test." && r.RR.Header().Rrtype == rtype
			}
			i := slices.IndexFunc(rep.Findings, func(f report.Finding) bool { return f.Rule == id && f.Subject.Name == "www.example.test." })
			switch status := rep.Findings[i].Status; {
			case status == rule.Pass && (changes(careful) || changes(adopted) || says(careful) || says(adopted) || adds):
				t.Errorf("%s passes: careful plan changes %t, says %t; adopted one %t, %t; harden adds %t\n%s", id,
					changes(careful), says(careful), changes(adopted), says(adopted), adds, &zone)
			case status == rule.Fail && (!changes(careful) && !says(careful) || !changes(adopted) && !says(adopted) || !adds && !left):
				t.Errorf("%s fails: careful plan changes %t, says %t; adopted one %t, %t; harden adds %t, leaves alone %t\n%s", id,
					changes(careful), says(careful), changes(adopted), says(adopted), adds, left, &zone)
			}
		}
	})
}
