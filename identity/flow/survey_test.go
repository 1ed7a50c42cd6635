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
@       DNSKEY 257 3 13 AAAA
s1._domainkey.signs TXT "v=DKIM1; p=MIIB"
s1._domainkey.revoked TXT "v=DKIM1; p="
_domainkey.unsigned TXT "o=-"
_dmarc.rejects TXT "v=DMARC1; p=Reject"
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
	flow.Machine: "machine", flow.Signed: "signed",
}

func traitsOf(n *flow.Node) string {
	var out []string
	for t := flow.Apex; t <= flow.Signed; t <<= 1 {
		if n.Has(t) {
			out = append(out, traits[t])
		}
	}
	return strings.Join(out, " ")
}

func TestNodes(t *testing.T) {
	s := read(t, resolver.SeqOf(records(t)...), parseOrg(t))
	for _, test := range []struct{ name, addrs, traits string }{
		{"example.test.", "[]", "apex delegated gets-mail sends signed"},
		{"mx1.example.test.", "[192.0.2.10 2001:db8::10]", ""},
		{"mx0.example.test.", "[192.0.2.10]", ""},
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

// A name that is also described as one with mail is not one without mail. What is described is
// the organization's.
func TestContradictoryDescription(t *testing.T) {
	o := parseOrg(t)
	o.Names, o.Zones = []string{"Post.example.test", "alone.test"}, []string{"written.test", "Example.test"}
	s := read(t, resolver.SeqOf(records(t)...), o)
	if s.NoMail("post.example.test.") || !s.NoMail("alone.test.") {
		t.Error("names without mail")
	}
	for name, want := range map[string]string{
		"deep.example.test.": "", "other.test.": "", "www.other.test.": "", "alone.test.": "", "x.written.test.": "",
		"test.": "it is not a name of example.test", "stranger.test.": "it is not a name of example.test", ".": "it is not a name of example.test",
	} {
		if got := s.NotOwned(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got := read(t, resolver.SeqOf(records(t)...), nil).NotOwned("stranger.test."); got != "" {
		t.Errorf("without a description: %q", got)
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

// disorder returns records that contradict each other, as no server has them: of one name
// several aliases, SPF records, redirects and TTLs.
func disorder(t *testing.T) []dns.RR {
	t.Helper()
	zones, err := resolver.ParseZones(`
$ORIGIN example.test.
$TTL 300
two TXT "v=spf1 redirect=one.example.test"
two 60 TXT "v=spf1 redirect=_two.example.test"
two 5 TXT " v=spf1 -all"
mx1 MX 10 mx0
mx1 MX 20 mx0
`)
	if err != nil {
		t.Fatal(err)
	}
	out := collected(zones)
	for _, target := range []string{"www.example.test.", "post.example.test.", "mx1.example.test."} {
		hdr := dns.RR_Header{Name: "many.example.test.", Class: dns.ClassINET, Ttl: 300}
		out = append(out, &dns.CNAME{Hdr: hdr, Target: target}, &dns.DNAME{Hdr: hdr, Target: target})
	}
	return out
}

func collected(zones *resolver.Zones) []dns.RR {
	var out []dns.RR
	for rr := range zones.Records() {
		out = append(out, rr)
	}
	return out
}

// The order of the records does not matter.
func TestReadInAnyOrder(t *testing.T) {
	all, o := append(records(t), disorder(t)...), parseOrg(t)
	view := func(s *flow.Survey) []string {
		var out []string
		for _, n := range s.Nodes() {
			slices.SortFunc(n.Addrs, netip.Addr.Compare)
			out = append(out, fmt.Sprintf("%s %s %s %d %q", n.Name, n.Addrs, traitsOf(&n), n.TextTTL, s.NotInZone(n.Name)))
			for _, addr := range n.Addrs {
				out = append(out, s.Server(addr), s.Authorizer(addr))
			}
		}
		for f := range s.Flows() {
			out = append(out, fmt.Sprintf("%+v: %s", f, s.Clients(f)))
		}
		return slices.AppendSeq(out, s.Foreign())
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
alias  CNAME _null
five   TXT "v=spf1 redirect=alias.example.test"
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
	for name, want := range map[string]flow.Trait{"one": flow.NullSPF, "two": flow.Sends, "three": flow.Sends, "four": flow.Sends, "five": flow.NullSPF} {
		n := s.Node(name + ".example.test.")
		if !n.Has(want) || n.Has(flow.Sends|flow.NullSPF) != n.Has(want) || n.Has((flow.Sends|flow.NullSPF)&^want) {
			t.Errorf("%s: %v", name, n)
		}
	}
}
