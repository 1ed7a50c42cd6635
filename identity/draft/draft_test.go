package draft_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"
	"log"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/bonafide-mta/bonafide/identity/draft"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/plan"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/resolver/dnsfake"
)

var update = flag.Bool("update", false, "rewrite the descriptions in testdata")

// A sketch is an archive of testdata: zones that are given whole or only asked,
// the domain with addresses of its MTAs and other domains, and the description wanted.
type sketch struct {
	archive *txtar.Archive
	zones   *resolver.Zones
	records iter.Seq2[dns.RR, error]
	domain  string
	addrs   []netip.Addr
	others  []string
}

func sketches(t *testing.T) map[string]sketch {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no archives", err)
	}
	all := make(map[string]sketch)
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil || len(archive.Files) != 3 {
			t.Fatalf("%s: expected three files: %v", file, err)
		}
		s := sketch{archive: archive, zones: parseZones(t, string(archive.Files[0].Data))}
		if archive.Files[0].Name == "zone" {
			s.records = s.zones.Records()
		}
		fields := strings.Fields(string(archive.Files[1].Data))
		s.domain = fields[0]
		for _, field := range fields[1:] {
			if addr, err := netip.ParseAddr(field); err == nil {
				s.addrs = append(s.addrs, addr)
			} else {
				s.others = append(s.others, field)
			}
		}
		all[file] = s
	}
	return all
}

// The text of a draft is read back as the same description.
func TestDraft(t *testing.T) {
	for file, s := range sketches(t) {
		var got strings.Builder
		o, comments, err := draft.FromDNS(t.Context(), s.zones, s.domain, s.addrs, s.records, s.others...)
		if err != nil {
			fmt.Fprintln(&got, err)
		} else if err := o.WriteYAML(&got, comments...); err != nil {
			t.Errorf("%s: %v", file, err)
		} else if back, err := org.Parse(file, []byte(got.String())); err != nil {
			t.Errorf("%v\n%s", err, got.String())
		} else if diff := cmp.Diff(o, back, sameAddr, samePrefix); diff != "" {
			t.Errorf("%s: read back (-draft +parsed):\n%s", file, diff)
		}
		want := &s.archive.Files[2]
		if *update {
			want.Data = []byte(got.String())
			if err := os.WriteFile(file, txtar.Format(s.archive), 0o644); err != nil {
				t.Fatal(err)
			}
		} else if diff := cmp.Diff(string(want.Data), got.String()); diff != "" {
			t.Errorf("%s, -update rewrites it (-want +got):\n%s", file, diff)
		}
	}
}

// Whatever question has no answer, a comment says so, and no conclusion is drawn from it: no
// name is listed as one without mail, and no MTA loses a role, because of it.
func TestDraftFaults(t *testing.T) {
	for file, s := range sketches(t) {
		healthy := dnsfake.FromZones(s.zones)
		whole, _, err := draft.FromDNS(t.Context(), healthy, s.domain, s.addrs, s.records, s.others...)
		if err != nil && !errors.Is(err, draft.ErrNoServer) {
			t.Fatal(err)
		}
		for _, q := range healthy.Questions() {
			fake := dnsfake.FromZones(s.zones)
			fake.Fail(q.Name, q.Type, dnsfake.ServFail)
			o, comments, err := draft.FromDNS(t.Context(), fake, s.domain, s.addrs, s.records, s.others...)
			if err != nil {
				if !errors.Is(err, draft.ErrNoServer) {
					t.Errorf("%s: %s has no answer: %v", file, q, err)
				}
				continue
			}
			if !said(comments, "not known: ") {
				t.Errorf("%s: no comment says that %s has no answer", file, q)
			}
			for _, name := range o.Names {
				if !slices.Contains(whole.Names, name) {
					t.Errorf("%s: %s has no mail, as %s has no answer", file, name, q)
				}
			}
			for _, m := range o.MTAs {
				for _, addr := range m.Addresses {
					i := slices.IndexFunc(whole.MTAs, func(m org.MTA) bool { return slices.Contains(m.Addresses, addr) })
					if i >= 0 && (whole.MTAs[i].Sends() && !m.Sends() || whole.MTAs[i].Receives() && !m.Receives()) {
						t.Errorf("%s: %s is %v, as %s has no answer", file, addr, m.Roles, q)
					}
				}
			}
			for _, d := range o.MailDomains() {
				i := slices.IndexFunc(whole.MailDomains(), func(other org.MailDomain) bool { return other.Domain == d.Domain })
				if d.SentByNone() && (i < 0 || !whole.MailDomains()[i].SentByNone()) {
					t.Errorf("%s: no MTA sends for %s, as %s has no answer", file, d.Domain, q)
				}
			}
		}
	}
}

// However much a domain has, the work is bounded.
func TestDraftIsBounded(t *testing.T) {
	var zone, record strings.Builder
	zone.WriteString("$ORIGIN example.test.\n$TTL 300\n@ SOA ns hostmaster 1 1 1 1 60\n")
	for i := range 400 {
		fmt.Fprintf(&zone, "mx%d A 198.51.%d.%d\nmx%d TXT \"v=spf1 a -all\"\n@ MX 10 mx%d\n", i, 100+i/200, i%200, i, i)
	}
	zone.WriteString("$ORIGIN 198.in-addr.arpa.\n@ SOA ns hostmaster 1 1 1 1 60\n")
	zones := parseZones(t, zone.String())
	fake := dnsfake.FromZones(zones)
	o, comments, err := draft.FromDNS(t.Context(), fake, "example.test", nil, zones.Records())
	if err != nil {
		t.Fatal(err)
	}
	if n := len(fake.Questions()); n > 1000 || len(o.MTAs) != 64 {
		t.Errorf("%d questions, %d MTAs", n, len(o.MTAs))
	}
	said := fmt.Sprint(comments)
	if !strings.Contains(said, "only the first 64 addresses") || !strings.Contains(said, "only the first 100 names") {
		t.Errorf("what was left out is not said: %.500s", said)
	}

	zone.Reset()
	zone.WriteString("$ORIGIN example.test.\n$TTL 300\n@ SOA ns hostmaster 1 1 1 1 60\n@ MX 10 post\npost A 192.0.2.10\n$ORIGIN 2.0.192.in-addr.arpa.\n@ SOA ns hostmaster 1 1 1 1 60\n$ORIGIN example.test.\n")
	for i := range 600 {
		fmt.Fprintf(&zone, "%s.%d A 192.0.2.80\n%s.%d CNAME post\n", strings.Repeat("w", 63), i, strings.Repeat("c", 63), i)
	}
	zones = parseZones(t, zone.String())
	o, comments, err = draft.FromDNS(t.Context(), zones, "example.test", nil, zones.Records())
	if err != nil || len(o.Names) != 500 {
		t.Fatalf("%+v, %v", o, err)
	}
	if said := fmt.Sprint(comments); !strings.Contains(said, "there are 100 more") || !strings.Contains(said, "600 names are not listed, each because it is an alias") {
		t.Errorf("what was left out is not said: %.500s", said)
	}
	if err := o.WriteYAML(io.Discard, comments...); err != nil {
		t.Error(err)
	}

	for i := range 90 {
		fmt.Fprintf(&record, "\" mx:m%d.test\"", i)
	}
	var many strings.Builder
	for i := range 900 {
		fmt.Fprintf(&many, "m%d.test. 300 MX 10 x%d.test.\n", i/10, i)
	}
	fake = dnsfake.FromZones(parseZones(t, "$ORIGIN .\n@ 300 SOA a b 1 1 1 1 60\nexample.test. 300 MX 10 mx.example.test.\nmx.example.test. 300 A 192.0.2.10\nexample.test. 300 TXT \"v=spf1\""+record.String()+"\n"+many.String()))
	o, _, err = draft.FromDNS(t.Context(), fake, "example.test", nil, nil)
	if o != nil || err == nil || !strings.Contains(err.Error(), "more than 1000 questions") || len(fake.Questions()) > 1000 {
		t.Errorf("%v, %v after %d questions", o, err, len(fake.Questions()))
	}
}

// Whatever a zone says, its description is one that is read back as it was.
func FuzzDraft(f *testing.F) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(archive.Files[0].Data))
	}
	f.Add("$ORIGIN example.test.\n$TTL 300\n@ SOA a b 1 1 1 1 1\n@ A 192.0.2.10\n@ RP . _mtacontact\n_mtacontact TXT \"\\170\"\n")
	f.Fuzz(func(t *testing.T, text string) {
		zones, err := resolver.ParseZones(text)
		if err != nil {
			return
		}
		o, comments, err := draft.FromDNS(t.Context(), zones, "example.test", nil, zones.Records())
		if err != nil {
			return
		}
		var out strings.Builder
		if err := o.WriteYAML(&out, comments...); err != nil {
			t.Fatal(err)
		}
		back, err := org.Parse("org.yaml", []byte(out.String()))
		if err != nil {
			t.Fatalf("%v\n%s", err, out.String())
		}
		if diff := cmp.Diff(o, back, sameAddr, samePrefix); diff != "" {
			t.Errorf("read back (-draft +parsed):\n%s", diff)
		}
		// A plan of it can be made.
		whole, err := plan.FromZones(zones.Records())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := plan.New(o, whole, plan.Options{}); err != nil {
			t.Error(err)
		}
	})
}

var (
	sameAddr   = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
	samePrefix = cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })
)

func TestDraftBad(t *testing.T) {
	if _, _, err := draft.FromDNS(t.Context(), nil, "example.test", nil, nil); !errors.Is(err, resolver.ErrNoResolver) {
		t.Errorf("no resolver: %v", err)
	}
	if _, _, err := draft.FromDNS(t.Context(), resolver.Func(nil), "a..b", nil, nil); err == nil || !strings.HasPrefix(err.Error(), `draft: not a DNS name: "a..b"`) {
		t.Errorf("no domain: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	zones := parseZones(t, "$ORIGIN example.test.\n@ 300 MX 10 mx")
	if _, _, err := draft.FromDNS(ctx, zones, "example.test", nil, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	// Records without their zone are no whole zone, and nothing is made of the names.
	o, _, err := draft.FromDNS(t.Context(), zones, "example.test", []netip.Addr{netip.MustParseAddr("192.0.2.10")}, resolver.SeqOf())
	if err != nil || len(o.Names)+len(o.Zones) > 0 {
		t.Errorf("no zone: %+v, %v", o, err)
	}
}

func ExampleFromDNS() {
	zones, err := resolver.ParseZones(`
$TTL 3600
$ORIGIN example.test.
@     SOA  ns hostmaster 1 7200 900 1209600 300
@     MX   10 post
@     TXT  "v=spf1 mx include:_spf.provider.example -all"
mta1  A    192.0.2.10
post  A    192.0.2.10
www   A    192.0.2.80
$ORIGIN 2.0.192.in-addr.arpa.
@     SOA  ns.example.test. hostmaster.example.test. 1 7200 900 1209600 300
10    PTR  mta1.example.test.
`)
	if err != nil {
		log.Fatal(err)
	}
	o, comments, err := draft.FromDNS(context.Background(), zones, "example.test", nil, zones.Records())
	if err != nil {
		log.Fatal(err)
	}
	if err := o.WriteYAML(os.Stdout, comments[0]); err != nil { // or all of them
		log.Fatal(err)
	}
	// Output:
	// domain: example.test
	// mtas:
	//   - id: mta1
	//     addresses: [192.0.2.10]
	//     ptr: mta1.example.test
	//     # a guess, because MX records point to it: check the configuration of the MTA, or a
	//     # Received field of its mail
	//     helo: post.example.test
	// mail:
	//   - domain: example.test
	//     includes:
	//       - _spf.provider.example
	// names:
	//   - www.example.test
	// zones:
	//   - 2.0.192.in-addr.arpa
	//   - example.test
}

func parseZones(t testing.TB, text string) *resolver.Zones {
	t.Helper()
	z, err := resolver.ParseZones(text)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// However many names have a text that is meant as an SPF record, a description stays one
// that can be read back.
func TestNearMissesAreBounded(t *testing.T) {
	var zone strings.Builder
	zone.WriteString("$TTL 300\n$ORIGIN example.test.\n@ SOA ns hostmaster 1 1 1 1 60\n@ MX 10 post\npost A 192.0.2.10\n$ORIGIN 2.0.192.in-addr.arpa.\n@ SOA ns.example.test. hostmaster.example.test. 1 1 1 1 60\n10 PTR post.example.test.\n$ORIGIN example.test.\n")
	for i := range 3000 {
		fmt.Fprintf(&zone, "t%d TXT \"v=spf1; -all\"\n", i)
	}
	zones := parseZones(t, zone.String())
	o, comments, err := draft.FromDNS(t.Context(), zones, "example.test", nil, zones.Records())
	if err != nil {
		t.Fatal(err)
	}
	found, more := 0, ""
	for _, c := range comments {
		if strings.Contains(c.Text, "is not an SPF record") {
			found++
		}
		if strings.Contains(c.Text, "more texts") {
			more = c.Text
		}
	}
	if found != 100 || more != "and 2900 more texts that are meant to say who sends" {
		t.Errorf("%d comments, %q", found, more)
	}
	if err := o.WriteYAML(io.Discard, comments...); err != nil {
		t.Error(err)
	}
}
