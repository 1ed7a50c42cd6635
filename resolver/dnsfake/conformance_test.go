package dnsfake_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/resolver/dnsfake"
	"github.com/bonafide-mta/bonafide/resolver/resolvertest"
)

// Every Resolver of the package keeps the promises of the interface.
func TestConformance(t *testing.T) {
	var wg sync.WaitGroup // all at once: they wait for most of the time
	for name, newResolver := range map[string]func(testing.TB, *dnsfake.Fake) resolver.Resolver{
		"Fake": func(_ testing.TB, fake *dnsfake.Fake) resolver.Resolver { return fake },
		"Client over Exchange": func(_ testing.TB, fake *dnsfake.Fake) resolver.Resolver {
			return &resolver.Client{Exchange: fake.Exchange}
		},
		"Shuffle": func(_ testing.TB, fake *dnsfake.Fake) resolver.Resolver {
			return dnsfake.Shuffle(fake, 1)
		},
		"Recorder": func(_ testing.TB, fake *dnsfake.Fake) resolver.Resolver {
			return dnsfake.Record(fake, new(strings.Builder))
		},
	} {
		wg.Go(func() {
			t.Run(name, func(t *testing.T) { resolvertest.TestResolver(t, newResolver) })
		})
	}
	wg.Wait()
}

// A Player gives the answers of the Resolver that was recorded.
func TestPlayerConformance(t *testing.T) {
	transcripts := make(map[string]*strings.Builder) // by zone text
	t.Run("Recorder", func(t *testing.T) {
		resolvertest.TestRecords(t, func(t testing.TB, zoneText string) resolver.Resolver {
			zones, err := resolver.ParseZones(zoneText)
			if err != nil {
				t.Fatal(err)
			}
			if transcripts[zoneText] == nil {
				transcripts[zoneText] = new(strings.Builder)
			}
			return dnsfake.Record(zones, transcripts[zoneText])
		})
	})
	t.Run("Player", func(t *testing.T) {
		resolvertest.TestRecords(t, func(t testing.TB, zoneText string) resolver.Resolver {
			player, err := dnsfake.Replay("transcript", strings.NewReader(transcripts[zoneText].String()))
			if err != nil {
				t.Fatal(err)
			}
			return player
		})
	})
}
