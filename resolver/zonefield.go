package resolver

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
)

// A field is a part of the data of a record, in text and on the wire. The fields of a type
// take all of its data.
type field struct {
	expected string // for messages
	// read takes the tokens of the field and appends its wire form. Data without another
	// token give it the zero token.
	read func(d *dataReader) bool
	// end returns where the field ends in wire data that it begins in, or -1.
	end func(data []byte, at int) int
	// isName: letters of either case are the same.
	isName bool
}

// word makes a field of one unquoted token from what reads it.
func word(expected string, end func([]byte, int) int, read func(d *dataReader, text string) bool) field {
	return field{expected: expected, read: func(d *dataReader) bool {
		t := d.next()
		return t.text != "" && !t.quoted && read(d, t.text)
	}, end: end}
}

// octets is the end of a field of n octets.
func octets(n int) func([]byte, int) int {
	return func(data []byte, at int) int {
		if len(data)-at < n {
			return -1
		}
		return at + n
	}
}

// anyRest is the end of a field of at least n octets that takes the rest of the data.
func anyRest(n int) func([]byte, int) int {
	return func(data []byte, at int) int {
		if len(data)-at < n {
			return -1
		}
		return len(data)
	}
}

// number is an unsigned integer of some octets.
func number(size int) field {
	most := uint64(1)<<(8*size) - 1
	return word("a number of at most "+strconv.FormatUint(most, 10), octets(size), func(d *dataReader, text string) bool {
		n, ok := parseNumber(text, most)
		d.uint(n, size)
		return ok
	})
}

// parseNumber reads decimal digits, and nothing else that strconv knows.
func parseNumber(text string, most uint64) (uint64, bool) {
	var n uint64
	for i := range len(text) {
		digit := uint64(text[i]) - '0'
		if digit > 9 || n > most/10 {
			return 0, false
		}
		n = 10*n + digit
	}
	return n, n <= most && text != ""
}

var (
	uint8Field, uint16Field, uint32Field = number(1), number(2), number(4)

	// seconds is a number of seconds, which BIND lets units be in.
	seconds = word("a number of seconds, or units as in 1h30m", octets(4), func(d *dataReader, text string) bool {
		n, ok := parseTTL(text)
		d.uint(uint64(n), 4)
		return ok
	})

	name = field{"a name", func(d *dataReader) bool {
		t := d.next()
		return t.text != "" && !t.quoted && d.name(t.text)
	}, func(data []byte, at int) int {
		n := dnsname.WireLen(data[at:])
		if n < 0 {
			return -1
		}
		return at + n
	}, true}

	ipv4 = word("an IPv4 address", octets(4), func(d *dataReader, text string) bool {
		addr, err := netip.ParseAddr(text)
		d.out = append(d.out, addr.AsSlice()...)
		return err == nil && addr.Is4()
	})

	ipv6 = word("an IPv6 address", octets(16), func(d *dataReader, text string) bool {
		addr, err := netip.ParseAddr(text)
		d.out = append(d.out, addr.AsSlice()...)
		return err == nil && addr.Is6() && addr.Zone() == ""
	})
)

// oneString is a character string; allStrings are one or more, to the end of the data
// (RFC 1035, Section 3.3).
var (
	oneString  = field{"a string of at most 255 octets", (*dataReader).charString, stringEnd, false}
	allStrings = field{oneString.expected, func(d *dataReader) bool {
		for ok := d.charString(); ; ok = d.charString() {
			if !ok || len(d.tokens) == 0 {
				return ok
			}
		}
	}, func(data []byte, at int) int {
		for at = stringEnd(data, at); at > 0 && at < len(data); {
			at = stringEnd(data, at)
		}
		return at
	}, false}
	// maybeString may be missing.
	maybeString = field{oneString.expected, func(d *dataReader) bool {
		return len(d.tokens) == 0 || d.charString()
	}, func(data []byte, at int) int {
		if at == len(data) {
			return at
		}
		return stringEnd(data, at)
	}, false}
	// digits are a string of an X.121 address (RFC 1183, Section 3.1).
	digits = field{"a string of at least 4 digits", func(d *dataReader) bool {
		start := len(d.out)
		return d.charString() && isDigits(d.out[start+1:])
	}, func(data []byte, at int) int {
		end := stringEnd(data, at)
		if end > 0 && !isDigits(data[at+1:end]) {
			return -1
		}
		return end
	}, false}
	// longString is one token of any length that takes the rest of the data.
	longString = field{"a string", func(d *dataReader) bool {
		return len(d.tokens) > 0 && d.text(d.next())
	}, anyRest(0), false}
	quotedString = field{"a string in quotes", func(d *dataReader) bool {
		t := d.next()
		return t.quoted && d.text(t)
	}, anyRest(0), false}
)

func isDigits(text []byte) bool {
	return len(text) >= 4 && !slices.ContainsFunc(text, func(c byte) bool { return c < '0' || c > '9' })
}

func stringEnd(data []byte, at int) int {
	if at >= len(data) || at+1+int(data[at]) > len(data) {
		return -1
	}
	return at + 1 + int(data[at])
}

// propertyTag is the tag of a CAA record (RFC 8659, Section 4.1).
var propertyTag = word("a tag of letters and digits", func(data []byte, at int) int {
	end := stringEnd(data, at)
	if end > 0 && !isTag(string(data[at+1:end])) {
		return -1
	}
	return end
}, func(d *dataReader, text string) bool {
	d.out = append(append(d.out, byte(len(text))), text...)
	return isTag(text)
})

func isTag(text string) bool {
	return text != "" && len(text) <= 255 && strings.Trim(strings.ToLower(text), "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}

// mnemonic is a number of some octets that has names.
func mnemonic(size int, names map[string]uint64) field {
	most := uint64(1)<<(8*size) - 1
	return word("a number of at most "+strconv.FormatUint(most, 10)+" or its mnemonic", octets(size), func(d *dataReader, text string) bool {
		n, ok := parseNumber(text, most)
		if !ok {
			n, ok = names[strings.ToUpper(text)]
		}
		d.uint(n, size)
		return ok
	})
}

// The mnemonics that BIND reads, and those of miekg/dns, which writes them.
var (
	algorithms = map[string]uint64{
		"RSAMD5": 1, "DH": 2, "DSA": 3, "RSASHA1": 5, "NSEC3DSA": 6, "DSA-NSEC3-SHA1": 6, "NSEC3RSASHA1": 7, "RSASHA1-NSEC3-SHA1": 7,
		"RSASHA256": 8, "RSASHA512": 10, "ECCGOST": 12, "ECC-GOST": 12, "ECDSAP256SHA256": 13, "ECDSA256": 13,
		"ECDSAP384SHA384": 14, "ECDSA384": 14, "ED25519": 15, "ED448": 16, "INDIRECT": 252, "PRIVATEDNS": 253, "PRIVATEOID": 254,
	}
	digestTypes = map[string]uint64{"SHA-1": 1, "SHA1": 1, "SHA-256": 2, "SHA256": 2, "GOST": 3, "SHA-384": 4, "SHA384": 4}
	protocols   = map[string]uint64{"NONE": 0, "TLS": 1, "EMAIL": 2, "DNSSEC": 3, "IPSEC": 4, "ALL": 255}
	certTypes   = map[string]uint64{"PKIX": 1, "SPKI": 2, "PGP": 3, "IPKIX": 4, "ISPKI": 5, "IPGP": 6, "ACPKIX": 7, "IACPKIX": 8, "URI": 253, "OID": 254}
	keyFlags    = map[string]uint64{"ZONE": 0x100, "KSK": 0x1, "ZONE|KSK": 0x101, "KSK|ZONE": 0x101}
	hashes      = map[string]uint64{"SHA-1": 1}

	algorithm, digestType, protocol = mnemonic(1, algorithms), mnemonic(1, digestTypes), mnemonic(1, protocols)
	certType, keyFlag, hash         = mnemonic(2, certTypes), mnemonic(2, keyFlags), mnemonic(1, hashes)
)

// digest is hexadecimal digits to the end of the data: of the length that the octet before
// says, where lengths has it, else of at least some octets.
func digest(least int, lengths map[byte]int) field {
	end := func(data []byte, at int) int {
		if length, ok := lengths[data[at-1]]; ok && len(data)-at != length {
			return -1
		}
		return anyRest(least)(data, at)
	}
	return field{"hexadecimal digits, as many as the data need", func(d *dataReader) bool {
		at := len(d.out)
		out, err := hex.AppendDecode(d.out, []byte(d.rest()))
		d.out = out
		return err == nil && end(d.out, at) >= 0
	}, end, false}
}

var base64Data = field{"base64 data", func(d *dataReader) bool {
	at := len(d.out)
	out, err := base64.StdEncoding.Strict().AppendDecode(d.out, []byte(d.rest()))
	d.out = out
	return err == nil && len(out) > at
}, anyRest(1), false}

var salt = word(`a salt of hexadecimal digits, or "-"`, stringEnd, func(d *dataReader, text string) bool {
	if text == "-" {
		text = ""
	}
	octets, err := hex.DecodeString(text)
	d.out = append(append(d.out, byte(len(octets))), octets...)
	return err == nil && len(octets) <= 255
})

// hashedName is the next name of NSEC3 (RFC 5155, Section 3.3): of SHA-1, the one hash.
var hashedName = word("a hash in base 32", func(data []byte, at int) int {
	end := stringEnd(data, at)
	if end == at+1 || end > 0 && data[0] == 1 && data[at] != 20 {
		return -1
	}
	return end
}, func(d *dataReader, text string) bool {
	encoding := base32.HexEncoding.WithPadding(base32.NoPadding)
	octets, err := encoding.DecodeString(strings.ToUpper(text))
	d.out = append(append(d.out, byte(len(octets))), octets...)
	whole := encoding.EncodeToString(octets) == strings.ToUpper(text) // RFC 4648, Section 3.5: the bits that are left are zero
	return err == nil && whole && len(octets) > 0 && len(octets) <= 155 && (d.out[d.start] != 1 || len(octets) == 20)
})

// typeMap is the types of NSEC and its kin, in any order (RFC 4034, Section 4.1.2).
func typeMap(least int) field {
	return field{"record types", func(d *dataReader) bool {
		var types []uint16
		for len(d.tokens) > 0 {
			t := d.next()
			rtype, ok := parseType(t.text)
			if !ok || t.quoted {
				return false
			}
			types = append(types, rtype)
		}
		slices.Sort(types)
		block := 0 // where the block of the last window begins
		for i, rtype := range types {
			if i == 0 || types[i-1]>>8 != rtype>>8 {
				block = len(d.out)
				d.out = append(d.out, byte(rtype>>8), 0)
			}
			for int(rtype&0xff)/8 >= len(d.out)-block-2 {
				d.out = append(d.out, 0)
			}
			d.out[block+2+int(rtype&0xff)/8] |= 0x80 >> (rtype % 8)
			d.out[block+1] = byte(len(d.out) - block - 2)
		}
		return len(types) >= least
	}, func(data []byte, at int) int {
		if len(data)-at < least {
			return -1
		}
		for window := -1; at < len(data); {
			size := 0
			if at+1 < len(data) {
				size = int(data[at+1])
			}
			end := at + 2 + size
			if size == 0 || size > 32 || end > len(data) || int(data[at]) <= window || data[end-1] == 0 {
				return -1
			}
			window, at = int(data[at]), end
		}
		return at
	}, false}
}

var coveredType = word("a record type", octets(2), func(d *dataReader, text string) bool {
	rtype, ok := parseType(text)
	if !ok {
		n, isNumber := parseNumber(text, math.MaxUint16)
		rtype, ok = uint16(n), isNumber
	}
	d.uint(uint64(rtype), 2)
	return ok
})

// moment is a time of RRSIG (RFC 4034, Section 3.2).
var moment = word("a time as in 20301231235959, or in seconds", octets(4), func(d *dataReader, text string) bool {
	n, ok := parseNumber(text, math.MaxUint32)
	if len(text) > 10 {
		t, err := time.Parse("20060102150405", text)
		n, ok = uint64(t.Unix())&math.MaxUint32, err == nil && t.Year() >= 1970
	}
	d.uint(n, 4)
	return ok
})

// groups are some groups of two or four hexadecimal digits: an EUI (RFC 7043), or a
// locator (RFC 6742), whose zeros in front may be left out.
func groups(count, digits int, separator string) field {
	return word("hexadecimal digits with "+separator, octets(count*digits/2), func(d *dataReader, text string) bool {
		parts := strings.Split(text, separator)
		for _, part := range parts {
			n, err := strconv.ParseUint(part, 16, 4*digits)
			if err != nil || len(part) > digits || separator == "-" && len(part) < digits {
				return false
			}
			d.uint(n, digits/2)
		}
		return len(parts) == count
	})
}

func (d *dataReader) uint(n uint64, size int) {
	var octets [8]byte
	binary.BigEndian.PutUint64(octets[:], n)
	d.out = append(d.out, octets[8-size:]...)
}

// parseType reads a type, its mnemonic or as RFC 3597, Section 5, writes it.
func parseType(token string) (uint16, bool) {
	if rtype, ok := dns.StringToType[token]; ok {
		return rtype, ok
	}
	token = strings.ToUpper(token)
	if rtype, ok := dns.StringToType[token]; ok {
		return rtype, ok
	}
	if rtype, ok := moreTypes[token]; ok {
		return rtype, ok
	}
	digits, generic := strings.CutPrefix(token, "TYPE")
	n, ok := parseNumber(digits, math.MaxUint16)
	return uint16(n), generic && ok
}

// moreTypes are those that miekg/dns does not know.
var moreTypes = map[string]uint16{
	"WKS": 11, "NSAP": typeNSAP, "A6": 38, "SINK": 40, "DSYNC": 66, "HHIT": 67, "BRID": 68, "DOA": 259, "WALLET": 262, "CLA": 263, "IPN": 264,
}

const typeNSAP = 22
