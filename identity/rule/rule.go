// Package rule is the catalogue of what an audit of mail servers judges: for each rule a
// stable ID, its level, the sentence of the advice page it comes from, the RFCs behind it,
// why it matters, and every outcome it can have.
//
// The rules follow Alan Doherty's "Advice on how to setup/run a Mailserver well" (2016), and
// keep its MUST and SHOULD. The package is data and documentation and asks no DNS: package
// audit judges by it, and package plan names the rule that wants a record.
//
// The catalogue also has checks that well-known receivers document, each with its source.
// They are advice, and say what happens to an MTA's mail there.
//
// Use [All] to list the catalogue and [Lookup] to find a rule by its ID. Both may be called
// concurrently.
package rule

import (
	"cmp"
	"slices"
	"strings"

	"github.com/bonafide-mta/bonafide/internal/enum"
)

// An ID names a rule, as in "ptr-confirmed". It is never given to another rule,
// even when its rule goes away.
type ID string

// A Level says how much a rule weighs. It belongs to the rule and never depends
// on the outcome. The zero Level is invalid; a weightier level is less.
type Level uint8

// The levels of the advice page.
const (
	_           Level = iota
	Must              // counts against the server if not met
	ShouldMajor       // adds to its reputation: little work, and many receivers check it
	ShouldMinor       // adds to its reputation: little work, and few receivers check it
	Advice            // good to have, nobody checks
)

var levelText = []string{Must: "must", ShouldMajor: "should-major", ShouldMinor: "should-minor", Advice: "advice"}

// String returns must, should-major, should-minor or advice.
func (l Level) String() string { return enum.String(l, levelText) }

// MarshalText returns the text of String; an invalid Level is an error.
func (l Level) MarshalText() ([]byte, error) { return enum.Marshal(l, levelText) }

// UnmarshalText accepts what MarshalText returns, in any case.
func (l *Level) UnmarshalText(text []byte) error { return enum.Unmarshal(l, text, levelText) }

// Reaches reports whether l weighs as much as threshold or more.
func (l Level) Reaches(threshold Level) bool { return l <= threshold }

// A Status is the outcome of a rule for one subject. The zero Status is invalid.
type Status uint8

// The statuses of a finding.
const (
	_             Status = iota
	Pass                 // the rule holds
	Fail                 // it does not
	Undecided            // DNS gave no answer that would tell; never counted as Fail
	NotApplicable        // the rule is not about this subject
	Waived               // it does not hold, or nobody but the operator can tell, and an exception of the description says that this is meant
)

var statusText = []string{Pass: "pass", Fail: "fail", Undecided: "undecided", NotApplicable: "not-applicable", Waived: "waived"}

// String returns pass, fail, undecided, not-applicable or waived.
func (s Status) String() string { return enum.String(s, statusText) }

// MarshalText returns the text of String; an invalid Status is an error.
func (s Status) MarshalText() ([]byte, error) { return enum.Marshal(s, statusText) }

// UnmarshalText accepts what MarshalText returns, in any case.
func (s *Status) UnmarshalText(text []byte) error { return enum.Unmarshal(s, text, statusText) }

// A Scope says what a rule is judged on. The zero Scope is invalid.
type Scope uint8

// The scopes of a rule.
const (
	_            Scope = iota
	Organization       // once
	MTA                // once for each MTA
	Address            // once for each address of each MTA
	Name               // once for each name that mail is sent under: HELO names, and mail domains
	MailDomain         // once for each mail domain
	PTRName            // once for each PTR name described
	OtherName          // once for each name described as one without mail
)

var scopeText = []string{Organization: "organization", MTA: "mta", Address: "address", Name: "name", MailDomain: "mail-domain", PTRName: "ptr-name", OtherName: "other-name"}

// String returns organization, mta, address, name, mail-domain, ptr-name or
// other-name.
func (s Scope) String() string { return enum.String(s, scopeText) }

// MarshalText returns the text of String; an invalid Scope is an error.
func (s Scope) MarshalText() ([]byte, error) { return enum.Marshal(s, scopeText) }

// UnmarshalText accepts what MarshalText returns, in any case.
func (s *Scope) UnmarshalText(text []byte) error { return enum.Unmarshal(s, text, scopeText) }

// A Check says what a receiver's own check looks at. The zero Check is invalid: that of
// rules that are not receivers'.
type Check uint8

// The checks. The outcomes of a rule say what it looks at beside: with CodeIPv4 only at
// IPv6 addresses, with CodeUnderscore at underscores, with CodePattern at the patterns of
// S25R.
const (
	_                Check = iota
	CheckPTR               // whether the address has a PTR name
	CheckFirstName         // whether the PTR name that comes first has the address
	CheckAnyName           // whether one of the PTR names has the address
	CheckHeloSyntax        // whether the text of HELO is a name
	CheckHeloLookup        // whether the HELO name has any address or MX record
	CheckHeloAddress       // whether the HELO name has every address
	CheckHeloCSA           // whether a CSA record denies an address the HELO name
	CheckHeloPTR           // whether the HELO name is a PTR name of every address
)

var checkText = []string{
	CheckPTR: "ptr", CheckFirstName: "first-name", CheckAnyName: "any-name", CheckHeloSyntax: "helo-syntax",
	CheckHeloLookup: "helo-lookup", CheckHeloAddress: "helo-address", CheckHeloCSA: "helo-csa", CheckHeloPTR: "helo-ptr",
}

// String returns a keyword, as "helo-syntax".
func (c Check) String() string { return enum.String(c, checkText) }

// MarshalText returns the text of String; an invalid Check is an error.
func (c Check) MarshalText() ([]byte, error) { return enum.Marshal(c, checkText) }

// UnmarshalText accepts what MarshalText returns, in any case.
func (c *Check) UnmarshalText(text []byte) error { return enum.Unmarshal(c, text, checkText) }

// A Rule is one entry of the catalogue.
type Rule struct {
	ID        ID        `json:"id"`
	Level     Level     `json:"level,omitzero"`
	Scope     Scope     `json:"scope,omitzero"`
	Title     string    `json:"title"`              // what is true if the rule passes, as a sentence without full stop
	Advice    string    `json:"advice,omitzero"`    // the words of the advice page that it comes from; "" for a receiver's check and a rule about the audit itself
	RFC       []string  `json:"rfc,omitzero"`       // its sources, such as "RFC 8601, Section 3"; may be empty
	Why       string    `json:"why,omitzero"`       // why it matters, in a sentence or two
	Impact    string    `json:"impact,omitzero"`    // what a failure costs in practice, in a sentence; "" if nothing is known
	Conflicts []string  `json:"conflicts,omitzero"` // where well-known programs want something else, a sentence each
	Receiver  string    `json:"receiver,omitzero"`  // whose check it is, for those that are receivers' own; "" for the advice page's
	Source    string    `json:"source,omitzero"`    // of a receiver's check: where it is documented, with the name of the option
	Check     Check     `json:"check,omitzero"`     // of a receiver's check: what it looks at
	Outcomes  []Outcome `json:"outcomes,omitzero"`  // every outcome it can have
}

// An Outcome is one way for a rule to come out.
type Outcome struct {
	Code   Code   `json:"code,omitzero"` // which outcome of the rule it is
	Status Status `json:"status,omitzero"`
	Text   string `json:"text"`            // the outcome as a clause: "the address has no PTR record"
	Remedy string `json:"remedy,omitzero"` // for a Fail: what to do about it, beside publishing the records of the fix; for what only the operator can decide: how
}

// MentionsFix reports whether the remedy refers to records of the fix: if a finding has none,
// it says why instead.
func (o Outcome) MentionsFix() bool {
	return strings.Contains(o.Remedy, "of the fix") || strings.Contains(o.Remedy, "ublish the record")
}

// cutOff is an outcome of every rule.
var cutOff = Outcome{
	Code: CodeCutOff, Status: Undecided, Text: "could not be told: the audit ended early",
	Remedy: "Repeat the audit with more time.",
}

// Outcome returns the outcome with a code. Every rule can have CodeCutOff, which Outcomes do
// not list.
func (r Rule) Outcome(code Code) (Outcome, bool) {
	if code == CodeCutOff {
		return cutOff, true
	}
	for _, o := range r.Outcomes {
		if o.Code == code {
			return o, true
		}
	}
	return Outcome{}, false
}

// Has reports whether the rule has an outcome with a code.
func (r Rule) Has(code Code) bool {
	_, ok := r.Outcome(code)
	return ok
}

// All returns the rules in the order of the advice page, the receivers' own checks last:
// every rule comes after those that it builds upon. The caller may keep and change the
// slice, but not what its rules point to.
func All() []Rule { return append([]Rule(nil), catalogue...) }

// Lookup returns the rule with an ID.
func Lookup(id ID) (Rule, bool) {
	if i := position(id); i < len(catalogue) {
		return catalogue[i], true
	}
	return Rule{}, false
}

// Compare orders IDs as the catalogue does; unknown ones come last.
func Compare(a, b ID) int { return cmp.Compare(position(a), position(b)) }

// position returns the place of a rule in the catalogue, its length for none.
func position(id ID) int {
	if i := slices.IndexFunc(catalogue, func(r Rule) bool { return r.ID == id }); i >= 0 {
		return i
	}
	return len(catalogue)
}
