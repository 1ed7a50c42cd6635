package txt

import (
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// Record returns a record as one line of a zone file, with a space between its fields.
// Data print with the escapes of zone files, so it is one line whatever the record says. A
// dollar sign that the owner begins with is escaped, or the line would be a directive. A
// missing record, as JSON can have it in a list, is "" here and in the other texts.
func Record(rr dns.RR) string {
	if isNil(rr) {
		return ""
	}
	line := strings.ReplaceAll(rr.String(), "\t", " ")
	if strings.HasPrefix(line, "$") {
		return `\` + line
	}
	return line
}

// Data returns the data of a record as a zone file has them.
func Data(rr dns.RR) string {
	if isNil(rr) {
		return ""
	}
	return strings.TrimSpace(strings.TrimPrefix(rr.String(), rr.Header().String()))
}

// Sorted returns a copy of the records in the order of their texts. A hostile answer has
// thousands: each text is made once.
func Sorted[R dns.RR](records []R) []R {
	type texted struct {
		rr   R
		text string
	}
	all := make([]texted, len(records))
	for i, rr := range records {
		all[i] = texted{rr, rr.String()}
	}
	slices.SortStableFunc(all, func(a, b texted) int { return strings.Compare(a.text, b.text) })
	out := make([]R, len(all))
	for i := range all {
		out[i] = all[i].rr
	}
	return out
}

// RaiseSerial is the comment of additions to a zone file: what editors of one forget (RFC
// 1035, Section 3.3.13).
const RaiseSerial = "with these, raise the serial number in the SOA record: secondaries do not fetch them otherwise"
