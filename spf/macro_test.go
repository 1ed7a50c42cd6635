package spf_test

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/spf"
)

// asksFor returns the name that exists asks for, "" for none.
func asksFor(t *testing.T, spec, addr, sender, ptr string) string {
	t.Helper()
	asked := ""
	_, domain, _ := strings.Cut(sender, "@")
	r := resolver.Func(func(_ context.Context, name string, qtype uint16) (resolver.Answer, error) {
		header := dns.RR_Header{Name: name, Rrtype: qtype, Class: dns.ClassINET}
		switch {
		case qtype == dns.TypeTXT && name == domain+".":
			return resolver.Answer{Records: []dns.RR{&dns.TXT{Hdr: header, Txt: []string{"v=spf1 exists:" + spec + " -all"}}}}, nil
		case qtype == dns.TypePTR:
			var records []dns.RR
			for name := range strings.FieldsSeq(ptr) {
				records = append(records, &dns.PTR{Hdr: header, Ptr: strings.TrimPrefix(name, "!")})
			}
			return resolver.Answer{Records: records}, nil
		case strings.Contains(" "+ptr+" ", " "+name+" "):
			return resolver.Answer{Records: []dns.RR{&dns.A{Hdr: header, A: netip.MustParseAddr(addr).AsSlice()}}}, nil
		case strings.Contains(ptr, "!"+name):
			return resolver.Answer{}, nil // a name that does not lead back
		}
		asked = name
		return resolver.Answer{}, nil
	})
	result := spf.Checker{Resolver: r, Speculate: spf.SpeculateNone}.CheckMailFrom(t.Context(), netip.MustParseAddr(addr), "helo.test", sender)
	if result.Status != spf.Fail {
		t.Errorf("%s: %s, %v", spec, result.Status, result.Err)
	}
	return asked
}

// The examples of RFC 7208, Section 7.4, and what they leave out.
func TestMacros(t *testing.T) {
	const v4, v6 = "192.0.2.3", "2001:db8::cb01"
	const sender = "strong-bad@email.example.com"
	long := strings.Repeat("a", 60)
	tests := []struct{ spec, addr, sender, want string }{
		{"%{s}.x.test", v4, sender, `strong-bad\@email.example.com.x.test.`},
		{"%{o}", v4, sender, "email.example.com."},
		{"%{d}", v4, sender, "email.example.com."},
		{"%{d4}", v4, sender, "email.example.com."},
		{"%{d3}", v4, sender, "email.example.com."},
		{"%{d2}", v4, sender, "example.com."},
		{"%{d1}", v4, sender, "com."},
		{"%{dr}", v4, sender, "com.example.email."},
		{"%{d2r}", v4, sender, "example.email."},
		{"%{l}.x.test", v4, sender, "strong-bad.x.test."},
		{"%{l-}.x.test", v4, sender, "strong.bad.x.test."},
		{"%{lr}.x.test", v4, sender, "strong-bad.x.test."},
		{"%{lr-}.x.test", v4, sender, "bad.strong.x.test."},
		{"%{l1r-}.x.test", v4, sender, "strong.x.test."},
		{"%{ir}.%{v}._spf.%{d2}", v4, sender, "3.2.0.192.in-addr._spf.example.com."},
		{"%{lr-}.lp._spf.%{d2}", v4, sender, "bad.strong.lp._spf.example.com."},
		{"%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", v4, sender, "bad.strong.lp.3.2.0.192.in-addr._spf.example.com."},
		{"%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", v4, sender, "3.2.0.192.in-addr.strong.lp._spf.example.com."},
		{"%{d2}.trusted-domains.example.net", v4, sender, "example.com.trusted-domains.example.net."},
		{"%{ir}.%{v}._spf.%{d2}", v6, sender, "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6._spf.example.com."},
		{"%{h}", v4, sender, "helo.test."},
		{"%{L}.x.test", v4, "a+b c@email.example.com", `a%2bb%20c.x.test.`},
		{"%{l+}.x.test", v4, "a+b@email.example.com", "a.b.x.test."},
		{"%{d99999999999999999999}", v4, sender, "email.example.com."},
		{"%%%_%-.x.test", v4, sender, `%\ %20.x.test.`},
		{"%{l}.x.test", v4, `back\slash@email.example.com`, `back\\slash.x.test.`},
		{"%{l}.x.test", v4, "a..b@email.example.com", ""},
		{"%{l}.x.test", v4, "\xc3\xa9@email.example.com", ""},
		{"%{l}.x.test", v4, strings.Repeat("a", 64) + "@email.example.com", ""},
		{"%{l}.x.test", v4, strings.Repeat(long+".", 5) + "e@email.example.com", strings.Repeat(long+".", 4) + "e.x.test."},
		{"%{l}%{l}%{l}%{l}.x.test", v4, strings.Repeat("a", 64) + "@email.example.com", "x.test."},
		{strings.Repeat("%{d}.", 60) + "x.test", v4, sender, "example.com." + strings.Repeat("email.example.com.", 13) + "x.test."},
	}
	for _, tt := range tests {
		if got := asksFor(t, tt.spec, tt.addr, tt.sender, ""); !strings.EqualFold(got, tt.want) {
			t.Errorf("%s of %s: asked for %q, expected %q", tt.spec, tt.sender, got, tt.want)
		}
	}
}

// The domain itself before one below it, before any other; only those that lead back.
func TestMacroP(t *testing.T) {
	for ptr, want := range map[string]string{
		"":                                 "unknown.x.test.",
		"b.other.test. a.other.test.":      "a.other.test.x.test.",
		"a.other.test. mail.example.test.": "mail.example.test.x.test.",
		"a.example.test. example.test. a.other.test.":                                                   "example.test.x.test.",
		"!a.example.test. z.other.test.":                                                                "z.other.test.x.test.",
		"b.example.test. a.example.test. c.notexample.test.":                                            "a.example.test.x.test.",
		"!example.test. !a.other.test.":                                                                 "unknown.x.test.",
		"1.test. 2.test. 3.test. 4.test. 5.test. 6.test. 7.test. 8.test. 9.test. a.test. example.test.": "1.test.x.test.",
	} {
		if got := asksFor(t, "%{p}.x.test", "192.0.2.3", "u@example.test", ptr); got != want {
			t.Errorf("%q: asked for %q, expected %q", ptr, got, want)
		}
	}
}

// Explanations know more macros, and are not used where anything is wrong with them.
func TestExplanationMacros(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the time is 2000-01-01
		for text, want := range map[string]string{
			"%{c} %{r} %{t}":            "2001:db8::1 unknown 946684800",
			"no macros, but  spaces":    "no macros, but  spaces",
			"%{S}":                      "u%40example.test",
			"bad %{x}":                  "",
			"bad %":                     "",
			"caf\xc3\xa9":               "",
			strings.Repeat("%{d}", 600): "",
		} {
			h := hostile{text: func(name string) string {
				if name == "why.test." {
					return text
				}
				return "v=spf1 -all exp=why.test"
			}}
			r := spf.Checker{Resolver: h}.CheckMailFrom(t.Context(), netip.MustParseAddr("2001:db8::1"), "helo.test", "u@example.test")
			if r.Explanation != want {
				t.Errorf("%q: %q, expected %q", text, r.Explanation, want)
			}
		}
		h := hostile{text: always("v=spf1 -all exp=%{l}.test")}
		if r := (spf.Checker{Resolver: h}).CheckMailFrom(t.Context(), netip.MustParseAddr("2001:db8::1"), "helo.test", "a..b@example.test"); r.Explanation != "" || r.Status != spf.Fail {
			t.Errorf("%s, %q", r.Status, r.Explanation)
		}
	})
}

// A spec that is expanded from its right is the same as one that is expanded whole and cut.
func TestMacrosFromTheRight(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	cut, none := 0, 0
	for range 800 {
		pieces := []string{"a", "b.", "-", "%%", "%-", "%_", "%{l}", "%{L}", "%{l1r-}", "%{l2-.}", "%{lr-}", "%{l1-}", "%{d}", "%{s3r.-+}", "%{h}", "%{i}", "%{ir}", "%{v}", strings.Repeat("x", 60) + "."}
		var spec strings.Builder
		for range 1 + r.IntN([]int{3, 30, 700}[r.IntN(3)]) {
			spec.WriteString(pieces[r.IntN(len(pieces))])
		}
		spec.WriteString([]string{".x.test", "%{d}", "%{l1-}.t", "%{l1r-}%{d}"}[r.IntN(4)])
		local := []string{"user", "a-b-c", "-a", "a-", "--", "a+b", strings.Repeat("long-", 40)}[r.IntN(7)]
		want := wholly(spec.String(), map[byte]string{'l': local, 's': local + "@example.test", 'd': "example.test", 'h': "helo.test", 'i': "192.0.2.3", 'v': "in-addr"})
		if want != "" {
			canonical, err := resolver.Canonical(want)
			want = canonical
			if err != nil {
				want = ""
			}
		}
		if got := asksFor(t, spec.String(), "192.0.2.3", local+"@example.test", ""); got != want {
			t.Fatalf("seed %d: %s of %s: asked for %q, expected %q", seed, &spec, local, got, want)
		}
		switch {
		case want == "":
			none++
		case spec.Len() > 1000:
			cut++
		}
	}
	t.Logf("seed %d: %d cut, %d no name", seed, cut, none)
	if cut < 20 || none > 700 {
		t.Errorf("seed %d: %d cut, %d no name: too much alike", seed, cut, none)
	}
}

var macroText = regexp.MustCompile(`%(?:%|_|-|\{([a-zA-Z])([0-9]*)(r?)([^}]*)\})`)

// wholly expands a spec as RFC 7208, Section 7.3, tells it: all of it, then cut to 253
// octets, "" for no name. Its result is in the form of zone files.
func wholly(spec string, values map[byte]string) string {
	expanded := macroText.ReplaceAllStringFunc(spec, func(macro string) string {
		switch macro {
		case "%%":
			return "%"
		case "%_":
			return " "
		case "%-":
			return "%20"
		}
		m := macroText.FindStringSubmatch(macro)
		delimiters := cmp.Or(m[4], ".")
		value := values[m[1][0]|0x20]
		var parts []string
		for {
			i := strings.IndexAny(value, delimiters)
			if i < 0 {
				break
			}
			parts, value = append(parts, value[:i]), value[i+1:]
		}
		parts = append(parts, value)
		if m[3] != "" {
			slices.Reverse(parts)
		}
		if keep, err := strconv.Atoi(m[2]); err == nil {
			parts = parts[max(0, len(parts)-keep):]
		}
		value = strings.Join(parts, ".")
		if m[1] < "a" {
			value = strings.ReplaceAll(url.PathEscape(value), "+", "%2B")
		}
		return value
	})
	expanded = strings.TrimSuffix(expanded, ".")
	for len(expanded) > 253 {
		_, rest, ok := strings.Cut(expanded, ".")
		if !ok {
			return ""
		}
		expanded = rest
	}
	var name strings.Builder
	for i := range len(expanded) {
		if c := expanded[i]; c == '.' || 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || c == '-' {
			name.WriteByte(c)
		} else {
			fmt.Fprintf(&name, `\%03d`, c)
		}
	}
	return name.String() + "."
}
