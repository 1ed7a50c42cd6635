package org_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bonafide-mta/bonafide/identity/helo"
	"github.com/bonafide-mta/bonafide/identity/org"
)

// good returns a new valid description in forms that Parse would change.
func good() *org.Organization {
	return &org.Organization{Domain: "Example.Test", MTAs: []org.MTA{
		{ID: "mx1", Addresses: addrs("192.0.2.10", "::ffff:192.0.2.11"), PTR: "MTA1.example.test.", Helo: "Post.example.test", Roles: []org.Role{org.Submission}},
		{ID: "mx2", Addresses: addrs("192.0.2.10"), PTR: "mta1.example.test", Helo: "[192.0.2.10]"},
		{ID: "mx3", Addresses: addrs("192.0.2.10"), Roles: []org.Role{org.Inbound}, Dedicated: true},
	}}
}

func TestValidateChangesNothing(t *testing.T) {
	o := good()
	if err := o.Validate(); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(good(), o, sameAddr); diff != "" {
		t.Error(diff)
	}
	o.Domain, o.MTAs[0].ID = "", ""
	if err := o.Validate(); err == nil || o.Domain != "" || o.MTAs[0].ID != "" {
		t.Errorf("got %v; Validate gave defaults: %+v", err, o)
	}
}

// Validate says of a description built in Go what Parse says of its text, without
// the place.
func TestValidateAsParse(t *testing.T) {
	const text = `domain: a..b
mtas:
  - {id: x, addresses: [192.0.2.1, 192.0.2.1, "fe80::1%eth0"], ptr: p.test, helo: h.test, roles: [inbound, inbound]}
  - {id: x, addresses: [192.0.2.1], ptr: q.test}
  - {id: -x, addresses: [], ptr: ., helo: h.test}
`
	_, err := org.Parse("f", []byte(text))
	parsed, ok := errors.AsType[*org.Error](err)
	if !ok {
		t.Fatal(err)
	}
	err = (&org.Organization{Domain: "a..b", MTAs: []org.MTA{
		{ID: "x", Addresses: addrs("192.0.2.1", "192.0.2.1", "fe80::1%eth0"), PTR: "p.test", Helo: "h.test", Roles: []org.Role{org.Inbound, org.Inbound}},
		{ID: "x", Addresses: addrs("192.0.2.1"), PTR: "q.test"},
		{ID: "-x", PTR: ".", Helo: "h.test"},
	}}).Validate()
	validated, ok := errors.AsType[*org.Error](err)
	if !ok {
		t.Fatal(err)
	}
	strip := func(problems []org.Problem) (out []string) {
		for _, p := range problems {
			p.File, p.Line, p.Column, p.AgainstLine = "", 0, 0, 0
			out = append(out, p.String())
		}
		slices.Sort(out)
		return out
	}
	if diff := cmp.Diff(strip(parsed.Problems), strip(validated.Problems)); diff != "" {
		t.Errorf("Parse and Validate differ (-parse +validate):\n%s", diff)
	}
	for _, p := range validated.Problems {
		if p.File != "" || p.Line != 0 || p.Column != 0 {
			t.Errorf("Validate gives a place: %+v", p)
		}
	}
	if len(validated.Problems) != 10 {
		t.Errorf("got %d problems:\n%v", len(validated.Problems), err)
	}
}

// What no text can say, a value in Go can.
func TestValidateInGo(t *testing.T) {
	for _, test := range []struct {
		change func(*org.Organization)
		want   string
	}{
		{func(o *org.Organization) { *o = org.Organization{} }, "domain: expected a DNS name\nmtas: expected at least one MTA"},
		{func(o *org.Organization) { o.MTAs[0].Addresses = []netip.Addr{{}} }, "mtas[0].addresses[0]: expected an IPv4 or IPv6 address"},
		{func(o *org.Organization) {
			o.MTAs[0].Addresses, o.MTAs[1].Addresses, o.MTAs[1].PTR = []netip.Addr{{}, {}}, []netip.Addr{{}}, "x.test"
		},
			"mtas[0].addresses[0]: expected an IPv4 or IPv6 address\nmtas[0].addresses[1]: expected an IPv4 or IPv6 address\n" +
				"mtas[1].addresses[0]: expected an IPv4 or IPv6 address"},
		{func(o *org.Organization) { o.MTAs[1].Roles = []org.Role{0, org.Inbound, 4} },
			"mtas[1].roles[0]: expected inbound, outbound or submission\nmtas[1].roles[2]: expected inbound, outbound or submission"},
		{func(o *org.Organization) { o.MTAs[0].ID, o.MTAs[1].ID = "", "" },
			`mtas[0].id: "": expected a letter or digit, then up to 62 letters, digits, dots, underscores or hyphens` + "\n" + `mtas[1].id: "": expected a letter or digit, then up to 62 letters, digits, dots, underscores or hyphens`},
		{func(o *org.Organization) { o.MTAs[2].ID = "organization" },
			`mtas[2].id: "organization" is what reports call the whole organization: expected another ID`},
		{func(o *org.Organization) { o.Mail = []org.MailDomain{{Networks: []netip.Prefix{{}}}} },
			"mail[0].domain: expected a DNS name\nmail[0].networks[0]: expected an IPv4 or IPv6 network"},
		{func(o *org.Organization) { o.Domain = "a\x1b\n..b" },
			`domain: not a DNS name: "a\x1b\n..b": expected labels of 1 to 63 octets, 255 in all`},
		{func(o *org.Organization) { o.MTAs[1].PTR = "other\n.test" },
			`mtas[1].addresses[0]: 192.0.2.10 has the PTR name other\010.test. here and mta1.example.test. at mtas[0].addresses[0]: an address has one`},
	} {
		o := good()
		test.change(o)
		if err := o.Validate(); err == nil || err.Error() != test.want {
			t.Errorf("got %v, want %s", err, test.want)
		}
	}
}

// What is described is the organization's, whatever its parent, and nothing beside it.
func TestOwnsWhatIsDescribed(t *testing.T) {
	o := &org.Organization{
		Domain: "museum.friends.example",
		MTAs:   []org.MTA{{PTR: "host.provider.test", Helo: "mail.provider.test"}},
		Mail:   []org.MailDomain{{Domain: "Second.test"}, {Domain: "news.esp.test"}, {Domain: "shop.github.io"}, {Domain: "b.second.test"}},
		Names:  []string{"www.elsewhere.test", "third.test"},
		Zones:  []string{"museum.friends.example", "third.test.", "gitlab.io", "2.0.192.in-addr.arpa", "co.uk", "firma.lan", "deep.other.test"},
	}
	if err := (&org.Organization{Domain: "."}).Validate(); err == nil {
		t.Error("the root")
	}
	for name, want := range map[string]bool{
		"museum.friends.example": true, "other.friends.example": true, "friends.example": true,
		"second.test": true, "A.B.second.test.": true, "notsecond.test": false,
		"news.esp.test": true, "x.news.esp.test": true, "esp.test": false, "other.esp.test": false,
		"shop.github.io": true, "other.github.io": false,
		"www.elsewhere.test": true, "x.www.elsewhere.test": false, "elsewhere.test": false,
		"third.test": true, "x.third.test": true, "gitlab.io": true, "x.gitlab.io": true,
		"10.2.0.192.in-addr.arpa": true, "10.3.0.192.in-addr.arpa": false, "firma.lan": true,
		"deep.other.test": true, "other.test": false,
		"host.provider.test": false, "mail.provider.test": false, "provider.test": false, ".": false, "": false, "a..second.test": false,
	} {
		if got := o.Owns(name); got != want {
			t.Errorf("owns %q: %v, want %v", name, got, want)
		}
		if got := o.OwnsFunc()(name); got != want {
			t.Errorf("the function for many names owns %q: %v, want %v", name, got, want)
		}
	}
	want := []string{"museum.friends.example.", "second.test.", "shop.github.io.", "third.test.", "gitlab.io."}
	if diff := cmp.Diff(want, o.Domains()); diff != "" {
		t.Errorf("domains (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"gitlab.io."}, (&org.Organization{Domain: "gitlab.io", Zones: []string{"x.gitlab.io", "gitlab.io"}}).Domains()); diff != "" {
		t.Errorf("below the domain (-want +got):\n%s", diff)
	}
	if got := (&org.Organization{}).Domains(); len(got) > 0 {
		t.Errorf("domains of nobody: %v", got)
	}
}

// Mail comes from the domain itself where no other is described.
func TestMailDomains(t *testing.T) {
	o := good()
	if diff := cmp.Diff([]org.MailDomain{{Domain: "Example.Test"}}, o.MailDomains(), sameAddr); diff != "" {
		t.Error(diff)
	}
	for _, tt := range []struct {
		mtas []string
		want string
	}{{nil, "all"}, {[]string{}, ""}, {[]string{"out", "in"}, "out"}} {
		got := ""
		for _, m := range []org.MTA{{ID: "all"}, {ID: "out", Roles: []org.Role{org.Outbound}}, {ID: "in", Roles: []org.Role{org.Inbound}}} {
			if d := (org.MailDomain{MTAs: tt.mtas}); d.SentBy(m) && got == "" {
				got = m.ID
			}
		}
		if got != tt.want {
			t.Errorf("sent by %q of %v: expected %q", got, tt.mtas, tt.want)
		}
	}
	o.Mail = []org.MailDomain{{Domain: "news.example.test"}}
	if diff := cmp.Diff(o.Mail, o.MailDomains(), sameAddr); diff != "" {
		t.Error(diff)
	}
}

func TestErrorPrintsTwenty(t *testing.T) {
	text := "domain: example.test\nmtas:\n" + strings.Repeat("  - a\n", 25)
	_, err := org.Parse("f", []byte(text))
	listed, ok := errors.AsType[*org.Error](err)
	if !ok || len(listed.Problems) != 25 {
		t.Fatalf("got %v", err)
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != 21 || lines[20] != "and 5 more" {
		t.Errorf("got %d lines, the last %q", len(lines), lines[len(lines)-1])
	}
	for i, line := range lines[:20] {
		if want := fmt.Sprintf("f:%d:5: mtas[%d]: expected keys and values, got the text \"a\"", i+3, i); line != want {
			t.Errorf("got %q, want %q", line, want)
		}
	}
	listed.Problems = listed.Problems[:20]
	if strings.Contains(listed.Error(), "more") {
		t.Errorf("twenty problems, and more: %v", listed)
	}
}

func TestProblemString(t *testing.T) {
	for _, test := range []struct {
		problem org.Problem
		want    string
	}{
		{org.Problem{Text: "t"}, "t"},
		{org.Problem{Path: "p", Text: "t"}, "p: t"},
		{org.Problem{Line: 1, Column: 2, Text: "t"}, "1:2: t"},
		{org.Problem{File: "f", Line: 1, Column: 2, Path: "p", Text: "t"}, "f:1:2: p: t"},
		{org.Problem{File: "f", Path: "p", Text: "t"}, "p: t"},
	} {
		if got := test.problem.String(); got != test.want {
			t.Errorf("%+v: got %q, want %q", test.problem, got, test.want)
		}
	}
}

func TestRoles(t *testing.T) {
	for _, test := range []struct {
		roles           []org.Role
		sends, receives bool
	}{
		{nil, true, true},
		{[]org.Role{org.Inbound}, false, true},
		{[]org.Role{org.Outbound}, true, false},
		{[]org.Role{org.Submission}, true, false},
		{[]org.Role{org.Inbound, org.Submission}, true, true},
		{[]org.Role{org.Outbound, org.Inbound}, true, true},
	} {
		m := org.MTA{Roles: test.roles}
		if m.Sends() != test.sends || m.Receives() != test.receives {
			t.Errorf("%v: sends %v, receives %v", test.roles, m.Sends(), m.Receives())
		}
	}
}

func TestRoleText(t *testing.T) {
	for role, want := range map[org.Role]string{org.Inbound: "inbound", org.Outbound: "outbound", org.Submission: "submission"} {
		text, err := role.MarshalText()
		if err != nil || string(text) != want || role.String() != want {
			t.Errorf("%d: got %s, %q, %v", role, role, text, err)
		}
		for _, text := range []string{want, strings.ToUpper(want)} {
			var got org.Role
			if err := got.UnmarshalText([]byte(text)); err != nil || got != role {
				t.Errorf("%q: got %v, %v", text, got, err)
			}
		}
	}
	for _, invalid := range []org.Role{0, 4, 255} {
		if text, err := invalid.MarshalText(); err == nil {
			t.Errorf("%d has the text %q", invalid, text)
		}
	}
	if got := org.Role(0).String(); got != "org.Role(0)" {
		t.Errorf("the zero Role is %q", got)
	}
	got := org.Outbound
	if err := got.UnmarshalText([]byte("relay")); err == nil || got != org.Outbound {
		t.Errorf("got %v, %v", got, err)
	}
}

// What encoding/json makes of a description that was built in Go, Parse reads.
func TestParseReadsJSON(t *testing.T) {
	o := good()
	o.MTAs[1].Helo = "\"<&>\\\x00\x7f\u2028\U0001f600"
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	got, err := org.Parse("f", text)
	if err != nil {
		t.Fatal(err)
	}
	want := good()
	want.Domain, want.MTAs[0].PTR, want.MTAs[1].PTR = "example.test.", "mta1.example.test.", "mta1.example.test."
	want.MTAs[0].Addresses[1] = netip.MustParseAddr("192.0.2.11")
	want.MTAs[1].Helo = o.MTAs[1].Helo
	if diff := cmp.Diff(want, got, sameAddr); diff != "" {
		t.Error(diff)
	}
}

func TestOwns(t *testing.T) {
	for _, test := range []struct {
		domain, name string
		want         bool
	}{
		{"example.test", "example.test.", true},
		{"example.test.", "a.b.EXAMPLE.test", true},
		{"Example.test", "notexample.test", false},
		{"example.test", `a\.example.test`, false},
		{"example.test", "test", false},
		{"example.test", "other.test", false},
		{"bücher.example", "post.xn--bcher-kva.example", true},
		// A domain deeper than the registered one: the names beside it count, too.
		{"museum.friends.example", "museum.friends.example", true},
		{"museum.friends.example", "mta1.museum.friends.example", true},
		{"museum.friends.example", "friends.example", true},
		{"museum.friends.example", "post.friends.example", true},
		{"museum.friends.example", "other.example", false},
		// Customers of a registry, or of a provider on the public suffix list, are strangers.
		{"example.co.uk", "mail.example.co.uk", true},
		{"example.co.uk", "other.co.uk", false},
		{"example.co.uk", "co.uk", false},
		{"one.github.io", "two.github.io", false},
		{"one.github.io", "github.io", false},
		// A public suffix of one's own: only what is below it.
		{"github.io", "github.io", true},
		{"github.io", "two.github.io", true},
		{"github.io", "other.io", false},
		// The root owns nothing below it, and names that are not names are nobody's.
		{".", "example.test", false},
		{".", ".", true},
		{"example.test", ".", false},
		{"example.test", "", false},
		{"example.test", "a..example.test", false},
		{"example.test", "192.0.2.1", false},
		{"", "", false},
		{"", "example.test", false},
		{"a..test", "a..test", false},
	} {
		o := &org.Organization{Domain: test.domain}
		if got := o.Owns(test.name); got != test.want {
			t.Errorf("%q owns %q: %v, want %v", test.domain, test.name, got, test.want)
		}
		if relation, _ := helo.Relate(test.name, test.domain, test.domain); (relation != helo.Unrelated) != test.want {
			t.Errorf("%q and %q: helo.Relate says %s", test.domain, test.name, relation)
		}
	}
}

func TestUsesInHelo(t *testing.T) {
	o := org.Organization{Domain: "example.test", MTAs: []org.MTA{
		{ID: "out", Helo: "Post.example.test.", Roles: []org.Role{org.Outbound}},
		{ID: "in", Helo: "mx.example.test", Roles: []org.Role{org.Inbound}},
		{ID: "bad", Helo: "a..b"},
	}}
	for name, want := range map[string]bool{"post.example.test": true, "mx.example.test": false, "a..b": false, "": false} {
		if got := o.UsesInHelo(name); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}
