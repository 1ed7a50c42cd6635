package resolver_test

import (
	"context"
	"fmt"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
)

// One Cache for all that a program asks. The Server of an answer tells whether it
// came from memory.
func ExampleCache() {
	c := &resolver.Cache{
		Resolver: zones(), // in a program: what SystemClient returns
		MaxBytes: 8 << 20,
	}
	ctx := context.Background()
	for range 2 {
		fmt.Println(resolver.Ask(ctx, c, "www.example.test", dns.TypeA))
	}
	// A name that does not exist is asked once, whatever the type.
	fmt.Println(resolver.Ask(ctx, c, "nowhere.example.test", dns.TypeA))
	fmt.Println(resolver.Ask(ctx, c, "nowhere.example.test", dns.TypeAAAA))

	stats := c.Stats()
	fmt.Println(stats.Hits, "of", stats.Hits+stats.Misses, "from memory")
	// Output:
	// www.example.test. A: 192.0.2.10 (by way of 1 aliases) (zone example.test.)
	// www.example.test. A: 192.0.2.10 (by way of 1 aliases) (cache of zone example.test.)
	// nowhere.example.test. A: NXDOMAIN (zone example.test.)
	// nowhere.example.test. AAAA: NXDOMAIN (cache of zone example.test.)
	// 2 of 4 from memory
}

// Who has just changed a zone need not wait for the TTL.
func ExampleCache_Flush() {
	text := "mail A 192.0.2.10"
	c := &resolver.Cache{Resolver: resolver.Func(func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
		zones, err := resolver.ParseZones("$ORIGIN example.test.\n$TTL 3600\n" + text)
		if err != nil {
			return resolver.Answer{}, err
		}
		return zones.Lookup(ctx, name, qtype)
	})}
	ctx := context.Background()
	fmt.Println(resolver.LookupAddrs(ctx, c, "mail.example.test"))
	text = "mail A 192.0.2.20"
	fmt.Println(resolver.LookupAddrs(ctx, c, "mail.example.test"))
	c.Flush()
	fmt.Println(resolver.LookupAddrs(ctx, c, "mail.example.test"))
	// Output:
	// [192.0.2.10] <nil>
	// [192.0.2.10] <nil>
	// [192.0.2.20] <nil>
}
