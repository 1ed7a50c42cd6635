// Package enum gives the enumerations of this module their text methods. Each
// has a table of keywords indexed by value; an empty keyword marks a value that
// is invalid, as the zero value of nearly all of them is.
package enum

import (
	"fmt"
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
