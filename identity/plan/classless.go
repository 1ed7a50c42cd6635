package plan

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/identity/flow"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/resolver"
)

// storedAt returns the RRset that has the records, as [Published.storedAt] does. If the
// reverse name of an address is not known, but one of the zones given or described is named
// after a block with the address, the record belongs there: the ISP has an alias for it (RFC
// 2317, Section 4).
func (p *Plan) storedAt(set resolver.Question) resolver.Question {
	stored := p.Published.storedAt(set)
	_, asked := p.Published.asked[stored.Name]
	if zone, obstacle := p.Published.zoneOf(stored.Name); set.Type != dns.TypePTR || stored != set || asked || zone != "" && obstacle == "" {
		return stored
	}
	for _, zone := range p.zoneNames() {
		if classlessHas(zone, set.Name) {
			host, _, _ := strings.Cut(set.Name, ".")
			stored.Name = host + "." + zone
			return stored
		}
	}
	return stored
}

// noteAlias notes that a PTR record is planned at the target of an alias that is not known.
func (p *planner) noteAlias(reverse, stored string) {
	if stored != p.Published.storedAt(resolver.Question{Name: reverse, Type: dns.TypePTR}).Name {
		text := fmt.Sprintf("it is taken for an alias of %s (RFC 2317), because that zone is given or described: it was not looked up", stored)
		p.Notes = append(p.Notes, flow.Note{Name: reverse, Text: text})
	}
}

// zoneNames returns the zones given and described, canonical.
func (p *Plan) zoneNames() []string {
	var out []string
	for apex := range p.Published.apexes {
		out = append(out, apex)
	}
	for _, zone := range p.Organization.Zones {
		out = append(out, dnsname.CanonicalOrEmpty(zone))
	}
	return out
}

// classlessHas reports whether a zone is named after a block of addresses, less than 256,
// that has the address of a reverse name: 0/28, 0-15 or 0-28 below the zone of all 256.
func classlessHas(zone, reverse string) bool {
	if dnsname.Parent(zone) != dnsname.Parent(reverse) || !strings.HasSuffix(reverse, ".in-addr.arpa.") {
		return false
	}
	host, _, _ := strings.Cut(reverse, ".")
	label, _, _ := strings.Cut(zone, ".")
	i := strings.IndexAny(label, "/-")
	if i < 0 {
		return false
	}
	first, err1 := strconv.ParseUint(label[:i], 10, 8)
	second, err2 := strconv.ParseUint(label[i+1:], 10, 8)
	n, err3 := strconv.ParseUint(host, 10, 8)
	if err1 != nil || err2 != nil || err3 != nil {
		return false
	}
	last := second
	if size := second - first + 1; label[i] == '/' || second < first || size&(size-1) != 0 { // a prefix length
		if second < 24 || second > 32 {
			return false
		}
		last = first + 1<<(32-second) - 1
	}
	return first <= n && n <= last
}
