package spf_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/spf"
)

// A world is a random policy with all there is: macros, ptr, voids, mistakes, limits.
func randomWorld(r *rand.Rand) string {
	var b strings.Builder
	b.WriteString("$TTL 300\n$ORIGIN example.test.\n")
	name := func() string {
		return []string{"p1", "p2", "p3", "h1", "h2", "m1", "m2", "void1", "void2", "alias"}[r.IntN(10)] + ".example.test"
	}
	spec := func() string {
		switch r.IntN(8) {
		case 0:
			return "%{l}.h1.example.test"
		case 1:
			return "%{p}"
		case 2:
			return "%{ir}.bl.example.test"
		}
		return name()
	}
	for i := range 3 {
		fmt.Fprintf(&b, "h%d A 192.0.2.%d\n", i, r.IntN(4))
		fmt.Fprintf(&b, "h%d AAAA 2001:db8::%d\n", i, r.IntN(4))
		fmt.Fprintf(&b, "m%d MX 10 h%d\nm%d MX 20 void1\n", i, r.IntN(3), i)
		fmt.Fprintf(&b, "u.h1 A 192.0.2.%d\n", r.IntN(4))
	}
	b.WriteString("alias CNAME p1\n*.bl A 127.0.0.2\nwhy TXT \"%{c} %{p} %{d}\"\n")
	for _, owner := range []string{"@", "p1", "p2", "p3"} {
		terms := []string{"v=spf1"}
		for range r.IntN(6) {
			q := []string{"", "", "", "-", "~", "?"}[r.IntN(6)]
			terms = append(terms, []string{
				q + "a:" + spec(), q + "mx:" + spec(), q + "ptr:" + name(), q + "ptr", q + "exists:" + spec(), q + "include:" + spec(),
				q + "include:" + []string{"p1", "p2", "p3"}[r.IntN(3)] + ".example.test", fmt.Sprintf("%sip4:192.0.2.%d", q, r.IntN(4)),
				fmt.Sprintf("%sip6:2001:db8::%d/127", q, r.IntN(4)), q + "a", q + "mx", "exp=why.example.test",
			}[r.IntN(12)])
		}
		switch r.IntN(5) {
		case 0:
			terms = append(terms, "redirect="+spec())
		case 1:
			if r.IntN(4) == 0 {
				terms = append(terms, "oops")
			}
		case 2, 3:
			terms = append(terms, "-all")
		}
		fmt.Fprintf(&b, "%s TXT %q\n", owner, strings.Join(terms, " "))
	}
	b.WriteString("$ORIGIN 2.0.192.in-addr.arpa.\n")
	for i := range 4 {
		fmt.Fprintf(&b, "%d PTR h%d.example.test.\n%d PTR alias.example.test.\n", i, r.IntN(4), i)
	}
	b.WriteString("$ORIGIN ip6.arpa.\n")
	fmt.Fprintf(&b, "%s 300 IN PTR h1.example.test.\n", resolver.ReverseName(netip.MustParseAddr("2001:db8::1")))
	return b.String()
}

func randomClient(r *rand.Rand) netip.Addr {
	if r.IntN(3) == 0 {
		return netip.MustParseAddr(fmt.Sprintf("2001:db8::%d", r.IntN(4)))
	}
	return netip.AddrFrom4([4]byte{192, 0, 2, byte(r.IntN(4))})
}

// same compares what must not depend on how the questions are asked.
func same(a, b *spf.Result) string {
	return cmp.Diff(a, b, cmpopts.IgnoreFields(spf.Result{}, "Questions", "Responses", "Authentic", "Err"), cmp.Comparer(func(x, y netip.Addr) bool { return x == y }))
}

// shuffled answers with the records in another order each time.
func shuffled(inner resolver.Resolver, r *rand.Rand) resolver.Resolver {
	return resolver.Func(func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
		a, err := inner.Lookup(ctx, name, qtype)
		a.Records = slices.Clone(a.Records)
		r.Shuffle(len(a.Records), func(i, j int) { a.Records[i], a.Records[j] = a.Records[j], a.Records[i] })
		return a, err
	})
}

// The verdict, its reason and its counts are the same however the questions are
// asked and the records are ordered. Each question without an answer leaves the
// verdict as it is or makes it TempError, but for what is Degraded.
func TestProperties(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	const worlds = 1500
	statuses := make(map[spf.Status]int)
	faults, degraded, temporary := 0, 0, 0
	for range worlds {
		text := randomWorld(r)
		zones, err := resolver.ParseZones(text)
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, text)
		}
		addr := randomClient(r)
		var asked []resolver.Question
		logged := resolver.Func(func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
			asked = append(asked, resolver.Question{Name: name, Type: qtype})
			return zones.Lookup(ctx, name, qtype)
		})
		check := func(over resolver.Resolver, mode spf.Speculation, open int) *spf.Result {
			result := spf.Checker{Resolver: over, Speculate: mode, MaxOpen: open}.CheckMailFrom(t.Context(), addr, "helo.test", "u@example.test")
			invariants(t, result)
			return result
		}
		// One question at a time, in memory: no worker overtakes another.
		healthy := check(logged, spf.SpeculateNone, 1)
		statuses[healthy.Status]++
		for _, mode := range []spf.Speculation{spf.SpeculateTXT, spf.SpeculateAll} {
			if diff := same(healthy, check(zones, mode, 1+r.IntN(20))); diff != "" {
				t.Fatalf("seed %d: %s, %s:\n%s\n%s", seed, addr, mode, diff, text)
			}
		}
		if got := check(shuffled(zones, r), spf.SpeculateNone, 1); got.Status != healthy.Status {
			t.Fatalf("seed %d: %s: %s, in another order %s\n%s", seed, addr, healthy.Status, got.Status, text)
		}
		for _, q := range asked {
			failing := resolver.Func(func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
				if (resolver.Question{Name: name, Type: qtype}) == q {
					return resolver.Answer{}, errors.New("no answer")
				}
				return zones.Lookup(ctx, name, qtype)
			})
			got := check(failing, spf.SpeculateNone, 1)
			faults++
			switch {
			case got.Degraded.Domain != "":
				degraded++
			case got.Status == spf.TempError:
				temporary++
			case got.Status != healthy.Status:
				t.Fatalf("seed %d: %s: %s, and %s when %s has no answer\n%s", seed, addr, healthy.Status, got.Status, q.Name, text)
			}
		}
	}
	t.Logf("seed %d: %d worlds, %v; %d faults: %d temporary, %d degraded", seed, worlds, statuses, faults, temporary, degraded)
	for _, status := range []spf.Status{spf.Neutral, spf.Pass, spf.Fail, spf.SoftFail, spf.PermError} {
		if statuses[status] < worlds/100 {
			t.Errorf("seed %d: %s %d times: the worlds are too much alike: %v", seed, status, statuses[status], slices.Sorted(maps.Keys(statuses)))
		}
	}
}

// No text of a record is too much.
func FuzzCheck(f *testing.F) {
	for _, s := range []string{"v=spf1 a mx ptr exists:%{i}.x.test -all exp=x.test", "v=spf1 include:%{l3r+-}.%{d} redirect=%{H}.test", "v=spf1 ip4:192.0.2.1/24 ip6:::/0 ~all"} {
		f.Add(s, "u-v+w@example.test", "%{p} %{c} %{t}")
	}
	f.Fuzz(func(t *testing.T, record, sender, explanation string) {
		h := hostile{mx: 2, ptr: 2, text: func(name string) string {
			if strings.HasPrefix(name, "x.") {
				return explanation
			}
			return record
		}}
		for _, addr := range []string{"192.0.2.1", "2001:db8::1"} {
			r := spf.Checker{Resolver: h}.CheckMailFrom(t.Context(), netip.MustParseAddr(addr), "helo.test", sender)
			invariants(t, r)
			for _, text := range []string{r.Explanation, strings.ReplaceAll(r.ReceivedSPF(), "\r\n\t", "")} {
				if strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c > '~' }) {
					t.Errorf("not printable: %q", text)
				}
			}
			if r.Questions > mostQuestions[spf.SpeculateTXT] {
				t.Errorf("%d questions", r.Questions)
			}
			_ = r.Term.String()
		}
		a := spf.Analyze(t.Context(), h, "example.test")
		if _, err := a.Flatten(t.Context(), nil, 300); err != nil && !errors.Is(err, spf.ErrNotFlat) {
			t.Error(err)
		}
		if a.Questions > 2700 {
			t.Errorf("%d questions", a.Questions)
		}
	})
}
