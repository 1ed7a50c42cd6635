package resolvertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/resolver/dnsfake"
)

// TestResolver holds an implementation of resolver.Resolver against what the
// interface promises, a subtest for each promise. newResolver returns the
// implementation, set up to ask the fake, either directly or over [Serve]; each
// subtest has a fake of its own.
//
//	func TestConformance(t *testing.T) {
//		resolvertest.TestResolver(t, func(t testing.TB, dns *dnsfake.Fake) resolver.Resolver {
//			return &MyResolver{Server: resolvertest.Serve(t, dns)}
//		})
//	}
//
// An implementation that cannot do what a promise is about returns an error that
// wraps errors.ErrUnsupported, and the subtest is skipped. One that answers
// NotFound cannot tell NXDOMAIN from NODATA, and is excused from Chain and TTL.
func TestResolver(t *testing.T, newResolver func(t testing.TB, dns *dnsfake.Fake) resolver.Resolver) {
	for _, p := range promises {
		t.Run(p.name, func(t *testing.T) {
			fake, err := dnsfake.New(conformanceZones)
			if err != nil {
				t.Fatal(err)
			}
			p.test(&probe{TB: t, fake: fake, r: newResolver(t, fake)})
		})
	}
}

// conformanceZones is what the promises are tested on.
var conformanceZones = `
$TTL 300
$ORIGIN conformance.test.
@        SOA   ns hostmaster 1 7200 900 1209600 60
@        NS    ns
@        MX    20 mail
@        MX    10 mail.other.test.
@        TXT   "v=spf1 a" " -all"
ns       A     192.0.2.1
mail     A     192.0.2.10
mail     A     192.0.2.11
mail     AAAA  2001:db8::10
null     MX    0 .
octets   TXT   "\195\169 \" \\ ;"
_s._tcp  SRV   1 2 25 mail
person   RP    john\.smith.conformance.test. text
alias    CNAME mail
alias2   CNAME alias
across   CNAME mail.other.test.
dangling CNAME nothing
loop1    CNAME loop2
loop2    CNAME loop1
a.ent    A     192.0.2.20
*.wild   A     192.0.2.30
dot\.ted A     192.0.2.40
` + largeSet() + `
$ORIGIN other.test.
@        SOA   ns hostmaster 1 7200 900 1209600 60
@        NS    ns.conformance.test.
mail     A     192.0.2.50
$ORIGIN 2.0.192.in-addr.arpa.
@        SOA   ns.conformance.test. hostmaster.conformance.test. 1 7200 900 1209600 60
@        NS    ns.conformance.test.
10       PTR   mail.conformance.test.
`

// largeRecords is how many TXT records are too many for a datagram.
const largeRecords = 40

func largeSet() string {
	var b strings.Builder
	for i := range largeRecords {
		fmt.Fprintf(&b, "large TXT %q\n", fmt.Sprintf("%d %s", i, strings.Repeat("x", 200)))
	}
	return b.String()
}

// A promise is one thing that every Resolver does.
type promise struct {
	name string
	test func(*probe)
}

// A probe asks the implementation under test.
type probe struct {
	testing.TB
	fake *dnsfake.Fake
	r    resolver.Resolver
}

// lookup asks, and skips the test where the implementation cannot.
func (p *probe) lookup(name string, qtype uint16) (resolver.Answer, error) {
	p.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	answer, err := p.r.Lookup(ctx, name, qtype)
	if errors.Is(err, errors.ErrUnsupported) {
		p.Skipf("%s %s: %v", name, resolver.TypeString(qtype), err)
	}
	return answer, err
}

// patience ends a test of an implementation that hangs.
const patience = 30 * time.Second

// answer asks for an answer.
func (p *probe) answer(name string, qtype uint16) resolver.Answer {
	p.Helper()
	answer, err := p.lookup(name, qtype)
	if err != nil {
		p.Fatalf("%s %s: %v, expected an answer", name, resolver.TypeString(qtype), err)
	}
	return answer
}

// expect compares the data of an answer's records, in any order, and holds what is
// true of every answer with records.
func (p *probe) expect(name string, qtype uint16, want ...string) resolver.Answer {
	p.Helper()
	a := p.answer(name, qtype)
	var got []string
	for _, rr := range a.Records {
		if rr.Header().Rrtype != qtype {
			p.Errorf("%s %s: a record of type %s", name, resolver.TypeString(qtype), resolver.TypeString(rr.Header().Rrtype))
		}
		got = append(got, strings.TrimPrefix(rr.String(), rr.Header().String()))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		p.Errorf("%s %s: got %q, expected %q", name, resolver.TypeString(qtype), got, want)
	}
	if a.Status != resolver.NoError {
		p.Errorf("%s %s: records with the status %s", name, resolver.TypeString(qtype), a.Status)
	}
	if a.TTL < 0 || a.TTL > 300*time.Second {
		p.Errorf("%s %s: TTL %s, the zone has 300 s", name, resolver.TypeString(qtype), a.TTL)
	}
	return a
}

// expectNone asks for a negative answer of a status.
func (p *probe) expectNone(name string, qtype uint16, want resolver.Status) {
	p.Helper()
	a := p.answer(name, qtype)
	if len(a.Records) > 0 || a.Status != want && a.Status != resolver.NotFound {
		p.Errorf("%s %s: %d records, %s, expected none and %s", name, resolver.TypeString(qtype), len(a.Records), a.Status, want)
	}
	if a.TTL < 0 || a.TTL > 60*time.Second {
		p.Errorf("%s %s: TTL %s, the zone's SOA has 60 s (RFC 2308, Section 5)", name, resolver.TypeString(qtype), a.TTL)
	}
}

// expectError asks for no answer.
func (p *probe) expectError(name string, qtype uint16) error {
	p.Helper()
	answer, err := p.lookup(name, qtype)
	if err == nil {
		p.Errorf("%s %s: an answer: %d records, %s, expected an error", name, resolver.TypeString(qtype), len(answer.Records), answer.Status)
	}
	return err
}

// expectLate asks for no answer within a short deadline.
func (p *probe) expectLate(name string, qtype uint16, why string) {
	p.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	defer p.inTime("with "+why, time.Now())
	if answer, err := p.r.Lookup(ctx, name, qtype); err == nil {
		p.Errorf("%s: an answer: %d records, %s", why, len(answer.Records), answer.Status)
	}
}

// inTime notices who waited for a server instead of the context: the bound is far
// more than the one takes and far less than the other.
func (p *probe) inTime(when string, start time.Time) {
	p.Helper()
	if took := time.Since(start); took > patience/10 {
		p.Errorf("returned %s %s", took, when)
	}
}

// tells reports whether the implementation tells NXDOMAIN from NODATA.
func (p *probe) tells() bool {
	p.Helper()
	return p.answer("nothing.conformance.test.", dns.TypeA).Status != resolver.NotFound
}

var promises = []promise{
	{"addresses", func(p *probe) {
		p.expect("mail.conformance.test.", dns.TypeA, "192.0.2.10", "192.0.2.11")
		p.expect("mail.conformance.test.", dns.TypeAAAA, "2001:db8::10")
	}},
	{"MX", func(p *probe) {
		p.expect("conformance.test.", dns.TypeMX, "20 mail.conformance.test.", "10 mail.other.test.")
	}},
	{"null MX", func(p *probe) { p.expect("null.conformance.test.", dns.TypeMX, "0 .") }},
	{"TXT", func(p *probe) {
		if got := p.answer("conformance.test.", dns.TypeTXT).TXT(); !slices.Equal(got, []string{"v=spf1 a -all"}) {
			p.Errorf("got %q", got)
		}
	}},
	{"TXT octets", func(p *probe) {
		if got := p.answer("octets.conformance.test.", dns.TypeTXT).TXT(); !slices.Equal(got, []string{"\xc3\xa9 \" \\ ;"}) {
			p.Errorf("got %q", got)
		}
	}},
	{"SRV", func(p *probe) {
		p.expect("_s._tcp.conformance.test.", dns.TypeSRV, "1 2 25 mail.conformance.test.")
	}},
	{"PTR", func(p *probe) {
		p.expect("10.2.0.192.in-addr.arpa.", dns.TypePTR, "mail.conformance.test.")
	}},
	{"escaped dot in data", func(p *probe) {
		p.expect("person.conformance.test.", dns.TypeRP, `john\.smith.conformance.test. text.conformance.test.`)
	}},
	{"escaped dot in the name", func(p *probe) { p.expect(`dot\.ted.conformance.test.`, dns.TypeA, "192.0.2.40") }},
	{"large answer", func(p *probe) {
		if got := len(p.answer("large.conformance.test.", dns.TypeTXT).Records); got != largeRecords {
			p.Errorf("%d records of %d", got, largeRecords)
		}
	}},
	{"NODATA", func(p *probe) { p.expectNone("ns.conformance.test.", dns.TypeMX, resolver.NoError) }},
	{"NXDOMAIN", func(p *probe) { p.expectNone("nothing.conformance.test.", dns.TypeA, resolver.NXDomain) }},
	{"empty non-terminal", func(p *probe) { p.expectNone("ent.conformance.test.", dns.TypeA, resolver.NoError) }},
	{"wildcard", func(p *probe) { p.expect("any.thing.wild.conformance.test.", dns.TypeA, "192.0.2.30") }},
	{"alias", func(p *probe) {
		a := p.expect("alias2.conformance.test.", dns.TypeA, "192.0.2.10", "192.0.2.11")
		if p.tells() && len(a.Chain) != 2 {
			p.Errorf("a chain of %d aliases, expected 2", len(a.Chain))
		}
		p.expect("across.conformance.test.", dns.TypeA, "192.0.2.50")
	}},
	{"alias to nothing", func(p *probe) { p.expectNone("dangling.conformance.test.", dns.TypeA, resolver.NXDomain) }},
	{"alias to another type", func(p *probe) { p.expectNone("across.conformance.test.", dns.TypeTXT, resolver.NoError) }},
	{"question for an alias", func(p *probe) { p.expect("alias2.conformance.test.", dns.TypeCNAME, "alias.conformance.test.") }},
	{"loop", func(p *probe) { p.expectError("loop1.conformance.test.", dns.TypeA) }},
	{"any form of a name", func(p *probe) {
		p.expect("MAIL.Conformance.TEST", dns.TypeAAAA, "2001:db8::10")
	}},
	{"no name", func(p *probe) { p.expectError("a..b", dns.TypeA) }},
	{"TTL", func(p *probe) {
		if a := p.answer("mail.conformance.test.", dns.TypeA); p.tells() && a.TTL == 0 {
			p.Error("no TTL, the zone has 300 s")
		}
	}},
	{"Authentic is not made up", func(p *probe) {
		if p.answer("mail.conformance.test.", dns.TypeA).Authentic {
			p.Error("nothing vouches for the answer")
		}
	}},
	{"faults are errors", func(p *probe) {
		// Those that show at once; silence is the next promise's.
		for _, kind := range []dnsfake.Kind{dnsfake.ServFail, dnsfake.Refused, dnsfake.FormErr, dnsfake.Truncated} {
			p.fake.Fail("mail.conformance.test.", dns.TypeA, kind)
			if err := p.expectError("mail.conformance.test.", dns.TypeA); err != nil {
				p.Logf("%s: %v", kind, err)
			}
		}
		p.expect("mail.conformance.test.", dns.TypeAAAA, "2001:db8::10") // which did not fail
	}},
	{"a deadline is an error", func(p *probe) {
		p.fake.Delay("alias.conformance.test.", dns.TypeAAAA, patience) // an answer, but too late
		p.expectLate("alias.conformance.test.", dns.TypeAAAA, "a late answer")
		for _, kind := range []dnsfake.Kind{dnsfake.Timeout, dnsfake.Garbage, dnsfake.Forged} {
			p.fake.Fail("mail.conformance.test.", dns.TypeA, kind)
			p.expectLate("mail.conformance.test.", dns.TypeA, kind.String())
		}
	}},
	{"canceled before", func(p *probe) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if _, err := p.r.Lookup(ctx, "mail.conformance.test.", dns.TypeA); !errors.Is(err, context.Canceled) {
			p.Errorf("got %v, expected context.Canceled", err)
		}
	}},
	{"canceled while waiting", func(p *probe) {
		p.fake.Delay("mail.conformance.test.", dns.TypeA, patience)
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(50*time.Millisecond, cancel)
		defer p.inTime("after the context was canceled", time.Now())
		if _, err := p.r.Lookup(ctx, "mail.conformance.test.", dns.TypeA); !errors.Is(err, context.Canceled) {
			p.Errorf("got %v, expected context.Canceled", err)
		}
	}},
	{"concurrent callers", func(p *probe) {
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				name := fmt.Sprintf("n%d.wild.conformance.test.", i%5)
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				defer cancel()
				a, err := p.r.Lookup(ctx, name, dns.TypeA)
				if err != nil || len(a.Records) != 1 || !strings.EqualFold(a.Records[0].Header().Name, name) {
					p.Errorf("%s: %v, %v", name, a.Records, err)
				}
			})
		}
		wg.Wait()
	}},
}
