package resolver

import (
	"encoding/hex"
	"math"
	"net/netip"
	"strings"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
)

// location is the data of LOC (RFC 1876, Section 3): degrees, minutes and seconds of which
// the last may be missing, an altitude, and a size with two precisions.
var location = field{"a location", func(d *dataReader) bool {
	latitude, okLat := d.angle("N", "S", 90)
	longitude, okLon := d.angle("E", "W", 180)
	t := d.next()
	below, isBelow := strings.CutPrefix(t.text, "-")
	altitude, ok := hundredths(below, 42849672)
	switch {
	case isBelow && altitude > 100_000_00:
		return false
	case isBelow:
		altitude = 100_000_00 - altitude
	default:
		altitude += 100_000_00
	}
	if !okLat || !okLon || !ok || t.quoted || altitude > math.MaxUint32 {
		return false
	}
	d.out = append(d.out, 0) // the version
	for _, size := range []byte{0x12, 0x16, 0x13} {
		if len(d.tokens) > 0 {
			if size, ok = power(d.next()); !ok {
				return false
			}
		}
		d.out = append(d.out, size)
	}
	d.uint(latitude, 4)
	d.uint(longitude, 4)
	d.uint(altitude, 4)
	return true
}, octets(16), false}

// angle reads degrees, minutes, seconds and a direction, as thousandths of a second.
func (d *dataReader) angle(positive, negative string, most uint64) (uint64, bool) {
	const equator = 1 << 31
	thousandths, limit := uint64(0), most*3_600_000
	for i, unit := range []uint64{3_600_000, 60_000, 1} {
		t := d.next()
		if i > 0 && (t.text == positive || t.text == negative) {
			break
		}
		n, ok := parseNumber(t.text, most)
		if i == 2 {
			n, ok = decimal(t.text, 59, 3)
		}
		if !ok || t.quoted {
			return 0, false
		}
		if thousandths += n * unit; i == 2 {
			d.next()
		}
		most = min(most, 59)
	}
	switch {
	case thousandths > limit:
	case d.last.text == positive:
		return equator + thousandths, true
	case d.last.text == negative:
		return equator - thousandths, true
	}
	return 0, false
}

// decimal reads a number with some digits behind the point, as a whole number of them.
func decimal(text string, most uint64, places int) (uint64, bool) {
	whole, part, _ := strings.Cut(text, ".")
	if len(part) > places || text == "" || text == "." {
		return 0, false
	}
	if whole == "" {
		whole = "0"
	}
	n, ok := parseNumber(whole, most)
	for i := range places {
		n *= 10
		if i < len(part) {
			digit := uint64(part[i]) - '0'
			n, ok = n+digit, ok && digit <= 9
		}
	}
	return n, ok
}

// hundredths reads meters as centimeters.
func hundredths(text string, most uint64) (uint64, bool) {
	return decimal(strings.TrimSuffix(text, "m"), most, 2)
}

// power reads meters as LOC keeps a size: one digit, and the power of ten of centimeters
// that it counts.
func power(t token) (byte, bool) {
	n, ok := hundredths(t.text, 90_000_000)
	exponent := byte(0)
	for ; n >= 10; exponent++ {
		n /= 10
	}
	return byte(n)<<4 | exponent, ok && !t.quoted
}

// prefixes are the data of APL (RFC 3123, Section 5), none or more.
var prefixes = field{"prefixes as in 1:192.0.2.0/24", func(d *dataReader) bool {
	for len(d.tokens) > 0 {
		t := d.next()
		text, negated := strings.CutPrefix(t.text, "!")
		family, rest, _ := strings.Cut(text, ":")
		address, length, _ := strings.Cut(rest, "/")
		addr, err := netip.ParseAddr(address)
		bits, ok := parseNumber(length, uint64(addr.BitLen()))
		want := "1"
		if addr.Is6() {
			want = "2"
		}
		if t.quoted || err != nil || !ok || family != want || addr.Zone() != "" {
			return false
		}
		octets := strings.TrimRight(string(addr.AsSlice()), "\x00")
		count := byte(len(octets))
		if negated {
			count |= 0x80
		}
		d.out = append(d.out, 0, want[0]-'0', byte(bits), count)
		d.out = append(d.out, octets...)
	}
	return true
}, anyRest(0), false}

// accessPoint is the data of NSAP (RFC 1706, Section 7).
var accessPoint = word("0x and hexadecimal digits", anyRest(1), func(d *dataReader, text string) bool {
	digits, ok := strings.CutPrefix(strings.ToLower(text), "0x")
	octets, err := hex.DecodeString(strings.ReplaceAll(digits, ".", ""))
	d.out = append(d.out, octets...)
	return ok && err == nil && len(octets) > 0
})

// signer is the name in RRSIG data whose zone the signature is of: it has no more labels than
// the name that was signed (RFC 4034, Section 3.1.3).
var signer = field{name.expected + " of no more labels than are signed", func(d *dataReader) bool {
	at := len(d.out)
	return name.read(d) && labels(d.out[at:]) <= int(d.out[d.start+3])
}, func(data []byte, at int) int {
	end := name.end(data, at)
	if end > 0 && labels(data[at:end]) > int(data[3]) {
		return -1
	}
	return end
}, true}

// labels counts those of a name in wire form, without the root.
func labels(wire []byte) int {
	n := 0
	for at := 0; at < len(wire) && wire[at] != 0; at += int(wire[at]) + 1 {
		n++
	}
	return n
}

// badEscape returns the first text of tokens that begins like an escape and is not one.
func badEscape(tokens []token) string {
	for _, t := range tokens {
		for rest := t.text; rest != ""; {
			_, size := dnsname.Unescape(rest)
			if size == 0 {
				return rest
			}
			rest = rest[size:]
		}
	}
	return ""
}
