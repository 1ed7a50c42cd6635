package resolver

import (
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// What of a Client that reuses sockets may stay open between two questions.
const (
	maxKept    = 64
	maxKeptFor = 10 * time.Second
)

// A socket is one end of a UDP conversation with one server.
type socket struct {
	conn   *net.UDPConn
	server netip.AddrPort
	opened time.Time
}

// sockets are those that no question needs just now. Their zero value has none.
type sockets struct {
	mu     sync.Mutex
	idle   []socket    // the last one used last
	timer  *time.Timer // runs while there are any: a timer needs no goroutine to wait
	wake   time.Time   // when it goes off
	closed bool
}

// expires returns when a socket is to be closed. Its age counts from its opening:
// that is for how long a forger can have watched its port.
func (s socket) expires() time.Time { return s.opened.Add(maxKeptFor) }

// take returns a socket to a server, which is then the caller's.
func (k *sockets) take(server netip.AddrPort) (socket, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := len(k.idle) - 1; i >= 0; i-- {
		if s := k.idle[i]; s.server == server {
			k.idle = slices.Delete(k.idle, i, i+1)
			return s, true
		}
	}
	return socket{}, false
}

// put keeps a socket, or closes it where there are enough or its time is up.
func (k *sockets) put(s socket) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	if k.closed || len(k.idle) == maxKept || !now.Before(s.expires()) {
		s.conn.Close()
		return
	}
	k.idle = append(k.idle, s)
	k.wakeAt(s.expires(), now)
}

// wakeAt makes sure that expire runs at a time, or before.
func (k *sockets) wakeAt(t, now time.Time) {
	switch {
	case k.timer == nil:
		k.timer = time.AfterFunc(t.Sub(now), k.expire)
	case t.Before(k.wake):
		k.timer.Reset(t.Sub(now))
	default:
		return
	}
	k.wake = t
}

// expire closes the sockets whose time is up, and waits for the next one's.
func (k *sockets) expire() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.timer = nil
	now := time.Now()
	k.idle = slices.DeleteFunc(k.idle, func(s socket) bool {
		if now.Before(s.expires()) {
			k.wakeAt(s.expires(), now)
			return false
		}
		s.conn.Close()
		return true
	})
}

// close closes all, and those that come back later.
func (k *sockets) close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.closed = true
	for _, s := range k.idle {
		s.conn.Close()
	}
	k.idle = nil
	if k.timer != nil {
		k.timer.Stop()
		k.timer = nil
	}
}
