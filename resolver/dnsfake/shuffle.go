package dnsfake

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/bonafide-mta/bonafide/resolver"
)

// Shuffle returns a Resolver that answers as r does, with the records of each answer
// in an order of their own each time, as many servers do: for tests that a verdict
// does not depend on it. The same seed gives the same orders to the same questions, one
// after the other; print it. The answers of r stay as they are.
func Shuffle(r resolver.Resolver, seed uint64) resolver.Resolver {
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
