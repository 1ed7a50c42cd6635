package plan

import (
	"encoding/json"
	"io"
	"slices"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/identity/flow"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/jsonform"
	"github.com/bonafide-mta/bonafide/internal/txt"
)

// WriteJSON writes the plan as one JSON document with fixed keys: every key is always
// there, lists are never null, records are lines of zone text.
func (p *Plan) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(p)
}

// MarshalJSON writes the document of WriteJSON. A Plan does not read back: the document does
// not have what was published.
func (p Plan) MarshalJSON() ([]byte, error) {
	domain := ""
	if p.Organization != nil {
		domain = dnsname.CanonicalOrEmpty(p.Organization.Domain)
	}
	return jsonform.Marshal(struct {
		Organization   string        `json:"organization"`
		Partial        bool          `json:"partial"`
		Steps          []Step        `json:"steps"`
		Wanted         []rule.Record `json:"wanted"`
		Kept           []Kept        `json:"kept"`
		Refused        []Refusal     `json:"refused"`
		Dropped        []Dropped     `json:"dropped"`
		Unlisted       []flow.Flow   `json:"unlisted"`
		Notes          []flow.Note   `json:"notes"`
		Contradictions []flow.Note   `json:"contradictions"`
	}{domain, p.Partial, nonNil(p.Steps), nonNil(p.Wanted), nonNil(p.Kept), nonNil(p.Refused), nonNil(p.Dropped), nonNil(p.Unlisted), nonNil(p.Notes), nonNil(p.Contradictions)})
}

// MarshalJSON writes the step, with what Gate, Owners and Wait return. Lists are never null, nor
// are they in the JSON of its parts.
func (s Step) MarshalJSON() ([]byte, error) {
	owners := slices.DeleteFunc(s.Owners(), func(o Owner) bool { return o == 0 })
	return jsonform.Marshal(struct {
		Stage   Stage             `json:"stage,omitzero"`
		Gate    bool              `json:"gate"`
		Owners  []Owner           `json:"owners"`
		Changes []Change          `json:"changes"`
		Hosts   []Host            `json:"hosts"`
		Names   []string          `json:"names"`
		Flows   []flow.Flow       `json:"flows"`
		Wait    jsonform.Duration `json:"wait"`
	}{s.Stage, s.Gate(), nonNil(owners), nonNil(s.Changes), nonNil(s.Hosts), nonNil(s.Names), nonNil(s.Flows), jsonform.Duration(s.Wait())})
}

// MarshalJSON writes the host.
func (h Host) MarshalJSON() ([]byte, error) {
	type plain Host
	h.Addrs, h.Observed = nonNil(h.Addrs), nonNil(h.Observed)
	return jsonform.Marshal(plain(h))
}

// MarshalJSON writes the change, its records as lines of zone text.
func (c Change) MarshalJSON() ([]byte, error) {
	c.Rules = nonNil(c.Rules)
	return jsonform.Marshal(c.form())
}

// UnmarshalJSON reads what MarshalJSON writes.
func (c *Change) UnmarshalJSON(data []byte) error { return json.Unmarshal(data, c.form()) }

// form replaces each field that encoding/json cannot write by one of another type.
func (c *Change) form() any {
	type plain Change
	return &struct {
		*plain
		Type   *txt.JSONType        `json:"type"`
		Before txt.JSONList[dns.RR] `json:"before"`
		After  txt.JSONList[dns.RR] `json:"after"`
		Rules  *[]rule.ID           `json:"rules"`
		Signed *bool                `json:"signed"`
		Wait   *jsonform.Duration   `json:"wait"`
	}{(*plain)(c), (*txt.JSONType)(&c.Type), txt.JSONListAt(&c.Before), txt.JSONListAt(&c.After), &c.Rules, &c.Signed, (*jsonform.Duration)(&c.Wait)}
}

// MarshalJSON writes the records as lines of zone text, and why they stay.
func (k Kept) MarshalJSON() ([]byte, error) {
	k.Wanted = nonNil(k.Wanted)
	return jsonform.Marshal(k.form())
}

// UnmarshalJSON reads what MarshalJSON writes.
func (k *Kept) UnmarshalJSON(data []byte) error { return json.Unmarshal(data, k.form()) }

func (k *Kept) form() any {
	return &struct {
		Records txt.JSONList[dns.RR] `json:"records"`
		Wanted  *[]rule.Record       `json:"wanted"`
		Reason  *string              `json:"reason"`
	}{txt.JSONListAt(&k.Records), &k.Wanted, &k.Reason}
}

// MarshalJSON writes whom a record drops.
func (d Dropped) MarshalJSON() ([]byte, error) {
	type plain Dropped
	d.Terms, d.Networks, d.Includes = nonNil(d.Terms), nonNil(d.Networks), nonNil(d.Includes)
	return jsonform.Marshal(plain(d))
}

// nonNil returns the list, or an empty one for nil.
func nonNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
