package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/identity/flow"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/txt"
	"github.com/bonafide-mta/bonafide/resolver"
)

// maxTXT is how many octets of texts at one name still fit beside what else an answer
// has into 512 (RFC 7208, Section 3.4).
const maxTXT = 450

// note finds what the changes do beyond what they say.
func (p *Plan) note() {
	for _, c := range p.Changes {
		if len(p.Published.sets[resolver.Question{Name: c.Zone, Type: dns.TypeDNSKEY}]) > 0 {
			p.Notes = append(p.Notes, flow.Note{Name: c.Zone, Text: "it is signed (DNSSEC): its signatures are left as they are, sign it again after each step"})
		}
		if name, types := p.lostWildcardTypes(c.Name); name != "" && p.Published.apexes[c.Zone] {
			p.Notes = append(p.Notes, flow.Note{Name: name, Text: fmt.Sprintf("it exists by this plan, and %s no longer answers for it: %s of the wildcard are not there any more", p.Published.wildcard(name), types)})
		}
		p.wildcard(resolver.Question{Name: c.Name, Type: c.Type}, c.After)
		size := 0
		for _, rr := range c.After {
			if t, ok := rr.(*dns.TXT); ok {
				size += len(txt.Join(t.Txt))
			}
		}
		if size > maxTXT {
			p.Notes = append(p.Notes, flow.Note{Name: c.Name, Text: fmt.Sprintf("its texts have %d octets together: beyond %d, answers may need TCP", size, maxTXT)})
		}
	}
	for set, records := range p.Published.sets {
		p.wildcard(set, records)
	}
	slices.SortFunc(p.Notes, flow.Note.Compare)
	p.Notes = slices.Compact(p.Notes)
}

// signs reports whether records of a type only prove others (RFC 4034).
func signs(rtype uint16) bool { return rtype == dns.TypeRRSIG || rtype == dns.TypeNSEC }

// wildcard notes what a wildcard says of all names that do not exist.
func (p *Plan) wildcard(set resolver.Question, records []dns.RR) {
	switch {
	case !strings.HasPrefix(set.Name, "*."):
	case set.Type == dns.TypeTXT && slices.ContainsFunc(records, isSPF):
		p.Notes = append(p.Notes, flow.Note{Name: set.Name, Text: "its SPF text also answers for _dmarc, _mta-sts and whatever else is asked for by name and is not there"})
	case set.Type == dns.TypeA || set.Type == dns.TypeAAAA:
		if len(p.after(resolver.Question{Name: set.Name, Type: dns.TypeMX})) == 0 {
			p.Notes = append(p.Notes, flow.Note{Name: set.Name, Text: "all names that do not exist have its addresses, and get mail there: describe it in names, if it is not for mail"})
		}
	}
}

// lostWildcardTypes returns the host name that comes to exist with a record at a name, there or
// below, and types that a wildcard answers with for it until then (RFC 4592, Section
// 2.2.1), of those given; any, where none is. It returns "" where nothing is lost.
func (p *Plan) lostWildcardTypes(name string, of ...uint16) (at, types string) {
	for at := name; at != "" && !p.Published.names[at]; at = dnsname.Parent(at) {
		wildcard := p.Published.wildcard(at)
		if wildcard == "" || dnsname.FormOf(at) != dnsname.Host {
			continue // nobody asks there for what a wildcard has
		}
		var lost []string
		for set := range p.Published.sets {
			if set.Name == wildcard && (slices.Contains(of, set.Type) || len(of) == 0 && !signs(set.Type)) && len(p.after(resolver.Question{Name: at, Type: set.Type})) == 0 {
				lost = append(lost, resolver.TypeString(set.Type))
			}
		}
		if slices.Sort(lost); len(lost) > 0 {
			return at, strings.Join(lost, ", ")
		}
	}
	return "", ""
}
