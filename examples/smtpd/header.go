package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"

	"github.com/emersion/go-smtp"

	"github.com/bonafide-mta/bonafide/identity"
)

// maxHeader bounds the header of a message, in octets.
const maxHeader = 256 << 10

var (
	errHeader  = &smtp.SMTPError{Code: 552, EnhancedCode: smtp.EnhancedCode{5, 3, 4}, Message: "header too large"}
	errControl = &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 6, 0}, Message: "a NUL, or a carriage return that ends no line, in the header"}
)

// copyMessage copies a message that is put below fields of ours, without the
// Authentication-Results fields that claim to be ours, and returns their number. The header
// ends at the first line that is neither a field nor the continuation of one, and an empty
// line then goes before it: a message must not continue our fields, and all its readers must
// agree where the header ends.
func copyMessage(w io.Writer, message io.Reader, authservID string) (forged int, err error) {
	h := &header{w: w, authservID: authservID}
	r := bufio.NewReader(message)
	for size := 0; ; {
		line, err := r.ReadSlice('\n')
		if size += len(line); errors.Is(err, bufio.ErrBufferFull) || size > maxHeader {
			return h.forged, errHeader
		}
		if err != nil && err != io.EOF {
			return h.forged, err
		}
		more, failed := h.add(line)
		if failed != nil {
			return h.forged, failed
		}
		if !more || err == io.EOF {
			break
		}
	}
	if err := h.flush(); err != nil {
		return h.forged, err
	}
	_, err = io.Copy(w, r)
	return h.forged, err
}

// A header is copied field by field.
type header struct {
	w          io.Writer
	authservID string
	field      []byte // with its continuation lines
	forged     int
}

// add adds a line, and reports whether the header goes on.
func (h *header) add(line []byte) (more bool, err error) {
	text := bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
	switch {
	case bytes.ContainsAny(text, "\r\x00"):
		// Some readers begin another line there, or end the text.
		return false, errControl
	case len(h.field) > 0 && len(text) > 0 && (text[0] == ' ' || text[0] == '\t'):
		h.field = append(h.field, line...)
		return true, nil
	}
	if err := h.flush(); err != nil {
		return false, err
	}
	switch {
	case isField(text):
		h.field = append(h.field, line...)
		return true, nil
	case len(text) > 0:
		if _, err := io.WriteString(h.w, "\r\n"); err != nil {
			return false, err
		}
	}
	_, err = h.w.Write(line)
	return false, err
}

// flush writes the field, unless it claims to be ours.
func (h *header) flush() error {
	field := h.field
	h.field = h.field[:0]
	name, value, _ := strings.Cut(string(field), ":")
	if strings.EqualFold(strings.TrimRight(name, " \t"), "Authentication-Results") && identity.ForgedResults(value, h.authservID) {
		h.forged++
		return nil
	}
	_, err := h.w.Write(field)
	return err
}

// isField reports whether a line begins a field: a name of printable ASCII, which old
// programs put white space behind, and a colon (RFC 5322, Sections 2.2 and 4.5).
func isField(line []byte) bool {
	name, _, ok := bytes.Cut(line, []byte(":"))
	name = bytes.TrimRight(name, " \t")
	return ok && len(name) > 0 && !bytes.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' })
}
