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

// batch is so short that most of them have a processor to themselves.
const batch = 1000

// BenchmarkZones looks the same records up in memory, a batch of each in turn. It
// reports the medians, and what part of go-mockdns's time ours is.
func BenchmarkZones(b *testing.B) {
	zones, err := resolver.ParseZones(`
$ORIGIN example.test.
$TTL 300
@     MX    10 mail
@     TXT   "v=spf1 mx -all"
mail  A     192.0.2.10
alias CNAME mail
`)
	if err != nil {
		b.Fatal(err)
	}
	mock := &mockdns.Resolver{Zones: map[string]mockdns.Zone{
		"example.test.":       {MX: []net.MX{{Host: "mail.example.test.", Pref: 10}}, TXT: []string{"v=spf1 mx -all"}},
		"mail.example.test.":  {A: []string{"192.0.2.10"}},
		"alias.example.test.": {CNAME: "mail.example.test."},
	}}
	for _, q := range []struct {
		name  string
		owner string
		qtype uint16
		ask   func(ctx context.Context, name string) error
		none  bool
	}{
		{name: "A", owner: "mail.example.test.", qtype: dns.TypeA, ask: func(ctx context.Context, name string) error {
			_, err := mock.LookupIP(ctx, "ip4", name)
			return err
		}},
		{name: "alias", owner: "alias.example.test.", qtype: dns.TypeA, ask: func(ctx context.Context, name string) error {
			_, err := mock.LookupIP(ctx, "ip4", name)
			return err
		}},
		{name: "MX", owner: "example.test.", qtype: dns.TypeMX, ask: func(ctx context.Context, name string) error {
			_, err := mock.LookupMX(ctx, name)
			return err
		}},
		{name: "TXT", owner: "example.test.", qtype: dns.TypeTXT, ask: func(ctx context.Context, name string) error {
			_, err := mock.LookupTXT(ctx, name)
			return err
		}},
		{name: "NXDOMAIN", owner: "none.example.test.", qtype: dns.TypeTXT, none: true, ask: func(ctx context.Context, name string) error {
			if _, err := mock.LookupTXT(ctx, name); err == nil {
				return errors.New("no error")
			}
			return nil
		}},
	} {
		ours := func() {
			a, err := zones.Lookup(b.Context(), q.owner, q.qtype)
			if err != nil || (len(a.Records) == 0) != q.none {
				b.Fatal(a, err)
			}
		}
		theirs := func() {
			if err := q.ask(b.Context(), q.owner); err != nil {
				b.Fatal(err)
			}
		}
		b.Run(q.name, func(b *testing.B) {
			var our, their, ratios []float64
			for b.Loop() {
				o, t := each(ours), each(theirs)
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

// each returns the nanoseconds that a look-up takes.
func each(lookup func()) float64 {
	start := time.Now()
	for range batch {
		lookup()
	}
	return float64(time.Since(start).Nanoseconds()) / batch
}
