package spf

import (
	"cmp"
	"context"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/identity/envelope"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/enum"
	"github.com/bonafide-mta/bonafide/internal/txt"
	"github.com/bonafide-mta/bonafide/resolver"
)

// Defaults of a Checker.
const (
	DefaultMaxLookups = 10               // RFC 7208, Section 4.6.4
	DefaultMaxVoids   = 2                // RFC 7208, Section 4.6.4
	DefaultMaxOpen    = 10               // questions
	DefaultTimeout    = 20 * time.Second // RFC 7208, Section 4.6.4: at least
)

// mostLookups is the highest limit of a Checker, so that its work stays bounded.
const mostLookups = 100

// Speculation is how many questions a check asks before it is certain that it needs
// the answers. The result does not depend on it; only time and load do.
type Speculation uint8

// The ways to speculate.
const (
	SpeculateTXT  Speculation = iota // for the records of includes and redirects, at once
	SpeculateNone                    // for nothing
	SpeculateAll                     // for all that the terms of a record may need
)

var speculationText = []string{SpeculateTXT: "txt", SpeculateNone: "none", SpeculateAll: "all"}

// String returns txt, none or all.
func (s Speculation) String() string { return enum.String(s, speculationText) }

// MarshalText returns the text of String; an invalid Speculation is an error.
func (s Speculation) MarshalText() ([]byte, error) { return enum.Marshal(s, speculationText) }

// UnmarshalText accepts what MarshalText returns, in any case.
func (s *Speculation) UnmarshalText(text []byte) error {
	return enum.Unmarshal(s, text, speculationText)
}

// A Checker checks clients. All fields but Resolver may stay zero.
type Checker struct {
	// Resolver answers the questions. Nil makes every check a TempError with
	// resolver.ErrNoResolver.
	Resolver resolver.Resolver
	// Receiver is the name of the host that checks, for explanations and for
	// Received-SPF. "" is "unknown" there.
	Receiver string
	// MaxLookups limits the terms of a check that need DNS; one more is a PermError with
	// ErrLookups. 0 means DefaultMaxLookups, which RFC 7208, Section 4.6.4, demands of all
	// receivers; less than 0, or more than 100, means 100. A higher limit shows the meaning of
	// policies over the default; a lower one refuses policies that obey the RFC. "Bounds" in
	// the package documentation has the costs.
	MaxLookups int
	// MaxVoids limits the terms whose name has no data; one more is a PermError with
	// ErrVoids. 0 means DefaultMaxVoids, and less than 0 no limit.
	MaxVoids int
	// Speculate tells whether to ask ahead.
	Speculate Speculation
	// MaxOpen is how many questions may be open at once; 0 means DefaultMaxOpen.
	MaxOpen int
	// Timeout is for a whole check, which is a TempError then; 0 means
	// DefaultTimeout. A context that ends earlier ends the check.
	Timeout time.Duration
	// NoExplanation saves the question for the explanation of a Fail.
	NoExplanation bool
}

// maxLookups returns the limit for terms that need DNS: include, a, mx, ptr, exists and redirect.
func (c Checker) maxLookups() int {
	switch {
	case c.MaxLookups == 0:
		return DefaultMaxLookups
	case c.MaxLookups < 0 || c.MaxLookups > mostLookups:
		return mostLookups
	}
	return c.MaxLookups
}

// CheckHelo checks whether the client may use the name of its HELO or EHLO command.
// Literals and names of one label have no policy: None.
func (c Checker) CheckHelo(ctx context.Context, addr netip.Addr, helo string) *Result {
	return c.check(ctx, Helo, addr, helo, "postmaster", helo)
}

// CheckMailFrom checks whether the client may use the domain of its MAIL FROM
// command: mailFrom is the address, with or without angle brackets (see envelope.ParsePath).
// Where it is empty, as in bounces, postmaster at the HELO name is judged (RFC 7208, Section
// 2.4). A malformed address has no policy: None.
func (c Checker) CheckMailFrom(ctx context.Context, addr netip.Addr, helo, mailFrom string) *Result {
	sender, err := envelope.ParsePath(mailFrom)
	if err == nil && sender.Address == "" {
		return c.check(ctx, MailFrom, addr, helo, "postmaster", helo)
	}
	at := strings.LastIndexByte(sender.Address, '@') // quoted local parts may have more
	if err != nil {
		r := c.check(ctx, MailFrom, addr, helo, "", "")
		r.Sender, r.Domain = mailFrom, mailFrom[strings.LastIndexByte(mailFrom, '@')+1:]
		return r
	}
	return c.check(ctx, MailFrom, addr, helo, sender.Address[:at], sender.Address[at+1:])
}

func (c Checker) check(ctx context.Context, identity Identity, addr netip.Addr, helo, local, domain string) *Result {
	addr = addr.Unmap().WithZone("")
	r := &Result{Identity: identity, Addr: addr, Receiver: c.Receiver, Helo: helo, Sender: local + "@" + domain, Domain: domain}
	if !addr.IsValid() {
		r.Status, r.Err = PermError, ErrAddr
		return r
	}
	name, ok := judged(domain)
	if !ok {
		r.Status = None
		return r
	}
	r.Domain = name
	timeout := c.Timeout
	if timeout == 0 {
		timeout = DefaultTimeout
	}
	if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) > timeout {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, timeout)
		defer stop()
	}
	e := evaluation{checker: c, ctx: ctx, result: r}
	e.values = values{addr: addr, local: local, origin: displayName(domain, name), helo: helo, receiver: cmp.Or(c.Receiver, unknown)}
	e.run(name, e.values.origin)
	return r
}

// judged returns the canonical name of a domain that may have a policy (RFC 7208,
// Section 4.3): of two labels at least, and no address.
func judged(domain string) (string, bool) {
	name, err := resolver.Canonical(domain)
	return name, err == nil && (dnsname.Qualified(name) || oneLabel)
}

// severalLabels reports whether a canonical name has more than a top-level domain.
func severalLabels(name string) bool {
	return oneLabel || strings.IndexByte(name, '.') < len(name)-1
}

// oneLabel lets tests use a suite whose domains have one label.
var oneLabel = false

// displayName is how macros have a domain: as it was given, but for U-labels and the final
// dot.
func displayName(domain, canonical string) string {
	for i := range len(domain) {
		if domain[i] >= 0x80 {
			domain = canonical
			break
		}
	}
	return strings.TrimSuffix(domain, ".")
}

// run makes the result.
func (e *evaluation) run(domain, display string) {
	r := e.result
	r.Authentic = true
	r.Status, r.Err = e.host(domain, display, false)
	if r.Status == Fail && e.exp != nil && !e.checker.NoExplanation {
		r.Explanation = e.explanation()
	}
	if e.ahead != nil {
		e.ahead.stop()
		e.ahead.running.Wait()
	}
	r.Questions = int(e.questions.Load())
}

// explanation returns what the owner of the policy says of a Fail: nothing where
// anything is wrong with it (RFC 7208, Section 6.2).
func (e *evaluation) explanation() string {
	x := e.expander(e.expDomain)
	name, ok := x.name(e.exp.Domain)
	if !ok {
		return ""
	}
	response := e.ask(name, dns.TypeTXT)
	records := resolver.Records[*dns.TXT](response.Answer)
	if len(records) != 1 {
		return ""
	}
	macros := txt.Join(records[0].Txt)
	if _, _, reason := scanMacros(macros, true); reason != "" {
		return ""
	}
	text, ok := x.text(macros)
	if !ok || strings.IndexFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) >= 0 {
		return "" // the sender's local part may bring in what is no ASCII
	}
	return text
}
