package report_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/bonafide-mta/bonafide/identity/report"
	"github.com/bonafide-mta/bonafide/identity/rule"
)

func compiled(t testing.TB) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(report.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("audit.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("audit.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// document is what one of the writers makes, as JSON has it.
func document(t testing.TB, write func(io.Writer) error) any {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(&b)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// Every report, the differences between them, and what takes their place are as the
// schema says; and every report comes back from JSON as it was.
func TestSchemaAndReadReport(t *testing.T) {
	schema := compiled(t)
	previous := example
	var all []any
	for _, rep := range allAudited(t) {
		all = append(all, document(t, rep.WriteJSON), document(t, rep.Diff(previous).WriteJSON), document(t, rep.Diff(nil).WriteJSON))
		previous = rep
		var b bytes.Buffer
		if err := rep.WriteJSON(&b); err != nil {
			t.Fatal(err)
		}
		again, err := report.ReadReport(&b)
		if err != nil {
			t.Fatalf("%s: %v", rep.Organization, err)
		}
		if diff := cmp.Diff(rep, again); diff != "" {
			t.Errorf("%s: it does not come back (-want +got):\n%s", rep.Organization, diff)
		}
	}
	all = append(all, document(t, report.NoReport{Version: report.Version, Error: "no such file\nat all"}.WriteJSON))
	each := append(slices.Clone(all), append(all[:3:3], all[len(all)-1])) // and a list of one of each kind
	for _, doc := range each {
		if err := schema.Validate(doc); err != nil {
			t.Errorf("%v", err)
		}
	}
}

// A document that lacks any of its keys, or has a value of another kind in it, is none.
func TestSchemaRefuses(t *testing.T) {
	schema := compiled(t)
	passed := *example
	passed.Findings = slices.Clone(example.Findings)
	passed.Findings[0].Status = rule.Pass
	broken := 0
	for _, write := range []func(io.Writer) error{
		example.WriteJSON, example.Diff(&passed).WriteJSON, report.NoReport{Version: report.Version, Error: "x"}.WriteJSON,
	} {
		whole := document(t, write)
		for _, path := range objects(whole, nil) {
			for _, key := range slices.Sorted(maps.Keys(at(whole, path).(map[string]any))) {
				damage := []func(map[string]any){
					func(o map[string]any) { delete(o, key) },
					func(o map[string]any) { o[key] = map[string]any{} },
					func(o map[string]any) { o[key] = nil },
				}
				for i, d := range damage {
					doc := document(t, write)
					d(at(doc, path).(map[string]any))
					if broken++; schema.Validate(doc) == nil {
						t.Errorf("accepted without %v %s as it was (%d)", path, key, i)
					}
				}
			}
		}
	}
	t.Logf("%d broken documents", broken)
	for _, text := range []string{`null`, `1`, `""`, `{}`, `[[]]`, `[{}]`, `{"version": 1}`, `{"version": 2, "organization": "", "error": "x"}`, `{"version": 1, "organization": "", "error": ""}`} {
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if schema.Validate(doc) == nil {
			t.Errorf("accepted: %s", text)
		}
	}
}

// objects lists the paths of all objects in a document.
func objects(doc any, path []any) (out [][]any) {
	switch v := doc.(type) {
	case map[string]any:
		out = append(out, path)
		for key, value := range v {
			out = append(out, objects(value, append(slices.Clip(path), key))...)
		}
	case []any:
		for i, value := range v {
			out = append(out, objects(value, append(slices.Clip(path), i))...)
		}
	}
	return out
}

func at(doc any, path []any) any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			doc = doc.(map[string]any)[step]
		case int:
			doc = doc.([]any)[step]
		}
	}
	return doc
}

// The schema has the keys of the Go types, no more and no less, and requires them all.
func TestSchemaHasEveryKey(t *testing.T) {
	var s struct {
		Defs map[string]struct {
			Required   []string
			Properties map[string]any
		} `json:"$defs"`
	}
	if err := json.Unmarshal([]byte(report.Schema()), &s); err != nil {
		t.Fatal(err)
	}
	for name, of := range map[string]any{
		"report": report.Report{}, "delta": report.Delta{}, "noReport": report.NoReport{}, "change": report.Change{},
		"finding": report.Finding{}, "evidence": report.Evidence{}, "summary": report.Summary{},
		"host": report.Host{}, "hostAddress": report.HostAddress{}, "hostName": report.HostName{},
	} {
		var keys []string
		for _, f := range reflect.VisibleFields(reflect.TypeOf(of)) {
			key, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			keys = append(keys, key)
		}
		slices.Sort(keys)
		if diff := cmp.Diff(keys, slices.Sorted(maps.Keys(s.Defs[name].Properties))); diff != "" {
			t.Errorf("%T (-type +schema):\n%s", of, diff)
		}
		if diff := cmp.Diff(keys, slices.Sorted(slices.Values(s.Defs[name].Required))); diff != "" {
			t.Errorf("%T (-type +required):\n%s", of, diff)
		}
	}
}

func TestReadReportRefuses(t *testing.T) {
	const finding = `{"rule": "ptr-exists", "level": "must", "status": "fail", "subject": "mx1"}`
	rep := func(findings string) string {
		return `{"version": 1, "organization": "example.test.", "findings": [` + findings + `]}`
	}
	for _, test := range []struct{ text, want string }{
		{"", "report: not JSON: at offset 0: unexpected end of JSON input"},
		{"Mail server identity of example.test.", "report: not JSON: at offset 1: invalid character 'M' looking for beginning of value"},
		{rep(finding) + "}", "report: not JSON: at offset 139: invalid character '}' after top-level value"},
		{"[]", "report: not a report: expected an object, got array"},
		{"null", "report: not a report: it has no version"},
		{"{}", "report: not a report: it has no version"},
		{`{"version": "1"}`, `report: not a report: version: got string`},
		{`{"version": 2, "organization": 7}`, "report: a report of version 2: expected version 1"},
		{`{"version": 1, "organization": "example.test."}`, "report: not a report: it has no findings"},
		{`{"version": 1, "organization": "org.yaml", "error": "no\nsuch file"}`, `report: not a report, but why there was none: "no\nsuch file"`},
		{`{"version": 1, "findings": []}`, `report: not a report: the organization is "": expected a domain in canonical form`},
		{`{"version": 1, "organization": "\u001b[2J.", "findings": []}`, `report: not a report: the organization is "\x1b[2J.": expected a domain in canonical form`},
		{rep(`1`), "report: not a report: findings: got number"},
		{rep(`{}`), "report: not a report: finding 1 lacks its rule, level or status"},
		{rep(finding + `, {"rule": "x", "level": "must"}`), "report: not a report: finding 2 lacks its rule, level or status"},
		{rep(`{"level": "most"}`), `report: not a report: "most": expected one of must, should-major, should-minor, advice`},
		{rep(`{"subject": ""}`), `report: not a report: "": expected organization, an MTA, MTA/address, or a name with its final dot`},
	} {
		got, err := report.ReadReport(strings.NewReader(test.text))
		if got != nil || fmt.Sprint(err) != test.want {
			t.Errorf("%s:\n got %v, %v\nwant %s", test.text, got, err, test.want)
		}
	}
	broken := errors.New("disk broken")
	if _, err := report.ReadReport(iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Error(err)
	}
	// What a later program of this version adds is passed over, what an earlier one
	// lacked is empty.
	got, err := report.ReadReport(strings.NewReader(rep(strings.Replace(finding, "{", `{"color": "red", `, 1))))
	if err != nil || len(got.Findings) != 1 || got.Publish == nil || got.Findings[0].Fix == nil {
		t.Errorf("%+v, %v", got, err)
	}
}

// Codes of other releases: a report that has one is read, differs from itself in nothing,
// and can be kept.
func TestReadReportOfOtherCodes(t *testing.T) {
	for code, want := range map[string]rule.Code{
		`"code": "missing"`: rule.CodeMissing, `"code": "Missing"`: rule.CodeMissing, `"code": "of-tomorrow"`: rule.CodeOther,
		`"code": ""`: rule.CodeOther, `"code": null`: rule.CodeOther, `"color": "red"`: rule.CodeOther,
	} {
		text := `{"version": 1, "time": "2026-01-02T03:04:05Z", "organization": "example.test.", "findings": [
			{"rule": "ptr-exists", "level": "must", "status": "fail", "subject": "mx1", "message": "it is not there", ` + code + `}]}`
		for range 2 { // as it was written, and as it is kept
			rep, err := report.ReadReport(strings.NewReader(text))
			if err != nil || len(rep.Findings) != 1 {
				t.Fatalf("%s: %v", code, err)
			}
			if f := rep.Findings[0]; f.Code != want || f.Message != "it is not there" || f.Subject.MTA != "mx1" {
				t.Errorf("%s: %+v", code, f)
			}
			if d := rep.Diff(rep); d.Same != 1 {
				t.Errorf("%s: it differs from itself: %v", code, d)
			}
			var kept strings.Builder
			if err := errors.Join(rep.WriteJSON(&kept), rep.WriteText(io.Discard), rep.WriteMarkdown(io.Discard), rep.WriteHTML(io.Discard, nil)); err != nil {
				t.Fatalf("%s: %v", code, err)
			}
			text = kept.String()
		}
	}
	if _, err := report.ReadReport(strings.NewReader(`{"version": 1, "organization": "example.test.", "findings": [{"code": 7}]}`)); err == nil || err.Error() != "report: not a report: findings.code: got number" {
		t.Errorf("a code that is a number: %v", err)
	}
}

// FuzzReadReport: no text panics; an error is one line; what is read can be written in
// every form, steers no terminal, is a report still when it is kept, and does not differ
// from itself.
func FuzzReadReport(f *testing.F) {
	var b strings.Builder
	if err := example.WriteJSON(&b); err != nil {
		f.Fatal(err)
	}
	f.Add(b.String())
	hostile := hostileReport()
	hostile.Organization = "example.test."
	b.Reset()
	if err := hostile.WriteJSON(&b); err != nil {
		f.Fatal(err)
	}
	f.Add(b.String())
	f.Add(`{"version": 1, "organization": "a.", "findings": [{"rule": "x", "level": "must", "status": "fail", "evidence": [{}, null], "fix": ["\u0000"]}]}`)
	f.Add(`{"version": 1, "organization": ".", "findings": null, "publish": [null]}`)
	f.Fuzz(func(t *testing.T, text string) {
		rep, err := report.ReadReport(strings.NewReader(text))
		if err != nil {
			if rep != nil || strings.Contains(err.Error(), "\n") {
				t.Errorf("%+v, %q", rep, err)
			}
			return
		}
		d := rep.Diff(rep)
		if len(rep.Findings) == 0 && len(d.Changes) > 0 {
			t.Errorf("it differs from itself: %v", d)
		}
		var shown, kept bytes.Buffer
		for _, write := range []func(io.Writer) error{rep.WriteText, rep.WriteMarkdown, d.WriteText, rep.Diff(nil).WriteText} {
			if err := write(&shown); err != nil {
				t.Error(err)
			}
		}
		if i := strings.IndexFunc(shown.String(), func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }); i >= 0 {
			t.Errorf("not printable: %.20q", shown.String()[i:])
		}
		if err := errors.Join(rep.WriteHTML(io.Discard, rep), d.WriteJSON(io.Discard), rep.WriteJSON(&kept)); err != nil {
			t.Error(err)
		}
		if _, err := report.ReadReport(&kept); err != nil {
			t.Error(err)
		}
	})
}

// The next audit tells what has changed since the last one, which was kept as JSON.
func ExampleReadReport() {
	var kept bytes.Buffer
	if err := example.WriteJSON(&kept); err != nil {
		fmt.Println(err)
		return
	}
	previous, err := report.ReadReport(&kept)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(example.Diff(previous))

	_, err = report.ReadReport(strings.NewReader(`{"version": 2}`))
	fmt.Println(err)
	// Output:
	// 0 worse, 0 new, 0 other, 0 better, 0 gone, 1 the same; now 1 failed, 0 undecided, 0 passed, 0 waived, 0 not applicable
	// report: a report of version 2: expected version 1
}

func ExampleNoReport() {
	var b strings.Builder
	report.NoReport{Version: report.Version, Organization: "org.yaml", Error: "open org.yaml: no such file or directory"}.WriteJSON(&b)
	fmt.Print(b.String())
	// Output:
	// {
	//   "version": 1,
	//   "organization": "org.yaml",
	//   "error": "open org.yaml: no such file or directory"
	// }
}

// What is longer than any report is not read to its end, which may not exist.
func TestReadReportStops(t *testing.T) {
	spaces := readerFunc(func(p []byte) (int, error) {
		for i := range p {
			p[i] = ' '
		}
		return len(p), nil
	})
	if rep, err := report.ReadReport(spaces); rep != nil || err == nil || err.Error() != "report: more than 64 MiB" {
		t.Error(err)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
