package resolver_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"slices"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/resolver/dnsfake"
)

// exchangersBefore returns the mail servers of a domain, none if it publishes no MX
// records. It is written against package net.
func exchangersBefore(ctx context.Context, r resolver.NetResolver, domain string) ([]string, error) {
	all, err := r.LookupMX(ctx, domain)
	if e, ok := errors.AsType[*net.DNSError](err); ok && e.IsNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var hosts []string
	for _, mx := range all {
		hosts = append(hosts, mx.Host)
	}
	return hosts, nil
}

// exchangersAfter does the same with a Resolver: no records are not an error.
func exchangersAfter(ctx context.Context, r resolver.Resolver, domain string) ([]string, error) {
	all, err := resolver.LookupMX(ctx, r, domain)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b *dns.MX) int { return cmp.Compare(a.Preference, b.Preference) })
	var hosts []string
	for _, mx := range all {
		hosts = append(hosts, mx.Mx)
	}
	return hosts, nil
}

// A program moves from package net: AsNet runs its functions as they are, and each can be
// rewritten when there is time.
func Example_migration() {
	fake, err := dnsfake.New(`
$ORIGIN example.test.
$TTL 300
@     MX 20 backup
@     MX 10 mail
quiet A  192.0.2.20
`)
	if err != nil {
		log.Fatal(err)
	}
	fake.Fail("broken.example.test", dns.TypeMX, dnsfake.ServFail)

	ctx := context.Background()
	for _, domain := range []string{"example.test", "quiet.example.test", "broken.example.test"} {
		before, err := exchangersBefore(ctx, resolver.AsNet{Resolver: fake}, domain) // was net.DefaultResolver
		fmt.Println(before, err)
		after, err := exchangersAfter(ctx, fake, domain)
		fmt.Println(after, err)
	}
	// Output:
	// [mail.example.test. backup.example.test.] <nil>
	// [mail.example.test. backup.example.test.] <nil>
	// [] <nil>
	// [] <nil>
	// [] lookup broken.example.test on dnsfake: SERVFAIL
	// [] lookup broken.example.test. MX: SERVFAIL (dnsfake)
}
