package spf_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/bonafide-mta/bonafide/spf"
)

// A slip is refused with what it is, and with what to write if that is clear.
func TestParseDomain(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"_spf.svc.example", "_spf.svc.example"},
		{"_SPF.Svc.Example.", "_spf.svc.example"},
		{"bücher.example", "xn--bcher-kva.example"},
		{"-x-.a_b.example", "-x-.a_b.example"},
		{"", "not a DNS name: empty"},
		{"nonsense", `"nonsense": expected the name of a domain in the public DNS, of two labels at least`},
		{"a..example", `not a DNS name: "a..example": expected labels of 1 to 63 octets, 255 in all`},
		{"x.-com", `"x.-com": expected the name of a domain in the public DNS, of two labels at least`},
		{"x.lan", `"x.lan" is not in the public DNS, where receivers look`},
		{"include:_spf.svc.example", `"include:_spf.svc.example" is a term of an SPF record: expected the domain alone: write _spf.svc.example`},
		{"include:include:x.example", `"include:include:x.example" is a term of an SPF record: expected the domain alone: write x.example`},
		{"?redirect=x.example", `"?redirect=x.example" is a term of an SPF record: expected the domain alone: write x.example`},
		{"a:x.example/24", `"a:x.example/24" is a term of an SPF record: expected the domain alone: write x.example`},
		{"ip4:192.0.2.1", `"ip4:192.0.2.1" is an address or a network: expected a domain`},
		{"192.0.2.0/24", `"192.0.2.0/24" is an address or a network: expected a domain`},
		{"2001:db8::1", `"2001:db8::1" is an address or a network: expected a domain`},
		{"*.x.example", `"*.x.example" is a wildcard: expected a domain that publishes an SPF record: write x.example`},
		{"user@x.example", `"user@x.example" is a mail address: expected a domain: write x.example`},
		{"@x.example", `"@x.example" is a mail address: expected a domain: write x.example`},
		{"https://x.example/spf?a", `"https://x.example/spf?a" is a URL: expected a domain: write x.example`},
		{"https://u@x.example:8080", `"https://u@x.example:8080" is a URL: expected a domain: write x.example`},
		{"x.example,y.example", `"x.example,y.example" is not one domain: write each by itself, x.example and y.example`},
		{"a.example b.example c.example d.example", `"a.example b.example c.example d.example" is not one domain: write each of the 4 domains by itself`},
		{"_spf.x.example -all", `"_spf.x.example -all" is not one domain: write _spf.x.example`},
		{"v=spf1 include:x.example ip4:192.0.2.1 -all", `"v=spf1 include:x.example ip4:192.0.2.1 -all" is an SPF record: expected the domain that publishes one: write x.example`},
		{"v=spf1 a -all", `"v=spf1 a -all" is an SPF record: expected the domain that publishes one`},
		{"%{i}._spf.x.example", `"%{i}._spf.x.example" has a macro: expected a domain that is the same for every message`},
		{`\095spf.x.example`, `"\\095spf.x.example" has an escape of zone files: expected letters, digits, hyphens and underscores: write _spf.x.example`},
		{`a\032b.example`, `"a\\032b.example" has an escape of zone files: expected letters, digits, hyphens and underscores`},
		{"x/24.example", `"x/24.example": expected the name of a domain in the public DNS, of two labels at least`},
		{"<x.example>", `"<x.example>": expected the name of a domain in the public DNS, of two labels at least: write x.example`},
		{`"x.example"`, `"\"x.example\"": expected the name of a domain in the public DNS, of two labels at least: write x.example`},
	} {
		got, err := spf.ParseDomain(tt.text)
		if err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%q:\n  %s\nexpected\n  %s", tt.text, got, tt.want)
		}
	}
}

func TestParseNetwork(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"192.0.2.0/28", "192.0.2.0/28"},
		{"2001:DB8::/64", "2001:db8::/64"},
		{"192.0.2.1", `"192.0.2.1": expected an IPv4 or IPv6 network, as 192.0.2.0/28: write 192.0.2.1/32`},
		{"ip4:192.0.2.1", `"ip4:192.0.2.1": expected an IPv4 or IPv6 network, as 192.0.2.0/28: write 192.0.2.1/32`},
		{"+ip4:192.0.2.0/24", `"+ip4:192.0.2.0/24": expected an IPv4 or IPv6 network, as 192.0.2.0/28: write 192.0.2.0/24`},
		{"ip6:2001:db8::/32", `"ip6:2001:db8::/32": expected an IPv4 or IPv6 network, as 192.0.2.0/28: write 2001:db8::/32`},
		{"192.0.2.0-192.0.2.9", `"192.0.2.0-192.0.2.9": expected an IPv4 or IPv6 network, as 192.0.2.0/28`},
		{"192.0.2.9/28", `"192.0.2.9/28" has bits beyond its length: expected 192.0.2.0/28, or 192.0.2.9/32 for the one address`},
		{"::ffff:192.0.2.0/120", `"::ffff:192.0.2.0/120" is an IPv4 network in IPv6 notation: expected an IPv4 or IPv6 network: write 192.0.2.0/24`},
		{"::ffff:0.0.0.0/90", `"::ffff:0.0.0.0/90" has IPv4 addresses in IPv6 notation: expected an IPv4 or IPv6 network`},
		{"0.0.0.0/0", `"0.0.0.0/0" is everybody: expected a network of senders`},
		{"ff00::/8", `"ff00::/8" is not a network of hosts`},
	} {
		network, err := spf.ParseNetwork(tt.text)
		got := network.String()
		if err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%q:\n  %s\nexpected\n  %s", tt.text, got, tt.want)
		}
	}
}

// Whatever a Builder takes is one term of the record, and is read back as the same term.
func TestBuilderReadsBack(t *testing.T) {
	piece := rapid.OneOf(
		rapid.SampledFrom([]string{"include:", "a:", "redirect=", "*.", "user@", "https://", ",", " ", " -all", "v=spf1 ", "ip4:", `\032`, `\.`, `\095`, "%{i}", "%", "/24", "//", "?", "ü", "。", "\t", "[", "]"}),
		rapid.SampledFrom([]string{"x.example", "_spf", ".", "y", "example", "192.0.2.1", "com", "lan"}),
		rapid.String(),
	)
	text := rapid.Custom(func(t *rapid.T) string { return strings.Join(rapid.SliceOfN(piece, 1, 5).Draw(t, "pieces"), "") })
	rapid.Check(t, func(t *rapid.T) {
		b := spf.Builder{Name: "example.test", Own: rapid.Bool().Draw(t, "own"), Exchangers: rapid.Bool().Draw(t, "exchangers")}
		var want []string
		if rapid.Bool().Draw(t, "network") {
			b.Networks = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/28")}
			want = append(want, "ip4:192.0.2.0/28")
		}
		if b.Own {
			want = append(want, "a")
		}
		if b.Exchangers {
			want = append(want, "mx")
		}
		for _, include := range rapid.SliceOfNDistinct(text, 1, 3, rapid.ID[string]).Draw(t, "includes") {
			name, err := spf.ParseDomain(include)
			if err != nil {
				if strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' }) {
					t.Fatalf("%q is not on one line", err)
				}
				if _, err := (spf.Builder{Name: b.Name, Includes: []string{include}}).Record(); err == nil {
					t.Fatalf("ParseDomain refuses %q, and a Builder takes it", include)
				}
				continue
			}
			if again, err := spf.ParseDomain(name); again != name {
				t.Fatalf("%q becomes %q, and that %q (%v)", include, name, again, err)
			}
			b.Includes = append(b.Includes, include)
			if term := "include:" + name; !slices.Contains(want, term) {
				want = append(want, term)
			}
		}
		record, err := b.Record()
		if err != nil {
			t.Fatalf("%+v: %v", b, err)
		}
		want = append(want, "-all")
		var got []string
		for _, term := range record.Terms {
			got = append(got, term.Text)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("-wanted +built:\n%s", diff)
		}
		again, err := spf.Parse(record.String())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(fmt.Sprintf("%+v", record.Terms), fmt.Sprintf("%+v", again.Terms)); diff != "" {
			t.Fatalf("-built +read back:\n%s", diff)
		}
	})
}

func ExampleParseDomain() {
	domain, err := spf.ParseDomain("_SPF.provider.example.")
	fmt.Println(domain, err)
	_, err = spf.ParseDomain("include:_spf.provider.example")
	fmt.Println(err)
	// Output:
	// _spf.provider.example <nil>
	// "include:_spf.provider.example" is a term of an SPF record: expected the domain alone: write _spf.provider.example
}

func ExampleParseNetwork() {
	network, err := spf.ParseNetwork("192.0.2.0/28")
	fmt.Println(network, err)
	_, err = spf.ParseNetwork("192.0.2.9/28")
	fmt.Println(err)
	// Output:
	// 192.0.2.0/28 <nil>
	// "192.0.2.9/28" has bits beyond its length: expected 192.0.2.0/28, or 192.0.2.9/32 for the one address
}
