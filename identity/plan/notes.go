package plan

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/identity/flow"
	"github.com/bonafide-mta/bonafide/identity/helo"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/txt"
	"github.com/bonafide-mta/bonafide/resolver"
)

// maxTXT is the most octets of texts at one name for which an answer fits into the 512 of a
// UDP message without EDNS (RFC 7208, Section 3.4).
const maxTXT = 450

// addNotes notes what the changes do that their records do not show.
func (p *planner) addNotes() {
	for _, c := range p.Changes {
		if len(p.Published.sets[resolver.Question{Name: c.Zone, Type: dns.TypeDNSKEY}]) > 0 {
			p.Notes = append(p.Notes, flow.Note{Name: c.Zone, Text: "it is signed with DNSSEC, and the plan leaves signatures as they are: sign it again after each step"})
		}
		if name, types := p.lostWildcardTypes(c.Name); name != "" && p.Published.apexes[c.Zone] {
			p.Notes = append(p.Notes, flow.Note{Name: name, Text: fmt.Sprintf("it will exist, so %s no longer answers for it: it loses %s of the wildcard", p.Published.wildcardFor(name), types)})
		}
		p.noteWildcard(resolver.Question{Name: c.Name, Type: c.Type}, c.After)
		size := 0
		for _, rr := range c.After {
			if t, ok := rr.(*dns.TXT); ok {
				size += len(txt.Join(t.Txt))
			}
		}
		if size > maxTXT {
			p.Notes = append(p.Notes, flow.Note{Name: c.Name, Text: fmt.Sprintf("its texts have %d octets in total: above %d, answers may need TCP", size, maxTXT)})
		}
	}
	for set, records := range p.Published.sets {
		p.noteWildcard(set, records)
	}
	slices.SortFunc(p.Notes, flow.Note.Compare)
	p.Notes = slices.Compact(p.Notes)
}

// noteObserved notes what clients were observed to say where no MTA that sends is described:
// it counts as mail, but is not planned for.
func (p *planner) noteObserved(observed map[netip.Addr]string) {
	for addr, said := range observed {
		if p.sends(addr) {
			continue
		}
		uses, name := "it in HELO", dnsname.Reverse(addr)
		if arg, err := helo.Parse(said); err == nil && arg.Name != "" {
			name = arg.Name
		} else {
			uses = strconv.Quote(said) + " in HELO"
		}
		text := fmt.Sprintf("a client at %s uses %s, and no MTA that sends is described there: the plan has no record that denies its HELO name", addr, uses)
		if slices.ContainsFunc(p.Unlisted, func(f flow.Flow) bool { return f.Net.Contains(addr) }) {
			text += ", but new SPF records of mail domains deny it: describe it if it is yours"
		}
		p.Notes = append(p.Notes, flow.Note{Name: name, Text: text})
	}
}

// isSignature reports whether records of a type only prove other records (RFC 4034).
func isSignature(rtype uint16) bool { return rtype == dns.TypeRRSIG || rtype == dns.TypeNSEC }

// noteWildcard notes what records of a wildcard say about all names that do not exist.
func (p *planner) noteWildcard(set resolver.Question, records []dns.RR) {
	switch {
	case !strings.HasPrefix(set.Name, "*."):
	case set.Type == dns.TypeTXT && slices.ContainsFunc(records, isSPF):
		p.Notes = append(p.Notes, flow.Note{Name: set.Name, Text: "its SPF text is also the answer for _dmarc, _mta-sts and every other name that does not exist"})
	case set.Type == dns.TypeA || set.Type == dns.TypeAAAA:
		if len(p.recordsAfter(resolver.Question{Name: set.Name, Type: dns.TypeMX})) == 0 {
			p.Notes = append(p.Notes, flow.Note{Name: set.Name, Text: "all names that do not exist have its addresses, and get mail there: list it in names if it is not for mail"})
		}
	}
}

// lostWildcardTypes returns a host name, the given one or one above it, that begins to
// exist with a record at the name, and the record types that a wildcard answers with for it
// until then (RFC 4592, Section 2.2.1). Only the types in of count, all if there are none.
// It returns "" if nothing is lost.
func (p *planner) lostWildcardTypes(name string, of ...uint16) (host, types string) {
	for at := name; at != "" && !p.Published.names[at]; at = dnsname.Parent(at) {
		wildcard := p.Published.wildcardFor(at)
		if wildcard == "" || dnsname.FormOf(at) != dnsname.Host {
			continue // nobody asks there for what a wildcard has
		}
		var lost []string
		for _, t := range p.Published.wildcards[wildcard] {
			if (slices.Contains(of, t) || len(of) == 0 && !isSignature(t)) && len(p.recordsAfter(resolver.Question{Name: at, Type: t})) == 0 {
				lost = append(lost, resolver.TypeString(t))
			}
		}
		if slices.Sort(lost); len(lost) > 0 {
			return at, strings.Join(lost, ", ")
		}
	}
	return "", ""
}

// recordsNow returns the records of a name and type at the end of its aliases, those of a
// wildcard if that answers for it, and whether they are known.
func (pub *Published) recordsNow(q resolver.Question) (rrs []dns.RR, known bool) {
	for range 8 {
		if wildcard := pub.wildcardFor(q.Name); len(pub.wildcards[wildcard]) > 0 {
			q.Name = wildcard
		}
		if target := pub.aliasTarget(q.Name); target != "" {
			q.Name = target
		}
	}
	if rrs = pub.sets[q]; len(rrs) > 0 {
		return rrs, true
	}
	zone, obstacle := pub.zoneOf(q.Name)
	return nil, zone != "" && obstacle == ""
}
