package audit_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/bonafide-mta/bonafide/identity/audit"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/resolver"
)

// An organization is audited against the zone text that it is about to publish.
// Any other Resolver does as well: resolver.SystemClient asks the live DNS.
func Example() {
	zones, err := resolver.ParseZones(`
$TTL 1h
$ORIGIN example.org.
@       SOA  ns hostmaster 1 2h 15m 2w 5m
@       MX   10 mta1
mta1    A    192.0.2.10
post    TXT  "v=spf1 ip4:192.0.2.10 -all"
$ORIGIN 2.0.192.in-addr.arpa.
@       SOA  ns.example.org. hostmaster.example.org. 1 2h 15m 2w 5m
10      PTR  mta1.example.org.
`)
	if err != nil {
		log.Fatal(err)
	}
	description, err := org.Parse("org.yaml", []byte(`
domain: example.org
mtas:
  - id: mx1
    addresses: [192.0.2.10]
    ptr: mta1.example.org
    helo: post.example.org
`))
	if err != nil {
		log.Fatal(err)
	}
	auditor := audit.Auditor{Resolver: zones, AllowDocumentation: true}
	rep, err := auditor.Audit(context.Background(), description)
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range rep.Findings {
		if f.Status == rule.Fail && f.Level == rule.Must {
			fmt.Printf("%s: %s: %s\n", f.Level, f.Subject, f.Message)
			for _, record := range f.Fix {
				fmt.Println("  publish", record)
			}
		}
	}
	fmt.Println(rep.Summary)
	// Output:
	// must: mx1: the HELO name has none of the MTA's addresses: post.example.org.
	//   publish post.example.org. 3600 IN A 192.0.2.10
	// must: post.example.org.: the name has neither an MX record nor an address
	//   publish post.example.org. 3600 IN A 192.0.2.10
	// 11 failed, 1 undecided, 30 passed, 0 waived, 6 not applicable
}

// A failure that is meant gets an exception in the description. It is waived then, with the
// reason in the report.
func ExampleAuditor_Audit_exception() {
	zones, err := resolver.ParseZones(`
$TTL 1h
$ORIGIN example.org.
@       SOA  ns hostmaster 1 2h 15m 2w 5m
@       MX   10 mta1
mta1    A    192.0.2.10
$ORIGIN 2.0.192.in-addr.arpa.
@       SOA  ns.example.org. hostmaster.example.org. 1 2h 15m 2w 5m
10      PTR  mta1.example.org.
`)
	if err != nil {
		log.Fatal(err)
	}
	description, err := org.Parse("", []byte(`
domain: example.org
mtas:
  - {id: mta1, addresses: [192.0.2.10], helo: mta1.example.org}
exceptions:
  - {rule: helo-differs, subject: mta1, reason: moves in spring, until: 2027-03-31}
`))
	if err != nil {
		log.Fatal(err)
	}
	february := func() time.Time { return time.Date(2027, 2, 1, 0, 0, 0, 0, time.UTC) }
	auditor := audit.Auditor{Resolver: zones, AllowDocumentation: true, Now: february}
	rep, err := auditor.Audit(context.Background(), description)
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range rep.Findings {
		if f.Status == rule.Waived {
			fmt.Printf("%s: %s (%s)\n", f.Rule, f.Message, f.Remedy)
		}
	}
	fmt.Println(rep.Failed(rule.Must))
	// Output:
	// helo-differs: the HELO name is a PTR name too, which any infected machine at the address could find: mta1.example.org. (moves in spring)
	// false
}

// Findings come as soon as they are known; a loop may end the audit at the first failure.
func ExampleAuditor_Findings() {
	zones, err := resolver.ParseZones(`
$TTL 1h
$ORIGIN example.org.
@       SOA  ns hostmaster 1 2h 15m 2w 5m
mta1    A    192.0.2.11
$ORIGIN 2.0.192.in-addr.arpa.
@       SOA  ns.example.org. hostmaster.example.org. 1 2h 15m 2w 5m
10      PTR  mta1.example.org.
`)
	if err != nil {
		log.Fatal(err)
	}
	description, err := org.Parse("", []byte(`{"domain": "example.org", "mtas": [{"addresses": ["192.0.2.10"], "helo": "post.example.org"}]}`))
	if err != nil {
		log.Fatal(err)
	}
	auditor := audit.Auditor{Resolver: zones, AllowDocumentation: true}
	for finding, err := range auditor.Findings(context.Background(), description) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(finding.Status, finding.Rule, finding.Subject)
		if finding.Status == rule.Fail {
			break
		}
	}
	// Output:
	// pass org-domain organization
	// pass address-public mta1/192.0.2.10
	// pass ptr-exists mta1/192.0.2.10
	// fail ptr-confirmed mta1/192.0.2.10
}
