package csa

import (
	"context"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/txt"
	"github.com/bonafide-mta/bonafide/resolver"
)

// prefix precedes the name that a record is about in the owner name of the record
// (draft-ietf-marid-csv-csa-02, Section 3).
const prefix = "_client._smtp."

// Owner returns the canonical name at which the CSA records of a name are, or "" if the
// name is not a DNS name or is too long to have one.
func Owner(name string) string {
	canonical := dnsname.CanonicalOrEmpty(name)
	if canonical == "" {
		return ""
	}
	return dnsname.CanonicalOrEmpty(prefix + canonical)
}

// NameOf returns the name that the CSA records at a canonical owner name are about.
func NameOf(owner string) (name string, ok bool) { return strings.CutPrefix(owner, prefix) }

// The fields of a record (draft-ietf-marid-csv-csa-02, Section 2.2).
const (
	revision     = 1 // of the mechanism, in the priority
	ignoreTarget = 1 // bit of the weight: the target's addresses prove nothing
	authorized   = 2 // bit of the weight: the name is used in HELO
	explicit     = 1 // bit of the port: every name below needs a record
)

// known reports whether a receiver can judge by the record: other revisions and the
// reserved weights say nothing.
func known(rr *dns.SRV) bool {
	return rr.Priority == revision && rr.Weight <= authorized|ignoreTarget
}

// verifiable reports whether the addresses of the target of a record prove anything.
func verifiable(rr *dns.SRV) bool { return rr.Weight&ignoreTarget == 0 }

// Authorizes reports whether a record says that its name is used in HELO. It may still
// not tell from which addresses (weight 3).
func Authorizes(rr *dns.SRV) bool { return known(rr) && rr.Weight&authorized != 0 }

// Denies reports whether a record says that its name is never used in HELO.
func Denies(rr *dns.SRV) bool { return known(rr) && rr.Weight&authorized == 0 }

// RequiresExplicit reports whether a record denies every name below its own that has no
// record.
func RequiresExplicit(rr *dns.SRV) bool { return rr.Priority == revision && rr.Port&explicit != 0 }

// Lookup returns the records of a name, sorted. No record is not an error.
func Lookup(ctx context.Context, r resolver.Resolver, name string) ([]*dns.SRV, error) {
	records, err := resolver.LookupSRV(ctx, r, prefix+name)
	if err != nil {
		return nil, err
	}
	return txt.Sorted(records), nil
}
