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

// A transport counts the calls of Exchange that run.
type transport struct {
	once  sync.Once
	slots chan struct{}
}

// enter waits until there is room for one more call, and returns what ends it.
func (t *transport) enter(ctx context.Context) (leave func(), err error) {
	t.once.Do(func() { t.slots = make(chan struct{}, maxExchanges) })
	select {
	case t.slots <- struct{}{}:
		return func() { <-t.slots }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("%d calls of Exchange have not returned: %w", maxExchanges, ctx.Err())
	}
}

// exchangeOwn puts a query to a server by Exchange, whose one response is the answer, or
// nothing is.
func (c *Client) exchangeOwn(ctx context.Context, until time.Time, server netip.AddrPort, q query) (*message, error) {
	try, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	leave, err := c.transport.enter(try)
	if err != nil {
		return nil, ownError(err)
	}
	raw, err := detached(try, func() ([]byte, error) {
		defer leave()
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
