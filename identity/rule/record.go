package rule

import (
	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/txt"
)

// TTL is the time to live of the records that rules want, in seconds. An RRset that is
// in a zone already keeps its own.
const TTL = 3600

// A Record is a record that an organization should publish, and why.
type Record struct {
	RR    dns.RR
	Rules []ID // the rules that want it, in the order of the catalogue
}

// String returns the record as a line of zone text, without the rules.
func (r Record) String() string { return txt.Record(r.RR) }

// Comment returns the ID and the title of a rule, as zone text has it in comments.
func (id ID) Comment() string {
	r, _ := Lookup(id)
	return string(id) + ": " + r.Title
}
