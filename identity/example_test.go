package identity_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"net/netip"
	"strings"

	"github.com/bonafide-mta/bonafide/identity"
	"github.com/bonafide-mta/bonafide/resolver"
)

// What a server does for each client that it answers at MAIL FROM or RCPT: with v.Advice, if
// that is Defer or Reject.
func ExampleVerifier() {
	zones, err := resolver.ParseZones(`
$TTL 1h
$ORIGIN example.org.
@    TXT "v=spf1 a:smtp.example.org -all"
@    MX  10 smtp
mta1 A   192.0.2.10
smtp A   192.0.2.10
smtp TXT "v=spf1 a -all"
$ORIGIN 2.0.192.in-addr.arpa.
10   PTR mta1.example.org.
99   PTR 99.dsl.isp.example.
$ORIGIN .`)
	if err != nil {
		log.Fatal(err)
	}
	verifier := identity.Verifier{Resolver: zones, Names: []string{"mx.example.net"}}
	ctx := context.Background()
	for _, client := range []string{"192.0.2.10", "192.0.2.99"} {
		s := verifier.Session(ctx, netip.MustParseAddr(client))
		s.StartHelo("smtp.example.org")
		v := s.MailFrom(ctx, "someone@example.org")
		s.Close()
		fmt.Println(client, v.Level, v.Advice.Action)
		for _, reason := range v.Reasons {
			fmt.Println("  ", reason.Text())
		}
		if v.Advice.Reply.Code != 0 {
			fmt.Println("  ", v.Advice)
		}
		field, _ := v.AuthenticationResults("mx.example.net")
		fmt.Println(strings.ReplaceAll(field, "\r\n", "\n"))
	}
	// Output:
	// 192.0.2.10 explicit accept
	//    the SPF record of the HELO name authorizes this address
	//    the sender's SPF record authorizes this address
	// Authentication-Results: mx.example.net;
	// 	iprev=pass policy.iprev=192.0.2.10;
	// 	spf=pass smtp.helo=smtp.example.org;
	// 	spf=pass smtp.mailfrom=someone@example.org
	// 192.0.2.99 forged reject
	//    the SPF record of the HELO name denies it to this address
	//    no PTR name of the address resolves back to it
	//    the HELO name does not resolve to the client
	//    the sender's SPF record denies this address
	//    550 5.7.23 SPF: "smtp.example.org" does not allow 192.0.2.99 to use its name in HELO
	// Authentication-Results: mx.example.net;
	// 	iprev=fail reason=unconfirmed policy.iprev=192.0.2.99;
	// 	spf=fail smtp.helo=smtp.example.org;
	// 	spf=fail smtp.mailfrom=someone@example.org
}

// What a server stores: its own fields above the message, from which the fields that claim to
// be its own are deleted.
func ExampleStripForged() {
	const host = "mx.example.net"
	verdict := &identity.Verdict{} // of a Session
	results, err := verdict.AuthenticationResults(host)
	if err != nil {
		log.Fatal(err)
	}
	received := "Received: from unknown ([192.0.2.10])\r\n\tby mx.example.net with SMTP; Mon, 5 Jan 2026 12:00:00 +0000"
	message := strings.NewReader("Authentication-Results: (hello) MX.example.net;\r\n\tspf=pass\r\n" +
		"Authentication-Results: mail.example.org; auth=pass\r\n" +
		"Subject: hello\r\n\r\nworld\r\n")
	stored := io.MultiReader(strings.NewReader(results+"\r\n"+received+"\r\n"), identity.StripForged(message, host))
	lines := bufio.NewScanner(stored)
	for lines.Scan() {
		fmt.Println(lines.Text())
	}
	// Output:
	// Authentication-Results: mx.example.net;
	// 	none
	// Received: from unknown ([192.0.2.10])
	// 	by mx.example.net with SMTP; Mon, 5 Jan 2026 12:00:00 +0000
	// Authentication-Results: mail.example.org; auth=pass
	// Subject: hello
	//
	// world
}

// A policy of one recipient, and one on trial beside it, judge the same verdict. Neither asks
// anything.
func ExampleVerdict_Advise() {
	zones, err := resolver.ParseZones(`
$TTL 1h
$ORIGIN example.org.
@     TXT "v=spf1 ip4:192.0.2.10 -all"
smtp  A   192.0.2.10
$ORIGIN 2.0.192.in-addr.arpa.
$ORIGIN example.net.`)
	if err != nil {
		log.Fatal(err)
	}
	verifier := identity.Verifier{Resolver: zones}
	s := verifier.Session(context.Background(), netip.MustParseAddr("192.0.2.10"))
	defer s.Close()
	s.StartHelo("smtp.example.org")
	v := s.MailFrom(context.Background(), "someone@example.org")

	strict := identity.Policy{Reasons: map[identity.Reason]identity.Action{
		identity.NoPTR: identity.Reject, identity.Unconfirmed: identity.Reject, identity.TooManyPTR: identity.Reject, identity.ReverseUnknown: identity.Defer,
	}}
	trial := strict
	trial.Exceptions = []identity.Exception{{Network: netip.MustParsePrefix("192.0.2.0/28"), For: []identity.Reason{identity.NoPTR}, Why: "moves in spring", Until: "2100-03-31"}}
	for _, p := range []identity.Policy{strict, trial} {
		if err := p.Validate(); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println("all:  ", v.Advice)
	fmt.Println("one:  ", v.Advise(strict))
	fmt.Println("trial:", v.Advise(trial), "instead of", v.Advise(trial).Excepted)
	// Output:
	// all:   score
	// one:   550 5.7.25 192.0.2.10 has no usable PTR name
	// trial: score instead of reject
}

// One address with two clients: the mail server, and an infected PC behind the same NAT.
// Malware that looks up the address's PTR name and uses it in HELO is traceable; the server,
// whose HELO name it does not find, is explicit. Once the owner locks the PTR name (v=spf1
// -all, and a CSA record that denies it), the PC is forged, and rejected.
func ExampleSession_Helo() {
	zones, err := resolver.ParseZones(`
$TTL 1h
$ORIGIN example.org.
@      TXT "v=spf1 ip4:192.0.2.10 -all"
@      MX  10 post
office A   192.0.2.10
post   A   192.0.2.10
post   TXT "v=spf1 ip4:192.0.2.10 -all"
$ORIGIN 2.0.192.in-addr.arpa.
10     PTR office.example.org.
$ORIGIN .`)
	if err != nil {
		log.Fatal(err)
	}
	locked, err := zones.With(`
$ORIGIN example.org.
office              3600 TXT "v=spf1 -all"
_client._smtp.office 3600 SRV 1 1 0 office`)
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	for _, r := range []resolver.Resolver{zones, locked} {
		for _, heloName := range []string{"post.example.org", "office.example.org"} {
			s := identity.Verifier{Resolver: r}.Session(ctx, netip.MustParseAddr("192.0.2.10"))
			v := s.Helo(ctx, heloName)
			s.Close()
			fmt.Println(heloName, v.Level, v.Advice.Action)
		}
	}
	// Output:
	// post.example.org explicit accept
	// office.example.org traceable accept
	// post.example.org explicit accept
	// office.example.org forged reject
}
