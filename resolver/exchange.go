package resolver

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

const (
	// readSize is the largest datagram read. It is more than is offered, for the
	// servers that send more nevertheless.
	readSize = 4096
	// maxStray is how many datagrams of a try may be no answer to its question.
	maxStray = 1000
)

// errFlood is what somebody who guesses answers gets.
var errFlood = errors.New("too many messages that are no answer")

// buffers are of readSize, for datagrams until they are parsed.
var buffers = sync.Pool{New: func() any { return new([readSize]byte) }}

// exchangeUDP puts a query to a server and returns its answer: over a new socket,
// hence from a port that nobody knows yet (RFC 5452, Section 9.2), unless sockets
// are to be used again.
func (c *Client) exchangeUDP(ctx context.Context, until time.Time, server netip.AddrPort, q query) (*message, error) {
	if c.ReuseSockets {
		if s, ok := c.sockets.take(server); ok {
			reply, err := c.converse(ctx, until, s, q)
			if !broken(err) || ctx.Err() != nil {
				return reply, networkError("udp", err)
			}
			// What broke it may have been before our time, as a server's restart
			// or a network that went away: a new socket will tell.
		}
	}
	if !server.Addr().IsValid() {
		return nil, fmt.Errorf("%w: %v", ErrNoServer, server)
	}
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(server))
	if err != nil {
		return nil, networkError("udp", err)
	}
	reply, err := c.converse(ctx, until, socket{conn, server, time.Now()}, q)
	return reply, networkError("udp", err)
}

// converse sends a query over a socket and waits for the answer. Then it keeps the
// socket, or closes it.
func (c *Client) converse(ctx context.Context, until time.Time, s socket, q query) (reply *message, err error) {
	stop := context.AfterFunc(ctx, func() { s.conn.Close() })
	defer func() {
		// No socket is kept that ctx closes, or on which the answer may come late.
		if unharmed := stop(); unharmed && err == nil && c.ReuseSockets {
			c.sockets.put(s)
		} else {
			s.conn.Close()
		}
	}()
	if err := s.conn.SetDeadline(until); err != nil {
		return nil, err
	}
	if _, err := s.conn.Write(q.packed); err != nil {
		return nil, err
	}
	return readAnswer(s.conn, q)
}

// readAnswer returns the first datagram that answers the query. Anybody can send
// us anything: what is no answer is ignored for as long as the try lasts (RFC 5452,
// Section 9.1).
func readAnswer(conn net.Conn, q query) (*message, error) {
	buffer := buffers.Get().(*[readSize]byte)
	defer buffers.Put(buffer)
	var stray error
	for ignored := range maxStray {
		n, err := conn.Read(buffer[:])
		if err != nil {
			if ignored > 0 {
				err = fmt.Errorf("%w, %d messages ignored, the last: %w", bare(err), ignored, stray)
			}
			return nil, err
		}
		reply, err := readReply(q, buffer[:n])
		if err == nil {
			return reply, nil
		}
		stray = err
	}
	return nil, fmt.Errorf("%w, the last: %w", errFlood, stray)
}

// exchangeTCP puts a query to a server over a connection of its own. Nobody else
// covers there: the first message is the answer, or nothing is.
func exchangeTCP(ctx context.Context, until time.Time, server netip.AddrPort, q query) (*message, error) {
	conn, done, err := askTCP(ctx, until, server, q.packed)
	if err != nil {
		return nil, networkError("tcp", err)
	}
	defer done()
	raw, err := readMessage(conn)
	if err != nil {
		return nil, networkError("tcp", err)
	}
	return readReply(q, raw)
}

// askTCP connects to a server and sends a query. The connection is closed by done,
// or as soon as ctx is done.
func askTCP(ctx context.Context, until time.Time, server netip.AddrPort, query []byte) (conn net.Conn, done func(), err error) {
	dialer := net.Dialer{Deadline: until}
	conn, err = dialer.DialContext(ctx, "tcp", server.String())
	if err != nil {
		return nil, nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	done = func() {
		stop()
		conn.Close()
	}
	err = conn.SetDeadline(until)
	if err == nil {
		err = writeMessage(conn, query)
	}
	if err != nil {
		done()
		return nil, nil, err
	}
	return conn, done, nil
}

// writeMessage and readMessage frame a message as TCP wants it (RFC 1035, Section
// 4.2.2), in one segment (RFC 7766, Section 8).
func writeMessage(w io.Writer, message []byte) error {
	framed := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(message)), uint16(len(message)))
	_, err := w.Write(append(framed, message...))
	return err
}

func readMessage(r io.Reader) ([]byte, error) {
	var length [2]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	message := make([]byte, binary.BigEndian.Uint16(length[:]))
	_, err := io.ReadFull(r, message)
	return message, err
}

// broken reports whether an error says that a socket is of no use any more.
func broken(err error) bool {
	return err != nil && !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, errFlood)
}

// networkError says over which network an error came.
func networkError(network string, err error) error {
	if err == nil || errors.Is(err, errFlood) {
		return err
	}
	return fmt.Errorf("%s: %w", network, bare(err))
}

// bare drops from an error of package net what an Error says anyway, and what
// differs each time, as our port does. A time limit of the Client's is none of a
// context's, whatever package net makes of it.
func bare(err error) error {
	op, ok := errors.AsType[*net.OpError](err)
	switch {
	case !ok:
		return err
	case op.Timeout():
		return os.ErrDeadlineExceeded
	}
	return op.Err
}
