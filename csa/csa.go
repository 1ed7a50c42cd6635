// Package csa checks whether a client may use the name of its HELO or EHLO command, by
// Client SMTP Authorization (draft-ietf-marid-csv-csa-02). The owner of a name publishes an
// SRV record at _client._smtp below it: the weight says whether the name is used in HELO at
// all, the target has the addresses of the clients that may use it, and the port says
// whether every name below needs such a record.
//
// Call [Checker.Check] with the client's address and its HELO name, and decide on Status.
// Fail means the owner denies this use. None means the owner publishes nothing that
// decides, which is the usual case. Err explains a TempError or PermError.
//
// To publish, [Authorize] the HELO name of each MTA, [Deny] names that are never used in
// HELO, and finally publish [DenyUnlisted] for the domain. [LintRecords] returns what is
// odd about the records of a name. [Owner] and [NameOf] convert between a name and the
// owner name of its records; [Authorizes], [Denies] and [RequiresExplicit] tell what one
// record says.
//
// The draft expired in 2005, and few receivers check CSA. Exim from 4.95 on applies the
// policy of a parent domain only to names that exist; this package applies it to all
// names, as the draft says. A pass does not mean that the mail is wanted. Address literals
// and names of one label cannot have a record: None, without a question.
//
// # Where the draft is silent
//
// The order of records does not matter: any record that denies decides, otherwise any
// record whose target has the client's address. Only priority 1 and the weights 0 to 3 are
// defined. If a name has only other records, the status is None, and the policies of its
// parents are not searched. The target is asked for addresses of the client's family,
// aliases are followed, and the target "." has no address. Parents are searched if the
// name has no record, whether or not it exists.
//
// # Bounds
//
// A check asks at most 16 questions in two round trips: for the records of the name, those
// of five parents, which have two to six labels, and the addresses of [MaxTargets]
// targets. Beside the answers, of at most 64 KiB each as DNS messages, it allocates less
// than 8 MiB in all, and its Result keeps less than 64 KiB. With the answers of a
// resolver.Client it keeps less than 8 MiB. The work grows with the size of the answers, and
// takes about 10 ms of CPU time.
package csa

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/netip"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/enum"
	"github.com/bonafide-mta/bonafide/internal/jsonform"
	"github.com/bonafide-mta/bonafide/internal/txt"
	"github.com/bonafide-mta/bonafide/resolver"
)

// Status is the result of a check. The zero Status is invalid.
type Status uint8

// The statuses of CSA.
const (
	_         Status = iota
	None             // the owner publishes nothing that decides; "unknown" in the draft
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

// Reason is why a result has its status, so that an operator knows what to change. The
// zero Reason is invalid.
type Reason uint8

// The reasons. Each belongs to one status.
const (
	_                Reason = iota
	NoName                  // None: a literal, an address, one label, or not a name: use a host name in HELO
	NoRecord                // None: nothing is published, here or above: authorize the name
	Unverifiable            // None: the name is authorized, but by weight 3 no address is: publish weight 2
	Unsupported             // None: only records of another priority than 1, or a weight over 3: publish 1 2 1
	TooManyTargets          // None: the first MaxTargets targets lack the client, and there are more: publish one record
	Authorized              // Pass
	Denied                  // Fail: the record says that nobody uses this name in HELO: use another, or authorize it
	ExplicitRequired        // Fail: the policy of Result.Parent requires a record for every name: authorize the name
	NoAddress               // Fail: the target has no address of the client's family: give it one
	AddressMismatch         // Fail: the target has other addresses: give it this one
	Temporary               // TempError
	BadAddress              // PermError
)

var reasonText = []string{
	NoName: "no-name", NoRecord: "no-record", Unverifiable: "unverifiable", Unsupported: "unsupported", TooManyTargets: "too-many-targets", Authorized: "authorized",
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
// Status is TempError or PermError. A Result marshals to JSON and reads back: see package
// resolver.
type Result struct {
	Status Status     `json:"status,omitzero"`
	Reason Reason     `json:"reason,omitzero"`
	Addr   netip.Addr `json:"addr,omitzero"` // the client: IPv4-mapped ones as IPv4, without zone
	Helo   string     `json:"helo,omitzero"` // as given
	Name   string     `json:"name,omitzero"` // of Helo, canonical; "" if it cannot have a record
	// Record decided: its owner is below Name, or below Parent with ExplicitRequired.
	// It is nil if none did. Shared, read only.
	Record *dns.SRV `json:"record,omitzero"`
	Parent string   `json:"parent,omitzero"` // with ExplicitRequired, the domain whose policy it is
	// Responses has the answers that the status rests on: the SRV records of the name,
	// those of its parents from the top, the addresses of targets.
	Responses []resolver.Response `json:"responses,omitzero"`
	Skipped   int                 `json:"skipped"` // targets beyond MaxTargets, which were not looked up
	// Authentic is set when every answer that the status rests on is.
	Authentic bool  `json:"authentic"`
	Err       error `json:"err,omitzero"`
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

// MarshalJSON writes the result with its evidence.
func (r Result) MarshalJSON() ([]byte, error) { return jsonform.Marshal(r.form()) }

// UnmarshalJSON reads what MarshalJSON writes.
func (r *Result) UnmarshalJSON(data []byte) error { return json.Unmarshal(data, r.form()) }

// form replaces each field that encoding/json cannot write by one of another type.
func (r *Result) form() any {
	type plain Result
	return &struct {
		*plain
		Record txt.JSON[*dns.SRV] `json:"record,omitzero"`
		Err    jsonform.Error     `json:"err,omitzero"`
	}{(*plain)(r), txt.JSONAt(&r.Record), jsonform.ErrorAt(&r.Err)}
}
