package txt_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/txt"
)

func TestSplit(t *testing.T) {
	long := strings.Repeat("x", 255)
	for _, tt := range []struct {
		text string
		want []string
	}{
		{"", []string{""}},
		{"v=spf1 -all", []string{"v=spf1 -all"}},
		{"a\"b\\c\x00\xff~ ", []string{`a\"b\\c\000\255~ `}},
		{long, []string{long}},
		{long + long + "y", []string{long, long, "y"}},
		{long[:254] + " b " + long, []string{long[:254], " b", " " + long[:254], "x"}},
		{long + " " + long[:254], []string{long, " " + long[:254]}},
		{"a b" + long[:253], []string{"a", " b" + long[:253]}},
		{" " + long, []string{" " + long[:254], "x"}},
	} {
		if got := txt.Split(tt.text); !slices.Equal(got, tt.want) {
			t.Errorf("Split(%.20q): %q", tt.text, got)
		}
	}
}

func TestJoin(t *testing.T) {
	for _, tt := range []struct {
		strings []string
		want    string
	}{
		{nil, ""},
		{[]string{"a", " b", ""}, "a b"},
		{[]string{`\"\\\065\255`}, "\"\\A\xff"},
		{[]string{`\`}, `\`},    // no octet follows
		{[]string{`\12`}, `12`}, // not three digits: the octet itself
		{[]string{`\12x`}, `12x`},
	} {
		if got := txt.Join(tt.strings); got != tt.want {
			t.Errorf("Join(%q): %q", tt.strings, got)
		}
	}
}

// Whatever the octets, they survive zone text and the wire.
func FuzzSplit(f *testing.F) {
	f.Add("v=spf1 -all")
	f.Add("\x00\"\\;()\xff")
	f.Add(strings.Repeat("\\", 300))
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 20000 {
			return
		}
		rr := &dns.TXT{Hdr: dns.RR_Header{Name: "example.test.", Rrtype: dns.TypeTXT, Class: dns.ClassINET}, Txt: txt.Split(text)}
		if got := txt.Join(rr.Txt); got != text {
			t.Fatalf("Join: %q", got)
		}
		for i, s := range rr.Txt {
			first, size := s[:min(1, len(s))], len(txt.Join([]string{s}))
			if size > 255 || i > 0 && first != " " && len(txt.Join(rr.Txt[i-1:i])) < 255 {
				t.Fatalf("string %d of %q", i, rr.Txt)
			}
		}
		wire := make([]byte, dns.MaxMsgSize)
		n, err := dns.PackRR(rr, wire, 0, nil, false)
		if err != nil {
			t.Fatal(err)
		}
		packed, _, err := dns.UnpackRR(wire[:n], 0)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := dns.NewRR(rr.String())
		if err != nil {
			t.Fatal(err)
		}
		for _, again := range []dns.RR{packed, parsed} {
			if got := txt.Join(again.(*dns.TXT).Txt); got != text {
				t.Errorf("%T: %q, want %q", again, got, text)
			}
		}
	})
}

func TestHead(t *testing.T) {
	for _, tt := range []struct {
		strings []string
		n       int
	}{
		{nil, 7},
		{[]string{"v=spf1 -all"}, 7},
		{[]string{`\118=spf1 -all`}, 7},
		{[]string{"v=s", "", "pf1", " -all"}, 7},
		{[]string{"v=s", `\112f1`}, 7},
		{[]string{"short"}, 7},
		{[]string{strings.Repeat("x", 255), "y"}, 300},
	} {
		whole := txt.Join(tt.strings)
		if got, want := txt.Head(tt.strings, tt.n), whole[:min(len(whole), tt.n)]; got != want {
			t.Errorf("%q, %d: %q, expected %q", tt.strings, tt.n, got, want)
		}
	}
}

func TestRecord(t *testing.T) {
	for _, test := range []struct{ zone, record, data string }{
		{`a.test. 60 IN TXT "a\009b" "c"`, `a.test. 60 IN TXT "a\009b" "c"`, `"a\009b" "c"`},
		{`a.test. 60 IN MX 10 b.test.`, `a.test. 60 IN MX 10 b.test.`, `10 b.test.`},
		{`a\009.test. 60 IN A 192.0.2.1`, `a\009.test. 60 IN A 192.0.2.1`, `192.0.2.1`},
	} {
		rr, err := dns.NewRR(test.zone)
		if err != nil {
			t.Fatal(err)
		}
		if got := txt.Record(rr); got != test.record {
			t.Errorf("record: got %q, want %q", got, test.record)
		}
		if got := txt.Data(rr); got != test.data {
			t.Errorf("data: got %q, want %q", got, test.data)
		}
	}
}
