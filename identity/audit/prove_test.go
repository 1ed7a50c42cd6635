package audit_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/identity/audit"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/plan"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/resolver/dnsfake"
)

const proveOrg = `
domain: example.test
mtas:
  - id: mx1
    addresses: [192.0.2.10]
    ptr: mta1.example.test
    helo: post.example.test
contacts:
  mta: {name: John Smith}
`

// What is published: a zone of ours, and the reverse zone of an ISP.
const (
	proveZone = `
$ORIGIN example.test.
$TTL 3600
@     SOA  ns hostmaster 1 7200 900 1209600 300
@     NS   ns
@     TXT  "v=spf1 a:mta1.example.test -all"
mta1  A    192.0.2.10
`
	proveReverse = `
$ORIGIN 2.0.192.in-addr.arpa.
$TTL 3600
@     SOA  ns.isp.test. hostmaster.isp.test. 1 7200 900 1209600 300
@     NS   ns.isp.test.
10    PTR  mta1.example.test.
`
)

func parseOrg(t *testing.T, text string) *org.Organization {
	t.Helper()
	o, err := org.Parse("org.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func parseZones(t *testing.T, text string) *resolver.Zones {
	t.Helper()
	z, err := resolver.ParseZones(text)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func whole(t *testing.T, records iter.Seq2[dns.RR, error]) *plan.Published {
	t.Helper()
	current, err := plan.FromZones(records)
	if err != nil {
		t.Fatal(err)
	}
	return current
}

func newPlan(t *testing.T, o *org.Organization, current *plan.Published) *plan.Plan {
	t.Helper()
	p, err := plan.New(o, current, plan.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// The report before is that of what is published, the one after that of what would be,
// had the plan been carried out; nothing of it comes from the live zone then.
func TestProve(t *testing.T) {
	o := parseOrg(t, proveOrg)
	live := parseZones(t, proveZone+proveReverse)
	current := whole(t, live.Records())
	asked, err := new(plan.Published).WithAnswers(t.Context(), fake(t, live), o)
	if err != nil {
		t.Fatal(err)
	}
	isp := whole(t, parseZones(t, proveZone).Records()) // the PTR record is the ISP's to make
	for _, test := range []struct {
		name    string
		current *plan.Published
		live    resolver.Resolver
		partial bool
	}{
		{"current zones", current, resolver.Func(nobody), false},
		{"asked by name", asked, fake(t, live), true},
		{"a current zone, and an ISP's", isp, fake(t, parseZones(t, proveReverse)), true},
	} {
		p := newPlan(t, o, test.current)
		auditor := audit.Auditor{Resolver: test.live, AllowDocumentation: true}
		proof, err := auditor.Prove(t.Context(), p)
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		auditor.Resolver = live
		now, err := auditor.Audit(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if lines(proof.Before) != lines(now) {
			t.Errorf("%s: before:\n%swhat is published:\n%s", test.name, lines(proof.Before), lines(now))
		}
		if proof.Before.Summary.Fail == 0 || proof.After.Failed(rule.Must) || proof.After.Undecided(rule.Must) {
			t.Errorf("%s: before %s, after %s", test.name, proof.Before.Summary, proof.After.Summary)
		}
		// The SPF record of the domain is kept, and passes by the address of the name.
		for _, f := range proof.After.Findings {
			if f.Status == rule.Fail {
				t.Errorf("%s: after: %s %s: %s", test.name, f.Rule, f.Subject, f.Message)
			}
		}
		if proof.Partial != test.partial {
			t.Errorf("%s: partial %t", test.name, proof.Partial)
		}
	}
}

// nobody answers.
func nobody(context.Context, string, uint16) (resolver.Answer, error) {
	return resolver.Answer{}, errors.New("asked outside the zones")
}

// fake answers for what is under test and arpa, so that all else there does not exist.
func fake(t *testing.T, zones *resolver.Zones) resolver.Resolver {
	t.Helper()
	around := parseZones(t, "$ORIGIN test.\n$TTL 60\n@ SOA a. b. 1 1 1 1 60\n$ORIGIN arpa.\n@ SOA a. b. 1 1 1 1 60\n")
	all, err := resolver.MergeZones(around, zones)
	if err != nil {
		t.Fatal(err)
	}
	return dnsfake.FromZones(all)
}

// What the live DNS does not answer is undecided, before and after, and no pass.
func TestProveUndecided(t *testing.T) {
	p := newPlan(t, parseOrg(t, proveOrg), whole(t, parseZones(t, proveZone).Records()))
	proof, err := audit.Auditor{Resolver: resolver.Func(nobody), AllowDocumentation: true}.Prove(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range proof.Before.Findings {
		if f.Rule == rule.PTRExists && f.Status != rule.Undecided {
			t.Errorf("before: %s %s", f.Rule, f.Status)
		}
	}
	for _, f := range proof.After.Findings { // the plan has the PTR record
		if f.Rule == rule.PTRExists && (f.Status != rule.Pass || !strings.Contains(f.Evidence[0].Server, "partial view")) {
			t.Errorf("after: %s %s %+v", f.Rule, f.Status, f.Evidence)
		}
	}
}

func TestProveBad(t *testing.T) {
	excepted := parseOrg(t, proveOrg+"exceptions: [{rule: no-such, subject: mx1, reason: none}]\n")
	// A zone with two SOA records, which no server would load.
	records := func(yield func(dns.RR, error) bool) {
		for rr := range parseZones(t, proveZone).Records() {
			if soa, ok := rr.(*dns.SOA); ok {
				other := *soa
				other.Serial++
				if !yield(&other, nil) {
					return
				}
			}
			if !yield(rr, nil) {
				return
			}
		}
	}
	for _, test := range []struct {
		name string
		r    resolver.Resolver
		p    *plan.Plan
		want string
	}{
		{"no plan", resolver.Func(nobody), nil, "audit: no plan"},
		{"no resolver for what no zone has", nil, newPlan(t, excepted, whole(t, parseZones(t, proveZone).Records())), `audit: exception of "no-such": no such rule`},
		{"a zone that is broken", resolver.Func(nobody), newPlan(t, parseOrg(t, proveOrg), whole(t, records)), "audit: plan: the zones as they will be: line 3: a second SOA at example.test."},
	} {
		proof, err := audit.Auditor{Resolver: test.r}.Prove(t.Context(), test.p)
		if proof != nil || err == nil || err.Error() != test.want {
			t.Errorf("%s: %v, %v", test.name, proof, err)
		}
	}
}

// A plan is proved before anything is published: the audit of what is, beside that of
// what will be.
func ExampleAuditor_Prove() {
	zones, err := resolver.ParseZones(proveZone + proveReverse)
	if err != nil {
		log.Fatal(err)
	}
	o, err := org.Parse("org.yaml", []byte(proveOrg))
	if err != nil {
		log.Fatal(err)
	}
	whole, err := plan.FromZones(zones.Records())
	if err != nil {
		log.Fatal(err)
	}
	p, err := plan.New(o, whole, plan.Options{})
	if err != nil {
		log.Fatal(err)
	}
	// All zones are given: no other Resolver is asked of these names.
	proof, err := audit.Auditor{Resolver: zones, AllowDocumentation: true}.Prove(context.Background(), p)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(proof.Before.Summary)
	fmt.Println(proof.After.Summary)
	fmt.Println("green:", !proof.After.Failed(rule.ShouldMinor))
	// Output:
	// 12 failed, 1 undecided, 27 passed, 0 waived, 8 not applicable
	// 0 failed, 1 undecided, 43 passed, 0 waived, 4 not applicable
	// green: true
}
