package identity_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/emersion/go-msgauth/authres"
	"pgregory.net/rapid"

	"github.com/bonafide-mta/bonafide/identity"
)

func TestForgedResults(t *testing.T) {
	for _, tt := range []struct {
		value string
		want  bool
	}{
		{"mx.here.test; spf=pass", true},
		{" mx.here.test; spf=pass", true},
		{"MX.Here.Test; spf=pass", true},
		{"mx.here.test.; spf=pass", true},
		{"mx.here.test..; spf=pass", true},
		{"mx.here.test", true},
		{"mx.here.test 1; spf=pass", true},
		{"mx.here.test/4XYZ; spf=pass", true},
		{"\r\n\tmx.here.test;\r\n\tspf=pass", true},
		{`"mx.here.test"; spf=pass`, true},
		{`" mx.here.test "; spf=pass`, true},
		{`"mx.her\e.test"; spf=pass`, true},
		{`"mx.here.test 1"; spf=pass`, true},
		{`"mx.here.test;x"; spf=pass`, true},
		{"\"mx.\r\n here.test\"; spf=pass", true},
		{"(a comment) mx.here.test; none", true},
		{"(a comment)mx.here.test(another)1(and another); none", true},
		{`(nested (twice) and \) escaped) mx.here.test; none`, true},
		{"mx.here.test(comment); none", true},
		{"(c\r\n d) mx.here.test; none", true},
		// What cannot be read may be ours.
		{"(never closed mx.here.test; none", true},
		{"mx.other.test (never closed\r\n", true},
		{"mx.other.test (never closed ", true},
		{`"never closed; none`, true},
		{`"ends in \`, true},
		{`(ends in \`, true},
		{"(a \x00) mx.other.test; none", true},
		{"mx.here.test\x00; none", true},
		{"mx.other.test\x00; none", true},
		{"mx.other.test\r\nX: y", true},
		{"\"mx.other\x01.test\"; none", true},
		{"\u00a0mx.here.test; none", true},
		{"mx.here.test\u00a0; none", true},
		{"\vmx.here.test; none", true},
		{"mx.here.test\u3002; none", true},
		{"m\u00adx.here.test; none", true},
		{"mx.here.te\u017ft; none", true},
		{"=?utf-8?q?mx.here.test?=; none", true},
		{"=?us-ascii?b?bXguaGVyZS50ZXN0?=; none", true},
		{"mx . here . test; none", true},
		{"mx.(c)here.test; none", true},
		{`"mx".here.test; none`, true},
		{"", true},
		{"; spf=pass", true},
		{`""; spf=pass`, true},
		{"(nothing else)", true},
		{"spf=pass (sender IP is 192.0.2.10) smtp.mailfrom=x.test; dkim=none", true},
		{"mx.other.test spf=pass", true},
		{"mx.other.test mx.here.test; spf=pass", true},
		{`"a b ü"; spf=pass`, true},
		{"\xff.test; spf=pass", true},
		// Others' stay.
		{"mx.other.test; spf=pass", false},
		{"mx.other.test 1; spf=pass", false},
		{"mx.other.test (c) 12 ; spf=pass", false},
		{"mx.other.test/mx.here.test; spf=pass", false},
		{"here.test; spf=pass", false},
		{"x.mx.here.test; spf=pass", false},
		{"mx.here.test1; spf=pass", false},
		{`"Example Corporation"; spf=pass`, false},
		{`"x.mx.here.test"; spf=pass`, false},
		{"bücher.test; spf=pass", false},
		{"mx.other.test (mx.here.test); spf=pass", false},
		{"mx.other.test; spf=pass smtp.mailfrom=mx.here.test", false},
		{"mx.other.test;\r\n dkim=pass header.i=@x.test\r\n", false},
	} {
		if got := identity.ForgedResults(tt.value, "mx.here.test"); got != tt.want {
			t.Errorf("%q: %v", tt.value, got)
		}
	}
	for _, tt := range []struct {
		value, id string
		want      bool
	}{
		{"xn--bcher-kva.test; none", "bücher.test", true},
		{"BÜCHER.test; none", "xn--bcher-kva.test", true},
		{"bücher\u0301.test; none", "mx.test", false},
		{"a\u0378.test; none", "mx.test", true},
		{"mx_1.test; none", "MX_1.test.", true},
		{"other; none", "", false},
	} {
		if got := identity.ForgedResults(tt.value, tt.id); got != tt.want {
			t.Errorf("%q of %q: %v", tt.value, tt.id, got)
		}
	}
}

// drawCFWS draws white space and comments (RFC 5322, Section 3.2.2); at least one space
// or comment if there must be some.
func drawCFWS(t *rapid.T, label string, must bool) string {
	least := 0
	if must {
		least = 1
	}
	comment := rapid.Custom(func(t *rapid.T) string {
		text := rapid.SampledFrom([]string{"", "c", "mx.here.test", "; spf=pass", `\)`, `\(`, `\"`, `"`, " a\r\n\tb", "(x)", "(y(z)\\\\)", "ü"})
		return "(" + text.Draw(t, "text") + text.Draw(t, "text") + ")"
	})
	part := rapid.OneOf(rapid.SampledFrom([]string{" ", "\t", "\r\n ", "\n\t", "  "}), comment)
	return strings.Join(rapid.SliceOfN(part, least, 3).Draw(t, label), "")
}

// drawField draws a field of an authserv-id, as RFC 8601 allows to write it.
func drawField(t *rapid.T, id string) string {
	spelled := []byte(id)
	for i := range spelled {
		if 'a' <= spelled[i] && spelled[i] <= 'z' && rapid.Bool().Draw(t, "upper") {
			spelled[i] -= 'a' - 'A'
		}
	}
	id = string(spelled) + strings.Repeat(".", rapid.IntRange(0, 1).Draw(t, "dots"))
	if rapid.Bool().Draw(t, "quoted") {
		var b strings.Builder
		for _, c := range id {
			if rapid.IntRange(0, 3).Draw(t, "pair") == 0 {
				b.WriteByte('\\')
			}
			b.WriteRune(c)
		}
		id = `"` + b.String() + `"`
	}
	field := drawCFWS(t, "before", false) + id
	if rapid.Bool().Draw(t, "versioned") {
		field += drawCFWS(t, "between", true) + rapid.SampledFrom([]string{"1", "2", "12"}).Draw(t, "version")
	}
	return field + drawCFWS(t, "after", false) + rapid.SampledFrom([]string{"", "; none", ";spf=pass smtp.helo=mx.here.test", "; dkim=pass (mx.here.test)\r\n\theader.d=x.test\r\n"}).Draw(t, "results")
}

// Our name is found however it is written, and another is not taken for it.
func TestForgedResultsSpelled(t *testing.T) {
	ids := []string{"mx.here.test", "here.test", "x.mx.here.test", "mx", "mx-1_a.here.test", "mx.here.test1", "xn--bcher-kva.test"}
	rapid.Check(t, func(t *rapid.T) {
		id, ours := rapid.SampledFrom(ids).Draw(t, "id"), rapid.SampledFrom(ids).Draw(t, "ours")
		field := drawField(t, id)
		if got := identity.ForgedResults(field, ours); got != (id == ours) {
			t.Fatalf("%q of %s, to %s: %v", field, id, ours, got)
		}
		checkReader(t, field, ours)
	})
}

// checkReader fails for a field that another reader takes for ours, and ForgedResults
// does not.
func checkReader(t interface{ Errorf(string, ...any) }, field, ours string) {
	id, _, err := authres.Parse(field)
	if err == nil && strings.EqualFold(strings.TrimRight(id, "."), strings.TrimRight(ours, ".")) && !identity.ForgedResults(field, ours) {
		t.Errorf("%q: authres reads %q", field, id)
	}
}

// Bytes from which fields that are nearly right are made.
func TestForgedResultsNearly(t *testing.T) {
	parts := []string{"mx.here.test", "mx.other.test", "mx", ".here.test", " ", "\t", "\r\n ", "\r", "\n", "\v", "\u00a0", "\u2028", "(", ")", `"`, `\`, ";", "1", "/", "=", "none", "\x00"}
	rapid.Check(t, func(t *rapid.T) {
		field := strings.Join(rapid.SliceOfN(rapid.SampledFrom(parts), 0, 6).Draw(t, "parts"), "")
		checkReader(t, field, "mx.here.test")
		if strings.ContainsAny(field[max(0, len(field)-1):], "\\\r\n") {
			return // which changes what white space behind it means
		}
		// White space at the end, as the end of the line, says nothing.
		for _, end := range []string{" ", "\r\n"} {
			if got, want := identity.ForgedResults(field+end, "mx.here.test"), identity.ForgedResults(field, "mx.here.test"); got != want {
				t.Fatalf("%q: %v, and with %q behind it %v", field, want, end, got)
			}
		}
	})
}

// FuzzForgedResults: our own field is always found, and what another reader takes for ours.
func FuzzForgedResults(f *testing.F) {
	f.Add("(a) ", "mx.here.test")
	f.Add("\u00a0mx.here.test 1; none", "mx.here.test")
	f.Add(`"mx.here.test"; none`, "mx.here.test")
	f.Fuzz(func(t *testing.T, value, id string) {
		field, err := (&identity.Verdict{}).AuthenticationResults(id)
		if err != nil {
			identity.ForgedResults(value, id)
			return
		}
		if !identity.ForgedResults(strings.TrimPrefix(field, "Authentication-Results:"), id) {
			t.Errorf("%q is not ours", field)
		}
		for _, field := range []string{value, fmt.Sprintf("%s%s;", value, id), fmt.Sprintf("%s%s", id, value)} {
			checkReader(t, field, id)
		}
	})
}
