package txt

import (
	"errors"
	"strconv"

	"github.com/miekg/dns"
)

// Key returns a text that two records share exactly if they have the same type and data,
// whatever their names and TTLs: to compare many records, keep the keys in a map. Names in
// the data match in any case (RFC 4343), as they do for dns.IsDuplicate.
func Key(rr dns.RR) string {
	data, err := Wire(rr)
	if err != nil {
		return Record(rr)
	}
	names, numbers := namesIn(rr)
	lower(data[min(names, len(data)):max(len(data)-numbers, min(names, len(data)))])
	return strconv.Itoa(int(rr.Header().Rrtype)) + " " + string(data)
}

var errNoWire = errors.New("not a record that a message can hold")

// Wire returns the data of a record as a message has them, and only reads the record:
// dns.PackRR would write to its header.
func Wire(rr dns.RR) ([]byte, error) {
	if isNil(rr) {
		return nil, errNoWire
	}
	if h := rr.Header(); h.Rrtype == 0 || h.Name == "" {
		return nil, errNoWire
	}
	m := dns.Msg{Answer: []dns.RR{rr}}
	wire, err := m.Pack()
	if err != nil {
		return nil, err
	}
	_, owner, err := dns.UnpackDomainName(wire, 12) // after the header of the message
	if err != nil {
		return nil, err
	}
	return wire[owner+10:], nil // after type, class, TTL and length (RFC 1035, Section 3.2.1)
}

// LooseKey is Key for readers to whom the strings of a text are one (RFC 7208, Section 3.3).
func LooseKey(rr dns.RR) string {
	if t, ok := rr.(*dns.TXT); ok && t != nil {
		return strconv.Itoa(int(dns.TypeTXT)) + " " + Join(t.Txt)
	}
	return Key(rr)
}

// namesIn returns how many octets precede and follow the names in the data of a record. The
// names of other types keep their case, which makes two records of one at worst.
func namesIn(rr dns.RR) (before, after int) {
	switch rr.(type) {
	case *dns.CNAME, *dns.DNAME, *dns.NS, *dns.PTR, *dns.RP:
		return 0, 0
	case *dns.MX:
		return 2, 0
	case *dns.SRV:
		return 6, 0
	case *dns.SOA:
		return 0, 20
	}
	return 1 << 16, 0
}

// lower makes the letters of names in wire form small: no length of a label is a letter.
func lower(wire []byte) {
	for i, c := range wire {
		if 'A' <= c && c <= 'Z' {
			wire[i] += 'a' - 'A'
		}
	}
}
