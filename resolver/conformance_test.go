package resolver_test

import (
	"errors"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/resolver/dnsfake"
	"github.com/bonafide-mta/bonafide/resolver/resolvertest"
)

// resolvers are those of the package, set up to ask a fake.
var resolvers = map[string]func(testing.TB, *dnsfake.Fake) resolver.Resolver{
	"Func":   func(_ testing.TB, fake *dnsfake.Fake) resolver.Resolver { return resolver.Func(fake.Lookup) },
	"Client": clientOf,
	"Client that reuses sockets": func(t testing.TB, fake *dnsfake.Fake) resolver.Resolver {
		c := &resolver.Client{Servers: []netip.AddrPort{resolvertest.Serve(t, fake)}, ReuseSockets: true}
		t.Cleanup(c.Close)
		return c
	},
	"Client that trusts the AD bit": func(t testing.TB, fake *dnsfake.Fake) resolver.Resolver {
		return &resolver.Client{Servers: []netip.AddrPort{resolvertest.Serve(t, fake)}, TrustAD: true}
	},
	"Client over HTTP": overHTTP,
	"Cache":            func(_ testing.TB, fake *dnsfake.Fake) resolver.Resolver { return &resolver.Cache{Resolver: fake} },
	"Cache over Client": func(t testing.TB, fake *dnsfake.Fake) resolver.Resolver {
		return &resolver.Cache{Resolver: clientOf(t, fake)}
	},
	"Overlay of zones": func(t testing.TB, fake *dnsfake.Fake) resolver.Resolver {
		return &resolver.Overlay{Base: fake, Zones: mustZones(t, "$ORIGIN elsewhere.test.")}
	},
	"Overlay of a patch": func(t testing.TB, fake *dnsfake.Fake) resolver.Resolver {
		return &resolver.Overlay{Base: fake, Patch: resolver.Patch{Remove: []resolver.Question{{Name: "gone.elsewhere.test.", Type: dns.TypeA}}}}
	},
	"FromNet": func(t testing.TB, fake *dnsfake.Fake) resolver.Resolver {
		return resolver.FromNet{Resolver: netResolver(t, resolvertest.Serve(t, fake))}
	},
	"FromNet of AsNet": func(_ testing.TB, fake *dnsfake.Fake) resolver.Resolver {
		return resolver.FromNet{Resolver: resolver.AsNet{Resolver: fake}}
	},
}

func clientOf(t testing.TB, fake *dnsfake.Fake) resolver.Resolver {
	return &resolver.Client{Servers: []netip.AddrPort{resolvertest.Serve(t, fake)}}
}

// overHTTP is a Client of a fake behind a DoH server.
func overHTTP(t testing.TB, fake *dnsfake.Fake) resolver.Resolver {
	server := httptest.NewServer(dohHandler(resolvertest.Serve(t, fake)))
	t.Cleanup(server.Close)
	return &resolver.Client{Exchange: dohExchange(server.URL)}
}

// Every Resolver of the package keeps the promises of the interface.
func TestConformance(t *testing.T) {
	var wg sync.WaitGroup // all at once: they wait for most of the time
	for name, newResolver := range resolvers {
		wg.Go(func() {
			t.Run(name, func(t *testing.T) { resolvertest.TestResolver(t, newResolver) })
		})
	}
	wg.Wait()
}

// So do those that answer from records that they are given: zones, alone, over an empty DNS,
// and as a patch of every record.
func TestRecordsConformance(t *testing.T) {
	for name, newResolver := range map[string]func(testing.TB, string) resolver.Resolver{
		"Zones": func(t testing.TB, zoneText string) resolver.Resolver { return mustZones(t, zoneText) },
		"Overlay of zones": func(t testing.TB, zoneText string) resolver.Resolver {
			return &resolver.Overlay{Zones: mustZones(t, zoneText)}
		},
		"Overlay of a patch": func(t testing.TB, zoneText string) resolver.Resolver {
			if strings.Contains(zoneText, "*") || strings.Contains(zoneText, "DNAME") {
				t.Skip("a patch has no wildcards, and its DNAME records redirect nothing")
			}
			zones, empty := mustZones(t, zoneText), ""
			o := new(resolver.Overlay)
			for rr := range zones.Records() {
				if rr.Header().Rrtype == dns.TypeSOA {
					empty += rr.String() + "\n"
				} else {
					o.Patch.Add = append(o.Patch.Add, rr)
				}
			}
			o.Zones = mustZones(t, empty)
			return o
		},
	} {
		t.Run(name, func(t *testing.T) { resolvertest.TestRecords(t, newResolver) })
	}
}

// Lookup of the Resolvers of this package takes a name in any form, not only the canonical
// one that the interface asks for, and refuses what is not a name.
func TestLookupTakesAnyForm(t *testing.T) {
	for name, newResolver := range resolvers {
		r := newResolver(t, resolvertest.New(t, "$ORIGIN form.test.\n$TTL 300\nxn--bcher-kva A 192.0.2.10"))
		for _, form := range []string{"xn--bcher-kva.form.test.", "XN--BCHER-KVA.Form.Test", "bücher.form.test", "BÜCHER.form.test."} {
			if a, err := r.Lookup(t.Context(), form, dns.TypeA); err != nil || len(a.Records) != 1 {
				t.Errorf("%s: %s: got %v, %v", name, form, a.Records, err)
			}
		}
		for _, bad := range []string{"", "a..b", `a\`, ".."} {
			if a, err := r.Lookup(t.Context(), bad, dns.TypeA); !errors.Is(err, resolver.ErrName) {
				t.Errorf("%s: %q: got %v, %v, expected ErrName", name, bad, a.Records, err)
			}
		}
	}
}
