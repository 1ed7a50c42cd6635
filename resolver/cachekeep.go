package resolver

import (
	"context"
	"errors"
	"hash/maphash"
	"math"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/heapsize"
)

// The limits of a Cache that no field moves.
const (
	maxNegativeTTL = 3 * time.Hour    // RFC 2308, Section 5: one to three hours work well
	firstFailure   = time.Second      // RFC 9520, Section 3.2: no less than 1 s,
	maxFailure     = 30 * time.Second // and no more than 5 min
	maxShare       = 16               // an entry is at most this part of MaxBytes,
	maxEntry       = 1 << 20          // and this many bytes
)

// What an entry takes, in bytes, besides the strings and records in it. A test
// holds the sums against the heap.
const (
	listCost    = 144 // an element of the list in simplelru
	slotCost    = 64  // a slot of the map there: 17, and two to three times as many slots as entries
	failureCost = 512 // an error, without its text
	stringCost  = 16  // a string, without its text
)

// everyType is the type of an entry that answers questions of every type. No
// record can have it (RFC 6895, Section 3.1).
const everyType = dns.TypeReserved

// hash is what entries are found by. A map with keys of this type is small and
// stays so; one with keys of a struct grows as entries come and go, for Go 1.26
// does not clear the traces of deleted ones there, and to four times the size.
func (c *Cache) hash(key Question) uint64 { return maphash.Comparable(c.seed, key) }

// A cacheEntry is an answer or a failure. One more field is more memory for each.
type cacheEntry struct {
	key       Question // its name is canonical
	records   []dns.RR // the chain, and then the records
	server    *string
	failure   *cacheFailure // nil for an answer
	until     time.Duration // when it ends, since Cache.started
	cost      uint32        // without slotCost; up to maxEntry
	chain     uint16        // how many of records: of 16 bytes each, up to maxEntry
	status    Status
	authentic bool
}

// A cacheFailure is what there is when there is no answer.
type cacheFailure struct {
	err   *Error
	times int // in a row
}

// A storable is what is kept of a flight. The zero storable is nothing.
type storable struct {
	entry cacheEntry
	ttl   time.Duration // of an answer
}

// storable makes one of what the Resolver said to a question. What takes long is
// done here, where no lock is held.
func (c *Cache) storableOf(q Question, a Answer, err error) storable {
	if q.Type == everyType { // an answer of records would be one to every question
		return storable{}
	}
	if err != nil {
		return c.failureOf(q, err)
	}
	ttl := c.lifetime(a)
	if ttl <= 0 {
		return storable{}
	}
	e := cacheEntry{key: q, chain: uint16(len(a.Chain)), status: a.Status, authentic: a.Authentic}
	e.records = make([]dns.RR, 0, len(a.Chain)+len(a.Records)) // no larger: slack is memory too
	e.records = append(append(e.records, a.Chain...), a.Records...)
	server := cacheOf(a.Server)
	e.server = &server

	limit := c.limit()
	cost := int64(listCost + stringCost)
	cost += heapsize.Of(Answer{Records: e.records, Server: server}, limit-cost)
	if len(e.records) > 0 && e.records[0].Header().Name == q.Name {
		e.key.Name = e.records[0].Header().Name // one string for both
	} else {
		e.key.Name = strings.Clone(q.Name) // it may be part of a long text
		cost += heapsize.Block(len(q.Name))
	}
	if cost > limit {
		return storable{}
	}
	e.cost = uint32(cost)
	// RFC 2308, Section 5: NXDOMAIN is kept for the name. After aliases it is said
	// of the last one (RFC 6604, Section 3), and DS is asked at the parent, which
	// may not know a zone that others know (RFC 4035, Section 3.1.4.1).
	if a.Status == NXDomain && len(e.records) == 0 && q.Type != dns.TypeDS {
		e.key.Type = everyType
	}
	return storable{e, ttl}
}

// lifetime returns for how long an answer may be kept.
func (c *Cache) lifetime(a Answer) time.Duration {
	// RFC 2181, Section 8: 31 bits of seconds. With it, no sum here overflows.
	ttl := min(a.TTL, orDefault(c.MaxTTL, defaultMaxTTL), math.MaxInt32*time.Second)
	if len(a.Records) == 0 {
		ttl = min(ttl, maxNegativeTTL)
	}
	return ttl
}

// notFailures are errors that say nothing of the question: nobody was asked, or
// was not let finish.
var notFailures = []error{
	ErrName, ErrNoResolver, ErrNoServer, ErrNoZone, errors.ErrUnsupported, context.Canceled, errPanic, errExited,
}

// failureOf returns what is kept of an error.
func (c *Cache) failureOf(q Question, err error) storable {
	for _, other := range notFailures {
		if errors.Is(err, other) {
			return storable{}
		}
	}
	kept := Error{Name: q.Name, Type: q.Type, Err: err}
	if e, ok := err.(*Error); ok {
		kept = *e
	}
	kept.Server = cacheOf(kept.Server)
	brief := kept
	brief.Extended = nil // of these Error shows only the beginning
	cost := listCost + failureCost + heapsize.Block(len(q.Name)) + heapsize.Block(len(brief.Error()))
	for _, x := range kept.Extended {
		cost += 2*stringCost + heapsize.Block(len(x.Text))
	}
	if cost > c.limit() {
		return storable{}
	}
	key := Question{strings.Clone(q.Name), q.Type}
	return storable{entry: cacheEntry{key: key, failure: &cacheFailure{err: &kept}, cost: uint32(cost)}}
}

// cacheOf is the Server of what is in memory.
func cacheOf(server string) string {
	if server == "" {
		return "cache"
	}
	return "cache of " + server
}

// keep stores it in place of what was kept for the question: nothing
// that still holds, or there would have been no flight.
func (c *Cache) keep(q Question, k storable) {
	e := k.entry
	switch last, _ := c.entries.Peek(c.hash(q)); {
	case e.failure != nil:
		e.failure.times = 1
		if last.failure != nil {
			e.failure.times += last.failure.times
		}
		k.ttl = backoff(e.failure.times)
	case e.server != nil && *e.server == *c.server:
		e.server = c.server // one string for many
	case e.server != nil:
		c.server = e.server
	}
	c.entries.Remove(c.hash(q))
	if k.ttl <= 0 {
		return
	}
	c.entries.Remove(c.hash(e.key))
	if e.failure == nil && e.key.Type != everyType {
		// A question that was on its way meanwhile may have brought NXDOMAIN for
		// the name. It exists now, perhaps as an alias.
		c.entries.Remove(c.hash(Question{q.Name, everyType}))
	}
	for c.bytes(e.cost, 1) > c.maxBytes() && c.entries.Len() > 0 {
		c.entries.RemoveOldest()
		c.stats.Evictions++
	}
	e.until = c.now() + k.ttl
	c.entries.Add(c.hash(e.key), e)
	c.cost += int64(e.cost)
	c.peak = max(c.peak, c.entries.Len())
}

// backoff returns how long the failure is kept that is the last of so many.
func backoff(times int) time.Duration {
	// RFC 9520, Section 3.2: exponential, up to a maximum.
	return min(firstFailure<<min(times-1, 10), maxFailure)
}

// now is the time since c.started by the monotonic clock, which setting the
// system's time does not move.
func (c *Cache) now() time.Duration { return time.Since(c.started) }

// get returns an entry that holds. An answer that does no more is removed; a
// failure stays, to be counted from.
func (c *Cache) get(hash uint64, key Question, now time.Duration) (cacheEntry, bool) {
	e, ok := c.entries.Get(hash)
	switch {
	case !ok || e.key != key: // of two keys with one hash, the later is kept
		return cacheEntry{}, false
	case now < e.until:
		return e, true
	case e.failure == nil:
		c.entries.Remove(hash)
	}
	return cacheEntry{}, false
}

// answer returns the answer that an entry is.
func (e *cacheEntry) answer(now time.Duration) Answer {
	a := Answer{
		Status:    e.status,
		TTL:       (e.until - now).Truncate(time.Second),
		Authentic: e.authentic,
		Server:    *e.server,
	}
	if e.chain > 0 {
		a.Chain = e.records[:e.chain:e.chain]
	}
	if int(e.chain) < len(e.records) {
		a.Records = e.records[e.chain:]
	}
	return a
}

func (c *Cache) maxBytes() int64 { return orDefault(c.MaxBytes, defaultMaxBytes) }

// limit returns what one entry may take.
func (c *Cache) limit() int64 { return min(c.maxBytes()/maxShare, maxEntry) }

// bytes returns what all entries take, with so many more of some cost together. A
// map never shrinks: this one has slots for the most entries there ever were.
func (c *Cache) bytes(cost uint32, more int) int64 {
	return c.cost + int64(cost) + slotCost*int64(max(c.peak, c.entries.Len()+more))
}
