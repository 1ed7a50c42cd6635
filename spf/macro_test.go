package spf_test

import (
	"context"
	"net/netip"
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
