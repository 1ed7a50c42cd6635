package resolver

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/maphash"
	"iter"

	"github.com/miekg/dns"
)

const (
	// headerSize is the length of a message's header (RFC 1035, Section 4.1.1).
	headerSize = 12
	// maxName is the length of the longest name (RFC 1035, Section 2.3.4).
	maxName = 255
	// maxPointers is how many compression pointers a name of so many octets can have
	// without following one for nothing.
	maxPointers = (maxName+1)/2 - 2
)

var (
	errCut   = errors.New("fewer records than its header says")
	errName  = errors.New("a name that is too long or not a name")
	errEmpty = errors.New("a record without data, or with a part of them")
)

// A wireName is a name as a message carries it, in lower case and without
// compression: each label after its length, the root last.
type wireName struct {
	octets [maxName]byte
	length int
}

// wireNameOf returns the wire form of a canonical name.
func wireNameOf(canonical string) (n wireName) {
	// A canonical name can be packed: see dnsname.Canonical.
	n.length, _ = dns.PackDomainName(canonical, n.octets[:], 0, nil, false)
	return n
}

func (n *wireName) bytes() []byte { return n.octets[:n.length] }

// read reads the name at off, and returns where the message goes on after it. Pointers
// may lead anywhere, as in [dns.UnpackDomainName], but only so often and so far.
func (n *wireName) read(message []byte, off int) (next int, err error) {
	n.length = 0
	for pointers := 0; ; {
		if off >= len(message) {
			return 0, errCut
		}
		c := int(message[off])
		off++
		switch {
		case c == 0:
			n.octets[n.length] = 0
			n.length++
			if pointers == 0 {
				next = off
			}
			return next, nil
		case c < 0x40:
			if off+c > len(message) {
				return 0, errCut
			}
			if n.length+1+c >= maxName {
				return 0, errName
			}
			n.octets[n.length] = byte(c)
			for i, b := range message[off : off+c] {
				if 'A' <= b && b <= 'Z' { // RFC 4343
					b += 'a' - 'A'
				}
				n.octets[n.length+1+i] = b
			}
			n.length += 1 + c
			off += c
		case c >= 0xC0: // RFC 1035, Section 4.1.4
			if off >= len(message) {
				return 0, errCut
			}
			if pointers == 0 {
				next = off + 1
			}
			if pointers++; pointers > maxPointers {
				return 0, errName
			}
			off = c&0x3F<<8 | int(message[off])
		default:
			return 0, errName
		}
	}
}

// under reports whether the name is zone or lies below it.
func (n *wireName) under(zone *wireName) bool {
	at := 0
	for n.length-at > zone.length {
		at += 1 + int(n.octets[at])
	}
	return bytes.Equal(n.octets[at:n.length], zone.bytes())
}

// seed makes hashes of names that no sender of messages can foresee.
var seed = maphash.MakeSeed()

func (n *wireName) hash() uint64 { return maphash.Bytes(seed, n.bytes()) }

// skipName returns where a message goes on after the name at off. It does not follow
// pointers.
func skipName(message []byte, off int) (next int, err error) {
	for off < len(message) {
		switch c := int(message[off]); {
		case c == 0:
			return off + 1, nil
		case c < 0x40:
			off += 1 + c
		case c >= 0xC0:
			return off + 2, nil // the caller notices if this is too far
		default:
			return 0, errName
		}
	}
	return 0, errCut
}

// A wireRecord is a record that is not unpacked. No message has offsets that do not
// fit.
type wireRecord struct {
	owner         uint64 // the hash of its owner, where that was read
	rrtype, class uint16
	at, data, end uint16 // where it begins, and its data, and what follows it
}

// skipRecord reads the record at off, except its owner and its data.
func skipRecord(message []byte, off int) (r wireRecord, err error) {
	after, err := skipName(message, off)
	if err != nil {
		return r, err
	}
	const fixed = 2 + 2 + 4 + 2 // RFC 1035, Section 4.1.3
	if after+fixed > len(message) {
		return r, errCut
	}
	data := after + fixed
	end := data + int(binary.BigEndian.Uint16(message[data-2:]))
	if end > len(message) {
		return r, errCut
	}
	return wireRecord{
		rrtype: binary.BigEndian.Uint16(message[after:]),
		class:  binary.BigEndian.Uint16(message[after+2:]),
		at:     uint16(off), data: uint16(data), end: uint16(end),
	}, nil
}

// ttl returns a record's TTL.
func (r wireRecord) ttl(message []byte) uint32 {
	return validTTL(binary.BigEndian.Uint32(message[r.data-6:]))
}

// minimum returns the last field of a SOA record: how long a negative answer holds
// (RFC 2308, Section 4).
func (r wireRecord) minimum(message []byte) (uint32, error) {
	off := int(r.data)
	for range 2 {
		next, err := skipName(message[:r.end], off)
		if err != nil {
			return 0, err
		}
		off = next
	}
	if off+5*4 != int(r.end) {
		return 0, errCut
	}
	return binary.BigEndian.Uint32(message[r.end-4:]), nil
}

// unpack returns the record as a value.
func (r wireRecord) unpack(message []byte) (dns.RR, error) {
	rr, _, err := dns.UnpackRR(message, int(r.at))
	if err != nil {
		return nil, err
	}
	if r.cut(message, rr) {
		return nil, errEmpty
	}
	return rr, nil
}

// cut reports whether the data of a record end too early, between two of its fields, which
// [dns.UnpackRR] lets pass: RFC 2136 has records without data, no answer has.
func (r wireRecord) cut(message []byte, rr dns.RR) bool {
	switch rr := rr.(type) {
	case *dns.RFC3597, *dns.NULL, *dns.APL:
		return false
	case *dns.MX:
		return rr.Mx == ""
	case *dns.SRV:
		return rr.Target == ""
	case *dns.RP:
		return rr.Txt == ""
	case *dns.SOA:
		_, err := r.minimum(message)
		return err != nil
	}
	return r.data == r.end
}

// A layout is what is known about a message before a record is unpacked.
type layout struct {
	message              []byte
	answers, authorities part
	options              []byte // the data of the OPT record (RFC 6891)
	rcode                int    // with the upper bits of the OPT record
}

// A part is a section of a message: where it begins, and how many records it has.
type part struct{ off, n int }

// layOut goes through a message by the lengths of its records. It has to be as long as
// its header says, or longer.
func layOut(message []byte) (l layout, err error) {
	if len(message) < headerSize || len(message) > dns.MaxMsgSize {
		return l, errCut
	}
	l = layout{message: message, rcode: int(message[3] & 0x0f)}
	off := headerSize
	for range questions(message) {
		if off, err = skipName(message, off); err != nil {
			return l, err
		}
		off += 2 + 2
	}
	for i, section := range []*part{&l.answers, &l.authorities, {}} {
		section.off, section.n = off, int(binary.BigEndian.Uint16(message[6+2*i:]))
		for range section.n {
			r, err := skipRecord(message, off)
			if err != nil {
				return l, err
			}
			if i == 2 && r.rrtype == dns.TypeOPT { // the last one counts
				l.options = message[r.data:r.end]
				l.rcode = l.rcode&0x0f | int(message[r.data-6])<<4 // RFC 6891, Section 6.1.3
			}
			off = int(r.end)
		}
	}
	return l, nil
}

// records goes through a section, which layOut has found to be whole.
func (l layout) records(section part) iter.Seq[wireRecord] {
	return func(yield func(wireRecord) bool) {
		off := section.off
		for range section.n {
			r, err := skipRecord(l.message, off)
			if err != nil || !yield(r) {
				return
			}
			off = int(r.end)
		}
	}
}

// maxExtended is how many extended errors of one message are kept.
const maxExtended = 8

// extendedErrors returns what a server adds to a response code (RFC 8914).
func (l layout) extendedErrors() []ExtendedError {
	var extended []ExtendedError
	for options := l.options; len(options) >= 4 && len(extended) < maxExtended; {
		code, length := binary.BigEndian.Uint16(options), int(binary.BigEndian.Uint16(options[2:]))
		options = options[4:]
		if length > len(options) {
			break
		}
		if code == dns.EDNS0EDE && length >= 2 {
			extended = append(extended, ExtendedError{Code: binary.BigEndian.Uint16(options), Text: string(options[2:length])})
		}
		options = options[length:]
	}
	return extended
}
