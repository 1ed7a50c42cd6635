package resolver_test

import (
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/resolver/dnsfake"
	"github.com/bonafide-mta/bonafide/resolver/resolvertest"
)

// Every Resolver of the package keeps the promises of the interface.
func TestConformance(t *testing.T) {
	client := func(t testing.TB, fake *dnsfake.Fake) resolver.Resolver {
		return &resolver.Client{Servers: []netip.AddrPort{resolvertest.Serve(t, fake)}}
	}
	for name, newResolver := range map[string]func(testing.TB, *dnsfake.Fake) resolver.Resolver{
		"Zones":  func(_ testing.TB, fake *dnsfake.Fake) resolver.Resolver { return fake },
		"Client": client,
		"Client that reuses sockets": func(t testing.TB, fake *dnsfake.Fake) resolver.Resolver {
			c := &resolver.Client{Servers: []netip.AddrPort{resolvertest.Serve(t, fake)}, ReuseSockets: true}
			t.Cleanup(c.Close)
			return c
		},
		"Client over HTTP": overHTTP,
		"Cache":            func(_ testing.TB, fake *dnsfake.Fake) resolver.Resolver { return &resolver.Cache{Resolver: fake} },
		"Cache over Client": func(t testing.TB, fake *dnsfake.Fake) resolver.Resolver {
			return &resolver.Cache{Resolver: client(t, fake)}
		},
		"Overlay": func(t testing.TB, fake *dnsfake.Fake) resolver.Resolver {
			return &resolver.Overlay{Base: fake, Zones: mustZones(t, "$ORIGIN elsewhere.test.")}
		},
		"System": func(t testing.TB, fake *dnsfake.Fake) resolver.Resolver {
			return resolver.FromNet{Resolver: netResolver(t, resolvertest.Serve(t, fake))}
		},
		"FromNet of AsNet": func(_ testing.TB, fake *dnsfake.Fake) resolver.Resolver {
			return resolver.FromNet{Resolver: resolver.AsNet{Resolver: fake}}
		},
	} {
		t.Run(name, func(t *testing.T) { resolvertest.TestResolver(t, newResolver) })
	}
}

// overHTTP is a Client of a fake behind a DoH server.
func overHTTP(t testing.TB, fake *dnsfake.Fake) resolver.Resolver {
	server := httptest.NewServer(dohHandler(resolvertest.Serve(t, fake)))
	t.Cleanup(server.Close)
	return &resolver.Client{Exchange: dohExchange(server.URL)}
}
