package identity_test

import (
	"context"
	"fmt"
	"log"
	"net/netip"
	"strings"

	"github.com/bonafide-mta/bonafide/identity"
	"github.com/bonafide-mta/bonafide/identity/helo"
	"github.com/bonafide-mta/bonafide/resolver"
)

func ExampleParseHelo() {
	for _, s := range []string{"mta1.example.test", "MTA_1.example.test.", "[IPv6:2001:db8::10]", "localhost", "mta1..example.test"} {
		arg, err := helo.ParseHelo(s)
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

func ExampleHeloChecker_Check() {
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
	checker := helo.HeloChecker{Resolver: r}
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
func ExampleHeloChecker_Check_everyAddress() {
	r, err := resolver.ParseZones(`
$TTL 3600
$ORIGIN example.test.
mta1 A 192.0.2.10
mta1 A 192.0.2.12`)
	if err != nil {
		fmt.Println(err)
		return
	}
	result := helo.HeloChecker{Resolver: r}.Check(context.Background(), "mta1.example.test",
		netip.MustParseAddr("192.0.2.10"), netip.MustParseAddr("192.0.2.11"), netip.MustParseAddr("2001:db8::10"))
	fmt.Println(result.Status, "found:", result.Found, "missing:", result.Missing, "others:", result.Others)
	for _, reply := range result.Replies {
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

// What a server does for each client. It answers with v.Advice at the step where that
// is Defer or Reject.
func ExampleVerifier() {
	zones, err := resolver.ParseZones(`
$TTL 1h
$ORIGIN example.org.
@    TXT "v=spf1 a:smtp.example.org -all"
@    MX  10 smtp
mta1 A   192.0.2.10
smtp A   192.0.2.10
smtp TXT "v=spf1 a -all"
$ORIGIN 2.0.192.in-addr.arpa.
10   PTR mta1.example.org.
99   PTR 99.dsl.isp.example.
$ORIGIN .`)
	if err != nil {
		log.Fatal(err)
	}
	verifier := identity.Verifier{Resolver: zones, Names: []string{"mx.example.net"}}
	ctx := context.Background()
	for _, client := range []string{"192.0.2.10", "192.0.2.99"} {
		s := verifier.Session(ctx, netip.MustParseAddr(client))
		s.Helo(ctx, "smtp.example.org")
		v := s.MailFrom(ctx, "someone@example.org")
		s.Close()
		fmt.Println(client, v.Level, v.Advice.Action)
		for _, reason := range v.Reasons {
			fmt.Println("  ", reason.Text())
		}
		if v.Advice.Reply.Code != 0 {
			fmt.Println("  ", v.Advice)
		}
		field, _ := v.AuthenticationResults("mx.example.net")
		fmt.Println(strings.ReplaceAll(field, "\r\n", "\n"))
	}
	// Output:
	// 192.0.2.10 explicit accept
	//    the SPF record of the HELO name authorizes this address
	//    the sender's SPF record authorizes this address
	// Authentication-Results: mx.example.net;
	// 	iprev=pass policy.iprev=192.0.2.10;
	// 	spf=pass smtp.helo=smtp.example.org;
	// 	spf=pass smtp.mailfrom=someone@example.org
	// 192.0.2.99 forged reject
	//    the SPF record of the HELO name denies it to this address
	//    no name of the address confirms it
	//    the HELO name does not lead to the client
	//    the sender's SPF record denies this address
	//    550 5.7.23 SPF: "smtp.example.org" does not allow 192.0.2.99 to greet with its name
	// Authentication-Results: mx.example.net;
	// 	iprev=fail reason=unconfirmed policy.iprev=192.0.2.99;
	// 	spf=fail smtp.helo=smtp.example.org;
	// 	spf=fail smtp.mailfrom=someone@example.org
}
