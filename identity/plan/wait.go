package plan

import (
	"cmp"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
)

// unknownNegativeTTL is for how long resolvers may keep negative answers of a zone whose SOA
// record is not known. RFC 2308, Section 5, recommends one to three hours as the limit; it
// is three in BIND (max-ncache-ttl), and one in Unbound (cache-max-negative-ttl).
const unknownNegativeTTL = 3 * time.Hour

// addWait sets what the zone of a change needs beside its records.
func (pub *Published) addWait(c *Change) {
	c.Signed = len(pub.sets[resolver.Question{Name: c.Zone, Type: dns.TypeDNSKEY}]) > 0
	if c.Wait = longestTTL(c.Before); len(c.Before) == 0 {
		zone, _ := pub.zoneOf(c.Name) // the ISP's may be known
		c.Wait = pub.negativeTTL(cmp.Or(c.Zone, zone))
	}
	wildcard := pub.wildcardFor(c.Name) // which answered for all types (RFC 4592, Section 3.3.1)
	for _, rtype := range pub.wildcards[wildcard] {
		c.Wait = max(c.Wait, longestTTL(pub.sets[resolver.Question{Name: wildcard, Type: rtype}]))
	}
}

// negativeTTL returns for how long resolvers keep the negative answers of a zone.
func (pub *Published) negativeTTL(zone string) time.Duration {
	for _, rr := range pub.sets[resolver.Question{Name: zone, Type: dns.TypeSOA}] {
		if soa, ok := rr.(*dns.SOA); ok && pub.apexes[zone] {
			return min(seconds(soa.Minttl), seconds(soa.Hdr.Ttl)) // RFC 2308, Section 5
		} else if ok {
			return seconds(soa.Minttl) // the TTL in an answer of a cache is the rest of it
		}
	}
	return unknownNegativeTTL
}

// longestTTL returns the longest TTL of records, 0 without any.
func longestTTL(records []dns.RR) time.Duration {
	longest := time.Duration(0)
	for _, rr := range records {
		longest = max(longest, seconds(rr.Header().Ttl))
	}
	return longest
}

// seconds returns a TTL as a duration. One with the first bit set counts as 0 (RFC 2181,
// Section 8).
func seconds(ttl uint32) time.Duration {
	if ttl > 1<<31-1 {
		return 0
	}
	return time.Duration(ttl) * time.Second
}

// Wait returns how long to wait after the step before the next one: the longest Wait of its
// changes, 0 for a step that changes no records.
func (s Step) Wait() time.Duration { return waitOf(s.Changes) }

// waitOf returns the longest Wait of changes.
func waitOf(changes []Change) time.Duration {
	longest := time.Duration(0)
	for _, c := range changes {
		longest = max(longest, c.Wait)
	}
	return longest
}

// short returns a duration without the units that are zero at its end, as in 1h.
func short(d time.Duration) string {
	text := d.String()
	if trimmed, ok := strings.CutSuffix(text, "m0s"); ok {
		text = trimmed + "m"
	}
	if trimmed, ok := strings.CutSuffix(text, "h0m"); ok {
		text = trimmed + "h"
	}
	return text
}

// waitText returns what to do after the changes of a step, "" if that is nothing.
func waitText(changes []Change) string {
	if wait := waitOf(changes); wait > 0 {
		return "wait " + short(wait) + " before the next step: until then, resolvers may have the old answers"
	}
	return ""
}

// signedZones returns the names of the signed zones of changes, each once, sorted.
func signedZones(changes []Change) []string {
	var out []string
	for zone, changes := range byZone(changes) {
		if changes[0].Signed {
			out = append(out, zone)
		}
	}
	return out
}
