package resolver_test

import (
	"context"
	"fmt"
	"log"
	"net/netip"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
)

const exampleZone = `
$ORIGIN example.test.
$TTL 3600
@    MX  10 mail
@    TXT "v=spf1 mx -all"
mail A   192.0.2.10
www  CNAME mail
$ORIGIN 2.0.192.in-addr.arpa.
10   PTR mail.example.test.
`

// zones is the example zone; its text is right, so that examples may be short.
func zones() *resolver.Zones {
	z, err := resolver.ParseZones(exampleZone)
	if err != nil {
		panic(err)
	}
	return z
}

func ExampleParseZones() {
	zones, err := resolver.ParseZones(`
$ORIGIN example.test.
$TTL 3600
mail A 192.0.2.10
mail AAAA 192.0.2.10
@ TXT v=spf1 -all`)
	fmt.Println(err)

	zones, err = resolver.ParseZones(`
$ORIGIN example.test.
$TTL 3600
mail A 192.0.2.10
@ TXT v=spf1 -all`)
	fmt.Println(zones.Origins(), zones.Warnings(), err)
	// Output:
	// line 5: AAAA: expected an IPv6 address, got "192.0.2.10"; write it as in 2001:db8::10
	// [example.test.] [line 5: TXT with unquoted words: 2 strings, which readers join without spaces; put the text in quotes] <nil>
}

func ExampleAsk() {
	reply := resolver.Ask(context.Background(), zones(), "WWW.Example.Test", dns.TypeA)
	fmt.Println(reply)
	fmt.Println(reply.Addrs(), reply.Status, reply.TTL, reply.Err)
	// Output:
	// www.example.test. A: 192.0.2.10 (by way of 1 aliases) (zone example.test.)
	// [192.0.2.10] NOERROR 1h0m0s <nil>
}

func ExampleLookupAddrs() {
	addrs, err := resolver.LookupAddrs(context.Background(), zones(), "mail.example.test")
	fmt.Println(addrs, err)
	addrs, err = resolver.LookupAddrs(context.Background(), zones(), "nowhere.example.test")
	fmt.Println(addrs, err)
	// Output:
	// [192.0.2.10] <nil>
	// [] <nil>
}

func ExampleLookupTXT() {
	fmt.Println(resolver.LookupTXT(context.Background(), zones(), "example.test"))
	// Output:
	// [v=spf1 mx -all] <nil>
}

func ExampleLookupMX() {
	mx, err := resolver.LookupMX(context.Background(), zones(), "example.test")
	fmt.Println(mx[0].Preference, mx[0].Mx, err)
	// Output:
	// 10 mail.example.test. <nil>
}

func ExampleLookupPTR() {
	fmt.Println(resolver.LookupPTR(context.Background(), zones(), netip.MustParseAddr("192.0.2.10")))
	// Output:
	// [mail.example.test.] <nil>
}

// Tracing is wrapping: a Func sees every question.
func ExampleFunc() {
	inner := zones()
	traced := resolver.Func(func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
		answer, err := inner.Lookup(ctx, name, qtype)
		fmt.Println("asked", name, resolver.TypeString(qtype), answer.Status)
		return answer, err
	})
	_, _ = resolver.LookupAddrs(context.Background(), traced, "nowhere.example.test")
	// Output:
	// asked nowhere.example.test. A NXDOMAIN
	// asked nowhere.example.test. AAAA NXDOMAIN
}

func ExampleAsNet() {
	n := resolver.AsNet{Resolver: zones()}
	mx, err := n.LookupMX(context.Background(), "example.test")
	fmt.Println(mx[0].Host, err)
	_, err = n.LookupMX(context.Background(), "nowhere.example.test")
	fmt.Println(err)
	// Output:
	// mail.example.test. <nil>
	// lookup nowhere.example.test on zone example.test.: no such host
}

// A test double of package net serves the checkers of this module too.
func ExampleFromNet() {
	var double resolver.NetResolver = resolver.AsNet{Resolver: zones()} // or a *mockdns.Resolver, or a *net.Resolver
	r := resolver.FromNet{Resolver: double}
	fmt.Println(resolver.LookupTXT(context.Background(), r, "example.test"))
	fmt.Println(resolver.Ask(context.Background(), r, "nowhere.example.test", dns.TypeTXT))
	// Output:
	// [v=spf1 mx -all] <nil>
	// nowhere.example.test. TXT: NOTFOUND (resolver.AsNet)
}

func ExampleCanonical() {
	for _, name := range []string{"Example.TEST", "bücher.example.test.", "_client._smtp.mail.example.test", "a..b"} {
		fmt.Println(resolver.Canonical(name))
	}
	// Output:
	// example.test. <nil>
	// xn--bcher-kva.example.test. <nil>
	// _client._smtp.mail.example.test. <nil>
	//  not a DNS name: "a..b": expected labels of 1 to 63 octets, 255 in all
}

func ExampleAskAll() {
	zones, err := resolver.ParseZones(`
$ORIGIN example.test.
$TTL 300
@    MX 10 mail
mail A  192.0.2.10`)
	if err != nil {
		log.Fatal(err)
	}
	questions := resolver.AddrQuestions("mail.example.test") // A and AAAA
	questions = append(questions, resolver.Question{Name: "example.test", Type: dns.TypeMX})
	for _, response := range resolver.AskAll(context.Background(), zones, questions...) {
		fmt.Println(response)
	}
	// Output:
	// mail.example.test. A: 192.0.2.10 (zone example.test.)
	// mail.example.test. AAAA: no records (zone example.test.)
	// example.test. MX: 10 mail.example.test. (zone example.test.)
}

func ExampleReverseName() {
	fmt.Println(resolver.ReverseName(netip.MustParseAddr("192.0.2.10")))
	// Output:
	// 10.2.0.192.in-addr.arpa.
}

func ExampleFromReverseName() {
	fmt.Println(resolver.FromReverseName("10.2.0.192.in-addr.arpa"))
	// Output:
	// 192.0.2.10 <nil>
}
