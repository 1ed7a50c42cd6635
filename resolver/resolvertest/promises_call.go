package resolvertest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/resolver/dnsfake"
)

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
		zone: "mail A 192.0.2.10\ndangling 20 CNAME nothing\nlost CNAME nothing\n$ORIGIN other.test.\n" +
			"@ 30 SOA ns.conformance.test. hostmaster.conformance.test. 1 7200 900 1209600 3600\n@ NS ns.conformance.test.",
		test: func(p *probe) {
			p.expectTTL("nothing.conformance.test.", dns.TypeA, "negative answers (RFC 2308, Section 5)", 60*time.Second)
			p.expectTTL("mail.conformance.test.", dns.TypeTXT, "negative answers (RFC 2308, Section 5)", 60*time.Second)
			p.expectTTL("dangling.conformance.test.", dns.TypeA, "the CNAME record", 20*time.Second)
			p.expectTTL("lost.conformance.test.", dns.TypeA, "negative answers (RFC 2308, Section 5)", 60*time.Second)
			p.expectTTL("nothing.other.test.", dns.TypeA, "the SOA record (RFC 2308, Section 5)", 30*time.Second)
		},
	}, {
		name: "records that change", says: remaining,
		remedy: "forget an answer after its TTL, and return the rest of the TTL until then",
		zone:   "mail 1 A 192.0.2.10\nkept 200 A 192.0.2.12",
		withFake: func(p *probe, fake *dnsfake.Fake) {
			kept := resolver.Question{Name: "kept.conformance.test.", Type: dns.TypeA}
			p.expect("mail.conformance.test.", dns.TypeA, "192.0.2.10")
			p.answer(kept.Name, kept.Type, "192.0.2.12")
			asked := fake.Count(kept.Name, kept.Type)
			fake.Add("mail.conformance.test. 1 A 192.0.2.11")
			time.Sleep(1100 * time.Millisecond)
			p.during = "a change one second ago"
			p.expect("mail.conformance.test.", dns.TypeA, "192.0.2.10", "192.0.2.11")
			p.during = "an answer kept for one second"
			a := p.answer(kept.Name, kept.Type, "192.0.2.12")
			if most := 199 * time.Second; fake.Count(kept.Name, kept.Type) == asked && a.TTL > most {
				p.broken(kept, fmt.Sprintf("the TTL %v", a.TTL), fmt.Sprintf("at most %v, what is left of 3m20s", most))
			}
		},
	}, {
		name: "Authentic", says: "Authentic is set when a resolver whose word is trusted validated the answer by DNSSEC, or a test declares it so.",
		remedy: "leave Answer.Authentic false, except for the AD bit of a server that is trusted",
		zone:   "mail A 192.0.2.10",
		test: func(p *probe) {
			p.answer("mail.conformance.test.", dns.TypeA, "192.0.2.10")
			for _, q := range []resolver.Question{{Name: "mail.conformance.test.", Type: dns.TypeA}, {Name: "nothing.conformance.test.", Type: dns.TypeA}} {
				if a, err := p.try(q); err == nil && a.Authentic {
					p.broken(q, "an authentic answer", "one that is not: nobody has validated it")
				}
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
		zone:   "mail A 192.0.2.10\nmail TXT \"which does not fail\"\naway CNAME mail.nowhere.test.",
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
			p.during = "an alias into a zone whose servers refuse"
			p.expectError(resolver.Question{Name: "away.conformance.test.", Type: dns.TypeA})
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
