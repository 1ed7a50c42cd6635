package spf_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bonafide-mta/bonafide/internal/txt"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/spf"
)

// flattened returns the policy of example.test in a zone and its flattened records, as texts
// by owner.
func flattened(t *testing.T, zone string) (*spf.Analysis, map[string]string) {
	t.Helper()
	zones, err := resolver.ParseZones("$TTL 300\n$ORIGIN example.test.\n" + zone)
	if err != nil {
		t.Fatal(err)
	}
	a := spf.Analyze(t.Context(), zones, "example.test")
	records, err := a.Flatten(t.Context(), zones, 300)
	if err != nil {
		t.Fatalf("%v\n%s", err, zone)
	}
	texts := make(map[string]string)
	for _, r := range records {
		texts[r.RR.Hdr.Name] = txt.Join(r.RR.Txt)
	}
	return a, texts
}

// Each network has the terms that say it shortest.
func TestFlattenShort(t *testing.T) {
	for policy, want := range map[string]string{
		"-ip4:192.0.2.66 ip4:192.0.2.0/24 -all":                                    "-ip4:192.0.2.66 ip4:192.0.2.0/24 -all",
		"ip4:192.0.2.64/26 ip4:192.0.2.0/24 ~all":                                  "ip4:192.0.2.0/24 ~all",
		"ip4:192.0.2.0/25 ip4:192.0.2.128/25 -all":                                 "ip4:192.0.2.0/24 -all",
		"ip4:192.0.2.1 ip4:192.0.2.2/31 -all":                                      "ip4:192.0.2.1 ip4:192.0.2.2/31 -all",
		"ip4:192.0.2.7 -ip4:192.0.2.0/28 ip4:192.0.2.0/24 -all":                    "ip4:192.0.2.7 -ip4:192.0.2.0/28 ip4:192.0.2.0/24 -all",
		"~ip4:192.0.2.7 ?ip4:192.0.2.0/28 ip4:192.0.2.0/24 -all":                   "~ip4:192.0.2.7 ?ip4:192.0.2.0/28 ip4:192.0.2.0/24 -all",
		"-ip6:2001:db8::66 ip6:2001:db8::/32 -ip4:192.0.2.1 ip4:192.0.2.0/29 -all": "-ip6:2001:db8::66 -ip4:192.0.2.1 ip4:192.0.2.0/29 ip6:2001:db8::/32 -all",
		"-ip4:192.0.2.0/24 +all":                                                   "-ip4:192.0.2.0/24 all",
		"ip4:0.0.0.0/0 -all":                                                       "ip4:0.0.0.0/0 -all",
		"-all":                                                                     "-all",
		"ip4:192.0.2.1":                                                            "ip4:192.0.2.1 ?all",
		"-ip4:192.0.2.1 -ip4:192.0.2.3 -ip4:192.0.2.5 -ip4:192.0.2.7 ip4:192.0.2.0/29 -all": "ip4:192.0.2.0 ip4:192.0.2.2 ip4:192.0.2.4 ip4:192.0.2.6 -all",
	} {
		a, texts := flattened(t, fmt.Sprintf("@ TXT \"v=spf1 %s\"\n", policy))
		if got := texts["example.test."]; got != "v=spf1 "+want {
			t.Errorf("%s: %s, expected %s", policy, got, want)
		}
		if len(a.Lints) > 2 {
			t.Errorf("%s: %v", policy, a.Lints)
		}
	}
}

// Names that have SPF records, are aliases or are seen in the policy are passed over; those
// that have other records or only what a wildcard gives them are free.
func TestFlattenNames(t *testing.T) {
	many := "@ TXT"
	for i := range 60 {
		text := fmt.Sprintf(" ip4:198.51.100.%d", 4*i)
		if i == 0 {
			text = "v=spf1 include:_spf2.example.test"
		}
		many += fmt.Sprintf(" %q", text)
	}
	many += " \" -all\"\n_spf2 TXT \"v=spf1 ip4:203.0.113.1 -all\"\n"
	for _, tt := range []struct{ zone, want string }{
		{"", "_spf1 _spf3 _spf4"},
		{"_spf1 TXT \"v=spf1 ip4:203.0.113.2 -all\"\n_spf3 CNAME other.test.\n$ORIGIN other.test.\n@ TXT none\n", "_spf4 _spf5 _spf6"},
		{"_spf1 TXT \"a text\"\n_spf3 A 192.0.2.1\n", "_spf1 _spf3 _spf4"},
		{"* TXT \"v=spf1 -all\"\n_spf3 TXT \"v=spf1 mx -all\"\n", "_spf1 _spf4 _spf5"},
	} {
		_, texts := flattened(t, many+tt.zone)
		var want []string
		for label := range strings.FieldsSeq(tt.want) {
			name := label + ".example.test"
			want = append(want, "include:"+name)
			if texts[name+"."] == "" {
				t.Errorf("%s: nothing at %s", tt.zone, name)
			}
		}
		if own := texts["example.test."]; !strings.Contains(own, " "+strings.Join(want, " ")+" -all") || len(texts) != 1+len(want) {
			t.Errorf("%s: %v", tt.zone, texts)
		}
	}

	zones, err := resolver.ParseZones("$TTL 300\n$ORIGIN example.test.\n" + many)
	if err != nil {
		t.Fatal(err)
	}
	a := spf.Analyze(t.Context(), zones, "example.test")
	asked := 0
	for _, r := range []resolver.Resolver{
		resolver.Func(func(context.Context, string, uint16) (resolver.Answer, error) {
			return resolver.Answer{}, errors.New("no answer")
		}),
		resolver.Func(func(_ context.Context, name string, qtype uint16) (resolver.Answer, error) {
			asked++
			return hostile{text: always("v=spf1 " + name)}.Lookup(t.Context(), name, qtype)
		}),
	} {
		if _, err := a.Flatten(t.Context(), r, 300); !errors.Is(err, spf.ErrNotFlat) {
			t.Errorf("%v", err)
		}
	}
	if asked > 60 {
		t.Errorf("%d questions", asked)
	}
	if _, err := a.Flatten(t.Context(), nil, 300); err != nil {
		t.Error(err)
	}
}

// No string of a record ends within a term.
func TestFlattenStrings(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	for range 50 {
		policy := "v=spf1"
		for range 40 + r.IntN(60) {
			policy += fmt.Sprintf(" ip4:%d.%d.%d.%d", 1+r.IntN(200), r.IntN(256), r.IntN(256), r.IntN(256))
		}
		record, err := spf.Parse(policy + " -all")
		if err != nil {
			t.Fatal(err)
		}
		rr, err := record.RR("example.test", 300)
		if err != nil {
			t.Fatal(err)
		}
		zones, err := resolver.ParseZones("$ORIGIN example.test.\n" + rr.String())
		if err != nil {
			t.Fatal(err)
		}
		a := spf.Analyze(t.Context(), zones, "example.test")
		flat, err := a.Flatten(t.Context(), zones, 300)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		for _, f := range append(flat, spf.FlatRecord{RR: rr}) {
			for i, s := range f.RR.Txt {
				if len(s) > 255 || i > 0 && s[0] != ' ' {
					t.Fatalf("seed %d: %q", seed, f.RR.Txt)
				}
			}
		}
		zones, err = resolver.ParseZones(zoneOf(flat))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(a.Sets, spf.Analyze(t.Context(), zones, "example.test").Sets, cmp.Comparer(samePrefix)); diff != "" {
			t.Fatalf("seed %d: %s", seed, diff)
		}
	}
}

// zoneOf returns records as the text of a zone.
func zoneOf(records []spf.FlatRecord) string {
	text := "$TTL 300\n$ORIGIN example.test.\n"
	for _, r := range records {
		text += r.RR.String() + "\n"
	}
	return text
}

// FuzzFlatten: a flattened policy says the same of all addresses as the policy, and what is
// said about either is fit to be shown.
func FuzzFlatten(f *testing.F) {
	for _, s := range []string{"v=spf1 -ip4:192.0.2.66 ip4:192.0.2.0/24 include:x.test -all", "v=spf1 ~ip6:2001:db8::/33 ip6:2001:db8::/32 ?all exp=e.test", "v=spf1 a mx/24 redirect=x.test", "v=spf1 \u2013all \x1b[31m a:\u202e.test"} {
		f.Add(s, "v=spf1 ?ip4:192.0.2.0/26 ip4:0.0.0.0/1 -all")
	}
	f.Fuzz(func(t *testing.T, own, other string) {
		h := hostile{mx: 2, text: func(name string) string {
			if name == "example.test." {
				return own
			}
			return other
		}}
		a := spf.Analyze(t.Context(), h, "example.test")
		for _, l := range a.Lints {
			if strings.ContainsFunc(l.String(), func(r rune) bool { return r < ' ' || r > '~' }) {
				t.Errorf("not printable: %q", l)
			}
		}
		flat, err := a.Flatten(t.Context(), nil, 300)
		if err != nil {
			if !errors.Is(err, spf.ErrNotFlat) {
				t.Error(err)
			}
			return
		}
		zones, err := resolver.ParseZones(zoneOf(flat))
		if err != nil {
			t.Fatalf("%v\n%s", err, zoneOf(flat))
		}
		again := spf.Analyze(t.Context(), zones, "example.test")
		if diff := cmp.Diff(a.Sets, again.Sets, cmp.Comparer(samePrefix)); diff != "" {
			t.Errorf("%q: %s\n%s", own, zoneOf(flat), diff)
		}
		if once, err := again.Flatten(t.Context(), nil, 300); err != nil || len(once) > len(flat) {
			t.Errorf("%q: flattened again, %d records, %v\n%s", own, len(once), err, zoneOf(flat))
		}
	})
}
