// Package bonafide is the map of a library for the identity of mail servers. It
// has no code of its own.
//
// A mail server proves who it is with a handful of facts in DNS: the PTR name of its
// address resolves back to the address, and its HELO name is another name of the same
// organization that resolves to all its addresses. bonafide checks these facts, builds
// the records that state them, and audits an organization line by line: what is right,
// what is wrong, and how to fix it.
//
// A receiving server judges a client step by step:
//
//	// screen returns what to reply to the MAIL FROM command of a client.
//	func screen(ctx context.Context, v identity.Verifier, client netip.Addr, helo, sender string) identity.Advice {
//		s := v.Session(ctx, client) // when it connects: starts the lookup of its PTR name
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
// The packages, from the ground up; each imports only packages above it in this list:
//
//   - [github.com/bonafide-mta/bonafide/resolver]: one interface to the DNS: a
//     client, a cache, zones in memory
//   - [github.com/bonafide-mta/bonafide/identity/envelope]: the addresses of an
//     SMTP envelope, and SMTP replies
//   - [github.com/bonafide-mta/bonafide/resolver/dnsfake]: a DNS to test against,
//     with faults and delays
//   - [github.com/bonafide-mta/bonafide/fcrdns]: forward-confirmed reverse DNS
//   - [github.com/bonafide-mta/bonafide/fcrdns/ptrname]: tells generated PTR names
//     apart from chosen ones
//   - [github.com/bonafide-mta/bonafide/spf]: the Sender Policy Framework: check a
//     sender, explain a policy, build records
//   - [github.com/bonafide-mta/bonafide/csa]: Client SMTP Authorization: whether
//     the owner of a HELO name authorizes a client
//   - [github.com/bonafide-mta/bonafide/rp]: the person responsible for a name
//   - [github.com/bonafide-mta/bonafide/nullmx]: whether a domain receives mail
//   - [github.com/bonafide-mta/bonafide/resolver/resolvertest]: dnsfake for
//     package testing, and a conformance suite for resolvers
//   - [github.com/bonafide-mta/bonafide/spf/blitiri]: a second opinion on SPF
//   - [github.com/bonafide-mta/bonafide/identity/helo]: HELO names, and the
//     organization behind a name
//   - [github.com/bonafide-mta/bonafide/identity/org]: the description of an
//     organization and its mail servers
//   - [github.com/bonafide-mta/bonafide/identity]: judges the clients of a mail
//     server, and advises what to reply
//   - [github.com/bonafide-mta/bonafide/identity/rule]: the rules of the audit
//   - [github.com/bonafide-mta/bonafide/identity/flow]: which names take part in
//     mail
//   - [github.com/bonafide-mta/bonafide/reputation/roleaddr]: whether mail servers
//     accept mail for postmaster and abuse
//   - [github.com/bonafide-mta/bonafide/identity/plan]: the records an
//     organization should publish, in steps that lose no mail
//   - [github.com/bonafide-mta/bonafide/identity/harden]: names of whole zones
//     that have nothing to do with mail
//   - [github.com/bonafide-mta/bonafide/identity/report]: findings with evidence
//     and fixes, the difference of two reports, and their writers
//   - [github.com/bonafide-mta/bonafide/identity/draft]: a first description of an
//     organization, from DNS
//   - [github.com/bonafide-mta/bonafide/identity/audit]: judges an organization by
//     the rules, and proves a plan before it is published
//
// Identity is not goodness: a spammer can have a perfect one. Content, DKIM and
// DMARC are out of scope.
package bonafide
