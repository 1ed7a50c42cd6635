package spf_test

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/spf"
)

var update = flag.Bool("update", false, "rewrite the expected analyses in testdata")

// TestAnalyzeArchives compares the whole analysis of each archive's example.test:
// tree, sets, lints and the flattened records.
func TestAnalyzeArchives(t *testing.T) {
	files, err := filepath.Glob("testdata/analyze/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no archives", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			zones, err := resolver.ParseZones(string(archive.Files[0].Data))
			if err != nil {
				t.Fatal(err)
			}
			a := spf.Analyze(t.Context(), zones, "example.test")
			for _, term := range a.Undecided {
				checkTermAt(t, term)
			}
			for _, lint := range a.Lints {
				checkTermAt(t, lint.At)
			}
			got := analysisText(t, zones, a)
			if *update {
				archive.Files[1].Data = []byte(got)
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(archive.Files[1].Data), got); diff != "" {
				t.Errorf("the analysis differs (-want +got), -update rewrites it:\n%s", diff)
			}
		})
	}
}

func analysisText(t *testing.T, r resolver.Resolver, a *spf.Analysis) string {
	t.Helper()
	var b strings.Builder
	var node func(n *spf.TreeNode, indent string)
	node = func(n *spf.TreeNode, indent string) {
		fmt.Fprintf(&b, "%s%s own %+v sum %+v", indent, n.Domain, n.Own, n.Sum)
		if n.Err != nil {
			fmt.Fprintf(&b, " %v", n.Err)
		}
		b.WriteString("\n")
		for _, p := range n.Terms {
			fmt.Fprintf(&b, "%s  %s %v\n", indent, p.Term.Text, p.Networks)
			if p.Below != nil {
				node(p.Below, indent+"    ")
			}
		}
	}
	node(a.Root, "")
	fmt.Fprintf(&b, "%d questions\n", a.Questions)
	for _, status := range slices.Sorted(maps.Keys(a.Sets)) {
		fmt.Fprintf(&b, "%s: %d networks", status, len(a.Sets[status]))
		if len(a.Sets[status]) < 12 {
			fmt.Fprintf(&b, " %v", a.Sets[status])
		}
		b.WriteString("\n")
	}
	for _, term := range a.Undecided {
		fmt.Fprintf(&b, "undecided: %s\n", term)
	}
	for _, lint := range a.Lints {
		fmt.Fprintln(&b, lint)
	}
	flat, err := a.Flatten(t.Context(), r, 300)
	if err != nil {
		fmt.Fprintln(&b, err)
	}
	for _, record := range flat {
		fmt.Fprintln(&b, record.RR)
		for _, from := range record.From {
			fmt.Fprintf(&b, "  %s %s by %v\n", from.Status, from.Network, from.By)
		}
	}
	return b.String()
}

// randomZones is a policy without macros and ptr, within the limits or a little over:
// networks of 192.0.2.0/24 and 2001:db8::/120, so that they overlap.
func randomZones(r *rand.Rand) string {
	var b strings.Builder
	b.WriteString("$TTL 300\n$ORIGIN example.test.\n")
	prefix := func() string {
		if r.IntN(3) == 0 {
			return fmt.Sprintf("ip6:2001:db8::%x/%d", r.IntN(256), 120+r.IntN(9))
		}
		return fmt.Sprintf("ip4:192.0.2.%d/%d", r.IntN(256), 24+r.IntN(9))
	}
	qualifier := func() string { return []string{"", "", "", "-", "~", "?"}[r.IntN(6)] }
	for i := range 4 {
		fmt.Fprintf(&b, "h%d A 192.0.2.%d\n", i, r.IntN(256))
		fmt.Fprintf(&b, "h%d AAAA 2001:db8::%x\n", i, r.IntN(256))
		fmt.Fprintf(&b, "m MX 10 h%d\n", i)
	}
	for _, owner := range []string{"@", "p1", "p2", "p3"} {
		terms := []string{"v=spf1"}
		for range 1 + r.IntN(5) {
			switch r.IntN(8) {
			case 0:
				if owner != "p3" {
					next := map[string]string{"@": "p1", "p1": "p2", "p2": "p3"}[owner]
					terms = append(terms, qualifier()+"include:"+next+".example.test")
				}
			case 1:
				terms = append(terms, fmt.Sprintf("%sa:h%d.example.test/%d//%d", qualifier(), r.IntN(4), 26+r.IntN(7), 122+r.IntN(7)))
			case 2:
				terms = append(terms, qualifier()+"mx:m.example.test")
			case 3:
				terms = append(terms, qualifier()+"exists:none.example.test")
			default:
				terms = append(terms, qualifier()+prefix())
			}
		}
		switch r.IntN(4) {
		case 0:
		case 1:
			if owner == "@" {
				terms = append(terms, "redirect=p2.example.test")
			}
		default:
			terms = append(terms, []string{"-all", "~all", "?all", "+all"}[r.IntN(4)])
		}
		fmt.Fprintf(&b, "%s TXT %q\n", owner, strings.Join(terms, " "))
	}
	return b.String()
}

// What an analysis says of an address is what a check of it says, and a flattened
// policy says the same of all addresses.
func TestAnalyzeAgreesWithCheck(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	const policies = 300
	checks, flattened, overLimit := 0, 0, 0
	for range policies {
		text := randomZones(r)
		zones, err := resolver.ParseZones(text)
		if err != nil {
			t.Fatal(err)
		}
		a := spf.Analyze(t.Context(), zones, "example.test")
		c := spf.Checker{Resolver: zones, MaxVoids: -1, Speculate: spf.SpeculateNone}
		for range 30 {
			addr := netip.AddrFrom4([4]byte{192, 0, 2, byte(r.IntN(256))})
			if r.IntN(2) == 0 {
				addr = netip.MustParseAddr(fmt.Sprintf("2001:db8::%x", r.IntN(256)))
			}
			got := c.CheckMailFrom(t.Context(), addr, "helo.test", "user@example.test")
			if errors.Is(got.Err, spf.ErrLookups) {
				overLimit++
				continue
			}
			if checks++; got.Status != a.Status(addr) {
				t.Fatalf("seed %d: %s: check %s (%v, %s), analysis %s\n%s", seed, addr, got.Status, got.Err, got.Term, a.Status(addr), text)
			}
		}
		flat, err := a.Flatten(t.Context(), zones, 300)
		if err != nil {
			if !errors.Is(err, spf.ErrNotFlat) {
				t.Fatal(err)
			}
			continue
		}
		flattened++
		published := zoneOf(flat)
		for _, record := range flat {
			if length := len(strings.Join(record.RR.Txt, "")); length > 450 {
				t.Errorf("seed %d: a record of %d octets", seed, length)
			}
		}
		zones, err = resolver.ParseZones(published)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if diff := cmp.Diff(a.Sets, spf.Analyze(t.Context(), zones, "example.test").Sets, cmp.Comparer(samePrefix)); diff != "" {
			t.Fatalf("seed %d: flattened, it says something else:\n%s\n%s\n%s", seed, diff, text, published)
		}
	}
	t.Logf("seed %d: %d policies, %d checks, %d over the limit, %d flattened", seed, policies, checks, overLimit, flattened)
	if flattened < policies/4 {
		t.Errorf("seed %d: %d of %d policies could be flattened", seed, flattened, policies)
	}
}

func samePrefix(x, y netip.Prefix) bool { return x == y }

// Every code of a lint is documented, and every one that is documented is given.
func TestLintCodes(t *testing.T) {
	source, err := os.ReadFile("lint.go")
	if err != nil {
		t.Fatal(err)
	}
	doc, code, _ := strings.Cut(string(source), "type Lint struct")
	given := make(map[string]bool)
	for _, m := range regexp.MustCompile(`l\.(?:add|record)\((?:[a-zA-Z.]+, )?(Broken|Warning|Note), "([a-z0-9-]+)"`).FindAllStringSubmatch(code, -1) {
		given[strings.ToLower(m[1])+" "+m[2]] = true
	}
	documented := make(map[string]bool)
	for _, m := range regexp.MustCompile(`(?m)^//   - ([a-z0-9-]+) \((broken|warning|note)\): `).FindAllStringSubmatch(doc, -1) {
		documented[m[2]+" "+m[1]] = true
	}
	if diff := cmp.Diff(given, documented); diff != "" {
		t.Errorf("given and documented codes differ (-given +documented):\n%s", diff)
	}
}

// What DNS does not tell is told as not known, and is never flattened.
func TestAnalyzeWithoutAnswers(t *testing.T) {
	const policy = "v=spf1 a:x.test mx:y.test include:z.test ~all"
	for fails, want := range map[resolver.Question]string{
		{Name: "example.test.", Type: dns.TypeTXT}: "the record is not known",
		{Name: "z.test.", Type: dns.TypeTXT}:       "the record is not known",
		{Name: "x.test.", Type: dns.TypeAAAA}:      "the addresses are not known",
		{Name: "h0.y.test.", Type: dns.TypeA}:      "the addresses are not known",
		{Name: "y.test.", Type: dns.TypeMX}:        "the addresses are not known",
	} {
		r := failing{hostile{text: func(name string) string {
			if name == "z.test." {
				return "v=spf1 -all"
			}
			return policy
		}, mx: 1}, fails}
		a := spf.Analyze(t.Context(), r, "example.test")
		if a.Err == nil || len(a.Sets[spf.TempError]) == 0 || !slices.ContainsFunc(a.Lints, func(l spf.Lint) bool { return l.Code == "no-answer" && strings.Contains(l.Text, want) }) {
			t.Errorf("%v: %v, %v, %v", fails, a.Err, a.Sets, a.Lints)
		}
		if _, err := a.Flatten(t.Context(), nil, 300); !errors.Is(err, spf.ErrNotFlat) {
			t.Errorf("%v: flattened: %v", fails, err)
		}
		checkAgrees(t, a, r)
	}
}

// checkAgrees compares an analysis with checks.
func checkAgrees(t *testing.T, a *spf.Analysis, r resolver.Resolver) {
	t.Helper()
	for _, addr := range []string{"192.0.2.200", "192.0.2.201", "2001:db8::1"} {
		got := spf.Checker{Resolver: r, MaxVoids: -1}.CheckHelo(t.Context(), netip.MustParseAddr(addr), "example.test")
		if want := a.Status(netip.MustParseAddr(addr)); got.Status != want {
			t.Errorf("%s: check %s, analysis %s", addr, got.Status, want)
		}
	}
}

func TestAnalyzeNoName(t *testing.T) {
	a := spf.Analyze(t.Context(), nil, "nonsense")
	if a.Root.Err == nil || a.Questions != 0 || a.Status(netip.MustParseAddr("192.0.2.1")) == spf.Pass {
		t.Errorf("%+v", a)
	}
}
