package blitiri_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/spf"
	"github.com/bonafide-mta/bonafide/spf/blitiri"
)

var (
	cases = flag.Int("blitiri.cases", 20_000, "how many checks are compared")
	seed  = flag.Uint64("blitiri.seed", 1, "of the random policies; 0 is a new one")
)

// A world is a random policy, a client and a sender.
type world struct {
	r       *rand.Rand
	text    strings.Builder // of the zones
	fails   map[string]bool // names of which no question is answered
	client  netip.Addr
	sender  string
	odd     bool            // the sender's local part is
	why     map[string]bool // reasons of the policy why the two may differ
	records []string
}

// Why the two may differ: facts of blitiri, each with what decides.
const (
	slash   = "a slash in a domain-spec"                        // RFC 7208, Section 12: macro-literal has it
	macroP  = "the macro p"                                     // Section 7.3; blitiri has the constant unknown
	exists6 = "exists and an IPv6 client"                       // Section 5.7: always type A
	mapped  = "an IPv4-mapped ip6"                              // Section 5.6: matches no IPv4 client
	mxFails = "a mail exchanger without an answer"              // beside one that matches: a match stands
	voidPTR = "a ptr of a client without PTR records"           // Section 4.6.4: each counts; blitiri counts one
	local   = "a local part that needs more than ASCII letters" // Section 7.3: escapes; empty parts stay
)

func (w *world) pick(of ...string) string { return of[w.r.IntN(len(of))] }

// rare is true once in n.
func (w *world) rare(n int) bool { return w.r.IntN(n) == 0 }

func (w *world) name() string {
	return w.pick("p1", "p2", "p3", "h0", "h1", "h2", "m0", "m1", "void0", "void1", "alias", "fails") + ".example.test"
}

func (w *world) spec() string {
	switch {
	case w.rare(12):
		return w.pick("%{l}", "%{l-}", "%{L}", "%{lr-}", "%{S}") + ".l.example.test"
	case w.rare(12):
		return w.pick("%{ir}.%{v}", "%{i}", "%{d2}", "%{dr}", "%{o}", "%{h}", "%{d1r}") + ".bl.example.test"
	case w.rare(20):
		w.why[macroP] = true
		return "%{p}.p.example.test"
	case w.rare(60):
		w.why[slash] = true
		return "a/b.example.test"
	}
	return w.name()
}

func (w *world) mechanism() string {
	lengths := w.pick("", "", "", "/30", "//126", "/30//126", "/0", "//0")
	q := w.pick("", "", "", "-", "~", "?")
	switch w.r.IntN(14) {
	case 0, 1:
		return q + "a:" + w.spec() + lengths
	case 2:
		return q + "a" + lengths
	case 3, 4:
		return q + "mx:" + w.spec() + lengths
	case 5:
		return q + "mx" + lengths
	case 6:
		return q + "ptr:" + w.pick("example.test", "other.test", w.name())
	case 7:
		return q + "exists:" + w.spec()
	case 8, 9:
		return q + "include:" + w.pick("p1", "p2", "p3", "p3") + ".example.test"
	case 10:
		if w.rare(10) {
			w.why[mapped] = true
			return fmt.Sprintf("%sip6:::ffff:192.0.2.%d", q, w.r.IntN(8))
		}
		return fmt.Sprintf("%sip6:2001:db8::%d/%d", q, w.r.IntN(8), 125+w.r.IntN(4))
	}
	return fmt.Sprintf("%sip4:192.0.2.%d/%d", q, w.r.IntN(8), 29+w.r.IntN(4))
}

// visit chooses who asks.
func (w *world) visit() {
	w.odd = false
	w.client = netip.AddrFrom4([4]byte{192, 0, 2, byte(w.r.IntN(8))})
	if w.rare(3) {
		w.client = netip.MustParseAddr(fmt.Sprintf("2001:db8::%d", w.r.IntN(8)))
	}
	w.sender = w.pick("user", "first-last", "a.b.c", "x+y", "") + "@example.test"
	if w.rare(20) {
		w.odd = true
		w.sender = w.pick("a b", "a..b", `"q@q"`, "a%b") + "@example.test"
	}
	if w.rare(10) {
		w.sender = "" // the HELO name is judged
	}
}

func newWorld(r *rand.Rand) *world {
	w := &world{r: r, fails: map[string]bool{"fails.example.test.": true}, why: make(map[string]bool)}
	b := &w.text
	b.WriteString("$TTL 300\n$ORIGIN example.test.\n")
	for i := range 3 {
		fmt.Fprintf(b, "h%d A 192.0.2.%d\nh%d AAAA 2001:db8::%d\n", i, r.IntN(8), i, r.IntN(8))
	}
	fmt.Fprintf(b, "@ A 192.0.2.%d\n@ MX 10 h0\n", r.IntN(8))
	for i := range 2 {
		for j := range 1 + r.IntN(3) {
			fmt.Fprintf(b, "m%d MX %d %s\n", i, 10*j, w.pick("h0", "h1", "h2", "void0"))
		}
		if w.rare(8) {
			w.why[mxFails] = true
			fmt.Fprintf(b, "m%d MX 5 fails\n", i)
		}
		if w.rare(30) {
			for j := range 11 {
				fmt.Fprintf(b, "m%d MX %d h%d\n", i, 100+j, j%3)
			}
		}
	}
	b.WriteString("unknown.p A 127.0.0.2\n")
	fmt.Fprintf(b, "alias CNAME %s\n*.l A 127.0.0.2\n", w.pick("p1", "h0", "void0"))
	if w.rare(2) {
		b.WriteString("*.bl A 127.0.0.2\n")
	}
	for _, owner := range []string{"@", "p1", "p2", "p3"} {
		terms := []string{"v=spf1"}
		for range r.IntN(6) {
			terms = append(terms, w.mechanism())
		}
		switch r.IntN(6) {
		case 0:
			terms = append(terms, "redirect="+w.pick("p1", "p2", "p3", "void0")+".example.test")
		case 1, 2, 3:
			terms = append(terms, w.pick("-all", "~all", "?all", "all"))
		}
		record := strings.Join(terms, " ")
		w.records = append(w.records, record)
		if !w.rare(20) {
			fmt.Fprintf(b, "%s TXT %q\n", owner, record)
		}
		if w.rare(60) {
			fmt.Fprintf(b, "%s TXT \"v=spf1 ?all\"\n", owner)
		}
	}
	b.WriteString("$ORIGIN other.test.\n@ A 192.0.2.1\nn A 192.0.2.2\n")
	b.WriteString("$ORIGIN 2.0.192.in-addr.arpa.\n")
	for i := range 8 {
		if !w.rare(4) {
			fmt.Fprintf(b, "%d PTR h0.example.test.\n%d PTR %s\n", i, i, w.pick("h0.example.test.", "h1.example.test.", "n.other.test.", "void0.example.test.", "fails.example.test."))
		}
	}
	b.WriteString("$ORIGIN ip6.arpa.\n")
	fmt.Fprintf(b, "%s PTR h1.example.test.\n", resolver.ReverseName(netip.MustParseAddr("2001:db8::1")))
	return w
}

// existsIn reports whether any record uses exists.
func (w *world) existsIn() bool {
	return slices.ContainsFunc(w.records, func(s string) bool { return strings.Contains(s, "exists:") })
}

// voidPTR reports whether the client has no PTR records and a term, which several includes
// may lead to, asks for them.
func (w *world) voidPTR(t *testing.T, r resolver.Resolver) bool {
	names := resolver.Ask(t.Context(), r, resolver.ReverseName(w.client), dns.TypePTR)
	return names.Err == nil && len(names.Records) == 0 && strings.Contains(strings.Join(w.records, " "), "ptr:")
}

func (w *world) resolver(t *testing.T) resolver.Resolver {
	t.Helper()
	zones, err := resolver.ParseZones(w.text.String())
	if err != nil {
		t.Fatalf("%v\n%s", err, &w.text)
	}
	return resolver.Func(func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
		if w.fails[name] {
			return resolver.Answer{}, errors.New("no answer")
		}
		return zones.Lookup(ctx, name, qtype)
	})
}

// compare judges a visit by both; a difference must have a reason.
func (w *world) compare(t *testing.T, r resolver.Resolver, spoil func(*spf.Result)) (status spf.Status, reason string, ok bool) {
	helo, sender := "helo.example.test", w.sender
	switch {
	case sender == "":
		helo = "example.test"
	case sender[0] == '@':
		sender = "postmaster" + sender // of which blitiri makes nothing
	}
	ours := spf.Checker{Resolver: r, Speculate: spf.SpeculateNone}.CheckMailFrom(t.Context(), w.client, helo, w.sender)
	spoil(ours)
	theirs := blitiri.Checker{Resolver: r}.Check(t.Context(), w.client, helo, sender)
	switch {
	case ours.Status == theirs.Status:
		return ours.Status, "", true
	case w.odd:
		return ours.Status, local, true
	case w.client.Is6() && w.existsIn():
		return ours.Status, exists6, true
	case errors.Is(ours.Err, spf.ErrVoids) && w.voidPTR(t, r):
		return ours.Status, voidPTR, true
	}
	for _, reason := range slices.Sorted(maps.Keys(w.why)) {
		return ours.Status, reason, true
	}
	t.Logf("%s from %q: ours %s (%v, %s), theirs %s (%v)\n%s", w.client, w.sender, ours.Status, ours.Err, ours.Term, theirs.Status, theirs.Err, &w.text)
	return ours.Status, "", false
}

// visits is how many clients ask of one policy.
const visits = 5

// Two implementations of SPF agree on random policies, but for what is known.
func TestDifferential(t *testing.T) {
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	r := rand.New(rand.NewPCG(*seed, 0))
	statuses, reasons := make(map[spf.Status]int), make(map[string]int)
	unexplained := 0
	for n := 0; n < *cases && unexplained < 5; n += visits {
		w := newWorld(r)
		zones := w.resolver(t)
		for range visits {
			w.visit()
			status, reason, ok := w.compare(t, zones, func(*spf.Result) {})
			statuses[status]++
			if reason != "" {
				reasons[reason]++
			}
			if !ok {
				unexplained++
			}
		}
	}
	t.Logf("seed %d: %d checks, %v", *seed, *cases, statuses)
	t.Logf("explained: %v", reasons)
	t.Logf("%d unexplained differences", unexplained)
	if unexplained > 0 {
		t.Errorf("seed %d: the two differ", *seed)
	}
	for status := spf.None; status <= spf.PermError; status++ {
		if statuses[status] < *cases/100 {
			t.Errorf("%s: %d of %d", status, statuses[status], *cases)
		}
	}
	for _, reason := range []string{slash, macroP, exists6, mapped, mxFails, voidPTR, local} {
		if reasons[reason] == 0 {
			t.Errorf("never the reason of a difference: %s", reason)
		}
	}
}

// An error in ours is found.
func TestDifferentialFindsError(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 0))
	for range 1000 {
		w := newWorld(r)
		w.visit()
		if _, _, ok := w.compare(t, w.resolver(t), func(r *spf.Result) {
			if r.Status == spf.SoftFail {
				r.Status = spf.Fail
			}
		}); !ok {
			return
		}
	}
	t.Error("not found in 1,000 checks")
}

// The same for worlds that the fuzzer chooses.
func FuzzDifferential(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) {
		w := newWorld(rand.New(rand.NewPCG(seed, 1)))
		w.visit()
		if _, _, ok := w.compare(t, w.resolver(t), func(*spf.Result) {}); !ok {
			t.Error("the two differ")
		}
	})
}
