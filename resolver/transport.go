package resolver

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// maxExchanges is how many calls of a Client's Exchange run at most.
const maxExchanges = 256

// A transport counts the calls of Exchange that run. It makes channels only for those that
// wait: one made here for all would belong to the first testing/synctest that asks.
type transport struct {
	mu      sync.Mutex
	running int
	waiting []chan struct{} // closed when a call that has returned leaves its place to them
}

// enter waits until there is room for one more call, which leave ends.
func (t *transport) enter(ctx context.Context) error {
	t.mu.Lock()
	if t.running < maxExchanges {
		t.running++
		t.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	t.waiting = append(t.waiting, turn)
	t.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	i := slices.Index(t.waiting, turn)
	if i < 0 {
		return nil // it has a place since
	}
	t.waiting = slices.Delete(t.waiting, i, i+1)
	return fmt.Errorf("%d calls of Exchange have not returned: %w", maxExchanges, ctx.Err())
}

func (t *transport) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.waiting) == 0 {
		t.running--
		return
	}
	close(t.waiting[0])
	t.waiting = slices.Delete(t.waiting, 0, 1)
}

// exchangeOwn puts a query to a server by Exchange, whose one response is the answer, or
// nothing is.
func (c *Client) exchangeOwn(ctx context.Context, until time.Time, server netip.AddrPort, q query) (*message, error) {
	try, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	if err := c.transport.enter(try); err != nil {
		return nil, ownError(err)
	}
	raw, err := detached(try, func() ([]byte, error) {
		defer c.transport.leave()
		raw, err := c.Exchange(try, server, slices.Clone(q.packed))
		if len(raw) > dns.MaxMsgSize {
			return nil, fmt.Errorf("%w: %d octets, a message has at most %d", ErrMalformed, len(raw), dns.MaxMsgSize)
		}
		return slices.Clone(raw), err // they are the caller's, who may write to them again
	})
	if err != nil {
		return nil, ownError(err)
	}
	return readReply(q, raw)
}

// ourCauses mean something to callers of a Lookup, and other things in an error of Exchange,
// which may ask the DNS for its server's name.
var ourCauses = []error{
	ErrName, ErrNoResolver, ErrNoZone, ErrNoServer, ErrChain, errFlood, errors.ErrUnsupported, context.Canceled,
}

// ownError returns an error of Exchange as one of a try, whose context is not the
// caller's: if that one is done, the Lookup says so.
func ownError(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %v", os.ErrDeadlineExceeded, err)
	}
	if slices.ContainsFunc(ourCauses, func(cause error) bool { return errors.Is(err, cause) }) {
		return errors.New(err.Error())
	}
	return err
}
