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

// A transport counts the running calls of Exchange. It makes a channel for each call that
// waits: a channel for all would belong to the first testing/synctest bubble that asks.
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
		return nil // leave has given it a place
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

// exchangeOwn sends a query to a server by Exchange.
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

// ourCauses tell callers of a Lookup something about their question. In an error of Exchange,
// which may look up the name of its server, they mean something else.
var ourCauses = []error{
	ErrName, ErrNoResolver, ErrNoZone, ErrNoServer, ErrChain, errFlood, errors.ErrUnsupported, context.Canceled,
}

// ownError returns an error of Exchange without the causes that are about its own work. Its
// context is that of the try: the Lookup itself reports the end of the caller's context.
func ownError(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %v", os.ErrDeadlineExceeded, err)
	}
	if slices.ContainsFunc(ourCauses, func(cause error) bool { return errors.Is(err, cause) }) {
		return errors.New(err.Error())
	}
	return err
}
