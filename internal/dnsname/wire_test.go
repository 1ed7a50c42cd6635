package dnsname_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
)

// An escape that is none makes no other name of a name (RFC 1035, Section 5.1).
func TestCanonicalEscapes(t *testing.T) {
	for name, want := range map[string]string{
		`\065.test`: "a.test.", `\a.test`: "a.test.", `\000.test`: `\000.test.`, `\255.test`: `\255.test.`, `\..test`: `\..test.`,
		`a\.test`: `a\.test.`, `\$a.test`: "$a.test.", `\\.test`: `\\.test.`, `a\032b.test`: `a\ b.test.`, `\0460.test`: `\.0.test.`,
		`\256.test`: "", `\999.test`: "", `\1.test`: "", `\12.test`: "", `\12x.test`: "", `a\`: "", `a.test\`: "", `a.test.\`: "", `\`: "", `\1`: "", `\.`: `\..`,
		`.`: ".", `..`: "", `.test`: "", `a..test`: "", strings.Repeat(`\097`, 63): strings.Repeat("a", 63) + ".", strings.Repeat(`\097`, 64): "",
	} {
		got, err := dnsname.Canonical(name)
		if got != want || (err == nil) != (want != "") || err != nil && !errors.Is(err, dnsname.ErrName) {
			t.Errorf("Canonical(%s) = %s, %v, want %s", name, got, err, want)
		}
	}
}

// FuzzAppendWire: what is read as a name is read as the same one by miekg/dns, which reads
// more, and its text is read as the same octets.
func FuzzAppendWire(f *testing.F) {
	for _, name := range []string{"mail", "mail.test.", `a\.b.`, `\256`, `\065\.`, "..", ".", `\`, strings.Repeat("a.", 128), strings.Repeat("a", 64)} {
		f.Add(name)
	}
	origin := []byte("\x04test\x00")
	f.Fuzz(func(t *testing.T, name string) {
		wire, err := dnsname.AppendWire([]byte("before"), name, origin)
		if err != nil {
			if !errors.Is(err, dnsname.ErrName) {
				t.Fatal(err)
			}
			return
		}
		wire, ok := bytes.CutPrefix(wire, []byte("before"))
		if n := dnsname.WireLen(wire); !ok || n != len(wire) {
			t.Fatalf("%q: %q has %d octets", name, wire, n)
		}
		text, _, err := dns.UnpackDomainName(wire, 0)
		if err != nil {
			t.Fatalf("%q: %v", name, err)
		}
		again, err := dnsname.AppendWire(nil, text, nil)
		if err != nil || !bytes.Equal(again, wire) {
			t.Fatalf("%q: %q became %q, %v", name, wire, again, err)
		}
		if strings.ContainsFunc(name, func(r rune) bool { return r > 127 }) {
			return // of which dns.IsFqdn miscounts backslashes
		}
		whole := name
		if !dns.IsFqdn(name) {
			whole += ".test."
		}
		var buf [300]byte
		n, err := dns.PackDomainName(whole, buf[:], 0, nil, false)
		if err != nil || !bytes.Equal(buf[:n], wire) {
			t.Errorf("%q: %q, miekg/dns %q, %v", name, wire, buf[:n], err)
		}
	})
}
