package flow_test

import (
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/identity/flow"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/resolver"
)

const zone = `
$TTL 300
$ORIGIN example.test.
@       SOA ns hostmaster 1 1 1 1 60
@       NS  ns
@       MX  10 MX1
@       TXT "v=spf1 ip4:198.51.100.0/28 ip4:198.51.100.4 ip6:2001:db8:1::/48 -ip4:203.0.113.0/24 a:gw.example.test a:%{i}.example.test include:_spf.other.test -all"
mx1     A   192.0.2.10
mx1     AAAA 2001:db8::10
mx0     A   192.0.2.10
second  MX  20 mx0
null    A   192.0.2.11
null    MX  0 .
null    60 TXT "V=SPF1 -all"
several TXT "v=spf1 -all"
several TXT "v=spf1 mx -all"
broken  TXT "v=spf1 a:partner.example.test ip4:300.0.0.1 -all"
token   TXT "verification=v=spf1"
missed  TXT " v=spf1 mx -all"
missed  TXT "v=spf1; mx -all"
meant   TXT "v=spf1; mx -all"
meant   TXT "v=spf1 -all"
nobody  TXT "v=spf1 redirect=null.example.test"
twice   TXT "v=spf1 redirect=nobody.example.test"
else    TXT "v=spf1 redirect=elsewhere.example.test"
split   TXT "v=spf1 redirect=several.example.test"
all     TXT "v=spf1 ip4:0.0.0.0/0 -all"
alias   CNAME www
sshd    SSHFP 1 1 00
sshd    A   192.0.2.12
old     HINFO a b
post    A   192.0.2.20
_client._smtp.post SRV 1 2 1 post
_client._smtp.idle SRV 1 1 0 idle
_submission._tcp SRV 0 0 587 submit
_imap._tcp SRV 0 0 143 imap
s1._domainkey.signs TXT "v=DKIM1; p=QUJD"
s1._domainkey.revoked TXT "v=DKIM1; p="
s1._domainkey.hosted CNAME s1.dkim.provider.test.
_domainkey.delegated NS ns.provider.test.
_25._tcp.pinned TLSA 3 1 1 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
_443._tcp.web TLSA 3 1 1 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
_mta-sts.strict TXT "v=STSv1; id=1"
_smtp._tls.told TXT "v=TLSRPTv1; rua=mailto:tls@example.test"
_dmarc.parked TXT "v=DMARC1; p=Reject; sp=none"
_domainkey.unsigned TXT "o=-"
_dmarc.aligns TXT "v=DMARC1; p=none"
x_dmarc.unaligned TXT "nothing"
_domainkey TXT "t=y"
www     A   192.0.2.80
dname   DNAME other.test.
below.dname A 192.0.2.81
sub     NS  ns.sub
ns.sub  A   192.0.2.53
alone.test. A 192.0.2.82
$ORIGIN 2.0.192.in-addr.arpa.
@       SOA ns.example.test. hostmaster.example.test. 1 1 1 1 60
80      PTR www.example.test.
alias   PTR nobody.example.test.
`

const description = `
domain: example.test
mtas: [{id: out, addresses: [192.0.2.20, 192.0.2.80], ptr: mta1.example.test, helo: Post.example.test}]
mail: [{domain: example.test}, {domain: other.test}]
names: [www.example.test, imap.example.test]
`

func parseOrg(t testing.TB) *org.Organization {
	t.Helper()
	o, err := org.Parse("org.yaml", []byte(description))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// records returns those of the zone text, in its order.
func records(t testing.TB) []dns.RR {
	t.Helper()
	var out []dns.RR
	parser := dns.NewZoneParser(strings.NewReader(zone), "", "")
	for rr, ok := parser.Next(); ok; rr, ok = parser.Next() {
		out = append(out, rr)
	}
	if err := parser.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

func read(t testing.TB, records iter.Seq2[dns.RR, error], o *org.Organization) *flow.Survey {
	t.Helper()
	s, err := flow.Read(records, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var traits = map[flow.Trait]string{
	flow.Apex: "apex", flow.Delegated: "delegated", flow.Redirects: "redirects", flow.Alias: "alias", flow.GetsMail: "gets-mail",
	flow.NullMX: "null-mx", flow.Sends: "sends", flow.NullSPF: "null-spf", flow.SeveralSPF: "several-spf", flow.Serves: "serves",
	flow.Exchanger: "exchanger", flow.Machine: "machine",
}

func traitsOf(n *flow.Node) string {
	var out []string
	for t := flow.Apex; t <= flow.Machine; t <<= 1 {
		if n.Has(t) {
			out = append(out, traits[t])
		}
	}
	return strings.Join(out, " ")
}

func TestNodes(t *testing.T) {
	s := read(t, resolver.SeqOf(records(t)...), parseOrg(t))
	for _, test := range []struct{ name, addrs, traits string }{
		{"example.test.", "[]", "apex delegated gets-mail sends"},
		{"mx1.example.test.", "[192.0.2.10 2001:db8::10]", "exchanger"},
		{"mx0.example.test.", "[192.0.2.10]", "exchanger"},
		{"second.example.test.", "[]", "gets-mail"},
		{"null.example.test.", "[192.0.2.11]", "null-mx null-spf"},
		{"several.example.test.", "[]", "sends null-spf several-spf"},
		{"broken.example.test.", "[]", "sends"},
		{"token.example.test.", "[]", ""},
		{"missed.example.test.", "[]", ""},
		{"meant.example.test.", "[]", "null-spf"},
		{"nobody.example.test.", "[]", "null-spf"},
		{"twice.example.test.", "[]", "null-spf"},
		{"else.example.test.", "[]", "sends"},
		{"split.example.test.", "[]", "sends"},
		{"alias.example.test.", "[]", "alias"},
		{"sshd.example.test.", "[192.0.2.12]", "machine"},
		{"old.example.test.", "[]", "machine"},
		{"_client._smtp.post.example.test.", "[]", "serves"},
		{"www.example.test.", "[192.0.2.80]", "machine"},
		{"dname.example.test.", "[]", "redirects"},
		{"sub.example.test.", "[]", "delegated"},
		{"2.0.192.in-addr.arpa.", "[]", "apex"},
	} {
		n := s.Node(test.name)
		if n == nil {
			t.Errorf("%s is not known", test.name)
			continue
		}
		if addrs := fmt.Sprint(n.Addrs); addrs != test.addrs || traitsOf(n) != test.traits {
			t.Errorf("%s: %s %q, want %s %q", test.name, addrs, traitsOf(n), test.addrs, test.traits)
		}
	}
	if n := s.Node("gw.example.test."); n != nil || n.Has(flow.Apex) {
		t.Errorf("a name without records: %+v", n)
	}
	if got := s.Node("null.example.test.").TextTTL; got != 60 {
		t.Errorf("TTL of the texts: %d, want 60", got)
	}
	if !slices.IsSortedFunc(s.Nodes(), func(a, b flow.Node) int { return flow.Note{Name: a.Name}.Compare(flow.Note{Name: b.Name}) }) {
		t.Error("the nodes are not sorted")
	}
}

func TestTies(t *testing.T) {
	with, without := read(t, resolver.SeqOf(records(t)...), parseOrg(t)), read(t, resolver.SeqOf(records(t)...), nil)
	for name, want := range map[string]string{
		"mx1.example.test.":       "it takes the mail of example.test.",
		"mx0.example.test.":       "it takes the mail of second.example.test.",
		"gw.example.test.":        "the SPF record of example.test. names it",
		"_spf.other.test.":        "the SPF record of example.test. names it",
		"elsewhere.example.test.": "the SPF record of else.example.test. names it",
		"several.example.test.":   "the SPF record of split.example.test. names it",
		"null.example.test.":      "",
		"partner.example.test.":   "the SPF record of broken.example.test. names it",
		"post.example.test.":      "a CSA record authorizes it in HELO",
		"submit.example.test.":    "it is the target of _submission._tcp.example.test.",
		"signs.example.test.":     "it has s1._domainkey.signs.example.test.",
		"revoked.example.test.":   "",
		"hosted.example.test.":    "it has s1._domainkey.hosted.example.test.",
		"delegated.example.test.": "it has _domainkey.delegated.example.test.",
		"pinned.example.test.":    "it has _25._tcp.pinned.example.test.",
		"web.example.test.":       "",
		"strict.example.test.":    "it has _mta-sts.strict.example.test.",
		"told.example.test.":      "it has _smtp._tls.told.example.test.",
		"parked.example.test.":    "",
		"aligns.example.test.":    "it has _dmarc.aligns.example.test.",
		"idle.example.test.":      "",
		"imap.example.test.":      "",
		"unsigned.example.test.":  "",
		"unaligned.example.test.": "",
		"www.example.test.":       "",
		".":                       "",
	} {
		if with.Tie(name) != want || without.Tie(name) != want {
			t.Errorf("%s: %q with a description, %q without, want %q", name, with.Tie(name), without.Tie(name), want)
		}
	}
	if got := with.Tie("alone.test."); got != "it is not a name of example.test." {
		t.Errorf("another organization's name: %q", got)
	}
	if got := without.Tie("alone.test."); got != "" {
		t.Errorf("nobody's name: %q", got)
	}
}

func TestDescription(t *testing.T) {
	s := read(t, resolver.SeqOf(records(t)...), parseOrg(t))
	for _, test := range []struct {
		name, described string
		noMail          bool
	}{
		{"post.example.test.", "it is the HELO name of out", false},
		{"mta1.example.test.", "it is the PTR name of out", false},
		{"example.test.", "it is a mail domain", false},
		{"other.test.", "it is a mail domain", false},
		{"www.example.test.", "", true},
		{"imap.example.test.", "", true},
		{"null.example.test.", "", false},
	} {
		if got := s.Described(test.name); got != test.described || s.NoMail(test.name) != test.noMail {
			t.Errorf("%s: %q %v, want %q %v", test.name, got, s.NoMail(test.name), test.described, test.noMail)
		}
	}
}

func TestNearMiss(t *testing.T) {
	s := read(t, resolver.SeqOf(records(t)...), nil)
	for name, want := range map[string]string{
		"missed.example.test.": "a blank before the version: remove it", // the first of two
		"meant.example.test.":  "",                                      // has an SPF record, too
		"nosuch.example.test.": "",
	} {
		if got := s.NearMiss(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// A name that is described twice, or not at all, is not one without mail.
func TestContradictoryDescription(t *testing.T) {
	o := parseOrg(t)
	o.Names = []string{"Post.example.test", "alone.test"}
	s := read(t, resolver.SeqOf(records(t)...), o)
	for name, want := range map[string]bool{"post.example.test.": false, "alone.test.": true, "www.alone.test.": false} {
		if s.NoMail(name) != want {
			t.Errorf("%s is described as a name without mail: %v, expected %v", name, !want, want)
		}
	}
}

func TestAddresses(t *testing.T) {
	s := read(t, resolver.SeqOf(records(t)...), parseOrg(t))
	for _, test := range []struct{ addr, authorizer, server string }{
		{"192.0.2.10", "", "mx0.example.test."}, // the first of its names
		{"2001:db8::10", "", "mx1.example.test."},
		{"192.0.2.20", "", "out"},
		{"192.0.2.80", "", "out"},
		{"192.0.2.12", "", ""},
		{"198.51.100.4", "example.test.", ""},
		{"198.51.100.15", "example.test.", ""},
		{"198.51.100.16", "", ""},
		{"2001:db8:1::1", "example.test.", ""},
		{"203.0.113.1", "", ""}, // denied
	} {
		addr := netip.MustParseAddr(test.addr)
		if authorizer, server := s.Authorizer(addr), s.Server(addr); authorizer != test.authorizer || server != test.server {
			t.Errorf("%s: %q %q, want %q %q", addr, authorizer, server, test.authorizer, test.server)
		}
	}
}

func TestZones(t *testing.T) {
	s := read(t, resolver.SeqOf(records(t)...), nil)
	for _, test := range []struct{ name, zone, notInZone string }{
		{"example.test.", "example.test.", ""},
		{"a.b.example.test.", "example.test.", ""},
		{"alone.test.", ".", ""},
		{"80.2.0.192.in-addr.arpa.", "2.0.192.in-addr.arpa.", ""},
		{"dname.example.test.", "example.test.", ""},
		{"below.dname.example.test.", "example.test.", "all names below dname.example.test. are redirected by its DNAME record"},
		{"sub.example.test.", "example.test.", "sub.example.test. is delegated to a zone of its own"},
		{"ns.sub.example.test.", "example.test.", "sub.example.test. is delegated to a zone of its own"},
	} {
		if zone, reason := s.Zone(test.name), s.NotInZone(test.name); zone != test.zone || reason != test.notInZone {
			t.Errorf("%s: %s %q, want %s %q", test.name, zone, reason, test.zone, test.notInZone)
		}
	}
}

// The order of the records does not matter.
func TestReadInAnyOrder(t *testing.T) {
	all, o := records(t), parseOrg(t)
	view := func(s *flow.Survey) []string {
		var out []string
		for _, n := range s.Nodes() {
			slices.SortFunc(n.Addrs, netip.Addr.Compare)
			out = append(out, fmt.Sprintf("%s %s %s %d %q %q", n.Name, n.Addrs, traitsOf(&n), n.TextTTL, s.Tie(n.Name), s.NotInZone(n.Name)))
			for _, addr := range n.Addrs {
				out = append(out, s.Server(addr))
			}
		}
		return out
	}
	want := view(read(t, resolver.SeqOf(all...), o))
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	for range 20 {
		r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		if diff := cmp.Diff(want, view(read(t, resolver.SeqOf(all...), o))); diff != "" {
			t.Fatalf("seed %d (-in order +shuffled):\n%s", seed, diff)
		}
	}
}

func TestReadFails(t *testing.T) {
	failure := errors.New("broken")
	for _, test := range []struct {
		name    string
		records iter.Seq2[dns.RR, error]
		want    string
	}{
		{"records that break off", func(yield func(dns.RR, error) bool) { yield(nil, failure) }, "broken"},
		{"no records", resolver.SeqOf(), "expected a whole zone, with its SOA record"},
		{"a part of a zone", resolver.SeqOf(records(t)[4:6]...), "expected a whole zone, with its SOA record"},
		{"names that are not names", resolver.SeqOf(&dns.SOA{Hdr: dns.RR_Header{Name: "a..test.", Rrtype: dns.TypeSOA, Class: dns.ClassINET}}), "expected a whole zone, with its SOA record"},
	} {
		if s, err := flow.Read(test.records, nil); s != nil || err == nil || err.Error() != test.want {
			t.Errorf("%s: %v, %v, want %q", test.name, s, err, test.want)
		}
	}
}

func TestNote(t *testing.T) {
	for _, test := range []struct {
		note flow.Note
		want string
	}{
		{flow.Note{Name: "www.example.test.", Text: "it is an alias"}, "www.example.test: it is an alias"},
		{flow.Note{Name: ".", Text: "it is the root"}, ".: it is the root"},
		{flow.Note{Name: "a.test.", Text: "it says \x1b[31m"}, `a.test: it says \x1b[31m`},
	} {
		if got := test.note.String(); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
	notes := []flow.Note{{"b.test.", "1"}, {"a.b.test.", "1"}, {"a.test.", "2"}, {"a.test.", "1"}, {"test.", "9"}}
	slices.SortFunc(notes, flow.Note.Compare)
	if diff := cmp.Diff([]flow.Note{{"test.", "9"}, {"a.test.", "1"}, {"a.test.", "2"}, {"b.test.", "1"}, {"a.b.test.", "1"}}, notes); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

// A redirect to a null record is as good as one, unless the record is not the zone's to
// say, or the description lets its name send.
func TestRedirectToNull(t *testing.T) {
	zones, err := resolver.ParseZones(`
$TTL 300
$ORIGIN example.test.
@      SOA ns hostmaster 1 1 1 1 60
@      TXT "v=spf1 -all"
_null  TXT "v=spf1  -all"
sub    NS  ns.sub
x.sub  TXT "v=spf1 -all"
one    TXT "v=spf1 redirect=_null.example.test"
two    TXT "v=spf1 redirect=x.sub.example.test"
three  TXT "v=spf1 redirect=example.test"
four   TXT "v=spf1 redirect=four.example.test"
`)
	if err != nil {
		t.Fatal(err)
	}
	o := &org.Organization{Domain: "example.test"}
	s, err := flow.Read(zones.Records(), o)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]flow.Trait{"one": flow.NullSPF, "two": flow.Sends, "three": flow.Sends, "four": flow.Sends} {
		n := s.Node(name + ".example.test.")
		if !n.Has(want) || n.Has(flow.Sends|flow.NullSPF) != n.Has(want) || n.Has((flow.Sends|flow.NullSPF)&^want) {
			t.Errorf("%s: %v", name, n)
		}
	}
}
