package audit_test

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"os"
	"strings"
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
post    A    192.0.2.11
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
	report, err := auditor.Audit(context.Background(), description)
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range report.Findings {
		if f.Status == rule.Fail && f.Level == rule.Must {
			fmt.Printf("%s: %s: %s\n", f.Level, f.Subject, f.Message)
			for _, record := range f.Fix {
				fmt.Println("  publish", record)
			}
		}
	}
	fmt.Println(report.Summary)
	// Output:
	// must: mx1: the HELO name has none of the MTA's addresses: post.example.org.
	//   publish post.example.org. 3600 IN A 192.0.2.10
	// 9 failed, 1 undecided, 31 passed, 0 waived, 6 not applicable
}

// example is a report of one finding.
var example = &audit.Report{
	Version:      audit.Version,
	Time:         time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	Organization: "example.org.",
	Hosts: []audit.Host{{ID: "mx1", HELO: "post.example.org.", HELOOwn: true, Addresses: []audit.HostAddress{
		{Address: "192.0.2.10", PTR: audit.Broken, HELO: audit.Holds, Names: []audit.HostName{}},
	}}},
	Findings: []audit.Finding{{
		Rule: rule.PTRExists, Level: rule.Must, Status: rule.Fail, Code: "missing",
		Subject:  audit.Subject{MTA: "mx1", Address: "192.0.2.10"},
		Message:  "the address has no PTR record",
		Evidence: []audit.Evidence{{Name: "10.2.0.192.in-addr.arpa.", Type: "PTR", Status: "NXDOMAIN", Aliases: []string{}, Records: []string{}, Server: "192.0.2.53"}},
		Fix:      []string{"10.2.0.192.in-addr.arpa. 3600 IN PTR mta1.example.org."},
		Remedy:   "The PTR record is set by whoever the address is from.",
	}},
	Publish: []string{"10.2.0.192.in-addr.arpa. 3600 IN PTR mta1.example.org."},
	Summary: audit.Summary{Fail: 1},
}

func ExampleReport_WriteText() {
	example.WriteText(os.Stdout)
	// Output:
	// Mail server identity of example.org.
	// Audited 2 January 2026, 03:04 UTC: 1 failed, 0 undecided, 0 passed, 0 waived, 0 not applicable; failed by level: must 1
	// What DNS said is numbered; a number alone stands for what is printed further up.
	//
	// MUST: counts against the server when it is not so
	//
	//   The address has a PTR record (ptr-exists)
	//     why: Many receivers refuse a client without a PTR record outright: most such clients are infected machines.
	//     costs: Gmail refuses such mail, so does Postfix with reject_unknown_reverse_client_hostname; rspamd adds to its spam score.
	//     see: RFC 1912, Section 2.1; RFC 8601, Section 3
	//     FAIL       mx1/192.0.2.10: the address has no PTR record
	//                seen  #1 10.2.0.192.in-addr.arpa. PTR: NXDOMAIN [192.0.2.53]
	//                fix   10.2.0.192.in-addr.arpa. 3600 IN PTR mta1.example.org.
	//                do    The PTR record is set by whoever the address is from.
	//
	// Records to publish
	// PTR and SPF records take the place of those at their names, and CSA and Null MX records likewise.
	// What is to be seen to first stands at the findings; a plan (examples/plan) has the order, and what to take out.
	//
	// In reverse zones, usually the provider's:
	//
	// 10.2.0.192.in-addr.arpa. 3600 IN PTR mta1.example.org.
	//
	// 1 failed, 0 undecided, 0 passed, 0 waived, 0 not applicable; failed by level: must 1
}

func ExampleReport_WriteMarkdown() {
	example.WriteMarkdown(os.Stdout)
	// Output:
	// # Mail server identity of `example.org`
	//
	// **Not in order.** Some of what receivers demand of a mail server is not so. Its mail may be refused, or taken for spam. Concerned: `mx1`.
	//
	// Audited 2 January 2026, 03:04 UTC.
	//
	// ## What to do first
	//
	// 1. **The address has no PTR record** at `mx1/192.0.2.10`
	//    - `The PTR record is set by whoever the address is from.`
	//
	// | findings | must | major | minor | advice | receivers |
	// | --- | ---: | ---: | ---: | ---: | ---: |
	// | FAIL | 1 | 0 | 0 | 0 | 0 |
	//
	// ## MUST: counts against the server when it is not so
	//
	// ### The address has a PTR record (`ptr-exists`)
	//
	// Many receivers refuse a client without a PTR record outright: most such clients are infected machines.
	//
	// What a failure costs: Gmail refuses such mail, so does Postfix with reject\_unknown\_reverse\_client\_hostname; rspamd adds to its spam score.
	//
	// - **FAIL** `mx1/192.0.2.10`: the address has no PTR record
	//   - seen `10.2.0.192.in-addr.arpa. PTR: NXDOMAIN [192.0.2.53]`
	//   - do: `The PTR record is set by whoever the address is from.`
	//
	//   ```
	//   10.2.0.192.in-addr.arpa. 3600 IN PTR mta1.example.org.
	//   ```
	//
	// ## Records to publish
	//
	// PTR and SPF records in place of those at their names.
	//
	// ```
	// 10.2.0.192.in-addr.arpa. 3600 IN PTR mta1.example.org.
	// ```
}

// A page for a browser, which says what has changed since a report that was kept as JSON.
func ExampleReport_WriteHTML() {
	var kept, page bytes.Buffer
	if err := example.WriteJSON(&kept); err != nil {
		log.Fatal(err)
	}
	previous, err := audit.ReadReport(&kept)
	if err != nil {
		log.Fatal(err)
	}
	if err := example.WriteHTML(&page, previous); err != nil {
		log.Fatal(err)
	}
	fmt.Println(strings.Contains(page.String(), "<title>Mail server identity of example.org</title>"))
	fmt.Println(strings.Contains(page.String(), "Nothing that matters has changed."))
	// Output:
	// true
	// true
}

// Colors only where a terminal shows them, and its user has not said no.
func ExampleReport_WriteColor() {
	write := example.WriteText
	if info, err := os.Stdout.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("NO_COLOR") == "" {
		write = example.WriteColor
	}
	if err := write(os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func ExampleReport_WriteJSON() {
	example.WriteJSON(os.Stdout)
	// Output:
	// {
	//   "version": 1,
	//   "time": "2026-01-02T03:04:05Z",
	//   "organization": "example.org.",
	//   "allow_documentation": false,
	//   "hosts": [
	//     {
	//       "id": "mx1",
	//       "helo": "post.example.org.",
	//       "helo_own": true,
	//       "addresses": [
	//         {
	//           "address": "192.0.2.10",
	//           "ptr": "broken",
	//           "helo": "holds",
	//           "names": [],
	//           "skipped": 0
	//         }
	//       ]
	//     }
	//   ],
	//   "findings": [
	//     {
	//       "rule": "ptr-exists",
	//       "level": "must",
	//       "subject": "mx1/192.0.2.10",
	//       "status": "fail",
	//       "code": "missing",
	//       "message": "the address has no PTR record",
	//       "evidence": [
	//         {
	//           "name": "10.2.0.192.in-addr.arpa.",
	//           "type": "PTR",
	//           "status": "NXDOMAIN",
	//           "aliases": [],
	//           "records": [],
	//           "server": "192.0.2.53",
	//           "authentic": false,
	//           "error": ""
	//         }
	//       ],
	//       "fix": [
	//         "10.2.0.192.in-addr.arpa. 3600 IN PTR mta1.example.org."
	//       ],
	//       "remedy": "The PTR record is set by whoever the address is from.",
	//       "mitigated": ""
	//     }
	//   ],
	//   "publish": [
	//     "10.2.0.192.in-addr.arpa. 3600 IN PTR mta1.example.org."
	//   ],
	//   "summary": {
	//     "pass": 0,
	//     "fail": 1,
	//     "undecided": 0,
	//     "not_applicable": 0,
	//     "waived": 0
	//   }
	// }
}

// The exit status of a program that runs in a pipeline.
func ExampleReport_Failed() {
	fmt.Println(example.Failed(rule.Must), example.Undecided(rule.Must))
	// Output: true false
}

// A failure that is meant is waived, with the reason in the report.
func ExampleWaiver() {
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
	description, err := org.Parse("", []byte(`{"domain": "example.org", "mtas": [{"addresses": ["192.0.2.10"], "helo": "mta1.example.org"}]}`))
	if err != nil {
		log.Fatal(err)
	}
	auditor := audit.Auditor{Resolver: zones, AllowDocumentation: true, Waivers: []audit.Waiver{
		{Rule: rule.HELODiffers, Subject: audit.Subject{MTA: "mta1"}, Reason: "moves next month"},
	}}
	report, err := auditor.Audit(context.Background(), description)
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range report.Findings {
		if f.Status == rule.Waived {
			fmt.Printf("%s: %s (%s)\n", f.Rule, f.Message, f.Remedy)
		}
	}
	fmt.Println(report.Failed(rule.Must))
	// Output:
	// helo-differs: the HELO name is a PTR name too, which any infected machine at the address could find: mta1.example.org. (moves next month)
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
