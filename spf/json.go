package spf

import (
	"encoding/json"
	"slices"

	"github.com/miekg/dns"
	"go4.org/netipx"

	"github.com/bonafide-mta/bonafide/internal/jsonform"
	"github.com/bonafide-mta/bonafide/internal/txt"
)

// MarshalJSON writes the result with its evidence.
func (r Result) MarshalJSON() ([]byte, error) { return jsonform.Marshal(r.form()) }

// UnmarshalJSON reads what MarshalJSON writes.
func (r *Result) UnmarshalJSON(data []byte) error { return json.Unmarshal(data, r.form()) }

// form replaces each field that encoding/json cannot write by one of another type, like the
// other methods of this name.
func (r *Result) form() any {
	type plain Result
	return &struct {
		*plain
		Err jsonform.Error `json:"err,omitzero"`
	}{(*plain)(r), jsonform.ErrorAt(&r.Err)}
}

// MarshalJSON writes the term and where it is. It cuts long texts in Path, which each term of
// a record repeats, as messages do.
func (t TermAt) MarshalJSON() ([]byte, error) {
	type plain TermAt
	t.Path = slices.Clone(t.Path)
	for i, above := range t.Path {
		t.Path[i].Text = brief(above.Text)
	}
	return jsonform.Marshal(plain(t))
}

// MarshalJSON writes the analysis with the tree.
func (a Analysis) MarshalJSON() ([]byte, error) { return jsonform.Marshal(a.form()) }

// UnmarshalJSON reads what MarshalJSON writes.
func (a *Analysis) UnmarshalJSON(data []byte) error {
	if err := json.Unmarshal(data, a.form()); err != nil {
		return err
	}
	a.policy = partition{}
	for status := None; status <= PermError; status++ {
		var set []netipx.IPRange
		for _, network := range a.Sets[status] {
			set = append(set, netipx.RangeOfPrefix(network))
		}
		a.policy.give(source{status: status, term: -1}, slices.DeleteFunc(set, func(r netipx.IPRange) bool { return !r.IsValid() }))
	}
	if a.readBack = true; len(a.Sets) > 0 {
		a.policy.give(source{status: TempError, term: -1}, everybody) // what Sets leaves out
	}
	a.policy.settle()
	return nil
}

func (a *Analysis) form() any {
	type plain Analysis
	return &struct {
		*plain
		Err jsonform.Error `json:"err,omitzero"`
	}{(*plain)(a), jsonform.ErrorAt(&a.Err)}
}

// MarshalJSON writes the record with those below.
func (n TreeNode) MarshalJSON() ([]byte, error) { return jsonform.Marshal(n.form()) }

// UnmarshalJSON reads what MarshalJSON writes.
func (n *TreeNode) UnmarshalJSON(data []byte) error { return json.Unmarshal(data, n.form()) }

func (n *TreeNode) form() any {
	type plain TreeNode
	return &struct {
		*plain
		Err jsonform.Error `json:"err,omitzero"`
	}{(*plain)(n), jsonform.ErrorAt(&n.Err)}
}

// MarshalJSON writes the term with the record below.
func (t TreeTerm) MarshalJSON() ([]byte, error) { return jsonform.Marshal(t.form()) }

// UnmarshalJSON reads what MarshalJSON writes.
func (t *TreeTerm) UnmarshalJSON(data []byte) error { return json.Unmarshal(data, t.form()) }

func (t *TreeTerm) form() any {
	type plain TreeTerm
	return &struct {
		*plain
		Err jsonform.Error `json:"err,omitzero"`
	}{(*plain)(t), jsonform.ErrorAt(&t.Err)}
}

// MarshalJSON writes the record as a line of a zone file, and where its terms come from.
func (f FlatRecord) MarshalJSON() ([]byte, error) { return jsonform.Marshal(f.form()) }

// UnmarshalJSON reads what MarshalJSON writes.
func (f *FlatRecord) UnmarshalJSON(data []byte) error { return json.Unmarshal(data, f.form()) }

func (f *FlatRecord) form() any {
	type plain FlatRecord
	return &struct {
		*plain
		RR txt.JSON[*dns.TXT] `json:"rr,omitzero"`
	}{(*plain)(f), txt.JSONAt(&f.RR)}
}
