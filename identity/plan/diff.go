package plan

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/csa"
	"github.com/bonafide-mta/bonafide/identity/helo"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/enum"
	"github.com/bonafide-mta/bonafide/internal/txt"
	"github.com/bonafide-mta/bonafide/nullmx"
	"github.com/bonafide-mta/bonafide/resolver"
)

// An Owner is who makes a change. The zero Owner is invalid.
type Owner uint8

// The owners of changes.
const (
	_            Owner = iota
	OwnerYou           // it is in a whole zone that was given
	OwnerDNSHost       // it is in a zone that was only asked for: of whoever serves it for you
	OwnerISP           // it is in the reverse zone of whoever gave the address
	OwnerMTA           // it is in the configuration of the mail server
)

var ownerText = []string{OwnerYou: "you", OwnerDNSHost: "dns-host", OwnerISP: "isp", OwnerMTA: "mta"}

// String returns you, dns-host, isp or mta.
func (o Owner) String() string { return enum.String(o, ownerText) }

// MarshalText returns the text of String; an invalid Owner is an error.
func (o Owner) MarshalText() ([]byte, error) { return enum.Marshal(o, ownerText) }

// UnmarshalText accepts what MarshalText returns, in any case.
func (o *Owner) UnmarshalText(text []byte) error { return enum.Unmarshal(o, text, ownerText) }

// A Change is what becomes of one RRset. Records of it that are neither added nor
// removed stand in both lists: other texts beside an SPF record, say.
type Change struct {
	Owner  Owner
	Zone   string // the apex of the zone; "" where that is not known, as of the ISP's
	Name   string // canonical; the target, where the name of a PTR record is an alias (RFC 2317)
	Type   uint16
	Before []dns.RR // as it is now; nil also where nobody asked
	After  []dns.RR
	Rules  []rule.ID // that want it, in the order of the catalogue
}

// Added returns the records that are in After alone.
func (c Change) Added() []dns.RR { return without(c.After, c.Before) }

// Removed returns the records that are in Before alone.
func (c Change) Removed() []dns.RR { return without(c.Before, c.After) }

// Kept says that records stay which somebody may rely on, and that what is wanted in
// their place, if anything, is not planned.
type Kept struct {
	Records []dns.RR
	Wanted  []rule.Record
	Reason  string
}

// diff finds what becomes of each RRset that is wanted.
func (p *Plan) diff(adopt bool) {
	wanted := make(map[resolver.Question][]rule.Record)
	for _, r := range p.Wanted {
		set := p.Published.storedAt(setOf(r.RR))
		wanted[set] = append(wanted[set], r)
	}
	sets := slices.SortedFunc(maps.Keys(wanted), compareSets)
	slices.SortStableFunc(sets, func(a, b resolver.Question) int { return cmp.Compare(planningOrder(a), planningOrder(b)) })
	for _, set := range sets {
		p.change(set, wanted[set], adopt)
	}
	p.removeNullMX(adopt)
	p.dropCSAPolicy()
}

// change plans what becomes of one RRset.
func (p *Plan) change(set resolver.Question, wanted []rule.Record, adopt bool) {
	c := p.Published
	if isExchanger(wanted[0].RR) && p.mailRouted(set, adopt) {
		p.Wanted = slices.DeleteFunc(p.Wanted, func(r rule.Record) bool { return isExchanger(r.RR) && setOf(r.RR) == set })
		return
	}
	ch, reason := p.changeAt(set)
	wanted = c.asPublished(ch.Before, wanted)
	goes := p.replaced(ch.Before, wanted)
	if reason == "" && len(goes) == 0 && len(without(rrs(wanted), ch.Before)) == 0 {
		return // it is there
	}
	if reason == "" {
		reason = c.mailAt(set, wanted, adopt)
	}
	if reason != "" {
		p.refuse(set, reason)
		return
	}
	// The description says which name an address has: another PTR record goes.
	if len(goes) > 0 && set.Type != dns.TypePTR && !adopt {
		if set.Type != dns.TypeRP {
			p.Kept = append(p.Kept, Kept{goes, wanted, keptReason(goes)})
			return
		}
		p.Kept = append(p.Kept, Kept{goes, nil, "the text that it points to is not there"})
		goes = nil
	}
	ch.After = without(ch.Before, goes)
	for _, w := range wanted {
		ch.Rules = append(ch.Rules, w.Rules...)
		ch.add(w.RR)
	}
	slices.SortFunc(ch.Rules, rule.Compare)
	ch.Rules = slices.Compact(ch.Rules)
	if len(ch.Added())+len(ch.Removed()) == 0 {
		return
	}
	for _, w := range wanted {
		if name, addr := p.missingAddress(w); addr.IsValid() {
			p.refuse(set, fmt.Sprintf("%s does not lead to %s, nor by this plan", name, addr))
			return
		}
	}
	name, _ := p.lostWildcardTypes(set.Name, dns.TypeA, dns.TypeAAAA, dns.TypeCNAME, dns.TypeMX)
	exists := func(ch Change) bool { return dnsname.Under(ch.Name, name) }
	if name != "" && planningOrder(set) > 0 && !slices.ContainsFunc(p.Changes, exists) {
		p.refuse(set, fmt.Sprintf("%s would no longer answer for %s: give it records of its own first", c.wildcard(name), name))
		return
	}
	p.Changes = append(p.Changes, ch)
}

// replaced returns the records of a set that what is wanted replaces.
func (p *Plan) replaced(published []dns.RR, wanted []rule.Record) []dns.RR {
	goes := without(published, rrs(wanted))
	switch first := wanted[0].RR; {
	case isAddress(first):
		return nil // there may be others beside
	case first.Header().Rrtype == dns.TypeRP: // likewise, except for those whose text is missing
		return slices.DeleteFunc(goes, func(rr dns.RR) bool { return !p.dangles(rr) })
	case isSPF(first):
		return append(slices.DeleteFunc(goes, func(rr dns.RR) bool { return !isSPF(rr) }), nearMisses(published)...)
	}
	return goes
}

// keptReason returns why records are not replaced.
func keptReason(records []dns.RR) string {
	switch {
	case nearMiss(records[0]) != "":
		return meantToSend(records[0])
	case isSPF(records[0]) && len(records) > 1:
		return "there are several SPF records, of which receivers take none: describe all that sends, then adopt the plan"
	}
	return "another record is there, which somebody may rely on"
}

// mailRouted reports whether mail for a name has somewhere to go, or is meant to have
// nowhere, and welcome has to tell.
func (p *Plan) mailRouted(set resolver.Question, adopt bool) bool {
	now := p.Published.sets[set]
	if len(now) == 0 {
		return len(p.addresses(set.Name)) > 0
	}
	return !adopt || slices.ContainsFunc(now, isExchanger)
}

// planningOrder is the order in which sets are planned: addresses, upon which others rest, before
// texts, before what needs either.
func planningOrder(set resolver.Question) int {
	switch set.Type {
	case dns.TypeA, dns.TypeAAAA:
		return 0
	case dns.TypePTR, dns.TypeSRV, dns.TypeRP:
		return 2
	}
	return 1
}

// dangles reports whether the text of an RP record is in a whole zone, and is not there.
func (p *Plan) dangles(rr dns.RR) bool {
	person, ok := rr.(*dns.RP)
	text := ""
	if ok && person.Txt != "." {
		text = dnsname.CanonicalOrEmpty(person.Txt)
	}
	if zone, obstacle := p.Published.zone(text); zone == "" || obstacle != "" {
		return false // who knows
	}
	for _, at := range []string{text, p.Published.wildcard(text)} {
		if p.Published.alias(at) != "" || len(p.after(resolver.Question{Name: at, Type: dns.TypeTXT})) > 0 {
			return false
		}
	}
	return true
}

// missingAddress returns the name that a PTR record, an MX record or one that authorizes a HELO
// name rests on, and an address that this would have to lead to but does not: the record
// would do harm.
func (p *Plan) missingAddress(wanted rule.Record) (name string, addr netip.Addr) {
	var addrs []netip.Addr
	switch rr := wanted.RR.(type) {
	case *dns.PTR:
		name, addrs = dnsname.CanonicalOrEmpty(rr.Ptr), []netip.Addr{dnsname.FromReverse(rr.Hdr.Name)}
	case *dns.MX:
		if isNullMX(rr) {
			return "", netip.Addr{}
		}
		name = dnsname.CanonicalOrEmpty(rr.Mx)
		for _, h := range hosts(p.Organization) {
			if h.Helo == name || h.PTR == name {
				addrs = append(addrs, h.Addrs...)
			}
		}
	case *dns.SRV:
		if slices.Contains(wanted.Rules, rule.HeloCSA) {
			name = rr.Target
		}
		for _, h := range hosts(p.Organization) {
			if h.Helo == name {
				addrs = append(addrs, h.Addrs...)
			}
		}
	}
	for _, addr := range addrs {
		if name != "" && !slices.Contains(p.addresses(name), addr) {
			return name, addr
		}
	}
	return "", netip.Addr{}
}

// addresses returns those of a name as the plan leaves them.
func (p *Plan) addresses(name string) []netip.Addr {
	return addresses(p.after(resolver.Question{Name: name, Type: dns.TypeA}), p.after(resolver.Question{Name: name, Type: dns.TypeAAAA}))
}

// changeAt returns the change of nothing at an RRset, or why nothing can be written there.
func (p *Plan) changeAt(set resolver.Question) (Change, string) {
	c := p.Published
	zone, obstacle := c.zone(set.Name)
	target := c.alias(set.Name)
	described := p.describedZone(set.Name)
	foreign := described == "" && len(p.Organization.Zones) > 0
	apex, asked := c.asked[set.Name]
	if set.Type == dns.TypePTR {
		apex = described // nobody else says whose it is
	}
	ch := Change{Owner: OwnerYou, Zone: zone, Name: set.Name, Type: set.Type, Before: c.sets[set]}
	switch {
	case obstacle != "":
		return ch, obstacle
	case target != "": // RFC 2181, Section 10.1
		return ch, "it is an alias of " + target + ": give it addresses of its own instead"
	case foreign && set.Type != dns.TypePTR:
		return ch, "it is in none of the zones described"
	case zone != "" && !foreign:
	case asked && apex != "":
		ch.Owner, ch.Zone = OwnerDNSHost, apex
	case set.Type == dns.TypePTR && described == "":
		ch.Owner, ch.Zone = OwnerISP, ""
	default:
		return ch, "no zone is given that holds it"
	}
	return ch, ""
}

// describedZone returns the zone of a name that the description says the organization
// writes, "" for none.
func (p *Plan) describedZone(name string) string {
	deepest := ""
	for _, zone := range p.Organization.Zones {
		if zone = dnsname.CanonicalOrEmpty(zone); dnsname.Under(name, zone) && len(zone) > len(deepest) {
			deepest = zone
		}
	}
	return deepest
}

// add puts a record into After, unless it is there, as one of the set.
func (c *Change) add(rr dns.RR) {
	if contains(c.After, rr) {
		return
	}
	rr = dns.Copy(rr)
	rr.Header().Name = c.Name
	// RFC 2181, Section 5.2: one time to live for all of a set, also while it changes. In
	// the answer of a cache it is only what is left of it.
	if set := slices.Concat(c.Before, c.After); c.Owner == OwnerYou && len(set) > 0 {
		rr.Header().Ttl = set[0].Header().Ttl
	}
	c.After = append(slices.Clip(c.After), rr)
}

// removeNullMX takes away the Null MX of names whose postmaster is written to.
func (p *Plan) removeNullMX(adopt bool) {
	var names []string
	for _, m := range p.Organization.MTAs {
		if arg, err := helo.Parse(m.Helo); err == nil && arg.Name != "" && m.Sends() {
			names = append(names, arg.Name)
		}
	}
	for _, d := range p.Organization.MailDomains() {
		names = append(names, dnsname.CanonicalOrEmpty(d.Domain))
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		set := resolver.Question{Name: name, Type: dns.TypeMX}
		ch, reason := p.changeAt(set)
		if reason != "" || len(ch.Before) == 0 || slices.ContainsFunc(p.after(set), isExchanger) {
			continue
		}
		if !adopt {
			p.Kept = append(p.Kept, Kept{ch.Before, nil, "it refuses the mail for postmaster@" + strings.TrimSuffix(name, ".")})
			continue
		}
		ch.Rules = []rule.ID{rule.NullMX}
		p.Changes = append(p.Changes, ch)
	}
}

// dropCSAPolicy takes the CSA policy out of the plan if an MTA would be denied by it, since
// its HELO name gets no record of its own.
func (p *Plan) dropCSAPolicy() {
	policy := resolver.Question{Name: csa.Owner(p.Organization.Domain), Type: dns.TypeSRV}
	for _, m := range p.Organization.MTAs {
		name := dnsname.CanonicalOrEmpty(m.Helo)
		at := resolver.Question{Name: csa.Owner(name), Type: dns.TypeSRV}
		if name == "" || !m.Sends() || !dnsname.Under(name, dnsname.CanonicalOrEmpty(p.Organization.Domain)) || at == policy || len(p.after(at)) > 0 {
			continue
		}
		n := len(p.Changes)
		p.Changes = slices.DeleteFunc(p.Changes, func(c Change) bool { return c.Name == policy.Name && c.Type == policy.Type })
		if len(p.Changes) < n {
			p.refuse(policy, m.ID+" greets with "+m.Helo+", which gets no CSA record of its own and would be denied")
		}
		return
	}
}

// after returns the records of a set as the plan leaves them.
func (p *Plan) after(set resolver.Question) []dns.RR {
	for _, c := range p.Changes {
		if c.Name == set.Name && c.Type == set.Type {
			return c.After
		}
	}
	return p.Published.sets[set]
}

// mailAt tells why a name is not to be declared one without mail: mail servers take
// wantMailSPF for it, or senders are authorized that stay so.
func (c *Published) mailAt(set resolver.Question, wanted []rule.Record, adopt bool) string {
	nullMX := isNullMX(wanted[0].RR)
	if !nullMX && (set.Type != dns.TypeTXT || !c.isNullSPF(wanted[0].RR)) {
		return ""
	}
	for _, rr := range c.sets[resolver.Question{Name: set.Name, Type: dns.TypeMX}] {
		if isExchanger(rr) {
			return "it has mail servers: describe it as a mail domain, or take its MX records away"
		}
	}
	if !nullMX || adopt {
		return ""
	}
	// RFC 7505, Section 4.2: a domain with a Null MX sends no mail.
	texts := c.sets[resolver.Question{Name: set.Name, Type: dns.TypeTXT}]
	if slices.ContainsFunc(texts, func(rr dns.RR) bool { return isSPF(rr) && !c.isNullSPF(rr) }) {
		return "its SPF record authorizes senders, whose mail would be refused for a Null MX"
	}
	for _, rr := range nearMisses(texts) {
		return meantToSend(rr)
	}
	return ""
}

func (p *Plan) refuse(set resolver.Question, reason string) {
	p.Refused = append(p.Refused, Refusal{Value: set.String(), Reason: reason})
}

// setOf returns the RRset that a record belongs to. Names of wanted records are
// canonical, but for their case.
func setOf(rr dns.RR) resolver.Question {
	name, _ := dnsname.Canonical(rr.Header().Name)
	return resolver.Question{Name: name, Type: rr.Header().Rrtype}
}

func rrs(records []rule.Record) []dns.RR {
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

// isNullMX reports whether a record is a Null MX.
func isNullMX(rr dns.RR) bool {
	mx, ok := rr.(*dns.MX)
	return ok && nullmx.IsNull(mx)
}

// isExchanger reports whether a record is an MX record that leads somewhere.
func isExchanger(rr dns.RR) bool { return rr.Header().Rrtype == dns.TypeMX && !isNullMX(rr) }

// isAddress reports whether a record is an A or AAAA record.
func isAddress(rr dns.RR) bool {
	return rr.Header().Rrtype == dns.TypeA || rr.Header().Rrtype == dns.TypeAAAA
}

// compareChanges orders changes as the records of zones are.
func compareChanges(a, b Change) int {
	return compareSets(resolver.Question{Name: a.Name, Type: a.Type}, resolver.Question{Name: b.Name, Type: b.Type})
}

// compareSets orders RRsets as the records of zones are.
func compareSets(a, b resolver.Question) int {
	return cmp.Or(dnsname.Compare(a.Name, b.Name), cmp.Compare(a.Type, b.Type))
}
