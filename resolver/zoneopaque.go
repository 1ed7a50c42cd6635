package resolver

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/txt"
)

// printable returns zone text as the same text in printable ASCII.
func printable(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		escaped := text[i] == '\\' && i+1 < len(text)
		if escaped {
			i++
		}
		switch c := text[i]; {
		case c < ' ' || c > '~':
			fmt.Fprintf(&b, `\%03d`, c)
		case escaped:
			b.WriteString(text[i-1 : i+1])
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// made makes the record that has data. Data that miekg/dns would lose a part of, or write
// in a form that means something else, are kept as octets.
func (r *zoneRecord) made(data []byte) dns.RR {
	if r.unread {
		r.header.Rdlength = 0
		return &txt.Unread{RFC3597: &dns.RFC3597{Hdr: r.header}, Text: string(data)}
	}
	rr, _, err := dns.UnpackRRWithHeader(r.header, data, 0)
	if err == nil && (lossless[r.header.Rrtype] || keeps(rr, data)) {
		return rr
	}
	return &dns.RFC3597{Hdr: r.header, Rdata: hex.EncodeToString(data)}
}

// lossless are types whose valid data miekg/dns always keeps: those that zones have many
// records of.
var lossless = map[uint16]bool{
	dns.TypeA: true, dns.TypeAAAA: true, dns.TypeCNAME: true, dns.TypeDNAME: true, dns.TypeMX: true, dns.TypeNS: true, dns.TypePTR: true,
	dns.TypeRP: true, dns.TypeSOA: true, dns.TypeSPF: true, dns.TypeSRV: true, dns.TypeTXT: true, dns.TypeTLSA: true,
	dns.TypeDNSKEY: true, dns.TypeDS: true, dns.TypeNSEC: true, dns.TypeNSEC3: true, dns.TypeRRSIG: true,
}

// keeps reports whether a record has data on the wire and in its text.
func keeps(rr dns.RR, data []byte) bool {
	packed, err := txt.Wire(rr)
	if err != nil || !bytes.Equal(packed, data) {
		return false
	}
	var again dataReader
	entries := 0 // none for what miekg/dns writes as a comment
	cutEntries(" "+txt.Data(rr), func(e entry) {
		if entries++; e.problem == "" {
			err = again.read(rr.Header().Rrtype, e.tokens)
		}
	})
	return entries == 1 && err == nil && bytes.Equal(again.out, data)
}

// folded returns data as they are compared: names with small letters (RFC 4343).
func folded(rtype uint16, data []byte) string {
	at, copied := 0, false
	for _, f := range forms[rtype].fields {
		end := f.end(data, at)
		if end < 0 { // data that were not read
			break
		}
		if f.isName {
			if !copied {
				data, copied = bytes.Clone(data), true
			}
			dnsname.LowerWire(data[at:end])
		}
		at = end
	}
	return string(data)
}
