package rule

import (
	"encoding/json"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/jsonform"
	"github.com/bonafide-mta/bonafide/internal/txt"
)

// TTL is the time to live of the records that rules want, in seconds. An RRset that is
// in a zone already keeps its own.
const TTL = 3600

// A Record is a record that an organization should publish, and why.
type Record struct {
	RR    dns.RR `json:"record"`
	Rules []ID   `json:"rules"` // the rules that want it, in the order of the catalogue
}

// String returns the record as a line of zone text, without the rules.
func (r Record) String() string { return txt.Record(r.RR) }

// MarshalJSON writes the record as a line of zone text, and the rules that want it.
func (r Record) MarshalJSON() ([]byte, error) {
	if r.Rules == nil {
		r.Rules = []ID{}
	}
	return jsonform.Marshal(r.form())
}

// UnmarshalJSON reads what MarshalJSON writes.
func (r *Record) UnmarshalJSON(data []byte) error { return json.Unmarshal(data, r.form()) }

// form replaces each field that encoding/json cannot write by one of another type.
func (r *Record) form() any {
	return &struct {
		RR    txt.JSON[dns.RR] `json:"record"`
		Rules *[]ID            `json:"rules"`
	}{txt.JSONAt(&r.RR), &r.Rules}
}

// Comment returns the ID and the title of a rule, as zone text has it in comments.
func (id ID) Comment() string {
	r, _ := Lookup(id)
	return string(id) + ": " + r.Title
}
