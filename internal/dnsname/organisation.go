package dnsname

import (
	"strings"

	"golang.org/x/net/publicsuffix"
)

// Organisational returns the registrable domain of a canonical name by the
// public suffix list: one label more than the suffix. It returns "" for a name
// that is itself a public suffix, and for the root.
func Organisational(name string) string {
	// The list's package splits at every dot, an escaped one too.
	plain := hideEscapes.Replace(strings.TrimSuffix(name, "."))
	domain, err := publicsuffix.EffectiveTLDPlusOne(plain)
	if err != nil {
		return ""
	}
	return name[len(plain)-len(domain):]
}

// hideEscapes keeps the length, and makes no label that is in the list.
var hideEscapes = strings.NewReplacer(`\\`, "__", `\.`, "__")
