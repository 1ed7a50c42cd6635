package main

import (
	"context"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bonafide-mta/bonafide/examples/internal/recipient"
	"github.com/bonafide-mta/bonafide/identity"
)

// A listener begins an identity.Session with each connection, so that the lookup of the
// client's PTR name runs while the banner is sent. It limits the number of connections.
type listener struct {
	net.Listener
	ctx        context.Context // of the work for clients
	verifier   identity.Verifier
	name       string            // of this host
	roles      recipient.Domains // whose role mailboxes get through
	maxOpen    int               // connections at a time
	maxPerAddr int               // of one address

	mu         sync.Mutex
	open       int
	openByAddr map[netip.Addr]int
}

// A client is a connection with its session.
type client struct {
	*commandConn
	*identity.Session
	ctx   context.Context
	gate  recipient.Gate
	done  atomic.Bool // close after the next reply
	close func()
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		addrPort, err := netip.ParseAddrPort(conn.RemoteAddr().String())
		addr := addrPort.Addr().Unmap().WithZone("")
		if err != nil || !l.acquire(addr) {
			conn.SetWriteDeadline(time.Now().Add(time.Second))
			io.WriteString(conn, "421 4.7.0 too many connections\r\n")
			conn.Close()
			continue
		}
		ctx, cancel := context.WithCancel(l.ctx)
		c := &client{commandConn: newCommandConn(conn, l.name), Session: l.verifier.Session(ctx, addr), ctx: ctx, gate: recipient.Gate{Domains: l.roles}}
		context.AfterFunc(ctx, func() { conn.Close() }) // of a client that does not finish when the server stops
		c.close = sync.OnceFunc(func() {
			c.Session.Close()
			cancel()
			l.release(addr)
		})
		return c, nil
	}
}

// Write implements net.Conn.
func (c *client) Write(b []byte) (int, error) {
	n, err := c.commandConn.Write(b)
	if c.done.Load() {
		c.Close()
	}
	return n, err
}

// Close ends the session with the connection.
func (c *client) Close() error {
	c.close()
	return c.commandConn.Close()
}

func (l *listener) acquire(addr netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open >= l.maxOpen || l.openByAddr[addr] >= l.maxPerAddr {
		return false
	}
	l.open++
	l.openByAddr[addr]++
	return true
}

func (l *listener) release(addr netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open--
	if l.openByAddr[addr]--; l.openByAddr[addr] == 0 {
		delete(l.openByAddr, addr)
	}
}
