package plan_test

import (
	"fmt"
	"log"
	"strings"

	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/plan"
	"github.com/bonafide-mta/bonafide/resolver"
)

func ExampleWant() {
	o, err := org.Parse("org.yaml", []byte(`
domain: example.org
mtas:
  - addresses: [192.0.2.10, 10.0.0.1]
    ptr: mta1.example.org
    helo: post.example.org
`))
	if err != nil {
		log.Fatal(err)
	}
	records, refusals := plan.Want(o)
	for _, r := range records {
		fmt.Println(r, r.Rules)
	}
	for _, r := range refusals {
		fmt.Println("refused:", r.MTA, r.Value, r.Reason)
	}
	// Output:
	// 10.2.0.192.in-addr.arpa. 3600 IN PTR mta1.example.org. [ptr-exists ptr-confirmed ptr-one-name]
	// example.org. 3600 IN MX 10 post.example.org. [mail-route]
	// example.org. 3600 IN TXT "v=spf1 ip4:192.0.2.10 -all" [mail-spf]
	// _client._smtp.example.org. 3600 IN SRV 1 1 1 example.org. [domain-csa]
	// mta1.example.org. 3600 IN A 192.0.2.10 [ptr-confirmed ptr-one-name]
	// mta1.example.org. 3600 IN MX 0 . [ptr-locked]
	// mta1.example.org. 3600 IN TXT "v=spf1 -all" [ptr-locked]
	// _client._smtp.mta1.example.org. 3600 IN SRV 1 1 0 mta1.example.org. [ptr-locked]
	// post.example.org. 3600 IN A 192.0.2.10 [helo-resolves]
	// post.example.org. 3600 IN TXT "v=spf1 ip4:192.0.2.10 -all" [helo-spf helo-spf-strict]
	// _client._smtp.post.example.org. 3600 IN SRV 1 2 1 post.example.org. [helo-csa]
	// refused: mta1 10.0.0.1 not a public address (private, RFC 1918)
}

func ExampleNew() {
	o, err := org.Parse("org.yaml", []byte(`
domain: example.org
mtas:
  - {addresses: [192.0.2.10], ptr: mta1.example.org, helo: post.example.org}
`))
	if err != nil {
		log.Fatal(err)
	}
	zones, err := resolver.ParseZones(`
$ORIGIN example.org.
$TTL 3600
@            SOA  ns hostmaster 1 7200 900 1209600 300
             NS   ns.provider.example.
             TXT  "v=spf1 include:provider.example -all"
_client._smtp SRV 1 1 1 @
mta1         A    192.0.2.10
             MX   0 .
             TXT  "v=spf1 -all"
_client._smtp.mta1 SRV 1 1 0 mta1
post         A    192.0.2.10
_client._smtp.post SRV 1 2 1 post
`)
	if err != nil {
		log.Fatal(err)
	}
	whole, err := plan.FromZones(zones.Records())
	if err != nil {
		log.Fatal(err)
	}
	p, err := plan.New(o, whole, plan.Options{})
	if err != nil {
		log.Fatal(err)
	}
	for _, c := range p.Changes {
		for _, rr := range c.Added() {
			fmt.Println(c.Owner, "add", strings.ReplaceAll(rr.String(), "\t", " "))
		}
	}
	for _, k := range p.Kept {
		for _, rr := range k.Records {
			fmt.Println("kept", strings.ReplaceAll(rr.String(), "\t", " "))
		}
	}
	// Output:
	// isp add 10.2.0.192.in-addr.arpa. 3600 IN PTR mta1.example.org.
	// you add example.org. 3600 IN MX 10 post.example.org.
	// you add post.example.org. 3600 IN TXT "v=spf1 ip4:192.0.2.10 -all"
	// kept example.org. 3600 IN TXT "v=spf1 include:provider.example -all"
}
