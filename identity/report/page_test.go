package report_test

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bonafide-mta/bonafide/identity/report"
	"github.com/bonafide-mta/bonafide/identity/rule"
)

// pages returns reports to be written as pages, by name: of an organization that is bad,
// one that is half done, one that is good, and one whose every text is hostile.
func pages(t testing.TB) map[string]*report.Report {
	t.Helper()
	out := map[string]*report.Report{"hostile": hostileReport()}
	for _, name := range []string{"bad", "half", "good"} {
		out[name] = audited(t, filepath.Join("testdata", "page", name+".txtar"))
	}
	return out
}

// hostile is text that wants out: of an element, an attribute, a code span, a line, a
// terminal, its direction; and is too long for any box.
const hostile = `<script>alert(1)</script>"'><img src=x onerror=alert(2)>` + "`` ```\n# x\r\n|a|\x1b[31m\u202egnp.exe\u2066\u200b\x00" +
	`</style></title></svg><!--]]>{{.}}&amp;&#x3c;` + `[a](https://evil.test/)@everyone #1 www.evil.test ~~~` + "\n~~~\n"

func hostileReport() *report.Report {
	long := strings.Repeat("a", 63) + "." + strings.Repeat("b", 63) + "."
	r := &report.Report{
		Version: report.Version, Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Organization: hostile,
		Hosts: []report.Host{{ID: hostile, Helo: hostile, Addresses: []report.HostAddress{
			{Address: hostile, PTR: report.Holds, Helo: report.Broken, Names: []report.HostName{
				{Name: hostile, Confirmed: report.Broken}, {Name: long, Confirmed: report.Unknown}, {Name: "\U0001f4a9" + long, Confirmed: report.Holds, Own: true},
			}, Skipped: 12},
		}}},
		Publish: []report.Publication{
			{By: "you", Zone: hostile, After: hostile, Records: []string{hostile, long + " 3600 IN A 192.0.2.1"}},
			{By: "isp", Records: []string{hostile + ".arpa. 3600 IN PTR " + hostile}},
		},
		Omitted: []report.Omission{{What: hostile, Why: hostile}},
		Summary: report.Summary{Fail: 2, Waived: 1},
	}
	evidence := []report.Evidence{
		{Name: hostile, Type: hostile, Status: "NOERROR", Aliases: []string{hostile}, Records: []string{hostile, long + long}, Server: hostile},
		{Name: long, Type: "TXT", Error: hostile},
		{Name: long, Type: "TXT", Status: hostile, Server: hostile},
	}
	for i, id := range []rule.ID{rule.PTRExists, hostile, rule.HeloDiffers} {
		f := report.Finding{
			Rule: id, Level: rule.Must, Status: rule.Fail, Code: rule.CodeOther, Subject: report.Subject{MTA: hostile}, Message: hostile,
			Evidence: evidence, Fix: []string{hostile, long + long}, Remedy: hostile, Mitigated: hostile,
		}
		if i == 2 {
			f.Level, f.Status = rule.ShouldMajor, rule.Waived
		}
		r.Findings = append(r.Findings, f)
	}
	return r
}

func page(t testing.TB, r, previous *report.Report) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := r.WriteHTML(&b, previous); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// earlier is a report as it might have been before: of every kind of change there is one.
func earlier(r *report.Report) *report.Report {
	was := *r
	was.Time = r.Time.AddDate(0, -1, 0)
	was.Findings = nil
	for _, f := range r.Findings {
		switch {
		case f.Rule == rule.HeloSPF && f.Status == rule.Fail:
			f.Status, f.Code = rule.Pass, rule.CodeOK // it is worse now
		case f.Rule == rule.PTRConfirmed:
			f.Status, f.Code, f.Message = rule.Fail, rule.CodeMismatch, "no PTR name has the address" // better
		case f.Rule == rule.HeloRP && f.Status == rule.Fail:
			continue // new
		case f.Rule == rule.HeloCSA:
			f.Status, f.Code = rule.NotApplicable, rule.CodeNoName // other
		}
		was.Findings = append(was.Findings, f)
	}
	gone := r.Findings[0]
	gone.Rule, gone.Status, gone.Message = rule.NullMX, rule.Fail, "the name has no MX record: old.example."
	gone.Subject = report.Subject{Name: "old.example."}
	was.Findings = append(was.Findings, gone)
	return &was
}
