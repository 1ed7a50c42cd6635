// Package pipenet connects clients and servers in memory, for demonstrations and tests: a
// client connects from any address, also where the machine has no such address.
package pipenet

import (
	"net"
	"net/netip"
	"sync"
)

// A Listener accepts the connections of Dial. Make it with Listen. All methods may be
// called concurrently.
type Listener struct {
	addr   net.Addr
	accept chan net.Conn
	closed chan struct{}
	close  sync.Once

	mu   sync.Mutex
	port uint16 // of the last client
}

// Listen returns a Listener that calls itself addr.
func Listen(addr netip.AddrPort) *Listener {
	return &Listener{addr: net.TCPAddrFromAddrPort(addr), accept: make(chan net.Conn), closed: make(chan struct{}), port: 1023}
}

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case <-l.closed:
		return nil, net.ErrClosed
	default:
	}
	select {
	case conn := <-l.accept:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener. Connections that were accepted stay open.
func (l *Listener) Close() error {
	l.close.Do(func() { close(l.closed) })
	return nil
}

// Addr implements net.Listener.
func (l *Listener) Addr() net.Addr { return l.addr }

// Dial connects from an address, each time from another port, and waits until the
// connection is accepted. It returns net.ErrClosed if the listener is closed.
func (l *Listener) Dial(from netip.Addr) (*Conn, error) {
	l.mu.Lock()
	l.port = max(l.port+1, 1024)
	client := net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, l.port))
	l.mu.Unlock()
	here, there := pair(client, l.addr)
	select {
	case <-l.closed:
		return nil, net.ErrClosed
	default:
	}
	select {
	case l.accept <- there:
		return here, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}
