package resolver_test

import (
	"context"
	"fmt"
	"log"
	"net"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
)

// A zone file as name servers have it: its name is known from elsewhere. Of a bad
// one all mistakes are reported, and nothing is loaded.
func ExampleReadZone() {
	const file = `
$TTL 3600
@    SOA ns hostmaster 1 7200 900 1209600 300
@    NS  ns
ns   A   192.0.2.300
mail MX  mail
`
	_, err := resolver.ReadZone("example.test", "example.test.zone", strings.NewReader(file))
	fmt.Println(err)
	// Output:
	// example.test.zone:5: A: expected an IPv4 address, got "192.0.2.300"; write it as in 192.0.2.10
	// example.test.zone:6: MX: expected a number of at most 65535, got "mail"; write it as in 10 mail.example.test.
}

func ExampleMergeZones() {
	reverse, err := resolver.ParseZones("$ORIGIN 100.51.198.in-addr.arpa.\n$TTL 3600\n10 PTR mail.example.test.\n")
	if err != nil {
		log.Fatal(err)
	}
	both, err := resolver.MergeZones(zones(), reverse)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(both.Origins())
	// Output:
	// [100.51.198.in-addr.arpa. 2.0.192.in-addr.arpa. example.test.]
}

// A zone as it would be with a record that is not published yet.
func ExampleZones_With() {
	zones, err := resolver.ParseZones("$ORIGIN example.test.\n$TTL 300\nmail A 192.0.2.10")
	if err != nil {
		log.Fatal(err)
	}
	more, err := zones.With("mail AAAA 2001:db8::10")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(resolver.LookupAddrs(context.Background(), more, "mail.example.test"))
	// Output:
	// [192.0.2.10 2001:db8::10] <nil>
}

func ExampleZones_Records() {
	for rr := range zones().Records() {
		if rr.Header().Rrtype == dns.TypeMX {
			fmt.Println(rr)
		}
	}
	// Output:
	// example.test.	3600	IN	MX	10 mail.example.test.
}

// Other programs ask the zones as they would ask an authoritative server.
func ExampleZones_ServeDNS() {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	server := &dns.Server{PacketConn: conn, Handler: zones()}
	go func() { _ = server.ActivateAndServe() }()
	defer conn.Close()

	reply, err := dns.Exchange(new(dns.Msg).SetQuestion("mail.example.test.", dns.TypeA), conn.LocalAddr().String())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(reply.Authoritative, reply.Answer)
	// Output:
	// true [mail.example.test.	3600	IN	A	192.0.2.10]
}

func ExampleLookupSRV() {
	z, err := resolver.ParseZones("$ORIGIN example.test.\n$TTL 3600\n_submissions._tcp SRV 0 1 465 mail\n")
	if err != nil {
		log.Fatal(err)
	}
	srv, err := resolver.LookupSRV(context.Background(), z, "_submissions._tcp.example.test")
	fmt.Println(srv[0].Target, srv[0].Port, err)
	// Output:
	// mail.example.test. 465 <nil>
}

func ExampleLookupRP() {
	z, err := resolver.ParseZones("$ORIGIN example.test.\n$TTL 3600\nmail RP postmaster contact\n")
	if err != nil {
		log.Fatal(err)
	}
	rp, err := resolver.LookupRP(context.Background(), z, "mail.example.test")
	fmt.Println(rp[0].Mbox, rp[0].Txt, err)
	// Output:
	// postmaster.example.test. contact.example.test. <nil>
}

// Records selects from an answer the records of the type that the variable has.
func ExampleRecords() {
	reply := resolver.Ask(context.Background(), zones(), "example.test", dns.TypeMX)
	for _, mx := range resolver.Records[*dns.MX](reply.Answer) {
		fmt.Println(mx.Preference, mx.Mx)
	}
	// Output:
	// 10 mail.example.test.
}
