package resolvertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/txt"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/resolver/dnsfake"
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
		zone:   `@ TXT "v=spf1 a" " -all"` + "\n" + `@ TXT "another text"`,
		test: func(p *probe) {
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
		zone: "$ORIGIN 2.0.192.in-addr.arpa.\n@ SOA ns.conformance.test. hostmaster.conformance.test. 1 7200 900 1209600 60\n" +
			"@ NS ns.conformance.test.\n10 PTR mail.conformance.test.\n10 PTR www.conformance.test.",
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

func largeText(i int) string { return fmt.Sprintf(`"%d %s"`, i, strings.Repeat("x", 200)) }

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
		zone:   "mail.elsewhere.conformance.test.conformance.test. A 192.0.2.70",
		test: func(p *probe) {
			q := resolver.Question{Name: "mail.elsewhere.conformance.test.", Type: dns.TypeA}
			if a, err := p.try(q); err == nil && len(a.Records) > 0 {
				p.broken(q, describe(q, a, nil), "no records; these are of another name")
			}
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
		test:   func(p *probe) { p.expectNone("nothing.conformance.test.", dns.TypeA, resolver.NXDomain) },
	}, {
		name: "empty non-terminal", says: "NXDomain: the name does not exist, nor any below it (RFC 8020).",
		remedy: "answer for a name without records that has a name below it with NoError: it exists",
		zone:   "a.ent A 192.0.2.20",
		test:   func(p *probe) { p.expectNone("ent.conformance.test.", dns.TypeA, resolver.NoError) },
	}, {
		name: "wildcard", says: "An Answer is what DNS said to one question.",
		remedy: "expand *.wild as RFC 4592 says: for all names below wild that do not exist, with the name asked as the owner",
		zone:   "*.wild A 192.0.2.30\nhost.wild TXT \"this one exists\"",
		test: func(p *probe) {
			p.expect("any.thing.wild.conformance.test.", dns.TypeA, "192.0.2.30")
			p.expectNone("any.thing.wild.conformance.test.", dns.TypeTXT, resolver.NoError)
			p.expectNone("host.wild.conformance.test.", dns.TypeA, resolver.NoError)
		},
	},
}

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
		name: "alias into another zone", says: followed,
		remedy: "ask for the target of an alias where the answer does not have it, whatever zone it is in",
		zone: "across CNAME mail.other.test.\n$ORIGIN other.test.\n@ SOA ns.conformance.test. hostmaster.conformance.test. 1 7200 900 1209600 60\n" +
			"@ NS ns.conformance.test.\nmail A 192.0.2.50",
		test: func(p *probe) { p.expect("across.conformance.test.", dns.TypeA, "192.0.2.50") },
	}, {
		name: "DNAME", says: "A DNAME comes before the CNAME that it makes.",
		remedy: "follow a DNAME record for the names below it (RFC 6672), and keep it and its CNAME in Chain",
		zone:   "moved DNAME new\nhost.new A 192.0.2.80",
		test: func(p *probe) {
			a := p.expect("host.moved.conformance.test.", dns.TypeA, "192.0.2.80")
			p.expectChain("host.moved.conformance.test.", a,
				"moved.conformance.test. DNAME new.conformance.test.", "host.moved.conformance.test. CNAME host.new.conformance.test.")
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
		zone:   "loop1 CNAME loop2\nloop2 CNAME loop1",
		test:   func(p *probe) { p.expectErrorSoon(resolver.Question{Name: "loop1.conformance.test.", Type: dns.TypeA}) },
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

// timePromises are about how long an answer holds, and whether it is authentic.
var timePromises = []promise{
	{
		name: "TTL", says: remaining,
		remedy: "set Answer.TTL to the TTL of the records; with 0 nothing is cached, and every message of a client is a question",
		zone:   "mail 200 A 192.0.2.10",
		test: func(p *probe) {
			a := p.expectTTL("mail.conformance.test.", dns.TypeA, "the record", 200*time.Second)
			if p.tells() && a.TTL == 0 {
				p.broken(resolver.Question{Name: "mail.conformance.test.", Type: dns.TypeA}, "the TTL 0s", "1s to 3m20s")
			}
		},
	}, {
		name: "TTL of an alias", says: remaining,
		remedy: "set Answer.TTL to the lowest TTL of Chain and Records",
		zone:   "alias 30 CNAME mail\nmail A 192.0.2.10\nlasting CNAME brief\nbrief 40 A 192.0.2.11",
		test: func(p *probe) {
			p.expectTTL("alias.conformance.test.", dns.TypeA, "the CNAME record", 30*time.Second)
			p.expectTTL("lasting.conformance.test.", dns.TypeA, "the A record", 40*time.Second)
		},
	}, {
		name: "TTL of a negative answer", says: remaining,
		remedy: "set Answer.TTL of a negative answer to the last field or the TTL of the SOA record, whichever is lower (RFC 2308, Section 5), or to 0",
		zone:   "mail A 192.0.2.10\ndangling 20 CNAME nothing",
		test: func(p *probe) {
			p.expectTTL("nothing.conformance.test.", dns.TypeA, "negative answers (RFC 2308, Section 5)", 60*time.Second)
			p.expectTTL("mail.conformance.test.", dns.TypeTXT, "negative answers (RFC 2308, Section 5)", 60*time.Second)
			p.expectTTL("dangling.conformance.test.", dns.TypeA, "the CNAME record", 20*time.Second)
		},
	}, {
		name: "records that change", says: remaining,
		remedy: "forget an answer after its TTL",
		zone:   "mail 1 A 192.0.2.10",
		withFake: func(p *probe, fake *dnsfake.Fake) {
			p.expect("mail.conformance.test.", dns.TypeA, "192.0.2.10")
			fake.Add("mail 1 A 192.0.2.11")
			time.Sleep(1100 * time.Millisecond)
			p.during = "a change one second ago"
			p.expect("mail.conformance.test.", dns.TypeA, "192.0.2.10", "192.0.2.11")
		},
	}, {
		name: "Authentic", says: "Authentic is set when a resolver whose word is trusted validated the answer by DNSSEC, or a test declares it so.",
		remedy: "leave Answer.Authentic false, except for the AD bit of a server that is trusted",
		zone:   "mail A 192.0.2.10",
		test: func(p *probe) {
			if p.answer("mail.conformance.test.", dns.TypeA, "192.0.2.10").Authentic {
				p.broken(resolver.Question{Name: "mail.conformance.test.", Type: dns.TypeA}, "an authentic answer", "one that is not: nothing vouches for it")
			}
		},
	}, {
		name: "Authentic alias", says: "That goes for all that the answer rests on, the aliases too.",
		remedy: "set Answer.Authentic only if every part of the answer is authentic",
		zone:   "across CNAME mail.other.test.\n$ORIGIN other.test.\nmail A 192.0.2.50",
		withFake: func(p *probe, fake *dnsfake.Fake) {
			fake.Authentic("conformance.test.")
			p.during = "an alias from a signed into an unsigned zone"
			if p.answer("across.conformance.test.", dns.TypeA, "192.0.2.50").Authentic {
				p.broken(resolver.Question{Name: "across.conformance.test.", Type: dns.TypeA}, "an authentic answer", "one that is not")
			}
		},
	},
}

// callPromises are about calls of Lookup.
var callPromises = []promise{
	{
		name: "concurrent callers", says: "Lookup must be safe for concurrent use.",
		remedy: "share nothing between calls without a lock, and run the test with -race",
		zone:   callerSet(),
		test: func(p *probe) {
			var wg sync.WaitGroup
			for i := range 4 * callers {
				wg.Go(func() {
					q, want := resolver.Question{Name: fmt.Sprintf("n%d.conformance.test.", i%callers), Type: dns.TypeA}, callerAddr(i%callers)
					ctx, cancel := context.WithTimeout(context.Background(), patience)
					defer cancel()
					switch got, returned := call(ctx, p.r, q); {
					case !returned:
						p.broken(q, "nothing", want)
					case got.err != nil || len(got.answer.Addrs()) != 1 || got.answer.Addrs()[0].String() != want:
						p.broken(q, describe(q, got.answer, got.err), want)
					}
				})
			}
			wg.Wait()
		},
	}, {
		name: "canceled before", says: canceled,
		remedy: "return ctx.Err(), or an error that wraps it, if ctx.Err() is not nil",
		zone:   "mail A 192.0.2.10",
		test: func(p *probe) {
			ctx, cancel := context.WithCancelCause(context.Background())
			cancel(errCause)
			p.during = "a canceled context"
			p.expectCanceled(ctx, resolver.Question{Name: "mail.conformance.test.", Type: dns.TypeA})
		},
	},
}

// errCause is why the suite cancels a context. An error that wraps it alone does not tell that
// the context is done.
var errCause = errors.New("the suite has seen enough")

// callers is how many names are asked for at once.
const callers = 5

func callerAddr(i int) string { return fmt.Sprintf("192.0.2.%d", 100+i) }

func callerSet() string {
	var lines []string
	for i := range callers {
		lines = append(lines, fmt.Sprintf("n%d A %s", i, callerAddr(i)))
	}
	return strings.Join(lines, "\n")
}

// faultPromises are about questions that get no answer.
var faultPromises = []promise{
	{
		name: "faults are errors", says: "An error means that the question has no answer, and any error of any type is a temporary failure to the caller; Error adds detail.",
		remedy: "return an error for every message that is not NOERROR or NXDOMAIN, or not whole: as a negative answer it would deny what was not told",
		zone:   "mail A 192.0.2.10\nmail TXT \"which does not fail\"",
		withFake: func(p *probe, fake *dnsfake.Fake) {
			q := resolver.Question{Name: "mail.conformance.test.", Type: dns.TypeA}
			for _, kind := range failures {
				fake.Fail(q.Name, q.Type, kind)
				p.during = kind.String()
				p.expectError(q)
			}
			for _, rtype := range []uint16{dns.TypeAAAA, dns.TypeMX, dns.TypePTR, dns.TypeSRV} {
				of := resolver.Question{Name: "_client._smtp.mail.conformance.test.", Type: rtype}
				fake.Fail(of.Name, of.Type, dnsfake.ServFail)
				p.during = dnsfake.ServFail.String()
				p.expectError(of)
			}
			p.during = "a fault of the type A alone"
			p.expect(q.Name, dns.TypeTXT, `"which does not fail"`)
		},
	}, {
		name: "a deadline is an error", says: canceled,
		remedy: "wait for an answer until ctx is done, then return its error",
		zone:   "mail A 192.0.2.10\nlate A 192.0.2.11",
		withFake: func(p *probe, fake *dnsfake.Fake) {
			late := resolver.Question{Name: "late.conformance.test.", Type: dns.TypeA}
			fake.Delay(late.Name, late.Type, patience)
			p.during = "an answer after the deadline"
			p.expectLate(late)
			q := resolver.Question{Name: "mail.conformance.test.", Type: dns.TypeA}
			for _, kind := range silences {
				fake.Fail(q.Name, q.Type, kind)
				p.during = kind.String()
				p.expectLate(q)
			}
		},
	}, {
		name: "canceled while waiting", says: canceled,
		remedy: "stop waiting when ctx is done, and return ctx.Err(), or an error that wraps it",
		zone:   "mail A 192.0.2.10",
		withFake: func(p *probe, fake *dnsfake.Fake) {
			q := resolver.Question{Name: "mail.conformance.test.", Type: dns.TypeA}
			fake.Delay(q.Name, q.Type, patience)
			ctx, cancel := context.WithCancelCause(context.Background())
			stop := time.AfterFunc(50*time.Millisecond, func() { cancel(errCause) })
			defer stop.Stop()
			p.during = "a context canceled during the question"
			p.expectCanceled(ctx, q)
		},
	},
}

// The faults that are injected: those that show at once, and those that are noticed at a
// deadline.
var (
	failures = []dnsfake.Kind{dnsfake.ServFail, dnsfake.Refused, dnsfake.FormErr, dnsfake.Truncated}
	silences = []dnsfake.Kind{dnsfake.Timeout, dnsfake.Garbage, dnsfake.Forged, dnsfake.Network}
)
