package rule

// RoleMailboxes is judged only by audits that ask mail servers.
const RoleMailboxes ID = "role-mailboxes"

// probed are the rules for which mail servers are asked, not only the DNS.
var probed = []Rule{
	{
		ID: RoleMailboxes, Level: Must, Scope: Name,
		Title: "The mail server of the name accepts mail for postmaster and abuse",
		Page:  "ensure some system accepts mail addressed for (postmaster & abuse) @your-helo/ehlo-identity",
		RFC:   []string{"RFC 5321, Section 4.5.1", "RFC 2142, Section 4"},
		Why:   "Who has to complain of mail from a name writes to these, and takes it for abandoned, or worse, where they bounce. Whether somebody reads them no server tells.",
		Outcomes: []Outcome{
			{"ok", Pass, "postmaster and abuse are accepted", ""},
			{"catch-all", Pass, "postmaster and abuse are accepted, but so is a mailbox that cannot exist: see that somebody reads them", ""},
			{"refused", Fail, "a mailbox is refused", "Have the mail server accept postmaster and abuse at the name, and somebody read them."},
			{"bare-refused", Fail, "Postmaster without a domain is refused, which every server must accept", "Have the mail server take postmaster without a domain for its own, in upper and lower case alike."},
			{"no-server", NotApplicable, "no mail server takes mail for the name", ""},
			{"deferred", Undecided, "a mail server puts the question off, or does not answer", ""},
			{"unclear", Undecided, "no mail server would say: it refuses this client, or has no public address", ""},
			noAnswer,
		},
	},
}
