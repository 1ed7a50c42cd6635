package envelope_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/bonafide-mta/bonafide/identity/envelope"
	"github.com/bonafide-mta/bonafide/identity/helo"
)

func TestParsePath(t *testing.T) {
	long := strings.Repeat("a", 900)
	for _, test := range []struct {
		path            string
		address, domain string
	}{
		{"", "", ""},
		{"alice@Example.Test", "alice@Example.Test", "example.test."},
		{"alice@[192.0.2.1]", "alice@[192.0.2.1]", ""},
		{"alice@[IPv6:2001:db8::1]", "alice@[IPv6:2001:db8::1]", ""},
		{"álice@bücher.test", "álice@bücher.test", "xn--bcher-kva.test."},
		{"alice@localhost", "alice@localhost", "localhost."},
		{"alice@a_b.test", "alice@a_b.test", "a_b.test."},
		{"alice@example.test.", "alice@example.test.", "example.test."},
		// Any local part, quoted or not.
		{`"a b"@example.test`, `"a b"@example.test`, "example.test."},
		{`"a@b"@example.test`, `"a@b"@example.test`, "example.test."},
		{"a b@example.test", "a b@example.test", "example.test."},
		{"a@b@example.test", "a@b@example.test", "example.test."},
		{`a"b@example.test`, `a"b@example.test`, "example.test."},
		{`"a@example.test`, `"a@example.test`, "example.test."},
		{`a\@example.test`, `a\@example.test`, "example.test."},
		{"a..b@example.test", "a..b@example.test", "example.test."},
		{".a.@example.test", ".a.@example.test", "example.test."},
		{"<a>b@example.test", "<a>b@example.test", "example.test."},
		{"<a@example.test", "<a@example.test", "example.test."},
		{"a\xff@example.test", "a\xff@example.test", "example.test."},
		{long + "@example.test", long + "@example.test", "example.test."},
		{"@example.test", "postmaster@example.test", "example.test."},
		{"example.test", "postmaster@example.test", "example.test."},
		{"@[IPv6:2001:db8::1]", "postmaster@[IPv6:2001:db8::1]", ""},
		// Angle brackets, and what follows them.
		{"<>", "", ""},
		{"<> BODY=8BITMIME", "", ""},
		{"<alice@example.test>", "alice@example.test", "example.test."},
		{"<alice@example.test> SIZE=1000 AUTH=<>", "alice@example.test", "example.test."},
		{`<"a> b"@example.test> SIZE=1`, `"a> b"@example.test`, "example.test."},
		{`<"a\"> b"@example.test>`, `"a\"> b"@example.test`, "example.test."},
		{`<a"b@example.test> AUTH=<>`, `a"b@example.test`, "example.test."},
		{"<@example.test>", "postmaster@example.test", "example.test."},
		{"<a b@example.test>", "a b@example.test", "example.test."},
		// Source routes.
		{"@relay.test:alice@example.test", "alice@example.test", "example.test."},
		{"@relay.test,@b.test:alice@example.test", "alice@example.test", "example.test."},
		{"<@[IPv6:2001:db8::1],@b.test:alice@example.test>", "alice@example.test", "example.test."},
		{`@relay.test:"x:y@z"@example.test`, `"x:y@z"@example.test`, "example.test."},
		{"@a@other.test,@b.test:alice@example.test", "@a@other.test,@b.test:alice@example.test", "example.test."},
		{"@relay.test,b:alice@example.test", "@relay.test,b:alice@example.test", "example.test."},
	} {
		want := envelope.Path{Address: test.address, Domain: test.domain}
		if got, err := envelope.ParsePath(test.path); err != nil || got != want {
			t.Errorf("%q: got %+v, %v, want %+v", test.path, got, err, want)
		}
	}
	for _, path := range []string{
		"alice@", "@", "alice@@", "alice@example.test>", "alice@example.test SIZE=1", "@relay.test:", "@relay.test:alice@",
		"alice@192.0.2.1", "alice@[192.0.2.300]", "alice@[", "alice@a..b", "alice@-a.test", `alice@a\.b.test`, `alice@a\046b.test`, "alice@a b.test", "alice@a\xff.test",
		"alice@example.test\r\n", "a\x00b@example.test", "a\tb@example.test", "a\x7fb@example.test", "a\u009bb@example.test", "<a\n@example.test>",
		// Local parts without their quotes: neither address is meant for sure.
		"<a@example.test> b@other.test", "<a@example.test> SIZE=1@other.test", "<a> b@other.test", "<> b@other.test", `<"a@example.test> b@other.test`, "<alice@example.test> AUTH=bob@other.test",
		"@a@other.test:example.test", "@:example.test",
		// Which route or bracket is meant, and which address?
		"@relay.test:@a.test:@b.test", "@relay.test:@a.test:b@c.test", "@relay.test:<a> b@c.test", "<@relay.test:<a@b.test>>", `<<"a> b"@c.test>`, "<<>>", "@relay.test:<>",
		strings.Repeat("a", 1000) + "@b.test", "alice@" + strings.Repeat("a", 64) + ".test",
	} {
		if got, err := envelope.ParsePath(path); !errors.Is(err, envelope.ErrPath) || got != (envelope.Path{}) {
			t.Errorf("%q: got %+v, %v", path, got, err)
		}
	}
}

// The domain of an address is what HELO takes for a name or a literal. Brackets, parameters
// and a source route make no difference.
func FuzzParsePath(f *testing.F) {
	f.Add("<a@r.test> b", "example.test")
	f.Add("<a@r.test> SIZE=1", "example.test")
	f.Add("@a", "example.test:r.test")
	f.Add("@r.test:@a:", "b.test")
	f.Add(`<<"a> b"`, "c.test>")
	for _, domain := range []string{"example.test", "[192.0.2.1]", "192.0.2.1", "a_b.test", "bücher.test", "a.", "xn--a.test", "mail\u3002test", `a\046b.test`, "localhost", "1.2", "b> c", "x:y", ""} {
		f.Add("alice", domain)
		f.Add(`"a> @b`, domain)
		f.Add("@r.test:a", domain)
	}
	f.Fuzz(func(t *testing.T, local, domain string) {
		text := local + "@" + domain
		p, err := envelope.ParsePath(text)
		if err != nil {
			if p != (envelope.Path{}) || !errors.Is(err, envelope.ErrPath) {
				t.Errorf("%+v, %v", p, err)
			}
			return
		}
		// Whatever the local part is, the domain stays, unless the text is all in brackets.
		if arg, err := helo.Parse(domain); !strings.ContainsAny(domain, "@>:") && (err != nil || arg.Name != p.Domain) {
			t.Errorf("%q: %+v, and HELO has %+v, %v", text, p, arg, err)
		}
		if strings.ContainsAny(p.Address, "\r\n\x00") || !strings.Contains(text, strings.TrimPrefix(p.Address, "postmaster@")) {
			t.Errorf("%+v", p)
		}
		if again, err := envelope.ParsePath(p.Address); err != nil || again != p {
			t.Errorf("%+v, and again %+v, %v", p, again, err)
		}
		if strings.HasPrefix(text, "<") || strings.ContainsAny(text, `>"`) {
			return
		}
		for _, with := range []string{"<" + text + ">", "<" + text + "> SIZE=1 AUTH=<>"} {
			if again, err := envelope.ParsePath(with); err != nil || again != p {
				t.Errorf("%q: %+v, %v; without brackets %+v", with, again, err, p)
			}
		}
		arg, err := helo.Parse(p.Address[strings.LastIndexByte(p.Address, '@')+1:])
		if err != nil || arg.Name != p.Domain {
			t.Errorf("%+v, and HELO has %+v, %v", p, arg, err)
		}
	})
}

func TestReply(t *testing.T) {
	for _, test := range []struct {
		reply     envelope.Reply
		want      string
		temporary bool
	}{
		{envelope.Reply{}, "", false},
		{envelope.Reply{Code: 550, Enhanced: envelope.EnhancedCode{5, 7, 23}, Text: "no"}, "550 5.7.23 no", false},
		{envelope.Reply{Code: 451, Text: "later"}, "451 later", true},
	} {
		if got := test.reply.String(); got != test.want || test.reply.Temporary() != test.temporary {
			t.Errorf("%+v: %q, %v", test.reply, got, test.reply.Temporary())
		}
	}
}

func ExampleParsePath() {
	for _, path := range []string{"alice@Example.org", "", "alice@@"} {
		fmt.Println(envelope.ParsePath(path))
	}
	// Output:
	// {alice@Example.org example.org.} <nil>
	// { } <nil>
	// { } malformed address
}

func ExampleReply() {
	fmt.Println(envelope.Reply{Code: 550, Enhanced: envelope.EnhancedCode{5, 1, 1}, Text: "no such mailbox"})
	// Output:
	// 550 5.1.1 no such mailbox
}
