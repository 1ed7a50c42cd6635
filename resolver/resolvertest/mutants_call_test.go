package resolvertest_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/bonafide-mta/bonafide/resolver"
)

var timeMutants = []mutant{
	{"has no TTL", []string{"TTL"}, after(func(_ resolver.Question, a resolver.Answer) resolver.Answer {
		a.TTL = 0
		return a
	})},
	{"says one hour always", []string{"TTL", "TTL of an alias", "TTL of a negative answer"}, after(func(_ resolver.Question, a resolver.Answer) resolver.Answer {
		a.TTL = time.Hour
		return a
	})},
	{"has the TTL of the records alone", []string{"TTL of an alias"}, after(func(_ resolver.Question, a resolver.Answer) resolver.Answer {
		for _, rr := range a.Records {
			a.TTL = time.Duration(rr.Header().Ttl) * time.Second
		}
		return a
	})},
	{"keeps the negative for five minutes", []string{"TTL of a negative answer"}, after(func(_ resolver.Question, a resolver.Answer) resolver.Answer {
		if isNegative(a) {
			a.TTL = 5 * time.Minute
		}
		return a
	})},
	{"has the TTL of the alias alone", []string{"TTL of a negative answer"}, after(func(_ resolver.Question, a resolver.Answer) resolver.Answer {
		if isNegative(a) && len(a.Chain) > 0 {
			a.TTL = time.Duration(a.Chain[0].Header().Ttl) * time.Second
		}
		return a
	})},
	{"has the last field of the SOA record alone", []string{"TTL of a negative answer"}, after(func(q resolver.Question, a resolver.Answer) resolver.Answer {
		if isNegative(a) && strings.HasSuffix(q.Name, ".other.test.") {
			a.TTL = time.Hour
		}
		return a
	})},
	{"keeps records with all of their TTL", []string{"records that change"}, keepingTTL},
	{"keeps records for ever", []string{"records that change"}, func(right resolver.Resolver) resolver.Func {
		var mu sync.Mutex
		kept := make(map[resolver.Question]resolver.Answer)
		return func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
			mu.Lock()
			defer mu.Unlock()
			q := resolver.Question{Name: name, Type: qtype}
			if a, ok := kept[q]; ok && ctx.Err() == nil {
				return a, nil
			}
			a, err := right.Lookup(ctx, name, qtype)
			if err == nil {
				kept[q] = a
			}
			return a, err
		}
	}},
	{"vouches for all", []string{"Authentic", "Authentic alias"}, after(func(_ resolver.Question, a resolver.Answer) resolver.Answer {
		a.Authentic = true
		return a
	})},
	{"vouches for denials", []string{"Authentic"}, after(func(_ resolver.Question, a resolver.Answer) resolver.Answer {
		a.Authentic = a.Authentic || isNegative(a)
		return a
	})},
	{"vouches for what has no alias", []string{"Authentic"}, after(func(_ resolver.Question, a resolver.Answer) resolver.Answer {
		a.Authentic = len(a.Chain) == 0
		return a
	})},
	{"vouches for all behind an alias", []string{"Authentic alias"}, after(func(_ resolver.Question, a resolver.Answer) resolver.Answer {
		a.Authentic = len(a.Chain) > 0
		return a
	})},
}

// keepingTTL makes a cache that returns the TTL of the records until it has passed.
func keepingTTL(right resolver.Resolver) resolver.Func {
	type entry struct {
		answer resolver.Answer
		until  time.Time
	}
	var kept sync.Map // of entry by Question; no lock is held during a question
	return func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
		q := resolver.Question{Name: name, Type: qtype}
		if e, ok := kept.Load(q); ok && ctx.Err() == nil && time.Now().Before(e.(entry).until) {
			return e.(entry).answer, nil
		}
		a, err := right.Lookup(ctx, name, qtype)
		if err == nil {
			kept.Store(q, entry{a, time.Now().Add(a.TTL)})
		}
		return a, err
	}
}

var callMutants = []mutant{
	{"answers the last question", []string{"concurrent callers"}, func(right resolver.Resolver) resolver.Func {
		var mu sync.Mutex
		var last string
		return func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
			mu.Lock()
			last = name
			mu.Unlock()
			time.Sleep(time.Millisecond)
			mu.Lock()
			name = last
			mu.Unlock()
			return right.Lookup(ctx, name, qtype)
		}
	}},
	{"answers whatever the context was", []string{"canceled before"}, func(right resolver.Resolver) resolver.Func {
		return func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
			if ctx.Err() != nil {
				ctx = context.WithoutCancel(ctx)
			}
			return right.Lookup(ctx, name, qtype)
		}
	}},
	{"is deaf to its context", []string{"a deadline is an error", "canceled before", "canceled while waiting"}, func(right resolver.Resolver) resolver.Func {
		return func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
			return right.Lookup(context.WithoutCancel(ctx), name, qtype)
		}
	}},
	{"looks at its context when it has an answer", []string{"a deadline is an error", "canceled while waiting"}, func(right resolver.Resolver) resolver.Func {
		return func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
			a, err := right.Lookup(context.WithoutCancel(ctx), name, qtype)
			if ctx.Err() != nil {
				return resolver.Answer{}, ctx.Err()
			}
			return a, err
		}
	}},
	{"hides why it stopped", []string{"a deadline is an error", "canceled before", "canceled while waiting"}, afterAll(func(_ resolver.Question, a resolver.Answer, err error) (resolver.Answer, error) {
		if err != nil {
			err = errors.New("no answer")
		}
		return a, err
	})},
	{"hides why it stopped waiting", []string{"canceled while waiting"}, func(right resolver.Resolver) resolver.Func {
		return func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
			before := ctx.Err()
			a, err := right.Lookup(ctx, name, qtype)
			if before == nil && errors.Is(ctx.Err(), context.Canceled) {
				err = errors.New("no answer")
			}
			return a, err
		}
	}},
	{"hides that its deadline has passed", []string{"a deadline is an error"}, func(right resolver.Resolver) resolver.Func {
		return func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
			a, err := right.Lookup(ctx, name, qtype)
			if errors.Is(err, context.DeadlineExceeded) {
				err = errors.New("no answer")
			}
			return a, err
		}
	}},
	{"takes an alias into nowhere for NXDOMAIN", []string{"faults are errors"}, afterAll(func(_ resolver.Question, a resolver.Answer, err error) (resolver.Answer, error) {
		if errors.Is(err, resolver.ErrNoZone) {
			return resolver.Answer{Status: resolver.NXDomain}, nil
		}
		return a, err
	})},
	{"takes a failure for NODATA", []string{"faults are errors"}, afterAll(func(_ resolver.Question, a resolver.Answer, err error) (resolver.Answer, error) {
		if e, ok := errors.AsType[*resolver.Error](err); ok && !errors.Is(err, resolver.ErrChain) && e.RCode != 0 {
			return resolver.Answer{}, nil
		}
		return a, err
	})},
	{"takes what is cut off for all", []string{"faults are errors"}, afterAll(func(_ resolver.Question, a resolver.Answer, err error) (resolver.Answer, error) {
		if err != nil && strings.Contains(err.Error(), "truncated") {
			return resolver.Answer{}, nil
		}
		return a, err
	})},
	{"takes silence for NODATA", []string{"a deadline is an error"}, func(right resolver.Resolver) resolver.Func {
		return func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
			a, err := right.Lookup(ctx, name, qtype)
			if errors.Is(err, context.DeadlineExceeded) {
				return resolver.Answer{}, nil
			}
			return a, err
		}
	}},
}
