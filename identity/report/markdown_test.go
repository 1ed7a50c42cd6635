package report_test

import (
	"io"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/bonafide-mta/bonafide/identity/report"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/internal/untrusted"
)

func TestWriteMarkdown(t *testing.T) {
	for name, rep := range pages(t) {
		var b strings.Builder
		if err := rep.WriteMarkdown(&b); err != nil {
			t.Fatal(err)
		}
		golden(t, name+".md", []byte(b.String()))
	}
}

// A change of each kind, and what there is since no report.
func TestDeltaMarkdown(t *testing.T) {
	now := pages(t)["bad"]
	before := *now
	before.Findings = slices.Clone(now.Findings)
	first := func(status rule.Status) *report.Finding {
		return &before.Findings[slices.IndexFunc(before.Findings, func(f report.Finding) bool { return f.Status == status && f.Code != 0 })]
	}
	other := first(rule.Undecided)
	other.Message = "it said something else"
	worse := first(rule.Fail)
	worse.Status, worse.Message = rule.Pass, "it was well"
	better := first(rule.Pass)
	better.Status, better.Message = rule.Fail, "it was not well"
	before.Findings = append(before.Findings[:len(before.Findings)-1:len(before.Findings)-1], report.Finding{
		Rule: "no-such-rule", Subject: report.Subject{MTA: "mx9"}, Status: rule.Pass, Message: "of another time",
	})
	for name, d := range map[string]*report.Delta{"changes": now.Diff(&before), "no-changes": now.Diff(now)} {
		var b strings.Builder
		if err := d.WriteMarkdown(&b); err != nil {
			t.Fatal(err)
		}
		golden(t, name+".md", []byte(b.String()))
	}
}

// spans cuts a line into its text and its code spans, as CommonMark does (Section 6.1): a
// span ends at the next run of as many backticks.
func spans(line string) (text string, code []string) {
	run := func(s string) int { return len(s) - len(strings.TrimLeft(s, "`")) }
	for line != "" {
		n := run(line)
		switch {
		case n == 0 && line[0] == '\\' && len(line) > 1:
			text, line = text+line[:2], line[2:]
			continue
		case n == 0:
			text, line = text+line[:1], line[1:]
			continue
		}
		rest, end := line[n:], -1
		for i := 0; i < len(rest); {
			if r := run(rest[i:]); r == n {
				end = i
				break
			} else {
				i += max(r, 1)
			}
		}
		if end < 0 {
			text, line = text+line[:n], rest
			continue
		}
		in := rest[:end]
		if strings.HasPrefix(in, " ") && strings.HasSuffix(in, " ") && strings.Trim(in, " ") != "" {
			in = in[1 : len(in)-1]
		}
		code, line = append(code, in), rest[end+n:]
	}
	return text, code
}

// Whatever a text is, it comes out of its code span as it went in, and leaves none of it
// outside.
func TestCodeSpans(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.OneOf(rapid.String(), rapid.StringMatching("[` a\\\\]{0,12}")).Draw(t, "text")
		text, code := spans("x " + report.Code(in) + " y")
		want := untrusted.Line(in)
		if want == "" {
			if text != "x  y" || len(code) > 0 {
				t.Errorf("of nothing, %q and %q", text, code)
			}
			return
		}
		if text != "x  y" || len(code) != 1 || code[0] != want {
			t.Errorf("%q: text %q, code %q", in, text, code)
		}
	})
}

func TestFencedCode(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.SliceOf(rapid.OneOf(rapid.String(), rapid.StringMatching("[` ~]{0,12}"))).Draw(t, "lines")
		lines := strings.Split(strings.TrimSuffix(report.Fenced(in), "\n"), "\n")
		fence := lines[0]
		if len(lines) != len(in)+2 || len(fence) < 3 || strings.Trim(fence, "`") != "" || lines[len(lines)-1] != fence {
			t.Fatalf("%q", lines)
		}
		for i, line := range lines[1 : len(lines)-1] {
			// CommonMark, Section 4.5: a fence ends at a line of as many backticks.
			if line != untrusted.Line(in[i]) || strings.HasPrefix(strings.TrimSpace(line), fence) {
				t.Errorf("%q became %q", in[i], line)
			}
		}
	})
}

// Of the hostile report, and of what it changes, nothing stands outside code.
func TestHostileMarkdown(t *testing.T) {
	hostile := pages(t)["hostile"]
	for name, write := range map[string]func(io.Writer) error{
		"report": hostile.WriteMarkdown, "new": hostile.Diff(nil).WriteMarkdown, "gone": pages(t)["good"].Diff(hostile).WriteMarkdown,
	} {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			if err := write(&b); err != nil {
				t.Fatal(err)
			}
			checkSpans(t, b.String())
		})
	}
}

func checkSpans(t *testing.T, markdown string) {
	t.Helper()
	fence, seen := "", 0
	for line := range strings.Lines(markdown) {
		line = strings.TrimSpace(line)
		switch {
		case fence != "" && line == fence:
			fence = ""
			continue
		case fence != "":
			continue
		case strings.HasPrefix(line, "```") && strings.Trim(line, "`") == "":
			fence = line
			continue
		}
		text, code := spans(line)
		seen += len(code)
		for _, out := range []string{"script", "evil", "everyone", "img", "{{", "\\x1b", "aaaa"} {
			if strings.Contains(text, out) {
				t.Errorf("%s stands outside code in %q", out, line)
			}
		}
	}
	if fence != "" || seen < 20 {
		t.Errorf("%d code spans, the last fence is %q", seen, fence)
	}
}
