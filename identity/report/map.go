package report

import (
	"github.com/bonafide-mta/bonafide/internal/enum"
)

// A Host is one MTA in the identity map: its addresses, their PTR names and its HELO name,
// and which of them resolve to each other. It says what is in DNS; the findings say how much
// that matters.
type Host struct {
	ID        string        `json:"id"`        // in the description
	Helo      string        `json:"helo"`      // canonical where it is a name, else to the letter; "" if it only receives
	HeloOwn   bool          `json:"helo_own"`  // the HELO name is the organization's
	Addresses []HostAddress `json:"addresses"` // as described, those that are not public too
}

// A HostAddress is one address of a Host.
type HostAddress struct {
	Address string     `json:"address"`       // IPv4 or IPv6, as text
	PTR     Link       `json:"ptr,omitzero"`  // it has a PTR record
	Helo    Link       `json:"helo,omitzero"` // the HELO name has it
	Names   []HostName `json:"names"`         // of its PTR records
	Skipped int        `json:"skipped"`       // how many more names there are, beyond those that receivers look at
}

// A HostName is a PTR name of an address.
type HostName struct {
	Name      string `json:"name"`               // canonical
	Confirmed Link   `json:"confirmed,omitzero"` // it has the address
	Own       bool   `json:"own"`                // it is the organization's
}

// A Link says whether one part of the identity map resolves to another. The zero Link is
// invalid.
type Link uint8

// The states of a Link.
const (
	_        Link = iota
	Holds         // it does
	Broken        // it does not
	Unknown       // DNS gave no answer
	NotAsked      // there was nothing to ask: no public address, or no HELO name
)

var linkText = []string{Holds: "holds", Broken: "broken", Unknown: "unknown", NotAsked: "not-asked"}

// String returns holds, broken, unknown or not-asked.
func (l Link) String() string { return enum.String(l, linkText) }

// MarshalText returns the text of String; an invalid Link is an error.
func (l Link) MarshalText() ([]byte, error) { return enum.Marshal(l, linkText) }

// UnmarshalText accepts what MarshalText returns, in any case.
func (l *Link) UnmarshalText(text []byte) error { return enum.Unmarshal(l, text, linkText) }
