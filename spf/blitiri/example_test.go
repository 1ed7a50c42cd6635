package blitiri_test

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/spf"
	"github.com/bonafide-mta/bonafide/spf/blitiri"
)

// A record with a mistake behind the term that matches: some receivers refuse it,
// others never see the mistake.
func ExampleChecker_Check() {
	zones, err := resolver.ParseZones(`
$ORIGIN example.test.
$TTL 300
@ TXT "v=spf1 ip4:192.0.2.1 inlcude:_spf.mail.test -all"
`)
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, addr := context.Background(), netip.MustParseAddr("192.0.2.1")
	strict := spf.Checker{Resolver: zones}.CheckMailFrom(ctx, addr, "mail.example.test", "user@example.test")
	lenient := blitiri.Checker{Resolver: zones}.Check(ctx, addr, "mail.example.test", "user@example.test")
	fmt.Println(strict.Status, lenient.Status)
	// Output:
	// permerror pass
}
