package report

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/internal/bounded"
	"github.com/bonafide-mta/bonafide/resolver"
)

//go:embed schema.json
var schema string

// Schema returns the JSON Schema (draft 2020-12) of what is written in JSON: a [Report], a
// [Delta], a [NoReport], or a list of them, for several organizations. It is the schema of
// this [Version]; later releases may add keys to it without a new Version, so readers should
// skip keys that they do not know.
func Schema() string { return schema }

// A NoReport is the document in place of a Report if there can be none, so that programs
// that expect JSON always get some.
type NoReport struct {
	Version int `json:"version"` // that of Report
	// Organization is its domain, or the file of its description; "" if the error is not
	// about one.
	Organization string `json:"organization"`
	Error        string `json:"error"` // why, perhaps on several lines
}

// WriteJSON writes the report as one JSON document with fixed keys: every key
// is always there, lists are never null.
func (r *Report) WriteJSON(w io.Writer) error { return writeJSON(w, r) }

// WriteJSON writes the changes as one JSON document with fixed keys: every key is always
// there, lists are never null.
func (d *Delta) WriteJSON(w io.Writer) error { return writeJSON(w, d) }

// WriteJSON writes the document.
func (n NoReport) WriteJSON(w io.Writer) error { return writeJSON(w, n) }

// maxRead is how many octets ReadReport reads: four times the evidence of a report.
const maxRead = 4 * maxReport

// ReadReport reads a report that Report.WriteJSON wrote. It skips keys that it does not
// know, and gives findings whose code it does not know rule.CodeOther. The error, one line,
// is for what cannot be read, is not a report, has more than 64 MiB, or is one of another
// Version.
func ReadReport(r io.Reader) (*Report, error) {
	text, err := bounded.ReadAll(r, maxRead)
	if err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	// The version first: what the rest means depends on it.
	var head struct {
		Version  *int            `json:"version"`
		Findings json.RawMessage `json:"findings"`
		Error    *string         `json:"error"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return nil, noReport(err)
	}
	switch {
	case head.Version == nil:
		return nil, errors.New("report: not a report: it has no version")
	case *head.Version != Version:
		return nil, fmt.Errorf("report: a report of version %d: expected version %d", *head.Version, Version)
	case head.Error != nil:
		return nil, fmt.Errorf("report: not a report, but why there was none: %q", *head.Error)
	case head.Findings == nil:
		return nil, errors.New("report: not a report: it has no findings")
	}
	// Other releases have other codes. A report that has one is still worth reading.
	var doc struct {
		Report
		Findings []struct {
			Finding
			Code string `json:"code"`
		} `json:"findings"`
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		return nil, noReport(err)
	}
	rep := &doc.Report
	for _, f := range doc.Findings {
		if f.Finding.Code.UnmarshalText([]byte(f.Code)) != nil {
			f.Finding.Code = rule.CodeOther
		}
		rep.Findings = append(rep.Findings, f.Finding)
	}
	if err := rep.complete(); err != nil {
		return nil, err
	}
	return rep, nil
}

// noReport returns why a text is not a report.
func noReport(err error) error {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		if wrong.Field == "" {
			return fmt.Errorf("report: not a report: expected an object, got %s", wrong.Value)
		}
		return fmt.Errorf("report: not a report: %s: got %s", wrong.Field, wrong.Value)
	}
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("report: not JSON: at offset %d: %w", syntax.Offset, err)
	}
	return fmt.Errorf("report: not a report: %w", err)
}

// complete returns an error for a report that lacks something, and makes nil lists empty.
func (r *Report) complete() error {
	if name, err := resolver.Canonical(r.Organization); err != nil || name != r.Organization {
		return fmt.Errorf("report: not a report: the organization is %q: expected a domain in canonical form", r.Organization)
	}
	for i := range r.Findings {
		f := &r.Findings[i]
		if f.Rule == "" || f.Level == 0 || f.Status == 0 {
			return fmt.Errorf("report: not a report: finding %d lacks its rule, level or status", i+1)
		}
		f.Evidence, f.Fix = nonNil(f.Evidence), nonNil(f.Fix)
		for j := range f.Evidence {
			e := &f.Evidence[j]
			e.Aliases, e.Records = nonNil(e.Aliases), nonNil(e.Records)
		}
	}
	for i := range r.Hosts {
		if !r.Hosts[i].complete() {
			return fmt.Errorf("report: not a report: host %d lacks its id, or an address with its links", i+1)
		}
	}
	r.Hosts, r.Findings, r.Publish = nonNil(r.Hosts), nonNil(r.Findings), nonNil(r.Publish)
	r.Notes, r.Omitted = nonNil(r.Notes), nonNil(r.Omitted)
	for i := range r.Publish {
		r.Publish[i].Records = nonNil(r.Publish[i].Records)
	}
	return nil
}

// complete reports whether a host lacks nothing, and makes nil lists empty.
func (h *Host) complete() bool {
	ok := h.ID != ""
	for i := range h.Addresses {
		a := &h.Addresses[i]
		ok = ok && a.Address != "" && a.PTR != 0 && a.Helo != 0
		for _, n := range a.Names {
			ok = ok && n.Name != "" && n.Confirmed != 0
		}
		a.Names = nonNil(a.Names)
	}
	h.Addresses = nonNil(h.Addresses)
	return ok
}

// nonNil returns the list, or an empty one for nil.
func nonNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// writeJSON writes a document of the schema.
func writeJSON(w io.Writer, document any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(document)
}
