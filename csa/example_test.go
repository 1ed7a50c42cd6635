package csa_test

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/csa"
	"github.com/bonafide-mta/bonafide/resolver"
)

func ExampleChecker_Check() {
	// A live server: r, err := resolver.SystemClient()
	r, err := resolver.ParseZones(`
$TTL 3600
$ORIGIN example.org.
post                A   192.0.2.10
_client._smtp.post  SRV 1 2 1 post
_client._smtp       SRV 1 1 1 example.org.`)
	if err != nil {
		fmt.Println(err)
		return
	}
	checker := csa.Checker{Resolver: r}
	for _, client := range []struct{ addr, helo string }{
		{"192.0.2.10", "post.example.org"},
		{"192.0.2.66", "post.example.org"},
		{"192.0.2.66", "pc17.example.org"},
		{"192.0.2.66", "[192.0.2.66]"},
	} {
		result := checker.Check(context.Background(), netip.MustParseAddr(client.addr), client.helo)
		fmt.Printf("%s %s: %s (%s)\n", client.addr, client.helo, result.Status, result.Reason)
	}
	// Output:
	// 192.0.2.10 post.example.org: pass (authorized)
	// 192.0.2.66 post.example.org: fail (address-mismatch)
	// 192.0.2.66 pc17.example.org: fail (explicit-required)
	// 192.0.2.66 [192.0.2.66]: none (no-name)
}

func ExampleAuthorize() {
	rr, err := csa.Authorize("post.example.org", 3600)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(rr)
	// Output: _client._smtp.post.example.org.	3600	IN	SRV	1 2 1 post.example.org.
}

// The policy comes last, when every MTA of the domain is authorized.
func ExampleDenyUnlisted() {
	rr, err := csa.DenyUnlisted("example.org", 3600)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(rr)
	// Output: _client._smtp.example.org.	3600	IN	SRV	1 1 1 example.org.
}

func ExampleLookup() {
	r, err := resolver.ParseZones(`
$ORIGIN example.org.
_client._smtp.post 3600 SRV 1 2 1 post`)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, name := range []string{"post.example.org", "www.example.org"} {
		records, err := csa.Lookup(context.Background(), r, name)
		fmt.Println(name, records, err)
	}
	// Output:
	// post.example.org [_client._smtp.post.example.org.	3600	IN	SRV	1 2 1 post.example.org.] <nil>
	// www.example.org [] <nil>
}

func ExampleDeny() {
	rr, err := csa.Deny("www.example.org", 3600)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(rr)
	// Output: _client._smtp.www.example.org.	3600	IN	SRV	1 1 0 www.example.org.
}

func ExampleOwner() {
	owner := csa.Owner("Post.example.org")
	fmt.Println(owner)
	fmt.Println(csa.NameOf(owner))
	// Output:
	// _client._smtp.post.example.org.
	// post.example.org. true
}

// What the records of zones say about HELO names.
func ExampleAuthorizes() {
	zones, err := resolver.ParseZones(`
$TTL 3600
$ORIGIN example.org.
_client._smtp.post  SRV 1 2 1 post
_client._smtp.www   SRV 1 1 0 www
_client._smtp       SRV 1 1 1 @`)
	if err != nil {
		fmt.Println(err)
		return
	}
	for rr := range zones.Records() {
		if srv, ok := rr.(*dns.SRV); ok {
			name, _ := csa.NameOf(srv.Hdr.Name)
			fmt.Println(name, "authorized:", csa.Authorizes(srv), "denied:", csa.Denies(srv), "and all below:", csa.RequiresExplicit(srv))
		}
	}
	// Unordered output:
	// post.example.org. authorized: true denied: false and all below: true
	// www.example.org. authorized: false denied: true and all below: false
	// example.org. authorized: false denied: true and all below: true
}

func ExampleLintRecords() {
	r, err := resolver.ParseZones(`
$ORIGIN example.org.
_client._smtp.post 3600 SRV 1 1 25 .`)
	if err != nil {
		fmt.Println(err)
		return
	}
	records, err := csa.Lookup(context.Background(), r, "post.example.org")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, lint := range csa.LintRecords(records, true) {
		fmt.Println(lint)
	}
	// Output:
	// an MTA uses the name in HELO, and the weight 1 denies that: publish 1 2 1, or use another HELO name (denied-helo)
	// the port is 25, which denies every name below that has no record: publish 0, or 1 to deny names below (port)
	// the target is the root: name the domain itself, as a placeholder (no-target)
}

// The policies of these names are about a HELO name that has no record of its own.
func ExampleParents() {
	fmt.Println(csa.Parents("a.mail.example.org."))
	// Output: [example.org. mail.example.org.]
}
