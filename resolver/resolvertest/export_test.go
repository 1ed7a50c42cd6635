package resolvertest

import (
	"testing"

	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/resolver/dnsfake"
)

// A Promise is what tests of the suite see of one.
type Promise struct {
	Name, Says, Remedy string
	OfRecords          bool // whether fixed records are tested, too

	of *promise
}

// Promises returns all of them.
func Promises() []Promise {
	var out []Promise
	for i := range promises {
		p := &promises[i]
		out = append(out, Promise{p.name, p.says, p.remedy, p.withFake == nil, p})
	}
	return out
}

// CheckResolver is one subtest of TestResolver.
func (p Promise) CheckResolver(t testing.TB, newResolver func(testing.TB, *dnsfake.Fake) resolver.Resolver) {
	p.of.testResolver(t, newResolver)
}

// CheckRecords is one subtest of TestRecords.
func (p Promise) CheckRecords(t testing.TB, newResolver func(testing.TB, string) resolver.Resolver) {
	p.of.testRecords(t, newResolver)
}

// Injected returns the faults of the suite.
func Injected() []dnsfake.Kind { return append(failures[:len(failures):len(failures)], silences...) }
