package peers_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/foxcpp/go-mockdns"
	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
)

// batch is so short that most batches have a processor to themselves.
const batch = 1000

const records = `
$ORIGIN example.test.
$TTL 300
@     MX    10 mail
@     TXT   "v=spf1 mx -all"
mail  A     192.0.2.10
alias CNAME mail
`

var mock = &mockdns.Resolver{Zones: map[string]mockdns.Zone{
	"example.test.":       {MX: []net.MX{{Host: "mail.example.test.", Pref: 10}}, TXT: []string{"v=spf1 mx -all"}},
	"mail.example.test.":  {A: []string{"192.0.2.10"}},
	"alias.example.test.": {CNAME: "mail.example.test."},
}}

// questions are the same for both: ours by name and type, theirs by a function.
var questions = []struct {
	name   string
	owner  string
	qtype  uint16
	exists bool
	mock   func(ctx context.Context, owner string) error
}{
	{"A", "mail.example.test.", dns.TypeA, true, mockA},
	{"alias", "alias.example.test.", dns.TypeA, true, mockA},
	{"MX", "example.test.", dns.TypeMX, true, func(ctx context.Context, owner string) error {
		_, err := mock.LookupMX(ctx, owner)
		return err
	}},
	{"TXT", "example.test.", dns.TypeTXT, true, func(ctx context.Context, owner string) error {
		_, err := mock.LookupTXT(ctx, owner)
		return err
	}},
	{"NXDOMAIN", "none.example.test.", dns.TypeTXT, false, func(ctx context.Context, owner string) error {
		if _, err := mock.LookupTXT(ctx, owner); err == nil {
			return errors.New("no error")
		}
		return nil
	}},
}

func mockA(ctx context.Context, owner string) error {
	_, err := mock.LookupIP(ctx, "ip4", owner)
	return err
}

// BenchmarkZones looks the same records up in memory, in batches that take turns. It
// reports the medians, and our time as a part or multiple of go-mockdns's.
func BenchmarkZones(b *testing.B) {
	zones, err := resolver.ParseZones(records)
	if err != nil {
		b.Fatal(err)
	}
	for _, q := range questions {
		ours := func() {
			a, err := zones.Lookup(b.Context(), q.owner, q.qtype)
			if err != nil || (len(a.Records) > 0) != q.exists {
				b.Fatal(a, err)
			}
		}
		theirs := func() {
			if err := q.mock(b.Context(), q.owner); err != nil {
				b.Fatal(err)
			}
		}
		b.Run(q.name, func(b *testing.B) {
			var our, their, ratios []float64
			for b.Loop() {
				o, t := nanoseconds(ours), nanoseconds(theirs)
				our, their, ratios = append(our, o), append(their, t), append(ratios, o/t)
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(median(our), "zones-ns")
			b.ReportMetric(median(their), "mockdns-ns")
			b.ReportMetric(median(ratios), "zones/mockdns")
			b.ReportMetric(testing.AllocsPerRun(batch, ours), "zones-allocs")
			b.ReportMetric(testing.AllocsPerRun(batch, theirs), "mockdns-allocs")
		})
	}
}

// nanoseconds returns how long a lookup takes, on average over a batch.
func nanoseconds(lookup func()) float64 {
	start := time.Now()
	for range batch {
		lookup()
	}
	return float64(time.Since(start).Nanoseconds()) / batch
}
