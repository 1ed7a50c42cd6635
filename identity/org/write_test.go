package org_test

import (
	"errors"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/resolver"
)

// hostile are texts by which YAML, a terminal or a comment could be left.
var hostile = []string{
	"", "a", "true", "No", "null", "~", "1", "1.5", "1e5", "0x1f", "192.0.2.1", "2001:db8::1", "- a", "a: b", "{a: b}", "[a]", "a #b", "#", "&a", "*a", "!a", "|", ">", "%a", "@a", "`a`",
	"'", "\"", `\`, `\"`, "a\nb: c", "a\r\nb", "\t", " a ", "\x00", "\x1b[31m", "\x7f", "\u0085", "\u2028", "\u2029", "\ufeff", "\u202e", "Müller", "\U0001f600", "\U000e0001", "---", "...", "?", "? a",
}

func text() *rapid.Generator[string] {
	return rapid.OneOf(rapid.SampledFrom(hostile), rapid.String(), rapid.StringMatching(`[ -~]{0,20}`))
}

// dnsName makes canonical names, of any octets.
func dnsName() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		name := rapid.OneOf(rapid.SampledFrom([]string{"example.test", "2.0.192.in-addr.arpa", "_x.test", "true", "12", "1.2.3", `a\.`, `\010.a`, `"`}), text()).Draw(t, "name")
		if canonical, err := resolver.Canonical(name); err == nil && canonical != "." {
			return canonical
		}
		return "example.test."
	})
}

// described makes valid descriptions as Parse returns them.
func described(t *rapid.T) *org.Organization {
	names := rapid.SliceOfN(dnsName(), 0, 3)
	o := &org.Organization{Domain: dnsName().Draw(t, "domain")}
	used := 0
	for range rapid.IntRange(1, 3).Draw(t, "MTAs") {
		m := org.MTA{
			ID:   rapid.SampledFrom([]string{"mx", "true.", "1-", "null_"}).Draw(t, "id") + string(rune('a'+used)),
			Helo: text().Draw(t, "helo"), Dedicated: rapid.Bool().Draw(t, "dedicated"),
			Roles: rapid.SampledFrom([][]org.Role{nil, {org.Inbound}, {org.Outbound, org.Submission}}).Draw(t, "roles"),
		}
		for range rapid.IntRange(1, 2).Draw(t, "addresses") {
			used++
			m.Addresses = append(m.Addresses, rapid.SampledFrom([]netip.Addr{netip.AddrFrom4([4]byte{192, 0, 2, byte(used)}), netip.AddrFrom16([16]byte{0x20, 1, 15: byte(used)})}).Draw(t, "address"))
		}
		if rapid.Bool().Draw(t, "ptr?") {
			m.PTR = dnsName().Draw(t, "ptr")
		}
		if m.Helo == "" && m.Sends() {
			m.Helo = "post.example.test"
		}
		o.MTAs = append(o.MTAs, m)
	}
	for range rapid.IntRange(0, 2).Draw(t, "mail") {
		d := org.MailDomain{Domain: dnsName().Draw(t, "mail domain"), SoftFail: rapid.Bool().Draw(t, "softfail")}
		d.MTAs = rapid.SampledFrom([][]string{nil, {}, {o.MTAs[0].ID}}).Draw(t, "senders")
		if list := names.Draw(t, "includes"); len(list) > 0 {
			d.Includes = list
			d.Networks = []netip.Prefix{netip.MustParsePrefix("198.51.100.0/28"), netip.MustParsePrefix("2001:db8::/32")}
		}
		o.Mail = append(o.Mail, d)
	}
	for _, list := range []*[]string{&o.Names, &o.Zones} {
		if drawn := names.Draw(t, "names"); len(drawn) > 0 {
			*list = drawn
		}
	}
	if rapid.Bool().Draw(t, "exception?") {
		o.Exceptions = []org.Exception{{Rule: text().Draw(t, "rule"), Subject: dnsName().Draw(t, "subject"), Reason: text().Draw(t, "reason")}}
	}
	for _, c := range []**org.Contact{&o.Contacts.MTA, &o.Contacts.Admin, &o.Contacts.Abuse} {
		if rapid.Bool().Draw(t, "contact?") {
			*c = &org.Contact{Name: text().Draw(t, "name"), Role: text().Draw(t, "role"), Phone: text().Draw(t, "phone"), Email: text().Draw(t, "email"), Address: text().Draw(t, "address"), Web: text().Draw(t, "web"), Mailbox: text().Draw(t, "mailbox")}
		}
	}
	return o
}

// What is written is read back as it was, whatever the names, texts and comments say,
// and the comments change nothing.
func TestWriteYAMLIsRead(t *testing.T) {
	paths := []string{"", "domain", "mtas", "mtas[0]", "mtas[0].id", "mtas[0].addresses", "mtas[0].ptr", "mtas[0].helo", "mtas[0].roles", "mtas[0].dedicated", "mtas[9].ptr", "mail", "mail[0]", "mail[0].includes", "names", "names[0]", "zones", "exceptions", "contacts", "contacts.mta", "contacts.mta.name", "nowhere", "\n"}
	written := 0
	rapid.Check(t, func(t *rapid.T) {
		o := described(t)
		if o.Validate() != nil {
			t.Skip("invalid")
		}
		comment := rapid.Custom(func(t *rapid.T) org.Comment {
			return org.Comment{Path: rapid.SampledFrom(paths).Draw(t, "path"), Text: "said: " + text().Draw(t, "comment")}
		})
		comments := rapid.SliceOfN(comment, 0, 6).Draw(t, "comments")
		var out strings.Builder
		if err := o.WriteYAML(&out, comments...); err != nil {
			t.Fatal(err)
		}
		got, err := org.Parse("org.yaml", []byte(out.String()))
		if err != nil {
			t.Fatalf("%v\n%s", err, out.String())
		}
		if diff := cmp.Diff(o, got, sameAddr); diff != "" {
			t.Fatalf("read back (-want +got):\n%s\n%s", diff, out.String())
		}
		lines := strings.Split(out.String(), "\n")
		lines = slices.DeleteFunc(lines, func(line string) bool { return !strings.HasPrefix(strings.TrimLeft(line, " "), "#") })
		if n := strings.Count(strings.Join(lines, "\n"), "said:"); n < len(comments) {
			t.Fatalf("%d of %d comments:\n%s", n, len(comments), out.String())
		}
		written++
	})
	if written < 20 {
		t.Errorf("only %d were valid", written)
	}
}

// Every key that there is is written.
func TestWriteYAMLIsComplete(t *testing.T) {
	want, err := org.Parse("full", []byte(full))
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := want.WriteYAML(&out); err != nil {
		t.Fatal(err)
	}
	got, err := org.Parse("written", []byte(out.String()))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, sameAddr); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
}

func TestWriteYAMLBad(t *testing.T) {
	failure := errors.New("full")
	if err := good().WriteYAML(failing{failure}); !errors.Is(err, failure) {
		t.Errorf("a writer that fails: %v", err)
	}
	var out strings.Builder
	if err := new(org.Organization).WriteYAML(&out); err == nil || out.Len() > 0 {
		t.Errorf("an invalid description: %v, %q", err, out.String())
	}
	for _, name := range []string{strings.Repeat("x", 300_000), "\xaa", "John\xff Smith"} {
		o := good()
		o.Contacts.MTA = &org.Contact{Name: name}
		if err := o.WriteYAML(&out); err == nil || out.Len() > 0 || !strings.HasPrefix(err.Error(), "org: what was written cannot be read: ") {
			t.Errorf("what Parse does not read, %.20q: %v, %d octets", name, err, out.Len())
		}
	}
	if err := good().WriteYAML(&out, org.Comment{Path: "domain", Text: "\xaa\xff"}); err != nil {
		t.Errorf("a comment that is no UTF-8: %v", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func ExampleOrganization_WriteYAML() {
	o := &org.Organization{
		Domain: "example.test",
		MTAs:   []org.MTA{{ID: "mx1", Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.10"), netip.MustParseAddr("2001:db8::10")}, Helo: "post.example.test"}},
		Mail: []org.MailDomain{
			{Domain: "example.test"},
			{Domain: "news.example.test", MTAs: []string{}, Includes: []string{"_spf.provider.test"}}, // sent by others alone
		},
	}
	err := o.WriteYAML(os.Stdout,
		org.Comment{Path: "mtas[0].ptr", Text: "not decided"},
		org.Comment{Path: "mtas[0].helo", Text: "a guess: it has a CSA record"})
	if err != nil {
		panic(err)
	}
	// Output:
	// domain: example.test
	// mtas:
	//   - id: mx1
	//     addresses: [192.0.2.10, "2001:db8::10"]
	//     # not decided
	//     # a guess: it has a CSA record
	//     helo: post.example.test
	// mail:
	//   - domain: example.test
	//   - domain: news.example.test
	//     mtas: []
	//     includes:
	//       - _spf.provider.test
}
