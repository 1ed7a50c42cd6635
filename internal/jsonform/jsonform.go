// Package jsonform writes as JSON what encoding/json cannot, and reads it back. An error is
// an object with its text, and whether it is temporary and a timeout:
//
//	{"text": "lookup mail.example.org. A: SERVFAIL (192.0.2.53:53)", "temporary": true}
//
// What is read back says the same, but errors.Is does not find the causes in it.
package jsonform

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// Marshal is json.Marshal, except that what is not UTF-8 is written as the replacement
// character itself, and not as its escape: it is written the same way again once it was read.
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

// An Error is an error in its JSON form: a field of a struct that is written or read in place
// of the one with the error. Make one with [ErrorAt].
type Error struct{ err *error }

// ErrorAt returns the form of the error that a field holds, to be written from or read into it.
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

// described is what is written of an error.
type described struct {
	Text      string `json:"text"`
	Temporary bool   `json:"temporary,omitzero"`
	Timeout   bool   `json:"timeout,omitzero"`
}

// describe asks an error, which may be a nil pointer of a careless Resolver's.
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
