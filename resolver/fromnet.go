package resolver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/txt"
)

// FromNet is a *net.Resolver as a Resolver, for programs that must look names up
// as the rest of the machine does. Where nothing forces it, take [SystemClient]:
// a *net.Resolver cannot tell much.
//
//   - A negative answer is NotFound: NXDOMAIN and NODATA look alike.
//   - There is no TTL, no alias chain, and no word on DNSSEC.
//   - Questions are of the types A, AAAA, MX, NS, PTR, SRV and TXT, PTR of reverse
//     names only, and names are of letters, digits, hyphens and underscores. All
//     else is an error that wraps errors.ErrUnsupported.
//   - Package net does not check that an answer is about the name asked
//     (go.dev/issue/47110), takes NXDOMAIN and nearly every message without records of
//     the type for a denial, even those of a lame server, and reads the hosts file for
//     addresses and, of the loopback, for names.
//
// An answer of which package net dropped a part, such as an MX record with an odd
// host, is an error: half an answer is none. A done context ends Lookup at once,
// while package net may go on to its own timeout in the background, 10 s where
// the system's configuration says nothing else.
type FromNet struct {
	// Resolver is asked. Nil means one that is all Go, without cgo, and that
	// reports a failing server.
	Resolver *net.Resolver
}

// systemResolver is what a nil Resolver means. StrictErrors: the failure of one
// server or family must not pass for a shorter answer.
var systemResolver = &net.Resolver{PreferGo: true, StrictErrors: true}

// Lookup implements Resolver.
func (s FromNet) Lookup(ctx context.Context, name string, qtype uint16) (Answer, error) {
	canonical, err := Canonical(name)
	if err != nil {
		return Answer{}, &Error{Name: name, Type: qtype, Err: err}
	}
	if ctx.Err() != nil {
		return Answer{}, contextError(ctx, canonical, qtype, "")
	}
	// Package net says of other names that they do not exist, and does not ask.
	if !askable(canonical) {
		return Answer{}, &Error{Name: canonical, Type: qtype, Err: fmt.Errorf("%w: package net does not ask for such a name", errors.ErrUnsupported)}
	}
	r := s.Resolver
	if r == nil {
		r = systemResolver
	}
	type result struct {
		records []dns.RR
		err     error
	}
	// Package net returns only after the read of a try when the context is
	// canceled, up to 5 s later. Buffered, so that nobody is left to wait.
	done := make(chan result, 1)
	go func() {
		records, err := lookupSystem(ctx, r, canonical, qtype)
		done <- result{records, err}
	}()
	select {
	case <-ctx.Done():
		return Answer{}, contextError(ctx, canonical, qtype, systemName)
	case got := <-done:
		if ctx.Err() != nil {
			return Answer{}, contextError(ctx, canonical, qtype, systemName)
		}
		if e, ok := errors.AsType[*net.DNSError](got.err); ok && e.IsNotFound {
			return Answer{Status: NotFound, Server: systemName}, nil
		}
		if got.err != nil {
			return Answer{}, &Error{Name: canonical, Type: qtype, Server: systemName, Err: got.err}
		}
		return Answer{Records: got.records, Server: systemName}, nil
	}
}

// askable reports whether package net asks for a name: one of host name characters
// and underscores that is not numbers alone.
func askable(name string) bool {
	return name == "." || dnsname.FormOf(name) != dnsname.Malformed && strings.Trim(name, "0123456789.") != ""
}

// systemName is who answered, in the evidence.
const systemName = "system resolver"

// lookupSystem asks by the method that there is for a type.
func lookupSystem(ctx context.Context, r *net.Resolver, name string, qtype uint16) ([]dns.RR, error) {
	header := func() dns.RR_Header { return dns.RR_Header{Name: name, Rrtype: qtype, Class: dns.ClassINET} }
	var out []dns.RR
	var err error
	switch qtype {
	case dns.TypeA, dns.TypeAAAA:
		network := map[uint16]string{dns.TypeA: "ip4", dns.TypeAAAA: "ip6"}[qtype]
		var addrs []netip.Addr
		addrs, err = r.LookupNetIP(ctx, network, name)
		for _, addr := range addrs {
			out = append(out, addressRecord(header(), addr))
		}
	case dns.TypeMX:
		var all []*net.MX
		all, err = r.LookupMX(ctx, name)
		for _, mx := range all {
			out = append(out, &dns.MX{Hdr: header(), Preference: mx.Pref, Mx: mx.Host})
		}
	case dns.TypeNS:
		var all []*net.NS
		all, err = r.LookupNS(ctx, name)
		for _, ns := range all {
			out = append(out, &dns.NS{Hdr: header(), Ns: ns.Host})
		}
	case dns.TypeSRV:
		var all []*net.SRV
		_, all, err = r.LookupSRV(ctx, "", "", name)
		for _, srv := range all {
			out = append(out, &dns.SRV{Hdr: header(), Priority: srv.Priority, Weight: srv.Weight, Port: srv.Port, Target: srv.Target})
		}
	case dns.TypeTXT:
		var all []string
		all, err = r.LookupTXT(ctx, name)
		for _, text := range all {
			out = append(out, &dns.TXT{Hdr: header(), Txt: txt.Split(text)})
		}
	case dns.TypePTR:
		addr := dnsname.FromReverse(name)
		if !addr.IsValid() {
			return nil, fmt.Errorf("%w: PTR of a name that no single address has", errors.ErrUnsupported)
		}
		var all []string
		all, err = r.LookupAddr(ctx, addr.String())
		for _, host := range all {
			out = append(out, &dns.PTR{Hdr: header(), Ptr: dns.Fqdn(host)}) // from the hosts file without dot
		}
	default:
		return nil, fmt.Errorf("%w: package net has no question of type %s", errors.ErrUnsupported, TypeString(qtype))
	}
	if err != nil {
		return nil, err // what came along is a part of the answer
	}
	return out, nil
}

// addressRecord is the A or AAAA record of an address.
func addressRecord(header dns.RR_Header, addr netip.Addr) dns.RR {
	if header.Rrtype == dns.TypeA {
		return &dns.A{Hdr: header, A: addr.Unmap().AsSlice()}
	}
	return &dns.AAAA{Hdr: header, AAAA: addr.AsSlice()}
}
