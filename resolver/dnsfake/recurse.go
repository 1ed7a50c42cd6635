package dnsfake

import (
	"context"
	"errors"
	"net"
	"slices"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/resolver"
)

// maxDatagram is what a Server sends over UDP at most.
const maxDatagram = 1232

// resolve answers a message as a resolver that has the zones' servers to itself.
func resolve(ctx context.Context, zones *resolver.Zones, q resolver.Question, w dns.ResponseWriter, r *dns.Msg) {
	m := new(dns.Msg)
	m.SetReply(r)
	m.RecursionAvailable = true
	m.Compress = true
	answer, err := zones.Lookup(ctx, q.Name, q.Type)
	e, failed := errors.AsType[*resolver.Error](err)
	switch {
	case errors.Is(err, resolver.ErrNoZone):
		m.Rcode = dns.RcodeRefused
	case failed && e.RCode != 0:
		m.Rcode = e.RCode
	case err != nil:
		m.Rcode = dns.RcodeServerFailure
	default:
		m.Answer = slices.Concat(answer.Chain, answer.Records)
		if answer.Status == resolver.NXDomain {
			m.Rcode = dns.RcodeNameError
		}
		if len(answer.Records) == 0 {
			addSOA(ctx, m, zones, end(q.Name, answer.Chain))
		}
	}
	size := dns.MaxMsgSize
	opt := r.IsEdns0()
	if opt != nil {
		m.SetEdns0(maxDatagram, opt.Do())
	}
	if _, udp := w.RemoteAddr().(*net.UDPAddr); udp {
		size = dns.MinMsgSize // RFC 1035, Section 4.2.1
		if opt != nil {
			size = max(size, min(int(opt.UDPSize()), maxDatagram))
		}
	}
	if m.Truncate(size); m.Truncated {
		m.Answer, m.Ns = nil, nil // no half sets
	}
	_ = w.WriteMsg(m) // a client that went away is nobody to report an error to
}

// end returns where a chain of aliases leads.
func end(name string, chain []dns.RR) string {
	for _, rr := range chain {
		if cname, ok := rr.(*dns.CNAME); ok {
			name = cname.Target
		}
	}
	canonical, _ := resolver.Canonical(name)
	return canonical
}

// deny answers a message as the fault says, which is of a kind that denies: with AA or
// RA, like what the zones would have answered.
func (f *Fault) deny(ctx context.Context, zones *resolver.Zones, q resolver.Question, w dns.ResponseWriter, r *dns.Msg) {
	m := new(dns.Msg)
	m.SetReply(r)
	m.Authoritative, m.RecursionAvailable = !r.RecursionDesired, r.RecursionDesired
	if f.kind == NXDomain {
		m.Rcode = dns.RcodeNameError
	}
	addSOA(ctx, m, zones, q.Name)
	if opt := r.IsEdns0(); opt != nil {
		m.SetEdns0(maxDatagram, opt.Do())
	}
	f.addExtended(m, r.IsEdns0())
	_ = w.WriteMsg(m) // a client that went away is nobody to report an error to
}

// addSOA makes a message a denial that Clients believe: one with a SOA record, if a zone
// holds the name.
func addSOA(ctx context.Context, m *dns.Msg, zones *resolver.Zones, name string) {
	if soa := soa(ctx, zones, name); soa != nil {
		m.Ns = []dns.RR{soa}
	}
}

// soa returns the SOA record of the zone that a name is in, with the TTL of a
// negative answer (RFC 2308, Section 5), or nil.
func soa(ctx context.Context, zones *resolver.Zones, name string) *dns.SOA {
	for ; name != ""; name = dnsname.Parent(name) {
		answer, err := zones.Lookup(ctx, name, dns.TypeSOA)
		if err != nil || len(answer.Chain) > 0 {
			continue // an alias into another zone, or to nowhere; or it is delegated
		}
		for _, record := range resolver.Records[*dns.SOA](answer) {
			record = dns.Copy(record).(*dns.SOA)
			record.Hdr.Ttl = min(record.Hdr.Ttl, record.Minttl)
			return record
		}
	}
	return nil
}
