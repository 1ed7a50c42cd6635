package plan

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"
	"go4.org/netipx"

	"github.com/bonafide-mta/bonafide/identity/flow"
	"github.com/bonafide-mta/bonafide/identity/helo"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/internal/address"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
)

// A traffic knows the mail that published records, the description and observations show,
// and which of it a change would hurt.
type traffic struct {
	survey *flow.Survey
	domain string
	mtas   map[netip.Addr][]org.MTA // those that have an address
	placed *netipx.IPSet            // addresses of which the description says what they send
	pub    *Published
	// aliases and redirects are the names whose CNAME or DNAME record has a target.
	aliases, redirects map[string][]string
	hosts              []flow.Flow // see listed; nil until it is asked for
}

// trafficOf surveys what is published.
func trafficOf(o *org.Organization, pub *Published, observed map[netip.Addr]string) (*traffic, error) {
	t := &traffic{domain: dnsname.CanonicalOrEmpty(o.Domain), mtas: make(map[netip.Addr][]org.MTA), pub: pub}
	var placed netipx.IPSetBuilder
	for _, m := range o.MTAs {
		for _, addr := range m.Addresses {
			placed.Add(addr.Unmap())
			t.mtas[addr.Unmap()] = append(t.mtas[addr.Unmap()], m)
		}
	}
	for _, d := range o.MailDomains() {
		for _, network := range d.Networks {
			placed.AddPrefix(address.CanonicalNetwork(network))
		}
	}
	t.placed, _ = placed.IPSet() // the error is about addresses that are not valid
	var seen []flow.Observation
	for addr, said := range observed {
		seen = append(seen, flow.Observation{Addr: addr, Helo: said})
	}
	survey, err := flow.Read(pub.records(), o, seen...)
	if t.survey = survey; err != nil {
		return nil, err
	}
	t.aliases, t.redirects = make(map[string][]string), make(map[string][]string)
	for _, n := range survey.Nodes() {
		if next := survey.Chain(n.Name); n.Has(flow.Alias) && len(next) > 1 {
			t.aliases[next[1]] = append(t.aliases[next[1]], n.Name)
		}
		if next := survey.Chain("_." + n.Name); n.Has(flow.Redirects) && len(next) > 1 { // no host is called _
			to := dnsname.Parent(next[1])
			t.redirects[to] = append(t.redirects[to], n.Name)
		}
	}
	return t, nil
}

// otherNames returns the names for which DNS looks up a name: its aliases, those below DNAME
// records (RFC 6672), and theirs.
func (t *traffic) otherNames(name string) []string {
	out, seen := []string{name}, map[string]bool{name: true}
	for i := 0; i < len(out); i++ {
		next := t.aliases[out[i]]
		for at := dnsname.Parent(out[i]); at != "" && len(t.redirects) > 0; at = dnsname.Parent(at) {
			for _, owner := range t.redirects[at] {
				next = append(slices.Clip(next), strings.TrimSuffix(out[i], at)+owner)
			}
		}
		for _, other := range next {
			if !seen[other] && slices.Contains(t.survey.Chain(other), name) { // it ends: chains do
				seen[other] = true
				out = append(out, other)
			}
		}
	}
	return out[1:]
}

// records yields all records that are known, those of whole zones and of answers.
func (pub *Published) records() iter.Seq2[dns.RR, error] {
	return func(yield func(dns.RR, error) bool) {
		for _, set := range slices.SortedFunc(maps.Keys(pub.sets), compareSets) { // which of several reasons is told does not vary
			for _, rr := range pub.sets[set] {
				if !yield(rr, nil) {
					return
				}
			}
		}
	}
}

// at returns the flows that records at a name are about, the surest first: also those that a
// wildcard answers for by the name until it exists, and those of the name itself if it is an
// alias: CSA does not follow aliases.
func (t *traffic) at(name string) []flow.Flow {
	flows, at := t.survey.At(name), t.survey.Locate(name)
	if at == name {
		return flows
	}
	wild := t.survey.Node(name) == nil
	for _, f := range t.survey.At(at) {
		if f.Name == name || wild && slices.Contains(t.survey.Chain(f.Name), name) {
			if wild {
				f.Node = name // where records about it are once there are any
			}
			flows = append(flows, f)
		}
	}
	return flows
}

// tied returns a flow for each address of a name of which one is a mail server's, if the survey
// does not list it at the name: because only an SPF record authorizes the server, because the
// name is an alias, or because the address is another one of the same server. A name with an
// SPF record of its own, or a text that is meant as one, is a server's, too.
func (t *traffic) tied(name string) []flow.Flow {
	server := func(addr netip.Addr) string { return cmp.Or(t.survey.Server(addr), t.survey.Authorizer(addr)) }
	addrs, other := t.addrs(name), ""
	at := t.survey.Locate(name)
	alias := t.survey.Node(name).Has(flow.Alias)
	ofSender := t.survey.Described(name) == "" && (t.survey.Node(at).Has(flow.Sends) && !alias && !t.survey.NoMail(name) || t.survey.NearMiss(at) != "")
	for _, addr := range addrs {
		if len(t.mtas[addr]) == 0 { // or else the description has all addresses of the server
			other = cmp.Or(other, server(addr))
		}
	}
	var flows []flow.Flow
	for _, addr := range addrs {
		f := flow.Flow{Kind: flow.Helo, Name: name, Node: name, Net: netip.PrefixFrom(addr, addr.BitLen()), Sign: flow.Address, By: t.survey.Server(addr)}
		if f.By != "" && !alias {
			continue
		} else if f.By == "" && ofSender {
			if f.Sign, f.By = flow.SPF, at; t.survey.NoMail(name) {
				f.Sign = flow.Authorized // its owner says otherwise
			}
		} else if owner := t.survey.Authorizer(addr); f.By == "" && owner != "" {
			f.Sign, f.By = flow.Authorized, owner
		}
		if f.By = cmp.Or(f.By, other); f.By != "" && (f.By != name || ofSender) {
			flows = append(flows, f)
		}
	}
	return flows
}

// addrs returns the addresses that a name has now, by an alias or a wildcard, too.
func (t *traffic) addrs(name string) []netip.Addr {
	if node := t.survey.Node(t.survey.Locate(name)); node != nil {
		return node.Addrs
	}
	return nil
}

// ends reports whether nothing of a flow is left after the gates: its clients are MTAs that
// use another HELO name then, or that do not send and were not seen to.
func (t *traffic) ends(f flow.Flow) bool {
	if f.Kind != flow.Helo {
		return false
	}
	clients := t.survey.Clients(f)
	for _, p := range clients {
		mtas := t.mtas[p.Addr()]
		if !p.IsSingleIP() || len(mtas) == 0 || f.Sign == flow.Observed && !t.sends(p.Addr()) || slices.ContainsFunc(mtas, func(m org.MTA) bool { return stays(m, f.Name) }) {
			return false
		}
	}
	if len(clients) > 0 {
		return true
	}
	// The addresses are not known, or there are none. A described name is its MTA's; another
	// one is used by nobody if it is known to have no address.
	described := false
	for _, mtas := range t.mtas {
		for _, m := range mtas {
			if dnsname.Same(m.Helo, f.Name) || dnsname.Same(m.PTR, f.Name) {
				if described = true; stays(m, f.Name) {
					return false
				}
			}
		}
	}
	if described {
		return true
	}
	return t.pub.hasNoAddress(f.Node)
}

// sends reports whether an MTA that sends is described at an address.
func (t *traffic) sends(addr netip.Addr) bool {
	return slices.ContainsFunc(t.mtas[addr], org.MTA.Sends)
}

// stays reports whether an MTA may use a name in HELO after the gates.
func stays(m org.MTA, name string) bool {
	if !m.Sends() {
		return false
	}
	arg, err := helo.Parse(m.Helo)
	return err != nil || arg.Name == "" || arg.Name == name
}

// whyUsed returns why a name must not be declared to have no mail, "" if it can be: a flow
// that the records show, and that neither the plan nor its gates end.
func (t *traffic) whyUsed(name string) string {
	for _, f := range t.at(name) {
		switch {
		case f.Kind == flow.Sender && f.By == name && f.Sign != flow.Include, f.Hint(), t.ends(f):
			// Its own SPF record is kept or adopted; a gate waits for the others.
		case f.Kind == flow.Sender && f.Name != name && t.survey.NoMail(f.Name):
			// Described not to send.
		case f.Sign == flow.MX && f.Kind == flow.Inbound && f.Name == name:
			return "it has mail servers: describe it as a mail domain, or remove its MX records"
		default:
			return f.String() + remedy(f)
		}
	}
	return ""
}

// remedy returns what to do so that a flow does not need a name as it is.
func remedy(f flow.Flow) string {
	switch {
	case f.Name != f.Node && f.Sign == flow.Described && f.Kind == flow.Helo && !strings.HasPrefix(f.Node, "*."):
		return fmt.Sprintf(": give %s addresses of its own first, instead of the alias", strings.TrimSuffix(f.Name, "."))
	case f.Sign == flow.Described:
		return ""
	case f.Sign == flow.Observed:
		return ": describe it as an MTA that sends"
	case f.Kind == flow.Helo && f.Sign != flow.CSA:
		return ": describe that server as an MTA, or give it another name"
	case f.Kind == flow.Helo:
		return ": describe the server that uses it, or remove that record"
	case f.Sign == flow.Include:
		return ": remove it there first"
	}
	return ": describe it as a mail domain, or remove that record"
}

// hints returns the flows at a name that only its owner can tell: a gate waits for them
// before the name is declared to have no mail.
func (t *traffic) hints(name string) []flow.Flow {
	return slices.DeleteFunc(append(t.at(name), t.tied(name)...), func(f flow.Flow) bool {
		own := f.Kind == flow.Sender && f.By == name && (f.Sign == flow.SPF || f.Sign == flow.SPFMX)
		return !own && !f.Hint() || t.ends(f)
	})
}

// whyOthers returns why a name of MTAs must not get their addresses, or a record that denies
// others, "" if it can: it resolves to an address of nobody described. What a wildcard
// answers for a name that no record names does not count.
func (t *traffic) whyOthers(name string) string {
	named := func(f flow.Flow) bool { return f.Sign != flow.Described && f.Sign != flow.Observed }
	if t.survey.Node(name) == nil && !slices.ContainsFunc(t.at(name), named) {
		return ""
	}
	for _, addr := range t.addrs(name) {
		if len(t.mtas[addr]) == 0 {
			return fmt.Sprintf("it resolves to %s, which is not an address of a described MTA: choose a new name, such as %s, or describe whose address that is", addr, t.newName())
		}
	}
	return ""
}

// whyWild returns why no records can be added at a name one by one, "" if they can: mail works
// by a wildcard which answers no longer for the name, or for others that are or are not below
// it, as soon as it exists (RFC 4592, Section 2.2.1).
func (t *traffic) whyWild(name string) string {
	top := ""
	for at := name; at != "" && !t.pub.names[at]; at = dnsname.Parent(at) {
		top = at
	}
	wildcard := t.pub.wildcardFor(name)
	if top == "" || t.survey.Node(wildcard) == nil {
		return ""
	}
	for _, f := range t.survey.At(t.survey.Locate(name)) {
		through := slices.ContainsFunc(t.survey.Chain(f.Name), func(n string) bool { return dnsname.Under(n, top) })
		if through && t.works(f) {
			return fmt.Sprintf("%s answers for %s, and %s: give it all its records in one change first", strings.TrimSuffix(wildcard, "."), strings.TrimSuffix(f.Name, "."), f)
		}
	}
	return ""
}

// works reports whether a flow may rest on the records of its node: what is only described or
// observed does so if the name has an address of the client.
func (t *traffic) works(f flow.Flow) bool {
	if f.Kind != flow.Helo || f.Sign != flow.Described && f.Sign != flow.Observed {
		return true
	}
	return slices.ContainsFunc(t.addrs(f.Name), func(addr netip.Addr) bool { return f.Net.Contains(addr) })
}

// newName returns a name of the domain that nothing has yet, for an MTA.
func (t *traffic) newName() string {
	for _, label := range []string{"post", "mailer", "mta", "smtp", "postbox", "mail-out"} {
		if name := label + "." + t.domain; t.survey.Node(name) == nil && t.survey.Described(name) == "" && !t.pub.names[name] {
			return strings.TrimSuffix(name, ".")
		}
	}
	return "a name for mail alone"
}

// whyNoMail returns why addresses must not be added to a name, "" if they can: mail for a
// domain goes to the name, and none of the MTAs at one of the addresses takes mail.
func (t *traffic) whyNoMail(name string, added []netip.Addr) string {
	takesMail := func(f flow.Flow) bool {
		// RFC 5321, Section 5.1: without MX records, mail for a domain goes to its addresses.
		implicit := f.Kind == flow.Sender && f.Sign == flow.Described && !t.survey.Node(name).Has(flow.GetsMail) && len(t.addrs(name)) > 0
		return f.Kind == flow.Helo && f.Sign == flow.MX || implicit
	}
	flows := t.at(name)
	i := slices.IndexFunc(flows, takesMail)
	for _, addr := range added {
		if mtas := t.mtas[addr]; i >= 0 && len(mtas) > 0 && !slices.ContainsFunc(mtas, org.MTA.Receives) {
			return fmt.Sprintf("%s, and %s does not take mail: choose another name for %s, such as %s", flows[i], mtas[0].ID, mtas[0].ID, t.newName())
		}
	}
	return ""
}

// whyDenied returns why a name must not get a record that denies all other clients, "" if it
// can: a flow whose clients are not allowed, and that does not end with the plan.
func (t *traffic) whyDenied(name string, allowed *netipx.IPSet) string {
	for _, f := range t.at(name) {
		if f.Kind != flow.Helo || t.ends(f) {
			continue
		}
		for _, p := range t.survey.Clients(f) {
			if !allowed.ContainsPrefix(p) {
				return fmt.Sprintf("%s, and %s would be denied%s", f, shortest(p), remedy(f))
			}
		}
	}
	return ""
}

// servers yields the Helo flows that do not end with the plan, those of tied, too, and each
// also by its names below a DNAME.
func (t *traffic) servers() iter.Seq[flow.Flow] {
	return func(yield func(flow.Flow) bool) {
		shown := func(f flow.Flow) bool {
			if f.Kind != flow.Helo || t.ends(f) {
				return true
			}
			for _, other := range t.otherNames(f.Name) {
				if t.survey.Node(other) == nil { // else it is one of tied
					by := f
					if by.Name, by.Node = other, other; !yield(by) {
						return false
					}
				}
			}
			return yield(f)
		}
		for f := range t.survey.Flows() {
			if !shown(f) {
				return
			}
		}
		for _, n := range t.survey.Nodes() {
			for _, f := range t.tied(n.Name) {
				if !shown(f) {
					return
				}
			}
		}
	}
}

// listed returns the first of servers for each host name or wildcard, sorted by name.
func (t *traffic) listed() []flow.Flow {
	if t.hosts != nil {
		return t.hosts
	}
	t.hosts = []flow.Flow{}
	seen := make(map[string]bool)
	for f := range t.servers() {
		if !seen[f.Name] && dnsname.FormOf(strings.TrimPrefix(f.Name, "*.")) == dnsname.Host {
			seen[f.Name], f.Node = true, f.Name
			t.hosts = append(t.hosts, f)
		}
	}
	slices.SortFunc(t.hosts, func(a, b flow.Flow) int { return dnsname.Compare(a.Name, b.Name) })
	return t.hosts
}

// whyUnlisted returns why the CSA policy of a domain must not be published, "" if it can: it
// would deny servers whose names are not decided otherwise.
func (t *traffic) whyUnlisted(domain string, decided func(name string) bool) string {
	names := make(map[string][]string) // of each server, by its addresses
	why := make(map[string]flow.Flow)  // by name
	servers := t.listed()
	i, _ := slices.BinarySearchFunc(servers, domain, func(f flow.Flow, domain string) int { return dnsname.Compare(f.Name, domain) })
	for ; i < len(servers) && dnsname.Under(servers[i].Name, domain); i++ {
		if f := servers[i]; !decided(f.Name) {
			why[f.Name] = f
			at := fmt.Sprint(t.addrs(f.Name))
			names[at] = append(names[at], f.Name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	var denied []string
	for _, of := range names {
		slices.SortFunc(of, func(a, b string) int { return cmp.Or(cmp.Compare(why[a].Sign, why[b].Sign), dnsname.Compare(a, b)) })
		also := ""
		if len(of) > 1 {
			also = "; also " + some(of[1:])
		}
		denied = append(denied, fmt.Sprintf("%s (%s%s)", strings.TrimSuffix(of[0], "."), why[of[0]], also))
	}
	slices.Sort(denied)
	more := ""
	if rest := len(denied) - maxDenied; rest > 0 {
		denied, more = denied[:maxDenied], fmt.Sprintf(" and %d more", rest)
	}
	return "it would deny " + strings.Join(denied, ", ") + more + ": describe these servers, publish CSA records for their names, or list the names in names"
}

// maxDenied is how many servers a reason names.
const maxDenied = 10

// shortest returns a network as text, one address without its length.
func shortest(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

// ipSet returns addresses as a set.
func ipSet(addrs []netip.Addr) *netipx.IPSet {
	var b netipx.IPSetBuilder
	for _, addr := range addrs {
		b.Add(addr)
	}
	set, _ := b.IPSet() // the error is about addresses that are not valid
	return set
}
