package helo_test

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/bonafide-mta/bonafide/identity/helo"
	"github.com/bonafide-mta/bonafide/resolver"
)

func ExampleParse() {
	for _, s := range []string{"mta1.example.test", "MTA_1.example.test.", "[IPv6:2001:db8::10]", "localhost", "mta1..example.test"} {
		arg, err := helo.Parse(s)
		switch {
		case err != nil:
			fmt.Println(err)
		case arg.Addr.IsValid():
			fmt.Println(arg.Addr)
		default:
			fmt.Printf("%s resolvable: %t, faults: %q\n", arg.Name, arg.Resolvable(), arg.Faults)
		}
	}
	// Output:
	// mta1.example.test. resolvable: true, faults: ""
	// mta_1.example.test. resolvable: true, faults: "underscore,final-dot"
	// 2001:db8::10
	// localhost. resolvable: false, faults: "single-label"
	// HELO "mta1..example.test": empty label at offset 5
}

func ExampleChecker_Check() {
	// A live server: r, err := resolver.SystemClient()
	r, err := resolver.ParseZones(`
$TTL 3600
$ORIGIN example.test.
mta1 A    192.0.2.10
mta1 AAAA 2001:db8::10`)
	if err != nil {
		fmt.Println(err)
		return
	}
	checker := helo.Checker{Resolver: r}
	for _, client := range []string{"192.0.2.10", "2001:db8::10", "192.0.2.66"} {
		result := checker.Check(context.Background(), "mta1.example.test", netip.MustParseAddr(client))
		fmt.Println(client, result.Status, result.Err)
	}
	// Output:
	// 192.0.2.10 pass <nil>
	// 2001:db8::10 pass <nil>
	// 192.0.2.66 fail <nil>
}

// The addresses of an MTA, all at once: which of them does its HELO name lack?
func ExampleChecker_Check_everyAddress() {
	r, err := resolver.ParseZones(`
$TTL 3600
$ORIGIN example.test.
mta1 A 192.0.2.10
mta1 A 192.0.2.12`)
	if err != nil {
		fmt.Println(err)
		return
	}
	result := helo.Checker{Resolver: r}.Check(context.Background(), "mta1.example.test",
		netip.MustParseAddr("192.0.2.10"), netip.MustParseAddr("192.0.2.11"), netip.MustParseAddr("2001:db8::10"))
	fmt.Println(result.Status, "found:", result.Found, "missing:", result.Missing, "others:", result.Others)
	for _, reply := range result.Responses {
		fmt.Println(reply)
	}
	// Output:
	// fail found: [192.0.2.10] missing: [192.0.2.11 2001:db8::10] others: [192.0.2.12]
	// mta1.example.test. A: 192.0.2.10, 192.0.2.12 (zone example.test.)
	// mta1.example.test. AAAA: no records (zone example.test.)
}

func ExampleOrganizationalDomain() {
	fmt.Println(helo.OrganizationalDomain("mail.example.co.uk"))
	fmt.Println(helo.OrganizationalDomain("co.uk"))
	// Output:
	// example.co.uk. <nil>
	//  helo: co.uk.: a public suffix belongs to no organization
}

func ExampleRelate() {
	const heloName = "mta1.example.co.uk"
	for _, ptr := range []string{"host-10.example.co.uk", "MTA1.example.co.uk.", "host-10.provider.example"} {
		relation, domain := helo.Relate(heloName, ptr)
		fmt.Printf("%s: %v %q\n", ptr, relation, domain)
	}
	// With a domain of one's own, deeper than the registered one.
	fmt.Println(helo.Relate("mta1.dept.example.com", "host-10.dept.example.com", "dept.example.com"))
	// Output:
	// host-10.example.co.uk: same-organization "example.co.uk."
	// MTA1.example.co.uk.: identical ""
	// host-10.provider.example: unrelated ""
	// same-organization dept.example.com.
}

func ExampleUnicode() {
	fmt.Println(helo.Unicode("MAIL.xn--mller-kva.example"))
	// Output: mail.müller.example.
}
