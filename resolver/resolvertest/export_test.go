package resolvertest

import (
	"testing"

	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/resolver/dnsfake"
)

// Promises returns the name of each promise.
func Promises() []string {
	var names []string
	for _, p := range promises {
		names = append(names, p.name)
	}
	return names
}

// CheckPromise tests one promise.
func CheckPromise(t testing.TB, name string, newResolver func(testing.TB, *dnsfake.Fake) resolver.Resolver) {
	fake, err := dnsfake.New(conformanceZones)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range promises {
		if p.name == name {
			p.test(&probe{TB: t, fake: fake, r: newResolver(t, fake)})
		}
	}
}
