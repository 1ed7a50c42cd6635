package csa

import (
	"encoding/json"
	"fmt"

	"github.com/bonafide-mta/bonafide/internal/jsonform"
	"github.com/bonafide-mta/bonafide/internal/txt"
	"github.com/miekg/dns"
)

// A Lint is one thing about the records of a name that its owner should know. The
// codes are:
//
//   - several: more than one record
//   - revision: a priority other than 1
//   - reserved-weight: a weight over 3
//   - denied-helo: an MTA uses the name in HELO, and the record denies that
//   - weight-zero: the weight 0, which should not be published
//   - unverifiable: the weight 3, by which no address proves anything
//   - port: a port over 1
//   - no-target: the target is the root
type Lint struct {
	Code   string   `json:"code"`
	Text   string   `json:"text"`            // what is so, and what to do
	Record *dns.SRV `json:"record,omitzero"` // nil for a lint about all records
}

// String returns text and code on one line.
func (l Lint) String() string { return fmt.Sprintf("%s (%s)", l.Text, l.Code) }

// MarshalJSON writes the lint, its record as a line of a zone file.
func (l Lint) MarshalJSON() ([]byte, error) { return jsonform.Marshal(l.form()) }

// UnmarshalJSON reads what MarshalJSON writes.
func (l *Lint) UnmarshalJSON(data []byte) error { return json.Unmarshal(data, l.form()) }

// form replaces each field that encoding/json cannot write by one of another type.
func (l *Lint) form() any {
	type plain Lint
	return &struct {
		*plain
		Record txt.JSON[*dns.SRV] `json:"record,omitzero"`
	}{(*plain)(l), txt.JSONAt(&l.Record)}
}

// LintRecords returns what is odd about the records of a name, in their order. Helo says
// that an MTA uses the name in HELO.
func LintRecords(records []*dns.SRV, helo bool) []Lint {
	var lints []Lint
	if len(records) > 1 {
		lints = append(lints, Lint{"several", fmt.Sprintf("%d records: receivers differ in which one they take; keep one", len(records)), nil})
	}
	for _, rr := range records {
		add := func(code, format string, args ...any) {
			lints = append(lints, Lint{code, fmt.Sprintf(format, args...), rr})
		}
		switch {
		case rr.Priority != revision:
			add("revision", "the priority is %d: receivers pass over all but 1", rr.Priority)
			continue
		case !known(rr):
			add("reserved-weight", "the weight is %d: receivers pass over those above 3", rr.Weight)
			continue
		case Denies(rr) && helo:
			add("denied-helo", "an MTA uses the name in HELO, and the weight %d denies that: publish 1 2 1, or use another HELO name", rr.Weight)
		case rr.Weight == 0:
			add("weight-zero", "the weight is 0, which should not be published: 1 says that nobody uses the name in HELO")
		case Authorizes(rr) && !verifiable(rr):
			add("unverifiable", "the weight is 3, by which no address proves anything: 2 makes the target's addresses count")
		}
		if rr.Port > explicit {
			meaning := "has no meaning"
			if RequiresExplicit(rr) {
				meaning = "denies every name below that has no record"
			}
			add("port", "the port is %d, which %s: publish 0, or 1 to deny names below", rr.Port, meaning)
		}
		if target(rr) == "." {
			text := "the target is the root: name the domain itself, as a placeholder"
			if Authorizes(rr) && verifiable(rr) {
				text = "the target is the root, which has no address, so that nobody is authorized: name the MTA"
			}
			add("no-target", "%s", text)
		}
	}
	return lints
}
