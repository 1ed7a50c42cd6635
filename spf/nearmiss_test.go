package spf_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/bonafide-mta/bonafide/spf"
)

// What a text is: an SPF record, a near miss and why, or neither.
func TestNearMiss(t *testing.T) {
	for _, tt := range []struct{ text, want, record string }{
		// Records, right or wrong.
		{"v=spf1", "", ""},
		{"V=SPF1 -ALL", "", ""},
		{"v=spf1  -all ", "", ""},
		{"v=spf1 nonsense", "", ""},
		{"v=spf1 ip4:192.0.2.1;-all", "", ""},

		// What is before the version.
		{" v=spf1 -all", "a blank before the version: remove it", "v=spf1 -all"},
		{"   V=Spf1 -all", "a blank before the version: remove it", "v=spf1 -all"},
		{"\tv=spf1 -all", "a tab before the version: remove it", "v=spf1 -all"},
		{"\u00a0v=spf1 -all", "a no-break space (U+00A0) before the version: remove it", "v=spf1 -all"},
		{"\ufeffv=spf1 -all", "a byte order mark (U+FEFF) before the version: remove it", "v=spf1 -all"},
		{"\u200bv=spf1 -all", "a blank (U+200B) before the version: remove it", "v=spf1 -all"},
		{`"v=spf1 -all"`, "a quotation mark before the version: remove it", `v=spf1 -all"`},
		{`\"v=spf1 -all\"`, "the character '\\\\' before the version: remove it", `v=spf1 -all\"`},
		{"'v=spf1 -all'", "a quotation mark before the version: remove it", "v=spf1 -all'"},
		{"`v=spf1 -all`", "a quotation mark before the version: remove it", "v=spf1 -all`"},
		{"“v=spf1 -all”", "a quotation mark (U+201C) before the version: remove it", "v=spf1 -all”"},
		{"„v=spf1 -all“", "a quotation mark (U+201E) before the version: remove it", "v=spf1 -all“"},
		{"‘v=spf1 -all’", "a quotation mark (U+2018) before the version: remove it", "v=spf1 -all’"},

		// What is after it.
		{"v=spf1; ip4:192.0.2.3; -all", "a semicolon after the version: write a space", "v=spf1 ip4:192.0.2.3; -all"},
		{"v=spf1;", "a semicolon after the version: write a space", "v=spf1"},
		{"v=spf1, mx, -all", "a comma after the version: write a space", "v=spf1 mx, -all"},
		{"v=spf1\tmx -all", "a tab after the version: write a space", "v=spf1 mx -all"},
		{"v=spf1\nmx -all", "a blank after the version: write a space", "v=spf1 mx -all"},
		{"v=spf1\u00a0mx -all", "a no-break space (U+00A0) after the version: write a space", "v=spf1 mx -all"},
		{`v=spf1" "mx" "-all`, "a quotation mark after the version: write a space", `v=spf1 "mx" "-all`},
		{"v=spf1: mx -all", "the character ':' after the version: write a space", "v=spf1 mx -all"},
		{"v=spf1ip4:192.0.2.1-all", "no space after the version: put one there, and quote the record as one string", "v=spf1 ip4:192.0.2.1-all"},
		{"v=spf1-all", "no space after the version: put one there, and quote the record as one string", "v=spf1 -all"},
		{"v=spf1include:x.test~all", "no space after the version: put one there, and quote the record as one string", "v=spf1 include:x.test~all"},

		// The version itself.
		{"v=spf10 -all", `the version is "v=spf10": write v=spf1`, "v=spf1 -all"},
		{"v=spf2 -all", `the version is "v=spf2": write v=spf1`, "v=spf1 -all"},
		{"v=spf2.0 -all", `the version is "v=spf2.0": write v=spf1`, "v=spf1 -all"},
		{"v=spf1.0 -all", `the version is "v=spf1.0": write v=spf1`, "v=spf1 -all"},
		{"v=spf -all", `the version is "v=spf": write v=spf1`, "v=spf1 -all"},
		{"v=spf 1 -all", `the version is "v=spf 1": write v=spf1`, "v=spf1 -all"},
		{"v = spf1 -all", `the version is "v = spf1": write v=spf1`, "v=spf1 -all"},
		{"v= spf1 -all", `the version is "v= spf1": write v=spf1`, "v=spf1 -all"},
		{"v=spf-1 -all", `the version is "v=spf-1": write v=spf1`, "v=spf1 -all"},
		{"v=spf–1 -all", `the version is "v=spf<U+2013>1": write v=spf1`, "v=spf1 -all"},
		{"v–spf1 -all", `the version is "v<U+2013>spf1": write v=spf1`, "v=spf1 -all"},
		{"v—spf1 -all", `the version is "v<U+2014>spf1": write v=spf1`, "v=spf1 -all"},
		{"v:spf1 -all", `the version is "v:spf1": write v=spf1`, "v=spf1 -all"},
		{"spf1 mx -all", `the version is "spf1": write v=spf1`, "v=spf1 mx -all"},
		{"SPF1 include:_spf.example.test", `the version is "SPF1": write v=spf1`, "v=spf1 include:_spf.example.test"},
		{"spf2.0/pra -all", "it is for Sender ID (RFC 4406), which is not SPF: publish a record that begins with v=spf1", ""},
		{"spf2.0/mfrom,pra ip4:192.0.2.1 -all", "it is for Sender ID (RFC 4406), which is not SPF: publish a record that begins with v=spf1", ""},
		{"SPF2.0", "it is for Sender ID (RFC 4406), which is not SPF: publish a record that begins with v=spf1", ""},

		{"v==spf1 -all", `the version is "v==spf1": write v=spf1`, "v=spf1 -all"},

		// What zone text has before it.
		{`TXT "v=spf1 -all"`, `"TXT" before the version: remove it`, `v=spf1 -all"`},
		{"txt v=spf1 mx", `"txt" before the version: remove it`, "v=spf1 mx"},
		{`@ IN TXT "v=spf1;mx`, `"@ IN TXT" before the version: remove it; a semicolon after the version: write a space`, "v=spf1 mx"},
		{"in case of v=spf1 -all", "", ""},
		{"TXTv=spf1 -all", "", ""},

		// Several faults.
		{"“v=spf2; -all”", `a quotation mark (U+201C) before the version: remove it; the version is "v=spf2": write v=spf1; a semicolon after the version: write a space`, "v=spf1 -all”"},

		// Other texts.
		{"", "", ""},
		{" ", "", ""},
		{"v", "", ""},
		{"v=", "", ""},
		{"spf", "", ""},
		{"v=DKIM1; k=rsa; p=MIIB", "", ""},
		{"v=DMARC1; p=none; aspf=s", "", ""},
		{"v=STSv1; id=1", "", ""},
		{"v=BIMI1; l=", "", ""},
		{"spf=pass", "", ""},
		{"SPF: v=spf1 is on the name mail", "", ""},
		{"spf1 is a version, and all receivers know it", "", ""},
		{"spf1.example.test", "", ""},
		{"spf2.01", "", ""},
		{"SPF records are published by the mail team", "", ""},
		{"v: spf is not used here", "", ""},
		{"the record v=spf1 -all is wanted here", "", ""},
		{"google-site-verification=v-spf", "", ""},
	} {
		if got := spf.NearMiss(tt.text); got != tt.want {
			t.Errorf("%q:\n %s\nexpected\n %s", tt.text, got, tt.want)
		}
		if got := spf.Repair(tt.text); got != tt.record {
			t.Errorf("%q: repaired %q, expected %q", tt.text, got, tt.record)
		}
	}
}

// FuzzNearMiss: a near miss is never a record, and is one when it is written as told.
func FuzzNearMiss(f *testing.F) {
	for _, text := range []string{"v=spf1 -all", " v=spf1 mx", "v=spf1;mx", "“v–spf1”", "spf2.0/pra", "spf1 -all", "v = spf 1\u00a0a", "v=spf1\xa0", "\ufeff\\\"v=spf10"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		fault, record := spf.NearMiss(text), spf.Repair(text)
		if fault == "" && record != "" || fault != "" && spf.IsRecord(text) {
			t.Errorf("%q: %q, %q", text, fault, record)
		}
		if record == "" && fault != "" && !strings.Contains(fault, "Sender ID") {
			t.Errorf("%q: %q is not repaired", text, fault)
		}
		if record != "" && !spf.IsRecord(record) {
			t.Errorf("%q: %q is not a record", text, record)
		}
		if strings.ContainsAny(fault, "\r\n\x00") || !utf8.ValidString(fault) {
			t.Errorf("%q: %q", text, fault)
		}
	})
}
