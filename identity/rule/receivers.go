package rule

// The IDs of the receivers' own checks.
const (
	PostfixReverseClient ID = "postfix-reverse-client-hostname"
	PostfixClient        ID = "postfix-client-hostname"
	EximReverse          ID = "exim-reverse-host-lookup"
	OpenSMTPDFCrDNS      ID = "opensmtpd-fcrdns"
	RspamdHostname       ID = "rspamd-hostname"
	SelectiveRejection   ID = "s25r"
	GmailFCrDNS          ID = "gmail-fcrdns"
	YahooFCrDNS          ID = "yahoo-fcrdns"
	OutlookPTR           ID = "outlook-ptr"
	ExchangeIPv6PTR      ID = "exchange-online-ipv6-ptr"
	PostfixHeloSyntax    ID = "postfix-helo-syntax"
	PostfixHeloHostname  ID = "postfix-helo-hostname"
	EximHelo             ID = "exim-helo"
	EximCSA              ID = "exim-csa"
	RspamdHelo           ID = "rspamd-helo"
	HeloEqualsPTR        ID = "helo-equals-ptr"
)

// Remedies that several receivers' rules share.
const (
	getPTR      = "Have a PTR record set for the address, by whoever the address is from, to a name that has the address."
	confirmPTR  = "Give the PTR name this address, or have the PTR record changed to a name that has it."
	onlyOnePTR  = "Have the PTR records of the names that do not have the address removed: some receivers look at one name only, whichever comes first."
	namePTR     = "Have the PTR record changed to a host name of your domain."
	resolveHelo = "Point the HELO name at every address that the MTA's connections come from."
	nameHelo    = "Configure a host name of the organization in the MTA, fully qualified, of letters, digits, hyphens and dots."
)

// receivers is the table of the checks that well-known receivers document: what becomes of
// the MTA's mail there. Most are options that not everyone switches on. A row is all that
// there is to a rule; package audit judges it by its Check.
var receivers = []Rule{
	{
		ID: PostfixReverseClient, Level: Advice, Scope: Address, Check: CheckPTR,
		Receiver: "Postfix", Source: "postconf(5): reject_unknown_reverse_client_hostname",
		Title: "Postfix finds a reverse name of the address",
		Why:   "With reject_unknown_reverse_client_hostname it refuses clients without one, by 450 unless configured otherwise: the mildest of its checks, and common.",
		Outcomes: []Outcome{
			{CodeOK, Pass, "Postfix accepts the address: it has a reverse name", ""},
			{CodeMissing, Fail, "Postfix refuses the address: it has no reverse name", getPTR},
			{CodeNoHostName, Fail, "Postfix refuses the address where it sees this reverse name first: it is no host name", namePTR},
			noAnswer, notPublic, receives,
		},
	},
	{
		ID: PostfixClient, Level: Advice, Scope: Address, Check: CheckFirstName,
		Receiver: "Postfix", Source: "postconf(5): reject_unknown_client_hostname",
		Title: "Postfix finds the address under its reverse name",
		Why:   "With reject_unknown_client_hostname it refuses clients whose reverse name is missing or does not lead back, by 450 unless configured otherwise. Of several names it looks at one.",
		Outcomes: []Outcome{
			{CodeOK, Pass, "Postfix accepts the address: its reverse name leads back to it", ""},
			{CodeMissing, Fail, "Postfix refuses the address: it has no reverse name", getPTR},
			{CodeUnconfirmed, Fail, "Postfix refuses the address: its reverse name does not lead back to it", confirmPTR},
			{CodeSomeUnconfirmed, Fail, "Postfix refuses the address where it sees this reverse name first: it does not lead back", onlyOnePTR},
			tooMany, noAnswer, notPublic, receives,
		},
	},
	{
		ID: EximReverse, Level: Advice, Scope: Address, Check: CheckAnyName,
		Receiver: "Exim", Source: "The Exim specification, Access control lists: verify = reverse_host_lookup",
		Title: "Exim verifies a host name of the address",
		Why:   "An access control list with verify = reverse_host_lookup refuses clients of whose reverse names none leads back. From 4.97 on a name with an underscore counts as none.",
		Outcomes: []Outcome{
			{CodeOK, Pass, "Exim verifies the address: a reverse name leads back to it", ""},
			{CodeMissing, Fail, "Exim refuses the address: it has no reverse name", getPTR},
			{CodeUnconfirmed, Fail, "Exim refuses the address: no reverse name leads back to it", confirmPTR},
			{CodeUnderscore, Fail, "Exim refuses the address from 4.97 on: the reverse name that leads back has an underscore", namePTR},
			tooMany, noAnswer, notPublic, receives,
		},
	},
	{
		ID: OpenSMTPDFCrDNS, Level: Advice, Scope: Address, Check: CheckFirstName,
		Receiver: "OpenSMTPD", Source: "smtpd.conf(5), MAIL FILTERING: fcrdns, rdns",
		Title: "OpenSMTPD finds the forward-confirmed reverse DNS of the address valid",
		Why:   "Its filters match connections on !rdns and !fcrdns, and what they match can be refused. Of several reverse names it looks at one.",
		Outcomes: []Outcome{
			{CodeOK, Pass, "OpenSMTPD accepts the address: fcrdns is valid", ""},
			{CodeMissing, Fail, "OpenSMTPD refuses the address by filters on !rdns or !fcrdns: it has no reverse name", getPTR},
			{CodeUnconfirmed, Fail, "OpenSMTPD refuses the address by filters on !fcrdns: its reverse name does not lead back to it", confirmPTR},
			{CodeSomeUnconfirmed, Fail, "OpenSMTPD refuses the address by filters on !fcrdns where it sees this reverse name first: it does not lead back", onlyOnePTR},
			tooMany, noAnswer, notPublic, receives,
		},
	},
	{
		ID: RspamdHostname, Level: Advice, Scope: Address, Check: CheckFirstName,
		Receiver: "rspamd", Source: "rspamd, conf/scores.d/hfilter_group.conf: HFILTER_HOSTNAME_UNKNOWN",
		Title: "rspamd is told a host name of the client",
		Why:   "Its module hfilter, on by default, adds 2.5 to the score of mail from a client that the MTA in front has no confirmed name for.",
		Outcomes: []Outcome{
			{CodeOK, Pass, "rspamd scores nothing: the MTA in front has a confirmed name for the address", ""},
			{CodeMissing, Fail, "rspamd scores 2.5 (HFILTER_HOSTNAME_UNKNOWN): the address has no reverse name", getPTR},
			{CodeUnconfirmed, Fail, "rspamd scores 2.5 (HFILTER_HOSTNAME_UNKNOWN): the reverse name does not lead back", confirmPTR},
			{CodeSomeUnconfirmed, Fail, "rspamd scores 2.5 (HFILTER_HOSTNAME_UNKNOWN) where the MTA in front sees this reverse name first: it does not lead back", onlyOnePTR},
			tooMany, noAnswer, notPublic, receives,
		},
	},
	{
		ID: SelectiveRejection, Level: Advice, Scope: Address, Check: CheckFirstName,
		Receiver: "S25R", Source: "H. Asami, Study Report of an Anti-spam System with a 99% Block Rate: The Selective SMTP Rejection (S25R) System, http://gabacho.reto.jp/en/anti-spam/",
		Title: "No reverse name matches the patterns of Selective SMTP Rejection",
		Why:   "Receivers that use S25R answer 450 to whoever has no confirmed name, or one with numbers as end users' lines have, until somebody puts the client on a list of exceptions.",
		Outcomes: []Outcome{
			{CodeOK, Pass, "S25R accepts the address: its reverse name matches no pattern", ""},
			{CodeMissing, Fail, "S25R defers the address: it has no reverse name", getPTR},
			{CodeUnconfirmed, Fail, "S25R defers the address: its reverse name does not lead back, and counts as none", confirmPTR},
			{CodeSomeUnconfirmed, Fail, "S25R defers the address where it sees this reverse name first: it does not lead back", onlyOnePTR},
			{CodePattern, Fail, "S25R defers the address: a reverse name matches a pattern for end users' lines", "Have the PTR record changed to a name with at most one number in its first label, of fewer than five digits, and none at its beginning."},
			tooMany, noAnswer, notPublic, receives,
		},
	},
	{
		ID: GmailFCrDNS, Level: Advice, Scope: Address, Check: CheckAnyName,
		Receiver: "Gmail", Source: "Email sender guidelines, https://support.google.com/mail/answer/81126: IP addresses",
		Title: "Gmail finds the address under its reverse name",
		Why:   "Its guidelines require of all senders a PTR record whose name leads back. It refuses the mail of others, by 550 5.7.25, or marks it as spam.",
		Outcomes: []Outcome{
			{CodeOK, Pass, "Gmail accepts the address: a reverse name leads back to it", ""},
			{CodeMissing, Fail, "Gmail refuses mail from the address, or marks it as spam: it has no reverse name", getPTR},
			{CodeUnconfirmed, Fail, "Gmail refuses mail from the address, or marks it as spam: no reverse name leads back to it", confirmPTR},
			tooMany, noAnswer, notPublic, receives,
		},
	},
	{
		ID: YahooFCrDNS, Level: Advice, Scope: Address, Check: CheckAnyName,
		Receiver: "Yahoo Mail", Source: "Sender best practices, https://senders.yahooinc.com/best-practices/",
		Title: "Yahoo Mail finds the address under its reverse name",
		Why:   "Its requirements of all senders have valid forward and reverse DNS for the addresses that mail comes from; without, mail is filtered or refused.",
		Outcomes: []Outcome{
			{CodeOK, Pass, "Yahoo Mail accepts the address: a reverse name leads back to it", ""},
			{CodeMissing, Fail, "Yahoo Mail filters or refuses mail from the address: it has no reverse name", getPTR},
			{CodeUnconfirmed, Fail, "Yahoo Mail filters or refuses mail from the address: no reverse name leads back to it", confirmPTR},
			tooMany, noAnswer, notPublic, receives,
		},
	},
	{
		ID: OutlookPTR, Level: Advice, Scope: Address, Check: CheckPTR,
		Receiver: "Outlook.com", Source: "Policies, https://sendersupport.olc.protection.outlook.com/pm/policies.aspx",
		Title: "Outlook.com finds a reverse name of the address",
		Why:   "Its policies say that servers which connect must have valid reverse DNS records.",
		Outcomes: []Outcome{
			{CodeOK, Pass, "Outlook.com accepts the address: it has a reverse name", ""},
			{CodeMissing, Fail, "Outlook.com may refuse the address: it has no reverse name", getPTR},
			{CodeNoHostName, Fail, "Outlook.com may refuse the address: a reverse name is no host name", namePTR},
			noAnswer, notPublic, receives,
		},
	},
	{
		ID: ExchangeIPv6PTR, Level: Advice, Scope: Address, Check: CheckPTR,
		Receiver: "Exchange Online", Source: "Support for anonymous inbound email over IPv6, and error code 5.7.25, https://learn.microsoft.com/exchange/mail-flow-best-practices/non-delivery-reports-in-exchange-online/non-delivery-reports-in-exchange-online",
		Title: "Exchange Online finds a reverse name of the IPv6 address",
		Why:   "It takes mail over IPv6 only from addresses with a PTR record, and refuses others by 5.7.25.",
		Outcomes: []Outcome{
			{CodeOK, Pass, "Exchange Online accepts the address: it has a reverse name", ""},
			{CodeMissing, Fail, "Exchange Online refuses the address: it has no reverse name", "Have a PTR record set for the address, or let the MTA send over IPv4 alone."},
			{CodeNoHostName, Fail, "Exchange Online may refuse the address: a reverse name is no host name", namePTR},
			{CodeIPv4, NotApplicable, "the address is of IPv4", ""},
			noAnswer, notPublic, receives,
		},
	},
	{
		ID: PostfixHeloSyntax, Level: Advice, Scope: MTA, Check: CheckHeloSyntax,
		Receiver: "Postfix", Source: "postconf(5): reject_invalid_helo_hostname, reject_non_fqdn_helo_hostname",
		Title: "Postfix takes what the MTA says in HELO for a fully qualified name",
		Why:   "Both restrictions are common, and refuse at once: by 501 and 504.",
		Outcomes: []Outcome{
			{CodeOK, Pass, "Postfix accepts the HELO: it is a fully qualified name, or an address literal", ""},
			{CodeMalformed, Fail, "Postfix refuses the HELO by reject_invalid_helo_hostname: it is no host name", nameHelo},
			{CodeNotQualified, Fail, "Postfix refuses the HELO by reject_non_fqdn_helo_hostname: it is not fully qualified", nameHelo},
			receives,
		},
	},
	{
		ID: PostfixHeloHostname, Level: Advice, Scope: MTA, Check: CheckHeloLookup,
		Receiver: "Postfix", Source: "postconf(5): reject_unknown_helo_hostname",
		Title: "Postfix finds an address or MX record of the HELO name",
		Why:   "With reject_unknown_helo_hostname it refuses a HELO name without either, by 450 unless configured otherwise. Whose address it is does not matter to it.",
		Outcomes: []Outcome{
			{CodeOK, Pass, "Postfix accepts the HELO: the name has an address or MX record", ""},
			{CodeLiteral, Pass, "Postfix accepts the HELO: an address literal is not looked up", ""},
			{CodeNotFound, Fail, "Postfix refuses the HELO: the name has no address or MX record", resolveHelo},
			{CodeNoName, Fail, "Postfix refuses the HELO: it is no name that it would look up", nameHelo},
			noAnswer, notPublic, receives,
		},
	},
	{
		ID: EximHelo, Level: Advice, Scope: MTA, Check: CheckHeloAddress,
		Receiver: "Exim", Source: "The Exim specification, Access control lists: verify = helo",
		Title: "Exim verifies the HELO",
		Why:   "With verify = helo, or helo_verify_hosts, it refuses clients whose HELO does not lead back to them. A HELO with other characters than letters, digits, hyphens and dots it refuses at once, unless helo_allow_chars has them.",
		Outcomes: []Outcome{
			{CodeOK, Pass, "Exim verifies the HELO: it leads to every address", ""},
			{CodeMalformed, Fail, "Exim refuses the HELO as invalid", nameHelo},
			{CodeNotVerified, Fail, "Exim does not verify the HELO: it does not lead to every address", resolveHelo},
			noAnswer, notPublic, receives,
		},
	},
	{
		ID: EximCSA, Level: Advice, Scope: MTA, Check: CheckHeloCSA,
		Receiver: "Exim", Source: "The Exim specification, Access control lists: verify = csa",
		Title: "Exim finds nothing against the HELO name in CSA records",
		Why:   "With verify = csa it refuses clients that a CSA record denies the name. It is the only receiver known to look.",
		Outcomes: []Outcome{
			{CodeOK, Pass, "Exim accepts every address: a CSA record authorizes it", ""},
			{CodeUnknown, Pass, "Exim accepts every address: no CSA record speaks of the HELO", ""},
			{CodeDenied, Fail, "Exim refuses an address: a CSA record denies it the name", "Publish a CSA record that authorizes the name and whose target has every address, or remove the one that denies it."},
			noAnswer, notPublic, receives,
		},
	},
	{
		ID: RspamdHelo, Level: Advice, Scope: MTA, Check: CheckHeloAddress,
		Receiver: "rspamd", Source: "rspamd, conf/scores.d/hfilter_group.conf: HFILTER_HELO_NOT_FQDN, HFILTER_HELO_IP_A",
		Title: "rspamd scores nothing for the HELO",
		Why:   "Its module hfilter, on by default, scores a HELO that is no fully qualified name, or has not the client's address.",
		Outcomes: []Outcome{
			{CodeOK, Pass, "rspamd scores nothing: the HELO name has every address", ""},
			{CodeNotQualified, Fail, "rspamd scores 2 to 4.5 (HFILTER_HELO_NOT_FQDN, HFILTER_HELO_5, HFILTER_HELO_BAREIP or HFILTER_HELO_BADIP): the HELO is no fully qualified host name", nameHelo},
			{CodeOtherAddress, Fail, "rspamd scores 1 or more (HFILTER_HELO_IP_A): the HELO name has not every address", resolveHelo},
			noAnswer, notPublic, receives,
		},
	},
	{
		// Different names in one organization are what helo-differs asks for: no failure.
		ID: HeloEqualsPTR, Level: Advice, Scope: MTA, Check: CheckHeloPTR,
		Receiver: "Mail-in-a-Box, YunoHost, mailcow, mox, MXToolbox, maddy",
		Source:   "maddy, Misc checks: require_matching_rdns; Mail-in-a-Box, management/status_checks.py; YunoHost, src/diagnosers/24-mail.py; mailcow, dns_diagnostics.php; mox, webadmin/admin.go",
		Title:    "The HELO name is a PTR name of every address, as some testers want it",
		Why:      "Where HELO and PTR name differ, maddy puts mail into quarantine by require_matching_rdns, an option; the others are testers of one's own server and refuse no mail.",
		Outcomes: []Outcome{
			{CodeOK, Pass, "the testers are content: the HELO name is a PTR name of every address", ""},
			{CodeUnrelated, Fail, "the testers show an error, and maddy's require_matching_rdns puts mail into quarantine: an address has no PTR name that is the HELO name or of its organization", "Have the PTR record changed to a name of the HELO name's domain."},
			{CodeDiffers, NotApplicable, "the HELO name is another than the PTR name, as helo-differs wants it: the testers show an error all the same, and maddy's require_matching_rdns puts mail into quarantine", ""},
			noAnswer, noName, notPublic, receives,
		},
	},
}
