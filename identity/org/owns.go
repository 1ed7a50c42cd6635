package org

import (
	"slices"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/suffix"
)

// Owns reports whether a name is the organization's, which is what the description says:
//
//   - Domain, each mail domain and each of Zones, and the names below them;
//   - each of Names, without the names below it;
//   - a name with the same registered domain as Domain by the public suffix list. If Domain is
//     deeper than a registered domain, such as museum.example.org, all names of example.org
//     count, because receivers see one organization.
//
// If Domain is itself a public suffix, only names below it count. HELO and PTR names are
// not the organization's for being described: they may be a provider's. The name may be in
// any form; a text that is not a DNS name is nobody's. See OwnsFunc for many names.
func (o *Organization) Owns(name string) bool { return o.OwnsFunc()(name) }

// OwnsFunc returns Owns for many names: each costs work by its labels alone, however much is
// described. Later changes of o do not matter to it. It can be called concurrently.
func (o *Organization) OwnsFunc() func(name string) bool {
	exact, above := make(map[string]bool), make(map[string]bool)
	for _, name := range o.described() {
		exact[name] = true
		above[name] = name != "."
	}
	for _, name := range o.Names {
		exact[dnsname.CanonicalOrEmpty(name)] = true
	}
	registered := ""
	if domain := dnsname.CanonicalOrEmpty(o.Domain); domain != "" {
		registered = suffix.Organizational(domain)
	}
	return func(name string) bool {
		n := dnsname.CanonicalOrEmpty(name)
		if n == "" || exact[n] {
			return n != ""
		}
		for at := n; at != ""; at = dnsname.Parent(at) {
			if above[at] {
				return true
			}
		}
		return registered != "" && registered == suffix.Organizational(n)
	}
}

// described returns Domain, the mail domains and the zones, canonical and each once.
func (o *Organization) described() []string {
	names := []string{o.Domain}
	for _, d := range o.Mail {
		names = append(names, d.Domain)
	}
	names = append(names, o.Zones...)
	var out []string
	seen := map[string]bool{"": true}
	for _, name := range names {
		if name = dnsname.CanonicalOrEmpty(name); !seen[name] {
			seen[name] = true
			out = append(out, name)
		}
	}
	return out
}

// Domains returns the domains of the organization, canonical: Domain first, then the mail
// domains and zones that are registered domains and not below Domain, in the order of the
// description. Each of them has contacts and a CSA policy of its own. Zones of reverse names,
// and names that mean nothing in the public DNS, are not among them.
func (o *Organization) Domains() []string {
	domain := dnsname.CanonicalOrEmpty(o.Domain)
	return slices.DeleteFunc(o.described(), func(name string) bool {
		if name == domain {
			return false
		}
		// A private suffix of the list, such as a university's, is registered, and so is what
		// a customer has below that of a provider.
		registered := name == suffix.Organizational(name) || name == suffix.Registered(name)
		return !registered || domain != "" && dnsname.Under(name, domain) || dnsname.Under(name, "arpa.") || dnsname.SpecialUse(name)
	})
}
