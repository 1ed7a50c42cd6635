// Package report prints, compares and reads the reports of an audit: findings with their
// evidence and fixes, what has changed between two reports, and the proof of a plan.
//
// Package audit makes a [Report]. Print it with [Report.WriteText], [Report.WriteColor],
// [Report.WriteJSON] or [Report.WriteMarkdown], or with [Report.WriteHTML] as a page with a
// picture of the identity map. [ReadReport] reads the JSON back, [Report.Diff] returns what
// has changed since, and [Schema] describes the JSON.
//
// Text that came from DNS, a mail server or a description stays text in every form of a
// report: it is printable on any terminal, and is never markup.
//
// # Bounds
//
// Whatever the DNS says, an answer is listed with at most 4 KiB of its records, a finding
// with at most 16 KiB of evidence, and a report with at most 16 MiB; its JSON has at most 8
// KiB more for each finding and each address, and the records of fixes, which come from the
// description. Octets are counted as in JSON. What is left out is counted in LeftOut, and
// the other forms of a report say so. Messages and errors are cut at 1 KiB. A page in HTML
// has at most six times as much.
//
// Reports are plain data. Any number of goroutines may use one at the same time, as long as
// nobody changes it; no function of this package does.
package report

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/internal/untrusted"
)

// A Subject is what a finding is about: the organization when all fields are
// empty, an MTA, one address of an MTA, or a name that mail is sent under.
type Subject struct {
	MTA     string // its ID in the description
	Address string // in the form of netip.Addr
	Name    string // canonical, with the final dot; the others are empty then
}

// String returns "organization", the MTA's ID, MTA/address, or the name.
func (s Subject) String() string {
	switch {
	case s.Name != "":
		return s.Name
	case s.MTA == "":
		return "organization"
	case s.Address == "":
		return s.MTA
	}
	return s.MTA + "/" + s.Address
}

// MarshalText returns the text of String.
func (s Subject) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText accepts what MarshalText returns.
func (s *Subject) UnmarshalText(text []byte) error {
	if string(text) == "organization" {
		*s = Subject{}
		return nil
	}
	if bytes.HasSuffix(text, []byte(".")) { // neither an MTA's ID nor an address ends so
		*s = Subject{Name: string(text)}
		return nil
	}
	mta, addr, _ := strings.Cut(string(text), "/")
	if mta == "" {
		return fmt.Errorf("%q: expected organization, an MTA, MTA/address, or a name with its final dot", text)
	}
	*s = Subject{MTA: mta, Address: addr}
	return nil
}

// Version is the version of the JSON form of a [Report], [Delta] and [NoReport]. It goes up
// when a key changes its meaning or is removed, and [ReadReport] then refuses what earlier
// releases wrote. New keys and new outcome codes do not change it.
const Version = 1

// A Report is the outcome of an audit. Findings are in the order of the catalogue, and
// within a rule in the order of the description.
type Report struct {
	Version            int       `json:"version"`             // of this form: see Version
	Time               time.Time `json:"time"`                // when the audit began
	Organization       string    `json:"organization"`        // its domain, in canonical form
	AllowDocumentation bool      `json:"allow_documentation"` // addresses for documentation were taken for public ones
	Hosts              []Host    `json:"hosts"`               // the identity map, in the order of the description
	// Notes tell where the description and DNS do not fit together, and what is not done for
	// that reason, sorted: see flow.Contradictions.
	Notes    []Note    `json:"notes"`
	Findings []Finding `json:"findings"`
	// Publish lists what a plan over the same DNS adds, in the order of its steps.
	Publish []Publication `json:"publish"`
	Omitted []Omission    `json:"omitted"` // what that plan keeps and refuses
	Summary Summary       `json:"summary"`
}

// A Note tells where the description and DNS do not fit together about one name, and what is
// not done for that reason. It has the same fields as a flow.Note.
type Note struct {
	Name string `json:"name"` // canonical
	Text string `json:"text"` // a sentence without a final period
}

// String returns the name, without its final dot, and the text, printable on any terminal.
func (n Note) String() string { return untrusted.Line(withoutDot(n.Name) + ": " + n.Text) }

// A Finding is one rule judged on one subject. Level belongs to the rule and says how much
// it weighs; Status is the outcome of this audit.
type Finding struct {
	Rule     rule.ID     `json:"rule"` // see rule.Lookup
	Level    rule.Level  `json:"level,omitzero"`
	Subject  Subject     `json:"subject"`
	Status   rule.Status `json:"status,omitzero"`
	Code     rule.Code   `json:"code,omitzero"` // which outcome of the rule it is; rule.CodeOther for one that ReadReport does not know
	Message  string      `json:"message"`       // the outcome, with the names and addresses it is about
	Evidence []Evidence  `json:"evidence"`      // what DNS said, on passes too; empty when nothing was asked
	LeftOut  int         `json:"left_out"`      // how many more answers there are: see Bounds
	Fix      []string    `json:"fix"`           // records to publish, as zone text: what a plan adds, or would add in place of records that it keeps
	Remedy   string      `json:"remedy"`        // what else to do about a failure, or to find out; or the reason of an exception
	// Mitigated says what softens a failure, in a clause; "" where nothing does. The
	// status stays what it is.
	Mitigated string `json:"mitigated"`
}

// Evidence is one question and its answer, as text. If a mail server was asked, Type is
// SMTP, Status is "", and Records are the commands with its replies.
type Evidence struct {
	Name      string   `json:"name"` // that was asked about, canonical
	Type      string   `json:"type"`
	Status    string   `json:"status"`  // NOERROR, NXDOMAIN, NOTFOUND; "" without an answer
	Aliases   []string `json:"aliases"` // the CNAME and DNAME records that were followed, in order
	Records   []string `json:"records"`
	Server    string   `json:"server"`    // who answered
	Authentic bool     `json:"authentic"` // validated by DNSSEC: see resolver.Answer
	Error     string   `json:"error"`     // why there is no answer
	// LeftOut is how many records of the answer are not among Aliases and Records (see
	// Bounds), and LeftOutOctets what they have in a DNS message.
	LeftOut       int `json:"left_out"`
	LeftOutOctets int `json:"left_out_octets"`
}

// A Summary counts findings by status: Pass, Fail, Undecided, NotApplicable and Waived.
type Summary struct {
	Pass          int `json:"pass"`
	Fail          int `json:"fail"`
	Undecided     int `json:"undecided"`
	NotApplicable int `json:"not_applicable"`
	Waived        int `json:"waived"`
}

// Failed reports whether a rule fails whose level is threshold or weightier.
func (r *Report) Failed(threshold rule.Level) bool { return r.has(rule.Fail, threshold) }

// Undecided reports whether a rule could not be decided whose level is threshold or
// weightier.
func (r *Report) Undecided(threshold rule.Level) bool { return r.has(rule.Undecided, threshold) }

func (r *Report) has(status rule.Status, threshold rule.Level) bool {
	for _, f := range r.Findings {
		if f.Status == status && f.Level.Reaches(threshold) {
			return true
		}
	}
	return false
}

// Add counts one more finding of a status.
func (s *Summary) Add(status rule.Status) {
	switch status {
	case rule.Pass:
		s.Pass++
	case rule.Fail:
		s.Fail++
	case rule.Undecided:
		s.Undecided++
	case rule.NotApplicable:
		s.NotApplicable++
	case rule.Waived:
		s.Waived++
	}
}
