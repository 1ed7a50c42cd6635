package rp_test

import (
	"context"
	"fmt"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/rp"
)

func ExampleLookup() {
	// The live DNS: r, err := resolver.SystemClient()
	r, err := resolver.ParseZones(`
$TTL 3600
$ORIGIN example.org.
post         RP  hostmaster _mtacontact
_mtacontact  TXT "John Smith (email administrator), phone:+35312345678, email:postmaster"`)
	if err != nil {
		fmt.Println(err)
		return
	}
	persons, err := rp.Lookup(context.Background(), r, "post.example.org")
	if err != nil {
		fmt.Println("not known yet:", err)
		return
	}
	for _, person := range persons {
		fmt.Println(person.Mailbox)
		for _, text := range person.Texts {
			contact := rp.ParseContact(text)
			fmt.Printf("%q, %q, %q\n", contact.Name, contact.Role, contact.Phone)
		}
	}
	// Output:
	// hostmaster@example.org
	// "John Smith", "email administrator", "+35312345678"
}

func ExampleEntry_RR() {
	entry, err := rp.Entry{Name: "post.example.org", Text: "_mtacontact.example.org", TTL: 3600}.RR()
	if err != nil {
		fmt.Println(err)
		return
	}
	contact, err := rp.Contact{Name: "John Smith", Role: "email administrator", Email: "postmaster"}.RR("_mtacontact.example.org", 3600)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(entry)
	fmt.Println(contact)
	// Output:
	// post.example.org.	3600	IN	RP	. _mtacontact.example.org.
	// _mtacontact.example.org.	3600	IN	TXT	"John Smith (email administrator), email:postmaster"
}

func ExampleParseContact() {
	contact := rp.ParseContact("Network Operations, web:http://noc.example.org/, phone:+35312345678")
	fmt.Println(contact.Name)
	fmt.Println(contact.Phone)
	fmt.Println(contact.Web)
	// Output:
	// Network Operations
	// +35312345678
	// http://noc.example.org/
}

func ExampleNamesNobody() {
	for _, text := range []string{"support dept, phone:+35312345678", "-", "v=spf1 -all"} {
		fmt.Println(text, rp.NamesNobody(text))
	}
	// Output:
	// support dept, phone:+35312345678 false
	// - true
	// v=spf1 -all true
}

func ExampleCovers() {
	wanted := &dns.RP{Mbox: ".", Txt: "_mtacontact.example.org."}
	fmt.Println(rp.Covers(&dns.RP{Mbox: "jane.example.org.", Txt: "_mtacontact.example.org."}, wanted))
	fmt.Println(rp.Covers(&dns.RP{Mbox: ".", Txt: "_other.example.org."}, wanted))
	// Output:
	// true
	// false
}
