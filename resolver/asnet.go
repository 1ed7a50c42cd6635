package resolver

import (
	"cmp"
	"context"
	"net"
	"net/netip"
	"slices"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/untrusted"
)

// AsNet gives any Resolver the lookup methods of *net.Resolver, for code that
// was written against those. Errors are *net.DNSError: IsNotFound for NXDOMAIN
// and NODATA, which package net does not tell apart, IsTemporary for every
// failure, and UnwrapErr with the cause.
//
// Unlike *net.Resolver it takes names as absolute, reads no hosts file, keeps
// LookupMX and SRV records whose target is no host name, applies IDNA, and returns no
// half answer: when one address family has no answer, LookupIPAddr fails.
type AsNet struct{ Resolver Resolver }

// LookupTXT returns the texts of name, the strings of each record joined.
func (n AsNet) LookupTXT(ctx context.Context, name string) ([]string, error) {
	reply, err := n.ask(ctx, name, dns.TypeTXT)
	return reply.TXT(), err
}

// LookupMX returns the MX records of name by preference. A Null MX has the host
// ".".
func (n AsNet) LookupMX(ctx context.Context, name string) ([]*net.MX, error) {
	reply, err := n.ask(ctx, name, dns.TypeMX)
	var out []*net.MX
	for _, mx := range Records[*dns.MX](reply.Answer) {
		out = append(out, &net.MX{Host: mx.Mx, Pref: mx.Preference})
	}
	slices.SortStableFunc(out, func(a, b *net.MX) int { return cmp.Compare(a.Pref, b.Pref) })
	return out, err
}

// LookupIPAddr returns the addresses of host, IPv4 first. An address in text
// form is returned as it is.
func (n AsNet) LookupIPAddr(ctx context.Context, host string) ([]net.IPAddr, error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		return []net.IPAddr{{IP: addr.Unmap().AsSlice(), Zone: addr.Zone()}}, nil
	}
	addrs, err := LookupAddrs(ctx, n.Resolver, host)
	if err != nil {
		return nil, netError(host, err)
	}
	if len(addrs) == 0 {
		return nil, &net.DNSError{Err: notFound, Name: untrusted.Line(host), IsNotFound: true}
	}
	var out []net.IPAddr
	for _, addr := range addrs {
		out = append(out, net.IPAddr{IP: addr.AsSlice()})
	}
	return out, nil
}

// LookupAddr returns the names of an address in text form, with their final dots.
func (n AsNet) LookupAddr(ctx context.Context, addr string) ([]string, error) {
	ip, err := netip.ParseAddr(addr)
	if err != nil {
		return nil, &net.DNSError{UnwrapErr: err, Err: "unrecognized address", Name: untrusted.Line(addr)}
	}
	reply, err := n.ask(ctx, ReverseName(ip), dns.TypePTR)
	var out []string
	for _, ptr := range Records[*dns.PTR](reply.Answer) {
		out = append(out, ptr.Ptr)
	}
	return out, err
}

// LookupSRV returns the SRV records of _service._proto.name, or of name itself
// when service and proto are empty, by priority, then by falling weight: the
// order is always the same. It also returns the name at the end of the aliases.
func (n AsNet) LookupSRV(ctx context.Context, service, proto, name string) (string, []*net.SRV, error) {
	if service != "" || proto != "" {
		name = "_" + service + "._" + proto + "." + name
	}
	reply, err := n.ask(ctx, name, dns.TypeSRV)
	owner := reply.Name
	var out []*net.SRV
	for _, srv := range Records[*dns.SRV](reply.Answer) {
		owner = srv.Hdr.Name
		out = append(out, &net.SRV{Target: srv.Target, Port: srv.Port, Priority: srv.Priority, Weight: srv.Weight})
	}
	slices.SortStableFunc(out, func(a, b *net.SRV) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(b.Weight, a.Weight))
	})
	return owner, out, err
}

// notFound is what package net says for NXDOMAIN and NODATA.
const notFound = "no such host"

func (n AsNet) ask(ctx context.Context, name string, qtype uint16) (Response, error) {
	reply := Ask(ctx, n.Resolver, name, qtype)
	if reply.Err != nil {
		return reply, netError(name, reply.Err)
	}
	if len(reply.Records) == 0 {
		return reply, &net.DNSError{Err: notFound, Name: untrusted.Line(name), Server: untrusted.Line(reply.Server), IsNotFound: true}
	}
	return reply, nil
}

func netError(name string, err error) error {
	e := &net.DNSError{UnwrapErr: err, Err: untrusted.Line(err.Error()), Name: untrusted.Line(name), IsTemporary: true}
	if cause, ok := asError(err); ok {
		e.Err, e.Server, e.IsTimeout = cause.reason(), untrusted.Line(cause.Server), cause.Timeout()
	}
	if _, bad := Canonical(name); bad != nil { // of the question: what a Resolver wraps may be about other names
		e.IsTemporary, e.IsNotFound = false, true
	}
	return e
}
