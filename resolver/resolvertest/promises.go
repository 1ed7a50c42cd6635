package resolvertest

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/txt"
	"github.com/bonafide-mta/bonafide/resolver"
)

// The sentences that several promises are about. TestPromisesAreDocumented compares all of
// them with the documentation of package resolver.
const (
	ofType    = "Records are of the type asked, at the end of the alias chain (of every type for a question of type ANY)."
	escaped   = "As in every record of miekg/dns, names and texts have the escapes of zone files, and names have A-labels."
	negative  = "A negative answer is an answer: the error is nil, the records are empty, and Status tells which kind it is."
	followed  = "Aliases (CNAME, DNAME) are followed, except for questions of type CNAME, DNAME and ANY."
	remaining = "TTL is the time remaining for all that the answer rests on, negative answers too."
	canceled  = "Once ctx is done it returns soon, with an error that wraps ctx.Err()."
)

// promises are all that the suite tests. Each mutant of mutants_test.go breaks one of them,
// or more, and shows that no other promise notices.
var promises = slices.Concat(recordPromises, namePromises, negativePromises, aliasPromises, timePromises, callPromises, faultPromises)

// recordPromises are about the records of an answer.
var recordPromises = []promise{
	{
		name: "addresses", says: ofType,
		remedy: "answer A with A records alone and AAAA with AAAA records alone, all of them",
		zone:   "mail A 192.0.2.10\nmail A 192.0.2.11\nmail AAAA 2001:db8::10\nmail TXT \"another type\"",
		test: func(p *probe) {
			p.expect("mail.conformance.test.", dns.TypeA, "192.0.2.10", "192.0.2.11")
			p.expect("mail.conformance.test.", dns.TypeAAAA, "2001:db8::10")
		},
	}, {
		name: "MX", says: ofType,
		remedy: "return each MX record with its preference and its host",
		zone:   "@ MX 20 mail\n@ MX 10 mail.other.test.",
		test: func(p *probe) {
			p.expect("conformance.test.", dns.TypeMX, "20 mail.conformance.test.", "10 mail.other.test.")
		},
	}, {
		name: "null MX", says: ofType,
		remedy: `keep an MX record whose host is "." (RFC 7505): it says that the domain takes no mail`,
		zone:   "null MX 0 .",
		test:   func(p *probe) { p.expect("null.conformance.test.", dns.TypeMX, "0 .") },
	}, {
		name: "TXT", says: ofType,
		remedy: "keep the strings of a TXT record apart, or join them without a separator (RFC 7208, Section 3.3)",
		zone:   `@ TXT "v=spf1 a" " -all"` + "\n" + `@ TXT "another text"` + "\n" + `empty TXT ""`,
		test: func(p *probe) {
			p.expect("empty.conformance.test.", dns.TypeTXT, `""`)
			p.expect("conformance.test.", dns.TypeTXT, `"v=spf1 a" " -all"`, `"another text"`)
		},
	}, {
		name: "TXT octets", says: escaped,
		remedy: `write octets of a TXT record that are not ASCII as \DDD, and quotes and backslashes as \" and \\; a message that is unpacked by miekg/dns has that`,
		zone:   `octets TXT "\195\169 \" \\ ;"`,
		test:   func(p *probe) { p.expect("octets.conformance.test.", dns.TypeTXT, `"\195\169 \" \\ ;"`) },
	}, {
		name: "SRV", says: ofType,
		remedy: "return each SRV record with its priority, weight, port and target, in this order",
		zone:   "_smtp._tcp SRV 1 2 25 mail",
		test: func(p *probe) {
			p.expect("_smtp._tcp.conformance.test.", dns.TypeSRV, "1 2 25 mail.conformance.test.")
		},
	}, {
		name: "PTR", says: ofType,
		remedy: "return all PTR records of an address",
		zone: "$ORIGIN 2.0.192.in-addr.arpa.\n" + otherApex +
			"10 PTR mail.conformance.test.\n10 PTR www.conformance.test.",
		test: func(p *probe) {
			p.expect("10.2.0.192.in-addr.arpa.", dns.TypePTR, "mail.conformance.test.", "www.conformance.test.")
		},
	}, {
		name: "type without a name", says: ofType,
		remedy: "ask for any type, and return records of those that miekg/dns has no Go type for as *dns.RFC3597",
		zone:   `any TYPE65280 \# 3 010203`,
		test:   func(p *probe) { p.expect("any.conformance.test.", 65280, `\# 3 010203`) },
	}, {
		name: "large answer", says: ofType,
		remedy: "return all records: ask again over TCP if an answer over UDP is truncated (RFC 7766, Section 5), or return an error",
		zone:   largeSet(),
		brief:  fmt.Sprintf("$GENERATE 0-%d large TXT %s", largeRecords-1, strings.Replace(largeText(0), "0", "$", 1)),
		test: func(p *probe) {
			var want []string
			for i := range largeRecords {
				want = append(want, largeText(i))
			}
			p.expect("large.conformance.test.", dns.TypeTXT, want...)
		},
	}, {
		name: "earlier answers stay as they are", says: "They are shared: read them only.",
		remedy: "copy records and their slice before changing or sorting them: callers still read those of earlier answers",
		zone:   "alias CNAME mail\nmail A 192.0.2.10\nmail A 192.0.2.11\nmail A 192.0.2.12",
		test: func(p *probe) {
			q := resolver.Question{Name: "alias.conformance.test.", Type: dns.TypeA}
			first := p.expect(q.Name, q.Type, "192.0.2.10", "192.0.2.11", "192.0.2.12")
			before := texts(first)
			for range 2 {
				p.answer(q.Name, q.Type, "3 records")
			}
			if after := texts(first); !slices.Equal(before, after) {
				p.broken(q, fmt.Sprintf("a first answer that later questions change from %q to %q", before, after), "no change")
			}
		},
	},
}

// largeRecords is how many TXT records are too many for a datagram.
const largeRecords = 40

func largeText(i int) string { return fmt.Sprintf(`"%d-%s"`, i, strings.Repeat("x", 200)) }

func largeSet() string {
	var lines []string
	for i := range largeRecords {
		lines = append(lines, "large TXT "+largeText(i))
	}
	return strings.Join(lines, "\n")
}

// texts returns the records of an answer as lines of a zone.
func texts(a resolver.Answer) []string {
	var out []string
	for _, rr := range slices.Concat(a.Chain, a.Records) {
		out = append(out, txt.Record(rr))
	}
	return out
}

// namePromises are about the names that are asked.
var namePromises = []promise{
	{
		name: "escaped dot in the name", says: "Lookup is given the canonical name: lower case, A-labels, absolute, with its final dot (see Canonical).",
		remedy: `take the name as zone files write it: in dot\.ted.conformance.test. the first dot is a part of the label dot.ted`,
		zone:   `dot\.ted A 192.0.2.40`,
		test:   func(p *probe) { p.expect(`dot\.ted.conformance.test.`, dns.TypeA, "192.0.2.40") },
	}, {
		name: "escaped dot in data", says: escaped,
		remedy: `keep the escape of a dot that is a part of a label (RFC 1035, Section 5.1): john\.smith.conformance.test. is the mailbox john.smith@conformance.test`,
		zone:   `person RP john\.smith text`,
		test: func(p *probe) {
			p.expect("person.conformance.test.", dns.TypeRP, `john\.smith.conformance.test. text.conformance.test.`)
		},
	}, {
		name: "ASCII labels", says: "An ASCII label is asked as it is, whatever IDNA says about it, as in _dmarc and r3---sn.",
		remedy: "apply no IDNA in Lookup, nor a check of host names",
		zone:   "_dmarc TXT \"underscore\"\nr3---sn TXT \"hyphens\"\n-edge- TXT \"at the edge\"\n" + longLabel + " TXT \"63 octets\"",
		test: func(p *probe) {
			p.expect("_dmarc.conformance.test.", dns.TypeTXT, `"underscore"`)
			p.expect("r3---sn.conformance.test.", dns.TypeTXT, `"hyphens"`)
			p.expect(longLabel+".conformance.test.", dns.TypeTXT, `"63 octets"`)
			p.expect("-edge-.conformance.test.", dns.TypeTXT, `"at the edge"`)
		},
	}, {
		name: "internationalized names", says: escaped,
		remedy: "keep A-labels (xn--…) in Lookup as they are, in the question and in records; resolver.Ask makes them of U-labels",
		zone:   "xn--bcher-kva A 192.0.2.60\nbooks CNAME xn--bcher-kva",
		test: func(p *probe) {
			p.expect("xn--bcher-kva.conformance.test.", dns.TypeA, "192.0.2.60")
			a := p.expect("books.conformance.test.", dns.TypeA, "192.0.2.60")
			p.expectChain("books.conformance.test.", a, "books.conformance.test. CNAME xn--bcher-kva.conformance.test.")
			for _, form := range []string{
				"bücher.conformance.test", "BÜCHER.Conformance.Test.", "xn--bcher-kva.conformance.test", "XN--BCHER-KVA.conformance.TEST.",
			} {
				p.expectForm(form, "192.0.2.60")
			}
		},
	}, {
		name: "absolute names", says: "Names are absolute: no search list, no hosts file.",
		remedy: "ask for the name alone, and never for the name with a domain of a search list behind it",
		zone:   "mail.elsewhere.conformance.test.conformance.test. A 192.0.2.70\nhost A 192.0.2.71",
		test: func(p *probe) {
			p.expectNoRecords("mail.elsewhere.conformance.test.", dns.TypeA)
			p.expectNoRecords("host.", dns.TypeA)
		},
	}, {
		name: "names that end alike", says: "An Answer is what DNS said to one question.",
		remedy: "compare names label by label: conformance.test. does not hold xconformance.test., and mail.conformance.test. does not make ail.conformance.test. exist",
		zone:   "mail A 192.0.2.10\n$ORIGIN xconformance.test.\n" + otherApex + "mail A 192.0.2.90",
		test: func(p *probe) {
			p.expect("mail.xconformance.test.", dns.TypeA, "192.0.2.90")
			if nothing, err := p.try(resolver.Question{Name: "nothing.conformance.test.", Type: dns.TypeA}); err == nil && nothing.Status == resolver.NXDomain {
				p.expectNone("ail.conformance.test.", dns.TypeA, resolver.NXDomain)
			}
			q := resolver.Question{Name: "mail.yconformance.test.", Type: dns.TypeA}
			if a, err := p.try(q); err == nil && (len(a.Records) > 0 || a.Status == resolver.NoError) {
				p.broken(q, describe(q, a, nil), "an error or NXDOMAIN: the name is outside every zone")
			}
		},
	}, {
		name: "capitals in records", says: followed,
		remedy: "bring the owners of records and the targets of aliases into canonical form (resolver.Canonical) before comparing them: names in DNS have no case (RFC 4343)",
		zone:   "loud CNAME MAIL.Conformance.TEST.\nmail A 192.0.2.10\nHOST A 192.0.2.11",
		test: func(p *probe) {
			p.expect("loud.conformance.test.", dns.TypeA, "192.0.2.10")
			p.expect("host.conformance.test.", dns.TypeA, "192.0.2.11")
		},
	},
}

var longLabel = strings.Repeat("x", 63) // RFC 1035, Section 2.3.4

// expectForm asks by way of resolver.Ask for the address of a name that is not in canonical
// form.
func (p *probe) expectForm(name, want string) {
	p.Helper()
	asked := resolver.Func(func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
		return p.lookup(ctx, resolver.Question{Name: name, Type: qtype})
	})
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	reply := resolver.Ask(ctx, asked, name, dns.TypeA)
	if addrs := reply.Addrs(); len(addrs) != 1 || addrs[0].String() != want {
		p.broken(resolver.Question{Name: name, Type: dns.TypeA}, describe(reply.Question, reply.Answer, reply.Err), want)
	}
}

// negativePromises are about names that have no records of a type.
var negativePromises = []promise{
	{
		name: "NODATA", says: "The zero Answer means: the name exists, without records of this type.",
		remedy: "answer for a name that has other records with a nil error, no records and NoError",
		zone:   "mail A 192.0.2.10",
		test:   func(p *probe) { p.expectNone("mail.conformance.test.", dns.TypeMX, resolver.NoError) },
	}, {
		name: "NXDOMAIN", says: negative,
		remedy: "answer for a name that does not exist with a nil error, no records and NXDomain",
		zone:   "mail A 192.0.2.10",
		test: func(p *probe) {
			p.expectNone("nothing.conformance.test.", dns.TypeA, resolver.NXDomain)
			p.expectNone("below.mail.conformance.test.", dns.TypeA, resolver.NXDomain)
		},
	}, {
		name: "empty non-terminal", says: "NXDomain: the name does not exist, nor any below it (RFC 8020).",
		remedy: "answer for a name without records that has a name with records below it, at any depth, with NoError: it exists",
		zone:   "a.b.ent A 192.0.2.20",
		test: func(p *probe) {
			p.expectNone("b.ent.conformance.test.", dns.TypeA, resolver.NoError)
			p.expectNone("ent.conformance.test.", dns.TypeA, resolver.NoError)
		},
	}, {
		name: "wildcard", says: "An Answer is what DNS said to one question.",
		remedy: "expand *.wild as RFC 4592 says: for all names below wild that do not exist, with the name asked as the owner",
		zone:   "*.wild A 192.0.2.30\nhost.wild TXT \"this one exists\"",
		test: func(p *probe) {
			p.expect("any.thing.wild.conformance.test.", dns.TypeA, "192.0.2.30")
			p.expectNone("any.thing.wild.conformance.test.", dns.TypeTXT, resolver.NoError)
			p.expectNone("host.wild.conformance.test.", dns.TypeA, resolver.NoError)
			p.expectNoRecords("any.xwild.conformance.test.", dns.TypeA)
		},
	},
}
