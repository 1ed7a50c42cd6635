// Package blitiri asks another implementation of SPF, blitiri.com.ar/go/spf, for a
// second opinion, over any Resolver.
//
// It is more lenient than package spf: it evaluates a record before it has read all of
// it, so that it accepts some records that others refuse. If the two disagree about your
// own addresses, so will receivers. It has no explanations, does not report which term
// decided, expands %{p} to "unknown", and asks for AAAA records where exists must ask for
// A. Judge mail by package spf.
package blitiri

import (
	"context"
	"encoding/json"
	"net"
	"net/netip"

	blitiri "blitiri.com.ar/go/spf"

	"github.com/bonafide-mta/bonafide/internal/jsonform"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/spf"
)

// A Checker checks clients. Without a Resolver every check is a TempError with
// resolver.ErrNoResolver.
type Checker struct {
	Resolver resolver.Resolver
}

// A Result is what the other implementation says. Err is non-nil exactly when Status
// is TempError or PermError.
type Result struct {
	Status spf.Status `json:"status,omitzero"`
	Err    error      `json:"err,omitzero"`
}

// Check checks the domain of mailFrom, or postmaster at the HELO name where it is
// empty, as spf.Checker.CheckMailFrom does.
func (c Checker) Check(ctx context.Context, addr netip.Addr, helo, mailFrom string) *Result {
	addr = addr.Unmap().WithZone("")
	if mailFrom == "" {
		mailFrom = "postmaster@" + helo
	}
	dns := oneFamily{resolver.AsNet{Resolver: c.Resolver}, resolver.AddrType(addr)}
	result, err := blitiri.CheckHostWithSender(addr.AsSlice(), helo, mailFrom, blitiri.WithContext(ctx), blitiri.WithResolver(dns))
	r := new(Result)
	if e := r.Status.UnmarshalText([]byte(result)); e != nil {
		return &Result{spf.PermError, e}
	}
	if r.Status == spf.TempError || r.Status == spf.PermError {
		r.Err = err // else it says what matched
	}
	return r
}

// MarshalJSON writes the result.
func (r Result) MarshalJSON() ([]byte, error) { return jsonform.Marshal(r.form()) }

// UnmarshalJSON reads what MarshalJSON writes.
func (r *Result) UnmarshalJSON(data []byte) error { return json.Unmarshal(data, r.form()) }

// form replaces each field that encoding/json cannot write by one of another type.
func (r *Result) form() any {
	type plain Result
	return &struct {
		*plain
		Err jsonform.Error `json:"err,omitzero"`
	}{(*plain)(r), jsonform.ErrorAt(&r.Err)}
}

// oneFamily is a Resolver as blitiri takes one. Of a name's addresses it has those
// of the client's family alone: the others would hide that a term has no data.
type oneFamily struct {
	resolver.AsNet
	qtype uint16
}

// LookupIPAddr returns the addresses of a name.
func (o oneFamily) LookupIPAddr(ctx context.Context, host string) ([]net.IPAddr, error) {
	var family resolver.Func = func(ctx context.Context, name string, asked uint16) (resolver.Answer, error) {
		if asked != o.qtype {
			return resolver.Answer{}, nil
		}
		reply := resolver.Ask(ctx, o.Resolver, name, asked)
		return reply.Answer, reply.Err
	}
	return resolver.AsNet{Resolver: family}.LookupIPAddr(ctx, host)
}
