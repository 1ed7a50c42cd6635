package ptrname

// The weights are those of a logistic regression over labeled names, rounded (see
// internal/lab/rdns). That of MailFamily is set: the families are too few to fit it.

// bias is the score of a name of which nothing is known.
const bias = -1.1

var weights = [codes]float64{
	AddressWhole: 3.7, AddressMost: 2.2, AddressLow: 1.1, AddressHigh: 0.3, AddressLast: 1.5,
	AccessWord: 2.9, AccessWords: 0.7, AssignWord: 2.2, PlainWord: 1.4, MachineWord: 0.2, OrgWord: 0.9, PlaceholderOnly: 1.6,
	RoleLeft: -2.6, RoleInner: -1.7, ServiceLeft: -1.1, WordNumber: -1.9, NoDigits: -1.9, LeftNoDigits: -0.8,
	LongNumber: 1.2, StartsWithDigit: 1.3, ManyNumbers: 0.4, NumberLabel: 0.5, InnerDigits: 0.6, HexLabel: 0.4, Apex: -1.0, DeepName: 0.4,
	MailFamily: -2.5,
}

// mailFamilies are domains, as of November 2026, below which providers of mail for
// others number their servers, often by the address.
var mailFamilies = map[string]bool{
	"amazonses.com": true, "exacttarget.com": true, "mailgun.net": true, "mailjet.com": true, "mandrillapp.com": true, "mcsv.net": true,
	"messagelabs.com": true, "mimecast.com": true, "mtasv.net": true, "outlook.com": true, "pphosted.com": true, "rsgsv.net": true,
	"sendgrid.net": true, "sparkpostmail.com": true,
}
