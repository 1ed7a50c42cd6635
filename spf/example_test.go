package spf_test

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/spf"
)

// exampleDNS stands for the DNS in the examples; a server has resolver.SystemClient.
var exampleDNS = func() resolver.Resolver {
	zones, err := resolver.ParseZones(`
$ORIGIN example.test.
$TTL 300
@    TXT "v=spf1 mx include:_spf.mail.test -all exp=why.example.test"
@    MX  10 mail
mail A   192.0.2.10
mail TXT "v=spf1 ip4:192.0.2.10 -all"
why  TXT "%{i} does not send for %{d}"
$ORIGIN mail.test.
_spf TXT "v=spf1 ip4:198.51.100.0/24 -all"
`)
	if err != nil {
		panic(err)
	}
	return zones
}()

// A server asks when MAIL FROM comes.
func ExampleChecker_CheckMailFrom() {
	c := spf.Checker{Resolver: exampleDNS, Receiver: "mx.receiver.test"}
	for _, client := range []string{"198.51.100.7", "203.0.113.9"} {
		r := c.CheckMailFrom(context.Background(), netip.MustParseAddr(client), "mail.example.test", "user@example.test")
		fmt.Println(r.Status, "by", r.Term)
		if r.Status == spf.Fail {
			fmt.Printf("the owner of %s says: %q\n", r.Domain, r.Explanation)
		}
	}
	// Output:
	// pass by ip4:198.51.100.0/24 at offset 7 of _spf.mail.test., by include:_spf.mail.test of example.test.
	// fail by -all at offset 33 of example.test.
	// the owner of example.test. says: "203.0.113.9 does not send for example.test"
}

func ExampleChecker_CheckHelo() {
	c := spf.Checker{Resolver: exampleDNS}
	r := c.CheckHelo(context.Background(), netip.MustParseAddr("192.0.2.10"), "mail.example.test")
	fmt.Println(r.Status, r.Term.Text)
	// Output:
	// pass ip4:192.0.2.10
}

// The field goes on top of the message.
func ExampleResult_ReceivedSPF() {
	c := spf.Checker{Resolver: exampleDNS, Receiver: "mx.receiver.test"}
	r := c.CheckMailFrom(context.Background(), netip.MustParseAddr("192.0.2.10"), "mail.example.test", "user@example.test")
	for line := range strings.SplitSeq(r.ReceivedSPF(), "\r\n") {
		fmt.Println(line)
	}
	// Output:
	// Received-SPF: pass (mx.receiver.test: example.test authorizes 192.0.2.10)
	// 	client-ip=192.0.2.10;
	// 	envelope-from="user@example.test";
	// 	helo=mail.example.test;
	// 	receiver=mx.receiver.test;
	// 	identity=mailfrom;
	// 	mechanism=mx;
}

// All mistakes of a record are told at once.
func ExampleParse() {
	_, err := spf.Parse("v=spf1 ip4:192.0.2.300 a:localhost include example.test ~all")
	fmt.Println(err)
	record, _ := spf.Parse("v=spf1 +ip4:192.0.2.0/24 mx/28//64 ~all")
	for _, t := range record.Terms {
		fmt.Println(t.Kind, t.Qualifier, t)
	}
	// Output:
	// SPF record: offset 7: "ip4:192.0.2.300": "192.0.2.300": expected an IPv4 address, and a slash and a length of 0 to 32 if it is a network; offset 23: "a:localhost": "localhost": expected a domain that ends in a dot and a top-level domain, or in a macro; offset 35: "include example.test": a space where a colon is expected: write include:example.test
	// ip4 pass ip4:192.0.2.0/24
	// mx pass mx/28//64
	// all softfail ~all
}

// Which records deny every client, in whatever spelling.
func ExampleIsNull() {
	for _, text := range []string{"v=spf1 -all", "V=SPF1  -ALL exp=why.example.test", "v=spf1 ~all", "v=spf1 a -all"} {
		fmt.Printf("%s: %t\n", text, spf.IsNull(text))
	}
	// Output:
	// v=spf1 -all: true
	// V=SPF1  -ALL exp=why.example.test: true
	// v=spf1 ~all: false
	// v=spf1 a -all: false
}

// The record of a name among its texts.
func ExampleSelect() {
	fmt.Println(spf.Select([]string{"google-site-verification=1", "v=spf1 mx -all"}))
	_, err := spf.Select([]string{"v=spf1 mx -all", "v=spf1 -all"})
	fmt.Println(err)
	// Output:
	// v=spf1 mx -all <nil>
	// more than one SPF record
}

// Why receivers see no policy at a name whose texts look like one.
func ExampleNearMiss() {
	for _, text := range []string{"v=spf1 mx -all", "v=spf1; mx -all", " v=spf1 mx -all", "v=DMARC1; p=none"} {
		fmt.Printf("%q: %t %q\n", text, spf.IsRecord(text), spf.NearMiss(text))
	}
	// Output:
	// "v=spf1 mx -all": true ""
	// "v=spf1; mx -all": false "a semicolon after the version: write a space"
	// " v=spf1 mx -all": false "a blank before the version: remove it"
	// "v=DMARC1; p=none": false ""
}

// What a policy authorizes, and what is wrong with it.
func ExampleAnalyze() {
	zones, err := resolver.ParseZones(`
$ORIGIN example.test.
$TTL 300
@   TXT "v=spf1 a mx ip4:192.0.2.0/25 ip4:192.0.2.128/25 include:gone.example.test"
@   A   192.0.2.7
@   MX  10 @
`)
	if err != nil {
		fmt.Println(err)
		return
	}
	a := spf.Analyze(context.Background(), zones, "example.test")
	fmt.Println("authorized:", a.Sets[spf.Pass], "look-ups:", a.Root.Sum.Lookups)
	for _, lint := range a.Lints {
		fmt.Println(lint)
	}
	// Output:
	// authorized: [192.0.2.0/24] look-ups: 3
	// broken: leads to gone.example.test., which has no SPF record (include:gone.example.test at offset 48 of example.test.; no-record)
	// warning: there is no all and no redirect: nothing is said of all others; end the record in -all or ~all (example.test.; no-all)
	// warning: can never match: a before it has all its addresses (mx at offset 9 of example.test.; covered)
}

// A policy without the look-ups, and where each network came from.
func ExampleAnalysis_Flatten() {
	records, err := spf.Analyze(context.Background(), exampleDNS, "example.test").Flatten(context.Background(), exampleDNS, 3600)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, record := range records {
		fmt.Println(record.RR)
		for _, term := range record.From {
			fmt.Println(";", term.Network, "by", term.By[0])
		}
	}
	// Output:
	// example.test.	3600	IN	TXT	"v=spf1 ip4:192.0.2.10 ip4:198.51.100.0/24 -all exp=why.example.test"
	// ; 192.0.2.10/32 by mx at offset 7 of example.test.
	// ; 198.51.100.0/24 by ip4:198.51.100.0/24 at offset 7 of _spf.mail.test., by include:_spf.mail.test of example.test.
}

// Who an analysis says may send.
func ExampleAnalysis_Status() {
	a := spf.Analyze(context.Background(), exampleDNS, "example.test")
	fmt.Println(a.Status(netip.MustParseAddr("198.51.100.200")), a.Status(netip.MustParseAddr("2001:db8::1")))
	// Output:
	// pass fail
}

// The records that an organization needs: of a HELO name, of a domain that sends, of
// a name that never does.
func ExampleBuilder_RR() {
	for _, s := range []spf.Builder{
		{Name: "mail.example.test", Addrs: []netip.Addr{netip.MustParseAddr("2001:db8::10"), netip.MustParseAddr("192.0.2.10")}},
		{Name: "example.test", Exchangers: true, Includes: []string{"_spf.mail.test"}, Others: spf.SoftFail},
		{Name: "www.example.test"},
		{Name: "example.test", Includes: []string{"example.test"}},
	} {
		s.TTL = 3600
		rr, err := s.RR()
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(rr)
	}
	// Output:
	// mail.example.test.	3600	IN	TXT	"v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 -all"
	// example.test.	3600	IN	TXT	"v=spf1 mx include:_spf.mail.test ~all"
	// www.example.test.	3600	IN	TXT	"v=spf1 -all"
	// spf: example.test. includes itself
}

// A record that was parsed is published in its shortest form.
func ExampleRecord_RR() {
	record, err := spf.Parse("v=spf1 +a:mail.example.test/32 -all")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	rr, err := record.RR("example.test", 300)
	fmt.Println(rr, err)
	// Output:
	// example.test.	300	IN	TXT	"v=spf1 a:mail.example.test -all" <nil>
}
