package org_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/bonafide-mta/bonafide/identity/org"
)

func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(org.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("org.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("org.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// What Parse accepts the schema accepts, and the schema refuses every mistake of form.
func TestSchema(t *testing.T) {
	s := compiled(t)
	const mtas = "mtas: [{addresses: [192.0.2.1], helo: h.a.test}]"
	for _, test := range []struct {
		text string
		ok   bool
	}{
		{full, true},
		{fullJSON, true},
		{"domain: a.test\n" + mtas, true},
		{"domain: a.test\nmtas: [{addresses: [192.0.2.1], helo: 12, id: 7, roles: [INBOUND, submission]}]", true},
		{"", false},
		{"[]", false},
		{"domain: a.test", false},
		{"domain: a.test\nmtas: []", false},
		{"domain: ''\n" + mtas, false},
		{"domain: [a.test]\n" + mtas, false},
		{"domain: a.test\nmtas: [{helo: h.a.test}]", false},
		{"domain: a.test\nmtas: [{addresses: [], helo: h.a.test}]", false},
		{"domain: a.test\nmtas: [{addresses: [192.0.2.0/24], helo: h.a.test}]", false},
		{"domain: a.test\nmtas: [{addresses: [h.a.test], helo: h.a.test}]", false},
		{"domain: a.test\nmtas: [{addresses: [192.0.2.1], helo: h.a.test, roles: [relay]}]", false},
		{"domain: a.test\nmtas: [{addresses: [192.0.2.1], helo: h.a.test, dedicated: 1}]", false},
		{"domain: a.test\nmtas: [{addresses: [192.0.2.1], helo: h.a.test, id: organization}]", false},
		{"domain: a.test\nmtas: [{address: 192.0.2.1, helo: h.a.test}]", false},
		{"domain: a.test\n" + mtas + "\nmail: [a.test]", false},
		{"domain: a.test\n" + mtas + "\nmail: [{softfail: true}]", false},
		{"domain: a.test\n" + mtas + "\nmail: [{domain: a.test, networks: [192.0.2.1]}]", false},
		{"domain: a.test\n" + mtas + "\nnames: www.a.test", false},
		{"domain: a.test\n" + mtas + "\nzones: ['']", false},
		{"domain: a.test\n" + mtas + "\ncontacts: {web: {name: x}}", false},
		{"domain: a.test\n" + mtas + "\ncontacts: {mta: {role: x}}", false},
		{"domain: a.test\n" + mtas + "\nexceptions: [{rule: x, subject: y}]", false},
		{"domain: a.test\n" + mtas + "\nexceptions: [{rule: x, subject: y, reason: z, until: 2027-01-31}]", true},
		{"domain: a.test\n" + mtas + "\nexceptions: [{rule: x, subject: y, reason: z, until: 31.1.2027}]", false},
		{"domain: a.test\n" + mtas + "\nexceptions: [{rule: x, subject: y, reason: z, until: 20270131}]", false},
		{"domain: a.test\n" + mtas + "\ncolor: red", false},
	} {
		var value any
		if err := yaml.Unmarshal([]byte(test.text), &value); err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		instance, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
		if err != nil {
			t.Fatal(err)
		}
		valid := s.Validate(instance)
		_, parsed := org.Parse("", []byte(test.text))
		if (valid == nil) != test.ok || (parsed == nil) != test.ok {
			t.Errorf("%q: the schema says %v, Parse %v; expected acceptance %t", test.text, valid, parsed, test.ok)
		}
	}
}

// The schema has the keys of the Go types, no more and no less.
func TestSchemaHasEveryKey(t *testing.T) {
	type object struct {
		Properties map[string]struct{ Properties map[string]any }
		Defs       map[string]struct{ Properties map[string]any } `json:"$defs"`
	}
	var s object
	if err := json.Unmarshal([]byte(org.Schema()), &s); err != nil {
		t.Fatal(err)
	}
	keys := func(v any) (out []string) {
		for _, f := range reflect.VisibleFields(reflect.TypeOf(v)) {
			key, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			out = append(out, key)
		}
		slices.Sort(out)
		return out
	}
	for _, test := range []struct {
		of   any
		have []string
	}{
		{org.Organization{}, sortedKeys(s.Properties)},
		{org.Contacts{}, sortedKeys(s.Properties["contacts"].Properties)},
		{org.MTA{}, sortedKeys(s.Defs["mta"].Properties)},
		{org.MailDomain{}, sortedKeys(s.Defs["mail"].Properties)},
		{org.Contact{}, sortedKeys(s.Defs["contact"].Properties)},
		{org.Exception{}, sortedKeys(s.Defs["exception"].Properties)},
	} {
		if diff := cmp.Diff(keys(test.of), test.have); diff != "" {
			t.Errorf("%T (-type +schema):\n%s", test.of, diff)
		}
	}
}

func sortedKeys[V any](m map[string]V) (out []string) {
	for key := range m {
		out = append(out, key)
	}
	slices.Sort(out)
	return out
}
