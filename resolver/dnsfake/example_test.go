package dnsfake_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/netip"
	"strings"
	"time"

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

	addrs, err := resolver.LookupAddrs(context.Background(), fake, "mail.example.test")
	fmt.Println(addrs, err)
	fmt.Println(fake.Questions())
	// Output:
	// [192.0.2.10] lookup mail.example.test. AAAA: SERVFAIL (dnsfake)
	// [mail.example.test. A mail.example.test. AAAA]
}

// The order of records must not matter to whoever reads them.
func ExampleShuffle() {
	zones, err := resolver.ParseZones("$ORIGIN example.test.\n$TTL 300\n@ MX 10 a\n@ MX 20 b\n@ MX 30 c")
	if err != nil {
		log.Fatal(err)
	}
	shuffled := dnsfake.Shuffle(zones, 1)
	orders := make(map[string]bool)
	for range 100 {
		records, err := resolver.LookupMX(context.Background(), shuffled, "example.test")
		if err != nil {
			log.Fatal(err)
		}
		orders[fmt.Sprint(records)] = true
	}
	fmt.Println(len(orders), "orders")
	// Output: 6 orders
}

// A server that fails twice and then recovers: does the client try again?
func ExampleFault_Times() {
	fake, err := dnsfake.New("$ORIGIN example.test.\n$TTL 300\nmail A 192.0.2.10")
	if err != nil {
		log.Fatal(err)
	}
	fake.Fail("mail.example.test", dns.TypeA, dnsfake.ServFail).Times(2).Extended(dns.ExtendedErrorCodeStaleAnswer, "old")
	for range 3 {
		answer, err := fake.Lookup(context.Background(), "mail.example.test.", dns.TypeA)
		fmt.Println(answer.Addrs(), err)
	}
	// Output:
	// [] lookup mail.example.test. A: SERVFAIL, EDE 3 Stale Answer: "old" (dnsfake)
	// [] lookup mail.example.test. A: SERVFAIL, EDE 3 Stale Answer: "old" (dnsfake)
	// [192.0.2.10] <nil>
}

// The DNS changes while a program runs.
func ExampleFake_Add() {
	fake, err := dnsfake.New("$ORIGIN example.test.\n$TTL 300\nmail A 192.0.2.10")
	if err != nil {
		log.Fatal(err)
	}
	fake.Add("mail A 192.0.2.11")
	fake.AddTXT("example.test", "v=spf1 a:mail.example.test -all")
	ctx := context.Background()
	fmt.Println(resolver.LookupAddrs(ctx, fake, "mail.example.test"))
	fmt.Println(resolver.LookupTXT(ctx, fake, "example.test"))
	// Output:
	// [192.0.2.10 192.0.2.11] <nil>
	// [v=spf1 a:mail.example.test -all] <nil>
}

// A mail server moves to another address, and its name is gone in the end: what does a
// program do that has seen it before?
func ExampleFake_Set() {
	fake, err := dnsfake.New("$ORIGIN example.test.\n$TTL 300\nmail A 192.0.2.10")
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	fake.Set("mail A 192.0.2.11")
	fmt.Println(resolver.Ask(ctx, fake, "mail.example.test", dns.TypeA))
	fake.Remove("mail.example.test", dns.TypeANY)
	fmt.Println(resolver.Ask(ctx, fake, "mail.example.test", dns.TypeA))
	// Output:
	// mail.example.test. A: 192.0.2.11 (zone example.test.)
	// mail.example.test. A: NXDOMAIN (zone example.test.)
}

// A policy changes: the new text replaces the old one.
func ExampleFake_SetTXT() {
	fake, err := dnsfake.New(`
$ORIGIN example.test.
$TTL 300
@ TXT "v=spf1 mx -all"`)
	if err != nil {
		log.Fatal(err)
	}
	fake.SetTXT("example.test", "v=spf1 -all")
	fmt.Println(resolver.LookupTXT(context.Background(), fake, "example.test"))
	// Output: [v=spf1 -all] <nil>
}

// A denial for a while, of what the zones have.
func ExampleFake_Fail_denial() {
	fake, err := dnsfake.New("$ORIGIN example.test.\n$TTL 300\nmail A 192.0.2.10")
	if err != nil {
		log.Fatal(err)
	}
	fake.Fail("mail.example.test", dns.TypeANY, dnsfake.NXDomain).Times(1)
	ctx := context.Background()
	for range 2 {
		fmt.Println(resolver.Ask(ctx, fake, "mail.example.test", dns.TypeA))
	}
	// Output:
	// mail.example.test. A: NXDOMAIN (dnsfake)
	// mail.example.test. A: 192.0.2.10 (zone example.test.)
}

// A program that is not Go, or brings its own DNS client, asks over sockets.
func ExampleFake_Serve() {
	fake, err := dnsfake.New("$ORIGIN example.test.\n$TTL 300\nmail A 192.0.2.10")
	if err != nil {
		log.Fatal(err)
	}
	server, err := fake.Serve()
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()

	reply, err := dns.Exchange(new(dns.Msg).SetQuestion("mail.example.test.", dns.TypeA), server.Addr.String())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(reply.Answer[0].(*dns.A).A, fake.Questions())
	// Output: 192.0.2.10 [mail.example.test. A]
}

// A transport that pads its queries, as DNS over TLS does (RFC 7830), is tested without
// sockets: Exchange is its other end.
func ExampleFake_Exchange() {
	fake, err := dnsfake.New("$ORIGIN example.test.\n$TTL 300\nmail A 192.0.2.10")
	if err != nil {
		log.Fatal(err)
	}
	fake.Fail("mail.example.test", dns.TypeA, dnsfake.ServFail).Times(1)

	padded := func(ctx context.Context, server netip.AddrPort, query []byte) ([]byte, error) {
		m := new(dns.Msg)
		if err := m.Unpack(query); err != nil {
			return nil, err
		}
		if opt := m.IsEdns0(); opt != nil {
			opt.Option = append(opt.Option, &dns.EDNS0_PADDING{Padding: make([]byte, 64)})
		}
		query, err := m.Pack()
		if err != nil {
			return nil, err
		}
		fmt.Println("a query of", len(query), "octets")
		return fake.Exchange(ctx, server, query) // in production: a connection
	}
	client := &resolver.Client{Exchange: padded} // asks again after the failure
	fmt.Println(resolver.Ask(context.Background(), client, "mail.example.test", dns.TypeA))
	fmt.Println(fake.Count("mail.example.test", dns.TypeA), "questions")
	// Output:
	// a query of 114 octets
	// a query of 114 octets
	// mail.example.test. A: 192.0.2.10 (Exchange)
	// 2 questions
}

// What the DNS said once is kept as text, and answered again without a network.
func ExampleRecord() {
	live, err := dnsfake.New("$ORIGIN example.test.\n$TTL 300\nmail A 192.0.2.10") // resolver.SystemClient, say
	if err != nil {
		log.Fatal(err)
	}
	var transcript strings.Builder // a file, say
	recorder := dnsfake.Record(live, &transcript)
	ctx := context.Background()
	_, _ = resolver.LookupAddrs(ctx, recorder, "mail.example.test")
	if err := recorder.Err(); err != nil {
		log.Fatal(err)
	}
	fmt.Print(transcript.String())

	player, err := dnsfake.Replay("mail.dns", strings.NewReader(transcript.String()))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(resolver.LookupAddrs(ctx, player, "mail.example.test"))
	fmt.Println(resolver.LookupTXT(ctx, player, "mail.example.test"))
	// Output:
	// mail.example.test. A
	// 	server "zone example.test."
	// 	ttl 5m0s
	// 	record mail.example.test. 300 IN A 192.0.2.10
	// mail.example.test. AAAA
	// 	server "zone example.test."
	// 	ttl 5m0s
	// [192.0.2.10] <nil>
	// [] lookup mail.example.test. TXT: the transcript does not have this question
}

// A server that is slow, and a caller with less patience.
func ExampleFake_Delay() {
	fake, err := dnsfake.New("$ORIGIN example.test.\n$TTL 300\nmail A 192.0.2.10")
	if err != nil {
		log.Fatal(err)
	}
	fake.Delay("mail.example.test", dns.TypeA, time.Hour)
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	reply := resolver.Ask(ctx, fake, "mail.example.test", dns.TypeA)
	fmt.Println(errors.Is(reply.Err, context.DeadlineExceeded))
	// Output: true
}

// How often was it asked, and was all that should have been?
func ExampleFake_Count() {
	fake, err := dnsfake.New("$ORIGIN example.test.\n$TTL 300\nmail A 192.0.2.10")
	if err != nil {
		log.Fatal(err)
	}
	fake.Fail("mail.example.test", dns.TypeTXT, dnsfake.Timeout).Must()
	_, _ = resolver.LookupAddrs(context.Background(), fake, "mail.example.test")

	fmt.Println(fake.Count("mail.example.test", dns.TypeA))
	fmt.Println(fake.Unasked()) // resolvertest.New looks at this when a test ends
	// Output:
	// 1
	// [mail.example.test. TXT: TIMEOUT was to happen once, but happened never]
}

// The word of a validating resolver, for those who decide by it.
func ExampleFake_Authentic() {
	fake, err := dnsfake.New("$ORIGIN example.test.\n$TTL 300\nmail A 192.0.2.10")
	if err != nil {
		log.Fatal(err)
	}
	fake.Authentic("example.test")
	reply := resolver.Ask(context.Background(), fake, "mail.example.test", dns.TypeA)
	fmt.Println(reply.Addrs(), reply.Authentic)
	// Output: [192.0.2.10] true
}
