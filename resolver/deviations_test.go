//go:build interop

package resolver_test

import (
	"context"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/resolver"
)

var nsdDeviations = []deviation{{
	name:   "follows aliases into other zones, and to any length",
	reason: "RFC 1034, Section 4.3.2, step 3a, begins again with the choice of the zone; Knot and BIND do not, nor do we",
	apply: func(c *corpus, q genQuestion, m *dns.Msg) bool {
		applied := false
		for {
			hops, end, _ := chainOf(q, m)
			if len(hops) == 0 {
				return applied
			}
			more := c.serve(genQuestion{q.zone, end, q.qtype}.query())
			if more.Rcode == dns.RcodeRefused {
				return applied
			}
			before := describe(m)
			m.Answer, m.Rcode, m.Ns = addNew(m.Answer, more.Answer), more.Rcode, more.Ns
			if describe(m) == before {
				return applied
			}
			applied = true
		}
	},
}, {
	name:   "stops where a DNAME that leads below itself is used again",
	reason: "the chain cannot end; the resolver finds that out",
	apply: func(c *corpus, q genQuestion, m *dns.Msg) bool {
		used := make(map[string]bool)
		hops, _, _ := chainOf(q, m)
		for i, at := range hops {
			owner, _ := resolver.Canonical(m.Answer[at].Header().Name)
			for _, rr := range m.Answer[:at] {
				dname, ok := rr.(*dns.DNAME)
				if !ok || owner == dname.Hdr.Name || !dnsname.Under(owner, dname.Hdr.Name) || !dnsname.Under(dname.Target, dname.Hdr.Name) {
					continue
				}
				if used[dname.Hdr.Name] {
					m.Answer, m.Ns, m.Rcode = m.Answer[:hops[i-1]+1], nil, dns.RcodeSuccess
					return true
				}
				used[dname.Hdr.Name] = true
			}
		}
		return false
	},
}}

var knotDeviations = []deviation{{
	name:   "follows five aliases",
	reason: "its limit; the resolver asks for the rest",
	apply: func(c *corpus, q genQuestion, m *dns.Msg) bool {
		hops, _, _ := chainOf(q, m)
		if len(hops) <= 5 {
			return false
		}
		m.Answer, m.Ns, m.Rcode = m.Answer[:hops[4]+1], nil, dns.RcodeSuccess
		return true
	},
}, {
	name:   "goes on at the target of a DNAME that makes a name too long",
	reason: "RFC 6672, Section 2.2, wants YXDOMAIN and no more; so do NSD and BIND",
	apply: func(c *corpus, q genQuestion, m *dns.Msg) bool {
		if m.Rcode != dns.RcodeYXDomain {
			return false
		}
		dname := m.Answer[len(m.Answer)-1].(*dns.DNAME)
		q.name = dname.Target
		before, _, _ := chainOf(q, m)
		more := c.serve(q.query())
		// This one counts among the five.
		left := 4 - len(before)
		if hops, _, _ := chainOf(q, more); len(hops) > left {
			hops = append([]int{-1}, hops...)
			more.Answer, more.Ns, more.Rcode = more.Answer[:hops[left]+1], nil, dns.RcodeSuccess
		}
		if more.Rcode != dns.RcodeSuccess {
			m.Rcode = more.Rcode
		}
		m.Answer, m.Ns = addNew(m.Answer, more.Answer), more.Ns
		return true
	},
}}

var bindDeviations = []deviation{{
	name:   "SERVFAIL for a loop",
	reason: "a resolver would say so",
	apply: func(c *corpus, q genQuestion, m *dns.Msg) bool {
		_, _, loop := chainOf(q, m)
		if loop {
			m.Rcode = dns.RcodeServerFailure
		}
		return loop
	},
}, {
	name:   "SERVFAIL after twelve aliases",
	reason: "its limit (max-query-restarts)",
	apply: func(c *corpus, q genQuestion, m *dns.Msg) bool {
		hops, _, _ := chainOf(q, m)
		if len(hops) < 12 {
			return false
		}
		m.Answer, m.Ns, m.Rcode = m.Answer[:hops[11]+1], nil, dns.RcodeServerFailure
		return true
	},
}, {
	name:   "no referral to a child zone that it has, after an alias",
	reason: "it ends where its zone does",
	apply: func(c *corpus, q genQuestion, m *dns.Msg) bool {
		if len(m.Answer) == 0 || len(m.Ns) == 0 || m.Ns[0].Header().Rrtype != dns.TypeNS {
			return false
		}
		if !slices.Contains(c.zones.Origins(), m.Ns[0].Header().Name) {
			return false
		}
		m.Ns = nil
		return true
	},
}, {
	name:   "no addresses in a referral but those below cuts of the zone",
	reason: "that is glue; NSD and Knot add other addresses, by wildcards too",
	apply: func(c *corpus, q genQuestion, m *dns.Msg) bool {
		if m.Authoritative || len(m.Ns) == 0 {
			return false
		}
		zone := c.zoneOf(dnsname.Parent(strings.ToLower(m.Ns[0].Header().Name)))
		before := len(m.Extra)
		m.Extra = slices.DeleteFunc(m.Extra, func(rr dns.RR) bool {
			return rr.Header().Rrtype != dns.TypeOPT && !zone.hasGlue(strings.ToLower(rr.Header().Name))
		})
		return len(m.Extra) < before
	},
}}

// A resolverDeviation is one of a resolver: it explains why two answers differ.
type resolverDeviation struct {
	deviation
	explains func(c *signedCorpus, l lookup) bool
}

var unboundDeviations = []resolverDeviation{{
	deviation{
		name:   "gives up on a chain of more than eleven aliases",
		reason: "it begins again at most eleven times, once for each alias that is in its cache; we follow 16",
	},
	func(c *signedCorpus, l lookup) bool {
		return l.wantErr == nil && l.failed() && len(namesOf(l.genQuestion, l.want)) > 12
	},
}, {
	deviation{
		name:   "SERVFAIL where a DNAME makes too long a name",
		reason: "that is all it makes of Knot's answer, which goes on at the DNAME's target (see knotDeviations)",
	},
	func(c *signedCorpus, l lookup) bool {
		return rcodeOf(l.wantErr) == dns.RcodeYXDomain && rcodeOf(l.gotErr) == dns.RcodeServerFailure
	},
}, {
	deviation{
		name:   "fails behind the CNAME that was asked for, or validates what is there",
		reason: "it follows that CNAME if a DNAME made it; nobody else does",
	},
	func(c *signedCorpus, l lookup) bool {
		if l.wantErr != nil || l.qtype != dns.TypeCNAME || len(l.want.Chain) == 0 {
			return false
		}
		if l.gotErr == nil {
			return c.sameAnswer(l.want, l.got, false)
		}
		q := l.genQuestion
		q.qtype = dns.TypeHINFO // which no name has
		behind, err := c.zones.Lookup(context.Background(), q.name, q.qtype)
		return rcodeOf(l.gotErr) == dns.RcodeServerFailure &&
			(err != nil || c.outcome(q, behind) == bogus || c.trustIn(namesOf(q, behind)[0], q.qtype) == secure)
	},
}, {
	deviation{
		name:   "leaves out a DNAME",
		reason: "the CNAME that it makes is in the cache, where it is an alias like any other",
	},
	func(c *signedCorpus, l lookup) bool {
		return l.wantErr == nil && l.outcome != bogus && l.gotErr == nil &&
			c.sameAnswer(withoutDNAME(l.want), withoutDNAME(l.got), l.outcome == secure)
	},
}, {
	deviation{
		name:   "finds a name bogus that begins with an asterisk and is made by a wildcard",
		reason: "Knot takes it for the wildcard itself, and leaves out the proof that there is no better match",
	},
	func(c *signedCorpus, l lookup) bool {
		return l.wantErr == nil && l.foundBogus() && slices.ContainsFunc(namesOf(l.genQuestion, l.want), func(name string) bool {
			return strings.HasPrefix(name, "*.") && c.zoneOf(name).owners[name] == nil && c.trustIn(name, l.qtype) == secure
		})
	},
}, {
	deviation{
		name:   "finds an alias bogus that a wildcard makes",
		reason: "Knot's proof is there, an NSEC record, and is taken or not by the type that is asked for",
	},
	func(c *signedCorpus, l lookup) bool {
		return l.foundBogus() && slices.ContainsFunc(namesOf(l.genQuestion, l.want), c.aliasByWildcard)
	},
}, {
	deviation{
		name:   "stops at an alias that a wildcard makes, when asked for DS",
		reason: "it takes an NSEC record in its cache for the proof that there is nothing, also with aggressive-nsec off",
	},
	func(c *signedCorpus, l lookup) bool {
		names := namesOf(l.genQuestion, l.got)
		return l.qtype == dns.TypeDS && l.gotErr == nil && len(l.got.Records) == 0 && c.aliasByWildcard(names[len(names)-1])
	},
}, {
	deviation{
		name:   "SERVFAIL for DS below an alias to a SERVFAIL",
		reason: "it asks for the NS records of the names above, to learn whose the DS is",
	},
	func(c *signedCorpus, l lookup) bool {
		if l.qtype != dns.TypeDS || rcodeOf(l.gotErr) != dns.RcodeServerFailure {
			return false
		}
		q := genQuestion{name: l.name, qtype: dns.TypeNS}
		for q.name != "." {
			q.name = dnsname.Parent(q.name)
			above, err := c.zones.Lookup(context.Background(), q.name, q.qtype)
			if len(above.Chain) > 0 && c.outcome(q, above) == bogus || rcodeOf(err) == dns.RcodeServerFailure {
				return true
			}
		}
		return false
	},
}}

// withoutDNAME returns an answer whose aliases are CNAME records alone.
func withoutDNAME(answer resolver.Answer) resolver.Answer {
	answer.Chain = slices.DeleteFunc(slices.Clone(answer.Chain), func(rr dns.RR) bool {
		return rr.Header().Rrtype == dns.TypeDNAME
	})
	return answer
}

// aliasByWildcard reports whether a wildcard of a signed zone makes the name an
// alias.
func (c *signedCorpus) aliasByWildcard(name string) bool {
	zone := c.zoneOf(name)
	exists := func(name string) bool { return zone.owners[name] != nil || zone.hasBelow(name) }
	if c.trust[zone.apex] != secure || exists(name) {
		return false
	}
	encloser := dnsname.Parent(name)
	for !exists(encloser) {
		encloser = dnsname.Parent(encloser)
	}
	return slices.Contains(zone.owners["*."+encloser], dns.TypeCNAME)
}

// zoneOf returns the deepest zone that holds a name.
func (c *corpus) zoneOf(name string) *genZone {
	var found *genZone
	for i, zone := range c.gen {
		if dnsname.Under(name, zone.apex) && (found == nil || len(zone.apex) > len(found.apex)) {
			found = &c.gen[i]
		}
	}
	return found
}

// hasGlue reports whether the zone has records of a name at or below a cut.
func (z *genZone) hasGlue(name string) bool {
	if z.owners[name] == nil {
		return false
	}
	for ; name != z.apex; name = dnsname.Parent(name) {
		if slices.Contains(z.owners[name], dns.TypeNS) {
			return true
		}
	}
	return false
}
