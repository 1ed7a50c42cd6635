package org_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/bonafide-mta/bonafide/identity/org"
)

func ExampleParse() {
	o, err := org.Parse("example.yaml", []byte(`
domain: example.test
mtas:
  - id: mx1
    addresses: [192.0.2.10, "2001:db8::10"]
    ptr: mta1.example.test
    helo: post.example.test
  - addresses: [192.0.2.20]
    roles: [inbound]
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(o.Domain)
	for _, m := range o.MTAs {
		fmt.Println(m.ID, m.Addresses, m.PTR, m.Helo, m.Sends())
	}
	// Output:
	// example.test.
	// mx1 [192.0.2.10 2001:db8::10] mta1.example.test. post.example.test true
	// mta2 [192.0.2.20]   false
}

// An error lists every mistake, each on its line.
func ExampleParse_errors() {
	_, err := org.Parse("example.yaml", []byte(`
domain: example.test
mtas:
  - adresses: [192.0.2.10]
    helo: post.example.test
  - addresses: [192.0.2.20/32]
    helo: relay.example.test
    dedicated: yes
`))
	fmt.Println(err)

	if listed, ok := errors.AsType[*org.Error](err); ok {
		fmt.Println(len(listed.Problems), "problems, the last in line", listed.Problems[3].Line)
	}
	// Output:
	// example.yaml:4:5: mtas[0]: unknown key "adresses": expected one of addresses, dedicated, helo, id, ptr, roles
	// example.yaml:4:5: mtas[0].addresses: expected at least one address
	// example.yaml:6:17: mtas[1].addresses[0]: "192.0.2.20/32": expected an address without prefix length
	// example.yaml:8:16: mtas[1].dedicated: expected true or false, got the text "yes"
	// 4 problems, the last in line 8
}

func ExampleOrganization_Validate() {
	o := &org.Organization{Domain: "example.test", MTAs: []org.MTA{{
		ID:        "mx1",
		Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.10")},
		PTR:       "mta1..example.test",
	}}}
	fmt.Println(o.Validate())
	// Output:
	// mtas[0].ptr: not a DNS name: "mta1..example.test": expected labels of 1 to 63 octets, 255 in all
	// mtas[0].helo: expected what the MTA says in HELO; only one with the sole role inbound needs none
}

func ExampleRead() {
	o, err := org.Read("-", strings.NewReader("{domain: example.test, mtas: [{addresses: [192.0.2.20], roles: [inbound]}]}"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(o.Domain, o.MTAs[0].Addresses)
	// Output: example.test. [192.0.2.20]
}

// A provider alone sends in the name of news.example.test, and both domains are the
// organization's.
func ExampleMailDomain_SentBy() {
	o, err := org.Parse("example.yaml", []byte(`
domain: example.test
mtas: [{id: mx1, addresses: [192.0.2.10], helo: post.example.test}]
mail:
  - {domain: example.test}
  - {domain: news.second.test, mtas: [], includes: [_spf.provider.test]}
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, d := range o.MailDomains() {
		fmt.Println(d.Domain, d.SentBy(o.MTAs[0]), d.SentByNone())
	}
	owns := o.OwnsFunc()
	fmt.Println(owns("www.news.second.test"), owns("second.test"), o.Domains())
	// Output:
	// example.test. true false
	// news.second.test. false true
	// true false [example.test.]
}

func ExampleException_Covers() {
	e := org.Exception{Rule: "ptr-static", Subject: "mx1", Reason: "the contract says so"}
	fmt.Println(e.Covers("ptr-static", "mx1/192.0.2.10"), e.Covers("ptr-static", "mx1"))
	fmt.Println(e.Covers("ptr-static", "mx2/192.0.2.20"), e.Covers("ptr-exists", "mx1/192.0.2.10"))
	// Output:
	// true true
	// false false
}

// Names below any described domain or zone are the organization's. Validate accepts others, and
// a plan refuses them.
func ExampleOrganization_Owns() {
	o, err := org.Parse("example.yaml", []byte(`
domain: example.test
mtas: [{id: mx1, addresses: [192.0.2.10], helo: post.second.test, ptr: mta1.second.test}]
names: ["*.dev.example.test"]
zones: [example.test, second.test, 0/26.2.0.192.in-addr.arpa]
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, name := range []string{"post.second.test", "x.dev.example.test", "10.0/26.2.0.192.in-addr.arpa", "post.third.test"} {
		fmt.Println(name, o.Owns(name))
	}
	// Output:
	// post.second.test true
	// x.dev.example.test true
	// 10.0/26.2.0.192.in-addr.arpa true
	// post.third.test false
}

func ExampleContact_Published() {
	c := org.Contact{Name: "John Smith", Phone: "+35312345678", Address: "1 Main Street, Dublin 2"}
	fmt.Println(c.Published())
	// Output: John Smith, phone:+35312345678, address:1 Main Street, Dublin 2
}
