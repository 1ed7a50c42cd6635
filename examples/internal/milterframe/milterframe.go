// Package milterframe checks the frames that a mail server sends to a milter, before a
// milter library reads them. Version 0.10.1 of github.com/d--j/go-milter panics at frames
// that are too short or lack a terminating NUL, in goroutines of its own: one such frame
// from anybody who can connect ends the program.
//
// A frame is a length of four octets, the high one first, then as many octets: a command
// and its payload. [Check] has the form of each command. It does not know the order of
// commands, which the library checks.
package milterframe

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
)

// MaxLength is the greatest length of a frame: the command, and 1 MiB - 1 of payload, the
// most that the protocol lets both sides agree on (SMFIP_MDS_1M).
const MaxLength = 1 << 20

// Check returns an error if a frame, without its length, does not have the form of its
// command:
//
//   - O (negotiation): three numbers of four octets at least
//   - D (macros): a command, then any number of strings
//   - C (connect): a string and a family; for L, 4 and 6 a port of two octets and one string
//   - H (HELO), U (unknown command): one string
//   - M (MAIL), R (RCPT): a string at least
//   - L (header field): two strings
//   - T, N, B, E, A, K, Q (data, end of header, body, end of body, abort, quit): anything
//
// A string ends with a NUL. All other commands are errors.
func Check(frame []byte) error {
	if len(frame) == 0 {
		return errors.New("an empty frame")
	}
	if len(frame) > MaxLength {
		return tooLong(uint32(len(frame)))
	}
	if err := checkPayload(frame[0], frame[1:]); err != nil {
		return fmt.Errorf("command %q, %d octets of payload: %w", frame[0], len(frame)-1, err)
	}
	return nil
}

func checkPayload(command byte, payload []byte) error {
	switch command {
	case 'O':
		if len(payload) < 12 {
			return errors.New("less than three numbers")
		}
	case 'D':
		if len(payload) == 0 {
			return errors.New("the command of the macros is missing")
		}
		if len(payload) > 1 {
			return checkStrings(payload[1:], 1, len(payload))
		}
	case 'C':
		return checkConnect(payload)
	case 'H', 'U':
		return checkStrings(payload, 1, 1)
	case 'M', 'R':
		return checkStrings(payload, 1, len(payload))
	case 'L':
		return checkStrings(payload, 2, 2)
	case 'T', 'N', 'B', 'E', 'A', 'K', 'Q':
	default:
		return errors.New("unknown")
	}
	return nil
}

// checkConnect checks host NUL family, and port address NUL where the family has them.
func checkConnect(payload []byte) error {
	end := bytes.IndexByte(payload, 0)
	if end < 0 {
		return errUnterminated
	}
	if end+1 == len(payload) {
		return errors.New("the family is missing")
	}
	family, rest := payload[end+1], payload[end+2:]
	switch family {
	case 'U':
		return nil
	case 'L', '4', '6':
		if len(rest) < 2 {
			return errors.New("the port is missing")
		}
		return checkStrings(rest[2:], 1, 1)
	}
	return fmt.Errorf("unknown family %q", family)
}

var errUnterminated = errors.New("a string without a NUL at its end")

// checkStrings checks that a payload is least to most strings, each with a NUL at its end.
func checkStrings(payload []byte, least, most int) error {
	if len(payload) == 0 || payload[len(payload)-1] != 0 {
		return errUnterminated
	}
	if n := bytes.Count(payload, []byte{0}); n < least || n > most {
		return fmt.Errorf("%d strings", n)
	}
	return nil
}

func tooLong(length uint32) error {
	return fmt.Errorf("a frame of %d octets, over %d", length, MaxLength)
}

// A Reader passes on the frames of a stream, each as a whole, unchanged, and only if it
// passes Check. It takes twice as much memory as the frame that it reads at most, and
// between frames 64 KiB.
type Reader struct {
	r    io.Reader
	next []byte // of the frame that passed, with its length
	buf  bytes.Buffer
	err  error // once there is one, it stays
}

// NewReader returns a Reader of a stream.
func NewReader(r io.Reader) *Reader { return &Reader{r: r} }

// Read implements io.Reader. At a frame that does not pass, or is cut off, it returns an
// error that is an [Error]; at the end of the stream, and if the stream fails, what the
// stream returned.
func (r *Reader) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	if len(r.next) == 0 {
		if r.err == nil {
			r.next, r.err = r.read()
		}
		if r.err != nil {
			return 0, r.err
		}
	}
	n := copy(b, r.next)
	r.next = r.next[n:]
	return n, nil
}

// read reads a frame, which is valid until the next one is read.
func (r *Reader) read() ([]byte, error) {
	r.buf.Reset()
	if r.buf.Cap() > 64<<10 {
		r.buf = bytes.Buffer{}
	}
	if _, err := io.CopyN(&r.buf, r.r, 4); err != nil {
		return nil, r.cut(err)
	}
	length := binary.BigEndian.Uint32(r.buf.Bytes())
	if length > MaxLength {
		return nil, &Error{tooLong(length)}
	}
	// The buffer grows with what arrives, not with what the length promises.
	if _, err := io.CopyN(&r.buf, r.r, int64(length)); err != nil {
		return nil, r.cut(err)
	}
	if err := Check(r.buf.Bytes()[4:]); err != nil {
		return nil, &Error{err}
	}
	return r.buf.Bytes(), nil
}

// cut returns the error for a stream that ended with err.
func (r *Reader) cut(err error) error {
	if err == io.EOF && r.buf.Len() > 0 {
		return &Error{fmt.Errorf("cut off after %d octets", r.buf.Len())}
	}
	return err
}

// An Error says why a frame did not pass.
type Error struct{ cause error }

// Error implements error.
func (e *Error) Error() string { return "milter: " + e.cause.Error() }

// NewListener returns a listener whose connections read by a Reader. A frame that does not
// pass closes its connection, with one line in the log.
func NewListener(l net.Listener, log *slog.Logger) net.Listener { return &listener{l, log} }

type listener struct {
	net.Listener
	log *slog.Logger
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &conn{c, NewReader(c), l.log}, nil
}

type conn struct {
	net.Conn
	frames *Reader
	log    *slog.Logger
}

// Read implements net.Conn. After a bad frame it returns net.ErrClosed, about which the
// library logs nothing.
func (c *conn) Read(b []byte) (int, error) {
	n, err := c.frames.Read(b)
	if bad, ok := errors.AsType[*Error](err); ok {
		c.log.Warn("closed", "peer", c.RemoteAddr().String(), "err", bad)
		c.Close()
		c.frames.err = net.ErrClosed
		return n, net.ErrClosed
	}
	return n, err
}
