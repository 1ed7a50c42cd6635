package spf_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	blitiri "blitiri.com.ar/go/spf"
	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/spf"
)

// A load is a policy to measure with.
type load struct {
	name   string
	zones  string
	addr   netip.Addr
	domain string
	status spf.Status
	depth  int // round trips that depend on each other
}

var loads = []load{
	{"simple", "$ORIGIN example.test.\n@ TXT \"v=spf1 ip4:192.0.2.1 -all\"", netip.MustParseAddr("192.0.2.1"), "example.test", spf.Pass, 1},
	{"include", includeZones(), netip.MustParseAddr("198.51.100.77"), "example.test", spf.Pass, 3},
	{"terms", termZones, netip.MustParseAddr("203.0.113.9"), "example.test", spf.Pass, 3},
	{"mx10x10", mxZones(), netip.MustParseAddr("203.0.113.9"), "example.test", spf.Fail, 3},
}

// includeZones is built as google.com's policy is: one include, three behind it with
// 25 networks in all, of which the last matches.
func includeZones() string {
	var b strings.Builder
	b.WriteString("$ORIGIN example.test.\n@ TXT \"v=spf1 include:_spf.mail.test ~all\"\n$ORIGIN mail.test.\n")
	b.WriteString("_spf TXT \"v=spf1 include:_b1.mail.test include:_b2.mail.test include:_b3.mail.test ~all\"\n")
	for block := range 3 {
		fmt.Fprintf(&b, "_b%d TXT \"v=spf1", block+1)
		for i := range 8 {
			fmt.Fprintf(&b, " ip4:10.%d.%d.0/20", block, 16*i)
		}
		if block == 2 {
			b.WriteString(" ip4:198.51.100.0/24")
		}
		b.WriteString(" ~all\"\n")
	}
	return b.String()
}

// termZones has ten terms that look something up, of which the last matches.
const termZones = `$ORIGIN example.test.
@    TXT "v=spf1 a mx mx:mail.test include:_1.example.test include:_2.example.test include:_3.example.test include:_4.example.test a:www.example.test a:out.mail.test exists:%{i}._spf.mail.test -all"
@    A   192.0.2.1
@    MX  10 mx1
@    MX  20 mx2
@    MX  30 mx3
mx1  A   192.0.2.11
mx2  A   192.0.2.12
mx3  A   192.0.2.13
www  A   192.0.2.2
_1   TXT "v=spf1 ip4:192.0.2.64/28 -all"
_2   TXT "v=spf1 ip4:192.0.2.80/28 -all"
_3   TXT "v=spf1 ip4:192.0.2.96/28 -all"
_4   TXT "v=spf1 ip4:192.0.2.112/28 -all"
$ORIGIN mail.test.
@    MX  10 mx1
@    MX  20 mx2
@    MX  30 mx3
mx1  A   198.51.100.11
mx2  A   198.51.100.12
mx3  A   198.51.100.13
out  A   198.51.100.2
203.0.113.9._spf A 127.0.0.2
`

func mxZones() string {
	var b strings.Builder
	b.WriteString("$ORIGIN example.test.\n@ TXT \"v=spf1")
	for term := range 10 {
		fmt.Fprintf(&b, " mx:m%d.example.test", term)
	}
	b.WriteString(" -all\"\n")
	for term := range 10 {
		for host := range 10 {
			fmt.Fprintf(&b, "m%d MX 10 h%d.m%d\nh%d.m%d A 198.51.100.%d\n", term, host, term, host, term, 10*term+host)
		}
	}
	return b.String()
}

func (l load) resolver(t testing.TB) *resolver.Zones {
	t.Helper()
	zones, err := resolver.ParseZones("$TTL 300\n" + l.zones)
	if err != nil {
		t.Fatal(err)
	}
	return zones
}

// BenchmarkCheck is to be read beside BenchmarkBlitiri, in one run.
func BenchmarkCheck(b *testing.B) {
	for _, l := range loads {
		b.Run(l.name, func(b *testing.B) {
			c := spf.Checker{Resolver: l.resolver(b), Speculate: spf.SpeculateNone}
			b.ReportAllocs()
			var r *spf.Result
			ctx, cancel := context.WithTimeout(b.Context(), 10*time.Second) // as every MTA has
			defer cancel()
			for b.Loop() {
				r = c.CheckMailFrom(ctx, l.addr, "helo.test", "user@"+l.domain)
			}
			if r.Status != l.status {
				b.Fatal(r.Status, r.Err)
			}
			b.ReportMetric(float64(r.Questions), "questions")
		})
	}
}

// prebuilt is a map of answers, the fastest thing that blitiri can be given.
type prebuilt struct {
	txt map[string][]string
	mx  map[string][]*net.MX
	ip  map[string][]net.IPAddr
	n   int
}

func (p *prebuilt) LookupTXT(_ context.Context, name string) ([]string, error) {
	p.n++
	return found(p.txt, name)
}
func (p *prebuilt) LookupMX(_ context.Context, name string) ([]*net.MX, error) {
	p.n++
	return found(p.mx, name)
}
func (p *prebuilt) LookupIPAddr(_ context.Context, name string) ([]net.IPAddr, error) {
	p.n++
	return found(p.ip, name)
}
func (p *prebuilt) LookupAddr(context.Context, string) ([]string, error) { return nil, errNotFound }

var errNotFound = &net.DNSError{Err: "no such host", IsNotFound: true}

func found[T any](answers map[string]T, name string) (T, error) {
	a, ok := answers[strings.TrimSuffix(name, ".")]
	if !ok {
		return a, errNotFound
	}
	return a, nil
}

func (l load) prebuilt(t testing.TB) *prebuilt {
	p := &prebuilt{txt: make(map[string][]string), mx: make(map[string][]*net.MX), ip: make(map[string][]net.IPAddr)}
	for rr := range l.resolver(t).Records() {
		name := strings.TrimSuffix(rr.Header().Name, ".")
		switch rr := rr.(type) {
		case *dns.TXT:
			p.txt[name] = append(p.txt[name], strings.Join(rr.Txt, ""))
		case *dns.MX:
			p.mx[name] = append(p.mx[name], &net.MX{Host: rr.Mx, Pref: rr.Preference})
		case *dns.A:
			p.ip[name] = append(p.ip[name], net.IPAddr{IP: rr.A})
		}
	}
	return p
}

// BenchmarkBlitiri is the peer over a map, and over the same Zones.
func BenchmarkBlitiri(b *testing.B) {
	for _, l := range loads {
		for _, over := range []string{"map", "zones"} {
			b.Run(l.name+"/"+over, func(b *testing.B) {
				answers := l.prebuilt(b)
				var r blitiri.DNSResolver = answers
				if over == "zones" {
					r = resolver.AsNet{Resolver: l.resolver(b)}
				}
				ip := net.IP(l.addr.AsSlice())
				b.ReportAllocs()
				ctx, cancel := context.WithTimeout(b.Context(), 10*time.Second)
				defer cancel()
				var result blitiri.Result
				n := 0
				for b.Loop() {
					result, _ = blitiri.CheckHostWithSender(ip, "helo.test", "user@"+l.domain, blitiri.WithContext(ctx), blitiri.WithResolver(r))
					n++
				}
				if string(result) != l.status.String() {
					b.Fatal(result)
				}
				if over == "map" {
					b.ReportMetric(float64(answers.n)/float64(n), "questions")
				}
			})
		}
	}
}
