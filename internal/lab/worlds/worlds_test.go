package worlds_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/lab/worlds"
	"github.com/bonafide-mta/bonafide/resolver"
)

// A seed makes the same world again, with zones that can be read and mail that is accepted or
// at least not refused for its HELO name.
func TestMake(t *testing.T) {
	flows, routes, silent := 0, 0, 0
	for seed := range uint64(200) {
		w := worlds.Make(seed)
		if diff := cmp.Diff(w.String(), worlds.Make(seed).String()); diff != "" {
			t.Fatalf("seed %d makes two worlds:\n%s", seed, diff)
		}
		flows, routes, silent = flows+len(w.Flows), routes+len(w.Routes), silent+len(w.Silent)
		if len(w.Flows) == 0 || len(w.Silent) == 0 {
			t.Errorf("seed %d: %d flows, %d names without mail", seed, len(w.Flows), len(w.Silent))
		}
		all := w.Resolver()
		if hurt := w.Hurt(t.Context(), all, all, 5, worlds.ByZones, worlds.ByOrg, worlds.ByObserving); hurt != nil {
			t.Errorf("seed %d: nothing changed, but: %s", seed, hurt)
		}
	}
	t.Logf("%d flows, %d routes, %d names without mail in 200 worlds", flows, routes, silent)
}

// A denial of a HELO name, of a sender's domain and of mail to it is seen, whatever the way to
// the name.
func TestHurt(t *testing.T) {
	for seed := range uint64(20) {
		w := worlds.Make(seed)
		before := w.Resolver()
		for _, f := range w.Sample(3, worlds.ByZones, worlds.ByOrg, worlds.ByObserving) {
			after := denied(before, f.Helo+".", dns.TypeTXT, `"v=spf1 -all"`)
			if hurt := w.Hurt(t.Context(), before, after, len(w.Flows), f.Source); len(hurt) == 0 {
				t.Errorf("seed %d: nothing hurts %s", seed, f)
			}
		}
		for _, r := range w.Routes {
			after := denied(before, r.Domain, dns.TypeMX, "0 .")
			if hurt := w.Hurt(t.Context(), before, after, 0, r.Source); len(hurt) == 0 {
				t.Errorf("seed %d: nothing hurts %v", seed, r)
			}
		}
	}
}

// denied answers a question with one record, and all others as a Resolver does.
func denied(r resolver.Resolver, name string, qtype uint16, data string) resolver.Resolver {
	return resolver.Func(func(ctx context.Context, asked string, t uint16) (resolver.Answer, error) {
		if asked != name || t != qtype {
			return r.Lookup(ctx, asked, t)
		}
		rr, err := dns.NewRR(name + " 300 " + dns.TypeToString[qtype] + " " + data)
		return resolver.Answer{Records: []dns.RR{rr}}, err
	})
}
