package untrusted_test

import (
	"testing"

	"github.com/bonafide-mta/bonafide/internal/untrusted"
)

func TestLine(t *testing.T) {
	for in, want := range map[string]string{
		"":                  "",
		"plain text, café":  "plain text, café",
		"a\r\nb":            `a\x0d\nb`,
		"\x1b[31mred":       `\x1b[31mred`,
		"tab\there":         `tab\x09here`,
		"rtl\u202eback":     `rtl\u202eback`,
		"no\u00a0break":     `no\u00a0break`,
		"bad\xffutf8":       `bad\xffutf8`,
		"replacement\ufffd": "replacement\ufffd",
		"astral\U000e0001":  `astral\ue0001`,
	} {
		if got := untrusted.Line(in); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
}
