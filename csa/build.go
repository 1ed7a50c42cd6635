package csa

import (
	"fmt"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
)

// Authorize returns the record that authorizes a HELO name from the addresses of the
// name, and denies it from others: 1 2 1 with the name itself as target. The name
// needs address records. Names below it need records of their own. TTL is in seconds.
func Authorize(name string, ttl uint32) (*dns.SRV, error) {
	return record(name, authorized, explicit, ttl)
}

// Deny returns the record of a name that is never used in HELO: 1 1 0 with the name
// itself as target, which the draft asks for if a target has no meaning. It does not
// cover the names below. TTL is in seconds.
func Deny(name string, ttl uint32) (*dns.SRV, error) {
	return record(name, ignoreTarget, 0, ttl)
}

// DenyUnlisted returns the policy of a domain, which denies the domain itself and every
// name below that has no record of its own: 1 1 1 with the domain as target. Publish it
// when all MTAs are authorized. It refuses a domain of more than six labels, where
// receivers do not search. TTL is in seconds.
func DenyUnlisted(domain string, ttl uint32) (*dns.SRV, error) {
	rr, err := record(domain, ignoreTarget, explicit, ttl)
	if err == nil && dns.CountLabel(rr.Target) > maxLabels {
		return nil, fmt.Errorf("csa: %s: a policy is looked for at names of two to six labels", rr.Target)
	}
	return rr, err
}

func record(name string, weight, port uint16, ttl uint32) (*dns.SRV, error) {
	canonical, err := dnsname.Canonical(name)
	if err != nil {
		return nil, fmt.Errorf("csa: %w", err)
	}
	if dnsname.FormOf(canonical) != dnsname.Host {
		return nil, fmt.Errorf("csa: %q is no host name of the public DNS: expected letters, digits and hyphens, and at least two labels", name)
	}
	owner, err := dnsname.Canonical(prefix + canonical)
	if err != nil {
		return nil, fmt.Errorf("csa: %s is too long to have a record below it", canonical)
	}
	return &dns.SRV{
		Hdr:      dns.RR_Header{Name: owner, Rrtype: dns.TypeSRV, Class: dns.ClassINET, Ttl: ttl},
		Priority: revision, Weight: weight, Port: port, Target: canonical,
	}, nil
}
