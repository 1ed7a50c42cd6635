package fcrdns_test

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/bonafide-mta/bonafide/fcrdns"
	"github.com/bonafide-mta/bonafide/resolver"
)

func ExampleChecker_Check() {
	// A live server: r, err := resolver.SystemClient()
	r, err := resolver.ParseZones(`
$TTL 3600
$ORIGIN 2.0.192.in-addr.arpa.
10 PTR mail.example.test.
66 PTR mail.example.test.   ; anyone may claim a name
$ORIGIN example.test.
mail A 192.0.2.10`)
	if err != nil {
		fmt.Println(err)
		return
	}
	checker := fcrdns.Checker{Resolver: r}
	for _, client := range []string{"192.0.2.10", "192.0.2.66", "192.0.2.99"} {
		result := checker.Check(context.Background(), netip.MustParseAddr(client))
		fmt.Println(client, result.Status, result.Name, result.Err)
	}
	// Output:
	// 192.0.2.10 pass mail.example.test. <nil>
	// 192.0.2.66 fail  <nil>
	// 192.0.2.99 permerror  the address has no PTR record (NXDOMAIN)
}

func ExampleMapping_RRs() {
	records, err := fcrdns.Mapping{
		Name:  "mta1.example.test",
		Addrs: []netip.Addr{netip.MustParseAddr("192.0.2.10")},
		TTL:   3600,
	}.RRs()
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, rr := range records {
		fmt.Println(rr)
	}
	// Output:
	// mta1.example.test.	3600	IN	A	192.0.2.10
	// 10.2.0.192.in-addr.arpa.	3600	IN	PTR	mta1.example.test.
}

func ExampleMapping_Addresses() {
	_, err := fcrdns.Mapping{Name: "mta_1.example.test", Addrs: []netip.Addr{netip.MustParseAddr("192.0.2.10")}}.Addresses()
	fmt.Println(err)
	// Output:
	// fcrdns: "mta_1.example.test" is no host name of the public DNS: expected letters, digits and hyphens, and at least two labels
}

func ExampleMapping_PTRs() {
	ptrs, err := fcrdns.Mapping{Name: "mta1.example.test", Addrs: []netip.Addr{netip.MustParseAddr("192.0.2.10")}, TTL: 60}.PTRs()
	fmt.Println(ptrs[0], err)
	// Output:
	// 10.2.0.192.in-addr.arpa.	60	IN	PTR	mta1.example.test. <nil>
}

// An address with more PTR names than are looked up: the client's HELO name may be among
// the others.
func ExampleChecker_CheckSkipped() {
	r, err := resolver.ParseZones(`
$TTL 3600
$ORIGIN 2.0.192.in-addr.arpa.
10 PTR a.example.test.
10 PTR b.example.test.
10 PTR mail.example.test.
$ORIGIN example.test.
mail A 192.0.2.10`)
	if err != nil {
		fmt.Println(err)
		return
	}
	checker := fcrdns.Checker{Resolver: r, MaxNames: 2}
	result := checker.Check(context.Background(), netip.MustParseAddr("192.0.2.10"))
	fmt.Println(result.Status, result.Skipped)
	result = checker.CheckSkipped(context.Background(), result, func(name string) int {
		if name == "mail.example.test." {
			return 1
		}
		return 0
	})
	fmt.Println(result.Status, result.Name, result.Skipped)
	// Output:
	// permerror 1
	// pass mail.example.test. 0
}
