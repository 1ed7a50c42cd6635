//go:build interop

package resolver_test

import (
	"flag"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/lab/nameserver"
)

// The defaults are for CI. It takes the same seed each time: another one may meet
// an oddity of a server that no list has yet, and that is not the fault of the
// commit. CONTRIBUTING.md has the full run, which looks for them.
var (
	comparisons = flag.Int("interop.comparisons", 30_000, "questions put to each authoritative server; a fifteenth of them to Unbound")
	seedFlag    = flag.Uint64("interop.seed", 1, "seed of the random zones and questions; 0: another one each time")
)

// patience is how long one answer may take. Nothing is lost on the loopback.
const patience = 20 * time.Second

// interopCorpus makes the zones, and logs the flags that make them again.
func interopCorpus(t *testing.T, zones int) *corpus {
	t.Helper()
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("again with: -interop.seed=%d -interop.comparisons=%d", seed, *comparisons)
	return newCorpus(t, seed, zones)
}

// TestInteropAuthoritative compares ServeDNS with NSD, Knot DNS and BIND: every
// record of answer and authority with its TTL, the addresses in referrals, the
// response code and AA.
func TestInteropAuthoritative(t *testing.T) {
	c := interopCorpus(t, max(500, *comparisons/200))
	var zones []nameserver.Zone
	for _, z := range c.gen {
		zones = append(zones, nameserver.Zone{Apex: z.apex, Text: z.text})
	}
	nsd, knot, bind := nameserver.NSD(t, zones...), nameserver.Knot(t, zones...), nameserver.BIND(t, zones...)
	t.Logf("%s; %s; %s", nsd.Version, knot.Version, bind.Version)
	peers := []peer{
		{"NSD", exchangeWith(nsd.Addr), nsdDeviations},
		{"Knot", exchangeWith(knot.Addr), knotDeviations},
		{"BIND", exchangeWith(bind.Addr), bindDeviations},
	}
	start := time.Now()
	tally := c.compare(t, *comparisons, peers...)
	t.Logf("%s%v", tally.report(c, allClasses, peers...), time.Since(start).Round(time.Second))
	tally.check(t, allClasses)
}

// check fails the test for each difference, and for each class of answers with less
// than 1 % of them.
func (a *tally) check(t *testing.T, classes []string) {
	t.Helper()
	for _, text := range a.shown {
		t.Error(text)
	}
	for _, class := range classes {
		if a.percent(class) < 1 {
			t.Errorf("%s: %.2f %% of the answers, want at least 1 %%", class, a.percent(class))
		}
	}
}

// exchangeWith returns functions that ask a server over one UDP socket, which is fast,
// and over TCP if the answer does not fit.
func exchangeWith(addr netip.AddrPort) func(t *testing.T) func(*dns.Msg) (*dns.Msg, error) {
	return func(t *testing.T) func(*dns.Msg) (*dns.Msg, error) {
		udp := &dns.Client{Timeout: patience, UDPSize: 1232}
		tcp := &dns.Client{Timeout: patience, Net: "tcp"}
		conn, err := udp.Dial(addr.String())
		if err != nil {
			return func(*dns.Msg) (*dns.Msg, error) { return nil, err }
		}
		t.Cleanup(func() { conn.Close() })
		return func(q *dns.Msg) (*dns.Msg, error) {
			q.Id = dns.Id()
			m, _, err := udp.ExchangeWithConn(q, conn)
			if err == nil && m.Truncated {
				m, _, err = tcp.Exchange(q, addr.String())
			}
			return m, err
		}
	}
}
