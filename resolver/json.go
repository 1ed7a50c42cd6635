package resolver

import (
	"encoding/json"
	"reflect"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/jsonform"
	"github.com/bonafide-mta/bonafide/internal/txt"
)

// The forms below replace each field that encoding/json cannot write by one of another type.

type (
	plainQuestion Question
	plainAnswer   Answer
)

type jsonQuestion struct {
	*plainQuestion
	Type *txt.JSONType `json:"type,omitzero"`
}

func (q *Question) form() jsonQuestion {
	return jsonQuestion{(*plainQuestion)(q), (*txt.JSONType)(&q.Type)}
}

// MarshalJSON writes the name and the type, as in {"name":"mail.example.org.","type":"A"}.
func (q Question) MarshalJSON() ([]byte, error) { return jsonform.Marshal(q.form()) }

// UnmarshalJSON reads what MarshalJSON writes.
func (q *Question) UnmarshalJSON(data []byte) error {
	form := q.form()
	return json.Unmarshal(data, &form)
}

type jsonAnswer struct {
	*plainAnswer
	Records txt.JSONList[dns.RR] `json:"records,omitzero"`
	Chain   txt.JSONList[dns.RR] `json:"chain,omitzero"`
	TTL     *jsonform.Duration   `json:"ttl,omitzero"`
}

func (a *Answer) form() jsonAnswer {
	return jsonAnswer{(*plainAnswer)(a), txt.JSONListAt(&a.Records), txt.JSONListAt(&a.Chain), (*jsonform.Duration)(&a.TTL)}
}

// MarshalJSON writes the answer with its records as lines of a zone file.
func (a Answer) MarshalJSON() ([]byte, error) { return jsonform.Marshal(a.form()) }

// UnmarshalJSON reads what MarshalJSON writes.
func (a *Answer) UnmarshalJSON(data []byte) error {
	form := a.form()
	return json.Unmarshal(data, &form)
}

// MarshalJSON writes the keys of the question, and those of the answer or the key err. An
// error is its text, and whether it is temporary and a timeout. One that is read back has the
// same text and methods, but errors.Is does not find its causes.
func (r Response) MarshalJSON() ([]byte, error) {
	if r.Err != nil && reflect.ValueOf(r.Answer).IsZero() {
		return jsonform.Marshal(struct {
			jsonQuestion
			Err jsonform.Error `json:"err"`
		}{r.Question.form(), jsonform.ErrorAt(&r.Err)})
	}
	return jsonform.Marshal(r.form())
}

// UnmarshalJSON reads what MarshalJSON writes.
func (r *Response) UnmarshalJSON(data []byte) error { return json.Unmarshal(data, r.form()) }

func (r *Response) form() any {
	return &struct {
		jsonQuestion
		jsonAnswer
		Err jsonform.Error `json:"err,omitzero"`
	}{r.Question.form(), r.Answer.form(), jsonform.ErrorAt(&r.Err)}
}

// MarshalJSON writes the error with its cause as Response does.
func (e Error) MarshalJSON() ([]byte, error) { return jsonform.Marshal(e.form()) }

// UnmarshalJSON reads what MarshalJSON writes.
func (e *Error) UnmarshalJSON(data []byte) error { return json.Unmarshal(data, e.form()) }

func (e *Error) form() any {
	type plain Error
	return &struct {
		*plain
		Type *txt.JSONType  `json:"type,omitzero"`
		Err  jsonform.Error `json:"err,omitzero"`
	}{(*plain)(e), (*txt.JSONType)(&e.Type), jsonform.ErrorAt(&e.Err)}
}

// MarshalJSON writes the patch with its records as lines of a zone file.
func (p Patch) MarshalJSON() ([]byte, error) { return jsonform.Marshal(p.form()) }

// UnmarshalJSON reads what MarshalJSON writes.
func (p *Patch) UnmarshalJSON(data []byte) error { return json.Unmarshal(data, p.form()) }

func (p *Patch) form() any {
	type plain Patch
	return &struct {
		*plain
		Add     txt.JSONList[dns.RR] `json:"add,omitzero"`
		Replace txt.JSONList[dns.RR] `json:"replace,omitzero"`
	}{(*plain)(p), txt.JSONListAt(&p.Add), txt.JSONListAt(&p.Replace)}
}
