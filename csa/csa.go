// Package csa tells whether a client may greet with the name of its HELO or EHLO
// command by what the name's owner says in DNS: Client SMTP Authorization, which
// draft-ietf-marid-csv-csa-02 describes. It is an SRV record at _client._smtp below
// the name, whose weight says whether the name is used in HELO at all and whose
// target has the addresses of who may; whose port says whether every name below
// needs such a record.
//
// Call [Checker.Check] with the client's address and its HELO name. Decide on
// Status: Fail means that the owner denies this use, and None that he says nothing,
// which is the rule. Err explains a TempError. To publish, [Authorize] the HELO name
// of an MTA, [Deny] a name that is none, and end with the [DenyUnlisted] of the domain.
// [LintRecords] tells what is odd about the records of a name.
//
// The draft expired in 2005, and few receivers look. Of those that do, Exim from
// 4.95 on applies a Policy to names that exist only, and this package to all, as the
// draft has it. A pass is no sign of virtue. Address literals, and names of one
// label, have no record: None, without a question.
//
// # Decided where the draft is silent
//
// Records are judged by what they say and not by their order: of several, any that
// denies decides, else any whose target has the client's address. Only priority 1 is
// known, and of weights 0 to 3; where there are others alone, the name has a record
// that cannot be judged: None, and no policy above it is searched for. A target is
// asked for addresses of the client's family; aliases are followed; the target "."
// has none. A policy is searched for where the name has no record, be it that the name
// does not exist or has records of other types.
//
// # Bounds
//
// A check asks at most 16 questions in two round trips: the name's own record, those
// of five parents, which have two to six labels, and addresses of [MaxTargets]
// targets.
package csa

import (
	"errors"
	"log/slog"
	"net/netip"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/enum"
	"github.com/bonafide-mta/bonafide/resolver"
)

// Status is the result of a check. The zero Status is invalid.
type Status uint8

// The statuses of CSA.
const (
	_         Status = iota
	None             // the owner says nothing that decides; the draft's "unknown"
	Pass             // the owner authorizes this client to use the name
	Fail             // the owner denies it
	TempError        // DNS gave no answer: a later check may come out otherwise
	PermError        // the address of the client is invalid: a mistake of the caller's
)

var statusText = []string{None: "none", Pass: "pass", Fail: "fail", TempError: "temperror", PermError: "permerror"}

// String returns none, pass, fail, temperror or permerror.
func (s Status) String() string { return enum.String(s, statusText) }

// MarshalText returns the text of String; an invalid Status is an error.
func (s Status) MarshalText() ([]byte, error) { return enum.Marshal(s, statusText) }

// UnmarshalText accepts what MarshalText returns, in any case.
func (s *Status) UnmarshalText(text []byte) error { return enum.Unmarshal(s, text, statusText) }

// Temporary reports whether a later check may come out otherwise.
func (s Status) Temporary() bool { return s == TempError }

// Reason tells what led to the status, so that an operator knows what to change. The
// zero Reason is invalid.
type Reason uint8

// The reasons. Each belongs to one status.
const (
	_                Reason = iota
	NoName                  // None: a literal, an address, one label, or no name: greet with a host name
	NoRecord                // None: nothing is published, here or above: authorize the name
	Unverifiable            // None: the name is authorized, but by weight 3 no address is: publish weight 2
	Unsupported             // None: only records of another priority than 1, or a weight over 3: publish 1 2 1
	Authorized              // Pass
	Denied                  // Fail: the record says that nobody greets with this name: greet with another, or authorize it
	ExplicitRequired        // Fail: the policy of Result.Parent wants a record of every name: authorize the name
	NoAddress               // Fail: the target has no address of the client's family: give it one
	AddressMismatch         // Fail: the target has other addresses: give it this one
	Temporary               // TempError
	BadAddress              // PermError
)

var reasonText = []string{
	NoName: "no-name", NoRecord: "no-record", Unverifiable: "unverifiable", Unsupported: "unsupported", Authorized: "authorized",
	Denied: "denied", ExplicitRequired: "explicit-required", NoAddress: "no-address", AddressMismatch: "address-mismatch",
	Temporary: "temporary", BadAddress: "bad-address",
}

// String returns a keyword, as no-record or explicit-required.
func (r Reason) String() string { return enum.String(r, reasonText) }

// MarshalText returns the text of String; an invalid Reason is an error.
func (r Reason) MarshalText() ([]byte, error) { return enum.Marshal(r, reasonText) }

// UnmarshalText accepts what MarshalText returns, in any case.
func (r *Reason) UnmarshalText(text []byte) error { return enum.Unmarshal(r, text, reasonText) }

// ErrAddr is the cause of a PermError.
var ErrAddr = errors.New("not a valid address")

// A Result is the outcome of a check with its evidence. Err is non-nil exactly when
// Status is TempError or PermError.
type Result struct {
	Status Status
	Reason Reason
	Addr   netip.Addr // the client: IPv4-mapped ones as IPv4, without zone
	Helo   string     // as given
	Name   string     // of Helo, canonical; "" where it is no name that could have a record
	// Record decided: its owner is below Name, or below Parent with ExplicitRequired.
	// It is nil where none did. Shared, read only.
	Record *dns.SRV
	Parent string // with ExplicitRequired, the domain whose policy it is
	// Responses is what DNS said of all that the status rests on: the SRV records of the
	// name, those of its parents from the top, the addresses of targets.
	Responses []resolver.Response
	Skipped   int // targets beyond MaxTargets, which were not asked
	// Authentic is set when every answer that the status rests on is.
	Authentic bool
	Err       error
}

// LogValue groups what a log line needs.
func (r *Result) LogValue() slog.Value {
	attrs := []slog.Attr{slog.String("addr", r.Addr.String()), slog.String("status", r.Status.String()), slog.String("reason", r.Reason.String())}
	if r.Name != "" {
		attrs = append(attrs, slog.String("name", r.Name))
	}
	if r.Parent != "" {
		attrs = append(attrs, slog.String("parent", r.Parent))
	}
	if r.Err != nil {
		attrs = append(attrs, slog.String("err", r.Err.Error()))
	}
	return slog.GroupValue(attrs...)
}
