package plan

import (
	"net/netip"
	"slices"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/identity/flow"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/resolver"
)

// mailRouted reports whether MX records are not to be planned for a name: its mail has
// somewhere to go, or has a Null MX, which removeNullMX handles.
func (p *planner) mailRouted(set resolver.Question, adopt bool) bool {
	now := p.Published.sets[set]
	if len(now) == 0 {
		return len(p.addrsAfter(set.Name)) > 0 && !p.onlySends(set.Name)
	}
	lost := func(rr dns.RR) bool {
		mx, ok := rr.(*dns.MX)
		return ok && (isNullMX(rr) || p.onlySends(dnsname.CanonicalOrEmpty(mx.Mx)))
	}
	exchanges := slices.ContainsFunc(now, isExchanger)
	return !adopt && !exchanges || exchanges && slices.ContainsFunc(now, func(rr dns.RR) bool { return !lost(rr) })
}

// onlySends reports whether mail to a name is lost after the changes planned so far: all of
// its addresses are those of MTAs that only send.
func (p *planner) onlySends(name string) bool {
	addrs := p.addrsAfter(name)
	return len(addrs) > 0 && !slices.ContainsFunc(addrs, func(addr netip.Addr) bool { return !flow.OnlySends(p.Organization, addr) })
}
