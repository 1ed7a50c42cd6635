// Package nullmx checks what a domain publishes about receiving mail: its mail exchangers,
// or a Null MX record (RFC 7505), by which it takes no mail.
//
// Call [Checker.Check] and decide on Status; Err explains. An MTA that is given a
// recipient in a domain with the status Null replies [RejectRecipient], and may reply
// [RejectSender] to MAIL FROM with such a domain, since nobody can answer that mail.
// [Checker.Targets] looks up the mail exchangers. [IsNull] judges records that are known
// already, [LintRecords] returns what is odd about them, and [Record] builds a Null MX.
//
// The null sender, MAIL FROM:<>, has no domain and is not affected. A Null MX says nothing
// about mail from the domain; SPF does (v=spf1 -all). Mail is not delivered to addresses
// beside a Null MX. Other mail exchangers beside a Null MX are a mistake of the publisher,
// and mail is delivered to them: the status is Mixed, for which nothing should be refused.
//
// # Bounds
//
// A check asks at most three questions in two round trips: for MX records and, if there
// are none, for addresses. Targets asks two questions for each of [MaxTargets] exchangers,
// in two round trips. Beside the answers, of at most 64 KiB each as DNS messages, both
// allocate less than 16 MiB in all and keep less than 4 MiB. With the answers of a
// resolver.Client they keep less than 5 MiB. The work grows with the size of the answers, and
// takes about 15 ms of CPU time.
package nullmx

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/identity/envelope"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/enum"
	"github.com/bonafide-mta/bonafide/internal/errlist"
	"github.com/bonafide-mta/bonafide/internal/jsonform"
	"github.com/bonafide-mta/bonafide/internal/txt"
	"github.com/bonafide-mta/bonafide/internal/untrusted"
	"github.com/bonafide-mta/bonafide/resolver"
)

// Status is what a domain says about receiving mail. The zero Status is invalid.
type Status uint8

// The statuses of a domain.
const (
	_         Status = iota
	Null             // it takes no mail: its one mail exchanger is "."
	Explicit         // it has mail exchangers
	Implicit         // it has no MX record but an address, where its mail goes to (RFC 5321, Section 5.1)
	None             // it has neither: no mail can be delivered
	NXDomain         // it does not exist
	Mixed            // "." beside other mail exchangers, which are used (see Lints)
	TempError        // DNS gave no answer: a later check may come out otherwise
	PermError        // what was given is no domain
)

var statusText = []string{
	Null: "null", Explicit: "explicit", Implicit: "implicit", None: "none", NXDomain: "nxdomain", Mixed: "mixed",
	TempError: "temperror", PermError: "permerror",
}

// String returns null, explicit, implicit, none, nxdomain, mixed, temperror or
// permerror.
func (s Status) String() string { return enum.String(s, statusText) }

// MarshalText returns the text of String; an invalid Status is an error.
func (s Status) MarshalText() ([]byte, error) { return enum.Marshal(s, statusText) }

// UnmarshalText accepts what MarshalText returns, in any case.
func (s *Status) UnmarshalText(text []byte) error { return enum.Unmarshal(s, text, statusText) }

// Temporary reports whether a later check may come out otherwise.
func (s Status) Temporary() bool { return s == TempError }

// ErrDomain is the cause of a PermError: a literal, an address or no name.
var ErrDomain = errors.New("not a domain")

// A Checker checks domains. Nil as the Resolver makes every check a TempError with
// resolver.ErrNoResolver.
type Checker struct {
	Resolver resolver.Resolver
}

// A Result is the outcome of a check with its evidence. Err is non-nil exactly when
// Status is TempError or PermError. A Result marshals to JSON and reads back: see package
// resolver.
type Result struct {
	Domain string    `json:"domain"` // canonical, or as given if it is not a domain
	Status Status    `json:"status,omitzero"`
	MX     []*dns.MX `json:"mx,omitzero"` // sorted by preference, then by name; shared, read only
	Lints  []Lint    `json:"lints,omitzero"`
	// Responses has the answers: the MX records and, if there are none, the addresses.
	Responses []resolver.Response `json:"responses,omitzero"`
	// Authentic is set when every answer that the status rests on is.
	Authentic bool  `json:"authentic"`
	Err       error `json:"err,omitzero"`
}

// A Lint is one thing about the MX records of a name that its owner should know. The
// codes are:
//
//   - mixed: a Null MX beside other records
//   - duplicate: several Null MX records
//   - preference: a Null MX whose preference is not 0
//   - no-host: an exchanger that is not a host name, such as an address
type Lint struct {
	Code   string  `json:"code"`
	Text   string  `json:"text"`            // what is so, and what to do
	Record *dns.MX `json:"record,omitzero"` // nil for a lint about all records
}

// String returns text and code on one line.
func (l Lint) String() string { return fmt.Sprintf("%s (%s)", l.Text, l.Code) }

// MarshalJSON writes the lint, its record as a line of a zone file.
func (l Lint) MarshalJSON() ([]byte, error) { return jsonform.Marshal(l.form()) }

// UnmarshalJSON reads what MarshalJSON writes.
func (l *Lint) UnmarshalJSON(data []byte) error { return json.Unmarshal(data, l.form()) }

// form replaces each field that encoding/json cannot write by one of another type.
func (l *Lint) form() any {
	type plain Lint
	return &struct {
		*plain
		Record txt.JSON[*dns.MX] `json:"record,omitzero"`
	}{(*plain)(l), txt.JSONAt(&l.Record)}
}

// LogValue groups what a log line needs.
func (r *Result) LogValue() slog.Value {
	attrs := []slog.Attr{slog.String("domain", untrusted.Line(r.Domain)), slog.String("status", r.Status.String())}
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
		MX  txt.JSONList[*dns.MX] `json:"mx,omitzero"`
		Err jsonform.Error        `json:"err,omitzero"`
	}{(*plain)(r), txt.JSONListAt(&r.MX), jsonform.ErrorAt(&r.Err)}
}

// Check checks what a domain publishes about receiving mail.
func (c Checker) Check(ctx context.Context, domain string) *Result {
	r := &Result{Domain: domain}
	name, err := dnsname.Canonical(domain)
	if form := dnsname.FormOf(name); err != nil || name == "." || domain[0] == '[' || form == dnsname.Numeric {
		r.Status, r.Err = PermError, fmt.Errorf("%w: %.80q", ErrDomain, domain)
		return r
	}
	r.Domain = name
	mx := resolver.Ask(ctx, c.Resolver, name, dns.TypeMX)
	r.Responses, r.Authentic = []resolver.Response{mx}, mx.Authentic
	if mx.Err != nil {
		r.Status, r.Err = TempError, mx.Err
		return r
	}
	r.MX = txt.Sorted(resolver.Records[*dns.MX](mx.Answer))
	slices.SortStableFunc(r.MX, func(a, b *dns.MX) int { return cmp.Compare(a.Preference, b.Preference) })
	switch {
	case IsNull(r.MX...):
		r.Status = Null
	case slices.ContainsFunc(r.MX, func(rr *dns.MX) bool { return IsNull(rr) }):
		r.Status = Mixed
	case len(r.MX) > 0:
		r.Status = Explicit
	case mx.Status == resolver.NXDomain:
		r.Status = NXDomain
	default:
		c.implicit(ctx, r)
	}
	r.Lints = LintRecords(r.MX)
	return r
}

// implicit looks for an address in place of a mail exchanger.
func (c Checker) implicit(ctx context.Context, r *Result) {
	responses := resolver.AskAll(ctx, c.Resolver, resolver.AddrQuestions(r.Domain)...)
	r.Responses = append(r.Responses, responses...)
	var failed error
	r.Status = None
	for _, response := range responses {
		failed = errlist.Join(failed, response.Err)
		if len(response.Addrs()) > 0 {
			r.Status, r.Authentic = Implicit, r.Authentic && response.Authentic
			return
		}
		r.Authentic = r.Authentic && response.Authentic
	}
	if failed != nil {
		r.Status, r.Err = TempError, failed
	}
}

// LintRecords returns what is odd about the MX records of a name, in their order.
func LintRecords(records []*dns.MX) []Lint {
	var lints []Lint
	add := func(rr *dns.MX, code, format string, args ...any) {
		lints = append(lints, Lint{code, fmt.Sprintf(format, args...), rr})
	}
	nulls := 0
	for _, rr := range records {
		if IsNull(rr) {
			nulls++
		}
	}
	if others := len(records) - nulls; nulls > 0 && others > 0 {
		add(nil, "mixed", "a Null MX beside %d mail exchangers, to which mail is delivered: remove either the Null MX or the others", others)
	}
	if nulls > 1 {
		add(nil, "duplicate", "%d Null MX records: keep one", nulls)
	}
	for _, rr := range records {
		if IsNull(rr) {
			if rr.Preference != 0 { // RFC 7505, Section 3
				add(rr, "preference", "the preference of the Null MX is %d: RFC 7505 specifies 0", rr.Preference)
			}
			continue
		}
		if name, err := dnsname.Canonical(rr.Mx); err != nil || dnsname.FormOf(name) != dnsname.Host {
			add(rr, "no-host", "the mail exchanger %.80q is not a host name of the public DNS", rr.Mx)
		}
	}
	return lints
}

// IsNull reports whether the MX records of a domain say that it takes no mail: there is at
// least one, and none has an exchanger. Their preferences do not matter (RFC 7505, Section
// 3, specifies 0; see [LintRecords]).
func IsNull(records ...*dns.MX) bool {
	return len(records) > 0 && !slices.ContainsFunc(records, func(rr *dns.MX) bool { return rr.Mx != "." })
}

// MaxTargets is how many mail exchangers Targets looks up: the most preferred.
const MaxTargets = 10

// ErrTooManyTargets is the Err of a Target beyond MaxTargets, which was not looked up.
var ErrTooManyTargets = errors.New("not looked up: the domain has more mail exchangers than are tried")

// A Target is a mail exchanger with the preference of its record, or the domain itself, with
// preference 0, if the MX is Implicit.
type Target struct {
	Host       string       `json:"host"` // canonical, or as it stands in the record where it is no name
	Preference uint16       `json:"preference"`
	Addrs      []netip.Addr `json:"addrs,omitzero"` // IPv4 first, sorted; none with a nil Err means that it has none
	Err        error        `json:"err,omitzero"`   // why the addresses, or some, are not known
}

// Targets looks up where mail for a domain goes to, in the order in which it is tried:
// none for a Null MX, or without MX and address. Those beyond MaxTargets are listed with
// ErrTooManyTargets.
func (c Checker) Targets(ctx context.Context, r *Result) []Target {
	var targets []Target
	for _, rr := range r.MX {
		if !IsNull(rr) {
			targets = append(targets, Target{Host: rr.Mx, Preference: rr.Preference})
		}
	}
	if r.Status == Implicit {
		targets = []Target{{Host: r.Domain}}
	}
	var questions []resolver.Question
	for _, t := range targets[:min(len(targets), MaxTargets)] {
		questions = append(questions, resolver.AddrQuestions(t.Host)...)
	}
	responses := resolver.AskAll(ctx, c.Resolver, questions...)
	for i := range targets {
		if t := &targets[i]; i >= MaxTargets {
			t.Host, t.Err = cmp.Or(dnsname.CanonicalOrEmpty(t.Host), t.Host), ErrTooManyTargets
			continue
		}
		t, v4, v6 := &targets[i], responses[2*i], responses[2*i+1]
		t.Host = v4.Name
		t.Addrs = append(v4.Addrs(), v6.Addrs()...)
		slices.SortFunc(t.Addrs, netip.Addr.Compare) // IPv4 first
		t.Err = v4.Err
		if t.Err == nil {
			t.Err = v6.Err
		}
	}
	return targets
}

// MarshalJSON writes the target.
func (t Target) MarshalJSON() ([]byte, error) { return jsonform.Marshal(t.form()) }

// UnmarshalJSON reads what MarshalJSON writes.
func (t *Target) UnmarshalJSON(data []byte) error { return json.Unmarshal(data, t.form()) }

// form replaces each field that encoding/json cannot write by one of another type.
func (t *Target) form() any {
	type plain Target
	return &struct {
		*plain
		Err jsonform.Error `json:"err,omitzero"`
	}{(*plain)(t), jsonform.ErrorAt(&t.Err)}
}

// The replies of RFC 7505, Sections 4.1 and 4.2, to be sent for the status Null.
var (
	RejectRecipient = envelope.Reply{Code: 556, Enhanced: envelope.EnhancedCode{5, 1, 10}, Text: "The recipient's domain accepts no mail (Null MX)"}
	RejectSender    = envelope.Reply{Code: 550, Enhanced: envelope.EnhancedCode{5, 7, 27}, Text: "The sender's domain accepts no mail (Null MX)"}
)

// Record returns the Null MX of a domain that takes no mail. The domain must not have other
// MX records, and must not send mail (RFC 7505, Section 4.2). It should not be the HELO
// name of an MTA, because postmaster@ must work there. A wildcard, as in *.example.org,
// covers the names that do not exist. TTL is in seconds.
func Record(domain string, ttl uint32) (*dns.MX, error) {
	name, err := dnsname.Canonical(domain)
	if err != nil {
		return nil, fmt.Errorf("nullmx: %w", err)
	}
	if form := dnsname.FormOf(strings.TrimPrefix(name, "*.")); name == "." || form == dnsname.Numeric || form == dnsname.Malformed || form == dnsname.Special {
		return nil, fmt.Errorf("nullmx: %q is no name that mail could be sent to", domain)
	}
	return &dns.MX{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeMX, Class: dns.ClassINET, Ttl: ttl}, Mx: "."}, nil
}
