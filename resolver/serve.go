package resolver

import (
	"net"
	"slices"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
)

// udpSize is the payload that is offered and accepted over UDP: what passes
// unfragmented nearly everywhere (RFC 9715, Section 3).
const udpSize = 1232

// ServeDNS answers one message as the authoritative server of the zones: with
// AA, referrals with glue, the SOA in negative answers, and TC when the answer
// does not fit a datagram. Zones so is a [dns.Handler]. A name outside every
// zone is REFUSED; zone transfers are refused too.
func (z *Zones) ServeDNS(w dns.ResponseWriter, r *dns.Msg) {
	m := z.respond(r)
	size := dns.MaxMsgSize
	if _, udp := w.RemoteAddr().(*net.UDPAddr); udp {
		size = dns.MinMsgSize // RFC 1035, Section 4.2.1
		if opt := r.IsEdns0(); opt != nil {
			size = max(size, min(int(opt.UDPSize()), udpSize))
		}
	}
	m.Truncate(size)
	if m.Truncated {
		// No half sets: nobody may take them for all (RFC 2181, Section 9).
		m.Answer, m.Ns = nil, nil
	}
	// A client that went away is nobody to report an error to.
	_ = w.WriteMsg(m)
}

// respond makes the answer to a message, of any size.
func (z *Zones) respond(r *dns.Msg) *dns.Msg {
	m := new(dns.Msg)
	m.SetReply(r)
	m.Compress = true
	opt := r.IsEdns0()
	if opt != nil {
		m.SetEdns0(udpSize, opt.Do())
		if opt.Version() != 0 {
			m.Rcode = dns.RcodeBadVers // RFC 6891, Section 6.1.3
			return m
		}
	}
	if r.Opcode != dns.OpcodeQuery {
		m.Rcode = dns.RcodeNotImplemented
		return m
	}
	if len(r.Question) != 1 {
		m.Rcode = dns.RcodeFormatError
		return m
	}
	q := r.Question[0]
	name, err := dnsname.Canonical(q.Name)
	if err != nil {
		m.Rcode = dns.RcodeFormatError
		return m
	}
	closest := z.closest(name, q.Qtype)
	transfer := q.Qtype == dns.TypeAXFR || q.Qtype == dns.TypeIXFR
	if closest == nil || q.Qclass != dns.ClassINET || transfer {
		m.Rcode = dns.RcodeRefused
		return m
	}
	m.Authoritative = true
	closest.zone.fill(m, name, q.Qtype)
	if len(m.Answer) > 0 && m.Answer[0].Header().Name == name {
		echoCase(m, q.Name)
	}
	return m
}

// fill answers from one zone. An alias is followed while it stays in the zone
// (RFC 1034, Section 4.3.2, step 3a), until it comes back to where it was or is
// longer than a client of ours would follow. Of an endless chain NSD and Knot too
// answer what they have, and leave it to the client to give up.
func (z *zone) fill(m *dns.Msg, name string, qtype uint16) {
	seen := map[string]bool{}
	for len(seen) <= maxHops && !seen[name] && dnsname.Under(name, z.apex) {
		seen[name] = true
		f := z.find(name, qtype)
		switch f.kind {
		case isPositive:
			m.Answer = appendNew(m.Answer, f.records)
		case isNoData, isNXDomain:
			if f.kind == isNXDomain {
				m.Rcode = dns.RcodeNameError
			}
			soa := dns.Copy(z.soa)
			soa.Header().Ttl = z.negativeTTL() // RFC 2308, Section 3
			m.Ns = append(m.Ns, soa)
		case isUnread:
			m.Answer, m.Rcode = nil, dns.RcodeServerFailure
		case isTooLong:
			m.Answer = appendNew(m.Answer, f.records)
			m.Rcode = dns.RcodeYXDomain
		case isReferral:
			// Whose data it is not, it is not authoritative for; an alias
			// that led here still is its own.
			m.Authoritative = len(m.Answer) > 0
			z.refer(m, f.cut)
		case isAlias:
			m.Answer = appendNew(m.Answer, f.records)
			if qtype != dns.TypeCNAME && qtype != dns.TypeANY {
				name = f.target
				continue
			}
		}
		return
	}
}

// refer adds the NS records of a delegation and the addresses of those servers
// that the zone holds (RFC 1034, Section 4.2.1).
func (z *zone) refer(m *dns.Msg, cut *node) {
	ns := cut.set(dns.TypeNS)
	m.Ns = append(m.Ns, ns.records...)
	for _, rr := range ns.records {
		host, err := dnsname.Canonical(rr.(*dns.NS).Ns)
		if err != nil || !dnsname.Under(host, z.apex) {
			continue
		}
		n := z.closest(host)
		if n.name != host {
			n = n.wild // so do NSD and Knot
		}
		if n == nil {
			continue
		}
		for _, rtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
			if set := n.set(rtype); set != nil {
				m.Extra = append(m.Extra, owned(set.records, n.name, host)...)
			}
		}
	}
}

// appendNew adds the records of one step to those before. A DNAME can serve
// twice, and be what was asked for too; a set has no duplicates (RFC 2181,
// Section 5).
func appendNew(before, records []dns.RR) []dns.RR {
	all := before
	for _, rr := range records {
		if !slices.Contains(before, rr) {
			all = append(all, rr)
		}
	}
	return all
}

// echoCase gives the answer's first records the owner in the case of the
// question, as NSD and Knot do: clients that vary the case expect it back.
func echoCase(m *dns.Msg, asked string) {
	owner := m.Answer[0].Header().Name
	if owner == asked {
		return
	}
	for i, rr := range m.Answer {
		if rr.Header().Name == owner {
			m.Answer[i] = dns.Copy(rr)
			m.Answer[i].Header().Name = asked
		}
	}
}
