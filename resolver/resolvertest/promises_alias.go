package resolvertest

import (
	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
)

// aliasPromises are about CNAME and DNAME records.
var aliasPromises = []promise{
	{
		name: "alias", says: "Chain are the aliases followed, CNAME and DNAME, in order.",
		remedy: "follow CNAME records to the records of the type asked, and keep each in Chain, from the name asked to the last one",
		zone:   "alias2 CNAME alias\nalias CNAME mail\nmail A 192.0.2.10",
		test: func(p *probe) {
			a := p.expect("alias2.conformance.test.", dns.TypeA, "192.0.2.10")
			p.expectChain("alias2.conformance.test.", a,
				"alias2.conformance.test. CNAME alias.conformance.test.", "alias.conformance.test. CNAME mail.conformance.test.")
		},
	}, {
		name: "chain of eight", says: followed,
		remedy: "follow at least 8 aliases, and return an error, not a negative answer, where you stop",
		zone:   "a1 CNAME a2\na2 CNAME a3\na3 CNAME a4\na4 CNAME a5\na5 CNAME a6\na6 CNAME a7\na7 CNAME a8\na8 CNAME mail\nmail A 192.0.2.10",
		test:   func(p *probe) { p.expect("a1.conformance.test.", dns.TypeA, "192.0.2.10") },
	}, {
		name: "chain of a negative answer", says: "Chain are the aliases followed, CNAME and DNAME, in order.",
		remedy: "keep Chain in a negative answer too: callers see there which name has no records",
		zone:   "dangling CNAME nothing\nalias CNAME mail\nmail AAAA 2001:db8::10",
		test: func(p *probe) {
			for name, target := range map[string]string{"dangling.conformance.test.": "nothing.conformance.test.", "alias.conformance.test.": "mail.conformance.test."} {
				p.expectChain(name, p.answer(name, dns.TypeA, "a negative answer"), name+" CNAME "+target)
			}
		},
	}, {
		name: "alias into another zone", says: followed,
		remedy: "ask for the target of an alias where the answer does not have it, whatever zone it is in",
		zone:   "across CNAME mail.other.test.\n$ORIGIN other.test.\n" + otherApex + "mail A 192.0.2.50",
		test:   func(p *probe) { p.expect("across.conformance.test.", dns.TypeA, "192.0.2.50") },
	}, {
		name: "DNAME", says: "A DNAME comes before the CNAME that it makes.",
		remedy: "follow a DNAME record for the names below it, not for its own name (RFC 6672), and keep it and its CNAME in Chain",
		zone:   "moved DNAME new\nnew A 192.0.2.81\nhost.new A 192.0.2.80",
		test: func(p *probe) {
			a := p.expect("host.moved.conformance.test.", dns.TypeA, "192.0.2.80")
			p.expectChain("host.moved.conformance.test.", a,
				"moved.conformance.test. DNAME new.conformance.test.", "host.moved.conformance.test. CNAME host.new.conformance.test.")
			p.expectNoRecords("moved.conformance.test.", dns.TypeA)
			p.expectNoRecords("host.xmoved.conformance.test.", dns.TypeA)
		},
	}, {
		name: "alias to nothing", says: "Status is NoError unless the name does not exist.",
		remedy: "answer for an alias to a name that does not exist with NXDomain (RFC 6604, Section 3)",
		zone:   "dangling CNAME nothing",
		test:   func(p *probe) { p.expectNone("dangling.conformance.test.", dns.TypeA, resolver.NXDomain) },
	}, {
		name: "alias to a name without the type", says: "NoError: the name exists; no records means NODATA (RFC 2308, Section 2.2).",
		remedy: "answer for an alias to a name that has no records of the type with NoError and no records",
		zone:   "alias CNAME mail\nmail A 192.0.2.10",
		test:   func(p *probe) { p.expectNone("alias.conformance.test.", dns.TypeTXT, resolver.NoError) },
	}, {
		name: "loop", says: "Aliases in a circle are an error, before ctx is done.",
		remedy: "count the aliases that are followed, and return an error after some 16",
		zone:   "loop1 CNAME loop2\nloop2 CNAME loop1\ninto CNAME loop1",
		test: func(p *probe) {
			p.expectErrorSoon(resolver.Question{Name: "loop1.conformance.test.", Type: dns.TypeA})
			p.expectErrorSoon(resolver.Question{Name: "into.conformance.test.", Type: dns.TypeA})
		},
	}, {
		name: "question for a CNAME", says: followed,
		remedy: "answer a question of type CNAME with the CNAME record of the name, and do not follow it",
		zone:   "alias2 CNAME alias\nalias CNAME mail\nmail A 192.0.2.10",
		test:   func(p *probe) { p.expect("alias2.conformance.test.", dns.TypeCNAME, "alias.conformance.test.") },
	}, {
		name: "question for a DNAME", says: followed,
		remedy: "answer a question of type DNAME with the DNAME record of the name, and do not follow it",
		zone:   "moved DNAME new\nnew DNAME newer",
		test:   func(p *probe) { p.expect("moved.conformance.test.", dns.TypeDNAME, "new.conformance.test.") },
	}, {
		name: "question for all types", says: ofType,
		remedy: "answer a question of type ANY with the records of every type, and with a CNAME record as it is; return an error that wraps errors.ErrUnsupported if you cannot (RFC 8482)",
		zone:   "mail A 192.0.2.10\nmail TXT \"another type\"\nalias CNAME mail",
		test: func(p *probe) {
			p.expect("mail.conformance.test.", dns.TypeANY, "A 192.0.2.10", `TXT "another type"`)
			p.expect("alias.conformance.test.", dns.TypeANY, "CNAME mail.conformance.test.")
		},
	},
}
