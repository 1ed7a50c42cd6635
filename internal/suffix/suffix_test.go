package suffix_test

import (
	"testing"

	"github.com/bonafide-mta/bonafide/internal/suffix"
)

// As Organizational, but for the private part of the list.
func TestRegistered(t *testing.T) {
	for name, want := range map[string]string{
		"mail.example.com.":   "example.com.",
		"example.co.uk.":      "example.co.uk.",
		"example.test.":       "example.test.",
		"a.b.github.io.":      "github.io.",
		"github.io.":          "github.io.",
		"x.s3.amazonaws.com.": "amazonaws.com.",
		"ec2.compute.aws.ck.": "compute.aws.ck.",
		"a.b.anything.ck.":    "b.anything.ck.",
		"com.":                "", "co.uk.": "", "test.": "", "anything.ck.": "", ".": "",
		`a\.b.co.uk.`: `a\.b.co.uk.`,
	} {
		if got := suffix.Registered(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestPrivate(t *testing.T) {
	for name, want := range map[string]bool{
		"github.io.": true, "s3.amazonaws.com.": true, "compute.aws.ck.": false,
		"b.github.io.": false, "example.com.": false, "com.": false, "co.uk.": false, "anything.ck.": false, "test.": false, ".": false, `github\.io.`: false,
	} {
		if got := suffix.Private(name); got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}

func TestOrganizational(t *testing.T) {
	for name, want := range map[string]string{
		"mail.example.com.":       "example.com.",
		"a.b.mail.example.com.":   "example.com.",
		"example.com.":            "example.com.",
		"mail.example.co.uk.":     "example.co.uk.",
		"_smtp.mail.example.com.": "example.com.",
		"mail.example.test.":      "example.test.",
		// Public suffixes, and the root.
		"com.": "", "co.uk.": "", "test.": "", "github.io.": "", "anything.ck.": "", ".": "",
		// Wildcards and exceptions of the list, and its private part.
		"a.b.anything.ck.":               "b.anything.ck.",
		"mail.www.ck.":                   "www.ck.",
		"a.b.github.io.":                 "b.github.io.",
		"xn--fiqs8s.":                    "",
		"mail.xn--bcher-kva.xn--fiqs8s.": "xn--bcher-kva.xn--fiqs8s.",
		// An escaped dot separates nothing.
		`a\.b.co.uk.`:            `a\.b.co.uk.`,
		`c.a\.b.co.uk.`:          `a\.b.co.uk.`,
		`a\\.b.co.uk.`:           `b.co.uk.`,
		`a\.co.uk.`:              `a\.co.uk.`,
		`a\..co.uk.`:             `a\..co.uk.`,
		`a\.uk.`:                 "",
		`a.b\.s3.amazonaws.com.`: "amazonaws.com.",
	} {
		if got := suffix.Organizational(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}
