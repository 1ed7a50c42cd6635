package bonafide_test

import (
	"context"
	"fmt"
	"log"
	"net/netip"

	"github.com/bonafide-mta/bonafide/identity"
	"github.com/bonafide-mta/bonafide/resolver"
)

// screen returns what to reply to the MAIL FROM command of a client.
func screen(ctx context.Context, v identity.Verifier, client netip.Addr, helo, sender string) identity.Advice {
	s := v.Session(ctx, client) // when it connects: starts the lookup of its PTR name
	defer s.Close()
	if advice := s.Helo(ctx, helo).Advice; advice.Action >= identity.Defer {
		return advice
	}
	return s.MailFrom(ctx, sender).Advice
}

// A server takes its Resolver from resolver.SystemClient.
func Example() {
	zones, err := resolver.ParseZones(`
$TTL 1h
$ORIGIN example.org.
mta1  A    192.0.2.10
post  A    192.0.2.10
post  TXT  "v=spf1 a -all"
$ORIGIN 2.0.192.in-addr.arpa.
10    PTR  mta1.example.org.
`)
	if err != nil {
		log.Fatal(err)
	}
	v := identity.Verifier{Resolver: zones}
	for _, client := range []string{"192.0.2.10", "192.0.2.66"} {
		advice := screen(context.Background(), v, netip.MustParseAddr(client), "post.example.org", "someone@example.org")
		fmt.Println(client, advice)
	}
	// Output:
	// 192.0.2.10 accept
	// 192.0.2.66 550 5.7.23 SPF: "post.example.org" does not allow 192.0.2.66 to use its name in HELO
}
