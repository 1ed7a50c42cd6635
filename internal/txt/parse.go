package txt

import (
	"encoding/hex"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/miekg/dns"
)

// Exact returns a line for a record that Parse reads as the same record: what Record
// returns, or the data as octets (RFC 3597, Section 5) where zone text as miekg/dns writes and
// reads it would lose some. What no message can hold is left as Record writes it.
func Exact(rr dns.RR) string {
	octets, err := opaque(rr)
	if _, ok := rr.(*Unread); ok || err != nil {
		line := Record(rr)
		if again, err := Parse(line); err == nil && (ok || Record(again) != line) {
			return Exact(again)
		}
		return line
	}
	line := Record(known(octets))
	if again, err := Parse(line); err == nil && Record(again) == line && hasData(again, octets.Rdata) {
		return line
	}
	return Record(octets)
}

// opaque returns a record with its data as octets.
func opaque(rr dns.RR) (*dns.RFC3597, error) {
	data, err := Wire(rr)
	if err != nil {
		return nil, err
	}
	o := &dns.RFC3597{Hdr: *rr.Header(), Rdata: hex.EncodeToString(data)}
	o.Hdr.Rdlength = uint16(len(data))
	return o, nil
}

// known returns the record of the type that miekg/dns has for the octets, or the octets where
// it would lose some.
func known(octets *dns.RFC3597) dns.RR {
	data, err := hex.DecodeString(octets.Rdata)
	if err != nil {
		return octets
	}
	rr, _, err := dns.UnpackRRWithHeader(octets.Hdr, data, 0)
	if err != nil || !hasData(rr, octets.Rdata) {
		return octets
	}
	return rr
}

// hasData reports whether a record has these octets as its data.
func hasData(rr dns.RR, octets string) bool {
	data, err := Wire(rr)
	return err == nil && hex.EncodeToString(data) == octets
}

// Parse reads a record as Record and Exact write it: one line, with a TTL and a class. Data
// that miekg/dns would lose a part of stay octets.
func Parse(line string) (dns.RR, error) {
	if strings.HasPrefix(line, "$") || strings.ContainsAny(line, "\n\r") {
		return nil, fmt.Errorf("%.80q: expected a record on one line", line)
	}
	if h, data, ok := cutHeader(line); ok {
		if rr := parseOctets(h, data); rr != nil {
			return rr, nil
		}
	}
	zone := dns.NewZoneParser(strings.NewReader(line+"\n"), ".", "")
	zone.SetDefaultTTL(3600)
	rr, _ := zone.Next()
	if rr == nil {
		return nil, fmt.Errorf("%.80q: expected a record: name, TTL, IN, type, data", line)
	}
	if h := rr.Header(); strings.HasPrefix(h.Name, `\$`) { // which miekg/dns leaves as it is
		h.Name = h.Name[1:]
	}
	return rr, nil
}

// parseOctets reads data that are written as octets, and returns nil for others.
func parseOctets(h dns.RR_Header, data string) dns.RR {
	fields := strings.Fields(data)
	if len(fields) < 2 || fields[0] != `\#` {
		return nil
	}
	octets, err := hex.DecodeString(strings.Join(fields[2:], ""))
	if err != nil || strconv.Itoa(len(octets)) != fields[1] || len(octets) > 1<<16-1 {
		return nil
	}
	h.Rdlength = uint16(len(octets))
	return known(&dns.RFC3597{Hdr: h, Rdata: hex.EncodeToString(octets)})
}

// cutHeader cuts a line as Record writes it into the header of the record and its data.
func cutHeader(line string) (h dns.RR_Header, data string, ok bool) {
	end := 0
	for end < len(line) && line[end] != ' ' {
		if line[end] == '\\' {
			end++
		}
		end++
	}
	if end == 0 || end >= len(line) {
		return h, "", false
	}
	fields := strings.SplitN(line[end+1:], " ", 4)
	if len(fields) < 3 {
		return h, "", false
	}
	if len(fields) == 4 {
		data = fields[3]
	}
	ttl, err := strconv.ParseUint(fields[0], 10, 32)
	class, okClass := number(dns.StringToClass, "CLASS", fields[1])
	rtype, okType := Type(fields[2])
	if name := line[:end]; strings.HasPrefix(name, `\$`) {
		h.Name = name[1:]
	} else {
		h.Name = name
	}
	_, isName := dns.IsDomainName(h.Name)
	h.Ttl, h.Class, h.Rrtype = uint32(ttl), class, rtype
	return h, data, err == nil && okClass && okType && isName
}

// Type reads the type of a record, as dns.Type writes it.
func Type(word string) (uint16, bool) { return number(dns.StringToType, "TYPE", word) }

// number reads a mnemonic, or a number as RFC 3597, Section 5, writes it.
func number(mnemonics map[string]uint16, prefix, word string) (uint16, bool) {
	if n, ok := mnemonics[word]; ok {
		return n, true
	}
	digits, generic := strings.CutPrefix(word, prefix)
	n, err := strconv.ParseUint(digits, 10, 16)
	return uint16(n), generic && err == nil
}

// An Unread is a record whose data could not be read. It is written as it was read.
type Unread struct {
	*dns.RFC3597 // its owner and type, if these are known
	Text         string
}

// String returns the record as it was read.
func (rr *Unread) String() string {
	if rr.Hdr.Rrtype == 0 {
		return rr.Text
	}
	return rr.Hdr.String() + rr.Text
}

// unread makes a record of a line that Parse does not read.
func unread(line string) *Unread {
	h, data, ok := cutHeader(line)
	rr := &Unread{&dns.RFC3597{Hdr: h}, data}
	if !ok || h.Rrtype == 0 || Record(rr) != line {
		return &Unread{new(dns.RFC3597), line}
	}
	return rr
}

// isNil reports whether a record is missing: a nil pointer in an interface is none.
func isNil(rr dns.RR) bool {
	v := reflect.ValueOf(rr)
	return !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil()
}
