package harden_test

import (
	"errors"
	"flag"
	"fmt"
	"iter"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/identity/harden"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/resolver"
)

const hardenOrg = `
domain: example.test
mtas: [{addresses: [192.0.2.10], ptr: mta1.example.test, helo: Post.example.test}]
mail: [{domain: example.test}, {domain: news.example.test}]
names: [mailman.example.test, list.example.test]
`

const hardenZone = `
$TTL 300
$ORIGIN example.test.
@       SOA ns hostmaster 1 1 1 1 60
@       NS  ns
@       A   192.0.2.1
ns      A   192.0.2.53
WWW     A   192.0.2.80
www     AAAA 2001:db8::80
six     AAAA 2001:db8::6
post    A   192.0.2.10
mta1    A   192.0.2.10
news    A   192.0.2.11
takes   A   192.0.2.12
takes   MX  10 store
store   A   192.0.2.99
null    A   192.0.2.13
null    MX  0 .
null    TXT "V=SPF1 -all"
half    60 A   192.0.2.13
half    60 TXT "token"
sends   A   192.0.2.14
sends   TXT "v=spf1 a:gw.example.test ip4:203.0.113.0/28 -ip4:192.0.2.80 -all"
opens   A   192.0.2.14
opens   TXT "v=spf1"
broken  A   192.0.2.14
broken  TXT "v=spf1 ip4:300.1.1.1 a:host7.example.test -all"
gw      A   192.0.2.15
host7   A   192.0.2.17
range   A   203.0.113.7
text    A   192.0.2.15
text    TXT "v=spf10 is none"
blank   A   192.0.2.61
blank   TXT " v=spf1 ip4:192.0.2.61 -all"
joined  A   192.0.2.62
joined  TXT v=spf1 ip4:192.0.2.62 -all
curly   A   192.0.2.63
curly   TXT "“v=spf1 ip4:192.0.2.63 -all”"
both    A   192.0.2.65
both    TXT "v=spf1; -all"
both    TXT "v=spf1  -all exp=why.example.test"
both    MX  10 .
redir   A   192.0.2.66
redir   TXT "v=spf1 redirect=null.example.test"
redir2  A   192.0.2.67
redir2  TXT "v=spf1 redirect=redir.example.test"
redir3  A   192.0.2.68
redir3  TXT "v=spf1 redirect=sends.example.test"
prose   A   192.0.2.69
prose   TXT "SPF is on the name mail"
alias   CNAME www
only    TXT "no address"
*.wild  A   192.0.2.16
*.post  MX 10 post
*.old   TXT "v=spf1 -all"
_under  A   192.0.2.17
sub     NS  ns.sub
ns.sub  A   192.0.2.54
sub     A   192.0.2.55
dname   DNAME www
below.dname A 192.0.2.56
dname   A   192.0.2.56
greets  A   192.0.2.57
_client._smtp.greets SRV 1 2 1 greets
denied  A   192.0.2.57
_client._smtp.denied SRV 1 1 0 denied
submit  A   192.0.2.58
_submission._tcp SRV 0 0 587 submit
signs   A   192.0.2.59
k1._domainkey.signs TXT "v=DKIM1; p=QUJD"
aligns  A   192.0.2.60
_dmarc.aligns TXT "v=DMARC1; p=none"
mailman A   192.0.2.61
mail    A   192.0.2.62
list    A   192.0.2.63
list    MX  10 post
store   A   192.0.2.64
beside  A   192.0.2.64
shell   A   192.0.2.65
shell   SSHFP 4 2 123456789abcdef67890123456789abcdef67890123456789abcdef123456789
box     A   192.0.2.66
shop    A   192.0.2.10
twice   A   192.0.2.82
twice   TXT "v=spf1 -all"
twice   TXT "v=spf1 a -all"
nulls   A   192.0.2.82
nulls   TXT "v=spf1 -all"
nulls   TXT "V=SPF1 -all"
*       A   192.0.2.67
x.empty A   192.0.2.68
_client._smtp.box SRV 1 1 0 box
$ORIGIN 2.0.192.in-addr.arpa.
@       SOA ns.example.test. hostmaster.example.test. 1 1 1 1 60
66      PTR box.example.test.
$ORIGIN moved.example.test.
@       SOA ns hostmaster 1 1 1 1 60
@       DNAME other.test.
hidden  A   192.0.2.69
$ORIGIN other.test.
@       SOA ns hostmaster 1 1 1 1 60
www     A   192.0.2.81
`

// hardened is a Hardening as zone text.
var update = flag.Bool("update", false, "rewrite the zone text in testdata")

func hardened(t *testing.T, h *harden.Hardening) string {
	t.Helper()
	var out strings.Builder
	if err := h.WriteZone(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestHarden(t *testing.T) {
	zones := parseZones(t, hardenZone)
	o := parse(t, hardenOrg)
	h, err := harden.Zones(zones.Records(), o)
	if err != nil {
		t.Fatal(err)
	}
	h.DenyNames = true
	const golden = "testdata/harden.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(hardened(t, h)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), hardened(t, h)); diff != "" {
		t.Errorf("-update rewrites it (-want +got):\n%s", diff)
	}
	// The text is one of records and comments.
	for rr := range parseZones(t, "$TTL 300\n"+hardened(t, h)).Records() {
		if made := rr.Header().Rrtype == dns.TypeSOA || rr.Header().Rrtype == dns.TypeNS; !made && !strings.Contains(string(want), strings.ReplaceAll(rr.String(), "\t", " ")) {
			t.Errorf("read: %s", rr)
		}
	}
	// The names can be described, and what is added leaves nothing to add.
	o.Names = h.Names
	if err := o.Validate(); err != nil {
		t.Error(err)
	}
	var text strings.Builder
	for rr := range zones.Records() {
		fmt.Fprintln(&text, rr)
	}
	for r := range h.Records() {
		fmt.Fprintln(&text, r)
	}
	again, err := harden.Zones(parseZones(t, text.String()).Records(), parse(t, hardenOrg))
	if err != nil {
		t.Fatal(err)
	}
	again.DenyNames = true
	for r := range again.Records() {
		t.Errorf("added again: %s", r)
	}
	if text := hardened(t, again); strings.Contains(text, "serial") {
		t.Errorf("a serial number for nothing:\n%s", text)
	}
}

func TestHardenBad(t *testing.T) {
	failure := errors.New("broken")
	records := func(err error, rrs ...string) iter.Seq2[dns.RR, error] {
		return func(yield func(dns.RR, error) bool) {
			for _, text := range rrs {
				rr, e := dns.NewRR(text)
				if e != nil {
					t.Fatal(e)
				}
				if !yield(rr, nil) {
					return
				}
			}
			if err != nil {
				yield(nil, err)
			}
		}
	}
	if h, err := harden.Zones(records(failure, "example.test. SOA a. b. 1 1 1 1 1"), nil); h != nil || !errors.Is(err, failure) {
		t.Errorf("records that break off: %v, %v", h, err)
	}
	if h, err := harden.Zones(records(nil, "www.example.test. A 192.0.2.1"), nil); h != nil || err == nil || err.Error() != "harden: expected a whole zone, with its SOA record" {
		t.Errorf("a part of a zone: %v, %v", h, err)
	}
}

// What cannot be written is an error.
func TestHardenWriteFails(t *testing.T) {
	h, err := harden.Zones(parseZones(t, hardenZone).Records(), nil)
	if err != nil {
		t.Fatal(err)
	}
	full := errors.New("full")
	if err := h.WriteZone(writerFunc(func([]byte) (int, error) { return 0, full })); !errors.Is(err, full) {
		t.Error(err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// Names that nobody found, in a Hardening that nobody made, are no reason to panic.
func TestHardenedByHand(t *testing.T) {
	for r := range (&harden.Hardening{Names: []string{"www.example.test."}, DenyNames: true}).Records() {
		t.Errorf("%v", r)
	}
}

// Names may be taken out, and given another order: what is added for each stays.
func TestHardenNamesInAnyOrder(t *testing.T) {
	h, err := harden.Zones(parseZones(t, hardenZone).Records(), nil)
	if err != nil {
		t.Fatal(err)
	}
	h.DenyNames = true
	byName := make(map[string][]string) // the records of each name
	all := h.Names
	for _, name := range all {
		h.Names = []string{name}
		for r := range h.Records() {
			byName[name] = append(byName[name], r.String())
		}
	}
	turned := slices.Clone(all)
	slices.Reverse(turned)
	for _, h.Names = range [][]string{all, turned, all[3:], {all[5], "nobody.example.test.", all[1], all[5]}} {
		var want, got []string
		for _, name := range h.Names {
			want = append(want, byName[name]...)
		}
		for r := range h.Records() {
			got = append(got, r.String())
		}
		if diff := cmp.Diff(want, got); len(want) == 0 || diff != "" {
			t.Errorf("%s (-want +got):\n%s", h.Names, diff)
		}
	}
}

// The name of a zone gets mail at its address until it has a Null MX.
func TestHardenApex(t *testing.T) {
	const zone = "$ORIGIN example.test.\n@ 300 SOA ns h 1 1 1 1 60\n@ 300 A 192.0.2.1\n"
	for more, want := range map[string]string{
		"":             "it is the name of the zone, and mail for it goes to its address: make sure that nobody receives mail there",
		"@ 300 MX 0 .": "",
	} {
		h, err := harden.Zones(parseZones(t, zone+more).Records(), nil)
		if err != nil || len(h.Names) != 1 {
			t.Fatal(h, err)
		}
		got := ""
		for _, n := range h.Notes {
			got += n.Text
		}
		if got != want {
			t.Errorf("%q: %q, want %q", more, got, want)
		}
	}
}

func parse(t testing.TB, text string) *org.Organization {
	t.Helper()
	o, err := org.Parse("org.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func parseZones(t testing.TB, text string) *resolver.Zones {
	t.Helper()
	z, err := resolver.ParseZones(text)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func collected(zones *resolver.Zones) []dns.RR {
	var records []dns.RR
	for rr := range zones.Records() {
		records = append(records, rr)
	}
	return records
}
