package resolver_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/bonafide-mta/bonafide/resolver"
)

var update = flag.Bool("update", false, "rewrite the expected answers in testdata")

// TestZonesArchives asks what each archive of testdata/zones lists, and compares
// the whole answer: status, aliases, records, TTL, or the error.
func TestZonesArchives(t *testing.T) {
	files, err := filepath.Glob("testdata/zones/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no archives", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if len(archive.Files) != 2 || archive.Files[0].Name != "zone" || archive.Files[1].Name != "answers" {
				t.Fatal("want the files zone and answers")
			}
			zones, err := resolver.ParseZones(string(archive.Files[0].Data))
			if err != nil {
				t.Fatal(err)
			}
			want := string(archive.Files[1].Data)
			got := answers(t, zones, want)
			if *update {
				archive.Files[1].Data = []byte(got)
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("answers differ (-want +got), -update rewrites them:\n%s", diff)
			}
		})
	}
}

// answers asks each question of a text of "? NAME TYPE" lines, and writes what
// came beneath it.
func answers(t *testing.T, r resolver.Resolver, text string) string {
	t.Helper()
	var b strings.Builder
	for line := range strings.Lines(text) {
		question, ok := strings.CutPrefix(line, "? ")
		if !ok {
			continue
		}
		fields := strings.Fields(question)
		qtype, ok := dns.StringToType[fields[len(fields)-1]]
		if len(fields) != 2 || !ok {
			t.Fatalf("not a question: %q", line)
		}
		b.WriteString(line)
		answer, err := r.Lookup(t.Context(), fields[0], qtype)
		if err != nil {
			fmt.Fprintf(&b, "  error: %v\n", err)
			continue
		}
		for _, rr := range answer.Chain {
			fmt.Fprintf(&b, "  alias: %s\n", strings.ReplaceAll(rr.String(), "\t", " "))
		}
		for _, rr := range answer.Records {
			fmt.Fprintf(&b, "  %s\n", strings.ReplaceAll(rr.String(), "\t", " "))
		}
		fmt.Fprintf(&b, "  %s, %v, %s\n", answer.Status, answer.TTL, answer.Server)
	}
	return b.String()
}

func mustParse(t testing.TB, text string) *resolver.Zones {
	t.Helper()
	zones, err := resolver.ParseZones(text)
	if err != nil {
		t.Fatal(err)
	}
	return zones
}

func TestZonesRootDeclared(t *testing.T) {
	zones := mustParse(t, "$ORIGIN .\n$ORIGIN example.test.\n$TTL 300\nmail A 192.0.2.10")
	if diff := cmp.Diff([]string{".", "example.test."}, zones.Origins()); diff != "" {
		t.Error(diff)
	}
	answer, err := zones.Lookup(t.Context(), "nowhere.invalid-typo.test", dns.TypeA)
	if err != nil || answer.Status != resolver.NXDomain || answer.TTL != 300*time.Second {
		t.Errorf("got %+v, %v; want NXDOMAIN", answer, err)
	}
}

func TestZonesOriginBelowAnother(t *testing.T) {
	// A sub-origin is a way to write, not a zone of its own: the wildcard of the
	// zone still covers the names below it that do not exist.
	zones := mustParse(t, "$ORIGIN sub.example.test.\n$TTL 300\na A 192.0.2.1\n$ORIGIN example.test.\n* TXT \"w\"")
	if diff := cmp.Diff([]string{"example.test."}, zones.Origins()); diff != "" {
		t.Error(diff)
	}
	if got, err := resolver.LookupTXT(t.Context(), zones, "x.y.example.test"); err != nil || len(got) != 1 {
		t.Errorf("got %q, %v", got, err)
	}
	if got, err := resolver.LookupTXT(t.Context(), zones, "x.sub.example.test"); err != nil || len(got) != 0 {
		t.Errorf("sub exists, so that no wildcard covers what is below it: got %q, %v", got, err)
	}
}

func TestZonesChildZone(t *testing.T) {
	zones := mustParse(t, `
$TTL 300
example.test. SOA ns.example.test. h.example.test. 1 1 1 1 60
example.test. NS ns.example.test.
child.example.test. DS 1 13 2 0000000000000000000000000000000000000000000000000000000000000000
child.example.test. SOA ns.example.test. h.example.test. 1 1 1 1 60
child.example.test. NS ns.example.test.
mail.child.example.test. A 192.0.2.1`)
	if diff := cmp.Diff([]string{"child.example.test.", "example.test."}, zones.Origins()); diff != "" {
		t.Error(diff)
	}
	// The parent speaks for DS, the child for all else.
	for qtype, server := range map[uint16]string{dns.TypeDS: "zone example.test.", dns.TypeNS: "zone child.example.test."} {
		answer, err := zones.Lookup(t.Context(), "child.example.test", qtype)
		if err != nil || len(answer.Records) != 1 || answer.Server != server {
			t.Errorf("%s: got %+v, %v", resolver.TypeString(qtype), answer, err)
		}
	}
}

func TestZonesHops(t *testing.T) {
	var b strings.Builder
	b.WriteString("$ORIGIN example.test.\n$TTL 300\n")
	for i := range 20 {
		fmt.Fprintf(&b, "h%d CNAME h%d\n", i, i+1)
	}
	b.WriteString("h20 A 192.0.2.1\n")
	zones := mustParse(t, b.String())
	answer, err := zones.Lookup(t.Context(), "h4.example.test", dns.TypeA) // 16 hops
	if err != nil || len(answer.Chain) != 16 || len(answer.Records) != 1 {
		t.Errorf("16 hops: got %d aliases, %v", len(answer.Chain), err)
	}
	_, err = zones.Lookup(t.Context(), "h3.example.test", dns.TypeA)
	if !errors.Is(err, resolver.ErrChain) {
		t.Errorf("17 hops: got %v", err)
	}
}

func TestZonesErrors(t *testing.T) {
	zones := mustParse(t, "$ORIGIN example.test.\n$TTL 300\nmail A 192.0.2.10")
	t.Run("outside", func(t *testing.T) {
		_, err := zones.Lookup(t.Context(), "mail.example.tset", dns.TypeA)
		if !errors.Is(err, resolver.ErrNoZone) || !strings.Contains(err.Error(), "mail.example.tset") {
			t.Error(err)
		}
	})
	t.Run("canceled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := zones.Lookup(ctx, "mail.example.test", dns.TypeA); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	t.Run("no name", func(t *testing.T) {
		if _, err := zones.Lookup(t.Context(), "a..b", dns.TypeA); !errors.Is(err, resolver.ErrName) {
			t.Error(err)
		}
	})
	t.Run("zero", func(t *testing.T) {
		var none resolver.Zones
		if _, err := none.Lookup(t.Context(), "a.test", dns.TypeA); !errors.Is(err, resolver.ErrNoZone) {
			t.Error(err)
		}
	})
}

func TestMergeZones(t *testing.T) {
	forward := mustParse(t, "$ORIGIN example.test.\n$TTL 300\nmail A 192.0.2.10\n@ TXT a b")
	reverse := mustParse(t, "$ORIGIN 2.0.192.in-addr.arpa.\n$TTL 300\n10 PTR mail.example.test.")
	both, err := resolver.MergeZones(forward, reverse)
	if err != nil || len(both.Origins()) != 2 || len(both.Warnings()) != 1 {
		t.Fatalf("got %v, %v, %v", both.Origins(), both.Warnings(), err)
	}
	if _, err := resolver.MergeZones(both, forward); err == nil || !strings.Contains(err.Error(), "example.test. is given twice") {
		t.Errorf("the same apex twice: %v", err)
	}
}

// What is added is read as if it stood below what is there, in zones that keep what
// they have: hidden records of a parent, unknown types, a source, a made-up SOA.
func TestZonesWith(t *testing.T) {
	file, err := resolver.ReadZone("sub.example.test", "sub.zone", strings.NewReader("$TTL 60\n@ TYPE65280 \\# 1 00\n@ NS ns"))
	if err != nil {
		t.Fatal(err)
	}
	before, err := resolver.MergeZones(file,
		mustParse(t, "$ORIGIN .\n$ORIGIN example.test.\n$TTL 60\nmail A 192.0.2.10\nsub NS ns.sub\nns.sub A 192.0.2.1"))
	if err != nil {
		t.Fatal(err)
	}
	const questions = `? mail.example.test. A
? ns.sub.example.test. A
? new.example. MX
? nowhere.test. A
`
	zones, err := before.With("mail.example.test. A 192.0.2.11\n$ORIGIN new.example.\n@ 60 CLASS1 MX 10 mail")
	if err != nil {
		t.Fatal(err)
	}
	const want = `? mail.example.test. A
  mail.example.test. 60 IN A 192.0.2.10
  mail.example.test. 60 IN A 192.0.2.11
  NOERROR, 1m0s, zone example.test.
? ns.sub.example.test. A
  NXDOMAIN, 5m0s, sub.zone
? new.example. MX
  new.example. 60 IN MX 10 mail.new.example.
  NOERROR, 1m0s, zone new.example.
? nowhere.test. A
  NXDOMAIN, 5m0s, zone .
`
	if diff := cmp.Diff(want, answers(t, zones, questions)); diff != "" {
		t.Error(diff)
	}
	if a, err := zones.Lookup(t.Context(), "sub.example.test.", 65280); err != nil || len(a.Records) != 1 {
		t.Errorf("a type without a name: %+v, %v", a, err)
	}
	if diff := cmp.Diff([]string{".", "example.test.", "sub.example.test."}, before.Origins()); diff != "" {
		t.Errorf("the zones it was called on changed: %s", diff)
	}
}

// With nothing is what it was, also where a zone hides all that the root has.
func TestZonesWithNothing(t *testing.T) {
	before, err := resolver.MergeZones(
		mustParse(t, "$ORIGIN .\n$TTL 60\nwww.example.test. A 192.0.2.10"),
		mustParse(t, "$ORIGIN example.test.\n$TTL 60\n@ SOA ns h 1 1 1 1 1\n@ NS ns\nwww A 192.0.2.11"))
	if err != nil {
		t.Fatal(err)
	}
	after, err := before.With("")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before.Origins(), after.Origins()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(collected(before), collected(after)); diff != "" {
		t.Error(diff)
	}
}

func TestZonesWithFails(t *testing.T) {
	zones := mustParse(t, "$ORIGIN example.test.\n$TTL 300\nmail A 192.0.2.10")
	for text, want := range map[string]string{
		"alias CNAME mail\nmail CNAME alias":  "line 2: CNAME and other data at mail.example.test.",
		" A 192.0.2.11":                       "line 1: an indented record takes the name of the record above it",
		"$ORIGIN other.test.\n\nmail A 1.2.3": "line 3: A: expected an IPv4 address",
		"mail 60 CLASS3 TXT x":                "line 1: class CLASS3: only IN is served",
		"mail 60 CLASS70000 TXT x":            `line 1: "CLASS70000" is not a record type`,
	} {
		if _, err := zones.With(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, expected %s", text, err, want)
		}
	}
	if a, err := zones.Lookup(t.Context(), "mail.example.test.", dns.TypeA); err != nil || len(a.Records) != 1 {
		t.Errorf("changed: %+v, %v", a, err)
	}
}

// A hit costs no allocation: Zones stands behind every test of an MTA.
func TestZonesLookupAllocates(t *testing.T) {
	zones := mustParse(t, "$ORIGIN example.test.\n$TTL 300\nmail A 192.0.2.10\n@ MX 10 mail")
	for _, q := range []struct {
		name  string
		qtype uint16
	}{
		{"mail.example.test.", dns.TypeA}, {"mail.example.test.", dns.TypeAAAA}, {"nowhere.example.test.", dns.TypeA},
	} {
		allocs := testing.AllocsPerRun(100, func() {
			if _, err := zones.Lookup(t.Context(), q.name, q.qtype); err != nil {
				t.Fatal(err)
			}
		})
		if allocs != 0 {
			t.Errorf("%s %d: %v allocations", q.name, q.qtype, allocs)
		}
	}
}

func BenchmarkZones(b *testing.B) {
	zones := mustParse(b, `
$ORIGIN example.test.
$TTL 300
mail A 192.0.2.10
www CNAME mail
*.wild TXT "w"
`)
	for _, bench := range []struct {
		label, name string
		qtype       uint16
	}{
		{"hit", "mail.example.test.", dns.TypeA},
		{"nodata", "mail.example.test.", dns.TypeMX},
		{"nxdomain", "nowhere.example.test.", dns.TypeA},
		{"alias", "www.example.test.", dns.TypeA},
		{"wildcard", "x.wild.example.test.", dns.TypeTXT},
		{"uppercase", "MAIL.Example.Test", dns.TypeA},
	} {
		b.Run(bench.label, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := zones.Lookup(b.Context(), bench.name, bench.qtype); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A zone that another one delegates to speaks for all its names, also for those of
// which the other has the addresses; but for DS records.
func TestMergeZonesNested(t *testing.T) {
	parent := mustParse(t, `
$ORIGIN example.test.
$TTL 300
sub     NS ns.sub
sub     DS 1 8 2 0000000000000000000000000000000000000000000000000000000000000000
ns.sub  A  192.0.2.1
old.sub A  192.0.2.1`)
	child := mustParse(t, "$ORIGIN sub.example.test.\n$TTL 300\n@ NS ns\nns A 192.0.2.2")
	for _, parts := range [][]*resolver.Zones{{parent, child}, {child, parent}} {
		both, err := resolver.MergeZones(parts...)
		if err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct {
			name   string
			qtype  uint16
			want   int
			status resolver.Status
			zone   string
		}{
			{"ns.sub.example.test.", dns.TypeA, 1, resolver.NoError, "sub.example.test."},
			{"old.sub.example.test.", dns.TypeA, 0, resolver.NXDomain, "sub.example.test."},
			{"a.old.sub.example.test.", dns.TypeA, 0, resolver.NXDomain, "sub.example.test."},
			{"sub.example.test.", dns.TypeNS, 1, resolver.NoError, "sub.example.test."},
			{"sub.example.test.", dns.TypeDS, 1, resolver.NoError, "example.test."},
			{"example.test.", dns.TypeDS, 0, resolver.NoError, "example.test."},
		} {
			a, err := both.Lookup(t.Context(), tt.name, tt.qtype)
			if err != nil || len(a.Records) != tt.want || a.Status != tt.status || a.Server != "zone "+tt.zone {
				t.Errorf("%s %d: %v, error %v", tt.name, tt.qtype, a, err)
			}
		}
		if a, _ := both.Lookup(t.Context(), "ns.sub.example.test.", dns.TypeA); a.Addrs()[0] != netip.MustParseAddr("192.0.2.2") {
			t.Errorf("the delegating zone's address: %v", a)
		}
	}
}

func collected(zones *resolver.Zones) []dns.RR {
	var records []dns.RR
	for rr := range zones.Records() {
		records = append(records, rr)
	}
	return records
}

// A long file is one of many octets, and an error after them.
type longFile struct {
	mode fs.FileMode
	left int64
}

var errLongFile = errors.New("the end of a long file")

func (f *longFile) Stat() (fs.FileInfo, error) { return longFileInfo{f: f, size: f.left}, nil }

func (f *longFile) Read(p []byte) (int, error) {
	n := int(min(f.left, int64(len(p))))
	if f.left -= int64(n); f.left == 0 {
		return n, errLongFile
	}
	return n, nil
}

type longFileInfo struct {
	fs.FileInfo
	f    *longFile
	size int64
}

func (i longFileInfo) Mode() fs.FileMode { return i.f.mode }
func (i longFileInfo) Size() int64       { return i.size }

// A regular file is read whole, anything else to 128 MiB.
func TestReadZoneSize(t *testing.T) {
	for mode, want := range map[fs.FileMode]string{0: errLongFile.Error(), fs.ModeDevice: "more than 128 MiB"} {
		_, err := resolver.ReadZone("", "long.zone", &longFile{mode: mode, left: 128<<20 + 2})
		if err == nil || !strings.Contains(err.Error(), "long.zone: "+want) {
			t.Errorf("%v: %v", mode, err)
		}
	}
}
