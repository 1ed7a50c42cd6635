package plan_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/plan"
	"github.com/bonafide-mta/bonafide/resolver"
)

func ExampleWant() {
	o, err := org.Parse("org.yaml", []byte(`
domain: example.org
mtas:
  - addresses: [192.0.2.10]
    ptr: mta1.example.org
    helo: post.example.org
names: [www_1.example.org]
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
	// _client._smtp.mta1.example.org. 3600 IN SRV 1 1 0 mta1.example.org. [ptr-locked domain-csa]
	// post.example.org. 3600 IN A 192.0.2.10 [helo-resolves]
	// post.example.org. 3600 IN TXT "v=spf1 ip4:192.0.2.10 -all" [helo-spf helo-spf-strict]
	// _client._smtp.post.example.org. 3600 IN SRV 1 2 1 post.example.org. [helo-csa]
	// refused:  www_1.example.org. no host and no mail domain has an underscore in its name
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

// exampleOrg describes one MTA, for the examples below.
func exampleOrg() *org.Organization {
	o, err := org.Parse("org.yaml", []byte(`
domain: example.org
mtas:
  - {addresses: [192.0.2.10], ptr: mta1.example.org, helo: post.example.org}
`))
	if err != nil {
		log.Fatal(err)
	}
	return o
}

// Without the zones, a resolver is asked for the names that the plan is about.
func ExamplePublished_WithAnswers() {
	o := exampleOrg()
	live, err := resolver.ParseZones(`
$ORIGIN .
@              3600 SOA a.root. b.root. 1 7200 900 1209600 300
example.org.   3600 SOA ns.example.org. hostmaster.example.org. 1 7200 900 1209600 300
example.org.   3600 NS  ns.example.org.
example.org.   3600 MX  10 post.example.org.
post.example.org. 3600 A 192.0.2.10
`)
	if err != nil {
		log.Fatal(err)
	}
	asked, err := new(plan.Published).WithAnswers(context.Background(), live, o)
	if err != nil {
		log.Fatal(err)
	}
	p, err := plan.New(o, asked, plan.Options{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("partial view:", p.Partial)
	for _, s := range p.Steps {
		fmt.Println(s.Stage, s.Owners(), len(s.Changes), "changes")
	}
	// Output:
	// partial view: true
	// prepare [dns-host] 2 changes
	// authorize [dns-host] 1 changes
	// reverse [isp] 1 changes
	// confirm [] 0 changes
	// set-helo [mta] 0 changes
	// observe [] 0 changes
	// check-senders [] 0 changes
	// lock [dns-host] 3 changes
	// envelope [dns-host] 1 changes
	// policy [dns-host] 1 changes
}

// examplePlan returns the plan of exampleOrg for an empty zone.
func examplePlan() *plan.Plan {
	zones, err := resolver.ParseZones("$ORIGIN example.org.\n@ 3600 SOA ns hostmaster 1 7200 900 1209600 300\n@ 3600 NS ns.provider.example.\n")
	if err != nil {
		log.Fatal(err)
	}
	published, err := plan.FromZones(zones.Records())
	if err != nil {
		log.Fatal(err)
	}
	p, err := plan.New(exampleOrg(), published, plan.Options{})
	if err != nil {
		log.Fatal(err)
	}
	return p
}

// The first step as a script for nsupdate.
func ExampleWriteUpdate() {
	step := examplePlan().Steps[0]
	for i := range step.Changes {
		step.Changes[i].Rules = nil // else a comment explains each of them
	}
	if err := plan.WriteUpdate(os.Stdout, step.Changes); err != nil {
		log.Fatal(err)
	}
	// Output:
	// ; then wait 5m before the next step: until then, resolvers may have the old answers
	// zone example.org.
	// prereq nxrrset mta1.example.org. IN A
	// prereq nxrrset post.example.org. IN A
	// prereq nxrrset post.example.org. IN TXT
	// update add mta1.example.org. 3600 IN A 192.0.2.10
	// update add post.example.org. 3600 IN A 192.0.2.10
	// update add post.example.org. 3600 IN TXT "v=spf1 ip4:192.0.2.10 -all"
	// send
}

// The PTR records are the ISP's to set.
func ExampleWriteLetter() {
	for _, step := range examplePlan().Steps {
		if step.Stage == plan.Reverse {
			if err := plan.WriteLetter(os.Stdout, step.Changes); err != nil {
				log.Fatal(err)
			}
		}
	}
	// Output:
	// Subject: reverse DNS of our mail servers
	//
	// Please give our addresses these names (PTR records):
	//
	//     192.0.2.10: mta1.example.org.
	//
	// Each name must resolve to its address first: please tell us if one does not. Please also tell us if an address can have only one name.
	//
	// As lines of a zone file:
	//
	//     10.2.0.192.in-addr.arpa. 3600 IN PTR mta1.example.org.
	//
	// Please tell us when it is done: resolvers may have the old answers for 3h after that, and we wait until they are gone.
	//
	// If you prefer to delegate these names to us, RFC 2317 describes how.
}

// The records of the last step as zone text.
func ExampleWriteZone() {
	steps := examplePlan().Steps
	if err := plan.WriteZone(os.Stdout, steps[len(steps)-1].Changes); err != nil {
		log.Fatal(err)
	}
	// Output:
	// $ORIGIN example.org.
	// ; with these, raise the serial number in the SOA record: secondaries do not fetch them otherwise
	// ; then wait 5m before the next step: until then, resolvers may have the old answers
	// ; domain-csa: A CSA policy denies every name of the domain that has no record of its own
	// _client._smtp.example.org. 3600 IN SRV 1 1 1 example.org.
}

// The zone as it is after the first step, with a new serial number.
func ExampleApply() {
	zones, err := resolver.ParseZones(`
$ORIGIN example.org.
$TTL 3600
@     SOA  ns hostmaster 1 7200 900 1209600 300
      NS   ns.provider.example.
www   A    192.0.2.40
`)
	if err != nil {
		log.Fatal(err)
	}
	var records []dns.RR
	for rr, err := range zones.Records() {
		if err != nil {
			log.Fatal(err)
		}
		records = append(records, rr)
	}
	for _, rr := range plan.Apply(records, examplePlan().Steps[0].Changes) {
		fmt.Println(strings.ReplaceAll(rr.String(), "\t", " "))
	}
	// Output:
	// example.org. 3600 IN NS ns.provider.example.
	// example.org. 3600 IN SOA ns.example.org. hostmaster.example.org. 2 7200 900 1209600 300
	// www.example.org. 3600 IN A 192.0.2.40
	// mta1.example.org. 3600 IN A 192.0.2.10
	// post.example.org. 3600 IN A 192.0.2.10
	// post.example.org. 3600 IN TXT "v=spf1 ip4:192.0.2.10 -all"
}

func ExampleLockable() {
	fmt.Println(plan.Lockable(exampleOrg()))
	// Output: [mta1.example.org.]
}
