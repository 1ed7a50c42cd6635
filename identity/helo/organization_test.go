package helo_test

import (
	"errors"
	"testing"

	"github.com/bonafide-mta/bonafide/identity/helo"
	"github.com/bonafide-mta/bonafide/resolver"
)

func TestOrganizationalDomain(t *testing.T) {
	for name, want := range map[string]string{
		"mail.example.com":       "example.com.",
		"a.b.Mail.EXAMPLE.com.":  "example.com.",
		"example.com":            "example.com.",
		"mail.example.co.uk":     "example.co.uk.",
		"example.co.uk.":         "example.co.uk.",
		"a.b.github.io":          "b.github.io.",
		"mail.example.test":      "example.test.",
		"mail.bücher.example":    "xn--bcher-kva.example.",
		"mail.bücher.中国":         "xn--bcher-kva.xn--fiqs8s.",
		"mail\u3002example.com":  "example.com.",
		"_client._smtp.mail.com": "mail.com.",
		`a\.b.co.uk`:             `a\.b.co.uk.`,
	} {
		if got, err := helo.OrganizationalDomain(name); err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, want)
		}
	}
	for name, want := range map[string]error{
		"com": helo.ErrPublicSuffix, "CO.uk.": helo.ErrPublicSuffix, "github.io": helo.ErrPublicSuffix,
		"test": helo.ErrPublicSuffix, "中国": helo.ErrPublicSuffix, ".": helo.ErrPublicSuffix,
		"": resolver.ErrName, "a..com": resolver.ErrName, "a\xff.com": resolver.ErrName, long(62): resolver.ErrName,
	} {
		got, err := helo.OrganizationalDomain(name)
		if got != "" || !errors.Is(err, want) || errors.Is(err, helo.ErrPublicSuffix) == errors.Is(err, resolver.ErrName) {
			t.Errorf("%q: got %q, %v, want %v", name, got, err, want)
		}
	}
}

func TestRelate(t *testing.T) {
	test := func(heloName, ptr string, want helo.Relation, wantDomain string, domains ...string) {
		t.Helper()
		// The relation has no direction.
		for _, pair := range [][2]string{{heloName, ptr}, {ptr, heloName}} {
			got, domain := helo.Relate(pair[0], pair[1], domains...)
			if got != want || domain != wantDomain {
				t.Errorf("%q and %q with %q: got %v, %q, want %v, %q", pair[0], pair[1], domains, got, domain, want, wantDomain)
			}
		}
	}
	test("mta.example.com", "host-1.example.com", helo.SameOrganization, "example.com.")
	test("mta.example.com", "example.com", helo.SameOrganization, "example.com.")
	test("MTA.Example.COM.", "a.b.example.com", helo.SameOrganization, "example.com.")
	test("mta.example.co.uk", "host.example.co.uk", helo.SameOrganization, "example.co.uk.")
	test("mta.bücher.example", "host.xn--bcher-kva.example.", helo.SameOrganization, "xn--bcher-kva.example.")

	test("mta.example.com", "mta.example.com", helo.Identical, "")
	test("mta.example.com", "MTA.Example.com.", helo.Identical, "")
	test("mta.bücher.example", "mta.XN--BCHER-KVA.example", helo.Identical, "")
	// The same name is identical, whatever domains are known.
	test("mta.example.com", "mta.example.com.", helo.Identical, "", "example.com")
	test("co.uk", "co.uk.", helo.Identical, "")

	test("mta.example.com", "mta.example.net", helo.Unrelated, "")
	test("mta.example.com", "mta.badexample.com", helo.Unrelated, "")
	// Two registrants of one public suffix, and the suffix and a registrant.
	test("one.co.uk", "two.co.uk", helo.Unrelated, "")
	test("a.one.github.io", "a.two.github.io", helo.Unrelated, "")
	test("co.uk", "mta.co.uk", helo.Unrelated, "")
	test("com", "test", helo.Unrelated, "")
	test("mail.test", "other.test", helo.Unrelated, "")
	// An escaped dot is no way into an organization.
	test(`evil\.example.co.uk`, "mta.example.co.uk", helo.Unrelated, "")
	test(`evil\.example.com`, "mta.example.com", helo.Unrelated, "", "example.com")
	// What is no name is nobody's, not even another such name's.
	test("", "", helo.Unrelated, "")
	test("", "mta.example.com", helo.Unrelated, "", "example.com")
	test("a..b", "a..b", helo.Unrelated, "")
	test("[192.0.2.1]", "mta.example.com", helo.Unrelated, "")
	test("\u00ad", "\u200b", helo.Unrelated, "")

	// A domain of one's own: deeper than the registered one, a public suffix.
	test("mta.dept.example.com", "host.dept.example.com", helo.SameOrganization, "dept.example.com.", "Dept.Example.com")
	test("mta.dept.example.com", "dept.example.com", helo.SameOrganization, "dept.example.com.", "dept.example.com.")
	test("mta.one.co.uk", "host.two.co.uk", helo.SameOrganization, "co.uk.", "co.uk")
	test("mail.test", "other.test", helo.SameOrganization, "test.", "test")
	test("a.bücher.github.io", "b.xn--bcher-kva.github.io", helo.SameOrganization, "github.io.", "GitHub.io")
	// The first that holds both, in the order given.
	test("mta.dept.example.com", "host.dept.example.com", helo.SameOrganization, "example.com.", "example.com", "dept.example.com")
	test("mta.dept.example.com", "host.dept.example.com", helo.SameOrganization, "dept.example.com.", "example.net", "dept.example.com", "example.com")
	// One that holds a single name of the two leaves it to the list.
	test("mta.dept.example.com", "host.example.com", helo.SameOrganization, "example.com.", "dept.example.com")
	test("mta.example.com", "mta.example.net", helo.Unrelated, "", "example.com", "example.net")
	// The root holds every name, and what is no name holds none.
	test("mta.example.com", "mta.example.net", helo.Unrelated, "", ".", "", "a..b", "\u00ad")
	test("mta.example.com", "host.example.com", helo.SameOrganization, "example.com.", ".", "a..b")
}

func TestEnums(t *testing.T) {
	for s, want := range map[helo.Status]string{
		helo.Pass: "pass", helo.Fail: "fail", helo.TempError: "temperror", helo.PermError: "permerror",
	} {
		text, err := s.MarshalText()
		var back helo.Status
		if err != nil || string(text) != want || s.String() != want || back.UnmarshalText(text) != nil || back != s {
			t.Errorf("%d: %q, %v, back %d", s, text, err, back)
		}
		if s.Temporary() != (s == helo.TempError) {
			t.Errorf("%v: Temporary is %v", s, s.Temporary())
		}
	}
	for r, want := range map[helo.Relation]string{
		helo.SameOrganization: "same-organization", helo.Identical: "identical", helo.Unrelated: "unrelated",
	} {
		text, err := r.MarshalText()
		var back helo.Relation
		if err != nil || string(text) != want || r.String() != want || back.UnmarshalText(text) != nil || back != r {
			t.Errorf("%d: %q, %v, back %d", r, text, err, back)
		}
	}
	if helo.SameOrganization >= helo.Identical || helo.Identical >= helo.Unrelated {
		t.Error("the relations are not in order, the best first")
	}
	for _, s := range []helo.Status{0, helo.PermError + 1} {
		if text, err := s.MarshalText(); err == nil || s.Temporary() {
			t.Errorf("Status %d: got %q, Temporary %v", s, text, s.Temporary())
		}
	}
	for _, r := range []helo.Relation{0, helo.Unrelated + 1} {
		if text, err := r.MarshalText(); err == nil {
			t.Errorf("Relation %d: got %q", r, text)
		}
	}
	if got := helo.Status(0).String() + " " + helo.Relation(0).String(); got != "helo.Status(0) helo.Relation(0)" {
		t.Error(got)
	}
	for _, text := range []string{"", "unset", "helo.Status(0)"} {
		s, r := helo.Fail, helo.Identical
		if s.UnmarshalText([]byte(text)) == nil || r.UnmarshalText([]byte(text)) == nil || s != helo.Fail || r != helo.Identical {
			t.Errorf("%q: got %v, %v, want errors and no change", text, s, r)
		}
	}
}

func TestUnicode(t *testing.T) {
	for name, want := range map[string]string{
		"xn--BCHER-kva.test":  "bücher.test.",
		"bücher.test":         "bücher.test.",
		"xn--.test":           "xn--.test.", // no A-label
		"a..b":                "a..b",
		"plain.example.test.": "plain.example.test.",
	} {
		if got := helo.Unicode(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}
