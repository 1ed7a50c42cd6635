package rule_test

import (
	"fmt"
	"slices"

	"github.com/bonafide-mta/bonafide/identity/rule"
)

func ExampleLookup() {
	r, ok := rule.Lookup(rule.HeloDiffers)
	if !ok {
		return
	}
	fmt.Println(r.Level, r.Title)
	fmt.Println(r.Why)
	fmt.Printf("The page says: %q\n", r.Advice)
	// Output:
	// should-major The HELO name is another name than the PTR name
	// An infected machine looks up its own PTR name and greets with it. A name that it cannot guess tells the MTA from it. Some testers want the two to be equal: receivers do not.
	// The page says: "it can be the same as above but it is better if it is a different name within the same domain"
}

func ExampleAll() {
	for _, r := range rule.All() {
		if r.Receiver == "" { // of the advice page; the others are receivers' own checks
			fmt.Printf("%-15s %-12s %s\n", r.ID, r.Level, r.Title)
		}
	}
	// Output:
	// org-domain      must         The organization has a domain in the public DNS
	// address-public  must         The address is public, so that receivers see it and can look it up
	// ptr-exists      must         The address has a PTR record
	// ptr-confirmed   must         Every PTR name is forward-confirmed: it has the address
	// ptr-syntax      must         Every PTR name is a host name, without underscore
	// ptr-one-name    must         All addresses of the MTA have its one PTR name, and that name has them all
	// ptr-not-generic must         No PTR name looks like one that a provider gives to every address
	// ptr-static      advice       No PTR name has a sign of dynamic assignment
	// ptr-role        advice       The PTR name says what the address serves: mail alone, or more
	// helo-fqdn       must         The MTA greets with a fully qualified host name
	// helo-role       advice       The HELO name is for mail alone: it has a word for mail in it, and no addresses of others
	// helo-resolves   must         The HELO name has all addresses of the MTA
	// helo-same-org   must         The HELO name and the PTR names belong to the organization
	// helo-differs    should-major The HELO name is another name than the PTR name
	// spf-valid       should-major The SPF record is well-formed and within the limits of receivers
	// spf-agreed      advice       Strict and lenient receivers read the SPF record in the same way
	// helo-spf        should-major The SPF record of the HELO name passes every address of the MTA, and denies others
	// helo-spf-strict advice       The SPF record of the HELO name authorizes the MTA alone, and ends in -all
	// mail-spf        should-major The SPF record of the mail domain passes every address of the MTAs that send for it, and ends with -all, or with ~all if softfail is described
	// helo-csa        should-minor A CSA record (Client SMTP Authorization) authorizes the HELO name from every address of the MTA
	// helo-rp         should-minor An RP record (Responsible Person) says who is responsible for the HELO name
	// null-mx         should-major A name without mail says so by a Null MX record
	// null-spf        should-major A name without mail says so by the SPF record v=spf1 -all
	// ptr-locked      should-major The PTR name is used for nothing else: null SPF, Null MX, and a CSA record or policy that denies it
	// domain-csa      should-minor A CSA policy denies every name of the domain that has no record of its own
	// domain-rp       should-minor RP records say who is responsible for the domain
	// mail-route      must         Mail for postmaster and abuse at the name has somewhere to go
	// mx-hosts        must         The organization's own mail exchangers have public addresses with confirmed names that are not generic
	// role-mailboxes  must         The mail server of the name accepts mail for postmaster and abuse
	// wildcards       advice       No wildcard gives names that do not exist a part in mail
	// ttls            advice       The records of the mail servers live for five minutes at least, and for a week at most
	// exceptions-current advice       No exception has expired
}

func ExampleCompare() {
	ids := []rule.ID{rule.HeloDiffers, "unknown", rule.PTRExists}
	slices.SortFunc(ids, rule.Compare)
	fmt.Println(ids)
	// Output: [ptr-exists helo-differs unknown]
}
