package spf_test

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/bonafide-mta/bonafide/spf"
)

func TestParse(t *testing.T) {
	tests := []struct{ text, want string }{
		{"v=spf1", "v=spf1"},
		{"V=SPF1  -ALL ", "v=spf1 -all"},
		{"v=spf1 +a +mx/24 ?a:x.test//64 ~mx:x.test/24//64", "v=spf1 a mx/24 ?a:x.test//64 ~mx:x.test/24//64"},
		{"v=spf1 a/32//128 mx/0//0", "v=spf1 a mx/0//0"},
		{"v=spf1 a:x/y.test/24 a:%{d2/}/24", "v=spf1 a:x/y.test/24 a:%{d2/}/24"},
		{"v=spf1 ip4:192.0.2.1 ip4:192.0.2.1/32 ip4:192.0.2.9/24", "v=spf1 ip4:192.0.2.1 ip4:192.0.2.1 ip4:192.0.2.9/24"},
		{"v=spf1 ip6:2001:DB8::1 ip6:::/0 ip6:::ffff:192.0.2.1/128", "v=spf1 ip6:2001:db8::1 ip6:::/0 ip6:::ffff:192.0.2.1"},
		{"v=spf1 ptr ptr:x.test. Exists:%{ir}.x%{d} include:x.TEST", "v=spf1 ptr ptr:x.test. exists:%{ir}.x%{d} include:x.TEST"},
		{"v=spf1 redirect=x.test exp=%{d} ra=postmaster RP=100 a-b_c.d=%%%_%-%{S}", "v=spf1 redirect=x.test exp=%{d} ra=postmaster RP=100 a-b_c.d=%%%_%-%{S}"},
		{"v=spf1 m=a=b x=", "v=spf1 m=a=b x="},
	}
	for _, tt := range tests {
		record, err := spf.Parse(tt.text)
		if err != nil || record.String() != tt.want {
			t.Errorf("%q: %q, %v; expected %q", tt.text, record, err, tt.want)
		}
		for _, term := range record.Terms {
			if got := tt.text[term.Offset : term.Offset+len(term.Text)]; got != term.Text {
				t.Errorf("%q: %q at offset %d, where %q is", tt.text, term.Text, term.Offset, got)
			}
		}
	}
}

// Each problem with its offset, the whole term and the reason.
func TestParseErrors(t *testing.T) {
	archive, err := txtar.ParseFile("testdata/problems.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for line := range strings.Lines(string(archive.Files[0].Data)) {
		text, err := strconv.Unquote(strings.TrimSpace(line))
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		_, err = spf.Parse(text)
		found := problems(err)
		if len(found) == 0 {
			t.Errorf("%q: %v", text, err)
		}
		out.WriteString(line)
		for _, p := range found {
			fmt.Fprintf(&out, "  %s\n", p)
		}
	}
	if *update {
		archive.Files[1].Data = []byte(out.String())
		if err := os.WriteFile("testdata/problems.txtar", txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(archive.Files[1].Data), out.String()); diff != "" {
		t.Errorf("the problems differ (-want +got), -update rewrites them:\n%s", diff)
	}
}

// The right terms of a wrong record are there, for those who look into it.
func TestParseKeepsRightTerms(t *testing.T) {
	record, err := spf.Parse("v=spf1 a:x " + strings.Repeat("b ", 20) + "mx -all")
	if err == nil || record.String() != "v=spf1 mx -all" {
		t.Errorf("got %s, %v", record, err)
	}
	if !strings.HasSuffix(err.Error(), "; and 16 more") {
		t.Errorf("got %v", err)
	}
	if _, err := spf.Parse("v=spf1 " + strings.Repeat("x", 1000)); len(err.Error()) > 300 {
		t.Errorf("an error of %d octets", len(err.Error()))
	}
}

// instead finds the term that a problem tells to write.
var instead = regexp.MustCompile(`: write ([+?~-]?(?:[a-zA-Z][a-zA-Z0-9._-]*[:=].*|all))$`)

// What is parsed prints as a record that parses to the same. Problems are in order, of whole
// words, in printable ASCII, and what they tell to write is right.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"v=spf1 -all", "v=spf1 a:%{d}/24//64 mx ip4:192.0.2.0/24 ip6:::1/64 redirect=x.test exp=x.test m=1", "v=spf1 exists:%{l1r+-}.x.test ?ptr ~all",
		"v=spf1 - all include: x.test include x.test -a:192.0.2.1/24 ip4:2001:db8::1", "v=spf1 \u2013all mx\u00a0-all a:\u00e9.test \u201c-all\u201d mx\t, a:\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		record, err := spf.Parse(text)
		last := 0
		for _, p := range problems(err) {
			end := p.Offset + len(p.Text)
			if p.Offset < last || end > len(text) || p.Reason == "" || text[p.Offset:end] != p.Text || end < len(text) && text[end] != ' ' {
				t.Fatalf("%q: %+v", text, p)
			}
			last = end
			if strings.ContainsFunc(p.String(), func(r rune) bool { return r < ' ' || r > '~' }) {
				t.Fatalf("%q: %s", text, p)
			}
			if m := instead.FindStringSubmatch(p.Reason); m != nil && !strings.Contains(m[1], "... (") {
				if _, err := spf.Parse("v=spf1 " + m[1]); err != nil {
					t.Fatalf("%q: %s: %v", text, p, err)
				}
			}
		}
		again, err := spf.Parse(record.String())
		if err != nil {
			t.Fatalf("%q printed as %q: %v", text, record, err)
		}
		if diff := cmp.Diff(record, again, cmpopts.IgnoreFields(spf.Term{}, "Text", "Offset"), cmp.Comparer(samePrefix)); diff != "" {
			t.Fatalf("%q printed as %q: %s", text, record, diff)
		}
	})
}

func problems(err error) []spf.Problem {
	if syntax, ok := err.(*spf.SyntaxError); ok {
		return syntax.Problems
	}
	return nil
}
