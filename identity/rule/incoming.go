package rule

// The IDs of the rules about mail that comes in, and about what else the zones say.
const (
	MailRoute ID = "mail-route"
	MXHosts   ID = "mx-hosts"
	// RoleMailboxes is judged only where mail servers are to be asked.
	RoleMailboxes ID = "role-mailboxes"
	Wildcards     ID = "wildcards"
	TTLs          ID = "ttls"
)

// mail are the rules about where mail to the organization goes, and about what its zones
// do to all the names above.
var mail = []Rule{
	{
		// A must, as the page has it: who cannot be written to cannot be complained to.
		ID: MailRoute, Level: Must, Scope: Name,
		Title:  "Mail for postmaster and abuse at the name has somewhere to go",
		Advice: "ensure some system accepts mail addressed for (postmaster & abuse) @your-helo/ehlo-identity, either your MTA if it has just the A record, or another by adding MX records",
		RFC:    []string{"RFC 5321, Section 4.5.1", "RFC 2142, Section 4", "RFC 7505, Section 4.2"},
		Why:    "Who gets abuse from the server, or sees it broken, writes to these two at the name that it greets with and at the domain that it sends for. DNS shows where such mail goes, not whether anybody reads it.",
		Impact: "Complaints bounce, and go to blocklists and to the provider of the address instead; Postfix with reject_unknown_sender_domain refuses a sender whose domain has neither an MX record nor an address, or has a Null MX.",
		Outcomes: []Outcome{
			{CodeOK, Pass, "mail for the name has somewhere to go", ""},
			{CodeSomeLost, Pass, "mail for the name has somewhere to go, but a mail exchanger has no public address, or belongs to an MTA that only sends", ""},
			{CodeNullMX, Fail, "a Null MX record says that the name takes no mail", "Put MX records for a host that takes it in place of the Null MX; at a HELO name with an address none is needed."},
			{CodeNowhere, Fail, "the name has neither an MX record nor an address", "Publish an MX record for a host that takes mail for postmaster and abuse, or an address."},
			{CodeMixed, Fail, "a Null MX record, which says that the name takes no mail, is beside mail exchangers", "Remove the Null MX record (MX 0 .): a name that takes mail must not have one (RFC 7505, Section 3)."},
			{CodeSendsOnly, Fail, "mail for the name goes only to MTAs that are described as sending and not receiving", "Publish the MX records of the fix, so that an MTA that receives takes the mail; or describe the MTA with the role inbound, if it takes it."},
			{CodeNoTarget, Fail, "no host that mail for the name goes to has a public address", "Point the MX record at a host with a public address."},
			{CodeTooManyNames, Undecided, "the name has more mail exchangers than are looked up, and none of the first has a public address", "Point the first MX record at a host with a public address."},
			noAnswer,
		},
	},
	{
		// As weighty as the rules on PTR records are for the hosts that are described as
		// MTAs: whether the description has a host changes nothing for who looks at it.
		ID: MXHosts, Level: Must, Scope: MailDomain,
		Title:  "The organization's own mail exchangers have public addresses with confirmed names that are not generic",
		Advice: "repeat this for any/all IPs used by your MTAs",
		RFC:    []string{"RFC 1912, Section 2.1", "RFC 8601, Section 3"},
		Why:    "A host that takes mail sends some, too: bounces, forwards, replies. It is then judged as any client, and so is the domain that names it.",
		Impact: "Mail still comes in; what the host sends itself is refused or scored like that of any client without a name of its own, and an address that is not public gets no mail at all.",
		Outcomes: []Outcome{
			{CodeOK, Pass, "every mail exchanger of the organization has public addresses with confirmed names", ""},
			{CodeNotPublic, Fail, "a mail exchanger has an address that is not public", "Take the address out of the name that the MX record points to."},
			{CodeNoAddress, Fail, "a mail exchanger has no address", "Give the host its address, or remove the MX record."},
			{CodeUnconfirmed, Fail, "an address of a mail exchanger has no forward-confirmed name", "Have a PTR record set for the address, to a name of your domain that has it."},
			{CodeGeneric, Fail, "an address of a mail exchanger has a name that looks generic", "Have the PTR record changed to a name of your domain that says what the machine does, without its address."},
			{CodeTooManyNames, Undecided, "the domain has more mail exchangers than are looked up, and none of the first is the organization's", "Keep the MX records of hosts that take mail."},
			noAnswer,
			{CodeProvider, NotApplicable, "the mail exchangers are another organization's, which looks after them", ""},
			{CodeNoExchanger, NotApplicable, "no MX record of the domain names a host with an address", ""},
		},
	},
	{
		ID: RoleMailboxes, Level: Must, Scope: Name,
		Title:  "The mail server of the name accepts mail for postmaster and abuse",
		Advice: "ensure some system accepts mail addressed for (postmaster & abuse) @your-helo/ehlo-identity",
		RFC:    []string{"RFC 5321, Section 4.5.1", "RFC 2142, Section 4"},
		Why:    "Who has to complain of mail from a name writes to these, and takes it for abandoned, or worse, where they bounce. Whether somebody reads them no server tells.",
		Impact: "Complaints bounce, and go to blocklists and to the provider of the address instead.",
		Outcomes: []Outcome{
			{CodeOK, Pass, "postmaster and abuse are accepted", ""},
			{CodeCatchAll, Pass, "postmaster and abuse are accepted, but so is a mailbox that cannot exist: see that somebody reads them", ""},
			{CodeRefused, Fail, "a mailbox is refused", "Have the mail server accept postmaster and abuse at the name, and somebody read them."},
			{CodeBareRefused, Fail, "Postmaster without a domain is refused, which every server must accept", "Have the mail server take postmaster without a domain for its own, in upper and lower case alike."},
			{CodeNoServer, NotApplicable, "no mail server takes mail for the name", ""},
			{CodeDeferred, Undecided, "a mail server puts the question off, or does not answer", ""},
			{CodeUnclear, Undecided, "no mail server would say: it refuses this client, or has no public address", ""},
			noAnswer,
		},
	},
	{
		ID: Wildcards, Level: Advice, Scope: MailDomain,
		Title:  "No wildcard gives names that do not exist a part in mail",
		Advice: "explicity deny the use of other identities you control to be forged in e-mail if not intended to be used in e-mail",
		RFC:    []string{"RFC 4592, Section 2.2", "RFC 7208, Section 3.5"},
		Why:    "A wildcard answers for every name that does not exist, and for none that does: these still need records of their own. It answers below names too, so that _dmarc and _mta-sts of any name get a text that is not meant for them, and _client._smtp of any name exists.",
		Outcomes: []Outcome{
			{CodeOK, Pass, "no wildcard answers for a name that does not exist", ""},
			{CodeSilenced, Pass, "a wildcard answers for names that do not exist, and says that they have nothing to do with mail", ""},
			{CodeMail, Fail, "a wildcard takes mail for every name that does not exist", "Remove the wildcard MX record, and give MX records to the names that get mail; or publish a Null MX in its place."},
			{CodeAddress, Fail, "a wildcard gives every name that does not exist an address, and so a part in mail", "Remove the wildcard, or publish a Null MX and the SPF record v=spf1 -all beside it."},
			{CodeText, Fail, "a wildcard gives every name that does not exist a text that does not deny it", "Remove the wildcard TXT record, and publish the text at the names that it is meant for."},
			noAnswer,
		},
	},
	{
		ID: TTLs, Level: Advice, Scope: Organization,
		Title:  "The records of the mail servers live for five minutes at least, and for a week at most",
		Advice: "prefferably using ip4:###.###.###.### method to directly mentioning all your IPs as it avoids others having to re-look at DNS",
		RFC:    []string{"RFC 1912, Section 2.2"},
		Why:    "Every receiver asks for these records. Under five minutes caches hardly help, and mail waits when the name server is away; over a week a mistake stays in them for longer than senders try. A cache shows the time that is left: too much of it is sure, too little is not.",
		Outcomes: []Outcome{
			{CodeOK, Pass, "no record was seen with less than five minutes to live, or more than a week", ""},
			{CodeTooHigh, Fail, "a record lives for more than a week", "Set a TTL between an hour and a day."},
			{CodeLow, Undecided, "a record was seen with less than five minutes to live: its TTL is low, or it came from a cache", ""},
			noAnswer,
			{CodeNothing, NotApplicable, "DNS has no record of the mail servers", ""},
		},
	},
}
