package dnsfake

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/bonafide-mta/bonafide/resolver"
)

// Shuffle returns a Resolver that answers as r does, but returns the records of each answer in
// a random order, as many servers do. Use it to test that a verdict does not depend on the
// order. The same seed gives the same orders to the same sequence of questions: print the
// seed. The answers of r do not change. It panics if r is nil.
func Shuffle(r resolver.Resolver, seed uint64) resolver.Resolver {
	if r == nil {
		panic("dnsfake: Shuffle(nil): expected a Resolver")
	}
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(seed, 0))
	return resolver.Func(func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
		answer, err := r.Lookup(ctx, name, qtype)
		answer.Records = slices.Clone(answer.Records)
		mu.Lock()
		defer mu.Unlock()
		random.Shuffle(len(answer.Records), func(i, j int) {
			answer.Records[i], answer.Records[j] = answer.Records[j], answer.Records[i]
		})
		return answer, err
	})
}
