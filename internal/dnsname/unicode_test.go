package dnsname_test

import (
	"testing"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
)

func TestMeantInASCII(t *testing.T) {
	for name, want := range map[string]string{
		`mta.m\195\188ller.example.`: "mta.xn--mller-kva.example.",
		`p\195\182st.example.`:       "xn--pst-sna.example.",
		`p\195.example.`:             "", // not UTF-8
		`a\.b\195\188.example.`:      "", // a dot within a label
		`a\032b.example.`:            "",
		"mta.example.":               "",
		"":                           "",
		".":                          "",
		`a\`:                         "",
	} {
		if got := dnsname.MeantInASCII(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
