package resolver_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
)

// changingZone is a zone of which each version has other addresses and other TTLs.
func changingZone(t *testing.T, version int) *resolver.Zones {
	t.Helper()
	return mustParse(t, fmt.Sprintf(`
$ORIGIN example.test.
$TTL %[2]d
@        SOA   ns hostmaster 1 2 3 4 %[3]d
@        NS    ns
@        MX    10 mail
mail     A     192.0.2.%[1]d
mail     AAAA  2001:db8::%[1]d
mail     TXT   "version %[1]d"
zero 0   A     192.0.2.%[1]d
alias    CNAME mail
alias2   CNAME alias
dangling CNAME nothing
*.wild   A     192.0.2.%[1]d
a.ent    A     192.0.2.%[1]d
below    DNAME wild
lame     NS    ns.lame
`, version, 1+version%11, 1+version%5))
}

var changingNames = []string{
	"", "mail.", "zero.", "alias.", "alias2.", "dangling.", "nothing.", "x.wild.", "y.wild.", "ent.", "a.ent.", "x.below.", "lame.", "x.lame.", "no.such.",
}

var changingTypes = []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeMX, dns.TypeTXT, dns.TypeCNAME, dns.TypeDS, dns.TypeANY}

// A model is what a Cache keeps, written down without regard to memory and time.
type model struct {
	answers  map[dns.Question]modelAnswer
	nothing  map[string]modelAnswer // names that do not exist
	failures map[dns.Question]modelFailure
}

type modelAnswer struct {
	a     resolver.Answer
	until time.Time
}

type modelFailure struct {
	times int
	until time.Time
}

// find returns what the Cache is to say by itself.
func (m *model) find(q dns.Question) (a resolver.Answer, failed, ok bool) {
	kept, ok := m.answers[q]
	if !ok || !time.Now().Before(kept.until) {
		kept, ok = m.nothing[q.Name]
	}
	if ok && time.Now().Before(kept.until) {
		kept.a.TTL = time.Until(kept.until).Truncate(time.Second)
		kept.a.Server = "cache of " + kept.a.Server
		return kept.a, false, true
	}
	if f, ok := m.failures[q]; ok && time.Now().Before(f.until) {
		return resolver.Answer{}, true, true
	}
	return resolver.Answer{}, false, false
}

// learn notes what the Cache heard.
func (m *model) learn(q dns.Question, a resolver.Answer, err error) {
	if err != nil {
		f := m.failures[q]
		f.times++
		f.until = time.Now().Add([]time.Duration{0, 1, 2, 4, 8, 16, 30}[min(f.times, 6)] * time.Second)
		m.failures[q] = f
		return
	}
	delete(m.failures, q)
	kept := modelAnswer{a, time.Now().Add(a.TTL)}
	switch {
	case a.TTL == 0:
	case a.Status == resolver.NXDomain && len(a.Chain) == 0 && q.Qtype != dns.TypeDS:
		m.nothing[q.Name] = kept
	default:
		m.answers[q] = kept
	}
}

// Whatever is asked and whenever, over zones that change and fail: the Cache says
// what its zones say, or said no longer ago than the TTL, and asks only then.
func TestCacheModel(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	versions := make([]*resolver.Zones, 200)
	for i := range versions {
		versions[i] = changingZone(t, i)
	}
	synctest.Test(t, func(t *testing.T) {
		zones, broken := versions[0], false
		say := func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
			if broken {
				return resolver.Answer{}, errors.New("broken")
			}
			return zones.Lookup(ctx, name, qtype)
		}
		s := &source{say: say}
		c := &resolver.Cache{Resolver: s}
		m := &model{map[dns.Question]modelAnswer{}, map[string]modelAnswer{}, map[dns.Question]modelFailure{}}
		var hits, failures, misses uint64
		for step := range 20_000 {
			switch rng.IntN(20) {
			case 0:
				zones = versions[rng.IntN(len(versions))]
			case 1:
				broken = !broken
			case 2, 3, 4, 5:
				time.Sleep(time.Duration(rng.Int64N(int64(3 * time.Second))))
			case 6:
				time.Sleep(time.Duration(rng.IntN(12)) * time.Second)
			}
			q := dns.Question{
				Name:  changingNames[rng.IntN(len(changingNames))] + "example.test.",
				Qtype: changingTypes[rng.IntN(len(changingTypes))],
			}
			want, failed, known := m.find(q)
			got, err := c.Lookup(t.Context(), q.Name, q.Qtype)
			switch asked := s.questions(); {
			case known == (len(asked) > 0):
				t.Fatalf("step %d: %v: asked %q, known %v", step, q, asked, known)
			case !known:
				misses++
				var upstream error
				want, upstream = say(t.Context(), q.Name, q.Qtype)
				m.learn(q, want, upstream)
				failed = upstream != nil
			case failed:
				failures++
			default:
				hits++
			}
			if diff := cmp.Diff(want, got); diff != "" || failed != (err != nil) {
				t.Fatalf("step %d: %v: error %v, want one: %v (-want +got):\n%s", step, q, err, failed, diff)
			}
		}
		stats := c.Stats()
		if stats.Hits != hits || stats.Failures != failures || stats.Misses != misses || hits == 0 || failures == 0 {
			t.Errorf("%+v, want %d, %d, %d", stats, hits, failures, misses)
		}
	})
}
