package dnsfake

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/miekg/dns"
)

// Exchange answers one DNS message with what a Server would answer over TCP: the same octets,
// with the Fake's faults, delays and log, but without sockets, so that it works under
// testing/synctest. It is a transport for resolver.Client, as in
//
//	client := &resolver.Client{Exchange: fake.Exchange}
//
// and the other end for a test of a transport of your own, such as a DoH client. It
// ignores server; wrap it if servers are to answer differently.
//
// The kinds of failures show as follows:
//   - ServFail, Refused and FormErr are responses with these codes;
//   - Truncated is a response with the TC bit;
//   - Garbage is the response "garbage", with a nil error;
//   - Forged is a response with the right ID to another question;
//   - Network is an error at once;
//   - Timeout waits until ctx is done, and returns its error.
//
// If ctx ends during a Delay, Exchange returns its error. If it was done before, nothing is
// asked. A query that is not a DNS message gets FORMERR if it has the 12 octets of a header,
// and an error otherwise. Neither is in Questions.
func (f *Fake) Exchange(ctx context.Context, server netip.AddrPort, query []byte) (response []byte, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(query) < headerSize {
		return nil, fmt.Errorf("dnsfake: Exchange: a query of %d octets: expected a DNS message, of at least %d", len(query), headerSize)
	}
	var w memory
	r := new(dns.Msg)
	if err := r.Unpack(query); err != nil {
		reject(&w, r)
	} else {
		f.serve(ctx, &w, r)
	}
	switch {
	case w.err != nil:
		return nil, fmt.Errorf("dnsfake: Exchange: %w", w.err)
	case w.closed:
		return nil, fmt.Errorf("dnsfake: %w", errUnreachable)
	case w.response != nil:
		return w.response, nil
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

// headerSize is the length of the header of a DNS message (RFC 1035, Section 4.1.1).
const headerSize = 12

// reject answers a message whose header alone can be read, as a dns.Server does.
func reject(w dns.ResponseWriter, r *dns.Msg) {
	r.SetRcodeFormatError(r)
	r.Zero = false
	r.Answer, r.Ns, r.Extra = nil, nil, nil
	_ = w.WriteMsg(r) // the writer keeps its error
}

// memory keeps what is written to a client over TCP. Other methods of the interface than those
// below are not called.
type memory struct {
	dns.ResponseWriter
	response []byte
	err      error
	closed   bool
}

// RemoteAddr tells what answers that they need not fit a datagram.
func (m *memory) RemoteAddr() net.Addr { return new(net.TCPAddr) }

// WriteMsg packs a message.
func (m *memory) WriteMsg(message *dns.Msg) error {
	m.response, m.err = message.Pack()
	return m.err
}

// Write keeps octets that are not a message.
func (m *memory) Write(octets []byte) (int, error) {
	m.response = slices.Clone(octets)
	return len(octets), nil
}

// Close closes the connection.
func (m *memory) Close() error {
	m.closed = true
	return nil
}
