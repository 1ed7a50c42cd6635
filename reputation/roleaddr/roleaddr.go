// Package roleaddr asks mail servers whether they take mail for the mailboxes that every
// domain must have: postmaster (RFC 5321, Section 4.5.1) and abuse (RFC 2142, Section 4).
//
// Call [Checker.Check] for a domain. It connects to the mail server that mail for the
// domain goes to, and asks for each mailbox with RCPT, sender null, whether it would be
// accepted. No message is ever sent: the transaction ends in RSET where DATA would come.
// Ask only where you have reason to, and not often: to its owner a server's log looks the
// same when a spammer tries out addresses.
//
// Only public unicast addresses are connected to, by address, each name having been looked
// up once: no record can lead the check to an inner address. There is one connection to a
// host, and to three hosts at most, each for at most Timeout and 16 KiB of replies.
// It speaks no TLS: RFC 3207, Section 4, has public servers not require it.
//
// An accepted mailbox need not be read by anyone, and one refused may be refused to this
// client alone: what speaks for that is no Fail. Decide on Status; Err explains.
//
// # Bounds
//
// A check asks at most 23 questions of DNS. Beside the answers, of at most 64 KiB each as
// DNS messages, it allocates less than 16 MiB in all for them, and its Result keeps less than
// 64 KiB. With the answers of a resolver.Client it keeps less than 2 MiB. The work grows with
// the size of the answers, and takes about 20 ms of CPU time.
package roleaddr

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/bonafide-mta/bonafide/identity/helo"
	"github.com/bonafide-mta/bonafide/internal/address"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/enum"
	"github.com/bonafide-mta/bonafide/internal/jsonform"
	"github.com/bonafide-mta/bonafide/internal/untrusted"
	"github.com/bonafide-mta/bonafide/nullmx"
	"github.com/bonafide-mta/bonafide/resolver"
)

// Status is the outcome of a check, or for one mailbox. The zero Status is invalid.
type Status uint8

// The statuses of a check.
const (
	_         Status = iota
	Pass             // accepted
	Fail             // refused: there is no such mailbox, or it takes no mail
	None             // no server takes mail for the domain: nobody was asked
	TempError        // put off, or no server answered, or DNS did not; greylisting too
	PermError        // no server would say: it refuses this client, or has no public address
)

var statusText = []string{Pass: "pass", Fail: "fail", None: "none", TempError: "temperror", PermError: "permerror"}

// String returns pass, fail, none, temperror or permerror.
func (s Status) String() string { return enum.String(s, statusText) }

// MarshalText returns the text of String; an invalid Status is an error.
func (s Status) MarshalText() ([]byte, error) { return enum.Marshal(s, statusText) }

// UnmarshalText accepts what MarshalText returns, in any case.
func (s *Status) UnmarshalText(text []byte) error { return enum.Unmarshal(s, text, statusText) }

// Temporary reports whether a later check may come out otherwise.
func (s Status) Temporary() bool { return s == TempError }

// Causes of a PermError, for errors.Is.
var (
	ErrDomain  = errors.New("no host name of the public DNS")
	ErrHelo    = errors.New("no name or address literal to greet with")
	ErrAddress = errors.New("no public address")
	ErrClient  = errors.New("this client is refused")
)

// DefaultTimeout is the time for one host where a Checker has none.
const DefaultTimeout = time.Minute

// MaxHosts is how many mail servers of a domain are tried, in the order of their
// preference, until one answers.
const MaxHosts = 3

// A Checker checks domains. All fields but Resolver may stay zero.
type Checker struct {
	// Resolver answers the questions. Nil makes every check a TempError with
	// resolver.ErrNoResolver.
	Resolver resolver.Resolver
	// Helo is what to greet with: the name of the machine that asks, as RFC 5321,
	// Section 4.1.1.1, wants it. "" is its address as a literal, which many servers refuse.
	Helo string
	// Timeout is for all that is said with one host; 0 is DefaultTimeout.
	Timeout time.Duration
	// Dial connects to port 25 of an address; nil is TCP by the system. It must connect to
	// this address and no other.
	Dial func(ctx context.Context, addr netip.AddrPort) (net.Conn, error)
	// AllowPrivate also connects to addresses that are not public unicast, for tests on
	// loopback and in networks of one's own. Where domains come from others, it lets these
	// choose which inner addresses to connect to.
	AllowPrivate bool
}

// A Result is the outcome of a check with its evidence. Err is non-nil exactly when Status
// is TempError or PermError.
type Result struct {
	Domain string `json:"domain"` // canonical, or as given where it is none
	// Status is Fail where a mailbox is refused; else TempError or PermError where one
	// could not be told; Pass where all are accepted.
	Status    Status         `json:"status,omitzero"`
	Host      string         `json:"host,omitzero"`      // the mail server that was asked, the last one where several were; "" for none
	Addr      netip.AddrPort `json:"addr,omitzero"`      // where
	Mailboxes []Mailbox      `json:"mailboxes,omitzero"` // postmaster@ and abuse@ of the domain, and Postmaster without one
	// CatchAll is set when the server accepts a mailbox that cannot exist: that it
	// accepts others says little then.
	CatchAll bool           `json:"catch_all,omitzero"`
	Replies  []Exchange     `json:"replies,omitzero"` // all that was said with Host, in order
	MX       *nullmx.Result `json:"mx,omitzero"`      // where mail goes to; nil when Domain is none
	Err      error          `json:"err,omitzero"`
}

// A Mailbox is one address, and what became of it. Err is non-nil exactly when Status is
// TempError or PermError.
type Mailbox struct {
	Address string `json:"address"` // without angle brackets
	Status  Status `json:"status,omitzero"`
	Err     error  `json:"err,omitzero"`
}

// A Exchange is what a server said to one command.
type Exchange struct {
	Command string   `json:"command"`        // without line end; "" is for the greeting
	Code    int      `json:"code"`           // 0 when no reply came
	Lines   []string `json:"lines,omitzero"` // of the reply, code and text, each printable on one line: escaped, untrusted
}

// LogValue groups what a log line needs.
func (r *Result) LogValue() slog.Value {
	attrs := []slog.Attr{slog.String("domain", untrusted.Line(r.Domain)), slog.String("status", r.Status.String())}
	if r.Host != "" {
		attrs = append(attrs, slog.String("host", r.Host), slog.String("addr", r.Addr.String()))
	}
	if r.CatchAll {
		attrs = append(attrs, slog.Bool("catch_all", true))
	}
	if r.Err != nil {
		attrs = append(attrs, slog.String("err", r.Err.Error()))
	}
	return slog.GroupValue(attrs...)
}

// MarshalJSON writes the mailbox.
func (m Mailbox) MarshalJSON() ([]byte, error) { return jsonform.Marshal(m.form()) }

// UnmarshalJSON reads what MarshalJSON writes.
func (m *Mailbox) UnmarshalJSON(data []byte) error { return json.Unmarshal(data, m.form()) }

// form replaces each field that encoding/json cannot write by one of another type.
func (m *Mailbox) form() any {
	type plain Mailbox
	return &struct {
		*plain
		Err jsonform.Error `json:"err,omitzero"`
	}{(*plain)(m), jsonform.ErrorAt(&m.Err)}
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

// Control returns the address that is asked for first, to tell servers that accept
// anything: nobody has it, and it is the same each time a domain is checked.
func Control(domain string) string {
	sum := sha256.Sum256([]byte(domain))
	return fmt.Sprintf("no-such-mailbox-%x@%s", sum[:6], domain)
}

// Check asks the mail server of a domain. Where the most preferred one does not answer, or
// will not talk to this client, it goes on to the next.
func (c Checker) Check(ctx context.Context, domain string) *Result {
	r := &Result{Domain: domain}
	name, err := dnsname.Canonical(domain)
	if err != nil || dnsname.FormOf(name) != dnsname.Host {
		return r.fail(PermError, fmt.Errorf("%w: %.80q", ErrDomain, domain))
	}
	r.Domain = name
	if arg, err := helo.Parse(c.Helo); c.Helo != "" && (err != nil || arg.Faults.Has(helo.NonASCII)) {
		return r.fail(PermError, fmt.Errorf("%w: %.80q", ErrHelo, c.Helo))
	}
	mx := nullmx.Checker{Resolver: c.Resolver}
	r.MX = mx.Check(ctx, name)
	switch r.MX.Status {
	case nullmx.TempError, nullmx.PermError:
		return r.fail(TempError, r.MX.Err)
	case nullmx.Null, nullmx.None, nullmx.NXDomain:
		r.Status = None
		return r
	}
	status, why := PermError, fmt.Errorf("%w: no mail server has one", ErrAddress)
	asked := make(map[netip.AddrPort]bool) // several names may lead to one host
	for _, target := range mx.Targets(ctx, r.MX) {
		if len(asked) == MaxHosts {
			break
		}
		addr, err := c.choose(target)
		if errors.Is(err, nullmx.ErrTooManyTargets) {
			if len(asked) == 0 {
				why = fmt.Errorf("%w: none of the first %d mail servers has one", ErrAddress, nullmx.MaxTargets)
			}
			break
		}
		if err != nil && !errors.Is(err, ErrAddress) {
			// Others may not have what the preferred one has: do not ask them instead.
			return r.fail(TempError, fmt.Errorf("%s: %w", target.Host, err))
		}
		if err == nil && !asked[addr] {
			asked[addr] = true
			// Nothing of a host before this one is of interest any more.
			r.Host, r.Addr, r.Replies = target.Host, addr, nil
			if err = c.ask(ctx, r); len(r.Mailboxes) > 0 {
				return r.conclude()
			}
			why = fmt.Errorf("%s at %s: %w", target.Host, addr, err)
			if status = PermError; !errors.Is(err, ErrClient) {
				status = TempError
			}
		}
	}
	return r.fail(status, why)
}

func (r *Result) fail(status Status, err error) *Result {
	r.Status, r.Err = status, err
	return r
}

// choose returns the one address of a host to connect to.
func (c Checker) choose(target nullmx.Target) (netip.AddrPort, error) {
	for _, addr := range target.Addrs {
		if class, _ := address.ClassOf(addr); class == address.Public || c.AllowPrivate {
			return netip.AddrPortFrom(addr, 25), nil
		}
	}
	return netip.AddrPort{}, cmp.Or(target.Err, ErrAddress)
}

// conclude draws the status from the mailboxes.
func (r *Result) conclude() *Result {
	r.Status = Pass
	for _, status := range []Status{PermError, TempError, Fail} { // the last one counts
		if i := slices.IndexFunc(r.Mailboxes, func(m Mailbox) bool { return m.Status == status }); i >= 0 {
			r.Status, r.Err = status, r.Mailboxes[i].Err
		}
	}
	return r
}
