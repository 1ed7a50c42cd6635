package plan

import (
	"net/netip"
	"slices"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/csa"
	"github.com/bonafide-mta/bonafide/identity/flow"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/resolver"
)

// mailRouted reports whether MX records are not to be planned for a name: its mail has
// somewhere to go, or has a Null MX, which removeNullMX handles.
func (p *planner) mailRouted(set resolver.Question, adopt bool) bool {
	at := p.survey.Locate(set.Name)
	switch node := p.survey.Node(at); {
	case node.Has(flow.GetsMail):
		return slices.ContainsFunc(p.survey.At(at), func(f flow.Flow) bool {
			gone := at != set.Name && len(p.addrs(f.Host)) == 0 && p.survey.Zone(f.Host) != "." // an old host of a wildcard
			return f.Sign == flow.MX && f.Kind == flow.Inbound && !gone && !p.onlySends(f.Host)
		})
	case node.Has(flow.NullMX):
		return !adopt
	}
	return len(p.addrs(set.Name))+len(p.addrsAfter(set.Name)) > 0 && !p.onlySends(set.Name)
}

// isMet reports whether a rule holds without a record that Want wants for it: no mail is
// delivered to a name without an address and MX records, and what the CSA policy of a name
// above denies needs no denial of its own.
func (p *planner) isMet(set resolver.Question, wanted rule.Record) bool {
	if len(p.Published.sets[set]) > 0 {
		return false
	}
	if isNullMX(wanted.RR) && !slices.Contains(wanted.Rules, rule.PTRLocked) {
		return len(p.addrs(set.Name))+len(p.addrsAfter(set.Name)) == 0
	}
	name, _ := csa.NameOf(set.Name)
	return slices.Contains(wanted.Rules, rule.DomainCSA) && set.Type == dns.TypeSRV && !p.options.DenyNames && p.Published.hasPolicyAbove(name)
}

// onlySends reports whether mail to a name is lost after the changes planned so far: all of
// its addresses are those of MTAs that only send.
func (p *planner) onlySends(name string) bool {
	addrs := p.addrsAfter(name)
	return len(addrs) > 0 && !slices.ContainsFunc(addrs, func(addr netip.Addr) bool { return !flow.OnlySends(p.Organization, addr) })
}
