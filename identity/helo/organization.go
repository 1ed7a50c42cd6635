package helo

import (
	"errors"
	"fmt"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/enum"
	"github.com/bonafide-mta/bonafide/internal/suffix"
)

// ErrPublicSuffix says that a name is a public suffix, under which anyone may
// register names: it belongs to no organization.
var ErrPublicSuffix = errors.New("a public suffix belongs to no organization")

// OrganizationalDomain returns the domain that was registered for name, by the
// public suffix list: example.co.uk. for mail.example.co.uk. The name may be in
// any form; the result is canonical. A top-level domain that is not in the list
// counts as a public suffix.
//
// The error wraps resolver.ErrName when name is none, and [ErrPublicSuffix] when
// it is itself a public suffix, or the root.
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
// compare or look up what it returns. A text that is no name comes back as it is,
// and is as untrusted as it was.
func Unicode(name string) string {
	canonical, err := dnsname.Canonical(name)
	if err != nil {
		return name
	}
	return dnsname.Unicode(canonical)
}

// Relation is how a HELO name stands to a name of the client's address. The zero
// Relation is invalid.
type Relation uint8

// The relations, the best first.
const (
	_ Relation = iota
	// SameOrganization: another name of the same organization. Nobody who only
	// has the address can guess it: the "newer standard" of the advice page.
	SameOrganization
	// Identical: the same name. Its owner's, but any infected machine can look
	// up its own name and greet with it.
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

// Relate tells how a HELO name stands to a PTR name, and the domain by which two
// different names are of one organization, in canonical form, else "". Domains
// are organizational domains that the caller knows, and are tried first, in
// order: they may be deeper than a registered domain (a part of a friendly
// organization's) or a public suffix of one's own. Then the public suffix list
// decides.
//
// Only a confirmed PTR name (package fcrdns) says anything. What is no name is
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
