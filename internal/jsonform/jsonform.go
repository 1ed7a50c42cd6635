// Package jsonform writes errors and text that is not UTF-8 as JSON, which encoding/json alone
// cannot, and reads them back. An error is an object with its text, and whether it is temporary
// and a timeout:
//
//	{"text": "lookup mail.example.org. A: SERVFAIL (192.0.2.53:53)", "temporary": true}
//
// An error that was read back has the same text and methods, but errors.Is does not find the
// causes of the original.
package jsonform

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// Marshal is json.Marshal, except that it writes U+FFFD itself for octets that are not UTF-8, and
// not its escape: so a value that was read back is written the same way.
func Marshal(v any) ([]byte, error) {
	data, err := json.Marshal(v)
	escape := []byte(`\ufffd`)
	if err != nil || !bytes.Contains(data, escape) {
		return data, err
	}
	out := data[:0]
	for len(data) > 0 {
		n := 1
		switch {
		case bytes.HasPrefix(data, escape):
			out, data = append(out, "\ufffd"...), data[len(escape):]
			continue
		case data[0] == '\\':
			n = 2
		}
		out, data = append(out, data[:n]...), data[n:]
	}
	return out, nil
}

// An Error is the JSON form of an error: a field that encoding/json writes and reads instead of
// the field with the error. Make one with [ErrorAt].
type Error struct{ err *error }

// ErrorAt returns the form of the error in a field: reading sets the field.
func ErrorAt(field *error) Error { return Error{field} }

// IsZero reports whether the field is nil, for omitzero.
func (e Error) IsZero() bool { return *e.err == nil }

// MarshalJSON writes the error, or null.
func (e Error) MarshalJSON() ([]byte, error) {
	if *e.err == nil {
		return []byte("null"), nil
	}
	return Marshal(describe(*e.err))
}

// UnmarshalJSON sets the field to an error with the same text.
func (e Error) UnmarshalJSON(data []byte) error {
	var d *described
	if err := json.Unmarshal(data, &d); err != nil {
		return err
	}
	if *e.err = nil; d != nil {
		*e.err = &readBack{*d}
	}
	return nil
}

// described is the JSON object of an error.
type described struct {
	Text      string `json:"text"`
	Temporary bool   `json:"temporary,omitzero"`
	Timeout   bool   `json:"timeout,omitzero"`
}

// describe returns the object of an error, which may be a nil pointer of a careless Resolver.
func describe(err error) (d described) {
	defer func() {
		if recover() != nil {
			d.Text = fmt.Sprint(err) // which survives such errors
		}
	}()
	d.Text = err.Error()
	temporary, ok := errors.AsType[interface {
		error
		Temporary() bool
	}](err)
	d.Temporary = ok && temporary.Temporary()
	timeout, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err)
	d.Timeout = ok && timeout.Timeout()
	return d
}

// readBack is an error that was read.
type readBack struct{ described }

// Error returns the text.
func (e *readBack) Error() string { return e.Text }

// Temporary reports whether the error that was written is.
func (e *readBack) Temporary() bool { return e.described.Temporary }

// Timeout reports whether the error that was written is.
func (e *readBack) Timeout() bool { return e.described.Timeout }
