// Package spf checks whether a client may use a name in mail, by the Sender Policy
// Framework (RFC 7208).
//
// A receiver calls [Checker.CheckMailFrom] for the address of MAIL FROM and
// [Checker.CheckHelo] for the name of HELO. Decide on Result.Status; Err explains.
// Result.Term is the term that decided, with the record it is in and the path to that
// record.
//
// The owner of a name calls [Analyze] to see the tree of its policy, the exact addresses
// that it authorizes, what it costs receivers, and what is wrong with it.
// [Analysis.Flatten] writes the same policy without lookups. A [Builder] writes a new
// record. [Parse] reads one record. [IsRecord], [Select], [IsNull] and [NearMiss] tell what
// a text is: an SPF record, the one of a name, one that denies every client, or a text that
// is only meant as one.
//
// Where RFC 7208 leaves a choice: an a or mx asks only for addresses of the client's
// family, so that an a of a name without AAAA records is a void lookup for an IPv6 client;
// void lookups are counted by term, not by mail exchanger, so that each ptr of a client
// without PTR records is one, and %{p} is none; of more than ten PTR names, ptr and %{p} use
// the first ten by the alphabet; a match among the hosts of an mx decides, even if the lookup
// of others failed; %{i} has upper-case nibbles.
//
// A pass means that the owner of the name authorizes this client, and nothing else.
// Forwarded mail fails. Judge by the name that passed, not by the visible From.
//
// # Bounds
//
// Whatever a record says, a check asks at most 123 questions: its record, ten terms
// with ten hosts each, the client's names and their addresses, and an explanation.
// Asking ahead adds 10 by default and 110 with SpeculateAll. If Checker.MaxLookups is n, it
// asks at most 13 + 11 n questions, and asking ahead adds n or 11 n; n is at most 100. At most
// Checker.MaxOpen are open at once. A check ends after Checker.Timeout, and leaves
// no goroutine behind, if its Resolver heeds its context. Beside what the Resolver
// returns, in answers of at most 64 KiB as DNS messages are, it allocates less than 8 MiB in
// all, and its Result holds less than 1 MiB; with n over 10, n / 10 times that. The work for a
// record is in proportion to its length, whatever its macros expand to.
//
// [Analyze] asks at most 2,700 questions, and looks at 64 records, 12 above one another, of
// 256 KiB and 4,096 terms in all; at 64 terms that ask for addresses, 20 mail exchangers of
// one mx, and 4,096 addresses of such terms in all. It keeps no answer of more than 512 KiB,
// and 4 MiB of them in all. What is beyond is not known: its addresses are TempError in
// Sets, Err is [ErrBounds], and a [Lint] names the place. Sets lists 65,536 networks in all,
// the terms of the tree as many, and Lints 200. Beside the answers, an Analysis holds less
// than 16 MiB, and it allocates less than 64 MiB on the way. Once its context ends, nothing
// more is asked, and the work that is left is in proportion to the number of terms times the
// depth of the tree: less than a tenth of a second.
//
// # Coming from blitiri.com.ar/go/spf
//
// Version 1.6.0 of that package, and this package:
//
//	CheckHostWithSender(ip, helo, sender)  Checker{Resolver: r}.CheckMailFrom(ctx, addr, helo, sender)
//	CheckHost(ip, domain)                  Checker{Resolver: r}.CheckHelo(ctx, addr, domain)
//	ip net.IP                              addr, _ := netip.AddrFromSlice(ip)
//	WithContext(ctx)                       the first argument; without it 20 s, see Timeout
//	WithResolver(net)                      r = resolver.FromNet{Resolver: net}; or a resolver.Client, which can tell more
//	no resolver                            r, err := resolver.SystemClient()
//	OverrideLookupLimit(n)                 MaxLookups: n; 100 at most, and 0 is the default
//	OverrideVoidLookupLimit(n)             MaxVoids: n; 0 is the default
//	WithTraceFunc(f)                       Result.Term, Responses and LogValue; a Resolver that logs
//	Result("softfail"), SoftFail           SoftFail, with the text "softfail"; so the others
//	ErrMatchedAll, ErrMatchedIP, ...       Result.Term.Kind: All; IP4 or IP6; A, MX, PTR, Exists
//	ErrNoResult with None, with PermError  no error; ErrNoRecord
//	ErrInvalidIPAddress                    ErrAddr
//	ErrLookupLimitReached                  ErrLookups
//	ErrVoidLookupLimitReached              ErrVoids
//	ErrTooManyMXRecords                    ErrMX
//	ErrMultipleRecords                     ErrRecords
//	ErrUnknownField, ErrInvalidMask, ...   *SyntaxError, with every mistake from Parse
//	*net.DNSError                          *resolver.Error, or the error of the Resolver
//
// CheckHostWithSender judges the HELO name if the sender has no domain behind an @: "", "user"
// and "user@". CheckMailFrom does so for "" and <> alone. It takes "example.org" for
// postmaster@example.org, and finds no policy for "user" and "user@"; the Example has the lines
// to get the other behavior. CheckHostWithSender does not take angle brackets, or a quoted local
// part with an @.
//
// The error of CheckHostWithSender names the mechanism that matched, also for Pass and Fail.
// Here Term does, Explanation is the owner's text for a Fail, and Err is nil except for
// TempError and PermError.
//
// This package reads the whole record: a mistake after the term that matches is a PermError.
// It looks up the addresses of a, mx and ptr in the client's family alone, so that more terms
// are void for some clients. %{p} is the client's name, not always "unknown". Package blitiri
// runs the other implementation over any Resolver.
package spf

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"

	"github.com/bonafide-mta/bonafide/internal/enum"
	"github.com/bonafide-mta/bonafide/internal/untrusted"
	"github.com/bonafide-mta/bonafide/resolver"
)

// Status is the result of a check, as RFC 7208, Section 2.6, names them. The zero
// Status is invalid.
type Status uint8

// The results of SPF.
const (
	_         Status = iota
	None             // no policy: no record, or no name that could have one
	Neutral          // the policy says nothing of this address
	Pass             // the address may use the name
	Fail             // the address may not
	SoftFail         // the address probably may not
	TempError        // DNS gave no answer, or not in time: a later check may
	PermError        // the policy cannot be interpreted
)

var statusText = []string{None: "none", Neutral: "neutral", Pass: "pass", Fail: "fail", SoftFail: "softfail", TempError: "temperror", PermError: "permerror"}

// String returns the keyword of RFC 7208.
func (s Status) String() string { return enum.String(s, statusText) }

// MarshalText returns the text of String; an invalid Status is an error.
func (s Status) MarshalText() ([]byte, error) { return enum.Marshal(s, statusText) }

// UnmarshalText accepts what MarshalText returns, in any case.
func (s *Status) UnmarshalText(text []byte) error { return enum.Unmarshal(s, text, statusText) }

// Temporary reports whether a later check may come out otherwise.
func (s Status) Temporary() bool { return s == TempError }

// Causes of a PermError, for errors.Is; a record that is wrong is a [*SyntaxError].
var (
	ErrAddr           = errors.New("not a valid address")
	ErrRecords        = errors.New("more than one SPF record")                // RFC 7208, Section 4.5
	ErrNoRecord       = errors.New("no SPF record where another one leads")   // Sections 5.2 and 6.1
	ErrLookups  error = lookupsError(DefaultMaxLookups)                       // Section 4.6.4; its text has the limit of the Checker
	ErrVoids          = errors.New("too many terms whose names have no data") // Section 4.6.4
	ErrMX             = errors.New("an mx with more than 10 mail exchangers") // Section 4.6.4
)

// lookupsError is an ErrLookups of a limit.
type lookupsError int

// Error returns a text with the limit.
func (e lookupsError) Error() string { return fmt.Sprintf("more than %d terms that need DNS", int(e)) }

// Is reports whether target is ErrLookups.
func (e lookupsError) Is(target error) bool { _, ok := target.(lookupsError); return ok }

// Identity is whose name a check is about. The zero Identity is invalid.
type Identity uint8

// The identities of RFC 7208, Sections 2.3 and 2.4.
const (
	_        Identity = iota
	Helo              // the name of the HELO or EHLO command
	MailFrom          // the domain of the MAIL FROM command
)

var identityText = []string{Helo: "helo", MailFrom: "mailfrom"}

// String returns the keyword of RFC 7208, Section 9.1.
func (i Identity) String() string { return enum.String(i, identityText) }

// MarshalText returns the text of String; an invalid Identity is an error.
func (i Identity) MarshalText() ([]byte, error) { return enum.Marshal(i, identityText) }

// UnmarshalText accepts what MarshalText returns, in any case.
func (i *Identity) UnmarshalText(text []byte) error { return enum.Unmarshal(i, text, identityText) }

// A TermAt is a term and where it is written. The zero TermAt is no term.
type TermAt struct {
	Text      string `json:"text"`               // the whole term as written
	Offset    int    `json:"offset"`             // in the record, in octets from 0
	Kind      Kind   `json:"kind,omitzero"`      // 0 for a term that is wrong
	Qualifier Status `json:"qualifier,omitzero"` // Pass, Fail, SoftFail or Neutral; 0 for modifiers and for a term that is wrong
	Domain    string `json:"domain"`             // whose record it is, canonical; "" for no term
	// Path has the include and redirect terms that led to that record, beginning with
	// the one of the record checked. Their own Path is empty. In JSON, a Text of over 255
	// octets in it is its first 60 and its length.
	Path []TermAt `json:"path,omitzero"`
}

// String returns the text and where it is, as in "ip4:192.0.2.0/24 at offset 7 of
// _spf.example.net., by include:_spf.example.net of example.org.", and "no term" for
// the zero TermAt.
func (t TermAt) String() string {
	if t.Domain == "" {
		return "no term"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s at offset %d of %s", show(t.Text), t.Offset, untrusted.Line(t.Domain))
	for i := len(t.Path) - 1; i >= 0; i-- {
		fmt.Fprintf(&b, ", by %s of %s", show(t.Path[i].Text), untrusted.Line(t.Path[i].Domain))
	}
	return b.String()
}

// A Result is the outcome of a check with its evidence. Err is non-nil exactly when
// Status is TempError or PermError. A Result marshals to JSON and reads back: see package
// resolver.
type Result struct {
	Status   Status     `json:"status,omitzero"`
	Identity Identity   `json:"identity,omitzero"`
	Addr     netip.Addr `json:"addr,omitzero"`     // the client: IPv4-mapped ones as IPv4, without zone
	Receiver string     `json:"receiver,omitzero"` // who checked: Checker.Receiver
	Helo     string     `json:"helo,omitzero"`     // as given
	Sender   string     `json:"sender,omitzero"`   // the address judged, with the local part postmaster where it had none
	Domain   string     `json:"domain,omitzero"`   // whose policy it is: canonical, or as given where it is not a name
	// Term decided: the mechanism that matched, the term whose lookup failed or
	// that is wrong. It is zero where none did, as with None or the Neutral of a
	// record in which nothing matches.
	Term TermAt `json:"term,omitzero"`
	// Explanation is what the policy's owner says of a Fail, "" where nothing. It is
	// printable ASCII, and may say anything: quote it, and whose it is.
	Explanation string `json:"explanation,omitzero"`
	Lookups     int    `json:"lookups"`   // terms that need DNS; the limit is Checker.MaxLookups
	Voids       int    `json:"voids"`     // terms whose name has no data, each ptr of a client without PTR records among them; the limit is Checker.MaxVoids
	Questions   int    `json:"questions"` // asked of the Resolver, those in vain too
	// Degraded is the first term that did not match because of a DNS failure below
	// a ptr or the macro p, which RFC 7208, Sections 5.5 and 7.3, count as no match.
	// It is zero mostly. Who wants no verdict but for certain takes it as TempError.
	Degraded TermAt `json:"degraded,omitzero"`
	// Responses is what DNS said: of each record in the order in which they were
	// reached, and of the name that decided.
	Responses []resolver.Response `json:"responses,omitzero"`
	// Authentic is set when every answer that had a part in the status is.
	Authentic bool  `json:"authentic"`
	Err       error `json:"err,omitzero"`
}

// LogValue groups what a log line needs.
func (r *Result) LogValue() slog.Value {
	attrs := []slog.Attr{slog.String("identity", r.Identity.String()), slog.String("addr", r.Addr.String()),
		slog.String("domain", untrusted.Line(r.Domain)), slog.String("status", r.Status.String()), slog.Int("lookups", r.Lookups)}
	if r.Term.Domain != "" {
		attrs = append(attrs, slog.String("term", r.Term.String()))
	}
	if r.Degraded.Domain != "" {
		attrs = append(attrs, slog.String("degraded", r.Degraded.String()))
	}
	if r.Err != nil {
		attrs = append(attrs, slog.String("err", r.Err.Error()))
	}
	return slog.GroupValue(attrs...)
}
