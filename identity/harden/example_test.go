package harden_test

import (
	"fmt"
	"log"

	"github.com/bonafide-mta/bonafide/identity/harden"
	"github.com/bonafide-mta/bonafide/resolver"
)

func ExampleZones() {
	zones, err := resolver.ParseZones(`
$ORIGIN example.org.
$TTL 3600
@     SOA ns hostmaster 1 7200 900 1209600 300
      NS  ns.provider.example.
      MX  10 mx
mx    A   192.0.2.10
www   A   192.0.2.80
shop  CNAME www
`)
	if err != nil {
		log.Fatal(err)
	}
	h, err := harden.Zones(zones.Records(), nil)
	if err != nil {
		log.Fatal(err)
	}
	for r := range h.Records() {
		fmt.Println(r)
	}
	for _, n := range h.Left {
		fmt.Println("left alone:", n)
	}
	// Output:
	// www.example.org. 3600 IN MX 0 .
	// www.example.org. 3600 IN TXT "v=spf1 -all"
	// left alone: mx.example.org: it takes the mail of example.org: describe it, or list it in names if it has no mail
	// left alone: shop.example.org: it is an alias: the records of its target count
}
