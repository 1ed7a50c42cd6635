package txt

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/miekg/dns"
)

// A JSON is the JSON form of a record, its line in a zone file: a field that encoding/json
// writes and reads instead of the field with the record. Make one with [JSONAt].
type JSON[R dns.RR] struct{ rr *R }

// JSONAt returns the form of the record in a field: reading sets the field.
func JSONAt[R dns.RR](field *R) JSON[R] { return JSON[R]{field} }

// IsZero reports whether the field is nil, for omitzero.
func (j JSON[R]) IsZero() bool { return isNil(*j.rr) }

// MarshalJSON writes the record.
func (j JSON[R]) MarshalJSON() ([]byte, error) { return write(*j.rr) }

// UnmarshalJSON reads a record.
func (j JSON[R]) UnmarshalJSON(data []byte) (err error) {
	*j.rr, err = read[R](data)
	return err
}

// A JSONList is the JSON form of several records, as [JSON] is of one. Make one with
// [JSONListAt].
type JSONList[R dns.RR] struct{ rrs *[]R }

// JSONListAt returns the form of the records in a field: reading sets the field.
func JSONListAt[R dns.RR](field *[]R) JSONList[R] { return JSONList[R]{field} }

// IsZero reports whether the list is nil, for omitzero.
func (j JSONList[R]) IsZero() bool { return *j.rrs == nil }

// MarshalJSON writes the records as a list.
func (j JSONList[R]) MarshalJSON() ([]byte, error) {
	list := make([]json.RawMessage, len(*j.rrs))
	for i, rr := range *j.rrs {
		text, err := write(rr)
		if err != nil {
			return nil, err
		}
		list[i] = text
	}
	return json.Marshal(list)
}

// UnmarshalJSON reads a list of records.
func (j JSONList[R]) UnmarshalJSON(data []byte) error {
	var list []json.RawMessage
	if err := json.Unmarshal(data, &list); err != nil {
		return err
	}
	if *j.rrs = nil; list != nil {
		*j.rrs = make([]R, 0, len(list))
	}
	for _, text := range list {
		rr, err := read[R](text)
		if err != nil {
			return err
		}
		*j.rrs = append(*j.rrs, rr)
	}
	return nil
}

// write writes a record as its line, or as an object with its fields if zone text cannot
// express it, such as a record without a name.
func write[R dns.RR](rr R) (text []byte, err error) {
	if isNil(rr) {
		return []byte("null"), nil
	}
	line := exact(rr)
	if _, err := parseAs[R](line); err != nil {
		return json.Marshal(rr)
	}
	return json.Marshal(line)
}

// exact is Exact for a record whose methods can panic, because fields are nil.
func exact(rr dns.RR) (line string) {
	defer func() {
		if recover() != nil {
			line = fmt.Sprintf("; a %T that cannot be written", rr)
		}
	}()
	return Exact(rr)
}

// read reads what write wrote.
func read[R dns.RR](data []byte) (rr R, err error) {
	if bytes.HasPrefix(data, []byte("{")) {
		err = json.Unmarshal(data, &rr)
		return rr, err
	}
	var line *string
	if err := json.Unmarshal(data, &line); err != nil || line == nil {
		return rr, err
	}
	return parseAs[R](*line)
}

// parseAs reads a line as a record of the Go type R, which can be dns.RR.
func parseAs[R dns.RR](line string) (rr R, err error) {
	parsed, err := Parse(line)
	if err != nil {
		parsed = unread(line)
	}
	rr, ok := parsed.(R)
	if !ok {
		return rr, fmt.Errorf("%.80q: expected the text of a %T", line, rr)
	}
	return rr, nil
}

// A JSONType is the type of a record in its JSON form: its name.
type JSONType uint16

// IsZero is for omitzero.
func (t JSONType) IsZero() bool { return t == 0 }

// MarshalText returns the name, and TYPE65280 for a type without one (RFC 3597, Section 5).
func (t JSONType) MarshalText() ([]byte, error) { return []byte(dns.Type(t).String()), nil }

// UnmarshalText reads what MarshalText returns.
func (t *JSONType) UnmarshalText(text []byte) error {
	n, ok := Type(string(text))
	if !ok {
		return fmt.Errorf("%.80q: expected the type of a record, as MX or TYPE65280", text)
	}
	*t = JSONType(n)
	return nil
}
