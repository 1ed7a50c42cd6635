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

// AsNet gives any Resolver the lookup methods of *net.Resolver, for code that was written
// against those. LookupPort is not among them: it reads a file. An AsNet is a
// [NetResolver].
//
// Errors are *net.DNSError: IsNotFound for NXDOMAIN and NODATA, which package net does not
// tell apart, and for a text that is not a name; IsTemporary for every failure; UnwrapErr
// has the cause. A network other than ip, ip4 and ip6 is a net.UnknownNetworkError.
//
// A *net.Resolver differs in these points. It
//
//   - completes names by a search list, and reads the hosts file. Names are absolute here,
//     and those under .localhost, .local, .onion and .invalid are not found (see [Ask]).
//   - finds no name that is not made of letters, digits, hyphens and underscores, without
//     asking, and drops MX, NS, SRV and PTR records with such targets, beside an error. Here
//     U-labels become A-labels, every DNS name is asked for, and records are as they were
//     published.
//   - returns the addresses of one family if the other has no answer, unless StrictErrors
//     is set. Here the method fails.
//   - sorts addresses by RFC 6724, and shuffles records of equal preference or priority.
//     Here the order is the same for the same answer: IPv4 first.
//   - does not call the error of a server that refuses, or fails with another code than
//     SERVFAIL, temporary. Here every failure is temporary.
//   - has IPv4 addresses given as text in the 16-octet form, IPv4-mapped as netip.Addr.
//     They are unmapped here. An address of the other family than the network is a
//     *net.AddrError there, and not found here. LookupAddr refuses an address with a zone,
//     which is dropped here.
//   - believes answers about other names than the one that was asked. They are errors here.
//   - returns from LookupCNAME, where it is all Go, the first target of an alias without
//     addresses, and of several aliases the first target or the last, depending on which
//     answer comes first. Here it is the last, and not found without addresses, as with cgo.
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

// LookupNS returns the NS records of name, in the order of the answer.
func (n AsNet) LookupNS(ctx context.Context, name string) ([]*net.NS, error) {
	reply, err := n.ask(ctx, name, dns.TypeNS)
	var out []*net.NS
	for _, ns := range Records[*dns.NS](reply.Answer) {
		out = append(out, &net.NS{Host: ns.Ns})
	}
	return out, err
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
	if err != nil {
		return "", nil, err
	}
	return owner, out, nil
}

func (n AsNet) ask(ctx context.Context, name string, qtype uint16) (Response, error) {
	reply := Ask(ctx, n.Resolver, name, qtype)
	if reply.Err != nil {
		return reply, netError(name, reply.Err)
	}
	if len(reply.Records) == 0 {
		return reply, netNotFound(name, reply.Server)
	}
	return reply, nil
}

// netNotFound is what package net says for NXDOMAIN and NODATA.
func netNotFound(name, server string) error {
	return &net.DNSError{Err: "no such host", Name: untrusted.Line(name), Server: untrusted.Line(server), IsNotFound: true}
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
