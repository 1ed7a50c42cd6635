package resolver

import (
	"fmt"

	"github.com/miekg/dns"
)

// denial returns nil if a message without the records asked for says that there are
// none, and else why it does not. The table is in the package's documentation.
func (m *message) denial() error {
	moved := len(m.names) > 1
	switch {
	case m.others:
		return fmt.Errorf("%w: no records of the name, but others", ErrMalformed)
	case m.soa: // RFC 2308, Sections 2.1 and 2.2
		return nil
	case moved: // it has aliases of the name, and may know nothing about their end
		return fmt.Errorf("%w: nothing is said about the end of the aliases", ErrMalformed)
	case m.authoritative:
		return nil
	case !m.recursive:
		return fmt.Errorf("%w: empty, of a server that neither has the zone nor recurses", ErrMalformed)
	case m.ns && m.rcode == dns.RcodeSuccess: // RFC 2308, Section 2.2: NODATA with NS has a SOA
		return fmt.Errorf("%w: a referral, the server does not recurse", ErrMalformed)
	}
	return nil
}
