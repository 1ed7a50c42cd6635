package flow

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/resolver"
)

// AtAlias returns why a record cannot be published at a name, and what to do instead, as a
// clause that begins with "is an alias of": a CNAME record must be the only one at its name
// (RFC 1034, Section 3.6.2). The record has the type rtype. Unless the alias is ours to
// replace, because its target is a name of the organization or the name is to have addresses,
// the record is left to the owner of the target.
func AtAlias(name, target string, rtype uint16, ours bool) string {
	is := "is an alias of " + target
	switch {
	case rtype == dns.TypeA || rtype == dns.TypeAAAA:
		return is + ": give it addresses of its own instead"
	case !ours:
		return fmt.Sprintf("%s, whose owner publishes the %s record: leave it to the owner, or ask for a change there", is, resolver.TypeString(rtype))
	case strings.HasPrefix(name, "_"):
		return fmt.Sprintf("%s: replace the alias with the %s record", is, resolver.TypeString(rtype))
	}
	return fmt.Sprintf("%s: replace the alias with addresses of its own and the %s record", is, resolver.TypeString(rtype))
}

// OnlySends reports whether mail that goes to an address is lost by the description: MTAs have
// the address, and none of them receives.
func OnlySends(o *org.Organization, addr netip.Addr) bool {
	described := false
	for _, m := range o.MTAs {
		if slices.ContainsFunc(m.Addresses, func(a netip.Addr) bool { return a.Unmap() == addr.Unmap() }) {
			if m.Receives() {
				return false
			}
			described = true
		}
	}
	return described
}
