// Package enum gives the enumerations of this module their text methods. Each
// has a table of keywords indexed by value; an empty keyword marks a value that
// is invalid, as the zero value of nearly all of them is. A set of bits has one of keywords
// indexed by bit.
package enum

import (
	"fmt"
	"slices"
	"strings"
)

// String returns the keyword of e, and the type and the number of an invalid
// value, as in "fcrdns.Status(0)".
func String[E ~uint8](e E, keywords []string) string {
	if int(e) >= len(keywords) || keywords[e] == "" {
		return fmt.Sprintf("%T(%d)", e, uint8(e))
	}
	return keywords[e]
}

// Marshal returns the keyword of e; an invalid value is an error.
func Marshal[E ~uint8](e E, keywords []string) ([]byte, error) {
	if int(e) >= len(keywords) || keywords[e] == "" {
		return nil, fmt.Errorf("no such %T: %d", e, uint8(e))
	}
	return []byte(keywords[e]), nil
}

// Unmarshal sets e to the value whose keyword is text, in any case. The error
// lists what was expected.
func Unmarshal[E ~uint8](e *E, text []byte, keywords []string) error {
	var expected []string
	for i, keyword := range keywords {
		if keyword == "" {
			continue
		}
		if strings.EqualFold(keyword, string(text)) {
			*e = E(i)
			return nil
		}
		expected = append(expected, keyword)
	}
	return fmt.Errorf("%q: expected one of %s", text, strings.Join(expected, ", "))
}

// All returns the values that are valid, in their order, in a new slice.
func All[E ~uint8](keywords []string) []E {
	var all []E
	for i, keyword := range keywords {
		if keyword != "" {
			all = append(all, E(i))
		}
	}
	return all
}

// SetString lists the keywords of the bits in a set, separated by commas; "" is the empty set.
func SetString[S ~uint8 | ~uint16](set S, keywords []string) string {
	var words []string
	for i, word := range keywords {
		if set&(1<<i) != 0 {
			words = append(words, word)
		}
	}
	return strings.Join(words, ",")
}

// MarshalSet returns what SetString does; a bit without a keyword is an error.
func MarshalSet[S ~uint8 | ~uint16](set S, keywords []string) ([]byte, error) {
	if set>>len(keywords) != 0 {
		return nil, fmt.Errorf("no such %T: %d", set, set)
	}
	return []byte(SetString(set, keywords)), nil
}

// UnmarshalSet sets a set to the bits whose keywords are in text, in any case.
func UnmarshalSet[S ~uint8 | ~uint16](set *S, text []byte, keywords []string) error {
	var read S
	for word := range strings.SplitSeq(string(text), ",") {
		i := slices.IndexFunc(keywords, func(keyword string) bool { return strings.EqualFold(keyword, word) })
		if i < 0 && len(text) > 0 {
			return fmt.Errorf("%q: expected some of %s", word, strings.Join(keywords, ","))
		}
		if i >= 0 {
			read |= 1 << i
		}
	}
	*set = read
	return nil
}
