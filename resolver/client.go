package resolver

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
)

// What the zero fields of a Client mean.
const (
	defaultTryTimeout = 2 * time.Second
	defaultRounds     = 2
	defaultTimeout    = 10 * time.Second
)

// A Client asks DNS servers over UDP, and over TCP what does not fit. It is a
// stub: the servers must be recursive, or speak for the names asked. Only
// Servers is required, or Exchange for another transport, such as DoH.
// [SystemClient] and [ReadResolvConf] make a Client as
// resolv.conf says, [ParseServer] reads what a user types.
//
// The first server that answers decides, even if the name does not exist. The
// next is asked after a failure (SERVFAIL, REFUSED and every other code except
// NOERROR and NXDOMAIN), a message that says neither yes nor no, such as a referral,
// silence, or a network error. The package documentation has the table of what says
// no. A server that adds no SOA record to its denials and sets neither AA nor RA, so
// that they cannot be told from a lame server's, gives temporary failures. A chain of
// aliases that a server leaves open is followed by asking for its end.
//
// One Lookup sends at most 3 × (Rounds × len(Servers) + 16) questions, whatever
// the servers say: each try may be repeated without EDNS and over TCP, and each
// of 16 aliases may need a try of its own.
//
// Each question has a random ID and, without Exchange, a socket, hence a source port, of its own
// (RFC 5452), unless ReuseSockets is set. A datagram that is not the answer to the
// question sent is ignored, and not parsed. After 1000 of them in one try the
// question is put over TCP, where nobody but the server can answer.
//
// Memory: a server can say no more than 4096 octets over UDP and 65535 over TCP at a
// time. Records that do not answer the question are not unpacked: a message without
// others takes less than 1 MiB, whatever it holds. The records that answer it, with their
// aliases, may take 2 MiB; if they take more, as names do that are compressed with malice,
// the message is not an answer. While they are unpacked it is up to 8 MiB; for
// questions of the types HIP and ANY up to 40 MiB, since one HIP record may have 32,000
// names. Of the extended errors of a failure, 8 are kept.
//
// A Client is safe for concurrent use as long as its fields do not change. It
// must not be copied after first use.
type Client struct {
	// Servers are tried in this order. Port 0 means 53.
	Servers []netip.AddrPort
	// TryTimeout is how long one try at one server may take, TCP included.
	// Zero means 2 s.
	TryTimeout time.Duration
	// Rounds is how often the list of servers is gone through. Zero means 2.
	Rounds int
	// Timeout is how long one Lookup may take, with all tries and all aliases.
	// Zero means 10 s. A context with an earlier deadline ends it earlier.
	Timeout time.Duration
	// Rotate starts each Lookup one server further down the list.
	Rotate bool
	// TrustAD believes these servers when they say that they validated an answer
	// by DNSSEC (RFC 6840, Section 5.8): Answer.Authentic is then their AD bit.
	// Set it only if the servers validate and the path to them cannot be
	// tampered with, as on the loopback. Otherwise Authentic is never set.
	TrustAD bool
	// ReuseSockets keeps the UDP sockets of answered questions for the next ones:
	// about twice as many questions per second. Set it only for a resolver on this
	// machine, or on a network where nobody else can send in its name: a port that
	// serves again is one that a forger may learn, and then only the 16 bits of the
	// ID are left to guess (RFC 5452, Section 4.5).
	//
	// A question still has a socket to itself while it lasts, and a socket on which
	// no answer came is closed. Up to 64 are kept while they are not needed, none
	// for more than 10 s after it was opened. See Close.
	ReuseSockets bool
	// Exchange, if it is set, is the transport: it sends a query to a server and returns
	// the response, both as DNS messages without the length of TCP. The Client does the rest:
	// it makes the query, checks that the response answers it, follows aliases, tries further
	// servers and rounds, and keeps the time limits. Nil means UDP, and TCP for responses
	// that do not fit.
	//
	// The server is one of Servers, unchanged even if its port is 0. Without Servers it is the
	// zero AddrPort, and answers have the Server "Exchange". The context ends with the try
	// (see TryTimeout) or the Lookup. The query is a copy, which Exchange can keep and change;
	// it must not change the response after it has returned.
	//
	// The next server is asked after an error, a panic, and a response that does not answer
	// the query, has the TC bit, or has over 65535 octets. The Client does not repeat the query
	// for a truncated response: Exchange must use a transport without that limit, or repeat
	// the query itself.
	//
	// The query has a random ID, which the response must have too (RFC 5452, Section
	// 9.2): Exchange may be UDP. A DoH client that uses GET, for HTTP caches, sends zeros
	// as the first two octets, and writes those of the query back into the response
	// (RFC 8484, Section 4.1). With POST, which is not cached, the ID can stay.
	//
	// Exchange must be safe for concurrent use. Lookup does not wait for one that goes on
	// after its context has ended; at most 256 calls run, and further ones wait for them
	// until their try ends.
	Exchange func(ctx context.Context, server netip.AddrPort, query []byte) (response []byte, err error)

	lookups   atomic.Uint32 // counted for Rotate
	sockets   sockets       // kept for ReuseSockets
	transport transport     // that of Exchange
}

// Lookup asks the servers for the records of a name. The name may be in any form
// that [Canonical] accepts. NXDOMAIN and NODATA are answers; Answer.Server is the
// address and port of the server that gave the last of it.
//
// An error is an [*Error]. When all tries failed it is the most telling failure:
// a response code (with what the server adds by RFC 8914) before a network
// error before silence, of which Timeout reports true. It wraps [ErrName],
// [ErrNoServer], [ErrMalformed] and [ErrChain] where these are the cause, and the
// context's error as soon as ctx is done.
func (c *Client) Lookup(ctx context.Context, name string, qtype uint16) (Answer, error) {
	canonical, err := Canonical(name)
	switch {
	case err != nil:
		return Answer{}, &Error{Name: name, Type: qtype, Err: err}
	case len(c.servers()) == 0:
		return Answer{}, &Error{Name: canonical, Type: qtype, Err: ErrNoServer}
	case ctx.Err() != nil:
		return Answer{}, contextError(ctx, canonical, qtype, serverText(c.server(0)))
	}
	return c.resolve(ctx, newWalk(canonical, qtype))
}

// Close closes the sockets that ReuseSockets has kept, at once instead of after
// 10 s. A Client that is closed still answers, with a new socket for each question.
func (c *Client) Close() { c.sockets.close() }

// resolve goes through the servers until the walk is done or all tries failed.
// An alias to follow stays with the server that gave it, and takes none of the
// tries.
func (c *Client) resolve(ctx context.Context, w *walk) (Answer, error) {
	end := time.Now().Add(orDefault(c.Timeout, defaultTimeout))
	first := 0
	if c.Rotate {
		first = int((c.lookups.Add(1) - 1) % uint32(len(c.servers())))
	}
	var worst *Error
	for failed := 0; failed < orDefault(c.Rounds, defaultRounds)*len(c.servers()); {
		server := c.server(first + failed)
		next, failure := c.try(ctx, end, server, w)
		switch {
		case failure == nil && next.done:
			return next.answer, nil
		case failure == nil:
			w, worst = next, nil
			continue
		case ctx.Err() != nil:
			return Answer{}, contextError(ctx, w.name(), w.qtype, serverText(server))
		case errors.Is(failure, ErrChain): // so says the zone, and any other server would
			return Answer{}, failure
		}
		failed++
		worst = moreTelling(worst, failure)
		if !time.Now().Before(end) {
			break
		}
	}
	return Answer{}, worst
}

// servers returns the servers to ask: if only Exchange knows them, one without an address.
func (c *Client) servers() []netip.AddrPort {
	if c.Exchange != nil && len(c.Servers) == 0 {
		return make([]netip.AddrPort, 1)
	}
	return c.Servers
}

// server returns the i-th server to ask. Ports are Exchange's matter if there is one.
func (c *Client) server(i int) netip.AddrPort {
	servers := c.servers()
	server := servers[i%len(servers)]
	if c.Exchange != nil {
		return server
	}
	return withPort(server)
}

// serverText returns the Server of an answer.
func serverText(server netip.AddrPort) string {
	if server == (netip.AddrPort{}) {
		return "Exchange"
	}
	return server.String()
}

// withPort returns a server with the port that zero stands for.
func withPort(server netip.AddrPort) netip.AddrPort {
	if server.Port() == 0 {
		return netip.AddrPortFrom(server.Addr(), 53)
	}
	return server
}

// try asks one server for the end of the walk, and returns the walk as it goes
// on. It sends at most three questions.
func (c *Client) try(ctx context.Context, end time.Time, server netip.AddrPort, w *walk) (*walk, *Error) {
	until := time.Now().Add(orDefault(c.TryTimeout, defaultTryTimeout))
	if until.After(end) {
		until = end
	}
	reply, err := c.ask(ctx, until, server, w.end(), w.qtype)
	if err != nil {
		return nil, w.failure(serverText(server), err)
	}
	// RFC 2308, Sections 2.1 and 2.2: these two are answers, all others failures.
	if reply.rcode != dns.RcodeSuccess && reply.rcode != dns.RcodeNameError {
		failure := w.failure(serverText(server), nil)
		failure.RCode, failure.Extended = reply.rcode, reply.extended
		return nil, failure
	}
	next, err := w.take(reply)
	if err != nil {
		failure := w.failure(serverText(server), err)
		switch {
		case errors.Is(err, ErrChain):
			failure.RCode = dns.RcodeServerFailure
		case errors.Is(err, errTooLong):
			failure.RCode = dns.RcodeYXDomain
		}
		return nil, failure
	}
	next.answer.Server = serverText(server)
	// RFC 6840, Section 5.8: AD counts only if the path to the server is trusted.
	// All messages of a chain must have it.
	next.answer.Authentic = c.TrustAD && reply.validated && (len(w.names) == 1 || w.answer.Authentic)
	return next, nil
}

// ask puts a question to one server, over UDP with EDNS first.
func (c *Client) ask(ctx context.Context, until time.Time, server netip.AddrPort, name string, qtype uint16) (*message, error) {
	msg := &dns.Msg{Question: []dns.Question{{Name: name, Qtype: qtype, Qclass: dns.ClassINET}}}
	msg.RecursionDesired = true
	msg.AuthenticatedData = c.TrustAD // RFC 6840, Section 5.7
	msg.SetEdns0(udpSize, false)
	exchange, last := c.exchangeUDP, false // last: nothing else to go on with
	if c.Exchange != nil {
		exchange, last = c.exchangeOwn, true
	}
	for {
		msg.Id = dns.Id() // RFC 5452, Section 9.2: unpredictable
		packed, err := msg.Pack()
		if err != nil {
			return nil, err
		}
		reply, err := exchange(ctx, until, server, query{name, qtype, packed})
		switch {
		case errors.Is(err, errFlood): // RFC 5452, Section 9.3
			exchange, last = exchangeTCP, true
		case err != nil:
			return nil, err
		case len(msg.Extra) > 0 && rejectsEDNS(reply.rcode):
			msg.Extra = nil // RFC 6891, Section 7
		case reply.truncated && !last:
			exchange, last = exchangeTCP, true // RFC 7766, Section 5; what came is not looked at (RFC 2181, Section 9)
		case reply.truncated && c.Exchange != nil:
			return nil, fmt.Errorf("%w: truncated", ErrMalformed)
		case reply.truncated:
			return nil, fmt.Errorf("%w: truncated over TCP", ErrMalformed)
		default:
			return reply, nil
		}
	}
}

// rejectsEDNS reports whether a server may have meant that it does not know EDNS
// (RFC 6891, Section 7), or this version of it (Section 6.1.3).
func rejectsEDNS(rcode int) bool {
	return rcode == dns.RcodeFormatError || rcode == dns.RcodeNotImplemented || rcode == dns.RcodeBadVers
}

// moreTelling returns the failure that tells more, the earlier one if both tell
// the same.
func moreTelling(a, b *Error) *Error {
	if a == nil || telling(b) > telling(a) {
		return b
	}
	return a
}

func telling(e *Error) int {
	switch {
	case len(e.Extended) > 0:
		return 3
	case e.RCode != 0:
		return 2
	case !e.Timeout():
		return 1
	}
	return 0
}

// orDefault returns the value of a field, or what it means when it is not set.
func orDefault[T ~int | ~int64](value, otherwise T) T {
	if value <= 0 {
		return otherwise
	}
	return value
}
