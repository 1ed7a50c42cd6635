package report_test

import (
	"bytes"
	"fmt"
	"log"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/bonafide-mta/bonafide/identity/report"
	"github.com/bonafide-mta/bonafide/identity/rule"
)

// example is a report of one finding.
var example = &report.Report{
	Version:      report.Version,
	Time:         time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	Organization: "example.org.",
	Hosts: []report.Host{{ID: "mx1", Helo: "post.example.org.", HeloOwn: true, Addresses: []report.HostAddress{
		{Address: "192.0.2.10", PTR: report.Broken, Helo: report.Holds, Names: []report.HostName{}},
	}}},
	Findings: []report.Finding{{
		Rule: rule.PTRExists, Level: rule.Must, Status: rule.Fail, Code: rule.CodeMissing,
		Subject:  report.Subject{MTA: "mx1", Address: "192.0.2.10"},
		Message:  "the address has no PTR record",
		Evidence: []report.Evidence{{Name: "10.2.0.192.in-addr.arpa.", Type: "PTR", Status: "NXDOMAIN", Aliases: []string{}, Records: []string{}, Server: "192.0.2.53"}},
		Fix:      []string{"10.2.0.192.in-addr.arpa. 3600 IN PTR mta1.example.org."},
		Remedy:   "The PTR record is set by whoever the address is from.",
	}},
	Publish: []report.Publication{{By: "isp", Records: []string{"10.2.0.192.in-addr.arpa. 3600 IN PTR mta1.example.org."}}},
	Summary: report.Summary{Fail: 1},
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
	previous, err := report.ReadReport(&kept)
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
	//   "notes": [],
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
	//           "error": "",
	//           "left_out": 0,
	//           "left_out_octets": 0
	//         }
	//       ],
	//       "left_out": 0,
	//       "fix": [
	//         "10.2.0.192.in-addr.arpa. 3600 IN PTR mta1.example.org."
	//       ],
	//       "remedy": "The PTR record is set by whoever the address is from.",
	//       "mitigated": ""
	//     }
	//   ],
	//   "zones": [],
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

func ExampleProof_WriteText() {
	after := *example
	after.Findings = slices.Clone(example.Findings)
	after.Findings[0].Status, after.Findings[0].Code, after.Findings[0].Message = rule.Pass, rule.CodeOK, "the address has a PTR record"
	after.Summary = report.Summary{Pass: 1}
	proof := &report.Proof{Before: example, After: &after}
	if err := proof.WriteText(os.Stdout); err != nil {
		log.Fatal(err)
	}
	// Output:
	// Mail server identity of example.org., as it is -> as it will be
	//
	// MUST: counts against the server when it is not so
	//   FAIL      -> pass      ptr-exists mx1/192.0.2.10
	//
	// as it is:       1 failed, 0 undecided, 0 passed, 0 waived, 0 not applicable; failed by level: must 1
	// as it will be:  0 failed, 0 undecided, 1 passed, 0 waived, 0 not applicable
	// nothing to look at, and not listed: 0
}
