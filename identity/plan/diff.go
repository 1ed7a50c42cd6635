package plan

import (
	"cmp"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/enum"
	"github.com/bonafide-mta/bonafide/internal/txt"
	"github.com/bonafide-mta/bonafide/resolver"
)

// An Owner is who makes a change. The zero Owner is invalid.
type Owner uint8

// The owners of changes.
const (
	_   Owner = iota
	You       // it is in a zone that was given
	ISP       // it is in the reverse zone of whoever gave the address
)

var ownerText = []string{You: "you", ISP: "isp"}

// String returns you or isp.
func (o Owner) String() string { return enum.String(o, ownerText) }

// MarshalText returns the text of String; an invalid Owner is an error.
func (o Owner) MarshalText() ([]byte, error) { return enum.Marshal(o, ownerText) }

// UnmarshalText accepts what MarshalText returns, in any case.
func (o *Owner) UnmarshalText(text []byte) error { return enum.Unmarshal(o, text, ownerText) }

// A Change is what becomes of one RRset. Records of it that are neither added nor
// removed stand in both lists: other texts beside an SPF record, say.
type Change struct {
	Owner  Owner
	Zone   string // the apex of the zone; "" where the zone was not given
	Name   string // canonical; the target, where the name of a PTR record is an alias (RFC 2317)
	Type   uint16
	Before []dns.RR // as it is now; nil also where Zone is "", which tells nothing
	After  []dns.RR
	Rules  []rule.ID // that want it, in the order of the catalogue
}

// Added returns the records that are in After alone.
func (c Change) Added() []dns.RR { return without(c.After, c.Before) }

// Removed returns the records that are in Before alone.
func (c Change) Removed() []dns.RR { return without(c.Before, c.After) }

// Kept says that records stay which somebody may rely on, and that what is wanted in
// their place is not planned.
type Kept struct {
	Records []dns.RR
	Wanted  []Record
	Reason  string
}

// diff finds what becomes of each RRset that is wanted.
func (p *Plan) diff(c *Current, adopt bool) {
	var order []resolver.RRset
	wanted := make(map[resolver.RRset][]Record)
	for _, r := range p.Wanted {
		set := c.home(setOf(r.RR))
		if len(wanted[set]) == 0 {
			order = append(order, set)
		}
		wanted[set] = append(wanted[set], r)
	}
	for _, set := range order {
		p.change(c, set, wanted[set], adopt)
	}
}

// change plans what becomes of one RRset.
func (p *Plan) change(c *Current, set resolver.RRset, wanted []Record, adopt bool) {
	zone, obstacle := c.zone(set.Name)
	target := c.alias(set.Name)
	switch {
	case obstacle != "":
		p.refuse(set, obstacle)
		return
	case target != "": // RFC 2181, Section 10.1
		p.refuse(set, "it is an alias of "+target+": give it addresses of its own instead")
		return
	case zone == "" && set.Type != dns.TypePTR:
		p.refuse(set, "no zone is given that holds it")
		return
	}
	ch := Change{Owner: You, Zone: zone, Name: set.Name, Type: set.Type, Before: c.sets[set]}
	if zone == "" {
		ch.Owner = ISP
	}
	goes := without(ch.Before, rrs(wanted)) // for what is wanted
	switch {
	case set.Type == dns.TypeA, set.Type == dns.TypeAAAA, set.Type == dns.TypeRP:
		goes = nil // there may be others beside
	case isSPF(wanted[0].RR):
		goes = slices.DeleteFunc(goes, func(rr dns.RR) bool { return !isSPF(rr) })
	}
	if reason := c.mailAt(set, wanted, adopt); reason != "" {
		p.refuse(set, reason)
		return
	}
	// The description says which name an address has: another PTR record goes.
	if len(goes) > 0 && set.Type != dns.TypePTR && !adopt {
		p.Kept = append(p.Kept, Kept{goes, wanted, "another record is there, which somebody may rely on"})
		return
	}
	ch.After = without(ch.Before, goes)
	ttl := uint32(TTL)
	if len(ch.After) > 0 {
		ttl = ch.After[0].Header().Ttl // RFC 2181, Section 5.2: one for all records of a set
	}
	for _, w := range wanted {
		ch.Rules = append(ch.Rules, w.Rules...)
		if contains(ch.After, w.RR) {
			continue
		}
		rr := dns.Copy(w.RR)
		rr.Header().Name, rr.Header().Ttl = set.Name, ttl
		ch.After = append(ch.After, rr)
	}
	slices.SortFunc(ch.Rules, rule.Compare)
	ch.Rules = slices.Compact(ch.Rules)
	if len(ch.Added())+len(ch.Removed()) > 0 {
		p.Changes = append(p.Changes, ch)
	}
}

// mailAt tells why a name is not to be declared one without mail: mail servers take
// mail for it, or senders are authorised that stay so.
func (c *Current) mailAt(set resolver.RRset, wanted []Record, adopt bool) string {
	nullMX := set.Type == dns.TypeMX
	if !nullMX && (set.Type != dns.TypeTXT || !isNullSPF(wanted[0].RR)) {
		return ""
	}
	for _, rr := range c.sets[resolver.RRset{Name: set.Name, Type: dns.TypeMX}] {
		if mx, ok := rr.(*dns.MX); ok && mx.Mx != "." {
			return "it has mail servers: describe it as a mail domain, or take its MX records away"
		}
	}
	for _, rr := range c.sets[resolver.RRset{Name: set.Name, Type: dns.TypeTXT}] {
		// RFC 7505, Section 4.2: a domain with a Null MX sends no mail.
		if nullMX && !adopt && isSPF(rr) && !isNullSPF(rr) {
			return "its SPF record authorises senders, whose mail would be refused for a Null MX"
		}
	}
	return ""
}

func (p *Plan) refuse(set resolver.RRset, reason string) {
	p.Refused = append(p.Refused, Refusal{Value: set.Name + " " + resolver.TypeString(set.Type), Reason: reason})
}

// setOf returns the RRset that a record belongs to. Names of wanted records are
// canonical, but for their case.
func setOf(rr dns.RR) resolver.RRset {
	name, _ := dnsname.Canonical(rr.Header().Name)
	return resolver.RRset{Name: name, Type: rr.Header().Rrtype}
}

func rrs(records []Record) []dns.RR {
	var out []dns.RR
	for _, r := range records {
		out = append(out, r.RR)
	}
	return out
}

// without returns the records of a list that another has not.
func without(records, other []dns.RR) []dns.RR {
	return slices.DeleteFunc(slices.Clone(records), func(rr dns.RR) bool { return contains(other, rr) })
}

// contains reports whether a list has the data of a record, whatever their TTL and
// names, which aliases change. The strings of a text are one (RFC 7208, Section 3.3).
func contains(records []dns.RR, rr dns.RR) bool {
	return slices.ContainsFunc(records, func(other dns.RR) bool {
		a, ok := rr.(*dns.TXT)
		b, also := other.(*dns.TXT)
		if ok && also {
			return txt.Join(a.Txt) == txt.Join(b.Txt)
		}
		named := dns.Copy(other)
		named.Header().Name = rr.Header().Name
		return dns.IsDuplicate(rr, named)
	})
}

// isSPF reports whether a record is an SPF record (RFC 7208, Section 4.5).
func isSPF(rr dns.RR) bool {
	t, ok := rr.(*dns.TXT)
	if !ok {
		return false
	}
	version, _, _ := strings.Cut(strings.ToLower(txt.Join(t.Txt)), " ")
	return version == "v=spf1"
}

// isNullSPF reports whether a record is an SPF record that authorises nobody.
func isNullSPF(rr dns.RR) bool {
	t, ok := rr.(*dns.TXT)
	return ok && strings.ToLower(txt.Join(t.Txt)) == "v=spf1 -all"
}

// compareChanges orders changes as the records of zones are.
func compareChanges(a, b Change) int {
	return cmp.Or(dnsname.Compare(a.Name, b.Name), cmp.Compare(a.Type, b.Type))
}
