package plan

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/identity/flow"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/enum"
	"github.com/bonafide-mta/bonafide/internal/txt"
	"github.com/bonafide-mta/bonafide/nullmx"
	"github.com/bonafide-mta/bonafide/resolver"
)

// An Owner makes a change. The zero Owner is invalid.
type Owner uint8

// The owners of changes.
const (
	_            Owner = iota
	OwnerYou           // it is in a whole zone that was given
	OwnerDNSHost       // it is in a zone that was only asked for, which somebody may serve for you
	OwnerISP           // it is in the reverse zone of the provider of the address
	OwnerMTA           // it is in the configuration of the mail server
)

var ownerText = []string{OwnerYou: "you", OwnerDNSHost: "dns-host", OwnerISP: "isp", OwnerMTA: "mta"}

// String returns you, dns-host, isp or mta.
func (o Owner) String() string { return enum.String(o, ownerText) }

// MarshalText returns the text of String; an invalid Owner is an error.
func (o Owner) MarshalText() ([]byte, error) { return enum.Marshal(o, ownerText) }

// UnmarshalText accepts what MarshalText returns, in any case.
func (o *Owner) UnmarshalText(text []byte) error { return enum.Unmarshal(o, text, ownerText) }

// A Change replaces one RRset. Records that are neither added nor removed, such as other
// texts beside an SPF record, are in both lists.
type Change struct {
	Owner  Owner     `json:"owner,omitzero"`
	Zone   string    `json:"zone"`   // the apex of the zone; "" if not known, as for OwnerISP
	Name   string    `json:"name"`   // canonical; the target if the name of a PTR record is an alias (RFC 2317)
	Type   uint16    `json:"type"`   // of the RRset, such as dns.TypeTXT
	Before []dns.RR  `json:"before"` // as it is now; nil also if it was not asked for
	After  []dns.RR  `json:"after"`  // as it will be; nil if it is removed
	Rules  []rule.ID `json:"rules"`  // that want it, in the order of the catalogue
	// Signed says that the zone is signed with DNSSEC: sign it again after the change, unless
	// its server does that.
	Signed bool `json:"signed"`
	// Wait is for how long resolvers may have the answers from before the change: the longest
	// TTL in Before; if Before is empty, the negative TTL of the zone (RFC 2308, Section 5); and
	// at least the TTLs of a wildcard that answered for the name. If the SOA record of the zone
	// is not known, its negative TTL counts as 3h, as long as resolvers commonly keep negative
	// answers. 0 if nothing can be cached. A TTL that a cache told may be too short.
	Wait time.Duration `json:"wait"`
}

// Added returns the records that only After has.
func (c Change) Added() []dns.RR { return without(c.After, c.Before) }

// Removed returns the records that only Before has.
func (c Change) Removed() []dns.RR { return without(c.Before, c.After) }

// Kept lists records that stay because somebody may rely on them. What is wanted in their
// place, if anything, is not planned.
type Kept struct {
	Records []dns.RR      `json:"records"` // of one RRset
	Wanted  []rule.Record `json:"wanted"`  // nil if nothing takes their place
	Reason  string        `json:"reason"`  // who may rely on them, or on what Wanted would replace
}

// A planner makes a plan.
type planner struct {
	*Plan
	*traffic
	hosts []Host
	after map[resolver.Question][]dns.RR // the changed RRsets, as they will be
}

// addChange adds a change to the plan.
func (p *planner) addChange(c Change) {
	p.Changes = append(p.Changes, c)
	p.after[resolver.Question{Name: c.Name, Type: c.Type}] = c.After
}

// planChanges makes the changes that are wanted.
func (p *planner) planChanges() {
	wanted := make(map[resolver.Question][]rule.Record)
	for _, r := range p.Wanted {
		set := p.storedAt(setOf(r.RR))
		if set.Type == dns.TypePTR {
			p.noteAlias(setOf(r.RR).Name, set.Name)
		}
		wanted[set] = append(wanted[set], r)
	}
	sets := slices.SortedFunc(maps.Keys(wanted), compareSets)
	slices.SortStableFunc(sets, func(a, b resolver.Question) int { return cmp.Compare(dependencyRank(a), dependencyRank(b)) })
	for _, set := range sets {
		p.planSet(set, wanted[set])
	}
	p.removeNullMX()
	p.dropCSAPolicies()
}

// planSet makes the change of one RRset, or says why there is none.
func (p *planner) planSet(set resolver.Question, wanted []rule.Record) {
	adopt := p.options.adopts(set.Name)
	ch, reason := p.newChange(set)
	if isExchanger(wanted[0].RR) && p.mailRouted(set, adopt) || reason == "" && p.isMet(set, wanted[0]) {
		p.Wanted = slices.DeleteFunc(p.Wanted, func(r rule.Record) bool { return p.storedAt(setOf(r.RR)) == set })
		return
	}
	wanted = p.asPublished(ch.Before, wanted)
	obsolete := p.obsolete(ch.Before, wanted)
	if reason == "" && len(obsolete) == 0 && len(without(rrs(wanted), ch.Before)) == 0 {
		return // all of it is published
	}
	if reason == "" && declaresNoMail(wanted[0]) {
		reason = p.mailUse(set, slices.Contains(wanted[0].Rules, rule.PTRLocked), adopt)
	}
	if reason != "" {
		p.refuse(set, reason)
		return
	}
	if set.Type == dns.TypePTR {
		obsolete = p.obsoletePTRs(set, obsolete, wanted)
	}
	// An address has the one name described: other PTR records are removed.
	if len(obsolete) > 0 && set.Type != dns.TypePTR && !adopt {
		kept := keep(obsolete, wanted)
		p.Kept = append(p.Kept, kept)
		if kept.Wanted != nil {
			return
		}
		obsolete = nil
	}
	// Mail servers are not replaced even if adopted: mail goes by DNS, the description may be wrong.
	for _, rr := range obsolete {
		if isExchanger(rr) {
			p.Notes = append(p.Notes, flow.Note{Name: set.Name, Text: fmt.Sprintf("mail still goes to %s, too, where the described MTAs only send: describe the role inbound, or remove that MX record yourself", rr.(*dns.MX).Mx)})
		}
	}
	obsolete = slices.DeleteFunc(obsolete, isExchanger)
	ch.After = without(ch.Before, obsolete)
	for _, w := range wanted {
		ch.Rules = append(ch.Rules, w.Rules...)
	}
	if lost := p.Published.wildcards[p.Published.wildcardFor(set.Name)]; slices.Contains(lost, set.Type) || slices.Contains(lost, dns.TypeCNAME) {
		for _, other := range p.Changes { // an address that makes the name exist takes from it what the wildcard has
			if other.Name == set.Name && (other.Type == dns.TypeA || other.Type == dns.TypeAAAA) {
				ch.Rules = append(ch.Rules, other.Rules...)
			}
		}
	}
	ch.addRecords(rrs(wanted)...)
	slices.SortFunc(ch.Rules, rule.Compare)
	ch.Rules = slices.Compact(ch.Rules)
	if len(ch.Added())+len(ch.Removed()) == 0 {
		return
	}
	if reason := p.whyHarmful(set, wanted, ch); reason != "" {
		p.refuse(set, reason)
		return
	}
	p.addChange(ch)
}

// obsolete returns the records of an RRset that cannot stay beside those wanted.
func (p *planner) obsolete(before []dns.RR, wanted []rule.Record) []dns.RR {
	others := without(before, rrs(wanted))
	switch first := wanted[0].RR; {
	case isAddress(first):
		return nil
	case first.Header().Rrtype == dns.TypeRP:
		return slices.DeleteFunc(others, func(rr dns.RR) bool { return !p.dangles(rr) })
	case isSPF(first):
		return append(slices.DeleteFunc(others, func(rr dns.RR) bool { return !isSPF(rr) }), nearMisses(before)...)
	}
	return others
}

// keep returns why obsolete records stay, and what is not planned for that reason: an RP
// record can be added beside one that dangles.
func keep(obsolete []dns.RR, wanted []rule.Record) Kept {
	switch first := obsolete[0]; {
	case first.Header().Rrtype == dns.TypeRP:
		return Kept{obsolete, nil, "the text that it points to is not there"}
	case isExchanger(first):
		return Kept{obsolete, wanted, "mail goes there, where the described MTAs only send: describe the role inbound, or adopt the plan, which adds MX records beside"}
	case nearMiss(first) != "":
		return Kept{obsolete, wanted, meantToSend(first)}
	case isSPF(first) && len(obsolete) > 1: // RFC 7208, Section 4.5
		return Kept{obsolete, wanted, "receivers reject several SPF records at one name: describe all that sends, then adopt the plan"}
	}
	return Kept{obsolete, wanted, "another record is there, which somebody may rely on"}
}

// dependencyRank returns when an RRset is planned: addresses first, then texts, then
// records that depend on either.
func dependencyRank(set resolver.Question) int {
	switch set.Type {
	case dns.TypeA, dns.TypeAAAA:
		return 0
	case dns.TypePTR, dns.TypeSRV, dns.TypeRP:
		return 2
	}
	return 1
}

// dangles reports whether the text of an RP record is in a whole zone, and is not there.
func (p *planner) dangles(rr dns.RR) bool {
	person, ok := rr.(*dns.RP)
	text := ""
	if ok && person.Txt != "." {
		text = dnsname.CanonicalOrEmpty(person.Txt)
	}
	if zone, obstacle := p.Published.zoneOf(text); zone == "" || obstacle != "" {
		return false // who knows
	}
	for _, at := range []string{text, p.Published.wildcardFor(text)} {
		if p.Published.aliasTarget(at) != "" || len(p.recordsAfter(resolver.Question{Name: at, Type: dns.TypeTXT})) > 0 {
			return false
		}
	}
	return true
}

// addrsAfter returns the addresses of a name after the changes planned so far.
func (p *planner) addrsAfter(name string) []netip.Addr {
	return addrsOf(name, p.recordsAfter)
}

// addrsOf returns the addresses of a name by its A and AAAA records.
func addrsOf(name string, records func(resolver.Question) []dns.RR) []netip.Addr {
	var all []dns.RR
	for _, q := range resolver.AddrQuestions(name) {
		all = append(all, records(q)...)
	}
	return resolver.Answer{Records: all}.Addrs()
}

// newChange returns an empty change of an RRset, or why nothing can be written there.
func (p *planner) newChange(set resolver.Question) (Change, string) {
	pub := p.Published
	zone, obstacle := pub.zoneOf(set.Name)
	target := pub.aliasTarget(set.Name)
	described := p.describedZone(set.Name)
	foreign := described == "" && len(p.Organization.Zones) > 0
	apex, asked := pub.asked[set.Name]
	if set.Type == dns.TypePTR {
		apex = described // nothing else tells who writes it
	}
	ch := Change{Owner: OwnerYou, Zone: zone, Name: set.Name, Type: set.Type, Before: pub.sets[set]}
	switch {
	case obstacle != "":
		return ch, obstacle
	case pub.whyUnknown(set.Name) != "":
		return ch, pub.whyUnknown(set.Name)
	case target != "": // RFC 2181, Section 10.1
		return ch, "it " + flow.AtAlias(set.Name, target, set.Type, p.Organization.Owns(target) || p.wantsAddresses(set.Name))
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

// wantsAddresses reports whether a name is to have addresses.
func (p *planner) wantsAddresses(name string) bool {
	return slices.ContainsFunc(p.Wanted, func(r rule.Record) bool { return isAddress(r.RR) && setOf(r.RR).Name == name })
}

// describedZone returns the deepest described zone that a name is in, "" for none.
func (p *planner) describedZone(name string) string {
	deepest := ""
	for _, zone := range p.Organization.Zones {
		if zone = dnsname.CanonicalOrEmpty(zone); dnsname.Under(name, zone) && len(zone) > len(deepest) {
			deepest = zone
		}
	}
	return deepest
}

// addRecords adds records to After, except those that are there.
func (c *Change) addRecords(records ...dns.RR) {
	there := dataOf(c.After)
	c.After = slices.Clip(c.After)
	for _, rr := range records {
		if there[txt.LooseKey(rr)] {
			continue
		}
		there[txt.LooseKey(rr)] = true
		rr = dns.Copy(rr)
		rr.Header().Name = c.Name
		// RFC 2181, Section 5.2: an RRset has one TTL, also while it changes. An answer of a
		// cache has only the rest of it.
		switch {
		case c.Owner != OwnerYou:
		case len(c.Before) > 0:
			rr.Header().Ttl = c.Before[0].Header().Ttl
		case len(c.After) > 0:
			rr.Header().Ttl = c.After[0].Header().Ttl
		}
		c.After = append(c.After, rr)
	}
}

// recordsAfter returns the records of an RRset after the changes planned so far.
func (p *planner) recordsAfter(set resolver.Question) []dns.RR {
	if after, ok := p.after[set]; ok {
		return after
	}
	return p.Published.sets[set]
}

func (p *planner) refuse(set resolver.Question, reason string) {
	p.Refused = append(p.Refused, Refusal{Value: set.String(), Reason: reason})
}

// setOf returns the RRset that a record belongs to.
func setOf(rr dns.RR) resolver.Question {
	name, _ := dnsname.Canonical(rr.Header().Name)
	return resolver.Question{Name: name, Type: rr.Header().Rrtype}
}

// rrs returns the records without their rules.
func rrs(records []rule.Record) []dns.RR {
	var out []dns.RR
	for _, r := range records {
		out = append(out, r.RR)
	}
	return out
}

// without returns the records of a list that another list lacks.
func without(records, other []dns.RR) []dns.RR {
	if len(other) == 0 {
		return slices.Clone(records)
	}
	has := dataOf(other)
	return slices.DeleteFunc(slices.Clone(records), func(rr dns.RR) bool { return has[txt.LooseKey(rr)] })
}

// dataOf returns the data that records have, whatever their TTL and names, which aliases
// change. A hostile answer has thousands of records.
func dataOf(records []dns.RR) map[string]bool {
	has := make(map[string]bool, len(records))
	for _, rr := range records {
		has[txt.LooseKey(rr)] = true
	}
	return has
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
