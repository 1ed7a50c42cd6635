package resolver_test

import (
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/resolver"
)

// The records of a zone stand in the order of their names, those of a name and type in
// that of the text, each once, whatever the order of the text. Names share long
// beginnings, end within each other, hold dots and the lowest octets, and repeat. Every
// name is found, and so is the closest one above a name that is not there.
func TestZonesRecordsInOrder(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	labels := []string{
		"a", "a-", "aa", "ab", "b", "a_b", `a\.b`, `\.`, `\(`, `x\.`, `x\\`, `\000`, `a\000`, `a\001b`, `\255`, "*", "www", "0", "10",
		"host-0000-0001", "host-0000-0001-1", "host-0000-0001-2", "host-0000-0002", strings.Repeat("x", 63), strings.Repeat("x", 62),
	}
	for _, apex := range []string{"example.test.", "."} {
		for range 200 {
			var owners []string
			for range 1 + r.IntN(60) {
				owner := apex
				for depth := r.IntN(4); depth > 0 && len(owner) < 180; depth-- {
					owner = labels[r.IntN(len(labels))] + "." + strings.TrimPrefix(owner, ".")
				}
				owners = append(owners, owner)
			}
			var text strings.Builder
			fmt.Fprintf(&text, "$ORIGIN %s\n$TTL 300\n@ SOA ns.elsewhere.test. h.elsewhere.test. 1 1 1 1 1\n@ NS ns.elsewhere.test.\n", apex)
			var want []string
			seen := make(map[string]bool)
			for range 2 * len(owners) {
				owner, data := owners[r.IntN(len(owners))], fmt.Sprintf("t%d", r.IntN(3))
				fmt.Fprintf(&text, "%s TXT %s\n", owner, data)
				if !seen[owner+data] {
					want = append(want, owner+" "+data)
				}
				seen[owner+data] = true
			}
			slices.SortStableFunc(want, func(a, b string) int {
				ownerA, _, _ := strings.Cut(a, " ")
				ownerB, _, _ := strings.Cut(b, " ")
				return dnsname.Compare(ownerA, ownerB)
			})
			zones, err := resolver.ParseZones(text.String())
			if err != nil {
				t.Fatalf("seed %d: %v\n%s", seed, err, &text)
			}
			var got []string
			for rr := range zones.Records() {
				if rr, ok := rr.(*dns.TXT); ok {
					got = append(got, rr.Hdr.Name+" "+rr.Txt[0])
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("seed %d (-want +got):\n%s\n%s", seed, diff, &text)
			}
			checkFound(t, zones, apex, want, fmt.Sprintf("seed %d\n%s", seed, &text))
		}
	}
}

// checkFound asks the zones, and them as a server, for every name that has records and
// for names below and beside: both have to know which exist.
func checkFound(t *testing.T, zones *resolver.Zones, apex string, records []string, state string) {
	t.Helper()
	exists := map[string]bool{apex: true} // the names with records and those above them
	for _, r := range records {
		owner, _, _ := strings.Cut(r, " ")
		for at := owner; at != apex; at = dnsname.Parent(at) {
			exists[at] = true
		}
	}
	under := func(label, name string) string { return label + "." + strings.TrimPrefix(name, ".") }
	for _, r := range records {
		owner, _, _ := strings.Cut(r, " ")
		names := []string{owner, under("zz", owner), under("0", owner), under("a", under("host-0000-0001-1", owner))}
		if owner != apex {
			names = append(names, under("a0", dnsname.Parent(owner)))
		}
		for _, name := range names {
			encloser := name
			for !exists[encloser] {
				encloser = dnsname.Parent(encloser)
			}
			there := encloser == name || exists[under("*", encloser)] // RFC 4592, Section 3.3.1
			a, err := zones.Lookup(t.Context(), name, dns.TypeTXT)
			if err != nil || there != (a.Status == resolver.NoError) {
				t.Fatalf("%s: %v, %v; there: %v; %s", name, a.Status, err, there, state)
			}
			var served answerOf
			zones.ServeDNS(&served, new(dns.Msg).SetQuestion(name, dns.TypeTXT))
			if there != (served.m.Rcode == dns.RcodeSuccess) || len(served.m.Answer) != len(a.Records) {
				t.Fatalf("%s: served %v; there: %v, asked %v; %s", name, served.m, there, a.Records, state)
			}
		}
	}
}

// answerOf keeps the message that a handler answers with, as over TCP.
type answerOf struct {
	dns.ResponseWriter
	m *dns.Msg
}

func (a *answerOf) RemoteAddr() net.Addr { return &net.TCPAddr{} }

func (a *answerOf) WriteMsg(m *dns.Msg) error {
	a.m = m
	return nil
}

// The first question makes an index, whoever asks it.
func TestZonesAskedAtOnce(t *testing.T) {
	zones := mustParse(t, "$ORIGIN example.test.\n$TTL 300\n@ A 192.0.2.1\n$ORIGIN 2.0.192.in-addr.arpa.\n1 PTR example.test.\n")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if a, err := zones.Lookup(t.Context(), "example.test", dns.TypeA); err != nil || len(a.Records) != 1 {
				t.Errorf("%v, %v", a, err)
			}
		})
	}
	all.Wait()
}

// A text may say one thing as often as it likes: 200,000 records at one name, half of
// them twice, are read in the time of one pass.
func TestZonesManyAtOneName(t *testing.T) {
	var text strings.Builder
	text.WriteString("$ORIGIN example.test.\n$TTL 300\n")
	for i := range 200_000 {
		fmt.Fprintf(&text, "@ TXT t%d\n", i%100_000)
	}
	count := 0
	for rr := range mustParse(t, text.String()).Records() {
		if rr, ok := rr.(*dns.TXT); ok {
			if rr.Txt[0] != fmt.Sprint("t", count) {
				t.Fatalf("record %d is %s", count, rr)
			}
			count++
		}
	}
	if count != 100_000 {
		t.Errorf("%d records, want 100000", count)
	}
}
