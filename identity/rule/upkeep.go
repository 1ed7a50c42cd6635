package rule

// upkeep are the rules about the audit itself.
var upkeep = []Rule{
	{
		ID: WaiversCurrent, Level: Advice, Scope: Organization,
		Title: "No waiver has run out",
		Why:   "What was meant for a time may have been forgotten: the failure counts as one again.",
		Outcomes: []Outcome{
			{CodeOK, Pass, "every waiver holds", ""},
			{CodeExpired, Fail, "a waiver has run out", "Mend what was waived, then take the waiver out; or give it another date."},
			{CodeNone, NotApplicable, "nothing is waived", ""},
		},
	},
}
