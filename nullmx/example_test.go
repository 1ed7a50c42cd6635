package nullmx_test

import (
	"context"
	"fmt"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/nullmx"
	"github.com/bonafide-mta/bonafide/resolver"
)

func ExampleChecker_Check() {
	// The live DNS: r, err := resolver.SystemClient()
	r, err := resolver.ParseZones(`
$TTL 3600
$ORIGIN example.org.
@    MX 10 mx
mx   A  192.0.2.10
www  A  192.0.2.80
www  MX 0 .`)
	if err != nil {
		fmt.Println(err)
		return
	}
	checker := nullmx.Checker{Resolver: r}
	for _, domain := range []string{"example.org", "mx.example.org", "www.example.org", "wwww.example.org"} {
		result := checker.Check(context.Background(), domain)
		fmt.Println(domain, result.Status)
		if result.Status == nullmx.Null {
			fmt.Println("  RCPT TO:", nullmx.RejectRecipient)
		}
	}
	// Output:
	// example.org explicit
	// mx.example.org implicit
	// www.example.org null
	//   RCPT TO: 556 5.1.10 The recipient's domain accepts no mail (Null MX)
	// wwww.example.org nxdomain
}

// Records that are known already say whether their domain takes mail.
func ExampleIsNull() {
	null := &dns.MX{Mx: "."}
	spelled := &dns.MX{Preference: 10, Mx: "."}
	server := &dns.MX{Preference: 10, Mx: "mx.example.org."}
	fmt.Println(nullmx.IsNull(null), nullmx.IsNull(spelled), nullmx.IsNull(null, server), nullmx.IsNull())
	// Output: true true false false
}

func ExampleLintRecords() {
	for _, lint := range nullmx.LintRecords([]*dns.MX{{Preference: 10, Mx: "."}, {Preference: 20, Mx: "mx.example.org."}}) {
		fmt.Println(lint)
	}
	// Output:
	// a Null MX beside 1 mail exchangers, to which mail is delivered: remove either the Null MX or the others (mixed)
	// the preference of the Null MX is 10: RFC 7505 specifies 0 (preference)
}

func ExampleRecord() {
	record, err := nullmx.Record("www.example.org", 3600)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(record)
	// Output: www.example.org.	3600	IN	MX	0 .
}
