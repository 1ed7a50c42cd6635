package report_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/bonafide-mta/bonafide/identity/report"
	"github.com/bonafide-mta/bonafide/identity/rule"
)

// golden compares what a writer made with a file, or rewrites it.
func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	file = filepath.Join("testdata", "page", file)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs (-want +got), -update rewrites it:\n%s", file, diff)
	}
}

func TestWriteHTML(t *testing.T) {
	for name, rep := range pages(t) {
		t.Run(name, func(t *testing.T) {
			var previous *report.Report
			if name == "half" {
				previous = earlier(rep)
			}
			text := page(t, rep, previous)
			golden(t, name+".html", text)
			checkPage(t, text)
		})
	}
}

// checkPage holds what is true of every page: it is well-formed, runs and loads nothing,
// and can be found one's way in.
func checkPage(t *testing.T, text []byte) {
	t.Helper()
	checkTags(t, text)
	doc, err := html.Parse(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	ids := make(map[string]bool)
	for n := range doc.Descendants() {
		if n.Type == html.ElementNode {
			for _, a := range n.Attr {
				if a.Key != "id" {
					continue
				}
				if ids[a.Val] || a.Val == "" || strings.ContainsAny(a.Val, " <\"\n") {
					t.Errorf("the id %q is there twice, or is none", a.Val)
				}
				ids[a.Val] = true
			}
		}
	}
	level, landmarks, headed := 0, make(map[atom.Atom]int), 0
	for n := range doc.Descendants() {
		if n.Type == html.TextNode && n.Parent.DataAtom != atom.Style && strings.ContainsAny(n.Data, "\x00\x1b\u202e\u2066\u200b") {
			t.Errorf("a control character or bidirectional mark in %q", n.Data)
		}
		if n.Type != html.ElementNode {
			continue
		}
		landmarks[n.DataAtom]++
		switch n.DataAtom {
		case atom.Script, atom.Img, atom.Iframe, atom.Object, atom.Embed, atom.Link, atom.Form, atom.Base, atom.Audio, atom.Video:
			t.Errorf("the element %s", n.Data)
		case atom.H1, atom.H2, atom.H3, atom.H4:
			next := int(n.Data[1] - '0')
			if next > level+1 {
				t.Errorf("a heading %s after one of level %d", n.Data, level)
			}
			level = next
		case atom.Table:
			for cell := range n.Descendants() {
				if cell.DataAtom == atom.Th {
					headed++
				}
			}
		}
		for _, a := range n.Attr {
			switch {
			case strings.HasPrefix(a.Key, "on"), a.Key == "style", a.Key == "src", a.Key == "srcset":
				t.Errorf("the attribute %s of %s", a.Key, n.Data)
			case a.Key == "href" && !ids[strings.TrimPrefix(a.Val, "#")]:
				t.Errorf("a link to %q, which is not there", a.Val)
			case a.Key == "aria-labelledby":
				for _, id := range strings.Fields(a.Val) {
					if !ids[id] {
						t.Errorf("labeled by %q, which is not there", id)
					}
				}
			}
		}
	}
	for _, once := range []atom.Atom{atom.Main, atom.Header, atom.Footer, atom.Nav, atom.H1, atom.Title, atom.Style} {
		// The picture has a title, and each of its boxes.
		if n := landmarks[once]; n != 1 && once != atom.Title || n == 0 {
			t.Errorf("%d times the element %s", n, once)
		}
	}
	if headed < 10 {
		t.Errorf("%d headers of the table", headed)
	}
	checkPolicy(t, doc)
}

// checkPolicy holds that the policy lets the page's own style through, and nothing else.
func checkPolicy(t *testing.T, doc *html.Node) {
	t.Helper()
	for n := range doc.Descendants() {
		if n.DataAtom != atom.Style {
			continue
		}
		if strings.Contains(n.FirstChild.Data, "url(") || strings.Contains(n.FirstChild.Data, "@import") {
			t.Error("the style loads something")
		}
		sum := sha256.Sum256([]byte(n.FirstChild.Data))
		want := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'"
		if report.Policy() != want {
			t.Errorf("the policy is %s, expected %s", report.Policy(), want)
		}
		return
	}
	t.Error("no style")
}

// void are the elements without an end tag.
var void = []string{"meta", "br", "path", "rect"}

// checkTags holds that every element is closed, in order, and that no end is left out:
// parsers mend that in silence.
func checkTags(t *testing.T, text []byte) {
	t.Helper()
	var open []string
	for z := html.NewTokenizer(bytes.NewReader(text)); ; {
		switch z.Next() {
		case html.ErrorToken:
			if len(open) > 0 {
				t.Errorf("not closed: %v", open)
			}
			return
		case html.StartTagToken:
			name, _ := z.TagName()
			if !slices.Contains(void, string(name)) {
				open = append(open, string(name))
			}
		case html.EndTagToken:
			name, _ := z.TagName()
			if len(open) == 0 || open[len(open)-1] != string(name) {
				t.Fatalf("</%s> closes %v", name, open)
			}
			open = open[:len(open)-1]
		}
	}
}

// What is hostile stands in the page as it is written in a line of text, and nowhere else.
func TestHostileTextStaysText(t *testing.T) {
	text := page(t, pages(t)["hostile"], nil)
	for _, raw := range []string{"<script", "<img", "</style></title>", "onerror=alert(2)>", "<!--"} {
		if bytes.Contains(text, []byte(raw)) {
			t.Errorf("%s is there as it came", raw)
		}
	}
	doc, err := html.Parse(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for n := range doc.Descendants() {
		if n.Type == html.TextNode && strings.Contains(n.Data, `<script>alert(1)</script>"'><img src=x onerror=alert(2)>`) && strings.Contains(n.Data, `\x1b[31m\u202egnp.exe`) {
			seen++
		}
	}
	if seen < 20 {
		t.Errorf("seen %d times", seen)
	}
}

// The first words of a page say how grave it is.
func TestVerdict(t *testing.T) {
	finding := func(level rule.Level, status rule.Status) report.Finding {
		return report.Finding{Rule: rule.PTRExists, Level: level, Status: status}
	}
	for _, test := range []struct {
		findings []report.Finding
		want     string
	}{
		{nil, "In order."},
		{[]report.Finding{finding(rule.Must, rule.Pass), finding(rule.Advice, rule.Fail), finding(rule.Advice, rule.Undecided)}, "In order."},
		{[]report.Finding{finding(rule.ShouldMinor, rule.Undecided)}, "In order, as far as known."},
		{[]report.Finding{finding(rule.ShouldMinor, rule.Fail), finding(rule.ShouldMajor, rule.Undecided)}, "In order, with gaps."},
		{[]report.Finding{finding(rule.Must, rule.Undecided), finding(rule.ShouldMajor, rule.Fail)}, "Not known."},
		{[]report.Finding{finding(rule.Must, rule.Fail), finding(rule.Must, rule.Undecided)}, "Not in order."},
	} {
		r := &report.Report{Organization: "example.test.", Findings: test.findings}
		if got := string(page(t, r, nil)); !strings.Contains(got, "<strong>"+test.want+"</strong>") {
			t.Errorf("%v: not %s", test.findings, test.want)
		}
		var b strings.Builder
		if err := r.WriteMarkdown(&b); err != nil || !strings.Contains(b.String(), "**"+test.want+"**") {
			t.Errorf("%v: not %s, %v:\n%s", test.findings, test.want, err, &b)
		}
	}
}

// A report that was written as JSON makes the same page.
func TestPageOfAReportReadBack(t *testing.T) {
	rep := pages(t)["bad"]
	var b bytes.Buffer
	if err := rep.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	again, err := report.ReadReport(&b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(page(t, rep, nil)), string(page(t, again, nil))); diff != "" {
		t.Error(diff)
	}
}

type fails struct{}

func (fails) Write([]byte) (int, error) { return 0, errors.ErrUnsupported }

func TestWritersReturnErrors(t *testing.T) {
	for name, err := range map[string]error{
		"HTML": example.WriteHTML(fails{}, nil), "Markdown": example.WriteMarkdown(fails{}), "color": example.WriteColor(fails{}),
	} {
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Colors are added to the text, and no more.
func TestWriteColor(t *testing.T) {
	for name, rep := range pages(t) {
		var plain, colored strings.Builder
		if err := errors.Join(rep.WriteText(&plain), rep.WriteColor(&colored)); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(plain.String(), "\x1b") {
			t.Errorf("%s: an escape in plain text", name)
		}
		text, painted := colored.String(), 0
		for _, sequence := range []string{"\x1b[1m", "\x1b[2m", "\x1b[32m", "\x1b[1;31m", "\x1b[33m", "\x1b[36m", "\x1b[0m"} {
			painted += strings.Count(text, sequence)
			text = strings.ReplaceAll(text, sequence, "")
		}
		if text != plain.String() || painted < 10 {
			t.Errorf("%s: the text differs without its %d colors", name, painted)
		}
	}
}
