package resolver_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/bonafide-mta/bonafide/internal/txt"
	"github.com/bonafide-mta/bonafide/resolver"
)

// TestZoneTextArchives reads the zone of each archive of testdata/zonetext and
// compares what is wrong with it, the warnings, or the records.
func TestZoneTextArchives(t *testing.T) {
	files, err := filepath.Glob("testdata/zonetext/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no archives", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if len(archive.Files) != 2 || archive.Files[0].Name != "zone" || archive.Files[1].Name != "result" {
				t.Fatal("want the files zone and result")
			}
			// The first line of the comment may give an origin.
			comment, _, _ := strings.Cut(string(archive.Comment), "\n")
			origin, _ := strings.CutPrefix(comment, "origin ")
			if origin == comment {
				origin = ""
			}
			got := readResult(origin, archive.Files[0].Data)
			if *update {
				archive.Files[1].Data = []byte(got)
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(archive.Files[1].Data), got); diff != "" {
				t.Errorf("result differs (-want +got), -update rewrites it:\n%s", diff)
			}
		})
	}
}

func readResult(origin string, text []byte) string {
	zones, err := resolver.ReadZone(origin, "file.zone", strings.NewReader(string(text)))
	if err != nil {
		return fmt.Sprintf("%v\n", err)
	}
	var b strings.Builder
	for _, w := range zones.Warnings() {
		fmt.Fprintf(&b, "warning: %v\n", w)
	}
	for _, apex := range zones.Origins() {
		fmt.Fprintf(&b, "zone %s\n", apex)
	}
	for rr := range zones.Records() {
		fmt.Fprintf(&b, "%s\n", strings.ReplaceAll(rr.String(), "\t", " "))
	}
	return b.String()
}

func TestZoneErrorPrintsTwenty(t *testing.T) {
	text := "$ORIGIN example.test.\n" + strings.Repeat("a A 192.0.2.1\n", 25)
	_, err := resolver.ParseZones(text)
	zoneErr, ok := errors.AsType[*resolver.ZoneError](err)
	if !ok || len(zoneErr.Problems) != 25 {
		t.Fatalf("got %v", err)
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != 21 || lines[20] != "and 5 more" {
		t.Errorf("got %d lines, the last %q", len(lines), lines[len(lines)-1])
	}
	if want := "line 2: no TTL"; !strings.HasPrefix(lines[0], want) {
		t.Errorf("got %q, want %q…", lines[0], want)
	}
}

func TestReadZoneFails(t *testing.T) {
	if _, err := resolver.ReadZone("a..b", "f", strings.NewReader("")); err == nil || !strings.HasPrefix(err.Error(), "f: origin: ") {
		t.Errorf("bad origin: %v", err)
	}
	if _, err := resolver.ReadZone("a.test", "f", errReader{}); err == nil || err.Error() != "f: broken disk" {
		t.Errorf("bad reader: %v", err)
	}
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errors.New("broken disk") }

var _ io.Reader = errReader{}

// FuzzZoneText: no text panics; what is accepted comes out again when its
// records are written as zone text, and every record is answered.
func FuzzZoneText(f *testing.F) {
	for _, glob := range []string{"testdata/zones/*.txtar", "testdata/zonetext/*.txtar"} {
		files, err := filepath.Glob(glob)
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
	}
	g := entryGen{rand.New(rand.NewPCG(1, 0))}
	for i := range 500 {
		_, line := g.entry(i)
		f.Add("$ORIGIN z.test.\n" + entryHead + line + "\n")
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(strings.ToUpper(text), "$GENERATE") {
			t.Skip("65,535 records a line: slow, and tested elsewhere")
		}
		zones, err := resolver.ParseZones(text)
		if err != nil {
			if _, ok := errors.AsType[*resolver.ZoneError](err); !ok {
				t.Fatalf("not a ZoneError: %v", err)
			}
			return
		}
		var b strings.Builder
		for _, apex := range zones.Origins() {
			fmt.Fprintf(&b, "$ORIGIN %s\n", apex)
		}
		n := 0
		for rr := range zones.Records() {
			fmt.Fprintln(&b, txt.Record(rr))
			n++
			// Whatever the type, a question for it must not panic, and what
			// comes is of that type.
			answer, err := zones.Lookup(t.Context(), rr.Header().Name, rr.Header().Rrtype)
			for _, got := range answer.Records {
				if got.Header().Rrtype != rr.Header().Rrtype {
					t.Errorf("asked %v, got %v, %v", rr, got, err)
				}
			}
		}
		again, err := resolver.ParseZones(b.String())
		if err != nil {
			t.Fatalf("what was written cannot be read: %v\n%s", err, b.String())
		}
		m := 0
		for rr := range again.Records() {
			m++
			if !strings.Contains(b.String(), txt.Record(rr)+"\n") {
				t.Errorf("a new record: %v\n%s", rr, b.String())
			}
		}
		if n != m {
			t.Errorf("%d records became %d\n%s", n, m, b.String())
		}
	})
}

// TestEntriesRoundTrip: an entry that is read is written as one that is read as the same
// record, whatever its type and spelling; the parts of a record are never lost.
func TestEntriesRoundTrip(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	g := entryGen{rand.New(rand.NewPCG(seed, 0))}
	read := 0
	for i := range 3000 {
		_, line := g.entry(i)
		zones, err := resolver.ReadZone("z.test", "", strings.NewReader(entryHead+line+"\n"))
		if err != nil {
			continue
		}
		read++
		var b strings.Builder
		for rr := range zones.Records() {
			fmt.Fprintln(&b, txt.Record(rr))
		}
		again, err := resolver.ReadZone("z.test", "", strings.NewReader(b.String()))
		if err != nil {
			t.Fatalf("%s\nis written as\n%s%v", line, b.String(), err)
		}
		if diff := cmp.Diff(wireRecords(t, zones), wireRecords(t, again)); diff != "" {
			t.Errorf("%s\n%s", line, diff)
		}
		with, err := zones.With("with A 192.0.2.99")
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if len(wireRecords(t, with)) != len(wireRecords(t, zones))+1 {
			t.Errorf("%s: With loses a record", line)
		}
	}
	if read < 1500 {
		t.Errorf("%d of 3000 entries could be read", read)
	}
}

// wireRecords returns the records of zones in wire form, and the text of those that have none.
func wireRecords(t *testing.T, zones *resolver.Zones) []string {
	t.Helper()
	var out []string
	for rr := range zones.Records() {
		buf := make([]byte, dns.Len(rr)+1)
		end, err := dns.PackRR(rr, buf, 0, nil, false)
		if err != nil {
			t.Fatalf("%v: %v", rr, err)
		}
		text := ""
		if octets, ok := rr.(interface{ ToRFC3597(dns.RR) error }); rr.Header().Rdlength == 0 && ok && octets != nil {
			text = rr.String()
		}
		out = append(out, fmt.Sprintf("%q %s", buf[:end], text))
	}
	slices.Sort(out)
	return out
}

func BenchmarkParseZones(b *testing.B) {
	var text strings.Builder
	text.WriteString("$ORIGIN example.test.\n$TTL 300\n@ SOA ns h 1 1 1 1 60\n@ NS ns\n")
	for i := range 10_000 {
		fmt.Fprintf(&text, "h%d A 192.0.2.%d\n", i, i%256)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := resolver.ParseZones(text.String()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/10_000, "ns/record")
}

var _ dns.Handler = (*resolver.Zones)(nil)

// A file that ends within a line may have been cut; a text in Go is what it is.
func TestZoneTextThatMayBeCut(t *testing.T) {
	const text = "$ORIGIN example.test.\n@ 300 SOA ns h 1 1 1 1 60\n@ 300 NS ns.other.test."
	for name, want := range map[string]string{"": "", "file.zone": "file.zone: it does not end with the end of a line: is it whole?"} {
		zones, err := resolver.ReadZone("", name, strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, w := range zones.Warnings() {
			got = append(got, w.String())
		}
		if strings.Join(got, "\n") != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}
