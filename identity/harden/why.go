package harden

import "github.com/bonafide-mta/bonafide/internal/enum"

// A Why is the kind of reason to leave a name alone. The zero Why is invalid.
type Why uint8

// The reasons.
const (
	_             Why = iota
	NotInZone         // it is at or below a delegation, or below a DNAME
	Described         // the description uses it for mail
	HasMX             // it has MX records
	HasSPF            // it has an SPF record that is not null, or several
	MeantSPF          // it has a text that is meant as an SPF record
	NotHost           // it is not a host name
	TakesPart         // something shows that it takes part in mail: see flow.Sign
	SharedAddress     // a mail server has its address: see Hardening.Shared
	Authorized        // the SPF record of another name authorizes its address
	MailWord          // its name has a word for mail
	Alias             // it is an alias
)

var whyText = []string{
	NotInZone: "not-in-zone", Described: "described", HasMX: "mx", HasSPF: "spf", MeantSPF: "meant-spf", NotHost: "not-host",
	TakesPart: "takes-part", SharedAddress: "shared-address", Authorized: "authorized", MailWord: "mail-word", Alias: "alias",
}

// several says of how many names a reason holds.
var several = []string{
	NotInZone: "are at or below delegations or below DNAMEs", Described: "are described", HasMX: "have mail servers",
	HasSPF: "have SPF records that do not deny everybody", MeantSPF: "have a text that is meant as an SPF record", NotHost: "are not host names",
	TakesPart: "take part in mail", SharedAddress: "have an address of a mail server", Authorized: "have an address that an SPF record authorizes",
	MailWord: "have a word for mail", Alias: "are aliases",
}

// String returns the keyword of the reason in lower case.
func (w Why) String() string { return enum.String(w, whyText) }

// MarshalText returns the text of String; an invalid Why is an error.
func (w Why) MarshalText() ([]byte, error) { return enum.Marshal(w, whyText) }

// UnmarshalText accepts what MarshalText returns, in any case.
func (w *Why) UnmarshalText(text []byte) error { return enum.Unmarshal(w, text, whyText) }
