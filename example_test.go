package bonafide_test

import (
	"context"
	"fmt"
	"log"
	"net/netip"

	"github.com/bonafide-mta/bonafide/fcrdns"
	"github.com/bonafide-mta/bonafide/identity"
	"github.com/bonafide-mta/bonafide/resolver"
)

// describe says what the DNS knows of a client that has said HELO.
func describe(ctx context.Context, r resolver.Resolver, client netip.Addr, greeting string) string {
	rdns := fcrdns.Checker{Resolver: r}.Check(ctx, client)
	helo := identity.HeloChecker{Resolver: r}.Check(ctx, greeting, client)
	if rdns.Status.Temporary() || helo.Status.Temporary() {
		return "not known yet: DNS did not answer"
	}
	relation, _ := identity.Relate(helo.Helo.Name, rdns.Name)
	return fmt.Sprintf("reverse name %s, HELO %s, names %s", rdns.Status, helo.Status, relation)
}

// A server would take its Resolver from resolver.SystemClient.
func Example() {
	zones, err := resolver.ParseZones(`
$TTL 1h
$ORIGIN example.org.
mta1  A    192.0.2.10
post  A    192.0.2.10
$ORIGIN 2.0.192.in-addr.arpa.
10    PTR  mta1.example.org.
`)
	if err != nil {
		log.Fatal(err)
	}
	client := netip.MustParseAddr("192.0.2.10")
	fmt.Println(describe(context.Background(), zones, client, "post.example.org"))
	fmt.Println(describe(context.Background(), zones, client, "mta1.example.org"))
	// Output:
	// reverse name pass, HELO pass, names same-organisation
	// reverse name pass, HELO pass, names identical
}
