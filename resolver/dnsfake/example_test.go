package dnsfake_test

import (
	"context"
	"fmt"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/resolver/dnsfake"
)

func ExampleNew() {
	fake, err := dnsfake.New(`
$ORIGIN example.test.
$TTL 300
mail A 192.0.2.10`)
	if err != nil {
		fmt.Println(err)
		return
	}
	fake.Fail("mail.example.test", dns.TypeAAAA, dnsfake.ServFail)

	addrs, err := resolver.Addrs(context.Background(), fake, "mail.example.test")
	fmt.Println(addrs, err)
	fmt.Println(fake.Questions())
	// Output:
	// [192.0.2.10] lookup mail.example.test. AAAA: SERVFAIL (dnsfake)
	// [mail.example.test. A mail.example.test. AAAA]
}
