package resolver

import (
	"context"
	"errors"
	"hash/maphash"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// What the zero fields of a Cache mean.
const (
	defaultMaxBytes     = 32 << 20
	defaultMaxTTL       = 24 * time.Hour
	defaultCacheTimeout = 30 * time.Second
)

// A Cache keeps the answers of another Resolver for as long as they hold, and
// asks it each question once however many callers want to know. Only Resolver is
// required:
//
//	r := &resolver.Cache{Resolver: client}
//
// An answer is kept for its TTL: not at all when that is zero, as that of a
// negative answer without a SOA record is (RFC 2308, Section 5), and no longer
// than MaxTTL, or three hours if it is negative. NXDOMAIN is kept for the name and
// answers questions of every type; at the end of a chain of aliases, where it is
// said of another name, it is kept for the one question, as all else is. Nothing is kept for the reserved type 65535.
//
// A failure is kept for 1 s, and for 2, 4, 8, 16 and then 30 s when the same
// question fails again and again: many clients must not become many questions to
// a server in trouble (RFC 9520). It never takes the place of an answer that still
// holds. Not kept are a cancellation, and errors that say that nobody was asked:
// [ErrName], [ErrNoResolver], [ErrNoServer], [ErrNoZone], errors.ErrUnsupported.
//
// The TTL of an answer from memory is what remains of it, in whole seconds,
// rounded down; the headers of its records stay as they came. Its Server, and
// that of a failure, is "cache of" who said so. All else is as it came, and
// shared by all who ask: read it only.
//
// Memory: MaxBytes bounds the live heap of all that is kept. A name with one
// address takes some 300 bytes, and counts as 384. What was not asked for the
// longest time makes room. An answer of more than 1 MiB, or a sixteenth of
// MaxBytes, is not kept. A string in a record counts as long as it is, even where
// it is a part of a longer one, as those of a [Client] never are.
//
// Time: an answer from memory takes no allocation and less than a microsecond.
// A question to the Resolver runs in a goroutine of its own, so that a caller
// whose context is done returns at once and harms no other. It has the values of
// the first caller's context, and is canceled when the last caller has gone or
// Timeout has passed: of a question that nobody waited for to the end nothing is
// kept, so give callers more time than the Resolver takes to fail. A panic in the
// Resolver, and what [Ask] takes for no answer, is an error to all callers who wait. There
// is no other goroutine and no timer, so there is nothing to close. TTLs are counted
// by the monotonic clock, which may stand still while the machine sleeps.
//
// A Cache is safe for concurrent use as long as its fields do not change. It must
// not be copied after first use.
type Cache struct {
	// Resolver is asked what is not in memory. It is required: nil is an error
	// with ErrNoResolver.
	Resolver Resolver
	// MaxBytes is how much memory to use. Zero means 32 MiB, enough for 87,000
	// names with one address.
	MaxBytes int64
	// MaxTTL is how long an answer may be kept, whatever its TTL. Zero means one
	// day.
	MaxTTL time.Duration
	// Timeout is how long one question to the Resolver may take. Zero means 30 s.
	Timeout time.Duration

	once    sync.Once
	started time.Time // the zero of all entries' time
	seed    maphash.Seed

	mu      sync.Mutex // for all below
	entries *simplelru.LRU[uint64, cacheEntry]
	flights map[Question]*flight
	cost    int64   // of all entries
	peak    int     // the most entries there were
	server  *string // of the newest answer
	stats   CacheStats
}

// CacheStats counts what became of the questions to a Cache: each that can be asked is
// one of Hits, Failures, Shared and Misses.
type CacheStats struct {
	Hits     uint64 `json:"hits"`     // answered from memory, negative answers included
	Failures uint64 `json:"failures"` // failed from memory
	Shared   uint64 `json:"shared"`   // waited for an answer to another caller's question
	Misses   uint64 `json:"misses"`   // put to the Resolver

	Evictions uint64 `json:"evictions"` // entries removed to make room
	Entries   int    `json:"entries"`   // answers and failures in memory, of use or not
	Bytes     int64  `json:"bytes"`     // what these take, at most MaxBytes
}

// Stats returns the counts since first use, and what is in memory now.
func (c *Cache) Stats() CacheStats {
	c.once.Do(c.init)
	c.mu.Lock()
	defer c.mu.Unlock()
	stats := c.stats
	stats.Entries, stats.Bytes = c.entries.Len(), c.bytes(0, 0)
	return stats
}

// Flush empties the memory, as after a change to a zone. What the Resolver is
// being asked meanwhile reaches its callers, and is not kept.
func (c *Cache) Flush() {
	c.once.Do(c.init)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.empty()
}

func (c *Cache) init() {
	c.started, c.seed = time.Now(), maphash.MakeSeed()
	c.empty()
}

func (c *Cache) empty() {
	c.flights = make(map[Question]*flight)
	c.cost, c.peak, c.server = 0, 0, new(string)
	// The one error is that of a size of zero. Ours is in bytes.
	c.entries, _ = simplelru.NewLRU(math.MaxInt, func(_ uint64, e cacheEntry) { c.cost -= int64(e.cost) })
}

// Lookup answers from memory, else with what the Resolver says to this question
// or to the same one that another caller is waiting for. The name may be in any
// form that [Canonical] accepts.
//
// An error is the Resolver's as it came, or an [*Error]: a failure from memory,
// [ErrName], [ErrNoResolver], and the context's error as soon as ctx is done.
func (c *Cache) Lookup(ctx context.Context, name string, qtype uint16) (Answer, error) {
	if ctx.Err() != nil {
		return Answer{}, contextError(ctx, name, qtype, "")
	}
	canonical, err := Canonical(name)
	if err != nil {
		return Answer{}, &Error{Name: name, Type: qtype, Err: err}
	}
	if c.Resolver == nil {
		return Answer{}, &Error{Name: canonical, Type: qtype, Err: ErrNoResolver}
	}
	q := Question{canonical, qtype}
	f, answer, err := c.find(ctx, q)
	if f == nil {
		return answer, err
	}
	select {
	case <-f.done:
		return f.answer, f.err
	case <-ctx.Done():
		c.stopWaiting(q, f)
		return Answer{}, contextError(ctx, canonical, qtype, "")
	}
}

// find returns what is in memory for a question. Where that is nothing, it
// returns the flight that will bring it, with this caller waiting for it.
func (c *Cache) find(ctx context.Context, q Question) (*flight, Answer, error) {
	c.once.Do(c.init)
	hash, now := c.hash(q), c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.get(hash, q, now)
	if !ok || e.failure != nil { // an answer comes before a failure
		every := Question{q.Name, everyType}
		if answer, found := c.get(c.hash(every), every, now); found {
			e, ok = answer, true
		}
	}
	switch {
	case ok && e.failure != nil:
		c.stats.Failures++
		return nil, Answer{}, e.failure.err
	case ok:
		c.stats.Hits++
		return nil, e.answer(now), nil
	}
	f := c.flights[q]
	if f == nil {
		c.stats.Misses++
		f = c.start(ctx, q)
	} else {
		c.stats.Shared++
	}
	f.waiting++
	return f, Answer{}, nil
}

// A flight is a question on its way to the Resolver and back.
type flight struct {
	waiting int // callers who wait, guarded by Cache.mu
	cancel  context.CancelFunc

	done   chan struct{} // closed when the rest is set
	answer Answer
	err    error
}

// start puts a question to the Resolver, with the values of its first caller's
// context, and not its end: that must not be the end of others.
func (c *Cache) start(ctx context.Context, q Question) *flight {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), orDefault(c.Timeout, defaultCacheTimeout))
	f := &flight{cancel: cancel, done: make(chan struct{})}
	c.flights[q] = f
	go c.askUpstream(ctx, q, f)
	return f
}

// errExited: a test's Resolver that calls t.Fatal ends the goroutine it runs in,
// and leaves callers who would wait for ever.
var errExited = errors.New("the Resolver called runtime.Goexit")

// askUpstream asks the Resolver, and delivers what comes of it, whatever it does.
func (c *Cache) askUpstream(ctx context.Context, q Question, f *flight) {
	defer f.cancel()
	var k storable
	defer func() { c.deliver(q, f, k) }()
	f.err = &Error{Name: q.Name, Type: q.Type, Err: errExited} // unless Lookup returns
	f.answer, f.err = guarded(ctx, c.Resolver, q.Name, q.Type)
	// Clipped: what one caller appends must not be another's.
	f.answer.Records, f.answer.Chain = slices.Clip(f.answer.Records), slices.Clip(f.answer.Chain)
	k = c.storableOf(q, f.answer, f.err)
}

// deliver keeps what a flight has brought, and lets its callers go. Nothing is kept
// of a flight that all have left, or from before a Flush: its failure may be our
// cancellation, and its answer older than that of another flight.
func (c *Cache) deliver(q Question, f *flight, k storable) {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer close(f.done)
	if c.flights[q] == f {
		delete(c.flights, q)
		c.keep(q, k)
	}
}

// stopWaiting counts a caller out. The flight is canceled when the last one has left.
func (c *Cache) stopWaiting(q Question, f *flight) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f.waiting--
	if f.waiting > 0 {
		return
	}
	f.cancel()
	if c.flights[q] == f {
		delete(c.flights, q)
	}
}
