package report

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"time"

	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/internal/untrusted"
)

//go:embed page.css
var style string

//go:embed page.tmpl
var pageText string

//go:embed map.tmpl
var mapText string

// page is parsed once. What the DNS said goes through html/template's escaping, and
// through the function line first.
var page = template.Must(template.Must(template.New("page").Funcs(template.FuncMap{
	"line":   func(text any) string { return untrusted.Line(fmt.Sprint(text)) },
	"host":   func(name string) string { return untrusted.Line(withoutDot(name)) },
	"word":   func(s rule.Status) string { return statusTitle[s] },
	"sign":   func(s rule.Status) string { return statusSign[s] },
	"date":   date,
	"anchor": anchor,
	"about":  func(c Change) *Finding { return cmp.Or(c.After, c.Before) },
	"parts": func(f Finding) map[string]string {
		text, detail := f.parts()
		return map[string]string{"Text": text, "Detail": detail}
	},
	"noRecord": noRecord,
	"left":     Evidence.leftOut,
	"leftAll":  Finding.leftOut,
	"stamp":    func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
}).Parse(pageText)).New("map").Parse(mapText))

// policy is the page's Content-Security-Policy: its own style, and nothing else. Whatever
// came through the escaping could run no script and load nothing.
var policy = func() string {
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'"
}()

// statusSign is a status in one character, so that it does not depend on colors.
var statusSign = map[rule.Status]string{rule.Pass: "✓", rule.Fail: "✕", rule.Undecided: "?", rule.NotApplicable: "–", rule.Waived: "○"}

// pageData is what page.tmpl is executed with.
type pageData struct {
	*Report
	Style    template.CSS
	Policy   string
	Verdict  verdict
	First    []task // what to do
	Then     []task
	Next     int // the number of the first of Then
	Tally    [][]count
	Map      *drawing
	Left     []string // what is kept or refused, as lines
	Delta    *Delta   // nil without a previous report
	Changes  []changeGroup
	Sections []section
}

// changeGroup is the changes of one kind.
type changeGroup struct {
	Title   string
	Changes []Change
}

// changeTitle is what a kind of change is called on the page.
var changeTitle = map[ChangeKind]string{Worse: "Worse", New: "New", Other: "Other", Better: "Better", Gone: "Gone"}

// WriteHTML writes the report as one static page, for people who know no DNS and for those
// who have to fix it: how grave it is and what to do first, the identity map as a picture
// and in words, the records to publish, and every finding with its evidence. With a
// previous report of the organization, which may be nil, it says what has changed.
//
// The page has no script and loads nothing, and its Content-Security-Policy enforces that.
// Text from DNS is escaped, and its control characters are written as escapes.
func (r *Report) WriteHTML(w io.Writer, previous *Report) error {
	data := pageData{
		Report: r, Style: template.CSS(style), Policy: policy, Verdict: r.verdict(), First: r.tasks(), Tally: r.tally(),
		Map: draw(r.Organization, r.Hosts), Sections: r.sections(),
	}
	if len(data.First) > firstTasks {
		data.First, data.Then, data.Next = data.First[:firstTasks], data.First[firstTasks:], firstTasks+1
	}
	data.Left = r.omitted()
	if previous != nil {
		data.Delta = r.Diff(previous)
		data.Changes = changeGroups(data.Delta)
	}
	var b bytes.Buffer // so that an error in the template leaves no half of a page
	if err := page.ExecuteTemplate(&b, "page", data); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// changeGroups sorts the changes by kind, what is to be acted on first. Of what is new or
// gone only failures are of interest, of what says something else those whose status is
// another, too.
func changeGroups(d *Delta) []changeGroup {
	var out []changeGroup
	for kind := Worse; kind <= Gone; kind++ {
		g := changeGroup{Title: changeTitle[kind]}
		for _, c := range d.Changes {
			failed := cmp.Or(c.After, c.Before).Status == rule.Fail
			if c.Kind == kind && (failed || c.Before != nil && c.After != nil && c.Before.Status != c.After.Status) {
				g.Changes = append(g.Changes, c)
			}
		}
		if len(g.Changes) > 0 {
			out = append(out, g)
		}
	}
	return out
}

// Size says how much was audited.
func (d pageData) Size() string {
	addresses := 0
	for _, h := range d.Hosts {
		addresses += len(h.Addresses)
	}
	if addresses == 0 {
		return ""
	}
	return number(len(d.Hosts), "mail server", "mail servers") + ", " + number(addresses, "address", "addresses")
}

func number(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// anchor is where the findings of a rule begin. The ID of a rule that another program
// wrote may hold anything.
func anchor(id rule.ID) string {
	if _, ok := rule.Lookup(id); ok {
		return "rule-" + string(id)
	}
	return fmt.Sprintf("rule-%x", string(id))
}
