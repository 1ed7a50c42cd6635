package yamldoc_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bonafide-mta/bonafide/internal/yamldoc"
)

// A thing has a value of each kind.
type thing struct {
	Name, Color string
	Heavy       bool
	Tags        []string
	Parts       []thing
}

// read reads a thing, and returns its problems, one a line.
func read(text string) (thing, string) {
	doc, body := yamldoc.Parse([]byte(text), "one thing", "the key name")
	var t thing
	if body != nil {
		t = readThing(doc, "", body)
	}
	var problems []string
	slices.SortStableFunc(doc.Problems, yamldoc.Problem.Compare)
	for _, p := range doc.Problems {
		problems = append(problems, p.String())
	}
	return t, strings.Join(problems, "\n")
}

func readThing(r *yamldoc.Reader, path string, n yamldoc.Node) (t thing) {
	r.Mapping(path, n, map[string]func(string, yamldoc.Node){
		"name": func(path string, n yamldoc.Node) {
			if t.Name = r.Text(path, n); t.Name == "" && !r.Unread(path) {
				r.Refuse(n, path, "%q: expected a name", t.Name)
			}
		},
		"heavy": func(path string, n yamldoc.Node) { t.Heavy = r.Boolean(path, n) },
		"tags":  func(path string, n yamldoc.Node) { t.Tags = r.Texts(path, n) },
		"paint": func(path string, n yamldoc.Node) { r.Strings(path, n, map[string]*string{"color": &t.Color}) },
		"parts": func(path string, n yamldoc.Node) {
			r.Sequence(path, n, func(path string, n yamldoc.Node) { t.Parts = append(t.Parts, readThing(r, path, n)) })
		},
	})
	return t
}

func TestRead(t *testing.T) {
	want := thing{Name: "box", Color: "red", Heavy: true, Tags: []string{"a", "1", "1.50", "2027-01-31"}, Parts: []thing{{Name: "lid"}, {Heavy: true}}}
	for _, text := range []string{
		"# a box\nname: box\nheavy: true\ntags: [a, 1, 1.50, 2027-01-31]\npaint: {color: red}\nparts:\n  - name: lid\n  - heavy: true\n",
		"\ufeff---\nname: 'box'\nheavy: true\ntags:\n- \"a\"\n- 1\n- 1.50\n- 2027-01-31\npaint:\n  color: red\nparts: [{name: lid}, {heavy: true}]\n...\n",
		`{"name": "box", "heavy": true, "tags": ["a", 1, 1.50, "2027-01-31"], "paint": {"color": "red"}, "parts": [{"name": "lid"}, {"heavy": true}]}`,
	} {
		got, problems := read(text)
		if diff := cmp.Diff(want, got); diff != "" || problems != "" {
			t.Errorf("%s: %s\n%s", text, problems, diff)
		}
	}
}

func TestProblems(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"", "1:1: empty: expected the key name"},
		{"# nothing\n", "1:1: empty: expected the key name"},
		{"\xff", "1:1: not UTF-8"},
		{strings.Repeat(" ", yamldoc.MaxSize+1), fmt.Sprintf("1:1: %d octets: expected at most %d", yamldoc.MaxSize+1, yamldoc.MaxSize)},
		{"name: a\n---\nname: b\n", "3:1: a second document: expected one thing"},
		{"[a]", "1:1: expected keys and values, got a list"},
		{"size: 1\n1: x\nname: a\nname: b\n", "1:1: unknown key \"size\": expected one of heavy, name, paint, parts, tags\n2:1: unknown key \"1\": expected one of heavy, name, paint, parts, tags\n4:1: the key \"name\" is in line 3 already"},
		{"name: ''\n", `1:7: name: "": expected a name`},
		{"name: [a]\nheavy: 1\ntags: x\nparts: {a: b}\n", "1:7: name: expected text, got a list\n2:8: heavy: expected true or false, got \"1\"\n3:7: tags: expected a list, got the text \"x\"\n4:8: parts: expected a list, got keys and values"},
		{"tags: [true, null, &a b, *a, !t x]\n", "1:8: tags[0]: expected text, got the boolean true\n1:14: tags[1]: expected text, got nothing\n1:20: tags[2]: expected text, got an anchor or alias\n1:26: tags[3]: expected text, got an anchor or alias\n1:30: tags[4]: expected text, got a tag"},
		{"name: |\n  a\n  b\n", "1:7: name: expected text, got text of several lines"},
		{"name: {2001:db8::1: x}\n", "1:7: name: expected text, in quotes if it has a colon, got keys and values"},
		{"parts:\n  - tags: {a: b}\n    paint: {hue: x}\n", "2:11: parts[0].tags: expected a list, got keys and values\n3:13: parts[0].paint: unknown key \"hue\": expected one of color"},
		{"name: \"a\n", "1:7: could not find end character of double-quoted text"},
		{strings.Repeat("[", 17), "1:17: nested too deeply"},
		{strings.Repeat("- ", 40) + "a", "1:65: nested too deeply"},
		{"tags: [" + strings.Repeat("a, ", 20_000) + "a]", "1:54003: too long: expected at most 36000 words and punctuation marks"},
		{strings.Repeat("---\n", 70), "65:1: too many keys or documents"},
		{strings.Repeat("a: b\n", 70), "65:2: too many keys or documents"},
		{strings.Repeat("? a\n", 70), "65:1: too many keys or documents"},
	} {
		if _, got := read(tt.text); got != tt.want {
			t.Errorf("%.60q:\n got %s\nwant %s", tt.text, got, tt.want)
		}
	}
}

// A value that is missing is where the one around it is.
func TestPosition(t *testing.T) {
	doc, body := yamldoc.Parse([]byte("name: a\nparts:\n  - name: b\n  - {name: c, heavy: x}\n"), "one thing", "the key name")
	readThing(doc, "", body)
	for path, want := range map[string][2]int{"name": {1, 7}, "parts[1].name": {4, 12}, "parts[1].tags": {4, 5}, "parts[0].paint.color": {3, 5}, "parts[7]": {3, 3}, "else": {1, 1}, "": {1, 1}} {
		if line, column := doc.Position(path); [2]int{line, column} != want {
			t.Errorf("%s: %d:%d, want %v", path, line, column, want)
		}
	}
	if !doc.Unread("parts[1].heavy") || !doc.Unread("parts[1].heavy.x") || doc.Unread("parts[1]") || doc.Unread("name") {
		t.Errorf("%v", doc.Problems)
	}
	if line, column := new(yamldoc.Reader).Position("name"); line != 1 || column != 1 {
		t.Errorf("nothing: %d:%d", line, column)
	}
}
