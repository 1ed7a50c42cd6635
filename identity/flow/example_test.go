package flow_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/netip"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/identity/flow"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/spf"
)

func ExampleRead() {
	zones, err := resolver.ParseZones(`
$ORIGIN example.org.
$TTL 3600
@     SOA ns hostmaster 1 7200 900 1209600 300
      NS  ns.provider.example.
      MX  10 mx
      TXT "v=spf1 mx ip4:192.0.2.32/28 -all"
mx    A   192.0.2.10
mail  CNAME mx
www   A   192.0.2.40
ftp   A   192.0.2.10
`)
	if err != nil {
		log.Fatal(err)
	}
	survey, err := flow.Read(zones.Records(), nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("example.org receives mail:", survey.Node("example.org.").Has(flow.GetsMail))
	for _, name := range []string{"mx.example.org.", "ftp.example.org.", "www.example.org."} {
		for _, f := range append(survey.At(name), survey.Authorized(name)...) {
			fmt.Printf("%s %v\n", name, f)
		}
	}
	fmt.Println("mail.example.org. has the records of", survey.Locate("mail.example.org."))
	fmt.Println("192.0.2.10 belongs to", survey.Server(netip.MustParseAddr("192.0.2.10")))
	fmt.Println("192.0.2.40 is authorized by", survey.Authorizer(netip.MustParseAddr("192.0.2.40")))
	// Output:
	// example.org receives mail: true
	// mx.example.org. it takes the mail of example.org
	// ftp.example.org. it has 192.0.2.10, an address of mx.example.org
	// www.example.org. it has 192.0.2.40, which the SPF record of example.org authorizes
	// mail.example.org. has the records of mx.example.org.
	// 192.0.2.10 belongs to mx.example.org.
	// 192.0.2.40 is authorized by example.org.
}

func ExampleExpectsMail() {
	fmt.Println(flow.ExpectsMail("v=DMARC1; p=none; rua=mailto:dmarc@example.org"))
	fmt.Println(flow.ExpectsMail("v=DMARC1; p=reject")) // as parked domains have it
	// Output:
	// true
	// false
}

func ExampleObservations() {
	mail := `Received: from post.example.org (mta1.example.org [192.0.2.10])
	by mx.example.net (Postfix) with ESMTPS id 4Y; Fri, 2 Jan 2026 03:04:05 +0000
Subject: Invoice
`
	for o, err := range flow.Observations(strings.NewReader(mail)) {
		if errors.Is(err, flow.ErrAmbiguous) {
			fmt.Println("skipped:", err)
			continue
		}
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(o.Addr, "uses", o.Helo, "in HELO")
	}
	// Output:
	// 192.0.2.10 uses post.example.org in HELO
}

// A TXT record that receivers do not take for the policy its owner meant.
func ExampleMeantToSend() {
	if fault := spf.NearMiss("v=spf1; ip4:192.0.2.10 -all"); fault != "" {
		fmt.Println(flow.MeantToSend(fault))
	}
	// Output:
	// a text is meant to say who sends, but is not an SPF record: a semicolon after the version: write a space
}

// What is behind the SPF records of others is not known: tell about it.
func ExampleSurvey_Foreign() {
	zones, err := resolver.ParseZones(`
$ORIGIN example.org.
$TTL 3600
@     SOA ns.provider.example. hostmaster 1 7200 900 1209600 300
      TXT "v=spf1 include:_spf.example.org include:spf.provider.example -all"
_spf  TXT "v=spf1 ip4:192.0.2.10 -all"
`)
	if err != nil {
		log.Fatal(err)
	}
	survey, err := flow.Read(zones.Records(), nil)
	if err != nil {
		log.Fatal(err)
	}
	for name := range survey.Foreign() {
		fmt.Println(name, "is not in the zones")
	}
	// Output:
	// spf.provider.example. is not in the zones
}

// The notes on a mail exchanger that is not described as an MTA.
func ExampleContradictions() {
	zones, err := resolver.ParseZones("$ORIGIN example.org.\n$TTL 3600\n@ SOA ns hostmaster 1 7200 900 1209600 300\n@ MX 10 post\npost A 192.0.2.10\n@ MX 20 mx2\nmx2 A 192.0.2.12\n")
	if err != nil {
		log.Fatal(err)
	}
	o, err := org.Parse("org.yaml", []byte("domain: example.org\nmtas: [{addresses: [192.0.2.10], helo: post.example.org}]"))
	if err != nil {
		log.Fatal(err)
	}
	for _, note := range flow.Contradictions(o, func(q resolver.Question) ([]dns.RR, bool) {
		response := resolver.Ask(context.Background(), zones, q.Name, q.Type)
		return response.Records, response.Err == nil
	}) {
		fmt.Println(note)
	}
	// Output:
	// mx2.example.org: it takes the mail of example.org. and has 192.0.2.12, which no MTA is described with: its HELO name, and what it sends, are neither audited nor planned for
}

// Why an SPF record cannot be at an alias of another organization's name.
func ExampleAtAlias() {
	fmt.Println("bounce.example.org", flow.AtAlias("bounce.example.org.", "bounces.esp.example.", dns.TypeTXT, false))
	// Output:
	// bounce.example.org is an alias of bounces.esp.example., whose owner publishes the TXT record: leave it to the owner, or ask for a change there
}

// Mail to the address of an MTA that only sends is lost.
func ExampleOnlySends() {
	o := &org.Organization{MTAs: []org.MTA{{ID: "relay", Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.10")}, Roles: []org.Role{org.Outbound}}}}
	fmt.Println(flow.OnlySends(o, netip.MustParseAddr("192.0.2.10")))
	fmt.Println(flow.OnlySends(o, netip.MustParseAddr("192.0.2.99"))) // somebody else's
	// Output:
	// true
	// false
}
