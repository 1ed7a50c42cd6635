package resolver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/txt"
)

// A NetResolver has four lookup methods of *net.Resolver, which test doubles usually have, too,
// such as github.com/foxcpp/go-mockdns; [AsNet] has them, and blitiri.com.ar/go/spf asks for
// them. They must keep the promises of package net: only an error with IsNotFound denies that
// there are records, and concurrent calls are safe. Names come in lower case, with A-labels and
// with their final dot: a test double that looks them up in a map must have such keys, or it
// denies everything.
type NetResolver interface {
	// LookupIPAddr returns the addresses of both families.
	LookupIPAddr(ctx context.Context, host string) ([]net.IPAddr, error)
	// LookupMX returns the MX records.
	LookupMX(ctx context.Context, name string) ([]*net.MX, error)
	// LookupTXT returns the texts, the strings of each record joined.
	LookupTXT(ctx context.Context, name string) ([]string, error)
	// LookupAddr returns the PTR names of an address in text form.
	LookupAddr(ctx context.Context, addr string) (names []string, err error)
}

// FromNet makes a Resolver of a *net.Resolver, or of another type with its methods. It is for
// programs that must look names up like the rest of the machine, and for test doubles of
// package net. Other programs should use [SystemClient], because a *net.Resolver cannot tell
// much.
//
//   - A negative answer is NotFound: NXDOMAIN and NODATA look alike.
//   - Answers have no TTL and no alias chain, and are never Authentic.
//   - Questions can have the types A, AAAA, MX, NS, PTR, SRV and TXT, PTR of reverse
//     names only, and names can have letters, digits, hyphens and underscores. All
//     other questions get an error that wraps errors.ErrUnsupported.
//   - Package net does not check that an answer is about the name asked
//     (go.dev/issue/47110), takes NXDOMAIN and nearly every message without records of
//     the type for a denial, even those of a lame server, and reads the hosts file for
//     addresses and, of the loopback, for names.
//
// An answer of which package net dropped a part, such as an MX record with an odd host, is an
// error, because half an answer is not an answer. So are a panic, and values of a careless test
// double that cannot be records. Names in records get their final dot, and A-labels for
// U-labels.
//
// Lookup returns as soon as the context is done, while the method goes on in the background.
// Methods of package net go on until their own timeout, 10 s unless the system's configuration
// has another one.
type FromNet struct {
	// Resolver answers the questions. Nil, and a nil *net.Resolver, mean one with PreferGo and
	// StrictErrors.
	//
	// If it also has LookupNetIP, LookupNS and LookupSRV, with the parameters of
	// *net.Resolver's, they are called. Without LookupNetIP the addresses are those of
	// LookupIPAddr, which must fail if one family has no answer. Without one of the others,
	// questions of its type get errors.ErrUnsupported. LookupSRV is called for names of the
	// form _service._proto.name, and of a *net.Resolver for other names, too.
	Resolver NetResolver
}

// systemResolver is what a nil Resolver means. StrictErrors: the failure of one
// server or family must not pass for a shorter answer.
var systemResolver = &net.Resolver{PreferGo: true, StrictErrors: true}

// Lookup implements Resolver. Answer.Server is "system resolver" for a *net.Resolver, and
// the Go type of another one.
func (s FromNet) Lookup(ctx context.Context, name string, qtype uint16) (Answer, error) {
	canonical, err := Canonical(name)
	if err != nil {
		return Answer{}, &Error{Name: name, Type: qtype, Err: err}
	}
	if ctx.Err() != nil {
		return Answer{}, contextError(ctx, canonical, qtype, "")
	}
	// Package net denies other names without asking.
	if !askable(canonical) {
		return Answer{}, &Error{Name: canonical, Type: qtype, Err: fmt.Errorf("%w: package net does not ask for such a name", errors.ErrUnsupported)}
	}
	r, server := s.source()
	// Package net returns only after the read of a try when the context is
	// canceled, up to 5 s later.
	records, err := detached(ctx, func() ([]dns.RR, error) { return netRecords(ctx, r, canonical, qtype) })
	answer := Answer{Records: records, Server: server}
	switch {
	case ctx.Err() != nil:
		return Answer{}, contextError(ctx, canonical, qtype, server)
	case err == nil && len(records) == 0, isNotFound(err) && len(records) == 0:
		return Answer{Status: NotFound, Server: server}, nil
	case err == nil:
		answer, err = answer.to(canonical, qtype)
	}
	if err != nil {
		return Answer{}, &Error{Name: canonical, Type: qtype, Server: server, Err: err}
	}
	return answer, nil
}

// source returns whom to ask, and who that is in the evidence.
func (s FromNet) source() (NetResolver, string) {
	const system = "system resolver"
	switch r, isNet := s.Resolver.(*net.Resolver); {
	case s.Resolver == nil, isNet && r == nil:
		return systemResolver, system
	case isNet:
		return r, system
	}
	return s.Resolver, fmt.Sprintf("%T", s.Resolver)
}

// askable reports whether package net asks for a name: one of host name characters
// and underscores that is not numbers alone.
func askable(name string) bool {
	return name == "." || dnsname.FormOf(name) != dnsname.Malformed && strings.Trim(name, "0123456789.") != ""
}

// isNotFound reports whether an error denies that there are such records. One that is
// temporary too denies nothing.
func isNotFound(err error) bool {
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		return e.IsNotFound && !e.IsTemporary && !e.IsTimeout
	}
	// The hosts file has the name, with addresses of the other family, or the AAAA record
	// an IPv4-mapped one.
	e, ok := errors.AsType[*net.AddrError](err)
	return ok && e.Err == noSuitable
}

// noSuitable is what package net says where a name has addresses, of the other family.
const noSuitable = "no suitable address found"

// netRecords asks by the method that there is for a type. The records beside an error are
// those of half an answer.
func netRecords(ctx context.Context, r NetResolver, name string, qtype uint16) ([]dns.RR, error) {
	header := dns.RR_Header{Name: name, Rrtype: qtype, Class: dns.ClassINET}
	switch qtype {
	case dns.TypeA, dns.TypeAAAA:
		return netAddrs(ctx, r, header)
	case dns.TypeMX:
		all, err := r.LookupMX(ctx, name)
		return netRRs(all, err, func(mx *net.MX) (dns.RR, error) {
			host, err := netName(mx.Host)
			return &dns.MX{Hdr: header, Preference: mx.Pref, Mx: host}, err
		})
	case dns.TypeNS:
		asked, ok := r.(interface {
			LookupNS(ctx context.Context, name string) ([]*net.NS, error)
		})
		if !ok {
			break
		}
		all, err := asked.LookupNS(ctx, name)
		return netRRs(all, err, func(ns *net.NS) (dns.RR, error) {
			host, err := netName(ns.Host)
			return &dns.NS{Hdr: header, Ns: host}, err
		})
	case dns.TypeSRV:
		return netSRV(ctx, r, header)
	case dns.TypeTXT:
		all, err := r.LookupTXT(ctx, name)
		return netRRs(pointers(all), err, func(text *string) (dns.RR, error) {
			return &dns.TXT{Hdr: header, Txt: txt.Split(*text)}, nil
		})
	case dns.TypePTR:
		addr := dnsname.FromReverse(name)
		if !addr.IsValid() {
			return nil, fmt.Errorf("%w: PTR of a name that no single address has", errors.ErrUnsupported)
		}
		all, err := r.LookupAddr(ctx, addr.String())
		return netRRs(pointers(all), err, func(host *string) (dns.RR, error) {
			ptr, err := netName(*host) // from the hosts file without dot
			return &dns.PTR{Hdr: header, Ptr: ptr}, err
		})
	}
	return nil, fmt.Errorf("%w: %T has no question of type %s", errors.ErrUnsupported, r, TypeString(qtype))
}

// netAddrs asks for the addresses of one family.
func netAddrs(ctx context.Context, r NetResolver, header dns.RR_Header) ([]dns.RR, error) {
	network := "ip6"
	if header.Rrtype == dns.TypeA {
		network = "ip4"
	}
	if asked, ok := r.(interface {
		LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
	}); ok {
		all, err := asked.LookupNetIP(ctx, network, header.Name)
		return netRRs(pointers(all), err, func(addr *netip.Addr) (dns.RR, error) {
			if !addr.IsValid() || AddrType(*addr) != header.Rrtype {
				return nil, fmt.Errorf("%w: %s is not an address of %s", ErrMalformed, addr, network)
			}
			return addressRecord(header, *addr), nil
		})
	}
	all, err := r.LookupIPAddr(ctx, header.Name)
	records, err := netRRs(pointers(all), err, func(ip *net.IPAddr) (dns.RR, error) {
		addr, ok := netip.AddrFromSlice(ip.IP)
		if !ok {
			return nil, fmt.Errorf("%w: an address of %d octets", ErrMalformed, len(ip.IP))
		}
		return addressRecord(dns.RR_Header{Name: header.Name, Rrtype: AddrType(addr), Class: dns.ClassINET}, addr), nil
	})
	if err != nil {
		return records, err
	}
	return slices.DeleteFunc(records, func(rr dns.RR) bool { return rr.Header().Rrtype != header.Rrtype }), nil
}

// addressRecord is the A or AAAA record of an address, whose zone no record has.
func addressRecord(header dns.RR_Header, addr netip.Addr) dns.RR {
	if header.Rrtype == dns.TypeA {
		return &dns.A{Hdr: header, A: addr.Unmap().AsSlice()}
	}
	return &dns.AAAA{Hdr: header, AAAA: addr.AsSlice()}
}

// netSRV asks for SRV records, by service and protocol if the name has them: to look a
// name up as it is when both are empty is what test doubles forget.
func netSRV(ctx context.Context, r NetResolver, header dns.RR_Header) ([]dns.RR, error) {
	asked, ok := r.(interface {
		LookupSRV(ctx context.Context, service, proto, name string) (cname string, addrs []*net.SRV, err error)
	})
	if !ok {
		return nil, fmt.Errorf("%w: %T has no LookupSRV", errors.ErrUnsupported, r)
	}
	service, rest, _ := strings.Cut(header.Name, ".")
	proto, rest, _ := strings.Cut(rest, ".")
	if len(service) > 1 && service[0] == '_' && len(proto) > 1 && proto[0] == '_' && rest != "" {
		service, proto = service[1:], proto[1:]
	} else if _, isNet := r.(*net.Resolver); isNet {
		service, proto, rest = "", "", header.Name
	} else {
		return nil, fmt.Errorf("%w: SRV of a name that is not _service._proto.name", errors.ErrUnsupported)
	}
	_, all, err := asked.LookupSRV(ctx, service, proto, rest)
	return netRRs(all, err, func(srv *net.SRV) (dns.RR, error) {
		target, err := netName(srv.Target)
		return &dns.SRV{Hdr: header, Priority: srv.Priority, Weight: srv.Weight, Port: srv.Port, Target: target}, err
	})
}

// netRRs makes records of what a method has returned. If one of them cannot be a record,
// none is.
func netRRs[T any](all []*T, err error, record func(*T) (dns.RR, error)) ([]dns.RR, error) {
	var out []dns.RR
	for _, one := range all {
		if one == nil {
			return nil, fmt.Errorf("%w: a nil record", ErrMalformed)
		}
		rr, bad := record(one)
		if bad != nil {
			return nil, bad
		}
		out = append(out, rr)
	}
	return out, err
}

// pointers returns the values as netRRs takes them.
func pointers[T any](all []T) []*T {
	out := make([]*T, len(all))
	for i := range all {
		out[i] = &all[i]
	}
	return out
}

// netName returns a name that package net or a substitute has given as one of a record.
func netName(text string) (string, error) {
	if text == "" { // not the root, which as the target of MX and SRV records says a lot
		return "", fmt.Errorf("%w: an empty name", ErrMalformed)
	}
	for i := range len(text) {
		if text[i] >= 0x80 {
			name, err := Canonical(text)
			if err != nil { // not ErrName: that is about the question
				return "", fmt.Errorf("%w: %v", ErrMalformed, err)
			}
			return name, nil
		}
	}
	return dns.Fqdn(text), nil
}
