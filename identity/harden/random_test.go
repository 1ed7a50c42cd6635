package harden_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/csa"
	"github.com/bonafide-mta/bonafide/identity/harden"
	"github.com/bonafide-mta/bonafide/nullmx"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/spf"
)

// randomZone returns the text of a zone whose names stand below, above and beside each
// other: hosts, wildcards, delegations, DNAMEs, aliases, and what mail leaves in zones.
func randomZone(r *rand.Rand) string {
	var b strings.Builder
	b.WriteString("$ORIGIN example.test.\n$TTL 300\n@ SOA ns hostmaster 1 1 1 1 60\n@ NS ns\n")
	label := func() string {
		return []string{"a", "b", "c", "www", "d", "e9", "_t", "f", `x\.y`, "mail", "g"}[r.IntN(11)]
	}
	alias := make(map[string]bool)
	for range 3 + r.IntN(25) {
		name := label()
		for range r.IntN(3) {
			name += "." + label()
		}
		if r.IntN(7) == 0 {
			name = "*." + name
		}
		if alias[name] {
			continue
		}
		record := func(data string) { fmt.Fprintf(&b, "%s %s\n", name, data) }
		if r.IntN(12) == 0 && !strings.Contains(b.String(), "\n"+name+" ") {
			alias[name] = true
			record("CNAME www")
			continue
		}
		if r.IntN(4) > 0 {
			record(fmt.Sprintf("A 192.0.2.%d", r.IntN(8)))
		}
		switch r.IntN(16) {
		case 0:
			record("AAAA 2001:db8::1")
		case 1:
			record("MX 10 " + label())
		case 2:
			record("MX 0 .")
		case 3:
			record(`TXT "v=spf1 -all"`)
		case 4:
			record(fmt.Sprintf(`TXT "v=spf1 ip4:192.0.2.%d -all"`, r.IntN(8)))
		case 5:
			record(`TXT "token"`)
		case 6:
			if !strings.HasPrefix(name, "*") {
				record("NS ns.other.test.")
			}
		case 7:
			if !strings.HasPrefix(name, "*") && !strings.Contains(b.String(), "\n"+name+" DNAME") {
				record("DNAME other.test.")
			}
		case 8:
			fmt.Fprintf(&b, "_client._smtp.%s SRV 1 %d 1 %[1]s\n", name, 1+r.IntN(2))
		case 9:
			record("SSHFP 4 2 123456789abcdef67890123456789abcdef67890123456789abcdef123456789")
		}
	}
	return b.String()
}

// Of random zones, with what is added: they are valid; whoever asks for a hardened name
// hears that it takes no mail, sends none and, with DenyNames, greets nobody; no other
// name has anything new; nothing is to be added again.
func TestHardenRandom(t *testing.T) {
	first, found := rand.Uint64(), 0
	for seed := first; seed != first+500 && !t.Failed(); seed++ {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			text := randomZone(rand.New(rand.NewPCG(seed, 0)))
			zones, err := resolver.ParseZones(text)
			if err != nil {
				t.Fatal(err, text)
			}
			h := hardenedZones(t, zones)
			var additions strings.Builder
			if err := h.WriteZone(&additions); err != nil {
				t.Fatal(err)
			}
			whole, err := resolver.ParseZones(text + additions.String())
			if err != nil {
				t.Fatalf("%v\n%s%s", err, text, &additions)
			}
			for r := range hardenedZones(t, whole).Records() {
				t.Errorf("added again: %s\n%s", r, text)
			}
			if diff := cmp.Diff(decided(h), decided(shuffled(t, zones, seed))); diff != "" {
				t.Errorf("with the zone's records in another order (-want +got):\n%s", diff)
			}
			found += len(h.Names)
			for _, name := range h.Names {
				silent(t, whole, name)
			}
			checkUntouched(t, zones, whole, h.Names)
			if t.Failed() {
				t.Log("\n" + text + additions.String())
			}
		})
	}
	if found < 500 {
		t.Errorf("seed %d: %d names hardened in 500 zones: they show little", first, found)
	}
}

// shuffled hardens the records of zones in an order that no server has.
func shuffled(t *testing.T, zones *resolver.Zones, seed uint64) *harden.Hardening {
	t.Helper()
	records := collected(zones)
	rand.New(rand.NewPCG(seed, 1)).Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
	h, err := harden.Zones(func(yield func(dns.RR, error) bool) {
		for _, rr := range records {
			if !yield(rr, nil) {
				return
			}
		}
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	h.DenyNames = true
	return h
}

// decided lists what is added and what is left alone. The reasons may differ, where
// there are several.
func decided(h *harden.Hardening) (lines []string) {
	for r := range h.Records() {
		lines = append(lines, r.String())
	}
	for _, n := range h.Left {
		lines = append(lines, "left alone: "+n.Name)
	}
	return lines
}

func hardenedZones(t *testing.T, zones *resolver.Zones) *harden.Hardening {
	t.Helper()
	h, err := harden.Zones(zones.Records(), nil)
	if err != nil {
		t.Fatal(err)
	}
	h.DenyNames = true
	return h
}

// silent asks the checkers of a receiver about a name without mail; of a wildcard, about
// one that it answers for.
func silent(t *testing.T, zones *resolver.Zones, name string) {
	t.Helper()
	asked, wild := strings.CutPrefix(name, "*.")
	if wild {
		asked = "no-such-name." + asked
	}
	if got := (nullmx.Checker{Resolver: zones}).Check(t.Context(), asked); got.Status != nullmx.Null {
		t.Errorf("%s: mail to it: %s, %v", name, got.Status, got.Err)
	}
	for _, client := range []string{"192.0.2.1", "2001:db8::1"} {
		addr := netip.MustParseAddr(client)
		if got := (spf.Checker{Resolver: zones}).CheckMailFrom(t.Context(), addr, "helo.test", "root@"+asked); got.Status != spf.Fail {
			t.Errorf("%s: mail from it: %s, %v", name, got.Status, got.Err)
		}
		if got := (spf.Checker{Resolver: zones}).CheckHelo(t.Context(), addr, asked); got.Status != spf.Fail {
			t.Errorf("%s: HELO by SPF: %s, %v", name, got.Status, got.Err)
		}
		if wild || hasDNAME(t, zones, asked) {
			continue // nothing can stand below
		}
		if got := (csa.Checker{Resolver: zones}).Check(t.Context(), addr, asked); got.Status != csa.Fail {
			t.Errorf("%s: HELO by CSA: %s, %v", name, got.Status, got.Err)
		}
	}
}

func hasDNAME(t *testing.T, zones *resolver.Zones, name string) bool {
	t.Helper()
	answer, err := zones.Lookup(t.Context(), name, dns.TypeDNAME)
	if err != nil {
		t.Fatal(err)
	}
	return len(answer.Records) > 0
}

// checkUntouched finds records that are new, and not of the names hardened, and records
// that are gone.
func checkUntouched(t *testing.T, before, after *resolver.Zones, names []string) {
	t.Helper()
	list := func(zones *resolver.Zones) []string {
		var out []string
		for rr := range zones.Records() {
			name := strings.TrimPrefix(rr.Header().Name, "_client._smtp.")
			switch rr.Header().Rrtype {
			case dns.TypeMX, dns.TypeTXT, dns.TypeSRV:
				if slices.Contains(names, name) {
					continue
				}
			}
			out = append(out, rr.String())
		}
		return out
	}
	if was, is := list(before), list(after); !slices.Equal(was, is) {
		t.Errorf("other names changed: from\n%s\nto\n%s", strings.Join(was, "\n"), strings.Join(is, "\n"))
	}
}

// BenchmarkHarden hardens a zone of a hundred thousand records, which were read before.
func BenchmarkHarden(b *testing.B) {
	const n = 100_000
	records := make([]dns.RR, 0, n)
	for i := range n {
		text := fmt.Sprintf("h%x.example.test. 300 A 192.0.2.%d", uint32(i)*2654435761, i%256) // in no order
		if i == 0 {
			text = "example.test. 300 SOA ns.other.test. hostmaster.other.test. 1 1 1 1 60"
		}
		rr, err := dns.NewRR(text)
		if err != nil {
			b.Fatal(err)
		}
		records = append(records, rr)
	}
	b.ReportAllocs()
	for b.Loop() {
		h, err := harden.Zones(func(yield func(dns.RR, error) bool) {
			for _, rr := range records {
				if !yield(rr, nil) {
					return
				}
			}
		}, nil)
		if err != nil || len(h.Names) != n-1 {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/record")
}
