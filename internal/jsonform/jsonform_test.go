package jsonform_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/bonafide-mta/bonafide/internal/jsonform"
)

// A result has an error, as those of the module do.
type result struct {
	Err error
}

func (r *result) form() any {
	return &struct {
		Err jsonform.Error `json:"err,omitzero"`
	}{jsonform.ErrorAt(&r.Err)}
}

type temporary struct{ error }

func (temporary) Temporary() bool { return true }

type broken struct{ text string }

func (b *broken) Error() string { return b.text }

// What is read back says the same, and is written the same.
func TestError(t *testing.T) {
	for _, tt := range []struct {
		err                error
		want               string
		temporary, timeout bool
	}{
		{nil, `{}`, false, false},
		{errors.New("a \"b\"\n"), `{"err":{"text":"a \"b\"\n"}}`, false, false},
		{errors.New(""), `{"err":{"text":""}}`, false, false},
		{errors.New("a\xff"), "{\"err\":{\"text\":\"a\ufffd\"}}", false, false},
		{fmt.Errorf("x: %w", temporary{errors.New("y")}), `{"err":{"text":"x: y","temporary":true}}`, true, false},
		{errors.Join(errors.New("x"), context.DeadlineExceeded), `{"err":{"text":"x\ncontext deadline exceeded","temporary":true,"timeout":true}}`, true, true},
		{(*broken)(nil), `{"err":{"text":"\u003cnil\u003e"}}`, false, false},
	} {
		first, err := json.Marshal((&result{tt.err}).form())
		if err != nil || string(first) != tt.want {
			t.Errorf("%#v: %s, %v; want %s", tt.err, first, err, tt.want)
		}
		var again result
		if err := json.Unmarshal(first, again.form()); err != nil {
			t.Fatal(err)
		}
		if second, err := json.Marshal(again.form()); err != nil || string(second) != string(first) {
			t.Errorf("%s: then %s, %v", first, second, err)
		}
		if (again.Err == nil) != (tt.err == nil) {
			t.Errorf("%s: read as %v", first, again.Err)
		}
		if again.Err == nil {
			continue
		}
		said := again.Err.(interface{ Temporary() bool }).Temporary()
		if timeout := again.Err.(interface{ Timeout() bool }).Timeout(); said != tt.temporary || timeout != tt.timeout {
			t.Errorf("%s: temporary %t, timeout %t", first, said, timeout)
		}
	}
}

func TestErrorReadsOverAnother(t *testing.T) {
	for text, want := range map[string]string{`{"err":null}`: "", `{}`: "before", `{"err":{"text":"x"}}`: "x", `{"err":"x"}`: "error"} {
		r := result{errors.New("before")}
		got := ""
		if err := json.Unmarshal([]byte(text), r.form()); err != nil {
			got = "error"
		} else if r.Err != nil {
			got = r.Err.Error()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
	var none error
	if text, err := json.Marshal(jsonform.ErrorAt(&none)); string(text) != "null" || err != nil {
		t.Errorf("no error is %s, %v", text, err)
	}
}

func TestMarshal(t *testing.T) {
	for _, text := range []string{"", "plain", "\xff", "a\xff\xfeb", `\ufffd`, `\\ufffd`, "\\\xff", "\ufffd<\u2028", "\x00\"\xff"} {
		first, err := jsonform.Marshal([]string{text})
		var read []string
		if err := errors.Join(err, json.Unmarshal(first, &read)); err != nil {
			t.Fatal(err)
		}
		if second, _ := jsonform.Marshal(read); string(second) != string(first) || read[0] != strings.ToValidUTF8(text, "\ufffd") && text != "a\xff\xfeb" {
			t.Errorf("%q: %s, %q, then %s", text, first, read, second)
		}
	}
	if _, err := jsonform.Marshal(func() {}); err == nil {
		t.Error("a function is not JSON")
	}
}
