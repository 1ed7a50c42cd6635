package rule

import "slices"

// The IDs of the catalogue.
const (
	OrgDomain     ID = "org-domain"
	AddressPublic ID = "address-public"
	PTRExists     ID = "ptr-exists"
	PTRConfirmed  ID = "ptr-confirmed"
	PTRSyntax     ID = "ptr-syntax"
	PTROneName    ID = "ptr-one-name"
	PTRNotGeneric ID = "ptr-not-generic"
	PTRStatic     ID = "ptr-static"
	PTRRole       ID = "ptr-role"
	HeloName      ID = "helo-fqdn"
	HeloRole      ID = "helo-role"
	HeloResolves  ID = "helo-resolves"
	HeloSameOrg   ID = "helo-same-org"
	HeloDiffers   ID = "helo-differs"
	SPFValid      ID = "spf-valid"
	SPFAgreed     ID = "spf-agreed"
	HeloSPF       ID = "helo-spf"
	HeloSPFStrict ID = "helo-spf-strict"
	MailSPF       ID = "mail-spf"
	HeloCSA       ID = "helo-csa"
	HeloRP        ID = "helo-rp"
	NullMX        ID = "null-mx"
	NullSPF       ID = "null-spf"
	PTRLocked     ID = "ptr-locked"
	DomainCSA     ID = "domain-csa"
	DomainRP      ID = "domain-rp"

	ExceptionsCurrent ID = "exceptions-current"
)

// Outcomes that several rules share.
var (
	tooMany   = Outcome{Code: CodeTooManyNames, Status: Undecided, Text: "the address has more PTR names than are looked up", Remedy: "Keep one PTR record, for the MTA's one name."}
	noAnswer  = Outcome{Code: CodeNoAnswer, Status: Undecided, Text: "DNS gave no answer"}
	notPublic = Outcome{Code: CodeNotPublic, Status: NotApplicable, Text: "there is no public address to judge"}
	noPTR     = Outcome{Code: CodeNoPTR, Status: NotApplicable, Text: "there is no PTR name to judge"}
	receives  = Outcome{Code: CodeReceivesOnly, Status: NotApplicable, Text: "the MTA only receives, and greets nobody"}
	noName    = Outcome{Code: CodeNoName, Status: NotApplicable, Text: "what the MTA says in HELO is no name that could be looked up"}
	noSPF     = Outcome{Code: CodeNoRecord, Status: NotApplicable, Text: "the name has no SPF record"}
	noPolicy  = Outcome{Code: CodeInvalid, Status: Fail, Text: "receivers cannot interpret the SPF record", Remedy: "Mend what spf-valid names, or publish the record of the fix in its place, which passes what is described and nothing else."}
)

var catalogue = slices.Concat(identities, policies, mail, upkeep, receivers)

// identities are the rules about who an MTA is: its address, its names.
var identities = []Rule{
	{
		ID: OrgDomain, Level: Must, Scope: Organization,
		Title:  "The organization has a domain in the public DNS",
		Advice: "This means a domain name of your own, or use of a subdomain of another",
		RFC:    []string{"RFC 6761", "RFC 5321, Section 2.3.5"},
		Why:    "Every other fact is tied to this name: it is what receivers can trust, or complain to.",
		Impact: "Nothing that follows is tied to anybody, and Postfix with reject_unknown_sender_domain, as many others, refuses mail from a domain that does not exist.",
		Outcomes: []Outcome{
			{CodeOK, Pass, "the domain exists", ""},
			{CodePrivateSuffix, Pass, "the domain exists, and is in the private part of the public suffix list: receivers that use the list see no organization that the names below it have in common", ""},
			{CodePublicSuffix, Fail, "the domain is a registry's public suffix, under which others have their names", "Name the domain that is registered to the organization."},
			{CodeMalformed, Fail, "the domain is no host name", "Correct the description."},
			{CodeReserved, Fail, "the domain is reserved and means nothing in the public DNS", "Use a registered domain."},
			{CodeDocumentation, Fail, "the domain is set aside for documentation and tests", "Use a registered domain."},
			{CodeNotInDNS, Fail, "the domain does not exist in the DNS", "Register it, or correct the description."},
			noAnswer,
			{CodeCannotTell, Undecided, "the system's resolver cannot tell whether the domain exists", ""},
		},
	},
	{
		ID: AddressPublic, Level: Must, Scope: Address,
		Title:  "The address is public, so that receivers see it and can look it up",
		Advice: "first and foremost you need a static ip",
		RFC:    []string{"RFC 6890", "RFC 5737", "RFC 6598"},
		Why:    "Receivers judge the address that reaches them. A private or shared one is changed on the way, so that its name says nothing.",
		Impact: "Receivers see another address than the one described, so that all that is published about this one goes unread.",
		Outcomes: []Outcome{
			{CodeOK, Pass, "the address is public unicast", ""},
			{CodeAllowed, Pass, "the address is set aside for documentation, which this audit accepts", ""},
			{CodePrivate, Fail, "the address is private to one network", "Describe the public address that the MTA's connections come from, and take this one out of the description."},
			{CodeShared, Fail, "the address is shared by a provider's customers (CGNAT)", "Get a static public address, or send by the provider's relay."},
			{CodeDocumentation, Fail, "the address is set aside for documentation", "Describe the MTA's real address."},
			{CodeSpecial, Fail, "the address is no public unicast address", "Describe the public address that the MTA's connections come from."},
		},
	},
	{
		ID: PTRExists, Level: Must, Scope: Address,
		Title:  "The address has a PTR record",
		Advice: "then getting your ISP to setup an IP>name record for your IP {this is known as a PTR record}",
		RFC:    []string{"RFC 1912, Section 2.1", "RFC 8601, Section 3"},
		Why:    "Many receivers refuse a client without a PTR record outright: most such clients are infected machines.",
		Impact: "Gmail refuses such mail, so does Postfix with reject_unknown_reverse_client_hostname; rspamd adds to its spam score.",
		Outcomes: []Outcome{
			{CodeOK, Pass, "the address has a PTR record", ""},
			{CodeMissing, Fail, "the address has no PTR record", "Have the PTR record set by whoever the address is from, usually the provider; choose a name first, if there is none in the description."},
			noAnswer, notPublic,
		},
	},
	{
		ID: PTRConfirmed, Level: Must, Scope: Address,
		Title:  "Every PTR name is forward-confirmed: it has the address",
		Advice: "A Non-generic looking Forward Confirmed Reverse DNS Entry for your Static IP{s}",
		RFC:    []string{"RFC 8601, Section 3", "RFC 1912, Section 2.1"},
		Why:    "Anyone can write any name into a PTR record; only the name's owner can confirm it. Unconfirmed names count as none.",
		Impact: "To Postfix, Exim and most others the address has no name then; Postfix with reject_unknown_client_hostname and OpenSMTPD with a filter on !fcrdns refuse it.",
		Outcomes: []Outcome{
			{CodeOK, Pass, "every PTR name has the address", ""},
			{CodeSomeUnconfirmed, Fail, "a PTR name does not have the address, though another has", "Keep the PTR record of the name that has the address, and have the others removed."},
			tooMany,
			{CodeMismatch, Fail, "no PTR name has the address", "Give the PTR name this address, or have the PTR record changed to a name that has it."},
			{CodeUnusable, Fail, "no PTR name is a host name that could confirm the address", "Have the PTR record changed to a name of your domain."},
			noAnswer, noPTR, notPublic,
		},
	},
	{
		ID: PTRSyntax, Level: Must, Scope: Address,
		Title:  "Every PTR name is a host name, without underscore",
		Advice: "This involves first selecting a name NB:Do NOT use _ character!!",
		RFC:    []string{"RFC 1123, Section 2.1", "RFC 952"},
		Why:    "An underscore is legal in the DNS but not in host names. Some receivers drop such a name, and the address with it.",
		Impact: "Exim from 4.97 on drops the name, and others may, so that the address counts there as one without any.",
		Conflicts: []string{
			"Postfix and mox take a PTR name with an underscore, so that a test with them shows nothing.",
		},
		Outcomes: []Outcome{
			{CodeOK, Pass, "every PTR name is a host name", ""},
			{CodeUnderscore, Fail, "a PTR name has an underscore", "Choose a name of letters, digits and hyphens."},
			{CodeNoHostName, Fail, "a PTR name is no host name of the public DNS", "Have the PTR record changed to a name of your domain, or removed if it is one too many."},
			noAnswer, noPTR, notPublic,
		},
	},
	{
		ID: PTROneName, Level: Must, Scope: MTA,
		Title:  "All addresses of the MTA have its one PTR name, and that name has them all",
		Advice: "if you have multiple IPs on one MTA it is best to point each PTR at the one name, then point the name at ALL the IPs",
		RFC:    []string{"RFC 1912, Section 2.1"},
		Why:    "One name for one machine: whichever address a connection comes from, a receiver sees the same client.",
		Impact: "Some addresses are judged as clients of another name or of none, so that mail is taken or refused by the address that it happens to leave from.",
		Outcomes: []Outcome{
			{CodeOK, Pass, "one name stands at every address and has every address", ""},
			{CodeOtherName, Fail, "an address does not have the MTA's PTR name", "Have every PTR record of the MTA changed to the one name."},
			tooMany,
			{CodeSeveralNames, Fail, "an address has another PTR name beside the MTA's one name", "Have the PTR records of the other names removed; or, if one of them is the name that the MTA should have, describe that one as ptr, and have the record of this one removed."},
			{CodeNotAllAddresses, Fail, "the PTR name does not have all addresses of the MTA", "Give the name every address of the MTA. A DNS host that cannot do so should be changed."},
			noAnswer, noPTR, notPublic,
			{CodeSingleAddress, NotApplicable, "the MTA has one address, and its description names no PTR name to compare with", ""},
		},
	},
	{
		ID: PTRNotGeneric, Level: Must, Scope: Address,
		Title:  "No PTR name looks like one that a provider gives to every address",
		Advice: "Non-generic looking means not looking like an automatically assigned name",
		RFC:    []string{"RFC 1912, Section 2.1"},
		Why:    "Names with the address or a word for access lines in them are those of infected machines at home. Receivers that refuse them do so by the looks alone.",
		Impact: "SpamAssassin (RDNS_DYNAMIC) and rspamd (hfilter) add to the spam score, and lists of such names, as fqrdns.pcre for Postfix, refuse the client.",
		Outcomes: []Outcome{
			{CodeOK, Pass, "every PTR name looks like one that somebody chose", ""},
			{CodeUnclear, Pass, "a PTR name could be a provider's: some receivers may take it for one", ""},
			{CodeGeneric, Fail, "a PTR name looks generic", "Have the PTR record changed to a name of your domain that says what the machine does, without its address."},
			noAnswer, noPTR, notPublic,
		},
	},
	{
		// At the level of must, no audit could ever be without a doubt: DNS can show
		// that an address is dynamic, never that it is not.
		ID: PTRStatic, Level: Advice, Scope: Address,
		Title:  "No PTR name has a sign of dynamic assignment",
		Advice: "This means Static IP{s}",
		Why:    "A name, SPF or CSA record is about an address. Where that is another's tomorrow, they speak for the wrong machine. DNS does not say whether it is: ask the provider.",
		Outcomes: []Outcome{
			{CodeDynamic, Fail, "a PTR name has a word for dynamic assignment", "Get a static address from the provider, or send by the provider's relay. If the address is static, have the PTR record say so with a name of your domain."},
			{CodeUnproven, Undecided, "no sign of dynamic assignment, and no proof of the opposite: DNS cannot give any", "Ask the provider whether the address is static, and if it is, say so in an exception of the description."},
			noAnswer, noPTR, notPublic,
		},
	},
	{
		ID: PTRRole, Level: Advice, Scope: Address,
		Title:  "The PTR name says what the address serves: mail alone, or more",
		Advice: "if you have IP{s} dedicated to mail-only use then say name it smtp, mail, mx, mta or something-indicating-its-role",
		Why:    "A name that says what the machine does is a name that somebody chose. A name for mail at the address of a whole office speaks for its PCs too: one such as head-office or clients fits there.",
		Outcomes: []Outcome{
			{CodeOK, Pass, "the PTR name has a word for mail in it", ""},
			{CodeShared, Pass, "no PTR name has a word for mail in it, as fits an address that serves more", ""},
			{CodeNoRole, Fail, "no PTR name has a word for mail in it, such as smtp, mail, mx or mta", "Choose a PTR name that says what the machine does; or, if the address serves more than mail, do not describe it as dedicated."},
			{CodeNotDedicated, NotApplicable, "the PTR name has a word for mail in it, and the address is not described as dedicated to mail: one such as head-office fits an address that serves more", ""},
			noAnswer, noPTR, notPublic,
		},
	},
	{
		ID: HeloName, Level: Must, Scope: MTA,
		Title:  "The MTA greets with a fully qualified host name",
		Advice: "Select and use an e-mail client specific role name for this identity",
		RFC:    []string{"RFC 5321, Section 4.1.1.1", "RFC 5321, Section 2.3.5", "RFC 6761", "RFC 8375"},
		Why:    "Receivers refuse a greeting that is no name, or one that means nothing outside its network.",
		Impact: "Postfix with reject_invalid_helo_hostname or reject_non_fqdn_helo_hostname refuses a greeting that is malformed or not fully qualified; a literal address ties the client to nobody.",
		Outcomes: []Outcome{
			{CodeOK, Pass, "the HELO name is a fully qualified host name", ""},
			{CodeLiteral, Fail, "the MTA greets with an address instead of a name", "Configure a host name of the organization in the MTA (Postfix: smtp_helo_name, Exim: helo_data)."},
			{CodeUnderscore, Fail, "the HELO name has an underscore", "Configure a name of letters, digits and hyphens in the MTA (Postfix: smtp_helo_name, Exim: helo_data)."},
			{CodeNotQualified, Fail, "the HELO name is not fully qualified: it means nothing in the public DNS", "Configure the full name, with the organization's domain, in the MTA (Postfix: smtp_helo_name, Exim: helo_data)."},
			{CodeMalformed, Fail, "what the MTA says in HELO is not as RFC 5321 has it", "Configure a host name of the organization in the MTA (Postfix: smtp_helo_name, Exim: helo_data)."},
			receives,
		},
	},
	{
		ID: HeloRole, Level: Advice, Scope: MTA,
		Title:  "The HELO name is for mail alone: it has a word for mail in it, and no addresses of others",
		Advice: "Select and use an e-mail client specific role name for this identity",
		Why:    "A name that is used for nothing but mail can be protected by strict records. A name of the whole domain, of a web server or of a load balancer needs records for all that it serves.",
		Outcomes: []Outcome{
			{CodeOK, Pass, "the HELO name has a word for mail in it, and no addresses of others", ""},
			{CodeMoreAddresses, Fail, "the HELO name has addresses of no MTA that is described", "Set up a new name for the HELO of the MTA, with its addresses alone; or describe the MTAs that have the others."},
			{CodeNoRole, Fail, "the HELO name has no word for mail in it, such as mail, smtp, mx or post", "Set up a new name for the HELO of the MTA that says what it is for, such as post or smtp within the domain, with the addresses of the MTA."},
			noAnswer, noName, notPublic, receives,
		},
	},
	{
		ID: HeloResolves, Level: Must, Scope: MTA,
		Title:  "The HELO name has all addresses of the MTA",
		Advice: "A helo/ehlo identity that also is resolvable via DNS to your MTA's IP{s}",
		RFC:    []string{"RFC 5321, Section 2.3.5", "RFC 5321, Section 4.1.4"},
		Why:    "A HELO name that leads back to the client is the client's own; any other could be anyone's.",
		Impact: "Postfix with reject_unknown_helo_hostname refuses a name without any address, Exim with verify = helo one without the client's; rspamd and SpamAssassin add to the spam score.",
		Outcomes: []Outcome{
			{CodeOK, Pass, "the HELO name has every address", ""},
			{CodeNoAddress, Fail, "the HELO name has none of the MTA's addresses", "Point the HELO name at the addresses that the MTA's connections come from."},
			{CodeNotAllAddresses, Fail, "the HELO name lacks an address of the MTA", "Point the HELO name at every address that the MTA's connections come from."},
			noAnswer, noName, notPublic, receives,
		},
	},
	{
		ID: HeloSameOrg, Level: Must, Scope: MTA,
		Title:  "The HELO name and the PTR names belong to the organization",
		Advice: "Continue to use your same Organisational Identity in a verifiable way in e-mail exchanges",
		RFC:    []string{"RFC 5321, Section 4.1.4"},
		Why:    "The confirmed PTR name ties the address to an organization. A HELO name of the same one is seen not to be forged. Names of a provider say who rents the address out, not who sends.",
		Impact: "The confirmed name of the address says nothing for the greeting: unless a receiver looks the HELO name up, it is one that anybody could have made up.",
		Outcomes: []Outcome{
			{CodeOK, Pass, "the HELO name and the PTR names are the organization's", ""},
			{CodeUnrelated, Fail, "the HELO name is of another organization than a PTR name", "Choose HELO and PTR names below the organization's domain. Where the domain is a subdomain of another organization's, describe it as the domain."},
			{CodeOtherOrganization, Fail, "the HELO name and the PTR names belong together, but not to the organization", "Choose HELO and PTR names below the organization's domain, or describe the domain that they are below."},
			noAnswer, noPTR, noName, notPublic, receives,
		},
	},
	{
		ID: HeloDiffers, Level: ShouldMajor, Scope: MTA,
		Title:  "The HELO name is another name than the PTR name",
		Advice: "it can be the same as above but it is better if it is a different name within the same domain",
		Why:    "An infected machine looks up its own PTR name and greets with it. A name that it cannot guess tells the MTA from it. Some testers want the two to be equal: receivers do not.",
		Conflicts: []string{
			"The self-checks of mailinabox and YunoHost call a HELO name that differs from the PTR name an error, mailcow's shows a red cross, mox's warns.",
			"MXToolbox warns of a banner that differs from the PTR name.",
			"maddy quarantines mail from such a client where require_matching_rdns is switched on; Postfix, Exim, OpenSMTPD, rspamd and Stalwart do not compare the two.",
		},
		Outcomes: []Outcome{
			{CodeOK, Pass, "the HELO name is none of the PTR names", ""},
			{CodeIdentical, Fail, "the HELO name is a PTR name too, which any infected machine at the address could find", "Keep the HELO name and publish the PTR records of the fix."},
			noAnswer, noPTR, noName, notPublic, receives,
		},
	},
}
