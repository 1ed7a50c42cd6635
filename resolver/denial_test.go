package resolver_test

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
)

// What a message about the A records of www.example.test is taken for.
const (
	saysRecords = "the records"
	saysNone    = "there are none"
	saysNothing = "nothing: the next server is asked"
	saysAlias   = "the last name is asked for by itself"
	saysEndless = "the aliases have no end: nobody else is asked"
)

// The kinds of answer sections that the table of the package's documentation has.
const (
	ofRecords = iota
	empty
	ofAliases
	ofOthers
	ofAliasesAndOthers
	ofTwoAliases
	ofEndlessAliases
)

const alias = "www.example.test. 300 IN CNAME end.example.net."

// answerSections are what may be in an answer section.
var answerSections = []struct {
	kind  int
	end   string // of the aliases; www.example.test.
	lines []string
}{
	{kind: empty},
	{kind: ofRecords, lines: []string{www}},
	{kind: ofRecords, lines: []string{www, "evil.example. 300 IN A 192.0.2.66", "www.example.test. 300 CH A 192.0.2.66", "www.example.test. 300 IN TXT x"}},
	{kind: ofRecords, end: "end.example.net.", lines: []string{alias, "end.example.net. 300 IN A 192.0.2.10"}},
	{kind: ofRecords, end: "end.example.net.", lines: []string{alias, "end.example.net. 300 IN A 192.0.2.10", "evil.example. 300 IN A 192.0.2.66"}},
	{kind: ofOthers, lines: []string{"evil.example. 300 IN A 192.0.2.66"}},
	{kind: ofOthers, lines: []string{"example.test. 300 IN A 192.0.2.66"}},
	{kind: ofOthers, lines: []string{"x.www.example.test. 300 IN A 192.0.2.66"}},
	{kind: ofOthers, lines: []string{"www.example.test. 300 CH A 192.0.2.66"}},
	{kind: ofOthers, lines: []string{"www.example.test. 300 CLASS255 A 192.0.2.66"}},
	{kind: ofOthers, lines: []string{"www.example.test. 300 CLASS254 A 192.0.2.66"}},
	{kind: ofOthers, lines: []string{"www.example.test. 300 CH CNAME end.example.net."}},
	{kind: ofOthers, lines: []string{"www.example.test. 300 IN TXT x"}},
	{kind: ofOthers, lines: []string{"www.example.test. 300 IN AAAA 2001:db8::1"}},
	{kind: ofOthers, lines: []string{signature("www.example.test.")}},
	{kind: ofOthers, lines: []string{"example.test. 300 IN SOA ns.example.test. h.example.test. 1 2 3 4 5"}},
	{kind: ofOthers, lines: []string{"end.example.net. 300 IN CNAME www.example.test."}},
	{kind: ofOthers, lines: []string{"b.example.test. 300 IN CNAME c.example.test.", "c.example.test. 300 IN A 192.0.2.66"}},
	{kind: ofOthers, lines: []string{"www.example.test. 300 IN DNAME example.net."}}, // redirects what is below
	{kind: ofAliases, end: "end.example.net.", lines: []string{alias}},
	{kind: ofAliases, end: "end.example.net.", lines: []string{alias, "WWW.example.test. 60 IN CNAME END.example.net."}},
	{kind: ofAliases, end: "end.example.net.", lines: []string{alias, signature("www.example.test.")}},
	{kind: ofAliases, end: "end.example.net.", lines: []string{"b.test. 300 IN CNAME end.example.net.", "www.example.test. 300 IN CNAME b.test."}},
	{kind: ofAliases, end: "www.example.net.", lines: []string{"example.test. 300 IN DNAME example.net.", "www.example.test. 0 IN CNAME www.example.net."}},
	{kind: ofAliases, end: "www.example.net.", lines: []string{"example.test. 300 IN DNAME example.net.", signature("example.test.")}},
	{kind: ofAliases, end: "c16.example.net.", lines: hops(16)},
	{kind: ofAliasesAndOthers, end: "end.example.net.", lines: []string{alias, "evil.example. 300 IN A 192.0.2.66"}},
	{kind: ofAliasesAndOthers, end: "end.example.net.", lines: []string{alias, "end.example.net. 300 CH A 192.0.2.66"}},
	{kind: ofAliasesAndOthers, end: "end.example.net.", lines: []string{alias, "end.example.net. 300 IN TXT x"}},
	{kind: ofAliasesAndOthers, end: "end.example.net.", lines: []string{alias, signature("end.example.net.")}},
	{kind: ofAliasesAndOthers, end: "end.example.net.", lines: []string{alias, signature("evil.example.")}},
	{kind: ofAliasesAndOthers, end: "end.example.net.", lines: []string{alias, "x.test. 300 IN CNAME end.example.net."}},
	{kind: ofAliasesAndOthers, end: "end.example.net.", lines: []string{alias, "example.test. 300 IN DNAME example.net."}},
	{kind: ofEndlessAliases, lines: []string{"www.example.test. 300 IN CNAME www.example.test."}},
	{kind: ofEndlessAliases, lines: []string{alias, "end.example.net. 300 IN CNAME www.example.test."}},
	{kind: ofEndlessAliases, lines: hops(17)},
	{kind: ofTwoAliases, lines: []string{alias, "www.example.test. 300 IN CNAME b.test."}},
}

func signature(owner string) string {
	return owner + " 300 IN RRSIG A 13 3 300 20260101000000 20250101000000 1 example.test. AAAA"
}

func hops(n int) []string {
	lines := []string{"www.example.test. 300 IN CNAME c1.example.net."}
	for i := 1; i < n; i++ {
		lines = append(lines, fmt.Sprintf("c%d.example.net. 300 IN CNAME c%d.example.net.", i, i+1))
	}
	return lines
}

const (
	soaOf = " 900 IN SOA ns.test. h.test. 1 7200 3600 1209600 600"
	nsOf  = " 900 IN NS ns.test."
)

// authoritySections are what may be in an authority section; END is the last name, and
// ZONE the name above it.
var authoritySections = []struct {
	soa, ns bool // of a zone that holds END
	lines   []string
}{
	{lines: nil},
	{soa: true, lines: []string{"auth ZONE" + soaOf}},
	{soa: true, lines: []string{"auth END" + soaOf}},
	{soa: true, lines: []string{"auth ." + soaOf}},
	{soa: true, lines: []string{"auth other.example." + soaOf, "auth ZONE" + soaOf, signature("auth ZONE")}},
	{lines: []string{"auth other.example." + soaOf}},
	{lines: []string{"auth x.END" + soaOf}},
	{lines: []string{"auth xZONE" + soaOf, "auth x.ZONE" + soaOf}},
	{lines: []string{"auth ZONE 900 CH SOA ns.test. h.test. 1 7200 3600 1209600 600"}},
	{lines: []string{"add ZONE" + soaOf}},
	{ns: true, lines: []string{"auth ZONE" + nsOf}},
	{ns: true, lines: []string{"auth ." + nsOf, "auth other.example." + soaOf, "add ns.test. 900 IN A 192.0.2.53"}},
	{ns: true, soa: true, lines: []string{"auth ZONE" + nsOf, "auth ZONE" + soaOf}},
	{lines: []string{"auth other.example." + nsOf}},
	{lines: []string{"auth x.END" + nsOf, "auth ZONE 900 CH NS ns.test.", "auth ZONE 900 IN TXT x"}},
}

// meaning is the table of the package's documentation, line by line.
func meaning(rcode, kind int, soa, ns, aa, ra bool) string {
	noError, nxDomain := rcode == dns.RcodeSuccess, rcode == dns.RcodeNameError
	switch {
	case !noError && !nxDomain:
		return saysNothing
	case kind == ofRecords && noError:
		return saysRecords
	case kind == ofEndlessAliases:
		return saysEndless
	case kind == ofRecords, kind == ofOthers, kind == ofTwoAliases:
		return saysNothing
	case kind == ofAliases && soa:
		return saysNone
	case kind == ofAliases, kind == ofAliasesAndOthers:
		return saysAlias
	case soa, aa:
		return saysNone
	case !ra:
		return saysNothing
	case ns && noError:
		return saysNothing
	}
	return saysNone
}

// Every row of the table, and its siblings, over UDP and over TCP.
func TestDenial(t *testing.T) {
	for _, tcp := range []bool{false, true} {
		t.Run(map[bool]string{false: "UDP", true: "TCP"}[tcp], func(t *testing.T) { testDenial(t, tcp) })
	}
}

func testDenial(t *testing.T, tcp bool) {
	var message atomic.Pointer[dns.Msg] // to a question for www.example.test
	var asked, askedNext atomic.Pointer[string]
	first := startServer(t, func(w dns.ResponseWriter, r *dns.Msg) *dns.Msg {
		m := message.Load()
		if name := r.Question[0].Name; name != "www.example.test." {
			asked.Store(&name)
			m = say(r, dns.RcodeSuccess, name+" 60 IN A 192.0.2.99")
		}
		m = m.Copy()
		m.Id, m.Question = r.Id, r.Question
		if tcp && !overTCP(w) {
			m.Truncated = true
		}
		return m
	})
	second := startServer(t, func(_ dns.ResponseWriter, r *dns.Msg) *dns.Msg {
		askedNext.Store(&r.Question[0].Name)
		return say(r, dns.RcodeServerFailure)
	})
	c := &resolver.Client{Servers: []netip.AddrPort{first, second}, Rounds: 1, ReuseSockets: true}
	defer c.Close()

	cells := make(map[string]int)
	for _, answer := range answerSections {
		end := answer.end
		if end == "" {
			end = "www.example.test."
		}
		_, zone, _ := strings.Cut(end, ".")
		for _, authority := range authoritySections {
			lines := slices.Clone(answer.lines)
			for _, line := range authority.lines {
				lines = append(lines, strings.NewReplacer("END", end, "ZONE", zone).Replace(line))
			}
			for bits := range 12 {
				rcode := []int{dns.RcodeSuccess, dns.RcodeNameError, dns.RcodeServerFailure}[bits/4]
				if rcode == dns.RcodeServerFailure && len(authority.lines) > 0 {
					continue // the rcode decides
				}
				m := say(new(dns.Msg).SetQuestion("www.example.test.", dns.TypeA), rcode, lines...)
				m.Authoritative, m.RecursionAvailable = bits&1 > 0, bits&2 > 0
				message.Store(m)
				asked.Store(nil)
				askedNext.Store(nil)
				a, err := c.Lookup(t.Context(), "www.example.test.", dns.TypeA)

				want := meaning(rcode, answer.kind, authority.soa, authority.ns, m.Authoritative, m.RecursionAvailable)
				cells[want]++
				status := map[bool]resolver.Status{true: resolver.NXDomain}[rcode == dns.RcodeNameError]
				got := "something else"
				switch {
				case asked.Load() == nil && errors.Is(err, resolver.ErrChain) && askedNext.Load() == nil:
					got = saysEndless
				case asked.Load() == nil && err != nil && askedNext.Load() != nil:
					got = saysNothing
				case err != nil || askedNext.Load() != nil:
				case asked.Load() != nil && *asked.Load() == end && texts(a.Records)[0] == end+" 60 IN A 192.0.2.99":
					got = saysAlias
				case asked.Load() != nil:
				case len(a.Records) > 0 && a.Status == resolver.NoError:
					got = saysRecords
				case len(a.Records) == 0 && a.Status == status:
					got = saysNone
				}
				if got != want {
					t.Errorf("%s, AA %v, RA %v\n%s\nis taken for %s: want %s; %v, error %v", dns.RcodeToString[rcode],
						m.Authoritative, m.RecursionAvailable, strings.Join(lines, "\n"), got, want, a, err)
				}
			}
		}
	}
	t.Log(cells)
}
