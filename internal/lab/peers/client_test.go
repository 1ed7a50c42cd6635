package peers_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
)

const (
	maxWorkers = 128
	turn       = 200 * time.Millisecond // of one contender in one round
)

// zone has a name for each worker: a net.Resolver asks once for all callers that
// ask for the same name at the same time.
func zone() string {
	var b strings.Builder
	b.WriteString("$ORIGIN example.test.\n$TTL 300\n@ SOA ns hostmaster 1 7200 3600 1209600 600\n@ NS ns\nns A 127.0.0.1\n")
	for i := range maxWorkers {
		fmt.Fprintf(&b, "w%d A 192.0.2.10\n", i)
	}
	return b.String()
}

// A contender asks a server for the address of a name. Its function is made once
// for each worker, with what undoes it.
type contender struct {
	name string
	open func(server netip.AddrPort) (ask func(ctx context.Context, name string) error, done func())
}

// baseline is what the others are measured by.
const baseline = "miekg"

func contenders() []contender {
	return []contender{
		{baseline, func(server netip.AddrPort) (func(context.Context, string) error, func()) {
			c, address := new(dns.Client), server.String()
			return func(_ context.Context, name string) error {
				m := new(dns.Msg).SetQuestion(name, dns.TypeA)
				m.SetEdns0(1232, false)
				reply, _, err := c.Exchange(m, address)
				return requireOneRecord(reply, err)
			}, func() {}
		}},
		{"miekg-conn", func(server netip.AddrPort) (func(context.Context, string) error, func()) {
			c := new(dns.Client)
			conn, err := c.Dial(server.String())
			if err != nil {
				panic(err)
			}
			return func(_ context.Context, name string) error {
				m := new(dns.Msg).SetQuestion(name, dns.TypeA)
				m.SetEdns0(1232, false)
				reply, _, err := c.ExchangeWithConn(m, conn)
				return requireOneRecord(reply, err)
			}, func() { conn.Close() }
		}},
		{"net", func(server netip.AddrPort) (func(context.Context, string) error, func()) {
			address := server.String()
			r := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, address)
			}}
			return func(ctx context.Context, name string) error {
				addrs, err := r.LookupNetIP(ctx, "ip4", name)
				if err == nil && len(addrs) != 1 {
					err = fmt.Errorf("%d addresses", len(addrs))
				}
				return err
			}, func() {}
		}},
		ours("fresh", new(resolver.Client)),
		ours("pooled", &resolver.Client{ReuseSockets: true}),
	}
}

// ours has one Client for all workers.
func ours(name string, c *resolver.Client) contender {
	return contender{name, func(server netip.AddrPort) (func(context.Context, string) error, func()) {
		c.Servers = []netip.AddrPort{server}
		return func(ctx context.Context, name string) error {
			a, err := c.Lookup(ctx, name, dns.TypeA)
			if err == nil && len(a.Records) != 1 {
				err = fmt.Errorf("%d records", len(a.Records))
			}
			return err
		}, func() {} // what it keeps is for the next round
	}}
}

// requireOneRecord returns an error unless a reply has one record.
func requireOneRecord(reply *dns.Msg, err error) error {
	if err == nil && len(reply.Answer) != 1 {
		err = fmt.Errorf("%d records", len(reply.Answer))
	}
	return err
}

// rate lets a contender's workers ask for a while and returns the questions
// answered per second.
func rate(b *testing.B, c contender, server netip.AddrPort, workers int) float64 {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 30*time.Second)
	defer cancel()
	var answered atomic.Int64
	var stop atomic.Bool
	var wg sync.WaitGroup
	var asks []func()
	for i := range workers {
		ask, done := c.open(server)
		defer done()
		name := fmt.Sprintf("w%d.example.test.", i)
		asks = append(asks, func() {
			n := int64(0)
			for !stop.Load() {
				if err := ask(ctx, name); err != nil {
					b.Errorf("%s: %v", c.name, err)
					return
				}
				n++
			}
			answered.Add(n)
		})
	}
	start := time.Now()
	for _, ask := range asks {
		wg.Go(ask)
	}
	time.Sleep(turn)
	stop.Store(true)
	wg.Wait()
	return float64(answered.Load()) / time.Since(start).Seconds()
}

// benchmarkOne reports what one question costs each contender.
func benchmarkOne(b *testing.B, server netip.AddrPort) {
	for _, c := range contenders() {
		b.Run(c.name, func(b *testing.B) {
			ask, done := c.open(server)
			defer done()
			b.ReportAllocs()
			before := processor()
			for b.Loop() {
				if err := ask(b.Context(), "w0.example.test."); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(processor()-before)/float64(b.N), "cpu-ns/op")
		})
	}
}

// processor returns the processor time that this process has had.
func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// benchmarkQuestions reports the questions per second of each contender, and the ratio
// to the baseline's: the medians over all rounds, each of which has its own ratio,
// since the machine's other work comes and goes.
func benchmarkQuestions(b *testing.B, server netip.AddrPort) {
	for _, workers := range []int{1, 16, maxWorkers} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			all := contenders()
			rates, ratios := make(map[string][]float64), make(map[string][]float64)
			for b.Loop() {
				inRound := make(map[string]float64)
				for _, i := range rand.Perm(len(all)) { // what one leaves behind is not always the same one's load
					c := all[i]
					inRound[c.name] = rate(b, c, server, workers)
				}
				for name, r := range inRound {
					rates[name] = append(rates[name], r)
					ratios[name] = append(ratios[name], r/inRound[baseline])
				}
			}
			b.ReportMetric(0, "ns/op")
			for _, c := range all {
				b.ReportMetric(median(rates[c.name]), c.name+"/s")
				if c.name != baseline {
					b.ReportMetric(median(ratios[c.name]), c.name+"/"+baseline)
				}
			}
		})
	}
}

func median(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

// loopback serves the zone from this process, which takes part of the processor
// time.
func loopback(b *testing.B) netip.AddrPort {
	b.Helper()
	zones, err := resolver.ParseZones(zone())
	if err != nil {
		b.Fatal(err)
	}
	packets, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() { _ = (&dns.Server{PacketConn: packets, Handler: zones}).ActivateAndServe() })
	b.Cleanup(func() {
		packets.Close()
		serving.Wait()
	})
	return packets.LocalAddr().(*net.UDPAddr).AddrPort()
}

func BenchmarkOneLoopback(b *testing.B)       { benchmarkOne(b, loopback(b)) }
func BenchmarkQuestionsLoopback(b *testing.B) { benchmarkQuestions(b, loopback(b)) }
