package helo

import (
	"encoding"
	"fmt"
	"net/netip"
	"strings"

	"github.com/bonafide-mta/bonafide/internal/address"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/enum"
)

// An Argument is the parsed argument of HELO or EHLO. The zero Argument has neither a name nor
// an address.
type Argument struct {
	Text   string     `json:"text"`            // as the client sent it: untrusted
	Name   string     `json:"name,omitzero"`   // canonical, see resolver.Canonical; "" for an address
	Addr   netip.Addr `json:"addr,omitzero"`   // of an address literal or a bare address; else invalid
	Faults Faults     `json:"faults,omitzero"` // what to object to, though there is a Name or Addr
}

// Resolvable reports whether Name can have addresses in the public DNS: it is not an address,
// a number or a single label, and not under a reserved domain.
func (h Argument) Resolvable() bool {
	return h.Name != "" && !h.Faults.Has(SingleLabel) && !h.Faults.Has(Numeric) && !h.Faults.Has(Reserved)
}

// Faults is a set of what RFC 5321 or practice objects to in a HELO that can be
// read all the same. The zero value is the empty set.
type Faults uint8

// The faults of a HELO.
const (
	Underscore  Faults = 1 << iota // an underscore: not a host name (RFC 5321, Section 4.1.2: Ldh-str)
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
func (f Faults) String() string { return enum.SetString(f, faultText) }

// MarshalText returns the text of String; a set with other faults is an error.
func (f Faults) MarshalText() ([]byte, error) { return enum.MarshalSet(f, faultText) }

// UnmarshalText accepts what MarshalText returns, in any case.
func (f *Faults) UnmarshalText(text []byte) error { return enum.UnmarshalSet(f, text, faultText) }

var (
	_ encoding.TextMarshaler   = Faults(0)
	_ encoding.TextUnmarshaler = (*Faults)(nil)
)

// An Error gives the reason why a HELO has neither a name nor an address.
type Error struct {
	Text   string `json:"text"`   // the argument
	Offset int    `json:"offset"` // where in Text, in octets
	Reason string `json:"reason"`
}

// Error returns one line, the argument quoted.
func (e *Error) Error() string {
	return fmt.Sprintf("HELO %q: %s at offset %d", e.Text, e.Reason, e.Offset)
}

// Parse reads the argument of HELO or EHLO strictly by RFC 5321, Sections
// 4.1.1.1, 4.1.2 and 4.1.3: a domain, or an address literal in brackets. If the text breaks
// these rules but still has a name or an address, Faults says how; otherwise the error is a
// [*Error].
//
// Callers can judge a client by a HELO name with faults: many well-run servers have one.
// Whether to object to the faults is the caller's policy.
func Parse(s string) (Argument, error) {
	h := Argument{Text: s}
	if strings.HasPrefix(s, "[") {
		return h.literal()
	}
	if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
		h.Addr, h.Faults = addr.Unmap(), BareAddress
		return h, nil
	}
	return h.domain()
}

func (h Argument) fail(offset int, reason string) (Argument, error) {
	return Argument{Text: h.Text}, &Error{h.Text, offset, reason}
}

// domain reads Domain = sub-domain *("." sub-domain), RFC 5321, Section 4.1.2.
func (h Argument) domain() (Argument, error) {
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
func (h Argument) literal() (Argument, error) {
	addr, offset, reason := address.ParseLiteral(h.Text)
	if reason != "" {
		return h.fail(offset, reason)
	}
	h.Addr = addr
	return h, nil
}
