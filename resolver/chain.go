package resolver

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
)

// errTooLong is a DNAME that makes a name of over 255 octets.
var errTooLong = errors.New("a DNAME makes the name too long")

// A walk is how far the messages of one Lookup have led: along the aliases from
// the name asked to the records, or to their absence.
type walk struct {
	qtype  uint16
	names  []string // the name asked, canonical, and those to which its aliases have led
	ttl    uint32   // the least of all that the answer rests on
	answer Answer
	done   bool // the answer is complete; else the last name has to be asked for
}

func newWalk(name string, qtype uint16) *walk {
	return &walk{qtype: qtype, names: []string{name}, ttl: math.MaxUint32}
}

// name returns the name asked, and end the one to which its aliases have led.
func (w *walk) name() string { return w.names[0] }
func (w *walk) end() string  { return w.names[len(w.names)-1] }

// failure is the error of a server that did not lead any further.
func (w *walk) failure(server string, err error) *Error {
	switch {
	case len(w.names) > 1 && err != nil:
		err = fmt.Errorf("asked for its alias %s: %w", w.end(), err)
	case len(w.names) > 1:
		err = fmt.Errorf("asked for its alias %s", w.end())
	}
	return &Error{Name: w.name(), Type: w.qtype, Server: server, Err: err}
}

// take returns the walk as it goes on with what a message says about its end. It
// leaves w as it is: if the message is of no use, another server is asked.
func (w *walk) take(m *message) (*walk, error) {
	if m.useless != nil {
		return nil, m.useless
	}
	next := *w
	next.names = slices.Concat(w.names[:len(w.names)-1], m.names)
	if len(next.names) > maxHops+1 || repeats(next.names) {
		return nil, ErrChain
	}
	next.ttl = min(w.ttl, m.ttl)
	next.answer.Chain = slices.Concat(w.answer.Chain, m.chain)
	denial := m.denial()
	switch {
	case len(m.names) > 1 && dnsname.Reserved(m.end()): // as Ask answers for it, whatever the message has there
		next.answer.Status = NXDomain
		next.finish()
	case m.found && m.rcode == dns.RcodeNameError && followed(w.qtype):
		return nil, fmt.Errorf("%w: NXDOMAIN with records of the name", ErrMalformed)
	case m.found:
		next.answer.Records = m.records
		next.finish()
	case denial == nil:
		if m.rcode == dns.RcodeNameError { // RFC 6604, Section 3: said about the last name
			next.answer.Status = NXDomain
		}
		next.ttl = min(next.ttl, m.negative)
		next.finish()
	case len(m.names) == 1:
		return nil, denial
	}
	return &next, nil
}

// repeats reports whether aliases have led in a circle.
func repeats(names []string) bool {
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			return true
		}
	}
	return false
}

// finish completes the answer.
func (w *walk) finish() {
	w.answer.TTL = time.Duration(w.ttl) * time.Second
	w.done = true
}

// follow goes along the aliases of an answer section. Only records whose owner
// is met on the way count: the others answer a question that nobody asked. The
// TTL of a CNAME that a DNAME makes does not count: it is that of the DNAME, but
// for servers that write zero (RFC 6672, Section 3.1), as Unbound does.
func (m *message) follow(s *section, qtype uint16) error {
	for {
		end := m.end()
		records, err := s.owned(end, qtype)
		if err != nil {
			return err
		}
		aliases, target, err := s.alias(end)
		switch {
		case err != nil:
			return err
		case !followed(qtype) && (len(aliases) == 2 || len(aliases) == 1 && len(records) == 0):
			var a Answer
			a.unfollowed(aliases, qtype)
			m.records, m.chain, m.found = a.Records, a.Chain, true
			m.restOn(aliases[0])
			return nil
		case len(records) > 0:
			m.records, m.found = records, true
			m.restOn(records...)
			return nil
		case len(aliases) == 0:
			return nil
		case len(m.names) > maxHops || slices.Contains(m.names, target):
			return ErrChain
		}
		m.names = append(m.names, target)
		m.chain = append(m.chain, aliases...)
		m.restOn(aliases[0])
	}
}

// restOn lowers the message's TTL to that of the records.
func (m *message) restOn(records ...dns.RR) {
	for _, rr := range records {
		m.ttl = min(m.ttl, ttlOf(rr))
	}
}

// ttlOf returns a record's TTL.
func ttlOf(rr dns.RR) uint32 { return validTTL(rr.Header().Ttl) }

// validTTL returns a TTL; RFC 2181, Section 8: one with the highest bit set is zero.
func validTTL(ttl uint32) uint32 {
	if ttl > math.MaxInt32 {
		return 0
	}
	return ttl
}

// alias returns the records that make name an alias, a DNAME before the CNAME
// that it makes, and the canonical name that it stands for. No records mean that
// the name is no alias.
func (s *section) alias(name string) (records []dns.RR, target string, err error) {
	cname, target, err := s.only(name, dns.TypeCNAME)
	if err != nil {
		return nil, "", err
	}
	dname, substituted, err := s.dname(name)
	switch {
	case err != nil:
		return nil, "", err
	case dname == nil && cname == nil:
		return nil, "", nil
	case dname == nil || cname != nil && substituted != target:
		return []dns.RR{cname}, target, nil
	case cname == nil:
		// RFC 6672, Section 3.1: the server's task, but no hard one.
		cname = &dns.CNAME{
			Hdr:    dns.RR_Header{Name: name, Rrtype: dns.TypeCNAME, Class: dns.ClassINET, Ttl: dname.Header().Ttl},
			Target: substituted,
		}
	}
	return []dns.RR{dname, cname}, substituted, nil
}

// dname returns the DNAME record above a name, and what it makes of the name
// (RFC 6672, Section 2.2).
func (s *section) dname(name string) (rr dns.RR, target string, err error) {
	if !s.dnames {
		return nil, "", nil
	}
	for above := dnsname.Parent(name); above != "" && above != "."; above = dnsname.Parent(above) {
		rr, target, err = s.only(above, dns.TypeDNAME)
		if err != nil {
			return nil, "", err
		}
		if rr == nil {
			continue
		}
		target, err = Canonical(strings.TrimSuffix(name, above) + strings.TrimPrefix(target, "."))
		if err != nil {
			return nil, "", errTooLong
		}
		return rr, target, nil
	}
	return nil, "", nil
}

// only returns the one CNAME or DNAME record of a name and its canonical target.
// There cannot be two (RFC 2181, Section 10.1; RFC 6672, Section 2.4), and which
// of them is meant must not depend on their order.
func (s *section) only(name string, rrtype uint16) (rr dns.RR, target string, err error) {
	others, err := s.owned(name, rrtype)
	if err != nil {
		return nil, "", err
	}
	for _, other := range others {
		var to string
		switch other := other.(type) {
		case *dns.CNAME:
			to = dnsname.CanonicalOrEmpty(other.Target)
		case *dns.DNAME:
			to = dnsname.CanonicalOrEmpty(other.Target)
		}
		switch {
		case rr == nil:
			rr, target = other, to
		case to != target:
			return nil, "", fmt.Errorf("%w: more than one %s at %s", ErrMalformed, TypeString(rrtype), name)
		}
	}
	return rr, target, nil
}
