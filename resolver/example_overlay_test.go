package resolver_test

import (
	"context"
	"fmt"
	"log"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
)

// What will receivers see once the new records are published?
func ExampleOverlay() {
	live, err := resolver.ParseZones(`
$TTL 1h
$ORIGIN example.org.
mta1  A  192.0.2.10
post  A  192.0.2.10
`) // resolver.SystemClient, say
	if err != nil {
		log.Fatal(err)
	}
	added, err := dns.NewRR("post.example.org. 3600 IN A 192.0.2.11")
	if err != nil {
		log.Fatal(err)
	}
	whatIf := &resolver.Overlay{Base: live, Patch: resolver.Patch{
		Add:    []dns.RR{added},
		Remove: []resolver.Question{{Name: "mta1.example.org", Type: dns.TypeA}},
	}}
	for _, name := range []string{"post.example.org", "mta1.example.org"} {
		fmt.Println(resolver.Ask(context.Background(), whatIf, name, dns.TypeA))
	}
	// Output:
	// post.example.org. A: 192.0.2.10, 192.0.2.11 (patch, a partial view over zone example.org.)
	// mta1.example.org. A: no records (patch, a partial view over zone example.org.)
}
