package org_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/bonafide-mta/bonafide/identity/org"
)

// sameAddr compares addresses and networks, which have no exported fields.
var sameAddr = cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})

const full = `# What others see of us.
domain: Example.Test
mtas:
  - id: mx_1.a
    addresses: [192.0.2.10, "2001:DB8::10", ::ffff:192.0.2.11]
    ptr: MTA1.Bücher.Example.Test
    helo: Post.Example.Test   # to the letter
    roles: [Outbound, inbound, SUBMISSION]
    dedicated: true
  - addresses:
    - 192.0.2.20
    helo: "[192.0.2.20]"
  - {addresses: [192.0.2.30], roles: [inbound], dedicated: False}
mail:
  - domain: example.test.
  - domain: news.EXAMPLE.test
    includes: [_spf.Provider.test]
    networks: [198.51.100.0/28, "2001:db8::/64"]
    softfail: true
names: [WWW.example.test, ns.Bücher.example.test.]
zones: [Example.TEST, 2.0.192.in-addr.arpa]
exceptions:
  - {rule: helo-csa, subject: mx_1.a, reason: not asked for}
  - {rule: null-mx, subject: Www.Example.Test, reason: "its forms: by mail", until: 2027-01-31}
contacts:
  mta: {name: John Smith, role: email administrator, phone: "+35312345678", email: postmaster, web: "http://www.example.test/"}
  abuse:
    name: support
    mailbox: abuse@example.test
`

const fullJSON = `{
	"domain": "example.test.",
	"mtas": [
		{"id": "mx_1.a", "addresses": ["192.0.2.10", "2001:db8::10", "192.0.2.11"], "ptr": "mta1.xn--bcher-kva.example.test",
			"helo": "Post.Example.Test", "roles": ["outbound", "inbound", "submission"], "dedicated": true},
		{"addresses": ["192.0.2.20"], "helo": "[192.0.2.20]"},
		{"addresses": ["192.0.2.30"], "roles": ["inbound"], "dedicated": false}
	],
	"mail": [
		{"domain": "example.test"},
		{"domain": "News.Example.test", "includes": ["_SPF.provider.test"], "networks": ["198.51.100.0/28", "2001:db8::/64"], "softfail": true}
	],
	"names": ["www.example.test.", "ns.xn--bcher-kva.example.test"],
	"zones": ["example.test", "2.0.192.in-addr.arpa."],
	"exceptions": [
		{"rule": "helo-csa", "subject": "mx_1.a", "reason": "not asked for"},
		{"rule": "null-mx", "subject": "www.example.test.", "reason": "its forms: by mail", "until": "2027-01-31"}
	],
	"contacts": {
		"mta": {"name": "John Smith", "role": "email administrator", "phone": "+35312345678", "email": "postmaster", "web": "http://www.example.test/"},
		"abuse": {"name": "support", "mailbox": "abuse@example.test"}
	}
}`

func addrs(texts ...string) []netip.Addr {
	var out []netip.Addr
	for _, text := range texts {
		out = append(out, netip.MustParseAddr(text))
	}
	return out
}

func TestParse(t *testing.T) {
	want := &org.Organization{Domain: "example.test.", MTAs: []org.MTA{
		{
			ID: "mx_1.a", Addresses: addrs("192.0.2.10", "2001:db8::10", "192.0.2.11"), PTR: "mta1.xn--bcher-kva.example.test.",
			Helo: "Post.Example.Test", Roles: []org.Role{org.Outbound, org.Inbound, org.Submission}, Dedicated: true,
		},
		{ID: "mta2", Addresses: addrs("192.0.2.20"), Helo: "[192.0.2.20]"},
		{ID: "mta3", Addresses: addrs("192.0.2.30"), Roles: []org.Role{org.Inbound}},
	}, Mail: []org.MailDomain{
		{Domain: "example.test."},
		{
			Domain: "news.example.test.", Includes: []string{"_spf.provider.test."}, SoftFail: true,
			Networks: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/28"), netip.MustParsePrefix("2001:db8::/64")},
		},
	}, Names: []string{"www.example.test.", "ns.xn--bcher-kva.example.test."}, Zones: []string{"example.test.", "2.0.192.in-addr.arpa."}, Exceptions: []org.Exception{
		{Rule: "helo-csa", Subject: "mx_1.a", Reason: "not asked for"}, {Rule: "null-mx", Subject: "www.example.test.", Reason: "its forms: by mail", Until: "2027-01-31"},
	}, Contacts: org.Contacts{
		MTA:   &org.Contact{Name: "John Smith", Role: "email administrator", Phone: "+35312345678", Email: "postmaster", Web: "http://www.example.test/"},
		Abuse: &org.Contact{Name: "support", Mailbox: "abuse@example.test"},
	}}
	for name, text := range map[string]string{
		"YAML":              full,
		"JSON":              fullJSON,
		"JSON on one line":  strings.NewReplacer("\n", "", "\t", "").Replace(fullJSON),
		"CR LF":             strings.ReplaceAll(full, "\n", "\r\n"),
		"a byte order mark": "\ufeff" + full,
		"a document marker": "---\n" + full + "...\n",
		"a YAML directive":  "%YAML 1.2\n---\n" + full,
		"quoted keys":       strings.Replace(full, "domain:", `"domain":`, 1),
	} {
		got, err := org.Parse("file", []byte(text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(want, got, sameAddr); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if err := got.Validate(); err != nil {
			t.Errorf("%s: what Parse returns is not valid: %v", name, err)
		}
	}
}

// What is text comes out as it is written, whatever YAML would make of it.
func TestParseText(t *testing.T) {
	for yaml, want := range map[string]string{
		"1234": "1234", "0x1F": "0x1F", "1_000": "1_000", "12e3": "12e3", "+12": "+12", "012": "012", "1.50": "1.50",
		"2001-01-01": "2001-01-01", "yes": "yes", `"true"`: "true", "'null'": "null",
		"localhost": "localhost", "under_score.Example.test.": "under_score.Example.test.",
		"2001:db8::1": "2001:db8::1", "'[192.0.2.1]'": "[192.0.2.1]", "'it''s'": "it's",
		`"\u0041\tb\r\n"`: "A\tb\r\n", `"\ud83d\ude00"`: "\U0001f600", "a # b": "a", "a#b": "a#b", "a\n     b": "a b",
	} {
		o, err := org.Parse("file", []byte("domain: example.test\nmtas:\n  - addresses: [192.0.2.1]\n    helo: "+yaml+"\n"))
		if err != nil {
			t.Errorf("%q: %v", yaml, err)
		} else if got := o.MTAs[0].Helo; got != want {
			t.Errorf("%q: got %q, want %q", yaml, got, want)
		}
	}
}

// refused holds that a text gives exactly these problems, with the file's name.
func refused(t *testing.T, text string, want ...string) {
	t.Helper()
	o, err := org.Parse("f.yaml", []byte(text))
	listed, ok := errors.AsType[*org.Error](err)
	if !ok || o != nil {
		t.Errorf("%.80q: got %+v, %v", text, o, err)
		return
	}
	var got []string
	for _, p := range listed.Problems {
		if p.File != "f.yaml" || p.Line < 1 || p.Column < 1 {
			t.Errorf("%.80q: a problem without its place: %+v", text, p)
		}
		got = append(got, strings.TrimPrefix(p.String(), "f.yaml:"))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%.80q (-want +got):\n%s", text, diff)
	}
}

func TestParseRefuses(t *testing.T) {
	const (
		noDomain = "domain: expected a DNS name"
		noMTAs   = "mtas: expected at least one MTA"
	)
	// The whole text.
	refused(t, "", "1:1: empty: expected the keys domain and mtas")
	refused(t, "# nothing\n\n", "1:1: empty: expected the keys domain and mtas")
	refused(t, "---\n...\n", "1:1: empty: expected the keys domain and mtas")
	refused(t, "%YAML 1.2\n---\n", "1:1: empty: expected the keys domain and mtas")
	refused(t, "null", "1:1: expected keys and values, got nothing")
	refused(t, "# a list\n- a", "2:1: expected keys and values, got a list")
	refused(t, "example.test", `1:1: expected keys and values, got the text "example.test"`)
	refused(t, "{}", "1:1: "+noDomain, "1:1: "+noMTAs)
	refused(t, "domain: a.test\n---\ndomain: b.test\n", "3:1: a second document: expected one organization")
	refused(t, "domain: \xff", "1:1: not UTF-8")
	refused(t, "\xff\xfed\x00o\x00m\x00", "1:1: not UTF-8")
	refused(t, strings.Repeat(" ", 256<<10+1), "1:1: 262145 octets: expected at most 262144")

	// Keys.
	refused(t, "mtas: []", "1:1: "+noDomain, "1:7: "+noMTAs)
	refused(t, "\n\n  domain: a.test\n", "3:3: "+noMTAs)
	refused(t, "Domain: a.test", `1:1: unknown key "Domain": expected one of contacts, domain, exceptions, mail, mtas, names, zones`, "1:1: "+noDomain, "1:1: "+noMTAs)
	refused(t, "{1: a, null: b, \"\": c, ? domain : d}",
		"1:1: "+noDomain, "1:1: "+noMTAs, `1:2: unknown key "1": expected one of contacts, domain, exceptions, mail, mtas, names, zones`, `1:8: unknown key "null": expected one of contacts, domain, exceptions, mail, mtas, names, zones`,
		`1:17: unknown key "": expected one of contacts, domain, exceptions, mail, mtas, names, zones`, `1:24: unknown key "?": expected one of contacts, domain, exceptions, mail, mtas, names, zones`)
	refused(t, "domain: a.test\nmtas: []\n\"domain\": b.test\n", "2:7: "+noMTAs, `3:1: the key "domain" is in line 1 already`)
	refused(t, "domain: {a: b}\nmtas: 1\n", "1:9: domain: expected text, in quotes if it has a colon, got keys and values", `2:7: mtas: expected a list, got "1"`)
	refused(t, "domain:\n  a: b\nmtas:\n  c: d\n", "2:3: domain: expected text, in quotes if it has a colon, got keys and values", "4:3: mtas: expected a list, got keys and values")
	refused(t, "domain: [a.test]\nmtas: a", "1:9: domain: expected text, got a list", `2:7: mtas: expected a list, got the text "a"`)
	refused(t, "domain:\nmtas:\n", "1:8: domain: expected text, got nothing", "2:7: mtas: expected a list, got nothing")
	refused(t, "domain: true\nmtas: ~\n", "1:9: domain: expected text, got the boolean true", "2:7: mtas: expected a list, got nothing")
	refused(t, "domain: .inf\nmtas: {}", `1:9: domain: expected text, got ".inf"`, "2:7: mtas: expected a list, got keys and values")
	refused(t, "domain: |\n  a.test\nmtas: [~, 1, a, true, []]\n",
		"1:9: domain: expected text, got text of several lines", "3:8: mtas[0]: expected keys and values, got nothing",
		`3:11: mtas[1]: expected keys and values, got "1"`, `3:14: mtas[2]: expected keys and values, got the text "a"`,
		"3:17: mtas[3]: expected keys and values, got the boolean true", "3:23: mtas[4]: expected keys and values, got a list")

	// What YAML has beyond JSON.
	refused(t, "domain: &d a.test\nmtas: *d\n", "1:9: domain: expected text, got an anchor or alias", "2:7: mtas: expected a list, got an anchor or alias")
	refused(t, "domain: !!str a.test\nmtas: !list []\n", "1:9: domain: expected text, got a tag", "2:7: mtas: expected a list, got a tag")
	refused(t, "<<: {domain: a.test}", `1:1: unknown key "<<": expected one of contacts, domain, exceptions, mail, mtas, names, zones`, "1:1: "+noDomain, "1:1: "+noMTAs)
	refused(t, "&d domain: a.test", `1:1: unknown key "&": expected one of contacts, domain, exceptions, mail, mtas, names, zones`, "1:1: "+noDomain, "1:1: "+noMTAs)

	// Names.
	refused(t, "domain: .\nmtas: []", `1:9: domain: "." is the root, not a name of an organization or a host`, "2:7: "+noMTAs)
	refused(t, "domain: ''\nmtas: []", "1:9: "+noDomain, "2:7: "+noMTAs)
	refused(t, "domain: a..test\nmtas: []",
		`1:9: domain: not a DNS name: "a..test": expected labels of 1 to 63 octets, 255 in all`, "2:7: "+noMTAs)
	refused(t, `domain: "\x1b[2J\u202e\n."`+"\nmtas: []", `1:9: domain: not a DNS name: label "\x1b[2J\u202e\n": not an internationalized label`, "2:7: "+noMTAs)
}

func TestParseRefusesMTA(t *testing.T) {
	const noHelo = "helo: expected what the MTA says in HELO; only one with the sole role inbound needs none"
	// In line 4 the value of a key of the first MTA, with what else it needs.
	mta := func(rest string) string {
		return "domain: a.test\nmtas:\n  - helo: b.test\n    " + rest + "\n"
	}
	const good = "addresses: [192.0.2.1]\n    "
	refused(t, "domain: a.test\nmtas: [{}, {foo: 1}]",
		"2:8: mtas[0].addresses: expected at least one address", "2:8: mtas[0]."+noHelo,
		"2:12: mtas[1].addresses: expected at least one address", "2:12: mtas[1]."+noHelo,
		`2:13: mtas[1]: unknown key "foo": expected one of addresses, dedicated, helo, id, ptr, roles`)
	refused(t, mta("adresses: [192.0.2.1]"), "3:5: mtas[0].addresses: expected at least one address",
		`4:5: mtas[0]: unknown key "adresses": expected one of addresses, dedicated, helo, id, ptr, roles`)
	refused(t, mta(good+"helo: c.test"), `5:5: mtas[0]: the key "helo" is in line 3 already`)

	// Addresses.
	refused(t, mta("addresses: []"), "4:16: mtas[0].addresses: expected at least one address")
	refused(t, mta("addresses: 192.0.2.1"), `4:16: mtas[0].addresses: expected a list, got the text "192.0.2.1"`)
	refused(t, mta("addresses: [192.0.2.0/24, '', 1, 192.0.2.01, host.test, ~, yes, [], 2001:db8::/32, fe80::1%eth0, 192.0.2.1, ::ffff:192.0.2.1, 192.0.2.1, ::ffff:192.0.2.2, 192.0.2.2]"),
		`4:17: mtas[0].addresses[0]: "192.0.2.0/24": expected an address without prefix length`,
		`4:31: mtas[0].addresses[1]: "": expected an IPv4 or IPv6 address`,
		`4:35: mtas[0].addresses[2]: "1": expected an IPv4 or IPv6 address`,
		`4:38: mtas[0].addresses[3]: "192.0.2.01": expected an IPv4 or IPv6 address`,
		`4:50: mtas[0].addresses[4]: "host.test": expected an IPv4 or IPv6 address`,
		`4:61: mtas[0].addresses[5]: expected text, got nothing`,
		`4:64: mtas[0].addresses[6]: "yes": expected an IPv4 or IPv6 address`,
		`4:69: mtas[0].addresses[7]: expected text, got a list`,
		`4:73: mtas[0].addresses[8]: "2001:db8::/32": expected an address without prefix length`,
		`4:88: mtas[0].addresses[9]: "fe80::1%eth0": an address with a zone means nothing to others`,
		`4:113: mtas[0].addresses[11]: "::ffff:192.0.2.1" is there already`,
		`4:131: mtas[0].addresses[12]: "192.0.2.1" is there already`,
		`4:160: mtas[0].addresses[14]: "192.0.2.2" is there already`)

	// An address that MTAs share has one name.
	refused(t, mta(good+"ptr: x.test\n  - {addresses: [192.0.2.9, \"::ffff:192.0.2.1\"], helo: c.test, ptr: y.test}"),
		"6:29: mtas[1].addresses[1]: ::ffff:192.0.2.1 has the PTR name y.test. here and x.test. at mtas[0].addresses[0]: an address has one (mtas[0].addresses[0] is in line 4)")
	refused(t, mta("addresses: [::ffff:192.0.2.1]\n    ptr: x.test\n  - {addresses: [192.0.2.1], helo: c.test, ptr: y.test}"),
		"6:18: mtas[1].addresses[0]: 192.0.2.1 has the PTR name y.test. here and x.test. at mtas[0].addresses[0]: an address has one (mtas[0].addresses[0] is in line 4)")

	// HELO.
	refused(t, "domain: a.test\nmtas:\n  - addresses: [192.0.2.1]\n", "3:5: mtas[0]."+noHelo)
	refused(t, "domain: a.test\nmtas:\n- {addresses: [192.0.2.1], helo: '', roles: [submission]}\n", "3:34: mtas[0]."+noHelo)
	refused(t, "domain: a.test\nmtas:\n- {addresses: [192.0.2.1], helo: [192.0.2.1]}\n", "3:34: mtas[0].helo: expected text, got a list")
	refused(t, "domain: a.test\nmtas:\n- {addresses: [192.0.2.1], helo: , roles: [inbound]}\n", "3:33: mtas[0].helo: expected text, got nothing")

	// The rest of an MTA.
	refused(t, mta(good+"ptr: a..b"), `5:10: mtas[0].ptr: not a DNS name: "a..b": expected labels of 1 to 63 octets, 255 in all`)
	refused(t, mta(good+"ptr: ."), `5:10: mtas[0].ptr: "." is the root, not a name of an organization or a host`)
	refused(t, mta(good+"ptr:"), `5:10: mtas[0].ptr: expected text, got nothing`)
	refused(t, mta(good+"roles: inbound"), `5:12: mtas[0].roles: expected a list, got the text "inbound"`)
	refused(t, mta(good+"roles: [in, '', ~, 1, true, inbound, outbound, Inbound]"),
		`5:13: mtas[0].roles[0]: "in": expected inbound, outbound or submission`, `5:17: mtas[0].roles[1]: expected inbound, outbound or submission`,
		`5:21: mtas[0].roles[2]: expected text, got nothing`, `5:24: mtas[0].roles[3]: "1": expected inbound, outbound or submission`,
		`5:27: mtas[0].roles[4]: expected text, got the boolean true`, `5:52: mtas[0].roles[7]: inbound is there already`)
	refused(t, mta(good+"dedicated: yes"), `5:16: mtas[0].dedicated: expected true or false, got the text "yes"`)
	refused(t, mta(good+`dedicated: "true"`), `5:16: mtas[0].dedicated: expected true or false, got the text "true"`)
	refused(t, mta(good+"dedicated: 1"), `5:16: mtas[0].dedicated: expected true or false, got "1"`)
	refused(t, mta(good+"dedicated:"), `5:16: mtas[0].dedicated: expected true or false, got nothing`)
	refused(t, mta(good+"id: true"), `5:9: mtas[0].id: expected text, got the boolean true`)
	refused(t, mta(good+"id: mx1."), `5:9: mtas[0].id: "mx1.": what ends in a dot is a name in reports: expected another ID`)
	const badID = ": expected a letter or digit, then up to 62 letters, digits, dots, underscores or hyphens"
	for _, id := range []string{"-a", "a/b", "a b", "ü", strings.Repeat("a", 64), "a\n"} {
		refused(t, mta(good+fmt.Sprintf("id: %q", id)), fmt.Sprintf("5:9: mtas[0].id: %q%s", id, badID))
	}
	refused(t, mta(good+"id: x\n  - {id: x, addresses: [192.0.2.2], helo: c.test}"), `6:10: mtas[1].id: "x" is the ID of mtas[0] already`)
	refused(t, mta(good+"id: mta2\n  - {addresses: [192.0.2.2], helo: c.test}"), `6:5: mtas[1].id: "mta2" is the ID of mtas[0] already`)
}

func TestParseRefusesMail(t *testing.T) {
	mail := func(value string) string {
		return "domain: a.test\nmtas: [{addresses: [192.0.2.1], helo: h.test}]\nmail: " + value + "\n"
	}
	refused(t, mail("a.test"), `3:7: mail: expected a list, got the text "a.test"`)
	refused(t, mail("[a.test, {}]"), `3:8: mail[0]: expected keys and values, got the text "a.test"`, "3:16: mail[1].domain: expected a DNS name")
	refused(t, mail("[{domain: user@a.test}]"), `3:17: mail[0].domain: "user@a.test": expected what stands behind the @, "a.test"`)
	// The address of an MTA, and another one.
	refused(t, mail("[{domain: '[192.0.2.1]'}]"),
		`3:17: mail[0].domain: "[192.0.2.1]" is an address, that of mtas[0].addresses[0]: expected a domain, as stands behind the @ of senders (mtas[0].addresses[0] is in line 2)`)
	refused(t, mail("[{domain: '[IPv6:2001:db8::1]'}]"), `3:17: mail[0].domain: "[IPv6:2001:db8::1]" is an address: expected a domain, as stands behind the @ of senders`)
	refused(t, mail("[{domain: .}]"), `3:17: mail[0].domain: "." is the root, not a name of an organization or a host`)
	refused(t, mail("[{domain: b.test}, {domain: B.test.}]"), `3:35: mail[1].domain: "B.test." stands at mail[0] already`)
	refused(t, mail("[{domain: b.test, includes: [a..b, ''], softfail: 1, senders: []}]"),
		`3:36: mail[0].includes[0]: not a DNS name: "a..b": expected labels of 1 to 63 octets, 255 in all`,
		"3:42: mail[0].includes[1]: expected a DNS name", `3:57: mail[0].softfail: expected true or false, got "1"`,
		`3:60: mail[0]: unknown key "senders": expected one of domain, includes, mtas, networks, softfail`)
	refused(t, "domain: a.test\nmtas: [{id: out, addresses: [192.0.2.1], helo: h.test}, {id: in, addresses: [192.0.2.2], roles: [inbound]}]\nmail:\n  - {domain: b.test, mtas: [out, other, in, out]}\n  - {domain: c.test, mtas: none}\n",
		`4:34: mail[0].mtas[1]: "other" is not the ID of an MTA: expected IDs of those that send for the domain, or an empty list for none`,
		`4:41: mail[0].mtas[2]: "in" only receives: expected an MTA that sends (mtas[1].roles is in line 2)`,
		`4:45: mail[0].mtas[3]: "out" is there already`,
		`5:28: mail[1].mtas: expected a list, got the text "none"`)
	refused(t, mail("[{domain: b.test, includes: ['include:_spf.svc.test', 'a.test,c.test', '*.a.test'], networks: ['ip4:192.0.2.1', 0.0.0.0/0, '::ffff:192.0.2.0/120']}]"),
		`3:36: mail[0].includes[0]: "include:_spf.svc.test" is a term of an SPF record: expected the domain alone: write _spf.svc.test`,
		`3:61: mail[0].includes[1]: "a.test,c.test" is not one domain: write each by itself, a.test and c.test`,
		`3:78: mail[0].includes[2]: "*.a.test" is a wildcard: expected a domain that publishes an SPF record: write a.test`,
		`3:102: mail[0].networks[0]: "ip4:192.0.2.1": expected an IPv4 or IPv6 network, as 192.0.2.0/28: write 192.0.2.1/32`,
		`3:119: mail[0].networks[1]: "0.0.0.0/0" is everybody: expected a network of senders`,
		`3:130: mail[0].networks[2]: "::ffff:192.0.2.0/120" is an IPv4 network in IPv6 notation: expected an IPv4 or IPv6 network: write 192.0.2.0/24`)
	refused(t, mail("[{domain: 'https://a.test/'}, {domain: '*.a.test'}]"),
		`3:17: mail[0].domain: "https://a.test/" is a URL: expected a domain: write a.test`,
		`3:46: mail[1].domain: "*.a.test" is a wildcard: expected a domain that publishes an SPF record: write a.test`)
	refused(t, mail("[{domain: b.test, networks: [192.0.2.1, 192.0.2.9/28, ~, 192.0.2.0/24]}]"),
		`3:36: mail[0].networks[0]: "192.0.2.1": expected an IPv4 or IPv6 network, as 192.0.2.0/28: write 192.0.2.1/32`,
		`3:47: mail[0].networks[1]: "192.0.2.9/28" has bits beyond its length: expected 192.0.2.0/28, or 192.0.2.9/32 for the one address`,
		"3:61: mail[0].networks[2]: expected text, got nothing")
}

func TestParseRefusesNamesAndContacts(t *testing.T) {
	more := func(text string) string {
		return "domain: a.test\nmtas: [{addresses: [192.0.2.1], helo: H.a.test}, {addresses: [192.0.2.2], roles: [inbound], helo: in.a.test}]\n" + text + "\n"
	}
	refused(t, more("names: [h.a.test., in.a.test, A.test, a..b, x.test, X.test.]"),
		`3:9: names[0]: "h.a.test." is the HELO name of mtas[0]: expected a name that neither sends mail nor gets any`,
		`3:31: names[2]: "A.test" is the mail domain, as long as there is no list mail: expected a name that neither sends mail nor gets any`,
		`3:39: names[3]: not a DNS name: "a..b": expected labels of 1 to 63 octets, 255 in all`,
		`3:53: names[5]: "X.test." is names[4] already: expected a name that neither sends mail nor gets any`)
	refused(t, more("mail: [{domain: m.test}]\nnames: [a.test, m.test]"),
		`4:17: names[1]: "m.test" is the domain of mail[0]: expected a name that neither sends mail nor gets any`)
	refused(t, more("names: www.a.test"), `3:8: names: expected a list, got the text "www.a.test"`)
	refused(t, more("contacts: [mta]"), "3:11: contacts: expected keys and values, got a list")
	refused(t, more("contacts: {mta: John, boss: {}}"), `3:17: contacts.mta: expected keys and values, got the text "John"`,
		`3:23: contacts: unknown key "boss": expected one of abuse, admin, mta`)
	refused(t, more("contacts: {mta: {name: '-'}, admin: {name: John, address: '1 Main Street, web:x'}}"),
		`3:24: contacts.mta.name: "-" names nobody: expected the name of a person or a department`,
		`3:59: contacts.admin.address: "1 Main Street, web:x": expected one line without another part of the published text in it, such as phone: or web:`)
	refused(t, more("contacts: {admin: {}, abuse: {name: 'Smith, John', tel: 1}}"),
		"3:19: contacts.admin.name: expected the name of a person or a department",
		`3:37: contacts.abuse.name: "Smith, John": expected no comma before a space, which ends a part of the published text`,
		`3:52: contacts.abuse: unknown key "tel": expected one of address, email, mailbox, name, phone, role, web`)
}

// The same name in two spellings, or one that is not described, contradicts
// nothing.
func TestParseSharedAddress(t *testing.T) {
	o, err := org.Parse("f", []byte(`domain: a.test
mtas:
  - {addresses: [192.0.2.1], ptr: x.test, helo: h.test}
  - {addresses: [192.0.2.1], ptr: X.Test., helo: i.test}
  - {addresses: [192.0.2.1], helo: j.test}
`))
	if err != nil || o.MTAs[1].PTR != "x.test." {
		t.Errorf("got %+v, %v", o, err)
	}
}

// The words are the YAML parser's: what counts is one line, printable, and the
// place.
func TestParseSyntaxErrors(t *testing.T) {
	for text, want := range map[string]string{
		"domain: [":                     "1:9: sequence end token ']' not found",
		"domain: a.test\nmtas: [{id: x": "2:8: could not find flow mapping end token '}'",
		"domain: \"a":                   "1:9: could not find end character of double-quoted text",
		"domain: @a":                    "1:9: '@' is a reserved character",
		"domain: a.test\n mtas: []":     "1:9: mapping value is not allowed in this context",
		"domain: a.test\n\tmtas: []":    `2:1: found character '\x09' that cannot start any token`,
		"\tdomain: a.test":              "1:7: tab character cannot use as a map key directly",
		`{"domain": "a.test"} "mtas"`:   "1:22: value is not allowed in this context",
		"domain: a.test\nmtas: *":       "2:7: undefined alias name",
		"? [a]\n: b":                    "2:1: found an invalid key for this map",
		": : :":                         "1:1: unexpected key name",
	} {
		refused(t, text, want)
	}
}

// What would cost the YAML parser time and memory by the square is refused before.
func TestParseIsBounded(t *testing.T) {
	keys := strings.Repeat("  a:\n", 60)
	for _, test := range []struct{ text, want string }{
		{strings.Repeat("[", 2000), "1:17: nested too deeply"},
		{strings.Repeat("{a: ", 2000), "1:65: nested too deeply"},
		{strings.Repeat("]", 100) + strings.Repeat("[", 2000), "1:117: nested too deeply"},
		{strings.Repeat("- ", 2000), "1:65: nested too deeply"},
		{strings.Repeat("a: b\n", 2000), "65:2: too many keys or documents"},
		{strings.Repeat("a:\n- b\n", 2000), "129:2: too many keys or documents"},
		{strings.Repeat("? a\n", 2000), "65:1: too many keys or documents"},
		{strings.Repeat("---\na\n...\n", 2000), "97:1: too many keys or documents"},
		{"mtas:\n-\n" + keys + "-\n" + keys + keys, "128:4: too many keys or documents"},
		{strings.Repeat("-\n", 40_000), "36001:1: too long: expected at most 36000 words and punctuation marks"},
	} {
		refused(t, test.text, test.want)
	}
	refused(t, "domain: a.test\nmtas: "+strings.Repeat("[", 16)+strings.Repeat("]", 16), "2:8: mtas[0]: expected keys and values, got a list")

	// The largest that is promised fits, on many lines and on one.
	var yaml strings.Builder
	yaml.WriteString("domain: example.test\nmtas:\n")
	for i := range 1000 {
		fmt.Fprintf(&yaml, `  - id: mx%d
    addresses: [192.0.%d.%d, "2001:db8::%x"]
    ptr: mta%d.example.test
    helo: post%d.example.test
    roles: [inbound, outbound]
    dedicated: true
`, i, i/250, i%250, i, i, i)
	}
	o, err := org.Parse("f", []byte(yaml.String()))
	if err != nil || len(o.MTAs) != 1000 {
		t.Fatalf("a thousand MTAs: %v", err)
	}
	text, err := json.MarshalIndent(o, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := org.Parse("f", text); err != nil || !cmp.Equal(o, again, sameAddr) {
		t.Errorf("a thousand MTAs in JSON: %v", err)
	}
}

// FuzzParse: no text panics; an error says where and on one line a problem; what
// is accepted is valid, and comes back from JSON as it is.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		full, fullJSON, "", "a: &a [*a]", "- |\n a\n", "? a\n: b", "<<: *x", "%TAG ! a\n---\n!x {}", "\"\\x00\\ud800\"", "'", "[{", "a:\n\t- b",
		"domain: \"\\xff\\u0085\"\nmtas: [{addresses: [::1], helo: \"\\xff\\x7f<\\u2028\"}]", "domain: a\nmtas:\n- addresses: [1.2.3.4]\n  helo: >-\n   b\n\n   c",
		"domain: \x1b[2J\x07: \u202e\r{", "{domain: a, mtas: [{addresses: [::1%a\x1b], helo: b, roles: [\x07]}]}",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		o, err := org.Parse("f", []byte(text))
		if err != nil {
			listed, ok := errors.AsType[*org.Error](err)
			if !ok || len(listed.Problems) == 0 || o != nil {
				t.Fatalf("got %+v, %v", o, err)
			}
			for i, p := range listed.Problems {
				if p.Line < 1 || p.Column < 1 || p.Text == "" || strings.ContainsFunc(p.String(), unicode.IsControl) {
					t.Errorf("problem %d: %+v", i, p)
				}
			}
			return
		}
		if err := o.Validate(); err != nil {
			t.Errorf("accepted, but %v", err)
		}
		text2, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		again, err := org.Parse("f", text2)
		if err != nil {
			t.Fatalf("%s: %v", text2, err)
		}
		if diff := cmp.Diff(o, again, sameAddr); diff != "" {
			t.Errorf("%s (-first +again):\n%s", text2, diff)
		}
	})
}

func TestParseRefusesZones(t *testing.T) {
	more := func(text string) string {
		return "domain: a.test\nmtas:\n- {addresses: [192.0.2.1], helo: post.b.test}\n- {addresses: [192.0.2.2], helo: '[192.0.2.2]'}\n- {addresses: [192.0.2.3], helo: x, roles: [inbound]}\n" + text + "\n"
	}
	refused(t, more("zones: [a.test, 2.0.192.in-addr.arpa]"),
		`3:34: mtas[0].helo: "post.b.test" is in none of the zones, which are a.test. 2.0.192.in-addr.arpa.: expected a name in one of them (zones is in line 6)`)
	refused(t, more("zones: [b.test, B.test., '']"), `6:17: zones[1]: "B.test." is there already`, "6:26: zones[2]: expected a DNS name")
	refused(t, more("zones: a.test"), `6:8: zones: expected a list, got the text "a.test"`)
	if _, err := org.Parse("", []byte(more("zones: [POST.b.test]"))); err != nil {
		t.Error(err)
	}
}

func TestParseRefusesExceptions(t *testing.T) {
	more := func(text string) string {
		return "domain: a.test\nmtas: [{addresses: [192.0.2.1], helo: h.a.test}]\nexceptions: " + text + "\n"
	}
	refused(t, more("[{rule: '', because: x}, 1]"),
		"3:14: exceptions[0].subject: expected organization, the ID of an MTA, ID/address or a name",
		"3:14: exceptions[0].reason: expected why, for reports", "3:21: exceptions[0].rule: expected the ID of a rule",
		`3:25: exceptions[0]: unknown key "because": expected one of reason, rule, subject, until`,
		`3:38: exceptions[1]: expected keys and values, got "1"`)
	for _, until := range []string{"2027-02-29", "2027-1-31", "20270131", "tomorrow", "2027-01-31T00:00:00Z"} {
		refused(t, more("[{rule: x, subject: y, reason: z, until: '"+until+"'}]"),
			fmt.Sprintf("3:54: exceptions[0].until: %q: expected the last day of the exception, as 2027-01-31", until))
	}
	refused(t, more("[{rule: x, subject: y, reason: z, until: [2027-01-31]}]"), "3:54: exceptions[0].until: expected text, got a list")
}

// An exception is in force through its whole last day in UTC, and has expired after it.
// The time zone of the clock does not matter.
func TestExceptionsExpire(t *testing.T) {
	o, err := org.Parse("", []byte("domain: a.test\nmtas: [{addresses: [192.0.2.1], helo: h.a.test}]\nexceptions:\n"+
		"- {rule: x, subject: mta1, reason: for ever}\n- {rule: y, subject: mta1, reason: for a time, until: 2027-02-28}\n"))
	if err != nil {
		t.Fatal(err)
	}
	east, west := time.FixedZone("east", 14*3600), time.FixedZone("west", -12*3600)
	for _, test := range []struct {
		at      time.Time
		expired bool
	}{
		{time.Date(2027, 2, 28, 0, 0, 0, 0, time.UTC), false},
		{time.Date(2027, 2, 28, 23, 59, 59, 999999999, time.UTC), false},
		{time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC), true},
		{time.Date(2027, 3, 1, 13, 59, 59, 999999999, east), false}, // the last day in UTC, March here
		{time.Date(2027, 3, 1, 14, 0, 0, 0, east), true},
		{time.Date(2027, 2, 28, 11, 59, 59, 999999999, west), false},
		{time.Date(2027, 2, 28, 12, 0, 0, 0, west), true}, // March in UTC, the last day here
		{time.Time{}, false},
	} {
		forever, limited := o.Exceptions[0], o.Exceptions[1]
		if forever.Expired(test.at) || limited.Expired(test.at) != test.expired {
			t.Errorf("%v: expired %t and %t", test.at, forever.Expired(test.at), limited.Expired(test.at))
		}
		holds := o.At(test.at)
		if !test.expired && !cmp.Equal(holds, o, sameAddr) || test.expired && (len(holds.Exceptions) != 1 || holds.Exceptions[0].Rule != "x") {
			t.Errorf("%v: in force are %+v", test.at, holds.Exceptions)
		}
	}
	if len(o.Exceptions) != 2 {
		t.Errorf("the description was changed: %+v", o.Exceptions)
	}
}
