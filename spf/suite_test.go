package spf_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/txt"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/spf"
	"github.com/bonafide-mta/bonafide/spf/blitiri"
)

// scenario is a document of a suite: cases on one set of records.
type scenario struct {
	Description string
	Tests       map[string]suiteCase
	ZoneData    map[string][]map[string]any `yaml:"zonedata"`
}

type suiteCase struct {
	Helo        string
	Host        string
	MailFrom    string `yaml:"mailfrom"`
	Result      any    // a keyword or several
	Explanation string
}

// suites are the test suites that the blitiri module carries, as far as they are in
// the module cache: they are of the openspf and pyspf projects and its own.
func suites(t testing.TB, file string) []scenario {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "blitiri.com.ar/go/spf").Output()
	if err != nil || len(bytes.TrimSpace(dir)) == 0 {
		t.Skipf("the module with the suites is not in the module cache: %v", err)
	}
	text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "testdata", file))
	if err != nil {
		t.Skipf("the module in the module cache has no suites: %v", err)
	}
	var all []scenario
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var s scenario
		if err := decoder.Decode(&s); err != nil {
			if len(all) == 0 {
				t.Fatal(err)
			}
			return all
		}
		if len(s.Tests) > 0 {
			all = append(all, s)
		}
	}
}

// suiteDNS is the records of a scenario.
type suiteDNS struct {
	records map[string]map[uint16][]dns.RR
	fails   map[string]bool // in every type that has no records
}

func newSuiteDNS(t testing.TB, zonedata map[string][]map[string]any) suiteDNS {
	t.Helper()
	z := suiteDNS{make(map[string]map[uint16][]dns.RR), make(map[string]bool)}
	for name, entries := range zonedata {
		canonical, err := resolver.Canonical(name)
		if err != nil {
			t.Fatal(err)
		}
		sets := make(map[uint16][]dns.RR)
		z.records[canonical] = sets
		// Type SPF stands for TXT, unless the name has entries of its own for that.
		hasTXT := slices.ContainsFunc(entries, func(e map[string]any) bool { return e["TXT"] != nil })
		for _, entry := range entries {
			for typ, value := range entry {
				if typ == "TIMEOUT" || typ == "SERVFAIL" || typ == "CNAMELOOP" {
					z.fails[canonical] = true
					continue
				}
				if typ == "SPF" {
					if hasTXT {
						continue
					}
					typ = "TXT"
				}
				if value == "NONE" {
					continue
				}
				rr := dns.TypeToRR[dns.StringToType[typ]]()
				*rr.Header() = dns.RR_Header{Name: canonical, Rrtype: dns.StringToType[typ], Class: dns.ClassINET, Ttl: 300}
				switch rr := rr.(type) {
				case *dns.A:
					rr.A = netip.MustParseAddr(value.(string)).AsSlice()
				case *dns.AAAA:
					rr.AAAA = netip.MustParseAddr(value.(string)).AsSlice()
				case *dns.MX:
					list := value.([]any)
					rr.Preference, rr.Mx = uint16(list[0].(uint64)), cmp.Or(list[1].(string), ".")
				case *dns.PTR:
					rr.Ptr = value.(string)
				case *dns.CNAME:
					rr.Target = cmp.Or(value.(string), ".")
				case *dns.TXT:
					for _, s := range listOf(value) {
						rr.Txt = append(rr.Txt, txt.Split(s)...)
					}
				default:
					t.Fatalf("type %s", typ)
				}
				sets[rr.Header().Rrtype] = append(sets[rr.Header().Rrtype], rr)
			}
		}
	}
	return z
}

func listOf(value any) []string {
	if s, ok := value.(string); ok {
		return []string{s}
	}
	var out []string
	for _, s := range value.([]any) {
		out = append(out, s.(string))
	}
	return out
}

func (z suiteDNS) Lookup(_ context.Context, name string, qtype uint16) (resolver.Answer, error) {
	var a resolver.Answer
	for range 16 {
		sets, ok := z.records[name]
		if records := sets[qtype]; len(records) > 0 {
			a.Records = records
			return a, nil
		}
		if cname := sets[dns.TypeCNAME]; len(cname) > 0 {
			a.Chain = append(a.Chain, cname[0])
			name, _ = resolver.Canonical(cname[0].(*dns.CNAME).Target)
			continue
		}
		if z.fails[name] {
			return resolver.Answer{}, errors.New("the suite says so")
		}
		if !ok {
			a.Status = resolver.NXDomain
		}
		return a, nil
	}
	return resolver.Answer{}, errors.New("a loop of aliases")
}

// TestSuites runs the suites, those cases too that they tell blitiri to skip.
func TestSuites(t *testing.T) {
	tests := []struct {
		file                  string
		results, explanations int
		dialect               []string // cases of pyspf's own rules
	}{
		{file: "rfc7208-tests.yml", results: 203, explanations: 22},
		{file: "rfc4408-tests.yml", results: 191, explanations: 22},
		{file: "blitirispf-tests.yml", results: 83},
		{file: "pyspf-tests.yml", results: 14, dialect: []string{"default-modifier", "default-modifier-harsh"}},
	}
	defer spf.AllowOneLabel(false)
	for _, tt := range tests {
		spf.AllowOneLabel(tt.file == "blitirispf-tests.yml")
		for _, mode := range []spf.Speculation{spf.SpeculateNone, spf.SpeculateTXT, spf.SpeculateAll} {
			t.Run(fmt.Sprint(tt.file, "/", mode), func(t *testing.T) {
				results, explanations, cases, theirs := 0, 0, 0, 0
				for _, s := range suites(t, tt.file) {
					z := newSuiteDNS(t, s.ZoneData)
					for name, c := range s.Tests {
						cases++
						addr := netip.MustParseAddr(c.Host)
						r := spf.Checker{Resolver: z, Speculate: mode}.CheckMailFrom(t.Context(), addr, c.Helo, c.MailFrom)
						if slices.Contains(listOf(c.Result), r.Status.String()) {
							results++
						} else if !slices.Contains(tt.dialect, name) {
							t.Errorf("%s: got %s (%v), expected %v", name, r.Status, r.Err, c.Result)
						}
						if other := (blitiri.Checker{Resolver: z}).Check(t.Context(), addr, c.Helo, c.MailFrom); slices.Contains(listOf(c.Result), other.Status.String()) {
							theirs++
						}
						switch want := strings.ReplaceAll(c.Explanation, "DEFAULT", ""); {
						case c.Explanation == "":
						case r.Explanation == want:
							explanations++
						default:
							t.Errorf("%s: explanation %q, expected %q", name, r.Explanation, want)
						}
					}
				}
				t.Logf("%d of %d results, %d explanations; blitiri: %d results", results, cases, explanations, theirs)
				if results != tt.results || tt.explanations > 0 && explanations != tt.explanations {
					t.Errorf("expected %d results, %d explanations", tt.results, tt.explanations)
				}
			})
		}
	}
}
