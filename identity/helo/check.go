package helo

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/netip"
	"slices"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/address"
	"github.com/bonafide-mta/bonafide/internal/enum"
	"github.com/bonafide-mta/bonafide/internal/errlist"
	"github.com/bonafide-mta/bonafide/internal/jsonform"
	"github.com/bonafide-mta/bonafide/internal/untrusted"
	"github.com/bonafide-mta/bonafide/resolver"
)

// Status is the outcome of a check. The zero Status is invalid.
type Status uint8

// The statuses of a HELO check.
const (
	_         Status = iota
	Pass             // the HELO name has every address asked about
	Fail             // it lacks one
	TempError        // it may have them all: DNS gave no answer that would tell
	PermError        // the HELO is malformed, or there was no valid address to look for
)

var statusText = []string{Pass: "pass", Fail: "fail", TempError: "temperror", PermError: "permerror"}

// String returns pass, fail, temperror or permerror.
func (s Status) String() string { return enum.String(s, statusText) }

// MarshalText returns the text of String; an invalid Status is an error.
func (s Status) MarshalText() ([]byte, error) { return enum.Marshal(s, statusText) }

// UnmarshalText accepts what MarshalText returns, in any case.
func (s *Status) UnmarshalText(text []byte) error { return enum.Unmarshal(s, text, statusText) }

// Temporary reports whether a later check may have another outcome.
func (s Status) Temporary() bool { return s == TempError }

// ErrAddr is the cause of a PermError for an address that is invalid or missing.
var ErrAddr = errors.New("no valid address to look for")

// A Checker checks whether a HELO name resolves to the client that uses it. A mismatch alone
// is not a reason to refuse mail (RFC 5321, Section 4.1.4).
type Checker struct {
	// Resolver answers the questions. Nil makes every check that needs one a
	// TempError with resolver.ErrNoResolver.
	Resolver resolver.Resolver
}

// A Result is the outcome of a check with its evidence. Err is non-nil
// exactly when Status is TempError or PermError. A Result marshals to JSON and reads back:
// see package resolver.
type Result struct {
	Argument  Argument            `json:"argument"`
	Status    Status              `json:"status,omitzero"`
	Found     []netip.Addr        `json:"found,omitzero"`   // of the addresses given, those that the HELO name has, sorted
	Missing   []netip.Addr        `json:"missing,omitzero"` // those that it lacks, sorted
	Unknown   []netip.Addr        `json:"unknown,omitzero"` // those of a family for which DNS gave no answer, sorted
	Others    []netip.Addr        `json:"others,omitzero"`  // addresses of the name, in the families asked, that were not given
	Responses []resolver.Response `json:"responses,omitzero"`
	// Authentic is set when every answer was, and there was one.
	Authentic bool  `json:"authentic"`
	Err       error `json:"err,omitzero"`
}

// LogValue groups what a log line needs.
func (r *Result) LogValue() slog.Value {
	attrs := []slog.Attr{slog.String("name", cmp.Or(r.Argument.Name, untrusted.Line(r.Argument.Text))), slog.String("status", r.Status.String())}
	if r.Argument.Faults != 0 {
		attrs = append(attrs, slog.String("faults", r.Argument.Faults.String()))
	}
	if r.Err != nil {
		attrs = append(attrs, slog.String("err", r.Err.Error()))
	}
	return slog.GroupValue(attrs...)
}

// MarshalJSON writes the result with its evidence.
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

// Check looks up the name in a HELO and compares its addresses with those given: the
// client's, or all those of an MTA. Only the families of these are asked for, at the same
// time: at most two questions, one round trip.
//
// An address that is known to be missing is a Fail, whatever the answer about the other
// family is. An address literal is compared without a question, and a name that the public
// DNS cannot hold (see [Argument.Resolvable]) fails without one: there are no Responses then.
func (c Checker) Check(ctx context.Context, heloName string, addrs ...netip.Addr) *Result {
	parsed, err := Parse(heloName)
	r := &Result{Argument: parsed}
	if err != nil {
		r.Status, r.Err = PermError, err
		return r
	}
	given := sorted(addrs)
	if len(given) == 0 || !given[0].IsValid() {
		r.Status, r.Err = PermError, ErrAddr
		return r
	}
	var has []netip.Addr
	switch {
	case parsed.Addr.IsValid():
		has = []netip.Addr{parsed.Addr}
		for _, addr := range given {
			if address.Canonical(addr) == address.Canonical(parsed.Addr) {
				has = []netip.Addr{addr} // in another form
			}
		}
	case parsed.Resolvable():
		r.Responses = c.ask(ctx, parsed.Name, given)
		for _, response := range r.Responses {
			for _, addr := range response.Addrs() {
				// An AAAA record of ::ffff:192.0.2.1 is no answer about IPv4.
				if resolver.AddrType(addr) == response.Type {
					has = append(has, addr)
				}
			}
		}
	}
	r.compare(given, sorted(has))
	return r
}

// sorted returns addresses without mapping and zone, each once: IPv4 first, and
// before it whatever is invalid.
func sorted(addrs []netip.Addr) []netip.Addr {
	var out []netip.Addr
	for _, addr := range addrs {
		out = append(out, addr.Unmap().WithZone(""))
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return slices.Compact(out)
}

// ask asks for the families of the addresses, A before AAAA.
func (c Checker) ask(ctx context.Context, name string, addrs []netip.Addr) []resolver.Response {
	var questions []resolver.Question
	for _, q := range resolver.AddrQuestions(name) {
		if slices.ContainsFunc(addrs, func(addr netip.Addr) bool { return resolver.AddrType(addr) == q.Type }) {
			questions = append(questions, q)
		}
	}
	return resolver.AskAll(ctx, c.Resolver, questions...)
}

// compare sets the status. An address that is known to be missing decides, whatever the
// other family's answer would have been.
func (r *Result) compare(given, has []netip.Addr) {
	failed := make(map[uint16]error) // by the type asked
	r.Authentic = len(r.Responses) > 0
	for _, response := range r.Responses {
		failed[response.Type] = response.Err
		r.Authentic = r.Authentic && response.Authentic
	}
	for _, addr := range given {
		switch {
		case slices.Contains(has, addr):
			r.Found = append(r.Found, addr)
		case failed[resolver.AddrType(addr)] != nil:
			r.Unknown = append(r.Unknown, addr)
		default:
			r.Missing = append(r.Missing, addr)
		}
	}
	for _, addr := range has {
		if !slices.Contains(given, addr) {
			r.Others = append(r.Others, addr)
		}
	}
	switch {
	case len(r.Missing) > 0:
		r.Status = Fail
	case len(r.Unknown) > 0:
		r.Status, r.Err = TempError, errlist.Join(failed[dns.TypeA], failed[dns.TypeAAAA])
	default:
		r.Status = Pass
	}
}
