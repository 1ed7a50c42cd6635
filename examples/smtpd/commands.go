package main

import (
	"bufio"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// A commandConn is the connection of a client as go-smtp reads it: RCPT TO:<Postmaster>,
// which every server must accept (RFC 5321, Section 4.5.1), and which go-smtp calls a syntax
// error, gets a domain. Nothing else is changed. After STARTTLS it only sees encrypted text,
// so that <Postmaster> stays an error there, and clients must give a domain.
//
// Commands reach go-smtp one by one, even if the client sends many at a time, so that it
// reads none after it has closed the connection.
type commandConn struct {
	net.Conn
	domain string // for Postmaster
	r      *bufio.Reader
	unread []byte // of the line that is being read

	mu        sync.Mutex
	closed    bool
	mode      mode
	remaining uint64 // octets of a chunk
	greeted   bool
}

// A mode is what the client sends.
type mode uint8

const (
	commands  mode = iota
	message        // after DATA, until the next reply
	chunk          // after BDAT
	encrypted      // after STARTTLS
)

func newCommandConn(conn net.Conn, domain string) *commandConn {
	return &commandConn{Conn: conn, domain: domain, r: bufio.NewReader(conn)}
}

// Read implements net.Conn. It returns one line at most, except of encrypted text.
func (c *commandConn) Read(b []byte) (int, error) {
	c.mu.Lock()
	mode, remaining, closed := c.mode, c.remaining, c.closed
	c.mu.Unlock()
	switch {
	case closed:
		return 0, net.ErrClosed
	case len(c.unread) > 0:
		n := copy(b, c.unread)
		c.unread = c.unread[n:]
		return n, nil
	case mode == encrypted:
		return c.r.Read(b)
	case mode == chunk:
		n, err := c.r.Read(b[:min(uint64(len(b)), remaining)])
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.remaining -= uint64(n); c.remaining == 0 {
			c.mode = commands
		}
		return n, err
	}
	line, err := c.r.ReadSlice('\n')
	if err == bufio.ErrBufferFull {
		err = nil // go-smtp closes the connection at a line of half that length
	} else if mode == commands {
		line = c.command(line)
	}
	n := copy(b, line)
	c.unread = line[n:]
	return n, err
}

var barePostmaster = regexp.MustCompile(`(?i)^(rcpt [ \t]*to:[ \t]*<postmaster)>`)

// command returns a command line as go-smtp has to see it.
func (c *commandConn) command(line []byte) []byte {
	if size := chunkSize(string(line)); size > 0 {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.mode, c.remaining = chunk, size
		return line
	}
	if end := barePostmaster.FindSubmatchIndex(line); end != nil {
		return []byte(string(line[:end[3]]) + "@" + c.domain + string(line[end[3]:]))
	}
	return line
}

// chunkSize returns how many octets follow a command line, as go-smtp counts them: 0 if it
// is not a BDAT that go-smtp understands.
func chunkSize(line string) uint64 {
	line = strings.TrimRight(line, "\r\n")
	if len(line) < 6 || !strings.EqualFold(line[:5], "BDAT ") {
		return 0
	}
	args := strings.Fields(line[5:])
	if len(args) == 0 || len(args) > 2 || len(args) == 2 && !strings.EqualFold(args[1], "LAST") {
		return 0
	}
	size, err := strconv.ParseUint(args[0], 10, 32)
	if err != nil {
		return 0
	}
	return size
}

// Write implements net.Conn. Replies say what the client sends next: 354 a message, the
// second 220 (the first is the banner) encrypted text.
func (c *commandConn) Write(b []byte) (int, error) {
	code := string(b[:min(len(b), 3)])
	c.mu.Lock()
	switch {
	case c.mode == encrypted, c.mode == chunk:
	case code == "354":
		c.mode = message
	case code == "220" && c.greeted:
		c.mode = encrypted
	default:
		c.mode = commands
		c.greeted = true
	}
	c.mu.Unlock()
	return c.Conn.Write(b)
}

// Close implements net.Conn.
func (c *commandConn) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	return c.Conn.Close()
}
