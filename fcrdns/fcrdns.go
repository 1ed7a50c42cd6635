// Package fcrdns tells whether an address has a forward-confirmed name: a name
// that its PTR record gives and whose own address records contain it. RFC
// 8601, Section 3, calls this check iprev.
//
// Call [Checker.Check]; decide on Status, Err explains. To publish, write a
// [Mapping] as records; resolver.ReverseName and resolver.FromReverseName convert
// between addresses and names under in-addr.arpa and ip6.arpa.
//
// A confirmed name says who runs the address, not whether they are good, and
// nothing about what the client said in HELO. Whoever runs the reverse zone may
// put any name there, so that Result.Name is the only name to trust: the others
// are in Names, for logs. Addresses are compared whole, never by network.
//
// # Bounds
//
// One check asks at most 1 + MaxNames questions (11 by default), the PTR first,
// then the addresses of all names at once: two round trips, and one more for
// each alias that the resolver does not follow in one answer. [Checker.CheckSkipped]
// asks at most MaxNames more, at once. Beside the answers, of at most 64 KiB each as DNS
// messages, a check allocates less than 8 MiB in all, and its Result keeps less than 64 KiB.
// With the answers of a resolver.Client it keeps less than 8 MiB. The work grows with the
// size of the answers, and takes about 10 ms of CPU time. The context and the Resolver bound
// the time.
package fcrdns

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/address"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/enum"
	"github.com/bonafide-mta/bonafide/internal/errlist"
	"github.com/bonafide-mta/bonafide/internal/jsonform"
	"github.com/bonafide-mta/bonafide/resolver"
)

// Status is the result of a check, as RFC 8601, Section 2.7.3, names them. The
// zero Status is invalid.
type Status uint8

// The statuses of iprev.
const (
	_         Status = iota
	Pass             // a PTR name has the address
	Fail             // there are PTR names, and none has the address
	TempError        // no name confirms, and some could not be looked up
	PermError        // there is no PTR name that could confirm, or too many and none of those looked up does
	// NotApplicable means that no public name can exist, for the address is not one
	// of the public Internet (RFC 6890): private, shared with a provider (RFC 6598,
	// Section 4), loopback, link-local, reserved, multicast or unspecified. Nothing
	// was asked. Addresses for documentation are judged as public ones.
	NotApplicable
)

var statusText = []string{Pass: "pass", Fail: "fail", TempError: "temperror", PermError: "permerror", NotApplicable: "notapplicable"}

// String returns the keyword of RFC 8601, and "notapplicable" for the one status
// that it does not have.
func (s Status) String() string { return enum.String(s, statusText) }

// MarshalText returns the text of String; an invalid Status is an error.
func (s Status) MarshalText() ([]byte, error) { return enum.Marshal(s, statusText) }

// UnmarshalText accepts what MarshalText returns, in any case.
func (s *Status) UnmarshalText(text []byte) error { return enum.Unmarshal(s, text, statusText) }

// Temporary reports whether a later check may come out otherwise.
func (s Status) Temporary() bool { return s == TempError }

// Causes of a PermError, for errors.Is.
var (
	ErrAddr   = errors.New("not a valid address")
	ErrNoPTR  = errors.New("the address has no PTR record")
	ErrNoName = errors.New("no PTR record names a host: numbers, single labels and reserved names cannot confirm an address")
	// ErrTooManyNames: those that were skipped may confirm the address.
	ErrTooManyNames = errors.New("the address has more PTR names than are looked up, and none of the first confirms it")
)

// DefaultMaxNames is how many names are looked up, as for SPF's ptr mechanism
// (RFC 7208, Section 4.6.4): anyone may write any number of PTR records.
const DefaultMaxNames = 10

// A Checker checks addresses. All fields but Resolver may stay zero.
type Checker struct {
	// Resolver answers the questions. Nil makes every check a TempError with
	// resolver.ErrNoResolver.
	Resolver resolver.Resolver
	// MaxNames is how many PTR names are looked up, in alphabetical order; 0
	// means DefaultMaxNames. The others are counted in Result.Skipped: if none of the
	// first confirms the address, the check is a PermError with ErrTooManyNames, not a
	// Fail.
	MaxNames int
	// AllowPrivate also checks addresses that have no public name, for networks with a
	// reverse DNS of their own. Multicast, broadcast and unspecified addresses stay
	// NotApplicable.
	AllowPrivate bool
}

// A Result is the outcome of a check with its evidence. Err is non-nil exactly
// when Status is TempError or PermError. A Result marshals to JSON and reads back: see
// package resolver.
type Result struct {
	Addr    netip.Addr        `json:"addr,omitzero"` // the address checked: IPv4-mapped ones as IPv4, without zone
	Status  Status            `json:"status,omitzero"`
	Name    string            `json:"name,omitzero"`  // with Pass the confirmed name, the first in alphabetical order; else ""
	Names   []Name            `json:"names,omitzero"` // every name considered, each with its outcome; usable ones first, alphabetical
	Skipped int               `json:"skipped"`        // usable PTR names beyond MaxNames, which were not looked up
	PTR     resolver.Response `json:"ptr,omitzero"`   // the PTR question; its Chain holds the aliases of RFC 2317
	// Authentic is set when the answers that the status rests on are: with Pass
	// the PTR and the confirming name's, with Fail all of them.
	Authentic bool  `json:"authentic"`
	Err       error `json:"err,omitzero"`
}

// A Name is one name of a PTR record, and what its own lookup found. Only a
// Confirmed name is the client's.
type Name struct {
	Name    string  `json:"name"` // canonical
	Outcome Outcome `json:"outcome,omitzero"`
	// Underscore flags a name that is not a host name (RFC 1123) for its
	// underscore. It may confirm: it is in the DNS, and receivers differ.
	Underscore bool              `json:"underscore,omitzero"`
	Response   resolver.Response `json:"response,omitzero"` // the address question; zero when nothing was asked
}

// Outcome tells what became of one name. The zero Outcome is invalid.
type Outcome uint8

// The outcomes of a name.
const (
	_         Outcome = iota
	Confirmed         // it has the address
	Mismatch          // it has addresses of the client's family, but not this one
	NoAddress         // it has no address of the client's family, or does not exist
	NoAnswer          // it could not be looked up
	Unusable          // it was not looked up: no host name, a number, a single label, or reserved
)

var outcomeText = []string{Confirmed: "confirmed", Mismatch: "mismatch", NoAddress: "no-address", NoAnswer: "no-answer", Unusable: "unusable"}

// String returns a keyword: confirmed, mismatch, no-address, no-answer, unusable.
func (o Outcome) String() string { return enum.String(o, outcomeText) }

// MarshalText returns the text of String; an invalid Outcome is an error.
func (o Outcome) MarshalText() ([]byte, error) { return enum.Marshal(o, outcomeText) }

// UnmarshalText accepts what MarshalText returns, in any case.
func (o *Outcome) UnmarshalText(text []byte) error { return enum.Unmarshal(o, text, outcomeText) }

// LogValue groups what a log line needs. Names are the canonical ones: their
// escapes keep control characters out.
func (r *Result) LogValue() slog.Value {
	attrs := []slog.Attr{slog.String("addr", r.Addr.String()), slog.String("status", r.Status.String())}
	if r.Name != "" {
		attrs = append(attrs, slog.String("name", r.Name))
	}
	if r.Skipped > 0 {
		attrs = append(attrs, slog.Int("skipped", r.Skipped))
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

// Check looks up the names of addr and tells whether one of them confirms it.
// Any confirmed name makes it a Pass, whatever became of the others; without
// one, a name that could not be looked up makes it a TempError.
func (c Checker) Check(ctx context.Context, addr netip.Addr) *Result {
	r := &Result{Addr: addr.Unmap().WithZone("")}
	if !addr.IsValid() {
		r.Status, r.Err = PermError, ErrAddr
		return r
	}
	if !c.applicable(r.Addr) {
		r.Status = NotApplicable
		return r
	}
	r.PTR = resolver.Ask(ctx, c.Resolver, resolver.ReverseName(r.Addr), dns.TypePTR)
	if r.PTR.Err != nil {
		r.Status, r.Err = TempError, r.PTR.Err
		return r
	}
	usable, others := names(r.PTR.Answer)
	looked := min(len(usable), c.maxNames())
	r.Skipped = len(usable) - looked
	r.Names = c.confirm(ctx, r.Addr, usable[:looked])
	r.Names = append(r.Names, others[:min(len(others), c.maxNames()-looked)]...)
	r.conclude()
	return r
}

// CheckSkipped returns the result of a check that looks up some of the names that r
// Skipped, too: up to MaxNames of those for which rank is above 0, the highest first, then
// in alphabetical order. At HELO, these are the HELO name and names of its organization. It
// asks nothing if there are none, and returns r. It does not change r.
func (c Checker) CheckSkipped(ctx context.Context, r *Result, rank func(name string) int) *Result {
	if r.Skipped == 0 {
		return r
	}
	usable, _ := names(r.PTR.Answer)
	ranks := make(map[string]int)
	for _, name := range usable {
		ranks[name.Name] = rank(name.Name)
	}
	for _, name := range r.Names { // known already
		ranks[name.Name] = 0
	}
	usable = slices.DeleteFunc(usable, func(n Name) bool { return ranks[n.Name] <= 0 })
	if len(usable) == 0 {
		return r
	}
	slices.SortStableFunc(usable, func(a, b Name) int { return ranks[b.Name] - ranks[a.Name] })
	usable = usable[:min(len(usable), c.maxNames())]
	more := &Result{Addr: r.Addr, PTR: r.PTR, Skipped: r.Skipped - len(usable)}
	more.Names = append(c.confirm(ctx, r.Addr, usable), r.Names...)
	slices.SortFunc(more.Names, order)
	more.conclude()
	return more
}

// applicable reports whether an address may have a name that the checker's network
// sees.
func (c Checker) applicable(addr netip.Addr) bool {
	return address.FromInternet(addr) || c.AllowPrivate && address.IsHost(addr)
}

// names returns the names of a PTR answer in alphabetical order, those that could confirm
// an address and the others. Sorting comes before any cap: the verdict must not depend on
// the order of records.
func names(ptr resolver.Answer) (usable, others []Name) {
	seen := make(map[string]bool)
	for _, rr := range resolver.Records[*dns.PTR](ptr) {
		canonical, err := dnsname.Canonical(rr.Ptr)
		if err != nil || seen[canonical] {
			continue
		}
		seen[canonical] = true
		switch form := dnsname.FormOf(canonical); form {
		case dnsname.Host, dnsname.Underscore:
			usable = append(usable, Name{Name: canonical, Underscore: form == dnsname.Underscore})
		default:
			others = append(others, Name{Name: canonical, Outcome: Unusable})
		}
	}
	slices.SortFunc(usable, order)
	slices.SortFunc(others, order)
	return usable, others
}

// order is that of Result.Names: usable ones first, alphabetical.
func order(a, b Name) int {
	if unusable := a.Outcome == Unusable; unusable != (b.Outcome == Unusable) {
		if unusable {
			return 1
		}
		return -1
	}
	return strings.Compare(a.Name, b.Name)
}

func (c Checker) maxNames() int {
	if c.MaxNames <= 0 {
		return DefaultMaxNames
	}
	return c.MaxNames
}

// confirm looks up the client's family at usable names, all at once, and returns them with
// their outcomes. The other family could not confirm anything.
func (c Checker) confirm(ctx context.Context, addr netip.Addr, usable []Name) []Name {
	usable = slices.Clone(usable) // and not all that were skipped
	var questions []resolver.Question
	for _, name := range usable {
		questions = append(questions, resolver.Question{Name: name.Name, Type: resolver.AddrType(addr)})
	}
	for i, response := range resolver.AskAll(ctx, c.Resolver, questions...) {
		name, addrs := &usable[i], response.Addrs()
		name.Response = response
		switch {
		case response.Err != nil:
			name.Outcome = NoAnswer
		case slices.Contains(addrs, addr):
			name.Outcome = Confirmed
		case len(addrs) > 0:
			name.Outcome = Mismatch
		default:
			name.Outcome = NoAddress
		}
	}
	return usable
}

// conclude draws the status from the outcomes.
func (r *Result) conclude() {
	usable, authentic := 0, r.PTR.Authentic
	var failed error
	for _, name := range r.Names {
		switch name.Outcome {
		case Confirmed:
			if r.Status != Pass {
				r.Status, r.Name, r.Authentic = Pass, name.Name, r.PTR.Authentic && name.Response.Authentic
			}
		case NoAnswer:
			failed = errlist.Join(failed, name.Response.Err)
		}
		if name.Outcome != Unusable {
			usable++
			authentic = authentic && name.Response.Authentic
		}
	}
	switch {
	case r.Status == Pass:
	case failed != nil:
		r.Status, r.Err = TempError, failed
	case r.Skipped > 0:
		r.Status, r.Err = PermError, ErrTooManyNames
	case usable > 0:
		// RFC 8601, Section 3: a name without any address fails too.
		r.Status, r.Authentic = Fail, authentic
	case len(r.Names) > 0:
		r.Status, r.Err = PermError, ErrNoName
	default:
		r.Status, r.Err = PermError, fmt.Errorf("%w (%s)", ErrNoPTR, r.PTR.Answer.Status)
	}
}
