package helo

import (
	"errors"
	"fmt"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/enum"
	"github.com/bonafide-mta/bonafide/internal/suffix"
)

// ErrPublicSuffix is the error for a name that is a public suffix: anyone may register names
// under it, so it belongs to no organization.
var ErrPublicSuffix = errors.New("a public suffix belongs to no organization")

// OrganizationalDomain returns the domain that was registered for name, by the
// public suffix list: example.co.uk. for mail.example.co.uk. The name may be in
// any form; the result is canonical. A top-level domain that is not in the list
// counts as a public suffix.
//
// The error wraps resolver.ErrName if the text is not a name, and [ErrPublicSuffix] if the
// name is itself a public suffix, or the root.
func OrganizationalDomain(name string) (string, error) {
	canonical, err := dnsname.Canonical(name)
	if err != nil {
		return "", fmt.Errorf("helo: %w", err)
	}
	domain := suffix.Organizational(canonical)
	if domain == "" {
		return "", fmt.Errorf("helo: %s: %w", canonical, ErrPublicSuffix)
	}
	return domain, nil
}

// Unicode returns a name with its A-labels as U-labels, to show it to people, and
// in canonical form otherwise: müller.example. for xn--mller-kva.example. Never
// compare or look up what it returns. A text that is not a name is returned as it
// is, and is as untrusted as before.
func Unicode(name string) string {
	canonical, err := dnsname.Canonical(name)
	if err != nil {
		return name
	}
	return dnsname.Unicode(canonical)
}

// A Relation says what a HELO name and a PTR name of the client have in common. The zero
// Relation is invalid.
type Relation uint8

// The relations, the best first.
const (
	_ Relation = iota
	// SameOrganization: another name of the same organization. Malware that only looks up
	// its own PTR name does not find it: the "newer standard" of the advice page.
	SameOrganization
	// Identical: the same name. Any infected machine can look up its own PTR name and use
	// it in HELO.
	Identical
	// Unrelated: a name of another organization, or of none.
	Unrelated
)

var relationText = []string{SameOrganization: "same-organization", Identical: "identical", Unrelated: "unrelated"}

// String returns same-organization, identical or unrelated.
func (r Relation) String() string { return enum.String(r, relationText) }

// MarshalText returns the text of String; an invalid Relation is an error.
func (r Relation) MarshalText() ([]byte, error) { return enum.Marshal(r, relationText) }

// UnmarshalText accepts what MarshalText returns, in any case.
func (r *Relation) UnmarshalText(text []byte) error { return enum.Unmarshal(r, text, relationText) }

// Relate returns the relation of a HELO name to a PTR name. For different names of one
// organization it also returns the domain that both are under, in canonical form. Domains
// are organizational domains that the caller knows, and are tried first, in order: they may
// be deeper than a registered domain (a part of a friendly organization's) or a public
// suffix of one's own. Then the public suffix list decides.
//
// Only a confirmed PTR name (package fcrdns) proves anything. A text that is not a name is
// unrelated to everything.
func Relate(heloName, ptr string, domains ...string) (Relation, string) {
	h, errHelo := dnsname.Canonical(heloName)
	p, errPTR := dnsname.Canonical(ptr)
	if errHelo != nil || errPTR != nil {
		return Unrelated, ""
	}
	if h == p {
		return Identical, ""
	}
	for _, domain := range domains {
		d, err := dnsname.Canonical(domain)
		if err == nil && d != "." && dnsname.Under(h, d) && dnsname.Under(p, d) {
			return SameOrganization, d
		}
	}
	if d := suffix.Organizational(h); d != "" && d == suffix.Organizational(p) {
		return SameOrganization, d
	}
	return Unrelated, ""
}
