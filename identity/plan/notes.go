package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/txt"
	"github.com/bonafide-mta/bonafide/resolver"
)

// A Note is something about a name that no record of the plan shows.
type Note struct{ Name, Text string }

// maxTXT is how many octets of texts at one name still fit beside what else an answer
// has into 512 (RFC 7208, Section 3.4).
const maxTXT = 450

// note finds what the changes do beyond what they say.
func (p *Plan) note() {
	seen := make(map[string]bool)
	for _, c := range p.Changes {
		for at := c.Name; p.Current.apexes[c.Zone] && len(c.After) > 0 && at != "" && !p.Current.names[at] && !seen[at]; at = dnsname.Parent(at) {
			seen[at] = true
			p.hides(at)
		}
		size := 0
		for _, rr := range c.After {
			if t, ok := rr.(*dns.TXT); ok {
				size += len(txt.Join(t.Txt))
			}
		}
		if size > maxTXT {
			p.Notes = append(p.Notes, Note{c.Name, fmt.Sprintf("its texts have %d octets together: beyond %d, answers may need TCP", size, maxTXT)})
		}
	}
	for set, records := range p.Current.sets {
		if strings.HasPrefix(set.Name, "*.") {
			p.wildcard(set, records)
		}
	}
	slices.SortFunc(p.Notes, func(a, b Note) int {
		return cmp.Or(dnsname.Compare(a.Name, b.Name), cmp.Compare(a.Text, b.Text))
	})
	p.Notes = slices.Compact(p.Notes)
}

// hides notes that a name which will exist is no longer answered for by a wildcard (RFC
// 4592, Section 2.2.1).
func (p *Plan) hides(name string) {
	if dnsname.FormOf(name) != dnsname.Host {
		return // nobody asks there for what a wildcard has
	}
	encloser := dnsname.Parent(name)
	for encloser != "" && !p.Current.names[encloser] {
		encloser = dnsname.Parent(encloser)
	}
	var types []string
	for set := range p.Current.sets {
		if set.Name == "*."+encloser && len(p.after(resolver.RRset{Name: name, Type: set.Type})) == 0 {
			types = append(types, resolver.TypeString(set.Type))
		}
	}
	if slices.Sort(types); len(types) > 0 {
		p.Notes = append(p.Notes, Note{name, fmt.Sprintf("it exists by this plan, and *.%s no longer answers for it: %s of the wildcard are not there any more", encloser, strings.Join(types, ", "))})
	}
}

// wildcard notes what a wildcard says of all names that do not exist.
func (p *Plan) wildcard(set resolver.RRset, records []dns.RR) {
	switch {
	case set.Type == dns.TypeTXT && slices.ContainsFunc(records, isSPF):
		p.Notes = append(p.Notes, Note{set.Name, "its SPF text also answers for _dmarc, _mta-sts and whatever else is asked for by name and is not there"})
	case set.Type == dns.TypeA || set.Type == dns.TypeAAAA:
		if len(p.after(resolver.RRset{Name: set.Name, Type: dns.TypeMX})) == 0 {
			p.Notes = append(p.Notes, Note{set.Name, "all names that do not exist have its addresses, and get mail there: describe it in names, if it is not for mail"})
		}
	}
}
