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
	long := strings.Repeat("a", 64)
	for _, test := range []struct {
		path string
		want envelope.Path
	}{
		{"", envelope.Path{}},
		{"alice@Example.Test", envelope.Path{Address: "alice@Example.Test", Domain: "example.test."}},
		{`"a b"@example.test`, envelope.Path{Address: `"a b"@example.test`, Domain: "example.test."}},
		{`"a@b"@example.test`, envelope.Path{Address: `"a@b"@example.test`, Domain: "example.test."}},
		{"@relay.test,@b.test:alice@example.test", envelope.Path{Address: "alice@example.test", Domain: "example.test."}},
		{"alice@[192.0.2.1]", envelope.Path{Address: "alice@[192.0.2.1]"}},
		{"alice@[IPv6:2001:db8::1]", envelope.Path{Address: "alice@[IPv6:2001:db8::1]"}},
		{"álice@bücher.test", envelope.Path{Address: "álice@bücher.test", Domain: "xn--bcher-kva.test."}},
		{long + "@example.test", envelope.Path{Address: long + "@example.test", Domain: "example.test."}},
		{"alice@localhost", envelope.Path{Address: "alice@localhost", Domain: "localhost."}},
		{"alice@a_b.test", envelope.Path{Address: "alice@a_b.test", Domain: "a_b.test."}},
	} {
		if got, err := envelope.ParsePath(test.path); err != nil || got != test.want {
			t.Errorf("%q: got %+v, %v, want %+v", test.path, got, err, test.want)
		}
	}
	for _, path := range []string{
		"alice", "@example.test", "alice@", "a b@example.test", "a..b@example.test", ".a@example.test", `"a@example.test`, `"a"b@example.test`,
		"alice@example.test.", "alice@192.0.2.1", "alice@[192.0.2.300]", "alice@a..b", "alice@-a.test", `alice@a\.b.test`, "alice@a b.test",
		"alice@example.test\r\n", "a\x00b@example.test", "a\xff@example.test", long + "a@example.test", strings.Repeat("a", 250) + "@b.test",
	} {
		if got, err := envelope.ParsePath(path); !errors.Is(err, envelope.ErrPath) || got != (envelope.Path{}) {
			t.Errorf("%q: got %+v, %v", path, got, err)
		}
	}
}

// The domain of an address is what HELO takes for a name or a literal, without the faults
// that only HELO overlooks.
func FuzzParsePath(f *testing.F) {
	for _, domain := range []string{"example.test", "[192.0.2.1]", "192.0.2.1", "a_b.test", "bücher.test", "a.", "xn--a.test", "mail\u3002test", `a\046b.test`, "localhost", "1.2"} {
		f.Add("alice", domain)
	}
	f.Fuzz(func(t *testing.T, local, domain string) {
		p, err := envelope.ParsePath(local + "@" + domain)
		if err != nil {
			if p != (envelope.Path{}) || !errors.Is(err, envelope.ErrPath) {
				t.Errorf("%+v, %v", p, err)
			}
			return
		}
		if strings.ContainsAny(p.Address, "\r\n\x00") || !strings.HasSuffix(local+"@"+domain, p.Address) {
			t.Errorf("%+v", p)
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
