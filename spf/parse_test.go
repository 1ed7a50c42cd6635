package spf_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

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

// Each problem with its offset and the beginning of its reason.
func TestParseErrors(t *testing.T) {
	tests := []struct {
		text string
		want string // problems as OFFSET TEXT: REASON…, by line
	}{
		{"", "0 : expected v=spf1"},
		{"v=spf10 -all", "0 v=spf10 -all: expected v=spf1"},
		{"v=spf1 al all: all/8 -all=1", "7 al: no mechanism\n13 :: all takes\n18 /8: all takes\n21 -all=1: not the name of a modifier"},
		{"v=spf1 include include: include:x include:x.1", "14 : expected a colon\n23 : expected a domain\n32 x: expected a domain\n44 1: expected a domain"},
		{"v=spf1 a: a:x.test/33 a:x.test/032 a//129 mx/ a:x.test/ a:x.test//64/24",
			"9 : expected a domain\n18 /33: prefix length\n30 /032: prefix length\n36 //129: prefix length\n44 /: expected a colon\n50 test/: expected a domain\n60 test//64/24: expected a domain"},
		{"v=spf1 ip4 ip4: ip4:1.2.3 ip4:1.2.3.4/33 ip4:01.2.3.4 ip4:::1 ip4/24",
			"10 : expected an IPv4\n15 : expected an IPv4\n20 1.2.3: expected an IPv4\n37 /33: expected an IPv4\n45 01.2.3.4: expected an IPv4\n58 ::1: expected an IPv4\n65 /24: expected an IPv4"},
		{"v=spf1 ip6:1.2.3.4 ip6:fe80::1%eth0 ip6:::/129 ip6:::1/", "11 1.2.3.4: expected an IPv6\n23 fe80::1%eth0: expected an IPv6\n42 /129: expected an IPv6\n54 /: expected an IPv6"},
		{"v=spf1 redirect=x.test redirect=y.test exp= exp=a.b exp=c.d", "23 redirect=y.test: a second one\n43 : expected a domain\n52 exp=c.d: a second one"},
		{"v=spf1 =x 1a=x x=% x=%{ x=%{z} x=%{t} x=%{d0} x=%{dx} x=%a", "7 =x: no name\n10 1a=x: not the name\n17 %: a percent sign\n21 %{: a macro without\n26 %{z}: no such macro\n33 %{t}: a macro for explanations\n40 %{d0}: a macro that keeps no\n48 %{dx}: a macro with\n56 %a: a percent sign"},
		{"v=spf1 a:x.test\tb a:\xc3\xa9.test x=\x00", "15 \tb: expected printable\n20 \xc3\xa9.test: expected printable\n30 \x00: expected printable"},
	}
	for _, tt := range tests {
		_, err := spf.Parse(tt.text)
		syntax, ok := err.(*spf.SyntaxError)
		if !ok {
			t.Errorf("%q: %v", tt.text, err)
			continue
		}
		want := strings.Split(tt.want, "\n")
		for i, p := range syntax.Problems {
			got := fmt.Sprintf("%d %s: %s", p.Offset, p.Text, p.Reason)
			if i >= len(want) || !strings.HasPrefix(got, want[i]) {
				t.Errorf("%q: problem %d: %q", tt.text, i, got)
			}
		}
		if len(syntax.Problems) < len(want) {
			t.Errorf("%q: %d problems, expected %d", tt.text, len(syntax.Problems), len(want))
		}
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

// What is parsed prints as a record that parses to the same.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"v=spf1 -all", "v=spf1 a:%{d}/24//64 mx ip4:192.0.2.0/24 ip6:::1/64 redirect=x.test exp=x.test m=1", "v=spf1 exists:%{l1r+-}.x.test ?ptr ~all"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		record, err := spf.Parse(text)
		for _, p := range problems(err) {
			if p.Offset < 0 || p.Offset > len(text) || p.Reason == "" || !strings.HasPrefix(text[p.Offset:], p.Text) {
				t.Fatalf("%q: %+v", text, p)
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
