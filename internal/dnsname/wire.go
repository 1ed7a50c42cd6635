package dnsname

import (
	"errors"
	"fmt"
)

// errLabels is the cause for labels and names of a length that DNS does not have (RFC 1035,
// Section 2.3.4).
var errLabels = errors.New("expected labels of 1 to 63 octets, 255 in all")

// Unescape reads the octet at the beginning of text in the format of RFC 1035, Section 5.1:
// a backslash and three digits are an octet of that value, a backslash and another character
// are that character. size is the number of characters that it takes, 0 for a text without
// such an octet: an empty one, \256, \1x.
func Unescape(text string) (octet byte, size int) {
	if len(text) < 2 || text[0] != '\\' {
		if text == "" || text[0] == '\\' {
			return 0, 0
		}
		return text[0], 1
	}
	if text[1] < '0' || text[1] > '9' {
		return text[1], 2
	}
	if len(text) < 4 {
		return 0, 0
	}
	value := 0
	for _, digit := range []byte(text[1:4]) {
		if digit < '0' || digit > '9' {
			return 0, 0
		}
		value = 10*value + int(digit-'0')
	}
	if value > 255 {
		return 0, 0
	}
	return byte(value), 4
}

// AppendWire appends the wire form of a name (RFC 1035, Section 3.1). origin is in wire form
// and completes a name without a final dot. The error wraps ErrName.
func AppendWire(to []byte, name string, origin []byte) ([]byte, error) {
	if name == "." {
		return append(to, 0), nil
	}
	start, label := len(to), len(to)
	to = append(to, 0)
	for i := 0; i < len(name); {
		c, size := name[i], 1
		switch c {
		case '.':
			length := len(to) - label - 1
			if length == 0 || length > 63 {
				return to, wireError(name, errLabels)
			}
			to[label] = byte(length)
			label = len(to)
			c = 0 // the length of the next label, or the root
		case '\\':
			if c, size = Unescape(name[i:]); size == 0 {
				return to, wireError(name, fmt.Errorf("%#.4q is not an escape, which is a backslash before three digits up to 255 or before another character", name[i:]))
			}
		}
		to = append(to, c)
		if i += size; len(to)-start > 256 {
			return to, wireError(name, errLabels)
		}
	}
	if length := len(to) - label - 1; length > 63 || name == "" {
		return to, wireError(name, errLabels)
	} else if length > 0 {
		to[label] = byte(length)
		to = append(to, origin...)
	}
	if len(to)-start > 255 {
		return to, wireError(name, errLabels)
	}
	return to, nil
}

func wireError(name string, err error) error {
	const most = 255
	if len(name) > most {
		return fmt.Errorf("%w: %.40q and so on: %d characters, %w", ErrName, name, len(name), err)
	}
	return fmt.Errorf("%w: %q: %w", ErrName, name, err)
}

// LowerWire lowers the ASCII letters of a name in wire form. Other octets stay: RFC 4343
// folds A to Z and nothing else.
func LowerWire(wire []byte) {
	for i := 0; i < len(wire) && wire[i] != 0; i += int(wire[i]) + 1 {
		for j := i + 1; j <= i+int(wire[i]) && j < len(wire); j++ {
			if 'A' <= wire[j] && wire[j] <= 'Z' {
				wire[j] += 'a' - 'A'
			}
		}
	}
}

// WireLen returns the length of the name in wire form that data begin with, -1 if they do
// not. A compression pointer is not one of the labels that a name of a zone has.
func WireLen(data []byte) int {
	for i := 0; i < len(data) && i < 255; i += int(data[i]) + 1 {
		switch {
		case data[i] == 0:
			return i + 1
		case data[i] > 63:
			return -1
		}
	}
	return -1
}
