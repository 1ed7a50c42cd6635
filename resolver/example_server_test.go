package resolver_test

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/netip"
	"strings"
	"sync"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
)

const servedZone = `
$ORIGIN example.test.
$TTL 300
@    SOA  ns hostmaster 1 7200 3600 1209600 600
@    NS   ns
@    MX   10 mail
ns   A    192.0.2.53
mail A    192.0.2.25
mail AAAA 2001:db8::25
`

// exampleServer serves a zone on the loopback, to secondaries too.
func exampleServer(zoneText string) (server netip.AddrPort, stop func()) {
	zones, err := resolver.ParseZones(zoneText)
	if err != nil {
		log.Fatal(err)
	}
	handler := dns.HandlerFunc(func(w dns.ResponseWriter, r *dns.Msg) {
		if r.Question[0].Qtype != dns.TypeAXFR {
			zones.ServeDNS(w, r)
			return
		}
		soa := resolver.Ask(context.Background(), zones, r.Question[0].Name, dns.TypeSOA).Records
		m := new(dns.Msg).SetReply(r)
		m.Answer = append(m.Answer, soa...)
		for rr := range zones.Records() {
			if rr.Header().Rrtype != dns.TypeSOA {
				m.Answer = append(m.Answer, rr)
			}
		}
		m.Answer = append(m.Answer, soa...)
		_ = w.WriteMsg(m)
	})
	packets, listener, err := listenBoth("127.0.0.1")
	if err != nil {
		log.Fatal(err)
	}
	var serving sync.WaitGroup
	for _, s := range []*dns.Server{{PacketConn: packets, Handler: handler}, {Listener: listener, Handler: handler}} {
		serving.Go(func() { _ = s.ActivateAndServe() })
	}
	return listener.Addr().(*net.TCPAddr).AddrPort(), func() {
		packets.Close()
		listener.Close()
		serving.Wait()
	}
}

// A zone is fetched from its server, to be looked at without asking again: package
// audit could judge it.
func ExampleTransfer() {
	server, stop := exampleServer(servedZone)
	defer stop()

	var text strings.Builder
	for rr, err := range resolver.Transfer(context.Background(), server, "example.test") {
		if err != nil {
			log.Print("not the whole zone: ", err)
			return
		}
		fmt.Fprintln(&text, rr)
	}
	zones, err := resolver.ParseZones(text.String())
	if err != nil {
		log.Print(err)
		return
	}
	addrs, err := resolver.LookupAddrs(context.Background(), zones, "mail.example.test")
	fmt.Println(addrs, err)
	// Output:
	// [192.0.2.25 2001:db8::25] <nil>
}

// A validating resolver on the same machine: nobody else can send from there, so
// its answers are believed and the sockets to it are used again.
func ExampleClient_reuseSockets() {
	server, stop := exampleServer(servedZone)
	defer stop()

	client := &resolver.Client{
		Servers:      []netip.AddrPort{server},
		TrustAD:      true,
		ReuseSockets: true,
	}
	defer client.Close()
	for _, name := range []string{"mail.example.test", "ns.example.test", "www.example.test"} {
		addrs, err := resolver.LookupAddrs(context.Background(), client, name)
		fmt.Println(name, addrs, err)
	}
	// Output:
	// mail.example.test [192.0.2.25 2001:db8::25] <nil>
	// ns.example.test [192.0.2.53] <nil>
	// www.example.test [] <nil>
}
