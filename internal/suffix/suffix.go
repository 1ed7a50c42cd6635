// Package suffix has the public suffix list: under which names anybody may register
// a domain, and which domain a name belongs to.
package suffix

import (
	"strings"

	"golang.org/x/net/publicsuffix"
)

// Organizational returns the registrable domain of a canonical name by the
// public suffix list: one label more than the suffix. It returns "" for a name
// that is itself a public suffix, and for the root.
func Organizational(name string) string {
	// The list's package splits at every dot, an escaped one too.
	plain := withoutEscapes(strings.TrimSuffix(name, "."))
	domain, err := publicsuffix.EffectiveTLDPlusOne(plain)
	if err != nil {
		return ""
	}
	return name[len(plain)-len(domain):]
}

// Registered returns the domain that a canonical name's registry has sold: as
// Organizational, but by the part of the list that is about registries. Of a name below
// a hosting provider's suffix that is the provider's domain, not the customer's. It
// returns "" for a name that is itself such a suffix, and for the root.
func Registered(name string) string {
	plain := withoutEscapes(strings.TrimSuffix(name, "."))
	suffix, icann := publicsuffix.PublicSuffix(plain)
	for !icann {
		_, above, ok := strings.Cut(suffix, ".")
		if !ok {
			break // a top-level domain that is not in the list
		}
		suffix, icann = publicsuffix.PublicSuffix(above)
	}
	below, ok := strings.CutSuffix(plain, "."+suffix)
	if !ok {
		return ""
	}
	return name[strings.LastIndexByte(below, '.')+1:]
}

// Private reports whether a canonical name is a suffix in the part of the list that is not
// about registries: its owner lets others have names below it, as a hosting
// provider or a university does. Receivers that go by the whole list take the names below
// it for those of strangers.
func Private(name string) bool { return Organizational(name) == "" && Registered(name) != "" }

func withoutEscapes(name string) string {
	if strings.IndexByte(name, '\\') < 0 {
		return name
	}
	return hideEscapes.Replace(name)
}

// hideEscapes keeps the length, and makes no label that is in the list.
var hideEscapes = strings.NewReplacer(`\\`, "__", `\.`, "__")
