package spf_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/spf"
)

// checkHostWithSender judges as CheckHostWithSender of blitiri.com.ar/go/spf: by the HELO
// name, if the sender has no domain.
func checkHostWithSender(ctx context.Context, r resolver.Resolver, ip net.IP, helo, sender string) *spf.Result {
	if _, domain, _ := strings.Cut(sender, "@"); domain == "" {
		sender = ""
	}
	addr, _ := netip.AddrFromSlice(ip) // one that is not valid is a PermError
	return spf.Checker{Resolver: r}.CheckMailFrom(ctx, addr, helo, sender)
}

// What replaces CheckHostWithSender of blitiri.com.ar/go/spf.
func Example_comingFromBlitiri() {
	for _, sender := range []string{"user@example.test", "", "user"} {
		r := checkHostWithSender(context.Background(), exampleDNS, net.ParseIP("192.0.2.10"), "mail.example.test", sender)
		switch r.Status {
		case spf.Pass, spf.Fail, spf.SoftFail, spf.Neutral:
			fmt.Println(r.Domain, r.Status, "by", r.Term.Kind)
		case spf.None:
			fmt.Println(r.Domain, "has no policy")
		case spf.TempError, spf.PermError:
			fmt.Println(r.Domain, r.Status, r.Err)
		}
	}
	// Output:
	// example.test. pass by mx
	// mail.example.test. pass by ip4
	// mail.example.test. pass by ip4
}
