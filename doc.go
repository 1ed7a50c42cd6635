// Package bonafide is the map of a library for the identity of mail servers. It
// has no code of its own.
//
// A mail server proves who it is with a handful of facts in DNS: its address
// has a name that leads back to it, and it greets with another name of the same
// organization that resolves to all its addresses. bonafide checks these facts,
// writes the records that state them, and tells an organization line by line
// what is right, what is wrong, and what would mend it.
//
// A receiving server asks of a client whether it is who it says it is, step by step:
//
//	// screen tells what to reply to a client that has said who sends, if anything.
//	func screen(ctx context.Context, v identity.Verifier, client netip.Addr, helo, sender string) identity.Advice {
//		s := v.Session(ctx, client) // when it connects: its name is looked up from now on
//		defer s.Close()
//		if advice := s.Helo(ctx, helo).Advice; advice.Action >= identity.Defer {
//			return advice
//		}
//		return s.MailFrom(ctx, sender).Advice
//	}
//
// The v is an identity.Verifier{Resolver: r}, and r is what resolver.SystemClient
// returns, or resolvertest.New in a test.
//
// The packages, from the ground up:
//
//   - [github.com/bonafide-mta/bonafide/resolver]: asking the DNS: a client, zones
//     in memory, one interface for all
//   - [github.com/bonafide-mta/bonafide/resolver/dnsfake] and
//     [github.com/bonafide-mta/bonafide/resolver/resolvertest]: a DNS to test
//     against, with faults and delays
//   - [github.com/bonafide-mta/bonafide/fcrdns]: forward-confirmed reverse names
//   - [github.com/bonafide-mta/bonafide/spf]: the Sender Policy Framework: who may
//     use a name, and what a policy says
//   - [github.com/bonafide-mta/bonafide/spf/blitiri]: a second opinion on SPF
//   - [github.com/bonafide-mta/bonafide/csa]: whether the owner of a HELO name
//     authorizes the client
//   - [github.com/bonafide-mta/bonafide/rp]: who is responsible for a name
//   - [github.com/bonafide-mta/bonafide/nullmx]: what a domain says about receiving
//     mail
//   - [github.com/bonafide-mta/bonafide/identity]: who a client is, and what to reply;
//     HELO names and the organization behind a name
//   - [github.com/bonafide-mta/bonafide/identity/org]: the description of an
//     organization and its mail servers
//   - [github.com/bonafide-mta/bonafide/identity/rule]: the catalogue of rules
//   - [github.com/bonafide-mta/bonafide/identity/plan]: the records that an
//     organization should publish, in steps that lose no mail
//   - [github.com/bonafide-mta/bonafide/identity/audit]: an organization judged by
//     the rules, with evidence and fixes; a plan proved before it is published
//   - [github.com/bonafide-mta/bonafide/reputation/roleaddr]: whether mail servers
//     accept postmaster and abuse
//
// Identity is not goodness: a spammer can have a perfect one. Content, DKIM and
// DMARC are out of scope.
package bonafide
