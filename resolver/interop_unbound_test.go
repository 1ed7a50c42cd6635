//go:build interop

package resolver_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/lab/nameserver"
	"github.com/bonafide-mta/bonafide/resolver"
)

// What is counted besides allClasses, where a resolver is asked.
const (
	classError  = "loop, lame delegation or name too long: no answer"
	classSecure = "authentic"
	classBogus  = "bogus"
)

// A signedCorpus is zones of which some are signed, and a resolver in front of
// them that validates.
type signedCorpus struct {
	*corpus
	trust  map[string]trust // by apex
	client *resolver.Client
	start  time.Time // when the resolver's cache was empty
}

// A trust is the result of validation in a zone. The zero value means that there is
// nothing to validate with.
type trust uint8

const (
	secure trust = iota + 1
	bogus        // Unbound is told another key than the zone has
)

// TestInteropUnbound compares a Client that asks Unbound with Zones.Lookup:
// records, aliases, NXDOMAIN and NODATA, TTL, AD, and failures.
// Knot serves the zones to Unbound, and signs some of them.
func TestInteropUnbound(t *testing.T) {
	c := &signedCorpus{corpus: interopCorpus(t, 500)}
	asked := c.gen
	// The root, so that every name lies in a zone and nothing leaves the
	// loopback; and sets that are too large for UDP.
	c.gen = append(slices.Clip(c.gen),
		genZone{apex: ".", text: ". 300 SOA ns.outside.test. h.outside.test. 1 3600 600 86400 300\n. 300 NS ns.outside.test.\n"},
		genZone{apex: "large.test.", text: largeZone()})
	c.parse(t)
	c.makeTrust()
	var zones []nameserver.Zone
	for _, z := range c.gen {
		zones = append(zones, nameserver.Zone{Apex: z.apex, Text: z.text, Signed: c.trust[z.apex] != 0})
	}
	knot := nameserver.Knot(t, zones...)
	unbound := nameserver.Unbound(t, nameserver.Recursion{
		Upstream: knot.Addr, Apexes: c.zones.Origins(), Anchors: c.anchors(t, knot.Addr),
	})
	t.Logf("%s, in front of %s", unbound.Version, knot.Version)
	c.client = &resolver.Client{Servers: []netip.AddrPort{unbound.Addr}, Rounds: 1, TryTimeout: patience, TrustAD: true}
	c.start = time.Now()

	t.Run("large", func(t *testing.T) { c.testLarge(t, unbound.Addr) })

	tally := c.inParallel(*comparisons/15, func(r *rand.Rand, tally *tally, n int) {
		for range n {
			q := asked[r.IntN(len(asked))].question(r)
			for q.qtype == dns.TypeDNAME { // a Lookup does not follow aliases for it, Unbound does
				q = asked[r.IntN(len(asked))].question(r)
			}
			c.ask(t, tally, q)
		}
	})
	classes := append(slices.DeleteFunc(slices.Clone(allClasses), func(class string) bool {
		return class == classRefused // there is a root
	}), classError, classSecure, classBogus)
	peer := peer{name: "Unbound"}
	for _, d := range unboundDeviations {
		peer.deviations = append(peer.deviations, d.deviation)
	}
	t.Logf("%s%v", tally.report(c.corpus, classes, peer), time.Since(c.start).Round(time.Second))
	tally.check(t, classes)
}

// makeTrust decides by chance which zones are signed.
func (c *signedCorpus) makeTrust() {
	r := rand.New(rand.NewPCG(c.seed, 0))
	c.trust = make(map[string]trust)
	for _, z := range c.gen {
		// Unbound cannot get at the keys of a zone with a DNAME at its apex;
		// Knot's proof that a wildcard is an empty non-terminal convinces nobody.
		inner := func(name string) bool { return strings.Contains(name, ".*.") }
		if len(z.names) == 0 || slices.Contains(z.owners[z.apex], dns.TypeDNAME) || slices.ContainsFunc(z.names, inner) {
			continue
		}
		switch n := r.IntN(10); {
		case n < 3:
			c.trust[z.apex] = secure
		case n < 5:
			c.trust[z.apex] = bogus
		}
	}
}

// anchors returns the DS records of the signed zones, as Unbound is to know them.
func (c *signedCorpus) anchors(t *testing.T, knot netip.AddrPort) []string {
	t.Helper()
	ask := exchangeWith(knot)(t)
	var all []string
	for apex, trust := range c.trust {
		reply, err := ask(new(dns.Msg).SetQuestion(apex, dns.TypeDNSKEY))
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, rr := range reply.Answer {
			key, ok := rr.(*dns.DNSKEY)
			if !ok || key.Flags&dns.SEP == 0 {
				continue
			}
			ds := key.ToDS(dns.SHA256)
			if trust == bogus {
				ds.Digest = strings.Repeat("00", 32)
			}
			all = append(all, ds.String())
			found = true
		}
		if !found {
			t.Fatalf("%s: no key: %v", apex, reply)
		}
	}
	return all
}

// A lookup is one question put to both sides, and what came of it.
type lookup struct {
	genQuestion
	want, got resolver.Answer // from Zones, from Unbound
	wantErr   error
	gotErr    error
	outcome   trust // what validation makes of want
}

// ask puts one question to both and compares.
func (c *signedCorpus) ask(t *testing.T, tally *tally, q genQuestion) {
	l := lookup{genQuestion: q}
	l.want, l.wantErr = c.zones.Lookup(t.Context(), q.name, q.qtype)
	l.got, l.gotErr = c.client.Lookup(t.Context(), q.name, q.qtype)
	l.outcome = c.outcome(q, l.want)

	classes := classify(q, c.record(q.query()))
	switch {
	case l.wantErr != nil:
		classes = append(classes, classError)
	case l.outcome == bogus:
		classes = append(classes, classBogus)
	case l.outcome == secure:
		classes = append(classes, classSecure)
	}
	tally.questions++
	for _, class := range classes {
		tally.classes[class]++
	}

	if c.equal(l) {
		return
	}
	for _, d := range unboundDeviations {
		if d.explains(c, l) {
			tally.deviated["Unbound"+d.name]++
			return
		}
	}
	tally.differ("Unbound", fmt.Sprintf("seed %d: %s: Zones say %+v, %v;\nUnbound says %+v, %v;\nsecure %v, bogus %v",
		c.seed, q, l.want, l.wantErr, l.got, l.gotErr, l.outcome == secure, l.outcome == bogus))
}

// equal reports whether both sides say the same.
func (c *signedCorpus) equal(l lookup) bool {
	switch {
	case l.wantErr != nil:
		return l.gotErr != nil && rcodeOf(l.gotErr) == rcodeOf(l.wantErr)
	case l.outcome == bogus:
		return l.foundBogus()
	}
	return l.gotErr == nil && c.sameAnswer(l.want, l.got, l.outcome == secure)
}

// foundBogus reports whether Unbound gives validation as the reason for a
// SERVFAIL (RFC 8914).
func (l lookup) foundBogus() bool {
	var failure *resolver.Error
	return errors.As(l.gotErr, &failure) && failure.RCode == dns.RcodeServerFailure && len(failure.Extended) > 0
}

// failed reports whether Unbound gives no reason.
func (l lookup) failed() bool { return rcodeOf(l.gotErr) == dns.RcodeServerFailure && !l.foundBogus() }

// rcodeOf returns the response code of an error of a Resolver; 0 if it has none.
func rcodeOf(err error) int {
	if failure := new(resolver.Error); errors.As(err, &failure) {
		return failure.RCode
	}
	return 0
}

// outcome returns the result of validating an answer of ours.
func (c *signedCorpus) outcome(q genQuestion, answer resolver.Answer) trust {
	all := secure
	for _, name := range namesOf(q, answer) {
		switch c.trustIn(name, q.qtype) {
		case bogus:
			return bogus
		case 0:
			all = 0
		}
	}
	return all
}

// namesOf returns the names that an answer of ours rests on: the name of the
// question, and the targets of its aliases.
func namesOf(q genQuestion, answer resolver.Answer) []string {
	name, _ := resolver.Canonical(q.name)
	names := []string{name}
	for _, rr := range answer.Chain {
		if cname, ok := rr.(*dns.CNAME); ok {
			target, _ := resolver.Canonical(cname.Target)
			names = append(names, target)
		}
	}
	return names
}

// trustIn returns the result of validation in the zone that answers a question.
func (c *signedCorpus) trustIn(name string, qtype uint16) trust {
	if qtype == dns.TypeDS && name != "." {
		name = dnsname.Parent(name) // its zone has the DS records (RFC 4035, Section 3.1.4.1)
	}
	apex := c.zoneOf(name).apex
	if c.trust[apex] == 0 && c.trust[dnsname.Parent(apex)] == bogus {
		return bogus // that a child zone is not signed cannot be proven either
	}
	return c.trust[apex]
}

// sameAnswer compares all that an answer has but its server. A cache that was
// empty at the start has counted down the TTL.
func (c *signedCorpus) sameAnswer(want, got resolver.Answer, authentic bool) bool {
	lines := func(records []dns.RR) []string {
		var lines []string
		for _, rr := range records {
			rr = dns.Copy(rr)
			rr.Header().Ttl = 0
			lines = append(lines, recordText(rr))
		}
		return lines
	}
	wantRecords, gotRecords := lines(want.Records), lines(got.Records)
	slices.Sort(wantRecords)
	slices.Sort(gotRecords)
	age := time.Since(c.start) + time.Second // which is what a TTL is rounded to
	return got.Status == want.Status && got.Authentic == authentic && got.TTL <= want.TTL && got.TTL >= want.TTL-age &&
		slices.Equal(gotRecords, wantRecords) && slices.Equal(lines(got.Chain), lines(want.Chain))
}

// largeZone has a set of 40 texts, and one that nearly fills the largest message.
func largeZone() string {
	var b strings.Builder
	b.WriteString("large.test. 300 SOA ns.outside.test. h.outside.test. 1 3600 600 86400 300\nlarge.test. 300 NS ns.outside.test.\n")
	for i := range 40 {
		fmt.Fprintf(&b, "forty.large.test. 300 TXT \"%03d %s\"\n", i, strings.Repeat("x", 60))
	}
	for i := range 240 {
		fmt.Fprintf(&b, "most.large.test. 300 TXT \"%03d %s\"\n", i, strings.Repeat("x", 250))
	}
	return b.String()
}

// testLarge asks for what Unbound truncates over UDP.
func (c *signedCorpus) testLarge(t *testing.T, unbound netip.AddrPort) {
	for name, n := range map[string]int{"forty.large.test.": 40, "most.large.test.": 240} {
		query := new(dns.Msg).SetQuestion(name, dns.TypeTXT)
		query.SetEdns0(1232, false)
		reply, err := dns.Exchange(query, unbound.String())
		if err != nil || !reply.Truncated {
			t.Errorf("%s: want TC over UDP, got %v, %v", name, reply, err)
		}
		want, err := c.zones.Lookup(t.Context(), name, dns.TypeTXT)
		if err != nil || len(want.Records) != n {
			t.Errorf("%s: %d records, %v", name, len(want.Records), err)
		}
		got, err := c.client.Lookup(t.Context(), name, dns.TypeTXT)
		if err != nil || !c.sameAnswer(want, got, false) {
			t.Errorf("%s: want %d records, got %d, %v", name, n, len(got.Records), err)
		}
	}
}
