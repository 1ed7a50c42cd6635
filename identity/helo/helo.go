package helo

import (
	"cmp"
	"context"
	"encoding"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/address"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/enum"
	"github.com/bonafide-mta/bonafide/internal/errlist"
	"github.com/bonafide-mta/bonafide/internal/untrusted"
	"github.com/bonafide-mta/bonafide/resolver"
)

// A Helo is the argument of HELO or EHLO, parsed. The zero Helo says nothing.
type Helo struct {
	Text   string     // as the client sent it: untrusted
	Name   string     // canonical, see resolver.Canonical; "" for an address
	Addr   netip.Addr // of an address literal or a bare address; else invalid
	Faults Faults     // what there is to object to, though Name or Addr is there
}

// Resolvable reports whether Name can have addresses in the public DNS: it is no
// address, no number, not a single label and not under a reserved domain.
func (h Helo) Resolvable() bool {
	return h.Name != "" && !h.Faults.Has(SingleLabel) && !h.Faults.Has(Numeric) && !h.Faults.Has(Reserved)
}

// Faults is a set of what RFC 5321 or practice objects to in a HELO that can be
// read all the same. The zero value is the empty set.
type Faults uint8

// The faults of a HELO.
const (
	Underscore  Faults = 1 << iota // an underscore: no host name (RFC 5321, Section 4.1.2: Ldh-str)
	FinalDot                       // a dot at the end, which SMTP does not have
	SingleLabel                    // not fully qualified (RFC 5321, Section 2.3.5)
	BareAddress                    // an address without brackets (RFC 5321, Section 4.1.3)
	NonASCII                       // U-labels; Name has the A-labels
	Numeric                        // the last label is a number, as no top-level domain is
	Reserved                       // under .local, .localhost, .invalid or .onion
)

var faultText = []string{"underscore", "final-dot", "single-label", "bare-address", "non-ascii", "numeric", "reserved"}

// Has reports whether every fault of the set f is in the set.
func (f Faults) Has(fault Faults) bool { return f&fault == fault }

// String lists the keywords, separated by commas; "" is the empty set.
func (f Faults) String() string {
	var words []string
	for i, word := range faultText {
		if f.Has(1 << i) {
			words = append(words, word)
		}
	}
	return strings.Join(words, ",")
}

// MarshalText returns the text of String.
func (f Faults) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText accepts what MarshalText returns, in any case.
func (f *Faults) UnmarshalText(text []byte) error {
	var set Faults
	for word := range strings.SplitSeq(string(text), ",") {
		i := 0
		for i < len(faultText) && !strings.EqualFold(faultText[i], word) {
			i++
		}
		switch {
		case i < len(faultText):
			set |= 1 << i
		case len(text) > 0:
			return fmt.Errorf("helo: no such fault of a HELO: %q", word)
		}
	}
	*f = set
	return nil
}

var (
	_ encoding.TextMarshaler   = Faults(0)
	_ encoding.TextUnmarshaler = (*Faults)(nil)
)

// A HeloError says why a HELO names nothing.
type HeloError struct {
	Text   string // the argument
	Offset int    // where in Text, in octets
	Reason string
}

// Error returns one line, the argument quoted.
func (e *HeloError) Error() string {
	return fmt.Sprintf("HELO %q: %s at offset %d", e.Text, e.Reason, e.Offset)
}

// ParseHelo reads the argument of HELO or EHLO strictly by RFC 5321, Sections
// 4.1.1.1, 4.1.2 and 4.1.3: a domain, or an address literal in brackets. Where it
// is not as written there but says a name or an address all the same, Faults has
// the reason; the error, a [*HeloError], is for the rest.
//
// A client that is judged by its HELO name may be judged by one with faults: many
// well-run servers have one. Whether to object is the caller's policy.
func ParseHelo(s string) (Helo, error) {
	h := Helo{Text: s}
	if strings.HasPrefix(s, "[") {
		return h.literal()
	}
	if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
		h.Addr, h.Faults = addr.Unmap(), BareAddress
		return h, nil
	}
	return h.domain()
}

func (h Helo) fail(offset int, reason string) (Helo, error) {
	return Helo{Text: h.Text}, &HeloError{h.Text, offset, reason}
}

// domain reads Domain = sub-domain *("." sub-domain), RFC 5321, Section 4.1.2.
func (h Helo) domain() (Helo, error) {
	text := h.Text
	if strings.HasSuffix(text, ".") {
		text, h.Faults = text[:len(text)-1], h.Faults|FinalDot
	}
	offset := 0
	for label := range strings.SplitSeq(text, ".") {
		if label == "" {
			return h.fail(offset, "empty label")
		}
		for i := range len(label) {
			switch c := label[i]; {
			case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
			case c == '-':
				if i == 0 || i == len(label)-1 {
					return h.fail(offset+i, "hyphen at the edge of a label")
				}
			case c == '_':
				h.Faults |= Underscore
			case c >= 0x80:
				h.Faults |= NonASCII
			default:
				return h.fail(offset+i, fmt.Sprintf("%q is not in a host name", c))
			}
		}
		if len(label) > 63 && !h.Faults.Has(NonASCII) {
			return h.fail(offset, "label of over 63 octets")
		}
		offset += len(label) + 1
	}
	name, err := dnsname.Canonical(text)
	if err != nil {
		return h.fail(0, "no name that the DNS can hold")
	}
	h.Name = name
	switch dnsname.FormOf(name) {
	case dnsname.Malformed: // IDNA made it so
		return h.fail(0, "no host name")
	case dnsname.Numeric:
		h.Faults |= Numeric
	case dnsname.Special:
		h.Faults |= Reserved
	}
	if strings.Count(name, ".") == 1 { // not of text, whose dots may be U+3002
		h.Faults |= SingleLabel
	}
	return h, nil
}

// literal reads address-literal, RFC 5321, Section 4.1.3.
func (h Helo) literal() (Helo, error) {
	addr, offset, reason := address.ParseLiteral(h.Text)
	if reason != "" {
		return h.fail(offset, reason)
	}
	h.Addr = addr
	return h, nil
}

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

// Temporary reports whether a later check may come out otherwise.
func (s Status) Temporary() bool { return s == TempError }

// ErrAddr is the cause of a PermError for an address that is invalid or missing.
var ErrAddr = errors.New("no valid address to look for")

// A HeloChecker tells whether a HELO name leads to the client that says it. A
// mismatch alone is no reason to refuse mail (RFC 5321, Section 4.1.4).
type HeloChecker struct {
	// Resolver answers the questions. Nil makes every check that needs one a
	// TempError with resolver.ErrNoResolver.
	Resolver resolver.Resolver
}

// A HeloResult is the outcome of a check with its evidence. Err is non-nil
// exactly when Status is TempError or PermError.
type HeloResult struct {
	Helo    Helo
	Status  Status
	Found   []netip.Addr // of the addresses given, those that the HELO name has, sorted
	Missing []netip.Addr // those that it lacks, sorted
	Unknown []netip.Addr // those of a family that DNS gave no answer for, sorted
	Others  []netip.Addr // addresses of the name, in the families asked, that were not given
	Replies []resolver.Reply
	// Authentic is set when every answer was, and there was one.
	Authentic bool
	Err       error
}

// LogValue groups what a log line needs.
func (r *HeloResult) LogValue() slog.Value {
	attrs := []slog.Attr{slog.String("name", cmp.Or(r.Helo.Name, untrusted.Line(r.Helo.Text))), slog.String("status", r.Status.String())}
	if r.Helo.Faults != 0 {
		attrs = append(attrs, slog.String("faults", r.Helo.Faults.String()))
	}
	if r.Err != nil {
		attrs = append(attrs, slog.String("err", r.Err.Error()))
	}
	return slog.GroupValue(attrs...)
}

// Check looks the name of a HELO up and compares its addresses with those given:
// the client's, or all those of an MTA. Only the families of these are asked, at
// once: at most two questions, one round trip.
//
// An address that is known to be missing makes a Fail, whatever becomes of the
// other family's question. An address literal is compared without a question, and
// a name that the public DNS cannot hold (see [Helo.Resolvable]) fails without
// one: there are no Replies then.
func (c HeloChecker) Check(ctx context.Context, heloName string, addrs ...netip.Addr) *HeloResult {
	parsed, err := ParseHelo(heloName)
	r := &HeloResult{Helo: parsed}
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
	case parsed.Resolvable():
		r.Replies = c.ask(ctx, parsed.Name, given)
		for _, reply := range r.Replies {
			for _, addr := range reply.Addrs() {
				// An AAAA record of ::ffff:192.0.2.1 is no answer about IPv4.
				if addr.Is6() == (reply.Type == dns.TypeAAAA) {
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
func (c HeloChecker) ask(ctx context.Context, name string, addrs []netip.Addr) []resolver.Reply {
	var types []uint16
	if slices.ContainsFunc(addrs, netip.Addr.Is4) {
		types = append(types, dns.TypeA)
	}
	if slices.ContainsFunc(addrs, netip.Addr.Is6) {
		types = append(types, dns.TypeAAAA)
	}
	replies := make([]resolver.Reply, len(types))
	var wg sync.WaitGroup
	for i, qtype := range types {
		wg.Go(func() { replies[i] = resolver.Ask(ctx, c.Resolver, name, qtype) })
	}
	wg.Wait()
	return replies
}

// compare draws the status. An address that is known to be missing decides,
// whatever the other family's answer would have been.
func (r *HeloResult) compare(given, has []netip.Addr) {
	failed := make(map[bool]error) // by whether the family is IPv6
	r.Authentic = len(r.Replies) > 0
	for _, reply := range r.Replies {
		failed[reply.Type == dns.TypeAAAA] = reply.Err
		r.Authentic = r.Authentic && reply.Authentic
	}
	for _, addr := range given {
		switch {
		case slices.Contains(has, addr):
			r.Found = append(r.Found, addr)
		case failed[addr.Is6()] != nil:
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
		r.Status, r.Err = TempError, errlist.Join(failed[false], failed[true])
	default:
		r.Status = Pass
	}
}
