package resolver

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/heapsize"
	"github.com/bonafide-mta/bonafide/internal/txt"
)

// maxKeptBytes is how much memory the records of one message may take. Legitimate ones
// take less: names that are compressed with malice unfold to 500 times their length.
const maxKeptBytes = 2 << 20

var errTooLarge = fmt.Errorf("%w: its records take over %d MiB of memory", ErrMalformed, maxKeptBytes>>20)

// A message is what a Client uses of an answer to its question. All other records were
// passed over by their lengths.
type message struct {
	rcode         int
	authoritative bool // AA
	recursive     bool // RA
	validated     bool // AD
	truncated     bool // TC; then nothing else is known
	extended      []ExtendedError

	names   []string // the name asked, and those to which its aliases led
	chain   []dns.RR // the aliases
	records []dns.RR // of the type asked, at the last name
	found   bool     // the records are the answer, or the chain is to a question that aliases do not redirect
	ttl     uint32   // the least of chain and records
	useless error    // why it is an answer and yet of no use, as for a loop

	// Of a message without the records, see denial.
	others   bool   // its answer section holds other records than aliases from the name asked
	soa      bool   // its authority section has the SOA record of a zone that holds the last name
	ns       bool   // its authority section has NS records of a zone that holds the last name
	negative uint32 // how long it holds by the SOA record; without one it is not cached (RFC 2308, Section 5)
}

// parseMessage reads a whole message as the answer to the question for a canonical name.
// An error means that no server would send it.
func parseMessage(name string, qtype uint16, raw []byte) (*message, error) {
	m := &message{
		rcode:         int(raw[3] & 0x0f),
		authoritative: raw[2]&0x04 != 0,
		recursive:     raw[3]&0x80 != 0,
		validated:     raw[3]&0x20 != 0,
		truncated:     raw[2]&0x02 != 0,
		names:         []string{name},
		ttl:           math.MaxUint32,
	}
	if m.truncated {
		return m, nil
	}
	l, err := layOut(raw)
	if err != nil {
		return nil, err
	}
	m.rcode = l.rcode
	answers, err := sectionOf(l)
	if err != nil {
		return nil, err
	}
	if m.rcode != dns.RcodeSuccess && m.rcode != dns.RcodeNameError {
		m.extended = l.extendedErrors()
		return m, nil
	}
	m.useless = m.follow(answers, qtype)
	if answers.broken != nil {
		return nil, answers.broken
	}
	m.others = !answers.onlyAliases(m.chain)
	if err := m.readAuthority(l); err != nil {
		return nil, err
	}
	return m, nil
}

// end returns the last name of the chain, for which the records were looked for.
func (m *message) end() string { return m.names[len(m.names)-1] }

// readAuthority looks for what the authority section says about the last name.
func (m *message) readAuthority(l layout) error {
	end := wireNameOf(m.end())
	for r := range l.records(l.authorities) {
		if r.class != dns.ClassINET || r.rrtype != dns.TypeSOA && r.rrtype != dns.TypeNS {
			continue
		}
		var owner wireName
		if _, err := owner.read(l.message, int(r.at)); err != nil {
			return err
		}
		switch {
		case !end.under(&owner):
		case r.rrtype == dns.TypeNS:
			m.ns = true
		default:
			minimum, err := r.minimum(l.message)
			if err != nil {
				return err
			}
			holds := min(r.ttl(l.message), minimum) // RFC 2308, Section 5
			if m.soa {
				holds = min(holds, m.negative)
			}
			m.soa, m.negative = true, holds
		}
	}
	return nil
}

// A section is the records of an answer section, which are unpacked when they are asked
// for.
type section struct {
	message []byte
	records []wireRecord // those of one owner together
	dnames  bool         // there is a DNAME among them
	left    int64        // how much memory the records may still take
	broken  error        // of a record that cannot be unpacked
}

func sectionOf(l layout) (*section, error) {
	s := &section{message: l.message, left: maxKeptBytes}
	for r := range l.records(l.answers) {
		var owner wireName
		if _, err := owner.read(l.message, int(r.at)); err != nil {
			return nil, err
		}
		r.owner = owner.hash()
		s.records = append(s.records, r)
		s.dnames = s.dnames || r.rrtype == dns.TypeDNAME
	}
	slices.SortStableFunc(s.records, func(a, b wireRecord) int { return cmp.Compare(a.owner, b.owner) })
	return s, nil
}

// owned returns the records of a name that answer a question of this type, in the order
// of the message and without duplicates (RFC 2181, Section 5).
func (s *section) owned(name string, qtype uint16) (records []dns.RR, err error) {
	wire := wireNameOf(name)
	hash := wire.hash()
	first, _ := slices.BinarySearchFunc(s.records, hash, func(r wireRecord, hash uint64) int { return cmp.Compare(r.owner, hash) })
	type octets struct {
		rrtype uint16
		data   string
	}
	seen := make(map[octets]dns.RR)
	for _, r := range s.records[first:] {
		if r.owner != hash {
			break
		}
		if r.class != dns.ClassINET || r.rrtype != qtype && qtype != dns.TypeANY {
			continue
		}
		// The same octets are the same data: pointers count from the message's start.
		if same := seen[octets{r.rrtype, string(s.message[r.data:r.end])}]; same != nil {
			lowerTTL(same, r.ttl(s.message))
			continue
		}
		rr, err := r.unpack(s.message)
		if err != nil {
			s.broken = err
			return nil, err
		}
		if err := s.keep(rr, records); err != nil {
			return nil, err
		}
		records = append(records, rr)
		if len(s.records) > 1 {
			seen[octets{r.rrtype, string(s.message[r.data:r.end])}] = rr
		}
	}
	return unique(records), nil
}

// unique returns records of one name without duplicates, each with the lowest TTL.
func unique(records []dns.RR) []dns.RR {
	if len(records) < 2 {
		return records
	}
	first := make(map[string]dns.RR)
	return slices.DeleteFunc(records, func(rr dns.RR) bool {
		key := txt.Key(rr)
		same := first[key]
		if same == nil {
			first[key] = rr
			return false
		}
		lowerTTL(same, ttlOf(rr))
		return true
	})
}

// lowerTTL gives a record the TTL of its duplicate, if that is lower (RFC 2181, Section
// 5.2).
func lowerTTL(rr dns.RR, ttl uint32) {
	if ttl < ttlOf(rr) {
		rr.Header().Ttl = ttl
	}
}

// keep counts the memory of a record, beside those of the same owner that are kept
// already: they share its text.
func (s *section) keep(rr dns.RR, others []dns.RR) error {
	shared := len(others) > 0 && others[0].Header().Name == rr.Header().Name
	if shared {
		rr.Header().Name = ""
	}
	s.left -= heapsize.Of(rr, s.left)
	if shared {
		rr.Header().Name = others[0].Header().Name
	}
	if s.left < 0 {
		return errTooLarge
	}
	return nil
}

// onlyAliases reports whether the section has nothing but these aliases and signatures
// at their owners (RFC 4035, Section 3.1.1).
func (s *section) onlyAliases(chain []dns.RR) bool {
	type key struct {
		owner  uint64
		rrtype uint16
	}
	aliases := make(map[key]bool)
	for _, rr := range chain {
		wire := wireNameOf(dnsname.CanonicalOrEmpty(rr.Header().Name))
		owner := wire.hash()
		aliases[key{owner, rr.Header().Rrtype}], aliases[key{owner, dns.TypeRRSIG}] = true, true
	}
	return !slices.ContainsFunc(s.records, func(r wireRecord) bool {
		return r.class != dns.ClassINET || !aliases[key{r.owner, r.rrtype}]
	})
}
