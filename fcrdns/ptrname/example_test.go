package ptrname_test

import (
	"fmt"
	"net/netip"

	"github.com/bonafide-mta/bonafide/fcrdns/ptrname"
)

// What a receiver thinks of the name of a client before any other question.
func ExampleClassify() {
	client := netip.MustParseAddr("203.0.113.7")
	for _, name := range []string{"203-0-113-7.dsl.isp.example", "mail.example.org", "zeus.customer.isp.example"} {
		a := ptrname.Classify(client, name)
		fmt.Printf("%s: %s (%+.1f)\n", name, a.Kind, a.Score)
		for _, r := range a.Reasons {
			fmt.Println("  ", r)
		}
	}
	// Output:
	// 203-0-113-7.dsl.isp.example: generic (+6.4)
	//    +3.7 the address stands in it: 203-0-113-7
	//    +2.9 a word for access lines: dsl
	//    +0.9 a word for a provider in the domain: isp
	// mail.example.org: deliberate (-5.6)
	//    -2.6 a word for mail at the beginning: mail
	//    -1.9 no digit in it
	// zeus.customer.isp.example: unclear (+0.1)
	//    +2.2 a word for what is assigned to customers: customer
	//    +0.9 a word for a provider in the domain: isp
	//    -1.9 no digit in it
}

func ExampleMailWord() {
	for _, name := range []string{"mx1.example.org.", "smtp-fra.example.org.", "zeus.example.org.", "mail.org."} {
		fmt.Printf("%s %q\n", name, ptrname.MailWord(name))
	}
	// Output:
	// mx1.example.org. "mx"
	// smtp-fra.example.org. "smtp"
	// zeus.example.org. ""
	// mail.org. ""
}
