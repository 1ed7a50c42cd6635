package rule

// upkeep are the rules about the audit itself.
var upkeep = []Rule{
	{
		ID: ExceptionsCurrent, Level: Advice, Scope: Organization,
		Title: "No exception has expired",
		Why:   "What was meant for a time may have been forgotten: the failure counts as one again.",
		Outcomes: []Outcome{
			{CodeOK, Pass, "every exception is in force", ""},
			{CodeExpired, Fail, "an exception has expired", "Fix what it was for, then remove it from the description; or give it a later last day."},
			{CodeNone, NotApplicable, "there are no exceptions", ""},
		},
	},
}
