package draft

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/csa"
	"github.com/bonafide-mta/bonafide/identity/flow"
	"github.com/bonafide-mta/bonafide/internal/address"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/suffix"
	"github.com/bonafide-mta/bonafide/internal/txt"
	"github.com/bonafide-mta/bonafide/nullmx"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/spf"
)

// discover finds the mail domains and the MTAs. Each may show more of both.
func (d *draft) discover(ctx context.Context) {
	for _, name := range d.others {
		d.addOther(ctx, name)
	}
	if d.survey != nil {
		d.addRecords(ctx)
	}
	domains, ptrs, hosts := 0, 0, 0
	for d.failed(ctx) == nil {
		switch {
		case domains < len(d.domainOrder):
			d.lookupMX(ctx, d.domainOrder[domains])
			d.lookupSPF(ctx, d.domainOrder[domains])
			domains++
		case ptrs < len(d.order):
			d.lookupPTR(ctx, d.order[ptrs])
			ptrs++
		case hosts < len(d.hostOrder):
			// A host whose record authorizes others, too, is a mail domain: a plan would
			// leave these out of the record of a HELO name.
			name := d.hostOrder[hosts]
			if d.hosts[name].sends && d.authorizesOthers(ctx, name) {
				d.addDomain(name, "its SPF record authorizes more than its own addresses")
			}
			hosts++
		case d.addForeign(ctx):
		default:
			d.finish(ctx)
			return
		}
	}
}

// addForeign adds the mail domains of other zones that are tied to the MTAs, and reports
// whether there is one.
func (d *draft) addForeign(ctx context.Context) bool {
	found := false
	d.foreign = slices.DeleteFunc(d.foreign, func(name string) bool {
		sign := ""
		mx, err := resolver.LookupMX(ctx, d.resolver, name)
		for _, rr := range answerOrComment(d, "the mail servers of "+name, mx, err) {
			if target := dnsname.CanonicalOrEmpty(rr.Mx); d.isOwnHost(target) {
				sign = "its mail goes to " + target
			}
		}
		m := &mailDomain{name: name, has: true}
		for _, addr := range d.order {
			if d.authorizes(ctx, m, addr) == spf.Pass {
				sign = fmt.Sprintf("its SPF record authorizes %s", addr)
			}
		}
		if sign == "" {
			return false
		}
		found = true
		d.addDomain(name, sign+", and its zone was given")
		return true
	})
	return found
}

// finish ties names and addresses together, once all of them are known.
func (d *draft) finish(ctx context.Context) {
	for _, name := range slices.SortedFunc(slices.Values(d.hostOrder), dnsname.Compare) {
		h := d.hosts[name]
		for _, addr := range h.addrs {
			if a := d.addrs[addr]; a != nil {
				a.hosts = append(a.hosts, name)
				a.receives = a.receives || h.exchanger
			}
		}
	}
	if len(d.foreign) > 0 {
		d.comment("mail", "nothing ties these mail domains of other zones to the MTAs, and they are not described (give those that are yours, too): %s", listed(d.foreign))
	}
	if d.moreDomains > 0 {
		d.comment("mail", "there are %d more names with signs of mail: describe them, too, or their senders are not known", d.moreDomains)
	}
	if more := d.nearMiss - maxDraftLeft; more > 0 {
		d.comment("mail", "and %d more texts that are meant to say who sends", more)
	}
	d.judgeSenders(ctx)
}

// addDomain adds a mail domain, once.
func (d *draft) addDomain(name, sign string) {
	switch {
	case d.domains[name] != nil:
	case len(d.domainOrder) == maxDraftDomains:
		d.moreDomains++
	default:
		d.domains[name] = &mailDomain{name: name, sign: sign}
		d.domainOrder = append(d.domainOrder, d.domains[name])
	}
}

// addOther adds a domain that was given, too, if it shows that it has mail.
func (d *draft) addOther(ctx context.Context, name string) {
	end := d.endOf(ctx, name, dns.TypeMX, dns.TypeTXT)
	sign, known := d.signOf(ctx, name)
	switch {
	case end != name:
		d.comment("mail", "%s is an alias of %s, whose records count: a description cannot change them", name, end)
	case sign != "":
		d.addDomain(name, sign)
	case known:
		d.comment("mail", "%s has no sign of mail: list it in names if it neither sends nor receives any, else describe it", name)
	}
}

// signOf returns how a name shows that it is a mail domain, "" if it does not, and whether
// that is known.
func (d *draft) signOf(ctx context.Context, name string) (sign string, known bool) {
	about := "whether " + name + " is a mail domain"
	mx, err := resolver.LookupMX(ctx, d.resolver, name)
	if answerOrComment(d, about, mx, err); slices.ContainsFunc(mx, func(rr *dns.MX) bool { return !nullmx.IsNull(rr) }) {
		return "it has mail servers", true
	}
	texts, err2 := resolver.LookupTXT(ctx, d.resolver, name)
	for _, text := range answerOrComment(d, about, texts, err2) {
		if spf.IsRecord(text) && !spf.IsNull(text) {
			return "it has an SPF record", true
		}
	}
	policies, err3 := resolver.LookupTXT(ctx, d.resolver, "_dmarc."+name)
	if slices.ContainsFunc(answerOrComment(d, about, policies, err3), flow.ExpectsMail) {
		return "it has a DMARC record that does not reject all its mail", true
	}
	return "", cmp.Or(err, err2, err3) == nil
}

// addAddr adds an address of an MTA. Above maxDraftAddrs it is left out.
func (d *draft) addAddr(addr netip.Addr) {
	addr = addr.Unmap()
	if d.addrs[addr] != nil || len(d.addrs) == maxDraftAddrs {
		return
	}
	d.addrs[addr], d.order = new(draftAddr), append(d.order, addr)
	if len(d.addrs) == maxDraftAddrs {
		d.comment("mtas", "there may be more: only the first %d addresses were considered", maxDraftAddrs)
	}
}

// hostFacts looks up the addresses, SPF and CSA records of a name of the organization, and
// returns what they show, nil for one above maxDraftHosts.
func (d *draft) hostFacts(ctx context.Context, name string) *draftHost {
	h := d.hosts[name]
	if h != nil || len(d.hosts) == maxDraftHosts {
		return h
	}
	h = new(draftHost)
	d.hosts[name], d.hostOrder = h, append(d.hostOrder, name)
	if len(d.hosts) == maxDraftHosts {
		d.comment("mtas", "there may be more: only the first %d names were considered", maxDraftHosts)
	}
	addrs, end, err := d.addrsOf(ctx, name)
	if h.addrs = addrs; err != nil {
		d.notKnown("the addresses of "+name, err)
		d.mxUnknown = true
	}
	if end != name {
		h.alias = end
	}
	texts, err := resolver.LookupTXT(ctx, d.resolver, name)
	if record, _ := spf.Select(answerOrComment(d, "the SPF record of "+name, texts, err)); record != "" {
		h.denied = spf.IsNullBy(record, func(domain string) string {
			texts, err := resolver.LookupTXT(ctx, d.resolver, domain)
			record, _ := spf.Select(answerOrComment(d, "the SPF record of "+domain, texts, err))
			return record
		})
		h.sends = !h.denied
	}
	services, err := csa.Lookup(ctx, d.resolver, name)
	for _, srv := range answerOrComment(d, "the CSA record of "+name, services, err) {
		h.authorized = h.authorized || csa.Authorizes(srv)
		h.denied = h.denied || csa.Denies(srv)
	}
	return h
}

// isForeign reports whether a host is an alias of a name of another organization.
func (d *draft) isForeign(h *draftHost) bool { return h.alias != "" && !d.isOwnHost(h.alias) }

// addHost adds a name of an MTA, and its addresses.
func (d *draft) addHost(ctx context.Context, name string) *draftHost {
	h := d.hostFacts(ctx, name)
	if h == nil || d.isForeign(h) {
		return h
	}
	for _, addr := range h.addrs {
		if !address.IsPublic(addr) {
			d.comment("mtas", "%s has the address %s, which is not public: it is left out", name, addr)
			continue
		}
		d.addAddr(addr)
	}
	return h
}

// authorizesOthers reports whether the SPF record of a host authorizes more than the
// addresses of the host. Includes and networks are more.
func (d *draft) authorizesOthers(ctx context.Context, name string) bool {
	record := d.recordOf(ctx, name)
	if record == nil {
		return true // it is broken, or one of several
	}
	for _, t := range record.Terms {
		domain := cmp.Or(dnsname.CanonicalOrEmpty(t.Domain), name)
		switch {
		case t.Kind == spf.All:
			return t.Qualifier == spf.Pass
		case t.Kind == spf.Redirect:
			return true
		case t.Qualifier != spf.Pass:
		case t.Prefix.IsSingleIP() && slices.Contains(d.hosts[name].addrs, t.Prefix.Addr()):
		case t.Kind == spf.A && domain == name && t.Len4 == 32 && t.Len6 == 128:
		default:
			return true
		}
	}
	return false
}

// lookupMX finds the hosts that receive the mail of a domain.
func (d *draft) lookupMX(ctx context.Context, m *mailDomain) {
	mx, err := resolver.LookupMX(ctx, d.resolver, m.name)
	if err != nil {
		d.notKnown("the mail servers of "+m.name, err)
		d.mxUnknown = true
		return
	}
	var foreign []string
	for _, rr := range mx {
		name := dnsname.CanonicalOrEmpty(rr.Mx)
		if nullmx.IsNull(rr) {
			m.note("%s has a Null MX: it receives no mail", m.name)
			continue
		}
		if name == "" || !d.isOwnHost(name) {
			foreign = append(foreign, rr.Mx)
			continue
		}
		h := d.hostFacts(ctx, name)
		switch {
		case h == nil:
		case d.isForeign(h):
			foreign = append(foreign, rr.Mx)
		case len(h.addrs) == 0 && !d.said["the addresses of "+name]:
			m.note("an MX record points to %s, which has no address", name)
		default:
			h.exchanger = true
			d.addHost(ctx, name)
		}
		d.addParents(ctx, name)
	}
	if len(foreign) > 0 {
		d.comment("mtas", "mail for %s goes to servers of another organization, which are not described (if a domain of theirs is yours, give it, too): %s", m.name, listed(foreign))
	}
	if len(mx) == 0 {
		d.implicitMX(ctx, m)
	}
}

// addParents adds the names above a mail server that show that they are mail domains.
func (d *draft) addParents(ctx context.Context, name string) {
	for at := dnsname.Parent(name); d.o.Owns(at); at = dnsname.Parent(at) {
		if d.domains[at] != nil || d.parents[at] || len(d.parents) == maxDraftDomains {
			continue
		}
		d.parents[at] = true
		if sign, _ := d.signOf(ctx, at); sign != "" && d.endOf(ctx, at, dns.TypeMX, dns.TypeTXT) == at {
			d.addDomain(at, sign)
		}
	}
}

// implicitMX finds the servers of a domain without MX records: mail goes to its addresses
// (RFC 5321, Section 5.1). Mostly they are those of its web server.
func (d *draft) implicitMX(ctx context.Context, m *mailDomain) {
	addrs, end, err := d.addrsOf(ctx, m.name)
	if err != nil {
		d.notKnown("the addresses of "+m.name, err)
		d.mxUnknown = true
	}
	for _, addr := range addrs {
		if d.isOwnHost(end) && address.IsPublic(addr) && (d.addrs[addr] != nil || d.hasOwnPTR(ctx, addr)) {
			d.addAddr(addr)
			if h := d.hostFacts(ctx, m.name); h != nil {
				h.exchanger = true
			}
			continue
		}
		m.note("%s has no MX records, so its mail goes to %s: give that address if a mail server of yours has it", m.name, addr)
	}
}

// addIfOwn adds a sender as an address of an MTA if it has a PTR name of the organization.
func (d *draft) addIfOwn(ctx context.Context, addr netip.Addr) {
	switch {
	case d.addrs[addr] != nil:
	case d.probed == maxDraftProbes:
		if !d.said["probes"] {
			d.said["probes"] = true
			d.comment("mtas", "there may be more: only the PTR names of the first %d senders were looked up", maxDraftProbes)
		}
	default:
		if d.probed++; d.hasOwnPTR(ctx, addr) {
			d.addAddr(addr)
		}
	}
}

// hasOwnPTR reports whether an address has a PTR name of the organization.
func (d *draft) hasOwnPTR(ctx context.Context, addr netip.Addr) bool {
	names, err := resolver.LookupPTR(ctx, d.resolver, addr.Unmap())
	if err != nil {
		d.notKnown("the PTR names of "+addr.String(), err)
	}
	return slices.ContainsFunc(names, d.isOwnHost)
}

// addRecords finds more hosts and mail domains in the records of whole zones.
func (d *draft) addRecords(ctx context.Context) {
	texts := make(map[string][]string)
	var authorized []string
	for _, rr := range d.records {
		name := dnsname.CanonicalOrEmpty(rr.Header().Name)
		switch rr := rr.(type) {
		case *dns.SRV:
			if host, ok := csa.NameOf(name); ok && csa.Authorizes(rr) && d.isOwnHost(host) {
				authorized = append(authorized, host)
			}
		case *dns.TXT:
			texts[name] = append(texts[name], txt.Join(rr.Txt))
		}
	}
	slices.SortFunc(authorized, dnsname.Compare)
	for _, name := range slices.Compact(authorized) {
		d.addHost(ctx, name)
	}
	for _, n := range d.survey.Nodes() {
		if n.Name == d.o.Domain || dnsname.FormOf(n.Name) != dnsname.Host || d.survey.NotInZone(n.Name) != "" {
			continue
		}
		if !d.o.Owns(n.Name) {
			if n.Has(flow.Sends|flow.GetsMail) && d.mayBeOwn(d.survey.Zone(n.Name)) {
				d.foreign = append(d.foreign, n.Name)
			}
			continue
		}
		switch addressed := len(n.Addrs) > 0; {
		case addressed && n.Has(flow.Sends) && len(d.hosts) == maxDraftHosts:
		case addressed && n.Has(flow.Sends) && d.authorizesItself(ctx, n):
			d.addHost(ctx, n.Name)
		case n.Has(flow.Sends):
			d.addDomain(n.Name, "it has an SPF record")
		case n.Has(flow.GetsMail):
			d.addDomain(n.Name, "it has mail servers")
		case d.survey.NearMiss(n.Name) != "" && !addressed: // describeNames tells about the others
			slices.Sort(texts[n.Name])
			d.commentNearMisses(n.Name, texts[n.Name])
		}
	}
}

// mayBeOwn reports whether a zone may be another of the organization: it is below a public
// suffix, and neither above the domain nor a reverse zone.
func (d *draft) mayBeOwn(zone string) bool {
	return suffix.Organizational(zone) != "" && !dnsname.Under(d.o.Domain, zone) && !strings.HasSuffix(zone, ".arpa.")
}

// authorizesItself reports whether the SPF record of a name authorizes an address of the name,
// as that of a HELO name does.
func (d *draft) authorizesItself(ctx context.Context, n flow.Node) bool {
	m := &mailDomain{name: n.Name, has: true}
	return slices.ContainsFunc(n.Addrs, func(addr netip.Addr) bool { return d.authorizes(ctx, m, addr) == spf.Pass })
}

// lookupPTR looks up the PTR names of an address, and more addresses of these names.
func (d *draft) lookupPTR(ctx context.Context, addr netip.Addr) {
	a := d.addrs[addr]
	names, err := resolver.LookupPTR(ctx, d.resolver, addr)
	a.unknown = err != nil
	a.names = answerOrComment(d, "the PTR names of "+addr.String(), names, err)
	for _, name := range a.names {
		name = dnsname.CanonicalOrEmpty(name)
		if name == "" || !d.isOwnHost(name) {
			continue
		}
		h := d.hostFacts(ctx, name)
		confirmed := h != nil && slices.Contains(h.addrs, addr)
		if a.ptr == "" || confirmed && !slices.Contains(d.hosts[a.ptr].addrsOrNone(), addr) {
			a.ptr = name
		}
		if h == nil || d.isForeign(h) || d.domains[name] != nil { // a mail domain may have the addresses of its web server
			continue
		}
		for _, other := range h.addrs {
			if address.IsPublic(other) && (d.hasOwnPTR(ctx, other) || d.hasNoPTR(ctx, other)) {
				d.addAddr(other)
			}
		}
	}
}

// addrsOrNone returns the addresses of a host, none for nil.
func (h *draftHost) addrsOrNone() []netip.Addr {
	if h == nil {
		return nil
	}
	return h.addrs
}

// hasNoPTR reports whether it is known that an address has no PTR name.
func (d *draft) hasNoPTR(ctx context.Context, addr netip.Addr) bool {
	names, err := resolver.LookupPTR(ctx, d.resolver, addr)
	return err == nil && len(names) == 0
}
