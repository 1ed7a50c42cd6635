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
	name   string // the name asked, canonical
	qtype  uint16
	end    string   // where the aliases have led so far
	passed []string // the names before it, one for each alias
	ttl    uint32   // the least of all that the answer rests on
	answer Answer
	done   bool // the answer is complete; else end has to be asked for
}

func newWalk(name string, qtype uint16) *walk {
	return &walk{name: name, qtype: qtype, end: name, ttl: math.MaxUint32}
}

// failure is the error of a server that did not lead any further.
func (w *walk) failure(server string, err error) *Error {
	switch {
	case w.end != w.name && err != nil:
		err = fmt.Errorf("asked for its alias %s: %w", w.end, err)
	case w.end != w.name:
		err = fmt.Errorf("asked for its alias %s", w.end)
	}
	return &Error{Name: w.name, Type: w.qtype, Server: server, Err: err}
}

// take returns the walk as it goes on with what a message says about its end. It
// leaves w as it is: if the message is of no use, another server is asked.
func (w *walk) take(reply *dns.Msg) (*walk, error) {
	next := *w
	if err := next.follow(sectionOf(reply.Answer)); err != nil {
		return nil, err
	}
	if next.done {
		if reply.Rcode == dns.RcodeNameError && followed(w.qtype) {
			return nil, fmt.Errorf("%w: NXDOMAIN with records of the name", ErrMalformed)
		}
		return &next, nil
	}
	return &next, next.negative(reply, next.end != w.end)
}

// follow goes along the aliases of an answer section. Only records whose owner
// is met on the way count: the others answer a question that nobody asked. The
// TTL of a CNAME that a DNAME makes does not count: it is that of the DNAME, but
// for servers that write zero (RFC 6672, Section 3.1), as Unbound does.
func (w *walk) follow(s section) error {
	for {
		records := s.owned(w.end, w.qtype)
		aliases, target, err := s.alias(w.end)
		switch {
		case err != nil:
			return err
		case !followed(w.qtype) && (len(aliases) == 2 || len(aliases) == 1 && len(records) == 0):
			w.answer.unfollowed(aliases, w.qtype)
			w.finish(aliases[0])
			return nil
		case len(records) > 0:
			w.answer.Records = records
			w.finish(records...)
			return nil
		case len(aliases) == 0:
			return nil
		}
		w.passed = append(slices.Clip(w.passed), w.end)
		if len(w.passed) > maxHops || slices.Contains(w.passed, target) {
			return ErrChain
		}
		w.end = target
		w.answer.Chain = append(slices.Clip(w.answer.Chain), aliases...)
		w.restOn(aliases[0])
	}
}

// negative reads a message that has no records at the end of the aliases. moved
// tells that it had aliases.
func (w *walk) negative(reply *dns.Msg, moved bool) error {
	soa, ns := authority(reply.Ns, w.end)
	switch {
	case reply.Rcode == dns.RcodeNameError: // RFC 6604, Section 3: said of the last name
		w.answer.Status = NXDomain
	case soa != nil: // RFC 2308, Section 2.2: NODATA
	case moved && dnsname.Reserved(w.end):
		w.answer.Status = NXDomain
		w.finish()
		return nil
	case moved:
		return nil // an authoritative server stops where its zones end
	case ns && !reply.Authoritative: // RFC 2308, Section 2.2: NS and no SOA is not NODATA
		return fmt.Errorf("%w: a referral, the server does not recurse", ErrMalformed)
	}
	// RFC 2308, Section 5: without a SOA record a negative answer is not cached.
	var ttl uint32
	if soa != nil {
		ttl = min(ttlOf(soa), soa.Minttl)
	}
	w.ttl = min(w.ttl, ttl)
	w.finish()
	return nil
}

// restOn lowers the walk's TTL to that of the records.
func (w *walk) restOn(records ...dns.RR) {
	for _, rr := range records {
		w.ttl = min(w.ttl, ttlOf(rr))
	}
}

// finish completes the answer, which rests on these records too.
func (w *walk) finish(records ...dns.RR) {
	w.restOn(records...)
	w.answer.TTL = time.Duration(w.ttl) * time.Second
	w.done = true
}

// ttlOf returns a record's TTL; RFC 2181, Section 8: one with the highest bit set
// is zero.
func ttlOf(rr dns.RR) uint32 {
	if ttl := rr.Header().Ttl; ttl <= math.MaxInt32 {
		return ttl
	}
	return 0
}

// authority returns the SOA record of a zone that holds the name, and else
// whether there are NS records of one.
func authority(records []dns.RR, name string) (soa *dns.SOA, ns bool) {
	for _, rr := range records {
		if rr.Header().Class != dns.ClassINET || !dnsname.Under(name, dnsname.CanonicalOrEmpty(rr.Header().Name)) {
			continue
		}
		switch rr := rr.(type) {
		case *dns.SOA:
			return rr, false
		case *dns.NS:
			ns = true
		}
	}
	return nil, ns
}

// A section is the records of class IN of an answer section by canonical owner.
type section map[string][]dns.RR

func sectionOf(records []dns.RR) section {
	s := make(section)
	for _, rr := range records {
		if rr.Header().Class == dns.ClassINET {
			owner := dnsname.CanonicalOrEmpty(rr.Header().Name)
			s[owner] = append(s[owner], rr)
		}
	}
	return s
}

// owned returns the records of a name that answer a question of this type,
// without duplicates (RFC 2181, Section 5).
func (s section) owned(name string, qtype uint16) []dns.RR {
	var records []dns.RR
	for _, rr := range s[name] {
		if qtype == dns.TypeANY || rr.Header().Rrtype == qtype {
			records = append(records, rr)
		}
	}
	if len(records) < 2 {
		return records
	}
	return dns.Dedup(records, nil)
}

// alias returns the records that make name an alias, a DNAME before the CNAME
// that it makes, and the canonical name that it stands for. No records mean that
// the name is no alias.
func (s section) alias(name string) (records []dns.RR, target string, err error) {
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
func (s section) dname(name string) (rr dns.RR, target string, err error) {
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
func (s section) only(name string, rrtype uint16) (rr dns.RR, target string, err error) {
	for _, other := range s.owned(name, rrtype) {
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
