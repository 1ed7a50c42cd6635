package ptrname

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"strconv"
	"strings"

	"github.com/bonafide-mta/bonafide/internal/suffix"
)

// An examination looks at one name. It allocates next to nothing: every connection
// brings a name.
type examination struct {
	name    string // canonical, without the final dot
	host    string // what stands before the organization's domain; "" for the domain itself
	org     string // the organization's domain
	left    string // the first label of host
	reasons []Reason

	numbers  [maxNumbers]span // of digits, in the whole name
	count    int
	digits   int  // in the longest number
	hexRun   int  // the most hexadecimal digits in a row
	hexPairs int  // how many pairs of them stand alone
	strong   bool // the address stands in the name, whole or mostly
	assigned bool // the first word is one of those that speak for generic
}

// maxNumbers is how many numbers of a name are looked at.
const maxNumbers = 24

// A span is a number in the name. Its value is -1 where it has over three digits.
type span struct{ start, end, value int }

func (e *examination) text(s span) string { return e.name[s.start:s.end] }

func (e *examination) add(c Code, part string) {
	e.reasons = append(e.reasons, Reason{Code: c, Weight: weights[c], Part: part})
}

// split finds the parts of the name.
func (e *examination) split() {
	e.org = suffix.Registered(e.name)
	if e.host = e.name; e.org != "" {
		e.host = strings.TrimSuffix(strings.TrimSuffix(e.name, e.org), ".")
	}
	e.left, _, _ = strings.Cut(e.host, ".")
	for i := 0; i < len(e.name) && e.count < maxNumbers; {
		if !isDigit(e.name[i]) {
			i++
			continue
		}
		s := span{start: i}
		for i < len(e.name) && isDigit(e.name[i]) {
			if s.value = 10*s.value + int(e.name[i]-'0'); i-s.start >= 3 {
				s.value = -1
			}
			i++
		}
		s.end = i
		e.numbers[e.count] = s
		e.count++
		e.digits = max(e.digits, s.end-s.start)
	}
	run := 0
	for i := range len(e.name) + 1 {
		if i < len(e.name) && isHex(e.name[i]) {
			run++
			continue
		}
		e.hexRun = max(e.hexRun, run)
		if run == 2 {
			e.hexPairs++
		}
		run = 0
	}
}

func isDigit(c byte) bool  { return '0' <= c && c <= '9' }
func isLetter(c byte) bool { return 'a' <= c && c <= 'z' }
func isHex(c byte) bool    { return isDigit(c) || 'a' <= c && c <= 'f' }

// address looks for the address in the whole name: some providers have it in the label
// that is registered.
func (e *examination) address(addr netip.Addr) {
	switch {
	case addr.Is4():
		e.address4(addr.As4())
	case addr.Is6():
		e.address6(addr.As16())
	}
}

func (e *examination) address4(o [4]byte) {
	if part := e.whole4(o); part != "" {
		e.strong = true
		e.add(AddressWhole, part)
		return
	}
	if part := e.most4(o); part != "" {
		e.strong = true
		e.add(AddressMost, part)
		return
	}
	if part := e.pair(o[2], o[3]); part != "" {
		e.add(AddressLow, part)
	} else if part := e.last(o[3]); part != "" {
		e.add(AddressLast, part)
	}
	if part := e.pair(o[0], o[1]); part != "" {
		e.add(AddressHigh, part)
	}
}

// is reports whether a number is an octet, with leading zeros or not.
func (e *examination) is(i int, octet byte) bool { return e.numbers[i].value == int(octet) }

// between returns the part of the name from one number to another.
func (e *examination) between(i, j int) string { return e.name[e.numbers[i].start:e.numbers[j].end] }

// whole4 finds all four octets: as numbers in any order, side by side or not; written
// together, with leading zeros or not; in hexadecimal; as one number.
func (e *examination) whole4(o [4]byte) string {
	if first, last, ok := e.scattered(o[:]); ok {
		return e.between(first, last)
	}
	r := [4]byte{o[3], o[2], o[1], o[0]}
	for _, octets := range [][4]byte{o, r} {
		if part := e.together(octets[:], 7); part != "" {
			return part
		}
		if part := e.hex(octets[:]); part != "" {
			return part
		}
		var buf [10]byte
		if e.digits < 8 { // of addresses from 0.152.150.128 on
			continue
		}
		if part := e.number(strconv.AppendUint(buf[:0], uint64(binary.BigEndian.Uint32(octets[:])), 10)); part != "" {
			return part
		}
	}
	return ""
}

// most4 finds three octets in a row.
func (e *examination) most4(o [4]byte) string {
	for _, low := range []int{1, 0} {
		three := [3]byte(o[low : low+3])
		reversed := [3]byte{three[2], three[1], three[0]}
		for _, octets := range [][3]byte{three, reversed} {
			for i := 0; i+2 < e.count; i++ {
				if e.is(i, octets[0]) && e.is(i+1, octets[1]) && e.is(i+2, octets[2]) {
					return e.between(i, i+2)
				}
			}
			if part := e.together(octets[:], 6); part != "" {
				return part
			}
			if part := e.hex(octets[:]); part != "" {
				return part
			}
		}
	}
	return ""
}

// scattered finds every octet in a number of its own, no more than two others between
// them.
func (e *examination) scattered(octets []byte) (first, last int, ok bool) {
	for first := 0; first+len(octets) <= e.count; first++ {
		var used [maxNumbers]bool
		last, found := first, 0
		end := min(e.count, first+len(octets)+2)
		for _, octet := range octets {
			for i := first; i < end; i++ {
				if !used[i] && e.is(i, octet) {
					used[i] = true
					last = max(last, i)
					found++
					break
				}
			}
		}
		if found == len(octets) && used[first] {
			return first, last, true
		}
	}
	return 0, 0, false
}

// together finds octets written as one number, all with leading zeros, none, or all but
// the first.
func (e *examination) together(octets []byte, digits int) string {
	if e.digits < digits {
		return ""
	}
	for form := range 3 {
		var buf [12]byte
		text := buf[:0]
		for i, o := range octets {
			if form == 1 || form == 2 && i > 0 {
				if o < 100 {
					text = append(text, '0')
				}
				if o < 10 {
					text = append(text, '0')
				}
			}
			text = strconv.AppendUint(text, uint64(o), 10)
		}
		if len(text) >= digits {
			if part := e.number(text); part != "" {
				return part
			}
		}
	}
	return ""
}

// number finds a number of just these digits.
func (e *examination) number(digits []byte) string {
	for _, s := range e.numbers[:e.count] {
		if e.text(s) == string(digits) {
			return e.text(s)
		}
	}
	return ""
}

// hex finds octets in hexadecimal, in one piece or in pairs, where no other such digit
// stands beside them.
func (e *examination) hex(octets []byte) string {
	const digits = "0123456789abcdef"
	for _, sep := range []byte{0, '-', '.'} {
		if sep == 0 && e.hexRun < 2*len(octets) || sep != 0 && e.hexPairs < len(octets) {
			continue
		}
		var buf [12]byte
		text := buf[:0]
		for i, o := range octets {
			if sep != 0 && i > 0 {
				text = append(text, sep)
			}
			text = append(text, digits[o>>4], digits[o&15])
		}
		for from := 0; ; {
			i := strings.Index(e.name[from:], string(text))
			if i < 0 {
				break
			}
			start, end := from+i, from+i+len(text)
			if (start == 0 || !isHex(e.name[start-1])) && (end == len(e.name) || !isHex(e.name[end])) {
				return e.name[start:end]
			}
			from = start + 1
		}
	}
	return ""
}

// pair finds two octets side by side, in either order, or written as one number.
func (e *examination) pair(a, b byte) string {
	for i := 0; i+1 < e.count; i++ {
		if e.is(i, a) && e.is(i+1, b) || e.is(i, b) && e.is(i+1, a) {
			return e.between(i, i+1)
		}
	}
	if part := e.together([]byte{a, b}, 4); part != "" {
		return part
	}
	return e.together([]byte{b, a}, 4)
}

// last finds the last octet in the host part. A single digit proves nothing: machines
// are counted so.
func (e *examination) last(o byte) string {
	for i := range e.count {
		if e.numbers[i].end <= len(e.host) && o > 9 && e.is(i, o) {
			return e.text(e.numbers[i])
		}
	}
	return ""
}

// address6 finds an IPv6 address: its digits in a row or between dots and hyphens, in
// either order, or its groups without leading zeros.
func (e *examination) address6(a [16]byte) {
	const digits = "0123456789abcdef"
	var nibbles, reversed [32]byte
	for i, b := range a {
		nibbles[2*i], nibbles[2*i+1] = digits[b>>4], digits[b&15]
	}
	for i := range nibbles {
		reversed[31-i] = nibbles[i]
	}
	var buf [256]byte
	squeezed := buf[:0]
	for i := range min(len(e.name), len(buf)) {
		if c := e.name[i]; c != '-' && c != '.' {
			squeezed = append(squeezed, c)
		}
	}
	has := func(digits []byte) bool { return bytes.Contains(squeezed, digits) }
	groups := e.groups(a)
	switch {
	case has(nibbles[:]), has(reversed[:]), groups >= 6:
		e.strong = true
		e.add(AddressWhole, e.host)
	case has(nibbles[:16]), has(nibbles[16:]), has(reversed[:16]), has(reversed[16:]), groups >= 4:
		e.strong = true
		e.add(AddressMost, e.host)
	}
}

// groups counts the most groups of an IPv6 address that stand side by side in the
// name, with leading zeros or not, and with the groups that "::" leaves out or not.
func (e *examination) groups(a [16]byte) int {
	var values [maxGroups]int // of the hexadecimal numbers in the name, -1 where one is too long
	n := 0
	for i := 0; i < len(e.name) && n < maxGroups; {
		if !isHex(e.name[i]) {
			i++
			continue
		}
		start, value := i, 0
		for ; i < len(e.name) && isHex(e.name[i]); i++ {
			if digit := int(e.name[i]); digit <= '9' {
				value = value<<4&0xfffff | (digit - '0')
			} else {
				value = value<<4&0xfffff | (digit - 'a' + 10)
			}
		}
		if i-start > 4 {
			value = -1
		}
		values[n] = value
		n++
	}
	most := 0
	for first := range 5 { // later ones leave fewer than four
		for i := range n {
			found := 0
			for g := first; g < 8; g++ {
				group := int(binary.BigEndian.Uint16(a[2*g:]))
				if i+found < n && values[i+found] == group {
					found++
				} else if group != 0 || found == 0 {
					break
				}
			}
			most = max(most, found)
		}
	}
	return most
}

// maxGroups is how many hexadecimal numbers of a name are looked at.
const maxGroups = 40
