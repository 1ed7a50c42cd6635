package rule

import "github.com/bonafide-mta/bonafide/internal/enum"

// A Code names an outcome within its rule. Rules share the codes that mean the same; which
// of them a rule can have, and what status each has there, its Outcomes say. The keywords
// are stable, as IDs are; the numbers are not. The zero Code is invalid.
type Code uint8

// The codes, by what most of their rules are about.
const (
	_ Code = iota

	// Of many rules.
	CodeOK                // what the rule asks for holds
	CodeMissing           // the record is not there
	CodeInvalid           // receivers cannot interpret the record
	CodeMalformed         // no host name
	CodeUnderscore        // a name has an underscore
	CodeNoHostName        // a name is not a host name of the public DNS
	CodeNoAnswer          // DNS gave no answer
	CodeNotPublic         // the address is not public
	CodeNotAllAddresses   // the record or name lacks an address of the MTA
	CodeOtherOrganization // the name belongs to another organization
	CodeMailDomain        // the name is a mail domain too
	CodeNoRecord          // there is no record to judge
	CodeNoAddress         // the name has no address
	CodeUnclear           // what was seen can be taken either way
	CodeUnusable          // what is there cannot be used
	CodeCutOff            // of every rule: the audit ended before it was judged
	CodeOther             // of no rule: an outcome in a report of another version

	// Of the organization's domain, and of addresses.
	CodePublicSuffix  // others have their names under the domain
	CodePrivateSuffix // the organization's own domain, under which others may have their names, too
	CodeReserved      // the domain means nothing in the public DNS
	CodeDocumentation // set aside for documentation
	CodeNotInDNS      // the domain does not exist
	CodeCannotTell    // the resolver cannot tell whether it exists
	CodeAllowed       // set aside for documentation, which this audit accepts
	CodePrivate       // the address is private to one network
	CodeShared        // the address is shared: by customers, or by more than mail
	CodeSpecial       // the address is not public unicast
	CodeIPv4          // the address is not IPv6

	// Of PTR names.
	CodeNoPTR           // there is no PTR name to judge
	CodeTooManyNames    // there are more names than are looked up, and the first do not decide
	CodeUnconfirmed     // no PTR name has the address
	CodeSomeUnconfirmed // a PTR name does not have the address, and another has
	CodeMismatch        // no PTR name has the address
	CodeOtherName       // an address lacks the MTA's PTR name
	CodeSeveralNames    // an address has another name beside the MTA's PTR name
	CodeSingleAddress   // there is one address, and nothing to compare with
	CodeGeneric         // a PTR name looks generic
	CodePattern         // a PTR name matches a pattern for end users' lines
	CodeDynamic         // a PTR name has a word for dynamic assignment
	CodeUnproven        // nothing speaks against a static address, and DNS has no proof
	CodeNoRole          // no PTR name has a word for mail
	CodeNotDedicated    // the address is not described as dedicated to mail
	CodeOpen            // the PTR name can be forged
	CodeNoDenial        // the PTR name can be forged in HELO, by CSA alone

	// Of HELO.
	CodeReceivesOnly // the MTA only receives
	CodeNoName       // HELO has no name that could be looked up
	CodeLiteral      // HELO is an address in brackets
	CodeNotQualified // the HELO name is not fully qualified
	CodeNotFound     // the HELO name has no address or MX record
	CodeNotVerified  // the HELO name does not resolve to every address
	CodeOtherAddress // the HELO name does not have every address
	CodeUnrelated    // HELO and PTR name have no organization in common
	CodeIdentical    // HELO and PTR name are the same
	CodeDiffers      // HELO and PTR name are not the same
	CodeGreets       // an MTA uses the name in HELO

	// Of SPF records.
	CodeBroken        // the record breaks RFC 7208
	CodeDisagreed     // strict and lenient receivers come to other results
	CodeOthersAllowed // the record does not deny other addresses
	CodeNoFail        // the record does not end with -all
	CodeMoreAddresses // the record authorizes more addresses than the MTAs have
	CodeIgnored       // the record has terms that are never looked at

	// Of CSA and RP records.
	CodeDenied         // a CSA record denies an address the name
	CodeUnknown        // no CSA record is about the name
	CodeNoPolicy       // the CSA record is not a policy for the whole domain
	CodeDangling       // an RP record points to a text that is not there
	CodeNotAllContacts // a contact of the description is not published
	CodeNamesNobody    // the RP records name nobody

	// Of names without mail, and of wildcards.
	CodeReceives // the name receives mail
	CodeSends    // the name sends mail
	CodeMail     // a wildcard takes mail
	CodeAddress  // a wildcard has addresses
	CodeText     // a wildcard has texts
	CodeSilenced // a wildcard denies all mail

	// Of where mail for a name goes.
	CodeNullMX      // the name takes no mail
	CodeNowhere     // the name has neither MX record nor address
	CodeNoTarget    // no mail exchanger has a public address
	CodeSomeLost    // some mail exchangers have no public address
	CodeNoExchanger // there is no mail exchanger to judge
	CodeProvider    // the mail exchangers are another organization's
	CodeNoServer    // there is no mail server to ask
	CodeRefused     // a mailbox is refused
	CodeBareRefused // <postmaster> without a domain is refused
	CodeDeferred    // the mail server asks to come back later
	CodeCatchAll    // every mailbox is accepted
	CodeSendsOnly   // the hosts that mail goes to are described as MTAs that only send
	CodeMixed       // a Null MX is beside mail exchangers

	// Of times to live, and of exceptions.
	CodeTooHigh // a record lives for longer than a week
	CodeLow     // a record lives for less than five minutes
	CodeNothing // there is no record to judge
	CodeExpired // an exception has expired
	CodeNone    // there are no exceptions
)

var codeText = []string{
	CodeOK: "ok", CodeMissing: "missing", CodeInvalid: "invalid", CodeMalformed: "malformed",
	CodeUnderscore: "underscore", CodeNoHostName: "no-host-name", CodeNoAnswer: "no-answer", CodeNotPublic: "not-public",
	CodeNotAllAddresses: "not-all-addresses", CodeOtherOrganization: "other-organization", CodeMailDomain: "mail-domain", CodeNoRecord: "no-record",
	CodeNoAddress: "no-address", CodeUnclear: "unclear", CodeUnusable: "unusable", CodeCutOff: "cut-off", CodeOther: "other",
	CodePublicSuffix: "public-suffix", CodePrivateSuffix: "private-suffix", CodeReserved: "reserved", CodeDocumentation: "documentation", CodeNotInDNS: "not-in-dns",
	CodeCannotTell: "cannot-tell", CodeAllowed: "allowed", CodePrivate: "private", CodeShared: "shared",
	CodeSpecial: "special", CodeIPv4: "ipv4",
	CodeNoPTR: "no-ptr", CodeTooManyNames: "too-many-names", CodeUnconfirmed: "unconfirmed", CodeSomeUnconfirmed: "some-unconfirmed",
	CodeMismatch: "mismatch", CodeOtherName: "other-name", CodeSeveralNames: "several-names", CodeSingleAddress: "single-address", CodeGeneric: "generic",
	CodePattern: "pattern", CodeDynamic: "dynamic", CodeUnproven: "unproven", CodeNoRole: "no-role",
	CodeNotDedicated: "not-dedicated", CodeOpen: "open", CodeNoDenial: "no-denial",
	CodeReceivesOnly: "receives-only", CodeNoName: "no-name", CodeLiteral: "literal", CodeNotQualified: "not-qualified",
	CodeNotFound: "not-found", CodeNotVerified: "not-verified", CodeOtherAddress: "other-address", CodeUnrelated: "unrelated",
	CodeIdentical: "identical", CodeDiffers: "differs", CodeGreets: "greets",
	CodeBroken: "broken", CodeDisagreed: "disagreed", CodeOthersAllowed: "others-allowed", CodeNoFail: "no-fail",
	CodeMoreAddresses: "more-addresses", CodeIgnored: "ignored",
	CodeDenied: "denied", CodeUnknown: "unknown", CodeNoPolicy: "no-policy", CodeDangling: "dangling",
	CodeNotAllContacts: "not-all-contacts", CodeNamesNobody: "names-nobody",
	CodeReceives: "receives", CodeSends: "sends", CodeMail: "mail", CodeAddress: "address",
	CodeText: "text", CodeSilenced: "silenced",
	CodeNullMX: "null-mx", CodeNowhere: "nowhere", CodeNoTarget: "no-target", CodeSomeLost: "some-lost",
	CodeNoExchanger: "no-exchanger", CodeProvider: "provider", CodeNoServer: "no-server", CodeRefused: "refused",
	CodeBareRefused: "bare-refused", CodeDeferred: "deferred", CodeCatchAll: "catch-all", CodeSendsOnly: "sends-only",
	CodeMixed:   "mixed",
	CodeTooHigh: "too-high", CodeLow: "low", CodeNothing: "nothing", CodeExpired: "expired",
	CodeNone: "none",
}

// String returns a keyword, as "no-answer".
func (c Code) String() string { return enum.String(c, codeText) }

// MarshalText returns the text of String; an invalid Code is an error.
func (c Code) MarshalText() ([]byte, error) { return enum.Marshal(c, codeText) }

// UnmarshalText accepts what MarshalText returns, in any case.
func (c *Code) UnmarshalText(text []byte) error { return enum.Unmarshal(c, text, codeText) }
