package resolver_test

import (
	"context"
	"fmt"
	"log"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
)

// A program's own resolver on the same machine, whose DNSSEC validation is
// trusted.
func ExampleClient() {
	client := &resolver.Client{
		Servers: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:53")},
		TrustAD: true,
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	answer, err := client.Lookup(ctx, "example.com", dns.TypeMX)
	if err != nil {
		log.Print("no answer, ask again later: ", err)
		return
	}
	for _, mx := range resolver.Records[*dns.MX](answer) {
		fmt.Println(mx.Preference, mx.Mx, answer.Authentic)
	}
}

// The servers that the system asks.
func ExampleSystemClient() {
	client, err := resolver.SystemClient()
	if err != nil {
		log.Fatal(err)
	}
	names, err := resolver.LookupPTR(context.Background(), client, netip.MustParseAddr("192.0.2.10"))
	fmt.Println(names, err)
}

func ExampleReadResolvConf() {
	const file = `# two servers on the local network
nameserver 192.0.2.53
nameserver 2001:db8::53
options timeout:1 rotate
`
	client, err := resolver.ReadResolvConf("resolv.conf", strings.NewReader(file))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(client.Servers, client.TryTimeout, client.Rotate)

	_, err = resolver.ReadResolvConf("resolv.conf", strings.NewReader("nameserver\n"))
	fmt.Println(err)
	// Output:
	// [192.0.2.53:53 [2001:db8::53]:53] 1s true
	// resolv.conf:1: nameserver without an address
}

// What a user types after an option such as -server.
func ExampleParseServer() {
	for _, text := range []string{"192.0.2.53", "[2001:db8::53]:5353", "ns.example.net"} {
		server, err := resolver.ParseServer(text)
		if err != nil {
			fmt.Println("-server:", err)
			continue
		}
		fmt.Println(server)
	}
	// Output:
	// 192.0.2.53:53
	// [2001:db8::53]:5353
	// -server: "ns.example.net" is no DNS server: want an IP address, also with a port as in 192.0.2.53:5353 or [2001:db8::53]:5353
}
