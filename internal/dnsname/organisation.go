package dnsname

import (
	"strings"

	"golang.org/x/net/publicsuffix"
)

// Organisational returns the registrable domain of a canonical name by the
// public suffix list: one label more than the suffix. It returns "" for a name
// that is itself a public suffix, and for the root.
func Organisational(name string) string {
	domain, err := publicsuffix.EffectiveTLDPlusOne(strings.TrimSuffix(name, "."))
	if err != nil {
		return ""
	}
	return domain + "."
}
