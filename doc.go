// Package bonafide is the map of a library for the identity of mail servers. It
// has no code of its own.
//
// A mail server proves who it is with a handful of facts in DNS: its address
// has a name that leads back to it, and it greets with another name of the same
// organisation that resolves to all its addresses. bonafide checks these facts,
// writes the records that state them, and tells an organisation line by line
// what is right, what is wrong, and what would mend it.
//
// A receiving server asks whether a client is who it says it is:
//
//	// describe says what the DNS knows of a client that has said HELO.
//	func describe(ctx context.Context, r resolver.Resolver, client netip.Addr, greeting string) string {
//		rdns := fcrdns.Checker{Resolver: r}.Check(ctx, client)
//		helo := identity.HeloChecker{Resolver: r}.Check(ctx, greeting, client)
//		if rdns.Status.Temporary() || helo.Status.Temporary() {
//			return "not known yet: DNS did not answer"
//		}
//		relation, _ := identity.Relate(helo.Helo.Name, rdns.Name)
//		return fmt.Sprintf("reverse name %s, HELO %s, names %s", rdns.Status, helo.Status, relation)
//	}
//
// The r is what resolver.SystemClient returns, or resolvertest.New in a test.
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
//     authorises the client
//   - [github.com/bonafide-mta/bonafide/rp]: who is responsible for a name
//   - [github.com/bonafide-mta/bonafide/nullmx]: what a domain says about receiving
//     mail
//   - [github.com/bonafide-mta/bonafide/identity]: HELO names and the organisation
//     behind a name
//   - [github.com/bonafide-mta/bonafide/identity/org]: the description of an
//     organisation and its mail servers
//   - [github.com/bonafide-mta/bonafide/identity/rule]: the catalogue of rules
//   - [github.com/bonafide-mta/bonafide/identity/plan]: the records that an
//     organisation should publish
//   - [github.com/bonafide-mta/bonafide/identity/audit]: an organisation judged by
//     the rules, with evidence and fixes
//
// Identity is not goodness: a spammer can have a perfect one. Content, DKIM and
// DMARC are out of scope.
package bonafide
