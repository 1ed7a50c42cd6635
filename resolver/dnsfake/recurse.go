package dnsfake

import (
	"context"
	"errors"
	"net"
	"slices"

	"github.com/miekg/dns"

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
			m.Ns = soa(ctx, zones, end(q.Name, answer.Chain))
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

// soa returns the SOA record of the zone that a name is in, with the TTL of a
// negative answer (RFC 2308, Section 5).
func soa(ctx context.Context, zones *resolver.Zones, name string) []dns.RR {
	for {
		answer, err := zones.Lookup(ctx, name, dns.TypeSOA)
		if err != nil {
			return nil
		}
		if len(answer.Chain) > 0 {
			answer.Records = nil // another zone's
		}
		for _, record := range resolver.Records[*dns.SOA](answer) {
			record = dns.Copy(record).(*dns.SOA)
			record.Hdr.Ttl = min(record.Hdr.Ttl, record.Minttl)
			return []dns.RR{record}
		}
		if name == "." {
			return nil
		}
		next, last := dns.NextLabel(name, 0)
		if name = name[next:]; last {
			name = "."
		}
	}
}
