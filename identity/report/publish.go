package report

import (
	"fmt"

	"github.com/bonafide-mta/bonafide/internal/untrusted"
)

// A Publication lists records to publish in one zone, which a plan adds.
type Publication struct {
	By   string `json:"by"`   // who publishes them, as the text of a plan.Owner: you, dns-host or isp
	Zone string `json:"zone"` // the apex, canonical; "" if it is not known
	// After says what to wait for before the records are published, as a sentence without its
	// period: the title of the last gate of the plan before them; "" for nothing.
	After   string   `json:"after"`
	Records []string `json:"records"` // zone text, each once
}

// publishTitle says who publishes records, for people.
var publishTitle = map[string]string{"you": "In your DNS", "dns-host": "At your DNS host", "isp": "At your ISP"}

// Title says who publishes the records, and where.
func (p Publication) Title() string {
	title, ok := publishTitle[p.By]
	if !ok {
		title = p.By
	}
	if p.Zone != "" {
		title += ", in the zone " + withoutDot(p.Zone)
	}
	return untrusted.Line(title)
}

// An Omission is a part of the description that a plan does not carry out.
type Omission struct {
	What string `json:"what"` // an RRset as NAME TYPE; or a name, address or network as described
	Kept bool   `json:"kept"` // other records stay in its place or beside it, unless the plan is adopted
	Why  string `json:"why"`  // in the words of the plan
}

// SetOmitted sets Omitted. Reasons that are too long for a report are cut.
func (r *Report) SetOmitted(omitted []Omission) {
	r.Omitted = []Omission{}
	for _, o := range omitted {
		o.Why = shortened(o.Why)
		r.Omitted = append(r.Omitted, o)
	}
}

// omittedTitle is what omissions are under.
const omittedTitle = "Kept or refused"

// maxOmitted is how many omissions for one reason are listed.
const maxOmitted = 5

// omitted returns the omissions as lines: of many for one reason, the first.
func (r *Report) omitted() []string {
	count, index := make(map[Omission]int), make(map[Omission]int)
	var out []string
	for _, o := range r.Omitted {
		count[Omission{Why: o.Why, Kept: o.Kept}]++
	}
	for _, o := range r.Omitted {
		reason := Omission{Why: o.Why, Kept: o.Kept}
		if index[reason]++; index[reason] > maxOmitted {
			continue
		}
		what := o.What
		if more := count[reason] - maxOmitted; index[reason] == maxOmitted && more > 0 {
			what += fmt.Sprintf(", and %d more", more)
		}
		done := "refused"
		if o.Kept {
			done = "kept"
		}
		out = append(out, untrusted.Line(fmt.Sprintf("%s: %s: %s", what, done, o.Why)))
	}
	return out
}
