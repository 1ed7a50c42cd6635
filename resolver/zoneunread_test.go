package resolver_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
)

// What is wrong with every line of a text is said once, and what it is.
func TestZoneTextEncodings(t *testing.T) {
	const zone = "$ORIGIN example.test.\n$TTL 300\n@ SOA ns h 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n"
	wide := func(text string, first, second int) string {
		var b strings.Builder
		for _, c := range []byte(text) {
			pair := [2]byte{}
			pair[first] = c
			b.Write(pair[:])
		}
		return b.String()
	}
	for name, test := range map[string]struct{ text, want, warning string }{
		"byte order mark":           {"\xef\xbb\xbf" + zone, "", ""},
		"CR LF":                     {strings.ReplaceAll(zone, "\n", "\r\n"), "", ""},
		"CR CR LF":                  {strings.ReplaceAll(zone, "\n", "\r\r\n"), "", ""},
		"CR alone":                  {strings.ReplaceAll(zone, "\n", "\r"), "lines end with carriage returns (CR) alone", ""},
		"CR alone behind a comment": {"; a zone\r" + strings.ReplaceAll(zone, "\n", "\r"), "lines end with carriage returns (CR) alone", ""},
		"a CR":                      {zone + "a A 192.0.2.1\rb A 192.0.2.2\n", "line 6: a carriage return (CR) within a line", ""},
		"UTF-16":                    {"\xff\xfe" + wide(zone, 0, 1), "UTF-16", ""},
		"UTF-16 big":                {"\xfe\xff" + wide(zone, 1, 0), "UTF-16", ""},
		"UTF-16 without mark":       {wide(zone, 0, 1), "UTF-16", ""},
		"NBSP before type":          {zone + "a\u00a0A 192.0.2.1\n", `line 6: name "a\u00a0A" has non-ASCII octets: it has a no-break space (U+00A0)`, ""},
		"NBSP behind type":          {zone + "a A\u00a0192.0.2.1\n", "no-break space", ""},
		"NBSP in address":           {zone + "a A 192.0.2.1\u00a0\n", "no-break space", ""},
		"NBSP of Windows-1252":      {zone + "a MX 10\xa0mail\n", "no-break space", ""},
		"wide space":                {zone + "a MX\u300010 mail\n", "U+3000", ""},
		"curly quotes":              {zone + "a TXT \u201cv=spf1 -all\u201d\n", "", "curly quote (U+201C)"},
		"curly quotes of 1252":      {zone + "a TXT \x93v=spf1\x94\n", "", "curly quote (U+201C)"},
		"curly quotes at a CAA":     {zone + "a HINFO x \u201d\n", "", ""},
		"text in UTF-8":             {zone + "a TXT \"\u201cx\u201d caf\u00e9\"\n", "", ""},
		"NUL":                       {zone + "a TXT a\x00b\n", "NUL octet", ""},
	} {
		zones, err := resolver.ParseZones(test.text)
		if got := errorText(err); test.want == "" && err != nil || !strings.Contains(got, test.want) || strings.Contains(got, "\n") {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
		if err == nil {
			warnings := ""
			for _, w := range zones.Warnings() {
				warnings += w.String() + "\n"
			}
			if (warnings == "") != (test.warning == "") || !strings.Contains(warnings, test.warning) {
				t.Errorf("%s: warnings %q, want %q", name, warnings, test.warning)
			}
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// Data that cannot be read are never NODATA, and all else at the name is there.
func TestZonesUnreadData(t *testing.T) {
	zones := mustParse(t, "$ORIGIN example.test.\n$TTL 300\n@ SOA ns h 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n"+
		"a LOC somewhere\na A 192.0.2.2\n*.w LOC somewhere\nalias CNAME a\n")
	if len(zones.Warnings()) != 2 {
		t.Errorf("warnings %v", zones.Warnings())
	}
	more, err := zones.With("more A 192.0.2.3")
	if err != nil {
		t.Fatal(err)
	}
	for _, zones := range []*resolver.Zones{zones, more} {
		for question, want := range map[resolver.Question]string{
			{Name: "a.example.test.", Type: dns.TypeLOC}:      "SERVFAIL",
			{Name: "a.example.test.", Type: dns.TypeANY}:      "SERVFAIL",
			{Name: "x.w.example.test.", Type: dns.TypeLOC}:    "SERVFAIL",
			{Name: "alias.example.test.", Type: dns.TypeLOC}:  "SERVFAIL",
			{Name: "a.example.test.", Type: dns.TypeA}:        "1",
			{Name: "alias.example.test.", Type: dns.TypeA}:    "1",
			{Name: "a.example.test.", Type: dns.TypeMX}:       "0",
			{Name: "x.w.example.test.", Type: dns.TypeA}:      "0",
			{Name: "w.example.test.", Type: dns.TypeLOC}:      "0",
			{Name: "nobody.example.test.", Type: dns.TypeLOC}: "NXDOMAIN",
		} {
			answer, err := zones.Lookup(t.Context(), question.Name, question.Type)
			got := map[int]string{0: "0", 1: "1"}[len(answer.Records)]
			if answer.Status == resolver.NXDomain {
				got = "NXDOMAIN"
			}
			if err != nil {
				got = err.Error()
			}
			if !strings.Contains(got, want) {
				t.Errorf("%v: %s, want %s", question, got, want)
			}
			w := &recorder{remote: tcp}
			zones.ServeDNS(w, new(dns.Msg).SetQuestion(question.Name, question.Type))
			if (w.msg.Rcode == dns.RcodeServerFailure) != (want == "SERVFAIL") || want == "SERVFAIL" && len(w.msg.Answer) > 0 {
				t.Errorf("%v: served as\n%v", question, w.msg)
			}
		}
	}
	if _, err := resolver.ParseZones("$ORIGIN example.test.\n$TTL 300\na LOC somewhere\na CNAME b\n"); err == nil {
		t.Error("a CNAME beside data that cannot be read is taken")
	}
}

// A name that begins with a dollar sign goes through an overlay of what was written.
func TestZonesDollar(t *testing.T) {
	zones := mustParse(t, "$ORIGIN example.test.\n$TTL 300\n\\$a A 192.0.2.1\n\\$ORIGIN A 192.0.2.2\n")
	for _, name := range []string{"$a.example.test", `\$a.example.test`, `\036a.example.test.`, "$ORIGIN.example.test"} {
		answer, err := zones.Lookup(context.Background(), name, dns.TypeA)
		if err != nil || len(answer.Records) != 1 {
			t.Errorf("%s: %v, %v", name, answer.Records, err)
		}
	}
	if diff := cmp.Diff([]string{"example.test."}, zones.Origins()); diff != "" {
		t.Error(diff)
	}
}
