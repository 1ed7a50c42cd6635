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

	"github.com/miekg/dns"
)

const (
	// readSize is the largest datagram read. It is more than is offered, for the
	// servers that send more nevertheless.
	readSize = 4096
	// maxStray is how many datagrams of a try may be no answer to its question.
	maxStray = 1000
	// headerSize is the length of a message's header (RFC 1035, Section 4.1.1).
	headerSize = 12
)

// errFlood is what somebody who guesses answers gets.
var errFlood = errors.New("too many messages that are no answer")

// buffers are of readSize, for datagrams until they are parsed.
var buffers = sync.Pool{New: func() any { return new([readSize]byte) }}

// exchangeUDP puts a query to a server and returns its answer: over a new socket,
// hence from a port that nobody knows yet (RFC 5452, Section 9.2), unless sockets
// are to be used again.
func (c *Client) exchangeUDP(ctx context.Context, until time.Time, server netip.AddrPort, query []byte) (*dns.Msg, error) {
	if c.ReuseSockets {
		if s, ok := c.sockets.take(server); ok {
			reply, err := c.converse(ctx, until, s, query)
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
	reply, err := c.converse(ctx, until, socket{conn, server, time.Now()}, query)
	return reply, networkError("udp", err)
}

// converse sends a query over a socket and waits for the answer. Then it keeps the
// socket, or closes it.
func (c *Client) converse(ctx context.Context, until time.Time, s socket, query []byte) (reply *dns.Msg, err error) {
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
	if _, err := s.conn.Write(query); err != nil {
		return nil, err
	}
	return readAnswer(s.conn, query)
}

// readAnswer returns the first datagram that answers the query. Anybody can send
// us anything: what is no answer is ignored for as long as the try lasts (RFC 5452,
// Section 9.1).
func readAnswer(conn net.Conn, query []byte) (*dns.Msg, error) {
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
		reply, err := parseReply(query, buffer[:n])
		if err == nil {
			return reply, nil
		}
		stray = err
	}
	return nil, fmt.Errorf("%w, the last: %w", errFlood, stray)
}

// exchangeTCP puts a query to a server over a connection of its own. Nobody else
// covers there: the first message is the answer, or nothing is.
func exchangeTCP(ctx context.Context, until time.Time, server netip.AddrPort, query []byte) (*dns.Msg, error) {
	conn, done, err := askTCP(ctx, until, server, query)
	if err != nil {
		return nil, networkError("tcp", err)
	}
	defer done()
	raw, err := readMessage(conn)
	if err != nil {
		return nil, networkError("tcp", err)
	}
	return parseReply(query, raw)
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

// parseReply returns the message in raw if it answers the query. Of a truncated
// message, which may be cut anywhere behind the question, it returns the header.
func parseReply(query, raw []byte) (*dns.Msg, error) {
	if mismatch := checkReply(query, raw); mismatch != "" {
		return nil, fmt.Errorf("%w: %s", ErrMalformed, mismatch)
	}
	if truncated(raw) {
		raw = raw[:headerSize]
	}
	reply := new(dns.Msg)
	if err := reply.Unpack(raw); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrMalformed, err)
	}
	if err := checkComplete(reply, raw); err != nil && !reply.Truncated {
		return nil, fmt.Errorf("%w: %v", ErrMalformed, err)
	}
	return reply, nil
}

// checkReply says why a message is no answer to the query (RFC 5452, Section
// 9.1), and "" if it is one. It looks at octets: a forged message is not worth
// parsing, and in both the question stands first, so it is not compressed.
func checkReply(query, reply []byte) string {
	if mismatch := checkHeader(query, reply); mismatch != "" {
		return mismatch
	}
	rcode := int(reply[3] & 0x0f)
	if questions(reply) == 0 && rcode != dns.RcodeSuccess && rcode != dns.RcodeNameError {
		return "" // a failure may be the header alone; it says no more than silence would
	}
	return checkQuestion(query, reply)
}

func checkHeader(query, reply []byte) string {
	switch {
	case len(reply) < headerSize:
		return "no header"
	case reply[2]&0x80 == 0: // QR
		return "not a response"
	case reply[0] != query[0] || reply[1] != query[1]:
		return "another ID"
	case (reply[2]^query[2])&0x78 != 0:
		return "another opcode"
	}
	return ""
}

func checkQuestion(query, reply []byte) string {
	switch {
	case questions(reply) != 1:
		return "not one question"
	case !sameQuestion(questionOf(query), reply[headerSize:]):
		return "another question"
	}
	return ""
}

func questions(message []byte) uint16 { return binary.BigEndian.Uint16(message[4:]) }

func truncated(message []byte) bool { return message[2]&0x02 != 0 }

// questionOf returns the question of a query, which is all there is between the
// header and the OPT record.
func questionOf(query []byte) []byte {
	end := headerSize
	for query[end] != 0 {
		end += 1 + int(query[end])
	}
	return query[headerSize : end+1+4]
}

// sameQuestion reports whether a message goes on with a question of ours, its name
// in any case (RFC 4343). Lengths of labels are below the letters.
func sameQuestion(question, message []byte) bool {
	if len(message) < len(question) {
		return false
	}
	for i := range question {
		b := message[i]
		if inName := i < len(question)-4; inName && 'A' <= b && b <= 'Z' {
			b += 'a' - 'A'
		}
		if b != question[i] {
			return false
		}
	}
	return true
}

var (
	errCut   = errors.New("fewer records than its header says")
	errEmpty = errors.New("a record without data")
)

// checkComplete finds what [dns.Msg.Unpack] lets pass: a message that was cut
// between two records, and records without data, as in dynamic updates.
func checkComplete(reply *dns.Msg, raw []byte) error {
	for i, n := range []int{len(reply.Question), len(reply.Answer), len(reply.Ns), len(reply.Extra)} {
		if int(binary.BigEndian.Uint16(raw[4+2*i:])) != n { // RFC 1035, Section 4.1.1
			return errCut
		}
	}
	for _, rr := range reply.Answer {
		if _, unknown := rr.(*dns.RFC3597); unknown || rr.Header().Rdlength > 0 {
			continue
		}
		if t := rr.Header().Rrtype; t != dns.TypeNULL && t != dns.TypeAPL {
			return errEmpty
		}
	}
	return nil
}
