package plan

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/csa"
	"github.com/bonafide-mta/bonafide/identity/flow"
	"github.com/bonafide-mta/bonafide/identity/helo"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/enum"
	"github.com/bonafide-mta/bonafide/internal/txt"
	"github.com/bonafide-mta/bonafide/nullmx"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/spf"
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
	options Options
	hosts   []Host
	after   map[resolver.Question][]dns.RR // the changed RRsets, as they will be
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
	for _, domain := range p.Organization.Domains() {
		p.dropCSAPolicy(domain)
	}
}

// planSet makes the change of one RRset, or says why there is none.
func (p *planner) planSet(set resolver.Question, wanted []rule.Record) {
	adopt := p.options.adopts(set.Name)
	if isExchanger(wanted[0].RR) && p.mailRouted(set, adopt) {
		p.Wanted = slices.DeleteFunc(p.Wanted, func(r rule.Record) bool { return isExchanger(r.RR) && setOf(r.RR) == set })
		return
	}
	ch, reason := p.newChange(set)
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
	ch.After = without(ch.Before, obsolete)
	for _, w := range wanted {
		ch.Rules = append(ch.Rules, w.Rules...)
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

// obsoletePTRs returns the PTR records that can go, and tells about each record: the HELO name
// of an MTA may have only one of them in its organization.
func (p *planner) obsoletePTRs(set resolver.Question, records []dns.RR, wanted []rule.Record) []dns.RR {
	var out []dns.RR
	name := wanted[0].RR.(*dns.PTR).Ptr
	for _, rr := range records {
		ptr, ok := rr.(*dns.PTR)
		if !ok {
			continue
		}
		related := func(m org.MTA) bool {
			now, _ := helo.Relate(m.Helo, ptr.Ptr)
			then, _ := helo.Relate(m.Helo, name)
			return m.Sends() && now != helo.Unrelated && then == helo.Unrelated
		}
		mtas := p.mtas[dnsname.FromReverse(wanted[0].RR.Header().Name)]
		if i := slices.IndexFunc(mtas, related); i >= 0 {
			p.Kept = append(p.Kept, Kept{[]dns.RR{rr}, nil, fmt.Sprintf("%s uses %s in HELO, which is in the organization of this name alone", mtas[i].ID, mtas[i].Helo)})
			continue
		}
		if p.Organization.Owns(ptr.Ptr) { // or else it is the provider's, as most are
			p.Notes = append(p.Notes, flow.Note{Name: set.Name, Text: fmt.Sprintf("its PTR record %s is removed, because the address is described with the name %s: if that one is wrong, change the description", ptr.Ptr, name)})
		}
		out = append(out, rr)
	}
	return out
}

// keep returns why obsolete records stay, and what is not planned for that reason: an RP
// record can be added beside one that dangles.
func keep(obsolete []dns.RR, wanted []rule.Record) Kept {
	switch first := obsolete[0]; {
	case first.Header().Rrtype == dns.TypeRP:
		return Kept{obsolete, nil, "the text that it points to is not there"}
	case nearMiss(first) != "":
		return Kept{obsolete, wanted, meantToSend(first)}
	case isSPF(first) && len(obsolete) > 1: // RFC 7208, Section 4.5
		return Kept{obsolete, wanted, "receivers reject several SPF records at one name: describe all that sends, then adopt the plan"}
	}
	return Kept{obsolete, wanted, "another record is there, which somebody may rely on"}
}

// whyHarmful returns why mail would suffer from the records wanted of an RRset, "" if it
// would not.
func (p *planner) whyHarmful(set resolver.Question, wanted []rule.Record, ch Change) string {
	for _, w := range wanted {
		if name, addr := p.missingAddress(w); addr.IsValid() {
			return fmt.Sprintf("%s does not resolve to %s, and this plan does not change that", name, addr)
		}
	}
	if reason := cmp.Or(p.whyWild(set.Name), p.whyDeniedBy(set, wanted[0])); reason != "" {
		return reason
	}
	if isAddress(wanted[0].RR) {
		added := resolver.Answer{Records: ch.Added()}.Addrs()
		return cmp.Or(p.whyOthers(set.Name), p.whyNoMail(set.Name, added))
	}
	name, _ := p.lostWildcardTypes(set.Name, dns.TypeA, dns.TypeAAAA, dns.TypeCNAME, dns.TypeMX)
	exists := func(ch Change) bool { return dnsname.Under(ch.Name, name) }
	if name != "" && !slices.ContainsFunc(p.Changes, exists) {
		return fmt.Sprintf("%s would no longer answer for %s: give it records of its own first", p.Published.wildcardFor(name), name)
	}
	return ""
}

// whyDeniedBy returns why mail would suffer from clients that a wanted SPF or CSA record
// denies, "" if it would not.
func (p *planner) whyDeniedBy(set resolver.Question, wanted rule.Record) string {
	switch {
	case declaresNoMail(wanted): // mailUse
	case slices.Contains(wanted.Rules, rule.HeloCSA):
		name, _ := csa.NameOf(set.Name)
		return p.whyDenied(name, ipSet(p.addrsAfter(name)))
	case isSPF(wanted.RR):
		if slices.Contains(wanted.Rules, rule.HeloSPF) {
			if reason := p.whyOthers(set.Name); reason != "" {
				return reason
			}
		}
		if record, _ := spf.Parse(textOf(wanted.RR)); denies(record) {
			return p.whyDenied(set.Name, networksOf(record))
		}
	}
	return ""
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

// missingAddress returns the name that a PTR, MX or CSA record points to, and an address
// that this name needs but lacks after the plan; an invalid address if it lacks none.
func (p *planner) missingAddress(wanted rule.Record) (name string, addr netip.Addr) {
	var addrs []netip.Addr
	switch rr := wanted.RR.(type) {
	case *dns.PTR:
		name, addrs = dnsname.CanonicalOrEmpty(rr.Ptr), []netip.Addr{dnsname.FromReverse(rr.Hdr.Name)}
	case *dns.MX:
		if isNullMX(rr) {
			return "", netip.Addr{}
		}
		name = dnsname.CanonicalOrEmpty(rr.Mx)
		for _, h := range p.hosts {
			if h.Helo == name || h.PTR == name {
				addrs = append(addrs, h.Addrs...)
			}
		}
	case *dns.SRV:
		if slices.Contains(wanted.Rules, rule.HeloCSA) {
			name = rr.Target
		}
		for _, h := range p.hosts {
			if h.Helo == name {
				addrs = append(addrs, h.Addrs...)
			}
		}
	}
	if name == "" {
		return "", netip.Addr{}
	}
	has := setOfAddrs(p.addrsAfter(name))
	for _, addr := range addrs {
		if !has[addr] {
			return name, addr
		}
	}
	return "", netip.Addr{}
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

// removeNullMX removes the Null MX of names at which postmaster@ must work.
func (p *planner) removeNullMX() {
	var names []string
	for _, h := range p.hosts {
		names = append(names, h.Helo)
	}
	for _, d := range p.Organization.MailDomains() {
		names = append(names, dnsname.CanonicalOrEmpty(d.Domain))
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		set := resolver.Question{Name: name, Type: dns.TypeMX}
		ch, reason := p.newChange(set)
		null := slices.DeleteFunc(slices.Clone(ch.Before), isExchanger)
		if reason != "" || len(null) == 0 || len(without(null, p.recordsAfter(set))) > 0 {
			continue
		}
		if !p.options.adopts(name) {
			p.Kept = append(p.Kept, Kept{null, nil, "it refuses the mail for postmaster@" + strings.TrimSuffix(name, ".")})
			continue
		}
		ch.After = without(ch.Before, null)
		ch.Rules = []rule.ID{rule.NullMX}
		p.addChange(ch)
	}
}

// dropCSAPolicy removes the CSA policy of a domain from the plan if it would deny a server whose name has
// no record of its own after the plan.
func (p *planner) dropCSAPolicy(domain string) {
	policy := resolver.Question{Name: csa.Owner(domain), Type: dns.TypeSRV}
	isPolicy := func(c Change) bool {
		return c.Name == policy.Name && c.Type == policy.Type && slices.Contains(c.Rules, rule.DomainCSA)
	}
	if !slices.ContainsFunc(p.Changes, isPolicy) {
		return
	}
	reason := p.whyUnlisted(domain, func(name string) bool {
		return name != domain && len(p.recordsAfter(resolver.Question{Name: csa.Owner(name), Type: dns.TypeSRV})) > 0
	})
	if reason != "" {
		p.Changes = slices.DeleteFunc(p.Changes, isPolicy)
		delete(p.after, policy)
		p.refuse(policy, reason)
	}
}

// recordsAfter returns the records of an RRset after the changes planned so far.
func (p *planner) recordsAfter(set resolver.Question) []dns.RR {
	if after, ok := p.after[set]; ok {
		return after
	}
	return p.Published.sets[set]
}

// declaresNoMail reports whether a wanted record says that nothing sends or receives mail by
// its name: a null SPF record, a Null MX, or a CSA record that denies the name.
func declaresNoMail(wanted rule.Record) bool {
	srv, ok := wanted.RR.(*dns.SRV)
	return isNullMX(wanted.RR) || spf.IsNull(textOf(wanted.RR)) || ok && csa.Denies(srv) && !csa.RequiresExplicit(srv)
}

// mailUse returns why a name must not be declared to have no mail, "" if it can be: a flow
// of mail needs it, or an SPF record that is kept authorizes senders. A PTR name may have no
// address but those of MTAs, which use another HELO name by then.
func (p *planner) mailUse(set resolver.Question, ptr, adopt bool) string {
	name := set.Name
	if at, ok := csa.NameOf(name); ok {
		name = at
	}
	reason := p.whyUsed(name)
	if ptr {
		reason = cmp.Or(reason, p.whyOthers(name))
	}
	if reason != "" || set.Type != dns.TypeMX || adopt {
		return reason
	}
	// RFC 7505, Section 4.2: a domain with a Null MX sends no mail.
	if node := p.survey.Node(name); node.Has(flow.Sends) {
		return "its SPF record authorizes senders, whose mail receivers would reject because of a Null MX"
	}
	if fault := p.survey.NearMiss(name); fault != "" {
		return flow.MeantToSend(fault)
	}
	return ""
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

// setOfAddrs returns addresses as a set.
func setOfAddrs(addrs []netip.Addr) map[netip.Addr]bool {
	has := make(map[netip.Addr]bool, len(addrs))
	for _, addr := range addrs {
		has[addr] = true
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
