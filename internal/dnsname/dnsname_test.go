package dnsname_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
)

// long is a name of labels of 63 octets and a last one, without a final dot. Its
// wire form has 3*64 + 1+last + 1 octets: 255 when last is 61.
func long(last int) string {
	return strings.Repeat(strings.Repeat("a", 63)+".", 3) + strings.Repeat("b", last)
}

func TestCanonical(t *testing.T) {
	for _, test := range []struct{ name, want string }{
		{".", "."},
		{"test", "test."},
		{"mail.example.test", "mail.example.test."},
		{"mail.example.test.", "mail.example.test."},
		{"Mail.EXAMPLE.Test.", "mail.example.test."},
		{"AZ[az].Example.test", "az[az].example.test."},
		{"192.0.2.1", "192.0.2.1."},
		{"*.Example.test", "*.example.test."},
		// ASCII labels do not go through IDNA, beside U-labels either.
		{"_client._smtp.Mail.example.test", "_client._smtp.mail.example.test."},
		{"r3---sn.example.test", "r3---sn.example.test."},
		{"-a-.example.test", "-a-.example.test."},
		{"_smtp.r3---sn.bücher.example.test", "_smtp.r3---sn.xn--bcher-kva.example.test."},
		{"xn--zzzzzz.example.test", "xn--zzzzzz.example.test."},
		// U-labels and A-labels.
		{"bücher.example.test", "xn--bcher-kva.example.test."},
		{"BÜCHER.example.test.", "xn--bcher-kva.example.test."},
		{"bu\u0308cher.example.test", "xn--bcher-kva.example.test."},
		{"XN--BCHER-KVA.example.test", "xn--bcher-kva.example.test."},
		{"ü", "xn--tda."},
		{"ｍａｉｌ.example.test", "mail.example.test."},
		{"bü\u00adcher.example.test", "xn--bcher-kva.example.test."},
		// The deviation characters of UTS 46, nontransitional.
		{"straße.example", "xn--strae-oqa.example."},
		{"βόλος.example", "xn--nxasmm1c.example."},
		{"نامه\u200cای.example", "xn--mgba3gch31f060k.example."},
		// The dots of UTS 46.
		{"mail\u3002example\uff0etest", "mail.example.test."},
		{"mail\uff61example.test.", "mail.example.test."},
		{"example.test\u3002", "example.test."},
		{"bücher\u3002", "xn--bcher-kva."},
		// Escapes: two spellings of one name are one name.
		{`\065.example.test`, "a.example.test."},
		{`\.example.test`, `\.example.test.`},
		{`First\.Last.example.test`, `first\.last.example.test.`},
		{`first\046last.example.test`, `first\.last.example.test.`},
		{`a\.`, `a\..`},
		{`a\\.example.test`, `a\\.example.test.`},
		{`\m\a\i\l.example.test`, "mail.example.test."},
		{`a\@b.example.test`, `a\@b.example.test.`},
		{"a@b.example.test", `a\@b.example.test.`},
		{"a b.example.test", `a\ b.example.test.`},
		{`a\032b.example.test`, `a\ b.example.test.`},
		{"a\x00\t\x7f.example.test", `a\000\009\127.example.test.`},
		// RFC 4343: octets that are no ASCII letters have no case.
		{`\196\228.example.test`, `\196\228.example.test.`},
		{`\.b.bücher.test`, `\.b.xn--bcher-kva.test.`},
		// The limits of RFC 1035, Section 2.3.4.
		{strings.Repeat("A", 63) + ".test", strings.Repeat("a", 63) + ".test."},
		{long(61), long(61) + "."},
		{strings.ToUpper(long(61)) + ".", long(61) + "."},
		{strings.Repeat(`\065`, 63) + ".test", strings.Repeat("a", 63) + ".test."},
	} {
		if got, err := dnsname.Canonical(test.name); err != nil || got != test.want {
			t.Errorf("%q: got %q, %v, want %q", test.name, got, err, test.want)
		}
	}
}

func TestCanonicalRefuses(t *testing.T) {
	for _, name := range []string{
		"",
		"..", ".a", "a..b", "a..", ".a.", "a.b..",
		"bücher..test", ".bücher", "bücher..",
		"\u3002", "\u3002a", "a\u3002\u3002b", "a.\u3002", "example.test\u3002.",
		strings.Repeat("a", 64) + ".test",
		strings.Repeat("a", 64) + ".test.",
		"bücher." + strings.Repeat("a", 64),
		strings.Repeat("ü", 63) + ".test",
		long(62), long(62) + ".", strings.ToUpper(long(62)), strings.ToUpper(long(62)) + ".", long(63), long(63) + ".a",
		`a\`, `example.test\`,
		// A label that IDNA refuses, and one with an escape, which IDNA cannot read.
		"_bücher.test", "bücher-.test", "-bücher.test", "bü cher.test", "ab--ü.test", "a\u200db.test", "1א.test", "xn--ü.test",
		`bü\.cher.test`, `b\252cher.bü\099her.test`, "a\ufffd.test",
		// What IDNA ignores is nothing, and not the root.
		"\u00ad", "\u200b", "\u00ad.test", "a.\u00ad.test", "a.\u00ad", "\u00ad\u3002",
		// Invalid UTF-8.
		"a\xff.test", "\xff", "\xc3.test", "a\xc3\x28.test", "\xed\xa0\x80.test",
	} {
		got, err := dnsname.Canonical(name)
		if got != "" || !errors.Is(err, dnsname.ErrName) {
			t.Errorf("%q: got %q, %v, want ErrName", name, got, err)
			continue
		}
		if strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' || r == 0x7f || r == 0x200b }) {
			t.Errorf("%q: the error has the text unquoted: %v", name, err)
		}
	}
}

// FuzzCanonical: one form, which every DNS library can read, whatever the case
// of the text; and no other one where a simple rule can tell what it must be.
func FuzzCanonical(f *testing.F) {
	for _, name := range []string{
		"", ".", "Mail.Example.Test", "mail.example.test.", "_client._smtp.mail.example.test", "r3---sn.example.test",
		"Bücher.example.test", "xn--bcher-kva.test", "straße.example", "mail\u3002example\uff0etest\uff61", "\u00ad", "a..b",
		`a\.b.test`, `\065\000.test`, "a b@c.test", "a\xff.test", "xn--.test", `a\.xn--bcher-kva.test`, long(61), long(62),
	} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		got, err := dnsname.Canonical(name)
		if upper, errUpper := dnsname.Canonical(upperASCII(name)); upper != got || (err == nil) != (errUpper == nil) {
			t.Errorf("%q gives %q, %v, and in upper case %q, %v", name, got, err, upper, errUpper)
		}
		if want, ok := simple(name); ok && want != got {
			t.Errorf("%q: got %q, %v, want %q", name, got, err, want)
		}
		if err != nil {
			if got != "" || !errors.Is(err, dnsname.ErrName) {
				t.Errorf("%q: got %q, %v", name, got, err)
			}
			return
		}
		if again, err := dnsname.Canonical(got); err != nil || again != got {
			t.Errorf("%q gives %q, and that %q, %v", name, got, again, err)
		}
		if _, ok := dns.IsDomainName(got); !ok || !dns.IsFqdn(got) || !isASCII(got) || got != strings.ToLower(got) {
			t.Errorf("%q gives %q", name, got)
		}
		wire := make([]byte, 255)
		n, err := dns.PackDomainName(got, wire, 0, nil, false)
		if err != nil || n > 255 {
			t.Fatalf("%q does not fit the wire: %d octets, %v", got, n, err)
		}
		if back, _, err := dns.UnpackDomainName(wire, 0); err != nil || back != got {
			t.Errorf("%q comes back from the wire as %q, %v", got, back, err)
		}
		if back, err := dnsname.Canonical(dnsname.Unicode(got)); err != nil || back != got {
			t.Errorf("%q is %q to people, and that gives %q, %v", got, dnsname.Unicode(got), back, err)
		}
		if dnsname.FormOf(got) >= dnsname.Underscore && strings.Count(got, ".") < 2 {
			t.Errorf("%q has the form %d", got, dnsname.FormOf(got))
		}
	})
}

// simple is the canonical form of a text without escapes and of ASCII only, by
// other means, "" for none. It does not know texts with what needs an escape.
func simple(name string) (string, bool) {
	if !isASCII(name) || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune(`\".;()@`+"'", r) && r != '.' }) {
		return "", false
	}
	bare := strings.TrimSuffix(name, ".")
	if name == "." {
		return ".", true
	}
	for label := range strings.SplitSeq(bare, ".") {
		if len(label) < 1 || len(label) > 63 {
			return "", true
		}
	}
	if len(bare) > 253 {
		return "", true
	}
	return dns.CanonicalName(bare), true
}

func isASCII(s string) bool { return strings.IndexFunc(s, func(r rune) bool { return r >= 0x80 }) < 0 }

func upperASCII(s string) string {
	out := []byte(s)
	for i, c := range out {
		if 'a' <= c && c <= 'z' {
			out[i] = c - ('a' - 'A')
		}
	}
	return string(out)
}

func TestUnicode(t *testing.T) {
	for name, want := range map[string]string{
		".":                               ".",
		"mail.example.test.":              "mail.example.test.",
		"xn--bcher-kva.example.test.":     "bücher.example.test.",
		"xn--strae-oqa.example.":          "straße.example.",
		"_smtp.xn--bcher-kva.r3---sn.":    "_smtp.bücher.r3---sn.",
		"xn--tda.xn--bcher-kva.":          "ü.bücher.",
		"example.xn--tda.":                "example.ü.",
		`first\.last.xn--bcher-kva.test.`: `first\.last.bücher.test.`,
		// No A-labels: punycode of nothing, of ASCII, of nothing valid, of what is
		// not in normal form; a label with an escaped dot.
		"xn--.test.":                   "xn--.test.",
		"xn--a-.test.":                 "xn--a-.test.",
		"xn--zzzzzz.xn--tda.":          "xn--zzzzzz.ü.",
		"xn--ls8h\\.test.":             "xn--ls8h\\.test.",
		`a\.xn--bcher-kva.test.`:       `a\.xn--bcher-kva.test.`,
		"xn--bucher-xyd.test.":         "xn--bucher-xyd.test.",
		"a.xn--bcher-kva\\.xn--.test.": "a.xn--bcher-kva\\.xn--.test.",
	} {
		if got := dnsname.Unicode(name); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

func TestUnder(t *testing.T) {
	for _, test := range []struct {
		name, zone string
		want       bool
	}{
		{"mail.example.test.", "example.test.", true},
		{"a.b.example.test.", "example.test.", true},
		{"example.test.", "example.test.", true},
		{"example.test.", ".", true},
		{".", ".", true},
		{".", "test.", false},
		{"test.", "example.test.", false},
		{"badexample.test.", "example.test.", false},
		{"mail.example.test.", "ample.test.", false},
		{"example.test.evil.", "example.test.", false},
		// An escaped dot separates nothing; an escaped backslash escapes nothing.
		{`mail\.example.test.`, "example.test.", false},
		{`mail\.example.test.`, "test.", true},
		{`mail\\.example.test.`, "example.test.", true},
		{`mail\\\.example.test.`, "example.test.", false},
		{`\.example.test.`, "example.test.", false},
		{`a.mail\.example.test.`, `mail\.example.test.`, true},
	} {
		if got := dnsname.Under(test.name, test.zone); got != test.want {
			t.Errorf("%s under %s: got %v", test.name, test.zone, got)
		}
	}
}

func TestCompare(t *testing.T) {
	want := []string{
		".", "example.", "a.example.", "z.a.example.", "zabc.a.example.", "z.example.", "test.",
		`a\.example.test.`, "example.test.", "a.example.test.", "mail.example.test.", "_25._tcp.mail.example.test.", "example2.test.",
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	got := slices.Clone(want)
	rng.Shuffle(len(got), func(i, j int) { got[i], got[j] = got[j], got[i] })
	slices.SortFunc(got, dnsname.Compare)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for i, a := range want {
		for j, b := range want {
			if sign := dnsname.Compare(a, b); sign < 0 != (i < j) || sign > 0 != (i > j) {
				t.Errorf("%s and %s: got %d", a, b, sign)
			}
		}
	}
}

// The order is that of the labels from the right, as miekg/dns splits names.
func FuzzCompare(f *testing.F) {
	for _, name := range []string{".", "a.", `a\.b.c.`, `\..`, `x\\.c.`, `\000.c.`, "a-b.c.", `x\(.c.`} {
		f.Add(name, "b."+strings.TrimPrefix(name, "."))
		f.Add(name, "a.c.")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		a, errA := dnsname.Canonical(a)
		b, errB := dnsname.Canonical(b)
		if errA != nil || errB != nil {
			return
		}
		x, y := dns.SplitDomainName(a), dns.SplitDomainName(b)
		slices.Reverse(x)
		slices.Reverse(y)
		if want, got := slices.Compare(x, y), dnsname.Compare(a, b); want < 0 != (got < 0) || want > 0 != (got > 0) {
			t.Errorf("%s and %s: %d, want %d", a, b, got, want)
		}
		if starts := dns.Split(a); len(starts) > 0 && dnsname.LastLabel(a[:len(a)-1]) != starts[len(starts)-1] {
			t.Errorf("%s: the last label at %d, want %d", a, dnsname.LastLabel(a[:len(a)-1]), starts[len(starts)-1])
		}
	})
}

func TestParent(t *testing.T) {
	for name, want := range map[string]string{
		"mail.example.test.":    "example.test.",
		"example.test.":         "test.",
		"test.":                 ".",
		".":                     "",
		`first\.last.rp.test.`:  "rp.test.",
		`first\\.last.rp.test.`: "last.rp.test.",
		`first\.last.`:          ".",
	} {
		if got := dnsname.Parent(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

// A megabyte of escapes is refused before it is read, and not repeated whole.
func TestCanonicalLong(t *testing.T) {
	_, err := dnsname.Canonical(strings.Repeat(`\`, 1<<20))
	if !errors.Is(err, dnsname.ErrName) || len(err.Error()) > 200 {
		t.Errorf("got %.300v", err)
	}
}

func TestSame(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{"Mail.example.test", "mail.example.test.", true},
		{"bücher.test", "xn--bcher-kva.test.", true},
		{"a.test", "b.test", false},
		{"", "", false},
		{"a..b", "a..b", false},
		{"a.test", "", false},
	} {
		if got := dnsname.Same(test.a, test.b); got != test.want {
			t.Errorf("%q and %q: %v", test.a, test.b, got)
		}
	}
}
