package ptrname

import (
	"fmt"
	"math"
	"net/netip"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/enum"
)

// Kind says who seems to have given an address its name. The zero Verdict is
// invalid.
type Kind uint8

// The verdicts on a name.
const (
	_          Kind = iota
	Deliberate      // somebody chose it, for a machine or a group of them
	Unclear         // both could be: Score has the better guess
	Generic         // it was made for whoever has the address, by a rule of the provider's
)

var kindText = []string{Deliberate: "deliberate", Unclear: "unclear", Generic: "generic"}

// String returns deliberate, unclear or generic.
func (v Kind) String() string { return enum.String(v, kindText) }

// MarshalText returns the text of String; an invalid Verdict is an error.
func (v Kind) MarshalText() ([]byte, error) { return enum.Marshal(v, kindText) }

// UnmarshalText accepts what MarshalText returns, in any case.
func (v *Kind) UnmarshalText(text []byte) error { return enum.Unmarshal(v, text, kindText) }

// An Assessment is what a name looks like, and why.
type Assessment struct {
	Kind Kind
	// Score is the sum of the weights, and of -1.1 for no reason at all: over 0 the name
	// leans to generic. Within 0.5 of 0 the Kind is Unclear.
	Score   float64
	Reasons []Reason // in the order in which they were found
}

// assess draws the kind from the reasons.
func assess(reasons []Reason) Assessment {
	a := Assessment{Kind: Unclear, Score: bias, Reasons: reasons}
	for _, r := range reasons {
		a.Score += r.Weight
	}
	a.Score = math.Round(10*a.Score) / 10 // as the weights are
	if a.Score > unclearBand {
		a.Kind = Generic
	} else if a.Score < -unclearBand {
		a.Kind = Deliberate
	}
	return a
}

// unclearBand is how far from 0 a Score leaves the Kind Unclear.
const unclearBand = 0.5

// A Reason is one thing about a name that speaks for or against a generic one.
type Reason struct {
	Code   Code
	Weight float64 // over 0 it speaks for generic
	Part   string  // of the name, in canonical form; "" for the whole
}

// Text returns the reason in words, as in "the address stands in it: 203-0-113-7".
func (r Reason) Text() string {
	if r.Part == "" {
		return r.Code.Text()
	}
	return r.Code.Text() + ": " + r.Part
}

// String returns the weight and the text, as in "+3.7 the address stands in it:
// 203-0-113-7".
func (r Reason) String() string { return fmt.Sprintf("%+.1f %s", r.Weight, r.Text()) }

// Classify tells whether the name of an address looks like one that its provider made
// up for every address, as 203-0-113-7.dsl.isp.example, or like one that somebody
// chose. It asks no DNS and needs no list of providers: it looks for the address in
// the name, and for the words that both kinds of names have. An invalid address is
// looked for nowhere; what is no name is Unclear, with a Score of 0.
//
// It is a guess, right for some 97 of 100 names that it has not seen: a reason to look
// twice or a part of a score, never a reason to refuse mail by itself.
func Classify(addr netip.Addr, name string) Assessment {
	canonical, err := dnsname.Canonical(name)
	if err != nil || canonical == "." {
		return Assessment{Kind: Unclear}
	}
	e := examination{name: canonical[:len(canonical)-1]}
	e.reasons = make([]Reason, 0, 8)
	e.split()
	e.address(addr.Unmap().WithZone(""))
	e.words()
	e.shape()
	return assess(e.reasons)
}

// Code names a reason. The zero Code is invalid.
type Code uint8

// The codes of reasons.
const (
	_               Code = iota
	AddressWhole         // all of the address, in any order or notation
	AddressMost          // three of its four numbers, or half of an IPv6 address
	AddressLow           // its last two numbers
	AddressHigh          // its first two numbers
	AddressLast          // its last number
	AccessWord           // dsl, dhcp, pool, and the like
	AccessWords          // a second one
	AssignWord           // customer, reverse, vps, static, and the like
	PlainWord            // ip, net, host, and the like
	MachineWord          // server, node, and the like
	OrgWord              // dsl, hosting, and the like in the organization's own name
	PlaceholderOnly      // nothing but such words
	RoleLeft             // mail, smtp, mx, and the like, at the beginning
	RoleInner            // the same, further right
	ServiceLeft          // www, ns, gw, and the like, at the beginning
	WordNumber           // a word and a small number at the beginning, as lists of machines have
	NoDigits             // no digit
	LeftNoDigits         // digits, but not at the beginning
	LongNumber           // four or more digits in a row
	StartsWithDigit      // a digit at the beginning
	ManyNumbers          // three or more numbers
	NumberLabel          // nothing but a number between two dots
	InnerDigits          // digits further right
	HexLabel             // a long mix of digits and the letters a to f
	Apex                 // the organization's domain itself
	DeepName             // four or more labels before the organization's domain
	MailFamily           // a provider of mail for others, whose names have a scheme
	codes
)

var codeKeyword = []string{
	AddressWhole: "address-whole", AddressMost: "address-most", AddressLow: "address-low", AddressHigh: "address-high", AddressLast: "address-last",
	AccessWord: "access-word", AccessWords: "access-words", AssignWord: "assign-word", PlainWord: "plain-word", MachineWord: "machine-word", OrgWord: "org-word", PlaceholderOnly: "placeholder-only",
	RoleLeft: "role-left", RoleInner: "role-inner", ServiceLeft: "service-left", WordNumber: "word-number", NoDigits: "no-digits",
	LeftNoDigits: "left-no-digits", LongNumber: "long-number", StartsWithDigit: "starts-with-digit", ManyNumbers: "many-numbers",
	NumberLabel: "number-label", InnerDigits: "inner-digits", HexLabel: "hex-label", Apex: "apex", DeepName: "deep-name", MailFamily: "mail-family",
}

// String returns a keyword, as address-whole.
func (c Code) String() string { return enum.String(c, codeKeyword) }

// MarshalText returns the text of String; an invalid Code is an error.
func (c Code) MarshalText() ([]byte, error) { return enum.Marshal(c, codeKeyword) }

// UnmarshalText accepts what MarshalText returns, in any case.
func (c *Code) UnmarshalText(text []byte) error { return enum.Unmarshal(c, text, codeKeyword) }

// Text returns what the reason says of a name, "" for an invalid Code.
func (c Code) Text() string {
	if c >= codes {
		return ""
	}
	return codeText[c]
}

var codeText = [codes]string{
	AddressWhole: "the address stands in it", AddressMost: "most of the address stands in it", AddressLow: "the last two numbers of the address stand in it",
	AddressHigh: "the first two numbers of the address stand in it", AddressLast: "the last number of the address stands in it",
	AccessWord: "a word for access lines", AccessWords: "another word for access lines", AssignWord: "a word for what is assigned to customers",
	PlainWord: "a word for any address", MachineWord: "a word for any machine", OrgWord: "a word for a provider in the domain", PlaceholderOnly: "nothing but words for any machine",
	RoleLeft: "a word for mail at the beginning", RoleInner: "a word for mail further right", ServiceLeft: "a word for a service at the beginning",
	WordNumber: "a word with a small number at the beginning", NoDigits: "no digit in it", LeftNoDigits: "no digit at the beginning",
	LongNumber: "a long number", StartsWithDigit: "a digit at the beginning", ManyNumbers: "three numbers or more", NumberLabel: "a number between two dots",
	InnerDigits: "digits further right", HexLabel: "a long hexadecimal number", Apex: "the domain itself", DeepName: "many labels",
	MailFamily: "the scheme of a provider of mail",
}
